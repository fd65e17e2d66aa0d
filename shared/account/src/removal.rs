//! Shutting out a device of the account: the word of it, signed by the account, and what those that
//! stay are given in place of all that it knew. PROTOCOL.md section 16.
//!
//! Invariant: only who has the seed can shut a device out; what is given opens with the device key
//! of who stays, and with nothing that the removed one was ever told.

use crate::cbor::{self, Malformed};
use crate::epoch_keys::EpochKeys;
use crate::linking::{SelfPair, StateSecret};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{
    self, CIPHERTEXT_LEN, KemPublic, KemSecret, Key, PublicKey, Rng, SigningKey, hedge, kdf_key,
    sha256,
};
use shared::time::Millis;
use zeroize::Zeroizing;

/// Removals that a device knows; the oldest give way.
pub const REMOVED_MAX: usize = 8;
/// A device is not heard so long after it was shut out: no certificate of its key is good then.
pub const REMOVED_MS: Millis = 12 * 86_400_000;

/// That a device is one of the account's no more.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Removal {
    #[n(0)]
    pub slot: u8,
    #[cbor(n(1), with = "cbor::public_key")]
    pub device: PublicKey,
    /// Unix ms.
    #[n(2)]
    pub time: Millis,
    #[cbor(n(3), with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl Removal {
    pub fn sign(account: &SigningKey, slot: u8, device: PublicKey, time: Millis) -> Removal {
        let text = signed(&account.public(), slot, &device, time);
        let signature = account.sign(&text.each_ref().map(|part| &part[..]));
        Removal {
            slot,
            device,
            time,
            signature,
        }
    }

    /// Whether that account said so.
    pub fn is_by(&self, account: &PublicKey) -> bool {
        let text = signed(account, self.slot, &self.device, self.time);
        let parts = text.each_ref().map(|part| &part[..]);
        account.verify(&parts, &self.signature).is_ok()
    }
}

fn signed(account: &PublicKey, slot: u8, device: &PublicKey, time: Millis) -> [Vec<u8>; 5] {
    [
        b"wm-remove".to_vec(),
        account.as_bytes().to_vec(),
        [slot].to_vec(),
        device.as_bytes().to_vec(),
        time.to_le_bytes().to_vec(),
    ]
}

/// What devices that stay go on with.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Gift {
    #[n(0)]
    pub self_pair: SelfPair,
    /// The new generation.
    #[n(1)]
    pub keys: EpochKeys,
    /// Our contact read secret.
    #[cbor(n(2), with = "cbor::key")]
    pub read: Key,
    #[n(3)]
    pub state_read: Option<StateSecret>,
}

/// Why a gift was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GiftError {
    /// For another device, about another removal, or changed.
    Forged,
    Malformed,
}

impl Gift {
    /// Sealed to the key of the device in that slot: ct || seal(...).
    pub fn seal(&self, removal: &Removal, slot: u8, to: &KemPublic, rng: &mut Rng) -> Vec<u8> {
        let text = Zeroizing::new(cbor::to_vec(self));
        let about = cbor::to_vec(removal);
        let bound: [&[u8]; 4] = [&text, &about, to.as_bytes(), &[slot]];
        let (ct, shared) = to.encapsulate(hedge(&rng.array(), "gift", &bound));
        let key = gift_key(&shared, &ct[..], &about, slot);
        let sealed = crypto::seal(&key, &rng.array(), b"", &text);
        [&ct[..], &sealed].concat()
    }

    /// Opens what is for the device in that slot, with its key.
    pub fn open(
        sealed: &[u8],
        removal: &Removal,
        slot: u8,
        own: &KemSecret,
    ) -> Result<Gift, GiftError> {
        let (ct, inner) = sealed
            .split_first_chunk::<CIPHERTEXT_LEN>()
            .ok_or(GiftError::Malformed)?;
        let about = cbor::to_vec(removal);
        let key = gift_key(&own.decapsulate(ct), ct, &about, slot);
        let text = crypto::open(&key, b"", inner).map_err(|_| GiftError::Forged)?;
        let text = Zeroizing::new(text);
        let gift: Gift = cbor::from_slice(&text).map_err(|Malformed| GiftError::Malformed)?;
        match gift.keys.is_in_bounds() {
            true => Ok(gift),
            false => Err(GiftError::Malformed),
        }
    }
}

/// Who is gone, and what the device in a slot is given, as the account says it: the device that is
/// gone knows the key that the gift is sealed to, too.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub struct Told {
    #[n(1)]
    pub removals: Vec<Removal>,
    #[n(2)]
    pub turn: u32,
    /// Of the device that the gift is for; 255 where nobody stays.
    #[n(3)]
    pub slot: u8,
    #[cbor(n(4), with = "minicbor::bytes")]
    pub gift: Vec<u8>,
    #[cbor(n(5), with = "minicbor::bytes")]
    signature: [u8; 64],
}

impl Told {
    pub fn sign(
        account: &SigningKey,
        removals: Vec<Removal>,
        turn: u32,
        slot: u8,
        gift: Vec<u8>,
    ) -> Told {
        let mut told = Told {
            removals,
            turn,
            slot,
            gift,
            signature: [0; 64],
        };
        let text = told.signed(&account.public());
        told.signature = account.sign(&text.each_ref().map(|part| &part[..]));
        told
    }

    /// Whether that account said so, of each of them.
    pub fn is_by(&self, account: &PublicKey) -> bool {
        let text = self.signed(account);
        let parts = text.each_ref().map(|part| &part[..]);
        account.verify(&parts, &self.signature).is_ok()
            && self.removals.iter().all(|removal| removal.is_by(account))
    }

    fn signed(&self, account: &PublicKey) -> [Vec<u8>; 6] {
        [
            b"wm-removed".to_vec(),
            account.as_bytes().to_vec(),
            self.turn.to_le_bytes().to_vec(),
            [self.slot].to_vec(),
            sha256(&[&cbor::to_vec(&self.removals)]).to_vec(),
            sha256(&[&self.gift]).to_vec(),
        ]
    }
}

fn gift_key(shared: &Key, ct: &[u8], about: &[u8], slot: u8) -> Key {
    let bind = [&sha256(&[ct]), &sha256(&[about])[..], &[slot]];
    kdf_key(&[shared.as_bytes()], "gift", &bind)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW: Millis = 20_000 * 86_400_000;

    fn key(n: u8) -> SigningKey {
        SigningKey::from_bytes(&[n; 32])
    }

    fn gift(rng: &mut Rng) -> Gift {
        let mut keys = EpochKeys::new();
        keys.ensure(20_000, 0, rng);
        keys.renew(20_000, rng);
        Gift {
            self_pair: SelfPair {
                epoch: 20_000,
                secret: Key::new(rng.array()),
            },
            keys,
            read: Key::new(rng.array()),
            state_read: Some(StateSecret {
                generation: 2,
                secret: Key::new(rng.array()),
            }),
        }
    }

    #[test]
    fn the_account_alone_removes() {
        let removal = Removal::sign(&key(1), 3, key(2).public(), NOW);
        assert!(removal.is_by(&key(1).public()));
        assert!(!removal.is_by(&key(2).public()));
        let changed = |change: fn(&mut Removal)| {
            let mut other = removal.clone();
            change(&mut other);
            other.is_by(&key(1).public())
        };
        assert!(!changed(|r| r.slot = 4));
        assert!(!changed(|r| r.time += 1));
        assert!(!changed(|r| r.device = key(3).public()));
        let bytes = cbor::to_vec(&removal);
        assert_eq!(cbor::from_slice::<Removal>(&bytes), Ok(removal));
        for len in 0..bytes.len() {
            assert!(cbor::from_slice::<Removal>(&bytes[..len]).is_err());
        }
    }

    #[test]
    fn a_gift_opens_for_one_device_and_one_removal() {
        let mut rng = Rng::new([7; 32]);
        let (own, other) = (KemSecret::draw(&mut rng), KemSecret::draw(&mut rng));
        let removal = Removal::sign(&key(1), 3, key(2).public(), NOW);
        let given = gift(&mut rng);
        let sealed = given.seal(&removal, 1, &own.public(), &mut rng);

        let opened = Gift::open(&sealed, &removal, 1, &own).unwrap();
        assert_eq!(opened.self_pair, given.self_pair);
        assert_eq!(opened.keys.encode(), given.keys.encode());
        assert_eq!(opened.read, given.read);
        assert_eq!(opened.state_read, given.state_read);

        let refused = |sealed: &[u8], removal: &Removal, slot, own: &KemSecret| {
            Gift::open(sealed, removal, slot, own).unwrap_err()
        };
        assert_eq!(refused(&sealed, &removal, 1, &other), GiftError::Forged);
        assert_eq!(refused(&sealed, &removal, 2, &own), GiftError::Forged);
        let later = Removal::sign(&key(1), 3, key(2).public(), NOW + 1);
        assert_eq!(refused(&sealed, &later, 1, &own), GiftError::Forged);
        for at in (0..sealed.len()).step_by(37) {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(refused(&changed, &removal, 1, &own), GiftError::Forged);
            assert!(Gift::open(&sealed[..at], &removal, 1, &own).is_err());
        }
    }

    #[test]
    fn the_account_alone_gives() {
        let removals = alloc::vec![Removal::sign(&key(1), 3, key(2).public(), NOW)];
        let told = Told::sign(&key(1), removals, 1, 2, b"gift".to_vec());
        assert!(told.is_by(&key(1).public()));
        assert!(!told.is_by(&key(2).public()));
        let changed = |change: fn(&mut Told)| {
            let mut other = told.clone();
            change(&mut other);
            other.is_by(&key(1).public())
        };
        assert!(!changed(|told| told.gift = b"Gift".to_vec()));
        assert!(!changed(|told| told.turn = 2));
        assert!(!changed(|told| told.slot = 3));
        assert!(!changed(|told| told.removals.clear()));
        let foreign = alloc::vec![Removal::sign(&key(2), 3, key(1).public(), NOW)];
        let other = Told::sign(&key(1), foreign, 1, 2, b"gift".to_vec());
        assert!(!other.is_by(&key(1).public()));
    }
}
