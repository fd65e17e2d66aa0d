/**
 * Which view is shown, in step with the browser's back button.
 * Invariant: the address bar never keeps an invitation's secret, and views never appear in it;
 * the browser's history names views, never people.
 */
import { signal } from '@preact/signals'

export type Route =
  | { view: 'home' }
  | { view: 'chat'; contact: string }
  | { view: 'greetings' }
  | { view: 'invites' }
  | { view: 'open' }
  | { view: 'settings' }

export const route = signal<Route>({ view: 'home' })
/** Kept here: the browser writes what it is given for its history to the disk, for good. */
let contact = ''
const entryOf = ({ view }: Route) => ({ view })

/** An invitation that was opened and not answered yet: the part behind `#`. */
export const pendingLink = signal<string | null>(null)

export function go(next: Route): void {
  if (JSON.stringify(next) === JSON.stringify(route.value)) return
  if (next.view === 'chat') contact = next.contact
  // From home one step leads in; between views the step is replaced, so that back leads home.
  if (route.value.view === 'home') history.pushState(entryOf(next), '')
  else history.replaceState(next.view === 'home' ? null : entryOf(next), '')
  route.value = next
}

export function home(): void {
  if (!history.state || route.value.view === 'home') return go({ view: 'home' })
  // At once: who presses twice before the browser has gone back must not leave the page.
  route.value = { view: 'home' }
  history.back()
}

/** Esc leads home, but not out of what is being written. */
export function onEscape(event: KeyboardEvent): void {
  if (event.key !== 'Escape' || event.defaultPrevented || event.isComposing) return
  const field = event.target instanceof Element && event.target.closest('input, textarea')
  const written = field && 'value' in field && field.value !== '' && !field.matches('[type=radio]')
  if (!written || field.matches('[type=checkbox]')) home()
}

/** Takes the fragment out of the address bar. */
function takeFragment(): void {
  const fragment = location.hash.slice(1)
  if (!fragment) return
  history.replaceState(history.state, '', location.pathname + location.search)
  pendingLink.value = fragment
  route.value = { view: 'open' }
}

export function startRouting(): void {
  // A reload starts at the list: what the last page showed may no longer exist.
  if (history.state) history.replaceState(null, '', location.href)
  takeFragment()
  addEventListener('hashchange', takeFragment)
  addEventListener('popstate', (event) => {
    if (location.hash.length > 1) return
    const view = (event.state as { view: Route['view'] } | null)?.view ?? 'home'
    route.value = view === 'chat' ? { view, contact } : { view }
  })
}
