/** What people do to each other: bad links, refusals, deleting, limits, bots and lost relays. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { pair, PASSCODE } from './person.mjs'
import { Relay, Stage, startProgram } from './stage.mjs'

let stage
before(async () => {
  stage = await Stage.open()
})
after(() => stage?.close())

/** A link whose fragment's bytes were changed by `change`, with a check of their own. */
function changed(link, change) {
  const [host, fragment] = link.split('#')
  const bytes = Buffer.from(fragment, 'base64url')
  const all = bytes.subarray(0, -4)
  change(all)
  createHash('sha256').update('wm-inv').update(all).digest().copy(bytes, all.length, 0, 4)
  return `${host}#${bytes.toString('base64url')}`
}

test('links that lead nowhere each say what happened and what to do', async () => {
  const [ada, bob] = await Promise.all([stage.person(), stage.person()])
  await Promise.all([ada.create('Ada'), bob.create('Bob')])
  const link = await ada.invite()
  await bob.click('nav-open')
  const told = async (text, code) => {
    await bob.fill('open-link', text)
    await bob.click('open-look')
    await bob.sees('form-error', { code })
    assert.ok((await bob.the('form-error').textContent()).length > 60)
  }
  await told('hello', 'not_a_link')
  await told(link.slice(0, -3), 'link_mangled')
  await told(link.replace(/.{8}$/, 'AAAAAAAA'), 'link_mangled')
  // The hour stands behind version, flags, account and secret.
  await told(changed(link, (bytes) => bytes.writeUInt32LE(400_000, 50)), 'invitation_expired')
  await told(changed(link, (bytes) => (bytes[40] ^= 1)), 'invitation_not_found')
  // The next look begins without the error of the last.
  await bob.click('nav-invite')
  await bob.click('nav-open')
  await ada.click('invite-revoke')
  await ada.click('sheet-confirm')
  await ada.sees('invite', { state: 'revoked' })
  // The inviter forgets it at once; the relay, when the record that says so has come.
  for (let looks = 0; looks < 50; looks++) {
    await bob.fill('open-link', link)
    await bob.click('open-look')
    await bob.the('form-error').or(bob.the('open-send')).first().waitFor()
    if (await bob.the('form-error').isVisible()) break
    await bob.click('open-other')
  }
  await bob.sees('form-error', { code: 'invitation_revoked' })
  // One's own.
  const own = await bob.invite()
  await bob.click('nav-open')
  await bob.fill('open-link', own)
  await bob.click('open-look')
  await bob.sees('open-other')
  assert.equal(await bob.the('open-send').count(), 0)
  stage.check()
  await Promise.all([ada.close(), bob.close()])
})

test('a link that names another relay asks before it shows one’s address there', async () => {
  const far = await Relay.start()
  const [ada, eve] = await Promise.all([stage.person(), stage.person({ url: far.url })])
  await Promise.all([ada.create('Ada'), eve.create('Eve')])
  const link = await ada.invite()
  await eve.click('nav-open')
  await eve.fill('open-link', link)
  await eve.click('open-look')
  await eve.sees('open-relays')
  const told = await eve.the('open-relays').textContent()
  assert.ok(told.includes(`:${new URL(stage.relay.url).port}`), told)
  await eve.click('open-agree')
  await eve.sees('open-name')
  // For the look-up alone it is not kept.
  await eve.click('nav-settings')
  assert.equal(await eve.the('relay').count(), 1)
  await eve.click('nav-open')
  await eve.fill('open-link', link)
  await eve.click('open-look')
  await eve.click('open-agree')
  await eve.sendGreeting('From far away')
  await ada.accept('Eve')
  await eve.sees('chat', { state: 'active' })
  await eve.say('Here I am')
  await ada.hears('Here I am')
  await eve.click('nav-settings')
  assert.equal(await eve.the('relay').count(), 2)
  stage.check()
  await Promise.all([ada.close(), eve.close()])
  await far.close()
})

test('a greeting can be declined, or its sender blocked', async () => {
  const people = await Promise.all(['Ada', 'Bob', 'Eve'].map(() => stage.person()))
  const [ada, bob, eve] = people
  await Promise.all([ada.create('Ada'), bob.create('Bob'), eve.create('Eve')])
  const link = await ada.invite()
  await bob.greet(link, 'Buy something')
  await eve.greet(link, 'Buy more')
  await ada.click('nav-greetings')
  const from = (name) => ada.the('greeting').filter({ hasText: name })
  await from('Bob').getByTestId('greeting-decline').click()
  await from('Bob').waitFor({ state: 'detached' })
  await from('Eve').getByTestId('greeting-block').click()
  await from('Eve').waitFor({ state: 'detached' })
  assert.equal(await ada.row('Bob').count(), 0)
  assert.equal(await bob.the('chat', { state: 'greeted' }).count(), 1)
  await ada.reload()
  await ada.sees('app')
  assert.equal(await ada.the('conversation').count(), 0)
  stage.check()
  await Promise.all(people.map((one) => one.close()))
})

test('deleting is local: a message, then the conversation; the contact stays', async () => {
  const [ada, bob] = await pair(stage, 'Ada', 'Bob')
  await ada.say('Delete me')
  await ada.say('Keep me')
  await bob.hears('Keep me')
  await ada.hears('Keep me', 'delivered')
  await ada.pick('Delete me', 'message-delete')
  await ada.message('Delete me').waitFor({ state: 'detached' })
  await ada.reload()
  await ada.openChat('Bob')
  await ada.hears('Keep me')
  assert.equal(await ada.message('Delete me').count(), 0)
  await ada.click('chat-info')
  await ada.click('contact-clear')
  await ada.click('sheet-confirm')
  await ada.message('Keep me').waitFor({ state: 'detached' })
  assert.deepEqual(await ada.texts(), [])
  assert.deepEqual((await bob.texts()).slice(-2), ['Delete me', 'Keep me'])
  await bob.say('Are you there?')
  await ada.hears('Are you there?')
  stage.check()
  await Promise.all([ada.close(), bob.close()])
})

test('a text that is too long is told before it is sent; the longest one arrives', async () => {
  const [ada, bob] = await pair(stage, 'Ada', 'Bob')
  const longest = '€'.repeat(666) + 'ab'
  await ada.fill('composer', `${longest}c`)
  await ada.sees('composer-count', { left: -1 })
  await ada.the('composer').press('Enter')
  assert.equal(await ada.the('composer').inputValue(), `${longest}c`)
  await ada.say(longest)
  await bob.hears(longest)
  stage.check()
  await Promise.all([ada.close(), bob.close()])
})

test('without the relay messages wait, can be cancelled and sent again; it comes back', async () => {
  const [ada, bob] = await pair(stage, 'Ada', 'Bob')
  await stage.relay.kill()
  await ada.say('Not this one')
  await ada.say('This one waits')
  await ada.hears('This one waits', 'queued')
  await ada.pick('Not this one', 'message-cancel')
  await ada.hears('Not this one', 'cancelled')
  await Promise.all([ada, bob].map((one) => one.sees('link-state', { state: 'down' })))
  await stage.relay.up()
  await Promise.all([ada.connected(), bob.connected()])
  await bob.hears('This one waits')
  assert.equal(await bob.message('Not this one').count(), 0)
  await ada.message('Not this one').getByTestId('message-retry').click()
  await bob.hears('Not this one')
  await bob.say('Now both are here')
  await ada.hears('Now both are here')
  await ada.hears('This one waits', 'delivered')
  await ada.hears('Not this one', 'delivered')
  stage.check()
  await Promise.all([ada.close(), bob.close()])
})

test('the page’s own relay is looked for again where it is now', async () => {
  const ada = await stage.person({ url: 'about:blank' })
  const hint = Buffer.from(stage.relay.hint, 'base64url')
  // The port stands behind flags and address: nobody is there.
  hint.writeUInt16LE(9, 5)
  const told = { json: { hint: hint.toString('base64url') } }
  await ada.page.route('**/relay', (route) => route.fulfill(told), { times: 1 })
  await ada.page.goto(stage.relay.url)
  await ada.create('Ada')
  await ada.connected()
  await ada.invite()
  stage.check()
  await ada.close()
})

test('a browser and a bot chat', async () => {
  const ada = await stage.person()
  await ada.create('Ada')
  const link = await ada.invite()
  const data = await mkdtemp(join(tmpdir(), 'wiremin-e2e-bot-'))
  const bot = new Bot(data, stage.relay.hint)
  const { words } = await bot.ask({ cmd: 'new_words' })
  const account = { name: 'Robot', words: words.join(' '), passcode: PASSCODE }
  await bot.ask({ cmd: 'create', ...account, restore: false, remember: false })
  assert.equal((await bot.ask({ cmd: 'open_invite', link })).name, 'Ada')
  const { contact } = await bot.ask({ cmd: 'greet', link, text: 'Beep' })
  await ada.accept('Robot')
  await ada.hears('Beep')
  await bot.sees((e) => e.event === 'contact' && e.contact.state === 'active')
  await ada.say('Hello robot')
  await bot.sees((e) => e.event === 'message' && e.message.text === 'Hello robot')
  await bot.ask({ cmd: 'send', contact: contact.contact, text: 'Hello human' })
  await ada.hears('Hello human')
  await ada.hears('Hello robot', 'delivered')
  await bot.close()
  await rm(data, { recursive: true, force: true })
  stage.check()
  await ada.close()
})

/** `wiremin bot`, asked and listened to. */
class Bot {
  constructor(data, hint) {
    this.program = startProgram('wiremin', ['bot', '--data', data, '--relay', hint])
    this.id = 0
    this.events = []
  }

  async ask(command) {
    const id = ++this.id
    this.program.child.stdin.write(`${JSON.stringify({ id, ...command })}\n`)
    const done = await this.sees((e) => e.id === id)
    if (done.event === 'failed') throw new Error(JSON.stringify(done.error))
    return done.answer
  }

  /** The first event, of those that came and those to come, that is so. */
  async sees(is) {
    for (let at = 0; ; at++) {
      if (at === this.events.length) this.events.push(await this.program.next())
      if (is(this.events[at])) return this.events[at]
    }
  }

  async close() {
    this.program.child.kill('SIGTERM')
    await this.program.ended
  }
}
