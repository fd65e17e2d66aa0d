/** A browser, and a server on loopback with the WASM peer and a page that drives it. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launch, launchProfile } from '../browser.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const wasm = join(here, '../../www/src/wasm')
const types = { '.html': 'text/html', '.js': 'text/javascript', '.wasm': 'application/wasm' }

export const PASSCODE = 'a passcode for tests'

function serve() {
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost')
    const name = pathname === '/' ? 'index.html' : pathname.slice(1)
    const path = [join(here, 'page', name), join(wasm, name)].find(existsSync)
    if (!path || !/^[a-z_]+\.(html|js|wasm)$/.test(name)) {
      response.writeHead(404).end()
      return
    }
    response.writeHead(200, { 'content-type': types[extname(name)] })
    response.end(await readFile(path))
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

/**
 * `page(setup)` opens the page in another tab of one profile; `setup` runs before its scripts.
 * `fresh(setup)` does so in a profile of its own. Errors of pages are kept in `errors`.
 */
export async function open() {
  const browser = await launch()
  const server = await serve()
  const url = `http://localhost:${server.address().port}/`
  const shared = await browser.newContext()
  const errors = []
  async function visit(context, setup) {
    const page = await context.newPage()
    page.on('pageerror', (error) => errors.push(error.message))
    if (setup) await page.addInitScript(setup)
    await page.goto(url)
    await page.waitForFunction('globalThis.ready')
    return page
  }
  return {
    errors,
    url,
    page: (setup) => visit(shared, setup),
    fresh: async (setup) => visit(await browser.newContext(), setup),
    async close() {
      await browser.close()
      server.close()
    },
  }
}

/**
 * A browser with a profile that outlives it. `page()` opens the page; `restart(meanwhile)` ends the
 * browser and begins another; `quota(bytes)` is what pages may store, without a number what they might.
 */
export async function openProfile(profile) {
  const server = await serve()
  const url = `http://localhost:${server.address().port}/`
  let context = await launchProfile(profile)
  return {
    async page() {
      const page = await context.newPage()
      await page.goto(url)
      await page.waitForFunction('globalThis.ready')
      return page
    },
    async restart(meanwhile) {
      await context.close()
      meanwhile?.()
      context = await launchProfile(profile)
    },
    async quota(quotaSize) {
      const session = await context.newCDPSession(context.pages().at(-1))
      const { origin } = new URL(url)
      await session.send('Storage.overrideQuotaForOrigin', { origin, quotaSize })
    },
    async close() {
      await context.close()
      server.close()
    },
  }
}

/** Starts the peer and makes an account; gives its 18 words. */
export async function withAccount(page, options = {}) {
  return page.evaluate(
    async ({ passcode, options }) => {
      const problem = await start(options.config)
      if (problem) throw new Error(problem.code)
      await seen({ event: 'phase', phase: 'empty' })
      const { words } = await ask({ cmd: 'new_words' })
      await ask({
        cmd: 'create',
        name: 'Ada',
        words: words.join(' '),
        passcode,
        restore: false,
        remember: options.remember ?? false,
      })
      return words.join(' ')
    },
    { passcode: PASSCODE, options },
  )
}

/** Reloads the page and starts the peer anew. */
export async function restart(page, config = {}) {
  await page.reload()
  await page.waitForFunction('globalThis.ready')
  return page.evaluate((config) => start(config), config)
}

export const phase = (page, name) =>
  page.evaluate((name) => seen({ event: 'phase', phase: name }), name)
