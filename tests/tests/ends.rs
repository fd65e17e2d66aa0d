//! How things end: greetings nobody answers, invitations taken back, relays no longer used, devices
//! replaced by others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::host::Host;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// Types of frames: an object is stored, and records are asked for.
const STORED: u8 = 0x11;
const FIND: u8 = 0x25;

fn two() -> (World, At, At, At) {
    let (mut world, relay, ann, bob) = World::two(1);
    world.stay_open(ann);
    world.stay_open(bob);
    (world, relay, ann, bob)
}

/// How the first message of `at` stands, as last told.
fn first_message(world: &World, at: At) -> MessageView {
    let mut told = world.hosts[at].events.iter().rev();
    let message = told.find_map(|event| match event {
        Event::Message { message } if message.index == 0 => Some(message.clone()),
        _ => None,
    });
    message.unwrap()
}

fn invite_state(world: &World, at: At) -> InviteState {
    let mut told = world.hosts[at].events.iter().rev();
    let state = told.find_map(|event| match event {
        Event::Invite { invite } => Some(invite.state),
        _ => None,
    });
    state.unwrap()
}

fn failure(message: &MessageView) -> Option<&str> {
    match &message.delivery {
        Delivery::Failed { problem } => Some(&problem.code),
        _ => None,
    }
}

/// Ann accepts Bob's greeting, whatever he was told of it, and that counts.
fn answers_after_all(world: &mut World, ann: At, bob: At) {
    world.accept(ann);
    let met = |world: &World| world.knows(bob, ann);
    assert!(world.run_until(10 * MINUTE, met));
    let delivery = first_message(world, bob).delivery;
    assert!(matches!(delivery, Delivery::Delivered { .. }));
}

/// A greeting that was read and not answered: told when nothing can come of it, greeted anew by
/// another invitation. An answer to the first one would still have counted.
#[test]
fn a_greeting_ends_with_its_invitation() {
    let (mut world, _, ann, bob) = two();
    let first = world.invite_for(ann, 1);
    world.greet(bob, &first.fragment).unwrap();
    world.run(3 * HOUR);
    let message = first_message(&world, bob);
    assert!(matches!(message.delivery, Delivery::Stored { .. }));
    world.run(60 * HOUR);
    let message = first_message(&world, bob);
    assert_eq!(failure(&message), Some("greeting_unanswered"));
    let retry = Command::Retry {
        message: message.message,
        contact: message.contact,
    };
    let refused = world.ask_now(bob, retry).unwrap_err();
    assert_eq!(refused.code, "greeting_unanswered");

    let second = world.invite_for(ann, 24);
    world.greet(bob, &second.fragment).unwrap();
    let refused = world.greet(bob, &second.fragment).unwrap_err();
    assert_eq!(refused.code, "already_contact");
    world.run(5 * MINUTE);
    let shown = |event: &&Event| matches!(event, Event::Greeting { .. });
    assert_eq!(world.hosts[ann].events.iter().filter(shown).count(), 2);
    let Some(Event::Greeting { greeting }) = world.hosts[ann].events.iter().rfind(shown) else {
        panic!("no greeting");
    };
    let greeting = greeting.greeting.clone();
    world.must(ann, Command::Accept { greeting });
    let met = |world: &World| world.knows(bob, ann);
    assert!(world.run_until(10 * MINUTE, met));
}

/// The inviter answers an old greeting after its invitation has ended.
#[test]
fn a_late_answer_counts() {
    let (mut world, _, ann, bob) = two();
    let link = world.invite_for(ann, 1).fragment;
    world.greet(bob, &link).unwrap();
    world.run(60 * HOUR);
    assert!(failure(&first_message(&world, bob)).is_some());
    answers_after_all(&mut world, ann, bob);
}

/// A greeting that no relay took while its invitation was good can be read by nobody.
#[test]
fn a_greeting_that_never_left_ends_at_once() {
    let (mut world, relay, ann, bob) = two();
    let link = world.invite_for(ann, 1).fragment;
    world.run(10 * MINUTE);
    world.greet(bob, &link).unwrap();
    world.set_cut(bob, relay, true);
    world.run(3 * HOUR);
    world.set_cut(bob, relay, false);
    assert_eq!(
        failure(&first_message(&world, bob)),
        Some("greeting_unanswered")
    );
    world.run(10 * MINUTE);
    assert!(world.greeting(ann).is_none());
}

/// Revoked is said when a relay has taken the invitation back, not before.
#[test]
fn a_link_is_revoked_once_a_relay_says_so() {
    let (mut world, relay, ann, bob) = two();
    let made = world.invite_for(ann, 24);
    assert_eq!(invite_state(&world, ann), InviteState::Live);
    world.set_cut(ann, relay, true);
    let invite = made.invite;
    world.must(ann, Command::Revoke { invite });
    world.run(10 * MINUTE);
    assert_eq!(invite_state(&world, ann), InviteState::Revoking);
    world.set_cut(ann, relay, false);
    world.run(2 * MINUTE);
    assert_eq!(invite_state(&world, ann), InviteState::Revoked);
    let refused = world.greet(bob, &made.fragment).unwrap_err();
    assert_eq!(refused.code, "invitation_revoked");
}

/// A greeting is told as too late when its invitation was taken back, is kept, and can be followed
/// by another one.
#[test]
fn a_greeting_to_a_revoked_invitation_ends() {
    let (mut world, _, ann, bob) = two();
    let first = world.invite_for(ann, 720);
    world.greet(bob, &first.fragment).unwrap();
    world.say(bob, ann, "are you there?");
    world.run(HOUR);
    let invite = first.invite;
    world.must(ann, Command::Revoke { invite });
    let told = |world: &World| failure(&first_message(world, bob)) == Some("greeting_too_late");
    assert!(world.run_until(3 * DAY, told));
    let first = first_message(&world, bob);
    let retry = Command::Retry {
        message: first.message,
        contact: first.contact,
    };
    let refused = world.ask_now(bob, retry).unwrap_err();
    assert_eq!(refused.code, "greeting_too_late");
    let kept = world.history(bob, ann);
    let kept: Vec<_> = kept.iter().map(|m| m.text.as_str()).collect();
    assert_eq!(kept, ["may I?", "are you there?"]);

    let second = world.invite_for(ann, 24);
    world.greet(bob, &second.fragment).unwrap();
    let greetings = |world: &World| {
        let mut shown = world.hosts[ann].events.iter().rev();
        shown.find_map(|event| match event {
            Event::Greeting { greeting } => Some(greeting.greeting.clone()),
            _ => None,
        })
    };
    let before = greetings(&world);
    let came = |world: &World| greetings(world) != before;
    assert!(world.run_until(10 * MINUTE, came));
    let greeting = greetings(&world).unwrap();
    world.must(ann, Command::Accept { greeting });
    let met = |world: &World| world.knows(bob, ann);
    assert!(world.run_until(10 * MINUTE, met));
    let heard = |world: &World| world.heard(ann, bob).contains(&"are you there?".into());
    assert!(world.run_until(10 * MINUTE, heard));
}

/// What was in the inviter's list already can be answered after all.
#[test]
fn an_answer_after_the_invitation_was_revoked_counts() {
    let (mut world, _, ann, bob) = two();
    let made = world.invite_for(ann, 720);
    world.greet(bob, &made.fragment).unwrap();
    let listed = |world: &World| world.greeting(ann).is_some();
    assert!(world.run_until(10 * MINUTE, listed));
    let invite = made.invite;
    world.must(ann, Command::Revoke { invite });
    let told = |world: &World| failure(&first_message(world, bob)) == Some("greeting_too_late");
    assert!(world.run_until(3 * DAY, told));
    answers_after_all(&mut world, ann, bob);
}

/// Of two who greet by an invitation for one, the other is told. The one who was accepted never is,
/// though the tombstone is seen before the acceptance has come.
#[test]
fn an_invitation_for_one_ends_for_the_others() {
    let (mut world, _, ann, bob) = two();
    let cid = world.person("Cid", "relay");
    world.stay_open(cid);
    let link = world.invite_as(ann, 720, true).fragment;
    world.greet(bob, &link).unwrap();
    world.run(MINUTE);
    let listed = |world: &World| world.greeting(ann).is_some();
    assert!(world.run_until(10 * MINUTE, listed));
    world.greet(cid, &link).unwrap();
    world.run(10 * MINUTE);
    world.kill(bob);
    let of_bob = world.id(bob);
    let greeting = world.hosts[ann]
        .events
        .iter()
        .find_map(|event| match event {
            Event::Greeting { greeting } if greeting.account == of_bob => {
                Some(greeting.greeting.clone())
            }
            _ => None,
        });
    let greeting = greeting.unwrap();
    world.must(ann, Command::Accept { greeting });
    // She is gone again when the relay has the first of the two: the tombstone.
    world.seen = Some(Vec::new());
    let stored = |world: &World| {
        let mut seen = world.seen.iter().flatten();
        seen.any(|seen| seen.client == ann && !seen.to_relay && seen.bytes[0] == STORED)
    };
    assert!(world.run_until(MINUTE, stored));
    world.kill(ann);
    for at in [bob, ann] {
        world.start(at);
        world.run(1_000);
        world.unlock(at);
        world.run(30 * MINUTE);
        assert_eq!(world.knows(bob, ann), at == ann);
    }
    let told = |world: &World| failure(&first_message(world, cid)) == Some("greeting_too_late");
    assert!(world.run_until(3 * DAY, told));
    let too_late = |event: &Event| {
        matches!(event, Event::Message { message }
        if failure(message).is_some())
    };
    assert!(!world.hosts[bob].events.iter().any(too_late));
}

/// A relay that lost the record, or withholds it, ends nothing.
#[test]
fn a_record_that_is_missing_ends_no_greeting() {
    let (mut world, relay, ann, bob) = two();
    let link = world.invite_for(ann, 168).fragment;
    world.kill(ann);
    world.greet(bob, &link).unwrap();
    world.run(10 * MINUTE);
    world.kill(relay);
    world.hosts[relay].disk = Default::default();
    world.start(relay);
    world.seen = Some(Vec::new());
    world.run(3 * DAY);
    let asked = world.seen.take().unwrap();
    let finds = asked
        .iter()
        .filter(|seen| seen.to_relay && seen.bytes[0] == FIND);
    assert!(finds.count() >= 3, "it was looked for");
    assert_eq!(failure(&first_message(&world, bob)), None);
    world.start(ann);
    world.run(1_000);
    world.unlock(ann);
    world.accept(ann);
    let met = |world: &World| world.knows(bob, ann);
    assert!(world.run_until(10 * MINUTE, met));
}

/// Somebody who waits asks a few times a day, at moments that nothing tells; who was answered asks
/// no more.
#[test]
fn an_invitation_is_looked_up_again_now_and_then() {
    let (mut world, _, ann, bob) = two();
    let link = world.invite_for(ann, 720).fragment;
    world.greet(bob, &link).unwrap();
    world.run(HOUR);
    let finds = |world: &mut World, days: u64| {
        world.seen = Some(Vec::new());
        world.run(days * DAY);
        let seen = world.seen.take().unwrap();
        let finds = seen.iter();
        finds
            .filter(|seen| seen.to_relay && seen.bytes[0] == FIND)
            .count() as u64
    };
    let waiting = finds(&mut world, 10);
    assert!((10..=90).contains(&waiting), "{waiting} in ten days");
    world.accept(ann);
    let met = |world: &World| world.knows(bob, ann);
    assert!(world.run_until(10 * MINUTE, met));
    world.run(HOUR);
    // Each looks once a day whether the account's keys are still its own.
    assert_eq!(finds(&mut world, 1), 2);
}

/// What could not be taken back before its end is gone by itself.
#[test]
fn a_link_revoked_without_a_relay_ends_with_its_time() {
    let (mut world, relay, ann, _) = two();
    let made = world.invite_for(ann, 1);
    world.set_cut(ann, relay, true);
    let invite = made.invite;
    world.must(ann, Command::Revoke { invite });
    world.run(3 * HOUR);
    assert_eq!(invite_state(&world, ann), InviteState::Revoked);
}

#[test]
fn a_relay_can_be_left() {
    let (mut world, _, ann, bob) = two();
    world.add("other", true);
    world.meet(ann, bob);
    let hint = Host::hint("other").to_text();
    for at in [ann, bob] {
        let hint = hint.clone();
        world.must(at, Command::AddRelay { hint });
    }
    world.run(MINUTE);
    let relays = |world: &World, at: At| {
        let mut told = world.hosts[at].events.iter().rev();
        let found = told.find_map(|event| match event {
            Event::Relays { relays, .. } => Some(relays.clone()),
            _ => None,
        });
        found.unwrap()
    };
    let of = |hint: &str, at: At, world: &World| {
        let relays = relays(world, at);
        let found = relays.into_iter().find(|view| view.hint == hint);
        found.unwrap().relay
    };
    for at in [ann, bob] {
        let relay = of(&Host::hint("relay").to_text(), at, &world);
        world.must(
            at,
            Command::RemoveRelay {
                relay: relay.clone(),
            },
        );
        let again = world.ask_now(at, Command::RemoveRelay { relay });
        assert_eq!(again.unwrap_err().code, "relay_unknown");
        assert_eq!(relays(&world, at).len(), 1);
    }
    world.say(ann, bob, "by the other one");
    world.run(2 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["by the other one"]);
    world.kill(ann);
    world.start(ann);
    world.run(1_000);
    world.unlock(ann);
    world.run(MINUTE);
    assert_eq!(relays(&world, ann).len(), 1);
}

/// Somebody who lost everything comes back with the 18 words: their contacts are told that this is
/// another device, and told once.
#[test]
fn another_device_of_a_contact_is_told() {
    let (mut world, _, ann, bob) = two();
    world.meet(ann, bob);
    let passcode = passcode("Bob");
    let Some(Answer::Words { words }) = world.must(bob, Command::ShowWords { passcode }) else {
        panic!("no words");
    };
    world.kill(bob);
    let new = world.add("Bob again", false);
    world.run(1_000);
    let create = Command::Create {
        name: "Bob".into(),
        words: words.join(" "),
        passcode: "the passcode of Bob again".into(),
        restore: true,
        remember: true,
    };
    world.must(new, create);
    let hint = Host::hint("relay").to_text();
    world.must(new, Command::AddRelay { hint });
    let notices = |world: &World, at: At| {
        let told = world.hosts[at].events.iter();
        let told = told.filter(|event| {
            matches!(event, Event::Message { message }
                if message.notice == Some(Notice::DeviceChanged))
        });
        told.count()
    };
    assert_eq!(notices(&world, ann), 0);
    let link = world.invite_for(ann, 24).fragment;
    world.greet(new, &link).unwrap();
    world.accept(ann);
    assert_eq!(notices(&world, ann), 1);
    let met = |world: &World| world.knows(new, ann);
    assert!(world.run_until(10 * MINUTE, met));
    world.say(new, ann, "it is me");
    world.run(2 * MINUTE);
    assert_eq!(notices(&world, ann), 1);
    assert_eq!(notices(&world, new), 0);
    let history = world.history(ann, new);
    let told = history.iter().position(|m| m.notice.is_some()).unwrap();
    let text = history.iter().position(|m| m.text == "it is me").unwrap();
    assert!(told < text);
}
