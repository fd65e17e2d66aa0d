// What a person costs, calculated from what people write and from how a network is divided, beside
// what was counted. Sizes are those of PROTOCOL.md, sections 2, 3 and 7.

const FRAME = 5
const HEADER = 72
const TEXTS = 12
/** No text is near enough to another to carry its acknowledgement. */
const OBJECTS = 2 * TEXTS
/** Those who invited begin a chain with their first text, within the ten minutes that are counted. */
const OPENERS = 6 / 2
/** Of the others one in eight is padded to 4 KiB. */
const BODY = (OPENERS * 4096 + (OBJECTS - OPENERS) * ((7 / 8) * 1024 + (1 / 8) * 4096)) / OBJECTS
const AUDITS = 6
/** Objects of a block: 8 to 16, evenly on a scale of doublings. */
const BLOCK = 11.5
const NEWS = FRAME + 4 + 24
const OBJECT = FRAME + 4 + HEADER
/** Signed for alone, as most are where little comes. */
const STORED = FRAME + 32 + 8 + 32 + 64 + 2
const RELAY = FRAME + HEADER + 1024
const PING = FRAME + 8
/** Of the headers listed, those whose bodies are kept: 2 ranges are listed. */
const LISTED_RANGES = 2

const parts = (run) => {
  const people = run.nodes - run.relays
  const [linked, watched] = [run.person_relays, run.person_watches]
  const here = 2 ** -run.range_bits
  const pushed = people * OBJECTS * run.person_share
  const puts = OBJECTS * linked
  // A text that comes is got with its block, unless a relay that keeps it pushed it before.
  const blocks = AUDITS + OBJECTS * (1 - 1 / LISTED_RANGES)
  const of = (...codes) => codes.reduce((sum, code) => sum + (run[`person_${code}`]?.[0] ?? 0), 0)
  return [
    [
      `Put: ${OBJECTS} objects to ${linked.toFixed(1)} relays`,
      puts * (FRAME + HEADER + BODY),
      of(10),
    ],
    ['Stored for each; from another range with who stored it (Relay)', puts * (STORED + (1 - here) * RELAY), of(11, 27)],
    [
      `Object: what ${watched.toFixed(1)} relays keep, of ${people} people's`,
      pushed * (OBJECT + BODY),
      null,
    ],
    [`Object: ${AUDITS} audits and blocks with own mail, ${BLOCK} each`, blocks * BLOCK * (OBJECT + BODY), null],
    ['Object, together', (pushed + blocks * BLOCK) * (OBJECT + BODY), of(23)],
    ['News of what they list and do not keep', pushed * (LISTED_RANGES - 1) * NEWS, of(31)],
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
  return [
    `An hour of a person in ${run.nodes} nodes, kB: ${TEXTS} texts and as many acknowledgements, ${BODY.toFixed(0)} bytes of body on average (those who invited begin`,
    `a chain in the ten minutes, with 4 KiB; of the rest one in eight has 4 KiB, the others 1). The network gives relays linked and read from, and what part`,
    `of all objects these keep, one counted as often as it is pushed: ${run.person_share.toFixed(4)}.`,
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
    `people x objects x (the sum of 2^-bits of the relays read from), and stays as it is when people and ranges double together. Calculated are not: what is left of the`,
    `meetings in the first minutes; what a relay that has just changed its range lists besides; that a block is got for a text only if no relay pushed it before.`,
  ]
}
