/**
 * Pictures of every screen, wide and on a phone, light and dark, with the scripted account.
 * `npm run shots -- [dir] [part of a name]`. Fails when the browser reports an error on any screen.
 */
import { mkdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'
import { codeOnVideo, linkScreens } from './linkScreens.mjs'
import { serve } from './serve.mjs'

const out = resolve(process.argv[2] ?? join(tmpdir(), 'wiremin-shots'))
const only = process.argv[3] ?? ''
const words =
  'amber bridge canyon dolphin ember falcon garden harbor island jacket kettle lantern ' +
  'meadow nectar orchid pepper quartz river'

const id = (page, name) => page.getByTestId(name)
const next = (page) => id(page, 'next').click()

async function paste(page, locator, text) {
  await locator.focus()
  await locator.evaluate((field, text) => {
    const clipboardData = new DataTransfer()
    clipboardData.setData('text', text)
    field.dispatchEvent(
      new ClipboardEvent('paste', { clipboardData, bubbles: true, cancelable: true }),
    )
  }, text)
}

async function toConfirm(page) {
  await id(page, 'welcome-create').click()
  await id(page, 'name-input').fill('Ada')
  await next(page)
  await id(page, 'words').waitFor()
}

async function fillPasscode(page, passcode) {
  await id(page, 'passcode').fill(passcode)
  await id(page, 'passcode-repeat').fill(passcode)
  await page.locator('[data-testid=strength][data-score]').waitFor()
}

async function toPasscode(page) {
  await toConfirm(page)
  await next(page)
  await paste(page, id(page, 'confirm-word').first(), words)
  await next(page)
}

const chat = (name) => async (page) => {
  await page.getByTestId('conversation').filter({ hasText: name }).first().click()
  await id(page, 'log').waitFor()
}
const settings = async (page) => id(page, 'nav-settings').click()

/** Name, scene, what to do before the picture. */
const screens = [
  ['welcome', 'empty'],
  ['welcome-static', 'static'],
  ['welcome-static-invited', 'static#invite', (page) => id(page, 'pending').waitFor()],
  ['static-first', 'static-first'],
  ['welcome-http', 'http'],
  ['unlock-http', 'http-locked'],
  [
    'create-passcode-http',
    'http',
    async (page) => {
      await toPasscode(page)
      await fillPasscode(page, 'walnut ferry quiet 9')
    },
  ],
  [
    'create-learn-http',
    'http',
    async (page) => {
      await toPasscode(page)
      await fillPasscode(page, 'walnut ferry quiet 9')
      await next(page)
      await id(page, 'learn').waitFor()
    },
  ],
  ['welcome-invited', 'empty#invite', (page) => id(page, 'pending').waitFor()],
  [
    'create-name',
    'empty',
    async (page) => {
      await id(page, 'welcome-create').click()
      await next(page)
    },
  ],
  ['create-words', 'empty', toConfirm],
  [
    'create-confirm',
    'empty',
    async (page) => {
      await toConfirm(page)
      await next(page)
      await id(page, 'confirm-word').first().fill('wrong')
      await next(page)
    },
  ],
  [
    'create-passcode',
    'empty',
    async (page) => {
      await toPasscode(page)
      await fillPasscode(page, 'sunshine1')
    },
  ],
  [
    'create-learn',
    'empty',
    async (page) => {
      await toPasscode(page)
      await fillPasscode(page, 'walnut ferry quiet 9')
      await next(page)
      await id(page, 'learn').waitFor()
    },
  ],
  [
    'restore',
    'empty',
    async (page) => {
      await id(page, 'welcome-restore').click()
      await id(page, 'restore-word').nth(0).fill('amber')
      await id(page, 'restore-word').nth(1).fill('bridgw')
      await id(page, 'restore-word').nth(2).fill('br')
      await id(page, 'restore-suggestion').first().waitFor()
    },
  ],
  [
    'restore-warning',
    'empty',
    async (page) => {
      await id(page, 'welcome-restore').click()
      await paste(page, id(page, 'restore-word').first(), words.replace('amber', 'rival'))
      await id(page, 'restore-warning').waitFor()
    },
  ],
  ['import', 'empty', (page) => id(page, 'welcome-import').click()],
  ['unlock', 'locked'],
  ['unlock-wait', 'waiting', (page) => id(page, 'unlock-forgot').click()],
  ['starting', 'starting'],
  ['second-tab', 'second-tab', (page) => id(page, 'stop').waitFor()],
  ['first', 'first'],
  ['list', 'people'],
  ['chat', 'people', chat('Grace')],
  [
    'chat-menu',
    'people',
    async (page) => {
      await chat('Grace')(page)
      await page.getByTestId('message').last().hover()
      await id(page, 'message-menu').last().click()
    },
  ],
  [
    'chat-limit',
    'people',
    async (page) => {
      await chat('Grace')(page)
      await id(page, 'composer').fill('A long text. '.repeat(160))
    },
  ],
  ['chat-states', 'states', chat('Katherine')],
  ['chat-greeted', 'people', chat('Mary')],
  [
    'contact',
    'people',
    async (page) => {
      await chat('Grace')(page)
      await id(page, 'chat-info').click()
      await id(page, 'safety-number').click()
      await page.locator('[data-digits]').waitFor()
    },
  ],
  ['greetings', 'people', (page) => id(page, 'nav-greetings').click()],
  ['invites', 'people', (page) => id(page, 'nav-invite').click()],
  [
    'invite-made',
    'people',
    async (page) => {
      await id(page, 'nav-invite').click()
      await id(page, 'invite-make').click()
      await page.locator('[data-testid=invite-qr][data-ready=true]').waitFor()
    },
  ],
  ['open', 'people', (page) => id(page, 'nav-open').click()],
  ['open-found', 'first#invite', (page) => id(page, 'open-send').waitFor()],
  ['open-expired', 'first#expired', (page) => id(page, 'form-error').waitFor()],
  ['settings', 'people', settings],
  [
    'settings-end',
    'people',
    async (page) => {
      await settings(page)
      await id(page, 'settings-erase').scrollIntoViewIfNeeded()
    },
  ],
  [
    'erase',
    'people',
    async (page) => {
      await settings(page)
      await id(page, 'settings-erase').click()
    },
  ],
  [
    'export',
    'people',
    async (page) => {
      await settings(page)
      await id(page, 'settings-export').click()
    },
  ],
  ['open-relays', 'first#invite-far', (page) => id(page, 'open-relays').waitFor()],
  ['welcome-expired', 'empty#expired', (page) => id(page, 'pending').waitFor()],
  ['second-tab-invited', 'second-tab#invite', (page) => id(page, 'pending').waitFor()],
  ['unreadable', 'unreadable', (page) => id(page, 'stop').waitFor()],
  ['restored', 'restored'],
  ['chat-new', 'people', chat('Katherine')],
  ['chat-last', 'states', chat('Hedy')],
  ['chat-greeting', 'states', chat('Mary')],
  [
    'chat-unsaved',
    'trouble',
    async (page) => {
      await chat('Grace')(page)
      await id(page, 'composer').fill('Does this stay?')
      await id(page, 'send').click()
      await id(page, 'message-unsaved').waitFor()
    },
  ],
  [
    'contact-end',
    'people',
    async (page) => {
      await chat('Grace')(page)
      await id(page, 'chat-info').click()
      await id(page, 'contact-block').scrollIntoViewIfNeeded()
    },
  ],
  [
    'settings-relays',
    'people',
    async (page) => {
      await settings(page)
      await id(page, 'relay').last().scrollIntoViewIfNeeded()
    },
  ],
  [
    'settings-relay-gone',
    'relay-gone',
    async (page) => {
      await settings(page)
      await id(page, 'relay').last().scrollIntoViewIfNeeded()
    },
  ],
  ['trouble', 'trouble', (page) => id(page, 'trouble').waitFor()],
  ['chat-returned', 'returned', chat('Grace')],
  ['chat-returning', 'returned', chat('Katherine')],
  [
    'contact-returned',
    'returned',
    async (page) => {
      await chat('Grace')(page)
      await id(page, 'returned-compare').click()
      await page.locator('[data-digits]').waitFor()
    },
  ],
  ['list-returned', 'returned', (page) => page.locator('.conversation img').waitFor()],
  [
    'settings-profile',
    'returned',
    async (page) => {
      await settings(page)
      await id(page, 'settings-about').fill('Words about oneself. '.repeat(21))
    },
  ],
  [
    'settings-repair',
    'people',
    async (page) => {
      await settings(page)
      await id(page, 'settings-repair').click()
      await id(page, 'settings-come-back').scrollIntoViewIfNeeded()
    },
  ],
  [
    'repair',
    'people',
    async (page) => {
      await settings(page)
      await id(page, 'settings-repair').click()
      await id(page, 'settings-come-back').click()
    },
  ],
  ['looking', 'looking'],
  ['looking-static', 'static-looking'],
  ['nothing', 'nothing'],
  ['found', 'found'],
  ['back', 'back'],
  ['removed', 'removed', (page) => id(page, 'removed').waitFor()],
  [
    'removed-chat',
    'removed',
    async (page) => {
      await id(page, 'removed-read').click()
      await chat('Grace')(page)
    },
  ],
  [
    'removed-devices',
    'removed',
    async (page) => {
      await id(page, 'removed-read').click()
      await settings(page)
      await id(page, 'device').first().scrollIntoViewIfNeeded()
    },
  ],
  ['contact-removed', 'contact-removed', chat('Grace')],
  [
    'device-remove',
    'devices',
    async (page) => {
      await settings(page)
      await id(page, 'device-remove').first().scrollIntoViewIfNeeded()
    },
  ],
  [
    'device-remove-full',
    'devices',
    async (page) => {
      await settings(page)
      await id(page, 'device-remove').first().click()
    },
  ],
  ['elsewhere', 'elsewhere', (page) => id(page, 'elsewhere').waitFor()],
  [
    'elsewhere-mine',
    'elsewhere',
    async (page) => {
      await id(page, 'elsewhere-mine').click()
      await id(page, 'sheet-confirm').waitFor()
    },
  ],
  [
    'elsewhere-take',
    'elsewhere',
    async (page) => {
      await id(page, 'elsewhere-take').click()
      await id(page, 'sheet-confirm').waitFor()
    },
  ],
  [
    'chat-elsewhere',
    'elsewhere',
    async (page) => {
      await id(page, 'elsewhere-mine').click()
      await id(page, 'sheet-confirm').click()
      await chat('Grace')(page)
    },
  ],
  ...linkScreens,
]

const sizes = {
  wide: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
}

mkdirSync(out, { recursive: true })
const site = await serve(fileURLToPath(new URL('../node_modules/.fake', import.meta.url)))
const video = codeOnVideo()
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-background-networking',
    '--use-fake-ui-for-media-stream',
    '--use-fake-device-for-media-stream',
    `--use-file-for-fake-video-capture=${video}`,
  ],
})
let failures = 0
for (const [size, options] of Object.entries(sizes)) {
  for (const colorScheme of ['light', 'dark']) {
    const context = await browser.newContext({ ...options, colorScheme, locale: 'en-GB' })
    for (const [name, where, act] of screens) {
      const file = `${name}-${size}-${colorScheme}`
      if (!file.includes(only)) continue
      const page = await context.newPage()
      page.setDefaultTimeout(5_000)
      page.on('pageerror', (error) => {
        failures++
        console.error(`${file}: ${error.message}`)
      })
      page.on('console', (message) => {
        if (message.type() !== 'error') return
        failures++
        console.error(`${file}: ${message.text()}`)
      })
      const [scene, hash] = where.split('#')
      await page.goto(`${site.url}?scene=${scene}${hash ? `#${hash}` : ''}`)
      try {
        await act?.(page)
      } catch (error) {
        failures++
        console.error(`${file}: ${String(error).split('\n')[0]}`)
      }
      await page.waitForTimeout(250)
      await page.screenshot({ path: join(out, `${file}.png`) })
      await page.close()
    }
    await context.close()
  }
}
await browser.close()
site.close()
rmSync(video)
console.log(`${failures} failures, pictures in ${out}`)
process.exit(failures === 0 ? 0 : 1)
