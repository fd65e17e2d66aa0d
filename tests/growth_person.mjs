// What a person costs, calculated from what people write and from how a network is divided, beside
// what was counted. Sizes are those of PROTOCOL.md, sections 2, 3 and 7.

const FRAME = 5
const HEADER = 72
const TEXTS = 12
/** Of two texts that cross, one carries the other's acknowledgement; the other needs an object. */
const ACKNOWLEDGEMENTS = TEXTS / 2
/** In ten minutes the first of two texts begins a chain: 4 KiB. Of the others one in eight is padded to 4 KiB. */
const OPENERS = TEXTS / 2
const BODY = (objects) => (OPENERS * 4096 + (objects - OPENERS) * ((7 / 8) * 1024 + (1 / 8) * 4096)) / objects
const AUDITS = 6
/** Objects of a block: 8 to 16, evenly on a scale of doublings. */
const BLOCK = 11.5
const NEWS = FRAME + 4 + 24
const OBJECT = FRAME + 4 + HEADER
const STORED = FRAME + 32 + 8 + 32 + 64
const RELAY = FRAME + HEADER + 1024
const PING = FRAME + 8
/** Of the headers listed, those whose bodies are kept: 2 ranges are listed. */
const LISTED_RANGES = 2

const parts = (run) => {
  const people = run.nodes - run.relays
  const [linked, watched] = [run.person_relays, run.person_watches]
  const objects = TEXTS + ACKNOWLEDGEMENTS
  const body = BODY(objects)
  const share = 2 ** -run.range_bits
  const kept = people * objects * share
  const puts = objects * linked
  // A text that comes is got with its block, unless a relay that keeps it pushed it before.
  const blocks = AUDITS + objects * (1 - 1 / LISTED_RANGES)
  const of = (...codes) => codes.reduce((sum, code) => sum + (run[`person_${code}`]?.[0] ?? 0), 0)
  return [
    [
      `Put: ${objects} objects to ${linked.toFixed(1)} relays`,
      puts * (FRAME + HEADER + body),
      of(10),
    ],
    ['Stored for each; from another range with who stored it (Relay)', puts * (STORED + (1 - share) * RELAY), of(11, 27)],
    [
      `Object: what ${watched.toFixed(1)} relays keep, of ${people} people's`,
      watched * kept * (OBJECT + body),
      null,
    ],
    [`Object: ${AUDITS} audits and blocks with own mail, ${BLOCK} each`, blocks * BLOCK * (OBJECT + body), null],
    ['Object, together', (watched * kept + blocks * BLOCK) * (OBJECT + body), of(23)],
    ['News of what they list and do not keep', watched * kept * (LISTED_RANGES - 1) * NEWS, of(31)],
    ['Ping and Pong, when nothing else came for 20 s', linked * 2 * PING * 3600 / 20, of('04', '05')],
  ]
}

export const calculated = (runs) => {
  const run = runs.at(-1)
  if (!run) return []
  const kb = (bytes) => (bytes === null ? '' : (bytes / 1000).toFixed(1))
  const counted = (n) => (n === null ? '' : n.toFixed(1))
  const whole = (run) => {
    const sum = parts(run).reduce((sum, [, bytes, n]) => sum + (n === null ? 0 : bytes), 0)
    return [sum / 1000, run.person_kb_an_hour]
  }
  const body = BODY(TEXTS + ACKNOWLEDGEMENTS).toFixed(0)
  return [
    `An hour of a person in ${run.nodes} nodes, kB: ${TEXTS} texts and ${ACKNOWLEDGEMENTS} acknowledgements, ${body} bytes of body on average (of two texts in ten minutes`,
    `the first begins a chain, with 4 KiB; of the rest one in eight has 4 KiB, the others 1). Relays linked and read from, and bits of a range, are those of the table.`,
    '',
    '| | calculated | counted |',
    '| --- | ---: | ---: |',
    ...parts(run).map(([name, bytes, n]) => `| ${name} | ${kb(bytes)} | ${counted(n)} |`),
    '',
    '| nodes | calculated, kB an hour | counted | difference |',
    '| ---: | ---: | ---: | ---: |',
    ...runs.map((run) => {
      const [sum, was] = whole(run)
      return `| ${run.nodes} | ${sum.toFixed(0)} | ${was.toFixed(0)} | ${(100 * (was / sum - 1)).toFixed(0)} % |`
    }),
    '',
    `Nearly all of it is other people's mail: a person takes whole what their relays keep, so that nobody sees what they look for. That part is`,
    `people x objects x 2^-bits x relays read from, and stays as it is when people and ranges double together. The calculation takes the mean of the bits, and`,
    `relays with a bit less than others push twice as much; ping is sent only where nothing else was said for 20 s.`,
  ]
}
