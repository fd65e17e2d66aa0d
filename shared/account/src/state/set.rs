//! The set of entries, and which of two values of one key holds. PROTOCOL.md section 13.
//!
//! Invariant: merging is a join, so order and repetition do not matter; what is written after
//! something was seen holds against it, whatever the clocks say. What there is no room for is
//! refused to who brought it, never dropped.

use super::entry::{ContactField, Entry, Key, Stamp, TIME_MAX, Value, Who};
use super::parts;
use crate::cbor::{self, Malformed};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::ops::RangeInclusive;
use minicbor::{Decode, Encode};
use shared::crypto::sha256;
use shared::time::Millis;

/// Entries up to which something new may be written, deleted ones included.
pub const ENTRIES_MAX: usize = 16_384;
/// Entries up to which those of others are taken: two devices that were apart, both full.
pub const MERGED_MAX: usize = 2 * ENTRIES_MAX;
/// Times that are further ahead of the clock count for nothing but their own key.
pub const AHEAD_MS_MAX: Millis = 3_600_000;
/// A deleted entry is kept that long: 180 days in which every device that had the value comes to
/// know, and 180 days and hours in which what it wrote before expires at relays.
pub const DELETED_KEPT_MS: Millis = 361 * 86_400_000;
/// What a clock says beyond (the year 4199) is not believed, so that times never run out by it.
const CLOCK_MAX: Millis = 1 << 46;

/// What time it is, Unix ms: [`crate::agreed_time`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Clock {
    pub assumed: Millis,
    /// Never ahead of what somebody vouched for, and never back: deleted entries are forgotten by
    /// it.
    pub agreed: Millis,
}

impl Clock {
    /// For stamps: a clock that fell behind what was agreed is wrong.
    fn now(self) -> Millis {
        self.assumed.max(self.agreed).min(CLOCK_MAX)
    }
}

/// What became of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing: as it was.
    Nothing,
    /// It says the same as before, written later: to be saved, but nobody need be told.
    Stamp,
    /// It has another value.
    Value,
    /// It had a value and was deleted.
    Deleted,
}

/// Why nothing was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// Something else must be deleted before, and forgotten.
    Full,
    /// What is there has the last time there is; only a hostile device writes that.
    TimeEnds,
}

/// There are so many entries that this one, of another device, was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// All entries.
#[derive(Clone, Debug, Default)]
pub struct Set {
    entries: BTreeMap<Key, Held>,
}

/// An entry, and what this replica alone knows about it.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct Held {
    #[n(0)]
    entry: Entry,
    /// When it took a value away here, Unix ms; 0 if it did not.
    #[n(1)]
    took: Millis,
    /// Of the key: [`parts::spot`].
    #[cbor(skip)]
    spot: u8,
}

impl Set {
    pub fn new() -> Set {
        Set::default()
    }

    /// Writes down that a key has this value from now on, on the device of that slot.
    pub fn write(
        &mut self,
        key: Key,
        value: Value,
        clock: Clock,
        slot: u8,
    ) -> Result<Change, WriteError> {
        let held = self.entries.get(&key).map(|held| &held.entry);
        if held.is_some_and(|entry| entry.value.as_ref() == Some(&value)) {
            return Ok(Change::Nothing);
        }
        let time = self.time_for(held, clock)?;
        let is_new = held.is_none();
        let entry = Entry {
            key,
            stamp: Stamp { time, slot },
            value: Some(value),
        };
        if is_new && self.entries.len() >= ENTRIES_MAX || !parts::has_room(self, &entry) {
            return Err(WriteError::Full);
        }
        self.put(entry, 0);
        Ok(Change::Value)
    }

    /// Deletes a key's value, on the device of that slot.
    pub fn delete(&mut self, key: &Key, clock: Clock, slot: u8) -> Result<Change, WriteError> {
        let held = self.entries.get(key).map(|held| &held.entry);
        let Some(live) = held.filter(|entry| entry.value.is_some()) else {
            return Ok(Change::Nothing);
        };
        let time = self.time_for(Some(live), clock)?;
        let entry = Entry {
            key: key.clone(),
            stamp: Stamp { time, slot },
            value: None,
        };
        self.put(entry, clock.now());
        Ok(Change::Deleted)
    }

    /// Takes an entry that another replica had.
    pub fn merge(&mut self, entry: Entry, clock: Clock) -> Result<Change, Full> {
        let Some(held) = self.entries.get(&entry.key) else {
            if entry.value.is_none() && is_forgotten(&entry, 0, clock) {
                return Ok(Change::Nothing);
            }
            if self.entries.len() >= MERGED_MAX {
                return Err(Full);
            }
            let change = match entry.value {
                Some(_) => Change::Value,
                None => Change::Stamp,
            };
            self.put(entry, 0);
            return Ok(change);
        };
        if !entry.beats(&held.entry) {
            return Ok(Change::Nothing);
        }
        let (change, took) = match (&held.entry.value, &entry.value) {
            (Some(_), None) => (Change::Deleted, clock.now()),
            (None, None) => (Change::Stamp, held.took),
            (before, after) if before == after => (Change::Stamp, 0),
            _ => (Change::Value, 0),
        };
        self.put(entry, took);
        Ok(change)
    }

    /// Forgets, among those that `of` names, entries deleted long enough ago, and says which.
    ///
    /// That is safe as long as every device that had the value reads the records within 180 days:
    /// the last of it then expires before. If one stays away for longer it may bring back what was
    /// deleted; nothing is lost by that, and people see it.
    pub fn forget(&mut self, clock: Clock, of: impl Fn(&Key) -> bool) -> Vec<Key> {
        let old = |held: &&Held| {
            let deleted = held.entry.value.is_none() && of(&held.entry.key);
            deleted && is_forgotten(&held.entry, held.took, clock)
        };
        let old: Vec<Key> = self
            .entries
            .values()
            .filter(old)
            .map(|held| held.entry.key.clone())
            .collect();
        for key in &old {
            self.entries.remove(key);
        }
        old
    }

    /// Deleted ones included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn get(&self, key: &Key) -> Option<&Value> {
        self.entry(key)?.value.as_ref()
    }

    /// As it stands, deleted or not.
    pub fn entry(&self, key: &Key) -> Option<&Entry> {
        self.entries.get(key).map(|held| &held.entry)
    }

    /// All entries, deleted ones included.
    pub fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().map(|held| &held.entry)
    }

    /// Values of these keys: of a kind, or [`Key::fields_of`] a contact.
    pub fn range(&self, keys: RangeInclusive<Key>) -> impl Iterator<Item = (&Key, &Value)> {
        let held = match keys.start() <= keys.end() {
            true => Some(self.entries.range(keys)),
            false => None,
        };
        let entries = held.into_iter().flatten();
        entries.filter_map(|(key, held)| Some((key, held.entry.value.as_ref()?)))
    }

    /// Everybody of whom it is said that they are a contact.
    pub fn contacts(&self) -> impl Iterator<Item = &Who> {
        let (first, last) = ContactField::ENDS;
        let everybody = Key::Contact([0; 32], first)..=Key::Contact([0xff; 32], last);
        self.range(everybody).filter_map(|(key, _)| match key {
            Key::Contact(who, ContactField::Existence) => Some(who),
            _ => None,
        })
    }

    /// Two replicas with one digest hold the same values. (When deleted ones are forgotten is each
    /// replica's own affair.)
    pub fn digest(&self) -> [u8; 32] {
        let live = self.iter().filter(|entry| entry.value.is_some());
        let mut hashes: Vec<[u8; 32]> = live.map(|entry| sha256(&[&entry.encode()])).collect();
        hashes.sort_unstable();
        sha256(&[b"wm-state", hashes.as_flattened()])
    }

    /// An entry with what this replica knows about it, to be kept.
    pub fn encode(&self, key: &Key) -> Option<Vec<u8>> {
        self.entries.get(key).map(cbor::to_vec)
    }

    /// Takes back what [`Set::encode`] gave, and says of which key.
    pub fn load(&mut self, bytes: &[u8]) -> Result<Key, Malformed> {
        let held: Held = cbor::from_slice(bytes)?;
        let key = held.entry.key.clone();
        self.put(held.entry, held.took);
        Ok(key)
    }

    /// Entries with their spots.
    pub(super) fn placed(&self) -> impl Iterator<Item = (u8, &Entry)> {
        self.entries.values().map(|held| (held.spot, &held.entry))
    }

    fn put(&mut self, entry: Entry, took: Millis) {
        let spot = parts::spot(&entry.key.bytes());
        let held = Held { entry, took, spot };
        self.entries.insert(held.entry.key.clone(), held);
    }

    /// The time of something written now over `held`: not before anything that was seen, as far as
    /// clocks may differ, and after what it replaces in any case.
    fn time_for(&self, held: Option<&Entry>, clock: Clock) -> Result<Millis, WriteError> {
        let now = clock.now();
        let times = self.iter().map(|entry| entry.stamp.time);
        let seen = times.filter(|time| *time <= now + AHEAD_MS_MAX).max();
        let over = held.map_or(0, |entry| entry.stamp.time + 1);
        match now.max(seen.unwrap_or(0)).max(over) {
            time if time <= TIME_MAX => Ok(time),
            _ => Err(WriteError::TimeEnds),
        }
    }
}

/// Whether a deleted entry is of no more use. What a wrong clock dated back counts from when it
/// took a value away here.
pub(super) fn is_forgotten(entry: &Entry, took: Millis, clock: Clock) -> bool {
    entry.stamp.time.max(took).saturating_add(DELETED_KEPT_MS) < clock.agreed
}
