//! Records never go back: whatever two relays show, old versions, nothing, or forged ones, and
//! whoever was away meanwhile, nobody is shown what is older than what they know.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use shared::crypto::Rng;
use std::cell::RefCell;
use std::collections::BTreeMap;
use tests::disk::Disk;
use tests::host::Host;
use tests::thief::dump;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
const OBJECT: u8 = 0x23;
/// Type, request, bucket.
const FRONT: usize = 9;
const HEADER: usize = 72;
/// The kind of a record, in the first byte of a header.
const RECORD: u8 = 2;
const STEPS: usize = 60;

/// What a relay shows where it has a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    #[default]
    What,
    /// The first version of it that it ever had.
    First,
    Nothing,
    /// With a byte of its text changed, or its version raised.
    Forged,
}

/// What the relays of this test's thread are up to.
#[derive(Default)]
struct Liars {
    shows: [Shows; 2],
    first: BTreeMap<Vec<u8>, Vec<u8>>,
    told: BTreeMap<Shows, usize>,
}

thread_local!(static LIARS: RefCell<Liars> = RefCell::default());

/// Relays are the first two hosts.
fn lie(from: At, _: At, bytes: Vec<u8>) -> Option<Vec<u8>> {
    let is_record = from < 2
        && bytes[0] == OBJECT
        && bytes.get(FRONT).is_some_and(|kind| kind & 0x0f == RECORD);
    if !is_record {
        return Some(bytes);
    }
    LIARS.with_borrow_mut(|liars| {
        let tag = bytes[FRONT + 16..FRONT + 32].to_vec();
        let object = bytes[FRONT..].to_vec();
        let first = liars.first.entry(tag).or_insert(object).clone();
        let shows = liars.shows[from];
        *liars.told.entry(shows).or_default() += 1;
        let mut bytes = bytes;
        match shows {
            Shows::What => {}
            Shows::First => bytes.splice(FRONT.., first).for_each(drop),
            Shows::Nothing => return None,
            Shows::Forged => {
                let at = if bytes[FRONT + 32] & 1 == 0 { 34 } else { 300 };
                bytes[FRONT + HEADER + at] ^= 0x10;
            }
        }
        Some(bytes)
    })
}

/// Numbers of the versions of a profile, in the order in which they were shown to somebody.
fn versions(world: &World, at: At, of: At) -> Vec<u64> {
    let id = world.id(of);
    let events = world.hosts[at].events.iter();
    let about = events.filter_map(|event| match event {
        Event::Contact { contact } if contact.contact == id => Some(&contact.about),
        Event::Profile { account, about, .. } if *account == id && at == of => Some(about),
        _ => None,
    });
    about.map(|text| text.parse().unwrap_or(0)).collect()
}

fn only_forward(world: &World, at: At, of: At) {
    let seen = versions(world, at, of);
    let name = &world.hosts[at].name;
    assert!(seen.is_sorted(), "{name}: {seen:?}; {}", world.replay());
}

/// Contacts' public keys as they are stored: their generation, and the last day that has one.
fn keys(world: &World, at: At) -> Vec<(u32, u32)> {
    let mut found = Vec::new();
    for row in dump(world, at).into_iter().filter(|row| row.key[0] == 5) {
        for at in 0..row.value.len() {
            let long = match row.value[at..] {
                [0x59, high, low, ..] => usize::from(u16::from_be_bytes([high, low])),
                _ => continue,
            };
            let bytes = row.value.get(at + 3..at + 3 + long).unwrap_or_default();
            if let Ok(keys) = account::epoch_keys::ContactKeys::decode(bytes) {
                found.push((keys.generation(), keys.last_epoch().unwrap_or(0)));
            }
        }
    }
    found
}

struct Play {
    world: World,
    ann: At,
    readers: [At; 2],
    version: u64,
    disks: [Vec<Disk>; 2],
    known: BTreeMap<At, Vec<(u32, u32)>>,
}

impl Play {
    fn new(seed: u64) -> Play {
        let mut world = World::new(seed);
        world.add("relay", true);
        world.add("other", true);
        let people: Vec<At> = ["Ann", "Bob", "Cid"]
            .into_iter()
            .map(|name| {
                let at = world.person(name, "relay");
                let hint = Host::hint("other").to_text();
                world.must(at, Command::AddRelay { hint });
                world.stay_open(at);
                at
            })
            .collect();
        let [ann, bob, cid] = people[..] else {
            panic!("three people");
        };
        world.meet(ann, bob);
        world.meet(ann, cid);
        world.lie = Some(lie);
        Play {
            world,
            ann,
            readers: [bob, cid],
            version: 0,
            disks: Default::default(),
            known: BTreeMap::new(),
        }
    }

    fn set(&mut self, at: At, up: bool) {
        match (self.world.hosts[at].is_up(), up) {
            (true, false) => self.world.kill(at),
            (false, true) => {
                self.world.start(at);
                self.world.run(1_000);
                self.world.unlock(at);
            }
            _ => {}
        }
    }

    fn write(&mut self) {
        self.version += 1;
        let about = Some(self.version.to_string());
        let avatar = None;
        let command = Command::SetProfile { about, avatar };
        self.world.must(self.ann, command);
    }

    /// Something happens.
    fn step(&mut self, rng: &mut Rng) {
        let relay = rng.below(2) as usize;
        let reader = self.readers[rng.below(2) as usize];
        match rng.below(8) {
            0 | 1 if self.world.hosts[self.ann].is_up() => self.write(),
            2 => self.disks[relay].push(self.world.hosts[relay].disk.clone()),
            3 if !self.disks[relay].is_empty() => {
                // Set back to an earlier state.
                let of = rng.below(self.disks[relay].len() as u64) as usize;
                self.world.kill(relay);
                self.world.hosts[relay].disk = self.disks[relay][of].clone();
                self.world.start(relay);
            }
            4 | 5 => {
                let all = [Shows::What, Shows::First, Shows::Nothing, Shows::Forged];
                let shows = all[rng.below(4) as usize];
                LIARS.with_borrow_mut(|liars| liars.shows[relay] = shows);
            }
            6 => {
                let up = self.world.hosts[reader].is_up();
                self.set(reader, !up);
            }
            _ => {
                self.set(self.ann, false);
                self.world.run(rng.below(6 * HOUR));
                self.set(self.ann, true);
            }
        }
        self.world.run(rng.below(8 * HOUR));
    }

    fn check(&mut self) {
        only_forward(&self.world, self.ann, self.ann);
        for at in self.readers {
            only_forward(&self.world, at, self.ann);
            let now = keys(&self.world, at);
            assert_eq!(now.len(), 1);
            let before = self.known.insert(at, now.clone()).unwrap_or_default();
            for (before, now) in before.iter().zip(&now) {
                assert!(
                    now >= before,
                    "{now:?} after {before:?}; {}",
                    self.world.replay()
                );
            }
        }
    }
}

fn play(seed: u64) {
    LIARS.set(Liars::default());
    let mut play = Play::new(seed);
    let mut rng = Rng::new([seed as u8; 32]);
    for _ in 0..STEPS {
        play.step(&mut rng);
        play.check();
    }
    // In the end both are honest, with whatever they have by then: what is newest is there.
    LIARS.with_borrow_mut(|liars| liars.shows = Default::default());
    for at in [play.ann, play.readers[0], play.readers[1]] {
        play.set(at, true);
    }
    play.write();
    play.world.run(DAY);
    play.check();
    for at in play.readers {
        let last = versions(&play.world, at, play.ann).pop();
        assert_eq!(last, Some(play.version), "{}", play.world.replay());
        play.world.talk(play.ann, at, "and so on");
    }
    LIARS.with_borrow(|liars| {
        println!("seed {seed}: {} versions, {:?}", play.version, liars.told);
        for shows in [Shows::First, Shows::Nothing, Shows::Forged] {
            assert!(liars.told.get(&shows).is_some_and(|n| *n >= 5), "{shows:?}");
        }
    });
}

#[test]
fn nothing_goes_back() {
    for seed in 1..=4 {
        play(seed);
    }
}
