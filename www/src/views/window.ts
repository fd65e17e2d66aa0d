/**
 * Which part of a conversation the page holds: a window that moves with the scrolling.
 * Invariant: it never has more than SHOWN_MAX messages, however many are known.
 */
import type { MessageView } from '../state/api'
import { PAGE } from '../state/store'

export const SHOWN_MAX = 4 * PAGE

/** Ids of the first and the last message shown. Null: a page before the last, and the newest. */
export interface Shown {
  first: string | null
  last: string | null
}

export const NEWEST: Shown = { first: null, last: null }

/** From which message on, and up to which one (not included). */
export type Range = readonly [from: number, to: number]

function indexOf(messages: MessageView[], id: string | null): number {
  return id === null ? -1 : messages.findIndex((m) => m.message === id)
}

/** Of too many, those are left out that are farther from where one reads. */
export function rangeOf(messages: MessageView[], shown: Shown, atEnd: boolean): Range {
  const last = indexOf(messages, shown.last)
  const to = last < 0 ? messages.length : last + 1
  const first = indexOf(messages, shown.first)
  const from = Math.max(0, first < 0 || first >= to ? to - PAGE : first)
  if (to - from <= SHOWN_MAX) return [from, to]
  return atEnd ? [to - SHOWN_MAX, to] : [from, from + SHOWN_MAX]
}

function shownOf(messages: MessageView[], from: number, to: number): Shown {
  const id = (at: number) => messages[at]?.message ?? null
  return { first: id(from), last: to === messages.length ? null : id(to - 1) }
}

/** One page further up. */
export function earlier(messages: MessageView[], [from, to]: Range): Shown {
  const start = Math.max(0, from - PAGE)
  return shownOf(messages, start, Math.min(to, start + SHOWN_MAX))
}

/** One page further down. */
export function later(messages: MessageView[], [from, to]: Range): Shown {
  const end = Math.min(messages.length, to + PAGE)
  return shownOf(messages, Math.max(from, end - SHOWN_MAX), end)
}
