// The worker: runs the contenders in turn, so that a change of the machine's speed hits all alike.
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

async function bench({ rounds, sliceMs }) {
  const [simd, plain] = await Promise.all([instantiate("simd.wasm"), instantiate("plain.wasm")]);
  const scans = {
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
  const counts = {};
  for (const [name, scan] of Object.entries(scans)) {
    await calibrate(scan, sliceMs);
    counts[name] = await calibrate(scan, sliceMs);
  }
  const rates = Object.fromEntries(Object.keys(scans).map((name) => [name, []]));
  let start = 1n;
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, scan] of Object.entries(scans)) {
      const begin = performance.now();
      await scan(start, counts[name], 32);
      rates[name].push(counts[name] / (performance.now() - begin) / 1000);
    }
    start += 1000000n;
  }
  return { hits, rates };
}

onmessage = ({ data }) => {
  bench(data).then(postMessage, (error) => postMessage({ error: String(error) }));
};
