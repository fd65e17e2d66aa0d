//! Hostile parts of a network of relays: a flood that work does not stop, and relays that withhold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use shared::crypto::Rng;
use tests::network::from;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
/// A relay's store in the flood: 32 MiB, of which 256 KiB an hour when it is half full.
const STORE_BYTES: u64 = 32 << 20;

/// Four relays, honest people in 50 networks at all of them, and a flood from some networks that
/// has filled the stores before and brings a hundred times as much as everybody else, with as much
/// effort as is asked and 3 at least.
/// The share of the honest objects that every relay has in the end.
fn honest_share(flooding: u64) -> f64 {
    let mut world = World::new(flooding + 1);
    world.store_bytes = Some(STORE_BYTES);
    let relays = world.relays(4, |_| 0);
    world.run(2 * MINUTE);
    let mut rng = Rng::new([1; 32]);
    // Work that was stockpiled: both halves of every store, as far as it lets them.
    for n in 0..20_000 {
        let stock = world.object(&mut rng, 3);
        let network = 1_000 + n % flooding;
        world.put_from(relays[0], &stock, from(network));
        if n % 50 == 0 {
            world.run(100);
        }
    }
    world.run(3 * MINUTE);
    let mut honest = Vec::new();
    for round in 0..16u64 {
        for person in 0..4u64 {
            let network = 1 + (round * 4 + person) % 50;
            let at = relays[(person % 4) as usize];
            let effort = world.relay(at).effort_floor();
            let kept = world.object(&mut rng, effort);
            world.put_from(at, &kept, from(network));
            honest.push(kept.0.id());
        }
        for n in 0..100u64 {
            let at = relays[(n % 4) as usize];
            let effort = world.relay(at).effort_floor().max(3);
            let flood = world.object(&mut rng, effort);
            let network = 1_000 + n % flooding;
            world.put_from(at, &flood, from(network));
        }
        world.run(10_000);
    }
    world.run(5 * MINUTE);
    for at in &relays {
        assert!(world.relay(*at).status().bytes <= STORE_BYTES);
    }
    let everywhere = honest
        .iter()
        .filter(|id| relays.iter().all(|at| world.relay(*at).stores(id)));
    everywhere.count() as f64 / honest.len() as f64
}

#[test]
fn a_flood_from_a_few_networks_leaves_the_others_their_share() {
    for flooding in [1, 4, 16, 64] {
        let share = honest_share(flooding);
        println!(
            "flood from {flooding} networks against 50: {:.1} % of honest objects are everywhere",
            share * 100.0
        );
        assert!(flooding > 16 || share >= 0.95, "{share}");
    }
}

/// Relays that take everything and hand on nothing.
fn withhold(_from: At, _to: At, bytes: Vec<u8>) -> Option<Vec<u8>> {
    match bytes.first() {
        // Push, Have, Reconciled, Object, News.
        Some(0x08 | 0x09 | 0x41 | 0x23 | 0x31) => None,
        _ => Some(bytes),
    }
}

/// Of ten relays the first three, five are hostile; people choose honest ones and meet.
fn delivered(hostile: usize) -> usize {
    let mut world = World::new(hostile as u64);
    let relays = world.relays(10, |_| 0);
    for at in &relays[..hostile] {
        world.liars.insert(*at);
    }
    world.lie = Some(withhold);
    world.run(5 * MINUTE);
    let ann = world.person("Ann", "relay 7");
    let bob = world.person("Bob", "relay 9");
    world.run(MINUTE);
    world.meet(ann, bob);
    for n in 0..20 {
        world.say(ann, bob, &format!("to Bob {n}"));
        world.say(bob, ann, &format!("to Ann {n}"));
        world.run(10_000);
    }
    world.run(10 * MINUTE);
    let heard = |at: At, of: At| {
        world
            .heard(at, of)
            .iter()
            .filter(|t| t.starts_with("to "))
            .count()
    };
    heard(bob, ann) + heard(ann, bob)
}

#[test]
fn relays_that_withhold_hold_up_nothing() {
    for hostile in [1, 3, 5] {
        assert_eq!(delivered(hostile), 40, "{hostile} of 10 relays withhold");
    }
}
