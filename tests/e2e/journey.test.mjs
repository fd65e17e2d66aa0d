/** Two people in their browsers, from the first page to a conversation that survives. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { pair } from './person.mjs'
import { Stage } from './stage.mjs'

let stage
before(async () => {
  stage = await Stage.open()
})
after(() => stage?.close())

test('from two empty browsers to a conversation that survives a reload', async () => {
  const ada = await stage.person()
  const words = await ada.create('Ada')
  assert.equal(words.length, 18)
  await ada.sees('list-empty')
  await ada.connected()
  const link = await ada.invite()
  assert.ok(link.startsWith(`${stage.relay.url}#`), link)

  const bob = await stage.person({ at: new URL(link).hash })
  assert.equal(new URL(bob.page.url()).hash, '', 'the secret left the address bar')
  await bob.sees('pending')
  await bob.create('Bob')
  await bob.sees('open-name')
  assert.equal(await bob.the('open-name').textContent(), 'Ada')
  await bob.sendGreeting('Hello Ada, it is Bob')
  await bob.sees('chat', { state: 'greeted' })

  await ada.click('nav-greetings')
  const greeting = ada.the('greeting').filter({ hasText: 'Bob' })
  await greeting.getByText('Hello Ada, it is Bob').waitFor()
  await greeting.getByTestId('greeting-accept').click()
  await ada.sees('chat', { state: 'active' })
  await bob.sees('chat', { state: 'active' })

  await ada.say('Good to see you')
  await bob.hears('Good to see you')
  await ada.hears('Good to see you', 'delivered')
  await bob.say('And you')
  await ada.hears('And you')
  await bob.hears('And you', 'delivered')
  await ada.say('<b>not bold</b>')
  await bob.hears('<b>not bold</b>')
  await ada.hears('<b>not bold</b>', 'delivered')

  const before = await Promise.all([ada.texts(), bob.texts()])
  await Promise.all([ada.reload(), bob.reload()])
  // Remembered: no passcode is asked for.
  await ada.openChat('Bob')
  await bob.openChat('Ada')
  await ada.hears('<b>not bold</b>', 'delivered')
  await bob.hears('And you', 'delivered')
  assert.deepEqual(await Promise.all([ada.texts(), bob.texts()]), before)
  await bob.say('Still here')
  await ada.hears('Still here')
  // What acknowledges it rides on the answer.
  await ada.say('So am I')
  await bob.hears('So am I')
  await bob.hears('Still here', 'delivered')
  stage.check()
  await Promise.all([ada.close(), bob.close()])
})

test('who was away gets what was said meanwhile, in order, and counted', async () => {
  const [ada, bob] = await pair(stage, 'Ada', 'Bob')
  await ada.say('One')
  await bob.hears('One')
  await ada.hears('One', 'delivered')
  await bob.leave()
  await ada.say('Two')
  await ada.say('Three')
  await ada.hears('Two', 'stored')
  await ada.hears('Three', 'stored')
  await bob.open()
  await bob.row('Ada').getByTestId('unread').filter({ hasText: '2' }).waitFor()
  await bob.openChat('Ada')
  await bob.hears('Three')
  const texts = await bob.texts()
  assert.deepEqual(texts.slice(-3), ['One', 'Two', 'Three'])
  await bob.say('Both came')
  await ada.hears('Both came')
  await ada.hears('Two', 'delivered')
  await ada.hears('Three', 'delivered')
  await bob.row('Ada').getByTestId('unread').waitFor({ state: 'hidden' })
  stage.check()
  await Promise.all([ada.close(), bob.close()])
})

test('locked, it opens with the right passcode only, and counts the wrong ones', async () => {
  const ada = await stage.person()
  await ada.create('Ada')
  await ada.sees('app')
  await ada.click('nav-lock')
  await ada.sees('unlock')
  assert.equal(await ada.page.getByText('Ada', { exact: true }).count(), 0)
  // Locking forgets, and so does a reload ask again.
  await ada.reload()
  await ada.sees('unlock')
  await ada.unlock('walnut ferry quiet 8')
  await ada.sees('form-error', { code: 'wrong_passcode' })
  await ada.unlock()
  await ada.sees('app')
  await ada.click('nav-lock')
  for (let wrong = 0; wrong < 10; wrong++) {
    if (await ada.the('unlock-wait').isVisible()) break
    await ada.unlock(`wrong ${wrong}`)
    const after = `[data-testid=unlock-wait], [data-testid=passcode]:not([readonly])`
    await ada.page.locator('[data-testid=unlock-button]:not([aria-busy=true])').waitFor()
    await ada.page.locator(after).first().waitFor()
  }
  await ada.sees('unlock-wait')
  assert.equal(await ada.the('passcode').isEditable(), false)
  await ada.reload()
  await ada.sees('unlock-wait')
  stage.check()
  await ada.close()
})
