/** The browser of the tests, which `CHROMIUM` names. Without one nothing is begun. */
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

const { CHROMIUM = '' } = process.env
const flags = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run']

if (!existsSync(CHROMIUM)) {
  const found = CHROMIUM ? `${CHROMIUM} is not there` : 'CHROMIUM is not set'
  console.error(`${found}: name a Chromium, as in CHROMIUM=/usr/bin/chromium, or run make test.`)
  process.exit(1)
}

const options = { executablePath: CHROMIUM, args: flags }

export const launch = () => chromium.launch(options)
/** A browser of one profile, kept in that directory. */
export const launchProfile = (profile) => chromium.launchPersistentContext(profile, options)
