//! How much fits, and what happens when it does not.

use super::*;
use crate::state::parts::{PART_BYTES_MAX, PARTS_MAX, Parts, TooLong};
use crate::state::set::{DELETED_KEPT_MS, ENTRIES_MAX, Full, MERGED_MAX, WriteError};

/// Parts and bytes of so many contacts with names of that length.
fn measure(contacts: u16, name_bytes: usize) -> (u8, usize, usize) {
    let mut set = Set::new();
    let mut rng = Rng::new([8; 32]);
    for _ in 0..contacts {
        let now = at(NOW + rng.below(YEAR));
        add_contact(&mut set, rng.array(), &"n".repeat(name_bytes), now);
    }
    let mut parts = Parts::new();
    let due = parts.due(&set);
    let lens: Vec<usize> = due
        .into_iter()
        .map(|part| parts.write(part, &mut set, at(NOW)).unwrap().text.len())
        .collect();
    assert_eq!(lens.len(), usize::from(parts.count()));
    (
        parts.count(),
        lens.iter().sum(),
        *lens.iter().max().unwrap(),
    )
}

#[test]
fn as_many_contacts_as_there_may_be_fit() {
    extern crate std;
    for (contacts, name_bytes) in [(16, 12), (100, 12), (500, 12), (2_048, 12), (2_048, 64)] {
        let (count, bytes, longest) = measure(contacts, name_bytes);
        std::println!(
            "{contacts} contacts, names of {name_bytes} bytes: {count} parts, {bytes} bytes, \
             {} each, the longest text {longest}",
            bytes / usize::from(contacts),
        );
        assert!(count <= PARTS_MAX && longest <= PART_BYTES_MAX);
    }
    assert_eq!(measure(100, 12).0, 2);
}

fn key(n: usize) -> Key {
    Key::parse(&[&[9][..], &(n as u32).to_be_bytes()].concat()).unwrap()
}

fn filled(count: usize) -> Set {
    let mut set = Set::new();
    for n in 0..count {
        let entry = entry(key(n), NOW, 0, Some("x"));
        assert_eq!(set.merge(entry, at(NOW)), Ok(Change::Value));
    }
    set
}

#[test]
fn who_writes_into_a_full_set_is_told() {
    let mut set = filled(ENTRIES_MAX);
    let before = set.digest();
    let refused = set.write(key(ENTRIES_MAX), text("y"), at(NOW), 0);
    assert_eq!(refused, Err(WriteError::Full));
    assert_eq!(set.digest(), before);
    // What is there can be changed and deleted; only what is forgotten makes room.
    assert_eq!(set.write(key(7), text("y"), at(NOW), 0), Ok(Change::Value));
    assert_eq!(set.delete(&key(8), at(NOW), 0), Ok(Change::Deleted));
    let again = |set: &mut Set| set.write(key(ENTRIES_MAX), text("y"), at(NOW), 0);
    assert_eq!(again(&mut set), Err(WriteError::Full));
    set.forget(at(NOW + DELETED_KEPT_MS + 2), |_| true);
    assert_eq!(again(&mut set), Ok(Change::Value));
}

/// Two full sets that met are taken whole; what goes beyond is refused to who brought it.
#[test]
fn others_are_taken_up_to_twice_as_many() {
    let mut set = filled(MERGED_MAX);
    let one_more = entry(key(MERGED_MAX), NOW, 0, Some("x"));
    assert_eq!(set.merge(one_more, at(NOW)), Err(Full));
    assert_eq!(set.len(), MERGED_MAX);
    let changed = entry(key(7), NOW + 1, 0, Some("y"));
    assert_eq!(set.merge(changed, at(NOW)), Ok(Change::Value));
}

/// What cannot be divided any further is refused before it makes a part that nobody can write.
#[test]
fn a_part_that_is_full_is_told() {
    let mut set = Set::new();
    let field = |n: u8| Key::parse(&[&[3][..], &[5; 32], &[100 + n]].concat()).unwrap();
    let long = || Value::new(alloc::vec![1; VALUE_BYTES_MAX]).unwrap();
    for n in 0..3 {
        assert_eq!(set.write(field(n), long(), at(NOW), 0), Ok(Change::Value));
    }
    let refused = set.write(field(3), long(), at(NOW), 0);
    assert_eq!(refused, Err(WriteError::Full));
    // Others go on, and shorter values too.
    assert_eq!(
        set.write(name_of(5), text("Ann"), at(NOW), 0),
        Ok(Change::Value)
    );
    assert_eq!(
        set.write(name_of(6), text("Ann"), at(NOW), 0),
        Ok(Change::Value)
    );
    assert_eq!(
        set.write(field(0), text("x"), at(NOW), 0),
        Ok(Change::Value)
    );

    // Of another device it is taken, and the part is not written; all others are.
    let mut set = filled(100);
    for n in 0..4 {
        let entry = Entry {
            key: field(n),
            stamp: Stamp { time: NOW, slot: 1 },
            value: Some(long()),
        };
        assert_eq!(set.merge(entry, at(NOW)), Ok(Change::Value));
    }
    let mut parts = Parts::new();
    let due = parts.due(&set);
    assert_eq!(due.len(), usize::from(PARTS_MAX));
    let bad: Vec<u8> = due
        .into_iter()
        .filter(|part| parts.write(*part, &mut set, at(NOW)).err() == Some(TooLong))
        .collect();
    assert_eq!(bad, [crate::state::parts::part_of(&field(0), PARTS_MAX)]);
}

#[test]
fn what_is_forgotten_goes_with_the_next_text() {
    let mut set = Set::new();
    set.write(name_of(1), text("x"), at(NOW), 0).unwrap();
    set.delete(&name_of(1), at(NOW), 0).unwrap();
    let mut parts = Parts::new();
    let first = parts.write(0, &mut set, at(NOW)).unwrap();
    parts.stored(0, first.version);
    let late = at(NOW + DELETED_KEPT_MS + 2);
    // By itself it makes nothing be written.
    assert!(parts.due(&set).is_empty());
    let second = parts.write(0, &mut set, late).unwrap();
    assert_eq!(second.forgotten, [name_of(1)]);
    assert!(second.text.len() < first.text.len());
    parts.stored(0, second.version);
    assert!(parts.due(&set).is_empty());

    // A device that has it still does not write it anew for that.
    let (mut slow, mut others) = (Set::new(), Parts::new());
    let deleted = entry(name_of(1), NOW, 0, None);
    slow.merge(entry(name_of(1), 5, 0, Some("x")), at(NOW))
        .unwrap();
    slow.merge(deleted, at(NOW + 100 * DAY)).unwrap();
    let found = others.found(0, &second.text, &mut slow, late).unwrap();
    assert!(!found.lacks && slow.len() == 1);
}
