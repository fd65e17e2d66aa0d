// The main thread: tells the workers when to do what, and watches its own responsiveness meanwhile.
// `bench.mjs` calls `run` and gets the rates and the main thread's worst moments.

function block(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

/** A worker whose answers come one by one: `ask(message)` gives the next. */
function open() {
  const worker = new Worker("worker.js");
  const ask = (message) =>
    new Promise((resolve, reject) => {
      worker.onerror = (event) => reject(new Error(event.message));
      worker.onmessage = ({ data }) => (data.error ? reject(new Error(data.error)) : resolve(data));
      worker.postMessage(message);
    });
  return { ask, end: () => worker.terminate() };
}

/** Long tasks and the gaps of a 5 ms timer, for each of the phases that `during` was given. */
function watch() {
  const entries = [];
  // The browser reports tasks of 50 ms and more; `buffered` is off, so loading is not counted.
  const observer = new PerformanceObserver((list) => entries.push(...list.getEntries()));
  observer.observe({ type: "longtask" });
  const phases = {};
  let phase = null;
  let last = performance.now();
  const heartbeat = setInterval(() => {
    const now = performance.now();
    if (phase) {
      phase.gapMax = Math.max(phase.gapMax, now - last);
      phase.beats += 1;
    }
    last = now;
  }, 5);
  return {
    async during(name, work) {
      phase = phases[name] ??= { gapMax: 0, beats: 0, spans: [] };
      const begin = performance.now();
      const result = await work();
      phase.spans.push([begin, performance.now()]);
      phase = null;
      return result;
    },
    async end() {
      clearInterval(heartbeat);
      entries.push(...observer.takeRecords());
      const seen = entries.length;
      // A long task on purpose: without it "none" could mean that nobody was looking.
      await new Promise((done) => setTimeout(() => done(block(120)), 0));
      await new Promise((done) => setTimeout(done, 300));
      observer.disconnect();
      const watching = entries.length > seen;
      const within = (spans) => ({ startTime, duration }) =>
        spans.some(([begin, end]) => startTime < end && startTime + duration > begin);
      const main = Object.entries(phases).map(([name, { gapMax, beats, spans }]) => {
        const longTasks = entries.slice(0, seen).filter(within(spans)).map((entry) => entry.duration);
        return [name, { gapMax, beats, longTasks }];
      });
      return { watching, ...Object.fromEntries(main) };
    },
  };
}

globalThis.run = async ({ rounds, sliceMs, workersMax }) => {
  // As many as the app starts.
  const count = Math.max(1, Math.min(workersMax, navigator.hardwareConcurrency || 1));
  const workers = Array.from({ length: count }, open);
  const prepared = await Promise.all(workers.map(({ ask }) => ask({ prepare: { sliceMs } })));
  const rates = {};
  const all = [];
  const watched = watch();
  for (let round = 0; round < rounds; round += 1) {
    const start = BigInt(round) * 1000000n + 1n;
    const alone = await watched.during("one", () => workers[0].ask({ round: { start } }));
    for (const [name, rate] of Object.entries(alone)) (rates[name] ??= []).push(rate);
    const search = { ms: 4 * sliceMs };
    const together = await watched.during("all", () =>
      Promise.all(workers.map(({ ask }) => ask({ search }))),
    );
    all.push(together.reduce((sum, { rate }) => sum + rate, 0));
  }
  const main = await watched.end();
  for (const { end } of workers) end();
  return { count, hits: prepared[0].hits, rates, all, main };
};
