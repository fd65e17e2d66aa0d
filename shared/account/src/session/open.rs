//! Opening a message, and what it changes. PROTOCOL.md section 6.
//!
//! Invariant: everything is checked before anything is changed.

use super::chain::{ReceiveChain, chain_id};
use super::opener::{Who, exchange};
use super::pair::{self, Pair, PairId, PairSeed};
use super::payload::{Context, OPENER_INDEX, Payload, read_certificate, split_signed};
use super::{Device, Session, Slot};
use crate::epoch_keys::EpochKeys;
use crate::removal::Removal;
use alloc::vec::Vec;
use shared::crypto::{PublicKey, unpad};
use shared::wire::Header;

/// A message that opened. Save the session before acknowledging it.
#[derive(Clone, Debug)]
pub struct Opened {
    pub payload: Payload,
    /// The device it was signed by, and its slot.
    pub device: PublicKey,
    pub slot: u8,
    /// Another device than the one known in that slot: people are told.
    pub device_changed: bool,
    pub is_opener: bool,
    /// What it came on, or began.
    pub chain: [u8; 16],
    /// It came on a pair of the last handshake, or made since.
    pub is_current: bool,
    /// It came on a pair that they came back without: from a device of before, or late.
    pub is_lost: bool,
    /// Devices of theirs that it says are gone, as far as that was not known.
    pub removed: Vec<Removal>,
}

/// Why a message did not open. The session is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// Not expected any more.
    NotExpected,
    /// Not sealed by who shares this session's secrets, or changed.
    Forged,
    /// Sealed to a key of ours that was erased, or lost.
    NoKey,
    /// The device is not certified by the contact's account.
    BadCertificate,
    /// Signed by another device, or for somebody else.
    BadSignature,
    /// Signed, but not a payload.
    Malformed,
    /// An opener that was opened before.
    Replayed,
}

impl Session {
    /// Opens what was found under an expected locator. `own` are our epoch keys.
    pub fn open(
        &mut self,
        slot: &Slot,
        header: &Header,
        body: &[u8],
        own: &EpochKeys,
    ) -> Result<Opened, OpenError> {
        match *slot {
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
                self.open_opener(&pair, &who, header, body, own)
            }
            Slot::Chain { chain, index } => self.open_chain(&chain, index, header, body),
        }
    }

    fn open_opener(
        &mut self,
        pair: &PairId,
        who: &Who,
        header: &Header,
        body: &[u8],
        own: &EpochKeys,
    ) -> Result<Opened, OpenError> {
        let found = self.kept.pairs.iter().find(|p| p.id == *pair);
        let rz = found
            .and_then(|p| p.rz(who.epoch))
            .ok_or(OpenError::NotExpected)?;
        let outer = who
            .step(&rz)
            .open_outer(header, body)
            .map_err(|_| OpenError::Forged)?;
        let mut error = OpenError::NoKey;
        let opened = own.secrets(who.epoch).find_map(|secret| {
            error = OpenError::Forged;
            let keys = exchange(&secret.decapsulate(&outer.ct), &rz, who, &outer.ct);
            Some((outer.open(&keys.inner).ok()?, keys.s0))
        });
        let (text, s0) = opened.ok_or(error)?;

        let chain = chain_id(&s0);
        let (payload_bytes, signature) = split_signed(&text).ok_or(OpenError::Malformed)?;
        let payload = Payload::decode(payload_bytes).map_err(|_| OpenError::Malformed)?;
        let certificate = payload
            .certificate
            .as_ref()
            .ok_or(OpenError::BadCertificate)?;
        // Made in the night before the epoch of the key at the earliest, in the one after it at the
        // latest.
        let from = who.epoch.saturating_sub(1).saturating_mul(24);
        let certificate =
            read_certificate(certificate, &self.kept.peer, from, from.saturating_add(72))
                .ok()
                .filter(|c| c.slot == who.device && !self.is_shut_out(&c.device))
                .ok_or(OpenError::BadCertificate)?;
        let context = Context {
            sender: &self.kept.peer,
            recipient: &self.kept.me,
            epoch: who.epoch,
            chain: &chain,
            index: OPENER_INDEX,
        };
        if !context.verify(&certificate.device, payload_bytes, signature) {
            return Err(OpenError::BadSignature);
        }
        if self.kept.chains.iter().any(|c| c.id == chain) {
            return Err(OpenError::Replayed);
        }

        let device = Device {
            slot: who.device,
            key: certificate.device,
            heard: payload.sealed,
        };
        let is_lost = self.is_lost(pair);
        // A device of before takes no place of one they came back with.
        let device_changed = !is_lost && self.note_device(device);
        self.insert_chain(ReceiveChain::new(
            s0,
            *pair,
            who.epoch,
            device.slot,
            device.key,
        ));
        let found = self.kept.pairs.iter_mut().find(|p| p.id == *pair);
        let counted = found.is_some_and(|p| p.note(who.device, who.epoch, who.counter));
        if device_changed {
            // It can't read what goes on a chain that was begun before it was there.
            self.end_chain();
            // Of a known one more is expected.
            self.expect_all();
        } else if counted {
            self.expect_openers(pair, who.device, who.epoch);
        }
        let (on, by) = ((pair, who.epoch), (who.device, &device.key));
        let (is_current, removed) = self.take_all(&payload, on, by);
        let Device {
            slot, key: device, ..
        } = device;
        Ok(Opened {
            payload,
            device,
            slot,
            device_changed,
            is_opener: true,
            chain,
            is_current,
            is_lost,
            removed,
        })
    }

    fn open_chain(
        &mut self,
        id: &[u8; 16],
        index: u32,
        header: &Header,
        body: &[u8],
    ) -> Result<Opened, OpenError> {
        let at = self.kept.chains.iter().position(|c| c.id == *id);
        let at = at.ok_or(OpenError::NotExpected)?;
        let chain = &self.kept.chains[at];
        let step = chain.step(index).ok_or(OpenError::NotExpected)?;
        let padded = step.open(header, body).map_err(|_| OpenError::Forged)?;
        let text = unpad(&padded).map_err(|_| OpenError::Malformed)?;
        let (payload_bytes, signature) = split_signed(text).ok_or(OpenError::Malformed)?;
        let context = Context {
            sender: &self.kept.peer,
            recipient: &self.kept.me,
            epoch: chain.epoch,
            chain: id,
            index,
        };
        if !context.verify(&chain.device, payload_bytes, signature) {
            return Err(OpenError::BadSignature);
        }
        let payload = Payload::decode(payload_bytes).map_err(|_| OpenError::Malformed)?;

        let mut chain = self.kept.chains.remove(at);
        let expected = core::cell::RefCell::new(&mut self.expected);
        chain.received(
            index,
            |l, i| {
                expected.borrow_mut().add(
                    l,
                    Slot::Chain {
                        chain: *id,
                        index: i,
                    },
                )
            },
            |l| expected.borrow_mut().remove(l),
        );
        let (pair, epoch, slot, device) = (chain.pair, chain.epoch, chain.slot, chain.device);
        self.kept.chains.push(chain);
        let is_lost = self.is_lost(&pair);
        if !is_lost && self.knows(slot, &device) {
            self.note_device(Device {
                slot,
                key: device,
                heard: payload.sealed,
            });
        }
        let (is_current, removed) = self.take_all(&payload, (&pair, epoch), (slot, &device));
        Ok(Opened {
            payload,
            device,
            slot,
            device_changed: false,
            is_opener: false,
            chain: *id,
            is_current,
            is_lost,
            removed,
        })
    }

    fn is_lost(&self, pair: &PairId) -> bool {
        self.kept.pairs.iter().any(|p| p.id == *pair && p.lost)
    }

    /// What a payload of the peer changes here, by the pair, epoch and device it came on. True if
    /// that pair was not retired. What comes on one that they came back without changes nothing.
    pub(super) fn take_in(
        &mut self,
        payload: &Payload,
        pair: &PairId,
        epoch: u32,
        slot: u8,
    ) -> bool {
        if self.is_lost(pair) {
            pair::heard(&mut self.kept.pairs, pair, slot, payload.sealed);
            return false;
        }
        // Among our own devices neither mailbox nor pair is told like that.
        let is_own = self.is_own();
        if let Some(mailbox) = payload.mailbox.filter(|_| !is_own) {
            self.kept.mailbox = mailbox;
        }
        for id in &payload.acks {
            if let Some(chain) = &mut self.sending {
                chain.acknowledged(id);
            }
            // Sealed twice, one id may have proposed two pairs: then it does not say which one
            // arrived.
            let mut proposed = self
                .kept
                .pairs
                .iter_mut()
                .filter(|p| !p.confirmed && p.proposed_in.is_some_and(|m| m.0 == *id));
            if let (Some(only), None) = (proposed.next(), proposed.next()) {
                only.confirmed = true;
            }
        }
        let known = self.kept.pairs.iter().find(|p| p.id == *pair);
        let is_current = known.is_some_and(|p| !p.retired);
        pair::heard(&mut self.kept.pairs, pair, slot, payload.sealed);
        let found = self.kept.pairs.iter().find(|p| p.id == *pair);
        let fresh = payload.fresh.as_ref().filter(|_| !is_own);
        if let (Some(fresh), Some(rz)) = (fresh, found.and_then(|p| p.rz(epoch))) {
            let seed = PairSeed::fresh(&rz, fresh, &payload.message_id, epoch);
            self.insert_pair(Pair::new(&seed, true, None));
        }
        is_current
    }
}
