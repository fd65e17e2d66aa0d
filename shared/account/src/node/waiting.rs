//! Greetings of ours that wait for an answer: whether one can still come. PROTOCOL.md section 5.
//!
//! Invariant: what a relay does not say ends nothing. A greeting ends with its invitation's time,
//! or by a tombstone that the inviter signed; an acceptance that comes later still counts.

use super::cx::Cx;
use super::limits;
use super::lookups::Purpose;
use super::model::*;
use super::open::{Contact, Open};
use crate::greeting::PendingGreeting;
use crate::invite::InviteLink;
use alloc::vec::Vec;
use shared::time;

/// Why no answer is expected any more.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum GreetingEnd {
    /// The invitation's time is over.
    Unanswered,
    /// It was revoked or used up.
    TooLate,
}

impl Open {
    /// What has ended our greeting to them, if it waits for its first answer and something has.
    pub fn greeting_end(&self, who: &Who) -> Option<GreetingEnd> {
        let hour = time::hour(self.clock.assumed());
        let pending = waiting(self.contacts.get(who)?)?;
        if pending.too_late.is_some_and(|from| from <= hour) {
            return Some(GreetingEnd::TooLate);
        }
        (pending.expiry <= hour).then_some(GreetingEnd::Unanswered)
    }

    pub fn greeting_is_over(&self, who: &Who) -> bool {
        self.greeting_end(who).is_some()
    }

    /// Greetings that were accepted so long ago that no answer comes again are forgotten.
    pub fn forget_greetings_sent(&mut self, cx: &mut Cx) {
        let hour = time::hour(self.clock.assumed());
        let over = |c: &Contact| {
            let pending = c.greeting.as_ref().filter(|_| !c.is_greeting());
            pending.is_some_and(|g| g.expiry.saturating_add(limits::ACCEPTANCE_HOURS_MAX) <= hour)
        };
        let over: Vec<Who> = self
            .contacts
            .iter()
            .filter(|(_, c)| over(c))
            .map(|(who, _)| *who)
            .collect();
        for who in over {
            self.end_handshake(&who);
            cx.touch(RowKey::Contact(who));
        }
    }

    /// Greetings nobody can read any more are told of. One that a relay has may have been read,
    /// unless the invitation was taken back.
    pub fn expire_greetings(&mut self, cx: &mut Cx) {
        let over: Vec<(Who, GreetingEnd)> = self
            .contacts
            .keys()
            .filter_map(|who| Some((*who, self.greeting_end(who)?)))
            .filter(|(who, end)| {
                let parcel = self.parcels.get(&Owner::Greeting(*who));
                *end == GreetingEnd::TooLate || parcel.is_none_or(|p| p.stored.is_empty())
            })
            .collect();
        for (who, end) in over {
            let owner = Owner::Greeting(who);
            self.drop_parcel(cx, &owner);
            self.drop_job(cx, &owner);
            let told = match end {
                GreetingEnd::Unanswered => DeliveryRow::Unanswered,
                GreetingEnd::TooLate => DeliveryRow::TooLate,
            };
            if let Some(id) = self.contacts.get(&who).and_then(|c| c.row.handshake) {
                self.set_delivery(cx, &who, &id, told);
            }
        }
    }

    /// Looks the invitations up again whose turn it is; after a start, all that wait.
    pub fn look_again(&mut self, cx: &mut Cx) {
        if self.relays.open().next().is_none() {
            return;
        }
        let links = self.contacts.iter().filter_map(|(who, contact)| {
            let pending = waiting(contact).filter(|g| g.too_late.is_none())?;
            Some((*who, pending.invitation()))
        });
        let links: Vec<(Who, InviteLink)> = links.collect();
        self.lookups
            .again
            .retain(|who, _| links.iter().any(|(of, _)| of == who));
        let due = |who: &Who| {
            self.lookups
                .again
                .get(who)
                .is_none_or(|at| *at <= cx.now.mono)
        };
        let due: Vec<(Who, InviteLink)> = links
            .into_iter()
            .filter(|(who, _)| due(who) && !self.greeting_is_over(who))
            .collect();
        for (who, link) in due {
            let places = alloc::vec![link.place()];
            // Of many at once some wait for the next time.
            if self.lookups.start(cx, Purpose::Again { link }, places) {
                self.look_again_later(cx, who);
            }
        }
        self.pump_lookups(cx);
    }

    pub fn look_again_later(&mut self, cx: &mut Cx, who: Who) {
        let pause = cx.visible.exponential(limits::AGAIN_MS_MEAN).max(1);
        self.lookups.again.insert(who, cx.now.mono + pause);
    }

    /// The inviter has signed that an invitation which we answered is no more.
    pub fn on_revoked(&mut self, cx: &mut Cx, link: &InviteLink) {
        let who = *link.inviter.as_bytes();
        let from = time::hour(self.clock.assumed()).saturating_add(limits::TOO_LATE_HOURS);
        let contact = self.contacts.get_mut(&who).filter(|c| c.is_greeting());
        // It may have been answered, or another sent in its place, while the relays were asked.
        let pending = contact.and_then(|c| c.greeting.as_mut());
        if let Some(pending) = pending.filter(|g| g.invitation() == *link) {
            pending.too_late.get_or_insert(from);
            cx.touch(RowKey::Contact(who));
        }
    }
}

/// Our greeting that waits for its first answer.
fn waiting(contact: &Contact) -> Option<&PendingGreeting> {
    contact.greeting.as_ref().filter(|_| contact.is_greeting())
}
