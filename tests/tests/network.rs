//! Relays among themselves: they meet, share what they store, and lose nothing when some vanish.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use shared::crypto::Rng;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;

fn network(world: &mut World, relays: usize) -> Vec<At> {
    world.relays(relays, |n| n / 2)
}

fn stored(world: &World, relays: &[At]) -> Vec<u64> {
    let objects = |at: &At| world.relay(*at).status().objects;
    relays.iter().map(objects).collect()
}

#[test]
fn what_one_stores_all_store() {
    let mut world = World::new(2);
    let relays = network(&mut world, 12);
    world.run(5 * MINUTE);
    let mut rng = Rng::new([1; 32]);
    for n in 0..100 {
        let object = world.object(&mut rng, 0);
        world.put(relays[n % 12], &object);
        world.run(50);
    }
    world.run(5_000);
    assert_eq!(stored(&world, &relays), [100; 12], "{}", world.replay());
    let pushes: u64 = relays
        .iter()
        .map(|at| world.relay(*at).counters().pushes)
        .sum();
    println!("{pushes} pushes for {} copies", 100 * 11);
    assert!(pushes < 3 * 100 * 11);
}

#[test]
fn a_relay_that_was_away_or_lost_its_disk_catches_up() {
    let mut world = World::new(3);
    let relays = network(&mut world, 8);
    world.run(5 * MINUTE);
    let (away, wiped) = (relays[3], relays[5]);
    world.kill(away);
    world.kill(wiped);
    let mut rng = Rng::new([1; 32]);
    for n in 0..600 {
        let object = world.object(&mut rng, 0);
        world.put(relays[n % 3], &object);
        world.run(200);
    }
    world.hosts[wiped].disk = tests::disk::Disk::default();
    world.start(away);
    world.start(wiped);
    world.name_relay(wiped, relays[0]);
    world.run(5 * MINUTE);
    assert_eq!(stored(&world, &relays), [600; 8], "{}", world.replay());
}

#[test]
fn a_partition_heals() {
    let mut world = World::new(4);
    let relays = network(&mut world, 8);
    world.run(5 * MINUTE);
    for a in &relays[..4] {
        for b in &relays[4..] {
            world.set_cut(*a, *b, true);
        }
    }
    let mut rng = Rng::new([1; 32]);
    for n in 0..200 {
        let object = world.object(&mut rng, 0);
        world.put(relays[n % 8], &object);
        world.run(100);
    }
    world.run(10 * MINUTE);
    assert_eq!(stored(&world, &relays), [100; 8], "{}", world.replay());
    world.cut.clear();
    world.run(30 * MINUTE);
    assert_eq!(stored(&world, &relays), [200; 8], "{}", world.replay());
}

/// Churn, broken links and an hour of skew among 200 relays: every object is everywhere.
#[test]
fn two_hundred_relays_lose_nothing() {
    let started = std::time::Instant::now();
    let mut world = World::new(5);
    world.faults.breaks_one_in = 20_000;
    let relays = network(&mut world, 200);
    world.run(5 * MINUTE);
    println!("met after {:?}", started.elapsed());
    let mut rng = Rng::new([1; 32]);
    let mut down: Vec<At> = Vec::new();
    for n in 0..100 {
        let object = world.object(&mut rng, 0);
        let up = |at: &At| world.hosts[*at].is_up();
        let up: Vec<At> = relays.iter().copied().filter(up).collect();
        world.put(up[(n * 7) % up.len()], &object);
        world.run(2_000);
        // Somebody goes, somebody comes back.
        if n % 2 == 0 {
            let at = relays[rng.below(200) as usize];
            if world.hosts[at].is_up() {
                world.kill(at);
                down.push(at);
            }
        }
        if down.len() > 30 {
            let at = down.remove(0);
            world.start(at);
        }
    }
    println!("put after {:?}", started.elapsed());
    for at in down {
        world.start(at);
    }
    world.run(10 * MINUTE);
    println!("settled after {:?}", started.elapsed());
    let stored = stored(&world, &relays);
    let whole = stored.iter().filter(|n| **n >= 100).count();
    println!("{whole} of 200 have all");
    for (code, bytes) in &world.bytes {
        println!("{code:02x}: {} bytes a copy", bytes / (100 * 199));
    }
    assert_eq!(whole, 200, "{stored:?}; {}", world.replay());
}

#[test]
fn relays_meet_through_one_another() {
    let mut world = World::new(1);
    let relays = network(&mut world, 12);
    world.run(5 * MINUTE);
    for at in &relays {
        let peers = world.relay(*at).peers().count();
        assert!(peers >= 8, "{peers} peers; {}", world.replay());
    }
}
