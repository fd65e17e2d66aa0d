import { describe, expect, it } from 'vitest'
import type { ContactView, Event, MessageView } from '../src/state/api'
import { addHistory, dismissTrouble, initial, reduce, type State } from '../src/state/reduce'

const message = (id: string, extra: Partial<MessageView> = {}): MessageView => ({
  message: id,
  contact: 'c',
  mine: false,
  text: id,
  at: 0,
  order: 1,
  index: 1,
  delivery: { state: 'received' },
  ...extra,
})
const contact = (extra: Partial<ContactView> = {}): ContactView => ({
  contact: 'c',
  name: 'C',
  state: 'active',
  unread: 0,
  messages: 0,
  acknowledge: true,
  confirms: true,
  added: 0,
  changed: 0,
  ...extra,
})
const play = (events: Event[], from: State = initial) => events.reduce(reduce, from)
const ids = (state: State) => state.conversations['c']?.messages.map((m) => m.message)

describe('messages', () => {
  it('are sorted by order, then mine, then index, never by clocks', () => {
    const state = play([
      { event: 'message', message: message('d', { order: 3, at: 1 }) },
      { event: 'message', message: message('b', { order: 2, mine: true, index: 9, at: 99 }) },
      { event: 'message', message: message('c', { order: 2, mine: true, index: 10, at: 5 }) },
      { event: 'message', message: message('a', { order: 2, mine: false, index: 11, at: 999 }) },
    ])
    expect(ids(state)).toEqual(['a', 'b', 'c', 'd'])
  })

  it('that come again replace themselves', () => {
    const once = play([{ event: 'message', message: message('a', { mine: true }) }])
    const delivered = message('a', { mine: true, delivery: { state: 'delivered', at: 5 } })
    const twice = play([{ event: 'message', message: delivered }], once)
    expect(ids(twice)).toEqual(['a'])
    expect(twice.conversations['c']?.messages[0]?.delivery.state).toBe('delivered')
  })

  it('of a page of history join the known ones', () => {
    const known = play([{ event: 'message', message: message('new', { order: 9, index: 9 }) }])
    const page = [message('old', { order: 1 }), message('new', { order: 9, index: 9 })]
    const state = addHistory(known, 'c', { messages: page, more: true, first: 1 })
    expect(ids(state)).toEqual(['old', 'new'])
    expect(state.conversations['c']?.more).toBe(true)
  })

  it('go when deleted, one or all', () => {
    const two = play([
      { event: 'message', message: message('a') },
      { event: 'message', message: message('b', { order: 2 }) },
    ])
    const one = play([{ event: 'message_removed', contact: 'c', message: 'a' }], two)
    expect(ids(one)).toEqual(['b'])
    expect(ids(play([{ event: 'conversation_cleared', contact: 'c' }], two))).toEqual([])
  })

  it('lose their share of work once they no longer wait for it', () => {
    const working: Event[] = [
      {
        event: 'message',
        message: message('a', { delivery: { state: 'queued', waits_for: 'work' } }),
      },
      { event: 'work', what: 'a', share: 0.5 },
    ]
    expect(play(working).work).toEqual({ a: 0.5 })
    const stored = message('a', { delivery: { state: 'stored', relays: 1, until: 9 } })
    expect(play([...working, { event: 'message', message: stored }]).work).toEqual({})
    const greeting: Event = { event: 'work', what: stored.contact, share: 0.5 }
    expect(play([greeting, { event: 'message', message: stored }]).work).toEqual({})
  })
})

describe('the account', () => {
  const filled: Event[] = [
    { event: 'phase', phase: 'open' },
    { event: 'profile', account: 'me', name: 'Me', restored: false },
    { event: 'contact', contact: contact() },
    { event: 'message', message: message('a') },
    {
      event: 'greeting',
      greeting: { greeting: 'g', account: 'x', name: 'X', text: '', at: 0 },
    },
  ]

  it('leaves nothing behind when it is locked or erased', () => {
    const locked = play([
      ...filled,
      { event: 'phase', phase: 'locked', account: 'me', attempts: 2, wait_until: 7 },
    ])
    const phase = { phase: 'locked', account: 'me', attempts: 2, wait_until: 7 }
    expect(locked).toEqual({ ...initial, phase })
    expect(play([...filled, { event: 'phase', phase: 'empty' }]).contacts).toEqual({})
  })

  it('is the same when a snapshot tells everything again', () => {
    expect(play([...filled, ...filled])).toEqual(play(filled))
  })

  it('has a name for people without one', () => {
    const nameless = contact({ contact: 'k3v7qx', name: '' })
    const state = play([{ event: 'contact', contact: nameless }])
    expect(state.contacts['k3v7qx']?.name).toBe('Nameless k3v7')
  })

  it('drops a contact with the conversation', () => {
    const state = play([...filled, { event: 'contact_removed', contact: 'c' }])
    expect(state.contacts).toEqual({})
    expect(state.conversations).toEqual({})
  })

  it('drops greetings and invitations by their ids', () => {
    const invite = {
      invite: 'i',
      fragment: 'f',
      until: 1,
      single_use: false,
      state: 'live',
    } as const
    const state = play([...filled, { event: 'invite', invite }])
    const gone = play(
      [
        { event: 'greeting_removed', greeting: 'g' },
        { event: 'invite_removed', invite: 'i' },
      ],
      state,
    )
    expect(Object.keys(state.invites)).toEqual(['i'])
    expect([gone.greetings, gone.invites]).toEqual([{}, {}])
  })
})

describe('troubles', () => {
  const trouble = (code: string, happened = ''): Event => ({
    event: 'trouble',
    problem: { code, happened, safe: '', todo: '' },
  })

  it('are told once by code, the latest words last, and can be dismissed', () => {
    const state = play([trouble('disk'), trouble('clock'), trouble('disk', 'again')])
    expect(state.troubles.map((p) => [p.code, p.happened])).toEqual([
      ['clock', ''],
      ['disk', 'again'],
    ])
    expect(dismissTrouble(state, 'disk').troubles.map((p) => p.code)).toEqual(['clock'])
  })

  it('go when they are over', () => {
    const state = play([trouble('disk'), trouble('clock'), { event: 'trouble_over', code: 'disk' }])
    expect(state.troubles.map((p) => p.code)).toEqual(['clock'])
  })

  it('never grow without end', () => {
    const many = Array.from({ length: 40 }, (_, i) => trouble(`t${i}`))
    expect(play(many).troubles.length).toBeLessThan(10)
  })
})
