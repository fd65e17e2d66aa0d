/** Somebody at the page: what a person does and sees there, by the page's test ids. */
import { join } from 'node:path'

const { WIREMIN_SHOTS: shots } = process.env

export const PASSCODE = 'walnut ferry quiet 9'

export class Person {
  /** `watch` is called with each page that is opened. */
  constructor(context, url, watch) {
    this.context = context
    this.url = url
    this.watch = watch
  }

  /** Opens the page in a new tab; `at` follows the address. */
  async open(at = '') {
    this.page = await this.context.newPage()
    this.watch(this.page)
    await this.page.goto(this.url + at)
    return this
  }

  /** The elements with a test id; `attributes` narrow them, such as `{ state: 'open' }`. */
  the(id, attributes = {}) {
    const rest = Object.entries(attributes).map(([name, value]) => `[data-${name}="${value}"]`)
    return this.page.locator(`[data-testid="${id}"]${rest.join('')}`)
  }

  click(id, attributes) {
    return this.the(id, attributes).first().click()
  }

  fill(id, text) {
    return this.the(id).first().fill(text)
  }

  /** The radio button of that value. */
  choose(id, value) {
    return this.page.locator(`[data-testid="${id}"][value="${value}"]`).check({ force: true })
  }

  sees(id, attributes) {
    return this.the(id, attributes).first().waitFor()
  }

  gone(id, attributes) {
    return this.the(id, attributes).first().waitFor({ state: 'hidden' })
  }

  /** Pastes as from the clipboard. */
  async paste(id, text) {
    const field = this.the(id).first()
    await field.focus()
    await field.evaluate((field, text) => {
      const clipboardData = new DataTransfer()
      clipboardData.setData('text', text)
      const init = { clipboardData, bubbles: true, cancelable: true }
      field.dispatchEvent(new ClipboardEvent('paste', init))
    }, text)
  }

  /** Goes on in a wizard, once it lets one. */
  next() {
    return this.page.locator('[data-testid=next]:not([aria-disabled=true])').click()
  }

  /** Confirms a sheet, once it lets one. */
  confirm() {
    return this.page.locator('[data-testid=sheet-confirm]:not([aria-disabled=true])').click()
  }

  /** Moves the focus with the Tab key until it is there. */
  async tabTo(locator) {
    for (let presses = 0; presses < 60; presses++) {
      if (await locator.first().evaluate((element) => element === document.activeElement)) return
      await this.page.keyboard.press('Tab')
    }
    throw new Error(`the Tab key does not lead to ${locator}`)
  }

  /** Reaches something with the Tab key and presses it with Enter. */
  async press(id) {
    await this.tabTo(this.the(id))
    await this.page.keyboard.press('Enter')
  }

  /** A new account from the welcome page to the list; gives its 18 words. */
  async create(name, { remember = true, passcode = PASSCODE } = {}) {
    await this.click('welcome-create')
    await this.fill('name-input', name)
    await this.click('next')
    await this.sees('words')
    const words = await this.the('word').allTextContents()
    await this.click('next')
    for (const field of await this.the('confirm-word').all()) {
      await field.fill(words[Number(await field.getAttribute('data-at')) - 1])
    }
    await this.click('next')
    await this.choosePasscode(passcode, remember)
    await this.click('agree')
    return words
  }

  /** From the words of an account that was lost to the list. */
  async restoreAs(name) {
    await this.next()
    await this.fill('name-input', name)
    await this.next()
    await this.choosePasscode()
    await this.click('agree')
  }

  /** `remember`: as the page proposes, or null where it proposes nothing. */
  async choosePasscode(passcode = PASSCODE, remember = true) {
    await this.fill('passcode', passcode)
    await this.fill('passcode-repeat', passcode)
    if (remember === false) await this.click('remember')
    await this.next()
    await this.sees('learn')
  }

  /** Has a working link to a relay. */
  connected() {
    return this.sees('link-state', { state: 'open' })
  }

  /** Has working links to so many relays of that kind, no matter which; leaves Settings open. */
  async holds(count, kind = {}) {
    await this.click('nav-settings')
    await this.the('relay', { ...kind, state: 'open' })
      .nth(count - 1)
      .waitFor()
  }

  /** Makes an invitation, waits until the network has it, and gives its link. */
  async invite() {
    await this.click('nav-invite')
    await this.click('invite-make')
    const link = await this.the('invite-link').inputValue()
    await this.sees('invite', { state: 'live' })
    await this.click('sheet-close')
    return link
  }

  /** Looks up a link that is typed in, and greets. */
  async greet(link, text) {
    await this.click('nav-open')
    await this.fill('open-link', link)
    await this.click('open-look')
    await this.sendGreeting(text)
  }

  async sendGreeting(text) {
    await this.fill('open-text', text)
    await this.click('open-send')
    await this.sees('chat')
  }

  /** Accepts the greeting of that name. */
  async accept(name) {
    await this.click('nav-greetings')
    const greeting = this.the('greeting').filter({ hasText: name })
    await greeting.getByTestId('greeting-accept').click()
    await this.sees('chat')
  }

  row(name) {
    return this.the('conversation').filter({ hasText: name })
  }

  async openChat(name) {
    await this.row(name).click()
    await this.sees('log')
  }

  async say(text) {
    await this.fill('composer', text)
    await this.the('composer').press('Enter')
  }

  /** The message of that text, in that state when one is given. */
  message(text, state) {
    return this.the('message', state ? { state } : {}).filter({
      has: this.page.getByText(text, { exact: true }),
    })
  }

  /** Waits until the message of that text is there, in that state when one is given. */
  async hears(text, state) {
    try {
      await this.message(text, state).waitFor()
    } catch (error) {
      throw new Error(`${error.message}\n${await this.shown()}`)
    }
  }

  /** What all open pages show, for who looks into why a test failed. */
  async shown() {
    const pages = this.context.browser().contexts().flatMap((context) => context.pages())
    const texts = pages.map((page) =>
      page.evaluate(() => {
        const states = [...document.querySelectorAll('[data-testid][data-state]')]
        const state = ({ dataset }) => `${dataset.testid}: ${dataset.state}`
        return `${document.body.innerText}\n${states.map(state).join(', ')}`
      }),
    )
    return (await Promise.allSettled(texts)).map(({ value }) => `--- ${value}`).join('\n')
  }

  /** All texts of the open conversation, oldest first. */
  texts() {
    return this.the('message-text').allTextContents()
  }

  async pick(text, item) {
    const message = this.message(text)
    await message.hover()
    await message.getByTestId('message-menu').click()
    await this.click(item)
  }

  /** A picture of what is on the page, where somebody wants to look at it. */
  async shot(name) {
    if (shots) await this.page.screenshot({ path: join(shots, `${name}.png`) })
  }

  reload() {
    return this.page.reload()
  }

  /** Closes the tab; what was kept stays in the profile. */
  leave() {
    return this.page.close({ runBeforeUnload: false })
  }

  async unlock(passcode = PASSCODE) {
    await this.fill('passcode', passcode)
    await this.click('unlock-button')
  }

  close() {
    return this.context.close()
  }
}

/** Two people who know each other: the first invited, the second greeted. `url`: of their page. */
export async function pair(stage, first, second, { url } = {}) {
  const [a, b] = await Promise.all([stage.person({ url }), stage.person({ url })])
  await Promise.all([a.create(first), b.create(second)])
  const link = await a.invite()
  await b.greet(link, `Hello, this is ${second}`)
  await a.accept(second)
  await Promise.all([a, b].map((one) => one.sees('chat', { state: 'active' })))
  return [a, b]
}
