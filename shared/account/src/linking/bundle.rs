//! What a new device gets. PROTOCOL.md section 15.
//!
//! Invariant: a bundle that was read is certified by the account that the person confirmed, is for
//! this device, and brings the seed if and only if it makes it a full one. It has nothing by which
//! the sending device seals: no device key, no chain, no counter.

use super::Failure;
use super::chunks::BUNDLE_BYTES_MAX;
use super::history::MessageCopy;
use crate::cbor;
use crate::delegation::DELEGATION_LEN;
use crate::epoch_keys::EpochKeys;
use crate::greeting::certificate_now;
use crate::identity::{CERTIFICATE_LEN, Certificate, Identity, RecoveryPublic, Seed};
use crate::sealed::Mailbox;
use crate::session::{PairSeed, Session, SharedSession};
use crate::shown::NAME_BYTES_MAX;
use crate::state::Entry;
use crate::state::entry::lines;
use crate::state::values::{DeviceKind, SharedInvitation};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::{Key, PublicKey, TooLong};
use shared::time::Millis;
use zeroize::Zeroizing;

/// All that a device needs to be one of the account's.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Bundle {
    #[cbor(n(0), with = "cbor::public_key")]
    pub account: PublicKey,
    /// The account's own.
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub kind: DeviceKind,
    /// Of a full device alone.
    #[n(3)]
    pub seed: Option<Seed>,
    /// For the device's key; says its slot.
    #[cbor(n(4), with = "minicbor::bytes")]
    pub certificate: [u8; CERTIFICATE_LEN],
    /// Our contact read secret.
    #[cbor(n(5), with = "cbor::key")]
    pub read: Key,
    #[n(6)]
    pub mailbox: Mailbox,
    /// The place of which the mailbox is the first bits, and that of the invitations' one.
    #[n(7)]
    pub place: u32,
    #[n(8)]
    pub invites_place: u32,
    /// Bits that some were told before, fewer than the mailbox has, and until which hour.
    #[n(9)]
    pub wider: Option<(u8, u32)>,
    /// R, which contacts are told.
    #[cbor(n(10), with = "minicbor::bytes")]
    pub recovery: RecoveryPublic,
    #[n(11)]
    pub keys: EpochKeys,
    #[n(12)]
    pub state_read: Option<StateSecret>,
    #[n(13)]
    pub self_pair: SelfPair,
    #[n(14)]
    pub delegations: Vec<Leave>,
    /// Those that are open.
    #[n(15)]
    pub invitations: Vec<SharedInvitation>,
    #[n(16)]
    pub contacts: Vec<SharedContact>,
    /// Every entry of the state: what is known of contacts (access and all), settings, devices.
    #[cbor(n(17), with = "lines")]
    pub state: Vec<Entry>,
    /// Of the days that the person chose, each conversation in its order.
    #[cbor(n(18), default)]
    pub history: Vec<MessageCopy>,
}

/// What opens the account's state in its records.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct StateSecret {
    #[n(0)]
    pub generation: u32,
    #[cbor(n(1), with = "cbor::key")]
    pub secret: Key,
}

/// What the devices of an account write to each other with, as it is at that epoch.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SelfPair {
    #[n(0)]
    pub epoch: u32,
    #[cbor(n(1), with = "cbor::key")]
    pub secret: Key,
}

impl SelfPair {
    pub fn seed(&self) -> PairSeed {
        PairSeed {
            epoch: self.epoch,
            rz: self.secret.clone(),
        }
    }
}

/// Leave to write a record: [`crate::delegation::Delegation`] with what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Leave {
    #[n(0)]
    pub slot: u16,
    #[n(1)]
    pub period: u32,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub bytes: [u8; DELEGATION_LEN],
}

/// A contact, beside what the state says of them.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct SharedContact {
    #[cbor(n(0), with = "cbor::public_key")]
    pub who: PublicKey,
    /// None while they have not accepted.
    #[n(1)]
    pub session: Option<SharedSession>,
    /// When the newest handshake of theirs was written, by their clock: returns from before it
    /// count for nothing.
    #[n(2)]
    pub met: Millis,
    /// RT of returns from them to us: a linked device can't derive it.
    #[n(3)]
    pub return_secret: Option<ReturnSecret>,
    /// The highest order in the conversation.
    #[n(4)]
    pub order: Option<u64>,
}

/// RT, see section 14.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub struct ReturnSecret(#[cbor(n(0), with = "cbor::key")] pub Key);

impl SharedContact {
    /// Our session with them. [`Session::on_epoch`] comes next.
    pub fn session(&self, me: PublicKey) -> Option<Session> {
        Session::shared(me, self.who, self.session.clone()?).ok()
    }
}

impl Bundle {
    /// Whether it can be for a device of that key that asked to be of that kind.
    pub(super) fn is_for(
        &self,
        account: &PublicKey,
        device: &PublicKey,
        asked: DeviceKind,
    ) -> bool {
        let certified = self.certificate.get(1..33) == Some(device.as_bytes());
        let kind_fits = self.kind == asked || self.kind == DeviceKind::Linked;
        self.account == *account && certified && kind_fits && self.seed_fits()
    }

    fn seed_fits(&self) -> bool {
        match (self.kind, &self.seed) {
            (DeviceKind::Full, Some(seed)) => {
                Identity::from_seed(seed).account_key().public() == self.account
            }
            (DeviceKind::Linked, None) => true,
            _ => false,
        }
    }

    /// The certificate, with the slot. `None` if it does not hold at that time (Unix ms).
    pub fn certificate(&self, now: Millis) -> Option<Certificate> {
        certificate_now(&self.certificate, &self.account, now)
    }

    pub(super) fn encode(&self) -> Result<Zeroizing<Vec<u8>>, TooLong> {
        // Enough, so that nothing is copied and left behind.
        let texts = self
            .history
            .iter()
            .map(|copy| MessageCopy::bytes(&copy.text));
        let room = (64 << 10) + 1_024 * self.contacts.len() + 256 * self.state.len();
        let room = room + texts.sum::<usize>();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        // A vector takes everything.
        let _ = minicbor::encode(self, &mut *bytes);
        match bytes.len() <= BUNDLE_BYTES_MAX {
            true => Ok(bytes),
            false => Err(TooLong),
        }
    }

    /// Reads what came from the account that the person confirmed, for a device of that key that
    /// asked to be of that kind.
    pub(super) fn read(
        bytes: &[u8],
        account: &PublicKey,
        device: &PublicKey,
        asked: DeviceKind,
        now: Millis,
    ) -> Result<Bundle, Failure> {
        let mut bundle: Bundle = cbor::from_slice(bytes).map_err(|_| Failure::Malformed)?;
        let mailbox = Mailbox::new(bundle.mailbox.prefix(), bundle.mailbox.bits());
        bundle.mailbox = mailbox.ok_or(Failure::Malformed)?;
        if !bundle.keys.is_in_bounds() || bundle.name.len() > NAME_BYTES_MAX {
            return Err(Failure::Malformed);
        }
        if !bundle.history.iter().all(MessageCopy::is_in_bounds) {
            return Err(Failure::Malformed);
        }
        if !bundle.is_for(account, device, asked) {
            return Err(Failure::NotForUs);
        }
        match bundle.certificate(now) {
            Some(_) => Ok(bundle),
            None => Err(Failure::BadCertificate),
        }
    }
}
