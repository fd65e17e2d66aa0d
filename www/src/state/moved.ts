/**
 * Looks for the relay that serves this page where it is now, while there is no link to it: a relay
 * on this machine has another address when the machine moves to another network, or leaves one.
 * A host that was too slow to name one at the start is asked again until it answers.
 */
import { effect, signal } from '@preact/signals'
import { ownRelay, servedByRelay } from '../ownRelay'
import type { RelayView } from './api'
import { isOpen, onEvent, run } from './store'

/** At the start the host is asked by whoever starts the peer, for three seconds. */
const PAUSE_MS_MIN = 4_000
const PAUSE_MS_MAX = 60_000

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

/** Named after the start, until there is an account that can be told. */
const named = signal<string | null>(null)

/** Asks until the host has said whether it is a relay, or names one. */
export async function askHost(pause = PAUSE_MS_MIN): Promise<void> {
  for (let ms = pause; servedByRelay.peek() === null; ms = Math.min(2 * ms, PAUSE_MS_MAX)) {
    await new Promise((done) => setTimeout(done, ms))
    // The first answer came to whoever started the peer.
    if (servedByRelay.peek() === null) named.value = await ownRelay()
  }
}

/** Begins, once the page is there. Other hosts than relays are asked no further. */
export function followRelay(): void {
  void askHost()
  effect(() => {
    if (!isOpen.value || named.value === null) return
    void run({ cmd: 'add_relay', hint: named.value }).catch(() => undefined)
    named.value = null
  })
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
