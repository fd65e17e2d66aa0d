/** A QR code as parts/qr.tsx draws it, made into pixels by hand: there is no canvas here. */
import { createElement, render } from 'preact'
import type { Pixels } from '../src/parts/codes'
import { Qr } from '../src/parts/qr'
import { until } from './page'

/** The modules that parts/qr.tsx draws, read out of its SVG. */
export async function modulesOf(text: string): Promise<boolean[][]> {
  const root = document.createElement('div')
  render(createElement(Qr, { text, label: 'code' }), root)
  await until(() => root.querySelector('path') !== null)
  const size = Number(root.querySelector('svg')?.getAttribute('viewBox')?.split(' ')[2])
  const rows = Array.from({ length: size }, () => Array<boolean>(size).fill(false))
  const path = root.querySelector('path')?.getAttribute('d') ?? ''
  for (const [, x, y, length] of path.matchAll(/M(\d+) (\d+)h(\d+)v1h-\d+z/g)) {
    rows[Number(y)]?.fill(true, Number(x), Number(x) + Number(length))
  }
  render(null, root)
  return rows
}

export interface Shot {
  /** Pixels of a module. */
  scale: number
  /** Pixels around the code, of the same colour as its ground. */
  margin?: number
  turn?: number
  light?: number
  dark?: number
  /** Of each pixel, up to that much lighter or darker. */
  noise?: number
}

/** As a camera would see them. */
export function photograph(rows: boolean[][], shot: Shot): Pixels {
  const { scale, margin = 0, turn = 0, light = 255, dark = 0, noise = 0 } = shot
  const side = Math.round(rows.length * scale) + 2 * margin
  const data = new Uint8ClampedArray(side * side * 4).fill(255)
  const [sin, cos, middle] = [Math.sin(turn), Math.cos(turn), side / 2]
  let seed = 7
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const [dx, dy] = [x + 0.5 - middle, y + 0.5 - middle]
      const column = Math.floor((middle + dx * cos + dy * sin - margin) / scale)
      const row = Math.floor((middle - dx * sin + dy * cos - margin) / scale)
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0
      const grain = ((seed >>> 16) / 65536 - 0.5) * 2 * noise
      const value = (rows[row]?.[column] ? dark : light) + grain
      data.fill(value, (y * side + x) * 4, (y * side + x) * 4 + 3)
    }
  }
  return { width: side, height: side, data }
}
