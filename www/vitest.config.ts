import { defineConfig } from 'vitest/config'
import { fakeCore } from './vite.config.ts'

export default defineConfig({
  plugins: [fakeCore()],
  test: { environment: 'happy-dom', testTimeout: 30_000, include: ['test/**/*.test.{ts,tsx}'] },
})
