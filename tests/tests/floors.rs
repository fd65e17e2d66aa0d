//! Relays that are short of room ask for more work: a flood from many networks, which shares alone
//! do not hold off, pays for it, and honest people get through.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use shared::crypto::Rng;
use tests::network::from;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
/// Objects that a network brings while honest people write, each once an hour.
const HONEST: u64 = 48;
/// Networks of a flood: more than there is room for objects in an hour.
const FLOODING: u64 = 512;
/// Objects that the flood has the power for in a minute, at no effort: of all relays, eight times
/// what they have room for.
const POWER: u64 = 60;

/// Four relays that know each other, more than half full.
fn full_relays(floor_raised: Option<u8>) -> (World, Vec<At>, Rng) {
    let mut world = World::new(1);
    world.store_bytes = Some(10 << 20);
    world.hour_bytes = Some(1 << 20);
    world.floor_raised = floor_raised;
    let relays = world.relays(4, |_| 0);
    world.run(2 * MINUTE);
    let mut rng = Rng::new([1; 32]);
    for n in 0..4_900 {
        let stock = world.object(&mut rng, 0);
        world.put_from(relays[n % 4], &stock, from(5_000));
        if n % 50 == 0 {
            world.run(100);
        }
    }
    world.run(5 * MINUTE);
    for at in &relays {
        assert!(world.relay(*at).status().bytes > 5 << 20);
    }
    (world, relays, rng)
}

/// The share of honest objects that every relay has in the end, and the objects of the flood that
/// were put.
fn honest_share(floor_raised: Option<u8>) -> (f64, u64) {
    let (mut world, relays, mut rng) = full_relays(floor_raised);
    let mut power = 0;
    let (mut flood, mut count) = (0, 0);
    let mut honest = Vec::new();
    let minutes = 4 * 60 - (world.now / MINUTE) % 60;
    for minute in 0..minutes {
        // What has work for the floor as it is, from one network after the other.
        let cost = |world: &World, at: At| {
            let effort = world.relay(at).effort_floor();
            (1u64 << effort, effort)
        };
        power += POWER;
        loop {
            let at = relays[(flood % 4) as usize];
            let (price, effort) = cost(&world, at);
            if price > power {
                break;
            }
            power -= price;
            let object = world.object(&mut rng, effort);
            world.put_from(at, &object, from(1_000 + flood % FLOODING));
            flood += 1;
        }
        // Honest people, in the hours after the first, at the effort that their relay asks.
        if minutes - minute <= 2 * 60 {
            let at = relays[(minute % 4) as usize];
            let effort = world.relay(at).effort_floor();
            let object = world.object(&mut rng, effort);
            honest.push(object.0.id());
            world.put_from(at, &object, from(1 + count % HONEST));
            count += 1;
        }
        world.run(MINUTE);
    }
    world.run(5 * MINUTE);
    let floors: Vec<u8> = relays
        .iter()
        .map(|at| world.relay(*at).effort_floor())
        .collect();
    let everywhere = honest
        .iter()
        .filter(|id| relays.iter().all(|at| world.relay(*at).stores(id)));
    let share = everywhere.count() as f64 / honest.len() as f64;
    println!("floors {floors:?}, {flood} objects of the flood, {share:.3} of the honest ones");
    (share, flood)
}

#[test]
fn a_flood_from_many_networks_pays_and_honest_people_get_through() {
    let (without, flood) = honest_share(Some(0));
    let (with, paid) = honest_share(None);
    assert!(without < 0.6, "{without}");
    assert!(with >= 0.95, "{with}");
    assert!(paid * 3 < flood, "{paid} of {flood}");
}

/// Efforts of what was put at a relay by somebody, once each.
fn efforts(world: &mut World, of: At) -> Vec<u8> {
    let seen = world.seen.replace(Vec::new()).unwrap_or_default();
    let puts = seen.iter().filter(|s| s.to_relay && s.client == of);
    puts.filter(|s| s.bytes[0] == 0x10)
        .map(|s| s.bytes[5 + 2])
        .collect()
}

/// An account begins with the effort that a relay asks, on a link that is open and on a new one,
/// and goes back down with it.
#[test]
fn an_account_does_what_the_floor_asks_and_no_more() {
    let mut world = World::new(1);
    world.store_bytes = Some(3 << 20);
    world.hour_bytes = Some(1 << 20);
    let relay = world.add_networked("relay 0");
    let (ann, bob) = world.friends("relay 0", "relay 0");
    let mut rng = Rng::new([2; 32]);
    for n in 0..1_500 {
        let stock = world.object(&mut rng, 0);
        world.put_from(relay, &stock, from(5_000));
        if n % 50 == 0 {
            world.run(100);
        }
    }
    world.seen = Some(Vec::new());
    world.say(ann, bob, "one");
    assert!(world.hears(bob, ann, "one", MINUTE));
    assert_eq!(efforts(&mut world, ann), [0]);
    // The flood, until the relay asks for three more, which it pays as well.
    while world.relay(relay).effort_floor() < 3 {
        for network in (0..10).chain(0..10) {
            let effort = world.relay(relay).effort_floor();
            let flood = world.object(&mut rng, effort);
            world.put_from(relay, &flood, from(1_000 + network));
        }
        world.run(MINUTE);
    }
    efforts(&mut world, ann);
    world.say(ann, bob, "two");
    assert!(world.hears(bob, ann, "two", MINUTE));
    let done = efforts(&mut world, ann);
    assert!(!done.is_empty() && done.iter().all(|e| *e == 3), "{done:?}");
    world.kill(ann);
    world.start(ann);
    world.run(1_000);
    world.unlock(ann);
    world.run(10_000);
    assert!(world.relay(relay).effort_floor() >= 2);
    efforts(&mut world, ann);
    world.say(ann, bob, "three");
    assert!(world.hears(bob, ann, "three", MINUTE));
    let floor = world.relay(relay).effort_floor();
    let done = efforts(&mut world, ann);
    assert!(done.contains(&floor) && done.iter().all(|e| *e >= floor));
    // It is over.
    let is_low = |world: &World| world.relay(relay).effort_floor() == 0;
    assert!(world.run_until(120 * MINUTE, is_low));
    world.run(1_000);
    efforts(&mut world, ann);
    world.say(ann, bob, "four");
    assert!(world.hears(bob, ann, "four", MINUTE));
    let done = efforts(&mut world, ann);
    assert!(!done.is_empty() && done.iter().all(|e| *e == 0), "{done:?}");
}
