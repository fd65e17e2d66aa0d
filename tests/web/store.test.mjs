/** IndexedDB: batches are atomic and durable, ranges and keys come back as they were put. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { open, phase, restart, withAccount, PASSCODE } from './harness.mjs'

let browser
before(async () => {
  browser = await open()
})
after(() => browser?.close())

/** Notes each writing transaction, and breaks the ones that `breakSaves` says. */
function watchWrites() {
  globalThis.writes = []
  globalThis.breakSaves = false
  const { transaction } = IDBDatabase.prototype
  IDBDatabase.prototype.transaction = function (stores, mode, options) {
    const tx = transaction.call(this, stores, mode, options)
    if (mode !== 'readwrite') return tx
    const write = { stores: [...stores], durability: options?.durability, puts: [], end: null }
    writes.push(write)
    tx.addEventListener('complete', () => (write.end = 'complete'))
    tx.addEventListener('abort', () => (write.end = 'abort'))
    tx.write = write
    return tx
  }
  const { put } = IDBObjectStore.prototype
  IDBObjectStore.prototype.put = function (value, key) {
    const request = put.call(this, value, key)
    const { write } = this.transaction
    write?.puts.push(this.name)
    if (write) write.last = request
    return request
  }
  const { commit } = IDBTransaction.prototype
  IDBTransaction.prototype.commit = function () {
    const last = this.write?.last
    if (!globalThis.breakSaves || !last) return commit.call(this)
    // All of the batch has been carried out by then.
    if (last.readyState === 'done') this.abort()
    else last.addEventListener('success', () => this.abort())
  }
}

test('what an account needs is written strictly, a batch at a time', async () => {
  const page = await browser.fresh(watchWrites)
  await withAccount(page)
  const writes = await page.evaluate(() =>
    writes.map(({ stores, durability, puts, end }) => ({ stores, durability, puts, end })),
  )
  const vault = writes.filter((write) => write.puts.includes('vault'))
  assert.ok(vault.length > 0)
  for (const write of vault) {
    assert.equal(write.durability, 'strict')
    assert.equal(write.end, 'complete')
  }
  assert.ok(writes.every((write) => write.stores.includes('owner')))
  const rows = await page.evaluate(() => rows())
  assert.equal(Object.keys(rows.vault).length, 1)
  await page.context().close()
})

test('a batch that is broken off leaves nothing, is told, and is tried again', async () => {
  const page = await browser.fresh(watchWrites)
  await withAccount(page)
  const before = await page.evaluate(() => rows())
  await page.evaluate(() => {
    breakSaves = true
    void ask({ cmd: 'rename', name: 'Bea' })
  })
  await page.waitForFunction(() => writes.some((write) => write.end === 'abort'))
  assert.deepEqual(await page.evaluate(() => rows()), before)
  assert.ok(await page.evaluate(() => seen({ event: 'trouble' })))

  await page.evaluate(() => (breakSaves = false))
  await page.waitForFunction(() =>
    events.some((event) => event.event === 'profile' && event.name === 'Bea'),
  )
  assert.notDeepEqual(await page.evaluate(() => rows()), before)
  assert.equal(await restart(page), null)
  assert.ok(await phase(page, 'locked'))
  await page.evaluate((passcode) => ask({ cmd: 'unlock', passcode, remember: false }), PASSCODE)
  assert.ok(await page.evaluate(() => seen({ event: 'profile', name: 'Bea' })))
  await page.context().close()
})

test('a full quota is told as such', async () => {
  const page = await browser.fresh(() => {
    globalThis.full = false
    const { put } = IDBObjectStore.prototype
    IDBObjectStore.prototype.put = function (value, key) {
      if (globalThis.full) throw new DOMException('full', 'QuotaExceededError')
      return put.call(this, value, key)
    }
  })
  await withAccount(page)
  await page.evaluate(() => {
    full = true
    void ask({ cmd: 'rename', name: 'Bea' })
  })
  const told = await page.evaluate(() => seen({ event: 'trouble' }))
  assert.match(told.problem.happened, /full/)
  await page.context().close()
})

test('erasing empties every table and the remembered key', async () => {
  const page = await browser.fresh(watchWrites)
  await withAccount(page, { remember: true })
  await page.waitForFunction(async () => (await remembered()).length === 1)
  await page.evaluate(() => ask({ cmd: 'erase' }))
  const rows = await page.evaluate(() => globalThis.rows())
  assert.deepEqual(
    Object.values(rows).map((table) => Object.keys(table).length),
    [0, 0, 0, 0],
  )
  assert.equal(await page.evaluate(async () => (await remembered()).length), 0)
  assert.equal(await restart(page), null)
  assert.ok(await phase(page, 'empty'))
  await page.context().close()
})
