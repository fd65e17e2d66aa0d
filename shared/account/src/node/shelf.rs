//! This account's own records: what lies in which slot, when it is written again, and what is taken
//! back. PROTOCOL.md section 4.
//!
//! Invariant: what may lie in the network is in a row before it leaves, so that a restart neither
//! forgets nor repeats it. What is written again has been read before, if a relay answered.

use super::authority::Spot;
use super::cx::Cx;
use super::found::Looked;
use super::limits;
use super::lookups::Whose;
use super::model::{Id16, Owner, RowKey};
use super::open::Open;
use super::problems;
use crate::record::{self, Author, SLOT_EPOCH_KEYS, SLOT_PROFILE, SLOT_ROOT, Writing};
use crate::root::Root;
use crate::sealed::Sealed;
use crate::state::Parts;
use alloc::{collections::BTreeMap, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::sha256;
use shared::time::{self, Millis};
use shared::wire::{Lifetime, SizeClass};

/// From the last change of a text to its writing, and from the first one at most.
const CHANGE_MS: Millis = 60_000;
const CHANGE_MS_MAX: Millis = 600_000;
/// The same where others are to see what a person has just changed.
const EDITED_MS: Millis = 1_000;
const EDITED_MS_MAX: Millis = 5_000;
/// What puts each writing off by itself, so that two of one account don't come together.
const APART_MS_MEAN: Millis = 20_000;
const HOUR_MS: Millis = 3_600_000;
/// Tombstones that are still to be stored.
const TAKEN_BACK_MAX: usize = 256;

/// What is known of the record in a slot.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(map)]
pub struct RecordRow {
    /// Where something of ours may still lie under the present read secret.
    #[n(0)]
    pub written: Vec<WrittenRow>,
    /// When it is written next: Unix ms by assumed time.
    #[n(1)]
    due: Option<u64>,
    /// When the first change came that is not written.
    #[n(2)]
    changed: Option<u64>,
    /// It is to be sealed, solved or stored.
    #[n(3)]
    pending: bool,
    /// H of the text that was sealed last, and the time that it tells of itself.
    #[cbor(n(4), with = "minicbor::bytes")]
    hash: [u8; 32],
    #[n(5)]
    sealed_head: u64,
    /// The time that the text on the relays tells of itself: contacts are told it.
    #[n(6)]
    pub head: u64,
}

/// A period in which a record was written.
#[derive(Clone, Copy, Encode, Decode, PartialEq, Eq)]
#[cbor(array)]
pub struct WrittenRow {
    #[n(0)]
    pub period: u32,
    /// Hour at which the last one is dropped.
    #[n(1)]
    pub expiry: u32,
}

/// A place where a tombstone is still to be stored.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct TakenBackRow {
    #[n(0)]
    pub slot: u16,
    #[n(1)]
    pub at: WrittenRow,
    /// The read secret of then.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub read: [u8; 32],
}

/// All of them.
#[derive(Default)]
pub struct Shelf {
    pub records: BTreeMap<u16, RecordRow>,
    pub taken_back: BTreeMap<Id16, TakenBackRow>,
    /// What was due while no relay was linked waits until then (mono).
    held: BTreeMap<u16, Millis>,
    /// When the next one is due (mono).
    wake_at: Option<Millis>,
}

impl Shelf {
    pub fn next_timer(&self) -> Option<Millis> {
        self.wake_at
    }

    /// The time of what lies in a slot, by its own word; 0: nothing does.
    pub fn head(&self, slot: u16) -> u64 {
        self.records.get(&slot).map_or(0, |row| row.head)
    }

    /// Slots whose record has to be made, and tombstones: those without a parcel are queued.
    pub fn owed(&self) -> impl Iterator<Item = Owner> {
        let pending = self.records.iter().filter(|(_, row)| row.pending);
        let records = pending.map(|(slot, _)| Owner::Record(*slot));
        records.chain(self.taken_back.keys().map(|id| Owner::TakenBack(*id)))
    }

    /// Notes where something of ours is about to lie.
    fn note(&mut self, cx: &mut Cx, slot: u16, at: WrittenRow, hour: u32) {
        let row = self.records.entry(slot).or_default();
        row.written
            .retain(|w| w.period != at.period && w.expiry > hour);
        row.written.push(at);
        cx.touch(RowKey::Record(slot));
    }
}

impl Open {
    /// What belongs into a slot now; `None`: nothing. Slots of the state have theirs from the
    /// state.
    pub fn text_of(&self, slot: u16) -> Option<Vec<u8>> {
        match slot {
            SLOT_PROFILE => self.profile_text(),
            SLOT_ROOT => self.told_root().map(Root::text),
            _ => None,
        }
    }

    /// Whether something belongs into a slot now.
    fn belongs(&self, slot: u16) -> bool {
        match Parts::of_slot(slot) {
            Some(part) => part < self.state_parts(),
            None => self.text_of(slot).is_some(),
        }
    }

    /// The text of a slot, as it is about to be sealed.
    fn next_text(&mut self, cx: &mut Cx, slot: u16) -> Option<Vec<u8>> {
        let Some(part) = Parts::of_slot(slot) else {
            return self.text_of(slot);
        };
        match self.write_state_part(cx, part) {
            Ok(written) => Some(written.text.to_vec()),
            Err(_) => {
                cx.trouble(problems::state_full());
                None
            }
        }
    }

    /// A text of this account that another device wrote, or this one earlier: the newest first.
    pub fn on_found(&mut self, cx: &mut Cx, slot: u16, text: &[u8]) {
        match slot {
            SLOT_PROFILE => self.merge_profile(cx, text),
            SLOT_ROOT => self.take_root(cx, text),
            _ => {
                if let Some(part) = Parts::of_slot(slot) {
                    // One that is malformed brings nothing.
                    let _ = self.on_state_part(cx, part, text);
                }
            }
        }
    }

    /// What belongs into a slot has changed.
    pub fn record_changed(&mut self, cx: &mut Cx, slot: u16) {
        let apart = cx.visible.exponential(APART_MS_MEAN);
        self.write_after(cx, slot, (CHANGE_MS, CHANGE_MS_MAX), apart);
    }

    /// The same, where others are to see at once what a person has just changed. It is the one
    /// record that is written then: what else follows from the change, or comes right after it,
    /// keeps its time.
    pub fn record_edited(&mut self, cx: &mut Cx, slot: u16) {
        let written = self.shelf.records.get(&slot).map_or(0, |r| r.sealed_head);
        match self.clock.assumed() < written.saturating_add(CHANGE_MS_MAX) {
            true => self.record_changed(cx, slot),
            false => self.write_after(cx, slot, (EDITED_MS, EDITED_MS_MAX), 0),
        }
    }

    fn write_after(&mut self, cx: &mut Cx, slot: u16, after: (Millis, Millis), apart: Millis) {
        let now = self.clock.assumed();
        let row = self.shelf.records.entry(slot).or_default();
        let first = *row.changed.get_or_insert(now);
        let at = (now + after.0).min(first.saturating_add(after.1));
        row.due = Some(at.max(now) + apart);
        cx.touch(RowKey::Record(slot));
        self.plan_records(cx);
    }

    /// Writes what is due, as soon as a relay is there to read it from.
    pub fn write_records(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        let linked = self.relays.in_use().next().is_some();
        let due = |(_, row): &(&u16, &RecordRow)| row.due.is_some_and(|due| due <= now);
        let due = self.shelf.records.iter().filter(due).map(|(slot, _)| *slot);
        let due: Vec<u16> = due.collect();
        for slot in due {
            let apart = cx.now.mono + cx.visible.exponential(APART_MS_MEAN).max(1);
            let held = self.shelf.held.get(&slot).copied();
            if !linked {
                // Several that wait for a relay do not leave together when one comes.
                self.shelf.held.insert(slot, apart);
            } else if held.is_none_or(|until| until <= cx.now.mono)
                && !self.lookups.seeks(Whose::Own, slot)
            {
                self.shelf.held.remove(&slot);
                if !self.look_up(cx, Whose::Own, slot) {
                    self.shelf.held.insert(slot, apart);
                }
            }
        }
        self.plan_records(cx);
    }

    /// When there is something to be written next, as far as it does not wait for a relay.
    pub fn plan_records(&mut self, cx: &Cx) {
        let now = self.clock.assumed();
        let linked = self.relays.in_use().next().is_some();
        let at = |(slot, row): (&u16, &RecordRow)| {
            let due = cx.now.mono + row.due?.saturating_sub(now);
            let held = self.shelf.held.get(slot).copied().unwrap_or(0);
            (!self.lookups.seeks(Whose::Own, *slot)).then_some(due.max(held))
        };
        let next = self.shelf.records.iter().filter_map(at).min();
        self.shelf.wake_at = next.filter(|at| linked || *at > cx.now.mono);
    }

    /// What is due when the account opens comes one by one. A date that a clock ahead has set is no
    /// reason to let a record end.
    pub fn begin_records(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        for (slot, row) in &mut self.shelf.records {
            let apart = cx.now.mono + cx.visible.exponential(APART_MS_MEAN).max(1);
            self.shelf.held.insert(*slot, apart);
            let lives = u64::from(record::lifetime(*slot).hours()) * HOUR_MS;
            let due = row.due.unwrap_or(now + lives / 2).min(now + lives / 2);
            row.due = (*slot != SLOT_EPOCH_KEYS).then_some(due);
        }
        self.plan_records(cx);
    }

    /// A record of ours was looked up: what is newer there counts, then it is written.
    pub fn on_own_read(&mut self, cx: &mut Cx, slot: u16, looked: &Looked) -> bool {
        for read in &looked.texts {
            // Another device wrote it: ours has to be above it. One from a clock far ahead is not
            // followed there.
            let soon = self.clock.assumed() / 1_000 + 24 * 3_600;
            if (self.profile.record_version..soon).contains(&read.version) {
                self.profile.record_version = read.version;
                cx.touch(RowKey::Profile);
            }
            self.on_found(cx, slot, &read.text);
        }
        let nothing = looked.reached && looked.texts.is_empty();
        if let Some(part) = Parts::of_slot(slot).filter(|_| nothing) {
            self.state_part_missing(cx, part);
        }
        self.on_recovered(cx, slot, looked);
        if slot == SLOT_EPOCH_KEYS {
            self.on_own_keys(cx, looked);
        }
        let now = self.clock.assumed();
        let belongs = self.belongs(slot);
        let Some(row) = self.shelf.records.get_mut(&slot) else {
            return true;
        };
        if row.due.is_some_and(|due| due <= now) {
            row.pending = belongs;
            row.due = None;
            cx.touch(RowKey::Record(slot));
            if belongs {
                self.make_record(cx, slot);
            }
        }
        self.plan_records(cx);
        true
    }

    /// Has a record sealed anew, at its turn.
    fn make_record(&mut self, cx: &mut Cx, slot: u16) {
        let owner = Owner::Record(slot);
        if let Some(part) = Parts::of_slot(slot) {
            self.state_part_given_up(cx, part);
        }
        self.drop_parcel(cx, &owner);
        self.drop_job(cx, &owner);
        self.jobs.add(owner);
        self.pump_jobs(cx);
    }

    /// Whether this is a record that another device may have written since, as a relay says: what
    /// it wrote is read before it is written over. It is written soon then.
    pub fn reads_first(&mut self, cx: &mut Cx, owner: &Owner) -> bool {
        let Owner::Record(slot) = *owner else {
            return false;
        };
        if slot == SLOT_EPOCH_KEYS {
            return false;
        }
        let due = self.clock.assumed() + cx.visible.exponential(APART_MS_MEAN);
        let row = self.shelf.records.entry(slot).or_default();
        row.due = Some(due);
        row.pending = false;
        cx.touch(RowKey::Record(slot));
        self.plan_records(cx);
        true
    }

    /// Seals the text of a slot, in the present period.
    pub fn seal_record(&mut self, cx: &mut Cx, slot: u16) -> Option<Sealed> {
        if slot == SLOT_EPOCH_KEYS {
            return self.seal_keys(cx);
        }
        let read = self.own_read(slot)?;
        let text = self.next_text(cx, slot)?;
        let hour = time::hour(self.clock.assumed());
        let lifetime = record::lifetime(slot);
        let at = WrittenRow {
            period: record::period(hour),
            expiry: hour + lifetime.hours(),
        };
        let size = record::least_size(&text)?;
        let version = self.record_version(cx);
        let spot = Spot {
            read: &read,
            slot,
            period: at.period,
            expiry: at.expiry,
        };
        let by = self.author(cx, version, &Owner::Record(slot), &spot)?;
        let writing = Writing {
            by,
            read: &read,
            slot,
            period: at.period,
            size,
            lifetime,
            expiry: at.expiry,
        };
        let sealed = record::write(&writing, &text, &cx.rng.array()).ok()?;
        let head = super::found::age(slot, &text).map_or(0, |age| age.1);
        self.shelf.note(cx, slot, at, hour);
        let row = self.shelf.records.entry(slot).or_default();
        (row.hash, row.sealed_head) = (sha256(&[&text]), head);
        Some(sealed)
    }

    fn seal_keys(&mut self, cx: &mut Cx) -> Option<Sealed> {
        let now = self.clock.assumed();
        let hour = time::hour(now);
        let at = WrittenRow {
            period: record::period(hour),
            expiry: hour + Lifetime::H168.hours(),
        };
        let version = self.record_version(cx);
        let read = &self.profile.read_secret;
        let spot = Spot {
            read,
            slot: SLOT_EPOCH_KEYS,
            period: at.period,
            expiry: at.expiry,
        };
        let by = self.author(cx, version, &Owner::Record(SLOT_EPOCH_KEYS), &spot)?;
        let sealed = self.epoch_keys.record(by, read, now, &cx.rng.array())?;
        let sealed = sealed.ok()?;
        self.shelf.note(cx, SLOT_EPOCH_KEYS, at, hour);
        let row = self.shelf.records.entry(SLOT_EPOCH_KEYS).or_default();
        row.sealed_head = now / 1_000;
        Some(sealed)
    }

    /// A relay has a record of ours.
    pub fn on_record_stored(&mut self, cx: &mut Cx, slot: u16) {
        let text = self.text_of(slot);
        let Some(row) = self.shelf.records.get_mut(&slot) else {
            return;
        };
        self.remakes.remove(&Owner::Record(slot));
        let newer = row.head != row.sealed_head;
        row.head = row.sealed_head;
        if row.pending {
            row.pending = false;
            row.changed = None;
            // A date of its own for each, so that nothing but chance brings two together.
            let lives = u64::from(record::lifetime(slot).hours()) * HOUR_MS;
            let pause = lives / 3 + cx.visible.below(lives / 6);
            row.due = Some(self.clock.assumed() + pause);
            let changed = text.is_none_or(|text| sha256(&[&text]) != row.hash);
            let changed = changed && Parts::of_slot(slot).is_none();
            cx.touch(RowKey::Record(slot));
            if changed {
                self.record_changed(cx, slot);
            }
        } else if newer {
            cx.touch(RowKey::Record(slot));
        }
        if newer && slot == SLOT_PROFILE {
            self.tell_heads(cx);
        }
        if let Some(part) = Parts::of_slot(slot) {
            self.state_part_stored(cx, part, self.shelf.head(slot));
        }
        self.plan_records(cx);
    }

    /// Under another read secret nothing of this lies in the network: where it may lie, tombstones
    /// are put.
    pub fn take_back(&mut self, cx: &mut Cx, slot: u16, read: [u8; 32]) {
        let hour = time::hour(self.clock.assumed());
        let Some(row) = self.shelf.records.get_mut(&slot) else {
            return;
        };
        let written = core::mem::take(&mut row.written);
        row.pending = false;
        cx.touch(RowKey::Record(slot));
        let owner = Owner::Record(slot);
        self.drop_parcel(cx, &owner);
        self.drop_job(cx, &owner);
        for at in written.into_iter().filter(|at| at.expiry > hour) {
            if self.shelf.taken_back.len() >= TAKEN_BACK_MAX {
                break;
            }
            let id = cx.rng.array();
            let row = TakenBackRow { slot, at, read };
            self.shelf.taken_back.insert(id, row);
            cx.touch(RowKey::TakenBack(id));
            self.jobs.add(Owner::TakenBack(id));
        }
    }

    /// Seals a tombstone that lives as long as what it replaces.
    pub fn seal_taken_back(&mut self, cx: &mut Cx, id: &Id16) -> Option<Sealed> {
        let row = self.shelf.taken_back.get(id)?.clone();
        let hour = time::hour(self.clock.assumed());
        let lasts = row.at.expiry.saturating_sub(hour);
        let lifetime = [Lifetime::H6, Lifetime::H48, Lifetime::H168, Lifetime::H720];
        let lifetime = lifetime.into_iter().find(|t| t.hours() >= lasts);
        let version = self.record_version(cx);
        let spot = Spot {
            read: &row.read,
            slot: row.slot,
            period: row.at.period,
            expiry: row.at.expiry,
        };
        let by = self.author(cx, version, &Owner::TakenBack(*id), &spot)?;
        let writing = Writing {
            by,
            read: &row.read,
            slot: row.slot,
            period: row.at.period,
            size: SizeClass::KIB_1,
            lifetime: lifetime.unwrap_or(Lifetime::H4320),
            expiry: row.at.expiry,
        };
        record::write(&writing, &[], &cx.rng.array()).ok()
    }

    /// Tombstones that every linked relay has, or that are not needed any more.
    pub fn forget_taken_back(&mut self, cx: &mut Cx) {
        let hour = time::hour(self.clock.assumed());
        let stored = |id: &Id16| {
            let owner = Owner::TakenBack(*id);
            let parcel = self.parcels.get(&owner);
            parcel.is_some_and(|p| !p.stored.is_empty()) && self.all_have(&owner)
        };
        let rows = self.shelf.taken_back.iter();
        let done = rows.filter(|(id, row)| row.at.expiry <= hour || stored(id));
        let done: Vec<Id16> = done.map(|(id, _)| *id).collect();
        for id in done {
            self.shelf.taken_back.remove(&id);
            cx.touch(RowKey::TakenBack(id));
            self.drop_parcel(cx, &Owner::TakenBack(id));
            self.drop_job(cx, &Owner::TakenBack(id));
        }
    }

    /// Who writes a record: this account itself, or this device if it has leave to.
    fn author(&self, cx: &Cx, version: u64, owner: &Owner, at: &Spot) -> Option<Author<'_>> {
        Some(Author {
            signer: self.authority.signer(&self.device, at)?,
            version,
            effort: self.effort(owner, 0),
            network: cx.config.network,
        })
    }
}

/// How long ago a relay has to have stored a record that it is put to it again on a new link.
pub fn stored_lately_ms(owner: &Owner) -> Millis {
    match owner {
        Owner::Record(slot) if *slot != SLOT_EPOCH_KEYS => limits::RECORD_STORED_LATELY_MS,
        _ => limits::STORED_LATELY_MS,
    }
}

#[cfg(test)]
#[path = "shelf_tests.rs"]
mod tests;
