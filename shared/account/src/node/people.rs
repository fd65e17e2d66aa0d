//! Contacts: accepted, declined, blocked, removed; their keys and our own, epoch by epoch.
//!
//! Invariant: without a current key of a contact nothing is sealed for them; it waits and the key
//! is looked up.

use super::cx::Cx;
use super::found::Looked;
use super::greet::new_contact;
use super::lookups::Whose;
use super::model::*;
use super::open::{Contact, Expected, Open};
use super::relays::NodeKey;
use super::{limits, problems, views};
use crate::acceptance::PendingAcceptance;
use crate::api::*;
use crate::epoch_keys::ContactKeys;
use crate::greeting::Greeting;
use crate::record::{SLOT_EPOCH_KEYS, SLOT_PROFILE};
use crate::session::{Old, Session, message_id};
use alloc::vec::Vec;
use shared::wire::Refused;

type Outcome = Result<Option<Answer>, Problem>;

/// Pauses between lookups of a contact's keys that were not found.
const KEYS_RETRY_MS_MIN: u64 = 5_000;
const KEYS_RETRY_MS_MAX: u64 = 600_000;
/// After so many refusals of one object for its date the time is asked again.
const CLOCK_REFUSALS: u32 = 2;

impl Open {
    pub fn accept(&mut self, cx: &mut Cx, greeting: &str) -> Outcome {
        let id = views::id16(greeting).ok_or_else(problems::greeting_unknown)?;
        let row = self.greetings.get(&id).filter(|g| !g.done);
        let row = row.ok_or_else(problems::greeting_unknown)?.clone();
        let opened = Greeting::decode(&row.opened).map_err(|_| problems::store_damaged())?;
        let who = row.who;
        let now = self.clock.assumed();
        if self.is_stale(&opened) {
            // They have greeted anew, accepted us or written since: there is nothing to answer.
            self.end_greeting(cx, &id, false);
            return Ok(self.contact_view(&who).map(super::commands::contact_answer));
        }
        if self.contacts.len() >= limits::CONTACTS_MAX && !self.contacts.contains_key(&who) {
            return Err(problems::not_possible());
        }
        let message = message_id(&self.me, "", &mut cx.rng);
        let intro = self.introduction(message);
        let keys = ContactKeys::new(opened.read_secret());
        let (greeted, met) = (opened.message_id, opened.time.min(now));
        let recovery = opened.recovery;
        let (pending, session) = PendingAcceptance::new(opened, &self.me, intro)
            .map_err(|_| problems::not_possible())?;
        let contact = self
            .contacts
            .entry(who)
            .or_insert_with(|| new_contact(who, row.name.clone(), now));
        contact.row.state = 1;
        contact.row.name = row.name.clone();
        contact.row.handshake = None;
        contact.row.met = contact.row.met.max(met);
        contact.row.told.read_at = contact.row.told.read_at.max(met);
        contact.keys = Some(keys);
        // Of who greeted again, what is still under way on the old pair can arrive.
        let device_changed = contact.take_session(session, Old::Retires);
        contact.acceptance = Some(pending);
        contact.row.recovery = recovery.or(contact.row.recovery);
        // The acceptance tells ours, and makes a pair where we wait for one.
        contact.row.recovery_told = true;
        if let Some(own) = &mut contact.coming_back {
            own.answered = true;
        }
        let new = !contact.has_seen(&greeted);
        if new {
            contact.saw(cx, greeted);
        }
        cx.touch(RowKey::Contact(who));
        self.refresh_expected(&who);
        self.expect_returns(&who);
        self.end_greeting(cx, &id, true);
        self.end_older_greetings(cx, &who);
        if self
            .invites
            .get(&row.invite)
            .is_some_and(|i| i.row.single_use && i.row.state <= 1)
        {
            self.end_invite(cx, &row.invite, 3);
        }
        if device_changed {
            self.tell_device_changed(cx, &who);
        }
        if new && !row.text.is_empty() {
            self.receive(cx, &who, MessageRow::theirs(greeted, row.text, row.at), 1);
            self.tell_last_received(cx, &who, &greeted);
        }
        self.tick_fast(cx);
        // An answer to an earlier greeting, if one is still under way, is of no use any more.
        self.drop_parcel(cx, &Owner::Acceptance(who));
        self.drop_job(cx, &Owner::Acceptance(who));
        self.jobs.add(Owner::Acceptance(who));
        self.want_keys(cx, &who);
        self.pump_jobs(cx);
        self.show_contact(cx, &who);
        Ok(self.contact_view(&who).map(super::commands::contact_answer))
    }

    fn contact_view(&self, who: &Who) -> Option<ContactView> {
        let contact = self.contacts.get(who)?;
        Some(views::contact(contact, self.waits_for(who)))
    }

    /// Whether there is a pair with them by something they wrote later, or the same device has
    /// written on one since: then they wait for no answer.
    pub fn is_stale(&self, greeting: &Greeting) -> bool {
        let contact = self.contacts.get(greeting.from.as_bytes());
        let met = |c: &Contact, session: &Session| {
            let same = session.knows(greeting.slot, &greeting.device);
            greeting.time <= c.row.met || same && greeting.time <= session.heard()
        };
        contact.is_some_and(|c| c.session.as_ref().is_some_and(|session| met(c, session)))
    }

    /// Greetings of theirs that are older than the pair there is now lead nowhere.
    pub fn end_older_greetings(&mut self, cx: &mut Cx, who: &Who) {
        let listed = self.greetings.values().filter(|g| g.who == *who && !g.done);
        let stale = |g: &GreetingRow| Greeting::decode(&g.opened).map(|g| self.is_stale(&g));
        let older: Vec<Id16> = listed
            .filter(|row| stale(row).unwrap_or(true))
            .map(|row| row.id)
            .collect();
        for id in older {
            self.end_greeting(cx, &id, false);
        }
    }

    pub fn decline(&mut self, cx: &mut Cx, greeting: &str, block: bool) -> Outcome {
        let id = views::id16(greeting).ok_or_else(problems::greeting_unknown)?;
        let row = self.greetings.get(&id).filter(|g| !g.done);
        let row = row.ok_or_else(problems::greeting_unknown)?.clone();
        self.end_greeting(cx, &id, false);
        if block {
            let now = cx.now.unix;
            let contact = self.contacts.entry(row.who);
            contact.or_insert_with(|| new_contact(row.who, row.name.clone(), now));
            return self.remove_contact(cx, &views::account(&row.who), true);
        }
        Ok(None)
    }

    /// Takes a greeting from the list; a copy of it that comes later is not shown again.
    fn end_greeting(&mut self, cx: &mut Cx, id: &Id16, accepted: bool) {
        self.close_greeting(cx, id, accepted);
        self.tell_answered(cx, id, accepted);
    }

    pub fn remove_contact(&mut self, cx: &mut Cx, contact: &str, block: bool) -> Outcome {
        let who = self.known(contact)?;
        if self.drop_contact(cx, &who, block) {
            self.change_read(cx);
        }
        self.pump_jobs(cx);
        Ok(None)
    }

    /// True if they know our contact read secret.
    pub(super) fn drop_contact(&mut self, cx: &mut Cx, who: &Who, block: bool) -> bool {
        let who = *who;
        for owner in [
            Owner::Greeting(who),
            Owner::Acceptance(who),
            Owner::Return(who),
            Owner::Ack(who),
        ] {
            self.drop_parcel(cx, &owner);
            self.drop_job(cx, &owner);
        }
        if let Some(contact) = self.contacts.get_mut(&who)
            && let Some(id) = contact.row.handshake.take()
        {
            self.outgoing.remove(&(who, id));
            cx.touch(RowKey::Outgoing(who, id));
        }
        self.clear_conversation(cx, &who);
        self.forget_expected(&who);
        let mut knew_read = false;
        if let Some(old) = self.contacts.remove(&who) {
            cx.touch(RowKey::ShownBy(who));
            self.watched.forget(&who);
            knew_read = old.session.is_some() || old.greeting.is_some();
            for chunk in old.seen.keys() {
                cx.touch(RowKey::Seen(who, *chunk));
            }
            if block {
                let mut blocked = new_contact(who, old.row.name, old.row.added);
                blocked.row.state = 2;
                self.contacts.insert(who, blocked);
                self.show_contact(cx, &who);
            } else {
                cx.event(Event::ContactRemoved {
                    contact: views::account(&who),
                });
            }
        }
        cx.touch(RowKey::Contact(who));
        knew_read
    }

    /// A blocked person may greet again; what was deleted stays deleted.
    pub fn unblock(&mut self, cx: &mut Cx, contact: &str) -> Outcome {
        let who = views::who(contact).ok_or_else(problems::contact_unknown)?;
        if self.contacts.get(&who).is_none_or(|c| c.row.state != 2) {
            return Err(problems::contact_unknown());
        }
        self.contacts.remove(&who);
        cx.touch(RowKey::Contact(who));
        cx.event(Event::ContactRemoved {
            contact: views::account(&who),
        });
        Ok(None)
    }

    /// Brings the table of expected tags up to what a contact's session expects.
    pub fn refresh_expected(&mut self, who: &Who) {
        let Some(session) = self.contacts.get_mut(who).and_then(|c| c.session.as_mut()) else {
            return;
        };
        let changes = session.take_changes();
        for locator in changes.removed {
            self.expected.remove(&locator);
        }
        for (locator, _) in changes.added {
            self.expected
                .insert(locator, Expected::Session { who: *who });
        }
    }

    pub fn forget_expected(&mut self, who: &Who) {
        let Some(contact) = self.contacts.get(who) else {
            return;
        };
        let session = contact
            .session
            .iter()
            .flat_map(|s| s.expected().map(|(locator, _)| locator));
        let greeting = contact
            .greeting
            .iter()
            .flat_map(|g| g.locators().map(|(locator, _)| locator));
        let coming_back = contact.coming_back.iter();
        let coming_back = coming_back.flat_map(|r| r.locators().map(|(locator, _)| locator));
        let returns = contact.returns.locators();
        for locator in session.chain(greeting).chain(coming_back).chain(returns) {
            self.expected.remove(&locator);
        }
    }

    /// Looks up a contact's keys if none is usable now and nothing is under way.
    pub fn want_keys(&mut self, cx: &mut Cx, who: &Who) {
        let Some(contact) = self.contacts.get(who) else {
            return;
        };
        let epoch = self.clock.assumed_epoch();
        if contact.keys.as_ref().is_none_or(|keys| keys.usable(epoch)) {
            return;
        }
        let is_met = contact.session.is_some() || contact.coming_back.is_some();
        if !is_met || self.lookups.retry.contains_key(who) {
            return;
        }
        self.look_up_keys(cx, who);
    }

    /// Looks up a contact's keys, unless that is under way.
    pub fn look_up_keys(&mut self, cx: &mut Cx, who: &Who) {
        if self.contacts.get(who).is_none_or(|c| c.keys.is_none()) {
            return;
        }
        let of = Whose::Contact(*who);
        if !self.lookups.seeks(of, SLOT_EPOCH_KEYS) && !self.look_up(cx, of, SLOT_EPOCH_KEYS) {
            self.lookups
                .retry
                .insert(*who, (cx.now.mono + KEYS_RETRY_MS_MIN, KEYS_RETRY_MS_MIN));
        }
    }

    /// Records of a contact's keys were looked up. True if one can be sealed to.
    pub fn on_keys_read(&mut self, cx: &mut Cx, who: &Who, looked: &Looked) -> bool {
        let epoch = self.clock.assumed_epoch();
        let Some(contact) = self.contacts.get_mut(who) else {
            return true;
        };
        if let Some(keys) = &mut contact.keys {
            for read in &looked.texts {
                if keys.learn_text(&read.text, epoch).is_ok() {
                    cx.touch(RowKey::Contact(*who));
                }
            }
        }
        if !contact.has_keys(epoch) {
            // A tombstone is not the last word: others may answer yet.
            if looked.texts.is_empty() && !looked.taken_back {
                self.keys_not_found(cx, who);
            }
            return false;
        }
        self.lookups.retry.remove(who);
        self.renew_return(cx, who);
        self.queue_missing(Some(who));
        self.pump_jobs(cx);
        true
    }

    /// No relay had usable keys: asked again later, while something waits for them.
    fn keys_not_found(&mut self, cx: &mut Cx, who: &Who) {
        let pause = self
            .lookups
            .retry
            .get(who)
            .map_or(KEYS_RETRY_MS_MIN, |(_, pause)| pause * 2);
        let pause = pause.min(KEYS_RETRY_MS_MAX);
        self.lookups
            .retry
            .insert(*who, (cx.now.mono + pause, pause));
        self.show_waiting(cx, who);
    }

    /// Whether there is something to be sealed for them.
    fn has_waiting(&self, who: &Who) -> bool {
        let mut outgoing = self.outgoing.range((*who, [0; 16])..=(*who, [0xff; 16]));
        let now = self.clock.assumed();
        let profile = self.shelf.head(SLOT_PROFILE);
        let waits = |c: &Contact| c.has_news(profile) || c.is_coming_back(now);
        outgoing.any(|(_, m)| m.delivery.is_on_the_way())
            || self.contacts.get(who).is_some_and(waits)
    }

    /// Looks for the keys of everybody for whom something waits.
    pub fn want_all_keys(&mut self, cx: &mut Cx) {
        let epoch = self.clock.assumed_epoch();
        let without = self.contacts.iter().filter(|(_, c)| !c.has_keys(epoch));
        let without: Vec<Who> = without.map(|(who, _)| *who).collect();
        for who in without {
            if self.has_waiting(&who) {
                self.want_keys(cx, &who);
            }
        }
    }

    /// Lookups whose pause is over.
    pub fn retry_keys(&mut self, cx: &mut Cx) {
        let due = |(at, _): &(u64, u64)| *at <= cx.now.mono;
        let due: Vec<(Who, u64)> = self
            .lookups
            .retry
            .iter()
            .filter(|(_, at)| due(at))
            .map(|(who, (_, pause))| (*who, *pause))
            .collect();
        for (who, pause) in due {
            self.lookups.retry.remove(&who);
            if self.has_waiting(&who) {
                self.want_keys(cx, &who);
                if self.lookups.seeks(Whose::Contact(who), SLOT_EPOCH_KEYS) {
                    // Keeps the pause growing if this one finds nothing either.
                    self.lookups.retry.insert(who, (u64::MAX, pause));
                }
            }
        }
    }

    /// Takes the time of an input, before anything else asks what time it is.
    pub fn on_time(&mut self, cx: &mut Cx) {
        if self.clock.tick(cx.now) {
            cx.touch_lazily(RowKey::Clock);
            self.on_epoch(cx);
        }
        if self.clock.take_jumped() {
            // What relays said last was measured by the old clock.
            for (key, _) in self.relays.links() {
                self.ask_time(cx, key);
            }
        }
    }

    /// What was sealed just now is refused as too old or too young: the relay's clock was set.
    pub fn ask_time_if_set(
        &mut self,
        cx: &mut Cx,
        key: NodeKey,
        owner: &Owner,
        why: Option<Refused>,
    ) {
        let again = self.remakes.get(owner) == Some(&CLOCK_REFUSALS);
        if again && why == Some(Refused::Expired) {
            self.ask_time(cx, key);
        }
    }

    /// A Welcome tells the time, so a relay is asked for it by another link.
    pub fn ask_time(&mut self, cx: &mut Cx, key: NodeKey) {
        let link = self.relays.get_mut(&key).and_then(|relay| relay.link());
        if let Some(link) = link {
            self.relays.redial(cx, link);
            self.on_relay_lost(cx, key);
        }
    }

    /// Our own keys and certificate, and what is expected, brought up to the present epoch.
    pub fn on_epoch(&mut self, cx: &mut Cx) {
        let epoch = self.clock.assumed_epoch();
        let agreed_epoch = self.clock.agreed_epoch();
        let may_draw = self.may_draw_keys(cx);
        let changed = may_draw && self.epoch_keys.ensure(epoch, agreed_epoch, &mut cx.rng);
        let changed = changed | self.epoch_keys.erase(agreed_epoch);
        if changed {
            cx.touch(RowKey::EpochKeys);
        }
        let publishes = self.profile.superseded.is_none() && self.draws_keys();
        if self.published_epoch != epoch && publishes {
            self.published_epoch = epoch;
            let owner = Owner::Record(SLOT_EPOCH_KEYS);
            self.drop_parcel(cx, &owner);
            self.remakes.remove(&owner);
            self.jobs.add(owner);
        }
        if self.epochs != (epoch, agreed_epoch) {
            self.epochs = (epoch, agreed_epoch);
            let agreed = self.clock.agreed();
            let everybody: Vec<Who> = self.contacts.keys().copied().collect();
            for who in everybody {
                if let Some(session) = self.contacts.get_mut(&who).and_then(|c| c.session.as_mut())
                {
                    session.on_epoch(epoch, agreed);
                    cx.touch(RowKey::Contact(who));
                }
                self.refresh_expected(&who);
                self.expect_returns(&who);
            }
            self.own_on_epoch(cx);
        }
    }
}
