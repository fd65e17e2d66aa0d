import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { route } from '../src/state/route'
import { linking } from '../src/state/store'
import { T } from '../src/testids'
import { modulesOf, photograph } from './drawnCode'
import { WRONG_PASSCODE } from './fakeAccount'
import { fake } from './fakeCore'
import { DIGITS, LINK_CODE, LINK_PROBLEMS } from './fakeLinking'
import { all, at, click, has, open, settle, type, until } from './page'

const sent = (cmd: string) => fake.seen.filter((command) => command.cmd === cmd)
const stepOf = () => at(T.linking).dataset.step
const choose = async (id: string, value: string) => {
  all(id)
    .find((radio) => (radio as HTMLInputElement).value === value)
    ?.click()
  await settle()
}

async function toSheet(scene = 'devices'): Promise<void> {
  await open(scene)
  await click(T.navSettings)
  await click(T.deviceLink)
  await until(() => has(T.scanner))
}

async function toAsking(): Promise<void> {
  await toSheet()
  await type(T.linkText, ` ${LINK_CODE}\n`)
  await click(T.linkRead)
}

async function toCompare(full = false): Promise<void> {
  await toAsking()
  fake.linking.answer('Kitchen', '', full)
  await settle()
}

describe('the list of devices', () => {
  it('shows what each is, this one first', async () => {
    await open('devices')
    await click(T.navSettings)
    const rows = all(T.device)
    expect(rows.map((row) => row.dataset.slot)).toEqual(['1', '0', '2'])
    expect(rows[0]?.textContent).toContain('this one')
    expect(rows[0]?.textContent).not.toContain('heard')
    expect(rows[1]?.textContent).toContain('has the 18 words')
    expect(rows[1]?.textContent).toContain('last heard')
    expect(rows[2]?.textContent).toContain('linked, without the words')
    expect(rows[2]?.textContent).toContain('not heard yet')
  })

  it('says so where there is one alone', async () => {
    await open('people')
    await click(T.navSettings)
    expect(all(T.device)).toEqual([])
    expect(at(T.settings).textContent).toContain('the only one so far')
    expect(has(T.deviceLink)).toBe(true)
  })

  it('of a device without the words offers nothing that takes them', async () => {
    await open('linked')
    await click(T.navSettings)
    expect(at(T.wordless).textContent).toContain('linked without the 18 words')
    for (const id of [T.deviceLink, T.settingsWords, T.settingsExport, T.settingsRepair]) {
      expect(has(id), id).toBe(false)
    }
    expect(has(T.settingsPasscode)).toBe(true)
    await click(T.navInvite)
    expect(has(T.inviteMake)).toBe(false)
    expect(has(T.wordless)).toBe(true)
  })
})

describe('a device that links another', () => {
  it('takes its code as text', async () => {
    await toAsking()
    expect(sent('link_scan')).toMatchObject([{ code: LINK_CODE }])
    expect(stepOf()).toBe('asking')
    expect(document.activeElement?.textContent).toContain('Looking for the device')
  })

  it('tells at once what is no code, and takes the next', async () => {
    await toSheet()
    await type(T.linkText, 'something')
    await click(T.linkRead)
    expect(at(T.formError).dataset.code).toBe('link_not_a_code')
    expect(stepOf()).toBe('scan')
    await type(T.linkText, LINK_CODE)
    expect(has(T.formError)).toBe(false)
    await click(T.linkRead)
    expect(stepOf()).toBe('asking')
  })

  it('compares, and hands over no words to a linked one', async () => {
    await toCompare()
    expect(stepOf()).toBe('compare')
    expect(at(T.linkWho).textContent).toBe('Kitchen')
    expect(at(T.linking).textContent).toContain('without your 18 words')
    expect(at(T.linkDigits).dataset.digits).toBe(DIGITS)
    await click(T.linkSame)
    expect(sent('link_confirm')).toEqual([])
    expect(stepOf()).toBe('give')
    expect(has(T.passcodeOld)).toBe(false)
    expect(all(T.linkKind)).toEqual([])
    const days = all(T.linkDays) as HTMLInputElement[]
    expect(days.map(({ value, checked }) => [value, checked])).toEqual([
      ['0', false],
      ['7', false],
      ['30', true],
      ['365', false],
    ])
    await choose(T.linkDays, '7')
    await click(T.linkGive)
    expect(sent('link_confirm')).toMatchObject([{ full: false, history_days: 7, passcode: null }])
    expect(stepOf()).toBe('waiting')
  })

  it('hands the words over to a full one for the passcode only', async () => {
    await toCompare(true)
    expect(at(T.linking).textContent).toContain('asks for your 18 words, too')
    await click(T.linkSame)
    expect(at(T.linking).textContent).toContain('Your 18 words are handed over')
    await click(T.linkGive)
    expect(sent('link_confirm')).toEqual([])
    await type(T.passcodeOld, 'wrong horse')
    await click(T.linkGive)
    expect(at(T.formError).dataset.code).toBe(WRONG_PASSCODE.code)
    expect(stepOf()).toBe('give')
    await type(T.passcodeOld, 'correct horse')
    await click(T.linkGive)
    expect(sent('link_confirm').at(-1)).toMatchObject({
      full: true,
      history_days: 30,
      passcode: 'correct horse',
    })
    expect(stepOf()).toBe('waiting')
  })

  it('may give less than was asked for', async () => {
    await toCompare(true)
    await click(T.linkSame)
    await choose(T.linkKind, 'linked')
    expect(has(T.passcodeOld)).toBe(false)
    await click(T.linkGive)
    expect(sent('link_confirm')).toMatchObject([{ full: false, passcode: null }])
  })

  it('asks again when another number comes, and says what has no name', async () => {
    await toCompare()
    await click(T.linkSame)
    expect(stepOf()).toBe('give')
    fake.linking.step({ step: 'compare', digits: '111 222', name: '', account: '', full: false })
    await settle()
    expect(stepOf()).toBe('compare')
    expect(at(T.linkDigits).dataset.digits).toBe('111 222')
    expect(at(T.linkWho).textContent).toBe('A device without a name')
  })

  it('counts the parts, and lists the device in the end', async () => {
    await toCompare()
    await click(T.linkSame)
    await click(T.linkGive)
    fake.linking.move(3, 13)
    await settle()
    expect(at(T.linking).textContent).toContain('3 of 13 parts')
    fake.linking.finish('Kitchen')
    await settle()
    expect(stepOf()).toBe('done')
    expect(at(T.linking).textContent).toContain('Kitchen is linked')
    expect(all(T.device).at(-2)?.textContent).toContain('Kitchen')
    await click(T.sheetConfirm)
    expect(has(T.linkSheet)).toBe(false)
    expect(sent('link_cancel')).toEqual([])
    await click(T.deviceLink)
    expect(stepOf()).toBe('scan')
  })

  it('hands nothing over when the numbers differ', async () => {
    await toCompare()
    await click(T.linkDifferent)
    expect(sent('link_cancel')).toHaveLength(1)
    expect(at(T.formError).dataset.code).toBe('link_differed')
    await click(T.linkAnew)
    expect(stepOf()).toBe('scan')
    await click(T.sheetClose)
    expect([sent('link_confirm'), sent('link_cancel').length]).toEqual([[], 1])
  })

  it.each(Object.keys(LINK_PROBLEMS) as (keyof typeof LINK_PROBLEMS)[])(
    'tells in three sentences how it failed: %s',
    async (which) => {
      await toCompare()
      fake.linking.fail(which)
      await settle()
      const { code, happened, safe, todo } = LINK_PROBLEMS[which]
      expect(at(T.formError).dataset.code).toBe(code)
      for (const sentence of [happened, safe, todo]) {
        expect(at(T.formError).textContent).toContain(sentence)
      }
      // What may have been linked all the same is looked up first.
      expect(has(T.linkAnew)).toBe(which !== 'unsure')
      await click(T.linkClose)
      expect(has(T.linkSheet)).toBe(false)
      expect(sent('link_cancel')).toEqual([])
    },
  )

  it('is told of a code that is too old, and scans another', async () => {
    await toSheet()
    await type(T.linkText, 'wiremin:link/old')
    await click(T.linkRead)
    expect(at(T.formError).dataset.code).toBe('link_old_code')
    await click(T.linkAnew)
    expect(stepOf()).toBe('scan')
  })

  it('asks who closes it on the way, and stops then', async () => {
    await toCompare()
    await click(T.sheetClose)
    expect(stepOf()).toBe('stop')
    expect(at(T.linking).textContent).toContain('Nothing was handed over yet')
    await click(T.linkStay)
    expect(stepOf()).toBe('compare')
    await click(T.linkCancel)
    await click(T.linkStop)
    expect(has(T.linkSheet)).toBe(false)
    expect(sent('link_cancel')).toHaveLength(1)
    expect(linking.value).toBeNull()
  })

  it('says when it is too late to be sure', async () => {
    await toCompare()
    fake.linking.move(3, 13)
    await settle()
    await click(T.linkCancel)
    expect(at(T.linking).textContent).toContain('being handed over already')
    fake.linking.finish('Kitchen')
    await settle()
    expect(stepOf()).toBe('done')
  })

  it('stops when one goes away from it', async () => {
    await toCompare()
    route.value = { view: 'home' }
    await settle()
    expect(has(T.linkSheet)).toBe(false)
    expect(sent('link_cancel')).toHaveLength(1)
  })
})

/** A picture, or a frame of a camera, on which these are the pixels. */
function show(text: string | null): Promise<void> {
  return modulesOf(text ?? 'nothing').then((rows) => {
    const seen = photograph(text === null ? rows.map((row) => row.map(() => false)) : rows, {
      scale: 4,
    })
    class Canvas {
      width = 0
      height = 0
      getContext = () => ({
        fillRect: () => undefined,
        drawImage: () => undefined,
        getImageData: () => seen,
      })
    }
    vi.stubGlobal('OffscreenCanvas', Canvas)
    const bitmap = { width: 600, height: 400, close: () => undefined }
    vi.stubGlobal('createImageBitmap', () => Promise.resolve(bitmap))
  })
}

class Track extends EventTarget {
  stopped = false
  constructor(private readonly facing: string | undefined) {
    super()
  }
  stop(): void {
    this.stopped = true
  }
  getSettings = () => ({ facingMode: this.facing })
}

let asked: MediaStreamConstraints[] = []
/** The browser's camera, or why there is none. */
function camera(given: Track | string | null): void {
  asked = []
  const getUserMedia = (constraints: MediaStreamConstraints) => {
    asked.push(constraints)
    if (typeof given === 'string') return Promise.reject(new DOMException('', given))
    return Promise.resolve({ getTracks: () => [given], getVideoTracks: () => [given] })
  }
  const value = given === null ? undefined : { getUserMedia }
  Object.defineProperty(navigator, 'mediaDevices', { value, configurable: true })
}

describe('the scanner', () => {
  const video = HTMLVideoElement.prototype
  beforeEach(() => {
    vi.stubGlobal('HTMLMediaElement', { HAVE_CURRENT_DATA: 2 })
    for (const [key, value] of Object.entries({
      readyState: 4,
      videoWidth: 640,
      videoHeight: 480,
    })) {
      Object.defineProperty(video, key, { value, configurable: true })
    }
    Object.defineProperty(video, 'srcObject', { value: null, writable: true, configurable: true })
    Object.defineProperty(video, 'play', { value: () => Promise.resolve(), configurable: true })
  })
  afterEach(() => vi.unstubAllGlobals())

  it('reads the code that the camera sees, and turns it off', async () => {
    await show(LINK_CODE)
    const track = new Track('environment')
    camera(track)
    await toSheet()
    expect(asked).toEqual([])
    await click(T.scanCamera)
    expect(asked).toMatchObject([{ audio: false, video: { facingMode: { ideal: 'environment' } } }])
    await until(() => sent('link_scan').length > 0)
    await settle()
    expect(sent('link_scan')).toMatchObject([{ code: LINK_CODE }])
    expect(stepOf()).toBe('asking')
    expect(track.stopped).toBe(true)
  })

  it('goes on looking at what is another code, and says so once', async () => {
    await show('https://example.org/menu')
    const track = new Track('user')
    camera(track)
    await toSheet()
    await click(T.scanCamera)
    await until(() => has(T.scanOther))
    expect(at(T.scanOther).textContent).toContain('not one of a device')
    expect(at(T.scanVideo).querySelector('.mirrored')).not.toBeNull()
    expect(track.stopped).toBe(false)
    await show(`https://relay.example/#AQ${'x'.repeat(90)}`)
    await click(T.scanStop)
    expect(track.stopped).toBe(true)
    expect(has(T.scanVideo)).toBe(false)
    camera(new Track(undefined))
    await click(T.scanCamera)
    await until(() => at(T.scanOther).textContent?.includes('This is an invitation') ?? false)
    expect(sent('link_scan')).toEqual([])
  })

  it.each([
    ['NotAllowedError', 'not allowed'],
    ['NotFoundError', 'no camera here'],
    ['NotReadableError', 'is taken'],
    ['TypeError', 'could not be used'],
    [null, 'https only'],
  ])('explains why there is no camera: %s', async (name, words) => {
    camera(name)
    await toSheet()
    await click(T.scanCamera)
    expect(at(T.scanFailed).textContent).toContain(words)
    await show(LINK_CODE)
    camera(new Track('environment'))
    await click(T.scanCamera)
    expect(has(T.scanFailed)).toBe(false)
    await until(() => sent('link_scan').length > 0)
  })

  it('says when the camera is taken away', async () => {
    await show(null)
    const track = new Track('environment')
    camera(track)
    await toSheet()
    await click(T.scanCamera)
    track.dispatchEvent(new Event('ended'))
    await settle()
    expect(at(T.scanFailed).textContent).toContain('is taken')
  })

  it('turns the camera off when the page is out of sight', async () => {
    await show(null)
    const track = new Track('environment')
    camera(track)
    await toSheet()
    await click(T.scanCamera)
    const hidden = vi.spyOn(document, 'hidden', 'get').mockReturnValue(true)
    document.dispatchEvent(new Event('visibilitychange'))
    await settle()
    hidden.mockRestore()
    expect(track.stopped).toBe(true)
    expect(has(T.scanVideo)).toBe(false)
  })

  it('turns off a camera that was asked for and comes too late', async () => {
    const track = new Track('environment')
    let come: (stream: unknown) => void = () => undefined
    const getUserMedia = () => new Promise((resolve) => (come = resolve))
    const value = { getUserMedia }
    Object.defineProperty(navigator, 'mediaDevices', { value, configurable: true })
    await toSheet()
    await click(T.scanCamera)
    await click(T.sheetClose)
    come({ getTracks: () => [track], getVideoTracks: () => [track] })
    await settle()
    expect(track.stopped).toBe(true)
  })

  const picture = new File(['pixels'], 'code.png', { type: 'image/png' })
  const give = async (kind: 'paste' | 'drop', files: File[]) => {
    const event = new Event(kind, { bubbles: true, cancelable: true })
    const data = { files, types: ['Files'], getData: () => '' }
    Object.assign(event, kind === 'paste' ? { clipboardData: data } : { dataTransfer: data })
    at(T.scanner).dispatchEvent(event)
    await settle()
    return event.defaultPrevented
  }

  it('reads a picture that is chosen, pasted or dropped', async () => {
    await show(LINK_CODE)
    const ways = [
      async () => {
        const input = at(T.scanPicture)
        Object.defineProperty(input, 'files', { value: [picture] })
        input.dispatchEvent(new Event('change', { bubbles: true }))
      },
      () => give('paste', [picture]),
      () => give('drop', [picture]),
    ]
    for (const way of ways) {
      await toSheet()
      await way()
      await until(() => sent('link_scan').length > 0)
      expect(sent('link_scan')).toMatchObject([{ code: LINK_CODE }])
    }
  })

  it('leaves other things that are pasted alone', async () => {
    await show(LINK_CODE)
    await toSheet()
    expect(await give('paste', [])).toBe(false)
    expect(await give('drop', [new File(['a'], 'a.txt', { type: 'text/plain' })])).toBe(false)
    await settle()
    expect(sent('link_scan')).toEqual([])
  })

  it('says that there is no code on a picture, or no picture', async () => {
    await show(null)
    await toSheet()
    await give('drop', [picture])
    await until(() => has(T.scanNothing))
    vi.stubGlobal('createImageBitmap', () => Promise.reject(new Error('no')))
    await give('paste', [picture])
    await until(() => has(T.formError))
    expect(at(T.formError).dataset.code).toBe('not_a_picture')
    expect(has(T.scanNothing)).toBe(false)
  })

  it('reads an invitation where one is opened', async () => {
    const link = `https://relay.example/#AQ${'invite'.repeat(20)}`
    await show(LINK_CODE)
    camera(new Track('environment'))
    await open('people')
    await click(T.navOpen)
    await click(T.openScan)
    await until(() => has(T.scanCamera))
    await click(T.scanCamera)
    await until(() => has(T.scanOther))
    expect(at(T.scanOther).textContent).toContain('Settings, Devices')
    await click(T.scanStop)
    await show(link)
    await click(T.scanCamera)
    await until(() => has(T.openName))
    expect(sent('open_invite')).toMatchObject([{ link }])
  })
})
