import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { PICTURE_BYTES_MAX } from '../src/limits'
import { cutOf, squarePicture } from '../src/parts/picture'
import { dataUrl } from '../src/state/pictures'
import { ProblemError } from '../src/state/problem'
import { receive } from '../src/state/store'
import { T } from '../src/testids'
import { idOf } from './fakeAccount'
import { fake } from './fakeCore'
import { HILLS } from './pictures'
import { all, at, click, has, open, settle, type, until } from './page'

const sent = (cmd: string) => fake.seen.filter((command) => command.cmd === cmd)
const grace = idOf('Grace Hopper')
const disabled = (id: string) => at(id).getAttribute('aria-disabled') === 'true'

/** What a browser does with pictures: each pixel takes so many bytes at the best quality. */
function paint(size: { width: number; height: number }, perPixel: number, webp = true) {
  const drawn: number[][] = []
  class Canvas {
    constructor(
      readonly width: number,
      readonly height: number,
    ) {}
    getContext() {
      return {
        fillRect: () => undefined,
        drawImage: (_: unknown, ...numbers: number[]) => void drawn.push(numbers),
      }
    }
    convertToBlob({ type, quality }: { type: string; quality: number }) {
      const bytes = Math.ceil(this.width * this.height * perPixel * quality)
      const kind = type === 'image/webp' && !webp ? 'image/png' : type
      return Promise.resolve(new Blob([new Uint8Array(bytes)], { type: kind }))
    }
  }
  const close = vi.fn()
  vi.stubGlobal('OffscreenCanvas', Canvas)
  vi.stubGlobal('createImageBitmap', () => Promise.resolve({ ...size, close }))
  return { drawn, close }
}

const photo = () => new File([new Uint8Array(99)], 'photo.jpg', { type: 'image/jpeg' })

async function choose(file: File): Promise<void> {
  const input = at(T.settingsPicture)
  Object.defineProperty(input, 'files', { value: [file], configurable: true })
  input.dispatchEvent(new Event('change', { bubbles: true }))
  await settle()
}

afterEach(() => vi.unstubAllGlobals())

describe('a picture', () => {
  it('is the square in the middle, and not made larger', async () => {
    expect(cutOf(4000, 3000)).toEqual({ x: 500, y: 0, side: 3000 })
    expect(cutOf(30, 40)).toEqual({ x: 0, y: 5, side: 30 })
    const { drawn, close } = paint({ width: 4000, height: 3000 }, 0.1)
    await squarePicture(photo())
    expect(drawn).toEqual([[500, 0, 3000, 3000, 0, 0, 256, 256]])
    expect(close).toHaveBeenCalledOnce()
    const small = paint({ width: 30, height: 40 }, 0.1)
    await squarePicture(photo())
    expect(small.drawn[0]?.slice(-2)).toEqual([30, 30])
  })

  it('fits whatever is in it, or is none', async () => {
    for (const perPixel of [0.01, 0.2, 0.5, 1, 3, 8]) {
      paint({ width: 900, height: 900 }, perPixel)
      const picture = await squarePicture(photo())
      expect(picture.size).toBeLessThanOrEqual(PICTURE_BYTES_MAX)
      expect(picture.type).toBe('image/webp')
    }
    const { close } = paint({ width: 900, height: 900 }, 99)
    await expect(squarePicture(photo())).rejects.toThrow(ProblemError)
    expect(close).toHaveBeenCalledOnce()
    vi.stubGlobal('createImageBitmap', () => Promise.reject(new Error('no picture')))
    await expect(squarePicture(photo())).rejects.toThrow(ProblemError)
  })

  it('is JPEG where the browser writes no WebP', async () => {
    paint({ width: 900, height: 900 }, 0.1, false)
    expect((await squarePicture(photo())).type).toBe('image/jpeg')
  })

  it('from elsewhere is drawn as what it is said to be, or not at all', () => {
    expect(dataUrl('image/webp', 'AAAA')).toBe('data:image/webp;base64,AAAA')
    expect(dataUrl('image/svg+xml', 'AAAA')).toBeNull()
    expect(dataUrl('text/html', 'AAAA')).toBeNull()
    expect(dataUrl('image/png', 'AA"><script>')).toBeNull()
    expect(dataUrl('image/png', '')).toBeNull()
  })
})

describe('the profile', () => {
  beforeEach(() => open('people').then(() => click(T.navSettings)))

  it('takes words as far as they fit, and only what was changed', async () => {
    await type(T.settingsAbout, '€'.repeat(167))
    expect(disabled(T.settingsNameSave)).toBe(true)
    expect(at(T.settings).textContent).toContain('1 bytes too long')
    await type(T.settingsAbout, ` ${'€'.repeat(166)} `)
    expect(at(T.settings).textContent).toContain('2 bytes left')
    await click(T.settingsNameSave)
    expect(sent('set_profile')).toMatchObject([{ about: '€'.repeat(166) }])
    expect(sent('set_profile')[0]).not.toHaveProperty('avatar')
    expect(sent('rename')).toEqual([])
    expect(has(T.settingsNameSave)).toBe(false)
  })

  it('says who sees it', () => {
    expect(at(T.settings).textContent).toContain('Only your contacts')
  })

  it('takes over what another device wrote, but not over what is typed', async () => {
    await type(T.settingsAbout, 'half a sent')
    const { account } = fake
    const profile = { account, name: 'Countess', restored: true, about: 'Elsewhere' }
    receive([{ event: 'profile', ...profile }])
    await settle()
    expect((at(T.settingsName) as HTMLInputElement).value).toBe('Countess')
    expect((at(T.settingsAbout) as HTMLInputElement).value).toBe('half a sent')
  })

  it('takes a picture from a file, shows it, and lets it go', async () => {
    paint({ width: 900, height: 600 }, 0.1)
    await choose(photo())
    await until(() => sent('set_profile').length > 0)
    const [command] = sent('set_profile')
    expect(command).toMatchObject({ avatar: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/) })
    expect(command).not.toHaveProperty('about')
    await settle()
    const shown = all(T.avatar).map((place) => place.querySelector('img')?.src)
    expect(shown).toHaveLength(2)
    expect(shown[0]).toMatch(/^data:image\/png;base64,/)
    expect(sent('avatar')).toMatchObject([{ contact: fake.account }])

    await click(T.settingsPictureRemove)
    expect(sent('set_profile').at(-1)).toMatchObject({ avatar: '' })
    expect(has(T.avatar)).toBe(false)
    expect(document.activeElement).toBe(at(T.settingsPicture))
  })

  it('says what is wrong with a file that is no picture', async () => {
    vi.stubGlobal('createImageBitmap', () => Promise.reject(new Error('no picture')))
    await choose(photo())
    expect(at(T.formError).dataset.code).toBe('not_a_picture')
    expect(sent('set_profile')).toEqual([])
  })
})

describe('a contact’s profile', () => {
  const row = () => all(T.conversation).find((r) => r.dataset.contact === grace)

  it('is shown wherever they are, its picture asked for once', async () => {
    await open('returned')
    await until(() => row()?.querySelector('img') != null)
    row()?.click()
    await settle()
    await click(T.chatInfo)
    expect(at(T.chatInfo).querySelector('img')?.src).toBe(`data:image/png;base64,${HILLS}`)
    expect(at(T.contact).querySelector('img')).not.toBeNull()
    expect(at(T.contactAbout).textContent).toContain('Rear admiral')
    expect(sent('avatar').filter((c) => 'contact' in c && c.contact === grace)).toHaveLength(1)
    const img = at(T.contact).querySelector('img')
    expect(img?.alt).toBe('')
  })

  it('changes with the hash, and gives way to the letter where it cannot be drawn', async () => {
    await open('returned')
    await until(() => row()?.querySelector('img') != null)
    const known = fake.contacts.get(grace)
    if (!known) throw new Error('no Grace')
    fake.pictures.set(grace, 'AAAA')
    receive([{ event: 'contact', contact: { ...known, avatar: 'other' } }])
    await until(() => row()?.querySelector('img')?.src === 'data:image/png;base64,AAAA')
    row()?.querySelector('img')?.dispatchEvent(new Event('error'))
    await settle()
    expect(row()?.querySelector('img')).toBeNull()
    expect(row()?.querySelector('.avatar text')?.textContent).toBe('G')
  })

  it('goes with the lock', async () => {
    await open('returned')
    await until(() => row()?.querySelector('img') != null)
    await click(T.navLock)
    expect(document.querySelector('img')).toBeNull()
    receive([{ event: 'phase', phase: 'open' }, ...fake.snapshot()])
    await until(() => row()?.querySelector('img') != null)
    expect(sent('avatar').filter((c) => 'contact' in c && c.contact === grace)).toHaveLength(2)
  })
})
