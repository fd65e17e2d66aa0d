//! What a device does that hears of another one, or itself, having been shut out. PROTOCOL.md
//! section 16.
//!
//! Invariant: nothing is taken that the account has not signed. A device that was shut out keeps
//! what it has, and sends nothing.

use super::cx::Cx;
use super::model::*;
use super::open::Open;
use super::own::KemRow;
use super::problems;
use crate::letter::{Item, Kem, Removed};
use crate::removal::{Gift, Removal, Told};
use crate::root::Root;
use shared::crypto::{KemSecret, sha256};

impl Open {
    /// Tells devices that were not told it the key that gifts to this one are sealed to.
    pub(super) fn tell_kem(&mut self, cx: &mut Cx) {
        let bit = |slot: u8| 1_u8.checked_shl(slot.into()).unwrap_or(0);
        let all = self
            .other_devices()
            .into_iter()
            .fold(0, |all, slot| all | bit(slot));
        if all & !self.own.row.kem_told == 0 {
            return;
        }
        let drawn = cx.rng.array();
        let secret = *self.profile.kem.get_or_insert(drawn);
        cx.touch(RowKey::Profile);
        self.own.row.kem_told |= all;
        cx.touch(RowKey::Own);
        let public = KemSecret::from_bytes(secret).public();
        self.tell(cx, &Item::Kem(Kem { public }.into()));
    }

    /// False if the list does not name that device yet.
    pub(super) fn take_kem(&mut self, cx: &mut Cx, slot: u8, kem: Kem) -> bool {
        let Some(device) = self.device_entries().remove(&slot) else {
            return false;
        };
        if device.kem_hash == sha256(&[kem.public.as_bytes()]) {
            let public = kem.public;
            self.own.row.kems.retain(|known| known.slot != slot);
            self.own.row.kems.push(KemRow { slot, public });
            cx.touch(RowKey::Own);
        }
        true
    }

    pub(super) fn take_removed(&mut self, cx: &mut Cx, from: u8, removed: Removed) {
        let told = Told {
            removals: &removed.removals,
            turn: removed.turn,
            slot: removed.slot,
            gift: &removed.gift,
        };
        if !told.is_by(&self.me, &removed.signature) {
            return;
        }
        let own = self.device.public();
        if removed.removals.iter().any(|removal| removal.device == own) {
            return self.be_removed(cx);
        }
        let told = |known: &Removal| removed.removals.iter().any(|r| r.device == known.device);
        let knows_all = self.removals().iter().all(told);
        for removal in &removed.removals {
            let known = self
                .profile
                .removed
                .iter()
                .any(|k| k.device == removal.device);
            if !known {
                self.shut_out(cx, removal);
            }
        }
        if removed.slot == self.profile.slot && removed.turn >= self.own.row.turn {
            self.take_gift(cx, &removed);
        }
        let is_beside = removed.turn == self.own.row.turn && !knows_all;
        if is_beside && self.is_full() && self.profile.slot < from {
            // Two removed others at once: whom the one removed, the other has told what it drew.
            self.draw_anew(cx);
        }
    }

    fn take_gift(&mut self, cx: &mut Cx, removed: &Removed) {
        let Some((secret, about)) = self.profile.kem.zip(removed.removals.last()) else {
            return;
        };
        let (own, slot) = (KemSecret::from_bytes(secret), self.profile.slot);
        let Ok(gift) = Gift::open(&removed.gift, about, slot, &own) else {
            return;
        };
        if self.own.sessions().any(|own| own.is_on(&gift.self_pair)) {
            return;
        }
        let before = self.epoch_keys.names();
        self.epoch_keys.unite(gift.keys);
        cx.touch(RowKey::EpochKeys);
        self.published_epoch = 0;
        self.house_at = cx.now.mono;
        self.begin_turn(
            cx,
            removed.turn,
            &gift.self_pair,
            before.into_iter().collect(),
        );
        self.profile.read_secret = *gift.read.as_bytes();
        cx.touch(RowKey::Profile);
        if let Some(told) = gift.state_read {
            let root = Root {
                version: 1,
                read: told.secret,
                generation: told.generation,
            };
            self.take_root(cx, &root.text());
        }
        for (who, contact) in &mut self.contacts {
            if let Some(session) = &mut contact.session {
                // What is written next tells the new keys.
                session.end_chain();
            }
            contact.row.told.read_taken();
            cx.touch(RowKey::Contact(*who));
        }
    }

    /// This device is shut out: it sends nothing any more.
    fn be_removed(&mut self, cx: &mut Cx) {
        if self.profile.is_removed {
            return;
        }
        self.profile.is_removed = true;
        cx.touch(RowKey::Profile);
        self.tell_removed(cx);
    }

    /// At every start, too.
    pub(super) fn tell_removed(&self, cx: &mut Cx) {
        if self.profile.is_removed {
            cx.trouble(problems::device_removed());
        }
    }
}
