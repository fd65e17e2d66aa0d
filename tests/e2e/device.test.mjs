/** The device itself: a passcode that is remembered, and a clock that moves. */
import { after, before, test } from 'node:test'
import { PASSCODE } from './person.mjs'
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
