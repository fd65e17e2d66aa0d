import { describe, expect, it } from 'vitest'
import { initial, reduce } from '../src/state/reduce'
import { elsewhere, receive } from '../src/state/store'
import { T } from '../src/testids'
import { idOf } from './fakeAccount'
import { fake } from './fakeCore'
import { all, at, click, has, open, settle, type } from './page'

const sent = (cmd: string) => fake.seen.filter((command) => command.cmd === cmd)
const grace = idOf('Grace Hopper')

async function openChat(name: string): Promise<void> {
  all(T.conversation)
    .find((row) => row.textContent?.includes(name))
    ?.click()
  await settle()
}

describe('a contact who came back', () => {
  it('is told loudly, with what to do', async () => {
    await open('returned')
    await openChat('Grace')
    const notice = at(T.messageNotice)
    expect(notice.classList).toContain('danger')
    expect(notice.textContent).toContain('Grace Hopper is back with a new device')
    expect(notice.textContent).toContain('compare the safety number')
    const waiting = all(T.delivery).at(-1)
    expect(waiting?.textContent).toContain('Waits until you confirm')
  })

  it('waits until one says that it is them', async () => {
    await open('returned')
    await openChat('Grace')
    expect(at(T.returned).textContent).toContain('waits until')
    at(T.returnedConfirm).focus()
    await click(T.returnedConfirm)
    expect(sent('confirm_return')).toMatchObject([{ contact: grace }])
    expect(has(T.returned)).toBe(false)
    expect(document.activeElement).toBe(at(T.composer))
    await openChat('Hedy')
    expect(has(T.returned)).toBe(false)
  })

  it('is compared with first', async () => {
    await open('returned')
    await openChat('Grace')
    await click(T.returnedCompare)
    expect(sent('safety_number')).toHaveLength(1)
    expect(at(T.safetyNumber).dataset.digits).toHaveLength(60)
    const sheet = at(T.contact)
    expect(sheet.textContent).toContain('Whoever has their 18 words has this number, too')
    expect(sheet.querySelector(`[data-testid=${T.returnedCompare}]`)).toBeNull()
    sheet.querySelector<HTMLElement>(`[data-testid=${T.returnedConfirm}]`)?.click()
    await settle()
    expect(sent('confirm_return')).toHaveLength(1)
    expect(has(T.returned)).toBe(false)
  })
})

describe('who came back oneself', () => {
  it('is told that a device has to answer, not a person', async () => {
    await open('returned')
    await openChat('Katherine')
    expect(at(T.returning).textContent).toContain('once their device has answered')
    expect(all(T.delivery).at(-1)?.textContent).toContain('Waits until Katherine’s device answers')
    expect(document.body.textContent).not.toContain('accepts your greeting')
    const [message] = fake.messages.get(idOf('Katherine'))?.slice(-1) ?? []
    fake.update(idOf('Katherine'), message?.message ?? '', {
      delivery: { state: 'queued', waits_for: 'work' },
    })
    await settle()
    expect(has(T.returning)).toBe(false)
  })
})

describe('a restored account', () => {
  it('looks for itself, and says what can come back', async () => {
    await open('looking')
    expect(at(T.recovery).dataset.state).toBe('looking')
    expect(at(T.recovery).querySelector('[role=status]')?.textContent).toContain('Looking')
    expect(has(T.listEmpty)).toBe(false)
    expect(document.body.textContent).toContain('What was written in conversations does not')
    await open('static-looking')
    expect(at(T.recovery).textContent).toContain('no relay of its own')
  })

  it('says that no relay is there to be asked', async () => {
    await open('looking')
    receive([{ event: 'relays', relays: fake.relays.map((r) => ({ ...r, state: 'down' })) }])
    await settle()
    expect(at(T.recovery).textContent).toContain('No relay is connected')
  })

  it('that finds nothing looks again or starts anew', async () => {
    await open('nothing')
    expect(at(T.recovery).textContent).toContain('Nothing was found')
    at(T.recoveryAgain).focus()
    await click(T.recoveryAgain)
    expect(document.activeElement).toBe(at(T.recovery))
    expect(sent('look_again')).toHaveLength(1)
    expect(at(T.recovery).dataset.state).toBe('looking')
    fake.recover('nothing')
    await settle()
    await click(T.recoveryAnew)
    expect(sent('start_anew')).toHaveLength(1)
    expect(has(T.recovery)).toBe(false)
    expect(has(T.listEmpty)).toBe(true)
    expect(document.body.textContent).toContain('Welcome back, Ada')
  })

  it('counts who has answered, until all have', async () => {
    await open('found')
    const card = at(T.recovery)
    expect(card.textContent).toContain('5 contacts are here again')
    expect(card.textContent).toContain('2 of 5 have answered')
    expect(card.querySelector('progress')?.value).toBe(2)
    fake.recover('found', 5, 4)
    await settle()
    expect(at(T.recovery).textContent).toContain('4 of 5')
    fake.recover('done', 5, 5)
    await settle()
    expect(at(T.recovery).textContent).toContain('All your contacts have answered')
    at(T.recoveryDismiss).focus()
    await click(T.recoveryDismiss)
    expect(has(T.recovery)).toBe(false)
    expect(document.activeElement?.tagName).toBe('H1')
    expect(document.body.textContent).toContain('Pick a conversation')
  })

  it('is enough for who says so', async () => {
    await open('found')
    await click(T.recoveryAnew)
    expect(sent('start_anew')).toHaveLength(1)
    expect(has(T.recovery)).toBe(false)
  })

  it('says whom it could not tell', async () => {
    await open('found')
    fake.recover('done', 5, 4)
    await settle()
    expect(at(T.recovery).textContent).toContain('4 of 5 contacts are back')
    expect(at(T.recovery).textContent).toContain('Invite them again')
  })

  it('that goes on with a part of it shows how far that is', async () => {
    await open('nothing')
    const answer = fake.recover.bind(fake)
    fake.recover = () => answer('found', 3, 0)
    await click(T.recoveryAnew)
    expect(at(T.recovery).dataset.state).toBe('found')
  })
})

describe('an account that was restored elsewhere', () => {
  const SUPERSEDED = { code: 'superseded', happened: 'Overtaken.', safe: 'Kept.', todo: 'Choose.' }

  it('is told over the whole page, whatever else is wrong, until it is over', async () => {
    await open('elsewhere')
    expect(at(T.elsewhere).querySelector('[role=alert]')?.textContent).toContain('another device')
    expect(has(T.trouble)).toBe(false)
    for (let i = 0; i < 9; i++) {
      receive([{ event: 'trouble', problem: { ...SUPERSEDED, code: `other_${i}` } }])
    }
    await settle()
    expect(has(T.elsewhere)).toBe(true)
    receive([{ event: 'trouble_over', code: 'recovered_elsewhere' }])
    await settle()
    expect(has(T.elsewhere)).toBe(false)
  })

  it('by oneself is put aside, and comes back when one writes', async () => {
    await open('elsewhere')
    at(T.elsewhereMine).focus()
    await click(T.elsewhereMine)
    expect(at(T.sheet).textContent).toContain('link it to the other one')
    await click(T.sheetConfirm)
    expect(has(T.elsewhere)).toBe(false)
    expect(document.activeElement?.tagName).toBe('H1')
    expect(sent('take_back')).toEqual([])
    await openChat('Grace')
    expect(at(T.elsewhereChat).textContent).toContain('nothing is sent from here')
    await click(T.elsewhereChoose)
    expect(has(T.elsewhere)).toBe(true)
    expect(has(T.elsewhereChoose)).toBe(false)

    await click(T.elsewhereMine)
    await click(T.sheetConfirm)
    fake.refuse = SUPERSEDED
    await type(T.composer, 'Too late')
    await click(T.send)
    expect((at(T.composer) as HTMLTextAreaElement).value).toBe('Too late')
    expect(has(T.elsewhere)).toBe(true)
  })

  it('by somebody else is taken back after an explanation', async () => {
    await open('elsewhere')
    await click(T.elsewhereTake)
    expect(sent('take_back')).toEqual([])
    expect(at(T.sheet).textContent).toContain('The words cannot be changed')
    await click(T.sheetConfirm)
    expect(sent('take_back')).toHaveLength(1)
    expect(has(T.elsewhere)).toBe(false)
    expect(has(T.sheet)).toBe(false)
    expect(elsewhere.value).toBeNull()
  })

  it('stays put aside when it is told again', () => {
    const trouble = { event: 'trouble', problem: { ...SUPERSEDED, code: 'recovered_elsewhere' } }
    const once = reduce(initial, trouble as never)
    expect(once.troubles).toEqual([])
    const aside = { ...once, elsewhere: { ...once.elsewhere!, dismissed: true } }
    expect(reduce(aside, trouble as never)).toEqual(aside)
    const refused = reduce(aside, { event: 'failed', id: 1, error: SUPERSEDED })
    expect(refused.elsewhere).toEqual(once.elsewhere)
    expect(reduce(initial, { event: 'failed', id: 1, error: SUPERSEDED }).elsewhere).toEqual({
      problem: SUPERSEDED,
      dismissed: false,
    })
  })
})

describe('the repair', () => {
  it('is behind a disclosure and a question', async () => {
    await open('people')
    await click(T.navSettings)
    const details = at(T.settingsRepair).closest('details')
    expect(details?.open).toBe(false)
    expect(at(T.settingsRepair).textContent).toBe('Something is broken with my conversations')
    await click(T.settingsComeBack)
    expect(sent('come_back')).toEqual([])
    await click(T.sheetConfirm)
    expect(sent('come_back')).toHaveLength(1)
    expect(at(T.toast, -1).textContent).toContain('contacts are told')
  })
})
