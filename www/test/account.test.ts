import { beforeAll, describe, expect, it, vi } from 'vitest'
import { announcement, toast } from '../src/parts/toast'
import { loadCheck } from '../src/parts/strength'
import type { Event } from '../src/state/api'
import { initial } from '../src/state/reduce'
import { receive, start, state } from '../src/state/store'
import { T } from '../src/testids'
import { WORDS } from './fakeAccount'
import { fake } from './fakeCore'
import { all, at, click, has, open, paste, press, settle, type, until } from './page'

const disabled = (id: string) => at(id).getAttribute('aria-disabled') === 'true'
const sent = (cmd: string) => fake.seen.filter((command) => command.cmd === cmd)

beforeAll(async () => {
  await loadCheck()
}, 30_000)

async function choosePasscode(passcode: string): Promise<void> {
  await type(T.passcode, passcode)
  await type(T.passcodeRepeat, passcode)
  await until(() => at(T.strength).dataset.score !== undefined)
  await settle()
}

describe('creating an account', () => {
  it('leads from the name to an open account, and sends nothing before the last step', async () => {
    await open('empty')
    await click(T.welcomeCreate)
    await click(T.next)
    expect(at(T.nameInput).getAttribute('aria-invalid')).toBe('true')
    await type(T.nameInput, '  Ada ')
    await click(T.next)
    expect(all(T.word).map((word) => word.textContent)).toEqual(WORDS)
    await click(T.next)

    const places = all(T.confirmWord).map((field) => Number(field.dataset.at) - 1)
    expect(new Set(places).size).toBe(3)
    await type(T.confirmWord, 'wrong')
    await click(T.next)
    expect(has(T.restoreError)).toBe(true)
    await paste(T.confirmWord, WORDS.join(' '))
    expect(all(T.confirmWord).map((f) => (f as HTMLInputElement).value)).toEqual(
      places.map((place) => WORDS[place]),
    )
    await click(T.next)

    await choosePasscode('password')
    expect(at(T.strength).dataset.score).toBe('0')
    expect(disabled(T.next)).toBe(true)
    await choosePasscode('walnut ferry quiet 9')
    expect(disabled(T.next)).toBe(false)
    await type(T.passcodeRepeat, 'walnut ferry quiet 8')
    expect(disabled(T.next)).toBe(true)
    await type(T.passcodeRepeat, 'walnut ferry quiet 9')
    await click(T.remember)
    await click(T.next)

    expect(at(T.learn).textContent).toContain('IP address')
    expect(at(T.learn).textContent).toContain(location.host)
    expect(sent('create')).toEqual([])
    await click(T.agree)
    expect(sent('create')).toMatchObject([
      {
        name: 'Ada',
        words: WORDS.join(' '),
        passcode: 'walnut ferry quiet 9',
        restore: false,
        remember: false,
      },
    ])
    expect(has(T.app)).toBe(true)
    expect(has(T.listEmpty)).toBe(true)
  })
})

describe('restoring an account', () => {
  it('says which word is wrong, offers near ones, and goes on when all are right', async () => {
    await open('empty')
    await click(T.welcomeRestore)
    await paste(T.restoreWord, WORDS.join(' ').replace('canyon', 'CANYN'))
    await until(() => has(T.restoreError))
    expect(at(T.restoreError).textContent).toContain('canyn')
    expect(disabled(T.next)).toBe(true)
    at(T.restoreError).querySelector('button')?.click()
    await settle()
    await until(() => has(T.restoreAccount))
    expect(has(T.restoreWarning)).toBe(false)
    expect(disabled(T.next)).toBe(false)
  })

  it('warns of a wrong checksum with the id it leads to, and wants a confirmation', async () => {
    await open('empty')
    await click(T.welcomeRestore)
    const swapped = [WORDS[1], WORDS[0], ...WORDS.slice(2)].join(' ')
    await paste(T.restoreWord, swapped)
    await until(() => has(T.restoreWarning))
    expect(at(T.restoreAccount).dataset.account).toHaveLength(52)
    expect(disabled(T.next)).toBe(true)
    await click(T.restoreAccept)
    expect(disabled(T.next)).toBe(false)
  })

  it('completes words by keyboard', async () => {
    await open('empty')
    await click(T.welcomeRestore)
    await type(T.restoreWord, 'can')
    await until(() => all(T.restoreSuggestion).length > 1)
    const second = all(T.restoreSuggestion)[1]?.textContent
    await press(T.restoreWord, 'ArrowDown')
    await press(T.restoreWord, 'Enter')
    expect((at(T.restoreWord) as HTMLInputElement).value).toBe(second)
    expect(document.activeElement).toBe(at(T.restoreWord, 1))
  })
})

describe('unlocking', () => {
  it('tells a wrong passcode and takes the right one', async () => {
    await open('locked')
    await type(T.passcode, 'guess')
    await click(T.unlockButton)
    expect(at(T.formError).dataset.code).toBe('wrong_passcode')
    expect((at(T.passcode) as HTMLInputElement).value).toBe('')
    await type(T.passcode, 'correct horse')
    await click(T.unlockButton)
    expect(has(T.app)).toBe(true)
  })

  it('takes nothing while it must wait', async () => {
    await open('waiting')
    expect(has(T.unlockWait)).toBe(true)
    expect(at(T.passcode)).toHaveProperty('readOnly', true)
    await click(T.unlockButton)
    expect(sent('unlock')).toEqual([])
  })

  it('erases only after the word was typed', async () => {
    await open('locked')
    await click(T.unlockForgot)
    await click(T.settingsErase)
    await click(T.eraseButton)
    expect(sent('erase')).toEqual([])
    await type(T.eraseWord, 'Erase')
    await click(T.eraseButton)
    expect(sent('erase')).toHaveLength(1)
    expect(has(T.welcome)).toBe(true)
  })
})

describe('a page that cannot go on', () => {
  it('says so, and can take over from a second tab', async () => {
    await open('second-tab')
    expect(at(T.stop).dataset.code).toBe('second_tab')
    await click(T.stopAction)
    expect(has(T.stop)).toBe(false)
    expect(has(T.welcome)).toBe(true)
  })

  const trouble = (code: string): Event => ({
    event: 'trouble',
    problem: { code, happened: 'Taken over.', safe: 'Safe.', todo: 'Go there.' },
  })

  it('forgets the account when another tab takes over, and shows nothing of it again', async () => {
    await open('people')
    all(T.conversation)
      .find((row) => row.textContent?.includes('Grace'))
      ?.click()
    await settle()
    await type(T.composer, 'not sent yet')
    receive([trouble('second_tab')])
    expect(state.value).toEqual(initial)
    await settle()
    expect(at(T.stop).dataset.code).toBe('second_tab')
    expect(document.body.textContent).not.toContain('Grace')

    // Until the new peer has spoken there is nothing to see.
    history.replaceState(null, '', '/?scene=starting')
    await start(true)
    await settle()
    expect(has(T.starting)).toBe(true)
    expect(document.body.textContent).not.toContain('Grace')
    history.replaceState(null, '', '/?scene=people')
    await start(true)
    await settle()
    expect(has(T.app)).toBe(true)
    expect(has(T.toast)).toBe(false)
    all(T.conversation)
      .find((row) => row.textContent?.includes('Grace'))
      ?.click()
    await settle()
    expect((at(T.composer) as HTMLTextAreaElement).value).toBe('')
  })

  it('is told at once that its store cannot be read, but goes on if it was', async () => {
    await open('starting')
    receive([trouble('store_newer')])
    await settle()
    expect(at(T.stop).dataset.code).toBe('store_newer')
    expect(at(T.stop).textContent).toContain('Safe.')

    // Part of it may be damaged and the rest be there, remembered.
    await open('starting')
    receive([trouble('store_damaged')])
    await settle()
    expect(has(T.stop)).toBe(true)
    receive([{ event: 'phase', phase: 'open' }])
    await settle()
    expect(has(T.stop)).toBe(false)
    expect(at(T.trouble).dataset.code).toBe('store_damaged')
  })
})

describe('settings', () => {
  it('export only with the passcode, and promise no file that is not seen', async () => {
    await open('people')
    await click(T.navSettings)
    await click(T.settingsExport)
    await type(T.passcodeOld, 'wrong')
    await type(T.exportPassphrase, 'walnut ferry quiet 9')
    await type(T.passcodeRepeat, 'walnut ferry quiet 9')
    await until(() => !disabled(T.sheetConfirm))
    await click(T.sheetConfirm)
    expect(at(T.formError).dataset.code).toBe('wrong_passcode')
    await type(T.passcodeOld, 'correct horse')
    const download = vi.spyOn(HTMLAnchorElement.prototype, 'click').mockReturnValue()
    await click(T.sheetConfirm)
    expect(download).toHaveBeenCalledOnce()
    download.mockRestore()
    expect(sent('export').at(-1)).toMatchObject({
      passcode: 'correct horse',
      passphrase: 'walnut ferry quiet 9',
    })
    expect(at(T.toast, -1).textContent).toContain('Check that it is there')
  })

  it('rename, show words, and lock', async () => {
    await open('people')
    await click(T.navSettings)
    await type(T.settingsName, 'Countess')
    await click(T.settingsNameSave)
    expect(sent('rename')).toMatchObject([{ name: 'Countess' }])
    await click(T.settingsWords)
    await type(T.passcode, 'wrong')
    await click(T.sheetConfirm)
    expect(has(T.word)).toBe(false)
    await type(T.passcode, 'correct horse')
    await click(T.sheetConfirm)
    expect(all(T.word)).toHaveLength(18)
    await click(T.sheetClose)
    announcement.value = 'Grace: psst'
    toast('Grace was here')
    await click(T.settingsLock)
    expect(has(T.unlock)).toBe(true)
    expect(document.body.textContent).not.toContain('Grace')
  })
})
