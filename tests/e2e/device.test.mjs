/** The device itself: a disk that is full, a clock that moves, a passcode that is remembered. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { pair, PASSCODE } from './person.mjs'
import { Stage } from './stage.mjs'

let stage
before(async () => {
  stage = await Stage.open()
})
after(() => stage?.close())

/** What this origin may store, in bytes; without a number as much as the browser lets it. */
async function setQuota(person, quotaSize) {
  const session = await person.context.newCDPSession(person.page)
  const { origin } = new URL(stage.relay.url)
  await session.send('Storage.overrideQuotaForOrigin', { origin, ...(quotaSize && { quotaSize }) })
}

/** Pages opened from now on believe it to be so much later. */
const setClock = (person, hours) =>
  person.context.addInitScript((ms) => {
    const now = Date.now.bind(Date)
    Date.now = () => now() + ms
  }, hours * 3_600_000)

test('a full disk is told, what was written stays in sight, and all goes on when there is room', async () => {
  const [ada, bob] = await pair(stage, 'Ada', 'Bob')
  await ada.say('Before')
  await bob.hears('Before')
  await setQuota(ada, 1)
  await ada.fill('composer', 'While the disk is full')
  await ada.page.keyboard.press('Enter')
  await ada.sees('trouble', { code: 'disk_full' })
  const told = await ada.the('trouble').textContent()
  assert.match(told, /full/)
  assert.match(told, /safe/)
  await ada.page.getByText('While the disk is full').first().waitFor()
  await bob.say('Do you hear me?')
  assert.equal(await bob.the('message-text').filter({ hasText: 'full' }).count(), 0)
  await setQuota(ada)
  await bob.hears('While the disk is full')
  await ada.hears('Do you hear me?')
  await ada.gone('trouble')
  await ada.reload()
  await ada.openChat('Bob')
  await ada.hears('While the disk is full')
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
