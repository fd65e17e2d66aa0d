/** The remembered passcode: a wrapped key whose wrapping key nobody gets out of the browser. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { open, phase, restart, withAccount, PASSCODE } from './harness.mjs'

let browser
before(async () => {
  browser = await open()
})
after(() => browser?.close())

test('an account that is remembered opens after a reload, without the passcode', async () => {
  const page = await browser.fresh()
  await withAccount(page, { remember: true })
  await page.waitForFunction(async () => (await remembered()).length === 1)
  assert.equal(await restart(page), null)
  assert.ok(await phase(page, 'open'))
  await page.context().close()
})

test('the wrapping key cannot be taken out, and the key is not beside it', async () => {
  const page = await browser.fresh()
  await withAccount(page, { remember: true })
  await page.waitForFunction(async () => (await remembered()).length === 1)
  const found = await page.evaluate(async () => {
    const [row] = await remembered()
    const exported = await Promise.allSettled(
      ['raw', 'jwk'].map((format) => crypto.subtle.exportKey(format, row.key)),
    )
    const wrapped = await Promise.allSettled([
      crypto.subtle.wrapKey('raw', row.key, row.key, { name: 'AES-GCM', iv: row.nonce }),
    ])
    return {
      fields: Object.keys(row).sort(),
      extractable: row.key.extractable,
      algorithm: row.key.algorithm,
      usages: row.key.usages.slice().sort(),
      sealedBytes: row.sealed.byteLength,
      refused: [...exported, ...wrapped].map(({ status }) => status),
    }
  })
  assert.deepEqual(found, {
    fields: ['key', 'nonce', 'sealed'],
    extractable: false,
    algorithm: { name: 'AES-GCM', length: 256 },
    usages: ['decrypt', 'encrypt'],
    // 32 bytes and a tag.
    sealedBytes: 48,
    refused: ['rejected', 'rejected', 'rejected'],
  })
  await page.context().close()
})

test('locking forgets: a reload asks for the passcode', async () => {
  const page = await browser.fresh()
  await withAccount(page, { remember: true })
  await page.waitForFunction(async () => (await remembered()).length === 1)
  await page.evaluate(() => ask({ cmd: 'lock' }))
  await page.waitForFunction(async () => (await remembered()).length === 0)
  assert.equal(await restart(page), null)
  assert.ok(await phase(page, 'locked'))
  const wrong = await page.evaluate(() =>
    ask({ cmd: 'unlock', passcode: 'not the passcode', remember: false }).catch((e) => e.message),
  )
  assert.equal(wrong, 'wrong_passcode')
  await page.evaluate((passcode) => ask({ cmd: 'unlock', passcode, remember: false }), PASSCODE)
  assert.ok(await phase(page, 'open'))
  await page.context().close()
})

test('without WebCrypto nothing is remembered, and that is said', async () => {
  const page = await browser.fresh(() => {
    Object.defineProperty(crypto, 'subtle', { value: undefined })
  })
  await withAccount(page, { remember: true })
  const told = await page.evaluate(async () => {
    for (;;) {
      const found = events.find((e) => e.event === 'trouble' && e.problem.code === 'not_remembered')
      if (found) return found
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })
  assert.ok(told.problem.todo.length > 0)
  assert.equal(await page.evaluate(async () => (await remembered()).length), 0)
  assert.equal(await restart(page), null)
  assert.ok(await phase(page, 'locked'))
  await page.context().close()
})
