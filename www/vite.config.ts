import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin } from 'vite'

/**
 * What the page may load and run. A relay sends the same as a header, with frame-ancestors, which a
 * <meta> cannot carry; the <meta> is for hosts that send no headers of their own.
 */
const policy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data: blob:",
  "font-src 'self'",
  "connect-src 'self'",
  "worker-src 'self'",
  "manifest-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types wiremin',
].join('; ')

/** Puts the policy first in <head>. Builds only: the development server injects styles inline. */
function contentSecurityPolicy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: policy },
        injectTo: 'head-prepend',
      },
    ],
  }
}

/** Mode `fake` plays scripted events in place of the WASM peer: for screenshots, never shipped. */
export function fakeCore(): Plugin {
  const fake = fileURLToPath(new URL('./test/fakeCore.ts', import.meta.url))
  return {
    name: 'fake-core',
    enforce: 'pre',
    resolveId: (source) => (/(^|\/)core$/.test(source) && source.startsWith('.') ? fake : null),
  }
}

export default defineConfig(({ mode }) => ({
  base: './',
  plugins: mode === 'fake' ? [fakeCore(), contentSecurityPolicy()] : [contentSecurityPolicy()],
  build: {
    outDir: mode === 'fake' ? 'node_modules/.fake' : 'dist',
    emptyOutDir: true,
    target: ['chrome111', 'firefox114', 'safari16.4'],
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    manifest: 'assets/manifest.json',
  },
  worker: { format: 'es' as const },
}))
