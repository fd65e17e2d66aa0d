/** Where the keyboard is: at the start of a page, and after what it was at has gone. */
import type { RefObject } from 'preact'
import { useEffect } from 'preact/hooks'

/** Touch screens would open their keyboard, or have no key for a new line other than Enter. */
export const isTouch = () =>
  typeof matchMedia === 'function' && matchMedia('(pointer: coarse)').matches

/**
 * At the field that asks for it, else at the title, so that a screen reader reads from there.
 */
export function focusStart(title: HTMLElement | null): void {
  const root = title?.closest('form, section, main')
  const field = isTouch() ? null : root?.querySelector<HTMLElement>('[autofocus]')
  ;(field ?? title)?.focus({ preventScroll: true })
}

/** At the place to write, or at the title of what is shown beside the list. */
export function focusContent(): void {
  const field = isTouch() ? null : document.querySelector<HTMLElement>('.content textarea')
  const target = field ?? document.querySelector<HTMLElement>('.content h1')
  target?.focus()
}

/** When a part of the page goes while the keyboard was in it, the keyboard goes on beside it. */
export function useContentAfter(shown: boolean): void {
  useEffect(() => {
    if (!shown) return
    return () => {
      if (document.activeElement === document.body) focusContent()
    }
  }, [shown])
}

/** When what had the focus is taken from `root`, the focus goes to `to` and not to the page. */
export function useKeptFocus(
  root: RefObject<HTMLElement | null>,
  to: RefObject<HTMLElement | null>,
): void {
  useEffect(() => {
    const { current } = root
    if (!current) return
    let inside = false
    const enter = () => (inside = true)
    const leave = (event: FocusEvent) => {
      if (event.relatedTarget) inside = false
    }
    const observer = new MutationObserver(() => {
      if (!inside || document.activeElement !== document.body) return
      to.current?.focus({ preventScroll: true })
    })
    current.addEventListener('focusin', enter)
    current.addEventListener('focusout', leave)
    observer.observe(current, { childList: true, subtree: true })
    return () => {
      observer.disconnect()
      current.removeEventListener('focusin', enter)
      current.removeEventListener('focusout', leave)
    }
  }, [])
}
