/** Stands in for src/core.ts in tests and screenshots: same exports, no WASM. */
import { servedByRelay } from '../src/ownRelay'
import type { Event, Request } from '../src/state/api'
import { ProblemError } from '../src/state/problem'
import { FakeAccount } from './fakeAccount'
import { scenes } from './scenes'

export interface Core {
  command(request: Request): void
}

/** The account behind the page, for tests to script. */
export let fake: FakeAccount

export async function startCore(
  onEvents: (events: Event[]) => void,
  options: { takeOver: boolean },
): Promise<Core> {
  fake = new FakeAccount(onEvents)
  Object.assign(globalThis, { fake })
  const name = new URLSearchParams(location.search).get('scene') ?? 'empty'
  const scene = scenes[name]
  servedByRelay.value = !name.startsWith('static')
  const secure = { value: !name.startsWith('http'), configurable: true }
  Object.defineProperty(globalThis, 'isSecureContext', secure)
  if (name === 'second-tab' && !options.takeOver) {
    throw new ProblemError({
      code: 'second_tab',
      happened: 'WireMin is open in another tab.',
      safe: 'Your messages are safe there. Only one tab may write them.',
      todo: 'Go to that tab, or use WireMin here: the other one then stops.',
    })
  }
  if (name === 'starting' || name === 'unreadable') {
    scene?.after?.(fake, onEvents)
    return { command: () => undefined }
  }
  scene?.before?.(fake)
  fake.start()
  scene?.after?.(fake, onEvents)
  return { command: (request) => fake.command(request) }
}
