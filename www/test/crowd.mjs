/**
 * Thousands of contacts and messages in a real browser: how long the page is busy with what, and
 * whether a line stays in its place. `npm run crowd`. Fails when a place is lost or a bound passed.
 */
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { serve } from './serve.mjs'

const site = await serve(fileURLToPath(new URL('../node_modules/.fake', import.meta.url)))
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking'],
})
const page = await browser.newPage({ viewport: { width: 1280, height: 800 } })
let failures = 0
page.on('pageerror', (error) => {
  failures++
  console.error(error.message)
})

function check(what, holds, told) {
  if (!holds) failures++
  console.log(`${holds ? 'ok  ' : 'FAIL'} ${what}: ${told}`)
}

/** Milliseconds until what an action does is on the screen. */
const painted = (action) =>
  page.evaluate(async (source) => {
    const begin = performance.now()
    new Function(`return (${source})()`)()
    await new Promise((done) => requestAnimationFrame(() => setTimeout(done)))
    return performance.now() - begin
  }, action.toString())

async function took(what, ms_max, action) {
  const times = []
  for (let i = 0; i < 5; i++) times.push(await painted(action))
  const ms = times.sort((a, b) => a - b)[2]
  check(what, ms < ms_max, `${ms.toFixed(0)} ms`)
}

const lines = () => page.locator('.line').count()
/** How far the line that is read moves while something happens, in pixels. */
async function moved(action) {
  const where = (id) =>
    page.evaluate((id) => {
      const box = document.querySelector('.log')
      const top = box.getBoundingClientRect().top
      const all = [...document.querySelectorAll('[data-testid=message]')]
      const line = id
        ? all.find((one) => one.dataset.message === id)
        : all.find((one) => one.getBoundingClientRect().bottom > top + 100)
      return { id: line?.dataset.message, at: line && line.getBoundingClientRect().top - top }
    }, id)
  const before = await where()
  await action()
  await page.waitForTimeout(150)
  const after = await where(before.id)
  return after.at === undefined ? Infinity : Math.abs(after.at - before.at)
}
const scrollTo = (top) =>
  page.evaluate((top) => {
    document.querySelector('.log').scrollTo({ top })
    // The page hears of it with the next frame.
    return new Promise((done) => requestAnimationFrame(() => setTimeout(done)))
  }, top)

const receive = () => {
  const grace = [...fake.contacts.values()].find((c) => c.name === 'Grace Hopper')
  fake.receive(grace.contact, 'Hello')
}

const begin = Date.now()
await page.goto(`${site.url}?scene=crowd`)
await page.getByTestId('conversation').first().waitFor()
check('2,000 contacts are there', Date.now() - begin < 4_000, `${Date.now() - begin} ms`)
await took('a contact changes', 120, () => {
  const contact = fake.contacts.get([...fake.contacts.keys()][700])
  fake.receive(contact.contact, 'Hello')
})
for (let i = 0; i < 30; i++) await page.evaluate(receive)
const chat = Date.now()
await page.getByTestId('conversation').filter({ hasText: 'Grace' }).click()
await page.getByTestId('message').nth(49).waitFor()
check('20,000 messages open', Date.now() - chat < 1_000, `${Date.now() - chat} ms`)
await page.waitForTimeout(200)
const news = await page.evaluate(() => {
  const top = (selector) => document.querySelector(selector).getBoundingClientRect().top
  return top('.new-line') - top('.log')
})
check('it opens where what is new begins', news >= 0 && news < 200, `${news.toFixed(0)} px`)

await scrollTo(300)
await page.waitForFunction(() => document.querySelectorAll('.line').length > 60)
check('older messages come by scrolling', (await lines()) > 50, `${await lines()} lines`)
await scrollTo(700)
const toEarlier = () =>
  page.evaluate(() => document.querySelector('[data-testid=earlier]')?.click())
const kept = async (when, action) => {
  const px = await moved(action)
  check(`the place is kept when ${when}`, px < 2, `${px.toFixed(1)} px`)
}
await kept('older messages come', toEarlier)
let scrolls = 0
for (; scrolls < 1_000 && (await page.getByTestId('earlier').count()) > 0; scrolls++) {
  await scrollTo(0)
  await page.waitForFunction(() => !document.querySelector('[data-testid=earlier][aria-busy=true]'))
}
console.log(`     up in ${scrolls} scrolls`)
await page.getByText('Line 1. ', { exact: false }).first().waitFor()
check(
  'all 20,000 were walked through',
  (await lines()) <= 200,
  `${await lines()} lines in the page`,
)
await kept('a message comes in below', () => page.evaluate(receive))
await took('a message comes in while all are loaded', 120, receive)
await page.getByTestId('to-bottom').click()
await page.getByText('Hello', { exact: true }).last().waitFor()
await page.getByTestId('composer').fill('Mine')
await page.getByTestId('composer').press('Enter')
await page.waitForFunction(() => {
  const box = document.querySelector('.log')
  return box.scrollHeight - box.scrollTop - box.clientHeight < 2
})
await scrollTo(800)
await kept('older messages come above one of one’s own', toEarlier)
await browser.close()
site.close()
process.exit(failures === 0 ? 0 : 1)
