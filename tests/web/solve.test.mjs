/** Several workers that solve: together, and whatever becomes of one of them. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { open, withAccount } from './harness.mjs'
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

/**
 * Two cores. `solvers` has what each worker that was given puzzles heard and said, `told` their
 * progress and ends in order. `targets` has a target for a worker to use instead of the true one;
 * where it is `barren`, all but one worker die at once.
 */
function watchSolvers() {
  Object.defineProperty(Navigator.prototype, 'hardwareConcurrency', { get: () => 2 })
  // A minute, of idleness or rest.
  const { setTimeout } = globalThis
  globalThis.setTimeout = (call, ms, ...rest) => setTimeout(call, ms === 60_000 ? 300 : ms, ...rest)
  globalThis.solvers = []
  globalThis.told = []
  globalThis.targets = {}
  globalThis.barren = false
  addEventListener('DOMContentLoaded', () => {
    const { newWorker } = globalThis
    globalThis.newWorker = () => {
      const dead = globalThis.barren && solvers.some((solver) => !solver.ended)
      const worker = dead
        ? new Worker(URL.createObjectURL(new Blob(['throw new Error("dead")'])))
        : newWorker()
      const solver = { worker, heard: [], said: [], ended: false }
      const post = worker.postMessage.bind(worker)
      worker.postMessage = (message, transfer) => {
        if (message[0] === 'solve') {
          if (!solvers.includes(solver)) solvers.push(solver)
          const target = targets[solvers.indexOf(solver)]
          if (target) message = message.with(3, target)
        }
        solver.heard.push(message.slice(0, 2))
        post(message, transfer)
      }
      const terminate = worker.terminate.bind(worker)
      worker.terminate = () => {
        solver.ended = true
        told.push({ ended: solvers.indexOf(solver) })
        terminate()
      }
      worker.addEventListener('message', ({ data }) => {
        solver.said.push(data[0])
        if (data[0] !== 'solving') return
        told.push({ by: solvers.indexOf(solver), token: data[1], hashes: data[2] })
      })
      return worker
    }
  })
}

/** Asks for an invitation that is `hours` valid: 720 make a large puzzle, 1 a small one. */
const work = (page, hours) =>
  page.evaluate((hours) => ask({ cmd: 'invite', hours, single_use: false }).then(() => null), hours)
const rig = (page, ...targets) =>
  page.evaluate((targets) => {
    globalThis.targets = targets.map((target) => target && Uint8Array.from(target))
  }, targets)
const state = (page) =>
  page.evaluate(() => ({
    solvers: solvers.map(({ heard, said, ended }) => ({ heard, said, ended })),
    told,
    shares: events.filter((e) => e.event === 'work').map((e) => e.share),
    troubles: events.filter((e) => e.event === 'trouble'),
  }))
const impossible = Array(32).fill(0)
const of = (list, kind) => list.filter(([what]) => what === kind)

/** An account whose first puzzle, a large one for its keys, is solved and forgotten. */
async function account() {
  const page = await browser.fresh(watchSolvers)
  await withAccount(page, { config: { hints: [relay.hint] } })
  await page.waitForFunction(() => solvers[1]?.ended)
  await page.evaluate(() => {
    solvers.splice(1)
    solvers[0].heard.length = solvers[0].said.length = told.length = events.length = 0
  })
  return page
}

test('a small puzzle has one worker, a large one two; the one that loses is told', async () => {
  const page = await account()
  await work(page, 1)
  await page.waitForFunction(() => solvers[0]?.said.includes('solved'))
  assert.equal((await state(page)).solvers.length, 1)

  await rig(page, impossible)
  await work(page, 720)
  await page.waitForFunction(() => solvers[1]?.said.includes('solved'))
  await page.waitForFunction(() => solvers[0].heard.filter(([k]) => k === 'cancel').length === 2)
  const [loser, winner] = (await state(page)).solvers
  const [small, large] = of(loser.heard, 'solve')
  assert.deepEqual(of(winner.heard, 'solve'), [large])
  assert.deepEqual(
    of(loser.heard, 'cancel'),
    [small, large].map(([, token]) => ['cancel', token]),
  )
  assert.equal(loser.said.filter((kind) => kind === 'solved').length, 1)

  // After a while without large ones the second goes, and the first goes on.
  await page.waitForFunction(() => solvers[1].ended)
  await rig(page)
  await work(page, 1)
  await page.waitForFunction(() => solvers[0].said.filter((k) => k === 'solved').length === 2)
  const after = await state(page)
  const ended = after.solvers.map((solver) => solver.ended)
  assert.deepEqual(ended, [false, true])
  assert.deepEqual(after.troubles, [])
  await page.context().close()
})

test('progress is that of all workers, and never goes back when one of them dies', async () => {
  const page = await account()
  await rig(page, impossible, impossible, impossible)
  await work(page, 720)
  const until = (by, count) =>
    page.waitForFunction(
      ([by, count]) => told.filter((t) => t.by === by).length >= count,
      [by, count],
    )
  await Promise.all([until(0, 3), until(1, 3)])
  await page.evaluate(() => solvers[0].worker.dispatchEvent(new ErrorEvent('error')))
  await Promise.all([until(1, 6), until(2, 3)])
  const { solvers, told, shares, troubles } = await state(page)
  assert.deepEqual(
    solvers.map(({ ended }) => ended),
    [true, false, false],
  )
  const puzzle = of(solvers[0].heard, 'solve')
  for (const { heard } of solvers) assert.deepEqual(of(heard, 'solve'), puzzle)

  // The first that lives sets the pace; what the dead one did counts.
  let first = 0
  const latest = [0, 0, 0]
  const sums = []
  for (const { ended, by, hashes } of told) {
    if (ended === 0) first = 1
    if (by === undefined) continue
    assert.ok(hashes > latest[by])
    latest[by] = hashes
    if (by === first) sums.push(latest[0] + latest[1] + latest[2])
  }
  assert.ok(latest.every((hashes) => hashes > 0))
  assert.ok(shares.length >= 6)
  assert.ok(shares.every((share, i) => i === 0 || share > shares[i - 1]))
  const expected = sums[0] / shares[0]
  shares.forEach((share, i) => assert.ok(Math.abs(share * expected - sums[i]) <= sums[i] * 1e-5))
  assert.deepEqual(troubles, [])
  await page.context().close()
})

test('one worker solves alone, and nobody is told, where a second always dies', async () => {
  const page = await account()
  await page.evaluate(() => (globalThis.barren = true))
  await rig(page, impossible)
  await work(page, 720)
  // At once, three times again, and then after a minute each.
  await page.waitForFunction(() => solvers.filter(({ ended }) => ended).length >= 6)
  await rig(page)
  await page.evaluate(() => (globalThis.barren = false))
  await page.waitForFunction(() => solvers.at(-1).said.includes('solved'))
  const { solvers, troubles } = await state(page)
  assert.deepEqual(
    solvers[0].heard.map(([kind]) => kind),
    ['solve', 'cancel'],
  )
  assert.deepEqual(troubles, [])
  await page.context().close()
})
