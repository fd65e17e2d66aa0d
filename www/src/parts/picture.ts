/**
 * A picture of oneself from any file that the browser can draw: cut to a square, made small, and
 * encoded anew.
 * Invariant: only the pixels leave here. Where and when a photo was taken is not in what is drawn.
 */
import { PICTURE_BYTES_MAX, PICTURE_SIDE_MAX } from '../limits'
import { ProblemError } from '../state/problem'
import { s } from '../strings'

/** Larger files would take the page's memory. */
const FILE_BYTES_MAX = 50_000_000
/** Tried in turn until the picture is small enough; noise takes the last of them. */
const QUALITIES = [0.9, 0.8, 0.65, 0.5, 0.35]
const SIDES = [PICTURE_SIDE_MAX, 192, 128, 64]

/** The square in the middle. */
export function cutOf(width: number, height: number): { x: number; y: number; side: number } {
  const side = Math.min(width, height)
  return { x: (width - side) / 2, y: (height - side) / 2, side }
}

function draw(bitmap: ImageBitmap, side: number): OffscreenCanvas {
  const canvas = new OffscreenCanvas(side, side)
  const context = canvas.getContext('2d')
  if (!context) throw new Error('no canvas')
  // What can be seen through would be black where there is no transparency.
  context.fillStyle = '#fff'
  context.fillRect(0, 0, side, side)
  context.imageSmoothingQuality = 'high'
  const cut = cutOf(bitmap.width, bitmap.height)
  context.drawImage(bitmap, cut.x, cut.y, cut.side, cut.side, 0, 0, side, side)
  return canvas
}

async function encode(canvas: OffscreenCanvas, quality: number): Promise<Blob> {
  const webp = await canvas.convertToBlob({ type: 'image/webp', quality })
  // Who cannot write WebP gives PNG in its place.
  if (webp.type === 'image/webp') return webp
  return canvas.convertToBlob({ type: 'image/jpeg', quality })
}

async function shrink(bitmap: ImageBitmap): Promise<Blob> {
  const most = Math.min(bitmap.width, bitmap.height)
  for (const side of SIDES) {
    const canvas = draw(bitmap, Math.max(1, Math.min(side, most)))
    for (const quality of QUALITIES) {
      const blob = await encode(canvas, quality)
      if (blob.size <= PICTURE_BYTES_MAX) return blob
    }
  }
  throw new Error('too large')
}

/** 256 pixels a side at most, as WebP or JPEG within the bytes a picture may have. */
export async function squarePicture(file: Blob): Promise<Blob> {
  let bitmap: ImageBitmap | null = null
  try {
    if (file.size > FILE_BYTES_MAX) throw new Error('too large')
    bitmap = await createImageBitmap(file)
    return await shrink(bitmap)
  } catch {
    throw new ProblemError({ code: 'not_a_picture', ...s.problem.notAPicture })
  } finally {
    bitmap?.close()
  }
}
