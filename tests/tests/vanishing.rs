//! People whose relays are one network: they meet over different relays, hold three, and lose
//! nothing when relays vanish.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;

/// Eight relays that know each other.
fn network(seed: u64) -> (World, Vec<At>) {
    let mut world = World::new(seed);
    let relays = world.relays(8, |_| 0);
    world.run(5 * MINUTE);
    (world, relays)
}

fn linked(world: &World, at: At) -> Vec<RelayView> {
    let mut told = world.hosts[at].events.iter().rev();
    let relays = told.find_map(|event| match event {
        Event::Relays { relays, .. } => Some(relays.clone()),
        _ => None,
    });
    let open = |relay: &RelayView| matches!(relay.state, RelayState::Open);
    relays.unwrap().into_iter().filter(open).collect()
}

fn is_heard(world: &mut World, from: At, to: At, text: &str) -> bool {
    world.say(from, to, text);
    world.hears(to, from, text, 5 * MINUTE)
}

#[test]
fn an_account_holds_three_relays_and_replaces_those_that_vanish() {
    let (mut world, relays) = network(1);
    let ann = world.person("Ann", "relay 3");
    world.run(MINUTE);
    assert_eq!(linked(&world, ann).len(), 3, "{}", world.replay());
    // Two of the three go, the chosen one too.
    let names: Vec<String> = linked(&world, ann)
        .iter()
        .map(|r| r.address.clone())
        .collect();
    let at = |address: &String| {
        let has = |at: &&At| world.hosts[**at].address.to_string() == *address;
        relays.iter().find(has).copied()
    };
    let mut gone: Vec<At> = names.iter().filter_map(at).take(1).collect();
    gone.push(relays[3]);
    for at in gone {
        world.kill(at);
    }
    world.run(MINUTE);
    assert_eq!(linked(&world, ann).len(), 3, "{}", world.replay());
}

#[test]
fn people_with_different_relays_meet_and_talk_while_relays_vanish() {
    let (mut world, relays) = network(2);
    let ann = world.person("Ann", "relay 1");
    let bob = world.person("Bob", "relay 6");
    world.run(MINUTE);
    world.meet(ann, bob);
    assert!(is_heard(&mut world, ann, bob, "before"));
    for at in [relays[1], relays[6], relays[4]] {
        world.kill(at);
    }
    assert!(
        is_heard(&mut world, bob, ann, "after"),
        "{}",
        world.replay()
    );
    assert!(
        is_heard(&mut world, ann, bob, "and back"),
        "{}",
        world.replay()
    );
}

#[test]
fn what_was_sent_to_somebody_away_outlives_the_relay_that_took_it() {
    let (mut world, relays) = network(3);
    let ann = world.person("Ann", "relay 1");
    let bob = world.person("Bob", "relay 6");
    world.run(MINUTE);
    world.meet(ann, bob);
    world.run(5 * MINUTE);
    world.kill(bob);
    world.say(ann, bob, "for later");
    world.run(2 * MINUTE);
    world.kill(ann);
    for at in [relays[1], relays[0], relays[2]] {
        world.kill(at);
    }
    world.start(bob);
    let heard = world.hears(bob, ann, "for later", 5 * MINUTE);
    assert!(heard, "{}", world.replay());
}

/// The sender is gone, the relay has lost its disk: somebody who is there has carried it.
#[test]
fn what_others_carry_outlives_the_disk_of_the_only_relay() {
    let mut world = World::new(4);
    let relay = world.add("relay", true);
    let [ann, bob, eve] = ["Ann", "Bob", "Eve"].map(|name| world.person(name, "relay"));
    world.meet(ann, bob);
    world.run(5 * MINUTE);
    world.kill(bob);
    world.say(ann, bob, "for later");
    world.run(2 * MINUTE);
    world.kill(ann);
    world.kill(relay);
    world.hosts[relay].disk = tests::disk::Disk::default();
    world.start(relay);
    world.run(2 * MINUTE);
    world.kill(eve);
    world.start(bob);
    let heard = world.hears(bob, ann, "for later", 5 * MINUTE);
    assert!(heard, "{}", world.replay());
}

/// All relays of an account vanish at once, while it is open and while it is away.
#[test]
fn an_account_whose_relays_are_all_gone_finds_others() {
    let (mut world, relays) = network(5);
    let ann = world.person("Ann", "relay 3");
    world.run(2 * MINUTE);
    let vanish = |world: &mut World| {
        let gone: Vec<String> = linked(world, ann).into_iter().map(|r| r.address).collect();
        assert_eq!(gone.len(), 3, "{}", world.replay());
        for at in &relays {
            if gone.contains(&world.hosts[*at].address.to_string()) || *at == relays[3] {
                world.kill(*at);
            }
        }
    };
    vanish(&mut world);
    world.run(2 * MINUTE);
    world.kill(ann);
    vanish(&mut world);
    world.start(ann);
    world.run(5 * MINUTE);
    assert!(!linked(&world, ann).is_empty(), "{}", world.replay());
}
