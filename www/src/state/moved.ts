/**
 * Looks for the relay that serves this page where it is now, while there is no link to it: a relay
 * on this machine has another address when the machine moves to another network, or leaves one.
 */
import { ownRelay, servedByRelay } from '../ownRelay'
import type { RelayView } from './api'
import { onEvent, run } from './store'

/** The letters of a hint that say which relay it is, wherever that is: its key, 32 bytes. */
const KEY_LETTERS = 43

const keyOf = (hint: string) => hint.slice(-KEY_LETTERS)

/** The place that the account was told of last and has not reached yet. */
let told = ''
let asking = false

async function follow(down: RelayView[]): Promise<void> {
  const hint = await ownRelay()
  const moved = down.some((relay) => relay.hint !== hint && keyOf(relay.hint) === keyOf(hint ?? ''))
  if (hint === null || !moved || hint === told) return
  told = hint
  await run({ cmd: 'add_relay', hint })
}

/** Begins, once the page is there. Other hosts than relays are not asked. */
export function followRelay(): void {
  onEvent((event) => {
    if (event.event !== 'relays' || !servedByRelay.peek()) return
    const down = event.relays.filter((relay) => relay.state === 'down')
    if (event.relays.some((relay) => relay.hint === told && relay.state === 'open')) told = ''
    if (asking || down.length === 0) return
    asking = true
    void follow(down)
      .catch(() => undefined)
      .finally(() => (asking = false))
  })
}
