/**
 * The one file that knows the WASM peer. Everything else speaks the JSON of state/api.ts.
 *
 * What it expects of the module made from web-node:
 *   default(): Promise                        loads the WASM
 *   Peer.start(config, onEvents, newWorker)   config: {"hints": [base64url], "take_over": bool};
 *                                             onEvents(json: array of events); newWorker(): Worker
 *   peer.command(json)                        {"id": 7, "cmd": ...}
 *   worker_main()                             see worker.ts
 * Errors are thrown with a problem as JSON for a message.
 */
import * as wasm from './wasm/web_node.js'
import workerUrl from './worker?worker&url'
import { ownRelay } from './ownRelay'
import type { Event, Request } from './state/api'
import { ProblemError } from './state/problem'
import { s } from './strings'

export interface Core {
  command(request: Request): void
}

interface Glue {
  default(): Promise<unknown>
  Peer: {
    start(
      config: string,
      onEvents: (json: string) => void,
      newWorker: () => Worker,
    ): Promise<{ command(json: string): void }>
  }
}

const { default: init, Peer } = wasm as unknown as Glue

/** Smallest module with a SIMD instruction: (func (drop (i32x4.splat (i32.const 0)))). */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 10, 9, 1, 7, 0, 65, 0, 253, 17, 26,
  11,
])

function checkBrowser(): void {
  const missing = [
    typeof RTCPeerConnection === 'undefined' && 'WebRTC',
    typeof indexedDB === 'undefined' && 'IndexedDB',
    typeof WebAssembly === 'undefined'
      ? 'WebAssembly'
      : !WebAssembly.validate(SIMD_PROBE) && 'WebAssembly SIMD',
  ].filter((name) => name !== false)
  if (missing.length > 0) {
    const code = 'unsupported_browser'
    throw new ProblemError({ code, ...s.problem.unsupportedBrowser(missing.join(', ')) })
  }
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): string }
}

/** The only script URL this page ever makes is its worker's; the policy lets no other through. */
const policy = (globalThis as { trustedTypes?: TrustedTypes }).trustedTypes?.createPolicy(
  'wiremin',
  {
    createScriptURL: (url) => {
      if (url !== workerUrl) throw new TypeError('not the worker')
      return url
    },
  },
)

function newWorker(): Worker {
  const url = policy ? policy.createScriptURL(workerUrl) : workerUrl
  return new Worker(url, { type: 'module' })
}

export async function startCore(
  onEvents: (events: Event[]) => void,
  options: { takeOver: boolean },
): Promise<Core> {
  checkBrowser()
  const [hint] = await Promise.all([ownRelay(), init()])
  const hints = hint === null ? [] : [hint]
  const config = JSON.stringify({ hints, take_over: options.takeOver })
  const peer = await Peer.start(config, (json) => onEvents(JSON.parse(json) as Event[]), newWorker)
  return { command: (request) => peer.command(JSON.stringify(request)) }
}
