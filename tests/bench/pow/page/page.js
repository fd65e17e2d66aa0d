// The main thread: starts the worker and watches its own responsiveness meanwhile.
// `bench.mjs` calls `run` and gets the worker's rates and the main thread's worst moments.

function block(ms) {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

globalThis.run = (options) =>
  new Promise((resolve, reject) => {
    const longTasks = [];
    // The browser reports tasks of 50 ms and more; `buffered` is off, so loading is not counted.
    const observer = new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) longTasks.push(entry.duration);
    });
    observer.observe({ type: "longtask" });

    let beats = 0;
    let gapMax = 0;
    let last = performance.now();
    const heartbeat = setInterval(() => {
      const now = performance.now();
      gapMax = Math.max(gapMax, now - last);
      last = now;
      beats += 1;
    }, 5);

    const worker = new Worker("worker.js");
    worker.onerror = (event) => reject(new Error(event.message));
    worker.onmessage = async ({ data }) => {
      clearInterval(heartbeat);
      worker.terminate();
      if (data.error) {
        reject(new Error(data.error));
        return;
      }
      for (const entry of observer.takeRecords()) longTasks.push(entry.duration);
      const during = longTasks.slice();
      // A long task on purpose: without it "none" could mean that nobody was looking.
      await new Promise((done) => setTimeout(() => done(block(120)), 0));
      await new Promise((done) => setTimeout(done, 300));
      observer.disconnect();
      const watching = longTasks.length > during.length;
      resolve({ ...data, main: { longTasks: during, watching, gapMax, beats } });
    };
    worker.postMessage(options);
  });
