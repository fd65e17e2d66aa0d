/** Two browsers of one account: linked by a picture of the code, both write, both hear. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { Stage } from './stage.mjs'

let stage
before(async () => {
  stage = await Stage.open()
})
after(() => stage?.close())

/** Shows the code of a device that is to be linked, and gives a picture of it. */
async function showCode(person, { full = false } = {}) {
  await person.click('welcome-link')
  if (full) await person.choose('link-kind', 'full')
  await person.next()
  await person.choosePasscode()
  await person.click('agree')
  const code = person.the('link-qr', { ready: 'true' })
  await code.waitFor()
  return code.screenshot()
}

/** Reads a code from its picture in Settings, until both show the number. */
async function readCode(person, buffer) {
  await person.click('nav-settings')
  await person.click('device-link')
  const name = 'code.png'
  await person.the('scan-picture').setInputFiles({ name, mimeType: 'image/png', buffer })
}

const digitsOf = (person) => person.the('link-digits').getAttribute('data-digits')

async function link(from, to, { days = '30' } = {}) {
  await readCode(from, await showCode(to))
  await Promise.all([from, to].map((one) => one.sees('linking', { step: 'compare' })))
  const [ours, theirs] = await Promise.all([from, to].map(digitsOf))
  assert.match(ours, /^\d{3} ?\d{3}$/)
  assert.equal(ours, theirs)
  await to.shot('linking-compare')
  await to.click('link-same')
  await from.click('link-same')
  await from.choose('link-days', days)
  await from.shot('linking-give')
  await from.click('link-give')
  await from.sees('linking', { step: 'done' })
  await from.shot('linking-done')
  await from.click('sheet-close')
}

test('a browser is linked by a picture of its code; both write, and both hear', async () => {
  const [ada, bob] = await Promise.all([stage.person(), stage.person()])
  await Promise.all([ada.create('Ada'), bob.create('Bob')])
  const invitation = await ada.invite()
  await bob.greet(invitation, 'Hello, this is Bob')
  await ada.accept('Bob')
  await Promise.all([ada, bob].map((one) => one.sees('chat', { state: 'active' })))
  await ada.say('Before')
  await bob.hears('Before')

  const phone = await stage.person()
  await link(ada, phone)
  await ada.the('device', { slot: '1', full: 'false', this: 'false' }).waitFor()
  await ada.shot('devices')
  await phone.openChat('Bob')
  // What was said before the device was there has been copied.
  await phone.hears('Before')
  await ada.openChat('Bob')

  await phone.say('From the phone')
  await Promise.all([bob, ada, phone].map((one) => one.hears('From the phone')))
  await ada.say('From the laptop')
  await Promise.all([bob, phone].map((one) => one.hears('From the laptop')))
  await bob.say('To both')
  await Promise.all([ada, phone].map((one) => one.hears('To both')))
  await Promise.all(
    ['From the phone', 'From the laptop'].flatMap((text) =>
      [ada, phone].map((one) => one.hears(text, 'delivered')),
    ),
  )
  // Each text once, on each of them.
  for (const one of [ada, phone, bob]) {
    const texts = await one.texts()
    assert.equal(new Set(texts).size, texts.length)
  }
  await phone.shot('linked-chat')

  await phone.reload()
  await phone.openChat('Bob')
  await phone.hears('To both')
  await phone.say('After a reload')
  await Promise.all([bob, ada].map((one) => one.hears('After a reload')))
  stage.check()
  await Promise.all([ada, bob, phone].map((one) => one.close()))
})

test('a browser is taken out by another one: it gets nothing new, and the contact is told', async () => {
  const [ada, bob, phone] = await Promise.all([stage.person(), stage.person(), stage.person()])
  await Promise.all([ada.create('Ada'), bob.create('Bob')])
  const invitation = await ada.invite()
  await bob.greet(invitation, 'Hello, this is Bob')
  await ada.accept('Bob')
  await Promise.all([ada, bob].map((one) => one.sees('chat', { state: 'active' })))
  await link(ada, phone)
  await phone.openChat('Bob')
  await phone.say('From the phone')
  await bob.hears('From the phone')
  await bob.say('To both')
  await phone.hears('To both')

  const row = ada.the('device', { slot: '1' })
  await row.getByTestId('device-remove').click()
  await ada.shot('device-remove')
  await ada.click('sheet-confirm')
  await row.waitFor({ state: 'detached' })
  await ada.shot('device-removed')
  await phone.sees('removed', { code: 'device_removed' })
  await phone.gone('composer')
  await phone.shot('device-removed-there')
  await bob.the('message-notice', {}).getByText('took a device out').waitFor({ timeout: 180_000 })
  await bob.shot('device-removed-contact')

  await ada.openChat('Bob')
  await bob.say('To who stays')
  await ada.hears('To who stays')
  await ada.say('Still here')
  await bob.hears('Still here')
  await new Promise((done) => setTimeout(done, 5_000))
  assert.ok(!(await phone.texts()).includes('To who stays'))
  assert.ok(!(await phone.texts()).includes('Still here'))

  // It stays so after a reload, what was there is read on, and it can be erased.
  await phone.reload()
  await phone.sees('removed')
  await phone.click('removed-read')
  await phone.openChat('Bob')
  await phone.hears('To both')
  await phone.sees('removed-chat')
  assert.equal(await phone.the('composer').count(), 0)
  await phone.shot('device-removed-chat')
  await phone.click('removed-choose')
  await phone.click('removed-erase')
  await phone.fill('erase-word', 'erase')
  await phone.click('erase-button')
  await phone.sees('welcome-link')
  stage.check()
  await Promise.all([ada, bob, phone].map((one) => one.close()))
})

test('a number that differs, said on either side, links nothing', async () => {
  const [ada, stranger] = await Promise.all([stage.person(), stage.person()])
  await ada.create('Ada')
  await ada.connected()
  await readCode(ada, await showCode(stranger))
  await Promise.all([ada, stranger].map((one) => one.sees('linking', { step: 'compare' })))
  await ada.click('link-different')
  await stranger.sees('linking', { step: 'failed' })
  await stranger.shot('linking-refused')
  await ada.sees('linking', { step: 'failed' })
  stage.check()
  await Promise.all([ada, stranger].map((one) => one.close()))
})
