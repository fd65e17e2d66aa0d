/**
 * A made-up account that answers every command, for tests and screenshots. Not a peer: nothing is
 * encrypted, nothing leaves the page, and what others would do is scripted.
 */
import { FakeLinking } from './fakeLinking'
import type {
  Answer,
  Command,
  ContactView,
  Event,
  InviteView,
  MessageView,
  Problem,
  Recovery,
  RecoveryState,
  Request,
} from '../src/state/api'

export const WORDS = (
  'amber bridge canyon dolphin ember falcon garden harbor island jacket kettle lantern ' +
  'meadow nectar orchid pepper quartz river'
).split(' ')
const LIST = [...WORDS, 'bring', 'brick', 'brief', 'bright', 'brisk', 'cancel', 'candle', 'rival']

export const idOf = (seed: string) =>
  (seed.toLowerCase().replace(/[^a-z2-7]/g, '') + 'k3v7qx2mzt5c').repeat(6).slice(0, 52)
const hexOf = (n: number) => n.toString(16).padStart(32, '0')

const problem = (code: string, happened: string, safe: string, todo: string): Problem => ({
  code,
  happened,
  safe,
  todo,
})

export const WRONG_PASSCODE = problem(
  'wrong_passcode',
  'The passcode is not right.',
  'Nothing was changed or lost.',
  'Try again. After several wrong attempts you have to wait.',
)
const EXPIRED_LINK = problem(
  'invitation_expired',
  'This invitation has expired.',
  'Nothing was sent.',
  'Ask for a new link.',
)
const REVOKED_LINK = problem(
  'invitation_revoked',
  'The invitation was withdrawn.',
  'Nothing was sent.',
  'Ask for a new one.',
)
const BAD_LINK = problem(
  'not_a_link',
  'This is not a complete invitation link.',
  'Nothing was sent.',
  'Copy the whole link again, up to its last letter.',
)

export class FakeAccount {
  phase: 'empty' | 'locked' | 'open' = 'empty'
  name = ''
  restored = false
  about = ''
  recovery: Recovery | null = null
  /** Pictures by account, as base64. */
  pictures = new Map<string, string>()
  account = idOf('me')
  passcode = ''
  attempts = 0
  relays: Extract<Event, { event: 'relays' }>['relays'] = []
  invites = new Map<string, InviteView>()
  greetings = new Map<string, Extract<Event, { event: 'greeting' }>['greeting']>()
  contacts = new Map<string, ContactView>()
  messages = new Map<string, MessageView[]>()
  /** Commands in the order they came, for tests to look at. */
  seen: Command[] = []
  /** While it is, nothing that must be saved is answered. */
  diskFull = false
  /** While it is set, all that is to be sent is refused with it. */
  refuse: Problem | null = null
  private held: Request[] = []
  /** Order and index of the next message. */
  next = 1

  /** Its devices, and linking one. */
  linking: FakeLinking

  constructor(
    private emit: (events: Event[]) => void,
    public now = () => Date.now(),
  ) {
    this.linking = new FakeLinking(this, emit)
  }

  open(): void {
    this.enter('open')
  }

  phaseEvent(): Event {
    if (this.phase !== 'locked') return { event: 'phase', phase: this.phase }
    const { account, attempts } = this
    const wait = attempts >= 3 ? { wait_until: this.now() + 30_000 } : {}
    return { event: 'phase', phase: 'locked', account, attempts, ...wait }
  }

  start(): void {
    this.emit([this.phaseEvent(), ...(this.phase === 'open' ? this.snapshot() : [])])
  }

  command(request: Request): void {
    this.seen.push(request)
    if (this.diskFull && request.cmd === 'send') this.held.push(request)
    else this.handle(request)
  }

  /** With room on the disk again, what waited for it is done. */
  freeDisk(): void {
    this.diskFull = false
    for (const request of this.held.splice(0)) this.handle(request)
    this.emit([{ event: 'trouble_over', code: 'disk_full' }])
  }

  private handle(request: Request): void {
    queueMicrotask(() => {
      try {
        const answer = this.carryOut(request)
        this.emit([{ event: 'done', id: request.id, ...(answer ? { answer } : {}) }])
      } catch (error) {
        this.emit([{ event: 'failed', id: request.id, error: error as Problem }])
      }
    })
  }

  /** The hash is made up: another picture, another hash. */
  hashOf(account: string): { avatar?: string } {
    const picture = this.pictures.get(account)
    return picture ? { avatar: `${picture.length}-${account.slice(0, 8)}` } : {}
  }

  profileEvent(): Event {
    const { account, name, restored, about } = this
    return { event: 'profile', account, name, restored, about, ...this.hashOf(account) }
  }

  /** How far a restored account has come. */
  recover(state: RecoveryState, contacts = 0, back = 0): void {
    const recovery = { state, contacts, back }
    this.recovery = state === 'done' ? null : recovery
    this.emit([{ event: 'recovery', ...recovery }])
  }

  snapshot(): Event[] {
    return [
      this.profileEvent(),
      ...(this.recovery ? [{ event: 'recovery', ...this.recovery } as const] : []),
      ...this.linking.snapshot(),
      { event: 'relays', relays: this.relays },
      ...[...this.invites.values()].map((invite) => ({ event: 'invite', invite }) as const),
      ...[...this.greetings.values()].map((greeting) => ({ event: 'greeting', greeting }) as const),
      ...[...this.contacts.values()].map((contact) => ({ event: 'contact', contact }) as const),
    ]
  }

  addContact(name: string, extra: Partial<ContactView> = {}): ContactView {
    const contact: ContactView = {
      contact: idOf(name),
      name,
      state: 'active',
      unread: 0,
      messages: 0,
      acknowledge: true,
      confirms: true,
      added: this.now(),
      changed: extra.added ?? this.now(),
      ...this.hashOf(extra.contact ?? idOf(name)),
      ...extra,
    }
    this.contacts.set(contact.contact, contact)
    return contact
  }

  addMessage(contact: string, text: string, extra: Partial<MessageView> = {}): MessageView {
    const list = this.messages.get(contact) ?? []
    const n = this.next++
    const mine = extra.mine ?? false
    const message: MessageView = {
      message: hexOf(n),
      contact,
      mine,
      text,
      at: this.now(),
      order: n,
      index: n,
      delivery: mine ? { state: 'queued', waits_for: 'work' } : { state: 'received' },
      ...extra,
    }
    this.messages.set(contact, [...list, message])
    this.refresh(contact)
    return message
  }

  /** A message comes in, as an event. */
  receive(contact: string, text: string): void {
    const message = this.addMessage(contact, text)
    const known = this.contacts.get(contact)
    if (!known) return
    const view = { ...known, unread: known.unread + 1 }
    this.contacts.set(contact, view)
    this.emit([
      { event: 'contact', contact: view },
      { event: 'message', message },
    ])
  }

  update(contact: string, message: string, change: Partial<MessageView>): void {
    const list = this.messages.get(contact) ?? []
    const changed = list.map((m) => (m.message === message ? { ...m, ...change } : m))
    this.messages.set(contact, changed)
    const found = changed.find((m) => m.message === message)
    if (found) this.emit([{ event: 'message', message: found }])
    this.emitContact(contact)
  }

  private refresh(contact: string): ContactView | undefined {
    const known = this.contacts.get(contact)
    if (!known) return undefined
    const list = this.messages.get(contact) ?? []
    const { last: _, ...rest } = known
    const last = list.at(-1)
    const changed = last ? last.at : known.changed
    const view = { ...rest, changed, messages: list.length, ...(last ? { last } : {}) }
    this.contacts.set(contact, view)
    return view
  }

  private emitContact(contact: string, change: Partial<ContactView> = {}): void {
    const view = this.refresh(contact)
    if (!view) return
    const changed = { ...view, ...change }
    this.contacts.set(contact, changed)
    this.emit([{ event: 'contact', contact: changed }])
  }

  private enter(phase: 'empty' | 'locked' | 'open'): void {
    this.phase = phase
    this.emit([this.phaseEvent(), ...(phase === 'open' ? this.snapshot() : [])])
  }

  needPasscode(given: string): void {
    if (given !== this.passcode) throw WRONG_PASSCODE
  }

  /** What a link says by itself, with or without an account. */
  private readLink(link: string): Extract<Answer, { kind: 'link' }> {
    if (link.includes('expired')) throw EXPIRED_LINK
    if (!link.includes('invite')) throw BAD_LINK
    const until = this.now() + 6 * 86_400_000
    const new_relays = link.includes('far') ? ['203.0.113.9:8420'] : []
    return { kind: 'link', inviter: idOf('Grace'), until, own: link.includes('own'), new_relays }
  }

  private opened(link: string): Extract<Answer, { kind: 'opened' }> {
    this.readLink(link)
    if (this.phase !== 'open') throw problem('no_account', 'No account.', 'Safe.', 'Make one.')
    if (link.includes('revoked')) throw REVOKED_LINK
    const inviter = idOf('Grace')
    const contact = this.contacts.get(inviter)
    const until = this.now() + 6 * 86_400_000
    const own = link.includes('own')
    return { kind: 'opened', inviter, name: 'Grace', until, own, ...(contact ? { contact } : {}) }
  }

  private checkWords(text: string): Answer {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean)
    const unknown = words.flatMap((word, at) => {
      const near = LIST.filter((known) => known.startsWith(word.slice(0, 3))).slice(0, 3)
      return LIST.includes(word) ? [] : [{ at, word, near }]
    })
    const complete = words.length === 18 && unknown.length === 0
    const checksum = complete && words.every((word, i) => word === WORDS[i])
    const account = complete ? idOf(checksum ? 'me' : 'other') : null
    return { kind: 'word_check', complete, checksum, account, unknown, count: words.length }
  }

  private carryOut(request: Request): Answer | undefined {
    switch (request.cmd) {
      case 'new_words':
        return { kind: 'words', words: WORDS }
      case 'check_words':
        return this.checkWords(request.words)
      case 'check_link':
        return this.readLink(request.link)
      case 'complete':
        return {
          kind: 'completions',
          words: LIST.filter((w) => w.startsWith(request.prefix)).slice(0, 8),
        }
      case 'create':
        this.name = request.name
        this.restored = request.restore
        this.passcode = request.passcode
        this.enter('open')
        return undefined
      case 'unlock':
        if (request.passcode !== this.passcode) {
          this.attempts++
          this.emit([this.phaseEvent()])
          throw WRONG_PASSCODE
        }
        this.attempts = 0
        this.enter('open')
        return undefined
      case 'lock':
        this.enter('locked')
        return undefined
      case 'erase':
        this.contacts.clear()
        this.enter('empty')
        return undefined
      case 'change_passcode':
        this.needPasscode(request.old)
        this.passcode = request.new
        return undefined
      case 'show_words':
        this.needPasscode(request.passcode)
        return { kind: 'words', words: WORDS }
      case 'rename':
        this.name = request.name
        this.emit([this.profileEvent()])
        return undefined
      case 'snapshot':
        this.emit(this.snapshot())
        return undefined
      case 'export':
        this.needPasscode(request.passcode)
        return { kind: 'file', file: btoa('fake') }
      case 'import':
        this.name = 'Imported'
        this.passcode = request.passcode
        this.enter('open')
        return undefined
      case 'add_relay':
        return undefined
      default:
        return this.withItself(request)
    }
  }

  private withItself(request: Request): Answer | undefined {
    switch (request.cmd) {
      case 'set_profile':
        this.about = request.about ?? this.about
        if (request.avatar !== undefined) this.pictures.set(this.account, request.avatar)
        this.emit([this.profileEvent()])
        return undefined
      case 'set_settings':
        this.emit([{ event: 'settings', settings: request.settings }])
        return undefined
      case 'avatar': {
        const avatar = this.pictures.get(request.contact)
        if (!avatar) throw problem('no_avatar', 'There is no picture.', 'Safe.', 'Nothing.')
        return { kind: 'avatar', avatar, media: 'image/png' }
      }
      case 'look_again':
        this.recover('looking')
        return undefined
      case 'start_anew':
        this.recover('done', this.recovery?.contacts, this.recovery?.back)
        return undefined
      case 'take_back':
        this.emit([{ event: 'trouble_over', code: 'recovered_elsewhere' }])
        return undefined
      case 'come_back':
        return undefined
      case 'link_new':
      case 'link_scan':
      case 'link_confirm':
      case 'link_cancel':
      case 'remove_device':
        this.linking.handle(request)
        return undefined
      default:
        return this.withPeople(request)
    }
  }

  private withPeople(request: Request): Answer | undefined {
    switch (request.cmd) {
      case 'invite': {
        const invite: InviteView = {
          invite: hexOf(1000 + this.next++),
          fragment: `AQ${'invite9c2Lk7Qw'.repeat(12)}`,
          until: this.now() + request.hours * 3_600_000,
          single_use: request.single_use,
          state: 'publishing',
        }
        this.invites.set(invite.invite, invite)
        this.emit([{ event: 'invite', invite }])
        return { kind: 'invitation', invite, fragment: invite.fragment }
      }
      case 'revoke': {
        const invite = this.invites.get(request.invite)
        if (invite) this.emit([{ event: 'invite', invite: { ...invite, state: 'revoked' } }])
        return undefined
      }
      case 'open_invite':
        return this.opened(request.link)
      case 'greet': {
        const contact = this.addContact(this.opened(request.link).name, { state: 'greeted' })
        this.emit([{ event: 'contact', contact }])
        return { kind: 'contact', contact }
      }
      case 'accept': {
        const greeting = this.greetings.get(request.greeting)
        if (greeting) this.emit([{ event: 'contact', contact: this.addContact(greeting.name) }])
        return this.dropGreeting(request.greeting)
      }
      case 'decline':
      case 'block':
        return this.dropGreeting(request.greeting)
      case 'remove_contact':
        this.contacts.delete(request.contact)
        this.emit([{ event: 'contact_removed', contact: request.contact }])
        return undefined
      case 'unblock':
        this.emitContact(request.contact, { state: 'active' })
        return undefined
      case 'acknowledge':
        this.emitContact(request.contact, { acknowledge: request.on, confirms: request.on })
        return undefined
      case 'confirm_return': {
        const known = this.contacts.get(request.contact)
        if (!known) return undefined
        const { confirm_until: _, ...contact } = known
        this.contacts.set(contact.contact, contact)
        this.emit([{ event: 'contact', contact }])
        return undefined
      }
      case 'safety_number':
        return { kind: 'safety_number', digits: '0482917365'.repeat(6) }
      default:
        return this.withMessages(request)
    }
  }

  /** A page of a conversation; tests may put another in its place. */
  history = (before: number | null, limit: number, contact: string): Answer => {
    const all = this.messages.get(contact) ?? []
    const older = all.filter((m) => before === null || m.index < before)
    const messages = older.slice(-limit)
    const first = messages[0]?.index ?? 0
    return { kind: 'history', messages, more: messages.length < older.length, first }
  }

  private dropGreeting(greeting: string): undefined {
    this.greetings.delete(greeting)
    this.emit([{ event: 'greeting_removed', greeting }])
    return undefined
  }

  private withMessages(request: Request): Answer | undefined {
    switch (request.cmd) {
      case 'send': {
        if (this.refuse) throw this.refuse
        const message = this.addMessage(request.contact, request.text, { mine: true })
        this.emit([{ event: 'message', message }])
        this.emitContact(request.contact)
        return { kind: 'message', message }
      }
      case 'cancel':
        this.update(request.contact, request.message, {
          delivery: { state: 'cancelled', was_stored: false },
        })
        return undefined
      case 'retry':
        this.update(request.contact, request.message, {
          delivery: { state: 'queued', waits_for: 'relay' },
        })
        return undefined
      case 'history':
        return this.history(request.before, request.limit, request.contact)
      case 'mark_read':
        this.emitContact(request.contact, { unread: 0 })
        return undefined
      case 'delete_message': {
        const { contact, message } = request
        const list = this.messages.get(contact) ?? []
        this.messages.set(
          contact,
          list.filter((m) => m.message !== message),
        )
        this.emit([{ event: 'message_removed', contact, message }])
        return undefined
      }
      case 'delete_conversation':
        this.messages.set(request.contact, [])
        this.emit([{ event: 'conversation_cleared', contact: request.contact }])
        this.emitContact(request.contact)
        return undefined
      default:
        throw problem('unexpected', `No answer to ${request.cmd}.`, '', '')
    }
  }
}
