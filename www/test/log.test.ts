import { describe, expect, it } from 'vitest'
import { firstLetter } from '../src/parts/avatar'
import type { ContactView, Event, MessageView, Request } from '../src/state/api'
import { initial, merge, reduce, reduceAll } from '../src/state/reduce'
import { loadHistory, receive } from '../src/state/store'
import { T } from '../src/testids'
import { firstUnread, linesOf } from '../src/views/log'
import { isOwnNews } from '../src/views/scroll'
import { earlier, later, NEWEST, rangeOf, SHOWN_MAX } from '../src/views/window'
import { idOf } from './fakeAccount'
import { fake } from './fakeCore'
import { all, at, click, has, open, press, settle, type } from './page'

const grace = idOf('Grace Hopper')
const message = (i: number, extra: Partial<MessageView> = {}): MessageView => ({
  message: `m${i}`,
  contact: grace,
  mine: false,
  text: `${i}`,
  at: i,
  order: i,
  index: i,
  delivery: { state: 'received' },
  ...extra,
})
const many = (count: number) => Array.from({ length: count }, (_, i) => message(i))

async function openChat(name: string): Promise<void> {
  all(T.conversation)
    .find((row) => row.textContent?.includes(name))
    ?.click()
  await settle()
}

describe('the window on a conversation', () => {
  it('begins with the newest page and never holds more than it may', () => {
    const messages = many(20_000)
    expect(rangeOf(messages, NEWEST, true)).toEqual([19_950, 20_000])
    let shown = NEWEST
    for (let page = 0; page < 399; page++) {
      shown = earlier(messages, rangeOf(messages, shown, false))
      const [from, to] = rangeOf(messages, shown, false)
      expect(to - from).toBeLessThanOrEqual(SHOWN_MAX)
      expect(from).toBe(19_950 - (page + 1) * 50)
    }
    expect(rangeOf(messages, shown, false)[0]).toBe(0)
    while (shown.last !== null) shown = later(messages, rangeOf(messages, shown, false))
    expect(rangeOf(messages, shown, false)[1]).toBe(20_000)
  })

  it('stays where one reads when messages come in or go', () => {
    const messages = many(500)
    const shown = earlier(messages, rangeOf(messages, NEWEST, false))
    const [from] = rangeOf(messages, shown, false)
    const grown = [...messages, ...many(900).slice(500)]
    expect(rangeOf(grown, shown, false)).toEqual([from, from + SHOWN_MAX])
    expect(rangeOf(grown, shown, true)[1]).toBe(900)
    expect(rangeOf(messages.slice(0, 3), shown, false)).toEqual([0, 3])
    expect(rangeOf([], shown, true)).toEqual([0, 0])
  })

  it('goes to the end for a new message of one’s own, not for older ones above it', () => {
    const mine = message(9, { mine: true })
    expect(isOwnNews({ newest: 'm9', sending: 0 }, mine, 0)).toBe(false)
    expect(isOwnNews({ newest: 'm8', sending: 0 }, mine, 0)).toBe(true)
    expect(isOwnNews({ newest: 'm8', sending: 0 }, message(9), 0)).toBe(false)
    expect(isOwnNews({ newest: undefined, sending: 0 }, mine, 0)).toBe(false)
    expect(isOwnNews({ newest: 'm8', sending: 0 }, message(8), 1)).toBe(true)
  })
})

describe('paging', () => {
  it('goes on below where the last page began, over pages of which all was deleted', async () => {
    await open('long')
    const list = fake.messages.get(grace) ?? []
    const holes = new Set([...Array(60).keys()].map((i) => i + 15))
    fake.history = (before, limit) => {
      const end = before ?? list.length + 1
      const first = Math.max(1, end - limit)
      const messages = list.filter((m) => m.index >= first && m.index < end && !holes.has(m.index))
      return { kind: 'history', messages, more: first > 1, first }
    }
    await openChat('Grace')
    await loadHistory(grace, true)
    await loadHistory(grace, true)
    const before = fake.seen.flatMap((c) => (c.cmd === 'history' ? [c.before] : []))
    expect(before).toEqual([null, 81, 31])
  })
})

describe('days', () => {
  const now = new Date(2026, 10, 23, 12, 0).getTime()
  const DAY = 86_400_000
  it('are told when they move on, whatever clocks the senders have', () => {
    const days = [-2, -1, -2, -1, 40, 0].map((days, i) => message(i, { at: now + days * DAY }))
    const told = linesOf(days, now).map((line) => line.day)
    expect(told).toEqual(['Saturday', 'Yesterday', null, null, 'Today', null])
  })
})

describe('what is new', () => {
  it('begins at the oldest unread message', () => {
    const messages = [message(1), message(2), message(3, { mine: true }), message(4)]
    expect(firstUnread(messages, 2)).toBe('m2')
    expect(firstUnread(messages, 9)).toBe('m1')
    expect(firstUnread(messages, 0)).toBeNull()
  })

  it('is marked when the conversation is opened, until one answers', async () => {
    await open('people')
    await openChat('Katherine')
    expect(has(T.newLine)).toBe(true)
    await type(T.composer, 'Thanks')
    await press(T.composer, 'Enter')
    expect(has(T.newLine)).toBe(false)
  })

  it('is read out once, the log itself is not', async () => {
    await open('people')
    await openChat('Grace')
    expect(at(T.log).getAttribute('aria-live')).toBeNull()
    expect(at(T.log).getAttribute('role')).toBe('region')
    fake.receive(grace, 'Tea?')
    await settle()
    expect(document.querySelector('.unseen[aria-live]')?.textContent).toBe('Grace Hopper: Tea?')
  })
})

describe('a full disk', () => {
  it('keeps what was sent in sight, and the notice goes with the trouble', async () => {
    await open('people')
    await openChat('Grace')
    fake.diskFull = true
    const problem = { code: 'disk_full', happened: 'Full.', safe: 'Safe.', todo: 'Free some.' }
    receive([{ event: 'trouble', problem }])
    await type(T.composer, 'Does this stay?')
    await press(T.composer, 'Enter')
    expect(at(T.messageUnsaved).textContent).toContain('Does this stay?')
    expect(has(T.trouble)).toBe(true)
    fake.freeDisk()
    await settle()
    expect(has(T.messageUnsaved)).toBe(false)
    expect(at(T.messageText, -1).textContent).toBe('Does this stay?')
    expect(has(T.trouble)).toBe(false)
  })
})

describe('a locked page', () => {
  it('does not take back the text of a message that failed meanwhile', async () => {
    await open('people')
    await openChat('Grace')
    fake.diskFull = true
    await type(T.composer, 'Secret')
    await press(T.composer, 'Enter')
    await click(T.navLock)
    expect(document.body.textContent).not.toContain('Secret')
    const { id } = fake.seen.find((command) => command.cmd === 'send') as Request
    const error = { code: 'locked', happened: 'Locked.', safe: 'Safe.', todo: 'Unlock.' }
    receive([{ event: 'failed', id, error }])
    await settle()
    await type(T.passcode, 'correct horse')
    await click(T.unlockButton)
    await openChat('Grace')
    expect((at(T.composer) as HTMLTextAreaElement).value).toBe('')
    expect(document.body.textContent).not.toContain('Secret')
  })
})

describe('the menu of a message', () => {
  const sent = (contact: string, delivery: MessageView['delivery'], text = 'x') =>
    fake.addMessage(contact, text, { mine: true, delivery })
  it('says what deleting stops, and offers no stop that cannot work', async () => {
    await open('people')
    sent(grace, { state: 'queued', waits_for: 'relay' })
    await openChat('Grace')
    await click(T.messageMenu, -1)
    expect(at(T.messageDelete).textContent).toBe('Delete and stop sending')
    await click(T.messageDelete)
    expect(at(T.toast, -1).textContent).toBe('Deleted, and not sent.')

    const mary = idOf('Mary Somerville')
    sent(mary, { state: 'stored', relays: 1, until: 0 }, '')
    sent(mary, { state: 'queued', waits_for: 'acceptance' })
    await openChat('Mary')
    expect(at(T.messageText).textContent).toBe('Greeting without text')
    await click(T.messageMenu, 0)
    expect(has(T.messageCancel)).toBe(false)
    expect(at(T.messageDelete).textContent).toBe('Delete for me')
    await click(T.messageMenu, 0)
    await click(T.messageMenu, 1)
    expect(has(T.messageCancel)).toBe(true)
  })
})

describe('the list', () => {
  it('is sorted by when this device saw something new, not by what senders say', async () => {
    await open('people')
    const alan = fake.contacts.get(idOf('Alan'))
    if (!alan) throw new Error('no Alan')
    const last = message(1, { at: 1, contact: alan.contact, text: 'From 1970' })
    receive([{ event: 'contact', contact: { ...alan, changed: Date.now() + 1, last } }])
    await settle()
    expect(at(T.conversation).textContent).toContain('Alan')
    expect(at(T.conversation).querySelector('time')?.textContent).toMatch(/\d\d:\d\d/)
  })
})

describe('many', () => {
  it('events at once lead to the same as one by one', () => {
    const contact = (i: number): ContactView => ({
      contact: `c${i}`,
      name: `C${i}`,
      state: 'active',
      unread: 0,
      messages: 0,
      acknowledge: true,
      confirms: true,
      added: 0,
      changed: i,
    })
    const events: Event[] = [
      { event: 'phase', phase: 'open' },
      { event: 'contact', contact: contact(1) },
      { event: 'contact', contact: contact(2) },
      { event: 'contact_removed', contact: 'c1' },
      { event: 'contact', contact: contact(3) },
      { event: 'message', message: message(1) },
      { event: 'contact', contact: { ...contact(3), name: '' } },
    ]
    expect(reduceAll(initial, events)).toEqual(events.reduce(reduce, initial))
  })

  it('messages one by one are as sorted as all together', () => {
    const shuffled = [5, 1, 4, 2, 2, 3].map((i) => message(i))
    const single = shuffled.reduce<MessageView[]>((known, m) => merge(known, [m]), [])
    expect(single.map((m) => m.message)).toEqual(['m1', 'm2', 'm3', 'm4', 'm5'])
    expect(single).toEqual(merge([], shuffled))
  })
})

describe('avatars', () => {
  it('have a first letter in browsers without a segmenter, too', () => {
    expect([firstLetter(' ada', null), firstLetter('', null)]).toEqual(['A', ''])
    expect(firstLetter('👩‍🔬 Marie')).toBe('👩‍🔬')
  })
})
