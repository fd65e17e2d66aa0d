//! What another device of this account tells, acted on here. PROTOCOL.md section 16.
//!
//! Invariant: an item taken twice, or after another one, leads to the same as taken once; one about
//! what is not known here yet waits, and is saved before its letter is acknowledged.

use super::cx::Cx;
use super::model::*;
use super::open::Open;
use super::own::{PieceRow, WaitingRow};
use super::views;
use crate::api::Event;
use crate::letter::{self, Answered, Copy, Item, Piece, Progress};
use crate::linking::SharedContact;
use crate::session::Opened;
use crate::state::values;
use crate::state::{ContactField, Key};
use alloc::vec::Vec;
use shared::time::Millis;
use shared::wire::Header;

/// Pieces that are kept, bytes.
const PIECES_BYTES_MAX: usize = 64 << 10;
/// Items that wait, bytes.
const WAITING_BYTES_MAX: usize = 32 << 10;
/// What did not find its other half in that time is dropped.
const WAITING_MS: Millis = 7 * 86_400_000;
/// As long as relays have a message that nobody acknowledges.
const STORED_MS: Millis = 48 * 3_600_000;

impl Open {
    /// `None` if it does not open.
    pub(super) fn on_own_envelope(
        &mut self,
        cx: &mut Cx,
        at: u64,
        header: &Header,
        body: &[u8],
    ) -> Option<()> {
        let mut sessions = self.own.sessions();
        let opened = sessions.find_map(|session| {
            let slot = session.slot(&at)?;
            session.open(&slot, header, body, &self.epoch_keys).ok()
        })?;
        drop(sessions);
        self.on_own_opened(cx, opened);
        Some(())
    }

    fn on_own_opened(&mut self, cx: &mut Cx, opened: Opened) {
        cx.touch(RowKey::Own);
        self.expect_own();
        let payload = opened.payload;
        let slot = opened.slot;
        let at = payload.sealed.min(self.clock.assumed());
        if self.own.note_heard(slot, at) {
            self.show_devices(cx);
        }
        self.letters_had(cx, slot, &payload.acks);
        if let Some(own) = payload.own {
            self.owe_own(cx, payload.message_id);
            self.take_items(cx, slot, &own);
        }
    }

    pub(super) fn take_items(&mut self, cx: &mut Cx, slot: u8, bytes: &[u8]) {
        let mut entries = Vec::new();
        let mut others = Vec::new();
        for bytes in letter::split(bytes) {
            match Item::decode(bytes) {
                Ok(Some(Item::Entry(entry))) => entries.push(entry),
                Ok(Some(item)) => others.push((item, bytes.to_vec())),
                Ok(None) | Err(_) => {}
            }
        }
        // They say of whom the others speak.
        if !entries.is_empty() {
            self.merge_state(cx, entries);
        }
        let since = self.clock.assumed();
        for (item, bytes) in others {
            if !self.take_item(cx, slot, item) {
                self.own.row.waiting.push(WaitingRow { slot, since, bytes });
            }
        }
        self.take_waiting(cx);
        self.pump_jobs(cx);
    }

    /// Items that waited for something that may have come.
    fn take_waiting(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        for row in core::mem::take(&mut self.own.row.waiting) {
            let item = Item::decode(&row.bytes).ok().flatten();
            let Some(item) = item.filter(|_| row.since.saturating_add(WAITING_MS) > now) else {
                continue;
            };
            if !self.take_item(cx, row.slot, item) {
                self.own.row.waiting.push(row);
            }
        }
        let waiting = &mut self.own.row.waiting;
        let mut bytes: usize = waiting.iter().map(|row| row.bytes.len()).sum();
        while bytes > WAITING_BYTES_MAX && !waiting.is_empty() {
            bytes -= waiting.remove(0).bytes.len();
        }
    }

    /// False if it has to wait.
    fn take_item(&mut self, cx: &mut Cx, slot: u8, item: Item) -> bool {
        match item {
            Item::Entry(entry) => self.merge_state(cx, [entry].into()),
            Item::Copy(copy) => return self.take_copy(cx, slot, copy),
            Item::Session(contact) => return self.take_shared(cx, *contact),
            Item::Keys(keys) => self.take_keys(cx, slot, keys),
            Item::Certificate(issued) => {
                if issued.slot == self.profile.slot {
                    self.renew_authority(cx, &issued.certificate, issued.delegations);
                } else {
                    self.note_renewed(cx, &issued);
                }
            }
            Item::Answered(answered) => return self.take_answered(cx, answered),
            Item::Away(away) => self.on_away(cx, slot, away),
            Item::All(all) => self.on_all(cx, all),
            Item::Piece(piece) => self.take_piece(cx, slot, piece),
            Item::Kem(kem) => return self.take_kem(cx, slot, *kem),
            Item::Removed(told) => self.take_removed(cx, slot, *told),
        }
        true
    }

    fn take_piece(&mut self, cx: &mut Cx, slot: u8, piece: Piece) {
        let since = self.clock.assumed();
        let read = |row: &PieceRow| match Item::decode(&row.bytes) {
            Ok(Some(Item::Piece(other))) => Some(other),
            _ => None,
        };
        let belongs = |row: &PieceRow| {
            let other = read(row).filter(|other| (other.id, other.of) == (piece.id, piece.of));
            other.filter(|_| row.slot == slot)
        };
        let mut all: Vec<Piece> = self.own.row.pieces.iter().filter_map(belongs).collect();
        all.retain(|other| other.at != piece.at);
        all.push(piece.clone());
        all.sort_unstable_by_key(|other| other.at);
        if all.len() < usize::from(piece.of) {
            let bytes = Item::Piece(piece).encode();
            let pieces = &mut self.own.row.pieces;
            pieces.push(PieceRow { slot, since, bytes });
            pieces.retain(|row| row.since.saturating_add(WAITING_MS) > since);
            let mut bytes: usize = pieces.iter().map(|row| row.bytes.len()).sum();
            while bytes > PIECES_BYTES_MAX && !pieces.is_empty() {
                bytes -= pieces.remove(0).bytes.len();
            }
            return;
        }
        let kept = self.own.row.pieces.iter();
        let kept = kept.filter(|row| belongs(row).is_none()).cloned();
        self.own.row.pieces = kept.collect();
        let bytes: Vec<u8> = all.into_iter().flat_map(|piece| piece.bytes).collect();
        match Item::decode(&bytes) {
            // A piece is no whole.
            Ok(None | Some(Item::Piece(_))) | Err(_) => {}
            Ok(Some(item)) => {
                if !self.take_item(cx, slot, item) && bytes.len() <= WAITING_BYTES_MAX {
                    self.own.row.waiting.push(WaitingRow { slot, since, bytes });
                }
            }
        }
    }

    /// A message that another device sent, or received while this one was away.
    fn take_copy(&mut self, cx: &mut Cx, slot: u8, copy: Copy) -> bool {
        let who = copy.who;
        let Some(contact) = self.contacts.get_mut(&who) else {
            return false;
        };
        if contact.row.state != 1 {
            // Of who is blocked nothing is shown.
            return contact.row.state == 2;
        }
        if self.outgoing.contains_key(&(who, copy.id)) {
            self.take_progress(cx, slot, &copy);
            return true;
        }
        if contact.has_seen(&copy.id) {
            return true;
        }
        contact.saw(cx, copy.id);
        // Another device of ours counted as it is right: the order is taken as it is.
        contact.row.order = contact.row.order.max(copy.order);
        if !copy.mine {
            let text = crate::shown::text(&copy.text);
            let message = MessageRow::theirs(copy.id, text, copy.at);
            self.receive(cx, &who, message, copy.order);
            self.mark_as_read_elsewhere(cx, &who);
            return true;
        }
        let mut message = MessageRow::mine(copy.id, copy.text.clone(), copy.at);
        message.delivery = delivery_of(slot, &copy);
        let is_over = matches!(copy.delivery, Progress::Delivered | Progress::Stored);
        let message = self.append(cx, &who, message, Some(copy.order));
        if !is_over {
            self.outgoing.insert((who, copy.id), message.clone());
            cx.touch(RowKey::Outgoing(who, copy.id));
        }
        self.show_message(cx, &who, &message);
        self.show_contact(cx, &who);
        true
    }

    /// How far a message is that is known to be under way.
    fn take_progress(&mut self, cx: &mut Cx, slot: u8, copy: &Copy) {
        let (who, id) = (copy.who, copy.id);
        let Some(known) = self.outgoing.get(&(who, id)) else {
            return;
        };
        let is_ours = known.delivery.is_on_the_way();
        match copy.delivery {
            Progress::Delivered => self.delivered(cx, &who, &id),
            // This device sends it itself, and knows better.
            _ if is_ours => {}
            Progress::Stored => {
                self.set_delivery(cx, &who, &id, delivery_of(slot, copy));
                self.outgoing.remove(&(who, id));
                cx.touch(RowKey::Outgoing(who, id));
            }
            Progress::OnTheWay | Progress::Cancelled => {
                self.set_delivery(cx, &who, &id, delivery_of(slot, copy));
            }
        }
    }

    /// Of what was read on another device nothing is new.
    fn mark_as_read_elsewhere(&mut self, cx: &mut Cx, who: &Who) {
        let key = Key::Contact(*who, ContactField::ReadTo);
        let read = self.state.set.get(&key);
        let read = read.and_then(|value| values::read_order(value).ok());
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        if contact.row.unread > 0 && read.is_some_and(|order| order >= contact.row.order) {
            contact.row.unread = 0;
            cx.touch(RowKey::Contact(*who));
            self.show_contact(cx, who);
        }
    }

    /// Pairs that another device made, and what it knows of those there are.
    fn take_shared(&mut self, cx: &mut Cx, told: SharedContact) -> bool {
        let who = *told.who.as_bytes();
        let me = self.me;
        let Some(contact) = self.contacts.get_mut(&who) else {
            return false;
        };
        if contact.row.state != 1 {
            return contact.row.state == 2;
        }
        contact.row.met = contact.row.met.max(told.met.min(self.clock.assumed()));
        let secret = told.return_secret.as_ref().map(|rt| *rt.0.as_bytes());
        contact.row.return_secret = contact.row.return_secret.or(secret);
        let Some(shared) = told.session.clone() else {
            return true;
        };
        match (&mut contact.session, told.session(me)) {
            // What is out of bounds changes nothing.
            (Some(session), _) => drop(session.merge_shared(shared)),
            (none, session) => *none = session,
        }
        let (assumed, agreed) = (self.clock.assumed_epoch(), self.clock.agreed());
        if let Some(session) = &mut contact.session {
            session.on_epoch(assumed, agreed);
            self.own.sessions_said.insert(who, session.standing());
        }
        cx.touch(RowKey::Contact(who));
        self.refresh_expected(&who);
        self.expect_returns(&who);
        self.want_keys(cx, &who);
        self.queue_missing(Some(&who));
        self.show_contact(cx, &who);
        true
    }

    fn take_answered(&mut self, cx: &mut Cx, answered: Answered) -> bool {
        let id = answered.greeting;
        let Some(row) = self.greetings.get(&id) else {
            return false;
        };
        if !row.done {
            self.close_greeting(cx, &id, answered.how == 1);
        }
        true
    }

    /// Takes a greeting from the list, whoever answered it.
    pub(super) fn close_greeting(&mut self, cx: &mut Cx, id: &Id16, accepted: bool) {
        if let Some(row) = self.greetings.get_mut(id) {
            row.done = true;
            row.accepted = accepted;
            row.opened = Vec::new();
            row.text.clear();
            cx.touch(RowKey::Greeting(*id));
            cx.event(Event::GreetingRemoved {
                greeting: views::hex(id),
            });
        }
    }
}

fn delivery_of(slot: u8, copy: &Copy) -> DeliveryRow {
    match copy.delivery {
        Progress::OnTheWay => DeliveryRow::Elsewhere(Some(slot)),
        Progress::Delivered => DeliveryRow::Delivered(copy.time),
        Progress::Cancelled => DeliveryRow::Cancelled(true),
        Progress::Stored => DeliveryRow::Stored(1, copy.time.saturating_add(STORED_MS)),
    }
}
