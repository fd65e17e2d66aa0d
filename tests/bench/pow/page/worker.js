// A worker: runs the contenders in turn, so that a change of the machine's speed hits all alike, or
// the page's kernel while others do the same.
importScripts("hash-wasm.js");

// The same bytes as in kernel/src/lib.rs.
const PREFIX = new TextEncoder().encode("proof-of-work benchmark, prefix.");

async function instantiate(url) {
  const { instance } = await WebAssembly.instantiateStreaming(fetch(url));
  return instance.exports;
}

/** Like the exports of the kernel crate: counts digests below 2^(256 - bits). */
function counting(firstWordOf) {
  const message = new Uint8Array(40);
  message.set(PREFIX);
  const view = new DataView(message.buffer);
  return async (start, count, bits) => {
    const bound = 2 ** (32 - bits);
    let hits = 0;
    for (let i = 0; i < count; i += 1) {
      view.setBigUint64(32, start + BigInt(i), true);
      let first = firstWordOf(message);
      if (typeof first !== "number") first = await first;
      if (first < bound) hits += 1;
    }
    return hits;
  };
}

/** hash-wasm's documented call. */
const hashWasmCall = counting(async (message) => {
  const hex = await hashwasm.sha256(message);
  return parseInt(hex.slice(0, 8), 16);
});

/** hash-wasm's fastest way: one hasher used again and again, bytes out, nothing awaited. */
async function hashWasmReused() {
  const hasher = await hashwasm.createSHA256();
  return counting((message) => {
    const digest = hasher.init().update(message).digest("binary");
    return ((digest[0] << 24) | (digest[1] << 16) | (digest[2] << 8) | digest[3]) >>> 0;
  });
}

/** How many nonces take about `ms`. */
async function calibrate(scan, ms) {
  let count = 1024;
  for (;;) {
    const begin = performance.now();
    await scan(0n, count, 32);
    const took = performance.now() - begin;
    if (took >= ms / 4) return Math.max(1024, Math.round((count * ms) / took));
    count *= 4;
  }
}

// The page's kernel alone is searched with in slices, as by web-node/src/worker.rs.
const APP_SLICE_MS = 20;
const turns = new MessageChannel();
const turn = () =>
  new Promise((resolve) => {
    turns.port2.onmessage = resolve;
    turns.port1.postMessage(null);
  });

let scans;
let counts;
let appSlice;

/** Compiles everything; gives how often each contender hit. */
async function prepare({ sliceMs }) {
  const [simd, plain] = await Promise.all([instantiate("simd.wasm"), instantiate("plain.wasm")]);
  scans = {
    own: simd.own,
    "sha2 digest": plain.sha2_digest,
    "sha2 block": plain.sha2_block,
    "sha2 digest, SIMD build": simd.sha2_digest,
    "sha2 block, SIMD build": simd.sha2_block,
    "hash-wasm sha256()": hashWasmCall,
    "hash-wasm reused hasher": await hashWasmReused(),
  };

  // All must find the same, over a range that crosses 2^32.
  const hits = {};
  for (const [name, scan] of Object.entries(scans)) {
    hits[name] = await scan(2n ** 32n - 5000n, 20001, 8);
  }

  // The first calibration is spent while the browser still compiles.
  counts = {};
  for (const [name, scan] of Object.entries(scans)) {
    await calibrate(scan, sliceMs);
    counts[name] = await calibrate(scan, sliceMs);
  }
  appSlice = Math.round((counts.own * APP_SLICE_MS) / sliceMs);
  return { hits };
}

/** MH/s of each contender. */
async function round({ start }) {
  const rates = {};
  for (const [name, scan] of Object.entries(scans)) {
    const begin = performance.now();
    await scan(start, counts[name], 32);
    rates[name] = counts[name] / (performance.now() - begin) / 1000;
  }
  return rates;
}

/** MH/s of the page's kernel over `ms`. */
async function search({ ms }) {
  const begin = performance.now();
  let hashes = 0;
  let took;
  do {
    scans.own(BigInt(hashes), appSlice, 32);
    hashes += appSlice;
    await turn();
    took = performance.now() - begin;
  } while (took < ms);
  return { rate: hashes / took / 1000 };
}

const tasks = { prepare, round, search };
onmessage = ({ data }) => {
  const [name, options] = Object.entries(data)[0];
  tasks[name](options).then(postMessage, (error) => postMessage({ error: String(error) }));
};
