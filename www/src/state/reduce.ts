/**
 * The whole state of the page, and how each event of the core changes it.
 * Invariant: `reduce` is pure, and playing an event twice changes nothing.
 */
import { nameOr } from '../format'
import type {
  ContactView,
  DeviceView,
  Event,
  GreetingView,
  InviteView,
  Linking,
  MessageView,
  Phase,
  Problem,
  Recovery,
  RelayView,
} from './api'

export interface Conversation {
  /** Sorted by (order, mine, index). */
  messages: MessageView[]
  /** Null: the history was not asked for yet. */
  more: boolean | null
  /** Where what was asked for begins: older messages are those before. */
  first: number | null
}

export const NOTHING: Conversation = { messages: [], more: null, first: null }

export interface Profile {
  account: string
  name: string
  restored: boolean
  about: string
  /** The picture's hash. */
  avatar: string | null
}

/** The account goes on without this device: what the core says of it, and whether it was read. */
export interface Elsewhere {
  problem: Problem
  dismissed: boolean
}

export interface State {
  phase: Phase
  profile: Profile | null
  recovery: Recovery | null
  /** It was restored on another device. */
  elsewhere: Elsewhere | null
  /** Another device took this one out of it. */
  removed: Elsewhere | null
  /** What is under way, or how the last one ended, until that was read. */
  linking: Linking | null
  devices: DeviceView[]
  relays: RelayView[]
  clockOffS: number | null
  invites: Record<string, InviteView>
  greetings: Record<string, GreetingView>
  contacts: Record<string, ContactView>
  conversations: Record<string, Conversation>
  /** Share of proof-of-work done, by what it is for. */
  work: Record<string, number>
  troubles: Problem[]
}

export const initial: State = {
  phase: { phase: 'starting' },
  profile: null,
  recovery: null,
  elsewhere: null,
  removed: null,
  linking: null,
  devices: [],
  relays: [],
  clockOffS: null,
  invites: {},
  greetings: {},
  contacts: {},
  conversations: {},
  work: {},
  troubles: [],
}

const TROUBLES_MAX = 4
/** A trouble of its own kind: it stays until one has chosen. */
const ELSEWHERE = 'recovered_elsewhere'
/** What a command is refused with meanwhile. */
const SUPERSEDED = 'superseded'
/** Told once and for good, and what commands are refused with from then on. */
const REMOVED = 'device_removed'

function without<T>(map: Record<string, T>, key: string): Record<string, T> {
  if (!(key in map)) return map
  const { [key]: _, ...rest } = map
  return rest
}

function named<T extends { name: string }>(view: T, id: string): T {
  return { ...view, name: nameOr(view.name, id) }
}

export function byOrder(a: MessageView, b: MessageView): number {
  return a.order - b.order || Number(a.mine) - Number(b.mine) || a.index - b.index
}

/** Adds one message, which mostly belongs at the end. */
function insert(known: MessageView[], message: MessageView): MessageView[] {
  const is = (m: MessageView) => m.message === message.message
  const rest = known.some(is) ? known.filter((m) => !is(m)) : known
  const at = rest.findLastIndex((m) => byOrder(m, message) <= 0) + 1
  return [...rest.slice(0, at), message, ...rest.slice(at)]
}

/** Adds messages to a sorted list; one that is known already is replaced. */
export function merge(known: MessageView[], added: MessageView[]): MessageView[] {
  if (added.length === 1 && added[0]) return insert(known, added[0])
  const fresh = new Map(added.map((m) => [m.message, m]))
  const kept = known.filter((m) => !fresh.has(m.message))
  return [...kept, ...fresh.values()].sort(byOrder)
}

function withMessages(
  state: State,
  contact: string,
  change: (c: Conversation) => Conversation,
): State {
  const before = state.conversations[contact] ?? NOTHING
  return { ...state, conversations: { ...state.conversations, [contact]: change(before) } }
}

/** A page of history, as an answer brought it. */
export function addHistory(
  state: State,
  contact: string,
  page: { messages: MessageView[]; more: boolean; first: number },
): State {
  return withMessages(state, contact, (c) => {
    const messages = merge(c.messages, page.messages)
    // The newest page may be asked for again when older ones are known.
    const older = c.first === null || page.first <= c.first
    return older ? { messages, more: page.more, first: page.first } : { ...c, messages }
  })
}

export function dismissRecovery(state: State): State {
  return { ...state, recovery: null }
}

export function forgetLinking(state: State): State {
  return { ...state, linking: null }
}

/** What is told over the whole page. */
export type Over = 'elsewhere' | 'removed'

export function readOver(state: State, which: Over, dismissed: boolean): State {
  const told = state[which]
  return { ...state, [which]: told && { ...told, dismissed } }
}

function overAll(state: State, which: Over, problem: Problem): State {
  return { ...state, [which]: { problem, dismissed: state[which]?.dismissed ?? false } }
}

export function dismissTrouble(state: State, code: string): State {
  return { ...state, troubles: state.troubles.filter((p) => p.code !== code) }
}

function onPhase(state: State, phase: Phase): State {
  if (phase.phase === 'open') return { ...state, phase }
  // An empty device that is being linked stays at it.
  const linking = phase.phase === 'empty' && state.phase.phase === 'empty' ? state.linking : null
  // Nothing of an account stays on a page that is locked or empty.
  return { ...initial, phase, linking, troubles: state.troubles }
}

function onTrouble(state: State, problem: Problem): State {
  if (problem.code === ELSEWHERE) return overAll(state, 'elsewhere', problem)
  if (problem.code === REMOVED) return overAll(state, 'removed', problem)
  const rest = state.troubles.filter((p) => p.code !== problem.code)
  return { ...state, troubles: [...rest, problem].slice(-TROUBLES_MAX) }
}

/** Refused for being superseded or taken out, one is shown again what to choose from. */
function onFailed(state: State, problem: Problem): State {
  if (problem.code === REMOVED) return { ...state, removed: { problem, dismissed: false } }
  if (problem.code !== SUPERSEDED) return state
  const told = state.elsewhere?.problem ?? problem
  return { ...state, elsewhere: { problem: told, dismissed: false } }
}

function onMessage(state: State, message: MessageView): State {
  const next = withMessages(state, message.contact, (c) => ({
    ...c,
    messages: merge(c.messages, [message]),
  }))
  const waiting = message.delivery.state === 'queued' && message.delivery.waits_for === 'work'
  if (waiting) return next
  // A greeting's work goes by the contact.
  const work = without(without(next.work, message.message), message.contact)
  return { ...next, work }
}

/** Plays events in their order. A run of contacts, as a snapshot tells them, is copied once. */
export function reduceAll(state: State, events: Event[]): State {
  let next = state
  let contacts: State['contacts'] | null = null
  for (const event of events) {
    if (event.event === 'contact') {
      contacts ??= { ...next.contacts }
      contacts[event.contact.contact] = named(event.contact, event.contact.contact)
      continue
    }
    if (contacts) next = { ...next, contacts }
    contacts = null
    next = reduce(next, event)
  }
  return contacts ? { ...next, contacts } : next
}

export function reduce(state: State, event: Event): State {
  switch (event.event) {
    case 'done':
    case 'settings':
      return state
    case 'failed':
      return onFailed(state, event.error)
    case 'phase': {
      const { event: _, ...phase } = event
      return onPhase(state, phase)
    }
    case 'profile': {
      const { account, name, restored, about = '', avatar = null } = event
      return { ...state, profile: { account, name, restored, about, avatar } }
    }
    case 'recovery': {
      const { event: _, ...recovery } = event
      return { ...state, recovery }
    }
    case 'linking': {
      const { event: _, ...linking } = event
      return { ...state, linking }
    }
    case 'devices':
      return { ...state, devices: event.devices }
    case 'relays':
      return { ...state, relays: event.relays, clockOffS: event.clock_off_s ?? null }
    case 'invite': {
      const { invite } = event
      const invites = { ...state.invites, [invite.invite]: invite }
      const done = invite.state !== 'publishing'
      return { ...state, invites, work: done ? without(state.work, invite.invite) : state.work }
    }
    case 'invite_removed':
      return { ...state, invites: without(state.invites, event.invite) }
    case 'greeting': {
      const greeting = named(event.greeting, event.greeting.account)
      return { ...state, greetings: { ...state.greetings, [greeting.greeting]: greeting } }
    }
    case 'greeting_removed':
      return { ...state, greetings: without(state.greetings, event.greeting) }
    case 'contact': {
      const contact = named(event.contact, event.contact.contact)
      return { ...state, contacts: { ...state.contacts, [contact.contact]: contact } }
    }
    case 'contact_removed':
      return {
        ...state,
        contacts: without(state.contacts, event.contact),
        conversations: without(state.conversations, event.contact),
      }
    case 'message':
      return onMessage(state, event.message)
    case 'message_removed':
      return withMessages(state, event.contact, (c) => ({
        ...c,
        messages: c.messages.filter((m) => m.message !== event.message),
      }))
    case 'conversation_cleared':
      return withMessages(state, event.contact, () => ({ ...NOTHING, more: false }))
    case 'work':
      return { ...state, work: { ...state.work, [event.what]: event.share } }
    case 'trouble':
      return onTrouble(state, event.problem)
    case 'trouble_over':
      return event.code === ELSEWHERE
        ? { ...state, elsewhere: null }
        : dismissTrouble(state, event.code)
  }
}
