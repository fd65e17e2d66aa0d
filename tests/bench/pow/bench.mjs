// Proof-of-work in the browser: the page's kernel in one worker, and in as many as the page starts
// for a large puzzle, against the plain `sha2` crate and hash-wasm in one worker; in turn, while the
// main thread is watched for long tasks.
//
//   tests/bench/pow/run.sh [--rounds 15] [--slice-ms 60] [--json]
//
// which builds the two files that are needed: --simd FILE.wasm and --plain FILE.wasm, the crate in
// kernel/ with and without `-C target-feature=+simd128`.
// Exit code 1 when the contenders disagree about what they found or long tasks go unnoticed; a
// missed goal is only printed.

import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";
import { chromium } from "playwright-core";

const GOALS = { "sha2 digest": 4, "hash-wasm sha256()": 15, "hash-wasm reused hasher": 15 };
const LONG_TASK_MS = 50;
// As in web-node/src/solve.rs.
const WORKERS_MAX = 4;

const { values: args } = parseArgs({
  options: {
    simd: { type: "string" },
    plain: { type: "string" },
    rounds: { type: "string", default: "15" },
    "slice-ms": { type: "string", default: "60" },
    chromium: { type: "string", default: process.env.CHROMIUM ?? "/usr/bin/chromium" },
    json: { type: "boolean", default: false },
  },
});

const page = (name) => new URL(`page/${name}`, import.meta.url);
const FILES = {
  "/": [page("index.html"), "text/html"],
  "/page.js": [page("page.js"), "text/javascript"],
  "/worker.js": [page("worker.js"), "text/javascript"],
  "/hash-wasm.js": [
    createRequire(import.meta.url).resolve("hash-wasm/dist/sha256.umd.min.js"),
    "text/javascript",
  ],
  "/simd.wasm": [args.simd, "application/wasm"],
  "/plain.wasm": [args.plain, "application/wasm"],
};

async function serve() {
  const server = createServer(async (request, response) => {
    const file = FILES[request.url];
    if (!file) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { "content-type": file[1] }).end(await readFile(file[0]));
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

const median = (numbers) => {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
};

function summarise({ count, hits, rates, all, main }) {
  const over = (ours, theirs) => median(ours.map((rate, round) => rate / theirs[round]));
  const { own, ...others } = rates;
  const contenders = Object.entries(others).map(([name, theirs]) => ({
    name,
    mhs: median(theirs),
    goal: GOALS[name],
    one: over(own, theirs),
    all: over(all, theirs),
  }));
  const responsiveness = ({ longTasks, gapMax, beats }) => ({
    longTasks: longTasks.filter((ms) => ms > LONG_TASK_MS).length,
    gapMaxMs: gapMax,
    beats,
  });
  return {
    workers: count,
    mhs: { one: median(own), all: median(all) },
    speedUp: over(all, own),
    contenders,
    hits,
    agree: new Set(Object.values(hits)).size === 1,
    watching: main.watching,
    main: { one: responsiveness(main.one), all: responsiveness(main.all) },
  };
}

function print(summary, version) {
  const { workers, mhs, speedUp, contenders, main } = summary;
  const all = `${workers} worker${workers === 1 ? "" : "s"}`;
  const times = (ratio) => `${ratio.toFixed(2).padStart(6)} x`;
  const rate = (name, mhs) => `  ${name.padEnd(25)} ${mhs.toFixed(2).padStart(6)} MH/s`;
  console.log(`Proof-of-work in Chromium ${version}, medians of ${args.rounds} rounds`);
  console.log(rate("own, one worker", mhs.one));
  console.log(`${rate(`own, ${all}`, mhs.all)} ${times(speedUp)} one worker`);
  console.log(`against, in one worker:                  own in one  in ${all}`);
  for (const { name, mhs, goal, ...ratios } of contenders) {
    const verdict = (ratio) =>
      times(ratio) + (goal === undefined ? "       " : ratio >= goal ? " met   " : " MISSED");
    const goals = goal === undefined ? "" : `  goal ${goal} x`;
    const line = `${rate(name, mhs)} ${verdict(ratios.one)} ${verdict(ratios.all)}${goals}`;
    console.log(line.trimEnd());
  }
  for (const [name, which] of [["one", "one worker"], ["all", all]]) {
    const { longTasks, gapMaxMs, beats } = main[name];
    console.log(`  main thread beside ${which}: ${longTasks} tasks over ${LONG_TASK_MS} ms, longest gap`
      + ` between 5 ms timers ${gapMaxMs.toFixed(0)} ms (${beats} timers)`);
  }
  if (!summary.watching) console.log("  BUT a long task made on purpose was not noticed");
  if (!summary.agree) console.log(`  CONTENDERS DISAGREE: ${JSON.stringify(summary.hits)}`);
}

if (!args.simd || !args.plain) {
  console.error("bench.mjs: --simd and --plain are needed (run.sh builds them)");
  process.exit(2);
}
const server = await serve();
const browser = await chromium.launch({
  executablePath: args.chromium,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
try {
  const tab = await browser.newPage();
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  const options = {
    rounds: Number(args.rounds),
    sliceMs: Number(args["slice-ms"]),
    workersMax: WORKERS_MAX,
  };
  const summary = summarise(await tab.evaluate((given) => globalThis.run(given), options));
  if (args.json) console.log(JSON.stringify(summary));
  else print(summary, browser.version());
  process.exitCode = summary.agree && summary.watching ? 0 : 1;
} finally {
  await browser.close();
  server.close();
}
