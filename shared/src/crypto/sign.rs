//! Ed25519 (RFC 8032) with the strict verification of dalek: no key or commitment of small order.
//!
//! Invariant: a [`PublicKey`] is a canonical encoding of a point that is not of small order, so one
//! key has one text.

use alloc::vec::Vec;
use ed25519_dalek::{Signature, Signer, VerifyingKey};

use super::rng::Rng;

/// Not the canonical encoding of a usable point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey;

/// The signature is not this key's over these bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSignature;

/// An Ed25519 secret key.
#[derive(Clone)]
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// From the 32 secret bytes of RFC 8032.
    pub fn from_bytes(secret: &[u8; 32]) -> SigningKey {
        SigningKey(ed25519_dalek::SigningKey::from_bytes(secret))
    }

    /// A random one.
    pub fn draw(rng: &mut Rng) -> SigningKey {
        let mut secret = zeroize::Zeroizing::new([0; 32]);
        rng.fill(secret.as_mut());
        SigningKey::from_bytes(&secret)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs the parts, joined.
    pub fn sign(&self, parts: &[&[u8]]) -> [u8; 64] {
        self.0.sign(&joined(parts)).to_bytes()
    }
}

impl core::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("SigningKey(..)")
    }
}

/// An Ed25519 public key that was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Refuses what is not a point, not encoded canonically, or of small order.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PublicKey, BadKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| BadKey)?;
        if key.is_weak() || key.to_edwards().compress().as_bytes() != bytes {
            return Err(BadKey);
        }
        Ok(PublicKey(*bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature over the parts, joined (strict: dalek's `verify_strict`).
    pub fn verify(&self, parts: &[&[u8]], signature: &[u8; 64]) -> Result<(), BadSignature> {
        VerifyingKey::from_bytes(&self.0)
            .and_then(|key| key.verify_strict(&joined(parts), &Signature::from_bytes(signature)))
            .map_err(|_| BadSignature)
    }

    /// For points computed here from a checked key.
    pub(super) fn from_point(point: ed25519_dalek::VerifyingKey) -> PublicKey {
        PublicKey(point.to_bytes())
    }
}

pub(super) fn joined(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use data_encoding::HEXLOWER;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    /// RFC 8032, section 7.1, tests 1 and 3.
    #[test]
    fn rfc_8032_vectors() {
        for (secret, public, text, signature) in [
            (
                "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
                "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
                b"".as_slice(),
                concat!(
                    "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
                    "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
                ),
            ),
            (
                "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
                "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
                b"\xaf\x82".as_slice(),
                concat!(
                    "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
                    "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
                ),
            ),
        ] {
            let key = SigningKey::from_bytes(&bytes(secret));
            assert_eq!(key.public().as_bytes(), &bytes(public));
            let (head, tail) = text.split_at(text.len() / 2);
            assert_eq!(key.sign(&[head, tail]), bytes(signature));
            assert_eq!(key.public().verify(&[text], &bytes(signature)), Ok(()));
            assert_eq!(
                key.public().verify(&[text, b"x"], &bytes(signature)),
                Err(BadSignature)
            );
        }
    }

    #[test]
    fn any_change_is_noticed() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let signature = key.sign(&[b"text"]);
        for at in 0..64 {
            let mut changed = signature;
            changed[at] ^= 1;
            assert_eq!(key.public().verify(&[b"text"], &changed), Err(BadSignature));
        }
    }

    /// The eight points of small order, and encodings that are not canonical (y of p and more; -0
    /// for x).
    #[test]
    fn bad_keys_are_refused() {
        for hex in [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
            "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0100000000000000000000000000000000000000000000000000000000000080",
            "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0200000000000000000000000000000000000000000000000000000000000000",
        ] {
            assert_eq!(PublicKey::from_bytes(&bytes(hex)), Err(BadKey), "{hex}");
        }
        let good = SigningKey::from_bytes(&[5; 32]).public();
        assert_eq!(PublicKey::from_bytes(good.as_bytes()), Ok(good));
    }
}
