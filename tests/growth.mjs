// Makes docs/growth.md and docs/growth.svg of what `sim_large` printed: a line of numbers for each
// size of network, and one for the network that grew and shrank. `node tests/growth.mjs FILE`.
import { readFileSync, writeFileSync } from 'node:fs'
import { calculated } from './growth_person.mjs'
import { plot } from './growth_plot.mjs'

const lines = readFileSync(process.argv[2], 'utf8').trim().split('\n')
const all = lines.map((line) => JSON.parse(line))
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0)
const mean = (numbers) => sum(numbers) / numbers.length
/** Networks of one size as one: what they say of a node on average, what happened in all of them together. */
const together = (nets) => {
  const of = (key) => nets.map((net) => net[key] ?? 0)
  const one = (key) => {
    if (['pairs', 'texts', 'delivered'].includes(key)) return sum(of(key))
    const values = nets.map((net) => net[key])
    // Of frames: kB an hour, and how many of them.
    if (values.some(Array.isArray)) return [0, 1].map((at) => mean(values.map((value) => value?.[at] ?? 0)))
    return mean(of(key))
  }
  const keys = [...new Set(nets.flatMap((net) => Object.keys(net)))]
  return { ...Object.fromEntries(keys.map((key) => [key, one(key)])), networks: nets.length }
}
const sizes = [...new Set(all.flatMap((run) => run.nodes ?? []))].sort((a, b) => a - b)
const runs = sizes.map((nodes) => together(all.filter((run) => run.nodes === nodes)))
const waves = all.filter((run) => run.waves)

const shown = {
  relay_kb_an_hour: 'traffic of a relay, kB an hour',
  relay_bodies: 'bodies that a relay keeps',
  relay_headers: 'headers that a relay keeps',
  relay_index_kb: 'memory of a relay for its index, kB',
  relay_links: 'links of a relay',
  relay_peers: 'of these, to relays',
  person_kb_an_hour: 'traffic of a person, kB an hour',
  person_relays: 'relays that a person is linked to',
  person_watches: 'of these, read from',
}
// What is bounded, or belongs to the machine that simulates.
const beside = {
  relay_known: 'relays that a relay knows of (10,240 at most)',
  kb_of_process_a_node: 'memory of the simulation, disks too, kB a node',
}
const frames = {
  '01': 'Hello', '02': 'Welcome', '03': 'Bye', '04': 'Ping', '05': 'Pong', '06': 'Peer', '07': 'Peered',
  '08': 'Push', '09': 'Have', '0a': 'Want', '0b': 'Ask', '0c': 'Floor', 10: 'Put', 11: 'Stored',
  12: 'Refused', 20: 'Scan', 21: 'ScanPage', 22: 'Get', 23: 'Object', 24: 'End', 25: 'Find', 26: 'Relays',
  27: 'Relay', 30: 'Watch', 31: 'News', 32: 'Lagged', 40: 'Reconcile', 41: 'Reconciled', 42: 'Need',
}

const number = (n) => (n >= 100 ? Math.round(n).toString() : n.toFixed(1))
const row = (cells) => `| ${cells.join(' | ')} |`
const steps = (value) =>
  runs.slice(1).map((run, n) => (value(run) / value(runs[n]) - 1) * 100)
const change = (value) =>
  steps(value).map((step) => `${step >= 0 ? '+' : ''}${step.toFixed(0)} %`).join(', ')
const right = runs.map(() => '---:')
const head = (first) => [
  row([first, ...runs.map((run) => `${run.nodes} nodes`), 'from one to the next']),
  row(['---', ...right, '---:']),
]
const quantities = (names) =>
  Object.entries(names).map(([key, name]) =>
    row([name, ...runs.map((run) => number(run[key])), change((run) => run[key])]),
  )

const table = [
  ...head(''),
  row(['relays', ...runs.map((run) => number(run.relays)), '']),
  row(['networks of that size', ...runs.map((run) => run.networks.toString()), '']),
  row(['bits of a range', ...runs.map((run) => run.range_bits.toFixed(2)), '']),
  ...quantities(shown),
  ...quantities(beside),
  row(['texts delivered', ...runs.map((run) => `${run.delivered} of ${run.texts}`), '']),
  row(['pairs that met', ...runs.map((run) => `${run.pairs} of ${run.networks * Math.floor((run.nodes - run.relays) / 2)}`), '']),
  row(['hashes a text (of ten; 262,144 expected)', ...runs.map((run) => number(run.hashes_a_text)), '']),
]

/** Frames of one kind that come to a hundredth of the whole somewhere, and the rest. */
const flows = (of) => {
  const whole = (run) => run[`${of}_kb_an_hour`]
  const kb = (code) => (run) => run[`${of}_${code}`]?.[0] ?? 0
  const codes = Object.keys(frames).filter((code) => runs.some((run) => kb(code)(run) > whole(run) / 200))
  codes.sort((a, b) => kb(b)(runs[0]) - kb(a)(runs[0]))
  const rest = (run) => whole(run) - codes.reduce((sum, code) => sum + kb(code)(run), 0)
  const line = (name, value) => row([name, ...runs.map((run) => number(value(run))), change(value)])
  // What people and relays say to each other is in the people's table.
  const last = of === 'person' ? 'all else' : 'with people, and all else'
  return [...head(`kB an hour`), ...codes.map((code) => line(frames[code], kb(code))), line(last, rest)]
}

const dials = () => runs.map((run) => ((run.relay_06?.[1] ?? 0) / (run.relay_10?.[1] ?? Infinity)).toFixed(2)).join(', ')

const most = (key) => Math.max(...steps((run) => run[key]).map(Math.abs), 0)
const grows = Object.entries(shown).filter(([key]) => most(key) > 10)
const verdict =
  runs.length < 2
    ? 'One size says nothing about growth.'
    : grows.length === 0
      ? `From ${runs[0].nodes} to ${runs.at(-1).nodes} nodes no step changes any of these lines by more than 10 %.`
      : `Steps of more than 10 %: ${grows.map(([key, name]) => `${name} (${change((run) => run[key])})`).join('; ')}.`

const later =
  runs.at(-1).nodes < 10000
    ? '\n10,000 nodes were last run before accounts kept their state in records: none of these lines was more than 5 % above 5,000 nodes then.'
    : ''

/** Older runs put each object once, whatever became of it. */
const again = ({ put_again: n }) => (n === undefined ? '' : ` ${n} times a put had reached nobody and was made again.`)
const wave = (w) =>
  `${w.few} relays, ${w.waves}, ${w.few} again, ranges halved at ${w.swarm}: ranges of ${w.few_bits.toFixed(1)}, ${w.many_bits.toFixed(1)} and ${w.end_bits.toFixed(1)} bits
on average, ${w.objects} objects put on the way, in ${w.hours.toFixed(0)} hours of the virtual clock. **Lost: ${w.lost_at_most} when it was largest,
${w.lost_in_the_end} in the end.**${again(w)}`

writeFileSync(
  'docs/growth.md',
  `# What growth costs

Made by \`make sim-large\`: the same code as everywhere, real relays and accounts on a virtual clock, a fifth of the nodes
relays, work stubbed but for a sample. People meet in pairs over ten minutes, then each writes 12 texts an hour, for 10 minutes.
What is counted for a person holds everything: links to several relays, scans, whole objects of what these keep.

Networks of this size are scaled down, or they would not be divided as large ones are:

- A range is halved at 12 relays instead of 40.
- Headers are kept of 2 ranges instead of 16, and mailboxes are as much smaller. With 16, relays keep the headers of everything
  up to some 150 relays, and what a person costs rises until they no longer do: that is where 625 to 1,250 nodes lie, and links and
  traffic rose by 15 % between them. A network of a million nodes is past that point with 16, these are with 2. In earnest there are
  eight times as many headers for each body, and eight times as many people in a mailbox.
- An account carries 256 KiB of others' envelopes for relays that lose their disks, not 8 MiB: thousands of them share one memory.

${table.join('\n')}

Which ranges are halved is chance where there are few of them, and shows in what a relay keeps: networks of less than 5,000 nodes are
built several times, by other random numbers, and the lines are their means.

${verdict}${later}
The memory of the simulation grows with what relays know of each other: each has an address book of its own, about 0.7 kB an entry and a
row on its disk, which ends at 10,240 entries (PROTOCOL.md section 9).

![Cost of a node by the size of the network](growth.svg)

## What it consists of

A relay, without what it says to people:

${flows('relay').join('\n')}

A person:

${flows('person').join('\n')}

Peer, Peered and Welcome rise for relays because what somebody puts is passed on to the range it is for: the more ranges there are,
the more seldom a relay has a link there already. For this it ends where each of them needs a dial, 2.3 kB a Put.
Besides, who dialled is looked for at its address once, and others are now and then (feelers). For each Put that was passed on there were, of both
kinds, ${dials()} dials. This is the one part that grows with the network, and how far has not been measured.

## What a person costs by calculation

${calculated(runs).join('\n')}

## A network that grows and shrinks

${waves.length ? waves.map(wave).join('\n\n') : 'Not run.'}

Relays alone (\`tests/sim_large.sh waves\`). The network doubles every 15 minutes and halves every 3 hours; those who leave do so without a word, with their disks.
An object counts as lost if no relay that is up keeps it where others look for it. Where it is said how often puts were made again, what no relay had half a minute later
was put once more, as its sender would, who had no receipt.

In earnest a range is halved at 40 relays, and a half stays a range of its own as long as eight keep it; where it is halved at 12, as long as two do. That a relay is
gone who has no link to it sees within an hour, and ranges are joined one step in ten minutes: of a range that two keep, both can leave before, with all it had.
`,
)

writeFileSync('docs/growth.svg', plot(runs, { ...shown, ...beside }))
