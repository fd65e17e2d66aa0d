import { afterEach, describe, expect, it } from 'vitest'
import { codeOn, loadReader, sizesOf } from '../src/parts/codes'
import { isInvitation, isLinkCode } from '../src/parts/text'
import { modulesOf, photograph, type Shot } from './drawnCode'
import { LINK_CODE } from './fakeLinking'

const INVITATION = `https://relay.example/#AQ${'inviteZ8kP2vTq'.repeat(12)}`
/** The longest there is, with three relays. */
const LONG = `wiremin:link/${'Zq3_-x'.repeat(70)}`

describe('a code that the page draws', () => {
  it.each([
    ['of a device', LINK_CODE],
    ['of a device, with three relays', LONG],
    ['of an invitation', INVITATION],
  ])('is read again from its pixels: %s', async (_, text) => {
    const rows = await modulesOf(text)
    const read = await loadReader()
    for (const shot of [{ scale: 2 }, { scale: 4 }, { scale: 7.3, margin: 60 }]) {
      expect(read(photograph(rows, shot), { patient: false }), `${shot.scale} pixels`).toBe(text)
    }
  })

  it('is read as a camera sees it: turned, dim, grainy, and beside other things', async () => {
    const rows = await modulesOf(LINK_CODE)
    const read = await loadReader()
    const shots: Shot[] = [
      { scale: 6, margin: 150, turn: 0.2 },
      { scale: 6, margin: 150, turn: Math.PI },
      { scale: 6, margin: 40, light: 150, dark: 60, noise: 30 },
      { scale: 6, margin: 150, turn: -0.6, light: 190, dark: 40, noise: 40 },
    ]
    for (const shot of shots) {
      const text = read(photograph(rows, shot), { patient: true })
      expect(text, JSON.stringify(shot)).toBe(LINK_CODE)
    }
  })

  it('is not read where it is covered, and nothing is read out of noise', async () => {
    const read = await loadReader()
    const rows = await modulesOf(LINK_CODE)
    const covered = rows.map((row, y) => (y > rows.length / 2 ? row.map(() => false) : row))
    expect(read(photograph(covered, { scale: 5 }), { patient: true })).toBeNull()
    const blank = rows.map((row) => row.map(() => false))
    const noise = photograph(blank, { scale: 5, light: 128, noise: 127 })
    expect(read(noise, { patient: true })).toBeNull()
    expect(read(photograph([[true]], { scale: 1 }), { patient: false })).toBeNull()
  })

  it('says what it is for', () => {
    expect(isLinkCode(LINK_CODE)).toBe(true)
    expect(isLinkCode(LINK_CODE.replace('wiremin:link', 'WIREMIN:LINK'))).toBe(true)
    expect(isLinkCode(INVITATION)).toBe(false)
    expect(isInvitation(LINK_CODE)).toBe(false)
    expect(isLinkCode('https://example.org/?wiremin:link/')).toBe(false)
  })
})

describe('a picture', () => {
  const { createImageBitmap } = globalThis
  const { OffscreenCanvas } = globalThis as { OffscreenCanvas?: unknown }
  afterEach(() => Object.assign(globalThis, { createImageBitmap, OffscreenCanvas }))

  it('is looked at small, then larger, and never larger than it is', () => {
    const sides = (width: number, height: number) =>
      sizesOf(width, height).map((size) => `${size.width}x${size.height}`)
    expect(sides(4000, 3000)).toEqual(['1000x750', '2000x1500', '4000x3000'])
    expect(sides(9000, 6000)).toEqual(['1000x667', '2000x1333', '4000x2667'])
    expect(sides(600, 400)).toEqual(['600x400'])
    expect(sides(1200, 3)).toEqual(['1000x3', '1200x3'])
    expect(sides(20_000, 1)).toEqual(['1000x1', '2000x1', '4000x1'])
  })

  it('that is none is told, and what was opened is closed again', async () => {
    const failed = { problem: { code: 'not_a_picture' } }
    Object.assign(globalThis, { createImageBitmap: () => Promise.reject(new Error('no')) })
    await expect(codeOn(new Blob(['words']))).rejects.toMatchObject(failed)
    let closed = 0
    const bitmap = { width: 10, height: 10, close: () => closed++ }
    Object.assign(globalThis, {
      createImageBitmap: () => Promise.resolve(bitmap),
      OffscreenCanvas: class {
        getContext = () => null
      },
    })
    await expect(codeOn(new Blob(['words']))).rejects.toMatchObject(failed)
    expect(closed).toBe(1)
  })

  it('with a small code on it is drawn larger until the code can be read', async () => {
    const rows = await modulesOf(LINK_CODE)
    const sizes: string[] = []
    class Canvas {
      width = 0
      height = 0
      getContext = () => ({
        fillRect: () => undefined,
        drawImage: () => undefined,
        getImageData: (_x: number, _y: number, width: number, height: number) => {
          sizes.push(`${width}x${height}`)
          const whole = photograph(rows, { scale: 4 })
          const blank = { width, height, data: new Uint8ClampedArray(width * height * 4) }
          return width >= 2000 ? whole : blank
        },
      })
    }
    Object.assign(globalThis, {
      createImageBitmap: () => Promise.resolve({ width: 3840, height: 2160, close: () => 0 }),
      OffscreenCanvas: Canvas,
    })
    expect(await codeOn(new Blob(['picture']))).toBe(LINK_CODE)
    expect(sizes).toEqual(['1000x563', '2000x1125'])
  })
})
