//! Somebody who knows many loses everything but the 18 words.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::RecoveryState;
use tests::world::World;

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
