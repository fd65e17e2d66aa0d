/**
 * An account in a browser, that is told what to do and tells what happens as `wiremin bot` does: JSON
 * lines. Its page comes from this machine. Argument: the hint of a relay.
 */
import { createInterface } from 'node:readline'
import { open } from '../web/harness.mjs'

const [hint] = process.argv.slice(2)
const browser = await open()
const page = await browser.page()
await page.exposeFunction('tell', (json) => process.stdout.write(`${json}\n`))
await page.evaluate(() => {
  const { push } = Array.prototype
  events.push = function (...told) {
    for (const event of told) void tell(JSON.stringify(event))
    return push.apply(this, told)
  }
})
const problem = await page.evaluate((hints) => start({ hints }), [hint])
if (problem) throw new Error(problem.code)
for await (const line of createInterface({ input: process.stdin })) {
  await page.evaluate((json) => command(json), line)
}
await browser.close()
if (browser.errors.length > 0) throw new Error(browser.errors.join('\n'))
