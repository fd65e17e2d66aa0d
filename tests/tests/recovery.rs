//! The 18 words on an empty machine: contacts, names and profile come back out of the network, and
//! conversations go on with contacts who did nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use tests::host::Host;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Ada and some people whom she has met, and who have written to each other. Her state is in the
/// network.
fn met(seed: u64, names: &[&str]) -> (World, At, Vec<At>) {
    let mut world = World::new(seed);
    world.add("relay", true);
    let ada = world.person("Ada", "relay");
    world.stay_open(ada);
    let others: Vec<At> = names
        .iter()
        .map(|name| {
            let other = world.person(name, "relay");
            world.stay_open(other);
            world.meet(ada, other);
            other
        })
        .collect();
    for other in &others {
        world.talk(ada, *other, "hello");
    }
    world.run(30 * MINUTE);
    (world, ada, others)
}

fn words(world: &mut World, at: At) -> String {
    let passcode = passcode(&world.hosts[at].name);
    match world.ask_now(at, Command::ShowWords { passcode }) {
        Ok(Some(Answer::Words { words })) => words.join(" "),
        other => panic!("no words: {other:?}"),
    }
}

/// The account of these words on a machine that has nothing else.
fn restore(world: &mut World, words: String, name: &str) -> At {
    let at = world.add(name, false);
    world.run(100);
    let create = Command::Create {
        name: name.into(),
        words,
        passcode: passcode(name),
        restore: true,
        remember: true,
    };
    world.must(at, create);
    let hint = Host::hint("relay").to_text();
    world.must(at, Command::AddRelay { hint });
    world.stay_open(at);
    at
}

/// How far it is, as last told.
fn recovery(world: &World, at: At) -> Option<(RecoveryState, u32, u32)> {
    let mut told = world.hosts[at].events.iter().rev();
    told.find_map(|event| match event {
        Event::Recovery {
            state,
            contacts,
            back,
        } => Some((*state, *contacts, *back)),
        _ => None,
    })
}

fn own_name(world: &World, at: At) -> String {
    let mut told = world.hosts[at].events.iter().rev();
    let name = told.find_map(|event| match event {
        Event::Profile { name, .. } => Some(name.clone()),
        _ => None,
    });
    name.unwrap_or_default()
}

fn name_of(world: &World, at: At, other: At) -> String {
    let id = world.id(other);
    let mut told = world.hosts[at].events.iter().rev();
    let name = told.find_map(|event| match event {
        Event::Contact { contact } if contact.contact == id => Some(contact.name.clone()),
        _ => None,
    });
    name.unwrap_or_default()
}

/// The machine is gone, with all that was on it.
fn lose(world: &mut World, at: At) {
    world.kill(at);
}

#[test]
fn contacts_come_back_and_conversations_go_on() {
    let (mut world, ada, others) = met(1, &["Bob", "Cleo", "Dan"]);
    let words = words(&mut world, ada);
    lose(&mut world, ada);
    // Written while nobody was there.
    for other in &others {
        world.say(*other, ada, "are you there?");
    }
    world.run(HOUR);
    let ada2 = restore(&mut world, words, "Ada again");
    let done = |world: &World| matches!(recovery(world, ada2), Some((RecoveryState::Done, 3, 3)));
    let over = world.run_until(30 * MINUTE, done);
    assert!(over, "{:?}; {}", recovery(&world, ada2), world.replay());
    assert_eq!(own_name(&world, ada2), "Ada");
    for (other, name) in others.iter().zip(["Bob", "Cleo", "Dan"]) {
        assert_eq!(name_of(&world, ada2, *other), name);
        // She was heard from lately, so what they write waits until they say that it is her.
        let contact = world.id(ada2);
        world.must(*other, Command::ConfirmReturn { contact });
        // What was under way to keys that are lost is sealed anew.
        assert!(
            world.hears(ada2, *other, "are you there?", 10 * MINUTE),
            "{name}"
        );
        world.talk(ada2, *other, "and on it goes");
        let told = world.history(*other, ada2);
        let told = told.iter().filter(|m| m.notice == Some(Notice::CameBack));
        assert_eq!(told.count(), 1, "{name}");
    }
}

#[test]
fn nothing_found_is_told_and_looked_for_again() {
    let (mut world, ada, others) = met(2, &["Bob"]);
    let words = words(&mut world, ada);
    lose(&mut world, ada);
    // The relay withholds records.
    const OBJECT: u8 = 0x23;
    world.lie = Some(|_, _, bytes| (bytes[0] != OBJECT).then_some(bytes));
    let ada2 = restore(&mut world, words, "Ada again");
    let nothing =
        |world: &World| matches!(recovery(world, ada2), Some((RecoveryState::Nothing, 0, 0)));
    assert!(
        world.run_until(5 * MINUTE, nothing),
        "{:?}",
        recovery(&world, ada2)
    );
    world.run(DAY);
    world.lie = None;
    world.must(ada2, Command::LookAgain);
    let done = |world: &World| matches!(recovery(world, ada2), Some((RecoveryState::Done, 1, 1)));
    let over = world.run_until(30 * MINUTE, done);
    assert!(over, "{:?}; {}", recovery(&world, ada2), world.replay());
    let contact = world.id(ada2);
    world.must(others[0], Command::ConfirmReturn { contact });
    world.talk(ada2, others[0], "found after all");
}

/// Ada's lost phone is found by somebody; or it was never lost, and somebody has her words.
#[test]
fn a_device_of_before_is_told_and_may_take_the_account_back() {
    let (mut world, ada, others) = met(3, &["Bob"]);
    let bob = others[0];
    let words = words(&mut world, ada);
    let thief = restore(&mut world, words, "Mallory");
    let done = |world: &World| matches!(recovery(world, thief), Some((RecoveryState::Done, 1, 1)));
    assert!(
        world.run_until(30 * MINUTE, done),
        "{:?}",
        recovery(&world, thief)
    );
    // Bob is told, and what he writes waits: the device of before lives.
    world.say(bob, ada, "is it you?");
    assert!(!world.hears(thief, bob, "is it you?", HOUR));
    let told = |world: &World| trouble(world, ada, "recovered_elsewhere");
    assert!(world.run_until(30 * HOUR, told), "{}", world.replay());
    let contact = world.id(bob);
    let text = "hello".to_string();
    let send = Command::Send { contact, text };
    assert_eq!(world.ask_now(ada, send).unwrap_err().code, "superseded");
    // It was not her.
    world.must(ada, Command::TakeBack);
    world.run(10 * MINUTE);
    let contact = world.id(ada);
    world.must(bob, Command::ConfirmReturn { contact });
    assert!(
        world.hears(ada, bob, "is it you?", 10 * MINUTE),
        "{}",
        world.replay()
    );
    world.talk(ada, bob, "it was not");
    assert_eq!(
        world
            .history(bob, ada)
            .iter()
            .filter(|m| m.notice == Some(Notice::CameBack))
            .count(),
        2
    );
    let told = |world: &World| trouble(world, thief, "recovered_elsewhere");
    assert!(world.run_until(30 * HOUR, told), "{}", world.replay());
    let heard = world.heard(thief, bob);
    assert!(
        !heard
            .iter()
            .any(|text| text.starts_with("is it you") || text.starts_with("it was"))
    );
}

/// Whether something is told that is not over.
fn trouble(world: &World, at: At, code: &str) -> bool {
    let mut told = world.hosts[at].events.iter().rev();
    let last = told.find_map(|event| match event {
        Event::Trouble { problem } if problem.code == code => Some(true),
        Event::TroubleOver { code: over } if over == code => Some(false),
        _ => None,
    });
    last.unwrap_or(false)
}

/// Weeks later, in another period; removed and blocked contacts stay so.
#[test]
fn what_was_removed_stays_away_and_what_is_old_is_there() {
    let (mut world, ada, others) = met(4, &["Bob", "Cleo", "Dan"]);
    let contact = world.id(others[1]);
    world.must(
        ada,
        Command::RemoveContact {
            contact,
            block: false,
        },
    );
    let contact = world.id(others[2]);
    world.must(
        ada,
        Command::RemoveContact {
            contact,
            block: true,
        },
    );
    let words = words(&mut world, ada);
    world.run(40 * DAY);
    lose(&mut world, ada);
    world.run(3 * DAY);
    let ada2 = restore(&mut world, words, "Ada again");
    let done = |world: &World| matches!(recovery(world, ada2), Some((RecoveryState::Done, 1, 1)));
    let over = world.run_until(30 * MINUTE, done);
    assert!(over, "{:?}; {}", recovery(&world, ada2), world.replay());
    // Nobody was heard from for weeks: nothing waits.
    world.talk(ada2, others[0], "after forty days");
    let states = [&others[1], &others[2]].map(|at| state_of(&world, ada2, *at));
    assert_eq!(states, [None, Some(ContactState::Blocked)]);
}

fn state_of(world: &World, at: At, other: At) -> Option<ContactState> {
    let id = world.id(other);
    let mut told = world.hosts[at].events.iter().rev();
    told.find_map(|event| match event {
        Event::Contact { contact } if contact.contact == id => Some(contact.state),
        _ => None,
    })
}
