//! What one relay of a large network costs, and whether that stays the same when the network grows:
//! `cargo run --release -p tests --example sim_large -- 125 250 500`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use shared::crypto::Rng;
use std::time::Instant;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;

fn main() {
    let sizes: Vec<usize> = std::env::args()
        .skip(1)
        .map(|n| n.parse().unwrap())
        .collect();
    for size in sizes {
        run(size);
    }
}

fn run(count: usize) {
    let started = Instant::now();
    let mut world = World::new(1);
    world.swarm_relays = Some(12);
    let mut relays: Vec<At> = Vec::new();
    let mut rng = Rng::new([1; 32]);
    // They come one after the other, each told of one that is there.
    for n in 0..count {
        let at = world.add_networked(&format!("relay {n}"));
        if n > 0 {
            world.name_relay(at, relays[rng.below(n as u64) as usize]);
        }
        relays.push(at);
        world.run(20 * MINUTE / count as u64);
    }
    world.run(40 * MINUTE);
    eprintln!("{count}: met after {:?}", started.elapsed());
    let mut before = world.bytes.clone();
    let sum = |world: &World| {
        let of = |at: &At| {
            let c = world.relay(*at).counters();
            [
                c.relays_dialled,
                c.relays_felt,
                c.peers_joined,
                c.errands,
                c.range_changes,
            ]
        };
        relays
            .iter()
            .map(of)
            .fold([0; 5], |a, b| core::array::from_fn(|i| a[i] + b[i]))
    };
    let old = sum(&world);
    world.run(10 * MINUTE);
    let new = sum(&world);
    let each: Vec<u64> = (0..5)
        .map(|i| (new[i] - old[i]) * 6 / count as u64)
        .collect();
    eprintln!("an hour: dialled, felt, joined, errands, changes {each:?}");
    let idle: u64 = world
        .bytes
        .iter()
        .map(|(code, n)| n - before.get(code).unwrap_or(&0))
        .sum();
    for (code, n) in &world.bytes {
        eprintln!(
            "  idle {code:02x}: {} bytes an hour",
            (n - before.get(code).unwrap_or(&0)) * 6 / count as u64
        );
    }
    before = world.bytes.clone();
    let puts = 4 * count;
    for n in 0..puts {
        let object = world.object(&mut rng, 0);
        world.put(relays[rng.below(count as u64) as usize], &object);
        if n % 8 == 0 {
            world.run(10 * MINUTE * 8 / puts as u64);
        }
    }
    world.run(2 * MINUTE);
    let (mut bodies, mut headers, mut peers, mut bits) = (0, 0, 0, 0);
    for at in &relays {
        let relay = world.relay(*at);
        let status = relay.status();
        bodies += status.objects - status.headers;
        headers += status.headers;
        peers += relay.peers().count();
        bits += u64::from(relay.range().bits());
    }
    for (code, n) in &world.bytes {
        eprintln!(
            "  {code:02x}: {} bytes an object",
            (n - before.get(code).unwrap_or(&0)) / puts as u64
        );
    }
    let busy: u64 = world
        .bytes
        .iter()
        .map(|(code, n)| n - before.get(code).unwrap_or(&0))
        .sum();
    let each = |n: u64| n as f64 / count as f64;
    println!(
        "{count} relays: bits {:.2}, peers {:.1}, bodies {:.2}, headers {:.1}, idle {:.0} kB/h, \
         busy {:.0} kB, {:?}",
        each(bits),
        each(peers as u64),
        each(bodies),
        each(headers),
        each(idle) * 6.0 / 1000.0,
        each(busy) / 1000.0,
        started.elapsed()
    );
}
