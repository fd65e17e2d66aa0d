//! One hop between a publisher and a watcher: latency, CPU time in the middle, highest rate.

use crate::ours::OBJECTS;
use crate::stage::{Contender, Stage};

pub const ROUNDS: usize = 3;

/// Slow enough that no object waits for another.
const CALM: usize = 200;
const CALM_COUNT: usize = 600;
/// Rates at which CPU time is measured, for two seconds each.
const BUSY: [usize; 2] = [1_000, 5_000];
/// Rates that are tried: each so much more than the one before, for a second each.
const RATE_MIN: f64 = 2_000.0;
const RATE_STEP: f64 = 1.25;
/// How much longer than the sending took the last one may take to come: what comes later has
/// piled up.
const PILED_UP_S: f64 = 0.2;

/// What one contender did in one round.
#[derive(Clone, Copy)]
struct Figures {
    /// Milliseconds.
    p50: f64,
    p99: f64,
    /// Microseconds an object, of the process in the middle.
    cpu: [f64; BUSY.len()],
    rate: f64,
}

fn measure(contender: Contender) -> Figures {
    let mut stage = Stage::open(contender);
    let calm = stage.send(CALM_COUNT, CALM);
    assert_eq!(calm.came, calm.sent, "{} loses objects", contender.name());
    let at = |share: f64| calm.latencies[(calm.came as f64 * share) as usize] * 1e3;
    let (p50, p99) = (at(0.5), at(0.99));
    let cpu = BUSY.map(|rate| {
        let busy = stage.send(2 * rate, rate);
        busy.cpu / busy.came.max(1) as f64 * 1e6
    });
    Figures {
        p50,
        p99,
        cpu,
        rate: highest(&mut stage),
    }
}

/// The highest rate at which nothing was lost or piled up; each has two tries.
fn highest(stage: &mut Stage) -> f64 {
    let mut best = 0.0;
    let mut rate = RATE_MIN;
    let mut failed = false;
    loop {
        let count = rate as usize;
        if stage.next() + count > OBJECTS {
            return best;
        }
        let outcome = stage.send(count, count);
        if outcome.came == outcome.sent && outcome.took <= 1.0 + PILED_UP_S {
            (best, failed) = (rate, false);
            rate *= RATE_STEP;
        } else if failed {
            return best;
        } else {
            failed = true;
        }
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn verdict(met: bool) -> &'static str {
    match met {
        true => "met",
        false => "MISSED",
    }
}

pub fn run(rounds: usize) {
    let mut all: Vec<[Figures; Contender::ALL.len()]> = Vec::new();
    for _ in 0..rounds {
        all.push(Contender::ALL.map(measure));
    }
    println!("1 KiB from a publisher over one hop to a watcher, {rounds} rounds, medians");
    let [low, high] = BUSY;
    println!(
        "  {:<30} {:>8} {:>8} {:>12} {:>12} {:>10}",
        "", "p50 ms", "p99 ms", "us CPU (1)", "us CPU (2)", "most a s"
    );
    for (at, contender) in Contender::ALL.iter().enumerate() {
        let of = |what: fn(&Figures) -> f64| median(all.iter().map(|round| what(&round[at])));
        println!(
            "  {:<30} {:>8.3} {:>8.3} {:>12.0} {:>12.0} {:>10.0}",
            contender.name(),
            of(|f| f.p50),
            of(|f| f.p99),
            of(|f| f.cpu[0]),
            of(|f| f.cpu[1]),
            of(|f| f.rate)
        );
    }
    println!(
        "  CPU time of the process in the middle an object, at (1) {low} and (2) {high} a second"
    );
    for (at, contender) in Contender::ALL.iter().enumerate() {
        if !matches!(contender, Contender::Ours | Contender::OursInMemory) {
            continue;
        }
        let ratio = |what: fn(&Figures) -> f64| {
            median(all.iter().map(|round| what(&round[at]) / what(&round[1])))
        };
        let p50 = ratio(|f| f.p50);
        let cpu = [ratio(|f| f.cpu[0]), ratio(|f| f.cpu[1])];
        let rate = ratio(|f| f.rate);
        println!("  {} against gossipsub", contender.name());
        println!(
            "    p50 latency   {p50:.2} x   goal 0.8: {}",
            verdict(p50 <= 0.8)
        );
        println!(
            "    CPU time      {:.2} x and {:.2} x   goal 0.5: {}",
            cpu[0],
            cpu[1],
            verdict(cpu[1] <= 0.5)
        );
        println!(
            "    highest rate  {rate:.2} x   goal 2: {}",
            verdict(rate >= 2.0)
        );
    }
}
