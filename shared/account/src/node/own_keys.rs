//! Epoch keys among the devices of an account: who draws them, who has which, and to which one
//! letters are sealed. PROTOCOL.md section 16.
//!
//! Invariant: a letter is sealed to a key that as many of the others have as can be; keys that were
//! just drawn are used when it is known that they arrived.

use super::cx::Cx;
use super::model::*;
use super::open::Open;
use crate::epoch_keys::{ContactKeys, EpochKeys, KeyName, beginning};
use crate::letter::Item;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use shared::crypto::{KemPublic, sha256};

impl Open {
    /// Whether this device draws the account's keys for the days that come, and publishes them: one
    /// alone does, so that there are no two for one day.
    pub(super) fn draws_keys(&self) -> bool {
        self.other_devices().is_empty() || self.is_first_but(None)
    }

    /// Whether it may draw now. One that was away first hears what the others have.
    pub(super) fn may_draw_keys(&self, cx: &Cx) -> bool {
        if self.other_devices().is_empty() {
            return true;
        }
        let epoch = self.clock.assumed_epoch();
        let has_none = self.epoch_keys.secrets(epoch).next().is_none();
        match self.is_asking() || has_none {
            true => self.asked_in_vain(cx),
            false => self.draws_keys(),
        }
    }

    /// Follows the row of keys: what is new is told, and what the others had before is what they
    /// have for sure.
    pub(super) fn note_keys_drawn(&mut self, cx: &mut Cx) {
        let names = self.epoch_keys.names();
        if names.is_subset(&self.own.keys_said) {
            return;
        }
        let before = core::mem::replace(&mut self.own.keys_said, names);
        if self.own.session.is_none() {
            return;
        }
        for slot in self.other_devices() {
            if !self.own.row.has.iter().any(|(of, _)| *of == slot) {
                let before = before.iter().copied().collect();
                self.own.row.has.push((slot, before));
            }
        }
        cx.touch(RowKey::Own);
        self.tell(cx, &Item::Keys(self.epoch_keys.clone()));
    }

    /// Keys that another device has.
    pub(super) fn take_keys(&mut self, cx: &mut Cx, slot: u8, keys: EpochKeys) {
        let told = keys.names();
        self.own.keys_said.extend(told.iter().copied());
        if self.epoch_keys.unite(keys) {
            cx.touch(RowKey::EpochKeys);
            // Contacts are told in the record by who draws.
            self.published_epoch = 0;
            self.house_at = cx.now.mono;
        }
        let epoch = self.clock.assumed_epoch();
        let names = self.epoch_keys.names();
        let of_now = |name: &&KeyName| name.0.saturating_add(1) >= epoch;
        let lacks = names.iter().filter(of_now).any(|name| !told.contains(name));
        self.own.row.has.retain(|(of, _)| *of != slot);
        if lacks {
            let told = told.into_iter().collect();
            self.own.row.has.push((slot, told));
            self.own.keys_said = names;
            self.tell(cx, &Item::Keys(self.epoch_keys.clone()));
        }
        cx.touch(RowKey::Own);
    }

    /// The device of that slot has taken all keys that there are.
    pub(super) fn has_all_keys(&mut self, cx: &mut Cx, slot: u8) {
        self.own.row.has.retain(|(of, _)| *of != slot);
        cx.touch(RowKey::Own);
    }

    /// Tells one state of our keys from another.
    pub(super) fn keys_digest(&self) -> u64 {
        let mut bytes = Vec::new();
        for (epoch, name) in self.epoch_keys.names() {
            bytes.extend_from_slice(&epoch.to_le_bytes());
            bytes.extend_from_slice(&name.to_le_bytes());
        }
        beginning(&sha256(&[&bytes]))
    }

    /// The key that letters are sealed to now. Where this device has none that others have, it is
    /// one of the account's record.
    pub(super) fn keys_of_devices(&self) -> Option<ContactKeys> {
        let now = self.clock.assumed_epoch();
        let others = self.other_devices();
        let has: Vec<BTreeSet<KeyName>> = self
            .own
            .row
            .has
            .iter()
            .filter(|(slot, _)| others.contains(slot))
            .map(|(_, names)| names.iter().copied().collect())
            .collect();
        let lacking = |name: &KeyName| has.iter().filter(|h| !h.contains(name)).count();
        // How many lack it, and which it is.
        let mut best: Option<(usize, KeyName, KemPublic)> = None;
        let mut consider = |lacking: usize, name: KeyName, key: KemPublic| {
            let better = best.as_ref().is_none_or(|(least, ..)| lacking < *least);
            if better {
                best = Some((lacking, name, key));
            }
        };
        for epoch in around(now) {
            let mut own: Vec<KemPublic> = Vec::new();
            for (name, key) in self.epoch_keys.publics_of(epoch) {
                own.push(key.clone());
                consider(lacking(&name), name, key);
            }
            let published = self.own.published.as_ref().and_then(|p| p.key(epoch));
            if let Some(key) = published.filter(|key| !own.contains(key)) {
                let name = (epoch, fingerprint(key));
                consider(0, name, key.clone());
            }
        }
        let (_, name, key) = best?;
        Some(only(name, key))
    }

    /// A key that devices have which know no later session than that of a turn.
    pub(super) fn keys_of_former(&self, turn: u32) -> Option<ContactKeys> {
        let former = self.own.former.iter().find(|f| f.turn == turn)?;
        let epochs = around(self.clock.assumed_epoch()).into_iter();
        let mut keys = epochs.flat_map(|epoch| self.epoch_keys.publics_of(epoch));
        let (name, key) = keys.find(|(name, _)| former.keys.contains(name))?;
        Some(only(name, key))
    }
}

/// Epochs of which a key is sealed to, in the order in which they are preferred.
fn around(now: u32) -> [u32; 3] {
    [now, now.saturating_sub(1), now.saturating_add(1)]
}

fn only(name: KeyName, key: KemPublic) -> ContactKeys {
    ContactKeys::exactly(name.1 as u32, [(name.0, key)].into())
}

fn fingerprint(key: &KemPublic) -> u64 {
    beginning(&sha256(&[key.as_bytes()]))
}
