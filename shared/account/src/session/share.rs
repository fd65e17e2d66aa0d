//! What another device of the account needs to go on with a session: the pairs, where the contact
//! is and by which devices. PROTOCOL.md section 15.
//!
//! Invariant: no chain is in it, and no counter of this device. What was sealed on chains that were
//! there before stays with the device that has them.

use super::pair::{Pair, SharedPair};
use super::{DEVICES_MAX, Device, Expected, Kept, PAIRS_MAX, Session};
use crate::cbor::Malformed;
use crate::sealed::Mailbox;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::PublicKey;

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
}

impl Session {
    /// What another device of ours needs.
    pub fn share(&self) -> SharedSession {
        SharedSession {
            mailbox: self.kept.mailbox,
            devices: self.kept.devices.clone(),
            pairs: self.kept.pairs.iter().map(Pair::share).collect(),
        }
    }

    /// The session that another device of ours told. [`Session::on_epoch`] comes next.
    pub fn shared(
        me: PublicKey,
        peer: PublicKey,
        told: SharedSession,
    ) -> Result<Session, Malformed> {
        let mailbox = Mailbox::new(told.mailbox.prefix(), told.mailbox.bits()).ok_or(Malformed)?;
        if told.devices.len() > DEVICES_MAX || told.pairs.len() > PAIRS_MAX {
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
        };
        Ok(Session {
            kept,
            sending: None,
            expected: Expected::default(),
        })
    }
}
