//! Everybody loses everything but the 18 words, each at some moment, in a network that loses much:
//! contacts come back, and conversations go on both ways.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use shared::crypto::Rng;
use tests::faults::Faults;
use tests::host::Host;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const PEOPLE: usize = 5;
/// Texts that were said meanwhile may be in what was wiped.
const SAID_MS: u64 = 3 * HOUR;

/// Somebody, by whichever device is theirs now.
struct Person {
    at: At,
    words: String,
    wiped: bool,
}

/// Links break at one frame in 300, objects come twice and overtake each other.
fn lossy() -> Faults {
    Faults {
        delay_ms: (5, 400),
        breaks_one_in: 300,
        doubles_one_in: 20,
        overtakes_one_in: 20,
        ..Faults::default()
    }
}

/// People who all know each other and two relays, and have written to each other.
fn everybody(seed: u64) -> (World, Vec<Person>) {
    let mut world = World::new(seed);
    world.add("relay", true);
    world.add("other", true);
    let all: Vec<At> = (0..PEOPLE)
        .map(|n| {
            let at = world.person(&format!("P{n}"), "relay");
            let hint = Host::hint("other").to_text();
            world.must(at, Command::AddRelay { hint });
            world.stay_open(at);
            at
        })
        .collect();
    for (n, at) in all.iter().enumerate() {
        for other in &all[..n] {
            world.meet(*other, *at);
            world.talk(*other, *at, "hello");
        }
    }
    world.run(30 * MINUTE);
    let words: Vec<String> = all.iter().map(|at| world.words(*at)).collect();
    let person = |(at, words)| Person {
        at,
        words,
        wiped: false,
    };
    (world, all.into_iter().zip(words).map(person).collect())
}

/// The device is gone with all that was on it; hours later the words are typed in on another one.
fn wipe(world: &mut World, person: &mut Person, away: u64) {
    world.kill(person.at);
    world.run(away);
    let name = format!("{} again", world.hosts[person.at].name);
    let (at, _) = world.restore(&person.words, &name, "relay");
    let hint = Host::hint("other").to_text();
    world.must(at, Command::AddRelay { hint });
    (person.at, person.wiped) = (at, true);
}

/// Whoever is asked whether it is them says yes.
fn confirm_all(world: &mut World, people: &[Person]) {
    for person in people {
        for other in people {
            let contact = world.id(other.at);
            if world.id(person.at) != contact {
                // Mostly there is nothing to be confirmed.
                let _ = world.ask_now(person.at, Command::ConfirmReturn { contact });
            }
        }
    }
}

fn say_all(world: &mut World, people: &[Person], what: &str) {
    for from in people {
        for to in people.iter().filter(|to| to.at != from.at) {
            if world.hosts[from.at].is_up() {
                world.say(
                    from.at,
                    to.at,
                    &format!("{what} to {}", world.hosts[to.at].name),
                );
            }
        }
    }
}

/// Pairs in which something was not heard in time.
fn unheard(world: &mut World, people: &[Person], what: &str, ms: u64) -> Vec<(String, String)> {
    say_all(world, people, what);
    let pairs: Vec<(At, At)> = people
        .iter()
        .flat_map(|from| people.iter().map(move |to| (from.at, to.at)))
        .filter(|(from, to)| from != to)
        .collect();
    let heard = |world: &World, from: At, to: At| {
        let text = format!("{what} to {}", world.hosts[to].name);
        world.heard(to, from).contains(&text)
    };
    let until = world.now + ms;
    while world.now < until && !pairs.iter().all(|(from, to)| heard(world, *from, *to)) {
        world.run(MINUTE);
    }
    let name = |world: &World, at: At| world.hosts[at].name.clone();
    let missing = pairs.iter().filter(|(from, to)| !heard(world, *from, *to));
    missing
        .map(|(from, to)| (name(world, *from), name(world, *to)))
        .collect()
}

fn all_are_wiped(seed: u64) {
    let (mut world, mut people) = everybody(seed);
    world.faults = lossy();
    let mut rng = Rng::new([seed as u8; 32]);
    // Two in one moment, then the others, each while some of before may not be back yet.
    let mut order: Vec<usize> = (0..PEOPLE).collect();
    order.sort_by_key(|_| rng.u64());
    for (n, at) in order.into_iter().enumerate() {
        say_all(&mut world, &people, &format!("before {n}"));
        world.run(rng.below(if n == 1 { 20_000 } else { 12 * HOUR }));
        wipe(&mut world, &mut people[at], rng.below(2 * HOUR));
        world.run(rng.below(SAID_MS));
        if rng.below(2) == 0 {
            confirm_all(&mut world, &people);
        }
    }
    assert!(people.iter().all(|p| p.wiped));
    world.run(DAY);
    confirm_all(&mut world, &people);
    for person in &people {
        for other in people.iter().filter(|other| other.at != person.at) {
            let knows = world.knows(person.at, other.at);
            assert!(knows, "{} {}; {}", person.at, other.at, world.replay());
        }
    }
    for what in ["at last", "and on", "and on again"] {
        let missing = unheard(&mut world, &people, what, 6 * HOUR);
        assert!(
            missing.is_empty(),
            "{what}: {missing:?}; {}",
            world.replay()
        );
        world.run(2 * DAY);
    }
}

#[test]
fn everybody_is_wiped_and_comes_back() {
    all_are_wiped(1);
}

#[test]
fn in_another_order() {
    all_are_wiped(2);
}

#[test]
fn and_in_another_one() {
    all_are_wiped(3);
}
