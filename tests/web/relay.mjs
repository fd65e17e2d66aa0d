/** A relay of this build, on loopback, for the tests of links. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const program = join(
  process.env.WIREMIN_BIN_DIR ?? new URL('../../target/debug', import.meta.url).pathname,
  'wiremin-relay',
)

/** Starts a relay; `stop` ends it, `start` again brings the same one back at the same port. */
export async function openRelay() {
  const data = await mkdtemp(join(tmpdir(), 'wiremin-relay-'))
  let child = null
  let port = 0
  const relay = {
    hint: '',
    async start() {
      const args = ['--data', data, '--port', `${port}`, '--bind', '127.0.0.1', '--json']
      const alone = ['--no-lan', '--no-dht']
      child = spawn(program, [...args, ...alone, '--until-stdin-ends'], {
        stdio: ['pipe', 'pipe', 'inherit'],
      })
      const lines = createInterface({ input: child.stdout })
      const ended = once(child, 'exit').then(() => Promise.reject(new Error('the relay ended')))
      ended.catch(() => {})
      const [line] = await Promise.race([once(lines, 'line'), ended])
      port = JSON.parse(line).port
      const answer = await fetch(`http://127.0.0.1:${port}/relay`)
      relay.hint = (await answer.json()).hint
    },
    async stop() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    async close() {
      if (child.exitCode === null && child.signalCode === null) await relay.stop()
      await rm(data, { recursive: true, force: true })
    },
  }
  await relay.start()
  return relay
}
