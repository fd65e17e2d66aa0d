//! What contacts say of their records, and what was said to them of ours: heads, so that a relay
//! that shows old records is noticed, and read secrets that changed. PROTOCOL.md section 4.
//!
//! Invariant: nothing that is known gives way to something older. A read secret is told until its
//! receiver has acknowledged it.

use super::cx::Cx;
use super::found::Looked;
use super::limits;
use super::lookups::Whose;
use super::model::{Id16, OwedAck, RowKey, Who};
use super::open::Open;
use super::problems;
use crate::epoch_keys::ContactKeys;
use crate::record::{SLOT_EPOCH_KEYS, SLOT_PROFILE};
use crate::session::Payload;
use alloc::{collections::BTreeMap, vec::Vec};
use minicbor::{Decode, Encode};
use shared::time::Millis;

/// Times of the records of keys (s) and of the profile (ms).
pub type Heads = (u64, u64);

/// Mean and bound of the time from a head to the lookup: the relay that passed it on sees both.
const LOOK_MS_MEAN: Millis = 700;
const LOOK_MS_MAX: Millis = 2_500;
/// Pauses while only older records are found.
const AGAIN_MS_MIN: Millis = 30_000;
const AGAIN_MS_MAX: Millis = 3_600_000;
/// A contact's profile is looked up once in so long where it is found, and so many times in a row.
const FOUND_PAUSE_MS: Millis = 900_000;
const FOUND_IN_A_ROW: u64 = 4;
/// So many lookups in vain are told.
const MISSED_TOLD: u8 = 3;
/// After so many there is no asking again before another head comes.
const MISSED_MAX: u8 = 48;
/// A head so far ahead is not believed.
const AHEAD_MS_MAX: Millis = 3_600_000;
/// A read secret that was not acknowledged is told again: before the last message with it is gone.
const READ_AGAIN_MS: Millis = 44 * 3_600_000;
/// Messages that told the present one.
const READ_BY_MAX: usize = 16;
/// From a new read secret to the lookup of a profile under it.
const WRITTEN_MS: Millis = 300_000;
const KEYS_LIVE_MS: u64 = 168 * 3_600_000;

/// What both sides told each other of their records, in a contact's row.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(map)]
pub struct ToldRow {
    /// Times of their records, as they told them last.
    #[n(0)]
    keys_head: u64,
    #[n(1)]
    pub profile_head: u64,
    /// The time of our profile that they were told.
    #[n(2)]
    head_told: u64,
    /// They have not acknowledged our present read secret.
    #[n(3)]
    pub is_read_untold: bool,
    /// It has to be told by a message of its own.
    #[n(4)]
    is_read_due: bool,
    /// Messages that told it.
    #[n(5)]
    read_by: Vec<OwedAck>,
    /// When a relay last stored one of them, Unix ms.
    #[n(6)]
    read_told_at: u64,
    /// When theirs was sealed, by their clock and not later than ours.
    #[n(7)]
    pub read_at: u64,
}

impl ToldRow {
    /// Whether something of ours has to be told without waiting for a text.
    pub fn has_news(&self, head: u64) -> bool {
        self.is_read_due || self.head_told < head
    }

    /// Our read secret is another one now.
    pub fn read_changed(&mut self) {
        self.is_read_untold = true;
        self.is_read_due = true;
        self.read_by.clear();
    }

    /// Another device of ours has drawn another one, and tells it. What is written here says it,
    /// too.
    pub fn read_taken(&mut self) {
        self.is_read_untold = true;
        self.read_by.clear();
    }

    /// A message is sealed that tells it.
    pub fn rides(&mut self, id: Id16) {
        if !self.read_by.contains(&OwedAck(id)) {
            if self.read_by.len() >= READ_BY_MAX {
                self.read_by.remove(0);
            }
            self.read_by.push(OwedAck(id));
        }
    }

    /// A message is stored that tells these heads, and (`read`) the present secret.
    pub fn stored(&mut self, heads: Heads, read: bool, now: u64) {
        self.head_told = self.head_told.max(heads.1);
        if read {
            self.is_read_due = false;
            self.read_told_at = now;
        }
    }

    /// They have this message of ours.
    pub fn acknowledged(&mut self, id: &Id16) {
        if self.read_by.contains(&OwedAck(*id)) {
            self.is_read_untold = false;
            self.is_read_due = false;
            self.read_by.clear();
        }
    }
}

/// Contacts whose records are looked up because of their heads.
#[derive(Default)]
pub struct Watched(BTreeMap<Who, Watch>);

#[derive(Default)]
struct Watch {
    /// When to look (mono).
    at: Option<Millis>,
    /// When as many lookups as found something are over at their pace (mono).
    paced: Millis,
    pause: Millis,
    /// How often in a row only older ones were found: of the profile, of the keys.
    missed: u8,
    missed_keys: u8,
}

impl Watch {
    /// Not before that time (mono), whatever they say.
    fn free_at(&self) -> Millis {
        self.paced
            .saturating_sub((FOUND_IN_A_ROW - 1) * FOUND_PAUSE_MS)
    }

    fn found(&mut self, now: Millis) {
        self.paced = self.paced.max(now) + FOUND_PAUSE_MS;
    }
}

impl Watched {
    pub fn forget(&mut self, who: &Who) {
        self.0.remove(who);
    }

    pub fn next_timer(&self) -> Option<Millis> {
        self.0.values().filter_map(|watch| watch.at).min()
    }

    fn is_any_missed(&self) -> bool {
        let missed = |w: &Watch| w.missed.max(w.missed_keys) >= MISSED_TOLD;
        self.0.values().any(missed)
    }
}

impl super::shelf::Shelf {
    /// What contacts are told of our records.
    pub fn heads(&self) -> Heads {
        (self.head(SLOT_EPOCH_KEYS), self.head(SLOT_PROFILE))
    }
}

impl Open {
    /// Profiles that were told of and not found before the last start.
    pub fn begin_heads(&mut self, cx: &mut Cx) {
        let behind: Vec<Who> = self
            .contacts
            .iter()
            .filter(|(_, c)| c.row.told.profile_head > c.shown.as_ref().map_or(0, |s| s.time))
            .map(|(who, _)| *who)
            .collect();
        for who in behind {
            let soon = cx.visible.exponential(AGAIN_MS_MIN).max(1);
            self.watched.0.entry(who).or_default().at = Some(cx.now.mono + soon);
        }
    }

    /// This device was away for longer than messages live: what contacts said of their profiles may
    /// be gone, and their keys are over. They are looked up in one moment, so that few questions
    /// bring them.
    pub fn missed_heads(&mut self, cx: &mut Cx) {
        let soon = cx.now.mono + cx.visible.exponential(AGAIN_MS_MIN).max(1);
        for who in self.eager() {
            self.want_keys(cx, &who);
            let watch = self.watched.0.entry(who).or_default();
            if watch.free_at() <= cx.now.mono {
                watch.at = Some(soon);
            }
        }
    }

    /// Contacts whose records are looked up before anything waits for them: all where relays have
    /// so few that one question brings them, else those that were written with last. The others'
    /// are looked up when they write, or are written to.
    pub fn eager(&self) -> Vec<Who> {
        let active = self.active().map(|(who, c)| (c.row.changed, *who));
        let mut active: Vec<(u64, Who)> = active.collect();
        if !self.relays.all_have_few_records() {
            active.sort_unstable_by(|a, b| b.cmp(a));
            active.truncate(limits::EAGER_MAX);
        }
        active.into_iter().map(|(_, who)| who).collect()
    }

    /// Our profile is on a relay: who does not know leaves this device now, at a moment of ours.
    pub fn tell_heads(&mut self, cx: &mut Cx) {
        self.tick_at = cx.now.mono;
    }

    /// Takes what a contact says of its records.
    pub fn note_heads(&mut self, cx: &mut Cx, who: &Who, payload: &Payload) {
        let Some(heads) = payload.heads else { return };
        let soon = self.clock.assumed() + AHEAD_MS_MAX;
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        let told = &mut contact.row.told;
        if heads.0 <= soon / 1_000 {
            told.keys_head = told.keys_head.max(heads.0);
        }
        if heads.1 > soon || heads.1 <= told.profile_head {
            return;
        }
        told.profile_head = heads.1;
        cx.touch(RowKey::Contact(*who));
        if contact.shown.as_ref().is_some_and(|s| s.time >= heads.1) {
            return;
        }
        let soon = cx.visible.exponential(LOOK_MS_MEAN).clamp(1, LOOK_MS_MAX);
        let watch = self.watched.0.entry(*who).or_default();
        if watch.missed == 0 {
            watch.at = Some((cx.now.mono + soon).max(watch.free_at()));
        } else if watch.at.is_none() {
            // Not found so far: whatever they say, it goes on at its pace.
            watch.at = Some(cx.now.mono + watch.pause);
        }
    }

    /// Looks up the profiles whose time has come.
    pub fn watch_heads(&mut self, cx: &mut Cx) {
        let due = |watch: &Watch| watch.at.is_some_and(|at| at <= cx.now.mono);
        let due = self.watched.0.iter().filter(|(_, watch)| due(watch));
        let due: Vec<Who> = due.map(|(who, _)| *who).collect();
        for who in due {
            let of = Whose::Contact(who);
            let under_way = self.lookups.seeks(of, SLOT_PROFILE);
            let started = under_way || self.look_up(cx, of, SLOT_PROFILE);
            if let Some(watch) = self.watched.0.get_mut(&who) {
                // Once it is under way its end says how to go on.
                watch.at = (!started).then_some(cx.now.mono + AGAIN_MS_MIN);
            }
        }
    }

    /// Whether what was found of a contact is as new as it said.
    pub fn check_head(&mut self, cx: &mut Cx, who: &Who, slot: u16, looked: &Looked) {
        let now = self.clock.assumed();
        let Some(contact) = self.contacts.get(who) else {
            return;
        };
        let told = &contact.row.told;
        let newest = looked.texts.first().map_or(0, |read| read.age.1);
        let watch = self.watched.0.entry(*who).or_default();
        let missed = if slot == SLOT_PROFILE {
            let known = contact.shown.as_ref().map_or(0, |shown| shown.time);
            // Where it was taken back there is another read secret, which comes with a message.
            let missed = known.max(newest) < told.profile_head && !looked.taken_back;
            if !missed {
                watch.found(cx.now.mono);
                watch.pause = 0;
            } else if watch.missed < MISSED_MAX {
                watch.pause = (watch.pause * 2).clamp(AGAIN_MS_MIN, AGAIN_MS_MAX);
                watch.at = Some(cx.now.mono + watch.pause);
            }
            count(&mut watch.missed, missed, looked.reached)
        } else {
            let lives = told.keys_head.saturating_mul(1_000) + KEYS_LIVE_MS > now;
            let missed = newest < told.keys_head && lives && !looked.taken_back;
            count(&mut watch.missed_keys, missed, looked.reached)
        };
        if missed == MISSED_TOLD {
            cx.trouble(problems::record_withheld());
        } else if !self.watched.is_any_missed() {
            cx.trouble_over("record_withheld");
        }
    }

    /// Takes a contact's new read secret, if no later one is known.
    pub fn note_read(&mut self, cx: &mut Cx, who: &Who, payload: &Payload) {
        let Some(read) = payload.read else { return };
        let sealed = payload.sealed.min(self.clock.assumed());
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        if sealed <= contact.row.told.read_at {
            return;
        }
        contact.row.told.read_at = sealed;
        match &mut contact.keys {
            Some(keys) => keys.change_read(read),
            none => *none = Some(ContactKeys::new(read)),
        }
        cx.touch(RowKey::Contact(*who));
        self.lookups.retry.remove(who);
        let known = contact.shown.as_ref().map_or(0, |shown| shown.time);
        if contact.row.told.profile_head > known {
            // It is written under the new one a while after this was told.
            let soon = WRITTEN_MS + cx.visible.exponential(AGAIN_MS_MIN);
            let watch = self.watched.0.entry(*who).or_default();
            watch.at = Some(cx.now.mono + soon);
        }
    }

    /// Our read secret is told again where it was not acknowledged before the message was gone.
    pub fn remind_of_read(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        for (who, contact) in &mut self.contacts {
            let told = &mut contact.row.told;
            let over = now > told.read_told_at.saturating_add(READ_AGAIN_MS);
            if told.is_read_untold && !told.is_read_due && over {
                told.is_read_due = true;
                cx.touch(RowKey::Contact(*who));
            }
        }
    }
}

/// Counts a lookup in vain, if anybody answered it.
fn count(count: &mut u8, missed: bool, reached: bool) -> u8 {
    match (missed, reached) {
        (false, _) => *count = 0,
        (true, true) => *count = count.saturating_add(1),
        (true, false) => return 0,
    }
    *count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_told_until_it_is_acknowledged() {
        let mut told = ToldRow::default();
        assert!(!told.has_news(0));
        told.read_changed();
        assert!(told.is_read_untold && told.has_news(0));
        told.rides([1; 16]);
        told.stored((0, 0), true, 5);
        assert!(told.is_read_untold && !told.has_news(0));
        // Changed again: what told the last one says nothing of this one.
        told.read_changed();
        told.acknowledged(&[1; 16]);
        assert!(told.is_read_untold && told.has_news(0));
        for id in 0..40 {
            told.rides([id; 16]);
        }
        assert_eq!(told.read_by.len(), READ_BY_MAX);
        told.acknowledged(&[2; 16]);
        assert!(told.is_read_untold);
        told.acknowledged(&[39; 16]);
        assert!(!told.is_read_untold && !told.has_news(0) && told.read_by.is_empty());
    }

    #[test]
    fn heads_are_news_once() {
        let mut told = ToldRow::default();
        assert!(told.has_news(7));
        told.stored((0, 7), false, 5);
        assert!(!told.has_news(7) && told.has_news(8));
        told.stored((0, 3), false, 5);
        assert!(!told.has_news(7));
    }

    #[test]
    fn answers_alone_count() {
        let mut missed = 0;
        assert_eq!(count(&mut missed, true, true), 1);
        assert_eq!(count(&mut missed, true, false), 0);
        assert_eq!(count(&mut missed, true, true), 2);
        assert_eq!(count(&mut missed, false, true), 0);
        assert_eq!(missed, 0);
    }
}
