/** Links to a real relay: dialled from a hint alone, lost, refused, and dialled again. */
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

/** Keeps what the peer opens in sight of the test, and lets it wait less. */
function watchLinks() {
  globalThis.channels = []
  const { createDataChannel } = RTCPeerConnection.prototype
  RTCPeerConnection.prototype.createDataChannel = function (label, options) {
    const channel = createDataChannel.call(this, label, options)
    channels.push(channel)
    return channel
  }
  // Ten seconds for a dial, and the waits between dials.
  const { setTimeout } = globalThis
  globalThis.setTimeout = (call, ms, ...rest) => setTimeout(call, ms === 10_000 ? 500 : ms, ...rest)
}

/** The states that the one relay went through. */
const states = (page) =>
  page.evaluate(() =>
    events.filter((e) => e.event === 'relays').map((e) => e.relays[0]?.state ?? null),
  )

/** Waits until the relay is in that state, having been told so after `from` events. */
async function reaches(page, state, from = 0, options = {}) {
  await page.waitForFunction(
    ([state, from]) =>
      events.slice(from).some((e) => e.event === 'relays' && e.relays[0]?.state === state),
    [state, from],
    options,
  )
  return page.evaluate(() => events.length)
}

test('a relay is dialled from its hint, and again after it was gone', async () => {
  const page = await browser.fresh(watchLinks)
  await withAccount(page, { config: { hints: [relay.hint] } })
  let seen = await reaches(page, 'open')
  const channel = await page.evaluate(() => {
    const { label, ordered, maxRetransmits, maxPacketLifeTime } = channels[0]
    return { label, ordered, maxRetransmits, maxPacketLifeTime }
  })
  assert.deepEqual(channel, {
    label: 'wm1',
    ordered: true,
    maxRetransmits: null,
    maxPacketLifeTime: null,
  })
  // As when the network goes: this side finds out, and dials anew.
  await page.evaluate(() => channels[0].close())
  seen = await reaches(page, 'down', seen)
  await reaches(page, 'open', seen)
  assert.ok((await states(page)).includes('connecting'))
  await page.context().close()
})

test('a frame that no relay may send ends the link', async () => {
  for (const data of ['text', 17_409]) {
    const page = await browser.fresh(watchLinks)
    await withAccount(page, { config: { hints: [relay.hint] } })
    const seen = await reaches(page, 'open')
    await page.evaluate((data) => {
      const event = { data: typeof data === 'number' ? new ArrayBuffer(data) : data }
      channels[0].dispatchEvent(new MessageEvent('message', event))
    }, data)
    await reaches(page, 'down', seen)
    assert.match(await page.evaluate(() => channels[0].readyState), /clos/)
    await page.context().close()
  }
})

test('a link whose queue is full is closed, not fed', async () => {
  const page = await browser.fresh(watchLinks)
  await withAccount(page, { config: { hints: [relay.hint] } })
  const seen = await reaches(page, 'open')
  await page.evaluate(() => {
    Object.defineProperty(channels[0], 'bufferedAmount', { value: 4 * 1024 * 1024 })
    void ask({ cmd: 'invite', hours: 1, single_use: true })
  })
  await reaches(page, 'down', seen)
  await page.context().close()
})

test('a relay that was killed and is back is found so though nothing is sent', async () => {
  const page = await browser.fresh(watchLinks)
  await withAccount(page, { config: { hints: [relay.hint] } })
  const seen = await reaches(page, 'open')
  // A relay that gets data of a link it does not know tells at once. This link has none.
  await page.waitForTimeout(4_000)
  await page.evaluate(() => (channels[0].send = () => {}))
  await relay.stop()
  await relay.start()
  const down = await reaches(page, 'down', seen, { timeout: 25_000 })
  await reaches(page, 'open', down)
  await page.context().close()
})

test('a relay that does not answer is told as such', async () => {
  await relay.stop()
  const page = await browser.fresh(watchLinks)
  await withAccount(page, { config: { hints: [relay.hint] } })
  const seen = await reaches(page, 'down')
  const told = await page.evaluate(
    () => events.findLast((e) => e.event === 'relays' && e.relays[0]?.error).relays[0].error,
  )
  assert.equal(told.code, 'relay_gone')
  await relay.start()
  await reaches(page, 'open', seen)
  await page.context().close()
})

test('no page reported an error', () => assert.deepEqual(browser.errors, []))
