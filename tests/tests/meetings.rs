//! Handshakes that cross, come late, come twice, or are answered too late: whoever is shown as a
//! contact can be talked to, in both directions, for weeks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use std::collections::BTreeSet;
use tests::host::Host;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

fn two() -> (World, At, At) {
    let (mut world, _, ann, bob) = World::two(1);
    world.stay_open(ann);
    world.stay_open(bob);
    (world, ann, bob)
}

/// Only one of them writes, day after day.
fn tell_for_weeks(world: &mut World, from: At, to: At) {
    for day in 0..16 {
        let text = format!("day {day}");
        world.say(from, to, &text);
        let heard = |world: &World| world.heard(to, from).contains(&text);
        assert!(world.run_until(10 * MINUTE, heard), "{text} is not heard");
        world.run(DAY);
    }
}

/// Both greet each other; the second accepts when they are connected already.
#[test]
fn a_greeting_is_accepted_after_its_sender_accepted_ours() {
    for (first, second) in [(0, 1), (1, 0)] {
        let (mut world, ann, bob) = two();
        let people = [ann, bob];
        let (a, b) = (people[first], people[second]);
        let links = [world.invite_for(a, 24), world.invite_for(b, 24)];
        world.greet(a, &links[1].fragment).unwrap();
        world.greet(b, &links[0].fragment).unwrap();
        let listed = |w: &World| w.greeting(a).is_some() && w.greeting(b).is_some();
        assert!(world.run_until(5 * MINUTE, listed));
        let late = world.greeting(b).unwrap().greeting;
        world.accept(a);
        let met = |w: &World| w.knows(b, a);
        assert!(world.run_until(5 * MINUTE, met));
        world.run(10 * MINUTE);
        // It went from the list when it was of no more use; a click that was on its way fails.
        assert!(world.greeting(b).is_none());
        let accepted = world.ask_now(b, Command::Accept { greeting: late });
        assert_eq!(accepted.unwrap_err().code, "greeting_unknown");
        world.talk(a, b, "hello");
        tell_for_weeks(&mut world, a, b);
        world.talk(a, b, "still there?");
    }
}

/// Both accept in the same moment, and only one of them ever writes.
#[test]
fn accepted_at_once_and_one_sided_ever_after() {
    for writer in [0, 1] {
        let (mut world, ann, bob) = two();
        let links = [world.invite_for(ann, 24), world.invite_for(bob, 24)];
        world.greet(ann, &links[1].fragment).unwrap();
        world.greet(bob, &links[0].fragment).unwrap();
        let listed = |w: &World| w.greeting(ann).is_some() && w.greeting(bob).is_some();
        assert!(world.run_until(5 * MINUTE, listed));
        world.accept(ann);
        world.accept(bob);
        world.run(HOUR);
        let people = [ann, bob];
        tell_for_weeks(&mut world, people[writer], people[1 - writer]);
        world.talk(ann, bob, "at last");
    }
}

/// Somebody loses everything and greets again: both greetings are in the list, and the inviter
/// accepts the newer one, then the older one.
#[test]
fn of_two_greetings_the_newer_one_counts() {
    let (mut world, ann, bob) = two();
    let words = match world.must(
        bob,
        Command::ShowWords {
            passcode: passcode("Bob"),
        },
    ) {
        Some(Answer::Words { words }) => words.join(" "),
        other => panic!("no words: {other:?}"),
    };
    let link = world.invite_for(ann, 24).fragment;
    world.greet(bob, &link).unwrap();
    let listed = |world: &World| world.greeting(ann).is_some();
    assert!(world.run_until(5 * MINUTE, listed));
    let older = world.greeting(ann).unwrap().greeting;
    world.kill(bob);
    let new = world.add("Bob again", false);
    world.run(1_000);
    let create = Command::Create {
        name: "Bob".into(),
        words,
        passcode: passcode("Bob again"),
        restore: true,
        remember: false,
    };
    world.must(new, create);
    let hint = Host::hint("relay").to_text();
    world.must(new, Command::AddRelay { hint });
    world.greet(new, &link).unwrap();
    let newer = |world: &World| {
        let shown = world.hosts[ann].events.iter().rev();
        let mut shown = shown.filter_map(|event| match event {
            Event::Greeting { greeting } => Some(greeting.greeting.clone()),
            _ => None,
        });
        shown.find(|id| *id != older)
    };
    assert!(world.run_until(5 * MINUTE, |world| newer(world).is_some()));
    let greeting = newer(&world).unwrap();
    world.must(ann, Command::Accept { greeting });
    assert!(world.greeting(ann).is_none(), "the older one is gone");
    let met = |world: &World| world.knows(new, ann);
    assert!(world.run_until(10 * MINUTE, met));
    world.talk(ann, new, "hello");
    tell_for_weeks(&mut world, ann, new);
}

/// The inviter is away for three days after accepting and writing, so that what acknowledged it has
/// expired when they are back.
#[test]
fn an_acceptance_sealed_anew_loses_nobody() {
    for (acknowledge, inviter_writes) in [(true, true), (false, true), (false, false)] {
        let (mut world, ann, bob) = two();
        let link = world.invite_for(ann, 168).fragment;
        world.greet(bob, &link).unwrap();
        world.accept(ann);
        if inviter_writes {
            world.say(ann, bob, "hi");
            world.run(4_000);
        }
        let met = |world: &World| world.knows(bob, ann);
        assert!(world.run_until(MINUTE, met));
        world.kill(ann);
        if !acknowledge {
            let contact = world.id(ann);
            let on = false;
            world.must(bob, Command::Acknowledge { contact, on });
        }
        world.run(3 * DAY);
        world.start(ann);
        world.run(1_000);
        world.unlock(ann);
        world.run(HOUR);
        world.talk(ann, bob, "back again");
        tell_for_weeks(&mut world, ann, bob);
        world.talk(ann, bob, "and on");
    }
}

/// The inviter's process dies again and again before the greeter answers. What it seals and never
/// puts makes pairs that the greeter does not get to know: nothing is written on them.
#[test]
fn an_acceptance_that_is_lost_takes_no_message_along() {
    for seed in 1..=4 {
        let (mut world, _, ann, bob) = World::two(seed);
        let link = world.invite_for(ann, 24).fragment;
        world.greet(bob, &link).unwrap();
        world.accept(ann);
        let met = |world: &World| world.knows(bob, ann);
        assert!(world.run_until(MINUTE, met));
        world.kill(bob);
        for saves in 1..12 {
            world.kill(ann);
            world.start(ann);
            let until = world.hosts[ann].disk.saves + saves;
            world.kill_at_save(ann, until);
            world.run(20_000);
        }
        world.kill(ann);
        world.hosts[ann].dies_at_save = None;
        world.start(ann);
        world.start(bob);
        world.run(1_000);
        world.talk(ann, bob, "at last");
    }
}

/// At each start the greeting is read again: the answer that is under way is the one to it.
#[test]
fn a_greeting_that_is_read_again_is_answered_once() {
    let (mut world, _, ann, bob) = World::two(1);
    let link = world.invite_for(ann, 24).fragment;
    world.greet(bob, &link).unwrap();
    world.seen = Some(Vec::new());
    world.accept(ann);
    let met = |world: &World| world.knows(bob, ann);
    assert!(world.run_until(MINUTE, met));
    world.kill(bob);
    for _ in 0..4 {
        world.run(MINUTE);
        world.kill(ann);
        world.start(ann);
    }
    let puts = world.seen.as_ref().unwrap().iter();
    let puts = puts.filter(|seen| seen.to_relay && seen.bytes[0] == 0x10);
    let envelopes = puts.filter(|seen| seen.client == ann && seen.bytes[5] & 0x0f == 0);
    let different: BTreeSet<&[u8]> = envelopes.map(|seen| &seen.bytes[5..]).collect();
    assert_eq!(different.len(), 1);
}

/// Nobody answers for ever: once anything has come on the new pair, no more acceptances leave.
#[test]
fn an_answered_acceptance_ends() {
    let (mut world, ann, bob) = two();
    world.meet(ann, bob);
    world.run(HOUR);
    world.seen = Some(Vec::new());
    world.run(6 * DAY);
    let puts = world.seen.as_ref().unwrap().iter();
    let puts = puts.filter(|seen| seen.to_relay && seen.bytes[0] == 0x10);
    // Records of keys: one an epoch and person.
    assert!(puts.clone().count() <= 14, "{}", puts.count());
}

/// Acknowledgements are switched off by who only reads: the other side is told, and is not left
/// with an outbox that fills up.
#[test]
fn acknowledgements_switched_off_are_told_at_once() {
    let (mut world, ann, bob) = two();
    world.meet(ann, bob);
    world.talk(ann, bob, "hello");
    let contact = world.id(ann);
    let on = false;
    world.must(bob, Command::Acknowledge { contact, on });
    world.run(10 * MINUTE);
    let confirms = |world: &World| {
        let mut shown = world.hosts[ann].events.iter().rev();
        shown.find_map(|event| match event {
            Event::Contact { contact } => Some(contact.confirms),
            _ => None,
        })
    };
    assert_eq!(confirms(&world), Some(false));
    for turn in 0..300 {
        world.say(ann, bob, &format!("{turn}"));
        world.run(2_000);
    }
    assert_eq!(world.promised(ann, bob).len(), 301);
}

/// A greeting's text deleted by its sender stays deleted, whatever becomes of the greeting.
#[test]
fn a_deleted_greeting_stays_deleted() {
    for whole in [false, true] {
        let (mut world, ann, bob) = two();
        let link = world.invite_for(ann, 24).fragment;
        let contact = match world.greet(bob, &link).unwrap() {
            Some(Answer::Contact { contact }) => contact.contact,
            other => panic!("no contact: {other:?}"),
        };
        let message = world.history(bob, ann)[0].message.clone();
        world.must(
            bob,
            match whole {
                false => Command::DeleteMessage { contact, message },
                true => Command::DeleteConversation { contact },
            },
        );
        world.accept(ann);
        let met = |world: &World| world.knows(bob, ann);
        assert!(world.run_until(10 * MINUTE, met));
        assert!(world.history(bob, ann).is_empty());
        assert_eq!(world.heard(ann, bob), ["may I?"]);
        world.talk(ann, bob, "hello");
        assert_eq!(world.history(bob, ann).len(), 2);
    }
}
