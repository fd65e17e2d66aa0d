//! Devices that are shut out: theirs, which are not heard any more, and ours, which knew the pairs
//! that there were. PROTOCOL.md sections 6 and 16.
//!
//! Invariant: what the account did not sign shuts nobody out; what a device that is gone knew is
//! not sent on once another pair is known to have arrived.

use super::pair::PairId;
use super::{Payload, Session};
use crate::cbor;
use crate::removal::{REMOVED_MAX, REMOVED_MS, Removal};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::PublicKey;
use shared::time::Millis;

/// A device of theirs that is none any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub(crate) struct Removed {
    #[n(0)]
    slot: u8,
    #[cbor(n(1), with = "cbor::public_key")]
    key: PublicKey,
    /// Unix ms: no certificate of its key is good then.
    #[n(2)]
    until: Millis,
}

impl Session {
    /// A device of ours is gone that knew all there is: the next message begins a chain of its own,
    /// so that it tells our new keys, and proposes another pair.
    pub fn renew(&mut self) {
        self.end_chain();
        self.kept.anew = Some(PairId::default());
    }

    pub(super) fn is_shut_out(&self, key: &PublicKey) -> bool {
        self.kept.removed.iter().any(|removed| removed.key == *key)
    }

    /// All that a message changes here: [`Session::take_in`], and who it says is gone.
    pub(super) fn take_all(
        &mut self,
        payload: &Payload,
        (pair, epoch): (&PairId, u32),
        (slot, device): (u8, &PublicKey),
    ) -> (bool, Vec<Removal>) {
        let known: Vec<PairId> = self.kept.pairs.iter().map(|pair| pair.id).collect();
        let is_current = self.take_in(payload, pair, epoch, slot);
        self.settle_anew();
        (is_current, self.take_removals(payload, device, &known))
    }

    /// Devices of theirs that this message says are gone, as far as that is news. `known` are the
    /// pairs there were before it came.
    fn take_removals(
        &mut self,
        payload: &Payload,
        by: &PublicKey,
        known: &[PairId],
    ) -> Vec<Removal> {
        let peer = self.kept.peer;
        let mut news = Vec::new();
        if self.is_own() {
            return news;
        }
        for removal in &payload.removals {
            let until = removal.time.min(payload.sealed).saturating_add(REMOVED_MS);
            let holds = removal.device != *by && until > payload.sealed && removal.is_by(&peer);
            let removed = Removed {
                slot: removal.slot,
                key: removal.device,
                until,
            };
            if holds && self.shut_out(removed) {
                news.push(removal.clone());
            }
        }
        if news.is_empty() {
            return news;
        }
        let is_new = |id: &PairId| !known.contains(id);
        if self.kept.pairs.iter().any(|p| is_new(&p.id)) {
            // It knew all others, and may have made some of them.
            let before = self.kept.pairs.iter_mut().filter(|p| !is_new(&p.id));
            before.for_each(|p| p.retired = true);
            self.end_chain();
        }
        self.expect_all();
        news
    }

    /// That device is not heard any more. True if that is news.
    pub(super) fn shut_out(&mut self, removed: Removed) -> bool {
        if self.is_shut_out(&removed.key) {
            return false;
        }
        let kept = &mut self.kept;
        kept.devices.retain(|d| d.key != removed.key);
        kept.chains.retain(|c| c.device != removed.key);
        kept.removed.push(removed);
        // The one that is to be forgotten first gives way.
        kept.removed.sort_unstable_by_key(|r| r.until);
        if kept.removed.len() > REMOVED_MAX {
            kept.removed.remove(0);
        }
        true
    }

    /// True if there is something to save.
    pub(super) fn forget_removed(&mut self, agreed: Millis) -> bool {
        let before = self.kept.removed.len();
        self.kept.removed.retain(|removed| removed.until > agreed);
        before != self.kept.removed.len()
    }

    /// A device of our own is gone.
    pub(crate) fn forget_device(&mut self, removal: &Removal) {
        self.shut_out(Removed {
            slot: removal.slot,
            key: removal.device,
            until: removal.time.saturating_add(REMOVED_MS),
        });
        self.expect_all();
    }

    /// Once the other side is known to have the pair that was proposed, all others are left.
    fn settle_anew(&mut self) {
        let pairs = &mut self.kept.pairs;
        let Some(anew) = self.kept.anew else { return };
        if pairs.iter().any(|p| p.id == anew && p.confirmed) {
            let others = pairs.iter_mut().filter(|p| p.id != anew);
            others.for_each(|p| p.retired = true);
            self.kept.anew = None;
        }
    }
}
