//! What people, relays and shells do at bad moments.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use shared::object::pow;
use shared::wire::Header;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use tests::host::{Host, WORK_DIVISOR};
use tests::net::refusing;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

fn two() -> (World, At, At, At) {
    let (mut world, relay, ann, bob) = World::two(1);
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
    let (mut world, _, ann, bob) = World::two(1);
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

/// Both invite, greet and accept each other at once; nothing is shown twice, and they hear each
/// other for weeks.
#[test]
fn both_greet_each_other() {
    let (mut world, _, ann, bob) = World::two(1);
    let (from_ann, from_bob) = (world.invite(ann), world.invite(bob));
    world.run(MINUTE);
    for (at, link) in [(ann, from_bob), (bob, from_ann)] {
        let text = "may I?".into();
        world.must(at, Command::Greet { link, text });
    }
    let listed = |w: &World| w.greeting(ann).is_some() && w.greeting(bob).is_some();
    assert!(world.run_until(5 * MINUTE, listed));
    for at in [ann, bob] {
        let greeting = world.greeting(at).unwrap().greeting;
        world.must(at, Command::Accept { greeting });
    }
    world.run(10 * MINUTE);
    for day in 0..8 {
        for (from, to) in [(ann, bob), (bob, ann)] {
            sent(&mut world, from, to, &format!("day {day}"));
        }
        world.run(10 * MINUTE);
        for at in [ann, bob] {
            restart(&mut world, at);
        }
        for (at, other) in [(ann, bob), (bob, ann)] {
            let shown = world.history(at, other);
            let theirs: Vec<&str> = shown.iter().filter(|m| !m.mine).map(|m| &*m.text).collect();
            let mut wanted = vec!["may I?".to_string()];
            wanted.extend((0..=day).map(|day| format!("day {day}")));
            assert_eq!(theirs, wanted, "{}", world.hosts[at].name);
            for message in shown.iter().filter(|m| m.mine) {
                let done = matches!(message.delivery, Delivery::Delivered { .. });
                assert!(done, "day {day}: {message:?}");
            }
        }
        world.run(23 * HOUR);
        for at in [ann, bob] {
            let passcode = passcode(&world.hosts[at].name);
            let remember = true;
            world.must(at, Command::Unlock { passcode, remember });
        }
    }
}

/// A liar and an honest relay; Ann and Bob know both.
fn with_liar() -> (World, At, At) {
    let mut world = World::new(1);
    world.add("liar", true);
    world.add("relay", true);
    let ann = world.person("Ann", "liar");
    let bob = world.person("Bob", "liar");
    for at in [ann, bob] {
        let hint = Host::hint("relay").to_text();
        world.must(at, Command::AddRelay { hint });
    }
    world.run(10_000);
    world.meet(ann, bob);
    world.run(5 * MINUTE);
    (world, ann, bob)
}

/// Whatever reason a relay invents, what another one takes is sent, once, and soon.
#[test]
fn a_relay_that_refuses_stops_no_message() {
    let lies: [tests::world::Lie; 5] = [
        refusing::<3, 0>,
        refusing::<4, 1>,
        refusing::<5, 32>,
        refusing::<9, 0>,
        refusing::<99, 0>,
    ];
    for (n, lie) in lies.into_iter().enumerate() {
        let (mut world, ann, bob) = with_liar();
        world.lie = Some(lie);
        world.seen = Some(Vec::new());
        let mut wanted = Vec::new();
        for turn in 0..4 {
            wanted.push(format!("{turn}"));
            sent(&mut world, ann, bob, &format!("{turn}"));
            world.run(5_000);
        }
        world.run(3 * MINUTE);
        assert_eq!(world.heard(bob, ann), wanted, "lie {n}");
        assert_eq!(world.delivered(ann, bob), 4, "lie {n}");
        let puts = world
            .seen
            .as_ref()
            .unwrap()
            .iter()
            .filter(|s| s.bytes[0] == 0x10)
            .count();
        assert!(puts < 400, "lie {n}: {puts} puts");
    }
}

/// The only relay refuses: people are told, it is not asked without end, and Retry sends it.
#[test]
fn what_every_relay_refuses_is_told_and_can_be_tried_again() {
    let (mut world, _, ann, bob) = two();
    // Ann's puts are for another network when they arrive.
    world.lie = Some(|from, _, mut bytes| {
        if from == 1 && bytes[0] == 0x10 {
            bytes[5 + 12] ^= 1;
        }
        Some(bytes)
    });
    world.seen = Some(Vec::new());
    let message = sent(&mut world, ann, bob, "again");
    world.run(5 * MINUTE);
    let puts = world
        .seen
        .as_ref()
        .unwrap()
        .iter()
        .filter(|s| s.bytes[0] == 0x10)
        .count();
    assert!(puts < 400, "{puts} puts");
    world.lie = None;
    let contact = world.id(bob);
    world.must(ann, Command::Retry { contact, message });
    world.run(3 * MINUTE);
    assert_eq!(world.heard(bob, ann).last().unwrap(), "again");
    assert_eq!(world.delivered(ann, bob), 1);
}

/// A relay that never ends its answers to Find.
#[test]
fn a_relay_that_withholds_an_end_hides_no_invitation() {
    let (mut world, ann, _) = with_liar();
    let link = world.invite(ann);
    world.run(MINUTE);
    let guest = world.person("Guest", "liar");
    let hint = Host::hint("relay").to_text();
    world.must(guest, Command::AddRelay { hint });
    world.run(MINUTE);
    world.lie = Some(|from, _, bytes| (from != 0 || bytes[0] != 0x24).then_some(bytes));
    match world.ask_now(guest, Command::OpenInvite { link }) {
        Ok(Some(Answer::Opened { name, .. })) => assert_eq!(name, "Ann"),
        other => panic!("not opened: {other:?}"),
    }
}

/// Two links of one person, both greeted before the relays have answered.
#[test]
fn greeting_twice_at_once_is_one_greeting() {
    let (mut world, _, ann, bob) = World::two(1);
    let links = [world.invite(ann), world.invite(ann)];
    world.run(MINUTE);
    let asked = links.map(|link| {
        let text = "may I?".into();
        world.ask(bob, Command::Greet { link, text })
    });
    world.run(MINUTE);
    let taken = asked.map(|id| world.answer(bob, id).unwrap().is_ok());
    assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    let greeting = world.greeting(ann).unwrap().greeting;
    world.must(ann, Command::Accept { greeting });
    let met = |world: &World| world.knows(bob, ann);
    assert!(world.run_until(10 * MINUTE, met));
    assert_eq!(world.heard(ann, bob), ["may I?"]);
}

/// A contact greets anew and is blocked from the list: nothing of before is left behind.
#[test]
fn a_contact_blocked_by_a_greeting_leaves_nothing() {
    let (mut world, _, ann, bob) = two();
    sent(&mut world, bob, ann, "hello");
    sent(&mut world, ann, bob, "hello");
    world.run(2 * MINUTE);
    let link = world.invite(ann);
    world.run(MINUTE);
    let text = "once more".into();
    world.must(bob, Command::Greet { link, text });
    let listed = |world: &World| world.greeting(ann).is_some();
    assert!(world.run_until(5 * MINUTE, listed));
    let greeting = world.greeting(ann).unwrap().greeting;
    world.must(ann, Command::Block { greeting });
    sent(&mut world, bob, ann, "do you hear me?");
    world.run(5 * MINUTE);
    assert!(!world.heard(ann, bob).iter().any(|t| t == "do you hear me?"));
    let contact = world.id(bob);
    world.must(ann, Command::Unblock { contact });
    world.run(MINUTE);
    restart(&mut world, ann);
    world.run(MINUTE);
    let damaged =
        |e: &Event| matches!(e, Event::Trouble { problem } if problem.code == "store_damaged");
    assert!(!world.hosts[ann].events.iter().any(damaged));
}

/// A hint to a known relay with another certificate, as anybody may write it into an invitation.
#[test]
fn a_false_address_takes_no_relay_away() {
    let (mut world, relay, ann, bob) = two();
    world.kill(relay);
    world.run(MINUTE);
    let mut hint = Host::hint("relay");
    hint.certificate[0] ^= 1;
    let hint = hint.to_text();
    world.must(ann, Command::AddRelay { hint });
    world.run(MINUTE);
    world.start(relay);
    world.run(5 * MINUTE);
    restart(&mut world, ann);
    sent(&mut world, ann, bob, "still here");
    world.run(2 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["still here"]);
}

/// A relay that was known at a wrong address is found at the right one, and remembered there.
#[test]
fn a_relay_that_moved_is_found() {
    let mut world = World::new(1);
    world.add("nowhere", true);
    let relay = world.add("relay", true);
    let ann = world.person("Ann", "nowhere");
    let mut hint = Host::hint("relay");
    hint.certificate[0] ^= 1;
    for hint in [hint, Host::hint("relay")] {
        let hint = hint.to_text();
        world.must(ann, Command::AddRelay { hint });
        world.run(MINUTE);
    }
    world.kill(0);
    restart(&mut world, ann);
    world.run(5 * MINUTE);
    let open = |event: &Event| match event {
        Event::Relays { relays, .. } => Some(relays.iter().any(|r| r.state == RelayState::Open)),
        _ => None,
    };
    assert_eq!(
        world.hosts[ann].events.iter().rev().find_map(open),
        Some(true)
    );
    assert!(world.hosts[relay].is_up());
}

/// A liar hands out bodies under headers of its own making, before the honest relay does.
#[test]
fn a_changed_copy_hides_no_message() {
    let (mut world, ann, bob) = with_liar();
    world.lie = Some(|from, _, mut bytes| {
        if from != 0 || bytes[0] != 0x23 {
            return Some(bytes);
        }
        bytes[9 + 8] ^= 1;
        let mut header = Header::parse(bytes[9..81].try_into().unwrap()).unwrap();
        let paid = |n: &u64| {
            pow::is_paid(
                &Header {
                    nonce: *n,
                    ..header
                },
                WORK_DIVISOR,
            )
        };
        header.nonce = (0..).find(paid).unwrap();
        bytes[9..81].copy_from_slice(&header.encode());
        Some(bytes)
    });
    let mut wanted = Vec::new();
    for turn in 0..8 {
        wanted.push(format!("{turn}"));
        sent(&mut world, ann, bob, &format!("{turn}"));
        world.run(5_000);
    }
    world.run(3 * MINUTE);
    assert_eq!(world.heard(bob, ann), wanted);
}

/// A relay that cannot read its store for a while is asked again.
#[test]
fn what_a_relay_could_not_read_is_asked_for_again() {
    static BROKEN: AtomicBool = AtomicBool::new(true);
    let (mut world, _, ann, bob) = two();
    world.kill(bob);
    sent(&mut world, ann, bob, "while you were away");
    world.run(30 * MINUTE);
    world.lie = Some(|from, _, mut bytes| {
        if from != 0 || !BROKEN.load(Relaxed) {
            return Some(bytes);
        }
        match bytes[0] {
            0x23 => None,
            0x24 => {
                bytes[0] = 0x12;
                bytes.splice(5.., [12, 0, 0, 0, 0]);
                Some(bytes)
            }
            _ => Some(bytes),
        }
    });
    world.start(bob);
    world.run(MINUTE);
    assert!(world.heard(bob, ann).is_empty());
    BROKEN.store(false, Relaxed);
    world.run(MINUTE);
    assert_eq!(world.heard(bob, ann), ["while you were away"]);
}

/// The header of the envelope that was put last by another than a relay; and how often it is still
/// lost on its way from the relay to Bob.
static LAST_PUT: Mutex<Vec<u8>> = Mutex::new(Vec::new());
static LOSSES: AtomicU32 = AtomicU32::new(0);
static GETS: AtomicU32 = AtomicU32::new(0);
/// They are used by one test at a time.
static LOSING: Mutex<()> = Mutex::new(());

fn losing(from: At, to: At, bytes: Vec<u8>) -> Option<Vec<u8>> {
    const BOB: At = 2;
    let mut last = LAST_PUT.lock().unwrap();
    match bytes[0] {
        0x10 if from != 0 && from != BOB => *last = bytes[5..77].to_vec(),
        0x22 if from == BOB => drop(GETS.fetch_add(1, Relaxed)),
        0x23 if to == BOB && bytes[9..81] == last[..] => {
            let less = |left: u32| left.checked_sub(1);
            return LOSSES
                .fetch_update(Relaxed, Relaxed, less)
                .is_err()
                .then_some(bytes);
        }
        _ => {}
    }
    Some(bytes)
}

/// An answer that ends before all of it has come is asked for again, but not for ever.
#[test]
fn what_had_not_come_when_its_answer_ended_is_asked_for_again() {
    let _alone = LOSING.lock().unwrap();
    for (losses, heard) in [(1, true), (3, true), (u32::MAX, false)] {
        let (mut world, _, ann, bob) = two();
        world.kill(bob);
        world.lie = Some(losing);
        sent(&mut world, ann, bob, "while you were away");
        world.run(30 * MINUTE);
        LOSSES.store(losses, Relaxed);
        GETS.store(0, Relaxed);
        world.start(bob);
        world.run(20_000);
        assert_eq!(world.heard(bob, ann).len(), usize::from(heard), "{losses}");
        let gets = GETS.load(Relaxed);
        assert!(gets < 16, "{losses}: {gets}");
    }
}

/// Pushes may go back to the bucket before. Where the link breaks before one does, its bucket is
/// looked at again on the next.
#[test]
fn what_was_to_be_pushed_when_the_link_broke_is_scanned_for() {
    let _alone = LOSING.lock().unwrap();
    let (mut world, relay, ann, bob) = two();
    world.talk(ann, bob, "what the chain begins with");
    world.run(2 * MINUTE);
    world.lie = Some(losing);
    LOSSES.store(u32::MAX, Relaxed);
    sent(&mut world, ann, bob, "of the bucket before");
    // Buckets are ten minutes long.
    world.run(10 * MINUTE);
    LOSSES.store(0, Relaxed);
    sent(&mut world, ann, bob, "of this one");
    assert!(world.hears(bob, ann, "of this one", MINUTE));
    assert!(!world.hears(bob, ann, "of the bucket before", 0));
    world.set_cut(bob, relay, true);
    world.set_cut(bob, relay, false);
    assert!(world.hears(bob, ann, "of the bucket before", 20_000));
}

/// A bucket with too much in it to take whole: what hangs on a message found in it is found too.
#[test]
fn in_a_full_bucket_the_whole_chain_is_found() {
    let (mut world, _, ann, bob) = two();
    world.kill(bob);
    restart(&mut world, ann);
    let mut wanted = Vec::new();
    for turn in 0..60 {
        wanted.push(format!("{turn}"));
        sent(&mut world, ann, bob, &format!("{turn}"));
    }
    world.run(30 * MINUTE);
    // The relay says of every bucket that it holds 8 MiB.
    world.lie = Some(|from, _, mut bytes| {
        if from == 0 && bytes[0] == 0x21 {
            bytes[14..22].copy_from_slice(&(8u64 << 20).to_le_bytes());
        }
        Some(bytes)
    });
    world.start(bob);
    world.run(2 * MINUTE);
    assert_eq!(world.heard(bob, ann), wanted);
}

/// A relay tells a time a year off while it is the only one: what it held up goes on afterwards.
#[test]
fn a_relay_with_a_mad_clock_does_no_lasting_harm() {
    let mut world = World::new(1);
    let mad = world.add_with_clock("mad", true, 400 * 24 * HOUR as i64);
    world.add("relay", true);
    let ann = world.person("Ann", "relay");
    let bob = world.person("Bob", "relay");
    world.meet(ann, bob);
    for at in [ann, bob] {
        let hint = Host::hint("mad").to_text();
        world.must(at, Command::AddRelay { hint });
    }
    world.run(5 * MINUTE);
    sent(&mut world, ann, bob, "in mad times");
    world.run(10 * MINUTE);
    world.kill(mad);
    for at in [ann, bob] {
        restart(&mut world, at);
    }
    sent(&mut world, ann, bob, "afterwards");
    world.run(10 * MINUTE);
    assert_eq!(world.heard(bob, ann), ["in mad times", "afterwards"]);
    assert_eq!(world.delivered(ann, bob), 2);
}
