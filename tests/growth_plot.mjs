// The picture of docs/growth.md: each quantity as a multiple of what it was in the smallest network.

const COLOURS = [
  '#1b6ca8', '#c0392b', '#27864a', '#8e44ad', '#b9770e', '#117a8b', '#7f8c8d', '#2c3e50', '#d35400', '#a9a9a9', '#c9a0dc',
]
/** Of the axis; what leaves it upwards says its value. */
const MOST = 2
const [WIDTH, HEIGHT, LEFT, TOP] = [820, 380, 60, 20]
const [RIGHT, BOTTOM] = [WIDTH - 310, HEIGHT - 40]

const text = (x, y, words, anchor = 'start', colour = '#333') =>
  `<text x="${x}" y="${y}" text-anchor="${anchor}" fill="${colour}">${words}</text>`
const line = (points, colour, more = '') =>
  `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" ${more}/>`

export const plot = (runs, shown) => {
  const x = (n) => LEFT + ((RIGHT - LEFT) * n) / Math.max(1, runs.length - 1)
  const y = (ratio) => BOTTOM - ((BOTTOM - TOP) * Math.min(ratio, MOST)) / MOST
  const band = `<rect x="${LEFT}" y="${y(1.1)}" width="${RIGHT - LEFT}" height="${y(0.9) - y(1.1)}" fill="#eee"/>`
  const parts = [
    band,
    line([`${LEFT},${TOP}`, `${LEFT},${BOTTOM}`, `${RIGHT},${BOTTOM}`], '#333'),
    line([`${LEFT},${y(1)}`, `${RIGHT},${y(1)}`], '#999', 'stroke-dasharray="4 4"'),
    ...[0, 0.5, 1, 1.5, 2].map((ratio) => text(LEFT - 8, y(ratio) + 4, ratio.toFixed(1), 'end')),
    ...runs.map((run, n) => text(x(n), BOTTOM + 18, run.nodes, 'middle')),
    text((LEFT + RIGHT) / 2, HEIGHT - 6, 'nodes', 'middle'),
  ]
  Object.entries(shown).forEach(([key, name], n) => {
    const ratio = (run) => run[key] / runs[0][key]
    const points = runs.map((run, at) => `${x(at).toFixed(1)},${y(ratio(run)).toFixed(1)}`)
    const end = ratio(runs.at(-1))
    parts.push(line(points, COLOURS[n % COLOURS.length], 'stroke-width="2"'))
    parts.push(text(RIGHT + 14, TOP + 14 + 18 * n, `${end.toFixed(2)}  ${name}`, 'start', COLOURS[n % COLOURS.length]))
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="11">
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${parts.join('\n')}
</svg>
`
}
