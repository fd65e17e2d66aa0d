//! What another device of the account needs to go on with a session: the pairs, where the contact
//! is and by which devices. PROTOCOL.md section 15.
//!
//! Invariant: no chain is in it, and no counter of this device. What was sealed on chains that were
//! there before stays with the device that has them.

use super::pair::{Pair, SharedPair};
use super::removed::Removed;
use super::{DEVICES_MAX, Device, Expected, Kept, PAIRS_MAX, Session};
use crate::cbor::Malformed;
use crate::removal::REMOVED_MAX;
use crate::sealed::Mailbox;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{PublicKey, sha256};

/// A session as it is told to another device of the account.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SharedSession {
    #[n(0)]
    mailbox: Mailbox,
    /// Theirs.
    #[n(1)]
    devices: Vec<Device>,
    #[n(2)]
    pairs: Vec<SharedPair>,
    /// Devices of theirs that are none any more.
    #[n(3)]
    removed: Option<Vec<Removed>>,
}

impl Session {
    /// What another device of ours needs.
    pub fn share(&self) -> SharedSession {
        SharedSession {
            mailbox: self.kept.mailbox,
            devices: self.kept.devices.clone(),
            pairs: self.kept.pairs.iter().map(Pair::share).collect(),
            removed: (!self.kept.removed.is_empty()).then(|| self.kept.removed.clone()),
        }
    }

    /// Unites this session with what another device of ours told of it: pairs that are new here,
    /// and what is known of each; devices; the mailbox, if they were heard there since. What is out
    /// of bounds changes nothing. True if anything changed.
    pub fn merge_shared(&mut self, told: SharedSession) -> Result<bool, Malformed> {
        let told = Session::shared(self.kept.me, self.kept.peer, told)?;
        let before = self.encode();
        if told.heard() > self.heard() {
            self.kept.mailbox = told.kept.mailbox;
        }
        for removed in told.kept.removed {
            self.shut_out(removed);
        }
        for device in told.kept.devices {
            let known = self.kept.devices.iter().find(|d| d.slot == device.slot);
            if known.is_none_or(|known| known.key == device.key || known.heard < device.heard) {
                self.note_device(device);
            }
        }
        for pair in told.kept.pairs {
            match self.kept.pairs.iter_mut().find(|p| p.id == pair.id) {
                Some(known) => known.unite(&pair),
                None => self.insert_pair(pair),
            }
        }
        if self.sending.as_ref().is_some_and(|c| {
            let pairs = &self.kept.pairs;
            !pairs.iter().any(|p| p.id == c.pair && !p.lost)
        }) {
            self.sending = None;
        }
        self.expect_all();
        Ok(self.encode() != before)
    }

    /// How the pairs stand, as far as other devices of ours need to know: what changes with every
    /// message is not in it.
    pub fn standing(&self) -> [u8; 32] {
        let mut pairs: Vec<&Pair> = self.kept.pairs.iter().collect();
        pairs.sort_unstable_by_key(|p| p.rank());
        let mut bytes = Vec::new();
        for pair in pairs {
            bytes.extend_from_slice(&pair.id);
            bytes.extend([pair.confirmed, pair.retired, pair.lost].map(u8::from));
        }
        sha256(&[&bytes])
    }

    /// The session that another device of ours told. [`Session::on_epoch`] comes next.
    pub fn shared(
        me: PublicKey,
        peer: PublicKey,
        told: SharedSession,
    ) -> Result<Session, Malformed> {
        let mailbox = Mailbox::new(told.mailbox.prefix(), told.mailbox.bits()).ok_or(Malformed)?;
        let removed = told.removed.unwrap_or_default();
        let many = told.devices.len() > DEVICES_MAX || removed.len() > REMOVED_MAX;
        if many || told.pairs.len() > PAIRS_MAX {
            return Err(Malformed);
        }
        let mut pairs: Vec<Pair> = Vec::new();
        for pair in told.pairs.into_iter().map(Pair::shared) {
            if !pair.is_in_bounds() || pairs.iter().any(|known| known.id == pair.id) {
                return Err(Malformed);
            }
            pairs.push(pair);
        }
        let kept = Kept {
            me,
            peer,
            mailbox,
            devices: told.devices,
            pairs,
            chains: Vec::new(),
            slot: None,
            anew: None,
            removed,
        };
        Ok(Session {
            kept,
            sending: None,
            expected: Expected::default(),
        })
    }
}
