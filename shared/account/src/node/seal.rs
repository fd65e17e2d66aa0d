//! What each owner's object says, sealed when its turn comes. PROTOCOL.md sections 4 to 6.
//!
//! Invariant: what sealing changed (counters, pairs, versions) is touched here, so it is saved
//! before the puzzle is even begun.

use super::cx::Cx;
use super::model::*;
use super::open::{Open, Ride};
use crate::record::{Author, SLOT_PROFILE, Signer};
use crate::sealed::{Sealed, Sender};
use crate::session::{ACKS_MAX, Draft, SealError, message_id};
use alloc::vec::Vec;
use shared::crypto::{PublicKey, SigningKey};
use shared::time::{self, Millis};

impl Open {
    /// Seals the owner's object, its work still to be done. `None`: it cannot be sealed now, or
    /// need not be.
    pub fn seal(&mut self, cx: &mut Cx, owner: &Owner) -> Option<Sealed> {
        match owner {
            Owner::Message(who, id) => self.seal_message(cx, owner, who, Some(id)),
            Owner::Letter(id) => self.seal_own(cx, owner, Some(id)),
            Owner::Ack(who) if who == self.me.as_bytes() => self.seal_own(cx, owner, None),
            Owner::Ack(who) => self.seal_message(cx, owner, who, None),
            Owner::Greeting(who) => self.seal_greeting(cx, owner, who),
            Owner::Acceptance(who) => self.seal_acceptance(cx, owner, who),
            Owner::Return(who) => self.seal_return(cx, owner, who),
            Owner::Invite(id) => self.seal_invite(cx, owner, id),
            Owner::Record(slot) => self.seal_record(cx, *slot),
            Owner::TakenBack(id) => self.seal_taken_back(cx, id),
        }
    }

    fn seal_message(
        &mut self,
        cx: &mut Cx,
        owner: &Owner,
        who: &Who,
        id: Option<&Id16>,
    ) -> Option<Sealed> {
        if id.is_some() && (self.is_to_be_confirmed(who) || self.owes_acceptance(who)) {
            return None;
        }
        let draft = self.draft(cx, who, id)?;
        let certificate = self.certificate(cx)?;
        let effort = self.effort(owner, 0);
        let contact = self.contacts.get_mut(who)?;
        let (session, keys) = (contact.session.as_mut()?, contact.keys.as_ref()?);
        let now = self.clock.assumed();
        let sender = sender(cx, self.me, &self.device, &certificate, effort, now);
        let sealed = session.seal_message(&draft, keys, &sender, &self.epoch_keys, &mut cx.visible);
        match sealed {
            Ok(message) => {
                let ride = Ride {
                    acks: draft.acks,
                    name: draft.name,
                    no_acks: draft.no_acks,
                    recovery: draft.recovery.is_some(),
                    heads: draft.heads.unwrap_or_default(),
                    read: draft.read,
                };
                if draft.read.is_some() {
                    contact.row.told.rides(draft.message_id);
                }
                cx.touch(RowKey::Contact(*who));
                self.refresh_expected(who);
                self.rides.insert(*owner, ride);
                Some(message.sealed)
            }
            Err(SealError::NoKeys) => {
                self.want_keys(cx, who);
                self.show_waiting(cx, who);
                None
            }
            Err(_) => None,
        }
    }

    /// What a message to them says: this text, or news alone. `None`: there is nothing to say.
    fn draft(&self, cx: &mut Cx, who: &Who, id: Option<&Id16>) -> Option<Draft> {
        let contact = self.contacts.get(who)?;
        let row = &contact.row;
        let mailbox = self.profile.mailbox;
        let owed = row.owed_anyway.iter().chain(&row.owed);
        // Who is gone is told with the secret, and beside a text there is no room for our new keys.
        let removals = self.removals();
        let tells_read = row.told.is_read_untold && (id.is_none() || removals.is_empty());
        let mut draft = Draft {
            acks: owed.take(ACKS_MAX).map(|owed| owed.0).collect(),
            time: self.clock.assumed(),
            order: row.order + 1,
            name: row.name_untold.then(|| self.profile.name.clone()),
            no_acks: !row.acknowledge,
            // It may have got more bits since the contact was last told.
            mailbox: (mailbox.bits() > 0).then_some(mailbox),
            heads: Some(self.shelf.heads()),
            read: tells_read.then_some(self.profile.read_secret),
            recovery: (!row.recovery_told).then(|| self.authority.recovery()),
            removals: if tells_read { removals } else { Vec::new() },
            ..Draft::default()
        };
        match id {
            Some(id) => {
                let message = self.outgoing.get(&(*who, *id))?;
                draft.message_id = *id;
                draft.text = Some(message.text.clone());
                draft.time = message.at;
                draft.order = message.order;
            }
            None if !contact.has_news(self.shelf.head(SLOT_PROFILE)) => return None,
            None => draft.message_id = message_id(&self.me, "", &mut cx.rng),
        }
        Some(draft)
    }

    fn seal_greeting(&mut self, cx: &mut Cx, owner: &Owner, who: &Who) -> Option<Sealed> {
        let certificate = self.certificate(cx)?;
        let effort = self.effort(owner, crate::greeting::EFFORT_MIN);
        let hour = time::hour(self.clock.assumed());
        let contact = self.contacts.get_mut(who).filter(|c| c.is_greeting())?;
        let pending = contact.greeting.as_mut()?;
        if pending.expiry <= hour {
            return None;
        }
        let now = self.clock.assumed();
        let sender = sender(cx, self.me, &self.device, &certificate, effort, now);
        let sealed = pending.seal(&sender, &mut cx.visible);
        cx.touch(RowKey::Contact(*who));
        self.expect_acceptance(who);
        Some(sealed)
    }

    fn seal_acceptance(&mut self, cx: &mut Cx, owner: &Owner, who: &Who) -> Option<Sealed> {
        let certificate = self.certificate(cx)?;
        let effort = self.effort(owner, 0);
        let contact = self.contacts.get_mut(who)?;
        let (pending, session) = (contact.acceptance.as_ref()?, contact.session.as_mut()?);
        let now = self.clock.assumed();
        let sender = sender(cx, self.me, &self.device, &certificate, effort, now);
        let is_again = session.has_open_pair();
        let sealed = pending.seal(session, &sender, &self.epoch_keys, &mut cx.visible);
        session.on_epoch(self.clock.assumed_epoch(), self.clock.agreed());
        cx.touch(RowKey::Contact(*who));
        self.refresh_expected(who);
        if is_again {
            // Who gets this answer alone could not open what was sealed on the pair of the last.
            self.seal_anew(cx, who);
        }
        Some(sealed)
    }

    /// Whether an answer of ours is to be sealed first: what is sent goes on the pair it makes.
    fn owes_acceptance(&self, who: &Who) -> bool {
        let owes = self
            .contacts
            .get(who)
            .is_some_and(|c| c.acceptance.is_some());
        owes && !self.parcels.contains_key(&Owner::Acceptance(*who))
    }

    fn seal_return(&mut self, cx: &mut Cx, owner: &Owner, who: &Who) -> Option<Sealed> {
        let certificate = self.certificate(cx)?;
        let effort = self.effort(owner, 0);
        let now = self.clock.assumed();
        let secret = self.own_return_secret(who)?;
        let contact = self.contacts.get(who)?;
        let pending = contact.coming_back.as_ref().filter(|p| p.is_asking(now))?;
        let (intro, is_old) = (self.introduction(pending.message_id), pending.is_old(now));
        let contact = self.contacts.get_mut(who)?;
        let (pending, keys) = (contact.coming_back.as_mut()?, contact.keys.as_ref()?);
        let sender = sender(cx, self.me, &self.device, &certificate, effort, now);
        let account = self.authority.full()?.account_key();
        let from = (&sender, account, &self.epoch_keys);
        let sealed = pending.seal(&secret, keys, &intro, from, &mut cx.visible);
        cx.touch(RowKey::Contact(*who));
        self.expect_return_accepted(who);
        if is_old || sealed.is_none() {
            // They may have come back themselves since.
            self.look_up_keys(cx, who);
        }
        sealed
    }

    fn seal_invite(&mut self, cx: &mut Cx, owner: &Owner, id: &Id16) -> Option<Sealed> {
        let version = self.record_version(cx);
        let effort = self.effort(owner, 0);
        let invite = self.invites.get(id)?;
        let secret = invite.secret.as_ref()?;
        let account = self.authority.full()?.account_key();
        let by = Author {
            signer: Signer::Account(account),
            version,
            effort,
            network: cx.config.network,
        };
        let fresh = cx.rng.array();
        if invite.row.state > 1 {
            return secret.tombstone(by, &fresh).ok();
        }
        secret.record(by, &self.profile.name, &fresh).ok()
    }

    /// A version above every one used before, by any device with a clock that is nearly right.
    pub fn record_version(&mut self, cx: &mut Cx) -> u64 {
        let seconds = self.clock.assumed() / 1_000;
        self.profile.record_version = seconds.max(self.profile.record_version + 1);
        cx.touch(RowKey::Profile);
        self.profile.record_version
    }
}

/// Who seals. Not a method: what is sealed for is borrowed from the same account.
pub(super) fn sender<'a>(
    cx: &Cx,
    account: PublicKey,
    device: &'a SigningKey,
    certificate: &'a [u8; 101],
    effort: u8,
    now: Millis,
) -> Sender<'a> {
    Sender {
        account,
        device,
        certificate,
        network: cx.config.network,
        effort,
        now,
    }
}
