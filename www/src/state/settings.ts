/**
 * What is set for all devices of the account: `settings` in PROTOCOL.md section 13. Only the theme,
 * so far; without an account it stays with this page.
 */
import { theme, type Theme } from './prefs'
import { isOpen, onEvent, run } from './store'

/** As the account holds them; what this version does not know stays as it is. */
let held: Record<string, unknown> = {}

function read(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
    return isObject ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

const isTheme = (value: unknown): value is Theme =>
  value === 'system' || value === 'light' || value === 'dark'

/** Begins, once the page is there. */
export function followSettings(): () => void {
  return onEvent((event) => {
    if (event.event === 'phase' && event.phase !== 'open') held = {}
    if (event.event !== 'settings') return
    held = read(event.settings)
    if (isTheme(held.theme)) theme.value = held.theme
  })
}

export async function chooseTheme(value: Theme): Promise<void> {
  theme.value = value
  if (!isOpen.peek()) return
  held = { ...held, theme: value }
  await run({ cmd: 'set_settings', settings: JSON.stringify(held) })
}
