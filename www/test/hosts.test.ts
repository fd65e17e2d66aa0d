/** Pages that come from elsewhere than a relay on this machine. */
import { afterEach, describe, expect, it, vi } from 'vitest'
import { ownRelay, servedByRelay } from '../src/ownRelay'
import { copy } from '../src/parts/copy'
import { askHost, followRelay } from '../src/state/moved'
import { s } from '../src/strings'
import { T } from '../src/testids'
import { WORDS } from './fakeAccount'
import { fake } from './fakeCore'
import { at, click, has, open, paste, type, until } from './page'

afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllGlobals()
})

const PASSCODE = 'walnut ferry quiet 9'

async function toLearn(): Promise<void> {
  await click(T.welcomeCreate)
  await type(T.nameInput, 'Ada')
  await click(T.next)
  await click(T.next)
  await paste(T.confirmWord, WORDS.join(' '))
  await click(T.next)
  await type(T.passcode, PASSCODE)
  await type(T.passcodeRepeat, PASSCODE)
  await until(() => at(T.next).getAttribute('aria-disabled') !== 'true')
}

describe('over plain http', () => {
  it('is said at once, and nothing is remembered', async () => {
    await open('http')
    expect(at(T.unprotected).textContent).toContain(location.host)
    await toLearn()
    expect(has(T.remember)).toBe(false)
    expect(has(T.notRemembered)).toBe(true)
    expect(has(T.unprotected)).toBe(false)
    await click(T.next)
    expect(at(T.learn).textContent).toContain(s.learn.way)
    await click(T.agree)
    expect(fake.seen).toContainEqual(expect.objectContaining({ cmd: 'create', remember: false }))
    expect(has(T.unprotected)).toBe(false)
  })

  it('nothing is remembered when a locked account is opened', async () => {
    await open('http-locked')
    expect(has(T.unprotected)).toBe(true)
    expect(has(T.remember)).toBe(false)
    await type(T.passcode, 'correct horse')
    await click(T.unlockButton)
    expect(fake.seen).toContainEqual(expect.objectContaining({ cmd: 'unlock', remember: false }))
  })

  it('of a protected page nothing of this is said', async () => {
    await open('empty')
    expect(has(T.unprotected)).toBe(false)
    await toLearn()
    expect(has(T.remember)).toBe(true)
    await click(T.next)
    expect(at(T.learn).textContent).not.toContain(s.learn.way)
  })
})

describe('from a host that is no relay', () => {
  it('is said before there is an account, and while it knows no relay', async () => {
    await open('static')
    expect(at(T.welcomeHost).textContent).toContain(s.welcome.noRelay)
    await open('static-first')
    expect(has(T.noRelay)).toBe(true)
    expect(at(T.listEmpty).textContent).toContain(s.list.noRelay)
    await open('first')
    expect(has(T.noRelay)).toBe(false)
  })

  const answers: [string, () => Promise<Response>, string | null, boolean | null][] = [
    ['a relay', async () => Response.json({ hint: 'BH8A' }), 'BH8A', true],
    ['the file that comes with the page', async () => Response.json({ hint: null }), null, false],
    ['no such file', async () => new Response('', { status: 404 }), null, false],
    ['its page for every path', async () => new Response('<!doctype html>'), null, false],
    ['nothing', () => Promise.reject(new TypeError('offline')), null, null],
  ]
  for (const [what, answer, hint, served] of answers) {
    it(`is told from one that is: ${what}`, async () => {
      servedByRelay.value = null
      vi.stubGlobal('fetch', answer)
      expect(await ownRelay()).toBe(hint)
      expect(servedByRelay.value).toBe(served)
    })
  }

  it('one that did not answer at the start is asked again, and its relay used', async () => {
    await open('first')
    followRelay()
    servedByRelay.value = null
    let asked = 0
    vi.stubGlobal('fetch', async () => {
      if (++asked < 3) throw new TypeError('too slow')
      return Response.json({ hint: 'BH8A' })
    })
    await askHost(1)
    expect(asked).toBe(3)
    expect(fake.seen).toContainEqual(expect.objectContaining({ cmd: 'add_relay', hint: 'BH8A' }))
  })

  it('a relay that was seen and is gone was one', async () => {
    servedByRelay.value = true
    vi.stubGlobal('fetch', async () => new Response('', { status: 502 }))
    expect(await ownRelay()).toBe(null)
    expect(servedByRelay.value).toBe(true)
  })
})

describe('where the clipboard is kept from the page', () => {
  it('what is selected is copied, and the focus stays', async () => {
    await open('empty')
    vi.stubGlobal('navigator', {})
    let copied = ''
    const execCommand = () => {
      copied = (document.activeElement as HTMLTextAreaElement).value
      return true
    }
    Object.assign(document, { execCommand })
    at(T.welcomeCreate).focus()
    expect(await copy('a link')).toBe(true)
    expect(copied).toBe('a link')
    expect(document.activeElement).toBe(at(T.welcomeCreate))
    Object.assign(document, { execCommand: () => false })
    expect(await copy('a link')).toBe(false)
  })
})
