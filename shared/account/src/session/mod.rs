//! A session: all that two accounts share to write to each other. PROTOCOL.md section 6.
//!
//! Invariant: nothing that fails to open changes a session; what opened has changed it, so it is
//! saved before the message is acknowledged. What is sealed has raised a counter, so it is saved
//! before the object leaves. The chain it sends on is never stored: a copy of the disk begins one
//! of its own.

mod chain;
mod expected;
mod leads;
mod open;
mod opener;
mod own;
mod pair;
mod payload;
mod removed;
mod seal;
mod share;
mod slots;
mod tags;

pub use chain::{UNACKNOWLEDGED_MAX, WINDOW};
pub use expected::{Changes, Slot};
pub use leads::{Lead, LeadTable};
pub use open::{OpenError, Opened};
pub use pair::{PAIRS_MAX, PairSeed};
pub use payload::{ACKS_MAX, MessageId, OWN_BYTES_MAX, Payload, REMOVALS_MAX, message_id};
pub use seal::{Draft, SealError, SealedMessage};
pub use share::SharedSession;
pub use tags::{ENTRIES_MAX, TagTable};

pub(crate) use pair::slot_bit;
pub(crate) use payload::{read_certificate, split_signed};

use crate::cbor::{self, StateError};
use crate::epoch_keys::EPOCHS_KEPT;
use crate::removal::REMOVED_MAX;
use crate::sealed::Mailbox;
use alloc::vec::Vec;
use chain::{ReceiveChain, SendChain};
use expected::Expected;
use minicbor::{Decode, Encode};
use pair::{PAIR_KEPT_MS, Pair, PairId};
use removed::Removed;
use shared::crypto::PublicKey;
use shared::time::{Millis, epoch};

const VERSION: u8 = 1;
/// Chains that are received on; the one unused for longest gives way.
const CHAINS_MAX: usize = 32;
const DEVICES_MAX: usize = 8;

/// One contact's session.
#[derive(Clone, Debug)]
pub struct Session {
    kept: Kept,
    sending: Option<SendChain>,
    expected: Expected,
}

/// What is stored.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct Kept {
    #[cbor(n(0), with = "cbor::public_key")]
    me: PublicKey,
    #[cbor(n(1), with = "cbor::public_key")]
    peer: PublicKey,
    #[n(2)]
    mailbox: Mailbox,
    #[n(3)]
    devices: Vec<Device>,
    #[n(4)]
    pairs: Vec<Pair>,
    /// Used last, last.
    #[n(5)]
    chains: Vec<ReceiveChain>,
    /// Of this device, in the session with our own other devices: what it writes itself is not
    /// expected.
    #[n(6)]
    slot: Option<u8>,
    /// The pair that is to take the place of all there are since a device of ours is gone; zeros
    /// until it is proposed.
    #[cbor(n(7), with = "minicbor::bytes")]
    anew: Option<PairId>,
    /// Devices of theirs that are none any more.
    #[cbor(n(8), default)]
    removed: Vec<Removed>,
}

/// A device of theirs.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(array)]
struct Device {
    #[n(0)]
    slot: u8,
    #[cbor(n(1), with = "cbor::public_key")]
    key: PublicKey,
    /// When the newest that came from it was sealed or written, Unix ms by its clock.
    #[cbor(n(2), default)]
    heard: Millis,
}

/// What becomes of the pairs there are when another handshake is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Old {
    /// Both asked and were answered: what we made stands beside what they made.
    Stands,
    /// Not sent on, until they write on it again.
    Retires,
    /// They have lost it, and who writes on it is not who came back: never sent on again.
    IsLost,
}

impl Session {
    /// A session without a pair yet, as a handshake leaves it: their account, mailbox, device slot
    /// and device key, and when it wrote (Unix ms).
    pub(crate) fn new(
        me: PublicKey,
        peer: PublicKey,
        mailbox: Mailbox,
        (slot, device): (u8, PublicKey),
        heard: Millis,
    ) -> Session {
        let devices = alloc::vec![Device {
            slot,
            key: device,
            heard,
        }];
        let kept = Kept {
            me,
            peer,
            mailbox,
            devices,
            pairs: Vec::new(),
            chains: Vec::new(),
            slot: None,
            anew: None,
            removed: Vec::new(),
        };
        Session {
            kept,
            sending: None,
            expected: Expected::default(),
        }
    }

    /// Adds the pair of a handshake. `confirmed`: the other side is known to have it.
    pub(crate) fn add_pair(&mut self, seed: &PairSeed, confirmed: bool) {
        self.insert_pair(Pair::new(seed, confirmed, None));
    }

    /// Another handshake with the same account: its pairs, mailbox and device take over, what is
    /// under way on the old ones still arrives. True if the device is another than the one known in
    /// its slot.
    pub fn adopt(&mut self, newer: Session, old: Old) -> bool {
        let Kept {
            mailbox,
            devices,
            pairs,
            ..
        } = newer.kept;
        self.kept.mailbox = mailbox;
        let changed = devices
            .into_iter()
            .fold(false, |changed, d| self.note_device(d) | changed);
        for pair in &mut self.kept.pairs {
            pair.retired |= old != Old::Stands;
            pair.lost |= old == Old::IsLost;
        }
        if old == Old::IsLost {
            self.sending = None;
        }
        pairs.into_iter().for_each(|p| self.insert_pair(p));
        changed
    }

    /// Whether that is the device in that slot.
    pub fn knows(&self, slot: u8, key: &PublicKey) -> bool {
        let mut devices = self.kept.devices.iter();
        devices.any(|d| d.slot == slot && d.key == *key)
    }

    /// When the newest came from a device of theirs that is not this one, Unix ms by its clock. 0:
    /// never.
    pub fn heard_of_others(&self, slot: u8, key: &PublicKey) -> Millis {
        let others = self.kept.devices.iter();
        let others = others.filter(|d| d.slot != slot || d.key != *key);
        others.map(|d| d.heard).max().unwrap_or(0)
    }

    /// When the newest message of theirs was sealed, by their clock. 0: none came.
    pub fn heard(&self) -> Millis {
        self.kept.pairs.iter().map(|p| p.heard).max().unwrap_or(0)
    }

    /// Whether there is a pair to send on that they are not known to have.
    pub fn has_open_pair(&self) -> bool {
        let mut pairs = self.kept.pairs.iter();
        pairs.any(|p| !p.confirmed && !p.retired)
    }

    pub fn peer(&self) -> &PublicKey {
        &self.kept.peer
    }

    /// Their mailbox, as last told.
    pub fn mailbox(&self) -> Mailbox {
        self.kept.mailbox
    }

    /// Brings the session to this time: `assumed` epoch says what is expected, `agreed` time (Unix
    /// ms, 0 if unknown) what is erased. Called after decoding, after a handshake, and whenever
    /// either epoch changes. True if there is something to save.
    pub fn on_epoch(&mut self, assumed_epoch: u32, agreed: Millis) -> bool {
        let base = epoch(agreed).saturating_sub(EPOCHS_KEPT);
        let changed = self.erase(base, assumed_epoch, agreed) | self.forget_removed(agreed);
        self.expected.window = Some(assumed_epoch);
        self.expect_all();
        changed
    }

    fn erase(&mut self, base: u32, now: u32, agreed: Millis) -> bool {
        let mut changed = false;
        for pair in self.kept.pairs.iter_mut().filter(|p| p.at < base) {
            pair.advance(base);
            changed = true;
        }
        let sending = pair::sending(&self.kept.pairs, now).map(|p| (p.id, p.rank(), p.heard > 0));
        if let Some((id, rank, heard)) = sending {
            for pair in &mut self.kept.pairs {
                // Until they write on the higher one they may know the lower one alone.
                let lower = pair.rank() < rank && heard;
                let superseded = pair.id != id && (lower || pair.retired);
                // While nothing is agreed there is no time to count from.
                let since = pair.superseded.or((agreed > 0).then_some(agreed));
                let since = since.filter(|_| superseded);
                changed |= since != pair.superseded;
                pair.superseded = since;
            }
        }
        let before = self.kept.pairs.len() + self.kept.chains.len();
        self.kept.pairs.retain(|p| {
            p.superseded
                .is_none_or(|since| agreed < since.saturating_add(PAIR_KEPT_MS))
        });
        let pairs = &self.kept.pairs;
        self.kept
            .chains
            .retain(|c| c.epoch >= base && pairs.iter().any(|p| p.id == c.pair));
        if self.sending.as_ref().is_some_and(|c| c.epoch < base) {
            self.sending = None;
        }
        changed | (before != self.kept.pairs.len() + self.kept.chains.len())
    }

    fn insert_pair(&mut self, pair: Pair) {
        let pairs = &mut self.kept.pairs;
        if let Some(known) = pairs.iter_mut().find(|p| p.id == pair.id) {
            known.confirmed |= pair.confirmed;
            known.retired = known.lost;
            return;
        }
        pairs.push(pair);
        if pairs.len() > PAIRS_MAX {
            let sending = pair::sending(pairs, u32::MAX).map(|p| p.id);
            let lowest = pairs
                .iter()
                .filter(|p| Some(p.id) != sending)
                .min_by_key(|p| (!p.lost, p.rank()));
            if let Some(id) = lowest.map(|p| p.id) {
                pairs.retain(|p| p.id != id);
                self.kept.chains.retain(|c| c.pair != id);
            }
        }
        self.expect_all();
    }

    /// What was sealed last never leaves: the next message begins a chain of its own.
    pub fn end_chain(&mut self) {
        self.sending = None;
    }

    /// The device in that slot, if one was heard.
    pub(crate) fn device_in(&self, slot: u8) -> Option<PublicKey> {
        let mut devices = self.kept.devices.iter();
        devices.find(|d| d.slot == slot).map(|d| d.key)
    }

    /// The chains that are received on.
    pub fn chains(&self) -> impl Iterator<Item = [u8; 16]> {
        self.kept.chains.iter().map(|chain| chain.id)
    }

    fn insert_chain(&mut self, chain: ReceiveChain) {
        if self.kept.chains.len() >= CHAINS_MAX {
            let oldest = self.kept.chains.remove(0);
            oldest
                .expected()
                .for_each(|(locator, _)| self.expected.remove(locator));
        }
        for (locator, index) in chain.expected() {
            self.expected.add(
                locator,
                Slot::Chain {
                    chain: chain.id,
                    index,
                },
            );
        }
        self.kept.chains.push(chain);
    }

    /// Notes a certified device. True if it takes the place of another one, or is one more.
    fn note_device(&mut self, device: Device) -> bool {
        if self.is_shut_out(&device.key) {
            return false;
        }
        let devices = &mut self.kept.devices;
        let known = devices.iter_mut().find(|d| d.slot == device.slot);
        if let Some(known) = known {
            if known.key == device.key {
                known.heard = known.heard.max(device.heard);
                return false;
            }
            *known = device;
        } else if devices.len() < DEVICES_MAX {
            devices.push(device);
        }
        true
    }

    /// 0 if our key is the smaller one, 2 among the devices of one account.
    fn direction(&self) -> u8 {
        match self.is_own() {
            true => 2,
            false => u8::from(self.kept.me > self.kept.peer),
        }
    }

    fn their_direction(&self) -> u8 {
        match self.direction() {
            2 => 2,
            own => 1 - own,
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_state(VERSION, &self.kept)
    }

    /// Reads a stored session. [`Session::on_epoch`] comes next.
    pub fn decode(bytes: &[u8]) -> Result<Session, StateError> {
        let mut kept: Kept = cbor::decode_state(VERSION, bytes)?;
        let in_bounds = kept.devices.len() <= DEVICES_MAX
            && kept.pairs.len() <= PAIRS_MAX
            && kept.chains.len() <= CHAINS_MAX
            && kept.removed.len() <= REMOVED_MAX
            && kept.pairs.iter().all(Pair::is_in_bounds)
            && kept.chains.iter().all(ReceiveChain::is_in_bounds);
        if !in_bounds {
            return Err(StateError::Malformed);
        }
        kept.chains.iter_mut().for_each(ReceiveChain::look_ahead);
        Ok(Session {
            kept,
            sending: None,
            expected: Expected::default(),
        })
    }
}

#[cfg(test)]
mod tests;
