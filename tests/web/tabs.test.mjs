/** Two tabs: one runs, the other is told and can take over, and the first then writes no more. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { open, phase, restart, withAccount, PASSCODE } from './harness.mjs'

let browser
before(async () => {
  browser = await open()
})
after(() => browser?.close())

test('the second tab is refused, takes over, and the first stops', async () => {
  const first = await browser.page()
  await withAccount(first)
  const second = await browser.page()
  const problem = await second.evaluate(() => start())
  assert.equal(problem.code, 'second_tab')
  for (const sentence of ['happened', 'safe', 'todo']) assert.ok(problem[sentence].length > 10)
  // The first goes on as if nothing had been.
  await first.evaluate(() => ask({ cmd: 'rename', name: 'Bea' }))

  assert.equal(await second.evaluate(() => start({ take_over: true })), null)
  assert.ok(await phase(second, 'locked'))
  await first.waitForFunction(() =>
    events.some((e) => e.event === 'trouble' && e.problem.code === 'second_tab'),
  )
  const refused = await first.evaluate(() => {
    try {
      command(JSON.stringify({ id: 99, cmd: 'snapshot' }))
      return null
    } catch (error) {
      return JSON.parse(error.message).code
    }
  })
  assert.equal(refused, 'stopped')
  await second.evaluate((passcode) => ask({ cmd: 'unlock', passcode, remember: false }), PASSCODE)
  assert.ok(await second.evaluate(() => seen({ event: 'profile', name: 'Bea' })))

  // And back again, in the same page.
  assert.equal(await first.evaluate(() => start({ take_over: true })), null)
  await second.waitForFunction(() =>
    events.some((e) => e.event === 'trouble' && e.problem.code === 'second_tab'),
  )
  await first.close()
  await second.close()
})

test('a reload does not meet the lock of the page it replaces', async () => {
  const page = await browser.fresh()
  await withAccount(page)
  for (let time = 0; time < 3; time++) {
    assert.equal(await restart(page), null)
    assert.ok(await phase(page, 'locked'))
  }
  await page.context().close()
})

test('without Web Locks the newest tab writes, and the older one stops at its next save', async () => {
  const noLocks = () => Object.defineProperty(navigator, 'locks', { value: undefined })
  const first = await browser.fresh(noLocks)
  await withAccount(first)
  const context = first.context()
  const second = await context.newPage()
  await second.addInitScript(noLocks)
  await second.goto(browser.url)
  await second.waitForFunction('globalThis.ready')
  assert.equal(await second.evaluate(() => start()), null)
  assert.ok(await phase(second, 'locked'))

  const before = await second.evaluate(() => rows())
  await first.evaluate(() => void ask({ cmd: 'rename', name: 'Bea' }))
  await first.waitForFunction(() =>
    events.some((e) => e.event === 'trouble' && e.problem.code === 'second_tab'),
  )
  assert.deepEqual(await second.evaluate(() => rows()), before)
  await context.close()
})

test('where locks are refused a tab goes on, and the store says what is wrong', async () => {
  const refuseLocks = () => {
    LockManager.prototype.request = () => Promise.reject(new DOMException('no', 'SecurityError'))
  }
  const page = await browser.fresh(refuseLocks)
  await withAccount(page)
  await page.context().close()

  const without = await browser.fresh(refuseLocks)
  const problem = await without.evaluate(() => {
    IDBFactory.prototype.open = () => {
      throw new DOMException('storage is off', 'SecurityError')
    }
    return start()
  })
  assert.equal(problem.code, 'private_mode')
  await without.context().close()
})

test('what is no command is refused, and nothing stops', async () => {
  const page = await browser.fresh()
  await withAccount(page)
  const codes = await page.evaluate(() =>
    ['', '{}', '{"id":1}', '{"id":1,"cmd":"no"}', '{"id":9007199254740991,"cmd":"lock"}'].map(
      (json) => {
        try {
          command(json)
          return null
        } catch (error) {
          return JSON.parse(error.message).code
        }
      },
    ),
  )
  assert.deepEqual(new Set(codes), new Set(['bad_command']))
  await page.evaluate(() => ask({ cmd: 'rename', name: 'Bea' }))
  assert.deepEqual(browser.errors, [])
  await page.context().close()
})
