/** The device itself: a passcode that is remembered, and a clock that moves. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { pair, PASSCODE } from './person.mjs'
import { Stage } from './stage.mjs'

let stage
before(async () => {
  stage = await Stage.open()
})
after(() => stage?.close())

/** Pages opened from now on believe it to be so much later. */
const setClock = (person, hours) =>
  person.context.addInitScript((ms) => {
    const now = Date.now.bind(Date)
    Date.now = () => now() + ms
  }, hours * 3_600_000)

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

/** Both clocks of an open page go on from so much later: its timers come when they come. */
const letPass = (person, hours) =>
  person.page.evaluate((ms) => {
    const [unix, mono] = [Date.now.bind(Date), performance.now.bind(performance)]
    Date.now = () => unix() + ms
    Performance.prototype.now = () => mono() + ms
  }, hours * 3_600_000)

test('twenty hours end while the page is open: it locks, and opens with all there was', async () => {
  const [ada, bob] = await pair(stage, 'Ada', 'Bob')
  await ada.say('Before')
  await bob.hears('Before')
  await bob.say('Heard')
  await ada.hears('Heard')
  const texts = await ada.texts()
  assert.equal(texts.length, 3)
  await letPass(ada, 19)
  await bob.say('One hour left')
  await ada.hears('One hour left')
  await letPass(ada, 1)
  await ada.sees('unlock')
  assert.equal(await ada.the('message-text').count(), 0)
  assert.equal(await ada.the('conversation').count(), 0)
  await bob.say('While it is locked')
  await bob.hears('While it is locked', 'stored')
  await ada.unlock()
  await ada.openChat('Bob')
  await ada.hears('While it is locked')
  assert.deepEqual(await ada.texts(), [...texts, 'One hour left', 'While it is locked'])
  await ada.say('Open again')
  await bob.hears('Open again')
  stage.check()
  await Promise.all([ada.close(), bob.close()])
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
