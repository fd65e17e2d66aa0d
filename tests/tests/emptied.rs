//! Stores that are full, or deleted from outside while the account is open: what is in memory is
//! saved anew, and what is lost is told.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;

/// Ann and Bob have talked: three messages each way, all delivered.
fn talk(seed: u64) -> (World, At, At) {
    let mut world = World::new(seed);
    world.add("relay", true);
    let ann = world.person("Ann", "relay");
    let bob = world.person("Bob", "relay");
    world.meet(ann, bob);
    for turn in 0..3 {
        chat(&mut world, ann, bob, &format!("before {turn}"));
    }
    (world, ann, bob)
}

/// Both say a word and hear it.
fn chat(world: &mut World, ann: At, bob: At, word: &str) {
    for (from, to) in [(ann, bob), (bob, ann)] {
        let text = format!("{word}, from {}", world.hosts[from].name);
        world.say(from, to, &text);
        let heard = |world: &World| world.heard(to, from).contains(&text);
        assert!(world.run_until(10 * MINUTE, heard), "{text:?} is not heard");
    }
    world.run(10 * MINUTE);
}

fn told(world: &World, at: At, code: &str) -> bool {
    let mut events = world.hosts[at].events.iter();
    events.any(|event| matches!(event, Event::Trouble { problem } if problem.code == code))
}

/// No text that came is shown as new twice.
fn shown_once(world: &World, at: At, other: At) {
    let mut heard: Vec<String> = world.heard(at, other);
    let all = heard.len();
    heard.sort();
    heard.dedup();
    assert_eq!(heard.len(), all, "shown twice: {heard:?}");
}

fn restart(world: &mut World, at: At) {
    world.kill(at);
    world.start(at);
    world.run(1_000);
}

fn is_asked_for_the_passcode(world: &World, at: At) -> bool {
    let phases = world.hosts[at].events.iter().rev();
    let mut phases = phases.filter_map(|event| match event {
        Event::Phase { phase } => Some(phase),
        _ => None,
    });
    matches!(phases.next(), Some(Phase::Locked { .. }))
}

#[test]
fn an_open_account_is_saved_anew_and_goes_on() {
    for seed in 1..=6 {
        let (mut world, ann, bob) = talk(seed);
        // On a save; on a load; while something is under way.
        world.empty(bob);
        match seed % 3 {
            0 => {
                let contact = world.id(ann);
                let (before, limit) = (None, 10);
                let history = world.ask_now(
                    bob,
                    Command::History {
                        contact,
                        before,
                        limit,
                    },
                );
                assert_eq!(history.unwrap_err().code, "store_emptied");
            }
            1 => {
                world.say(ann, bob, "to an empty store");
                world.run(seed * 700);
            }
            _ => {
                world.say(bob, ann, "from an empty store");
                world.run(seed * 300);
            }
        }
        chat(&mut world, ann, bob, "after");
        assert!(told(&world, bob, "store_emptied"), "seed {seed}");
        // The remembered key is lost with the store, and was remembered anew.
        restart(&mut world, bob);
        assert!(!is_asked_for_the_passcode(&world, bob));
        chat(&mut world, ann, bob, "after a restart");
        world.must(bob, Command::Lock);
        restart(&mut world, bob);
        assert!(is_asked_for_the_passcode(&world, bob));
        world.unlock(bob);
        assert!(world.knows(bob, ann));
        chat(&mut world, ann, bob, "after the passcode");
        for (at, other) in [(ann, bob), (bob, ann)] {
            shown_once(&world, at, other);
            for text in world.promised(other, at) {
                assert!(world.heard(at, other).contains(&text), "{text:?} is lost");
            }
        }
        let kept = world.history(bob, ann);
        let kept: Vec<&str> = kept.iter().map(|m| m.text.as_str()).collect();
        assert!(kept.contains(&"after, from Ann"), "seed {seed}: {kept:?}");
        assert!(
            !kept.contains(&"before 0, from Ann"),
            "seed {seed}: {kept:?}"
        );
    }
}

/// Of every kind of row there is one; none is forgotten when the store is made right.
#[test]
fn every_row_of_the_state_is_written_back() {
    let (mut world, ann, bob) = talk(12);
    let carl = world.person("Carl", "relay");
    let link = world.invite_for(bob, 24).fragment;
    world.greet(carl, &link).expect("greeted");
    let came = |world: &World| world.greeting(bob).is_some();
    assert!(world.run_until(10 * MINUTE, came));
    // Kept by no relay yet: in the outbox, and as a solved parcel.
    world.set_cut(bob, 0, true);
    world.kill(bob);
    world.start(bob);
    world.run(1_000);
    for word in 0..3 {
        world.say(bob, ann, &format!("word {word}"));
    }
    world.run(10 * MINUTE);
    let before = world.hosts[bob].disk.places(1);
    assert!(before.len() > 10, "{}", before.len());
    world.empty(bob);
    let name = "Bobby".into();
    world.must(bob, Command::Rename { name });
    let after = world.hosts[bob].disk.places(1);
    let lost = before.difference(&after).count();
    assert_eq!(lost, 0, "of {} rows", before.len());
    assert_eq!(world.hosts[bob].disk.places(0).len(), 1);
    // Those under way, and the last.
    assert_eq!(world.hosts[bob].disk.places(2).len(), 3);
    world.set_cut(bob, 0, false);
    world.run(10 * MINUTE);
    restart(&mut world, bob);
    world.accept(bob);
    chat(&mut world, ann, bob, "after");
    let greeting = 1;
    let sent = world.promised(bob, ann).len() + greeting;
    assert_eq!(world.delivered(bob, ann), sent);
}

/// A text is sealed anew by who does not know that it arrived: it is not shown again by a device
/// whose store was emptied since.
#[test]
fn what_was_shown_before_is_not_shown_again() {
    let (mut world, ann, bob) = talk(7);
    world.say(ann, bob, "once");
    let once = |world: &World| world.heard(bob, ann).contains(&"once".to_string());
    assert!(world.run_until(10 * MINUTE, once));
    world.empty(bob);
    let name = "Bob".into();
    world.must(bob, Command::Rename { name });
    // Before an acknowledgement has left.
    world.kill(bob);
    let sent = world.history(ann, bob).pop().expect("a message");
    assert_eq!(sent.text, "once");
    let on_its_way = !matches!(sent.delivery, Delivery::Delivered { .. });
    assert!(on_its_way, "{:?}", sent.delivery);
    let (message, contact) = (sent.message, sent.contact);
    for command in [
        Command::Cancel {
            message: message.clone(),
            contact: contact.clone(),
        },
        Command::Retry { message, contact },
    ] {
        world.must(ann, command);
    }
    world.run(10 * MINUTE);
    world.start(bob);
    chat(&mut world, ann, bob, "after");
    shown_once(&world, bob, ann);
    assert_eq!(world.delivered(ann, bob), world.promised(ann, bob).len());
}

/// Nothing leaves that depends on what is not saved, before all there is was saved anew.
#[test]
fn no_save_while_a_store_is_made_right_is_a_bad_moment_to_die() {
    for saves in 1..6 {
        let (mut world, ann, bob) = talk(8);
        world.empty(bob);
        let until = world.hosts[bob].disk.saves + saves;
        world.say(bob, ann, "one");
        world.say(ann, bob, "two");
        world.kill_at_save(bob, until);
        world.run(2 * MINUTE);
        assert!(!world.hosts[bob].is_up(), "{saves}");
        world.start(bob);
        world.run(1_000);
        if is_asked_for_the_passcode(&world, bob) {
            world.unlock(bob);
        }
        world.run(10 * MINUTE);
        chat(&mut world, ann, bob, "after");
        for (at, other) in [(ann, bob), (bob, ann)] {
            let kept = world.history(at, other).into_iter();
            let kept: Vec<String> = kept.filter(|m| !m.mine).map(|m| m.text).collect();
            // What Bob had received before is lost to him, and that is told.
            for text in world.promised(other, at) {
                let times = kept.iter().filter(|kept| **kept == text).count();
                let old = text.starts_with("before");
                assert!(
                    times == 1 || old && times == 0,
                    "{saves}: {text:?}: {kept:?}"
                );
            }
        }
    }
}

#[test]
fn a_locked_account_is_lost_and_that_is_said() {
    let (mut world, _, bob) = talk(9);
    world.must(bob, Command::Lock);
    world.empty(bob);
    let passcode = passcode("Bob");
    let remember = false;
    let unlocked = world.ask_now(bob, Command::Unlock { passcode, remember });
    assert_eq!(unlocked.unwrap_err().code, "store_lost");
    assert!(told(&world, bob, "store_lost"));
    let last = world.hosts[bob].events.iter().rev();
    let last = last
        .filter_map(|e| match e {
            Event::Phase { phase } => Some(phase),
            _ => None,
        })
        .next();
    assert!(matches!(last, Some(Phase::Empty)), "{last:?}");
    // The device is as new.
    let words = match world.must(bob, Command::NewWords) {
        Some(Answer::Words { words }) => words.join(" "),
        other => panic!("{other:?}"),
    };
    let create = Command::Create {
        name: "Bob".into(),
        words,
        passcode: tests::people::passcode("Bob"),
        restore: false,
        remember: false,
    };
    world.must(bob, create);
}

/// Locked while nothing could be saved: what waited to be saved makes the store right.
#[test]
fn a_lock_on_a_full_disk_keeps_the_account() {
    let (mut world, ann, bob) = talk(10);
    world.hosts[bob].disk.full = true;
    world.say(ann, bob, "while it is full");
    world.run(MINUTE);
    assert!(told(&world, bob, "disk_full"));
    world.ask(bob, Command::Lock);
    world.run(MINUTE);
    world.empty(bob);
    world.hosts[bob].disk.full = false;
    world.run(MINUTE);
    restart(&mut world, bob);
    world.unlock(bob);
    chat(&mut world, ann, bob, "after");
    shown_once(&world, bob, ann);
}

#[test]
fn an_account_is_exported_from_a_full_disk_and_from_an_emptied_one() {
    for emptied in [false, true] {
        let (mut world, ann, bob) = talk(11);
        world.hosts[bob].disk.full = true;
        world.say(bob, ann, "while it is full");
        world.run(MINUTE);
        assert!(told(&world, bob, "disk_full"));
        if emptied {
            world.empty(bob);
        }
        let passphrase = "a passphrase".to_string();
        let export = Command::Export {
            passcode: passcode("Bob"),
            passphrase: passphrase.clone(),
        };
        let Some(Answer::File { file }) = world.must(bob, export) else {
            panic!("no file");
        };
        assert_eq!(told(&world, bob, "export_partial"), emptied);
        world.kill(bob);
        let other = world.add("Bob's other device", false);
        world.run(100);
        let import = Command::Import {
            file,
            passphrase,
            passcode: passcode("Bob"),
            remember: false,
        };
        world.must(other, import);
        assert!(world.knows(other, ann));
        let texts: Vec<String> = world
            .history(other, ann)
            .into_iter()
            .map(|m| m.text)
            .collect();
        let old = texts.iter().any(|text| text.starts_with("before 0"));
        assert_eq!(old, !emptied, "{texts:?}");
        chat(&mut world, ann, other, "from the file");
    }
}
