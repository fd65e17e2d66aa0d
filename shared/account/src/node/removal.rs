//! Shutting out a device of this account: what is drawn anew, and who is told. PROTOCOL.md section
//! 16. What those who stay do with it is in `removal_taken.rs`.
//!
//! Invariant: what the device knew is of no use for anything that is sealed, read or written once
//! those who stay have heard of it. All of it changes in one save.

use super::cx::Cx;
use super::model::*;
use super::open::Open;
use super::own::Former;
use super::problems;
use crate::api::{Answer, Problem};
use crate::epoch_keys::KeyName;
use crate::letter::Item;
use crate::linking::SelfPair;
use crate::removal::{Gift, REMOVED_MAX, REMOVED_MS, Removal, Told};
use crate::session::REMOVALS_MAX;
use crate::state::Key;
use crate::state::values::DeviceKind;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use shared::crypto::{Key as Secret, PublicKey};

/// Sessions of turns that are over, at most.
const FORMER_MAX: usize = 4;
/// In the place of a slot where no device stays.
const NOBODY: u8 = 255;

impl Open {
    /// Takes a device out of the account.
    pub(super) fn remove_device(
        &mut self,
        cx: &mut Cx,
        slot: u8,
    ) -> Result<Option<Answer>, Problem> {
        let Some(identity) = self.authority.full() else {
            return Err(problems::needs_full_device());
        };
        if slot == self.profile.slot {
            return Err(problems::this_device());
        }
        let device = self.device_key(slot).ok_or_else(problems::no_such_device)?;
        let now = self.clock.assumed();
        let removal = Removal::sign(identity.account_key(), slot, device, now);
        self.shut_out(cx, &removal);
        self.draw_anew(cx);
        self.pump_jobs(cx);
        Ok(None)
    }

    /// The key of the device in that slot, as the list or the session says.
    fn device_key(&self, slot: u8) -> Option<PublicKey> {
        let named = self.device_entry(slot);
        let named = named.and_then(|device| PublicKey::from_bytes(&device.key).ok());
        named.or_else(|| self.own.session.as_ref()?.device_in(slot))
    }

    /// Nothing of that device counts any more on this one.
    pub(super) fn shut_out(&mut self, cx: &mut Cx, removal: &Removal) {
        let removed = &mut self.profile.removed;
        removed.push(removal.clone());
        if removed.len() > REMOVED_MAX {
            removed.remove(0);
        }
        self.profile
            .given
            .retain(|given| given.slot != removal.slot);
        cx.touch(RowKey::Profile);
        let named = self.device_entry(removal.slot);
        if named.is_some_and(|device| device.key == *removal.device.as_bytes()) {
            self.delete_state(cx, &Key::Device(removal.slot));
        }
        self.own.forget_slot(removal);
        cx.touch(RowKey::Own);
        self.expect_own();
        self.end_elsewhere(cx, removal.slot);
        self.end_letters(cx);
        self.show_devices(cx);
    }

    /// All that devices share is drawn anew, given to those who stay, and told to contacts as far
    /// as they need it.
    pub(super) fn draw_anew(&mut self, cx: &mut Cx) {
        let epoch = self.clock.assumed_epoch();
        let before = self.epoch_keys.names();
        self.epoch_keys.renew(epoch, &mut cx.rng);
        cx.touch(RowKey::EpochKeys);
        self.published_epoch = 0;
        self.house_at = cx.now.mono;
        self.change_state_read(cx);
        let pair = SelfPair {
            epoch: epoch.saturating_sub(1),
            secret: Secret::new(cx.rng.array()),
        };
        let turn = self.own.row.turn;
        let has_others = self.own.session.is_some();
        self.begin_turn(cx, turn.saturating_add(1), &pair, before);
        self.change_read(cx);
        self.tell_contacts_of_removal(cx);
        if has_others {
            self.give(cx, turn, &pair);
        }
    }

    /// The devices of the account go on in another session; one of no later turn is heard beside
    /// the present one. Who does not know it has the epoch keys `keys` alone.
    pub(super) fn begin_turn(
        &mut self,
        cx: &mut Cx,
        turn: u32,
        pair: &SelfPair,
        keys: BTreeSet<KeyName>,
    ) {
        self.own.keys_said = self.epoch_keys.names();
        self.own.row.has.clear();
        let Some(session) = self.own.session.as_mut() else {
            return;
        };
        let mut next = session.own_next(&pair.seed());
        if turn > self.own.row.turn {
            core::mem::swap(session, &mut next);
        }
        // A device that came later can't read what goes on the chain that there was.
        next.end_chain();
        let former = Former {
            turn: turn.min(self.own.row.turn),
            session: next,
            since: self.clock.assumed(),
            keys: keys.into_iter().collect(),
        };
        self.own.former.insert(0, former);
        if self.own.former.len() > FORMER_MAX {
            self.drop_oldest_former();
        }
        self.own.row.turn = turn.max(self.own.row.turn);
        cx.touch(RowKey::Own);
        self.own_on_epoch(cx);
    }

    /// Tells those who stay, in the session that they know.
    fn give(&mut self, cx: &mut Cx, turn: u32, pair: &SelfPair) {
        let removals = self.profile.removed.clone();
        let Some((identity, last)) = self.authority.full().zip(removals.last()) else {
            return;
        };
        let gift = Gift {
            self_pair: pair.clone(),
            keys: self.epoch_keys.clone(),
            read: Secret::new(self.profile.read_secret),
            state_read: self.state_secret(),
        };
        let account = identity.account_key().clone();
        let stay = self.other_devices();
        let mut gifts: Vec<(u8, Vec<u8>)> = Vec::new();
        for kem in &self.own.row.kems {
            if stay.contains(&kem.slot) {
                gifts.push((
                    kem.slot,
                    gift.seal(last, kem.slot, &kem.public, &mut cx.rng),
                ));
            }
        }
        if gifts.is_empty() {
            gifts.push((NOBODY, Vec::new()));
        }
        for (slot, gift) in gifts {
            let removals = removals.clone();
            let told = Told::sign(&account, removals, self.own.row.turn, slot, gift);
            self.tell_former(cx, turn, &Item::Removed(told.into()));
        }
        for (slot, device) in self.device_entries() {
            if stay.contains(&slot) && device.kind == DeviceKind::Linked {
                self.renew_device(cx, slot, &device);
            }
        }
    }

    /// Devices that were shut out lately, as contacts are told: the last ones.
    pub(super) fn removals(&self) -> Vec<Removal> {
        let now = self.clock.assumed();
        let lately = |r: &&Removal| r.time.saturating_add(REMOVED_MS) > now;
        let lately = self.profile.removed.iter().filter(lately);
        let lately: Vec<Removal> = lately.cloned().collect();
        let first = lately.len().saturating_sub(REMOVALS_MAX);
        lately.into_iter().skip(first).collect()
    }

    /// From here on each contact is written to on a chain of its own, which tells our new keys and
    /// who is gone, and proposes another pair.
    fn tell_contacts_of_removal(&mut self, cx: &mut Cx) {
        for (who, contact) in &mut self.contacts {
            let Some(session) = contact.session.as_mut().filter(|_| contact.row.state == 1) else {
                continue;
            };
            session.renew();
            contact.row.told.read_changed();
            cx.touch(RowKey::Contact(*who));
        }
    }

    /// What a device that is gone was to send is not under way any more: people may send it from
    /// here.
    fn end_elsewhere(&mut self, cx: &mut Cx, gone: u8) {
        let is_last = self.other_devices().is_empty();
        let waits = |m: &MessageRow| match m.delivery {
            DeliveryRow::Elsewhere(slot) => is_last || slot == Some(gone),
            _ => false,
        };
        let waiting = self.outgoing.iter().filter(|(_, m)| waits(m));
        let waiting: Vec<(Who, Id16)> = waiting.map(|(of, _)| *of).collect();
        for (who, id) in waiting {
            self.set_delivery(cx, &who, &id, DeliveryRow::DeviceGone);
        }
    }
}
