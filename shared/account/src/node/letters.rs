//! Letters to our own other devices: gathered, packed, sealed, and kept until all have them.
//! PROTOCOL.md section 16.
//!
//! Invariant: what is told is saved in a letter by the same input that made it true. A letter is
//! sealed once it is closed, and nothing is added then.

use super::cx::Cx;
use super::model::*;
use super::open::{Open, Ride};
use super::seal::sender;
use crate::letter::{self, ITEMS_BYTES_MAX, ITEMS_MAX, Item};
use crate::sealed::Sealed;
use crate::session::{ACKS_MAX, Draft, message_id, slot_bit};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::time::Millis;

/// What a person waits for leaves after a moment of this mean, so that more goes with it.
const GATHER_MS_MEAN: Millis = 300;
/// As long as an envelope lives: who was away longer asks for what happened.
const KEPT_MS: Millis = 48 * 3_600_000;
/// One that no relay has had is kept for that long.
const UNSENT_MS: Millis = 30 * 86_400_000;
/// Letters that are kept; the oldest give way.
const LETTERS_MAX: usize = 4_096;
/// Acknowledgements owed to our own devices.
const OWED_MAX: usize = 2_048;

/// Those that are under way, and the one that is being written.
#[derive(Default)]
pub struct Letters {
    pub(super) rows: BTreeMap<Id16, LetterRow>,
    open: Option<Id16>,
    /// When it leaves (mono); else at the next tick.
    leaves_at: Option<Millis>,
}

/// A row.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub struct LetterRow {
    /// One after the other.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub(super) items: Vec<u8>,
    #[n(1)]
    pub(super) count: u32,
    /// When it was begun, Unix ms.
    #[n(2)]
    made: Millis,
    /// Slots that have it, a bit each.
    #[n(3)]
    had_by: u8,
    /// It tells the epoch keys that there were then: [`Open::keys_digest`].
    #[n(4)]
    keys: Option<u64>,
    /// Place in the order of telling.
    #[n(5)]
    pub(super) number: u64,
    /// When a relay first had it, Unix ms.
    #[n(6)]
    stored: Option<Millis>,
    /// The turn in whose session it is told, where that is not the present one.
    #[n(7)]
    turn: Option<u32>,
}

impl LetterRow {
    fn begin(made: Millis, number: u64) -> LetterRow {
        LetterRow {
            items: Vec::new(),
            count: 0,
            made,
            had_by: 0,
            keys: None,
            number,
            stored: None,
            turn: None,
        }
    }
}

impl Letters {
    pub fn row(&self, id: &Id16) -> Option<&LetterRow> {
        self.rows.get(id)
    }

    pub fn restore(&mut self, id: Id16, row: LetterRow) {
        self.rows.insert(id, row);
    }

    pub fn rows(&self) -> impl Iterator<Item = &Id16> {
        self.rows.keys()
    }

    pub fn next_timer(&self) -> Option<Millis> {
        self.leaves_at
    }

    fn next_number(&self) -> u64 {
        self.rows.values().map(|l| l.number).max().unwrap_or(0) + 1
    }

    /// The letter that this item goes into, a new one if need be.
    fn with_room(&mut self, bytes: usize, id: Id16, made: Millis) -> (Id16, &mut LetterRow) {
        let has_room = |l: &LetterRow| {
            l.items.len() + bytes <= ITEMS_BYTES_MAX && (l.count as usize) < ITEMS_MAX
        };
        let open = self
            .open
            .filter(|id| self.rows.get(id).is_some_and(has_room));
        let (id, number) = (open.unwrap_or(id), self.next_number());
        self.open = Some(id);
        let letter = self.rows.entry(id);
        let letter = letter.or_insert_with(|| LetterRow::begin(made, number));
        (id, letter)
    }
}

impl Open {
    /// Tells our other devices at the next tick, so that the moment shows nothing of why.
    pub(super) fn tell(&mut self, cx: &mut Cx, item: &Item) {
        if self.own.session.is_none() {
            return;
        }
        let keys = matches!(item, Item::Keys(_)).then(|| self.keys_digest());
        let now = self.clock.assumed();
        for part in item.parts(cx.rng.array()) {
            let fresh = message_id(&self.me, "", &mut cx.rng);
            let before = self.own.letters.open;
            let (id, letter) = self.own.letters.with_room(part.len(), fresh, now);
            letter.items.extend_from_slice(&part);
            letter.count += 1;
            letter.keys = keys.or(letter.keys);
            cx.touch(RowKey::Letter(id));
            if let Some(full) = before.filter(|before| *before != id) {
                // It is closed by that.
                self.jobs.add(Owner::Letter(full));
            }
        }
        while self.own.letters.rows.len() > LETTERS_MAX {
            let rows = self.own.letters.rows.iter();
            let Some(id) = rows.min_by_key(|(_, l)| l.number).map(|(id, _)| *id) else {
                break;
            };
            self.end_letter(cx, &id);
        }
    }

    /// Tells devices which know no later session than that of a turn. It leaves soon, by itself.
    pub(super) fn tell_former(&mut self, cx: &mut Cx, turn: u32, item: &Item) {
        let made = self.clock.assumed();
        for items in item.parts(cx.rng.array()) {
            let id = message_id(&self.me, "", &mut cx.rng);
            let letter = LetterRow {
                items,
                count: 1,
                turn: Some(turn),
                ..LetterRow::begin(made, self.own.letters.next_number())
            };
            self.own.letters.rows.insert(id, letter);
            cx.touch(RowKey::Letter(id));
            self.jobs.add(Owner::Letter(id));
        }
    }

    /// The same, where a person did something: after a moment.
    pub(super) fn tell_soon(&mut self, cx: &mut Cx, item: &Item) {
        self.tell(cx, item);
        if self.own.letters.open.is_some() && self.own.letters.leaves_at.is_none() {
            let pause = cx.visible.exponential(GATHER_MS_MEAN).max(1);
            self.own.letters.leaves_at = Some(cx.now.mono + pause);
        }
    }

    /// The moment has come for what a person waits for.
    pub(super) fn letters_on_time(&mut self, cx: &mut Cx) {
        let due = self
            .own
            .letters
            .leaves_at
            .is_some_and(|at| at <= cx.now.mono);
        if due {
            self.close_letters();
            self.pump_jobs(cx);
        }
    }

    /// A tick: what was gathered leaves, and what is owed with it or alone.
    pub(super) fn letters_on_tick(&mut self) {
        let any = self.own.letters.open.is_some();
        self.close_letters();
        if !any && !self.own.row.owed.is_empty() {
            self.jobs.add(Owner::Ack(*self.me.as_bytes()));
        }
    }

    fn close_letters(&mut self) {
        self.own.letters.open = None;
        self.own.letters.leaves_at = None;
        self.queue_letters();
    }

    /// Letters without a parcel, in the order they were written.
    pub(super) fn queue_letters(&mut self) {
        let letters = &self.own.letters;
        let rows = letters.rows.iter();
        let closed = rows.filter(|(id, _)| letters.open != Some(**id));
        let mut missing: Vec<(u64, Owner)> = closed
            .map(|(id, letter)| (letter.number, Owner::Letter(*id)))
            .filter(|(_, owner)| !self.parcels.contains_key(owner))
            .collect();
        missing.sort_unstable();
        missing
            .into_iter()
            .for_each(|(_, owner)| self.jobs.add(owner));
    }

    /// Seals a letter, or (`None`) acknowledgements alone.
    pub(super) fn seal_own(
        &mut self,
        cx: &mut Cx,
        owner: &Owner,
        id: Option<&Id16>,
    ) -> Option<Sealed> {
        let owed = self.own.row.owed.iter().take(ACKS_MAX).map(|owed| owed.0);
        let mut draft = Draft {
            acks: owed.collect(),
            time: self.clock.assumed(),
            ..Draft::default()
        };
        match id {
            Some(id) => {
                let letter = self.own.letters.rows.get(id)?;
                draft.message_id = *id;
                draft.own = Some(letter::join(letter.count as usize, &letter.items));
            }
            None if draft.acks.is_empty() => return None,
            None => draft.message_id = message_id(&self.me, "", &mut cx.rng),
        }
        let turn = id.and_then(|id| self.own.letters.rows.get(id)?.turn);
        let keys = match turn {
            Some(turn) => self.keys_of_former(turn)?,
            None => self.keys_of_devices()?,
        };
        let certificate = self.certificate(cx)?;
        let effort = self.effort(owner, 0);
        let now = self.clock.assumed();
        let mailbox = self.profile.mailbox;
        let session = self.own.session_of(turn)?;
        session.set_mailbox(mailbox);
        let sender = sender(cx, self.me, &self.device, &certificate, effort, now);
        let sealed =
            session.seal_message(&draft, &keys, &sender, &self.epoch_keys, &mut cx.visible);
        let sealed = sealed.ok()?.sealed;
        cx.touch(RowKey::Own);
        self.expect_own();
        self.rides.insert(*owner, Ride::acks(draft.acks));
        Some(sealed)
    }

    /// What rode on a stored letter is not owed any more.
    pub(super) fn own_stored(&mut self, cx: &mut Cx, owner: &Owner) {
        let now = self.clock.assumed();
        if let Owner::Letter(id) = owner
            && let Some(letter) = self.own.letters.rows.get_mut(id)
            && letter.stored.is_none()
        {
            letter.stored = Some(now);
            cx.touch(RowKey::Letter(*id));
        }
        if let Some(ridden) = self.rides.remove(owner) {
            let owed = &mut self.own.row.owed;
            owed.retain(|owed| !ridden.acks.contains(&owed.0));
            cx.touch(RowKey::Own);
        }
    }

    pub(super) fn owe_own(&mut self, cx: &mut Cx, id: Id16) {
        let owed = &mut self.own.row.owed;
        if !owed.contains(&OwedAck(id)) && owed.len() < OWED_MAX {
            owed.push(OwedAck(id));
            cx.touch(RowKey::Own);
        }
    }

    /// The device of that slot has these letters.
    pub(super) fn letters_had(&mut self, cx: &mut Cx, slot: u8, ids: &[Id16]) {
        let bit = slot_bit(slot);
        let keys = self.keys_digest();
        for id in ids {
            let Some(letter) = self.own.letters.rows.get_mut(id) else {
                continue;
            };
            letter.had_by |= bit;
            cx.touch(RowKey::Letter(*id));
            if letter.keys == Some(keys) {
                self.has_all_keys(cx, slot);
            }
        }
        self.end_letters(cx);
    }

    /// Letters that all have, or that are so old that nobody will.
    pub(super) fn end_letters(&mut self, cx: &mut Cx) {
        let all = self.other_bits();
        let now = self.clock.assumed();
        let over = |l: &LetterRow| {
            let stored = l.stored.is_some_and(|at| at.saturating_add(KEPT_MS) <= now);
            let old = l.made.saturating_add(UNSENT_MS) <= now;
            (all != 0 && l.had_by & all == all) || stored || old
        };
        let over = self.own.letters.rows.iter().filter(|(_, l)| over(l));
        let over: Vec<Id16> = over.map(|(id, _)| *id).collect();
        for id in over {
            self.end_letter(cx, &id);
        }
    }

    fn end_letter(&mut self, cx: &mut Cx, id: &Id16) {
        self.own.letters.rows.remove(id);
        if self.own.letters.open == Some(*id) {
            self.own.letters.open = None;
        }
        cx.touch(RowKey::Letter(*id));
        let owner = Owner::Letter(*id);
        self.take_parcel(cx, &owner);
        self.drop_job(cx, &owner);
        self.remakes.remove(&owner);
    }
}
