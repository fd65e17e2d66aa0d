//! Relays that sign for what they do not keep: people are not told that it is stored, and another
//! relay takes their place.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::host::Host;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
/// Relays are added first.
const RELAYS: usize = 5;

/// Nothing that is stored there comes out, to people.
fn forgets(_from: At, to: At, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let shows = to >= RELAYS && matches!(bytes.first(), Some(0x23 | 0x31));
    (!shows).then_some(bytes)
}

/// How far the last message of somebody is, each time that it changed.
fn deliveries(world: &World, at: At, text: &str) -> Vec<Delivery> {
    let mut all = Vec::new();
    for event in &world.hosts[at].events {
        if let Event::Message { message } = event
            && message.mine
            && message.text == text
            && all.last() != Some(&message.delivery)
        {
            all.push(message.delivery.clone());
        }
    }
    all
}

/// By how many relays a message is stored, each time that it changed.
fn counts(world: &World, at: At, text: &str) -> Vec<u32> {
    let mut counts = Vec::new();
    for delivery in deliveries(world, at, text) {
        let count = match delivery {
            Delivery::Stored { relays, .. } => relays,
            _ => 0,
        };
        if counts.last() != Some(&count) {
            counts.push(count);
        }
    }
    counts
}

/// Ann and Bob, who know each other and so many relays that do not know each other; Bob is away.
fn apart(relays: usize) -> (World, At, At) {
    let mut world = World::new(1);
    for n in 0..RELAYS {
        world.add(&format!("relay {n}"), true);
    }
    let (ann, bob) = (
        world.person("Ann", "relay 0"),
        world.person("Bob", "relay 0"),
    );
    for at in [ann, bob] {
        for n in 1..relays {
            let hint = Host::hint(&format!("relay {n}")).to_text();
            world.must(at, Command::AddRelay { hint });
        }
        world.stay_open(at);
    }
    world.run(MINUTE);
    world.meet(ann, bob);
    world.run(5 * MINUTE);
    world.kill(bob);
    (world, ann, bob)
}

#[test]
fn a_relay_that_keeps_its_promises_is_looked_at_and_believed() {
    let (mut world, ann, bob) = apart(2);
    world.seen = Some(Vec::new());
    world.say(ann, bob, "hello");
    world.run(12 * HOUR);
    assert_eq!(counts(&world, ann, "hello"), [0, 1, 2]);
    let seen = world.seen.take().unwrap();
    let gets = seen
        .iter()
        .filter(|s| s.client == ann && s.to_relay && s.bytes[0] == 0x22);
    // One in ten minutes.
    assert!((40..110).contains(&gets.count()));
}

/// It lists what it was given, and later has it no more.
#[test]
fn what_a_relay_forgets_is_not_shown_as_stored() {
    let (mut world, ann, bob) = apart(2);
    world.say(ann, bob, "hello");
    world.run(MINUTE);
    assert_eq!(counts(&world, ann, "hello"), [0, 1, 2]);
    world.liars.insert(1);
    world.lie = Some(forgets);
    world.run(12 * HOUR);
    // Put again twice, then believed no more.
    assert_eq!(counts(&world, ann, "hello"), [0, 1, 2, 1, 2, 1, 2, 1]);
    // What it signs for from then on does not count.
    world.say(ann, bob, "more");
    world.run(HOUR);
    assert_eq!(counts(&world, ann, "more"), [0, 1]);
    world.start(bob);
    world.run(1_000);
    world.unlock(bob);
    assert!(world.hears(bob, ann, "more", 5 * MINUTE));
}

/// It never lists what it signs for.
#[test]
fn what_a_relay_never_lists_is_not_shown_as_stored() {
    let (mut world, ann, bob) = apart(2);
    world.liars.insert(1);
    world.lie = Some(forgets);
    world.say(ann, bob, "hello");
    world.run(12 * HOUR);
    let counts = counts(&world, ann, "hello");
    assert_eq!(counts, [0, 1, 2, 1, 2, 1, 2, 1]);
}

/// Where it is the only one, the message waits, as people are shown.
#[test]
fn what_the_only_relay_forgets_is_queued_again() {
    let (mut world, ann, bob) = apart(1);
    world.liars.insert(0);
    world.lie = Some(forgets);
    world.say(ann, bob, "hello");
    world.run(12 * HOUR);
    assert_eq!(counts(&world, ann, "hello"), [0, 1, 0, 1, 0, 1, 0]);
}

fn relays(world: &World, at: At) -> Vec<RelayView> {
    let mut told = world.hosts[at].events.iter().rev();
    let told = told.find_map(|event| match event {
        Event::Relays { relays, .. } => Some(relays.clone()),
        _ => None,
    });
    told.unwrap()
}

/// In a network a relay that was only named gives way to another one.
#[test]
fn a_named_relay_that_forgets_gives_way() {
    let mut world = World::new(3);
    world.relays(RELAYS, |_| 0);
    world.run(5 * MINUTE);
    let (ann, bob) = world.friends("relay 0", "relay 0");
    world.kill(bob);
    let found = |world: &World| -> Vec<String> {
        let relays = relays(world, ann);
        assert_eq!(relays.len(), 3);
        let found = relays.into_iter().filter(|r| r.found);
        found.map(|r| r.relay).collect()
    };
    let before = found(&world);
    let name = |at: At| -> String {
        let key = world.hosts[at].hint.node_key;
        key[..8].iter().map(|b| format!("{b:02x}")).collect()
    };
    let liar = (0..RELAYS).find(|at| name(*at) == before[0]).unwrap();
    world.liars.insert(liar);
    world.lie = Some(forgets);
    world.say(ann, bob, "hello");
    world.run(20 * HOUR);
    let after = found(&world);
    assert!(!after.contains(&before[0]), "{before:?} {after:?}");
    assert_eq!(counts(&world, ann, "hello").last(), Some(&3));
}

/// In a divided network most objects are passed on and borrowed: nobody is blamed for that.
#[test]
fn relays_that_pass_on_and_borrow_are_believed() {
    let mut world = World::new(3);
    world.swarm_relays = Some(12);
    let relays = world.relays(40, |n| n / 2);
    world.run(30 * MINUTE);
    assert!(relays.iter().all(|at| world.relay(*at).range().bits() > 0));
    let (ann, bob) = world.friends("relay 0", "relay 7");
    world.kill(bob);
    let passed_on = |world: &World| -> u64 {
        let passed = relays.iter().map(|at| world.relay(*at).counters().errands);
        passed.sum()
    };
    let before = passed_on(&world);
    let texts: Vec<String> = (0..6).map(|n| format!("hello {n}")).collect();
    for text in &texts {
        world.say(ann, bob, text);
        world.run(MINUTE);
    }
    assert!(passed_on(&world) > before);
    world.run(3 * HOUR);
    for text in &texts {
        let counts = counts(&world, ann, text);
        assert!(counts.is_sorted() && counts.len() > 1, "{counts:?}");
    }
}
