//! Several devices of one account: what is written on one, or to any of them, is on all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Ann with a phone and a laptop, and Bob.
fn two(seed: u64) -> (World, At, At, At) {
    let mut world = World::new(seed);
    world.add("relay", true);
    let (phone, bob) = world.friends("relay", "relay");
    world.talk(phone, bob, "before");
    let laptop = world.device(phone, 1, "Ann's laptop", "relay");
    world.run(5 * MINUTE);
    (world, phone, laptop, bob)
}

type Line = (String, String, bool, u64);

/// A conversation, as far as devices have to agree on it.
fn lines(world: &mut World, at: At, other: At) -> Vec<Line> {
    let all = world.history(at, other);
    let shown = all.into_iter().filter(|m| m.notice.is_none());
    let mut lines: Vec<Line> = shown
        .map(|m| (m.message, m.text, m.mine, m.order))
        .collect();
    lines.sort();
    lines
}

/// A message as `at` last told it.
fn delivery(world: &World, at: At, text: &str) -> Option<Delivery> {
    let mut told = world.hosts[at].events.iter().rev();
    told.find_map(|event| match event {
        Event::Message { message } if message.mine && message.text == text => {
            Some(message.delivery.clone())
        }
        _ => None,
    })
}

fn is_delivered(world: &World, at: At, text: &str) -> bool {
    matches!(delivery(world, at, text), Some(Delivery::Delivered { .. }))
}

#[test]
fn what_one_writes_is_on_all_and_answers_come_to_all() {
    let (mut world, phone, laptop, bob) = two(1);
    for (from, other) in [(phone, laptop), (laptop, phone)] {
        let text = format!("from {from}");
        world.say(from, bob, &text);
        assert!(
            world.hears(bob, from, &text, 5 * MINUTE),
            "{}",
            world.replay()
        );
        let copied = |world: &World| is_delivered(world, other, &text);
        assert!(world.run_until(5 * MINUTE, copied), "{}", world.replay());
        let delivered = |world: &World| is_delivered(world, from, &text);
        assert!(world.run_until(5 * MINUTE, delivered));
        let text = format!("answer to {from}");
        world.say(bob, phone, &text);
        for at in [phone, laptop] {
            assert!(
                world.hears(at, bob, &text, 5 * MINUTE),
                "{}",
                world.replay()
            );
        }
    }
    world.run(10 * MINUTE);
    let told = lines(&mut world, bob, phone);
    assert_eq!(told.len(), 7, "{told:?}");
    let on_phone = lines(&mut world, phone, bob);
    let on_laptop = lines(&mut world, laptop, bob);
    let since = on_laptop.iter().all(|line| on_phone.contains(line));
    assert!(since && on_laptop.len() >= 4, "{on_phone:?} {on_laptop:?}");
    let changed = world.history(bob, phone);
    let changed = changed.iter().filter(|m| m.notice.is_some()).count();
    assert_eq!(changed, 1, "the second device is told once");
}

#[test]
fn devices_are_listed_on_all() {
    let (mut world, phone, laptop, _) = two(2);
    world.run(5 * MINUTE);
    for (at, own) in [(phone, 0), (laptop, 1)] {
        let devices = world.devices(at);
        let slots: Vec<(u8, bool)> = devices.iter().map(|d| (d.slot, d.this)).collect();
        assert_eq!(slots, [(0, own == 0), (1, own == 1)]);
        let heard: Vec<bool> = devices.iter().map(|d| d.heard.is_some()).collect();
        assert_eq!(heard, [own == 1, own == 0], "{devices:?}");
    }
}

/// One is off for a day, and for five: what happened is on both in the end, and who was away is
/// heard as before.
#[test]
fn one_that_was_away_catches_up() {
    for (seed, away) in [(3, DAY), (4, 5 * DAY), (5, 12 * DAY)] {
        let (mut world, phone, laptop, bob) = two(seed);
        for at in [phone, laptop] {
            world.say(at, bob, &format!("from {at}"));
            world.run(5 * MINUTE);
        }
        world.kill(laptop);
        for n in 0..away / (12 * HOUR) {
            world.say(phone, bob, &format!("while away {n}"));
            world.run(6 * HOUR);
            world.say(bob, phone, &format!("answer {n}"));
            world.run(6 * HOUR);
        }
        world.start(laptop);
        world.run(100);
        world.unlock(laptop);
        world.run(HOUR);
        let on_phone = lines(&mut world, phone, bob);
        let on_laptop = lines(&mut world, laptop, bob);
        let lacking: Vec<&Line> = on_phone.iter().filter(|l| !on_laptop.contains(l)).collect();
        assert!(
            lacking.len() <= 4,
            "{away}: {lacking:?}; {}",
            world.replay()
        );
        assert!(on_laptop.iter().all(|line| on_phone.contains(line)));
        for (from, other) in [(phone, laptop), (laptop, phone)] {
            let text = format!("again from {from}");
            world.say(from, bob, &text);
            assert!(
                world.hears(bob, from, &text, 10 * MINUTE),
                "{}",
                world.replay()
            );
            let copied = |world: &World| is_delivered(world, other, &text);
            assert!(world.run_until(10 * MINUTE, copied), "{}", world.replay());
            world.say(bob, phone, &format!("answer to {text}"));
            for at in [phone, laptop] {
                let heard = world.hears(at, bob, &format!("answer to {text}"), 10 * MINUTE);
                assert!(heard, "{away}: {at}; {}", world.replay());
            }
        }
        let told = world.hosts[phone]
            .events
            .iter()
            .chain(&world.hosts[laptop].events);
        let wrong = |e: &&Event| {
            matches!(e, Event::Trouble { problem }
            if problem.code == "recovered_elsewhere")
        };
        assert_eq!(told.filter(wrong).count(), 0);
    }
}
