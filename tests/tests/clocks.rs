//! A clock that jumps by a year, at whoever writes, at whoever reads, or at their relay, while they
//! are idle or in the middle of something, and that is set right again: nothing is lost in the end,
//! and nothing is erased too early.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::agreed_time::AgreedTime;
use account::api::*;
use account::epoch_keys::EpochKeys;
use tests::thief::dump;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const YEAR: i64 = 365 * DAY as i64;
/// Keys of the present epoch, and of so many before it, are there.
const EPOCHS_KEPT: u32 = 3;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Writer,
    Reader,
    Relay,
}

/// Ann and Bob, who have written to each other for so long that there are keys to be erased.
fn friends(seed: u64) -> (World, At, [At; 2]) {
    let mut world = World::new(seed);
    let relay = world.add("relay", true);
    let (ann, bob) = world.friends("relay", "relay");
    for day in 0..5 {
        world.talk(ann, bob, &format!("day {day}"));
        world.run(DAY);
    }
    world.talk(ann, bob, "and now");
    (world, relay, [ann, bob])
}

fn row(world: &World, at: At, key: u8) -> Vec<u8> {
    let rows = dump(world, at).into_iter();
    let mut found = rows.filter(|row| row.key == [key]);
    found.next().unwrap().value.to_vec()
}

/// What is agreed on is not ahead of what is so, and keys that may be needed are there.
fn nothing_is_erased_too_early(world: &World, at: At, case: &str) {
    let agreed = AgreedTime::decode(&row(world, at, 3)).unwrap().agreed();
    let ahead = agreed.saturating_sub(world.now) / HOUR;
    assert!(agreed > 0 && ahead == 0, "{case}: {ahead} hours ahead");
    let keys = EpochKeys::decode(&row(world, at, 2)).unwrap();
    let today = (world.now / DAY) as u32;
    for epoch in today - EPOCHS_KEPT..=today {
        assert!(
            keys.secrets(epoch).next().is_some(),
            "{case}: {epoch} of {today}"
        );
    }
}

/// Every text that was taken has come, once, and is shown as delivered.
fn all_is_there(world: &World, people: [At; 2], case: &str) {
    for (from, to) in [(people[0], people[1]), (people[1], people[0])] {
        let (mut promised, mut heard) = (world.promised(from, to), world.heard(to, from));
        heard.retain(|text| text != "may I?");
        promised.sort();
        heard.sort();
        assert_eq!(heard, promised, "{case}; {}", world.replay());
        assert!(world.delivered(from, to) >= promised.len(), "{case}");
    }
}

fn say(world: &mut World, people: [At; 2], what: &str) {
    let [ann, bob] = people;
    world.say(ann, bob, &format!("{what} of Ann"));
    world.say(bob, ann, &format!("{what} of Bob"));
}

/// The clock jumps, with something under way or not, and is right again hours later.
fn jumps(whose: Whose, by: i64, under_way: bool) {
    let case = format!("{whose:?} {} days, under way: {under_way}", by / DAY as i64);
    let (mut world, relay, people) = friends(1);
    let [ann, bob] = people;
    let victim = match whose {
        Whose::Writer => ann,
        Whose::Reader => bob,
        Whose::Relay => relay,
    };
    world.run(HOUR);
    if under_way {
        // Solved, saved, put, stored, or on its way.
        for n in 0..4 {
            world.say(ann, bob, &format!("{n} under way"));
            world.run(30 * (n + 1));
        }
    }
    world.hosts[victim].skew = by;
    if under_way {
        say(&mut world, people, "right after");
    }
    for hours in [1, 5] {
        world.run(hours * HOUR);
        say(&mut world, people, &format!("{hours} hours later"));
    }
    world.run(HOUR);
    for at in people {
        nothing_is_erased_too_early(&world, at, &case);
    }
    if under_way {
        say(&mut world, people, "right before");
    }
    world.hosts[victim].skew = 0;
    world.run(MINUTE);
    say(&mut world, people, "set right");
    world.run(6 * HOUR);
    // It is not that only new sessions help: both still have what they had.
    for at in people {
        nothing_is_erased_too_early(&world, at, &case);
    }
    world.run(2 * DAY);
    for at in people {
        nothing_is_erased_too_early(&world, at, &case);
    }
    world.talk(ann, bob, "and on");
    world.run(10 * MINUTE);
    all_is_there(&world, people, &case);
    for at in people {
        let damaged =
            |e: &Event| matches!(e, Event::Trouble { problem } if problem.code == "store_damaged");
        assert!(!world.hosts[at].events.iter().any(damaged), "{case}");
    }
}

#[test]
fn a_writer_whose_clock_jumps() {
    for (by, under_way) in [(YEAR, false), (YEAR, true), (-YEAR, false), (-YEAR, true)] {
        jumps(Whose::Writer, by, under_way);
    }
}

#[test]
fn a_reader_whose_clock_jumps() {
    for (by, under_way) in [(YEAR, false), (YEAR, true), (-YEAR, false), (-YEAR, true)] {
        jumps(Whose::Reader, by, under_way);
    }
}

#[test]
fn a_relay_whose_clock_jumps() {
    for (by, under_way) in [(YEAR, false), (YEAR, true), (-YEAR, false), (-YEAR, true)] {
        jumps(Whose::Relay, by, under_way);
    }
}
