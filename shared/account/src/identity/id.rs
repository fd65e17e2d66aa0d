//! Account ids: 52 characters for a public key, with a checksum of 4 bits.
//!
//! Invariant: one valid text a key (in lower case), and an [`AccountId`] is always a usable key.

use core::fmt;
use shared::crypto::{PublicKey, sha256};

/// Characters of an id.
pub const ID_LEN: usize = 52;

const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// An account, named by its public key. `Display` is the 52 characters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(PublicKey);

/// Why a text is no account id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdError {
    /// Not 52 characters.
    Length { found: usize },
    /// A character that does not occur in ids, at that place from 0.
    Character { at: usize },
    /// All characters are possible, but not together: mistyped.
    Checksum,
    /// The checksum is right, but it names no usable key.
    Key,
}

impl AccountId {
    pub fn new(key: PublicKey) -> AccountId {
        AccountId(key)
    }

    pub fn key(&self) -> &PublicKey {
        &self.0
    }

    /// Upper case is read as lower case.
    pub fn parse(text: &str) -> Result<AccountId, IdError> {
        let found = text.chars().count();
        if found != ID_LEN {
            return Err(IdError::Length { found });
        }
        // 260 bits, from the front of 33 bytes.
        let mut bytes = [0u8; 33];
        for (at, letter) in text.chars().enumerate() {
            let value = value_of(letter).ok_or(IdError::Character { at })?;
            let bit = at * 5;
            let wide = u16::from(value) << (11 - bit % 8);
            bytes[bit / 8] |= (wide >> 8) as u8;
            if bit / 8 + 1 < bytes.len() {
                bytes[bit / 8 + 1] |= wide as u8;
            }
        }
        let mut key = [0; 32];
        key.copy_from_slice(&bytes[..32]);
        if bytes[32] != check(&key) {
            return Err(IdError::Checksum);
        }
        Ok(AccountId(
            PublicKey::from_bytes(&key).map_err(|_| IdError::Key)?,
        ))
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0u8; 34];
        bytes[..32].copy_from_slice(self.0.as_bytes());
        bytes[32] = check(self.0.as_bytes());
        for at in 0..ID_LEN {
            let bit = at * 5;
            let wide = u16::from_be_bytes([bytes[bit / 8], bytes[bit / 8 + 1]]);
            let value = (wide >> (11 - bit % 8)) & 31;
            fmt::Write::write_char(f, char::from(ALPHABET[usize::from(value)]))?;
        }
        Ok(())
    }
}

impl fmt::Debug for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// First 4 bits of `H("wm-id" || public key)`, in the high half.
fn check(key: &[u8; 32]) -> u8 {
    sha256(&[b"wm-id", key])[0] & 0xf0
}

fn value_of(letter: char) -> Option<u8> {
    let letter = u8::try_from(letter).ok()?.to_ascii_lowercase();
    ALPHABET
        .iter()
        .position(|&known| known == letter)
        .map(|at| at as u8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::string::{String, ToString};
    use shared::crypto::{Rng, SigningKey};

    #[test]
    fn round_trip_in_both_cases() {
        let mut rng = Rng::new([3; 32]);
        for _ in 0..50 {
            let id = AccountId::new(SigningKey::draw(&mut rng).public());
            let text = id.to_string();
            assert_eq!(text.len(), ID_LEN);
            assert_eq!(AccountId::parse(&text), Ok(id));
            assert_eq!(AccountId::parse(&text.to_uppercase()), Ok(id));
        }
    }

    /// The same bits by a general base32 encoder.
    #[test]
    fn is_rfc_4648() {
        let id = AccountId::new(SigningKey::from_bytes(&[9; 32]).public());
        let mut bytes = id.key().as_bytes().to_vec();
        bytes.push(check(id.key().as_bytes()));
        let text = data_encoding::BASE32_NOPAD.encode(&bytes).to_lowercase();
        assert_eq!(text[..ID_LEN], id.to_string());
    }

    #[test]
    fn errors() {
        let text = AccountId::new(SigningKey::from_bytes(&[9; 32]).public()).to_string();
        assert_eq!(AccountId::parse(""), Err(IdError::Length { found: 0 }));
        assert_eq!(
            AccountId::parse(&text[1..]),
            Err(IdError::Length { found: 51 })
        );
        for bad in ["1", "ä", "-", "8"] {
            let mut changed = String::from(&text[..20]);
            changed.push_str(bad);
            changed.push_str(&text[21..]);
            assert_eq!(
                AccountId::parse(&changed),
                Err(IdError::Character { at: 20 })
            );
        }
    }

    /// No one-letter change gives the same key; nearly all are noticed, and those that are not lead
    /// elsewhere.
    #[test]
    fn one_text_a_key() {
        let id = AccountId::new(SigningKey::from_bytes(&[9; 32]).public());
        let text = id.to_string();
        let mut accepted = 0;
        for at in 0..ID_LEN {
            for &letter in ALPHABET {
                if text.as_bytes()[at] == letter {
                    continue;
                }
                let mut changed = text.clone().into_bytes();
                changed[at] = letter;
                match AccountId::parse(&String::from_utf8(changed).unwrap()) {
                    Ok(other) => {
                        assert_ne!(other, id);
                        accepted += 1;
                    }
                    Err(error) => assert!(matches!(error, IdError::Checksum | IdError::Key)),
                }
            }
        }
        // 1612 changes; one in 16 passes the checksum, half of those are points.
        assert!((20..90).contains(&accepted), "{accepted}");
    }

    #[test]
    fn points_of_small_order_are_refused() {
        let mut bytes = [0u8; 33];
        bytes[0] = 1;
        bytes[32] = check(&[
            1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            0, 0, 0,
        ]);
        let text = data_encoding::BASE32_NOPAD.encode(&bytes);
        assert_eq!(AccountId::parse(&text[..ID_LEN]), Err(IdError::Key));
    }
}
