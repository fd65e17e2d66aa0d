/**
 * The vocabulary shared with the core: commands, events and answers as JSON.
 * Mirrors shared/account/src/api.rs field by field; change both together.
 */

export interface Problem {
  code: string
  happened: string
  safe: string
  todo: string
}

export type Phase =
  | { phase: 'starting' }
  | { phase: 'empty' }
  | { phase: 'locked'; account: string; attempts: number; wait_until?: number }
  | { phase: 'open' }

export type RelayState = 'connecting' | 'catching_up' | 'open' | 'down'
export interface RelayView {
  relay: string
  address: string
  hint: string
  state: RelayState
  /** Another relay named it. */
  found: boolean
  error?: Problem
  /** When it was last asked for a record, another relay gave a newer one. */
  withheld?: boolean
}

export type InviteState = 'publishing' | 'live' | 'revoking' | 'revoked' | 'used' | 'expired'
export interface InviteView {
  invite: string
  fragment: string
  until: number
  single_use: boolean
  state: InviteState
}

export interface GreetingView {
  greeting: string
  account: string
  name: string
  text: string
  at: number
}

export type ContactState = 'greeted' | 'active' | 'blocked'
export interface ContactView {
  contact: string
  name: string
  state: ContactState
  unread: number
  messages: number
  last?: MessageView
  acknowledge: boolean
  /** Neither side has switched acknowledgements off, so messages can become `delivered`. */
  confirms: boolean
  added: number
  /** When the conversation last grew, by this device's clock: what lists are sorted by. */
  changed: number
  /** What they show of themselves; `avatar` is their picture's hash. */
  about?: string
  avatar?: string
  /** They came back: what is written waits until it is confirmed that it is them, or until then. */
  confirm_until?: number
}

export type WaitsFor =
  'work' | 'keys' | 'relay' | 'relay_room' | 'acceptance' | 'confirmation' | 'device'
export type Delivery =
  | { state: 'received' }
  | { state: 'queued'; waits_for: WaitsFor }
  | { state: 'stored'; relays: number; until: number }
  | { state: 'delivered'; at: number }
  | { state: 'cancelled'; was_stored: boolean }
  | { state: 'failed'; problem: Problem }

export interface MessageView {
  message: string
  contact: string
  mine: boolean
  text: string
  /** By the sender's clock; shown, never sorted by. */
  at: number
  order: number
  /** Place in this device's history, for paging. */
  index: number
  delivery: Delivery
  /** Not written by anybody: something people should know of, told at its place. */
  notice?: Notice
}

export type Notice = 'device_changed' | 'came_back' | 'device_removed'

export type RecoveryState = 'looking' | 'nothing' | 'found' | 'done'
/** How far it is with what the words bring back, on a device where the account was restored. */
export interface Recovery {
  /**
   * `looking`: relays are asked, or none is linked yet. `nothing`: every relay that answered has
   * nothing. `found`: contacts are here, and are told. `done`: told once.
   */
  state: RecoveryState
  /** Contacts that are here, and those of them who have answered. */
  contacts: number
  back: number
}

/** A device of this account, as it says of itself. */
export interface DeviceView {
  slot: number
  name: string
  /** It has the 18 words. */
  full: boolean
  this: boolean
  since: number
  /** When something of it was last heard; null: nothing yet. */
  heard: number | null
}

/** How far it is with linking a device: on the new one (`connecting`, `shown`) or the old (`asking`). */
export type Linking =
  | { step: 'connecting' }
  | { step: 'shown'; code: string; until: number }
  | { step: 'asking' }
  /** New: the account that answered. Old: the device's `name`, no `account`, what it asked to be. */
  | { step: 'compare'; digits: string; name: string; account: string; full: boolean }
  | { step: 'waiting' }
  /** Parts sent or received; `of` is 0 while unknown. */
  | { step: 'moving'; have: number; of: number }
  | { step: 'done' }
  | { step: 'failed'; problem: Problem }

export interface UnknownWord {
  at: number
  word: string
  near: string[]
}

export type Command =
  | { cmd: 'new_words' }
  | { cmd: 'check_words'; words: string }
  | { cmd: 'complete'; prefix: string }
  | {
      cmd: 'create'
      name: string
      words: string
      passcode: string
      restore: boolean
      remember: boolean
    }
  | { cmd: 'unlock'; passcode: string; remember: boolean }
  | { cmd: 'lock' }
  | { cmd: 'change_passcode'; old: string; new: string }
  | { cmd: 'show_words'; passcode: string }
  | { cmd: 'rename'; name: string }
  | { cmd: 'set_profile'; about?: string; avatar?: string }
  | { cmd: 'set_settings'; settings: string }
  | { cmd: 'avatar'; contact: string }
  | { cmd: 'add_relay'; hint: string }
  | { cmd: 'remove_relay'; relay: string }
  | { cmd: 'invite'; hours: number; single_use: boolean }
  | { cmd: 'revoke'; invite: string }
  | { cmd: 'check_link'; link: string }
  | { cmd: 'open_invite'; link: string }
  | { cmd: 'greet'; link: string; text: string }
  | { cmd: 'accept'; greeting: string }
  | { cmd: 'decline'; greeting: string }
  | { cmd: 'block'; greeting: string }
  | { cmd: 'snapshot' }
  | { cmd: 'send'; contact: string; text: string }
  | { cmd: 'cancel'; message: string; contact: string }
  | { cmd: 'retry'; message: string; contact: string }
  | { cmd: 'history'; contact: string; before: number | null; limit: number }
  | { cmd: 'mark_read'; contact: string }
  | { cmd: 'delete_message'; contact: string; message: string }
  | { cmd: 'delete_conversation'; contact: string }
  | { cmd: 'remove_contact'; contact: string; block: boolean }
  | { cmd: 'unblock'; contact: string }
  | { cmd: 'acknowledge'; contact: string; on: boolean }
  | { cmd: 'safety_number'; contact: string }
  | { cmd: 'confirm_return'; contact: string }
  | { cmd: 'come_back' }
  | { cmd: 'look_again' }
  | { cmd: 'start_anew' }
  | { cmd: 'take_back' }
  | { cmd: 'export'; passcode: string; passphrase: string }
  | { cmd: 'import'; file: string; passphrase: string; passcode: string; remember: boolean }
  | { cmd: 'erase' }
  | {
      cmd: 'link_new'
      device: string
      full: boolean
      passcode: string
      remember: boolean
      /** Hints of relays to meet at. */
      relays: string[]
    }
  | { cmd: 'link_scan'; code: string }
  /** The digits are the same. What is handed over is said on the old device; the new one is not asked. */
  | { cmd: 'link_confirm'; full: boolean; history_days: number; passcode: string | null }
  | { cmd: 'link_cancel' }
  | { cmd: 'remove_device'; slot: number }

export type Request = Command & { id: number }

export type Answer =
  | { kind: 'words'; words: string[] }
  | {
      kind: 'word_check'
      complete: boolean
      checksum: boolean
      account: string | null
      unknown: UnknownWord[]
      count: number
    }
  | { kind: 'completions'; words: string[] }
  | { kind: 'invitation'; invite: InviteView; fragment: string }
  | {
      kind: 'link'
      inviter: string
      until: number
      own: boolean
      /** Addresses of relays that it names and this account does not use. */
      new_relays: string[]
    }
  | {
      kind: 'opened'
      inviter: string
      name: string
      until: number
      own: boolean
      contact?: ContactView
    }
  | { kind: 'contact'; contact: ContactView }
  | { kind: 'message'; message: MessageView }
  /** `first`: where the page begins; the next one is the one before it. */
  | { kind: 'history'; messages: MessageView[]; more: boolean; first: number }
  | { kind: 'safety_number'; digits: string }
  | { kind: 'file'; file: string }
  | { kind: 'avatar'; avatar: string; media: string }

export type AnswerKind = Answer['kind']
export type AnswerOf<K extends AnswerKind> = Extract<Answer, { kind: K }>

export type Event =
  | { event: 'done'; id: number; answer?: Answer }
  | { event: 'failed'; id: number; error: Problem }
  | ({ event: 'phase' } & Phase)
  | {
      event: 'profile'
      account: string
      name: string
      restored: boolean
      about?: string
      avatar?: string
    }
  | ({ event: 'recovery' } & Recovery)
  | { event: 'settings'; settings: string }
  | ({ event: 'linking' } & Linking)
  | { event: 'devices'; devices: DeviceView[] }
  | { event: 'relays'; relays: RelayView[]; clock_off_s?: number }
  | { event: 'invite'; invite: InviteView }
  | { event: 'invite_removed'; invite: string }
  | { event: 'greeting'; greeting: GreetingView }
  | { event: 'greeting_removed'; greeting: string }
  | { event: 'contact'; contact: ContactView }
  | { event: 'contact_removed'; contact: string }
  | { event: 'message'; message: MessageView }
  | { event: 'message_removed'; contact: string; message: string }
  | { event: 'conversation_cleared'; contact: string }
  | { event: 'work'; what: string; share: number }
  | { event: 'trouble'; problem: Problem }
  | { event: 'trouble_over'; code: string }
