/**
 * The camera, looked through for codes.
 * Invariant: it is on only while somebody looks through it. No frame is kept, or leaves the page.
 */
import { cutOf } from './picture'
import { drawn, loadReader } from './codes'

/** Why there is nothing to see. `unsafe`: browsers give it to protected pages only. */
export type CameraFailure = 'refused' | 'none' | 'busy' | 'unsafe' | 'failed'

const FAILURES: Record<string, CameraFailure> = {
  NotAllowedError: 'refused',
  SecurityError: 'refused',
  NotFoundError: 'none',
  OverconstrainedError: 'none',
  NotReadableError: 'busy',
  AbortError: 'busy',
}

export class CameraError extends Error {
  constructor(readonly failure: CameraFailure) {
    super(failure)
  }
}

/** Of the square that is looked at: enough for a code of 80 rows that fills a third of it. */
const SIDE_MAX = 800
const PAUSE_MS = 90

export interface Camera {
  stream: MediaStream
  /** The one towards the person: they expect to see themselves as in a mirror. */
  facesUser: boolean
}

/** Asks for the one at the back, where there are two. */
export async function openCamera(): Promise<Camera> {
  const media = (navigator as { mediaDevices?: MediaDevices }).mediaDevices
  if (typeof media?.getUserMedia !== 'function') throw new CameraError('unsafe')
  try {
    const stream = await media.getUserMedia({
      audio: false,
      video: {
        facingMode: { ideal: 'environment' },
        width: { ideal: 1280 },
        height: { ideal: 720 },
      },
    })
    const facing = stream.getVideoTracks()[0]?.getSettings?.().facingMode
    return { stream, facesUser: facing === 'user' }
  } catch (error) {
    throw new CameraError(FAILURES[(error as Error).name] ?? 'failed')
  }
}

export function closeCamera({ stream }: Camera): void {
  for (const track of stream.getTracks()) track.stop()
}

/** Looks at what is shown, the square in the middle, again and again. Returns the way to stop. */
export function watch(
  video: HTMLVideoElement,
  onText: (text: string) => void,
  onFailed: () => void,
): () => void {
  let stopped = false
  let timer: ReturnType<typeof setTimeout> | undefined
  loadReader()
    .then((read) => {
      if (stopped) return
      const canvas = new OffscreenCanvas(1, 1)
      const look = () => {
        if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA && video.videoWidth > 0) {
          const { x, y, side } = cutOf(video.videoWidth, video.videoHeight)
          const most = Math.min(SIDE_MAX, side)
          const area = { x, y, width: side, height: side }
          const pixels = drawn(canvas, video, area, { width: most, height: most })
          const text = read(pixels, { patient: false })
          if (text !== null) onText(text)
        }
        if (!stopped) timer = setTimeout(look, PAUSE_MS)
      }
      look()
    })
    .catch(() => stopped || onFailed())
  return () => {
    stopped = true
    clearTimeout(timer)
  }
}
