//! A network that is divided: every object is where its address belongs, found from anywhere, and
//! stays when ranges are halved and joined.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use shared::crypto::Rng;
use shared::range::{Range, SCAN_WIDER_BITS};
use tests::network::Object;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Relays of which twelve at most keep a range.
fn divided(seed: u64, relays: usize) -> (World, Vec<At>) {
    let mut world = World::new(seed);
    world.swarm_relays = Some(12);
    let relays = world.relays(relays, |n| n / 2);
    (world, relays)
}

fn range(world: &World, at: At) -> Range {
    world.relay(at).range()
}

/// How many relays keep an object that should, of how many.
fn kept(world: &World, relays: &[At], (header, _): &Object) -> (usize, usize) {
    let should: Vec<At> = relays
        .iter()
        .copied()
        .filter(|at| world.hosts[*at].is_up() && range(world, *at).has(header.address))
        .collect();
    let id = header.id();
    let do_keep = should.iter().filter(|at| world.relay(**at).stores(&id));
    (do_keep.count(), should.len())
}

#[test]
fn every_object_is_where_it_belongs() {
    let (mut world, relays) = divided(1, 100);
    world.run(30 * MINUTE);
    let bits: Vec<u8> = relays.iter().map(|at| range(&world, *at).bits()).collect();
    println!("bits {bits:?}");
    assert!(bits.iter().all(|bits| (2..=5).contains(bits)), "{bits:?}");
    let mut rng = Rng::new([1; 32]);
    let mut objects = Vec::new();
    for n in 0..200 {
        let object = world.object(&mut rng, 0);
        // Anywhere: most relays pass it on.
        world.put(relays[(n * 7) % relays.len()], &object);
        objects.push(object);
        world.run(500);
    }
    world.run(3 * MINUTE);
    for object in &objects {
        let (kept, should) = kept(&world, &relays, object);
        assert_eq!(kept, should, "{}", world.replay());
        assert!(should >= 3);
    }
    let end: Vec<u8> = relays.iter().map(|at| range(&world, *at).bits()).collect();
    println!("bits {end:?}");
    let mut bodies = 0;
    for at in &relays {
        let relay = world.relay(*at);
        let status = relay.status();
        bodies += status.objects - status.headers;
        for (header, _) in &objects {
            let scanned = relay.range().wider(SCAN_WIDER_BITS).has(header.address);
            assert!(relay.lists(&header.id()) || !scanned, "{}", world.replay());
        }
    }
    println!("{bodies} copies of 200 objects");
    assert!(bodies < 100 * 200 / 4);
}

/// Whether somebody who should keeps it.
fn is_kept(world: &World, relays: &[At], object: &Object) -> bool {
    kept(world, relays, object).0 > 0
}

#[test]
fn nothing_is_lost_when_the_network_grows_and_shrinks() {
    let mut world = World::new(2);
    world.swarm_relays = Some(6);
    let mut relays = world.relays(10, |n| n / 2);
    let mut rng = Rng::new([2; 32]);
    let mut objects: Vec<Object> = Vec::new();
    let put = |world: &mut World, relays: &[At], rng: &mut Rng, objects: &mut Vec<Object>| {
        for _ in 0..20 {
            let object = world.object(rng, 0);
            let up: Vec<At> = relays
                .iter()
                .copied()
                .filter(|at| world.hosts[*at].is_up())
                .collect();
            world.put(up[rng.below(up.len() as u64) as usize], &object);
            objects.push(object);
            world.run(1_000);
        }
    };
    let bits = |world: &World, relays: &[At]| {
        let up = relays.iter().filter(|at| world.hosts[**at].is_up());
        up.map(|at| range(world, *at).bits()).max().unwrap()
    };
    world.run(20 * MINUTE);
    put(&mut world, &relays, &mut rng, &mut objects);
    let small = bits(&world, &relays);
    for n in 0..40 {
        let at = world.add_networked(&format!("later {n}"));
        world.name_relay(at, relays[n % relays.len()]);
        relays.push(at);
        world.run(30_000);
        if n % 10 == 0 {
            put(&mut world, &relays, &mut rng, &mut objects);
        }
    }
    world.run(30 * MINUTE);
    let large = bits(&world, &relays);
    put(&mut world, &relays, &mut rng, &mut objects);
    world.run(2 * MINUTE);
    let lost = |world: &World, relays: &[At], objects: &[Object]| {
        objects
            .iter()
            .filter(|object| !is_kept(world, relays, object))
            .count()
    };
    assert_eq!(lost(&world, &relays, &objects), 0, "{}", world.replay());
    // Forty leave, in any order, each without a word.
    let mut gone = relays.clone();
    for n in (0..gone.len()).rev() {
        gone.swap(n, rng.below(n as u64 + 1) as usize);
    }
    for (n, at) in gone.into_iter().take(40).enumerate() {
        world.kill(at);
        world.run(4 * MINUTE);
        if n % 10 == 0 {
            put(&mut world, &relays, &mut rng, &mut objects);
        }
    }
    world.run(HOUR);
    let end = bits(&world, &relays);
    println!("bits {small}, {large}, {end}; {} objects", objects.len());
    assert!(large > small && end < large);
    assert_eq!(lost(&world, &relays, &objects), 0, "{}", world.replay());
}

#[test]
fn people_meet_and_talk_across_ranges() {
    let (mut world, relays) = divided(3, 50);
    world.run(30 * MINUTE);
    let far = |world: &World, from: At| {
        let own = range(world, from);
        let other = relays.iter().find(|at| !range(world, **at).overlaps(own));
        world.hosts[*other.unwrap()].name.clone()
    };
    let ann = world.person("ann", "relay 0");
    let ben_at = far(&world, relays[0]);
    let ben = world.person("ben", &ben_at);
    world.meet(ann, ben);
    for n in 0..20 {
        world.say(ann, ben, &format!("to ben {n}"));
        world.say(ben, ann, &format!("to ann {n}"));
        world.run(5_000);
    }
    world.run(2 * MINUTE);
    for (at, other, who) in [(ann, ben, "ann"), (ben, ann, "ben")] {
        let heard = world.heard(at, other);
        let texts = heard.iter().filter(|text| text.starts_with("to "));
        assert_eq!(texts.count(), 20, "{who} {heard:?} {}", world.replay());
        assert!(world.delivered(at, other) >= 20, "{who}");
    }
    let errands = |at: &At| world.relay(*at).counters().errands;
    let borrowed = |at: &At| world.relay(*at).counters().borrowed;
    let passed: u64 = relays.iter().map(errands).sum();
    let lent: u64 = relays.iter().map(borrowed).sum();
    println!("{passed} requests passed on, {lent} bodies lent");
    assert!(passed > 20 && lent > 20);
}

/// More than 16 ranges: nobody lists everything, and mail comes to a part of the network.
#[test]
fn people_meet_and_talk_where_no_relay_lists_everything() {
    let mut world = World::new(4);
    world.swarm_relays = Some(4);
    let relays = world.relays(100, |n| n / 2);
    world.run(30 * MINUTE);
    let bits: Vec<u8> = relays.iter().map(|at| range(&world, *at).bits()).collect();
    println!("bits {bits:?}");
    assert!(bits.iter().filter(|bits| **bits > 4).count() > 50);
    let people: Vec<At> = (0..4)
        .map(|n| world.person(&format!("person {n}"), &format!("relay {}", n * 21)))
        .collect();
    world.run(2 * MINUTE);
    for n in 1..4 {
        world.meet(people[0], people[n]);
    }
    for n in 0..10 {
        for other in 1..4 {
            world.say(people[0], people[other], &format!("to {n}"));
            world.say(people[other], people[0], &format!("to {n}"));
            world.run(3_000);
        }
    }
    world.run(3 * MINUTE);
    for other in 1..4 {
        for (at, from) in [(people[0], people[other]), (people[other], people[0])] {
            let heard = world.heard(at, from);
            let texts = heard.iter().filter(|text| text.starts_with("to "));
            assert_eq!(
                texts.count(),
                10,
                "{at} {from} {heard:?} {}",
                world.replay()
            );
        }
    }
}

/// The mailbox of an invitation is a place of its own, which none of the relays that are held may
/// list: others are asked for at once, not at the next half hour.
#[test]
fn an_invitation_is_read_where_nobody_held_lists_its_mailbox() {
    let (mut world, people) = twelve_in_parts(5);
    for pair in people.chunks_exact(2) {
        let link = world.invite_for(pair[0], 24).fragment;
        world.greet(pair[1], &link).unwrap();
        let came = |world: &World| world.greeting(pair[0]).is_some();
        assert!(world.run_until(3 * MINUTE, came), "{}", world.replay());
    }
}

/// Nobody names such a relay while the greeting comes, and a quarter of an hour later the relays
/// that are held have been read on.
#[test]
fn a_greeting_from_before_its_mailbox_was_read_is_found() {
    let (mut world, people) = twelve_in_parts(6);
    const RELAYS: u8 = 0x26;
    world.liars = people.iter().step_by(2).copied().collect();
    world.lie = Some(|_, _, bytes| (bytes[0] != RELAYS).then_some(bytes));
    for pair in people.chunks_exact(2) {
        let link = world.invite_for(pair[0], 24).fragment;
        world.greet(pair[1], &link).unwrap();
    }
    world.run(15 * MINUTE);
    let waits = |world: &World| {
        let hosts = people.iter().step_by(2);
        hosts.filter(|at| world.greeting(**at).is_none()).count()
    };
    let before = waits(&world);
    println!("{before} of 6 have not read their greeting");
    assert!(before > 0);
    world.lie = None;
    assert!(
        world.run_until(3 * MINUTE, |world| waits(world) == 0),
        "{}",
        world.replay()
    );
}

/// People where each relay lists a part of the mail only.
fn twelve_in_parts(seed: u64) -> (World, Vec<At>) {
    let mut world = World::new(seed);
    (world.swarm_relays, world.scan_wider_bits) = (Some(4), 1);
    let relays = world.relays(60, |n| n / 2);
    world.run(30 * MINUTE);
    let bits = relays.iter().map(|at| range(&world, *at).bits());
    assert!(bits.filter(|bits| *bits > 2).count() > 50);
    let people: Vec<At> = (0..12)
        .map(|n| world.person(&format!("person {n}"), &format!("relay {}", n * 5)))
        .collect();
    world.run(3 * MINUTE);
    (world, people)
}
