/** A disk that is full, in a real Chromium: what is told, what is kept, what comes back. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { after, before, test } from 'node:test'
import { openProfile, phase, withAccount, PASSCODE } from './harness.mjs'
import { lacksSmallDisk, mayUnshare, smallDisk } from './small_disk.mjs'

const self = fileURLToPath(import.meta.url)
const skip = lacksSmallDisk() ?? false

if (skip && mayUnshare()) {
  test('a full disk, in a namespace of its own', () => {
    const { status } = spawnSync('unshare', ['-r', '-m', process.execPath, '--test', self], {
      stdio: 'inherit',
      // It would take itself for a part of this run.
      env: { ...process.env, NODE_TEST_CONTEXT: undefined },
    })
    assert.equal(status, 0)
  })
} else {
  tests()
}

function tests() {
  let disk, browser
  before(async () => {
    if (skip) return
    disk = smallDisk()
    browser = await openProfile(disk.profile)
  })
  after(async () => {
    await browser?.close()
    disk?.remove()
  })

  const rename = (page, name) => page.evaluate((name) => void ask({ cmd: 'rename', name }), name)
  const trouble = (page, code) =>
    page.waitForFunction(
      (code) => events.some((e) => e.event === 'trouble' && e.problem.code === code),
      code,
    )
  const named = (page, name) =>
    page.waitForFunction(
      (name) => events.some((e) => e.event === 'profile' && e.name === name),
      name,
    )
  const shownName = async (page) => {
    const last = () => events.findLast((e) => e.event === 'profile')?.name
    return (await page.waitForFunction(last)).jsonValue()
  }
  /** Writes until the disk is found to be full. What is written is this name. */
  async function fill(page, name) {
    disk.fill()
    await page.evaluate(async (name) => {
      const from = events.length
      const told = (e) => e.event === 'trouble' && e.problem.code === 'disk_full'
      // There may be room at the end of a block yet.
      while (!events.slice(from).some(told)) {
        void ask({ cmd: 'rename', name })
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }, name)
  }
  /** What was half written lies before what is written now: the next opening finds out. */
  const write = (page) =>
    page.evaluate(async () => {
      for (let n = 0; n < 10; n++) await ask({ cmd: 'rename', name: `Eve ${n}` })
    })
  /** The browser ends and begins anew: databases are opened again from what lies on the disk. */
  async function anew() {
    await browser.restart()
    const page = await browser.page()
    return [page, await page.evaluate(() => start())]
  }
  async function unlock(page) {
    assert.ok(await phase(page, 'locked'))
    await page.evaluate((passcode) => ask({ cmd: 'unlock', passcode, remember: false }), PASSCODE)
  }

  test('a full disk is told, and with room again all is there, and stays', { skip }, async () => {
    let page = await browser.page()
    await withAccount(page)
    for (const name of ['Bea', 'Cleo', 'Dora']) {
      await fill(page, name)
      // It is tried again, in vain.
      await page.waitForTimeout(6_000)
      disk.free()
      await named(page, name)
      await write(page)
      let problem
      ;[page, problem] = await anew()
      assert.equal(problem, null)
      await unlock(page)
      await named(page, 'Eve 9')
    }
    assert.equal(await page.evaluate(() => events.some((e) => e.event === 'trouble')), false)
  })

  test('a page that begins on a full disk leaves all as it is', { skip }, async () => {
    let [page, problem] = await anew()
    await unlock(page)
    await fill(page, 'Finn')
    ;[page, problem] = await anew()
    assert.equal(problem?.code, 'disk_full')
    disk.free()
    assert.equal(await page.evaluate(() => start()), null)
    await unlock(page)
    // The first writes may have found room before the disk was full.
    const kept = await shownName(page)
    assert.ok(['Eve 9', 'Finn'].includes(kept), kept)
    await write(page)
    ;[page, problem] = await anew()
    assert.equal(problem, null)
    await unlock(page)
    await named(page, 'Eve 9')
  })

  test('a full disk does not stop an export', { skip }, async () => {
    const [page] = await anew()
    await unlock(page)
    await fill(page, 'Fay')
    const { file } = await page.evaluate(
      (passcode) => ask({ cmd: 'export', passcode, passphrase: 'a passphrase' }),
      PASSCODE,
    )
    assert.ok(file.length > 1_000)
    disk.free()
    await named(page, 'Fay')
  })

  test('what the browser has deleted is written anew, and that is told', { skip }, async () => {
    let [page] = await anew()
    await unlock(page)
    await fill(page, 'Gwen')
    disk.deleteDatabases()
    disk.free()
    await trouble(page, 'store_emptied')
    await named(page, 'Gwen')
    await page.evaluate(() => ask({ cmd: 'rename', name: 'Hope' }))
    ;[page] = await anew()
    await unlock(page)
    await named(page, 'Hope')
  })

  test('what the browser deleted while the page was closed is missed', { skip }, async () => {
    await browser.restart(disk.deleteDatabases)
    const page = await browser.page()
    assert.equal(await page.evaluate(() => start()), null)
    assert.ok(await phase(page, 'empty'))
    await trouble(page, 'store_lost')
    // Said once: the next account is another.
    await page.reload()
    await withAccount(page)
    await page.evaluate(() => ask({ cmd: 'erase' }))
    assert.ok(await phase(page, 'empty'))
    assert.equal(await page.evaluate(() => events.some((e) => e.event === 'trouble')), false)
    await page.reload()
    await withAccount(page)
  })

  test('a quota that is full closes nothing, and is told', { skip }, async () => {
    await browser.restart()
    // Asked for by the browser when it opens the database, and not again soon.
    await browser.quota(24 * 1024 * 1024)
    const page = await browser.page()
    assert.equal(await page.evaluate(() => start()), null)
    await unlock(page)
    await page.evaluate(async () => {
      const result = (request) =>
        new Promise((resolve, reject) => {
          request.onsuccess = () => resolve(request.result)
          request.onerror = () => reject(request.error)
        })
      const request = indexedDB.open('filling', 1)
      request.onupgradeneeded = () => request.result.createObjectStore('filling')
      globalThis.filling = await result(request)
      const { open } = IDBFactory.prototype
      globalThis.opened = 0
      IDBFactory.prototype.open = function (...of) {
        globalThis.opened += 1
        return open.apply(this, of)
      }
      let key = 0
      const put = (bytes) =>
        new Promise((resolve) => {
          const tx = filling.transaction('filling', 'readwrite')
          tx.objectStore('filling').put(new Uint8Array(bytes), key++)
          tx.oncomplete = () => resolve(null)
          tx.onabort = () => resolve(tx.error.name)
        })
      for (let bytes = 50_000; bytes > 20; bytes /= 2) {
        let error = null
        while (error === null) error = await put(bytes)
        if (error !== 'QuotaExceededError') throw new Error(error)
      }
    })
    await rename(page, 'Ida')
    await trouble(page, 'disk_full')
    await page.evaluate(() => {
      filling.close()
      indexedDB.deleteDatabase('filling')
    })
    await browser.quota()
    await named(page, 'Ida')
    assert.equal(await page.evaluate(() => globalThis.opened), 0)
  })
}
