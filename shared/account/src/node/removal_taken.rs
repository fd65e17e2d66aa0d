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
use crate::letter::{Item, Kem};
use crate::removal::{Gift, Removal, Told};
use shared::crypto::{KemSecret, sha256};

impl Open {
    /// Tells devices that were not told it the key that gifts to this one are sealed to.
    pub(super) fn tell_kem(&mut self, cx: &mut Cx) {
        let all = self.other_bits();
        if all & !self.own.row.kem_told == 0 {
            return;
        }
        self.own.row.kem_told |= all;
        cx.touch(RowKey::Own);
        let public = self.kem_public(cx);
        self.tell(cx, &Item::Kem(Kem { public }.into()));
    }

    /// False if the list does not name that device yet.
    pub(super) fn take_kem(&mut self, cx: &mut Cx, slot: u8, kem: Kem) -> bool {
        let Some(device) = self.device_entry(slot) else {
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

    pub(super) fn take_removed(&mut self, cx: &mut Cx, from: u8, told: Told) {
        if !told.is_by(&self.me) {
            return;
        }
        let own = self.device.public();
        if told.removals.iter().any(|removal| removal.device == own) {
            return self.be_removed(cx);
        }
        let names = |of: &[Removal], one: &Removal| of.iter().any(|r| r.device == one.device);
        let knows_all = self.removals().iter().all(|one| names(&told.removals, one));
        for removal in &told.removals {
            if !names(&self.profile.removed, removal) {
                self.shut_out(cx, removal);
            }
        }
        if told.slot == self.profile.slot && told.turn >= self.own.row.turn {
            self.take_gift(cx, &told);
        }
        let is_beside = told.turn == self.own.row.turn && !knows_all;
        if is_beside && self.is_full() && self.profile.slot < from {
            // Two removed others at once: whom the one removed, the other has told what it drew.
            self.draw_anew(cx);
        }
    }

    fn take_gift(&mut self, cx: &mut Cx, told: &Told) {
        let Some((secret, about)) = self.profile.kem.zip(told.removals.last()) else {
            return;
        };
        let (own, slot) = (KemSecret::from_bytes(secret), self.profile.slot);
        let Ok(gift) = Gift::open(&told.gift, about, slot, &own) else {
            return;
        };
        let pair = gift.self_pair.seed();
        if self.own.sessions().any(|own| own.is_on(&pair)) {
            return;
        }
        let before = self.epoch_keys.names();
        self.epoch_keys.unite(gift.keys);
        cx.touch(RowKey::EpochKeys);
        self.published_epoch = 0;
        self.house_at = cx.now.mono;
        self.begin_turn(cx, told.turn, &gift.self_pair, before);
        self.profile.read_secret = *gift.read.as_bytes();
        cx.touch(RowKey::Profile);
        if let Some(secret) = &gift.state_read {
            self.take_state_secret(cx, secret);
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
