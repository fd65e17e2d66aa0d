//! Proof-of-work on one core: the kernel against the `sha2` crate, whose block function is the
//! fastest thing a program gets without writing its own.
//!
//!     cargo run --release -p native-node --example bench_pow [-- --json]
//!
//! The contenders run in turn in one process, so that a change of the machine's speed hits all
//! alike; the figures are medians over the rounds. No target flags: the kernel is chosen at run
//! time.

mod measure;

use measure::median;
use std::hint::black_box;
use std::time::{Duration, Instant};

use native_node::pow;
use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

const ROUNDS: usize = 31;
const SLICE: Duration = Duration::from_millis(25);
/// What the kernel should reach against the block function where there are SHA instructions.
const GOAL: f64 = 2.5;

const PREFIX: [u8; 32] = *b"proof-of-work benchmark, prefix.";

/// Initial hash value (FIPS 180-4, 5.3.3).
const H: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// Hashes `count` nonces from `start` on.
type Scan = fn(start: u64, count: u64);

fn kernel(start: u64, count: u64) {
    // A target of zero is never reached, so all are hashed.
    black_box(pow::search(black_box(&PREFIX), &[0; 32], start, count));
}

fn sha2_block(start: u64, count: u64) {
    let mut block = [0u8; 64];
    block[..32].copy_from_slice(black_box(&PREFIX));
    block[40] = 0x80;
    block[62..].copy_from_slice(&320u16.to_be_bytes());
    let mut least = u32::MAX;
    for nonce in start..start + count {
        block[32..40].copy_from_slice(&nonce.to_le_bytes());
        let mut state = H;
        compress256(&mut state, std::slice::from_ref(&block));
        least = least.min(state[0]);
    }
    black_box(least);
}

fn sha2_digest(start: u64, count: u64) {
    let mut message = [0u8; 40];
    message[..32].copy_from_slice(black_box(&PREFIX));
    let mut least = u8::MAX;
    for nonce in start..start + count {
        message[32..].copy_from_slice(&nonce.to_le_bytes());
        least = least.min(Sha256::digest(message)[0]);
    }
    black_box(least);
}

/// How many hashes fill one slice.
fn calibrate(scan: Scan) -> u64 {
    let mut count = 1 << 12;
    loop {
        let begin = Instant::now();
        scan(0, count);
        let took = begin.elapsed();
        if took > SLICE / 4 {
            return (count as f64 * SLICE.as_secs_f64() / took.as_secs_f64()) as u64;
        }
        count *= 2;
    }
}

fn main() {
    let contenders: [(&str, Scan); 3] = [
        ("kernel", kernel),
        ("sha2 block function", sha2_block),
        ("Sha256::digest", sha2_digest),
    ];
    let counts = contenders.map(|(_, scan)| calibrate(scan));
    let mut rates = [const { Vec::<f64>::new() }; 3];
    for round in 0..ROUNDS {
        for (i, (_, scan)) in contenders.iter().enumerate() {
            let begin = Instant::now();
            scan(round as u64 * 10_000_000, counts[i]);
            rates[i].push(counts[i] as f64 / begin.elapsed().as_secs_f64() / 1e6);
        }
    }
    let mhs: Vec<f64> = rates.iter().cloned().map(median).collect();
    let against = |i: usize| -> f64 {
        let pairs: Vec<f64> = rates[0]
            .iter()
            .zip(&rates[i])
            .map(|(own, it)| own / it)
            .collect();
        median(pairs)
    };

    if std::env::args().any(|argument| argument == "--json") {
        println!(
            "{{\"kernel\":\"{}\",\"kernel_mhs\":{:.2},\"block_mhs\":{:.2},\"digest_mhs\":{:.2},\
             \"ratio_block\":{:.3},\"ratio_digest\":{:.3},\"goal_ratio_block\":{GOAL}}}",
            pow::kernel_name(),
            mhs[0],
            mhs[1],
            mhs[2],
            against(1),
            against(2),
        );
        return;
    }
    println!(
        "Proof-of-work on one core, kernel: {}, medians of {ROUNDS} rounds",
        pow::kernel_name()
    );
    for (i, (name, _)) in contenders.iter().enumerate() {
        let versus = if i == 0 {
            String::new()
        } else {
            format!("   kernel is {:.2} x", against(i))
        };
        println!("  {name:<20} {:>6.1} MH/s{versus}", mhs[i]);
    }
    let verdict = if against(1) >= GOAL { "met" } else { "MISSED" };
    println!(
        "  goal {GOAL} x the block function: {verdict} (with SHA instructions; no target flags)"
    );
}
