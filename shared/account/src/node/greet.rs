//! Somebody else's invitation: read, looked up, and answered with a greeting. PROTOCOL.md section
//! 5.
//!
//! Invariant: until a greeting is sent, nothing of an invitation is kept, its relays included.

use super::commands::{clean_name, contact_answer};
use super::cx::Cx;
use super::found::Looked;
use super::lookups::{Held, Purpose, Settled};
use super::model::*;
use super::open::{Contact, Expected, Open};
use super::{limits, problems, views};
use crate::api::*;
use crate::greeting::{Introduction, PendingGreeting};
use crate::invite::{InviteLink, LinkError, Offer, OfferError};
use crate::session::message_id;
use crate::shown;
use alloc::{collections::BTreeMap, string::String, vec::Vec};
use shared::time;
use shared::wire::RelayHint;

type Outcome = Result<Option<Answer>, Problem>;

impl Open {
    /// What a link says by itself.
    pub fn check_link(&self, text: &str) -> Outcome {
        let link = parse_link(text, self.clock.assumed())?;
        let own = link.inviter == self.me;
        let new = |hint: &&RelayHint| !own && !self.relays.knows(hint);
        Ok(Some(link_answer(&link, own, new)))
    }

    /// Parses a link and asks its relays for a while.
    fn take_link(&mut self, cx: &mut Cx, text: &str) -> Result<InviteLink, Problem> {
        let link = parse_link(text, self.clock.assumed())?;
        if link.inviter != self.me {
            for hint in &link.hints {
                self.relays.invite(cx, *hint);
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
        let places = alloc::vec![link.place()];
        if !self.lookups.start(cx, purpose, places) {
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
        let lookup = settled.lookup;
        if let Purpose::Record { of, slot, .. } = settled.purpose {
            let looked = self.read_found(&settled, hour);
            self.note_withheld(cx, &settled.answered, &looked);
            if self.on_looked_up(cx, of, slot, &looked) {
                self.lookups.finish(lookup);
            }
            return;
        }
        let records = settled.records;
        match settled.purpose {
            Purpose::Record { .. } => {}
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
            Purpose::Again { link } => {
                let read = choose_offer(&link, &records, hour);
                if read == Err(OfferError::Revoked) && self.lookups.finish(lookup) {
                    self.on_revoked(cx, &link);
                }
            }
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
        if let Err(problem) = self.keep_relays(cx, &link.hints) {
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
        self.look_again_later(cx, who);
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

    /// From now on the relays of who is greeted are used, those that there is room for.
    fn keep_relays(&mut self, cx: &mut Cx, hints: &[RelayHint]) -> Result<(), Problem> {
        let mut kept = Ok(());
        let mut any = false;
        for hint in hints {
            let key = hint.node_key;
            let one = match self.relays.is_guest(&key) {
                true => self.relays.keep(cx, &key),
                false => Ok(()),
            };
            any |= one.is_ok();
            kept = kept.and(one);
            self.begin_with_relay(cx, &key);
        }
        if any { Ok(()) } else { kept }
    }

    /// What we tell of ourselves in a handshake.
    pub fn introduction(&self, message_id: Id16) -> Introduction {
        Introduction {
            read: self.profile.read_secret,
            mailbox: self.profile.mailbox,
            name: self.profile.name.clone(),
            message_id,
            time: self.clock.assumed(),
            recovery: self.authority.recovery(),
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
        let failed = self.lookups.take_failed(cx.now.mono, &self.relays);
        let any = !failed.is_empty();
        for (purpose, reached) in failed {
            match purpose {
                Purpose::Record { of, slot, .. } => {
                    let looked = Looked::nothing(reached);
                    self.on_looked_up(cx, of, slot, &looked);
                }
                // It still stands, as far as is known: nothing follows from what is not there.
                Purpose::Again { .. } => {}
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
        if any {
            self.pump_lookups(cx);
        }
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
        changed: now,
        met: 0,
        owed_anyway: Vec::new(),
        switch_untold: false,
        told_at: 0,
        told: Default::default(),
        recovery: None,
        recovery_told: false,
        coming_back: None,
        returned: None,
        return_secret: None,
    };
    Contact {
        row,
        session: None,
        greeting: None,
        acceptance: None,
        coming_back: None,
        returns: Default::default(),
        keys: None,
        shown: None,
        seen: BTreeMap::new(),
    }
}

/// Reads a link; `now` is assumed time (Unix ms).
fn parse_link(text: &str, now: u64) -> Result<InviteLink, Problem> {
    InviteLink::parse(text, time::hour(now)).map_err(|error| match error {
        LinkError::NotALink => problems::not_a_link(),
        LinkError::NewerVersion { .. } => problems::link_newer(),
        LinkError::Expired { .. } => problems::invitation_expired(),
        LinkError::Mangled | LinkError::NoHints => problems::link_mangled(),
    })
}

/// What a link says, where there is no account yet or it is locked.
pub fn check_link(text: &str, now: u64) -> Outcome {
    let link = parse_link(text, now)?;
    Ok(Some(link_answer(&link, false, |_| true)))
}

fn link_answer(link: &InviteLink, own: bool, new: impl FnMut(&&RelayHint) -> bool) -> Answer {
    let new_relays = link.hints.iter().filter(new);
    Answer::Link {
        inviter: views::account(link.inviter.as_bytes()),
        until: u64::from(link.expiry) * 3_600_000,
        own,
        new_relays: new_relays.map(RelayHint::address_text).collect(),
    }
}

/// What the inviter wrote, whatever else some relay keeps in its place. Withdrawn on one relay is
/// withdrawn.
fn choose_offer(link: &InviteLink, records: &[Held], hour: u32) -> Result<Offer, OfferError> {
    let mut best = Err(OfferError::Malformed);
    for held in records {
        match link.open(&held.header, &held.body, hour) {
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
