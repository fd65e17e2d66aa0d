/**
 * Which view is shown, in step with the browser's back button.
 * Invariant: the address bar never keeps an invitation's secret, and views never appear in it.
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
/** An invitation that was opened and not answered yet: the part behind `#`. */
export const pendingLink = signal<string | null>(null)

export function go(next: Route): void {
  if (JSON.stringify(next) === JSON.stringify(route.value)) return
  // From home one step leads in; between views the step is replaced, so that back leads home.
  if (route.value.view === 'home') history.pushState(next, '')
  else history.replaceState(next.view === 'home' ? null : next, '')
  route.value = next
}

export function home(): void {
  if (history.state && route.value.view !== 'home') history.back()
  else go({ view: 'home' })
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
    route.value = (event.state as Route | null) ?? { view: 'home' }
  })
}
