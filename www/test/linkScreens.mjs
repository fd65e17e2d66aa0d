/**
 * The screens of linking a device, for shots.mjs: the same form as there. The other device is
 * played by the scripted account, and a code is held before the browser's camera.
 */
import { writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encode } from 'uqr'

const ACCOUNT = 'adak3v7qx2mzt5ck3v7qx2mzt5ck3v7qx2mzt5ck3v7qx2mzt5c'
const CODE = `wiremin:link/AQ${'x9Lk7QwZ2vTq'.repeat(19)}`
const [WIDTH, HEIGHT, SCALE] = [640, 480, 5]

/** A video of one frame, in the form that Chromium takes for a camera: a code on a grey wall. */
export function codeOnVideo() {
  const { data, size } = encode(CODE, { ecc: 'L', border: 3 })
  const luma = Buffer.alloc(WIDTH * HEIGHT, 110)
  const [left, top] = [(WIDTH - size * SCALE) >> 1, (HEIGHT - size * SCALE) >> 1]
  for (let y = 0; y < size * SCALE; y++) {
    for (let x = 0; x < size * SCALE; x++) {
      const dark = data[Math.floor(y / SCALE)][Math.floor(x / SCALE)]
      luma[(top + y) * WIDTH + left + x] = dark ? 35 : 215
    }
  }
  const frame = Buffer.concat([
    Buffer.from('FRAME\n'),
    luma,
    Buffer.alloc((WIDTH * HEIGHT) / 2, 128),
  ])
  const head = Buffer.from(`YUV4MPEG2 W${WIDTH} H${HEIGHT} F10:1 Ip A1:1 C420jpeg\n`)
  const path = join(tmpdir(), `wiremin-code-${process.pid}.y4m`)
  writeFileSync(path, Buffer.concat([head, ...Array(10).fill(frame)]))
  return path
}

const id = (page, name) => page.getByTestId(name)
const step = (page, name) => page.locator(`[data-testid=linking][data-step=${name}]`).waitFor()
const play = (page, what, ...given) =>
  page.evaluate(([what, given]) => globalThis.fake.linking[what](...given), [what, given])

async function toCode(page) {
  await id(page, 'welcome-link').click()
  await id(page, 'next').click()
  await id(page, 'passcode').fill('walnut ferry quiet 9')
  await id(page, 'passcode-repeat').fill('walnut ferry quiet 9')
  await page.locator('[data-testid=strength][data-score]').waitFor()
  await id(page, 'next').click()
  await id(page, 'agree').click()
  await page.locator('[data-testid=link-qr][data-ready=true]').waitFor()
}

async function toSheet(page) {
  await id(page, 'nav-settings').click()
  await id(page, 'device-link').click()
  await id(page, 'scan-camera').waitFor()
}

async function toAsking(page) {
  await toSheet(page)
  await id(page, 'link-text').fill(CODE)
  await id(page, 'link-read').click()
  await step(page, 'asking')
}

/** What a new device shows after it was scanned. */
const onNew = (...acts) => ['empty', (page) => toCode(page).then(() => inTurn(page, acts))]
const onOld = (...acts) => ['devices', (page) => toAsking(page).then(() => inTurn(page, acts))]

async function inTurn(page, acts) {
  for (const act of acts) await act(page)
}

const answer = (page) => play(page, 'answer', 'Ada', ACCOUNT)
const asks = (full) => (page) => play(page, 'answer', 'Firefox on Android', '', full)
const same = (page) => id(page, 'link-same').click()
const fail = (which) => (page) => play(page, 'fail', which)
const move = (page) => play(page, 'move', 9, 13)

/** Without a camera, or without leave to use it. */
const withoutCamera = (name) => async (page) => {
  await page.evaluate((name) => {
    const failure = () => Promise.reject(new DOMException('', name))
    navigator.mediaDevices.getUserMedia = failure
  }, name)
  await toSheet(page)
  await id(page, 'scan-camera').click()
  await id(page, 'scan-failed').waitFor()
}

const linkNew = [
  ['link-device', 'empty', (page) => id(page, 'welcome-link').click()],
  [
    'link-device-lone',
    'static',
    async (page) => {
      await id(page, 'welcome-link').click()
      await id(page, 'next').click()
      await id(page, 'relay-hint').scrollIntoViewIfNeeded()
    },
  ],
  ['link-code', ...onNew()],
  ['link-code-end', ...onNew((page) => id(page, 'link-cancel').scrollIntoViewIfNeeded())],
  [
    'link-code-over',
    ...onNew((page) => play(page, 'step', { step: 'shown', code: CODE, until: Date.now() - 1 })),
  ],
  ['link-connecting', ...onNew((page) => play(page, 'step', { step: 'connecting' }))],
  ['link-compare', ...onNew(answer)],
  ['link-waiting', ...onNew(answer, same)],
  ['link-moving', ...onNew(answer, same, move)],
  ['link-failed', ...onNew(fail('timedOut'))],
  ['link-differed', ...onNew(answer, (page) => id(page, 'link-different').click())],
  ['link-done', ...onNew(answer, same, (page) => play(page, 'finish'))],
]

const linkOld = [
  [
    'devices',
    'devices',
    async (page) => {
      await id(page, 'nav-settings').click()
      await id(page, 'device-link').scrollIntoViewIfNeeded()
    },
  ],
  [
    'devices-linked',
    'linked',
    async (page) => {
      await id(page, 'nav-settings').click()
      await id(page, 'wordless').scrollIntoViewIfNeeded()
    },
  ],
  ['invites-linked', 'linked', (page) => id(page, 'nav-invite').click()],
  ['scan', 'devices', toSheet],
  [
    'scan-camera',
    'devices',
    async (page) => {
      await page.evaluate(() => {
        // So that there is something to see: the code would be read at once.
        globalThis.fake.command = () => undefined
      })
      await toSheet(page)
      await id(page, 'scan-camera').click()
      await id(page, 'scan-video').waitFor()
      await page.waitForTimeout(400)
    },
  ],
  [
    'scan-camera-reads',
    'devices',
    async (page) => {
      await toSheet(page)
      await id(page, 'scan-camera').click()
      await step(page, 'asking')
    },
  ],
  ['scan-refused', 'devices', withoutCamera('NotAllowedError')],
  ['scan-none', 'devices', withoutCamera('NotFoundError')],
  [
    'scan-picture-reads',
    'devices',
    async (page) => {
      const other = await page.context().newPage()
      await other.goto(page.url().replace('devices', 'empty'))
      await toCode(other)
      const buffer = await other.screenshot()
      await other.close()
      await toSheet(page)
      const picture = { name: 'code.png', mimeType: 'image/png', buffer }
      await id(page, 'scan-picture').setInputFiles(picture)
      await step(page, 'asking')
    },
  ],
  [
    'scan-nothing',
    'devices',
    async (page) => {
      await toSheet(page)
      const buffer = await page.screenshot()
      const picture = { name: 'none.png', mimeType: 'image/png', buffer }
      await id(page, 'scan-picture').setInputFiles(picture)
      await id(page, 'scan-nothing').waitFor()
      await id(page, 'scan-nothing').scrollIntoViewIfNeeded()
    },
  ],
  ['give-asking', ...onOld()],
  ['give-compare', ...onOld(asks(false))],
  ['give', ...onOld(asks(false), same)],
  ['give-full', ...onOld(asks(true), same)],
  [
    'give-full-end',
    ...onOld(asks(true), same, (page) => id(page, 'link-give').scrollIntoViewIfNeeded()),
  ],
  ['give-waiting', ...onOld(asks(false), same, (page) => id(page, 'link-give').click())],
  ['give-moving', ...onOld(asks(false), move)],
  ['give-stop', ...onOld(asks(false), move, (page) => id(page, 'sheet-close').click())],
  ['give-done', ...onOld(asks(false), move, (page) => play(page, 'finish', 'Firefox on Android'))],
  ['give-failed', ...onOld(fail('disturbed'))],
  ['give-unsure', ...onOld(asks(false), fail('unsure'))],
  [
    'open-scan',
    'people',
    async (page) => {
      await id(page, 'nav-open').click()
      await id(page, 'open-scan').click()
      await id(page, 'scan-camera').waitFor()
    },
  ],
]

export const linkScreens = [...linkNew, ...linkOld]
