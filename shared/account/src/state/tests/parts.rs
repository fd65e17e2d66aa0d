//! The set in the texts of records: divided, found again, written by several at once.

use super::*;
use crate::state::parts::*;
use alloc::collections::BTreeMap;
use alloc::vec;

/// What relays have: of each part the text of the highest version.
#[derive(Clone, Default)]
struct Shelf(BTreeMap<u8, Vec<u8>>);

impl Shelf {
    fn put(&mut self, part: u8, written: &Written) {
        self.0.insert(part, written.text.to_vec());
    }

    /// Everything that is there, by a reader who knows of nothing.
    fn whole(&self) -> Set {
        let (mut parts, mut set) = (Parts::new(), Set::new());
        for (part, text) in &self.0 {
            parts.found(*part, text, &mut set, at(NOW)).unwrap();
        }
        set
    }
}

struct Device {
    set: Set,
    parts: Parts,
    slot: u8,
}

impl Device {
    fn new(slot: u8) -> Device {
        Device {
            set: Set::new(),
            parts: Parts::new(),
            slot,
        }
    }

    fn name(&mut self, n: u16, name: &str) {
        let [a, b] = n.to_be_bytes();
        let mut who = [a; 32];
        who[0] = b;
        let key = Key::Contact(who, ContactField::Name);
        let value = values::name(name).unwrap();
        self.set.write(key, value, at(NOW), self.slot).unwrap();
    }

    /// Part 0 first, then as many as there are.
    fn read(&mut self, shelf: &Shelf) {
        let mut part = 0;
        while part < self.parts.count() {
            match shelf.0.get(&part) {
                Some(text) => {
                    let (set, parts) = (&mut self.set, &mut self.parts);
                    parts.found(part, text, set, at(NOW)).unwrap();
                }
                None => self.parts.missing(part),
            }
            part += 1;
        }
    }

    fn write(&mut self, part: u8, shelf: &mut Shelf) {
        let written = self.parts.write(part, &mut self.set, at(NOW)).unwrap();
        shelf.put(part, &written);
        self.parts.stored(part, written.version);
    }

    fn write_all(&mut self, shelf: &mut Shelf) -> usize {
        let mut count = 0;
        while let Some(part) = self.parts.due(&self.set).first().copied() {
            self.write(part, shelf);
            count += 1;
        }
        count
    }
}

/// Every entry of `set` is in `other`, or one that beats it.
fn is_in(set: &Set, other: &Set) -> bool {
    set.iter().all(|entry| {
        let there = other.entry(&entry.key);
        there.is_some_and(|there| there == entry || there.beats(entry))
    })
}

#[test]
fn what_was_written_is_found_again() {
    let (mut device, mut shelf) = (Device::new(0), Shelf::default());
    assert_eq!(device.parts.due(&device.set), [0], "an empty one too");
    for n in 0..20 {
        add_contact(&mut device.set, [n; 32], "Ann", at(NOW));
    }
    device.set.delete(&name_of(3), at(NOW), 0).unwrap();
    assert_eq!(device.write_all(&mut shelf), 1);
    assert!(device.parts.due(&device.set).is_empty());
    assert_eq!(all(&shelf.whole()), all(&device.set));

    // One change, one more version; the text names the one before it.
    device.set.delete(&name_of(4), at(NOW), 0).unwrap();
    let before = shared::crypto::sha256(&[&shelf.0[&0]]);
    assert_eq!(device.write_all(&mut shelf), 1);
    let text = &shelf.0[&0];
    assert_eq!(text[..4], [0xa4, 0, 2, 1]);
    assert!(text.ends_with(&before));

    // What lies there is known to lie there, by others too and over a restart.
    let mut other = Device::new(1);
    other.read(&shelf);
    assert!(other.parts.due(&other.set).is_empty());
    let parts = Parts::decode(&device.parts.encode()).unwrap();
    device.parts = parts;
    assert!(device.parts.due(&device.set).is_empty());
    // Relays have lost it.
    device.parts.missing(0);
    assert_eq!(device.parts.due(&device.set), [0]);
}

#[test]
fn what_is_under_way_is_not_due_until_it_is_given_up() {
    let (mut device, mut shelf) = (Device::new(0), Shelf::default());
    let written = device.parts.write(0, &mut device.set, at(NOW)).unwrap();
    assert!(device.parts.due(&device.set).is_empty());
    device.name(1, "Ann");
    assert_eq!(device.parts.due(&device.set), [0], "changed meanwhile");
    device.set = Set::new();
    device.parts.given_up(0);
    assert_eq!(device.parts.due(&device.set), [0]);
    device.parts.stored(0, written.version);
    assert_eq!(device.parts.due(&device.set), [0], "it was given up");
    device.write_all(&mut shelf);
    assert_eq!(device.parts.due(&device.set), [0; 0]);
}

/// As a set grows its parts double. Whatever moment it is interrupted at, relays lack nothing that
/// they had before.
#[test]
fn doubling_loses_nothing_at_any_moment() {
    let (mut device, mut shelf) = (Device::new(0), Shelf::default());
    let mut counts = vec![];
    for n in 0..1_500u16 {
        device.name(n, &"x".repeat(60));
        if n % 100 != 99 {
            continue;
        }
        let before = shelf.whole();
        loop {
            let due = device.parts.due(&device.set);
            let Some(&part) = due.first() else { break };
            // Any of those that are due may come first.
            let part = match n % 200 > 100 {
                true => part,
                false => due[due.len() / 2],
            };
            device.write(part, &mut shelf);
            assert!(is_in(&before, &shelf.whole()), "{n}: part {part}");
        }
        counts.push(device.parts.count());
        assert_eq!(all(&shelf.whole()), all(&device.set));
        let mut other = Device::new(1);
        other.read(&shelf);
        assert_eq!(all(&other.set), all(&device.set));
        assert_eq!(other.parts.count(), device.parts.count());
        assert!(other.parts.due(&other.set).is_empty());
    }
    assert_eq!(counts[0], 1);
    assert!(counts.is_sorted() && counts.ends_with(&[16]), "{counts:?}");
    assert!(shelf.0.values().all(|text| text.len() <= PART_BYTES_MAX));

    // It does not halve.
    let keys: Vec<Key> = device.set.iter().map(|entry| entry.key.clone()).collect();
    for key in &keys[1..] {
        device.set.delete(key, at(NOW), 0).unwrap();
    }
    device.write_all(&mut shelf);
    assert_eq!(device.parts.count(), 16);
}

/// Parts written under different numbers, by a device that was interrupted and one that knew of
/// less: all is found, and in the end all is written under one number.
#[test]
fn a_mixture_of_numbers_loses_nothing() {
    let mut shelf = Shelf::default();
    let mut old = Device::new(1);
    for n in 0..100 {
        old.name(n, "an old name");
    }
    old.write_all(&mut shelf);
    let mut device = Device::new(0);
    device.read(&shelf);
    for n in 0..600 {
        device.name(n, &"y".repeat(64));
    }
    let due = device.parts.due(&device.set);
    assert!(device.parts.count() >= 4);
    assert!(!due.contains(&0), "it holds what others take over");
    device.write(due[0], &mut shelf);
    device.write(due[1], &mut shelf);
    // The other one writes part 0 meanwhile, as the only one.
    old.name(2_000, "new meanwhile");
    assert_eq!(old.write_all(&mut shelf), 1);
    device.read(&shelf);
    device.write_all(&mut shelf);
    old.read(&shelf);
    assert_eq!(all(&shelf.whole()), all(&device.set));
    assert_eq!(all(&old.set), all(&device.set));
    assert!(old.parts.due(&old.set).is_empty());
}

/// Devices that read, merge and write without knowing of each other: who comes later overwrites,
/// and who looks again writes what is missing.
#[test]
fn two_at_once_come_to_the_same() {
    for seed in 0..20 {
        let mut rng = Rng::new([seed; 32]);
        let mut shelf = Shelf::default();
        let mut devices = [Device::new(0), Device::new(1), Device::new(2)];
        for round in 0..60u16 {
            let device = &mut devices[rng.below(3) as usize];
            match rng.below(3) {
                0 => (0..20).for_each(|n| device.name(round * 20 + n, &"z".repeat(50))),
                1 => device.read(&shelf),
                _ => {
                    device.read(&shelf);
                    let due = device.parts.due(&device.set);
                    // What it has read may be old by the time it writes.
                    if let Some(part) = due.first() {
                        device.write(*part, &mut shelf);
                    }
                }
            }
        }
        for _ in 0..3 {
            for device in &mut devices {
                device.read(&shelf);
                device.write_all(&mut shelf);
            }
        }
        let whole = all(&shelf.whole());
        for device in &mut devices {
            assert_eq!(all(&device.set), whole);
            assert!(device.parts.due(&device.set).is_empty());
        }
    }
}

/// Both read one version and wrote the next: one text stays, and the other's writer notices.
#[test]
fn what_was_overwritten_is_missed() {
    let mut shelf = Shelf::default();
    let (mut a, mut b) = (Device::new(0), Device::new(1));
    a.write_all(&mut shelf);
    b.read(&shelf);
    a.name(1, "Ann");
    b.name(2, "Ben");
    a.write_all(&mut shelf);
    b.write_all(&mut shelf);
    assert!(a.parts.due(&a.set).is_empty());
    let text = shelf.0[&0].clone();
    let found = a.parts.found(0, &text, &mut a.set, at(NOW)).unwrap();
    assert_eq!(
        (found.version, found.lacks, found.is_older),
        (2, true, false)
    );
    assert_eq!(found.changes.len(), 1);
    assert_eq!(a.parts.due(&a.set), [0]);
    let old = text;
    a.write_all(&mut shelf);
    let found = a.parts.found(0, &old, &mut a.set, at(NOW)).unwrap();
    assert!(found.is_older && !found.lacks && found.changes.is_empty());
    assert!(a.parts.due(&a.set).is_empty(), "an old one tells nothing");
    let text = shelf.0[&0].clone();
    let found = b.parts.found(0, &text, &mut b.set, at(NOW)).unwrap();
    assert!(!found.lacks);
    assert!(b.parts.due(&b.set).is_empty());
}

#[test]
fn unknown_kinds_survive_and_those_of_devices_stay_there() {
    let mut newer = Set::new();
    add_contact(&mut newer, [5; 32], "Ann", at(NOW));
    let mut field = Key::Contact([5; 32], ContactField::Name).bytes();
    field[33] = 77;
    for key in [vec![9, 1], vec![1, 99], field, vec![60; 64]] {
        let entry = entry(Key::parse(&key).unwrap(), NOW, 7, Some("from later"));
        newer.merge(entry, at(NOW)).unwrap();
    }
    let passed_on = newer.clone();
    for key in [Key::Invitation([1; 16]), Key::parse(&[200, 1]).unwrap()] {
        let entry = entry(key, NOW, 7, Some("for devices"));
        newer.merge(entry, at(NOW)).unwrap();
    }
    let written = Parts::new().write(0, &mut newer, at(NOW)).unwrap();
    let (mut parts, mut older) = (Parts::new(), Set::new());
    let found = parts.found(0, &written.text, &mut older, at(NOW)).unwrap();
    assert_eq!(found.changes.len(), passed_on.len());
    assert_eq!(all(&older), all(&passed_on));
    let again = Parts::new().write(0, &mut older, at(NOW)).unwrap();
    assert_eq!(*again.text, *written.text);

    // Somebody put one into a record: it is not taken.
    let mut text = vec![0xa3, 0, 1, 1, 1, 2, 0x81];
    let entry = entry(Key::Invitation([1; 16]), NOW, 7, Some("for devices"));
    text.extend(entry.encode());
    let mut set = Set::new();
    Parts::new().found(0, &text, &mut set, at(NOW)).unwrap();
    assert!(set.is_empty());
}

#[test]
fn texts_are_read_to_their_end_and_within_bounds() {
    let mut set = Set::new();
    add_contact(&mut set, [1; 32], "Ann", at(NOW));
    add_contact(&mut set, [2; 32], "Ben", at(NOW));
    let written = Parts::new().write(0, &mut set, at(NOW)).unwrap();
    let read = |part, text: &[u8]| {
        let mut set = Set::new();
        let found = Parts::new().found(part, text, &mut set, at(NOW));
        assert_eq!(found.is_err(), set.is_empty());
        found.is_ok()
    };
    for cut in 0..written.text.len() {
        assert!(!read(0, &written.text[..cut]));
    }
    assert!(read(0, &written.text));
    assert!(!read(1, &written.text), "there is but one");
    assert!(!read(0, &[&written.text[..], &[0]].concat()));
    assert!(!read(0, &vec![0; 16_385]));
    let with = |version: &[u8], count: &[u8]| {
        let mut text = vec![0xa3, 0];
        text.extend_from_slice(version);
        text.push(1);
        text.extend_from_slice(count);
        text.extend_from_slice(&[2, 0x81]);
        text.extend(entry(name_of(1), 1, 0, Some("x")).encode());
        text
    };
    assert!(read(0, &with(&[1], &[1])));
    assert!(read(0, &with(&[1], &[0x18, PARTS_MAX])));
    for count in [&[0][..], &[3], &[0x18, 128]] {
        assert!(!read(0, &with(&[1], count)), "{count:?}");
    }
    assert!(!read(0, &with(&[0], &[1])));
    assert!(!read(
        0,
        &with(&[0x1b, 255, 255, 255, 255, 255, 255, 255, 255], &[1])
    ));
    // Unknown keys of the map are skipped.
    let mut newer = with(&[1], &[1]);
    newer[0] = 0xa4;
    newer.extend_from_slice(&[0x18, 99, 0x82, 1, 0x61, 0x61]);
    assert!(read(0, &newer));
}

/// An entry out of bounds is left out; those around it are not, even where they begin as it does.
#[test]
fn bad_entries_do_not_hide_good_ones() {
    let mut text = vec![0xa3, 0, 1, 1, 1, 2, 0x84];
    text.extend([0x84, 0x42, 9, 1, 5, 0, 0x41, b'a']);
    // A key of 65 bytes.
    text.extend([0x82, 0x58, 65]);
    text.extend([9; 65]);
    text.extend([0x41, b'b']);
    // Three bytes of that one, then one of its own, and its stamp.
    text.extend([0x82, 0x43, 0, 3, 8, 0x41, b'c']);
    // A time beyond the last one.
    text.extend([0x84, 0x41, 7, 0x1b, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0xf6]);
    let mut set = Set::new();
    Parts::new().found(0, &text, &mut set, at(NOW)).unwrap();
    let expected = [
        entry(Key::parse(&[9, 1]).unwrap(), 5, 0, Some("a")),
        entry(Key::parse(&[9, 9, 9, 8]).unwrap(), 5, 0, Some("c")),
    ];
    assert_eq!(all(&set), expected);
}

#[test]
fn random_texts_do_no_harm() {
    let mut rng = Rng::new([6; 32]);
    let mut set = Set::new();
    for n in 0..6 {
        add_contact(&mut set, [n; 32], "Ann", at(NOW));
    }
    let good = Parts::new().write(0, &mut set, at(NOW)).unwrap().text;
    for _ in 0..5_000 {
        let mut bytes = good.to_vec();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.u64() as u8;
        }
        let (mut parts, mut set) = (Parts::new(), Set::new());
        if parts.found(0, &bytes, &mut set, at(NOW)).is_ok() {
            assert!(set.len() <= 64);
            assert!(parts.due(&set).len() <= usize::from(PARTS_MAX));
        }
    }
}
