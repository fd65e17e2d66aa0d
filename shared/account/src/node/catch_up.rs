//! Catching up: a device that was away for longer than messages live asks the others for what
//! happened, and one of them tells. PROTOCOL.md section 16.
//!
//! Invariant: what is told is what any device would have told then, so all of it may be told twice.
//! An answer is bounded; of each conversation the newest messages go first into it.

use super::commands::Loading;
use super::cx::Cx;
use super::model::*;
use super::open::Open;
use crate::letter::{All, Away, Copy, Item, Progress};
use alloc::boxed::Box;
use alloc::vec::Vec;
use shared::time::Millis;

/// Who was not linked for longer may have missed something.
const AWAY_MS: Millis = 40 * 3_600_000;
/// For clocks that are apart, and for what was under way.
const BEFORE_MS: Millis = 2 * 3_600_000;
/// An answer is waited for so long before this device goes on by itself.
const ANSWER_MS: Millis = 120_000;
/// Asked again, as long as nobody has answered.
const ASK_AGAIN_MS: Millis = 44 * 3_600_000;
/// Others answer if the first one did not, after this and up to as much again, twice.
const OTHERS_MS: Millis = 30_000;
/// When it was last known that a relay is linked is noted so often.
const ONLINE_MS: Millis = 3_600_000;
/// Messages in an answer, and their bytes, divided evenly among the conversations.
const COPIES_MAX: usize = 4_096;
const COPIES_BYTES_MAX: usize = 2 << 20;
/// Messages of one conversation: fewer than the received ids that are remembered of a contact, or
/// what came directly would be taken for new.
const OF_ONE_MAX: usize = 1_024;
/// Of each the newest ones, whatever the others hold.
const OF_ONE_MIN: usize = 8;
const OF_ONE_BYTES_MIN: usize = 16 << 10;

/// What this process asked, and what it is about to answer.
#[derive(Default)]
pub struct CatchUp {
    /// When it was asked (mono).
    asked_at: Option<Millis>,
    answers: Vec<Answering>,
}

/// An answer to a device.
struct Answering {
    slot: u8,
    since: Millis,
    /// When it begins (mono).
    at: Millis,
    begun: bool,
    /// Conversations that are still to be read.
    todo: Vec<Who>,
    /// What was read of them, with when it came here.
    copies: Vec<(Millis, Copy)>,
    /// Of each conversation, and what is left of it for the present one.
    share: Share,
    left: Share,
}

#[derive(Clone, Copy, Default)]
struct Share {
    copies: usize,
    bytes: usize,
}

impl Share {
    fn of(conversations: usize) -> Share {
        let count = conversations.max(1);
        Share {
            copies: (COPIES_MAX / count).clamp(OF_ONE_MIN, OF_ONE_MAX),
            bytes: (COPIES_BYTES_MAX / count).max(OF_ONE_BYTES_MIN),
        }
    }

    /// Whether one more of that size is in it.
    fn takes(&mut self, bytes: usize) -> bool {
        let left = self
            .copies
            .checked_sub(1)
            .zip(self.bytes.checked_sub(bytes));
        if let Some((copies, bytes)) = left {
            *self = Share { copies, bytes };
        }
        left.is_some()
    }
}

impl CatchUp {
    pub fn next_timer(&self) -> Option<Millis> {
        let waiting = self.answers.iter().filter(|a| !a.begun);
        waiting.map(|answering| answering.at).min()
    }
}

impl Open {
    /// At the start: whether this device was away.
    pub(super) fn begin_catch_up(&mut self, cx: &mut Cx) {
        let row = &mut self.own.row;
        let away = self.clock.assumed().saturating_sub(row.online) > AWAY_MS;
        if self.own.session.is_some() && away && row.online > 0 && row.asks.is_none() {
            row.asks = Some(row.online);
            cx.touch(RowKey::Own);
        }
    }

    pub(super) fn is_asking(&self) -> bool {
        self.own.row.asks.is_some()
    }

    /// Whether the others were asked, or nobody can be, and none has answered in time.
    pub(super) fn asked_in_vain(&self, cx: &Cx) -> bool {
        let asked = self.own.catch_up.asked_at;
        asked.is_some_and(|at| at.saturating_add(ANSWER_MS) <= cx.now.mono)
    }

    /// Asks once a relay is there; notes that one is; begins answers whose time has come.
    pub(super) fn catch_up_on_time(&mut self, cx: &mut Cx) {
        if self.own.session.is_none() {
            return;
        }
        let linked = self.relays.in_use().next().is_some();
        if linked {
            self.begin_catch_up(cx);
            self.note_online(cx);
            self.ask(cx);
        }
        self.begin_answers(cx);
    }

    fn note_online(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        let row = &mut self.own.row;
        if now.abs_diff(row.online) >= ONLINE_MS {
            row.online = now;
            cx.touch_lazily(RowKey::Own);
        }
    }

    fn ask(&mut self, cx: &mut Cx) {
        let epoch = self.clock.assumed_epoch();
        let lacks = self.epoch_keys.secrets(epoch).next().is_none();
        let again = |at: Millis| at.saturating_add(ASK_AGAIN_MS) <= cx.now.mono;
        let due = self.own.catch_up.asked_at.is_none_or(again);
        let since = match self.own.row.asks {
            Some(since) => since,
            None if lacks => self.own.row.online,
            None => return,
        };
        if due && !self.other_devices().is_empty() {
            self.own.catch_up.asked_at = Some(cx.now.mono);
            self.own.row.asks = Some(since);
            cx.touch(RowKey::Own);
            self.tell_soon(cx, &Item::Away(Away { since }));
        }
    }

    /// Another device asks.
    pub(super) fn on_away(&mut self, cx: &mut Cx, slot: u8, away: Away) {
        let since = away.since;
        let answers = &mut self.own.catch_up.answers;
        if answers.iter().any(|a| a.slot == slot && a.since <= since) {
            return;
        }
        answers.retain(|answering| answering.slot != slot);
        let at = match self.is_first_but(Some(slot)) {
            // At the next tick: leaving at once would tell what it answers.
            true => self.tick_at,
            false => cx.now.mono + OTHERS_MS + cx.visible.below(2 * OTHERS_MS),
        };
        self.own.catch_up.answers.push(Answering {
            slot,
            since,
            at,
            begun: false,
            todo: Vec::new(),
            copies: Vec::new(),
            share: Share::default(),
            left: Share::default(),
        });
    }

    /// That was all for somebody.
    pub(super) fn on_all(&mut self, cx: &mut Cx, all: All) {
        if all.slot == self.profile.slot {
            if self.own.row.asks.is_some_and(|since| since >= all.since) {
                self.own.row.asks = None;
                self.own.row.online = self.clock.assumed();
                self.house_at = cx.now.mono;
                cx.touch(RowKey::Own);
            }
            return;
        }
        let answered = |a: &Answering| !a.begun && a.slot == all.slot && a.since >= all.since;
        self.own.catch_up.answers.retain(|a| !answered(a));
    }

    fn begin_answers(&mut self, cx: &mut Cx) {
        let due = |a: &Answering| !a.begun && a.at <= cx.now.mono;
        let Some(at) = self.own.catch_up.answers.iter().position(due) else {
            return;
        };
        let from = self.from(&self.own.catch_up.answers[at]);
        // Who was away may lack the opener of the chain that is sent on.
        if let Some(session) = &mut self.own.session {
            session.end_chain();
        }
        self.tell(cx, &Item::Keys(self.epoch_keys.clone()));
        let newer = self.state.set.iter().filter(|e| e.stamp.time >= from);
        let newer: Vec<_> = newer.cloned().collect();
        for entry in newer {
            self.tell(cx, &Item::Entry(entry));
        }
        let active: Vec<Who> = self.active().map(|(who, _)| *who).collect();
        for who in &active {
            if let Some(contact) = self.shared_contact(who) {
                self.tell(cx, &Item::Session(Box::new(contact)));
            }
        }
        let changed = self.active().filter(|(_, c)| c.row.changed >= from);
        let changed: Vec<Who> = changed.map(|(who, _)| *who).collect();
        let answering = &mut self.own.catch_up.answers[at];
        // What is busy leaves room for what is not.
        answering.share = Share::of(changed.len());
        (answering.begun, answering.todo) = (true, changed);
        let slot = answering.slot;
        self.read_on(cx, slot);
    }

    /// From when on somebody is told what happened: not from before it was there, as what it gets
    /// of that was for the person to choose who linked it.
    fn from(&self, answering: &Answering) -> Millis {
        let met = self.own.met(answering.slot).unwrap_or(Millis::MAX);
        answering.since.max(met).saturating_sub(BEFORE_MS)
    }

    /// Reads the next conversation, or tells what was read.
    fn read_on(&mut self, cx: &mut Cx, slot: u8) {
        let answers = &mut self.own.catch_up.answers;
        let Some(at) = answers.iter().position(|a| a.slot == slot && a.begun) else {
            return;
        };
        if let Some(who) = answers[at].todo.pop() {
            answers[at].left = answers[at].share;
            let end = self.contacts.get(&who).map_or(0, |c| c.row.next_index);
            return self.load_to_tell(cx, slot, who, end);
        }
        let mut answering = answers.remove(at);
        answering.copies.sort_by_key(|(arrived, _)| *arrived);
        for (_, copy) in answering.copies {
            self.tell(cx, &Item::Copy(copy));
        }
        let since = answering.since;
        self.tell(cx, &Item::All(All { since, slot }));
        self.letters_on_tick();
        self.pump_jobs(cx);
    }

    /// A page of a conversation was loaded, the newest ones first.
    pub(super) fn on_loaded_to_tell(
        &mut self,
        cx: &mut Cx,
        (slot, who, first): (u8, Who, u64),
        found: &[MessageRow],
    ) {
        let now = self.clock.assumed();
        let mut answers = self.own.catch_up.answers.iter();
        let Some(at) = answers.position(|a| a.slot == slot && a.begun) else {
            return;
        };
        let from = self.from(&self.own.catch_up.answers[at]);
        let answering = &mut self.own.catch_up.answers[at];
        let mut is_newer = !found.is_empty();
        for message in found.iter().rev() {
            if message.arrived < from {
                is_newer = false;
                break;
            }
            if message.notice.is_some() {
                continue;
            }
            if !answering.left.takes(message.text.len() + 128) {
                is_newer = false;
                break;
            }
            let mut copy = copy_of(&who, message, now);
            let is_over = !self.outgoing.contains_key(&(who, message.id));
            if is_over && matches!(message.delivery, DeliveryRow::Stored(..)) {
                copy.delivery = Progress::Stored;
            }
            answering.copies.push((message.arrived, copy));
        }
        match is_newer && first > self.floor(&who) {
            true => self.load_to_tell(cx, slot, who, first),
            false => self.read_on(cx, slot),
        }
    }

    /// A page could not be read: nobody is told by this device.
    pub(super) fn end_answer(&mut self, slot: u8) {
        self.own.catch_up.answers.retain(|a| a.slot != slot);
    }

    fn load_to_tell(&mut self, cx: &mut Cx, slot: u8, who: Who, end: u64) {
        let first = self.page_before(&who, end, super::limits::HISTORY_MAX);
        let token = self.load_messages(cx, &who, first, end);
        let loading = Loading::ToTell { slot, who, first };
        self.loads.insert(token, loading);
    }
}

fn copy_of(who: &Who, message: &MessageRow, now: Millis) -> Copy {
    let (delivery, time) = match message.delivery {
        DeliveryRow::Delivered(at) => (Progress::Delivered, at),
        DeliveryRow::Cancelled(_) => (Progress::Cancelled, now),
        _ => (Progress::OnTheWay, now),
    };
    message.copy(who, time, delivery)
}
