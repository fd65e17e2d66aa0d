/**
 * Linking as the scripted account plays it, on either side. What the other device does is called by
 * tests: `answer`, `agree`, `refuse`, `move`, `finish`.
 */
import type { Command, DeviceView, Event, Linking, Problem } from '../src/state/api'

const problem = (code: string, happened: string, safe: string, todo: string): Problem => ({
  code,
  happened,
  safe,
  todo,
})

export const LINK_PROBLEMS = {
  timedOut: problem(
    'link_timed_out',
    'The code has run out before the other device answered.',
    'Nothing was handed over.',
    'Show a new code, and scan it within a minute.',
  ),
  refused: problem(
    'link_refused',
    'It was refused on the other device.',
    'Nothing was handed over.',
    'If that was you, begin again with a new code.',
  ),
  disturbed: problem(
    'link_disturbed',
    'Somebody else has seen the code and answered it.',
    'Nothing was handed over.',
    'Begin again with a new code, where nobody sees the screen.',
  ),
  old: problem(
    'link_old_code',
    'This code is too old.',
    'Nothing was handed over.',
    'Show a new code on the new device, and scan that.',
  ),
  notACode: problem(
    'link_not_a_code',
    'This is not the code of a device to be linked.',
    'Nothing was handed over.',
    'Copy the whole text again, from “wiremin:link/” to its last letter.',
  ),
  unsure: problem(
    'link_unsure',
    'Everything was sent, but the new device has not said that it has it.',
    'This device is as it was.',
    'Look at the list of devices in a while: it is linked if it is heard of there.',
  ),
  notTaken: problem(
    'link_not_taken',
    'The new device could not store what it got.',
    'This device is as it was.',
    'Free some space there, then begin again with a new code.',
  ),
}

export const NO_SUCH_DEVICE = problem(
  'no_such_device',
  'There is no such device.',
  'Nothing was changed.',
  'Look at the list again.',
)

export const TAKEN_OUT = problem(
  'device_removed',
  'This device was taken out of your account by another one.',
  'What is on it stays readable. Nothing new comes, and nothing can be sent.',
  'Copy what you need, then erase this device. To use it again, erase it and link it anew.',
)

export const NEEDS_FULL = problem(
  'needs_full_device',
  'This device was linked without the 18 words.',
  'Nothing was changed.',
  'Do this on a device of yours that has the words.',
)

export const LINK_CODE = `wiremin:link/AQ${'x9Lk7QwZ2vTq'.repeat(19)}`
export const DIGITS = '048 291'

type DeviceCommand = Extract<Command, { cmd: `link_${string}` | 'remove_device' }>
type LinkNew = Extract<Command, { cmd: 'link_new' }>

interface Host {
  phase: 'empty' | 'locked' | 'open'
  name: string
  account: string
  passcode: string
  now: () => number
  /** The account is there now. */
  open: () => void
  needPasscode: (given: string) => void
}

export class FakeLinking {
  devices: DeviceView[] = []
  /** The side that is played, while it is under way. */
  private side: 'new' | 'old' | null = null
  private asked: LinkNew | null = null

  constructor(
    private readonly host: Host,
    private readonly emit: (events: Event[]) => void,
  ) {}

  snapshot(): Event[] {
    return this.devices.length > 0 ? [{ event: 'devices', devices: this.devices }] : []
  }

  step(linking: Linking): void {
    this.emit([{ event: 'linking', ...linking }])
  }

  /** What comes after the answer to a command. */
  private then(...steps: Linking[]): void {
    queueMicrotask(() => steps.forEach((step) => this.step(step)))
  }

  handle(command: DeviceCommand): void {
    switch (command.cmd) {
      case 'link_new':
        if (this.host.phase !== 'empty') throw problem('account_exists', 'There is one.', '', '')
        this.side = 'new'
        this.asked = command
        return this.then({ step: 'connecting' }, this.shown())
      case 'link_scan': {
        const { notACode, old } = LINK_PROBLEMS
        const here = this.devices.find((one) => one.this)
        if (here && !here.full) throw NEEDS_FULL
        if (!command.code.startsWith('wiremin:link/')) throw notACode
        this.side = 'old'
        const stale = command.code.includes('old')
        return this.then(stale ? { step: 'failed', problem: old } : { step: 'asking' })
      }
      case 'link_confirm':
        if (this.side === 'old' && command.full) this.host.needPasscode(command.passcode ?? '')
        return this.then({ step: 'waiting' })
      case 'link_cancel':
        this.side = null
        return
      case 'remove_device':
        return this.remove(command.slot)
    }
  }

  private remove(slot: number): void {
    if (!this.devices.find((one) => one.this)?.full) throw NEEDS_FULL
    if (!this.devices.some((one) => one.slot === slot)) throw NO_SUCH_DEVICE
    this.devices = this.devices.filter((one) => one.slot !== slot)
    this.emit([{ event: 'devices', devices: this.devices }])
  }

  private shown(): Linking {
    return { step: 'shown', code: LINK_CODE, until: this.host.now() + 60_000 }
  }

  /** The other device was found, with what it says of itself. */
  answer(name: string, account = '', full = false): void {
    this.step({ step: 'compare', digits: DIGITS, name, account, full })
  }

  move(have: number, of: number): void {
    this.step({ step: 'moving', have, of })
  }

  fail(which: keyof typeof LINK_PROBLEMS): void {
    this.side = null
    this.step({ step: 'failed', problem: LINK_PROBLEMS[which] })
  }

  /** Both have all of it. */
  finish(name = 'Laptop', full = false): void {
    const now = this.host.now()
    const device = { slot: 1, name, full, since: now, heard: null }
    if (this.side === 'new' && this.asked) {
      const { device, passcode } = this.asked
      const first = {
        slot: 0,
        name: 'Phone',
        full: true,
        this: false,
        since: now - 9e9,
        heard: now,
      }
      const mine = { slot: 1, name: device, full, this: true, since: now, heard: null }
      this.devices = [first, mine]
      this.host.passcode = passcode
      this.host.name = 'Ada'
      this.host.open()
    } else {
      this.devices = [...this.devices, { ...device, this: false }]
      this.emit(this.snapshot())
    }
    this.side = null
    this.step({ step: 'done' })
  }
}
