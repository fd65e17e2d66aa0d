//! Processes that die at any save, and disks that are copied.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Plays a conversation; `victim` is killed when its disk has finished that many saves, and started
/// again.
fn play(victim: usize, after: u64) -> (World, bool) {
    let (mut world, relay, ann, bob) = World::two(after);
    let victim = [relay, ann, bob][victim];
    world.meet(ann, bob);
    world.run(MINUTE);
    let until = world.hosts[victim].disk.saves + after;
    world.kill_at_save(victim, until);
    for turn in 0..4 {
        for (from, to) in [(ann, bob), (bob, ann)] {
            if world.hosts[from].is_up() {
                world.say(from, to, &format!("{turn} from {from}"));
            }
            world.run(1_500);
        }
    }
    world.hosts[victim].dies_at_save = None;
    let killed = !world.hosts[victim].is_up();
    if killed {
        world.run(MINUTE);
        world.start(victim);
    }
    world.run(HOUR);
    (world, killed)
}

/// What was acknowledged to a person (`Done`) is kept, shown once, and arrives.
#[test]
fn no_save_is_a_bad_moment_to_die() {
    for victim in 0..3 {
        let mut deaths = 0;
        for after in 1.. {
            let (mut world, killed) = play(victim, after);
            let (ann, bob) = (1, 2);
            for (from, to) in [(ann, bob), (bob, ann)] {
                let sent: Vec<String> = world.promised(from, to);
                let kept = world.history(to, from);
                let shown: Vec<&str> = kept
                    .iter()
                    .filter(|m| !m.mine)
                    .map(|m| m.text.as_str())
                    .collect();
                let at = format!("victim {victim}, save {after}");
                for text in &sent {
                    let times = shown.iter().filter(|t| *t == text).count();
                    assert_eq!(times, 1, "{text:?} was kept {times} times: {at}: {shown:?}");
                }
                let mut once = shown.clone();
                once.sort_unstable();
                once.dedup();
                assert_eq!(once.len(), shown.len(), "shown twice: {at}: {shown:?}");
            }
            if !killed {
                break;
            }
            deaths += 1;
        }
        assert!(
            deaths >= 8,
            "only {deaths} moments were tried for host {victim}"
        );
    }
}

/// One disk, started twice with the same randomness: both go on, and no nonce serves two texts.
#[test]
fn a_copied_disk_uses_no_nonce_twice() {
    for seed in 1..=4 {
        let (mut world, _, ann, bob) = World::two(seed);
        world.meet(ann, bob);
        world.say(bob, ann, "before");
        world.run(2 * MINUTE);
        world.kill(bob);
        let twin = world.copy(bob);
        world.seen = Some(Vec::new());
        let same = [9; 32];
        world.start_with(bob, same);
        world.start_with(twin, same);
        world.run(10_000);
        for turn in 0..3 {
            world.say(bob, ann, &format!("one {turn}"));
            world.say(twin, ann, &format!("two {turn}"));
            world.run(10_000);
        }
        world.run(10 * MINUTE);
        let mut heard = world.heard(ann, bob);
        heard.retain(|text| text.starts_with("one") || text.starts_with("two"));
        heard.sort();
        assert_eq!(
            heard,
            ["one 0", "one 1", "one 2", "two 0", "two 1", "two 2"],
            "seed {seed}"
        );
        no_nonce_twice(&world, &[bob, twin]);
    }
}

/// Every sealed thing starts with its nonce: envelopes put, and rows on the disks.
fn no_nonce_twice(world: &World, disks: &[At]) {
    let mut seen: BTreeMap<[u8; 12], Vec<u8>> = BTreeMap::new();
    let mut note = |sealed: &[u8]| {
        let nonce = *sealed.first_chunk::<12>().expect("a nonce");
        let before = seen.insert(nonce, sealed.to_vec());
        assert!(before.is_none_or(|b| b == sealed), "one nonce, two texts");
    };
    let mut envelopes = 0;
    for frame in world.seen.as_ref().expect("frames are kept") {
        // Put: type, request, header, body; an envelope's body begins with its nonce.
        if frame.bytes[0] == 0x10 && frame.bytes[5] & 0x0f == 0 {
            note(&frame.bytes[77..]);
            envelopes += 1;
        }
    }
    assert!(envelopes > 6, "only {envelopes} envelopes were put");
    for at in disks {
        for (table, value) in world.hosts[*at].disk.rows() {
            if table > 0 {
                note(&value);
            }
        }
    }
}
