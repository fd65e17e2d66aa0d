/** Several relays: an account finds others beside the one that serves the page, and outlives it. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { serve } from './host.mjs'
import { pair } from './person.mjs'
import { Relay, Stage } from './stage.mjs'

let stage
before(async () => {
  stage = await Stage.open()
})
after(() => stage?.close())

/** Says how long something took. Nothing depends on it. */
function clock(t) {
  const from = performance.now()
  return (what) => t.diagnostic(`${what}: ${((performance.now() - from) / 1000).toFixed(1)} s`)
}

const both = (people, what) => Promise.all(people.map(what))

/** Two people at the page of the first of three relays, each with links to all of them. */
async function withThree(t) {
  const relays = await Relay.network(3)
  t.after(() => both(relays, (relay) => relay.close()))
  const people = await pair(stage, 'Ada', 'Bob', { url: relays[0].url })
  const tell = clock(t)
  await both(people, (one) => one.holds(2, { found: true }))
  tell('two relays found by both after they met')
  const [ada, bob] = people
  await both([ada, bob], async (one) => {
    assert.equal(await one.the('relay').count(), 3)
    assert.equal(await one.the('relay', { state: 'open' }).count(), 3)
    assert.equal(await one.page.getByText('found by itself').count(), 2)
  })
  return { relays, ada, bob }
}

test('the relay that serves the page is killed, and both go on over those they found', async (t) => {
  const { relays, ada, bob } = await withThree(t)
  await ada.the('relay').last().scrollIntoViewIfNeeded()
  await ada.shot('three-relays')
  await Promise.all([ada.openChat('Bob'), bob.openChat('Ada')])
  await ada.say('All three are here')
  await bob.hears('All three are here')
  await ada.hears('All three are here', 'delivered')

  const tell = clock(t)
  await relays[0].kill()
  await ada.say('One is gone')
  await bob.hears('One is gone')
  tell('first message after the kill, heard')
  await bob.say('I did not notice')
  await ada.hears('I did not notice')
  tell('and its answer')
  await ada.hears('One is gone', 'delivered')
  await bob.hears('I did not notice', 'delivered')
  tell('both delivered')

  await both([ada, bob], (one) => one.click('nav-settings'))
  await both([ada, bob], (one) => one.sees('relay', { found: false, state: 'down' }))
  tell('told as out of reach')
  await ada.the('relay').last().scrollIntoViewIfNeeded()
  await ada.shot('one-of-three-gone')
  // The connection that the page was loaded over is gone; what is open needs none.
  await assert.rejects(bob.context.request.get(relays[0].url), /ECONNREFUSED/)
  await both([ada, bob], (one) => one.connected())
  await Promise.all([ada.openChat('Bob'), bob.openChat('Ada')])
  await bob.say('Still here')
  await ada.hears('Still here')
  await bob.hears('Still here', 'delivered')

  // Somebody new can still be invited and come, by a page from elsewhere.
  const link = await ada.invite()
  const eve = await stage.person({ url: relays[1].url })
  await eve.create('Eve')
  await eve.greet(link, 'From the other page')
  await ada.accept('Eve')
  await eve.sees('chat', { state: 'active' })
  await ada.say('Welcome')
  await eve.hears('Welcome')
  stage.check()
  await both([ada, bob, eve], (one) => one.close())
})

test('over a reload the three are there and dialled at once, also without the first', async (t) => {
  const { relays, ada, bob } = await withThree(t)
  const tell = clock(t)
  await ada.reload()
  await ada.holds(3)
  tell('reloaded, all three linked')
  assert.equal(await ada.the('relay').count(), 3)

  await relays[0].kill()
  // Who opens the page again has it from a cache, or an installed copy: here it comes from a host
  // at the same address that is no relay.
  const host = await serve({ port: relays[0].port })
  t.after(() => host.close())
  const again = clock(t)
  await both([ada, bob], (one) => one.reload())
  await both([ada, bob], (one) => one.holds(2, { found: true }))
  again('reloaded without the first, both others linked')
  assert.equal(await ada.the('relay').count(), 3)
  assert.equal(await ada.the('relay', { found: false }).count(), 1)
  await Promise.all([ada.openChat('Bob'), bob.openChat('Ada')])
  await ada.say('And on it goes')
  await bob.hears('And on it goes')
  await bob.say('So it does')
  await ada.hears('So it does')
  again('and a message there and back')
  stage.check()
  await both([ada, bob], (one) => one.close())
})
