/**
 * A relay and a browser for the tests of one file.
 *
 * Everything stays on this machine: relays listen on loopback unless a test says otherwise, and each
 * person is a browser context of its own (a profile: own IndexedDB, own locks). Nothing here sleeps;
 * what a test waits for is a state of the page. WIREMIN_SHOTS names a directory for pictures.
 */
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { launch } from '../browser.mjs'
import { Person } from './person.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const bin = process.env.WIREMIN_BIN_DIR ?? join(root, 'target/debug')
/** How long a state may take on a busy machine before the test has failed, in milliseconds. */
const PATIENCE = Number(process.env.WIREMIN_PATIENCE_S ?? 60) * 1000

export const program = (name) => join(bin, name)

/** Starts a program and gives it with the lines of JSON that it prints. */
export function startProgram(name, args) {
  const child = spawn(program(name), args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let log = ''
  child.stderr.on('data', (data) => (log = (log + data).slice(-20_000)))
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const ended = new Promise((resolve, reject) => {
    child.once('exit', resolve)
    child.once('error', reject)
  })
  ended.catch(() => {})
  const next = async () => {
    const { value, done } = await lines.next()
    if (!done) return JSON.parse(value)
    await ended
    throw new Error(`${name} ended: ${log}`)
  }
  return { child, ended, next, log: () => log }
}

/** A relay with a directory of its own; it can be killed and started again where it was. */
export class Relay {
  static async start(address = '127.0.0.1') {
    const relay = new Relay()
    relay.data = await mkdtemp(join(tmpdir(), 'wiremin-e2e-'))
    relay.address = address
    relay.port = 0
    relay.peers = []
    await relay.up()
    return relay
  }

  /** So many relays, each told of all others. */
  static async network(count) {
    const relays = await Promise.all(Array.from({ length: count }, () => Relay.start()))
    // Where they are shows when they have been there.
    await Promise.all(relays.map((relay) => relay.kill()))
    for (const relay of relays) {
      relay.peers = relays.filter((other) => other !== relay).map((other) => other.port)
    }
    await Promise.all(relays.map((relay) => relay.up()))
    return relays
  }

  async up() {
    const where = ['--bind', this.address, '--port', String(this.port), '--data', this.data]
    const how = ['--json', '--until-stdin-ends', '--no-lan', '--no-dht']
    const whom = this.peers.flatMap((port) => ['--peer', `127.0.0.1:${port}`])
    this.running = startProgram('wiremin-relay', [...where, ...how, ...whom])
    const said = await this.running.next()
    this.port = said.port
    this.hint = said.hint
    const host = this.address === '127.0.0.1' ? 'localhost' : this.address
    this.url = `http://${host}:${said.port}/`
  }

  /** As a power cut would. */
  async kill() {
    this.running.child.kill('SIGKILL')
    await this.running.ended
  }

  async close() {
    await this.kill()
    await rm(this.data, { recursive: true, force: true })
  }
}

/**
 * The relay and the browser of a file of tests. `person()` opens the page in a fresh profile.
 * `check()` fails on any error that a page reported since the last check.
 */
export class Stage {
  static async open() {
    const stage = new Stage()
    stage.errors = []
    try {
      stage.browser = await launch()
      stage.relay = await Relay.start()
    } catch (error) {
      // What is left running would keep this from ending.
      await stage.close()
      throw error
    }
    return stage
  }

  /** `options`: of the context, and `at`: what follows the address, such as `#invitation`. */
  async person({ at = '', url, ...options } = {}) {
    const context = await this.browser.newContext({ locale: 'en-GB', ...options })
    context.setDefaultTimeout(PATIENCE)
    const person = new Person(context, url ?? this.relay.url, (page) => this.watch(page))
    await person.open(at)
    return person
  }

  watch(page) {
    page.on('pageerror', (error) => this.errors.push(error.stack ?? error.message))
    page.on('console', (message) => {
      // A relay that is gone is the subject of some tests, and the browser logs each attempt; of
      // what comes over plain http it says that one of the headers has no effect there.
      const usual = /net::ERR_|Cross-Origin-Opener-Policy header has been ignored/
      if (message.type() !== 'error' || usual.test(message.text())) return
      this.errors.push(message.text())
    })
  }

  check() {
    const errors = this.errors.splice(0)
    if (errors.length > 0) throw new Error(`errors in the browser:\n${errors.join('\n')}`)
  }

  async close() {
    await this.browser?.close()
    await this.relay?.close()
  }
}
