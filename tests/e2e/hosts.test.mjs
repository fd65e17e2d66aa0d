/** Pages that come from elsewhere than a relay on this machine: a plain host, and plain http. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { OTHER_NAME } from '../browser.mjs'
import { ownAddress, ownCertificate, serve } from './host.mjs'
import { Relay, Stage } from './stage.mjs'

let stage
const relays = []
before(async () => {
  stage = await Stage.open()
  relays.push(...(await Relay.network(3)))
})
after(async () => {
  await stage?.close()
  await Promise.all(relays.map((relay) => relay.close()))
})

/** What a page asks of its host, and how that answers. */
function requests(person) {
  const seen = []
  person.page.on('response', (one) => seen.push([new URL(one.url()).pathname, one.status()]))
  return seen
}

/** Greets with the link that the page was opened with, agreeing to the relays that it names. */
async function greetThere(person, text) {
  await person.sees('open-relays')
  await person.shot('static-asks')
  await person.click('open-agree')
  await person.sendGreeting(text)
}

for (const scheme of ['http', 'https']) {
  test(`from a host that is no relay, by ${scheme}, with no more than an invitation`, async (t) => {
    const host = await serve({ tls: scheme === 'https' ? ownCertificate() : undefined })
    t.after(() => host.close())
    const ada = await stage.person({ url: relays[0].url })
    await ada.create('Ada')
    const link = await ada.invite()
    const options = { ignoreHTTPSErrors: true, url: 'about:blank' }
    const bob = await stage.person(options)
    const seen = requests(bob)
    bob.url = host.url
    await bob.page.goto(host.url + new URL(link).hash)
    await bob.sees('pending')
    assert.match(await bob.the('welcome-host').textContent(), /no relay of its own/)
    assert.equal(await bob.the('unprotected').count(), 0)
    await bob.shot(`static-welcome-${scheme}`)
    await bob.create('Bob')
    await greetThere(bob, 'From a page without a relay')
    await ada.accept('Bob')
    await bob.sees('chat', { state: 'active' })
    await bob.say('Here I am')
    await ada.hears('Here I am')
    await ada.say('And here am I')
    await bob.hears('And here am I')
    await bob.hears('Here I am', 'delivered')
    // The relays of the invitation are his now, also after a reload.
    await bob.holds(3)
    await bob.shot(`static-relays-${scheme}`)
    await bob.reload()
    await bob.holds(3)
    assert.equal(await bob.the('relay').count(), 3)
    const failed = seen.filter(([, status]) => status >= 400)
    assert.deepEqual(failed, [])
    stage.check()
    await Promise.all([ada.close(), bob.close()])
  })
}

test('from a host that is no relay, without an invitation, it says what to do', async (t) => {
  const host = await serve()
  t.after(() => host.close())
  const ada = await stage.person({ url: host.url })
  await ada.sees('welcome')
  await ada.page.getByText('no relay of its own').waitFor()
  await ada.create('Ada')
  await ada.sees('no-relay')
  await ada.sees('link-state', { state: 'none' })
  await ada.shot('static-home')
  await ada.click('nav-invite')
  await ada.click('invite-make')
  await ada.sees('form-error', { code: 'no_relay' })
  await ada.click('nav-settings')
  await ada.click('relay-add')
  await ada.fill('relay-hint', relays[0].hint)
  await ada.the('relay-add').first().click()
  await ada.connected()
  await ada.holds(2, { found: true })
  assert.ok((await ada.invite()).startsWith(`${host.url}#`))
  assert.equal(await ada.the('no-relay').count(), 0)
  stage.check()
  await ada.close()
})

test('a host that is no relay can name one, in the file that says so', async (t) => {
  const host = await serve({ hint: relays[0].hint })
  t.after(() => host.close())
  const ada = await stage.person({ url: host.url })
  await ada.sees('welcome')
  assert.doesNotMatch(await ada.the('welcome-host').textContent(), /no relay/)
  await ada.create('Ada')
  await ada.connected()
  stage.check()
  await ada.close()
})

test('over plain http it works in one tab, remembers nothing, and says so once', async (t) => {
  const address = ownAddress()
  const relay = await Relay.start(address ?? undefined)
  t.after(() => relay.close())
  // A machine without a network has a name that leads to itself, and is not known to.
  const url = address ? relay.url : relay.url.replace('localhost', OTHER_NAME)
  const ada = await stage.person({ url })
  const lacking = await ada.page.evaluate(() => ({
    isSecureContext,
    subtle: typeof crypto.subtle,
    locks: typeof navigator.locks,
    storage: typeof navigator.storage,
    clipboard: typeof navigator.clipboard,
  }))
  const none = 'undefined'
  const all = { subtle: none, locks: none, storage: none, clipboard: none }
  assert.deepEqual(lacking, { isSecureContext: false, ...all })
  await ada.sees('unprotected')
  await ada.shot('http-welcome')
  // Whether it is proposed to be remembered: it is not.
  await ada.create('Ada', { remember: null })
  await ada.connected()
  assert.equal(await ada.the('unprotected').count(), 0)
  const link = await ada.invite()

  const bob = await stage.person({ url, at: new URL(link).hash })
  await bob.create('Bob', { remember: null })
  await bob.sendGreeting('By plain http')
  await ada.accept('Bob')
  await bob.sees('chat', { state: 'active' })
  await bob.say('Nobody reads this on the way')
  await ada.hears('Nobody reads this on the way')
  await ada.say('Somebody may have changed the page')
  await bob.hears('Somebody may have changed the page')
  await bob.hears('Nobody reads this on the way', 'delivered')
  assert.equal(await bob.the('trouble').count(), 0)

  // Copied in the old way.
  await ada.click('nav-settings')
  await ada.page.getByRole('button', { name: 'Copy', exact: true }).click()
  await ada.page.getByRole('button', { name: 'Copied', exact: true }).waitFor()

  await bob.reload()
  await bob.sees('unlock')
  await bob.sees('unprotected')
  assert.equal(await bob.the('remember').count(), 0)
  await bob.shot('http-unlock')
  await bob.unlock()
  await bob.openChat('Ada')
  await bob.hears('Somebody may have changed the page')

  // The newest tab writes; the older one stops when it next wants to.
  const first = bob.page
  await bob.open()
  await bob.unlock()
  await bob.openChat('Ada')
  await ada.openChat('Bob')
  await ada.say('To whichever tab')
  await first.locator('[data-testid=stop][data-code=second_tab]').waitFor()
  await bob.hears('To whichever tab')
  await bob.say('The newer one')
  await ada.hears('The newer one')
  stage.check()
  await Promise.all([ada.close(), bob.close()])
})
