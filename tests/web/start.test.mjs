/** What the peer says where it cannot run, and when its workers die. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { open, phase, withAccount, PASSCODE } from './harness.mjs'
import { openRelay } from './relay.mjs'

let browser, relay
before(async () => {
  browser = await open()
  relay = await openRelay()
})
after(async () => {
  await browser?.close()
  await relay?.close()
})

const lacking = {
  unsupported_browser: () => delete globalThis.RTCPeerConnection,
  private_mode: () => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('storage is off', 'SecurityError')
    }
  },
  disk_full: () => {
    IDBObjectStore.prototype.put = () => {
      throw new DOMException('full', 'QuotaExceededError')
    }
  },
  store_newer: () => indexedDB.open('wiremin', 1_000),
  store_unavailable: () => {
    const { open } = IDBFactory.prototype
    IDBFactory.prototype.open = function (...of) {
      const request = open.apply(this, of)
      request.addEventListener('upgradeneeded', () => request.transaction.abort())
      return request
    }
  },
}
for (const [code, setup] of Object.entries(lacking)) {
  test(`a browser that lacks something is told: ${code}`, async () => {
    const page = await browser.fresh(setup)
    const problem = await page.evaluate(() => start())
    assert.equal(problem.code, code)
    for (const sentence of ['happened', 'safe', 'todo']) assert.ok(problem[sentence].length > 10)
    assert.deepEqual(await page.evaluate(() => events), [])
    await page.context().close()
  })
}

/** Workers that die at once, `deaths` times, beginning with those that live already. */
function mortalWorkers() {
  globalThis.deaths = 0
  const living = []
  globalThis.die = (times) => {
    globalThis.deaths = times
    for (const worker of living.splice(0)) worker.dispatchEvent(new ErrorEvent('error'))
  }
  // A minute between tries.
  const { setTimeout } = globalThis
  globalThis.setTimeout = (call, ms, ...rest) => setTimeout(call, ms === 60_000 ? 200 : ms, ...rest)
  addEventListener('DOMContentLoaded', () => {
    const { newWorker } = globalThis
    globalThis.newWorker = () => {
      if (globalThis.deaths <= 0) {
        living.push(newWorker())
        return living.at(-1)
      }
      globalThis.deaths -= 1
      return new Worker(URL.createObjectURL(new Blob(['throw new Error("dead")'])))
    }
  })
}

const work = (page) =>
  page.evaluate(() => ask({ cmd: 'invite', hours: 1, single_use: false }).then(() => null))
const live = (page, count) =>
  page.waitForFunction(
    (count) =>
      new Set(
        events
          .filter((e) => e.event === 'invite' && e.invite.state === 'live')
          .map((e) => e.invite.invite),
      ).size >= count,
    count,
  )

test('a worker that dies is replaced; one that always dies is told of, and tried again', async () => {
  const page = await browser.fresh(mortalWorkers)
  await withAccount(page, { config: { hints: [relay.hint] } })
  await page.evaluate(() => die(2))
  await work(page)
  await live(page, 1)
  assert.equal(await page.evaluate(() => deaths), 0)
  assert.equal(await page.evaluate(() => events.some((e) => e.event === 'trouble')), false)
  await page.context().close()

  const other = await browser.fresh(mortalWorkers)
  await withAccount(other, { config: { hints: [relay.hint] } })
  await other.evaluate(() => die(1000))
  await work(other)
  const told = await other.evaluate(() => seen({ event: 'trouble' }))
  assert.equal(told.problem.code, 'worker_failed')
  await other.evaluate(() => die(0))
  await live(other, 1)
  const troubles = await other.evaluate(() => events.filter((e) => e.event === 'trouble').length)
  assert.equal(troubles, 1)
  await other.context().close()
})

test('a derivation whose worker dies fails, and can be asked for again', async () => {
  const page = await browser.fresh(mortalWorkers)
  await withAccount(page)
  await page.evaluate(() => ask({ cmd: 'lock' }))
  assert.ok(await phase(page, 'locked'))
  const unlock = () =>
    page.evaluate(
      (passcode) =>
        ask({ cmd: 'unlock', passcode, remember: false }).then(
          () => null,
          (error) => error.message,
        ),
      PASSCODE,
    )
  await page.evaluate(() => die(1))
  const code = await unlock()
  assert.ok(code !== null && code !== 'wrong_passcode', code)
  assert.equal(await unlock(), null)
  await page.context().close()
})
