/** The worker alone: what it finds and derives is right by other implementations. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { after, before, test } from 'node:test'
import { argon2id } from 'hash-wasm'
import { open } from './harness.mjs'

let browser, page
before(async () => {
  browser = await open()
  page = await browser.fresh()
})
after(() => browser?.close())

/** Posts messages to one worker; gives what it says until `count` answers end with `last`. */
const talk = (messages, last, count) =>
  page.evaluate(
    ([messages, last, count]) =>
      new Promise((resolve, reject) => {
        const worker = newWorker()
        const said = []
        worker.onerror = () => reject(new Error('the worker died'))
        worker.onmessage = ({ data }) => {
          said.push(data.map((part) => (typeof part === 'bigint' ? `${part}` : part)))
          if (said.filter(([kind]) => kind === last).length < count) return
          worker.terminate()
          resolve(said.map((parts) => parts.map((p) => (p instanceof Uint8Array ? [...p] : p))))
        }
        for (const message of messages) {
          const parts = message.map((p) => (Array.isArray(p) ? Uint8Array.from(p) : p))
          worker.postMessage(parts)
        }
      }),
    [messages, last, count],
  )

const bytes = (n, byte) => Array(n).fill(byte)
/** 2^-bits of all hashes are below it. */
const target = (bits) => [...bytes(bits / 8, 0), 1, ...bytes(31 - bits / 8, 0)]

function digest(prefix, nonce) {
  const block = Buffer.alloc(8)
  block.writeBigUInt64LE(BigInt(nonce))
  return createHash('sha256').update(Buffer.from(prefix)).update(block).digest()
}

test('puzzles are solved in their order, and rightly', async () => {
  const puzzles = [5, 4, 9].map((token) => ({ token, prefix: bytes(32, token) }))
  const limit = target(16)
  const said = await talk(
    puzzles.map(({ token, prefix }) => ['solve', token, prefix, limit]),
    'solved',
    3,
  )
  const solved = said.filter(([kind]) => kind === 'solved')
  assert.deepEqual(
    solved.map(([, token]) => token),
    puzzles.map(({ token }) => token),
  )
  for (const [, token, nonce] of solved) {
    const found = digest(bytes(32, token), nonce)
    assert.ok(Buffer.compare(found, Buffer.from(limit)) < 0, found.toString('hex'))
  }
})

test('a puzzle that is cancelled gives way to the next, having told of its progress', async () => {
  const impossible = bytes(32, 0)
  const said = await page.evaluate(
    ([impossible, easy]) =>
      new Promise((resolve) => {
        const worker = newWorker()
        const said = []
        const solve = (token, limit) =>
          worker.postMessage(['solve', token, new Uint8Array(32), Uint8Array.from(limit)])
        worker.onmessage = ({ data }) => {
          said.push([data[0], data[1], Number(data[2])])
          if (said.length === 2) worker.postMessage(['cancel', 1])
          if (data[0] !== 'solved') return
          worker.terminate()
          resolve(said)
        }
        solve(1, impossible)
        solve(2, easy)
      }),
    [impossible, target(8)],
  )
  const of1 = said.filter(([, token]) => token === 1)
  assert.ok(of1.every(([kind]) => kind === 'solving'))
  assert.ok(of1[1][2] > of1[0][2])
  assert.deepEqual(said.at(-1).slice(0, 2), ['solved', 2])
})

test('keys are derived as by another Argon2id, and not below the floor', async () => {
  const [secret, salt] = [[...Buffer.from('päßcode')], bytes(16, 3)]
  const derive = (memory, passes) => ['derive', 7, secret, salt, memory, passes, 1]
  const said = await talk([derive(19 * 1024, 2), derive(1024, 1)], 'derived', 2)
  const expected = await argon2id({
    password: Uint8Array.from(secret),
    salt: Uint8Array.from(salt),
    parallelism: 1,
    iterations: 2,
    memorySize: 19 * 1024,
    hashLength: 32,
    outputType: 'hex',
  })
  assert.equal(Buffer.from(said[0][2]).toString('hex'), expected)
  assert.equal(said[1][2], null)
})
