/** Taking a device out of the account, seen from the device that does it, and from the one it is done to. */
import { describe, expect, it } from 'vitest'
import { receive } from '../src/state/store'
import { T } from '../src/testids'
import { fake } from './fakeCore'
import { TAKEN_OUT } from './fakeLinking'
import { all, at, click, has, open, settle, type } from './page'

const sent = (cmd: string) => fake.seen.filter((command) => command.cmd === cmd)
async function openChat(name: string): Promise<void> {
  all(T.conversation)
    .find((one) => one.textContent?.includes(name))
    ?.click()
  await settle()
}

const row = (slot: number) => all(T.device).find((one) => one.dataset.slot === `${slot}`)

async function ask(slot: number): Promise<void> {
  row(slot)?.querySelector<HTMLElement>(`[data-testid=${T.deviceRemove}]`)?.click()
  await settle()
}

describe('a device that takes another one out', () => {
  it('asks first, and says what stays', async () => {
    await open('devices')
    await click(T.navSettings)
    expect(all(T.deviceRemove)).toHaveLength(2)
    expect(row(1)?.querySelector(`[data-testid=${T.deviceRemove}]`)).toBe(null)
    await ask(2)
    expect(at(T.sheet).textContent).toContain('Chrome on Windows')
    expect(at(T.sheet).textContent).not.toContain('18 words')
    expect(sent('remove_device')).toEqual([])
    await click(T.sheetConfirm)
    expect(sent('remove_device')).toMatchObject([{ slot: 2 }])
    expect(has(T.sheet)).toBe(false)
    expect(all(T.device).map((one) => one.dataset.slot)).toEqual(['1', '0'])
  })

  it('warns of one that has the words', async () => {
    await open('devices')
    await click(T.navSettings)
    await ask(0)
    expect(at(T.sheet).textContent).toContain('It has your 18 words')
  })

  it('is told why it was refused, and goes on showing it', async () => {
    await open('devices')
    await click(T.navSettings)
    await ask(2)
    fake.linking.devices = fake.linking.devices.filter((one) => one.slot !== 2)
    await click(T.sheetConfirm)
    expect(at(T.formError).dataset.code).toBe('no_such_device')
    expect(has(T.sheet)).toBe(true)
  })

  it('has the words: another one offers it nowhere', async () => {
    await open('linked')
    await click(T.navSettings)
    expect(has(T.deviceRemove)).toBe(false)
    expect(at(T.wordless).textContent).toContain('taking one out')
  })
})

describe('a device that was taken out', () => {
  it('says so over the whole page, whatever else is wrong', async () => {
    await open('removed')
    expect(at(T.removed).querySelector('[role=alert]')?.textContent).toContain('taken out')
    expect(has(T.trouble)).toBe(false)
    for (let i = 0; i < 9; i++) {
      receive([{ event: 'trouble', problem: { ...TAKEN_OUT, code: `other_${i}` } }])
    }
    await settle()
    expect(has(T.removed)).toBe(true)
  })

  it('is read on, with nothing to write in', async () => {
    await open('removed')
    at(T.removedRead).focus()
    await click(T.removedRead)
    expect(has(T.removed)).toBe(false)
    expect(document.activeElement?.tagName).toBe('H1')
    // Told again, it stays put aside.
    receive([{ event: 'trouble', problem: TAKEN_OUT }])
    await openChat('Grace')
    expect(has(T.removed)).toBe(false)
    expect(all(T.message).length).toBeGreaterThan(0)
    expect(has(T.composer)).toBe(false)
    expect(at(T.removedChat).textContent).toContain('nothing is sent from here')
    await click(T.removedChoose)
    expect(has(T.removed)).toBe(true)
    expect(has(T.removedChoose)).toBe(false)
  })

  it('shows it again when it refuses something', async () => {
    await open('people')
    await openChat('Grace')
    fake.refuse = TAKEN_OUT
    await type(T.composer, 'Too late')
    await click(T.send)
    expect(has(T.removed)).toBe(true)
    expect(has(T.composer)).toBe(false)
  })

  it('offers in Settings neither linking nor taking out', async () => {
    await open('devices')
    receive([{ event: 'trouble', problem: TAKEN_OUT }])
    await click(T.navSettings)
    expect(has(T.deviceLink)).toBe(false)
    expect(has(T.deviceRemove)).toBe(false)
    expect(at(T.settings).textContent).toContain('taken out of the account')
  })

  it('is erased from there', async () => {
    await open('removed')
    await click(T.removedErase)
    await type(T.eraseWord, 'erase')
    await click(T.eraseButton)
    expect(sent('erase')).toHaveLength(1)
    expect(has(T.removed)).toBe(false)
    expect(has(T.welcomeCreate)).toBe(true)
  })
})

describe('a contact who took a device out', () => {
  it('is shown to have done so in the conversation', async () => {
    await open('contact-removed')
    await openChat('Grace')
    expect(at(T.messageNotice).textContent).toContain('Grace Hopper took a device out')
  })
})
