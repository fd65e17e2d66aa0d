//! What a session expects: the locators under which its next envelopes may come, and how they
//! change. PROTOCOL.md section 6.
//!
//! Invariant: the changes handed out, applied in order, give what is expected; a locator is in one
//! of both lists.

use super::chain::ChainId;
use super::opener::Who;
use super::pair::PairId;
use super::slots::Slots;
use super::{DEVICES_MAX, Session};
use crate::epoch_keys::EPOCHS_KEPT;
use crate::sealed::tag_matches;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Epochs before the present one from which an opener may still come of a device that is not known:
/// envelopes live for 48 hours.
const UNKNOWN_EPOCHS: u32 = 2;

/// Where an expected envelope belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Slot {
    Opener {
        pair: PairId,
        device: u8,
        epoch: u32,
        counter: u32,
    },
    Chain {
        chain: ChainId,
        index: u32,
    },
}

/// How the expected locators changed. Take the removed ones out, then put the added ones in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub removed: Vec<u64>,
    pub added: Vec<(u64, Slot)>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Expected {
    /// The assumed epoch; nothing is expected before it is told.
    pub window: Option<u32>,
    slots: Slots,
    added: BTreeSet<u64>,
    removed: BTreeSet<u64>,
}

impl Expected {
    pub fn add(&mut self, locator: u64, slot: Slot) {
        if self.slots.insert(locator, slot) && !self.removed.remove(&locator) {
            self.added.insert(locator);
        }
    }

    pub fn remove(&mut self, locator: u64) {
        if self.slots.remove(&locator) && !self.added.remove(&locator) {
            self.removed.insert(locator);
        }
    }

    fn replace(&mut self, slots: BTreeMap<u64, Slot>) {
        for (locator, _) in self.slots.iter() {
            if !slots.contains_key(&locator) && !self.added.remove(&locator) {
                self.removed.insert(locator);
            }
        }
        for locator in slots.keys() {
            if self.slots.get(locator).is_none() && !self.removed.remove(locator) {
                self.added.insert(*locator);
            }
        }
        self.slots = Slots::of(slots);
    }
}

impl Session {
    /// Every expected locator, with what it leads to.
    pub fn expected(&self) -> impl Iterator<Item = (u64, Slot)> {
        self.expected.slots.iter()
    }

    /// What an expected locator leads to.
    pub fn slot(&self, locator: &u64) -> Option<Slot> {
        self.expected.slots.get(locator)
    }

    /// What changed since the last call.
    pub fn take_changes(&mut self) -> Changes {
        let e = &mut self.expected;
        let removed = core::mem::take(&mut e.removed).into_iter().collect();
        let added = core::mem::take(&mut e.added);
        let slot = |l: u64| e.slots.get(&l).map(|slot| (l, slot));
        Changes {
            removed,
            added: added.into_iter().filter_map(slot).collect(),
        }
    }

    /// Whether a scan record (tag, body hash[0..8]) that was found by its locator is really ours:
    /// worth fetching.
    pub fn matches(&self, slot: &Slot, tag: &[u8; 16], body_hash: &[u8; 8]) -> bool {
        let mac = match *slot {
            Slot::Chain { chain, index } => {
                let chain = self.kept.chains.iter().find(|c| c.id == chain);
                chain.and_then(|c| c.step(index)).map(|step| step.mac)
            }
            Slot::Opener {
                pair,
                device,
                epoch,
                counter,
            } => {
                let who = Who {
                    direction: self.their_direction(),
                    device,
                    counter,
                    epoch,
                };
                let pair = self.kept.pairs.iter().find(|p| p.id == pair);
                pair.and_then(|p| p.rz(epoch)).map(|rz| who.step(&rz).mac)
            }
        };
        mac.is_some_and(|mac| tag_matches(&mac, tag, body_hash))
    }

    /// Recomputes everything: about 45 derivations for each pair and known device, 12 for each pair
    /// and slot of which no device is known, and none for chains.
    pub(super) fn expect_all(&mut self) {
        let Some(now) = self.expected.window else {
            return;
        };
        let mut slots = BTreeMap::new();
        for chain in &self.kept.chains {
            let id = chain.id;
            slots.extend(
                chain
                    .expected()
                    .map(|(l, index)| (l, Slot::Chain { chain: id, index })),
            );
        }
        for pair in &self.kept.pairs {
            for device in self.their_slots() {
                let kept = match self.is_known(device) {
                    true => EPOCHS_KEPT,
                    false => UNKNOWN_EPOCHS,
                };
                for epoch in now.saturating_sub(kept)..=now.saturating_add(1) {
                    slots.extend(self.openers(&pair.id, device, epoch));
                }
            }
        }
        self.expected.replace(slots);
    }

    /// Brings up to date what is expected of one device in one epoch.
    pub(super) fn expect_openers(&mut self, pair: &PairId, device: u8, epoch: u32) {
        let wanted: BTreeMap<u64, Slot> = self.openers(pair, device, epoch).into_iter().collect();
        let of_these = |slot: &Slot| {
            matches!(slot, Slot::Opener { pair: p, device: d, epoch: e, .. }
                if p == pair && *d == device && *e == epoch)
        };
        let slots = self.expected.slots.iter();
        let gone: Vec<u64> = slots
            .filter(|(l, slot)| of_these(slot) && !wanted.contains_key(l))
            .map(|(l, _)| l)
            .collect();
        gone.into_iter().for_each(|l| self.expected.remove(l));
        wanted
            .into_iter()
            .for_each(|(l, slot)| self.expected.add(l, slot));
    }

    fn openers(&self, pair: &PairId, device: u8, epoch: u32) -> Vec<(u64, Slot)> {
        let Some(found) = self.kept.pairs.iter().find(|p| p.id == *pair) else {
            return Vec::new();
        };
        let Some(rz) = found.rz(epoch) else {
            return Vec::new();
        };
        let direction = self.their_direction();
        let slot = |counter| {
            let locator = Who {
                direction,
                device,
                counter,
                epoch,
            }
            .locator(&rz);
            (
                locator,
                Slot::Opener {
                    pair: *pair,
                    device,
                    epoch,
                    counter,
                },
            )
        };
        let known = self.is_known(device);
        found.expected(device, epoch, known).map(slot).collect()
    }

    /// Slots of which a device may write: a new one is heard without having been announced.
    fn their_slots(&self) -> impl Iterator<Item = u8> {
        let own = self.kept.slot;
        (0..DEVICES_MAX as u8).filter(move |slot| Some(*slot) != own)
    }

    /// In a slot of our own another device may have begun often before this one was there.
    fn is_known(&self, slot: u8) -> bool {
        self.is_own() || self.kept.devices.iter().any(|d| d.slot == slot)
    }
}
