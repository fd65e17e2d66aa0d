/** The 18 words in an empty browser: contacts come back, and conversations go on. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Stage } from './stage.mjs'

/** A state is written a minute after its last change, with a puzzle of seconds before it. */
const WRITTEN_MS = 300_000
/** Contacts answer at moments drawn at random, of 20 s on average, so as not to be told by them. */
const ANSWERED_MS = 180_000

let stage
before(async () => {
  stage = await Stage.open()
})
after(() => stage?.close())

test('a lost browser: the words bring the contact back, who did nothing', async (t) => {
  const [ada, bob] = await Promise.all([stage.person(), stage.person()])
  const [words] = await Promise.all([ada.create('Ada'), bob.create('Bob')])
  const link = await ada.invite()
  await bob.greet(link, 'Hello, this is Bob')
  await ada.accept('Bob')
  await Promise.all([ada, bob].map((one) => one.sees('chat', { state: 'active' })))
  await ada.say('Before')
  await bob.hears('Before')

  const again = await stage.person()
  await again.click('welcome-restore')
  await again.paste('restore-word', words.join(' '))
  await again.restoreAs('Ada again')
  await again.sees('recovery')
  await again.shot('recovery-looking')
  const from = performance.now()
  // Until it is written there is nothing to be found, which is looked for again and again.
  await again.row('Bob').waitFor({ timeout: WRITTEN_MS })
  t.diagnostic(`found: ${((performance.now() - from) / 1000).toFixed(1)} s`)
  await ada.leave()
  try {
    await again.the('recovery', { state: 'done' }).waitFor({ timeout: ANSWERED_MS })
  } catch (error) {
    throw new Error(`${error.message}\n${await again.shown()}`)
  }
  t.diagnostic(`answered: ${((performance.now() - from) / 1000).toFixed(1)} s`)
  await again.shot('recovery-done')
  await again.openChat('Bob')

  await bob.sees('returned')
  await bob.shot('came-back')
  await bob.say('Is it you?')
  await bob.click('returned-confirm')
  await again.hears('Is it you?')
  await again.say('It is')
  await bob.hears('It is')
  assert.equal((await again.texts()).includes('Before'), false)
  stage.check()
  await Promise.all([again.close(), bob.close()])
})
