import { describe, expect, it } from 'vitest'
import { ahead, brief, countdown, dayName, groups } from '../src/format'
import { byteLength } from '../src/limits'
import { tell } from '../src/parts/delivery'
import { isUsable, verdictOf } from '../src/parts/strength'
import { linkTokens } from '../src/parts/text'
import { splitWords } from '../src/parts/wordfield'
import { problemOf, ProblemError } from '../src/state/problem'
import { drawPlaces } from '../src/views/create'
import { fromFile, toBytes } from '../src/views/file'
import { linesOf } from '../src/views/log'
import { errorsByField } from '../src/views/restore'

describe('links in text', () => {
  it('are http and https only', () => {
    for (const text of [
      'javascript:alert(1)',
      'data:text/html,x',
      'file:///etc',
      'http://',
      'a.b',
    ]) {
      expect(linkTokens(text)).toEqual([{ text }])
    }
    expect(linkTokens('see https://a.example/x?y=1#z.')).toEqual([
      { text: 'see ' },
      { text: 'https://a.example/x?y=1#z', href: 'https://a.example/x?y=1#z' },
      { text: '.' },
    ])
  })

  it('lose no letter of the text', () => {
    const text = '(https://a.example) <b>http://b.example/"x"</b>\nend'
    expect(
      linkTokens(text)
        .map((t) => t.text)
        .join(''),
    ).toBe(text)
  })
})

describe('times', () => {
  const noon = new Date(2026, 10, 23, 12, 0).getTime()
  const HOUR = 3_600_000
  it('of days', () => {
    expect(dayName(noon - HOUR, noon)).toBe('Today')
    expect(dayName(noon - 13 * HOUR, noon)).toBe('Yesterday')
    expect(dayName(noon - 4 * 24 * HOUR, noon)).toBe('Thursday')
    expect(dayName(noon + 24 * HOUR, noon)).toContain('2026')
  })

  it('bear any number a sender may write', () => {
    for (const ms of [Number.NaN, Infinity, -1e300, 1e300]) {
      expect([dayName(ms, noon), brief(ms, noon), ahead(ms, noon)].join('')).toContain('19')
    }
  })

  it('count down', () => {
    expect([0, 900, 59_001, 61_000, 3_660_000].map(countdown)).toEqual([
      '0 s',
      '1 s',
      '1:00 min',
      '1:01 min',
      '1:01 h',
    ])
  })
})

describe('words', () => {
  it('are split from any paste', () => {
    expect(splitWords(' 1. Amber\n2) bridge,canyon ;  dolphin ')).toEqual([
      'amber',
      'bridge',
      'canyon',
      'dolphin',
    ])
  })

  it('have their errors at their fields, empty fields not counted', () => {
    const check = {
      kind: 'word_check' as const,
      complete: false,
      checksum: false,
      account: null,
      unknown: [{ at: 1, word: 'xx', near: [] }],
      count: 2,
    }
    expect([...errorsByField(['', 'amber', '', 'xx'], check).keys()]).toEqual([3])
  })

  it('are asked back one from each third', () => {
    expect(drawPlaces(() => 0)).toEqual([0, 6, 12])
    expect(drawPlaces((n) => n - 1)).toEqual([5, 11, 17])
  })
})

describe('passcodes', () => {
  it('are refused while short, unchecked or easily guessed', () => {
    const usable = (passcode: string, score: 0 | 1 | 2 | 3 | 'failed' | null) =>
      isUsable(verdictOf(passcode, score))
    expect(usable('', 3)).toBe(false)
    expect(usable('1234567', 3)).toBe(false)
    expect(usable('12345678', null)).toBe(false)
    expect(usable('12345678', 1)).toBe(false)
    expect(usable('12345678', 2)).toBe(true)
    expect(usable('12345678', 'failed')).toBe(false)
    expect(usable('123456789012', 'failed')).toBe(true)
  })
})

describe('delivery', () => {
  const around = { name: 'Grace', confirms: true, greeted: false, linked: true }
  const words = (delivery: Parameters<typeof tell>[0], share?: number) =>
    tell(delivery, { ...around, share }).words
  it('is told as far as it is known', () => {
    expect(words({ state: 'queued', waits_for: 'work' })).toBe('Working… 0 %')
    expect(words({ state: 'queued', waits_for: 'work' }, 0.429)).toBe('Working… 42 %')
    expect(words({ state: 'queued', waits_for: 'work' }, 1.7)).toBe('Working… longer than usual')
    expect(words({ state: 'stored', relays: 1, until: 0 })).toContain('1 relay until')
    expect(words({ state: 'stored', relays: 2, until: 0 })).toContain('2 relays until')
    expect(words({ state: 'cancelled', was_stored: true })).toContain('may still arrive')
    const problem = { code: 'x', happened: 'A.', safe: 'B.', todo: 'C.' }
    expect(tell({ state: 'failed', problem }, around).tip).toBe('A. B. C.')
  })

  it('that waits for a relay says whether one is there', () => {
    const tip = (waits_for: 'relay' | 'relay_room', linked: boolean) =>
      tell({ state: 'queued', waits_for }, { ...around, linked }).tip
    expect(tip('relay', false)).toContain('No relay is connected')
    expect(tip('relay', true)).not.toContain('No relay')
    expect(tip('relay_room', true)).toContain('full')
  })

  it('that waits for an answer says whose, and to what', () => {
    const told = (greeted: boolean) =>
      tell({ state: 'queued', waits_for: 'acceptance' }, { ...around, greeted })
    expect(told(true).tip).toContain('accepts your greeting')
    expect(told(false).words).toBe('Waits until Grace’s device answers')
    expect(told(false).tip).not.toContain('greeting')
    const confirmation = tell({ state: 'queued', waits_for: 'confirmation' }, around)
    expect(confirmation.words).toBe('Waits until you confirm')
  })

  it('without confirmations ends with being stored', () => {
    const stored = { state: 'stored', relays: 1, until: 0 } as const
    const told = tell(stored, { ...around, confirms: false })
    expect(told.words).toBe('Stored by 1 relay; no confirmation will come')
    expect(told.tip).toContain('not sent again')
  })
})

describe('a conversation', () => {
  it('is cut into days and runs of one person', () => {
    const now = new Date(2026, 10, 23, 12, 0).getTime()
    const at = (minutes: number, mine: boolean, i: number) => ({
      message: String(i),
      contact: 'c',
      mine,
      text: '',
      at: now - minutes * 60_000,
      order: i,
      index: i,
      delivery: { state: 'received' } as const,
    })
    const lines = linesOf(
      [at(2000, false, 0), at(30, false, 1), at(29, false, 2), at(28, true, 3), at(3, true, 4)],
      now,
    )
    expect(lines.map((l) => l.day)).toEqual(['Yesterday', 'Today', null, null, null])
    expect(lines.map((l) => l.first)).toEqual([true, true, false, true, true])
    expect(lines.map((l) => l.last)).toEqual([true, false, true, true, true])
  })
})

describe('small things', () => {
  it('bytes are those of UTF-8', () => {
    expect(byteLength('aé€😀')).toBe(1 + 2 + 3 + 4)
    expect(groups('abcdefgh', 5)).toEqual(['abcde', 'fgh'])
  })

  it('files survive base64 in both alphabets', async () => {
    const bytes = Uint8Array.from({ length: 70_000 }, (_, i) => (i * 7) % 256)
    const text = await fromFile(new File([bytes], 'x'))
    expect(toBytes(text)).toEqual(bytes)
    expect(toBytes('-_8')).toEqual(toBytes('+/8='))
  })

  it('what was thrown becomes a problem', () => {
    const problem = { code: 'quota', happened: 'a', safe: 'b', todo: 'c' }
    expect(problemOf(new Error(JSON.stringify(problem)))).toEqual(problem)
    expect(problemOf(new ProblemError(problem))).toEqual(problem)
    expect(problemOf('boom').happened).toContain('boom')
    expect(problemOf(new Error('{"code":1}')).code).toBe('unexpected')
  })
})
