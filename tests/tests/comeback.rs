//! Coming back: whoever lost the sessions with their contacts is known again by the words of both,
//! and nothing that was written is lost or shown twice.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Ada and Bob, who have met, stay open, and have written to each other.
fn two(seed: u64) -> (World, At, At, At) {
    let mut world = World::new(seed);
    let relay = world.add("relay", true);
    let (ada, bob) = world.friends("relay", "relay");
    world.talk(ada, bob, "hello");
    world.run(10 * MINUTE);
    (world, relay, ada, bob)
}

fn repair(world: &mut World, at: At) {
    world.must(at, Command::ComeBack);
}

fn confirm(world: &mut World, at: At, other: At) -> Result<Option<Answer>, Problem> {
    let contact = world.id(other);
    world.ask_now(at, Command::ConfirmReturn { contact })
}

/// How often `at` was told that `other` is back.
fn told(world: &mut World, at: At, other: At) -> usize {
    let all = world.history(at, other);
    let told = all.iter().filter(|m| m.notice == Some(Notice::CameBack));
    told.count()
}

/// Until when what `at` writes to `other` waits, as last shown.
fn waits(world: &World, at: At, other: At) -> Option<u64> {
    let id = world.id(other);
    let mut shown = world.hosts[at].events.iter().rev();
    let last = shown.find_map(|event| match event {
        Event::Contact { contact } if contact.contact == id => Some(contact.confirm_until),
        _ => None,
    });
    last.flatten()
}

/// Every text that either was promised to be sent has come once, and is shown as delivered.
fn all_is_there(world: &World, people: [At; 2]) {
    for (from, to) in [(people[0], people[1]), (people[1], people[0])] {
        let mut promised = world.promised(from, to);
        let mut heard = world.heard(to, from);
        heard.retain(|text| text != "may I?");
        promised.sort();
        heard.sort();
        assert_eq!(heard, promised, "{}", world.replay());
        // The greeting too, where it was this side's.
        assert!(world.delivered(from, to) >= promised.len());
    }
}

fn restart(world: &mut World, at: At) {
    world.kill(at);
    world.run(MINUTE);
    world.start(at);
    world.run(1_000);
    world.unlock(at);
    world.run(10_000);
}

/// Texts of before, of the time between, and of after arrive once: with both there, with the other
/// one away for 30 hours, and with both restarting at each step.
#[test]
fn nothing_is_lost_or_comes_twice() {
    for (seed, away, restarts) in [(1, 0, false), (2, 30 * HOUR, false), (3, MINUTE, true)] {
        let (mut world, _, ada, bob) = two(seed);
        let mut number = 0;
        let mut write = |world: &mut World, texts: u32| {
            for _ in 0..texts {
                number += 1;
                world.say(ada, bob, &format!("ada {number}"));
                world.say(bob, ada, &format!("bob {number}"));
                world.run(500);
            }
        };
        write(&mut world, 3);
        if away > 0 {
            world.kill(bob);
            for n in 0..3 {
                world.say(ada, bob, &format!("before {n}"));
            }
            world.run(MINUTE);
        }
        repair(&mut world, ada);
        for n in 0..3 {
            world.say(ada, bob, &format!("between {n}"));
        }
        world.run(20_000);
        if restarts {
            restart(&mut world, ada);
        }
        if away > 0 {
            world.run(away);
            world.start(bob);
            world.run(1_000);
            world.unlock(bob);
        }
        write(&mut world, 3);
        world.run(10 * MINUTE);
        assert_eq!(told(&mut world, bob, ada), 1);
        assert_eq!(told(&mut world, ada, bob), 0);
        if restarts {
            restart(&mut world, bob);
        }
        // Ada's device of before was heard from just now.
        assert!(waits(&world, bob, ada).is_some());
        write(&mut world, 3);
        world.run(10 * MINUTE);
        let held = world.heard(ada, bob);
        assert!(
            !held.contains(&format!("bob {number}", number = 9)),
            "{held:?}"
        );
        confirm(&mut world, bob, ada).unwrap();
        assert_eq!(waits(&world, bob, ada), None);
        let again = confirm(&mut world, bob, ada).unwrap_err();
        assert_eq!(again.code, "return_unknown");
        if restarts {
            restart(&mut world, bob);
            restart(&mut world, ada);
        }
        world.run(10 * MINUTE);
        all_is_there(&world, [ada, bob]);
        for day in 0..10 {
            world.talk(ada, bob, &format!("day {day}"));
            world.run(DAY);
        }
        all_is_there(&world, [ada, bob]);
        assert_eq!(told(&mut world, bob, ada), 1);
    }
}

/// Nobody confirms: what was written goes after 72 hours, restarts or not.
#[test]
fn what_waits_goes_after_three_days() {
    let (mut world, _, ada, bob) = two(1);
    repair(&mut world, ada);
    world.run(10 * MINUTE);
    world.say(bob, ada, "is it you?");
    world.say(ada, bob, "it is me");
    world.run(HOUR);
    assert!(world.heard(bob, ada).contains(&"it is me".into()));
    let waiting = world.history(bob, ada);
    let mine = waiting.iter().find(|m| m.text == "is it you?").unwrap();
    let waits_for = WaitsFor::Confirmation;
    assert_eq!(mine.delivery, Delivery::Queued { waits_for });
    restart(&mut world, bob);
    world.run(70 * HOUR);
    assert!(!world.heard(ada, bob).contains(&"is it you?".into()));
    world.run(2 * HOUR);
    assert!(world.heard(ada, bob).contains(&"is it you?".into()));
    all_is_there(&world, [ada, bob]);
}

/// Who was silent for a week has no device that may live: nothing waits.
#[test]
fn nothing_waits_where_no_device_was_heard_from() {
    let (mut world, _, ada, bob) = two(1);
    world.kill(ada);
    world.run(8 * DAY);
    world.start(ada);
    world.run(1_000);
    world.unlock(ada);
    repair(&mut world, ada);
    world.run(10 * MINUTE);
    assert_eq!(told(&mut world, bob, ada), 1);
    assert_eq!(waits(&world, bob, ada), None);
    world.talk(ada, bob, "back");
    all_is_there(&world, [ada, bob]);
}

/// A copy of Ada's device lives on while Ada comes back: it is read, and gets nothing any more.
#[test]
fn a_device_of_before_lives() {
    let (mut world, _, ada, bob) = two(1);
    let old = world.copy(ada);
    repair(&mut world, ada);
    world.run(10 * MINUTE);
    world.start(old);
    world.run(1_000);
    world.unlock(old);
    world.say(old, bob, "from the old one");
    assert!(world.hears(bob, ada, "from the old one", 10 * MINUTE));
    confirm(&mut world, bob, ada).unwrap();
    world.talk(ada, bob, "from the new one");
    for n in 0..4 {
        world.say(old, bob, &format!("old {n}"));
        world.run(HOUR);
        world.talk(ada, bob, &format!("new {n}"));
    }
    let got = world.heard(old, bob);
    assert!(got.iter().all(|t| !t.contains("new")), "{got:?}");
    assert!(world.heard(bob, ada).contains(&"old 3".into()));
    assert_eq!(told(&mut world, bob, ada), 1, "and not each time it writes");
}

/// One that was silent for long speaks after the return: from then on what is written waits.
#[test]
fn a_device_of_before_speaks_later() {
    let (mut world, _, ada, bob) = two(1);
    let old = world.copy(ada);
    world.kill(ada);
    world.run(8 * DAY);
    world.start(ada);
    world.run(1_000);
    world.unlock(ada);
    repair(&mut world, ada);
    world.run(10 * MINUTE);
    world.talk(ada, bob, "back");
    assert_eq!(waits(&world, bob, ada), None);
    world.run(HOUR);
    // An honest one would ask, and learn that it speaks for nobody any more.
    const FIND: u8 = 0x25;
    world.liars = [old].into();
    world.lie = Some(|_, _, bytes| (bytes[0] != FIND).then_some(bytes));
    world.start(old);
    world.run(1_000);
    world.unlock(old);
    world.run(10 * MINUTE);
    world.say(old, bob, "I never went");
    assert!(world.hears(bob, ada, "I never went", 10 * MINUTE));
    assert!(waits(&world, bob, ada).is_some());
    world.say(bob, ada, "who?");
    world.run(HOUR);
    assert!(!world.heard(ada, bob).contains(&"who?".into()));
    confirm(&mut world, bob, ada).unwrap();
    world.say(old, bob, "still not");
    world.run(10 * MINUTE);
    assert_eq!(waits(&world, bob, ada), None, "it was said once");
    assert!(world.heard(ada, bob).contains(&"who?".into()));
}

/// Both come back in one moment; each with what it knows of the other.
#[test]
fn two_returns_cross() {
    for seed in 1..6 {
        let (mut world, _, ada, bob) = two(seed);
        repair(&mut world, ada);
        world.run((seed - 1) * 3_000);
        repair(&mut world, bob);
        for n in 0..3 {
            world.say(ada, bob, &format!("ada {n}"));
            world.say(bob, ada, &format!("bob {n}"));
        }
        world.run(HOUR);
        for (at, other) in [(ada, bob), (bob, ada)] {
            // Where one did not hear of the other's return there was nothing to be confirmed.
            let _ = confirm(&mut world, at, other);
        }
        world.run(HOUR);
        all_is_there(&world, [ada, bob]);
        for day in 0..10 {
            world.talk(ada, bob, &format!("day {day}"));
            world.run(DAY);
        }
        all_is_there(&world, [ada, bob]);
    }
}

/// The answer to a return expires before it is read, and is sealed anew; so is the return.
#[test]
fn an_answer_that_is_lost_is_sealed_anew() {
    let (mut world, _, ada, bob) = two(1);
    repair(&mut world, ada);
    let back = |world: &World| {
        let id = world.id(ada);
        world.hosts[bob].events.iter().any(|event| {
            matches!(event, Event::Contact { contact }
                if contact.contact == id && contact.confirm_until.is_some())
        })
    };
    assert!(world.run_until(10 * MINUTE, back));
    // Bob has the return. Ada is away for longer than the answer lives.
    world.kill(ada);
    confirm(&mut world, bob, ada).unwrap();
    world.say(bob, ada, "there you are");
    world.run(MINUTE);
    world.kill(bob);
    world.run(50 * HOUR);
    world.start(ada);
    world.run(1_000);
    world.unlock(ada);
    world.say(ada, bob, "anybody?");
    world.run(HOUR);
    world.start(bob);
    world.run(1_000);
    world.unlock(bob);
    world.run(HOUR);
    all_is_there(&world, [ada, bob]);
    world.talk(ada, bob, "at last");
    assert_eq!(told(&mut world, bob, ada), 1);
}

/// Blocked or removed: a return is not even found. Who is greeted anew may come back later.
#[test]
fn blocked_and_removed_contacts_do_not_come_back() {
    for block in [true, false] {
        let (mut world, _, ada, bob) = two(1);
        let contact = world.id(ada);
        world.must(bob, Command::RemoveContact { contact, block });
        let before = world.hosts[bob].events.len();
        repair(&mut world, ada);
        world.say(ada, bob, "let me in");
        world.run(DAY);
        let id = world.id(ada);
        let shown = &world.hosts[bob].events[before..];
        let of_ada = shown.iter().any(|event| match event {
            Event::Message { message } => message.contact == id,
            Event::Contact { contact } => contact.contact == id,
            _ => false,
        });
        assert!(!of_ada, "Bob is shown something of Ada");
        assert!(!world.heard(bob, ada).contains(&"let me in".into()));
        // 30 days later nothing is sealed any more.
        world.run(33 * DAY);
        world.seen = Some(Vec::new());
        world.run(3 * DAY);
        let puts = world.seen.as_ref().unwrap().iter();
        let puts = puts.filter(|seen| seen.to_relay && seen.bytes[0] == 0x10);
        // Records of keys: one an epoch and person.
        assert!(puts.clone().count() <= 8, "{}", puts.count());
    }
}

/// Ada comes back while Bob's greeting to her is in her list, and accepts it then.
#[test]
fn a_return_crosses_a_greeting() {
    for first in [false, true] {
        let (mut world, _, ada, bob) = two(1);
        let link = world.invite_for(ada, 24).fragment;
        if first {
            repair(&mut world, ada);
        }
        world.greet(bob, &link).unwrap();
        let listed = |world: &World| world.greeting(ada).is_some();
        if !first {
            assert!(world.run_until(5 * MINUTE, listed));
            repair(&mut world, ada);
        }
        world.run(MINUTE);
        if world.greeting(ada).is_some() {
            world.accept(ada);
        }
        world.run(HOUR);
        let _ = confirm(&mut world, bob, ada);
        for day in 0..10 {
            world.talk(ada, bob, &format!("day {day}"));
            world.run(DAY);
        }
    }
}

/// Either process dies at any save of its own from the moment of coming back on, and is started
/// again.
#[test]
fn no_save_is_a_bad_moment_to_come_back() {
    for victim in [0, 1] {
        let mut deaths = 0;
        for after in 1.. {
            let (mut world, _, ada, bob) = two(after);
            let people = [ada, bob];
            let victim = people[victim];
            let until = world.hosts[victim].disk.saves + after;
            world.kill_at_save(victim, until);
            world.ask(ada, Command::ComeBack);
            for n in 0..2 {
                for (from, to) in [(ada, bob), (bob, ada)] {
                    if world.hosts[from].is_up() {
                        world.say(from, to, &format!("{n} from {from}"));
                    }
                    world.run(2_000);
                }
            }
            world.run(2 * MINUTE);
            world.hosts[victim].dies_at_save = None;
            let killed = !world.hosts[victim].is_up();
            if killed {
                world.start(victim);
                world.run(1_000);
                world.unlock(victim);
                world.run(10 * MINUTE);
            }
            let _ = confirm(&mut world, bob, ada);
            world.run(HOUR);
            for (from, to) in [(ada, bob), (bob, ada)] {
                let promised = world.promised(from, to);
                let history = world.history(to, from);
                let kept: Vec<String> = history
                    .into_iter()
                    .filter(|m| !m.mine && m.notice.is_none() && m.text != "may I?")
                    .map(|m| m.text)
                    .collect();
                for text in &promised {
                    let times = kept.iter().filter(|t| *t == text).count();
                    assert_eq!(times, 1, "{text}, kept {kept:?}, save {after}");
                }
            }
            world.talk(ada, bob, "at last");
            if !killed {
                break;
            }
            deaths += 1;
        }
        assert!(deaths >= 8, "only {deaths} moments were tried");
    }
}

/// The first object of the size of a return that the relay pushes to Bob, as a frame.
static FIRST: Mutex<Option<Vec<u8>>> = Mutex::new(None);
static REPLAYED: AtomicUsize = AtomicUsize::new(0);

/// A relay shows Bob the return again, in place of what it should show: right away, after Bob was
/// started anew, and when there is a later handshake. It is taken once.
#[test]
fn a_return_shown_again_changes_nothing() {
    const OBJECT: u8 = 0x23;
    const HEAD: usize = 1 + 4 + 4;
    let (mut world, relay, ada, bob) = two(1);
    assert_eq!((relay, bob), (0, 2));
    world.lie = Some(|from, to, bytes| {
        if (from, to) == (0, 2) && bytes[0] == OBJECT && bytes.len() == HEAD + 72 + 4_096 {
            FIRST.lock().unwrap().get_or_insert(bytes.clone());
        }
        Some(bytes)
    });
    repair(&mut world, ada);
    world.run(10 * MINUTE);
    assert_eq!(told(&mut world, bob, ada), 1);
    confirm(&mut world, bob, ada).unwrap();
    world.talk(ada, bob, "back");
    let replay = |world: &mut World| {
        let before = REPLAYED.load(Relaxed);
        world.lie = Some(|from, to, bytes| {
            if (from, to) != (0, 2) || bytes[0] != OBJECT {
                return Some(bytes);
            }
            REPLAYED.fetch_add(1, Relaxed);
            let first = FIRST.lock().unwrap().clone().unwrap();
            Some([&bytes[..HEAD], &first[HEAD..]].concat())
        });
        world.say(ada, bob, "withheld by the relay");
        world.run(5 * MINUTE);
        world.lie = None;
        assert!(REPLAYED.load(Relaxed) > before);
    };
    replay(&mut world);
    restart(&mut world, bob);
    replay(&mut world);
    assert_eq!(told(&mut world, bob, ada), 1);
    assert_eq!(waits(&world, bob, ada), None);
    repair(&mut world, ada);
    world.run(10 * MINUTE);
    confirm(&mut world, bob, ada).unwrap();
    restart(&mut world, bob);
    replay(&mut world);
    assert_eq!(told(&mut world, bob, ada), 2);
    assert_eq!(waits(&world, bob, ada), None);
    world.talk(ada, bob, "and on");
}

/// Time and again, the last one counts, and nothing piles up.
#[test]
fn coming_back_time_and_again() {
    let (mut world, _, ada, bob) = two(1);
    for n in 0..30 {
        repair(&mut world, ada);
        world.say(ada, bob, &format!("ada {n}"));
        world.say(bob, ada, &format!("bob {n}"));
        world.run(20_000);
    }
    world.run(10 * MINUTE);
    restart(&mut world, ada);
    restart(&mut world, bob);
    confirm(&mut world, bob, ada).unwrap();
    world.run(10 * MINUTE);
    all_is_there(&world, [ada, bob]);
    world.talk(ada, bob, "still there");
}
