//! What a message says: the CBOR map inside every envelope of a session, and the signature over it.
//! PROTOCOL.md section 6.
//!
//! Invariant: a payload that decodes is within its bounds; unknown keys are skipped, known ones
//! must be right.

use crate::cbor::{self, Bytes16, Malformed};
use crate::epoch_keys::KeyNotice;
use crate::identity::{CERTIFICATE_LEN, Certificate, CertificateError, RecoveryPublic};
use crate::removal::Removal;
use crate::sealed::Mailbox;
use crate::shown::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::{PublicKey, Rng, SigningKey, sha256};

/// Acknowledged ids in one message.
pub const ACKS_MAX: usize = 16;
/// Bytes for our own devices in one message: so many have room in an opener, whatever rides along.
pub const OWN_BYTES_MAX: usize = 2_300;
/// Devices that were shut out, told in one message.
pub const REMOVALS_MAX: usize = 4;
/// The index openers are signed with.
pub(crate) const OPENER_INDEX: u32 = u32::MAX;

/// A message id: names a message to both sides, however often it is sealed anew.
pub type MessageId = [u8; 16];

/// Draws a message id. It is bound to the text, so that two runs of one snapshot do not give one id
/// to two texts.
pub fn message_id(account: &PublicKey, text: &str, rng: &mut Rng) -> MessageId {
    let mut id = [0; 16];
    let fresh: [u8; 32] = rng.array();
    let hash = sha256(&[
        b"wm-message-id",
        &fresh,
        account.as_bytes(),
        text.as_bytes(),
    ]);
    id.copy_from_slice(&hash[..16]);
    id
}

/// A payload, checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    pub message_id: MessageId,
    /// As sent: [`crate::shown::text`] is for showing it.
    pub text: Option<String>,
    /// When it was written, Unix ms by the sender's clock.
    pub time: u64,
    /// 1 + the highest order the sender had seen.
    pub order: u64,
    pub acks: Vec<MessageId>,
    pub keys: Option<KeyNotice>,
    pub mailbox: Option<Mailbox>,
    pub certificate: Option<[u8; CERTIFICATE_LEN]>,
    /// Randomness of a proposed pair.
    pub(crate) fresh: Option<[u8; 32]>,
    pub name: Option<String>,
    /// The sender wants no acknowledgements.
    pub no_acks: bool,
    /// Times of the sender's records of keys (s) and of its profile (ms), as it wrote them last.
    pub heads: Option<(u64, u64)>,
    /// The sender's contact read secret from now on. A message with it is acknowledged even where
    /// acknowledgements are off.
    pub read: Option<[u8; 32]>,
    /// When it was sealed, Unix ms by what the sender assumed: what [`crate::agreed_time`] is
    /// told.
    pub sealed: u64,
    /// R of the sender, where it was not told yet.
    pub recovery: Option<RecoveryPublic>,
    /// What a device of the account has to say to its others. From anybody else it means nothing.
    pub own: Option<Vec<u8>>,
    /// Devices of the sender that are its devices no more.
    pub removals: Vec<Removal>,
}

/// The map as it stands on the wire.
#[derive(Encode, Decode)]
#[cbor(map)]
struct Wire {
    #[cbor(n(1), with = "minicbor::bytes")]
    message_id: [u8; 16],
    #[n(2)]
    text: Option<String>,
    #[n(3)]
    time: u64,
    #[n(4)]
    order: u64,
    #[n(5)]
    acks: Option<Vec<Bytes16>>,
    #[n(6)]
    keys: Option<KeyNotice>,
    #[n(7)]
    mailbox: Option<u32>,
    #[n(8)]
    mailbox_bits: Option<u8>,
    #[cbor(n(9), with = "minicbor::bytes")]
    certificate: Option<[u8; CERTIFICATE_LEN]>,
    #[cbor(n(10), with = "minicbor::bytes")]
    fresh: Option<[u8; 32]>,
    #[n(11)]
    name: Option<String>,
    #[n(12)]
    no_acks: Option<bool>,
    #[n(13)]
    sealed: u64,
    #[cbor(n(14), with = "minicbor::bytes")]
    recovery: Option<RecoveryPublic>,
    #[n(15)]
    heads: Option<(u64, u64)>,
    #[cbor(n(16), with = "minicbor::bytes")]
    read: Option<[u8; 32]>,
    #[cbor(n(17), with = "minicbor::bytes")]
    own: Option<Vec<u8>>,
    #[n(18)]
    removals: Option<Vec<Removal>>,
}

impl Payload {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let acks: Vec<_> = self.acks.iter().map(|id| Bytes16(*id)).collect();
        cbor::to_vec(&Wire {
            message_id: self.message_id,
            text: self.text.clone(),
            time: self.time,
            order: self.order,
            acks: (!acks.is_empty()).then_some(acks),
            keys: self.keys.clone(),
            mailbox: self.mailbox.map(Mailbox::prefix),
            mailbox_bits: self.mailbox.map(Mailbox::bits),
            certificate: self.certificate,
            fresh: self.fresh,
            name: self.name.clone(),
            no_acks: self.no_acks.then_some(true),
            sealed: self.sealed,
            heads: self.heads,
            read: self.read,
            recovery: self.recovery,
            own: self.own.clone(),
            removals: (!self.removals.is_empty()).then(|| self.removals.clone()),
        })
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Payload, Malformed> {
        let wire: Wire = cbor::from_slice(bytes)?;
        let acks: Vec<_> = wire.acks.into_iter().flatten().map(|id| id.0).collect();
        let mailbox = match (wire.mailbox, wire.mailbox_bits) {
            (Some(prefix), Some(bits)) => Some(Mailbox::new(prefix, bits).ok_or(Malformed)?),
            (None, None) => None,
            _ => return Err(Malformed),
        };
        let payload = Payload {
            message_id: wire.message_id,
            text: wire.text,
            time: wire.time,
            order: wire.order,
            acks,
            keys: wire.keys,
            mailbox,
            certificate: wire.certificate,
            fresh: wire.fresh,
            name: wire.name,
            no_acks: wire.no_acks.unwrap_or(false),
            sealed: wire.sealed,
            heads: wire.heads,
            read: wire.read,
            recovery: wire.recovery,
            own: wire.own,
            removals: wire.removals.unwrap_or_default(),
        };
        if payload.is_in_bounds() {
            Ok(payload)
        } else {
            Err(Malformed)
        }
    }

    /// Whether the other side will take it.
    pub(crate) fn is_in_bounds(&self) -> bool {
        self.acks.len() <= ACKS_MAX
            && self.removals.len() <= REMOVALS_MAX
            && self.text.as_ref().is_none_or(|t| t.len() <= TEXT_BYTES_MAX)
            && self.name.as_ref().is_none_or(|n| n.len() <= NAME_BYTES_MAX)
            && self.own.as_ref().is_none_or(|o| o.len() <= OWN_BYTES_MAX)
    }
}

/// What the signature of a message names beside the payload, so that it counts nowhere else.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub sender: &'a PublicKey,
    pub recipient: &'a PublicKey,
    pub epoch: u32,
    pub chain: &'a [u8; 16],
    pub index: u32,
}

impl Context<'_> {
    /// payload || signature[64].
    pub fn sign(&self, device: &SigningKey, payload: &[u8]) -> Vec<u8> {
        let signature = self.parts(payload, |parts| device.sign(parts));
        [payload, &signature].concat()
    }

    pub fn verify(&self, device: &PublicKey, payload: &[u8], signature: &[u8; 64]) -> bool {
        self.parts(payload, |parts| device.verify(parts, signature).is_ok())
    }

    fn parts<T>(&self, payload: &[u8], then: impl FnOnce(&[&[u8]]) -> T) -> T {
        then(&[
            b"wm-msg",
            self.sender.as_bytes(),
            self.recipient.as_bytes(),
            &self.epoch.to_le_bytes(),
            self.chain,
            &self.index.to_le_bytes(),
            &sha256(&[payload]),
        ])
    }
}

/// What was signed, and the signature behind it.
pub(crate) fn split_signed(text: &[u8]) -> Option<(&[u8], &[u8; 64])> {
    text.split_last_chunk()
}

/// Reads a certificate that came in something made between these hours: it must have been valid in
/// one of them.
pub(crate) fn read_certificate(
    bytes: &[u8; CERTIFICATE_LEN],
    account: &PublicKey,
    from_hour: u32,
    to_hour: u32,
) -> Result<Certificate, CertificateError> {
    let until = bytes
        .get(33..37)
        .and_then(|b| b.try_into().ok())
        .map_or(0, u32::from_le_bytes);
    let hour = until
        .saturating_sub(1)
        .clamp(from_hour, to_hour.max(from_hour));
    Certificate::read(bytes, account, hour)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::epoch_keys::EpochKeys;

    fn removal() -> Removal {
        let account = SigningKey::from_bytes(&[7; 32]);
        Removal::sign(&account, 2, account.public(), 5)
    }

    fn full() -> Payload {
        let mut rng = Rng::new([1; 32]);
        let mut keys = EpochKeys::new();
        keys.ensure(7, 0, &mut rng);
        Payload {
            message_id: [1; 16],
            text: Some("text".into()),
            time: u64::MAX,
            order: 3,
            acks: alloc::vec![[2; 16], [3; 16]],
            keys: keys.notice(7, 2),
            mailbox: Mailbox::new(0xf000_0000, 4),
            certificate: Some([4; 101]),
            fresh: Some([5; 32]),
            name: Some("name".into()),
            no_acks: true,
            heads: Some((7, u64::MAX)),
            read: Some([8; 32]),
            sealed: 9,
            recovery: Some([6; 32]),
            own: Some(alloc::vec![0x80; 40]),
            removals: alloc::vec![removal()],
        }
    }

    #[test]
    fn round_trips() {
        for payload in [full(), Payload::default()] {
            assert_eq!(Payload::decode(&payload.encode()), Ok(payload));
        }
        let bytes = full().encode();
        for cut in 0..bytes.len() {
            assert_eq!(Payload::decode(&bytes[..cut]), Err(Malformed));
        }
    }

    #[test]
    fn bounds_hold() {
        let decode = |change: &dyn Fn(&mut Payload)| {
            let mut payload = full();
            change(&mut payload);
            Payload::decode(&payload.encode()).is_ok()
        };
        assert!(decode(&|p| p.text = Some("x".repeat(2000))));
        assert!(!decode(&|p| p.text = Some("x".repeat(2001))));
        assert!(decode(&|p| p.acks = alloc::vec![[1; 16]; 16]));
        assert!(!decode(&|p| p.acks = alloc::vec![[1; 16]; 17]));
        assert!(decode(&|p| p.name = Some("x".repeat(64))));
        assert!(!decode(&|p| p.name = Some("x".repeat(65))));
        assert!(decode(&|p| p.removals = alloc::vec![removal(); 4]));
        assert!(!decode(&|p| p.removals = alloc::vec![removal(); 5]));
        assert!(decode(&|p| p.own = Some(alloc::vec![0; OWN_BYTES_MAX])));
        assert!(!decode(&|p| p.own = Some(alloc::vec![0; OWN_BYTES_MAX + 1])));
    }

    #[test]
    fn unknown_keys_are_skipped_and_known_ones_checked() {
        // {1: h'00..', 3: 5, 4: 6, 99: [[[1]], {2: 3}], -1: "x", 13: 8}
        let mut bytes = alloc::vec![0xa6, 0x01, 0x50];
        bytes.extend_from_slice(&[0; 16]);
        bytes.extend_from_slice(&[3, 5, 4, 6, 0x18, 99, 0x82, 0x81, 0x81, 1, 0xa1, 2, 3, 0x20]);
        bytes.extend_from_slice(&[0x61, b'x', 13, 8]);
        let read = Payload::decode(&bytes);
        assert_eq!(
            read,
            Ok(Payload {
                time: 5,
                order: 6,
                sealed: 8,
                ..Payload::default()
            })
        );
        let mut no_id = bytes.clone();
        no_id[1] = 0x17;
        assert_eq!(Payload::decode(&no_id), Err(Malformed));
        let mut bad_text = full();
        bad_text.text = Some("ab".into());
        let mut bytes = bad_text.encode();
        let at = bytes.windows(2).position(|w| w == b"ab").unwrap();
        bytes[at] = 0xff;
        assert_eq!(Payload::decode(&bytes), Err(Malformed));
    }

    #[test]
    fn random_bytes_do_no_harm() {
        let mut rng = Rng::new([2; 32]);
        let good = full().encode();
        for _ in 0..5_000 {
            let mut bytes = good.clone();
            for _ in 0..1 + rng.below(4) {
                let at = rng.below(300.min(bytes.len() as u64)) as usize;
                bytes[at] = rng.u64() as u8;
            }
            if let Ok(payload) = Payload::decode(&bytes) {
                assert!(payload.is_in_bounds());
            }
        }
    }

    #[test]
    fn a_signature_counts_in_its_context_only() {
        let mut rng = Rng::new([3; 32]);
        let device = SigningKey::draw(&mut rng);
        let (a, b) = (
            SigningKey::draw(&mut rng).public(),
            SigningKey::draw(&mut rng).public(),
        );
        let context = Context {
            sender: &a,
            recipient: &b,
            epoch: 1,
            chain: &[1; 16],
            index: OPENER_INDEX,
        };
        let text = context.sign(&device, b"payload");
        let (payload, signature) = split_signed(&text).unwrap();
        let holds = |c: Context| c.verify(&device.public(), payload, signature);
        assert!(holds(context));
        assert!(!holds(Context {
            sender: &b,
            ..context
        }));
        assert!(!holds(Context {
            recipient: &a,
            ..context
        }));
        assert!(!holds(Context {
            epoch: 2,
            ..context
        }));
        assert!(!holds(Context {
            chain: &[2; 16],
            ..context
        }));
        assert!(!holds(Context {
            index: 0,
            ..context
        }));
        assert!(!context.verify(&a, payload, signature));
        assert!(!context.verify(&device.public(), b"payloae", signature));
    }

    #[test]
    fn certificates_of_a_span() {
        let account = SigningKey::from_bytes(&[1; 32]);
        let device = SigningKey::from_bytes(&[2; 32]).public();
        let bytes = Certificate::issue(&account, 3, device, 1_000).to_bytes();
        let read = |from, to| read_certificate(&bytes, &account.public(), from, to).is_ok();
        assert!(read(1_000, 1_000) && read(900, 1_050) && read(1_191, 1_300));
        assert!(!read(900, 997) && !read(1_192, 1_300));
    }
}
