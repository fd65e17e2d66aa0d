//! X-Wing (draft-connolly-cfrg-xwing-kem-06): X25519 and ML-KEM-768 as one key encapsulation.
//!
//! Invariant: a [`KemPublic`] was checked (FIPS 203, section 7.2), so encapsulating cannot fail.
//! X25519 results of zero are accepted, as the draft has it; ML-KEM still protects the secret then.

use super::hash::Key;
use super::rng::Rng;
use alloc::boxed::Box;
use x_wing::kem::{Decapsulate, Decapsulator, KeyExport};
use x_wing::{Ciphertext, DecapsulationKey, EncapsulationKey};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a public key.
pub const KEM_PUBLIC_LEN: usize = 1216;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_LEN: usize = 1120;

/// Not an X-Wing public key: wrong length, or coefficients that are not reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKemKey;

/// A secret key: the 32-byte seed everything is expanded from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KemSecret(Key);

impl KemSecret {
    pub fn draw(rng: &mut Rng) -> KemSecret {
        KemSecret::from_bytes(rng.array())
    }

    pub fn from_bytes(seed: [u8; 32]) -> KemSecret {
        KemSecret(Key::new(seed))
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    pub fn public(&self) -> KemPublic {
        let mut bytes = Box::new([0; KEM_PUBLIC_LEN]);
        bytes.copy_from_slice(&self.expand().encapsulation_key().to_bytes());
        KemPublic(bytes)
    }

    /// The shared secret. A ciphertext for another key gives a secret nobody else knows, not an
    /// error.
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_LEN]) -> Key {
        let mut sent = Ciphertext::default();
        sent.copy_from_slice(ciphertext);
        let mut shared = self.expand().decapsulate(&sent);
        take(&mut shared)
    }

    fn expand(&self) -> DecapsulationKey {
        DecapsulationKey::from(*self.as_bytes())
    }
}

/// A public key that was checked.
#[derive(Clone, PartialEq, Eq)]
pub struct KemPublic(Box<[u8; KEM_PUBLIC_LEN]>);

impl KemPublic {
    pub fn from_bytes(bytes: &[u8]) -> Result<KemPublic, BadKemKey> {
        EncapsulationKey::try_from(bytes).map_err(|_| BadKemKey)?;
        let mut kept = Box::new([0; KEM_PUBLIC_LEN]);
        kept.copy_from_slice(bytes);
        Ok(KemPublic(kept))
    }

    pub fn as_bytes(&self) -> &[u8; KEM_PUBLIC_LEN] {
        &self.0
    }

    /// Ciphertext and shared secret from 64 random bytes, see [`super::hedge`]. They must never be
    /// used twice.
    pub fn encapsulate(&self, mut random: [u8; 64]) -> (Box<[u8; CIPHERTEXT_LEN]>, Key) {
        let Ok(key) = EncapsulationKey::try_from(self.0.as_slice()) else {
            unreachable!("a KemPublic was checked");
        };
        let (sent, mut shared) = key.encapsulate_deterministic(&random.into());
        random.zeroize();
        let mut ciphertext = Box::new([0; CIPHERTEXT_LEN]);
        ciphertext.copy_from_slice(&sent);
        (ciphertext, take(&mut shared))
    }
}

impl core::fmt::Debug for KemPublic {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("KemPublic(..)")
    }
}

fn take(shared: &mut x_wing::SharedKey) -> Key {
    let key = Key::new(shared.0);
    shared.as_mut_slice().zeroize();
    key
}

const _: () = {
    const fn erased<T: ZeroizeOnDrop>() {}
    erased::<DecapsulationKey>();
};

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::super::hash::sha256;
    use super::*;
    use data_encoding::HEXLOWER;

    fn bytes<const N: usize>(hex: &str) -> [u8; N] {
        HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    /// The draft's `spec/test-vectors.json`: seed, encapsulation randomness (two halves), shared
    /// secret, and the SHA-256 of public key and ciphertext.
    const DRAFT: [[&str; 6]; 3] = [
        [
            "7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26",
            "3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2",
            "35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2",
            "d2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384",
            "2e816deebcd76c5c80d0cd2d174478871658e8e2ff42bc9d4a6e486372e856bb",
            "17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33",
        ],
        [
            "badfd6dfaac359a5efbb7bcc4b59d538df9a04302e10c8bc1cbf1a0b3a5120ea",
            "17cda7cfad765f5623474d368ccca8af0007cd9f5e4c849f167a580b14aabdef",
            "aee7eef47cb0fca9767be1fda69419dfb927e9df07348b196691abaeb580b32d",
            "f2e86241c64d60f6649fbc6c5b7d17180b780a3f34355e64a85749949c45f150",
            "c42ba5f8430d7d2c83739338203819f090e8303ce9c8b02107c272bfa5376916",
            "1661ea86d608a1924ba30840cb0a65f13ae051e3aec9cf0f064efc0bc92f2154",
        ],
        [
            "ef58538b8d23f87732ea63b02b4fa0f4873360e2841928cd60dd4cee8cc0d4c9",
            "22a96188d032675c8ac850933c7aff1533b94c834adbb69c6115bad4692d8619",
            "f90b0cdf8a7b9c264029ac185b70b83f2801f2f4b3f70c593ea3aeeb613a7f1b",
            "953f7f4e8c5b5049bdc771d1dffada0dd961477d1a2ae0988baa7ea6898d893f",
            "6b080d6b84f095342092fa7a22423e58bd681397ad0ef00eac92bd254db4fa95",
            "d3ca5578500344b5896cffc4fd740c9311946b82951df155e6fd86a7966b43c6",
        ],
    ];

    #[test]
    fn draft_vectors() {
        for [
            seed,
            random_m,
            random_x,
            shared,
            public_hash,
            ciphertext_hash,
        ] in DRAFT
        {
            let secret = KemSecret::from_bytes(bytes(seed));
            let public = secret.public();
            assert_eq!(sha256(&[public.as_bytes()]), bytes(public_hash));
            let mut random = [0; 64];
            random[..32].copy_from_slice(&bytes::<32>(random_m));
            random[32..].copy_from_slice(&bytes::<32>(random_x));
            let read = KemPublic::from_bytes(public.as_bytes()).unwrap();
            let (ciphertext, key) = read.encapsulate(random);
            assert_eq!(sha256(&[ciphertext.as_slice()]), bytes(ciphertext_hash));
            assert_eq!(key.as_bytes(), &bytes(shared));
            assert_eq!(secret.decapsulate(&ciphertext), key);
        }
    }

    #[test]
    fn bad_keys_are_refused() {
        let good = KemSecret::draw(&mut Rng::new([1; 32])).public();
        assert_eq!(KemPublic::from_bytes(&good.as_bytes()[1..]), Err(BadKemKey));
        assert_eq!(KemPublic::from_bytes(&[]), Err(BadKemKey));
        let mut unreduced = *good.as_bytes();
        unreduced[..2].copy_from_slice(&[0xff, 0xff]);
        assert_eq!(KemPublic::from_bytes(&unreduced), Err(BadKemKey));
    }

    #[test]
    fn a_changed_ciphertext_gives_another_secret() {
        let secret = KemSecret::from_bytes([7; 32]);
        let (mut ciphertext, key) = secret.public().encapsulate([9; 64]);
        for at in [0, 500, 1087, 1088, 1119] {
            ciphertext[at] ^= 1;
            assert_ne!(secret.decapsulate(&ciphertext), key);
            ciphertext[at] ^= 1;
        }
        assert_eq!(secret.decapsulate(&ciphertext), key);
    }
}
