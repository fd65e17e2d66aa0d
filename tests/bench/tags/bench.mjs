// The table of expected tags, made in WASM: time, and memory by a counting allocator and by what the
// module's memory grew. Run by run.sh, which names the module.
import { readFile } from "node:fs/promises";

const CONTACTS = 500;
const RUNS = 7;
const GOAL_MS = 1000;
const GOAL_MIB = 8;

const wasm = await WebAssembly.compile(await readFile(process.argv[2]));
const mib = (bytes) => (bytes / 2 ** 20).toFixed(2);
const median = (all) => all.toSorted((a, b) => a - b)[all.length >> 1];

console.log(`expected tags of ${CONTACTS} contacts, in WASM (${process.version}), median of ${RUNS}`);
for (const [devices, what] of [[1, "one device each"], [3, "three devices each"]]) {
    const { exports } = await WebAssembly.instantiate(wasm, {});
    exports.prepare(CONTACTS, devices);
    const first = [];
    const later = [];
    let tags, held, most, grown;
    for (let run = 0; run < RUNS; run++) {
        exports.load();
        const before = exports.live();
        const memory = exports.memory.buffer.byteLength;
        exports.peak();
        let start = performance.now();
        tags = exports.build(0);
        first.push(performance.now() - start);
        held = exports.live() - before;
        most = exports.peak() - before;
        if (run === 0) grown = exports.memory.buffer.byteLength - memory;
        start = performance.now();
        exports.build(1);
        later.push(performance.now() - start);
    }
    const ms = median(first);
    console.log(
        `  ${what}: ${tags} tags, ${(tags / CONTACTS).toFixed(0)} a contact\n` +
            `    made in ${ms.toFixed(0)} ms (goal ${GOAL_MS}: ${(ms / GOAL_MS).toFixed(2)} x), ` +
            `the next day's in ${median(later).toFixed(0)} ms\n` +
            `    held in ${mib(held)} MiB (goal ${GOAL_MIB}: ${(held / 2 ** 20 / GOAL_MIB).toFixed(2)} x), ` +
            `${mib(most)} while it is made; the module's memory grew by ${mib(grown)}`,
    );
}
