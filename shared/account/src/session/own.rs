//! The session among the devices of one account: on a pair that each of them was given.
//! PROTOCOL.md section 16.
//!
//! Invariant: it has one pair, which no message replaces, and expects nothing of its own slot.

use super::pair::{Pair, PairSeed};
use super::{Expected, Kept, Session};
use crate::sealed::Mailbox;
use alloc::vec::Vec;
use shared::crypto::{Key, PublicKey};

impl Session {
    /// Of the device in that slot, with the others of its account.
    pub(crate) fn own(me: PublicKey, slot: u8, mailbox: Mailbox, pair: &PairSeed) -> Session {
        let kept = Kept {
            me,
            peer: me,
            mailbox,
            devices: Vec::new(),
            pairs: alloc::vec![Pair::new(pair, true, None)],
            chains: Vec::new(),
            slot: Some(slot),
            anew: None,
            removed: Vec::new(),
        };
        Session {
            kept,
            sending: None,
            expected: Expected::default(),
        }
    }

    /// The one that takes its place, on another pair.
    pub(crate) fn own_next(&self, pair: &PairSeed) -> Session {
        let kept = Kept {
            pairs: alloc::vec![Pair::new(pair, true, None)],
            chains: Vec::new(),
            ..self.kept.clone()
        };
        Session {
            kept,
            sending: None,
            expected: Expected::default(),
        }
    }

    /// Whether it is the one on that pair.
    pub(crate) fn is_on(&self, pair: &PairSeed) -> bool {
        let id = pair.id();
        self.kept.pairs.iter().any(|known| known.id == id)
    }

    pub(super) fn is_own(&self) -> bool {
        self.kept.me == self.kept.peer
    }

    /// What another device begins with: RZ, and the epoch it belongs to.
    pub(crate) fn own_pair(&self) -> Option<(u32, Key)> {
        let pair = self.kept.pairs.first().filter(|_| self.is_own())?;
        Some((pair.at, pair.rz(pair.at)?))
    }

    /// Nothing is sent any more on what there is: what this device leaves behind with a contact, as
    /// its others are to know it.
    pub(crate) fn lose_pairs(&mut self) {
        for pair in &mut self.kept.pairs {
            (pair.retired, pair.lost) = (true, true);
        }
        self.end_chain();
    }

    /// Where all devices of the account pick up.
    pub(crate) fn set_mailbox(&mut self, mailbox: Mailbox) {
        self.kept.mailbox = mailbox;
    }
}
