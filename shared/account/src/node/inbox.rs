//! Opening what came, and what it changes. PROTOCOL.md sections 5 to 7.
//!
//! Invariant: an object that does not open changes nothing; one that opens is saved before it is
//! acknowledged.

use super::cx::Cx;
use super::model::*;
use super::open::{Expected, Open};
use super::{commands, limits, views};
use crate::acceptance::Accepted;
use crate::api::Event;
use crate::greeting::{self, Greeting, PendingGreeting};
use crate::record::SLOT_PROFILE;
use crate::sealed::locator;
use crate::session::{Opened, Payload, message_id};
use crate::shown;
use alloc::vec::Vec;
use shared::wire::Header;

impl Open {
    /// An envelope, expected or not. True if it was opened.
    pub fn on_envelope(&mut self, cx: &mut Cx, header: Header, body: Vec<u8>) -> bool {
        let at = locator(&header.tag);
        let Some(expected) = self.expected.get(&at) else {
            return false;
        };
        self.carry.opened(&header);
        let opened = match expected {
            Expected::Greeting { invite, j } => self.on_greeting(cx, &invite, j, &header, &body),
            Expected::Acceptance { who, n } => self.on_acceptance(cx, &who, n, &header, &body),
            Expected::Return { who } => self.on_return(cx, &who, at, &header, &body),
            Expected::ReturnAccepted { who, n } => {
                self.on_return_accepted(cx, &who, n, &header, &body)
            }
            Expected::Own => self.on_own_envelope(cx, at, &header, &body),
            Expected::Session { who } => {
                let session = self.contacts.get_mut(&who).and_then(|c| c.session.as_mut());
                let opened = session.and_then(|session| {
                    let slot = session.slot(&at)?;
                    let opened = session.open(&slot, &header, &body, &self.epoch_keys);
                    opened.ok()
                });
                opened.map(|opened| {
                    self.on_opened(cx, &who, opened);
                })
            }
        };
        if opened.is_none() {
            // A changed copy, perhaps: the right one still has to be fetched where it is.
            self.sync.let_go(&header);
        }
        opened.is_some()
    }

    fn on_opened(&mut self, cx: &mut Cx, who: &Who, opened: Opened) {
        cx.touch(RowKey::Contact(*who));
        self.refresh_expected(who);
        if opened.is_lost {
            return self.on_opened_lost(cx, who, opened.payload);
        }
        if !opened.payload.acks.is_empty() {
            self.end_handshake(who);
            self.end_return(who);
        }
        if opened.is_current {
            // They have a pair of ours: our acceptance has arrived, or is needed no more.
            self.end_acceptance(cx, who);
        }
        if opened.device_changed {
            self.tell_device_changed(cx, who);
        }
        let payload = opened.payload;
        for _ in &opened.removed {
            self.tell_notice(cx, who, NoticeRow::DeviceRemoved);
        }
        if !opened.removed.is_empty() {
            self.believe_anew(who, &payload);
        }
        if let Some(contact) = self
            .contacts
            .get_mut(who)
            .filter(|_| payload.fresh.is_some() || payload.read.is_some())
        {
            contact.owe_anyway(payload.message_id);
        }
        self.note_time(cx, payload.sealed);
        self.note_read(cx, who, &payload);
        self.note_heads(cx, who, &payload);
        self.note_contact(cx, who, &payload);
        self.on_acknowledged(cx, who, &payload.acks);
        let id = payload.message_id;
        self.on_text(cx, who, payload);
        self.tell_received(cx, who, opened.chain, &id);
    }

    /// The text of a message, if it has one.
    pub fn on_text(&mut self, cx: &mut Cx, who: &Who, payload: Payload) {
        let Some(text) = payload.text else { return };
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        let blocked = contact.row.state == 2;
        let id = payload.message_id;
        if !contact.has_seen(&id) && !blocked {
            contact.saw(cx, id);
            let message = MessageRow::theirs(id, shown::text(&text), payload.time);
            self.receive(cx, who, message, payload.order);
        }
        self.owe(cx, who, id);
    }

    /// They know that we have a pair of theirs: they will not answer our greeting again.
    pub fn end_handshake(&mut self, who: &Who) {
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        let done = |g: &mut PendingGreeting| contact.row.handshake != Some(g.message_id);
        if let Some(greeting) = contact.greeting.take_if(done) {
            for (locator, _) in greeting.locators() {
                self.expected.remove(&locator);
            }
        }
    }

    /// A new text of a contact.
    pub fn receive(&mut self, cx: &mut Cx, who: &Who, message: MessageRow, order: u64) {
        self.show_new(cx, who, message, Some(order));
    }

    /// Tells in the conversation that they have another device than before.
    pub fn tell_device_changed(&mut self, cx: &mut Cx, who: &Who) {
        self.tell_notice(cx, who, NoticeRow::DeviceChanged);
    }

    /// Tells something in the conversation that nobody wrote.
    pub fn tell_notice(&mut self, cx: &mut Cx, who: &Who, notice: NoticeRow) {
        if self.contacts.get(who).is_none_or(|c| c.row.state == 2) {
            return;
        }
        let id = message_id(&self.me, "", &mut cx.rng);
        let notice = MessageRow::notice(id, notice, self.clock.assumed());
        self.show_new(cx, who, notice, None);
    }

    fn show_new(&mut self, cx: &mut Cx, who: &Who, message: MessageRow, order: Option<u64>) {
        let message = self.append(cx, who, message, order);
        if let Some(contact) = self.contacts.get_mut(who) {
            contact.row.unread = contact.row.unread.saturating_add(1);
        }
        self.show_message(cx, who, &message);
        self.show_contact(cx, who);
    }

    /// A device of theirs that is gone may have told anything: what this message says counts.
    fn believe_anew(&mut self, who: &Who, payload: &Payload) {
        let epoch = self.clock.assumed_epoch();
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        contact.row.told_at = 0;
        contact.row.told.read_at = 0;
        if let (Some(keys), Some(notice)) = (&mut contact.keys, &payload.keys) {
            keys.begin_anew(notice, payload.sealed, epoch);
        }
    }

    /// Names, mailboxes, keys and wishes that came with a message.
    fn note_contact(&mut self, cx: &mut Cx, who: &Who, payload: &Payload) {
        if let Some(recovery) = payload.recovery {
            self.note_recovery(who, recovery);
        }
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        // What was sealed before what we know is older than that, whenever it comes.
        if payload.sealed < contact.row.told_at {
            return self.note_keys(who, payload);
        }
        contact.row.told_at = payload.sealed;
        let mut changed = contact.row.wants_no_acks != payload.no_acks;
        if let Some(name) = payload
            .name
            .as_deref()
            .and_then(|n| commands::clean_name(n).ok())
            && contact.row.name != name
        {
            contact.row.name = name;
            changed = true;
        }
        contact.row.wants_no_acks = payload.no_acks;
        if payload.no_acks {
            contact.row.owed.clear();
        }
        if changed {
            self.show_contact(cx, who);
        }
        self.note_keys(who, payload);
    }

    fn note_keys(&mut self, who: &Who, payload: &Payload) {
        let epoch = self.clock.assumed_epoch();
        let keys = self.contacts.get_mut(who).and_then(|c| c.keys.as_mut());
        if let (Some(keys), Some(notice)) = (keys, &payload.keys) {
            keys.learn(notice, payload.sealed, epoch);
        }
    }

    /// Authenticated time of a contact.
    pub fn note_time(&mut self, cx: &mut Cx, time: u64) {
        if self.clock.on_contact(time) {
            cx.touch(RowKey::Clock);
        }
    }

    /// Notes that an acknowledgement is owed. It leaves with the next message, or at the next tick.
    pub fn owe(&mut self, cx: &mut Cx, who: &Who, id: Id16) {
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        if !contact.row.acknowledge || contact.row.wants_no_acks || contact.row.state != 1 {
            return;
        }
        if !contact.row.owed.contains(&OwedAck(id)) && contact.row.owed.len() < limits::OWED_MAX {
            contact.row.owed.push(OwedAck(id));
            cx.touch(RowKey::Contact(*who));
        }
    }

    /// A tick: what follows from something that came leaves now, so that the moment does not tell
    /// what it was an answer to.
    pub fn on_tick(&mut self, cx: &mut Cx) {
        let fast = cx.now.mono < self.fast_until;
        let mean = if fast {
            limits::FAST_TICK_MS_MEAN
        } else {
            limits::TICK_MS_MEAN
        };
        self.tick_at = cx.now.mono + cx.visible.exponential(mean).max(1);
        self.want_all_keys(cx);
        self.letters_on_tick();
        self.queue_missing(None);
        self.queue_acks(cx);
        self.pump_jobs(cx);
    }

    /// Somebody greeted or accepted here: for a while ticks come faster.
    pub fn tick_fast(&mut self, cx: &mut Cx) {
        self.fast_until = cx.now.mono + limits::FAST_MS;
        self.tick_at = cx.now.mono + cx.visible.exponential(limits::FAST_TICK_MS_MEAN).max(1);
    }

    fn queue_acks(&mut self, cx: &mut Cx) {
        let stored = self.parcels.iter();
        let stored = stored.filter(|(o, p)| matches!(o, Owner::Ack(_)) && !p.stored.is_empty());
        let done = stored
            .map(|(owner, _)| *owner)
            .filter(|owner| self.all_have(owner));
        let done: Vec<Owner> = done.collect();
        for owner in done {
            self.drop_parcel(cx, &owner);
        }
        let head = self.shelf.head(SLOT_PROFILE);
        for (who, contact) in &self.contacts {
            if contact.has_news(head) && contact.session.is_some() {
                self.jobs.add(Owner::Ack(*who));
            }
        }
    }

    /// What rode on a stored object is not owed any more.
    pub fn acks_stored(&mut self, cx: &mut Cx, owner: &Owner, who: &Who) {
        if who == self.me.as_bytes() {
            return self.own_stored(cx, owner);
        }
        let Some(ridden) = self.rides.remove(owner) else {
            return;
        };
        if let Some(contact) = self.contacts.get_mut(who) {
            let row = &mut contact.row;
            row.owed.retain(|owed| !ridden.acks.contains(&owed.0));
            row.owed_anyway
                .retain(|owed| !ridden.acks.contains(&owed.0));
            row.name_untold &= ridden.name.as_deref() != Some(self.profile.name.as_str());
            row.switch_untold &= ridden.no_acks == row.acknowledge;
            let read = ridden.read == Some(self.profile.read_secret);
            row.told.stored(ridden.heads, read, self.clock.assumed());
            row.recovery_told |= ridden.recovery;
            cx.touch(RowKey::Contact(*who));
        }
    }

    /// `None` if it does not open.
    fn on_greeting(
        &mut self,
        cx: &mut Cx,
        invite: &Id16,
        j: u8,
        header: &Header,
        body: &[u8],
    ) -> Option<()> {
        let invitation = self.invites.get(invite).and_then(|i| i.secret.as_ref())?;
        let me = self.me;
        let now = self.clock.assumed();
        let greeting = Greeting::open(invitation, &me, j, header, body, now).ok()?;
        self.list_greeting(cx, invite, greeting);
        Some(())
    }

    fn list_greeting(&mut self, cx: &mut Cx, invite: &Id16, greeting: Greeting) {
        let now = self.clock.assumed();
        let (id, who) = (greeting.id(), *greeting.from.as_bytes());
        if let Some(row) = self.greetings.get_mut(&id) {
            // The same greeting, sealed anew: the answer goes to this one.
            if row.done {
                let contact = self.contacts.get_mut(&who);
                let pending = contact.and_then(|c| c.acceptance.as_mut());
                if let Some(pending) = pending.filter(|_| row.accepted)
                    && pending.renew(greeting)
                {
                    self.drop_parcel(cx, &Owner::Acceptance(who));
                    // At the next tick: leaving at once would tell whom it answers.
                    self.jobs.add(Owner::Acceptance(who));
                    cx.touch(RowKey::Contact(who));
                }
            } else {
                row.opened = greeting.encode();
                cx.touch(RowKey::Greeting(id));
            }
            return;
        }
        let blocked = self.contacts.get(&who).is_some_and(|c| c.row.state == 2);
        if blocked || self.is_stale(&greeting) {
            return;
        }
        let day = self.clock.assumed_epoch();
        if self.profile.greetings_day != day {
            self.profile.greetings_day = day;
            self.profile.greetings_count = 0;
        }
        let listed = self.greetings.values().filter(|g| !g.done).count();
        let today = self.profile.greetings_count as usize;
        if listed >= greeting::LIST_MAX || today >= greeting::A_DAY_MAX {
            return;
        }
        self.profile.greetings_count += 1;
        cx.touch(RowKey::Profile);
        let until = self.invites.get(invite).map_or(now, |i| i.row.until) + 48 * 3_600_000;
        let name = commands::clean_name(&greeting.name).unwrap_or_else(|_| views::account(&who));
        let row = GreetingRow {
            id,
            who,
            name,
            text: greeting.text.clone(),
            at: greeting.time.min(now),
            opened: greeting.encode(),
            invite: *invite,
            done: false,
            accepted: false,
            until,
        };
        cx.event(Event::Greeting {
            greeting: views::greeting(&row),
        });
        self.greetings.insert(id, row);
        cx.touch(RowKey::Greeting(id));
    }

    /// `None` if it does not open.
    fn on_acceptance(
        &mut self,
        cx: &mut Cx,
        who: &Who,
        n: u8,
        header: &Header,
        body: &[u8],
    ) -> Option<()> {
        let contact = self.contacts.get_mut(who)?;
        let pending = contact.greeting.as_ref()?;
        let now = self.clock.assumed();
        let accepted = pending
            .open_acceptance(&self.me, n, header, body, now)
            .ok()?;
        // The greeting is kept until they acknowledge something: until then what we send may be
        // lost, and the acceptance sealed anew makes another pair.
        let first = contact.row.handshake == Some(pending.message_id);
        let handshake = contact.row.handshake.take_if(|_| first);
        self.take_accepted(cx, who, accepted, first);
        let owner = Owner::Greeting(*who);
        self.drop_parcel(cx, &owner);
        self.drop_job(cx, &owner);
        if let Some(id) = handshake {
            self.delivered(cx, who, &id);
        }
        self.show_contact(cx, who);
        Some(())
    }

    /// An answer to a greeting or return of ours, and whether it is the first.
    pub fn take_accepted(&mut self, cx: &mut Cx, who: &Who, accepted: Accepted, first: bool) {
        let now = self.clock.assumed();
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        let old = contact.what_becomes_of_old();
        let device_changed = contact.take_session(accepted.session, old);
        if first || contact.keys.is_none() {
            contact.keys = Some(accepted.keys);
            contact.row.told.read_at = contact.row.told.read_at.max(accepted.time.min(now));
        }
        contact.row.state = 1;
        contact.row.recovery = accepted.recovery.or(contact.row.recovery);
        contact.row.recovery_told = true;
        contact.row.met = contact.row.met.max(accepted.time.min(now));
        contact.owe_anyway(accepted.message_id);
        if let Ok(name) = commands::clean_name(&accepted.name) {
            contact.row.name = name;
        }
        if let Some(session) = &mut contact.session {
            session.on_epoch(self.clock.assumed_epoch(), self.clock.agreed());
        }
        cx.touch(RowKey::Contact(*who));
        if device_changed {
            self.tell_device_changed(cx, who);
        }
        self.note_time(cx, accepted.time);
        self.end_older_greetings(cx, who);
        self.refresh_expected(who);
        self.expect_returns(who);
    }
}
