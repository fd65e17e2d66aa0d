//! People meet and talk through a relay, in a simulated world that gets worse and worse.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::Command;
use tests::faults::Faults;
use tests::people::passcode;
use tests::world::World;

/// Seeds to play: one named by `WIREMIN_SEED`, or some.
fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("WIREMIN_SEED") {
        Ok(seed) => vec![seed.parse().expect("WIREMIN_SEED is a number")],
        Err(_) => (1..=count).collect(),
    }
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

#[test]
fn two_people_meet_and_talk() {
    let (mut world, _, ann, bob) = World::two(1);
    world.meet(ann, bob);
    world.say(ann, bob, "hello Bob");
    world.say(bob, ann, "hello Ann");
    world.run(3 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["hello Bob"]);
    assert_eq!(world.heard(ann, bob), ["may I?", "hello Ann"]);
    assert_eq!(world.delivered(ann, bob), 1);
    assert_eq!(world.delivered(bob, ann), 2);
}

/// Without acknowledgements a message is as good as it gets once it is stored.
#[test]
fn without_acknowledgements_the_outbox_empties() {
    let (mut world, _, ann, bob) = World::two(1);
    world.meet(ann, bob);
    world.run(MINUTE);
    let contact = world.id(bob);
    world.must(
        ann,
        account::api::Command::Acknowledge { contact, on: false },
    );
    for turn in 0..300 {
        world.say(ann, bob, &format!("{turn}"));
        world.run(2_000);
    }
    world.run(MINUTE);
    assert_eq!(world.heard(bob, ann).len(), 300);
    assert_eq!(world.promised(ann, bob).len(), 300);
}

#[test]
fn the_same_seed_gives_the_same_world() {
    let play = |seed| {
        let mut world = World::new(seed);
        world.faults.breaks_one_in = 60;
        world.add("relay", true);
        let ann = world.person("Ann", "relay");
        let bob = world.person("Bob", "relay");
        world.meet(ann, bob);
        world.say(ann, bob, "once more");
        world.run(5 * MINUTE);
        world.digest()
    };
    assert_eq!(play(3), play(3));
    assert_ne!(play(3), play(4));
}

#[test]
fn a_message_waits_for_one_who_is_away() {
    let (mut world, relay, ann, bob) = World::two(1);
    world.meet(ann, bob);
    world.run(MINUTE);
    world.kill(bob);
    world.say(ann, bob, "while you were away");
    world.run(MINUTE);
    world.kill(relay);
    world.run(MINUTE);
    world.start(relay);
    world.run(5 * HOUR);
    world.start(bob);
    world.run(5 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["while you were away"]);
    assert_eq!(world.delivered(ann, bob), 1);
}

/// A message is kept its 48 hours, though the one that began its chain is gone hours before, and
/// whoever wrote them is away.
#[test]
fn a_message_outlives_the_one_that_began_its_chain() {
    let (mut world, _, ann, bob) = World::two(1);
    world.meet(ann, bob);
    world.run(MINUTE);
    world.kill(bob);
    world.say(ann, bob, "in the morning");
    world.run(8 * HOUR);
    world.say(ann, bob, "in the afternoon");
    world.run(MINUTE);
    world.kill(ann);
    world.run(46 * HOUR);
    world.start(bob);
    world.run(1_000);
    world.unlock(bob);
    world.run(MINUTE);
    assert_eq!(world.heard(bob, ann), ["in the afternoon"]);
}

/// Programs that stay open for days: new keys are drawn, what is sent is dated now.
#[test]
fn days_pass_while_nobody_starts_anew() {
    let (mut world, _, ann, bob) = World::two(1);
    world.meet(ann, bob);
    for (at, name) in [(ann, "Ann"), (bob, "Bob")] {
        // What is not remembered stays open until it is locked.
        world.must(at, Command::Lock);
        let passcode = passcode(name);
        let remember = false;
        world.must(at, Command::Unlock { passcode, remember });
    }
    world.run(60 * HOUR);
    world.say(ann, bob, "on the third day");
    world.run(10 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["on the third day"]);
    assert_eq!(world.delivered(ann, bob), 1);
}

/// Clocks hours off: the relay's time is taken, so what is sent is dated right.
#[test]
fn a_wrong_clock_is_set_right_by_the_relay() {
    let mut world = World::new(1);
    world.add("relay", true);
    let ann = world.person_with_clock("Ann", "relay", -(40 * HOUR as i64));
    let bob = world.person_with_clock("Bob", "relay", 30 * HOUR as i64);
    world.meet(ann, bob);
    world.say(ann, bob, "what time is it?");
    world.run(10 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["what time is it?"]);
    assert_eq!(world.delivered(ann, bob), 1);
}

/// Broken links, copies, overtaking, clocks an hour off, a partition, and processes killed.
#[test]
fn everything_arrives_once_and_in_order() {
    for seed in seeds(12) {
        let mut world = World::new(seed);
        world.faults = Faults {
            delay_ms: (1, 400),
            breaks_one_in: 80,
            doubles_one_in: 10,
            overtakes_one_in: 10,
            save_ms: (1, 60),
        };
        let relay = world.add("relay", true);
        let ann = world.person_with_clock("Ann", "relay", 55 * MINUTE as i64);
        let bob = world.person_with_clock("Bob", "relay", -(58 * MINUTE as i64));
        world.meet(ann, bob);
        let (mut from_ann, mut from_bob) = (Vec::new(), vec!["may I?".to_string()]);
        for turn in 0..30 {
            let text = format!("{turn} of {seed}");
            if turn % 3 == 0 {
                world.say(bob, ann, &text);
                from_bob.push(text);
            } else {
                world.say(ann, bob, &text);
                from_ann.push(text);
            }
            world.run(1_000 + turn * 700);
            match turn {
                8 => world.set_cut(bob, relay, true),
                12 => {
                    world.run(6 * HOUR);
                    world.set_cut(bob, relay, false);
                }
                16 => {
                    world.kill(ann);
                    world.run(MINUTE);
                    world.start(ann);
                    world.run(MINUTE);
                }
                20 => {
                    world.kill(relay);
                    world.run(10 * MINUTE);
                    world.start(relay);
                }
                _ => {}
            }
        }
        let (a, b) = (from_ann.len(), from_bob.len());
        let done = |w: &World| w.delivered(ann, bob) == a && w.delivered(bob, ann) == b;
        let all = world.run_until(100 * HOUR, done);
        let replay = world.replay();
        assert_eq!(world.heard(bob, ann), from_ann, "{replay}");
        assert_eq!(world.heard(ann, bob), from_bob, "{replay}");
        assert!(
            all,
            "delivered {} of {a}, {} of {b}; {replay}",
            world.delivered(ann, bob),
            world.delivered(bob, ann)
        );
        let kept = world.history(bob, ann).len();
        assert_eq!(kept, a + b, "{replay}");
    }
}
