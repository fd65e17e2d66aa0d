import { describe, expect, it } from 'vitest'
import { isInvitation } from '../src/parts/text'
import { pendingLink, route } from '../src/state/route'
import { receive } from '../src/state/store'
import { T } from '../src/testids'
import { idOf } from './fakeAccount'
import { fake } from './fakeCore'
import { all, at, click, has, open, settle, type } from './page'

const sent = (cmd: string) => fake.seen.filter((command) => command.cmd === cmd)
const grace = idOf('Grace Hopper')

async function arrive(link: string): Promise<void> {
  pendingLink.value = link
  await settle()
}
async function openPane(): Promise<void> {
  route.value = { view: 'open' }
  await settle()
}

describe('a link that names relays', () => {
  it('is looked up at once where they are known', async () => {
    await open('first')
    await openPane()
    await type(T.openLink, 'invite-x')
    await click(T.openLook)
    expect(has(T.openRelays)).toBe(false)
    expect(at(T.openName).textContent).toBe('Grace')
  })

  it('contacts no other before that was agreed to, from the address or pasted', async () => {
    for (const arrives of [true, false]) {
      await open('first')
      if (arrives) pendingLink.value = 'invite-far'
      await openPane()
      if (!arrives) {
        await type(T.openLink, 'invite-far')
        await click(T.openLook)
      }
      expect(at(T.openRelays).textContent).toContain('203.0.113.9:8420')
      expect(at(T.openRelays).textContent).toContain('IP address')
      expect(sent('open_invite')).toEqual([])
      await click(T.openAgree)
      expect(sent('open_invite')).toHaveLength(1)
      expect(at(T.openName).textContent).toBe('Grace')
    }
  })

  it('can be left alone, and asks again when it is changed', async () => {
    await open('first')
    await openPane()
    await type(T.openLink, 'invite-far')
    await click(T.openLook)
    await type(T.openLink, 'invite-far-2')
    expect(has(T.openRelays)).toBe(false)
    await click(T.openLook)
    await click(T.openOther)
    expect(has(T.openRelays)).toBe(false)
    expect(sent('open_invite')).toEqual([])
  })
})

describe('late answers', () => {
  it('to a link that was changed since are not shown', async () => {
    await open('first')
    await openPane()
    await type(T.openLink, 'invite-x')
    at(T.openLook).click()
    const field = at(T.openLink) as HTMLTextAreaElement
    field.value = 'something else'
    field.dispatchEvent(new Event('input', { bubbles: true }))
    await settle()
    expect(has(T.openName)).toBe(false)
    expect((at(T.openLink) as HTMLTextAreaElement).value).toBe('something else')
  })

  it('to a greeting do not lead away from what is shown since', async () => {
    await open('first')
    pendingLink.value = 'invite-x'
    await openPane()
    await type(T.openText, 'Hello')
    at(T.openSend).click()
    route.value = { view: 'settings' }
    await settle()
    expect(sent('greet')).toHaveLength(1)
    expect(has(T.settings)).toBe(true)
    expect(pendingLink.value).toBeNull()
  })

  it('never wipe what was typed already', async () => {
    await open('first')
    route.value = { view: 'open' }
    await Promise.resolve()
    await new Promise((done) => setTimeout(done))
    const field = at(T.openLink) as HTMLTextAreaElement
    field.value = 'typed early'
    field.dispatchEvent(new Event('input', { bubbles: true }))
    await settle()
    expect((at(T.openLink) as HTMLTextAreaElement).value).toBe('typed early')
  })
})

describe('a pending invitation', () => {
  it('says whose page this is before words or a passcode are asked for', async () => {
    await open('empty')
    await arrive('invite-x')
    expect(at(T.pending).textContent).toContain('You opened an invitation')
    expect(at(T.openHost).textContent).toContain(location.host)
    expect(sent('open_invite')).toEqual([])
  })

  it('that leads nowhere is told before an account is made, and not come back to', async () => {
    for (const scene of ['empty', 'locked']) {
      await open(scene)
      await arrive('expired')
      expect(at(T.pending).textContent).toContain('expired')
      expect(pendingLink.value).toBeNull()
    }
    await type(T.passcode, 'correct horse')
    await click(T.unlockButton)
    expect(has(T.open)).toBe(false)
  })

  it('that was withdrawn says so once', async () => {
    await open('first')
    pendingLink.value = 'invite-revoked'
    await openPane()
    expect(at(T.formError).dataset.code).toBe('invitation_revoked')
    expect(pendingLink.value).toBeNull()
  })

  it('in a second tab is offered to be taken along', async () => {
    await open('people')
    pendingLink.value = 'invite-x'
    const problem = { code: 'second_tab', happened: 'Open there.', safe: 'Safe.', todo: 'Go.' }
    receive([{ event: 'trouble', problem }])
    await settle()
    expect(at(T.stop).textContent).toContain('You opened an invitation')
    await click(T.stopAction)
    expect(at(T.openName).textContent).toBe('Grace')
  })
})

describe('an invitation in a message', () => {
  const fragment = `AQAB${'x'.repeat(110)}`
  it('is known by its shape', () => {
    expect(isInvitation(`https://a.example/#${fragment}`)).toBe(true)
    expect(isInvitation('https://a.example/#a-heading')).toBe(false)
    expect(isInvitation(`https://a.example/${fragment}`)).toBe(false)
    expect(isInvitation(`https://a.example/#B${fragment}`)).toBe(false)
  })

  it('is opened here, not in a new tab', async () => {
    await open('people')
    all(T.conversation)
      .find((row) => row.dataset.contact === grace)
      ?.click()
    await settle()
    fake.receive(grace, `Join: https://evil.example/#${fragment}`)
    await settle()
    const link = at(T.messageText, -1).querySelector('a')
    const press = new MouseEvent('click', { bubbles: true, cancelable: true })
    link?.dispatchEvent(press)
    expect(press.defaultPrevented).toBe(true)
    await settle()
    expect(has(T.open)).toBe(true)
    expect(sent('check_link')).toMatchObject([{ link: `https://evil.example/#${fragment}` }])
  })
})
