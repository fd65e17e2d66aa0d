#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod clocks;
mod entries;
mod laws;
mod parts;
mod room;
mod vectors;

use super::entry::*;
use super::set::{Change, Clock, Set};
use super::values;
use crate::sealed::Mailbox;
use alloc::vec::Vec;
use shared::crypto::Rng;
use shared::time::Millis;

const HOUR: Millis = 3_600_000;
const DAY: Millis = 24 * HOUR;
const YEAR: Millis = 365 * DAY;
const NOW: Millis = 20_000 * DAY;

/// A right clock.
fn at(now: Millis) -> Clock {
    Clock {
        assumed: now,
        agreed: now,
    }
}

/// A clock nobody has vouched for.
fn alone(assumed: Millis) -> Clock {
    Clock { assumed, agreed: 0 }
}

fn text(text: &str) -> Value {
    Value::new(text.into()).unwrap()
}

fn entry(key: Key, time: Millis, slot: u8, value: Option<&str>) -> Entry {
    Entry {
        key,
        stamp: Stamp { time, slot },
        value: value.map(text),
    }
}

fn name_of(n: u8) -> Key {
    Key::Contact([n; 32], ContactField::Name)
}

fn merge_all(set: &mut Set, entries: &[Entry], clock: Clock) {
    for entry in entries {
        set.merge(entry.clone(), clock).unwrap();
    }
}

fn all(set: &Set) -> Vec<Entry> {
    set.iter().cloned().collect()
}

/// A random order, some of it twice.
fn shuffled(entries: &[Entry], rng: &mut Rng) -> Vec<Entry> {
    let mut out = entries.to_vec();
    for _ in 0..entries.len() / 4 {
        let again = rng.below(entries.len() as u64) as usize;
        out.push(entries[again].clone());
    }
    for last in (1..out.len()).rev() {
        out.swap(last, rng.below(last as u64 + 1) as usize);
    }
    out
}

/// Somebody with all that is kept of a contact.
fn add_contact(set: &mut Set, who: Who, name: &str, clock: Clock) {
    let mut rng = Rng::new(who);
    let access = values::Access {
        read_secret: rng.array(),
        mailbox: Mailbox::draw(12, &mut rng),
        recovery: Some(rng.array()),
    };
    let existence = values::Existence {
        standing: values::Standing::Active,
        added: clock.assumed,
    };
    let fields = [
        (ContactField::Existence, existence.encode()),
        (ContactField::Access, access.encode()),
        (ContactField::Name, values::name(name)),
    ];
    for (field, value) in fields {
        let change = set.write(Key::Contact(who, field), value.unwrap(), clock, 0);
        assert_eq!(change, Ok(Change::Value));
    }
    let later = at(clock.assumed + 40 * DAY + rng.below(DAY));
    let order = values::order(rng.below(60_000)).unwrap();
    let key = Key::Contact(who, ContactField::ReadTo);
    assert_eq!(set.write(key, order, later, 0), Ok(Change::Value));
}
