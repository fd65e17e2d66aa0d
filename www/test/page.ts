/** Opens the whole page on a scene, and drives it as a person would. */
import { createElement, render } from 'preact'
import { pendingLink, route, startRouting } from '../src/state/route'
import { reset, start } from '../src/state/store'
import { App } from '../src/views/app'
// So that they are there as soon as they are asked for.
import '../src/parts/scanner'
import '../src/views/create'
import '../src/views/import'
import '../src/views/linknew'
import '../src/views/restore'
import '../src/views/settings'

/** Where nothing is laid out, all is in sight. */
class InSight {
  constructor(private readonly tell: IntersectionObserverCallback) {}
  observe(target: Element): void {
    const entry = { target, isIntersecting: true } as IntersectionObserverEntry
    queueMicrotask(() => this.tell([entry], this as never))
  }
  unobserve(): void {}
}
Object.assign(globalThis, { IntersectionObserver: InSight })

let routing = false
let root: HTMLElement | null = null

export async function open(scene: string): Promise<void> {
  if (root) render(null, root)
  document.body.replaceChildren()
  reset()
  pendingLink.value = null
  route.value = { view: 'home' }
  history.replaceState(null, '', `/?scene=${scene}`)
  if (!routing) startRouting()
  routing = true
  root = document.body.appendChild(document.createElement('div'))
  render(createElement(App, {}), root)
  await start()
  await settle()
}

/** Lets promises and effects run out. */
export async function settle(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((done) => setTimeout(done, 4))
}

export const all = (id: string) => [
  ...document.querySelectorAll<HTMLElement>(`[data-testid="${id}"]`),
]
export const has = (id: string) => all(id).length > 0
export function at(id: string, n = 0): HTMLElement {
  const found = all(id).at(n)
  if (!found) throw new Error(`no ${id} on the page: ${document.body.textContent}`)
  return found
}

export async function click(id: string, n = 0): Promise<void> {
  const element = at(id, n)
  element.click()
  await settle()
}

export async function type(id: string, text: string, n = 0): Promise<void> {
  const field = at(id, n) as HTMLInputElement
  field.focus()
  field.value = text
  field.dispatchEvent(new Event('input', { bubbles: true }))
  await settle()
}

export async function press(
  id: string,
  key: string,
  options: KeyboardEventInit = {},
): Promise<void> {
  const init = { key, bubbles: true, cancelable: true, ...options }
  at(id).dispatchEvent(new KeyboardEvent('keydown', init))
  await settle()
}

export async function paste(id: string, text: string): Promise<void> {
  const event = new Event('paste', { bubbles: true, cancelable: true })
  Object.assign(event, { clipboardData: { getData: () => text } })
  at(id).dispatchEvent(event)
  await settle()
}

/** Waits for the page to become so: lazy parts take a moment. */
export async function until(holds: () => boolean): Promise<void> {
  for (let i = 0; i < 500; i++) {
    if (holds()) return
    await new Promise((done) => setTimeout(done, 10))
  }
  throw new Error(`never happened: ${holds.toString()}`)
}
