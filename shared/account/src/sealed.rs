//! The step all envelopes share: from 104 derived bytes and a text to a body, a tag and a header
//! that lacks only its work; and back. PROTOCOL.md sections 5 and 6.
//!
//! Invariant: everything this crate seals goes through [`seal`], so that tests see every key and
//! nonce.

use alloc::boxed::Box;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{self, CIPHERTEXT_LEN, Key, PublicKey, Rng, SEAL_OVERHEAD, SigningKey};
use shared::range::Range;
use shared::time::Millis;
use shared::wire::{Front, Header, Kind, Lifetime, SizeClass};
use zeroize::Zeroize;

/// Text in a body that starts with an X-Wing ciphertext, in bytes of padded text.
pub(crate) const INNER_LEN: usize =
    SizeClass::KIB_4.bytes() - SEAL_OVERHEAD - CIPHERTEXT_LEN - SEAL_OVERHEAD;

/// A sealed object: the header's nonce is still 0 and waits for the work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    pub header: Header,
    pub body: Vec<u8>,
}

/// Who seals, and for which network and time. `now` is assumed time (Unix ms); `effort` the relays'
/// floor.
#[derive(Clone, Copy)]
pub struct Sender<'a> {
    pub account: PublicKey,
    pub device: &'a SigningKey,
    pub certificate: &'a [u8; 101],
    pub network: u32,
    pub effort: u8,
    pub now: Millis,
}

/// Where an account picks up its envelopes: the first `bits` bits of the address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Mailbox {
    #[n(0)]
    prefix: u32,
    #[n(1)]
    bits: u8,
}

impl Mailbox {
    /// `None` if there are more than 32 bits. Bits of `prefix` behind the first `bits` are cleared.
    pub fn new(prefix: u32, bits: u8) -> Option<Mailbox> {
        let prefix = Range::of(prefix, bits).prefix();
        (bits <= 32).then_some(Mailbox { prefix, bits })
    }

    pub fn draw(bits: u8, rng: &mut Rng) -> Mailbox {
        let range = Range::of(rng.u64() as u32, bits);
        let (prefix, bits) = (range.prefix(), range.bits());
        Mailbox { prefix, bits }
    }

    pub fn prefix(self) -> u32 {
        self.prefix
    }

    pub fn bits(self) -> u8 {
        self.bits
    }

    /// The addresses that are in it.
    pub fn range(self) -> Range {
        Range::of(self.prefix, self.bits)
    }

    /// The prefix, the rest random.
    pub fn address(self, rng: &mut Rng) -> u32 {
        self.range().fill(rng.u64() as u32)
    }
}

/// The 104 bytes that say how one envelope looks: locator[8] || mac key[32] || key[32] || next[32].
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub locator: u64,
    pub mac: Key,
    pub key: Key,
    pub next: Key,
}

impl Step {
    pub fn derive(ikm: &[u8], label: &str, context: &[&[u8]]) -> Step {
        let mut okm = [0; 104];
        crypto::kdf(&[ikm], label, context, &mut okm);
        let part = |from: usize| {
            let mut bytes = [0; 32];
            bytes.copy_from_slice(&okm[from..from + 32]);
            let key = Key::new(bytes);
            bytes.zeroize();
            key
        };
        let (mac, key, next) = (part(8), part(40), part(72));
        let mut first = [0; 8];
        first.copy_from_slice(&okm[..8]);
        okm.zeroize();
        Step {
            locator: u64::from_be_bytes(first),
            mac,
            key,
            next,
        }
    }

    /// The locator alone, as [`Step::derive`] derives it: its first bytes do not depend on how
    /// many follow.
    pub fn derive_locator(ikm: &[u8], label: &str, context: &[&[u8]]) -> u64 {
        let mut first = [0; 8];
        crypto::kdf(&[ikm], label, context, &mut first);
        u64::from_be_bytes(first)
    }

    /// The front of an envelope to this mailbox, its body 1024 * 2^c bytes.
    pub fn front(from: &Sender, size: SizeClass, to: Mailbox, rng: &mut Rng) -> Front {
        let mut front = Front::from_now(
            from.now,
            Kind::Envelope,
            size,
            Lifetime::ENVELOPE,
            from.network,
        );
        front.effort = from.effort;
        front.address = to.address(rng);
        front
    }

    /// Seals what fills the body and puts the tag on it.
    pub fn seal(&self, front: &Front, text: &[u8], rng: &mut Rng) -> Sealed {
        let body = seal(&self.key, &rng.array(), &front.encode(), text);
        debug_assert_eq!(body.len(), front.size.bytes());
        let mut header = front.header([0; 16], &body);
        let [a, b, c, d, e, f, g, h, ..] = header.body_hash;
        header.tag = tag(self.locator, &self.mac, &[a, b, c, d, e, f, g, h]);
        Sealed { header, body }
    }

    /// As [`Step::seal`], for bodies that start with an X-Wing ciphertext: `signed` is sealed under
    /// the inner key, which only who can decapsulate has.
    pub fn seal_inner(
        &self,
        front: &Front,
        ct: &[u8; CIPHERTEXT_LEN],
        inner: &Key,
        signed: &[u8],
        rng: &mut Rng,
    ) -> Result<Sealed, crypto::TooLong> {
        let padded = crypto::pad(signed, INNER_LEN)?;
        let inner = seal(inner, &rng.array(), &[], &padded);
        Ok(self.seal(front, &[&ct[..], &inner].concat(), rng))
    }

    /// Ciphertext and inner text of what [`Step::seal_inner`] made, the inner one still sealed.
    pub fn open_outer(&self, header: &Header, body: &[u8]) -> Result<Outer, crypto::Forged> {
        if header.size != SizeClass::KIB_4 {
            return Err(crypto::Forged);
        }
        let text = self.open(header, body)?;
        let (ct, inner) = text
            .split_first_chunk::<CIPHERTEXT_LEN>()
            .ok_or(crypto::Forged)?;
        Ok(Outer {
            ct: Box::new(*ct),
            inner: inner.into(),
        })
    }

    /// The text, if the tag is right and the body was sealed under this step's key with this
    /// header.
    pub fn open(&self, header: &Header, body: &[u8]) -> Result<Vec<u8>, crypto::Forged> {
        let [a, b, c, d, e, f, g, h, ..] = header.body_hash;
        if header.kind != Kind::Envelope
            || !tag_matches(&self.mac, &header.tag, &[a, b, c, d, e, f, g, h])
        {
            return Err(crypto::Forged);
        }
        crypto::open(&self.key, &header.front.encode(), body)
    }
}

/// What lies under the outer key.
pub(crate) struct Outer {
    pub ct: Box<[u8; CIPHERTEXT_LEN]>,
    inner: Vec<u8>,
}

impl Outer {
    /// The signed text under the inner key.
    pub fn open(&self, key: &Key) -> Result<Vec<u8>, crypto::Forged> {
        let padded = crypto::open(key, &[], &self.inner)?;
        crypto::unpad(&padded).map(Vec::from)
    }
}

/// The locator of a tag: what [`crate::session::TagTable`] is asked for.
pub fn locator(tag: &[u8; 16]) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *tag;
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// Whether the second half of a tag fits the body, by the first 8 bytes of the body's hash: true
/// for nobody but holders of the key, so a copied tag on junk shows at once.
pub(crate) fn tag_matches(mac: &Key, tag: &[u8; 16], body_hash: &[u8; 8]) -> bool {
    crypto::same(&tag[8..], &crypto::hmac(mac.as_bytes(), &[body_hash])[..8])
}

pub(crate) fn tag(locator: u64, mac: &Key, body_hash: &[u8; 8]) -> [u8; 16] {
    let mut tag = [0; 16];
    tag[..8].copy_from_slice(&locator.to_be_bytes());
    tag[8..].copy_from_slice(&crypto::hmac(mac.as_bytes(), &[body_hash])[..8]);
    tag
}

/// `nonce || ciphertext || tag`, the nonce hedged: [`crypto::seal`].
pub(crate) fn seal(key: &Key, fresh: &[u8; 32], aad: &[u8], text: &[u8]) -> Vec<u8> {
    let sealed = crypto::seal(key, fresh, aad, text);
    #[cfg(test)]
    seen::note(key, aad, text, &sealed);
    sealed
}

/// Every (key, nonce) used on this thread, with what was sealed under it.
#[cfg(test)]
pub(crate) mod seen {
    #![allow(clippy::expect_used, dead_code)]
    extern crate std;
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeMap;

    type Uses = BTreeMap<([u8; 32], [u8; 12]), [u8; 32]>;
    std::thread_local!(static SEEN: RefCell<Uses> = const { RefCell::new(BTreeMap::new()) });

    pub fn note(key: &Key, aad: &[u8], text: &[u8], sealed: &[u8]) {
        let what = crypto::sha256(&[&crypto::sha256(&[aad]), text]);
        let nonce = *sealed
            .first_chunk::<12>()
            .expect("sealed text starts with a nonce");
        SEEN.with_borrow_mut(|seen| {
            let before = seen.insert((*key.as_bytes(), nonce), what);
            assert!(
                before.is_none_or(|b| b == what),
                "one key and nonce for two texts"
            );
        });
    }

    /// How many different ones there were.
    pub fn count() -> usize {
        SEEN.with_borrow(BTreeMap::len)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn sender<'a>(device: &'a SigningKey, certificate: &'a [u8; 101]) -> Sender<'a> {
        Sender {
            account: device.public(),
            device,
            certificate,
            network: 7,
            effort: 2,
            now: 1 << 40,
        }
    }

    #[test]
    fn mailboxes_keep_their_bits() {
        let mut rng = Rng::new([1; 32]);
        assert_eq!(Mailbox::new(0, 33), None);
        for bits in [0, 1, 5, 31, 32] {
            let mailbox = Mailbox::draw(bits, &mut rng);
            let addresses: Vec<u32> = (0..64).map(|_| mailbox.address(&mut rng)).collect();
            let same = |a: &u32| a.checked_shr(32 - u32::from(bits)).unwrap_or(0);
            assert!(addresses.iter().all(|a| same(a) == same(&mailbox.prefix())));
            assert_eq!(addresses.iter().all(|a| *a == addresses[0]), bits == 32);
            assert_eq!(Mailbox::new(addresses[0], bits), Some(mailbox));
        }
    }

    #[test]
    fn any_change_of_an_envelope_is_noticed() {
        let mut rng = Rng::new([2; 32]);
        let device = SigningKey::draw(&mut rng);
        let from = sender(&device, &[0; 101]);
        let to = Mailbox::new(0, 0).unwrap();
        let step = Step::derive(&[1; 32], "step", &[]);
        let front = Step::front(&from, SizeClass::KIB_1, to, &mut rng);
        let sealed = step.seal(&front, &[5; 1024 - 28], &mut rng);
        assert_eq!(
            step.open(&sealed.header, &sealed.body).unwrap(),
            [5; 1024 - 28]
        );
        assert_eq!(locator(&sealed.header.tag), step.locator);
        assert_eq!(Step::derive_locator(&[1; 32], "step", &[]), step.locator);

        let bytes = sealed.header.encode();
        // The nonce is the work's; the rest of the body hash is for whoever carries the body.
        for at in (0..24).chain(24..40) {
            let mut changed = bytes;
            changed[at] ^= 1;
            if let Ok(header) = Header::parse(&changed) {
                let opened = step.open(&header, &sealed.body);
                // The locator is how the step was found: nothing else depends on it.
                assert_eq!(opened.is_ok(), (16..24).contains(&at), "byte {at}");
            }
        }
        for at in 0..sealed.body.len() {
            let mut changed = sealed.body.clone();
            changed[at] ^= 1;
            assert!(step.open(&sealed.header, &changed).is_err());
        }
    }
}
