import { describe, expect, it } from 'vitest'
import { pendingLink, route } from '../src/state/route'
import { T } from '../src/testids'
import { idOf } from './fakeAccount'
import { fake } from './fakeCore'
import { all, at, click, has, open, press, settle, type } from './page'

const sent = (cmd: string) => fake.seen.filter((command) => command.cmd === cmd)
const grace = idOf('Grace Hopper')

async function openChat(name: string): Promise<void> {
  const row = all(T.conversation).find((r) => r.textContent?.includes(name))
  row?.click()
  await settle()
}

describe('a conversation', () => {
  it('sends with Enter, keeps Shift + Enter, and shows how far the message is', async () => {
    await open('people')
    await openChat('Grace')
    await type(T.composer, 'On my way')
    await press(T.composer, 'Enter', { shiftKey: true })
    expect(sent('send')).toEqual([])
    await press(T.composer, 'Enter')
    expect(sent('send')).toMatchObject([{ contact: grace, text: 'On my way' }])
    const last = at(T.message, -1)
    expect(last.dataset.state).toBe('queued')
    fake.update(grace, last.dataset.message ?? '', { delivery: { state: 'delivered', at: 1 } })
    await settle()
    expect(at(T.message, -1).dataset.state).toBe('delivered')
  })

  it('tells a text that is too long before it is sent', async () => {
    await open('people')
    await openChat('Grace')
    await type(T.composer, '€'.repeat(667))
    expect(at(T.composerCount).dataset.left).toBe('-1')
    await press(T.composer, 'Enter')
    expect(sent('send')).toEqual([])
    await type(T.composer, '€'.repeat(666))
    await press(T.composer, 'Enter')
    expect(sent('send')).toHaveLength(1)
  })

  it('shows what others write as text, never as markup', async () => {
    await open('people')
    await openChat('Grace')
    fake.receive(grace, '<img src=x onerror=alert(1)> javascript:alert(2)')
    await settle()
    const bubble = at(T.messageText, -1)
    expect(bubble.textContent).toBe('<img src=x onerror=alert(1)> javascript:alert(2)')
    expect(bubble.querySelector('img, a')).toBeNull()
  })

  it('stops, sends again and deletes a message', async () => {
    await open('people')
    await openChat('Grace')
    await click(T.messageMenu, -1)
    await click(T.messageCancel)
    expect(at(T.message, -1).dataset.state).toBe('cancelled')
    await click(T.messageRetry)
    expect(at(T.message, -1).dataset.state).toBe('queued')
    const before = all(T.message).length
    await click(T.messageMenu, -1)
    await click(T.messageDelete)
    expect(all(T.message)).toHaveLength(before - 1)
  })

  it('loads earlier messages a page at a time, in order', async () => {
    await open('long')
    await openChat('Grace')
    expect(all(T.message)).toHaveLength(50)
    await click(T.earlier)
    await click(T.earlier)
    expect(has(T.earlier)).toBe(false)
    const lines = all(T.messageText).map((m) => m.textContent)
    expect(lines).toEqual(Array.from({ length: 130 }, (_, i) => `Line ${i + 1}`))
  })

  it('counts unread messages until it is looked at', async () => {
    await open('people')
    expect(document.title).toMatch(/^\(5\)/)
    fake.receive(grace, 'psst')
    await settle()
    const row = all(T.conversation).find((r) => r.dataset.contact === grace)
    expect(row?.querySelector(`[data-testid=${T.unread}]`)?.textContent).toBe('1')
    await openChat('Grace')
    expect(sent('mark_read')).toHaveLength(1)
    expect(row?.querySelector(`[data-testid=${T.unread}]`)).toBeNull()
  })

  it('ends with the contact', async () => {
    await open('people')
    await openChat('Grace')
    await click(T.chatInfo)
    await click(T.contactBlock)
    await click(T.sheetConfirm)
    expect(sent('remove_contact')).toMatchObject([{ contact: grace, block: true }])
    expect(has(T.chat)).toBe(false)
    expect(all(T.conversation).some((r) => r.dataset.contact === grace)).toBe(false)
  })
})

describe('the list', () => {
  it('is walked with arrow keys', async () => {
    await open('people')
    const rows = all(T.conversation)
    rows[0]?.focus()
    const key = (name: string) =>
      document.activeElement?.dispatchEvent(
        new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }),
      )
    key('ArrowDown')
    expect(document.activeElement).toBe(rows[1])
    key('End')
    expect(document.activeElement).toBe(rows.at(-1))
    key('ArrowDown')
    expect(document.activeElement).toBe(rows.at(-1))
    key('Home')
    expect(document.activeElement).toBe(rows[0])
  })
})

describe('greetings', () => {
  it('are accepted into a conversation, or declined', async () => {
    await open('people')
    await click(T.navGreetings)
    expect(all(T.greeting)).toHaveLength(2)
    await click(T.greetingDecline, 1)
    expect(sent('decline')).toHaveLength(1)
    expect(all(T.greeting)).toHaveLength(1)
    await click(T.greetingAccept)
    expect(at(T.chat).dataset.contact).toBe(idOf('Rosalind'))
  })
})

describe('invitations', () => {
  it('are made with the chosen expiry, shown as link and code', async () => {
    await open('people')
    await click(T.navInvite)
    await click(T.inviteHours, 0)
    await click(T.inviteSingle)
    await click(T.inviteMake)
    expect(sent('invite')).toMatchObject([{ hours: 1, single_use: true }])
    const link = (at(T.inviteLink) as HTMLInputElement).value
    expect(link).toMatch(/^http.*#AQinvite/)
  })

  it('are revoked after a question', async () => {
    await open('people')
    await click(T.navInvite)
    await click(T.inviteRevoke)
    expect(sent('revoke')).toEqual([])
    await click(T.sheetConfirm)
    expect(sent('revoke')).toHaveLength(1)
  })

  it('opened by address are looked up and answered, and leave the address bar', async () => {
    await open('first')
    location.hash = '#invite-x'
    dispatchEvent(new Event('hashchange'))
    await settle()
    expect(location.hash).toBe('')
    expect(at(T.openName).textContent).toBe('Grace')
    await type(T.openText, 'Hello!')
    await click(T.openSend)
    expect(sent('greet')).toMatchObject([{ link: 'invite-x', text: 'Hello!' }])
    expect(at(T.chat).dataset.state).toBe('greeted')
    expect(pendingLink.value).toBeNull()
  })

  it('that fail say what happened, whether it is safe, and what to do', async () => {
    await open('first')
    route.value = { view: 'open' }
    await settle()
    await type(T.openLink, 'expired')
    await click(T.openLook)
    expect(at(T.formError).textContent).toContain('expired')
    expect(at(T.formError).textContent).toContain('Nothing was sent.')
    expect(at(T.formError).textContent).toContain('Ask for a new link.')
  })
})
