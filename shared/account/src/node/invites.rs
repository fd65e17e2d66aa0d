//! Invitations: made, withdrawn, opened, and answered with a greeting. PROTOCOL.md section 5.
//!
//! Invariant: an invitation's secret key exists only while the invitation is valid.

use super::commands::{clean_name, contact_answer};
use super::cx::Cx;
use super::lookups::{Purpose, Settled};
use super::model::*;
use super::open::{Contact, Expected, Invite, Open};
use super::{limits, problems, views};
use crate::api::*;
use crate::greeting::{Introduction, PendingGreeting};
use crate::invite::{Invitation, InviteLink, LinkError, Offer, OfferError};
use crate::session::message_id;
use crate::shown;
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use shared::time;
use shared::wire::Header;

type Outcome = Result<Option<Answer>, Problem>;

/// Hours an invitation may be valid, and the record's lifetime that covers them.
const HOURS: [u32; 4] = [1, 24, 168, 720];

impl Open {
    pub fn invite(&mut self, cx: &mut Cx, hours: u32, single_use: bool) -> Outcome {
        if !HOURS.contains(&hours) {
            return Err(problems::hours_invalid());
        }
        let hints = self.relays.hints();
        if hints.is_empty() {
            return Err(problems::no_relay());
        }
        if self.invites.values().filter(|i| i.row.state <= 1).count() >= limits::INVITES_MAX {
            return Err(problems::invites_full());
        }
        // The unit is the hour: the one that has begun does not count.
        let hour = time::hour(self.clock.assumed()) + 1;
        let bits = self.profile.mailbox.bits();
        let secret = Invitation::draw(hour, hours, single_use, bits, &mut cx.rng);
        let fragment = secret.link(self.me, hints).fragment();
        let id = secret.id();
        let row = InviteRow {
            id,
            secret: None,
            fragment: fragment.clone(),
            until: u64::from(secret.expiry) * 3_600_000,
            single_use,
            state: 0,
            tombstone: false,
        };
        self.invites.insert(
            id,
            Invite {
                row,
                secret: Some(secret),
            },
        );
        cx.touch(RowKey::Invite(id));
        self.expect_greetings(&id);
        self.jobs.add(Owner::Invite(id));
        self.pump_jobs(cx);
        let view = self.show_invite(cx, &id);
        Ok(view.map(|invite| Answer::Invitation { invite, fragment }))
    }

    pub fn show_invite(&self, cx: &mut Cx, id: &Id16) -> Option<InviteView> {
        let view = self.invites.get(id).map(views::invite)?;
        cx.event(Event::Invite {
            invite: view.clone(),
        });
        Some(view)
    }

    /// Greetings to this invitation are expected from now on.
    pub fn expect_greetings(&mut self, id: &Id16) {
        let Some(secret) = self.invites.get(id).and_then(|i| i.secret.as_ref()) else {
            return;
        };
        let me = self.me;
        for (locator, j) in secret.locators(&me) {
            self.expected
                .insert(locator, Expected::Greeting { invite: *id, j });
        }
    }

    fn forget_greetings(&mut self, id: &Id16) {
        let Some(secret) = self.invites.get(id).and_then(|i| i.secret.as_ref()) else {
            return;
        };
        let me = self.me;
        for (locator, _) in secret.locators(&me) {
            self.expected.remove(&locator);
        }
    }

    /// The invitation's record is on a relay.
    pub fn on_invite_stored(&mut self, cx: &mut Cx, id: &Id16) {
        let Some(invite) = self.invites.get_mut(id) else {
            return;
        };
        if invite.row.tombstone {
            invite.row.tombstone = false;
            invite.secret = None;
            cx.touch(RowKey::Invite(*id));
            self.show_invite(cx, id);
        } else if invite.row.state == 0 {
            invite.row.state = 1;
            cx.touch(RowKey::Invite(*id));
            self.show_invite(cx, id);
        }
    }

    pub fn revoke(&mut self, cx: &mut Cx, invite: &str) -> Outcome {
        let id = views::id16(invite).ok_or_else(problems::invite_unknown)?;
        if self.invites.get(&id).is_none_or(|i| i.row.state > 1) {
            return Err(problems::invite_unknown());
        }
        self.end_invite(cx, &id, 2);
        Ok(None)
    }

    /// Ends an invitation: its key goes, and a tombstone takes its place in the network.
    pub fn end_invite(&mut self, cx: &mut Cx, id: &Id16, state: u8) {
        self.forget_greetings(id);
        let owner = Owner::Invite(*id);
        self.drop_parcel(cx, &owner);
        self.drop_job(cx, &owner);
        if let Some(invite) = self.invites.get_mut(id) {
            invite.row.state = state;
            match (&mut invite.secret, state) {
                // What expired is gone from the network by itself.
                (secret, 4) => *secret = None,
                (Some(secret), _) => {
                    secret.forget_key(&mut cx.rng);
                    invite.row.tombstone = true;
                    self.jobs.add(owner);
                }
                _ => {}
            }
            cx.touch(RowKey::Invite(*id));
        }
        self.show_invite(cx, id);
        self.pump_jobs(cx);
    }

    /// Invitations and dealt-with greetings whose time is over.
    pub fn expire_invites(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        // What was not taken back in time is gone by itself.
        let ended = |i: &&Invite| i.row.tombstone && i.row.until <= now;
        let ended: Vec<Id16> = self
            .invites
            .values()
            .filter(ended)
            .map(|i| i.row.id)
            .collect();
        for id in ended {
            let owner = Owner::Invite(id);
            self.drop_parcel(cx, &owner);
            self.drop_job(cx, &owner);
            self.on_invite_stored(cx, &id);
        }
        let over: Vec<Id16> = self
            .invites
            .iter()
            .filter(|(_, i)| i.row.state <= 1 && i.row.until <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.end_invite(cx, &id, 4);
        }
        const SHOWN_FOR_MS: u64 = 7 * 86_400_000;
        let old: Vec<Id16> = self
            .invites
            .iter()
            .filter(|(_, i)| i.row.state > 1 && i.row.until + SHOWN_FOR_MS <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in old {
            self.invites.remove(&id);
            cx.touch(RowKey::Invite(id));
            cx.event(Event::InviteRemoved {
                invite: views::hex(&id),
            });
        }
        let done: Vec<Id16> = self
            .greetings
            .iter()
            .filter(|(_, g)| g.done && g.until <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in done {
            self.greetings.remove(&id);
            cx.touch(RowKey::Greeting(id));
        }
    }

    /// Parses a link and makes its relays known.
    fn take_link(&mut self, cx: &mut Cx, text: &str) -> Result<InviteLink, Problem> {
        let now = time::hour(self.clock.assumed());
        let link = InviteLink::parse(text, now).map_err(|error| match error {
            LinkError::NotALink => problems::not_a_link(),
            LinkError::NewerVersion { .. } => problems::link_newer(),
            LinkError::Expired { .. } => problems::invitation_expired(),
            LinkError::Mangled | LinkError::NoHints => problems::link_mangled(),
        })?;
        if link.inviter != self.me {
            for hint in &link.hints {
                // A full list of relays is no reason to fail: the others may have it too.
                let _ = self.relays.add(cx, *hint);
            }
            if self.relays.on_timer(cx) {
                self.show_relays(cx);
            }
        }
        Ok(link)
    }

    fn look_up_invite(
        &mut self,
        cx: &mut Cx,
        purpose: Purpose,
        link: &InviteLink,
    ) -> Option<Outcome> {
        let tags = alloc::vec![link.place().tag];
        if !self.lookups.start(cx, purpose, tags) {
            return Some(Err(problems::busy()));
        }
        self.pump_lookups(cx);
        None
    }

    pub fn open_invite(&mut self, cx: &mut Cx, request: u64, text: &str) -> Option<Outcome> {
        let link = match self.take_link(cx, text) {
            Ok(link) => link,
            Err(problem) => return Some(Err(problem)),
        };
        if link.inviter == self.me {
            return Some(Ok(Some(Answer::Opened {
                inviter: views::account(link.inviter.as_bytes()),
                name: self.profile.name.clone(),
                until: u64::from(link.expiry) * 3_600_000,
                own: true,
                contact: None,
            })));
        }
        let purpose = Purpose::Open {
            request,
            link: link.clone(),
        };
        self.look_up_invite(cx, purpose, &link)
    }

    pub fn greet(
        &mut self,
        cx: &mut Cx,
        request: u64,
        text: &str,
        greeting: String,
    ) -> Option<Outcome> {
        let link = match self.take_link(cx, text) {
            Ok(link) => link,
            Err(problem) => return Some(Err(problem)),
        };
        let problem = if let Some(problem) = self.cannot_greet(link.inviter.as_bytes()) {
            Some(problem)
        } else if link.inviter == self.me {
            Some(problems::own_invitation())
        } else if greeting.len() > shown::GREETING_BYTES_MAX {
            Some(problems::greeting_too_long())
        } else {
            None
        };
        if let Some(problem) = problem {
            return Some(Err(problem));
        }
        let purpose = Purpose::Greet {
            request,
            link: link.clone(),
            text: greeting,
        };
        self.look_up_invite(cx, purpose, &link)
    }

    /// Blocked, or a greeting to them waits for its answer.
    fn cannot_greet(&self, who: &Who) -> Option<Problem> {
        match self.contacts.get(who)? {
            c if c.row.state == 2 => Some(problems::contact_blocked()),
            _ if self.greeting_is_over(who) => None,
            c if c.row.state == 0 || c.is_greeting() => Some(problems::already_contact()),
            _ => None,
        }
    }

    /// Lookups whose answers are complete.
    pub fn settle_lookups(&mut self, cx: &mut Cx) {
        for settled in self.lookups.take_settled(cx.now.mono) {
            self.answer_lookup(cx, settled);
        }
    }

    fn answer_lookup(&mut self, cx: &mut Cx, settled: Settled) {
        let hour = time::hour(self.clock.assumed());
        let Settled {
            lookup,
            purpose,
            records,
        } = settled;
        match purpose {
            Purpose::Keys { who } => {
                for (header, body) in &records {
                    self.on_keys_record(cx, lookup, &who, header, body);
                }
            }
            Purpose::Open { request, link } => match choose_offer(&link, &records, hour) {
                Ok(offer) => {
                    let who = *link.inviter.as_bytes();
                    let contact = self
                        .contacts
                        .get(&who)
                        .map(|c| alloc::boxed::Box::new(views::contact(c, self.waits_for(&who))));
                    let answer = Answer::Opened {
                        inviter: views::account(&who),
                        name: offer.name,
                        until: u64::from(link.expiry) * 3_600_000,
                        own: false,
                        contact,
                    };
                    if self.lookups.finish(lookup) {
                        cx.done(request, Some(answer));
                    }
                }
                Err(error) => self.fail_lookup(cx, lookup, request, error),
            },
            Purpose::Greet {
                request,
                link,
                text,
            } => match choose_offer(&link, &records, hour) {
                Ok(offer) => {
                    if self.lookups.finish(lookup) {
                        self.begin_greeting(cx, request, &link, offer, text);
                    }
                }
                Err(error) => self.fail_lookup(cx, lookup, request, error),
            },
        }
    }

    fn fail_lookup(&mut self, cx: &mut Cx, lookup: u64, request: u64, error: OfferError) {
        if self.lookups.finish(lookup) {
            cx.failed(request, offer_problem(error));
        }
    }

    fn begin_greeting(
        &mut self,
        cx: &mut Cx,
        request: u64,
        link: &InviteLink,
        offer: Offer,
        text: String,
    ) {
        let who = *link.inviter.as_bytes();
        // It may have been greeted or blocked while the relays were asked.
        if let Some(problem) = self.cannot_greet(&who) {
            return cx.failed(request, problem);
        }
        let name = clean_name(&offer.name).unwrap_or_else(|_| views::account(&who));
        if self.contacts.len() >= limits::CONTACTS_MAX && !self.contacts.contains_key(&who) {
            return cx.failed(request, problems::not_possible());
        }
        let message = message_id(&self.me, &text, &mut cx.rng);
        let intro = self.introduction(message);
        let now = self.clock.assumed();
        let pending =
            PendingGreeting::new(link, &offer, &self.me, intro, text.clone(), &mut cx.rng);
        let Ok(pending) = pending else {
            return cx.failed(request, problems::not_possible());
        };
        let contact = self
            .contacts
            .entry(who)
            .or_insert_with(|| new_contact(who, name, now));
        if let Some(old) = contact.greeting.replace(pending) {
            for (locator, _) in old.locators() {
                self.expected.remove(&locator);
            }
        }
        contact.row.handshake = Some(message);
        cx.touch(RowKey::Contact(who));
        self.expect_acceptance(&who);
        let row = self.append(cx, &who, MessageRow::mine(message, text, now), None);
        self.outgoing.insert((who, message), row.clone());
        cx.touch(RowKey::Outgoing(who, message));
        self.tick_fast(cx);
        self.jobs.add(Owner::Greeting(who));
        self.pump_jobs(cx);
        self.show_message(cx, &who, &row);
        self.show_contact(cx, &who);
        if let Some(contact) = self.contacts.get(&who) {
            let view = views::contact(contact, self.waits_for(&who));
            cx.done(request, Some(contact_answer(view)));
        }
    }

    /// Whether our greeting to them waits for an answer to an invitation that has ended.
    pub fn greeting_is_over(&self, who: &Who) -> bool {
        let hour = time::hour(self.clock.assumed());
        let contact = self.contacts.get(who).filter(|c| c.is_greeting());
        contact
            .and_then(|c| c.greeting.as_ref())
            .is_some_and(|g| g.expiry <= hour)
    }

    /// Greetings nobody can read any more are told of. One that a relay has may have been read.
    pub fn expire_greetings(&mut self, cx: &mut Cx) {
        let over: Vec<Who> = self
            .contacts
            .keys()
            .filter(|who| self.greeting_is_over(who))
            .filter(|who| {
                let parcel = self.parcels.get(&Owner::Greeting(**who));
                parcel.is_none_or(|p| p.stored.is_empty())
            })
            .copied()
            .collect();
        for who in over {
            let owner = Owner::Greeting(who);
            self.drop_parcel(cx, &owner);
            self.drop_job(cx, &owner);
            if let Some(id) = self.contacts.get(&who).and_then(|c| c.row.handshake) {
                self.set_delivery(cx, &who, &id, DeliveryRow::Unanswered);
            }
        }
    }

    /// What we tell of ourselves in a handshake.
    pub fn introduction(&self, message_id: Id16) -> Introduction {
        Introduction {
            read: self.profile.read_secret,
            mailbox: self.profile.mailbox,
            name: self.profile.name.clone(),
            message_id,
            time: self.clock.assumed(),
        }
    }

    /// The acceptance of each sealing of our greeting is expected from now on.
    pub fn expect_acceptance(&mut self, who: &Who) {
        let Some(pending) = self.contacts.get(who).and_then(|c| c.greeting.as_ref()) else {
            return;
        };
        for (locator, n) in pending.locators() {
            self.expected
                .insert(locator, Expected::Acceptance { who: *who, n });
        }
    }

    /// Lookups that found nothing.
    pub fn end_lookups(&mut self, cx: &mut Cx) {
        // A relay that does not end its answer takes nothing from what others said.
        self.settle_lookups(cx);
        let all_open = self.all_relays_open();
        for purpose in self.lookups.take_failed(cx.now.mono, all_open) {
            match purpose {
                Purpose::Keys { who } => self.keys_not_found(cx, &who),
                Purpose::Open { request, .. } | Purpose::Greet { request, .. } => {
                    let reached = self.relays.open().next().is_some();
                    cx.failed(
                        request,
                        match reached {
                            true => problems::invitation_not_found(),
                            false => problems::relay_gone(),
                        },
                    );
                }
            }
        }
        self.retry_keys(cx);
    }
}

/// A contact nothing is known of yet but the name.
pub fn new_contact(who: Who, name: String, now: u64) -> Contact {
    let row = ContactRow {
        who,
        name,
        state: 0,
        unread: 0,
        next_index: 0,
        order: 0,
        acknowledge: true,
        added: now,
        last: None,
        session: None,
        greeting: None,
        acceptance: None,
        owed: Vec::new(),
        seen: 0,
        wants_no_acks: false,
        name_untold: false,
        cleared_to: 0,
        handshake: None,
        keys: None,
    };
    Contact {
        row,
        session: None,
        greeting: None,
        acceptance: None,
        keys: None,
        seen: BTreeMap::new(),
    }
}

/// What the inviter wrote, whatever else some relay keeps in its place. Withdrawn on one relay is
/// withdrawn.
fn choose_offer(
    link: &InviteLink,
    records: &[(Header, Vec<u8>)],
    hour: u32,
) -> Result<Offer, OfferError> {
    let mut best = Err(OfferError::Malformed);
    for (header, body) in records {
        match link.open(header, body, hour) {
            Err(OfferError::Revoked) => return Err(OfferError::Revoked),
            read => best = best.or(read),
        }
    }
    best
}

fn offer_problem(error: OfferError) -> Problem {
    match error {
        OfferError::Revoked => problems::invitation_revoked(),
        OfferError::Expired { .. } => problems::invitation_expired(),
        OfferError::Record(_) | OfferError::Malformed => problems::invitation_false(),
    }
}
