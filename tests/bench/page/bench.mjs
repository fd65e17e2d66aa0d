/**
 * Figures of the whole page on loopback, beside their goals; a missed goal is only printed.
 *
 *   tests/bench/page/run.sh [--rounds 5]
 *
 * Each round is two new profiles. Long tasks are counted by the browser itself, from the moment
 * both accounts are open until the first message is delivered.
 */
import { parseArgs } from 'node:util'
import { Stage } from '../../e2e/stage.mjs'

const { values: args } = parseArgs({ options: { rounds: { type: 'string', default: '5' } } })
/** What browsers call a long task. */
const LONG_TASK_MS = 50

/** Runs in the page: keeps its long tasks, in milliseconds. */
function watchLongTasks() {
  globalThis.longTasks = []
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) longTasks.push(Math.round(entry.duration))
  }).observe({ type: 'longtask', buffered: false })
}

/** Runs in the page: bytes that came over the wire, bodies and headers. */
function downloaded() {
  const entries = performance.getEntriesByType('navigation')
  entries.push(...performance.getEntriesByType('resource'))
  return entries.reduce((sum, entry) => sum + entry.transferSize, 0)
}

/** Milliseconds until it is done. */
async function time(work) {
  const start = performance.now()
  await work()
  return performance.now() - start
}

/** From the navigation to the state of the page, by the page's own clock. */
async function untilReady(person) {
  await person.page.reload({ waitUntil: 'commit' })
  return person.page.evaluate(async () => {
    const ready = () => document.querySelector('[data-testid=link-state][data-state=open]')
    while (!ready()) await new Promise((resolve) => setTimeout(resolve, 5))
    return performance.now()
  })
}

async function round(stage) {
  const [ada, bob] = await Promise.all([stage.person(), stage.person()])
  await ada.sees('welcome')
  const firstLoad = await ada.page.evaluate(downloaded)
  await ada.create('Ada')
  await bob.create('Bob')
  await ada.connected()
  await bob.connected()
  const link = await ada.invite()
  await Promise.all([ada, bob].map((one) => one.page.evaluate(watchLongTasks)))
  const toDelivered = await time(async () => {
    await bob.greet(link, 'Hello')
    await ada.accept('Bob')
    await bob.sees('chat', { state: 'active' })
    await ada.say('Welcome')
    await bob.hears('Welcome')
  })
  const toAcknowledged = await time(() => ada.hears('Welcome', 'delivered'))
  const longTasks = await Promise.all([ada, bob].map((one) => one.page.evaluate('longTasks')))
  const ready = await untilReady(ada)
  await Promise.all([ada.close(), bob.close()])
  return { firstLoad, toDelivered, toAcknowledged, ready, longTasks: longTasks.flat() }
}

const verdict = (met) => (met ? 'met' : 'MISSED')

function line(what, values, unit, digits, goal) {
  const sorted = [...values].sort((a, b) => a - b)
  const show = (value) => value.toFixed(digits)
  const median = sorted[sorted.length >> 1]
  const range = `${show(sorted[0])} to ${show(sorted.at(-1))}`
  const met = goal === undefined ? '' : `   goal ${goal} ${unit}: ${verdict(median <= goal)}`
  console.log(`${what.padEnd(48)} ${show(median).padStart(8)} ${unit}  (${range})${met}`)
}

const stage = await Stage.open()
try {
  const rounds = []
  for (let n = 0; n < Number(args.rounds); n++) rounds.push(await round(stage))
  stage.check()
  const of = (name, scale = 1) => rounds.map((one) => one[name] / scale)
  console.log(`the page, ${rounds.length} rounds, median (range)`)
  line('opened page to chat-ready, cached build', of('ready', 1_000), 's', 2, 1)
  line('invitation link to first message received', of('toDelivered', 1_000), 's', 2, 5)
  line('   and until its acknowledgement came back', of('toAcknowledged', 1_000), 's', 2)
  line('first load, compressed', of('firstLoad', 1_000_000), 'MB', 2, 1.5)
  const long = rounds.flatMap((one) => one.longTasks)
  const worst = Math.max(0, ...long)
  const told = `${long.length}, worst ${worst} ms   goal 0: ${verdict(long.length === 0)}`
  console.log(`main-thread tasks over ${LONG_TASK_MS} ms: ${told}`)
} finally {
  await stage.close()
}
