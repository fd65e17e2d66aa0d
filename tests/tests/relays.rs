//! Several relays, some of them away, some wrong, some hostile: none of them takes from a person
//! what another one gives.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use shared::object::pow;
use shared::wire::Header;
use tests::host::{Host, WORK_DIVISOR};
use tests::net::refusing;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Ann and Bob, who know each other and both relays.
fn two_relays() -> (World, [At; 2], [At; 2]) {
    let mut world = World::new(1);
    let relays = [world.add("first", true), world.add("second", true)];
    let people = [world.person("Ann", "first"), world.person("Bob", "first")];
    for at in people {
        add_relay(&mut world, at, "second");
    }
    world.run(10_000);
    world.meet(people[0], people[1]);
    world.run(5 * MINUTE);
    (world, relays, people)
}

fn add_relay(world: &mut World, at: At, name: &str) {
    let hint = Host::hint(name).to_text();
    world.must(at, Command::AddRelay { hint });
}

fn relays(world: &World, at: At) -> Vec<RelayView> {
    let mut told = world.hosts[at].events.iter().rev();
    let told = told.find_map(|event| match event {
        Event::Relays { relays, .. } => Some(relays.clone()),
        _ => None,
    });
    told.unwrap()
}

fn remove_relay(world: &mut World, at: At, name: &str) {
    let hint = Host::hint(name).to_text();
    let shown = relays(world, at).into_iter().find(|r| r.hint == hint);
    let relay = shown.unwrap().relay;
    world.must(at, Command::RemoveRelay { relay });
}

fn is_heard(world: &mut World, from: At, to: At, text: &str) -> bool {
    world.say(from, to, text);
    world.hears(to, from, text, 3 * MINUTE)
}

/// Three relays of one mind, 14 years ahead, in the invitation of somebody hostile.
fn mad_link(world: &mut World) -> String {
    for name in ["mad 1", "mad 2", "mad 3"] {
        world.add_with_clock(name, true, 14 * 365 * DAY as i64);
    }
    let eve = world.person("Eve", "mad 1");
    add_relay(world, eve, "mad 2");
    add_relay(world, eve, "mad 3");
    world.run(MINUTE);
    world.invite_for(eve, 24).fragment
}

/// Opening a link leaves nothing behind: no relay, no time.
#[test]
fn a_link_that_is_only_opened_changes_nothing() {
    let (mut world, _, ann, bob) = World::two(1);
    world.meet(ann, bob);
    let link = mad_link(&mut world);
    let opened = world.must(ann, Command::OpenInvite { link: link.clone() });
    assert!(matches!(opened, Some(Answer::Opened { .. })));
    assert!(is_heard(&mut world, ann, bob, "hello"));
    assert_eq!(relays(&world, ann).len(), 1);
    let checked = world.must(ann, Command::CheckLink { link: link.clone() });
    let Some(Answer::Link { new_relays, .. }) = checked else {
        panic!("not checked");
    };
    assert_eq!(new_relays.len(), 3);
    world.kill(ann);
    world.start(ann);
    world.run(MINUTE);
    assert_eq!(relays(&world, ann).len(), 1);
    assert!(is_heard(&mut world, bob, ann, "hello"));
}

/// Even greeted, somebody hostile moves no clock and holds up nobody else.
#[test]
fn the_relays_of_somebody_greeted_tell_no_time() {
    let (mut world, _, ann, bob) = World::two(1);
    world.stay_open(ann);
    world.stay_open(bob);
    world.meet(ann, bob);
    let link = mad_link(&mut world);
    world.greet(ann, &link).unwrap();
    world.run(10 * MINUTE);
    assert_eq!(relays(&world, ann).len(), 4);
    assert!(is_heard(&mut world, ann, bob, "hello"));
    for name in ["mad 1", "mad 2"] {
        remove_relay(&mut world, ann, name);
    }
    world.run(3 * DAY);
    assert!(is_heard(&mut world, ann, bob, "on the third day"));
    assert!(is_heard(&mut world, bob, ann, "and back"));
}

/// Links opened by the dozen use up no place.
#[test]
fn opened_links_use_up_no_place() {
    let mut world = World::new(1);
    world.add("relay", true);
    let ann = world.person("Ann", "relay");
    for turn in 0..12 {
        let name = format!("relay {turn}");
        world.add(&name, true);
        let other = world.person(&format!("Other {turn}"), &name);
        let link = world.invite_for(other, 24).fragment;
        world.must(ann, Command::OpenInvite { link });
        assert_eq!(relays(&world, ann).len(), 1);
    }
    let links = |world: &World| {
        let puts = world.seen.as_ref().unwrap().iter();
        let ours: std::collections::BTreeSet<At> =
            puts.filter(|s| s.client == ann).map(|s| s.client).collect();
        ours.len()
    };
    world.run(10 * MINUTE);
    world.seen = Some(Vec::new());
    world.run(10 * MINUTE);
    assert!(links(&world) <= 1);
    for turn in 0..7 {
        add_relay(&mut world, ann, &format!("relay {turn}"));
    }
    assert_eq!(relays(&world, ann).len(), 8);
    let hint = Host::hint("relay 8").to_text();
    let full = world.ask_now(ann, Command::AddRelay { hint }).unwrap_err();
    assert_eq!(full.code, "relays_full");
    remove_relay(&mut world, ann, "relay 3");
    add_relay(&mut world, ann, "relay 8");
}

/// What began a chain reached only one relay; who reads at the other one misses nothing.
#[test]
fn a_chain_begun_elsewhere_is_begun_again() {
    let (mut world, [_, second], [ann, bob]) = two_relays();
    remove_relay(&mut world, bob, "first");
    world.kill(ann);
    world.start(ann);
    world.run(10_000);
    assert!(is_heard(&mut world, bob, ann, "are you there?"));
    // Ann's acknowledgement, the first of a chain, finds only the first relay.
    world.set_cut(ann, second, true);
    world.run(5 * MINUTE);
    world.set_cut(ann, second, false);
    world.run(2 * MINUTE);
    assert!(is_heard(&mut world, ann, bob, "yes"));
    assert!(is_heard(&mut world, ann, bob, "and more"));
}

/// A liar has changed copies of everything that came while somebody was away, and is asked first.
#[test]
fn a_changed_copy_hides_nothing_from_who_catches_up() {
    let (mut world, [_, second], [ann, bob]) = two_relays();
    world.kill(bob);
    let mut wanted = Vec::new();
    for turn in 0..6 {
        wanted.push(format!("{turn}"));
        world.say(ann, bob, &format!("{turn}"));
        world.run(5_000);
    }
    world.run(30 * MINUTE);
    world.lie = Some(|from, _, mut bytes| {
        if from != 0 || bytes[0] != 0x23 {
            return Some(bytes);
        }
        bytes[9 + 8] ^= 1;
        let mut header = Header::parse(bytes[9..81].try_into().unwrap()).unwrap();
        let with = |nonce| Header { nonce, ..header };
        let paid = |nonce: &u64| pow::is_paid(&with(*nonce), WORK_DIVISOR);
        header.nonce = (0..).find(paid).unwrap();
        bytes[9..81].copy_from_slice(&header.encode());
        Some(bytes)
    });
    world.set_cut(bob, second, true);
    world.start(bob);
    world.run(2 * MINUTE);
    assert!(world.heard(bob, ann).is_empty());
    world.set_cut(bob, second, false);
    world.run(5 * MINUTE);
    assert_eq!(world.heard(bob, ann), wanted);
}

/// A relay ran ahead and was set right: what arrives after that still goes behind what it has, and
/// is found there by who was away.
#[test]
fn a_relay_whose_clock_was_set_back_hides_nothing() {
    for ahead in [2 * HOUR, 30 * DAY] {
        let (mut world, relay, ann, bob) = World::two(1);
        world.meet(ann, bob);
        world.run(5 * MINUTE);
        let set_clock = |world: &mut World, skew: u64| {
            world.kill(relay);
            world.hosts[relay].skew = skew as i64;
            world.start(relay);
            world.run(2 * MINUTE);
        };
        set_clock(&mut world, ahead);
        assert!(is_heard(&mut world, ann, bob, "by a fast clock"));
        world.run(MINUTE);
        world.kill(bob);
        set_clock(&mut world, 0);
        world.say(ann, bob, "after it was set right");
        world.run(30 * MINUTE);
        world.start(bob);
        // After a month ahead Ann waits for new keys of Bob first.
        world.run(if ahead > DAY { HOUR } else { 2 * MINUTE });
        let heard = world.heard(bob, ann);
        assert_eq!(
            heard,
            ["by a fast clock", "after it was set right"],
            "{ahead}"
        );
    }
}

/// The other relay has been away for good: what the one that is there refuses is told.
#[test]
fn a_refusal_is_told_though_another_relay_is_dead() {
    let (mut world, [_, second], [ann, bob]) = two_relays();
    world.kill(second);
    world.run(30 * MINUTE);
    world.lie = Some(refusing::<6, 0>);
    world.say(ann, bob, "refused");
    let told = |world: &World| {
        world.hosts[ann].events.iter().any(|event| {
            matches!(event, Event::Message { message }
                if matches!(message.delivery, Delivery::Failed { .. }))
        })
    };
    assert!(world.run_until(2 * MINUTE, told));
}

/// A full relay says so, and so does the message.
#[test]
fn a_relay_without_room_is_told_as_such() {
    let (mut world, [_, second], [ann, bob]) = two_relays();
    remove_relay(&mut world, ann, "second");
    for at in [second, bob] {
        world.kill(at);
    }
    world.lie = Some(refusing::<8, 0>);
    world.say(ann, bob, "no room");
    world.run(MINUTE);
    let waits = |world: &World| {
        let mut told = world.hosts[ann].events.iter().rev();
        told.find_map(|event| match event {
            Event::Message { message } if message.text == "no room" => {
                Some(message.delivery.clone())
            }
            _ => None,
        })
    };
    let waits_for = WaitsFor::RelayRoom;
    assert_eq!(waits(&world), Some(Delivery::Queued { waits_for }));
    world.lie = None;
    world.run(2 * MINUTE);
    assert!(matches!(waits(&world), Some(Delivery::Stored { .. })));
}

/// A relay that always wants more work than was done gets it once, and holds up nobody.
#[test]
fn a_greedy_relay_gets_one_more_try() {
    let (mut world, _, [ann, bob]) = two_relays();
    world.lie = Some(refusing::<5, 8>);
    world.seen = Some(Vec::new());
    for turn in 0..5 {
        assert!(is_heard(&mut world, ann, bob, &format!("{turn}")));
    }
    let puts = world.seen.as_ref().unwrap().iter();
    let puts = puts.filter(|s| s.client == ann && s.to_relay && s.bytes[0] == 0x10);
    // Five texts and what acknowledges, on two relays, each tried twice at most.
    assert!(puts.clone().count() <= 40, "{}", puts.count());
}

/// A link that breaks time and again does not upload everything time and again.
#[test]
fn what_was_stored_a_moment_ago_is_not_put_again() {
    let (mut world, [first, _], [ann, bob]) = two_relays();
    world.kill(bob);
    for turn in 0..10 {
        world.say(ann, bob, &format!("{turn}"));
    }
    world.run(MINUTE);
    world.seen = Some(Vec::new());
    for _ in 0..5 {
        world.set_cut(ann, first, true);
        world.run(20_000);
        world.set_cut(ann, first, false);
        world.run(20_000);
    }
    let puts = world.seen.as_ref().unwrap().iter();
    let puts = puts.filter(|s| s.client == ann && s.to_relay && s.bytes[0] == 0x10);
    assert_eq!(puts.count(), 0);
}
