// Makes docs/growth.md and docs/growth.svg of what `sim_large` printed: a line of numbers for each
// size of network. `node tests/growth.mjs FILE`.
import { readFileSync, writeFileSync } from 'node:fs'

const lines = readFileSync(process.argv[2], 'utf8').trim().split('\n')
const runs = lines.map((line) => JSON.parse(line)).sort((a, b) => a.nodes - b.nodes)

const shown = {
  relay_kb_an_hour: 'traffic of a relay, kB an hour',
  relay_bodies: 'bodies that a relay keeps',
  relay_headers: 'headers that a relay keeps',
  relay_index_kb: 'memory of a relay for its index, kB',
  relay_links: 'links of a relay',
  relay_peers: 'of these, to relays',
  person_kb_an_hour: 'traffic of a person, kB an hour',
  person_relays: 'relays that a person is linked to',
  kb_of_process_a_node: 'memory of the simulation, disks too, kB a node',
}

const number = (n) => (n >= 100 ? Math.round(n).toString() : n.toFixed(1))
const row = (cells) => `| ${cells.join(' | ')} |`
const change = (key) => {
  const steps = runs.slice(1).map((run, n) => (run[key] / runs[n][key] - 1) * 100)
  return steps.map((step) => `${step >= 0 ? '+' : ''}${step.toFixed(0)} %`).join(', ')
}

const table = [
  row(['', ...runs.map((run) => `${run.nodes} nodes`), 'from one to the next']),
  row(['---', ...runs.map(() => '---:'), '---:']),
  row(['relays', ...runs.map((run) => number(run.relays)), '']),
  row(['bits of a range', ...runs.map((run) => run.range_bits.toFixed(2)), '']),
  ...Object.entries(shown).map(([key, name]) =>
    row([name, ...runs.map((run) => number(run[key])), change(key)]),
  ),
  row(['texts delivered', ...runs.map((run) => `${run.delivered} of ${run.texts}`), '']),
  row(['hashes a text (sample)', ...runs.map((run) => number(run.hashes_a_text)), '']),
]

writeFileSync(
  'docs/growth.md',
  `# What growth costs

Made by \`make sim-large\`: the same code as everywhere, real relays and accounts on a virtual clock, a fifth of the nodes
relays, work stubbed but for a sample. Ranges are halved at 12 relays instead of 40, so that networks of this size are
divided as large ones are. Half of the people invite the other half; then each writes 12 texts an hour for 20 minutes.
What is counted for a person holds everything: their three relays or more, scans, whole objects of what these keep.

${table.join('\n')}

![Cost of a node by the size of the network](growth.svg)
`,
)

// Each quantity as a multiple of what it was in the smallest network.
const [width, height, left, top] = [760, 360, 60, 20]
const [right, bottom] = [width - 250, height - 40]
const most = Math.max(2, ...Object.keys(shown).flatMap((key) => runs.map((r) => r[key] / runs[0][key])))
const x = (n) => left + ((right - left) * n) / Math.max(1, runs.length - 1)
const y = (ratio) => bottom - ((bottom - top) * ratio) / most
const colours = ['#1b6ca8', '#c0392b', '#27864a', '#8e44ad', '#b9770e', '#117a8b', '#7f8c8d', '#2c3e50', '#d35400']
const text = (px, py, words, anchor = 'start', colour = '#333') =>
  `<text x="${px}" y="${py}" text-anchor="${anchor}" fill="${colour}">${words}</text>`
const line = (points, colour, more = '') =>
  `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" ${more}/>`
const parts = [
  line([`${left},${top}`, `${left},${bottom}`, `${right},${bottom}`], '#333'),
  line([`${left},${y(1)}`, `${right},${y(1)}`], '#999', 'stroke-dasharray="4 4"'),
  text(left - 8, y(1) + 4, '1', 'end'),
  text(left - 8, y(most) + 4, most.toFixed(1), 'end'),
  ...runs.map((run, n) => text(x(n), bottom + 18, run.nodes, 'middle')),
  text((left + right) / 2, height - 6, 'nodes', 'middle'),
]
Object.entries(shown).forEach(([key, name], n) => {
  const points = runs.map((run, at) => `${x(at)},${y(run[key] / runs[0][key]).toFixed(1)}`)
  parts.push(line(points, colours[n], 'stroke-width="2"'))
  parts.push(text(right + 14, top + 14 + 18 * n, name, 'start', colours[n]))
})
writeFileSync(
  'docs/growth.svg',
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="11">
<rect width="${width}" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>
`,
)
