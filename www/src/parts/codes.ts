/**
 * Reads QR codes out of pixels: of a picture, or of what a camera sees. The decoder is loaded when
 * the first is to be read.
 * Invariant: what is looked at stays in the page's memory, and only the text of a code leaves here.
 */
import { ProblemError } from '../state/problem'
import { scanText } from '../stringsDevices'

export interface Pixels {
  width: number
  height: number
  /** RGBA, a row after the other. */
  data: Uint8ClampedArray
}

export interface Look {
  /** Longer than a frame of a camera is worth: for a picture there is no next one. */
  patient: boolean
}

export type Reader = (pixels: Pixels, look: Look) => string | null

/** Larger files would take the page's memory. */
const FILE_BYTES_MAX = 50_000_000
/** A code fills most of a photo, but may be small on a picture of a whole screen: tried in turn. */
const SIDES = [1000, 2000, 4000]
const PATIENCE_MS = 800

let loading: Promise<Reader> | null = null

/** A failed load is tried again when it is next wanted. */
export function loadReader(): Promise<Reader> {
  loading ??= import('qr/decode.js')
    .then(({ decodeQR }) => (pixels: Pixels, { patient }: Look) => {
      const { width, height, data } = pixels
      try {
        const more = patient ? { effort: Infinity, timeLimit: PATIENCE_MS } : {}
        return decodeQR({ width, height, data }, { format: 'RGBA', ...more })
      } catch {
        // There is none, or it is not seen well enough.
        return null
      }
    })
    .catch((error: unknown) => {
      loading = null
      throw error
    })
  return loading
}

/** The sizes to look at a picture in, the smallest first; what is small already is not enlarged. */
export function sizesOf(width: number, height: number): { width: number; height: number }[] {
  const longer = Math.max(width, height)
  const sides = [...new Set(SIDES.map((side) => Math.min(side, longer)))]
  return sides.map((side) => ({
    width: Math.max(1, Math.round((width * side) / longer)),
    height: Math.max(1, Math.round((height * side) / longer)),
  }))
}

interface Area {
  x: number
  y: number
  width: number
  height: number
}

/** Draws an area of something to a canvas of that size, and gives its pixels. */
export function drawn(
  canvas: OffscreenCanvas,
  source: CanvasImageSource,
  area: Area,
  size: { width: number; height: number },
): Pixels {
  if (canvas.width !== size.width) canvas.width = size.width
  if (canvas.height !== size.height) canvas.height = size.height
  const context = canvas.getContext('2d', { willReadFrequently: true })
  if (!context) throw new Error('no canvas')
  context.fillStyle = '#fff'
  context.fillRect(0, 0, size.width, size.height)
  context.drawImage(source, area.x, area.y, area.width, area.height, 0, 0, size.width, size.height)
  return context.getImageData(0, 0, size.width, size.height)
}

/** The text of the code on a picture, or null where there is none that can be read. */
export async function codeOn(file: Blob): Promise<string | null> {
  let bitmap: ImageBitmap | null = null
  try {
    if (file.size > FILE_BYTES_MAX) throw new Error('too large')
    const read = await loadReader()
    bitmap = await createImageBitmap(file)
    const { width, height } = bitmap
    const canvas = new OffscreenCanvas(1, 1)
    for (const size of sizesOf(width, height)) {
      // The page answers in between.
      await new Promise((done) => setTimeout(done))
      const text = read(drawn(canvas, bitmap, { x: 0, y: 0, width, height }, size), {
        patient: true,
      })
      if (text !== null) return text
    }
    return null
  } catch {
    throw new ProblemError({ code: 'not_a_picture', ...scanText.notAPicture })
  } finally {
    bitmap?.close()
  }
}
