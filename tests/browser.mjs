/** The browser of the tests, which `CHROMIUM` names. Without one nothing is begun. */
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

const { CHROMIUM = '' } = process.env
/** Leads the browser to loopback, without being one of the names that it knows to do so. */
export const OTHER_NAME = 'relay.test'
const flags = [
  ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  `--host-resolver-rules=MAP ${OTHER_NAME} 127.0.0.1`,
]

if (!existsSync(CHROMIUM)) {
  const found = CHROMIUM ? `${CHROMIUM} is not there` : 'CHROMIUM is not set'
  console.error(`${found}: name a Chromium, as in CHROMIUM=/usr/bin/chromium, or run make test.`)
  process.exit(1)
}

const options = { executablePath: CHROMIUM, args: flags }

export const launch = () => chromium.launch(options)
/** A browser of one profile, kept in that directory. */
export const launchProfile = (profile) => chromium.launchPersistentContext(profile, options)
