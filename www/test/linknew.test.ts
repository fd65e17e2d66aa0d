import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { deviceName } from '../src/device'
import { servedByRelay } from '../src/ownRelay'
import { initial, reduce, reduceAll } from '../src/state/reduce'
import { linking, phase, receive, run } from '../src/state/store'
import { T } from '../src/testids'
import { idOf } from './fakeAccount'
import { fake } from './fakeCore'
import { DIGITS, LINK_CODE, LINK_PROBLEMS } from './fakeLinking'
import { all, at, click, has, open, settle, type, until } from './page'

const PASSCODE = 'walnut ferry quiet 9'
const sent = (cmd: string) => fake.seen.filter((command) => command.cmd === cmd)
const stepOf = () => at(T.linking).dataset.step
const choose = async (id: string, value: string) => {
  all(id)
    .find((radio) => (radio as HTMLInputElement).value === value)
    ?.click()
  await settle()
}

/** What the host of the page answers when it is asked which relay it is. */
function host(answer: object): void {
  vi.stubGlobal('fetch', () => Promise.resolve(new Response(JSON.stringify(answer))))
}
beforeEach(() => host({}))
afterEach(() => vi.unstubAllGlobals())

async function toPasscode(scene = 'empty'): Promise<void> {
  await open(scene)
  await click(T.welcomeLink)
}

async function toLearn(): Promise<void> {
  await type(T.passcode, PASSCODE)
  await type(T.passcodeRepeat, PASSCODE)
  await until(() => at(T.strength).dataset.score !== undefined)
  await click(T.next)
}

async function toCode(): Promise<void> {
  await toPasscode()
  await click(T.next)
  await toLearn()
  await click(T.agree)
  await until(() => has(T.linkQr) && at(T.linkQr).dataset.ready === 'true')
}

describe('the name of a device', () => {
  it.each([
    ['Mozilla/5.0 (X11; Linux x86_64) Chrome/141.0.0.0 Safari/537.36', 'Chrome on Linux'],
    ['Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', 'Firefox on Linux'],
    ['Mozilla/5.0 (Windows NT 10.0) Chrome/141.0 Safari/537.36 Edg/141.0', 'Edge on Windows'],
    [
      'Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/141.0 Mobile Safari/537.36',
      'Chrome on Android',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1',
      'Safari on iPhone',
    ],
    [
      'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/141.0 Safari/604.1',
      'Chrome on iPhone',
    ],
    ['Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1', 'Safari on Mac'],
    ['something else', 'Browser'],
  ])('is made of what the browser says: %s', (agent, name) => {
    expect(deviceName(agent, undefined, 0)).toBe(name)
  })

  it('heeds hints, and tablets that say they are computers', () => {
    const mac = 'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1'
    expect(deviceName(mac, undefined, 5)).toBe('Safari on iPad')
    const hints = { brands: [{ brand: 'Not A' }, { brand: 'Brave' }], platform: 'macOS' }
    expect(deviceName('Chrome/141.0', hints, 0)).toBe('Brave on Mac')
  })
})

describe('a device that is to be linked', () => {
  it('has a name that can be changed, and is no full one unless it is asked for', async () => {
    await toPasscode()
    const name = at(T.linkName) as HTMLInputElement
    expect(name.value).toBe(deviceName())
    const [linked, full] = all(T.linkKind) as HTMLInputElement[]
    expect([linked?.checked, full?.checked]).toEqual([true, false])
    expect(linked?.closest('label')?.textContent).toContain('never gets your 18 words')
    await type(T.linkName, ' ')
    await click(T.next)
    expect(has(T.passcode)).toBe(false)
    expect(document.body.textContent).toContain('Enter a name that tells this device')
    await type(T.linkName, 'x'.repeat(65))
    expect(document.body.textContent).toContain('too long')
    await type(T.linkName, 'Kitchen')
    await click(T.next)
    expect(has(T.passcode)).toBe(true)
  })

  it('shows a code and its text, after all was agreed to', async () => {
    host({ hint: 'HINT' })
    await open('empty')
    await click(T.welcomeLink)
    await type(T.linkName, ' Kitchen ')
    await choose(T.linkKind, 'full')
    await click(T.next)
    await toLearn()
    expect(has(T.learn)).toBe(true)
    expect(sent('link_new')).toEqual([])
    await click(T.agree)
    expect(sent('link_new')).toMatchObject([
      { device: 'Kitchen', full: true, passcode: PASSCODE, remember: true, relays: ['HINT'] },
    ])
    await until(() => has(T.linkQr))
    expect(stepOf()).toBe('shown')
    expect(document.activeElement?.tagName).toBe('H1')
    expect((at(T.linkText) as HTMLInputElement).value).toBe(LINK_CODE)
    expect(at(T.linkLeft).textContent).toMatch(/Good for (1:00 min|59 s) more/)
  })

  it('needs the hint of a relay where the page has none', async () => {
    await toPasscode('static')
    expect(servedByRelay.value).toBe(false)
    await click(T.next)
    expect(has(T.passcode)).toBe(false)
    expect(document.body.textContent).toContain('Enter the hint of a relay')
    await type(T.relayHint, ' BH8AAAEg5A ')
    await click(T.next)
    await toLearn()
    await click(T.agree)
    expect(sent('link_new')).toMatchObject([{ relays: ['BH8AAAEg5A'] }])
    await toPasscode()
    expect(has(T.relayHint)).toBe(false)
  })

  it('waits for a relay', async () => {
    await toCode()
    fake.linking.step({ step: 'connecting' })
    await settle()
    expect(stepOf()).toBe('connecting')
    expect(at(T.linking).textContent).toContain('Looking for a relay')
  })

  it('shows a new code in place of one that has run out', async () => {
    await toCode()
    fake.linking.step({ step: 'shown', code: LINK_CODE, until: Date.now() - 1 })
    await settle()
    expect(at(T.linkLeft).textContent).toBe('The code has run out')
    await click(T.linkAnew)
    await until(() => has(T.linkQr))
    expect(fake.seen.slice(-2).map(({ cmd }) => cmd)).toEqual(['link_cancel', 'link_new'])
    expect(at(T.linkLeft).textContent).toContain('Good for')
  })

  it('compares, waits, counts the parts, and is open then', async () => {
    await toCode()
    fake.linking.answer('Ada', idOf('Ada'))
    await settle()
    expect(stepOf()).toBe('compare')
    expect(at(T.linkDigits).dataset.digits).toBe(DIGITS)
    expect(at(T.linkDigits).querySelector('.unseen')?.textContent).toBe('0 4 8, 2 9 1')
    expect(at(T.linkWho).textContent).toBe('Ada')
    expect(at(T.linkAccount).dataset.account).toBe(idOf('Ada'))
    expect(at(T.linking).textContent).toContain('somebody stands between your devices')
    expect(sent('link_confirm')).toEqual([])
    await click(T.linkSame)
    expect(sent('link_confirm')).toHaveLength(1)
    expect(stepOf()).toBe('waiting')
    fake.linking.move(0, 0)
    await settle()
    const bar = () => at(T.linking).querySelector('progress')
    expect(bar()?.hasAttribute('value')).toBe(false)
    fake.linking.move(3, 13)
    await settle()
    expect(at(T.linking).textContent).toContain('3 of 13 parts')
    expect([bar()?.value, bar()?.max]).toEqual([3, 13])
    fake.linking.finish()
    await settle()
    expect(has(T.app)).toBe(true)
    expect(at(T.toast, -1).textContent).toContain('This device is linked')
    expect(sent('link_cancel')).toEqual([])
    await run({ cmd: 'lock' })
    await run({ cmd: 'unlock', passcode: PASSCODE, remember: false })
    await settle()
    await click(T.navSettings)
    expect(all(T.device).map((row) => row.dataset.this)).toEqual(['true', 'false'])
    expect(at(T.device).textContent).toContain(deviceName())
  })

  it('says what another number means, and has nothing then', async () => {
    await toCode()
    fake.linking.answer('Ada', idOf('Ada'))
    await settle()
    await click(T.linkDifferent)
    expect(sent('link_confirm')).toEqual([])
    expect(sent('link_cancel')).toHaveLength(1)
    expect(at(T.formError).dataset.code).toBe('link_differed')
    expect(at(T.formError).textContent).toContain('Nothing was handed over')
    await click(T.linkAnew)
    await until(() => has(T.linkQr))
    expect(has(T.formError)).toBe(false)
  })

  it.each(Object.keys(LINK_PROBLEMS) as (keyof typeof LINK_PROBLEMS)[])(
    'tells in three sentences how it failed: %s',
    async (which) => {
      await toCode()
      fake.linking.fail(which)
      await settle()
      const { code, happened, safe, todo } = LINK_PROBLEMS[which]
      expect(at(T.formError).dataset.code).toBe(code)
      for (const sentence of [happened, safe, todo]) {
        expect(at(T.formError).textContent).toContain(sentence)
      }
      await click(T.linkAnew)
      await until(() => has(T.linkQr))
      expect(sent('link_new')).toHaveLength(2)
      // It was over: there was nothing to call off.
      expect(sent('link_cancel')).toEqual([])
    },
  )

  it('is told what a command was refused with', async () => {
    await toPasscode()
    await click(T.next)
    await toLearn()
    const refused = { ...LINK_PROBLEMS.timedOut, code: 'disk_full' }
    fake.linking.handle = () => {
      throw refused
    }
    await click(T.agree)
    expect(at(T.formError).dataset.code).toBe('disk_full')
    expect(has(T.linking)).toBe(false)
  })

  it('is empty again whenever it is called off', async () => {
    const acts = [
      () => undefined,
      () => fake.linking.answer('Ada', idOf('Ada')),
      () => fake.linking.step({ step: 'waiting' }),
      () => fake.linking.move(3, 13),
    ]
    for (const act of acts) {
      await toCode()
      act()
      await settle()
      await click(T.linkCancel)
      expect(has(T.welcome)).toBe(true)
      expect(sent('link_cancel')).toHaveLength(1)
      expect(linking.value).toBeNull()
    }
  })

  it('goes a step back, and shows no code of what was left', async () => {
    await toCode()
    await click(T.back)
    expect(has(T.learn)).toBe(true)
    expect(sent('link_cancel')).toHaveLength(1)
    let answer: (response: Response) => void = () => undefined
    const asked = new Promise<Response>((resolve) => (answer = resolve))
    vi.stubGlobal('fetch', () => asked)
    await click(T.agree)
    await click(T.back)
    answer(new Response('{}'))
    await settle()
    expect(has(T.passcode)).toBe(true)
    expect(sent('link_new')).toHaveLength(1)
  })
})

describe('linking in the state', () => {
  const shown = { event: 'linking', step: 'shown', code: LINK_CODE, until: 7 } as const
  const moving = { event: 'linking', step: 'moving', have: 1, of: 2 } as const

  it('is what was told last, and gone with the account it was of', () => {
    const empty = reduce(initial, { event: 'phase', phase: 'empty' })
    const once = reduce(empty, shown)
    expect(once.linking).toEqual({ step: 'shown', code: LINK_CODE, until: 7 })
    expect(reduce(once, shown)).toEqual(once)
    expect(reduce(once, { event: 'phase', phase: 'empty' }).linking).toEqual(once.linking)
    const open = reduceAll(once, [moving, { event: 'phase', phase: 'open' }])
    expect(open.linking).toEqual({ step: 'moving', have: 1, of: 2 })
    const device = { slot: 0, name: 'a', full: true, this: true, since: 1, heard: null }
    const listed = reduce(open, { event: 'devices', devices: [device] })
    expect(listed.devices).toEqual([device])
    const locked = reduce(listed, { event: 'phase', phase: 'locked', account: 'a', attempts: 0 })
    expect([locked.linking, locked.devices]).toEqual([null, []])
    expect(reduce(listed, { event: 'phase', phase: 'empty' }).linking).toBeNull()
  })

  it('is not shown by a page where nobody began it', async () => {
    await open('empty')
    receive([shown])
    await settle()
    expect(phase.value.phase).toBe('empty')
    expect(has(T.welcome)).toBe(true)
  })
})
