//! Somebody who knows many loses everything but the 18 words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use data_encoding::BASE64;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const CONTACTS: usize = 150;
const PUT: u8 = 0x10;
/// A put of 4 KiB: all that a new device puts of that size are returns.
const RETURN_BYTES: usize = 5 + 72 + 4_096;
/// Work of one at the speed of a browser, and some time for its save and its way.
const EACH_MS: u64 = 100;

/// Nothing is asked one after the other that could be asked at once, and nothing is waited for that
/// contacts do not need: all of them are there within two seconds, and returns to them leave as
/// fast as their work is done.
#[test]
fn many_contacts_are_there_at_once() {
    let mut world = World::new(1);
    world.add("relay", true);
    let ada = world.person("Ada", "relay");
    world.stay_open(ada);
    world.meet_many(ada, "relay", CONTACTS);
    world.run(30 * MINUTE);
    let words = world.words(ada);
    world.kill(ada);
    world.seen = Some(Vec::new());
    let (ada, since) = world.restore(&words, "Ada again", "relay");
    let all = CONTACTS as u32;
    let found = Some((RecoveryState::Found, all, 0));
    assert!(world.run_until(MINUTE, |world| world.recovery(ada) == found));
    let found = world.now - since;
    world.run(CONTACTS as u64 * EACH_MS + 2_000);
    let seen = world.seen.take().unwrap();
    let is_return = |s: &&tests::world::Seen| {
        s.client == ada && s.to_relay && s.bytes[0] == PUT && s.bytes.len() == RETURN_BYTES
    };
    let returns = seen.iter().filter(is_return);
    let last = returns.clone().map(|s| s.at_ms).max().unwrap() - since;
    println!("found after {found} ms, the last return is put after {last} ms");
    assert!(found < 2_000, "{found} ms");
    assert_eq!(returns.count(), CONTACTS);
}

fn own_about(world: &World, at: At) -> String {
    let mut told = world.hosts[at].events.iter().rev();
    let about = told.find_map(|event| match event {
        Event::Profile { about, .. } => Some(about.clone()),
        _ => None,
    });
    about.unwrap_or_default()
}

/// Records of 8 KiB are withheld: here a profile with a picture is the only one.
fn withholds_profiles(_: At, _: At, bytes: Vec<u8>) -> Option<Vec<u8>> {
    const OBJECT: u8 = 0x23;
    let is_profile = bytes[0] == OBJECT && bytes.len() == 9 + 72 + 8_192;
    (!is_profile).then_some(bytes)
}

/// A profile that is found late holds up nobody, and is not forgotten: not by a restart either.
#[test]
fn what_was_shown_comes_back_beside_the_contacts() {
    let mut world = World::new(2);
    world.add("relay", true);
    let (ada, bob) = world.friends("relay", "relay");
    let mut picture = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    picture.extend_from_slice(&[0, 0, 1, 0, 0, 0, 1, 0, 8, 6, 0, 0, 0]);
    picture.resize(6_000, 7);
    let profile = Command::SetProfile {
        about: Some("likes ships".into()),
        avatar: Some(BASE64.encode(&picture)),
    };
    world.must(ada, profile);
    world.run(30 * MINUTE);
    let words = world.words(ada);
    world.kill(ada);
    // Bob is away and cannot answer: it is not over before he is back.
    world.kill(bob);
    world.lie = Some(withholds_profiles);
    let (ada, _) = world.restore(&words, "Ada again", "relay");
    let found = Some((RecoveryState::Found, 1, 0));
    assert!(world.run_until(3_000, |world| world.recovery(ada) == found));
    assert_eq!(own_about(&world, ada), "");
    world.kill(ada);
    world.lie = None;
    world.start(ada);
    world.run(1_000);
    world.unlock(ada);
    let there = |world: &World| own_about(world, ada) == "likes ships";
    assert!(world.run_until(MINUTE, there));
    world.start(bob);
    world.run(1_000);
    world.unlock(bob);
    let done = Some((RecoveryState::Done, 1, 1));
    assert!(world.run_until(10 * MINUTE, |world| world.recovery(ada) == done));
}
