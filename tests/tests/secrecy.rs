//! What somebody reads who has recorded everything, and gets hold of a device or of the 18 words:
//! of a device nothing older than 96 hours, of the words no message at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use account::identity::AccountId;
use shared::crypto::Rng;
use std::collections::BTreeMap;
use tests::host::Host;
use tests::people::passcode;
use tests::thief::{Archive, How, Thief};
use tests::world::{At, BEGINNING_MS, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// What is erased goes when the day is over, or with what wakes the device next.
const NEXT_WAKE: u64 = 5 * MINUTE;

/// Ann and Bob, who use the same relays, have met, and stay open. Everything is recorded.
fn two(seed: u64, relays: usize) -> (World, Archive, At, At) {
    let mut world = World::new(seed);
    world.seen = Some(Vec::new());
    for n in 0..relays {
        world.add(&format!("relay {n}"), true);
    }
    let (ann, bob) = world.friends("relay 0", "relay 0");
    for (at, n) in [ann, bob]
        .into_iter()
        .flat_map(|at| (1..relays).map(move |n| (at, n)))
    {
        let hint = Host::hint(&format!("relay {n}")).to_text();
        world.must(at, Command::AddRelay { hint });
    }
    let mut archive = Archive::default();
    archive.record(&mut world);
    (world, archive, ann, bob)
}

fn account(world: &World, at: At) -> [u8; 32] {
    let id = AccountId::parse(&world.id(at)).unwrap();
    *id.key().as_bytes()
}

/// Who knows whose accounts these are, and the days from a bit before the beginning to today.
fn thief(world: &World, people: &[At]) -> Thief {
    let accounts: Vec<[u8; 32]> = people.iter().map(|at| account(world, *at)).collect();
    let day = |ms: u64| (ms / DAY) as u32;
    Thief::new(&accounts, day(BEGINNING_MS) - 1..day(world.now) + 2)
}

fn restart(world: &mut World, at: At) {
    world.kill(at);
    world.run(MINUTE);
    world.start(at);
    world.run(1_000);
    world.unlock(at);
}

/// What opens, with its age in ms.
fn ages(world: &World, archive: &Archive, opened: &BTreeMap<usize, How>) -> Vec<(u64, How)> {
    let age = |(at, how): (&usize, &How)| (world.now - archive.objects[*at].at_ms, *how);
    opened.iter().map(age).collect()
}

/// The age of the oldest object that opens, ms.
fn oldest(world: &World, archive: &Archive, thief: &Thief) -> u64 {
    let opened = thief.open_all(archive);
    let ages = ages(world, archive, &opened);
    let of = |wanted| ages.iter().filter(|(_, how)| *how == wanted).count();
    println!(
        "{:?} keys and sessions, {} of {} objects: {} by sessions, {} openers, {} on chains",
        thief.loot(),
        ages.len(),
        archive.objects.len(),
        of(How::Session),
        of(How::Opener),
        of(How::Chain)
    );
    ages.iter().map(|(age, _)| *age).max().unwrap_or(0)
}

/// Both write several times in a day, and are started anew now and then.
fn a_day(world: &mut World, rng: &mut Rng, (ann, bob): (At, At)) {
    for n in 0..4 {
        world.run(rng.below(5 * HOUR));
        for (from, to) in [(ann, bob), (bob, ann)] {
            world.say(from, to, &format!("{n} of {}", world.now));
            world.run(rng.below(MINUTE));
        }
        match rng.below(6) {
            0 => restart(world, ann),
            1 => restart(world, bob),
            _ => {}
        }
    }
}

/// Somebody takes all that a device has, again and again in ten days of writing: right after
/// midnight, when the oldest key has just gone, and at any other time.
#[test]
fn a_device_opens_nothing_older_than_96_hours() {
    let (mut world, mut archive, ann, bob) = two(1, 3);
    let mut rng = Rng::new([1; 32]);
    let (mut first, mut most) = (None, 0);
    for day in 0..10u64 {
        let midnight = world.now.div_ceil(DAY) * DAY;
        a_day(&mut world, &mut rng, (ann, bob));
        archive.record(&mut world);
        if day < 4 {
            continue;
        }
        let until = midnight.saturating_sub(world.now) + NEXT_WAKE;
        world.run(until + (day % 2) * rng.below(10 * HOUR));
        archive.record(&mut world);
        for at in [ann, bob] {
            let mut thief = thief(&world, &[ann, bob]);
            thief.take_device(&world, at);
            let oldest = oldest(&world, &archive, &thief);
            assert!(oldest < 96 * HOUR + NEXT_WAKE, "{} hours", oldest / HOUR);
            most = most.max(oldest);
            first.get_or_insert(thief);
        }
    }
    // It is not that nothing opens: a device has to read what is under way.
    assert!(most > 72 * HOUR, "only {} hours", most / HOUR);
    // And it is the erasing: with what the device had on the fourth day, what was sealed before
    // still opens.
    let kept = oldest(&world, &archive, &first.unwrap());
    assert!(kept > 7 * 24 * HOUR, "only {} hours", kept / HOUR);
}

/// With one relay, and nobody who writes, time is agreed on with nobody: then it may take half a
/// day longer.
#[test]
fn who_hears_of_nobody_erases_half_a_day_later() {
    let (mut world, mut archive, ann, bob) = two(2, 1);
    let mut rng = Rng::new([2; 32]);
    for _ in 0..2 {
        a_day(&mut world, &mut rng, (ann, bob));
    }
    world.kill(bob);
    archive.record(&mut world);
    let bound = 108 * HOUR + NEXT_WAKE;
    let mut most = 0;
    for _ in 0..20 {
        world.run(6 * HOUR);
        let mut thief = thief(&world, &[ann, bob]);
        thief.take_device(&world, ann);
        most = most.max(oldest(&world, &archive, &thief));
        assert!(most < bound, "{} hours", most / HOUR);
    }
    assert!(most > 72 * HOUR);
}

/// Objects that relays have for Ann, the first person of these worlds, do not reach her.
fn keeps_from_ann<const ANN: usize>(_: At, to: At, bytes: Vec<u8>) -> Option<Vec<u8>> {
    (to != ANN || bytes[0] != 0x23).then_some(bytes)
}

/// Ann's disk, in the hands of somebody who has a relay of their own, whose clock and whose
/// device's are set back to when something was sealed that she never got. Whether it is shown.
fn shown_at_that_time(after: u64) -> bool {
    let (mut world, mut archive, ann, bob) = two(3, 3);
    assert_eq!(ann, 3);
    world.run(HOUR);
    world.talk(ann, bob, "hello");
    world.lie = Some(keeps_from_ann::<3>);
    world.say(bob, ann, "never read");
    world.run(10 * MINUTE);
    world.kill(bob);
    let sealed = world.now;
    archive.record(&mut world);
    world.run(after);
    world.lie = None;
    world.kill(ann);
    (0..3).for_each(|relay| world.kill(relay));
    let copy = world.copy(ann);
    let back = sealed as i64 - world.now as i64;
    let evil = world.add_with_clock("evil", true, back);
    world.hosts[copy].skew = back;
    world.start(copy);
    world.run(1_000);
    world.unlock(copy);
    let hint = Host::hint("evil").to_text();
    world.must(copy, Command::AddRelay { hint });
    world.run(MINUTE);
    for (_, object) in archive.envelopes() {
        world.put(evil, &(object.header, object.body.clone()));
        world.run(1_000);
    }
    world.run(10 * MINUTE);
    world
        .heard(copy, bob)
        .iter()
        .any(|text| text == "never read")
}

/// The account's own program, with all it had, and with its clock set back, reads no more than
/// that: what it has erased it does not have.
#[test]
fn a_clock_that_is_set_back_opens_nothing_old() {
    assert!(
        shown_at_that_time(2 * DAY),
        "it is read as long as its keys are there"
    );
    assert!(!shown_at_that_time(5 * DAY));
}

fn words(world: &mut World, at: At) -> String {
    let passcode = passcode(&world.hosts[at].name);
    match world.must(at, Command::ShowWords { passcode }) {
        Some(Answer::Words { words }) => words.join(" "),
        other => panic!("no words: {other:?}"),
    }
}

/// Ann's account made again from its words, on a machine that has nothing else.
fn restore(world: &mut World, words: &str) -> At {
    let at = world.add("Ann again", false);
    world.run(100);
    let create = Command::Create {
        name: "?".into(),
        words: words.into(),
        passcode: passcode("Ann again"),
        restore: true,
        remember: true,
    };
    world.must(at, create);
    let hint = Host::hint("relay 0").to_text();
    world.must(at, Command::AddRelay { hint });
    world.stay_open(at);
    at
}

/// All that the words of an account lead to: its contacts, names and profile, the one thing that
/// they are for, and which returns there are. No message, greeting or return opens, neither by the
/// words of one nor by those of both; with the keys of one device, those do that it could read.
#[test]
fn the_words_alone_open_no_message() {
    let (mut world, mut archive, ann, bob) = two(4, 1);
    let cleo = world.person("Cleo", "relay 0");
    world.stay_open(cleo);
    world.meet(cleo, ann);
    let about = Some("likes ships".into());
    world.must(
        bob,
        Command::SetProfile {
            about,
            avatar: None,
        },
    );
    let mut rng = Rng::new([4; 32]);
    for _ in 0..2 {
        a_day(&mut world, &mut rng, (ann, bob));
        world.talk(cleo, ann, &format!("at {}", world.now));
        archive.record(&mut world);
    }
    let hers = words(&mut world, ann);
    world.kill(ann);
    let again = restore(&mut world, &hers);
    world.run(30 * MINUTE);
    for at in [bob, cleo] {
        let contact = world.id(again);
        world.must(at, Command::ConfirmReturn { contact });
        world.talk(again, at, "and on it goes");
    }
    a_day(&mut world, &mut rng, (again, bob));
    archive.record(&mut world);

    let mut thief = thief(&world, &[ann, bob, cleo]);
    let found = thief.take_words(&archive, &hers);
    let (own, mut names) = found.names();
    names.sort();
    assert_eq!((own.as_deref(), names.len()), (Some("Ann"), 2));
    assert_eq!(names, ["Bob", "Cleo"]);
    let has = |text: &[u8], what: &str| text.windows(what.len()).any(|w| w == what.as_bytes());
    assert!(found.texts.iter().any(|text| has(text, "likes ships")));
    assert_eq!(
        thief.returns_seen(&archive),
        2,
        "the tags, and what lies around them"
    );
    assert!(thief.loot().0 > 8 && archive.envelopes().count() > 60);
    assert_eq!(thief.open_all(&archive), BTreeMap::new());

    let his = words(&mut world, bob);
    thief.take_words(&archive, &his);
    assert_eq!(thief.open_all(&archive), BTreeMap::new());

    // It is the keys of the day that are missing.
    thief.take_device(&world, bob);
    let opened = thief.open_all(&archive);
    let of = |wanted| opened.values().filter(|how| **how == wanted).count();
    assert!(
        of(How::Return) == 1 && of(How::Opener) > 0 && of(How::Chain) > 0,
        "{opened:?}"
    );
}
