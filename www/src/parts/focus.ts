/**
 * Where the keyboard starts on a page that just appeared: at the field that asks for it, else at
 * the title, so that a screen reader reads from there. Touch screens would open the keyboard.
 */
export function focusStart(title: HTMLElement | null): void {
  const fine = typeof matchMedia !== 'function' || matchMedia('(pointer: fine)').matches
  const root = title?.closest('form, section, main')
  const field = fine ? root?.querySelector<HTMLElement>('[autofocus]') : null
  ;(field ?? title)?.focus({ preventScroll: true })
}
