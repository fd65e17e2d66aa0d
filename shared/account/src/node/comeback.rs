//! Coming back to contacts: a return to each of them, until it is answered. PROTOCOL.md section 14.
//!
//! Invariant: nothing that a contact still needs is dropped before there is another way to them:
//! who may not know us by our words is not left.

use super::cx::Cx;
use super::limits;
use super::model::*;
use super::open::{Contact, Expected, Open};
use crate::api::{Answer, Problem};
use crate::comeback::PendingReturn;
use crate::record::SLOT_EPOCH_KEYS;
use crate::sealed::Mailbox;
use crate::session::message_id;
use alloc::vec::Vec;
use shared::crypto::{Key, PublicKey, SigningKey};
use shared::time::Millis;
use shared::wire::Header;

impl Open {
    pub fn come_back(&mut self, cx: &mut Cx) -> Result<Option<Answer>, Problem> {
        self.come_back_above(cx, 0);
        Ok(None)
    }

    /// Epoch keys of a generation above that one and above ours, which the record tells.
    pub fn draw_generation(&mut self, cx: &mut Cx, above: u32) {
        let epoch = self.clock.assumed_epoch();
        self.epoch_keys.renew_above(above, epoch, &mut cx.rng);
        cx.touch(RowKey::EpochKeys);
        self.drop_job(cx, &Owner::Record(SLOT_EPOCH_KEYS));
        self.published_epoch = 0;
        self.on_epoch(cx);
    }

    /// Drops all sessions that can be made anew, and begins to.
    pub fn come_back_above(&mut self, cx: &mut Cx, generation: u32) {
        self.profile.device = cx.rng.array();
        self.profile.certificate.clear();
        self.device = SigningKey::from_bytes(&self.profile.device);
        cx.touch(RowKey::Profile);
        self.draw_generation(cx, generation);
        if let Some(session) = &mut self.own.session {
            session.end_chain();
        }
        let active: Vec<Who> = self.active().map(|(who, _)| *who).collect();
        for who in active {
            if !self.begin_anew(cx, &who)
                && let Some(session) = self.contacts.get_mut(&who).and_then(|c| c.session.as_mut())
            {
                // The chain was begun with the certificate of another device key.
                session.end_chain();
            }
        }
        self.pump_jobs(cx);
    }

    /// False if they would not know a return of ours, and nothing was changed: their R is unknown,
    /// or ours to them, as long as our acceptance may not have come there.
    fn begin_anew(&mut self, cx: &mut Cx, who: &Who) -> bool {
        let Some(contact) = self.contacts.get(who) else {
            return false;
        };
        let known = contact.row.recovery.is_some() && contact.row.recovery_told;
        let mailbox = match (&contact.session, &contact.coming_back) {
            (Some(session), _) => session.mailbox(),
            (None, Some(pending)) => pending.mailbox(),
            (None, None) => return false,
        };
        if !known || contact.acceptance.is_some() {
            return false;
        }
        self.seal_anew(cx, who);
        self.forget_expected(who);
        self.tell_lost(cx, who);
        if let Some(contact) = self.contacts.get_mut(who) {
            contact.session = None;
            contact.returns = Default::default();
        }
        // A greeting to them, if there is one, may still be answered.
        self.expect_acceptance(who);
        self.expect_returns(who);
        self.come_back_to(cx, who, mailbox)
    }

    /// Begins a return to a contact without a session, whose R, mailbox and contact read secret are
    /// known. Their keys are looked up first. False if that is no account.
    pub fn come_back_to(&mut self, cx: &mut Cx, who: &Who, mailbox: Mailbox) -> bool {
        let (Ok(to), Some(contact)) = (PublicKey::from_bytes(who), self.contacts.get_mut(who))
        else {
            return false;
        };
        let id = message_id(&self.me, "", &mut cx.rng);
        let now = self.clock.assumed();
        let pending = PendingReturn::new(to, mailbox, id, now, &mut cx.rng);
        if let Some(old) = contact.coming_back.replace(pending) {
            for (locator, _) in old.locators() {
                self.expected.remove(&locator);
            }
        }
        cx.touch(RowKey::Contact(*who));
        self.drop_parcel(cx, &Owner::Return(*who));
        self.drop_job(cx, &Owner::Return(*who));
        self.look_up_keys(cx, who);
        self.queue_missing(Some(who));
        self.show_contact(cx, who);
        self.show_waiting(cx, who);
        true
    }

    /// What returns of ours to a contact are found by.
    pub fn own_return_secret(&self, who: &Who) -> Option<Key> {
        let theirs = self.contacts.get(who)?.row.recovery?;
        let to = PublicKey::from_bytes(who).ok()?;
        let own = self.authority.full()?.recovery_key();
        own.return_secret(&theirs, &self.me, &to)
    }

    /// The acceptance of each sealing of our return is expected from now on.
    pub fn expect_return_accepted(&mut self, who: &Who) {
        let pending = self.contacts.get(who).and_then(|c| c.coming_back.as_ref());
        for (locator, n) in pending.into_iter().flat_map(PendingReturn::locators) {
            self.expected
                .insert(locator, Expected::ReturnAccepted { who: *who, n });
        }
    }

    /// Keys of another generation were found: what was sealed to those of before may not open.
    pub fn renew_return(&mut self, cx: &mut Cx, who: &Who) {
        let now = self.clock.assumed();
        let contact = self.contacts.get(who).filter(|c| c.is_coming_back(now));
        let sealed = contact.and_then(|c| c.coming_back.as_ref().map(|r| r.generation));
        let found = contact.and_then(|c| c.keys.as_ref().map(|k| k.generation()));
        if sealed != found {
            self.drop_parcel(cx, &Owner::Return(*who));
            self.drop_job(cx, &Owner::Return(*who));
        }
    }

    /// `None` if it does not open.
    pub fn on_return_accepted(
        &mut self,
        cx: &mut Cx,
        who: &Who,
        n: u8,
        header: &Header,
        body: &[u8],
    ) -> Option<()> {
        let now = self.clock.assumed();
        let pending = self.contacts.get_mut(who)?.coming_back.as_mut()?;
        let accepted = pending
            .open_acceptance(&self.me, n, header, body, now)
            .ok()?;
        // Kept until they acknowledge something: they may seal their answer anew until then.
        let first = !core::mem::replace(&mut pending.answered, true);
        self.take_accepted(cx, who, accepted, first);
        self.drop_parcel(cx, &Owner::Return(*who));
        self.drop_job(cx, &Owner::Return(*who));
        self.show_contact(cx, who);
        self.recovery_goes_on(cx);
        Some(())
    }

    /// They know that we have a pair of theirs: they will not answer our return again.
    pub fn end_return(&mut self, who: &Who) {
        let contact = self.contacts.get_mut(who);
        let ended = contact.and_then(|c| c.coming_back.take_if(|r| r.answered));
        for (locator, _) in ended.iter().flat_map(PendingReturn::locators) {
            self.expected.remove(&locator);
        }
    }

    /// Returns of ours that were made so long ago that no answer comes any more.
    pub fn forget_own_returns(&mut self, cx: &mut Cx, now: Millis) {
        let answers = u64::from(limits::ACCEPTANCE_HOURS_MAX) * 3_600_000;
        let over = |r: &PendingReturn| r.until().saturating_add(answers) <= now;
        let old = self.contacts.iter();
        let old = old.filter(|(_, c)| c.coming_back.as_ref().is_some_and(over));
        let old: Vec<Who> = old.map(|(who, _)| *who).collect();
        for who in old {
            if let Some(own) = self
                .contacts
                .get_mut(&who)
                .and_then(|c| c.coming_back.as_mut())
            {
                own.answered = true;
            }
            self.end_return(&who);
            cx.touch(RowKey::Contact(who));
        }
    }
}

impl Contact {
    /// Whether a return of ours to them waits for its answer.
    pub fn is_coming_back(&self, now: Millis) -> bool {
        self.coming_back.as_ref().is_some_and(|r| r.is_asking(now))
    }
}
