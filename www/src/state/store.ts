/**
 * The state as signals, and the way to ask the core for something.
 * Invariant: state changes only here, by `reduce` or by the answer to a command.
 */
import { batch, computed, effect, signal } from '@preact/signals'
import { startCore, type Core } from '../core'
import type { Answer, AnswerKind, AnswerOf, Command, Event, Problem, Request } from './api'
import { problemOf, ProblemError, STOPPED } from './problem'
import {
  addHistory,
  dismissRecovery,
  dismissTrouble,
  forgetLinking,
  initial,
  type Over,
  readOver,
  reduceAll,
} from './reduce'
import { servedByRelay } from '../ownRelay'
import { s } from '../strings'

export const state = signal(initial)
const ended = signal<Problem | null>(null)

export const phase = computed(() => state.value.phase)
export const isOpen = computed(() => phase.value.phase === 'open')
export const profile = computed(() => state.value.profile)
/** How far a restored account has come, while that is told. */
export const recovery = computed(() => state.value.recovery)
/** Set while this device was overtaken by another one of the account. */
export const elsewhere = computed(() => state.value.elsewhere)
/** Set once another device of the account has taken this one out. */
export const removed = computed(() => state.value.removed)
export const linking = computed(() => state.value.linking)
export const devices = computed(() => state.value.devices)
/** Whether this device has the 18 words, as one that was linked may not. */
export const hasWords = computed(() => devices.value.find((one) => one.this)?.full ?? true)
export const relays = computed(() => state.value.relays)
/** Whether some relay takes messages now. */
export const linked = computed(() =>
  relays.value.some(({ state }) => state === 'open' || state === 'catching_up'),
)
/** Whether the page came without a relay and the account knows none: nobody can be reached yet. */
export const lone = computed(() => servedByRelay.value === false && relays.value.length === 0)
export const work = computed(() => state.value.work)
export const troubles = computed(() => state.value.troubles)
// Each of these changes with its own part of the state only, and with it the views that use it.
const greetingsById = computed(() => state.value.greetings)
const invitesById = computed(() => state.value.invites)
export const contactsById = computed(() => state.value.contacts)
export const conversations = computed(() => state.value.conversations)
export const clockOffS = computed(() => state.value.clockOffS)
export const greetings = computed(() =>
  Object.values(greetingsById.value).sort((a, b) => b.at - a.at),
)
export const invites = computed(() =>
  Object.values(invitesById.value).sort((a, b) => b.until - a.until),
)
/** By this device's clock: what others write into their messages moves nobody to the top. */
export const contacts = computed(() =>
  Object.values(contactsById.value)
    .filter((c) => c.state !== 'blocked')
    .sort((a, b) => b.changed - a.changed),
)
export const blocked = computed(() =>
  Object.values(contactsById.value).filter((c) => c.state === 'blocked'),
)
export const unreadTotal = computed(
  () => contacts.value.reduce((sum, c) => sum + c.unread, 0) + greetings.value.length,
)

/** Codes after which the page cannot go on, whatever they were reported as. */
const FATAL = new Set(['second_tab', 'unsupported_browser', 'private_mode', 'crashed'])
/** While the store is still being read there is nothing to show but these. */
const UNREADABLE = new Set(['store_unavailable', 'store_newer', 'store_damaged'])

/** Why nothing can go on: unsupported browser, second tab, store out of reach. */
export const stopped = computed<Problem | null>(() => {
  if (ended.value || phase.value.phase !== 'starting') return ended.value
  return troubles.value.find((problem) => UNREADABLE.has(problem.code)) ?? null
})

interface Waiting {
  resolve: (answer: Answer | undefined) => void
  reject: (error: ProblemError) => void
}

let core: Core | null = null
/** How often a peer was started. */
let turns = 0
let nextId = 1
const waiting = new Map<number, Waiting>()
/** Asked for while the peer starts: its first events come before it can be handed commands. */
const early: Request[] = []
const listeners = new Set<(event: Event) => void>()

/** Calls back for each event after it changed the state. Returns the way to stop it. */
export function onEvent(listener: (event: Event) => void): () => void {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function settle(event: Event): void {
  if (event.event !== 'done' && event.event !== 'failed') return
  const waiter = waiting.get(event.id)
  waiting.delete(event.id)
  if (event.event === 'done') waiter?.resolve(event.answer)
  else waiter?.reject(new ProblemError(event.error))
}

/** Forgets the account and whatever was asked of it: nobody who comes to this page may see it. */
function forget(): void {
  core = null
  early.length = 0
  state.value = initial
  const error = new ProblemError({ code: STOPPED, ...s.problem.stopped })
  for (const waiter of waiting.values()) waiter.reject(error)
  waiting.clear()
}

function stop(problem: Problem): void {
  batch(() => {
    ended.value = problem
    forget()
  })
}

export function receive(events: Event[]): void {
  if (ended.value) return
  for (const event of events) {
    if (event.event === 'trouble' && FATAL.has(event.problem.code)) return stop(event.problem)
  }
  state.value = reduceAll(state.value, events)
  for (const event of events) {
    settle(event)
    for (const listener of listeners) listener(event)
  }
}

/** Starts the peer. `takeOver`: from another tab that holds the store. */
export async function start(takeOver = false): Promise<void> {
  batch(() => {
    forget()
    ended.value = null
  })
  const turn = ++turns
  try {
    // What an earlier peer still says is not heard.
    const started = await startCore((events) => turn === turns && receive(events), { takeOver })
    if (turn !== turns || ended.value) return
    core = started
    for (const request of early.splice(0)) hand(core, request)
  } catch (error) {
    stop(problemOf(error))
  }
}

function hand(to: Core, request: Request): void {
  try {
    to.command(request)
  } catch (error) {
    receive([{ event: 'failed', id: request.id, error: problemOf(error) }])
  }
}

/** Asks for something that has no answer beyond having been done. */
export function run(command: Command): Promise<Answer | undefined> {
  return new Promise((resolve, reject) => {
    const request = { ...command, id: nextId++ }
    waiting.set(request.id, { resolve, reject })
    if (core) hand(core, request)
    else early.push(request)
  })
}

/** Asks for something and gives the answer, which must be of that kind. */
export async function ask<K extends AnswerKind>(kind: K, command: Command): Promise<AnswerOf<K>> {
  const answer = await run(command)
  if (answer?.kind !== kind) throw new ProblemError(problemOf(new Error(`no ${kind} in answer`)))
  return answer as AnswerOf<K>
}

export const PAGE = 50

/** Fetches the newest messages of a conversation, or those before the ones asked for so far. */
export async function loadHistory(contact: string, older = false): Promise<void> {
  const before = older ? (state.value.conversations[contact]?.first ?? null) : null
  const page = await ask('history', { cmd: 'history', contact, before, limit: PAGE })
  // Meanwhile the account may have been locked, or the contact removed.
  if (!state.value.contacts[contact]) return
  state.value = addHistory(state.value, contact, page)
  // Of a page all of which was deleted nothing would be seen.
  if (page.messages.length === 0 && page.more) await loadHistory(contact, true)
}

/** A text on its way to the disk, which takes as long as the disk is full. */
export interface Unsaved {
  id: number
  contact: string
  text: string
}

export const sending = signal<Unsaved[]>([])
effect(() => {
  if (!isOpen.value) sending.value = []
})

export async function send(contact: string, text: string): Promise<void> {
  const id = nextId
  sending.value = [...sending.value, { id, contact, text }]
  try {
    await run({ cmd: 'send', contact, text })
  } finally {
    sending.value = sending.value.filter((one) => one.id !== id)
  }
}

export function dismiss(code: string): void {
  state.value = dismissTrouble(state.value, code)
}

/** The end of a recovery was read, or its way is not to be shown. */
export function hideRecovery(): void {
  state.value = dismissRecovery(state.value)
}

/** How linking ended was read, or another begins. */
export function endLinking(): void {
  if (linking.peek()) state.value = forgetLinking(state.value)
}

const OVER = new Set(['done', 'failed'])

/** Calls off what is under way. `begun`: something is, of which nothing may have been told yet. */
export async function cancelLinking(begun = false): Promise<void> {
  const now = linking.peek()
  if (now ? !OVER.has(now.step) : begun) await run({ cmd: 'link_cancel' }).catch(() => undefined)
  endLinking()
}

/** Puts aside what is told over the whole page, or shows it again. */
export function putAside(which: Over, dismissed: boolean): void {
  state.value = readOver(state.value, which, dismissed)
}

/** For tests: as if the page were opened anew. */
export function reset(): void {
  forget()
  ended.value = null
}
