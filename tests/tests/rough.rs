//! What people, relays and shells do at bad moments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::host::Host;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn two() -> (World, At, At, At) {
    let mut world = World::new(1);
    let relay = world.add("relay", true);
    let ann = world.person("Ann", "relay");
    let bob = world.person("Bob", "relay");
    world.meet(ann, bob);
    world.run(5 * MINUTE);
    (world, relay, ann, bob)
}

fn sent(world: &mut World, from: At, to: At, text: &str) -> String {
    let id = world.say(from, to, text);
    let done = |world: &World| world.answer(from, id).is_some();
    world.run_until(MINUTE, done);
    match world.answer(from, id) {
        Some(Ok(Some(Answer::Message { message }))) => message.message,
        other => panic!("not taken: {other:?}"),
    }
}

fn cancel(world: &mut World, from: At, to: At, message: &str) {
    let contact = world.id(to);
    let message = message.into();
    world.must(from, Command::Cancel { contact, message });
}

fn restart(world: &mut World, at: At) {
    world.kill(at);
    world.run(MINUTE);
    world.start(at);
    world.run(10_000);
}

/// The first message of a chain is taken back: what comes after it can still be opened.
#[test]
fn a_message_taken_back_takes_no_other_along() {
    let (mut world, relay, ann, bob) = two();
    // Both begin new chains.
    restart(&mut world, ann);
    world.set_cut(ann, relay, true);
    let first = sent(&mut world, ann, bob, "first");
    world.run(MINUTE);
    sent(&mut world, ann, bob, "second");
    world.run(MINUTE);
    cancel(&mut world, ann, bob, &first);
    world.set_cut(ann, relay, false);
    world.run(10 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["second"]);
}

/// The same while its puzzle is being solved.
#[test]
fn a_puzzle_stopped_takes_no_message_along() {
    let (mut world, _, ann, bob) = two();
    restart(&mut world, ann);
    let first = sent(&mut world, ann, bob, "first");
    cancel(&mut world, ann, bob, &first);
    sent(&mut world, ann, bob, "second");
    world.run(10 * MINUTE);
    assert_eq!(world.heard(bob, ann).last().unwrap(), "second");
}

/// An acknowledgement began the chain, and the process ended before it left.
#[test]
fn an_acknowledgement_lost_takes_no_message_along() {
    let (mut world, relay, ann, bob) = two();
    world.kill(ann);
    sent(&mut world, bob, ann, "are you there?");
    world.run(MINUTE);
    world.start(ann);
    let got = |world: &World| world.heard(ann, bob).iter().any(|t| t == "are you there?");
    assert!(world.run_until(MINUTE, got));
    world.set_cut(ann, relay, true);
    world.run(5 * MINUTE);
    sent(&mut world, ann, bob, "yes");
    world.run(MINUTE);
    restart(&mut world, ann);
    world.set_cut(ann, relay, false);
    world.run(10 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["yes"]);
}

/// Somebody loses everything right after being accepted, and greets again.
#[test]
fn greeting_again_after_losing_everything() {
    let mut world = World::new(1);
    world.add("relay", true);
    let ann = world.person("Ann", "relay");
    let bob = world.person("Bob", "relay");
    let Some(Answer::Words { words }) = ({
        let passcode = passcode("Bob");
        world.must(bob, Command::ShowWords { passcode })
    }) else {
        panic!("no words");
    };
    let link = world.invite(ann);
    world.run(MINUTE);
    let greet = |world: &mut World, at: At, text: &str| {
        let (link, text) = (link.clone(), text.into());
        world.must(at, Command::Greet { link, text });
        let listed = |world: &World| world.greeting(ann).is_some();
        assert!(world.run_until(5 * MINUTE, listed));
        let greeting = world.greeting(ann).unwrap().greeting;
        world.must(ann, Command::Accept { greeting });
    };
    greet(&mut world, bob, "may I?");
    world.kill(bob);
    world.run(MINUTE);
    let new = world.add("Bob again", false);
    world.run(1_000);
    let create = Command::Create {
        name: "Bob".into(),
        words: words.join(" "),
        passcode: passcode("Bob"),
        restore: true,
        remember: true,
    };
    world.must(new, create);
    let hint = Host::hint("relay").to_text();
    world.must(new, Command::AddRelay { hint });
    greet(&mut world, new, "it is me");
    let met = |world: &World| world.knows(new, ann);
    assert!(
        world.run_until(10 * MINUTE, met),
        "the second acceptance did not come"
    );
    sent(&mut world, new, ann, "hello again");
    world.run(5 * MINUTE);
    assert_eq!(world.heard(ann, bob).last().unwrap(), "hello again");
}
