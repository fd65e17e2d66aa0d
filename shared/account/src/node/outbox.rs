//! From a written text to the contact's acknowledgement. PROTOCOL.md section 7.
//!
//! Invariant: a message's shown state never says more than is known: `Stored` counts verified
//! receipts, `Delivered` means the contact's device signed for it.

use super::cx::Cx;
use super::jobs::{keep_receipt, keeps_parcel};
use super::model::*;
use super::open::Open;
use super::relay::{Relay, Stage};
use super::relays::NodeKey;
use super::shelf::stored_lately_ms;
use super::{limits, problems, views};
use crate::api::{Answer, Problem};
use crate::session::message_id;
use crate::shown;
use alloc::{
    boxed::Box,
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};
use shared::io::Output;
use shared::link::ReqId;
use shared::time;
use shared::wire::{Receipt, Refused, SizeClass};

/// What is being put on a relay's link.
#[derive(Default)]
pub struct Puts {
    pub(super) under_way: BTreeMap<ReqId, Owner>,
    /// What it has, or does not take.
    pub done: BTreeSet<Owner>,
    /// No puts before that time (mono): the relay asked for a pause.
    paused_until: u64,
    /// The relay had no room for the last one.
    no_room: bool,
}

impl Open {
    /// Takes a text to be sent.
    pub fn send(
        &mut self,
        cx: &mut Cx,
        request: u64,
        who: Who,
        text: String,
    ) -> Result<(), Problem> {
        if text.trim().is_empty() {
            return Err(problems::text_empty());
        }
        if text.len() > shown::TEXT_BYTES_MAX {
            return Err(problems::text_too_long());
        }
        let mine = self.outgoing.range((who, [0; 16])..=(who, [0xff; 16]));
        let on_the_way = mine.filter(|(_, m)| m.delivery.is_on_the_way()).count();
        let contact = self
            .contacts
            .get(&who)
            .ok_or_else(problems::contact_unknown)?;
        if contact.row.state == 2 {
            return Err(problems::contact_blocked());
        }
        if on_the_way >= limits::OUTGOING_MAX {
            return Err(problems::outbox_full());
        }
        let id = message_id(&self.me, &text, &mut cx.rng);
        let message = MessageRow::mine(id, text, cx.now.unix);
        let message = self.append(cx, &who, message, None);
        self.outgoing.insert((who, id), message.clone());
        cx.touch(RowKey::Outgoing(who, id));
        self.tell_sent(cx, &who, &message);
        self.jobs.add(Owner::Message(who, id));
        self.want_keys(cx, &who);
        let waits_for = self.message_waits_for(&who, &id);
        let view = views::message(&who, &message, waits_for);
        cx.done(
            request,
            Some(Answer::Message {
                message: Box::new(view),
            }),
        );
        self.show_message(cx, &who, &message);
        self.show_contact(cx, &who);
        self.pump_jobs(cx);
        Ok(())
    }

    /// Writes a message at the end of a conversation; `order` is the one a contact gave it.
    pub fn append(
        &mut self,
        cx: &mut Cx,
        who: &Who,
        mut message: MessageRow,
        order: Option<u64>,
    ) -> MessageRow {
        if let Some(contact) = self.contacts.get_mut(who) {
            let row = &mut contact.row;
            // A contact may not push the order so far that ours could not follow.
            message.order = match order {
                Some(theirs) => theirs.min(row.order.saturating_add(limits::ORDER_STEP_MAX)),
                None => row.order + 1,
            };
            row.order = row.order.max(message.order);
            message.arrived = cx.now.unix;
            message.index = row.next_index;
            row.next_index += 1;
            row.changed = cx.now.unix;
            row.last = Some(message.clone());
        }
        cx.touch(RowKey::Contact(*who));
        cx.write(
            RowKey::Message(*who, message.index),
            minicbor::to_vec(&message).ok(),
        );
        message
    }

    /// Puts every parcel on every open link, the oldest first, a few at a time.
    pub fn pump_puts(&mut self, cx: &mut Cx) {
        let mut order: Vec<(u64, Owner)> = self
            .parcels
            .iter()
            .map(|(owner, parcel)| (parcel.sequence, *owner))
            .collect();
        order.sort_unstable();
        for (key, relay) in self.relays.values_mut().filter(|(_, r)| !r.is_guest()) {
            let Stage::Open {
                link,
                client,
                welcome,
                ..
            } = &mut relay.stage
            else {
                continue;
            };
            let puts = self.puts.entry(*key).or_default();
            if puts.paused_until > cx.now.mono {
                continue;
            }
            for (_, owner) in &order {
                if puts.under_way.len() >= limits::PUTS_UNDER_WAY_MAX {
                    break;
                }
                if puts.done.contains(owner) || puts.under_way.values().any(|o| o == owner) {
                    continue;
                }
                let Some(parcel) = self.parcels.get(owner) else {
                    continue;
                };
                let Some(header) = parcel.header() else {
                    continue;
                };
                // Stored a moment ago, before the link broke. What is older is put again, in case
                // the relay has lost it.
                let lately = welcome.time.saturating_sub(stored_lately_ms(owner));
                if parcel
                    .stored
                    .iter()
                    .any(|s| s.relay == *key && s.at > lately)
                {
                    puts.done.insert(*owner);
                    continue;
                }
                let Some((request, frame)) = client.put(cx.now, &header, &parcel.body) else {
                    break;
                };
                puts.under_way.insert(request, *owner);
                cx.after(Output::Send {
                    link: *link,
                    bytes: frame,
                });
            }
        }
    }

    /// A relay's verified receipt.
    pub fn on_stored(
        &mut self,
        cx: &mut Cx,
        (key, by): (NodeKey, NodeKey),
        request: ReqId,
        receipt: &Receipt<'_>,
    ) {
        let Some(puts) = self.puts.get_mut(&key) else {
            return;
        };
        let Some(owner) = puts.under_way.remove(&request) else {
            return;
        };
        let Some(parcel) = self.parcels.get_mut(&owner) else {
            return self.pump_puts(cx);
        };
        if parcel
            .header()
            .is_none_or(|header| header.id() != receipt.id)
        {
            // Made anew while this put was under way.
            return self.pump_puts(cx);
        }
        puts.done.insert(owner);
        puts.no_room = false;
        parcel.stored.retain(|stored| stored.relay != key);
        // One that lost what it had signed for counts no more.
        let broken = self.relays.get_mut(&key).is_some_and(|r| r.is_broken());
        if !broken {
            parcel.stored.push(StoredAt {
                relay: key,
                by,
                at: receipt.time,
                proof: receipt.proof(),
            });
        }
        keep_receipt(cx, owner);
        self.show_stored(cx, &owner);
        match owner {
            Owner::Message(who, id) => {
                self.acks_stored(cx, &owner, &who);
                // Where nobody acknowledges, nothing more will ever be known.
                if self.is_silent(&who) && self.all_have(&owner) {
                    self.tell_stored(cx, &who, &id);
                    self.finish(cx, &owner, &who, &id);
                }
            }
            Owner::Ack(who) => {
                self.acks_stored(cx, &owner, &who);
                if self.all_have(&owner) {
                    self.drop_parcel(cx, &owner);
                }
            }
            Owner::Invite(invite) => self.on_invite_stored(cx, &invite),
            Owner::Record(slot) => self.on_record_stored(cx, slot),
            Owner::TakenBack(_) => self.forget_taken_back(cx),
            Owner::Letter(_) => self.own_stored(cx, &owner),
            Owner::Acceptance(_) | Owner::Greeting(_) | Owner::Return(_) => {}
        }
        self.pump_puts(cx);
    }

    /// A relay refused a put. False if the request was not a put.
    pub fn on_put_refused(
        &mut self,
        cx: &mut Cx,
        key: NodeKey,
        request: ReqId,
        why: Option<Refused>,
        detail: u32,
    ) -> bool {
        let Some(puts) = self.puts.get_mut(&key) else {
            return false;
        };
        let Some(owner) = puts.under_way.remove(&request) else {
            return false;
        };
        let parcel = self.parcels.get(&owner);
        let effort = parcel.and_then(ParcelRow::header).map(|h| h.front.effort);
        // What a relay asks that was only named is no reason to do the work again.
        let trusted = self.relays.trusted().any(|(other, _)| *other == key);
        let more = |detail: u32| {
            detail <= limits::EFFORT_ASKED_MAX.into() && effort.is_some_and(|e| detail > e.into())
        };
        match why {
            Some(Refused::TooLittleWork) if trusted && more(detail) => {
                self.jobs.effort.insert(owner, detail as u8);
                // What is sealed next begins with it.
                if let Some(relay) = self.relays.get_mut(&key) {
                    relay.effort_floor = detail as u8;
                }
                self.make_again(cx, key, &owner, why);
            }
            Some(Refused::Expired | Refused::OldRecord) if trusted => {
                self.make_again(cx, key, &owner, why)
            }
            Some(
                Refused::OverQuota
                | Refused::StoreFull
                | Refused::StoreFailed
                | Refused::TooManyRequests,
            ) => {
                let pause = u64::from(detail.clamp(2, 300)) * 1_000;
                puts.paused_until = cx.now.mono + pause;
                puts.no_room = true;
                self.show_owner(cx, &owner);
            }
            _ => self.refuse(cx, key, &owner, why),
        }
        true
    }

    /// Sealed anew, with the date, work or version that the relay asks for; a few times.
    fn make_again(&mut self, cx: &mut Cx, key: NodeKey, owner: &Owner, why: Option<Refused>) {
        // What another relay has stored is not too old, nor are its efforts too small: this one's
        // clock is wrong, or it wants to keep us busy.
        let stored = self
            .parcels
            .get(owner)
            .is_some_and(|p| !p.stored.is_empty());
        if stored && why != Some(Refused::OldRecord) {
            return self.refuse(cx, key, owner, why);
        }
        let remakes = self.remakes.entry(*owner).or_insert(0);
        *remakes += 1;
        if *remakes > limits::REMAKES_MAX {
            return self.refuse(cx, key, owner, why);
        }
        self.drop_parcel(cx, owner);
        if !self.reads_first(cx, owner) {
            self.jobs.add(*owner);
        }
        self.pump_jobs(cx);
        self.ask_time_if_set(cx, key, owner, why);
    }

    /// This relay does not take it. That is told only when no relay is left that may.
    fn refuse(&mut self, cx: &mut Cx, key: NodeKey, owner: &Owner, why: Option<Refused>) {
        self.puts.entry(key).or_default().done.insert(*owner);
        let said = |key: &NodeKey| self.puts.get(key).is_some_and(|p| p.done.contains(owner));
        let stored = self
            .parcels
            .get(owner)
            .is_some_and(|p| !p.stored.is_empty());
        // One that cannot be reached for long is not waited for.
        let given_up = |(key, relay): (&NodeKey, &Relay)| said(key) || !relay.is_hoped_for();
        let last = self.relays.kept().all(given_up);
        if stored || !last {
            return;
        }
        let code = why.map_or(0, |why| why as u8);
        let refused = DeliveryRow::Refused(code);
        match *owner {
            Owner::Message(who, id) => {
                self.drop_parcel(cx, owner);
                self.set_delivery(cx, &who, &id, refused);
            }
            Owner::Greeting(who) => {
                if let Some(id) = self.contacts.get(&who).and_then(|c| c.row.handshake) {
                    self.set_delivery(cx, &who, &id, refused);
                }
            }
            // What is owed is sealed again at the next tick.
            Owner::Ack(_) | Owner::Letter(_) => {
                self.drop_parcel(cx, owner);
                self.remakes.remove(owner);
            }
            _ => cx.trouble(problems::relay_refused(code)),
        }
    }

    /// A link is gone: what was under way on it is put again on the next one.
    pub fn puts_link_down(&mut self, key: &NodeKey) {
        self.puts.remove(key);
    }

    /// Removes a parcel everywhere.
    pub fn drop_parcel(&mut self, cx: &mut Cx, owner: &Owner) {
        match self.take_parcel(cx, owner) {
            Some(parcel) if parcel.stored.is_empty() => {
                self.never_left(cx, owner, parcel.body.len(), parcel.sequence);
            }
            Some(parcel) => self.left_behind(owner, &parcel),
            None => {}
        }
    }

    /// The same for what has arrived.
    pub(super) fn take_parcel(&mut self, cx: &mut Cx, owner: &Owner) -> Option<ParcelRow> {
        self.forget_puts(owner);
        let parcel = self.parcels.remove(owner)?;
        if keeps_parcel(owner) {
            cx.touch(RowKey::Parcel(*owner));
        }
        Some(parcel)
    }

    /// False if relays are linked and none of them has room.
    pub fn has_room(&self) -> bool {
        let full = |key: &NodeKey| self.puts.get(key).is_some_and(|p| p.no_room);
        let mut linked = self.relays.in_use().peekable();
        linked.peek().is_none() || !linked.all(|(key, _)| full(key))
    }

    /// Whether every relay that is linked has this owner's object, or does not want it.
    pub fn all_have(&self, owner: &Owner) -> bool {
        let has = |key: &NodeKey| self.puts.get(key).is_some_and(|p| p.done.contains(owner));
        self.relays.in_use().all(|(key, _)| has(key))
    }

    /// An object that may have begun a chain is not put any more, and some relay lacks it: who
    /// reads there could open nothing on that chain, so the next message begins another.
    fn left_behind(&mut self, owner: &Owner, parcel: &ParcelRow) {
        let Some(who) = self.with_whom(owner) else {
            return;
        };
        let has = |key: &NodeKey| parcel.stored.iter().any(|s| s.relay == *key);
        if parcel.body.len() != SizeClass::KIB_4.bytes() || self.relays.kept().all(|(k, _)| has(k))
        {
            return;
        }
        self.end_chain_with(&who);
    }

    /// With whose session the owner's object is sealed: a contact, or this account itself.
    fn with_whom(&self, owner: &Owner) -> Option<Who> {
        match *owner {
            Owner::Message(who, _) | Owner::Ack(who) => Some(who),
            Owner::Letter(_) => Some(*self.me.as_bytes()),
            _ => None,
        }
    }

    fn end_chain_with(&mut self, who: &Who) {
        let session = match who == self.me.as_bytes() {
            true => self.own.session.as_mut(),
            false => self.contacts.get_mut(who).and_then(|c| c.session.as_mut()),
        };
        if let Some(session) = session {
            session.end_chain();
        }
    }

    fn forget_puts(&mut self, owner: &Owner) {
        for puts in self.puts.values_mut() {
            puts.done.remove(owner);
            puts.under_way.retain(|_, under_way| under_way != owner);
        }
    }

    /// Takes an owner out of the queue and stops its puzzle.
    pub fn drop_job(&mut self, cx: &mut Cx, owner: &Owner) {
        let stopped = self.jobs.under_way().filter(|(of, _)| of == owner);
        self.jobs.remove(cx, owner);
        if let Some((_, bytes)) = stopped {
            self.never_left(cx, owner, bytes, u64::MAX);
        }
    }

    /// An object that may have begun a chain goes nowhere: nobody could open what was sealed on
    /// that chain after it, so that is sealed anew on another.
    fn never_left(&mut self, cx: &mut Cx, owner: &Owner, bytes: usize, sequence: u64) {
        let Some(who) = self.with_whom(owner) else {
            return;
        };
        if bytes != SizeClass::KIB_4.bytes() {
            return;
        }
        self.end_chain_with(&who);
        let same = |o: &Owner| self.with_whom(o) == Some(who);
        let later = self.parcels.iter();
        let later = later.filter(|(o, parcel)| same(o) && parcel.sequence > sequence);
        let mut again: Vec<(u64, Owner)> = later.map(|(o, p)| (p.sequence, *o)).collect();
        again.sort_unstable();
        if let Some((solving, _)) = self.jobs.under_way().filter(|(o, _)| same(o)) {
            self.jobs.remove(cx, &solving);
            again.push((u64::MAX, solving));
        }
        for (_, owner) in again {
            self.parcels.remove(&owner);
            cx.touch(RowKey::Parcel(owner));
            self.forget_puts(&owner);
            if let Owner::Message(who, id) = owner {
                self.set_delivery(cx, &who, &id, DeliveryRow::Queued);
            }
            self.jobs.add(owner);
        }
    }

    /// Notes and shows how far an outgoing message is.
    pub fn set_delivery(&mut self, cx: &mut Cx, who: &Who, id: &Id16, delivery: DeliveryRow) {
        let Some(message) = self.outgoing.get_mut(&(*who, *id)) else {
            return;
        };
        if message.delivery == delivery {
            return;
        }
        message.was_stored |= matches!(delivery, DeliveryRow::Stored(..));
        let before = core::mem::replace(&mut message.delivery, delivery);
        let message = message.clone();
        self.tell_progress(cx, who, id, &before);
        cx.write(
            RowKey::Message(*who, message.index),
            minicbor::to_vec(&message).ok(),
        );
        cx.touch(RowKey::Outgoing(*who, *id));
        self.show_message(cx, who, &message);
        if let Some(contact) = self.contacts.get_mut(who)
            && contact.row.last.as_ref().is_some_and(|last| last.id == *id)
        {
            contact.row.last = Some(message);
            cx.touch(RowKey::Contact(*who));
            self.show_contact(cx, who);
        }
    }

    /// The contact has these messages.
    pub fn on_acknowledged(&mut self, cx: &mut Cx, who: &Who, ids: &[Id16]) {
        for id in ids {
            let Some(contact) = self.contacts.get_mut(who) else {
                return;
            };
            contact.row.told.acknowledged(id);
            match &contact.acceptance {
                Some(acceptance) if acceptance.message_id == *id => self.end_acceptance(cx, who),
                _ => self.delivered(cx, who, id),
            }
        }
    }

    /// Our answer to their greeting has arrived.
    pub fn end_acceptance(&mut self, cx: &mut Cx, who: &Who) {
        let contact = self.contacts.get_mut(who);
        if contact.and_then(|c| c.acceptance.take()).is_some() {
            cx.touch(RowKey::Contact(*who));
            self.drop_parcel(cx, &Owner::Acceptance(*who));
            self.drop_job(cx, &Owner::Acceptance(*who));
        }
    }

    /// A message of ours has arrived.
    pub fn delivered(&mut self, cx: &mut Cx, who: &Who, id: &Id16) {
        let owner = Owner::Message(*who, *id);
        self.set_delivery(cx, who, id, DeliveryRow::Delivered(cx.now.unix));
        self.take_parcel(cx, &owner);
        self.finish(cx, &owner, who, id);
    }

    /// Nothing more is done for a message.
    fn finish(&mut self, cx: &mut Cx, owner: &Owner, who: &Who, id: &Id16) {
        self.outgoing.remove(&(*who, *id));
        cx.touch(RowKey::Outgoing(*who, *id));
        self.drop_parcel(cx, owner);
        self.drop_job(cx, owner);
        self.remakes.remove(owner);
    }

    /// Whether acknowledgements are off between us and a contact, by whichever side.
    fn is_silent(&self, who: &Who) -> bool {
        let contact = self.contacts.get(who);
        contact.is_some_and(|c| !c.row.acknowledge || c.row.wants_no_acks)
    }

    /// Parcels at the end of their life are made anew; those of no more use go.
    pub fn expire_parcels(&mut self, cx: &mut Cx) {
        let hour = time::hour(self.clock.assumed());
        let over: Vec<Owner> = self
            .parcels
            .iter()
            .filter(|(_, parcel)| parcel.header().is_none_or(|h| h.front.expiry <= hour))
            .map(|(owner, _)| *owner)
            .collect();
        for owner in over {
            self.drop_parcel(cx, &owner);
            match owner {
                Owner::Message(who, id) => {
                    self.set_delivery(cx, &who, &id, DeliveryRow::Queued);
                    self.want_keys(cx, &who);
                    self.jobs.add(owner);
                }
                Owner::Greeting(_) | Owner::Acceptance(_) | Owner::Return(_) | Owner::Letter(_) => {
                    self.jobs.add(owner)
                }
                _ => {}
            }
        }
    }
}
