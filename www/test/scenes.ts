/** Situations to look at: each fills the fake account before or after it opens. */
import type { Event, GreetingView, MessageView } from '../src/state/api'
import { idOf, type FakeAccount } from './fakeAccount'
import { TAKEN_OUT } from './fakeLinking'
import { HILLS } from './pictures'

interface Scene {
  before?: (account: FakeAccount) => void
  after?: (account: FakeAccount, emit: (events: Event[]) => void) => void
}

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

function relay(account: FakeAccount, state: 'open' | 'down' = 'open'): void {
  account.relays = [
    {
      relay: '9f3ac1d07be24415',
      address: '127.0.0.1:8420',
      hint: 'BH8AAAEg5A',
      state,
      found: false,
      ...(state === 'down'
        ? {
            error: {
              code: 'relay_gone',
              happened: 'The relay does not answer.',
              safe: 'Your messages are kept on this device and sent when it is back.',
              todo: 'Check your connection. It is tried again by itself.',
            },
          }
        : {}),
    },
    {
      relay: '07d2be99a0c1f3e8',
      address: '203.0.113.9:8420',
      hint: 'BMsAcQkg',
      state: 'open',
      found: true,
    },
    {
      relay: 'b81c5e02d94f7a36',
      address: '[2001:db8:7:41::9]:8420',
      hint: 'BiABDbgA',
      state: 'connecting',
      found: true,
    },
  ]
}

function open(account: FakeAccount): void {
  account.phase = 'open'
  account.name = 'Ada'
  account.passcode = 'correct horse'
  relay(account)
}

function ada(account: FakeAccount): void {
  const now = account.now()
  const grace = account.addContact('Grace Hopper', { added: now - 9 * DAY }).contact
  const say = (text: string, mine: boolean, ago: number, delivery?: object) =>
    account.addMessage(grace, text, {
      mine,
      at: now - ago,
      delivery: (delivery ??
        (mine ? { state: 'delivered', at: now - ago + MINUTE } : { state: 'received' })) as never,
    })
  say('Found the bug in the relay. It was a moth.', false, 26 * HOUR)
  say('An actual moth?', true, 26 * HOUR - MINUTE)
  say(
    'Taped it into the logbook: https://example.org/log/1947-09-09',
    false,
    26 * HOUR - 2 * MINUTE,
  )
  say('Morning! Are we still on for the compiler talk this afternoon?', false, 3 * HOUR)
  say('I could bring the slides on subroutines.', false, 3 * HOUR - MINUTE)
  say('Yes. Bring them, and I will bring tea.', true, 2 * HOUR)
  say(
    'One more thing: the projector in the small room does not work, so print the pages with the ' +
      'diagrams. Three copies should do.',
    true,
    2 * HOUR - MINUTE,
  )
  say('Printed. See you at four', false, 40 * MINUTE)
  say('The door is open, come right in.', true, 9 * MINUTE, {
    state: 'stored',
    relays: 2,
    until: now + 47 * HOUR,
  })
}

function people(account: FakeAccount): void {
  const now = account.now()
  ada(account)
  const add = (name: string, text: string, ago: number, extra = {}) => {
    const { contact } = account.addContact(name, { added: now - 20 * DAY })
    account.addMessage(contact, text, { at: now - ago })
    const view = account.contacts.get(contact)
    if (view) account.contacts.set(contact, { ...view, ...extra })
  }
  add('Katherine', 'The numbers check out, every one of them.', 70 * MINUTE, { unread: 2 })
  add('Émilie du Châtelet', 'Je t’envoie le chapitre ce soir.', 28 * HOUR)
  add('Alan', 'Can you read this?', 3 * DAY, { unread: 1 })
  add('Hedy', 'Frequency hopping it is, then.', 6 * DAY)
  account.addContact('Mary Somerville', { state: 'greeted', added: now - 30 * MINUTE })
}

const greeting = (name: string, text: string, ago: number, now: number): GreetingView => ({
  greeting: idOf(name).slice(0, 32),
  account: idOf(name),
  name,
  text,
  at: now - ago,
})

function greetings(account: FakeAccount): void {
  const now = account.now()
  for (const one of [
    greeting(
      'Rosalind',
      'Hi Ada, it’s Rosalind from the lab. Got your link from Grace.',
      HOUR,
      now,
    ),
    greeting('Zed', '', 3 * HOUR, now),
  ]) {
    account.greetings.set(one.greeting, one)
  }
}

function invites(account: FakeAccount): void {
  const now = account.now()
  const add = (
    n: number,
    state: 'live' | 'expired' | 'used' | 'publishing',
    until: number,
    one = false,
  ) =>
    account.invites.set(`i${n}`, {
      invite: `i${n}`,
      fragment: `AQ${'inviteZ8kP2vTq'.repeat(12)}`,
      until,
      single_use: one,
      state,
    })
  add(1, 'live', now + 6 * DAY)
  add(2, 'publishing', now + 20 * HOUR, true)
  add(3, 'used', now + 2 * DAY, true)
  add(4, 'expired', now - 3 * DAY)
}

const OVERTAKEN = {
  code: 'recovered_elsewhere',
  happened: 'This account was restored from its 18 words on another device, on 24 November.',
  safe: 'What is on this device is kept; nothing is sent from here until you have chosen.',
  todo: 'Say whether that was you.',
}

/** Who has a profile, and who came back from the words. */
function returned(account: FakeAccount): void {
  const now = account.now()
  open(account)
  account.about = 'Computes. Prefers tea.'
  account.pictures.set(account.account, HILLS)
  account.pictures.set(idOf('Grace Hopper'), HILLS)
  people(account)
  const grace = account.contacts.get(idOf('Grace Hopper'))
  if (!grace) return
  const about = 'Rear admiral, retired. Debugs what moves: https://example.org/moth'
  account.contacts.set(grace.contact, { ...grace, about, confirm_until: now + 52 * HOUR })
  const notice = { notice: 'came_back', at: now - 5 * MINUTE } as const
  account.addMessage(grace.contact, '', notice)
  account.addMessage(grace.contact, 'Is the projector mended?', {
    mine: true,
    delivery: { state: 'queued', waits_for: 'confirmation' },
  })
  account.addMessage(idOf('Katherine'), 'I am back. Did you write?', {
    mine: true,
    delivery: { state: 'queued', waits_for: 'acceptance' },
  })
}

function recovering(recovery: FakeAccount['recovery'], fill?: (account: FakeAccount) => void) {
  const before = (account: FakeAccount) => {
    open(account)
    account.restored = true
    account.recovery = recovery
    fill?.(account)
  }
  return { before }
}

/** An account on several devices; `linked`: this one has no words. */
function devices(account: FakeAccount, linked = false): void {
  const now = account.now()
  open(account)
  people(account)
  account.linking.devices = [
    { slot: 0, name: 'Phone', full: true, this: false, since: now - 200 * DAY, heard: now - HOUR },
    {
      slot: 1,
      name: 'Firefox on Linux',
      full: !linked,
      this: true,
      since: now - 30 * DAY,
      heard: null,
    },
    { slot: 2, name: 'Chrome on Windows', full: false, this: false, since: now, heard: null },
  ]
}

export const scenes: Record<string, Scene> = {
  empty: {},
  devices: { before: (account) => devices(account) },
  linked: { before: (account) => devices(account, true) },
  removed: {
    before: (account) => devices(account, true),
    after: (_, emit) => emit([{ event: 'trouble', problem: TAKEN_OUT }]),
  },
  'contact-removed': {
    before: (account) => {
      open(account)
      people(account)
      const now = account.now()
      const grace = idOf('Grace Hopper')
      account.addMessage(grace, '', { at: now - 5 * MINUTE, notice: 'device_removed' })
    },
  },
  locked: {
    before: (account) => {
      open(account)
      account.phase = 'locked'
    },
  },
  waiting: {
    before: (account) => {
      open(account)
      account.phase = 'locked'
      account.attempts = 4
    },
  },
  first: { before: open },
  /** A host that is no relay. */
  static: {},
  'static-first': {
    before: (account) => {
      open(account)
      account.relays = []
    },
  },
  /** The page came over plain http. */
  http: {},
  'http-locked': {
    before: (account) => {
      open(account)
      account.phase = 'locked'
    },
  },
  /** The relay that serves the page is gone, others are there. */
  'relay-gone': {
    before: (account) => {
      open(account)
      relay(account, 'down')
      people(account)
    },
  },
  people: {
    before: (account) => {
      open(account)
      people(account)
      greetings(account)
      invites(account)
    },
  },
  states: {
    before: (account) => {
      open(account)
      people(account)
      const now = account.now()
      const { contact } = account.addContact('Katherine')
      const say = (text: string, delivery: object, ago: number) =>
        account.addMessage(contact, text, {
          mine: true,
          at: now - ago,
          delivery: delivery as never,
        })
      say('Stored and then stopped.', { state: 'cancelled', was_stored: true }, 16 * MINUTE)
      say('Stopped at once.', { state: 'cancelled', was_stored: false }, 15 * MINUTE)
      const failure = {
        code: 'disk_full',
        happened: 'This device has no space left.',
        safe: 'The text is kept until this page closes.',
        todo: 'Free some space, then send it again.',
      }
      say('This one failed.', { state: 'failed', problem: failure }, 12 * MINUTE)
      say('No keys yet.', { state: 'queued', waits_for: 'keys' }, 9 * MINUTE)
      say('No room at the relay.', { state: 'queued', waits_for: 'relay_room' }, 4 * MINUTE)
      say('No relay in sight.', { state: 'queued', waits_for: 'relay' }, 2 * MINUTE)
      say('Right now.', { state: 'queued', waits_for: 'work' }, 0)
      const hedy = account.addContact('Hedy', { confirms: false, acknowledge: false })
      account.addMessage(hedy.contact, 'Without confirmations.', {
        mine: true,
        delivery: { state: 'stored', relays: 1, until: now + 47 * HOUR },
      })
      const mary = account.addContact('Mary Somerville', { state: 'greeted' })
      account.addMessage(mary.contact, '', {
        mine: true,
        delivery: { state: 'stored', relays: 1, until: now + 47 * HOUR },
      })
    },
    after: (account, emit) => {
      const last = account.messages.get(idOf('Katherine'))?.at(-1)
      if (last) emit([{ event: 'work', what: last.message, share: 0.42 }])
    },
  },
  trouble: {
    before: (account) => {
      open(account)
      relay(account, 'down')
      people(account)
      account.diskFull = true
    },
    after: (_, emit) =>
      emit([
        {
          event: 'trouble',
          problem: {
            code: 'disk_full',
            happened: 'The disk, or this browser’s quota, is full.',
            safe: 'What is stored is kept; what is new is kept only while this stays open.',
            todo: 'Free some space; it is tried again by itself every few seconds.',
          },
        },
      ]),
  },
  unreadable: {
    after: (_, emit) =>
      emit([
        {
          event: 'trouble',
          problem: {
            code: 'store_newer',
            happened: 'What is stored here was written by a newer version of WireMin.',
            safe: 'It was left as it was.',
            todo: 'Update, or reload the page.',
          },
        },
      ]),
  },
  restored: {
    before: (account) => {
      open(account)
      account.restored = true
    },
  },
  returned: { before: returned },
  looking: recovering({ state: 'looking', contacts: 0, back: 0 }),
  'static-looking': recovering({ state: 'looking', contacts: 0, back: 0 }, (account) => {
    account.relays = []
  }),
  nothing: recovering({ state: 'nothing', contacts: 0, back: 0 }),
  found: recovering({ state: 'found', contacts: 5, back: 2 }, people),
  back: {
    ...recovering(null, people),
    after: (_, emit) => emit([{ event: 'recovery', state: 'done', contacts: 5, back: 5 }]),
  },
  elsewhere: {
    before: (account) => {
      open(account)
      people(account)
    },
    after: (_, emit) => emit([{ event: 'trouble', problem: OVERTAKEN }]),
  },
  long: {
    before: (account) => {
      open(account)
      const { contact } = account.addContact('Grace Hopper')
      for (let i = 0; i < 130; i++)
        account.addMessage(contact, `Line ${i + 1}`, { mine: i % 3 === 0 })
    },
  },
  crowd: {
    before: (account) => {
      open(account)
      const now = account.now()
      for (let i = 0; i < 2_000; i++) {
        const { contact } = account.addContact(`Person ${i}`, {
          contact: idOf(i.toString(2).replaceAll('0', 'a').replaceAll('1', 'b')),
          added: now - i * MINUTE,
        })
        account.addMessage(contact, `Message of ${i}`, { at: now - i * MINUTE })
      }
      const { contact } = account.addContact('Grace Hopper', { changed: now + DAY })
      const message = (i: number): MessageView => ({
        message: `g${i}`,
        contact,
        mine: i % 3 === 0,
        text: `Line ${i + 1}. ${'Some words. '.repeat(i % 7)}`,
        at: now - (20_000 - i) * MINUTE,
        order: i,
        index: i,
        delivery: i % 3 === 0 ? { state: 'delivered', at: now } : { state: 'received' },
      })
      account.messages.set(
        contact,
        Array.from({ length: 20_000 }, (_, i) => message(i)),
      )
      account.next = 20_001
    },
  },
  'second-tab': {},
  starting: {},
}
