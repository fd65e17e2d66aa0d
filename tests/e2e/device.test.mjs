/** The device itself: a disk that is full, a clock that moves, a passcode that is remembered. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { promisify } from 'node:util'
import { pair, PASSCODE } from './person.mjs'
import { Stage } from './stage.mjs'

const run = promisify(execFile)
let stage
before(async () => {
  stage = await Stage.open()
})
after(() => stage?.close())

/**
 * A disk of so many MiB, to be filled and freed, mounted where a test says. Null where that is not
 * allowed.
 */
async function smallDisk(mebibytes) {
  const path = await mkdtemp(join(tmpdir(), 'wiremin-disk-'))
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${mebibytes}m`, 'tmpfs', path])
  } catch {
    await rm(path, { recursive: true })
    return null
  }
  const filler = join(path, 'filler')
  return {
    path,
    fill: () => writeFile(filler, Buffer.alloc(mebibytes << 20)).catch(() => {}),
    free: () => rm(filler),
    async close() {
      await run('umount', ['--lazy', path])
      await rm(path, { recursive: true })
    },
  }
}

/** Pages opened from now on believe it to be so much later. */
const setClock = (person, hours) =>
  person.context.addInitScript((ms) => {
    const now = Date.now.bind(Date)
    Date.now = () => now() + ms
  }, hours * 3_600_000)

test('a full disk is told, what was written stays in sight, and all goes on when there is room', async (t) => {
  const disk = await smallDisk(160)
  if (!disk) return t.skip('only root may mount a small disk')
  t.after(() => disk.close())
  const [ada, bob] = await pair(stage, 'Ada', 'Bob', { profile: join(disk.path, 'profile') })
  await ada.say('Before')
  await bob.hears('Before')
  await disk.fill()
  // What is written while the last pages of the disk fill up may still fit.
  const texts = []
  while (!(await ada.the('trouble', { code: 'disk_full' }).isVisible())) {
    assert.ok(texts.length < 200, 'the disk is never full')
    texts.push(`Text ${texts.length} ${'of many words '.repeat(60)}`)
    await ada.say(texts.at(-1))
    await ada.page.waitForTimeout(100)
  }
  const told = await ada.the('trouble').first().textContent()
  assert.match(told, /full/)
  assert.match(told, /safe/)
  const last = texts.at(-1).trim()
  await ada.page.getByText(last).first().waitFor()
  assert.equal(await bob.the('message-text').filter({ hasText: last }).count(), 0)
  await bob.say('Do you hear me?')
  await disk.free()
  await bob.hears(last)
  await ada.hears('Do you hear me?')
  await ada.gone('trouble')
  await ada.reload()
  await ada.openChat('Bob')
  await ada.hears(last)
  await ada.hears('Do you hear me?')
  await Promise.all([ada.close(), bob.close()])
})

test('the passcode is remembered over a reload, and for twenty hours', async () => {
  const ada = await stage.person()
  await ada.create('Ada', { remember: true })
  await ada.sees('app')
  await ada.reload()
  await ada.sees('app')
  await setClock(ada, 19)
  await ada.reload()
  await ada.sees('app')
  await setClock(ada, 2)
  await ada.reload()
  await ada.sees('unlock')
  await ada.reload()
  await ada.sees('unlock')
  await ada.fill('passcode', PASSCODE)
  await ada.click('unlock-button')
  await ada.sees('app')
  stage.check()
  await ada.close()
})

test('a clock that was set back ends what is remembered', async () => {
  const ada = await stage.person()
  await ada.create('Ada', { remember: true })
  await ada.sees('app')
  await setClock(ada, -3)
  await ada.reload()
  await ada.sees('unlock')
  stage.check()
  await ada.close()
})
