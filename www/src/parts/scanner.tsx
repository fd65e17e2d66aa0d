/** Looks for a QR code: through the camera, on a chosen picture, or on one pasted or dropped. */
import { useEffect, useId, useLayoutEffect, useRef, useState } from 'preact/hooks'
import type { Problem } from '../state/api'
import { problemOf } from '../state/problem'
import { scanText } from '../stringsDevices'
import { T } from '../testids'
import { Button } from './button'
import {
  CameraError,
  closeCamera,
  openCamera,
  watch,
  type Camera,
  type CameraFailure,
} from './camera'
import { codeOn } from './codes'
import { useKeptFocus } from './focus'
import { I } from './icons'
import { Notice, ProblemNotice } from './notice'

type View = 'off' | 'starting' | Camera | CameraFailure

/** The camera while it is wanted. Who goes away before it is there still turns it off. */
function useCamera() {
  const [view, setView] = useState<View>('off')
  const here = useRef(true)
  const open = useRef<Camera | null>(null)
  const close = () => {
    if (open.current) closeCamera(open.current)
    open.current = null
  }
  // At once when it goes: an effect would be cleaned up a moment later.
  useLayoutEffect(
    () => () => {
      here.current = false
      close()
    },
    [],
  )
  const start = async () => {
    close()
    setView('starting')
    try {
      const camera = await openCamera()
      if (!here.current) return closeCamera(camera)
      open.current = camera
      // Unplugged, or taken by another program.
      camera.stream.getVideoTracks()[0]?.addEventListener('ended', () => {
        if (open.current === camera) stop('busy')
      })
      setView(camera)
    } catch (error) {
      if (here.current) setView(error instanceof CameraError ? error.failure : 'failed')
    }
  }
  const stop = (then: View = 'off') => {
    close()
    setView(then)
  }
  useEffect(() => {
    // Nobody looks through it any more.
    const onHidden = () => document.hidden && open.current && stop()
    document.addEventListener('visibilitychange', onHidden)
    return () => document.removeEventListener('visibilitychange', onHidden)
  }, [])
  return { view, start, stop }
}

function Finder(props: {
  camera: Camera
  onText: (text: string) => void
  onFailed: () => void
  onStop: () => void
}) {
  const video = useRef<HTMLVideoElement>(null)
  const seen = useRef(props.onText)
  seen.current = props.onText
  const { stream, facesUser } = props.camera
  useEffect(() => {
    const { current } = video
    if (!current) return
    current.srcObject = stream
    // Some browsers do not begin by themselves; who went away meanwhile is no failure.
    void current.play()?.catch(() => undefined)
    return watch(current, (text) => seen.current(text), props.onFailed)
  }, [stream])
  return (
    <div class="stack tight">
      <div class="finder" data-testid={T.scanVideo}>
        <video
          ref={video}
          class={facesUser ? 'mirrored' : ''}
          aria-label={scanText.video}
          muted
          playsInline
          disablePictureInPicture
        />
        <i class="finder-frame" aria-hidden="true" />
      </div>
      <div class="row between">
        <p class="field-hint" role="status">
          {scanText.looking}
        </p>
        <Button small kind="ghost" testid={T.scanStop} onClick={props.onStop}>
          {scanText.stop}
        </Button>
      </div>
    </div>
  )
}

/** Pictures that are pasted or dropped anywhere while this is shown. */
function useGiven(onFile: (file: Blob) => void): void {
  const given = useRef(onFile)
  given.current = onFile
  useEffect(() => {
    const picture = (data: DataTransfer | null | undefined) =>
      [...(data?.files ?? [])].find((file) => file.type.startsWith('image/'))
    const take = (event: Event, data: DataTransfer | null | undefined) => {
      const file = picture(data)
      if (!file) return
      event.preventDefault()
      given.current(file)
    }
    const onPaste = (event: ClipboardEvent) => take(event, event.clipboardData)
    const onDrop = (event: DragEvent) => take(event, event.dataTransfer)
    // Else the browser would leave the page for the picture.
    const onDragOver = (event: DragEvent) => {
      if (event.dataTransfer?.types.includes('Files')) event.preventDefault()
    }
    addEventListener('paste', onPaste)
    addEventListener('drop', onDrop)
    addEventListener('dragover', onDragOver)
    return () => {
      removeEventListener('paste', onPaste)
      removeEventListener('drop', onDrop)
      removeEventListener('dragover', onDragOver)
    }
  }, [])
}

type Look = 'idle' | 'busy' | 'nothing' | Problem

function usePicture(onText: (text: string) => void) {
  const [look, setLook] = useState<Look>('idle')
  const turn = useRef(0)
  useEffect(() => () => void turn.current++, [])
  const take = async (file: Blob) => {
    const mine = ++turn.current
    setLook('busy')
    const [text, problem] = await codeOn(file).then(
      (text) => [text, null] as const,
      (error: unknown) => [null, problemOf(error)] as const,
    )
    if (mine !== turn.current) return
    setLook(problem ?? (text === null ? 'nothing' : 'idle'))
    if (text !== null) onText(text)
  }
  return { look, take }
}

export function Scanner(props: {
  onText: (text: string) => void
  /** It is what one comes for. */
  first?: boolean
}) {
  const root = useRef<HTMLDivElement>(null)
  // A button that was pressed gives way to what it begins.
  useKeptFocus(root, root)
  const camera = useCamera()
  const note = useId()
  // A camera sees the same code many times a second.
  const last = useRef('')
  const picture = usePicture(props.onText)
  useGiven((file) => void picture.take(file))
  const { view } = camera
  const on = typeof view === 'object'
  const failure = on || view === 'off' || view === 'starting' ? null : view
  const { look } = picture
  return (
    <div class="stack scanner" ref={root} tabIndex={-1} data-testid={T.scanner}>
      {on && (
        <Finder
          camera={view}
          onText={(text) => {
            if (text === last.current) return
            last.current = text
            props.onText(text)
          }}
          onFailed={() => camera.stop('failed')}
          onStop={() => camera.stop()}
        />
      )}
      {failure && (
        <Notice
          tone="warn"
          icon="camera"
          title={scanText.failures[failure].title}
          testid={T.scanFailed}
        >
          <p>{scanText.failures[failure].text}</p>
        </Notice>
      )}
      <div class="row">
        {!on && (
          <Button
            kind={props.first ? 'primary' : 'quiet'}
            icon="camera"
            busy={view === 'starting'}
            testid={T.scanCamera}
            onClick={() => {
              last.current = ''
              void camera.start()
            }}
          >
            {failure ? scanText.again : scanText.camera}
          </Button>
        )}
        <label class="button quiet file-button" aria-busy={look === 'busy'}>
          {look === 'busy' ? <span class="spinner" aria-hidden="true" /> : <I name="file" />}
          <span>{scanText.picture}</span>
          <input
            type="file"
            accept="image/*"
            class="unseen"
            aria-describedby={note}
            data-testid={T.scanPicture}
            onChange={(event) => {
              const file = event.currentTarget.files?.[0]
              // So that the same file can be chosen again.
              event.currentTarget.value = ''
              if (file) void picture.take(file)
            }}
          />
        </label>
      </div>
      <p class="field-hint" id={note}>
        {scanText.hint}
      </p>
      <div role="status">
        {look === 'busy' && <p class="unseen">{scanText.reading}</p>}
        {look === 'nothing' && (
          <Notice tone="warn" title={scanText.nothing.title} testid={T.scanNothing}>
            <p>{scanText.nothing.text}</p>
          </Notice>
        )}
      </div>
      {typeof look === 'object' && <ProblemNotice problem={look} />}
    </div>
  )
}
