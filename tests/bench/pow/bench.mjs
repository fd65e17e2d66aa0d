// Proof-of-work in the browser: the page's kernel against the plain `sha2` crate and hash-wasm, in
// one worker of one page, in turn, while the main thread is watched for long tasks.
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

function summarise({ hits, rates, main }) {
  const contenders = Object.entries(rates).map(([name, perRound]) => ({
    name,
    mhs: median(perRound),
    ratio: median(perRound.map((rate, round) => rates.own[round] / rate)),
    goal: GOALS[name],
  }));
  return {
    contenders,
    hits,
    agree: new Set(Object.values(hits)).size === 1,
    longTasks: main.longTasks.filter((ms) => ms > LONG_TASK_MS).length,
    watching: main.watching,
    mainGapMaxMs: main.gapMax,
    mainBeats: main.beats,
  };
}

function print(summary, version) {
  console.log(`Proof-of-work in Chromium ${version}, one worker, medians of ${args.rounds} rounds`);
  for (const { name, mhs, ratio, goal } of summary.contenders) {
    const versus = name === "own" ? "" : `   own is ${ratio.toFixed(2).padStart(6)} x`;
    const verdict = goal === undefined ? "" : `   goal ${goal} x: ${ratio >= goal ? "met" : "MISSED"}`;
    console.log(`  ${name.padEnd(25)} ${mhs.toFixed(2).padStart(6)} MH/s${versus}${verdict}`);
  }
  console.log(`  main thread meanwhile: ${summary.longTasks} tasks over ${LONG_TASK_MS} ms, longest gap`
    + ` between 5 ms timers ${summary.mainGapMaxMs.toFixed(0)} ms (${summary.mainBeats} timers)`);
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
  const options = { rounds: Number(args.rounds), sliceMs: Number(args["slice-ms"]) };
  const summary = summarise(await tab.evaluate((given) => globalThis.run(given), options));
  if (args.json) console.log(JSON.stringify(summary));
  else print(summary, browser.version());
  process.exitCode = summary.agree && summary.watching ? 0 : 1;
} finally {
  await browser.close();
  server.close();
}
