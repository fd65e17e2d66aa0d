//! Contacts that come back: where their returns are expected, what one changes, and what waits
//! until it is confirmed. PROTOCOL.md section 14.
//!
//! Invariant: returns are expected of active contacts alone; one that was written before the last
//! handshake with its account changes nothing.

use super::cx::Cx;
use super::expected::ExpectedTags;
use super::model::*;
use super::open::{Contact, Expected, Open};
use super::{commands, limits, problems};
use crate::acceptance::PendingAcceptance;
use crate::api::{Answer, Problem};
use crate::comeback::{Return, Way, Which};
use crate::identity::{Identity, RecoveryPublic};
use crate::session::{Old, Payload, message_id};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{Key, PublicKey};
use shared::wire::Header;

/// Where a contact's returns may come: with the secret that they are found by, once their R is
/// known.
#[derive(Default)]
pub struct Returns {
    of: Option<RecoveryPublic>,
    secret: Option<Key>,
    expected: BTreeMap<Which, u64>,
}

impl Returns {
    pub fn locators(&self) -> impl Iterator<Item = u64> {
        self.expected.values().copied()
    }

    /// Which one a locator leads to.
    fn which(&self, locator: u64) -> Option<Which> {
        let mut all = self.expected.iter();
        all.find(|(_, at)| **at == locator).map(|(which, _)| *which)
    }

    /// Brings the table up to an epoch. Without a secret nothing is expected.
    fn refresh(&mut self, who: &Who, epoch: u32, table: &mut ExpectedTags) {
        let secret = self.secret.as_ref();
        let wanted: Vec<Which> = match secret {
            Some(_) => Which::expected(epoch).collect(),
            None => Vec::new(),
        };
        self.expected.retain(|which, locator| {
            let keep = wanted.binary_search(which).is_ok();
            if !keep {
                table.remove(locator);
            }
            keep
        });
        for which in wanted {
            if let (Some(secret), false) = (secret, self.expected.contains_key(&which)) {
                let locator = which.locator(secret);
                table.insert(locator, Expected::Return { who: *who });
                self.expected.insert(which, locator);
            }
        }
    }
}

/// The last return of a contact.
#[derive(Clone, Copy, Encode, Decode)]
#[cbor(map)]
pub struct ReturnedRow {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: Id16,
    /// When they came back, by their clock, and until when that may have to be confirmed, by what
    /// we assume (Unix ms).
    #[n(1)]
    pub time: u64,
    #[n(2)]
    pub until: u64,
    /// A device of before was heard from: what is written to them waits.
    #[n(3)]
    pub waits: bool,
    /// The person said that it is them.
    #[n(4)]
    pub confirmed: bool,
}

impl ReturnedRow {
    /// Until when messages wait, if they do.
    pub fn waits_until(&self, now: u64) -> Option<u64> {
        (self.waits && now < self.until).then_some(self.until)
    }
}

impl Open {
    /// Brings up to date what returns of a contact are expected.
    pub fn expect_returns(&mut self, who: &Who) {
        let epoch = self.clock.assumed_epoch();
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        let (of, returns) = (contact.row.recovery, &mut contact.returns);
        let of = of.filter(|_| contact.row.state == 1);
        if returns.of != of {
            returns.secret = None;
            returns.refresh(who, epoch, &mut self.expected);
            returns.of = of;
            let told = contact.row.return_secret.map(Key::new);
            let derived = |identity: &Identity| {
                let from = PublicKey::from_bytes(who).ok()?;
                let own = identity.recovery_key();
                own.return_secret(&of?, &from, &self.me)
            };
            returns.secret = match self.authority.full() {
                Some(identity) => derived(identity),
                None => told.filter(|_| of.is_some()),
            };
        }
        returns.refresh(who, epoch, &mut self.expected);
    }

    /// A contact tells R. What is known stays: it follows from their words, and who has but a
    /// device of theirs may say anything.
    pub fn note_recovery(&mut self, who: &Who, recovery: RecoveryPublic) {
        if let Some(contact) = self.contacts.get_mut(who)
            && contact.row.recovery.is_none()
        {
            contact.row.recovery = Some(recovery);
            self.expect_returns(who);
        }
    }

    /// `None` if it does not open.
    pub fn on_return(
        &mut self,
        cx: &mut Cx,
        who: &Who,
        locator: u64,
        header: &Header,
        body: &[u8],
    ) -> Option<()> {
        let now = self.clock.assumed();
        let contact = self.contacts.get(who).filter(|c| c.row.state == 1)?;
        let which = contact.returns.which(locator)?;
        let way = Way {
            from: &PublicKey::from_bytes(who).ok()?,
            recovery: contact.returns.of.as_ref()?,
            to: &self.me,
            secret: contact.returns.secret.as_ref()?,
        };
        let returned = Return::open(&way, &which, header, body, &self.epoch_keys, now).ok()?;
        let known = contact.row.returned.map(|r| r.id);
        if known == Some(returned.message_id) {
            self.renew_answer(cx, who, returned);
        } else if !contact.has_seen(&returned.message_id) && returned.time > contact.row.met {
            self.take_return(cx, who, returned);
        }
        Some(())
    }

    /// The same return, sealed anew: the answer goes to this one, if it is still under way.
    fn renew_answer(&mut self, cx: &mut Cx, who: &Who, returned: Return) {
        let epoch = self.clock.assumed_epoch();
        let Some(contact) = self.contacts.get_mut(who) else {
            return;
        };
        if let Some(pending) = &mut contact.acceptance
            && pending.renew(returned.asker)
        {
            let known = contact.keys.as_ref();
            let newer = |known: u32| returned.keys.generation() > known;
            if known.is_none_or(|k| newer(k.generation()) || !k.usable(epoch)) {
                contact.keys = Some(returned.keys);
            }
            cx.touch(RowKey::Contact(*who));
            self.drop_parcel(cx, &Owner::Acceptance(*who));
            self.jobs.add(Owner::Acceptance(*who));
        }
    }

    fn take_return(&mut self, cx: &mut Cx, who: &Who, returned: Return) {
        let now = self.clock.assumed();
        let intro = self.introduction(message_id(&self.me, "", &mut cx.rng));
        let (slot, device) = (returned.asker.slot, returned.asker.device);
        let made = PendingAcceptance::new(returned.asker, &self.me, intro);
        let (Ok((pending, session)), Some(contact)) = (made, self.contacts.get_mut(who)) else {
            return;
        };
        let before = contact.session.as_ref();
        let heard = before.map_or(0, |s| s.heard_of_others(slot, &device));
        contact.take_session(session, Old::IsLost);
        contact.acceptance = Some(pending);
        contact.keys = Some(returned.keys);
        contact.saw(cx, returned.message_id);
        let row = &mut contact.row;
        row.met = row.met.max(returned.time.min(now));
        row.told_at = returned.time.min(now);
        row.recovery_told = true;
        row.returned = Some(ReturnedRow {
            id: returned.message_id,
            time: returned.time,
            until: now.saturating_add(limits::CONFIRM_MS),
            waits: heard.saturating_add(limits::HEARD_LATELY_MS) > now,
            confirmed: false,
        });
        if let Ok(name) = commands::clean_name(&returned.name) {
            row.name = name;
        }
        // There will be a pair by our answer.
        if let Some(own) = &mut contact.coming_back {
            own.answered = true;
        }
        cx.touch(RowKey::Contact(*who));
        for owner in [Owner::Return(*who), Owner::Acceptance(*who)] {
            self.drop_parcel(cx, &owner);
            self.drop_job(cx, &owner);
        }
        self.seal_anew(cx, who);
        self.end_older_greetings(cx, who);
        self.refresh_expected(who);
        // At the next tick: leaving at once would tell whom it answers.
        self.jobs.add(Owner::Acceptance(*who));
        self.want_keys(cx, who);
        self.tell_notice(cx, who, NoticeRow::CameBack);
    }

    /// What is under way to a contact was sealed on what one side has lost: it is sealed anew when
    /// that can be.
    pub fn seal_anew(&mut self, cx: &mut Cx, who: &Who) {
        let mine = self.outgoing.range((*who, [0; 16])..=(*who, [0xff; 16]));
        let mine: Vec<Id16> = mine
            .filter(|(_, m)| m.delivery.is_on_the_way())
            .map(|((_, id), _)| *id)
            .filter(|id| self.is_plain_message(who, id))
            .collect();
        let owners = mine.iter().map(|id| Owner::Message(*who, *id));
        let owners: Vec<Owner> = owners.chain([Owner::Ack(*who)]).collect();
        for owner in &owners {
            self.drop_parcel(cx, owner);
        }
        for owner in &owners {
            self.drop_job(cx, owner);
            self.rides.remove(owner);
        }
        for id in mine {
            self.set_delivery(cx, who, &id, DeliveryRow::Queued);
        }
    }

    /// What came on a pair that they came back without: its text, and nothing else.
    pub fn on_opened_lost(&mut self, cx: &mut Cx, who: &Who, payload: Payload) {
        let now = self.clock.assumed();
        self.note_time(cx, payload.sealed);
        let returned = self.contacts.get_mut(who).map(|c| &mut c.row.returned);
        // A device of before lives: who came back may be somebody else.
        if let Some(Some(returned)) = returned
            && payload.sealed > returned.time
            && now < returned.until
            && !returned.confirmed
            && !returned.waits
        {
            returned.waits = true;
            cx.touch(RowKey::Contact(*who));
            self.seal_anew(cx, who);
            self.show_contact(cx, who);
        }
        self.on_text(cx, who, payload);
    }

    /// Whether what is written to them waits until the person has confirmed that they are back.
    pub fn is_to_be_confirmed(&self, who: &Who) -> bool {
        let returned = self.contacts.get(who).and_then(|c| c.row.returned);
        returned.is_some_and(|r| r.waits_until(self.clock.assumed()).is_some())
    }

    pub fn confirm_return(
        &mut self,
        cx: &mut Cx,
        contact: &str,
    ) -> Result<Option<Answer>, Problem> {
        let who = self.known(contact)?;
        if !self.is_to_be_confirmed(&who) {
            return Err(problems::return_unknown());
        }
        self.end_wait(cx, &who);
        self.pump_jobs(cx);
        Ok(None)
    }

    fn end_wait(&mut self, cx: &mut Cx, who: &Who) {
        let contact = self.contacts.get_mut(who);
        if let Some(returned) = contact.and_then(|c| c.row.returned.as_mut()) {
            (returned.waits, returned.confirmed) = (false, true);
            cx.touch(RowKey::Contact(*who));
            self.queue_missing(Some(who));
            self.show_contact(cx, who);
        }
    }

    /// Waits whose time is over, and returns of ours that no answer comes to any more.
    pub fn look_after_returns(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        let waited = |c: &Contact| c.row.returned.is_some_and(|r| r.waits && r.until <= now);
        let over = self.contacts.iter().filter(|(_, c)| waited(c));
        let over: Vec<Who> = over.map(|(who, _)| *who).collect();
        for who in over {
            self.end_wait(cx, &who);
        }
        self.forget_own_returns(cx, now);
    }
}

#[cfg(test)]
#[path = "returns_tests.rs"]
mod tests;
