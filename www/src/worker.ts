/** Where slow work runs: the same WASM, off the main thread. Proof-of-work and Argon2 only. */
import * as wasm from './wasm/web_node.js'

const { default: init, worker_main } = wasm as unknown as {
  default(): Promise<unknown>
  worker_main(): void
}

// Messages that arrive while the module loads are kept and handed on once it listens.
const early: MessageEvent[] = []
const keep = (event: MessageEvent) => early.push(event)
addEventListener('message', keep)

await init()
removeEventListener('message', keep)
worker_main()
for (const event of early) dispatchEvent(new MessageEvent('message', { data: event.data }))

export {}
