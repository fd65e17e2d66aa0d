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
    let laptop = world.device(phone, "Ann's laptop");
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

/// `at` is shown that text of `from` in time.
fn hear(world: &mut World, at: At, from: At, text: &str, ms: u64) {
    let heard = world.hears(at, from, text, ms);
    assert!(heard, "{at}: {text} of {from}; {}", world.replay());
}

/// That becomes true in time.
fn comes(world: &mut World, ms: u64, wanted: impl Fn(&World) -> bool) {
    assert!(world.run_until(ms, wanted), "{}", world.replay());
}

#[test]
fn what_one_writes_is_on_all_and_answers_come_to_all() {
    let (mut world, phone, laptop, bob) = two(1);
    for (from, other) in [(phone, laptop), (laptop, phone)] {
        let text = format!("from {from}");
        world.say(from, bob, &text);
        hear(&mut world, bob, from, &text, 5 * MINUTE);
        let copied = |world: &World| is_delivered(world, other, &text);
        comes(&mut world, 5 * MINUTE, copied);
        let delivered = |world: &World| is_delivered(world, from, &text);
        assert!(world.run_until(5 * MINUTE, delivered));
        let text = format!("answer to {from}");
        world.say(bob, phone, &text);
        for at in [phone, laptop] {
            hear(&mut world, at, bob, &text, 5 * MINUTE);
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
            hear(&mut world, bob, from, &text, 10 * MINUTE);
            let copied = |world: &World| is_delivered(world, other, &text);
            comes(&mut world, 10 * MINUTE, copied);
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

/// What the devices of `all` show of their conversation with `other` since they are together.
fn same_on_all(world: &mut World, all: &[At], other: At, since: &str) {
    let mut shown: Vec<Vec<Line>> = Vec::new();
    for at in all {
        let all = lines(world, *at, other);
        shown.push(all.into_iter().filter(|l| l.1.starts_with(since)).collect());
    }
    for (at, lines) in all.iter().zip(&shown).skip(1) {
        let lacking: Vec<&Line> = shown[0].iter().filter(|l| !lines.contains(l)).collect();
        let more: Vec<&Line> = lines.iter().filter(|l| !shown[0].contains(l)).collect();
        let both = (lacking.len(), more.len());
        assert_eq!(
            both,
            (0, 0),
            "{at}: {lacking:?} {more:?}; {}",
            world.replay()
        );
    }
}

/// Three devices write at random, to two people who write back, while a link breaks at every tenth
/// frame.
#[test]
fn three_devices_in_bad_weather() {
    for seed in [20, 23, 33] {
        let mut world = World::new(seed);
        world.add("relay", true);
        let (phone, bob) = world.friends("relay", "relay");
        let cleo = world.person("Cleo", "relay");
        world.stay_open(cleo);
        world.meet(phone, cleo);
        let laptop = world.device(phone, "Ann's laptop");
        world.run(MINUTE);
        let tablet = world.device(laptop, "Ann's tablet");
        world.run(10 * MINUTE);
        let mine = [phone, laptop, tablet];
        world.faults.breaks_one_in = 10;
        world.faults.doubles_one_in = 5;
        world.faults.overtakes_one_in = 5;
        for n in 0..60_u64 {
            let other = if n % 3 == 0 { cleo } else { bob };
            let from = mine[(sha(seed, n) % 3) as usize];
            match sha(seed, n + 1_000) % 5 {
                0 | 1 => drop(world.say(other, phone, &format!("w {n} theirs"))),
                _ => drop(world.say(from, other, &format!("w {n} mine"))),
            }
            world.run(sha(seed, n + 2_000) % (20 * MINUTE));
        }
        world.faults = Default::default();
        world.run(3 * HOUR);
        for other in [bob, cleo] {
            same_on_all(&mut world, &mine, other, "w ");
            let told = lines(&mut world, other, phone);
            let told = told.iter().filter(|l| l.1.starts_with("w ")).count();
            let here = lines(&mut world, phone, other);
            let here = here.iter().filter(|l| l.1.starts_with("w ")).count();
            assert_eq!(told, here);
        }
    }
}

fn sha(seed: u64, n: u64) -> u64 {
    let hash = shared::crypto::sha256(&[&seed.to_le_bytes(), &n.to_le_bytes()]);
    u64::from_le_bytes(*hash.first_chunk().unwrap())
}

/// While one can't reach the relay both go on; when it can again, all of it is on both.
#[test]
fn apart_and_together_again() {
    let (mut world, phone, laptop, bob) = two(6);
    let relay = 0;
    for (round, cut) in [phone, laptop, phone].into_iter().enumerate() {
        world.set_cut(cut, relay, true);
        for n in 0..8 {
            world.say(phone, bob, &format!("w {round} {n} phone"));
            world.say(laptop, bob, &format!("w {round} {n} laptop"));
            world.say(bob, phone, &format!("w {round} {n} bob"));
            world.run(2 * HOUR);
        }
        world.set_cut(cut, relay, false);
        world.run(HOUR);
        same_on_all(&mut world, &[phone, laptop], bob, "w ");
        let told = lines(&mut world, bob, phone);
        let told = told.iter().filter(|l| l.1.starts_with("w ")).count();
        assert_eq!(told, (round + 1) * 24);
    }
}

/// The clock of one is an hour behind, of another an hour ahead.
#[test]
fn clocks_an_hour_apart() {
    for skew in [-(HOUR as i64), HOUR as i64] {
        let mut world = World::new(7);
        world.add("relay", true);
        let (phone, bob) = world.friends("relay", "relay");
        let laptop = world.device_with_clock(phone, "Ann's laptop", skew);
        world.run(5 * MINUTE);
        for day in 0..3 {
            for (from, other) in [(phone, laptop), (laptop, phone)] {
                let text = format!("w {day} from {from}");
                world.say(from, bob, &text);
                hear(&mut world, bob, from, &text, 10 * MINUTE);
                let copied = |world: &World| is_delivered(world, other, &text);
                comes(&mut world, 10 * MINUTE, copied);
                world.say(bob, phone, &format!("w {day} to {from}"));
            }
            // Midnight on one is not midnight on the other.
            world.run(DAY - 20 * MINUTE);
        }
        same_on_all(&mut world, &[phone, laptop], bob, "w ");
    }
}

/// For three weeks: fresh pairs are proposed by either device and by the contact, and used by all;
/// epoch keys are drawn by one.
#[test]
fn weeks_go_by() {
    let (mut world, phone, laptop, bob) = two(8);
    for day in 0..21 {
        let from = if day % 2 == 0 { phone } else { laptop };
        let text = format!("w {day}");
        world.say(from, bob, &text);
        hear(&mut world, bob, from, &text, 10 * MINUTE);
        let text = format!("w answer {day}");
        world.say(bob, phone, &text);
        for at in [phone, laptop] {
            hear(&mut world, at, bob, &text, 10 * MINUTE);
        }
        world.run(DAY);
    }
    same_on_all(&mut world, &[phone, laptop], bob, "w ");
    for at in [phone, laptop, bob] {
        let wrong = world.hosts[at].events.iter().filter(
            |e| matches!(e, Event::Trouble { problem } if problem.code == "recovered_elsewhere"),
        );
        assert_eq!(wrong.count(), 0);
    }
}

/// Somebody new is met on one device: the other writes to them, and reads them.
#[test]
fn who_is_met_on_one_is_met_on_all() {
    let (mut world, phone, laptop, bob) = two(9);
    let cleo = world.person("Cleo", "relay");
    world.stay_open(cleo);
    world.meet(laptop, cleo);
    let known = |world: &World| world.knows(phone, cleo);
    comes(&mut world, 5 * MINUTE, known);
    let dan = world.person("Dan", "relay");
    world.stay_open(dan);
    world.meet(dan, phone);
    let known = |world: &World| world.knows(laptop, dan);
    comes(&mut world, 5 * MINUTE, known);
    for other in [cleo, dan] {
        for (from, to) in [(phone, laptop), (laptop, phone)] {
            let text = format!("w from {from}");
            world.say(from, other, &text);
            hear(&mut world, other, from, &text, 10 * MINUTE);
            let text = format!("w to {from}");
            world.say(other, from, &text);
            for at in [from, to] {
                hear(&mut world, at, other, &text, 10 * MINUTE);
            }
        }
        world.run(5 * MINUTE);
        same_on_all(&mut world, &[phone, laptop], other, "");
    }
    // Removed on one, gone on all, and a stranger everywhere.
    let contact = world.id(cleo);
    world.must(
        phone,
        Command::RemoveContact {
            contact,
            block: false,
        },
    );
    let id = world.id(cleo);
    let gone = |world: &World| {
        world.hosts[laptop]
            .events
            .iter()
            .any(|e| matches!(e, Event::ContactRemoved { contact } if *contact == id))
    };
    comes(&mut world, 5 * MINUTE, gone);
    for n in 0..4 {
        for at in [phone, laptop] {
            let text = format!("after {n} {at}");
            world.say(at, bob, &text);
            hear(&mut world, bob, at, &text, 10 * MINUTE);
        }
        world.run(DAY);
    }
}

/// What was read, renamed or switched on one shows on the other.
#[test]
fn what_a_person_does_is_done_on_all() {
    let (mut world, phone, laptop, bob) = two(10);
    for n in 0..3 {
        world.say(bob, phone, &format!("unread {n}"));
    }
    world.run(5 * MINUTE);
    let contact = world.id(bob);
    let view = |world: &World, at: At| {
        let mut told = world.hosts[at].events.iter().rev();
        told.find_map(|event| match event {
            Event::Contact { contact: view } if view.contact == contact => Some(view.clone()),
            _ => None,
        })
    };
    assert!(view(&world, laptop).unwrap().unread >= 3);
    world.must(
        phone,
        Command::MarkRead {
            contact: contact.clone(),
        },
    );
    let read = |world: &World| view(world, laptop).unwrap().unread == 0;
    comes(&mut world, 5 * MINUTE, read);
    let off = Command::Acknowledge {
        contact: contact.clone(),
        on: false,
    };
    world.must(laptop, off);
    let off = |world: &World| !view(world, phone).unwrap().acknowledge;
    comes(&mut world, 5 * MINUTE, off);
    world.run(5 * MINUTE);
    // Nobody acknowledges now: what one sent ends on the other as well.
    world.say(phone, bob, "into silence");
    assert!(world.hears(bob, phone, "into silence", 5 * MINUTE));
    let stored = |world: &World| {
        matches!(
            delivery(world, laptop, "into silence"),
            Some(Delivery::Stored { .. })
        )
    };
    comes(&mut world, 5 * MINUTE, stored);
    world.must(
        laptop,
        Command::Rename {
            name: "Anna".into(),
        },
    );
    let renamed = |world: &World| {
        let mut told = world.hosts[phone].events.iter().rev();
        let name = told.find_map(|e| match e {
            Event::Profile { name, .. } => Some(name.clone()),
            _ => None,
        });
        name.as_deref() == Some("Anna")
    };
    comes(&mut world, 5 * MINUTE, renamed);
    // Stopped where it is sent, before it leaves.
    world.set_cut(phone, 0, true);
    let sent = world.ask_now(
        phone,
        Command::Send {
            contact: contact.clone(),
            text: "never mind".into(),
        },
    );
    let Ok(Some(Answer::Message { message })) = sent else {
        panic!("{sent:?}");
    };
    world.run(MINUTE);
    world.must(
        phone,
        Command::Cancel {
            message: message.message,
            contact,
        },
    );
    world.set_cut(phone, 0, false);
    let stopped = |world: &World| {
        matches!(
            delivery(world, laptop, "never mind"),
            Some(Delivery::Cancelled { .. })
        )
    };
    comes(&mut world, 20 * MINUTE, stopped);
}

fn words(world: &mut World, at: At) -> String {
    let passcode = tests::people::passcode(&world.hosts[at].name);
    match world.ask_now(at, Command::ShowWords { passcode }) {
        Ok(Some(Answer::Words { words })) => words.join(" "),
        other => panic!("no words: {other:?}"),
    }
}

/// A contact lost everything and came back: both devices answer, and both go on.
#[test]
fn a_contact_comes_back_to_all_devices() {
    let (mut world, phone, laptop, bob) = two(11);
    world.talk(laptop, bob, "known");
    world.run(30 * MINUTE);
    let words = words(&mut world, bob);
    world.kill(bob);
    world.run(HOUR);
    let bob2 = world.add("Bob again", false);
    world.run(100);
    let create = Command::Create {
        name: "Bob again".into(),
        words,
        passcode: tests::people::passcode("Bob again"),
        restore: true,
        remember: true,
    };
    world.must(bob2, create);
    let hint = tests::host::Host::hint("relay").to_text();
    world.must(bob2, Command::AddRelay { hint });
    world.stay_open(bob2);
    world.run(30 * MINUTE);
    for at in [phone, laptop] {
        let contact = world.id(bob2);
        // It may have been confirmed, or waited out, by then.
        let _ = world.ask_now(at, Command::ConfirmReturn { contact });
    }
    both_talk(&mut world, phone, laptop, bob2, 3);
}

/// One device begins anew with everybody: the other one does not go on alone on what is lost.
#[test]
fn one_device_begins_anew() {
    let (mut world, phone, laptop, bob) = two(12);
    world.talk(laptop, bob, "known");
    // A pair made on this very day ranks above the one that is about to be made.
    world.run(8 * DAY);
    for n in 0..3 {
        world.talk(laptop, bob, &format!("fresh {n}"));
        world.talk(phone, bob, &format!("fresh too {n}"));
    }
    world.must(phone, Command::ComeBack);
    world.run(10 * MINUTE);
    let contact = world.id(phone);
    let _ = world.ask_now(bob, Command::ConfirmReturn { contact });
    both_talk(&mut world, phone, laptop, bob, 3);
}

/// Both write to somebody and read what comes back, for some days.
fn both_talk(world: &mut World, phone: At, laptop: At, other: At, days: u64) {
    for day in 0..days {
        for from in [phone, laptop] {
            let text = format!("w {day} from {from}");
            world.say(from, other, &text);
            let heard = world.hears(other, from, &text, 10 * MINUTE);
            assert!(heard, "{day} {from}; {}", world.replay());
            let text = format!("w {day} to {from}");
            world.say(other, from, &text);
            for at in [phone, laptop] {
                let heard = world.hears(at, other, &text, 10 * MINUTE);
                assert!(heard, "{day} {from} {at}; {}", world.replay());
            }
        }
        world.run(DAY);
    }
    same_on_all(world, &[phone, laptop], other, "w ");
}
