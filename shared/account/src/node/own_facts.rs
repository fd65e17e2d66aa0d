//! What this device tells the others of this account as it happens: messages sent, sessions made,
//! greetings answered. PROTOCOL.md section 16.
//!
//! Invariant: what came from another device is not told back.

use super::cx::Cx;
use super::model::*;
use super::open::Open;
use crate::identity::Identity;
use crate::letter::{Answered, Item, Progress};
use crate::linking::{ReturnSecret, SharedContact};
use crate::state;
use alloc::boxed::Box;
use alloc::vec::Vec;
use shared::crypto::{Key, PublicKey};

impl Open {
    /// An entry of the state that this device wrote.
    pub(super) fn tell_entry(&mut self, cx: &mut Cx, key: &state::Key) {
        if self.own.session.is_none() {
            return;
        }
        if let Some(entry) = self.state.set.entry(key).cloned() {
            self.tell(cx, &Item::Entry(entry));
        }
    }

    /// A message of ours was taken to be sent.
    pub(super) fn tell_sent(&mut self, cx: &mut Cx, who: &Who, message: &MessageRow) {
        self.saw_own(cx, who, message.id);
        if let Some(item) = self.copy_of(who, message, Progress::OnTheWay) {
            self.tell_soon(cx, &item);
        }
    }

    /// A message of ours came so far that the others should know. `before` is how it stood.
    pub(super) fn tell_progress(
        &mut self,
        cx: &mut Cx,
        who: &Who,
        id: &Id16,
        before: &DeliveryRow,
    ) {
        let Some(message) = self.outgoing.get(&(*who, *id)).cloned() else {
            return;
        };
        let again = matches!(
            before,
            DeliveryRow::Cancelled(_) | DeliveryRow::Refused(_) | DeliveryRow::DeviceGone
        );
        let progress = match message.delivery {
            _ if matches!(before, DeliveryRow::Elsewhere(_)) => return,
            DeliveryRow::Delivered(_) => Progress::Delivered,
            DeliveryRow::Cancelled(_) => Progress::Cancelled,
            DeliveryRow::Queued if again => Progress::OnTheWay,
            _ => return,
        };
        if let Some(item) = self.copy_of(who, &message, progress) {
            self.tell(cx, &item);
        }
    }

    /// Nothing more will be known of a message of ours.
    pub(super) fn tell_stored(&mut self, cx: &mut Cx, who: &Who, id: &Id16) {
        let Some(message) = self.outgoing.get(&(*who, *id)).cloned() else {
            return;
        };
        if let Some(item) = self.copy_of(who, &message, Progress::Stored) {
            self.tell(cx, &item);
        }
    }

    /// A text came on a chain that a newer device of ours can't read.
    pub(super) fn tell_received(&mut self, cx: &mut Cx, who: &Who, chain: Id16, id: &Id16) {
        if self.own.row.old_chains.contains(&OwedAck(chain)) {
            self.tell_last_received(cx, who, id);
        }
    }

    /// A text came that no other device has seen.
    pub(super) fn tell_last_received(&mut self, cx: &mut Cx, who: &Who, id: &Id16) {
        let last = self.contacts.get(who).and_then(|c| c.row.last.clone());
        let Some(message) = last.filter(|last| last.id == *id && !last.mine) else {
            return;
        };
        if let Some(item) = self.copy_of(who, &message, Progress::Delivered) {
            self.tell(cx, &item);
        }
    }

    /// `None`: there is nobody to tell, or the others do not have this contact yet.
    fn copy_of(&self, who: &Who, message: &MessageRow, delivery: Progress) -> Option<Item> {
        self.own.session.as_ref()?;
        self.contacts.get(who).filter(|c| c.row.state == 1)?;
        Some(Item::Copy(message.copy(
            who,
            self.clock.assumed(),
            delivery,
        )))
    }

    /// Follows a contact's row: pairs that appeared, or stand otherwise than before.
    pub(super) fn note_session(&mut self, cx: &mut Cx, who: &Who) {
        if self.own.session.is_none() {
            return;
        }
        let contact = self.contacts.get(who).filter(|c| c.row.state == 1);
        let session = contact.and_then(|c| c.session.as_ref());
        let Some(standing) = session.map(|session| session.standing()) else {
            self.own.sessions_said.remove(who);
            return;
        };
        let before = self.own.sessions_said.insert(*who, standing);
        if before == Some(standing) {
            return;
        }
        if let Some(contact) = self.shared_contact(who) {
            self.tell(cx, &Item::Session(Box::new(contact)));
        }
        if before.is_none() {
            self.tell_under_way(cx, who);
        }
    }

    /// The pairs with a contact are about to be left: no other device is to send on them.
    pub(super) fn tell_lost(&mut self, cx: &mut Cx, who: &Who) {
        let session = self.contacts.get_mut(who).and_then(|c| c.session.as_mut());
        let Some(session) = session.filter(|_| self.own.session.is_some()) else {
            return;
        };
        session.lose_pairs();
        if let Some(contact) = self.shared_contact(who) {
            self.tell(cx, &Item::Session(Box::new(contact)));
        }
    }

    /// What was written before the others had this contact.
    fn tell_under_way(&mut self, cx: &mut Cx, who: &Who) {
        let mine = self.outgoing.range((*who, [0; 16])..=(*who, [0xff; 16]));
        let mut mine: Vec<MessageRow> = mine
            .map(|(_, message)| message.clone())
            .filter(|m| m.delivery.is_on_the_way())
            .collect();
        mine.sort_unstable_by_key(|message| message.index);
        for message in mine {
            self.saw_own(cx, who, message.id);
            if let Some(item) = self.copy_of(who, &message, Progress::OnTheWay) {
                self.tell(cx, &item);
            }
        }
    }

    /// What another device needs to go on with a contact, beside the state.
    pub(super) fn shared_contact(&self, who: &Who) -> Option<SharedContact> {
        let contact = self.contacts.get(who)?;
        let key = PublicKey::from_bytes(who).ok()?;
        let derived = |identity: &Identity| {
            let own = identity.recovery_key();
            own.return_secret(&contact.row.recovery?, &key, &self.me)
        };
        let secret = match self.authority.full() {
            Some(identity) => derived(identity),
            None => contact.row.return_secret.map(Key::new),
        };
        Some(SharedContact {
            who: key,
            session: contact.session.as_ref().map(|session| session.share()),
            met: contact.row.met,
            return_secret: secret.map(ReturnSecret),
            order: Some(contact.row.order),
        })
    }

    pub(super) fn tell_answered(&mut self, cx: &mut Cx, greeting: &Id16, accepted: bool) {
        let how = if accepted { 1 } else { 2 };
        let greeting = *greeting;
        self.tell(cx, &Item::Answered(Answered { greeting, how }));
    }
}
