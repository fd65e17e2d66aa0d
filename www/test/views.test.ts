import { afterEach, describe, expect, it, vi } from 'vitest'
import { toast } from '../src/parts/toast'
import { go, home, route } from '../src/state/route'
import { receive } from '../src/state/store'
import { T } from '../src/testids'
import { onLoopback } from '../src/views/invites'
import { WORDS } from './fakeAccount'
import { fake } from './fakeCore'
import { all, at, click, has, open, press, settle, type } from './page'

async function openChat(name: string): Promise<void> {
  all(T.conversation)
    .find((row) => row.textContent?.includes(name))
    ?.click()
  await settle()
}

afterEach(() => vi.restoreAllMocks())

describe('the browser’s history', () => {
  it('is told which view, never whose conversation', async () => {
    await open('people')
    const push = vi.spyOn(history, 'pushState')
    await openChat('Grace')
    expect(push.mock.calls.map(([entry]) => entry)).toEqual([{ view: 'chat' }])
    const { contact } = route.value as { contact: string }
    const back = new PopStateEvent('popstate', { state: null })
    dispatchEvent(back)
    expect(route.value).toEqual({ view: 'home' })
    dispatchEvent(new PopStateEvent('popstate', { state: { view: 'chat' } }))
    expect(route.value).toEqual({ view: 'chat', contact })
  })

  it('goes back once, however often it is asked to', async () => {
    await open('people')
    go({ view: 'settings' })
    const back = vi.spyOn(history, 'back').mockReturnValue()
    home()
    home()
    expect(back).toHaveBeenCalledOnce()
    expect(route.value.view).toBe('home')
  })
})

describe('Esc', () => {
  it('leads back, but not out of a text that is being written', async () => {
    await open('people')
    await openChat('Grace')
    await type(T.composer, 'half a sent')
    await press(T.composer, 'Escape')
    expect(has(T.chat)).toBe(true)
    await type(T.composer, '')
    await press(T.composer, 'Escape', { isComposing: true })
    expect(has(T.chat)).toBe(true)
    await press(T.composer, 'Escape')
    expect(has(T.chat)).toBe(false)
    await click(T.navSettings)
    await press(T.theme, 'Escape')
    expect(has(T.settings)).toBe(false)
  })
})

describe('a touch screen', () => {
  it('has Enter for new lines', async () => {
    vi.spyOn(globalThis, 'matchMedia').mockImplementation(
      (query) => ({ matches: query.includes('coarse') }) as MediaQueryList,
    )
    await open('people')
    await openChat('Grace')
    expect(document.activeElement?.tagName).toBe('H1')
    await type(T.composer, 'First')
    await press(T.composer, 'Enter')
    expect(fake.seen.some((command) => command.cmd === 'send')).toBe(false)
    await click(T.send)
    expect(fake.seen.some((command) => command.cmd === 'send')).toBe(true)
  })

  it('moves on at a space, and takes words that come all at once', async () => {
    await open('empty')
    await click(T.welcomeRestore)
    await type(T.restoreWord, 'amber ')
    expect((at(T.restoreWord) as HTMLInputElement).value).toBe('amber')
    expect(document.activeElement).toBe(at(T.restoreWord, 1))
    await type(T.restoreWord, 'bridge canyon dolphin', 1)
    expect(all(T.restoreWord).map((f) => (f as HTMLInputElement).value)).toEqual([
      ...WORDS.slice(0, 4),
      ...Array(14).fill(''),
    ])
  })
})

describe('the keyboard', () => {
  it('starts at the title, and goes back there when what it was at is gone', async () => {
    await open('empty')
    expect(document.activeElement?.tagName).toBe('H1')
    await open('people')
    await click(T.navGreetings)
    at(T.greetingDecline, 1).focus()
    await click(T.greetingDecline, 1)
    expect(document.activeElement?.textContent).toBe('Greetings')
    expect(document.activeElement?.tagName).toBe('H1')
  })

  it('is told to wait without a countdown, and of no error that is over', async () => {
    await open('locked')
    for (let wrong = 0; wrong < 3; wrong++) {
      await type(T.passcode, 'guess')
      await click(T.unlockButton)
    }
    expect(has(T.unlockWait)).toBe(true)
    expect(has(T.formError)).toBe(false)
    const status = at(T.unlock).querySelector('[role=status]')?.textContent
    expect(status).toContain('Wait')
    expect(status).not.toMatch(/\d/)
  })
})

describe('a sheet', () => {
  it('says itself what is said, and is not closed by marking text', async () => {
    await open('people')
    await openChat('Grace')
    await click(T.chatInfo)
    toast('Something')
    await settle()
    expect(at(T.contact).querySelector(`[data-testid=${T.toast}]`)?.textContent).toBe('Something')
    expect(all(T.toast)).toHaveLength(1)

    const sheet = at(T.contact)
    const pointer = (target: Element, kind: string) =>
      target.dispatchEvent(new Event(kind, { bubbles: true }))
    pointer(at(T.safetyNumber), 'pointerdown')
    pointer(sheet, 'click')
    await settle()
    expect(has(T.contact)).toBe(true)
    pointer(sheet, 'pointerdown')
    pointer(sheet, 'click')
    await settle()
    expect(has(T.contact)).toBe(false)
  })
})

describe('what a page promises', () => {
  it('of 18 words is contacts, as far as they are kept, and no messages', async () => {
    await open('empty')
    expect(at(T.welcomeRestore).textContent).toContain('without history')
    await click(T.welcomeRestore)
    expect(document.body.textContent).toContain('as far as relays have kept them')
    await open('locked')
    await click(T.unlockForgot)
    expect(document.body.textContent).toContain('but no messages')
    await open('first')
    receive([{ event: 'profile', account: fake.account, name: 'Ada', restored: true }])
    await settle()
    expect(document.body.textContent).toContain('Welcome back, Ada')
    expect(document.body.textContent).toContain('exported file')
  })

  it('of a link that leads to this computer', () => {
    const hosts = ['localhost', 'a.localhost', '127.0.0.1', '[::1]', 'example.org', '192.168.0.1']
    expect(hosts.map(onLoopback)).toEqual([true, true, true, true, false, false])
  })
})
