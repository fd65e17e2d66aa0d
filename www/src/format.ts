/** Times, ids and digits as people read them, in the language of the browser. */
import { s } from './strings'

const time = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' })
const weekday = new Intl.DateTimeFormat(undefined, { weekday: 'short' })
const weekdayLong = new Intl.DateTimeFormat(undefined, { weekday: 'long' })
const day = new Intl.DateTimeFormat(undefined, { day: 'numeric', month: 'short' })
const dayYear = new Intl.DateTimeFormat(undefined, {
  day: 'numeric',
  month: 'long',
  year: 'numeric',
})
const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

const DAY_MS = 86_400_000
/** What a Date can hold; a sender may write any number. */
const safe = (ms: number) => (Number.isFinite(ms) && Math.abs(ms) < 8.64e15 ? ms : 0)

/** When that day began. */
export const midnight = (ms: number) => new Date(safe(ms)).setHours(0, 0, 0, 0)
/** Whole calendar days from one time to another, whatever the clock did in between. */
const daysBetween = (a: number, b: number) => Math.round((midnight(b) - midnight(a)) / DAY_MS)

export const clock = (ms: number) => time.format(safe(ms))
export const moment = (ms: number) => full.format(safe(ms))
export const date = (ms: number) => dayYear.format(safe(ms))

/** Heading of a day in a conversation. */
export function dayName(ms: number, now = Date.now()): string {
  const ago = daysBetween(ms, now)
  if (ago === 0) return s.day.today
  if (ago === 1) return s.day.yesterday
  return ago > 1 && ago < 7 ? weekdayLong.format(safe(ms)) : dayYear.format(safe(ms))
}

/** Short, for lists: the time today, the weekday this week, else the day. */
export function brief(ms: number, now = Date.now()): string {
  const ago = daysBetween(ms, now)
  if (ago === 0) return clock(ms)
  return ago > 0 && ago < 7 ? weekday.format(safe(ms)) : day.format(safe(ms))
}

/** A time ahead: `14:30` today, `Tue 14:30` this week, else with the day. */
export function ahead(ms: number, now = Date.now()): string {
  const days = daysBetween(now, ms)
  if (days === 0) return clock(ms)
  return days > 0 && days < 7
    ? `${weekday.format(safe(ms))} ${clock(ms)}`
    : `${day.format(safe(ms))}, ${clock(ms)}`
}

/** A span as a countdown: `45 s`, `4:05 min`. */
export function countdown(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}:${String(seconds % 60).padStart(2, '0')} min`
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, '0')} h`
}

/** A name that was left empty, or held nothing that shows, gives way to the start of the id. */
export const nameOr = (name: string, id: string) => name || s.common.nameless(id.slice(0, 4))

/** Groups of that many characters. */
export function groups(text: string, size: number): string[] {
  return text.match(new RegExp(`.{1,${size}}`, 'g')) ?? []
}
