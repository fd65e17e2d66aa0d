//! The state in an open account: its rows, and the way in and out for entries and parts.
//! PROTOCOL.md section 13.
//!
//! Invariant: an entry that changed is saved by the same input. What this device itself knows
//! becomes entries in `state_facts.rs`; what came from elsewhere is acted on in `state_taken.rs`.

use super::cx::Cx;
use super::model::*;
use super::open::Open;
use super::problems;
use crate::cbor::Malformed;
use crate::linking::StateSecret;
use crate::record::SLOT_ROOT;
use crate::root::Root;
use crate::state::parts::{PARTS_MAX, TooLong, Written};
use crate::state::{Change, Clock, Entry, Found, Key, Parts, Set, Stamp, Value};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{Key as Secret, sha256};
use shared::time::Millis;

/// The set, its parts, and what of it is this device's own.
pub struct State {
    pub(super) set: Set,
    parts: Parts,
    /// What came before was looked for, so what this device says counts from now on.
    looked_for: bool,
    /// Leads to the parts.
    root: Option<Root>,
    /// It is told once what it leads to is at relays.
    root_waits: bool,
    rows: BTreeMap<Id16, Key>,
    /// What this device last had to say on a key. Only what differs from that is written, so what
    /// others wrote stands until something happens here.
    pub(super) noted: BTreeMap<Key, Value>,
    /// Conversations whose read marker waits, and since when the next may be written (mono).
    pub(super) unmarked: BTreeSet<Who>,
    pub(super) mark_at: Millis,
}

/// A row: what is known of the parts at relays.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct StatePartsRow {
    #[n(0)]
    pub parts: Parts,
    #[n(1)]
    pub looked_for: bool,
    #[n(2)]
    pub root: Option<Root>,
    #[cbor(n(3), default)]
    pub root_waits: bool,
}

/// Of what a device says before it has looked for the state of old, entries have such times.
const UNHEARD_TIME_MAX: Millis = 1 << 32;

impl State {
    /// Of an account that was made again from its words, what was there before comes first.
    pub fn new(restored: bool) -> State {
        State {
            set: Set::new(),
            parts: Parts::new(),
            looked_for: !restored,
            root: None,
            root_waits: false,
            rows: BTreeMap::new(),
            noted: BTreeMap::new(),
            unmarked: BTreeSet::new(),
            mark_at: 0,
        }
    }

    /// The row of an entry.
    pub fn row(&self, hash: &Id16) -> Option<Vec<u8>> {
        self.set.encode(self.rows.get(hash)?)
    }

    pub fn parts_row(&self) -> StatePartsRow {
        StatePartsRow {
            parts: self.parts.clone(),
            looked_for: self.looked_for,
            root: self.root.clone(),
            root_waits: self.root_waits,
        }
    }

    pub fn restore(&mut self, row: &[u8]) -> Option<()> {
        let key = self.set.load(row).ok()?;
        self.rows.insert(hash(&key), key);
        Some(())
    }

    pub fn restore_parts(&mut self, row: StatePartsRow) {
        self.parts = row.parts;
        self.looked_for = row.looked_for;
        self.root = row.root;
        self.root_waits = row.root_waits;
    }

    /// Every row.
    pub fn rows(&self) -> Vec<RowKey> {
        let entries = self.rows.keys().map(|hash| RowKey::StateEntry(*hash));
        entries.chain([RowKey::StateParts]).collect()
    }

    /// The row of an entry that changed, or is no more, is written.
    fn touch(&mut self, cx: &mut Cx, key: &Key) {
        let hash = hash(key);
        match self.set.entry(key) {
            Some(_) => drop(self.rows.insert(hash, key.clone())),
            None => drop(self.rows.remove(&hash)),
        }
        cx.touch(RowKey::StateEntry(hash));
    }
}

impl Open {
    pub(super) fn state_clock(&self) -> Clock {
        Clock {
            assumed: self.clock.assumed(),
            agreed: self.clock.agreed(),
        }
    }

    /// Something this device has to say. A full set is told.
    pub(super) fn write_state(&mut self, cx: &mut Cx, key: Key, value: Value) {
        let (clock, slot) = (self.state_clock(), self.profile.slot);
        let held = self.state.set.entry(&key);
        let time = held.map(|entry| entry.stamp.time);
        let unheard = time.is_none_or(|time| time < UNHEARD_TIME_MAX);
        let written = match unheard && !self.state.looked_for && matches!(key, Key::Profile(_)) {
            // Whatever was written before, on any device, holds against it.
            true => {
                let time = time.map_or(0, |time| time + 1);
                let entry = Entry {
                    key: key.clone(),
                    stamp: Stamp { time, slot },
                    value: Some(value),
                };
                self.state.set.merge(entry, clock).ok()
            }
            false => self.state.set.write(key.clone(), value, clock, slot).ok(),
        };
        match written {
            Some(Change::Nothing) => {}
            Some(_) => {
                cx.trouble_over("state_full");
                self.state.touch(cx, &key);
                self.tell_entry(cx, &key);
            }
            None => cx.trouble(problems::state_full()),
        }
    }

    pub(super) fn delete_state(&mut self, cx: &mut Cx, key: &Key) {
        let (clock, slot) = (self.state_clock(), self.profile.slot);
        match self.state.set.delete(key, clock, slot) {
            Ok(Change::Nothing) => {}
            Ok(_) => {
                self.state.touch(cx, key);
                self.tell_entry(cx, key);
            }
            Err(_) => cx.trouble(problems::state_full()),
        }
    }

    /// Takes entries of another device, and acts on them.
    pub fn merge_state(&mut self, cx: &mut Cx, entries: Vec<Entry>) {
        let clock = self.state_clock();
        let mut changes = Vec::new();
        let mut refused = false;
        for entry in entries {
            let key = entry.key.clone();
            match self.state.set.merge(entry, clock) {
                Ok(change) => changes.push((key, change)),
                Err(_) => refused = true,
            }
        }
        self.on_state_changes(cx, changes, refused);
    }

    /// Takes entries of another device, and does not act on them yet.
    pub(super) fn load_state(&mut self, cx: &mut Cx, entries: Vec<Entry>) {
        let clock = self.state_clock();
        for entry in entries {
            let key = entry.key.clone();
            match self.state.set.merge(entry, clock) {
                Ok(Change::Nothing) => {}
                Ok(_) => self.state.touch(cx, &key),
                Err(_) => cx.trouble(problems::state_full()),
            }
        }
    }

    /// Acts on all that the set has.
    pub(super) fn take_all_state(&mut self, cx: &mut Cx) {
        let keys: Vec<Key> = self
            .state
            .set
            .iter()
            .map(|entry| entry.key.clone())
            .collect();
        self.take_state(cx, &keys);
    }

    /// Takes the text of a part that was found, and acts on it.
    pub fn on_state_part(
        &mut self,
        cx: &mut Cx,
        part: u8,
        text: &[u8],
    ) -> Result<Found, Malformed> {
        let clock = self.state_clock();
        let state = &mut self.state;
        let mut found = state.parts.found(part, text, &mut state.set, clock)?;
        let changes = core::mem::take(&mut found.changes);
        cx.touch(RowKey::StateParts);
        self.on_state_changes(cx, changes, found.refused > 0);
        Ok(found)
    }

    fn on_state_changes(&mut self, cx: &mut Cx, changes: Vec<(Key, Change)>, refused: bool) {
        for (key, change) in &changes {
            if *change != Change::Nothing {
                self.state.touch(cx, key);
            }
        }
        let told = |(key, change): (Key, Change)| {
            matches!(change, Change::Value | Change::Deleted).then_some(key)
        };
        let keys: Vec<Key> = changes.into_iter().filter_map(told).collect();
        self.take_state(cx, &keys);
        if refused {
            cx.trouble(problems::state_full());
        }
    }

    /// Relays were asked for what this account had before, whether they had it or not: what this
    /// device says counts from now on.
    pub fn state_looked_for(&mut self, cx: &mut Cx) {
        self.state.looked_for = true;
        cx.touch(RowKey::StateParts);
        self.write_due_parts(cx);
    }

    /// What leads to the parts, once there is something.
    pub fn state_root(&self) -> Option<&Root> {
        self.state.root.as_ref()
    }

    /// A root that was found: of two, all devices follow the same.
    pub fn take_root(&mut self, cx: &mut Cx, text: &[u8]) {
        let Some(found) = Root::read(text) else {
            return;
        };
        let own = self.state.root.as_ref();
        if own.is_some_and(|own| !found.beats(own)) {
            return;
        }
        if own.is_some_and(|own| own.read != found.read) {
            // Nothing is known of what lies there, and what lay elsewhere is of no more use.
            self.begin_parts(cx);
            self.state.root_waits = false;
        }
        self.state.root = Some(found);
        cx.touch(RowKey::StateParts);
    }

    /// The state's read secret, as a device without the root is given it.
    pub(super) fn state_secret(&self) -> Option<StateSecret> {
        let root = self.state_root()?;
        Some(StateSecret {
            generation: root.generation,
            secret: root.read.clone(),
        })
    }

    pub(super) fn take_state_secret(&mut self, cx: &mut Cx, told: &StateSecret) {
        let root = Root {
            version: 1,
            read: told.secret.clone(),
            generation: told.generation,
        };
        self.take_root(cx, &root.text());
    }

    /// Something of the state changed: its records are written soon.
    pub fn plan_state(&mut self, cx: &mut Cx, dirty: &BTreeSet<RowKey>) {
        let changed = dirty.iter().any(|row| matches!(row, RowKey::StateEntry(_)));
        if changed && self.state.looked_for {
            self.write_due_parts(cx);
        }
    }

    fn write_due_parts(&mut self, cx: &mut Cx) {
        if self.state.root.is_none() {
            if !self.is_full() {
                // It could not be found by the words.
                return;
            }
            self.state.root = Some(Root::draw(&mut cx.rng));
            cx.touch(RowKey::StateParts);
            self.record_changed(cx, SLOT_ROOT);
        }
        for part in self.state_due(cx) {
            self.record_changed(cx, Parts::slot(part));
        }
        if self.state.root_waits && self.state.parts.stand(&self.state.set) {
            self.state.root_waits = false;
            cx.touch(RowKey::StateParts);
            self.record_changed(cx, SLOT_ROOT);
        }
    }

    /// Another read secret: from here on the state lies elsewhere. The words lead there once all of
    /// it does, and to the old one until then.
    pub(super) fn change_state_read(&mut self, cx: &mut Cx) {
        let Some(root) = self.state.root.clone().filter(|_| self.is_full()) else {
            return;
        };
        self.state.root = Some(Root {
            version: root.version.saturating_add(1),
            read: Secret::new(cx.rng.array()),
            generation: root.generation.saturating_add(1),
        });
        self.state.root_waits = true;
        self.begin_parts(cx);
        if self.state.looked_for {
            self.write_due_parts(cx);
        }
    }

    /// Nothing is known of what lies where the root leads.
    fn begin_parts(&mut self, cx: &mut Cx) {
        self.state.parts = Parts::new();
        for part in 0..PARTS_MAX {
            let slot = Parts::slot(part);
            if self.shelf.records.remove(&slot).is_some() {
                cx.touch(RowKey::Record(slot));
            }
        }
        cx.touch(RowKey::StateParts);
    }

    /// What leads to the parts, as the words may find it.
    pub fn told_root(&self) -> Option<&Root> {
        self.state_root().filter(|_| !self.state.root_waits)
    }

    /// How many parts are to be looked for.
    pub fn state_parts(&self) -> u8 {
        self.state.parts.count()
    }

    /// Relays have nothing of a part.
    pub fn state_part_missing(&mut self, cx: &mut Cx, part: u8) {
        self.state.parts.missing(part);
        cx.touch(RowKey::StateParts);
    }

    /// The parts to be written: [`Parts::due`].
    pub fn state_due(&mut self, cx: &mut Cx) -> Vec<u8> {
        let before = self.state.parts.count();
        let due = self.state.parts.due(&self.state.set);
        if self.state.parts.count() != before {
            cx.touch(RowKey::StateParts);
        }
        due
    }

    /// The text of a part, to be put into its record.
    pub fn write_state_part(&mut self, cx: &mut Cx, part: u8) -> Result<Written, TooLong> {
        let clock = self.state_clock();
        let state = &mut self.state;
        let written = state.parts.write(part, &mut state.set, clock)?;
        for key in &written.forgotten {
            state.touch(cx, key);
        }
        cx.touch(RowKey::StateParts);
        Ok(written)
    }

    /// A relay has stored a part's record; the next ones may be due.
    pub fn state_part_stored(&mut self, cx: &mut Cx, part: u8, version: u64) {
        self.state.parts.stored(part, version);
        cx.touch(RowKey::StateParts);
        self.write_due_parts(cx);
    }

    /// A part's record will not be stored as it was written.
    pub fn state_part_given_up(&mut self, cx: &mut Cx, part: u8) {
        self.state.parts.given_up(part);
        cx.touch(RowKey::StateParts);
    }
}

fn hash(key: &Key) -> Id16 {
    let mut hash = [0; 16];
    hash.copy_from_slice(&sha256(&[&key.bytes()])[..16]);
    hash
}
