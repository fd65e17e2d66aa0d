//! Passcodes and passphrases, and the slow hash that guards what they open.
//!
//! Invariant: no key comes from a passcode below OWASP's floor for Argon2id, whatever a stored row
//! or file asks for, and none above a cap that a phone can still carry.
//!
//! The bytes are hashed as typed, in UTF-8: nothing is trimmed, folded or normalised (Unicode's
//! tables would outweigh the rest of the core). Somebody who types an accented letter composed on
//! one system and decomposed on another has typed two passphrases; a passcode never leaves its
//! device, so this touches exports only.

use argon2::{Algorithm, Argon2, Params, Version};
use shared::crypto::Key;
use shared::io::KdfCost;

/// What new passcodes and exports are guarded with: 64 MiB, 3 passes, 1 lane.
pub const COST: KdfCost = KdfCost {
    memory_kib: 64 * 1024,
    passes: 3,
    lanes: 1,
};
/// OWASP, Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, 1 lane.
pub const COST_MIN: KdfCost = KdfCost {
    memory_kib: 19 * 1024,
    passes: 2,
    lanes: 1,
};
/// More than that is not computed.
pub const COST_MAX: KdfCost = KdfCost {
    memory_kib: 256 * 1024,
    passes: 10,
    lanes: 4,
};

/// Shortest passcode, bytes.
pub const PASSCODE_MIN: usize = 8;
/// Longest passcode, bytes.
pub const PASSCODE_MAX: usize = 1024;

/// Why a passcode cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasscodeError {
    /// Below 8 bytes.
    TooShort,
    /// Above 1024 bytes.
    TooLong,
}

/// Why Argon2id gave no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KdfError {
    /// The cost is below [`COST_MIN`] or above [`COST_MAX`].
    Cost,
    /// This machine has not that much memory to spare.
    Memory,
}

/// Whether a new passcode may be used. Its strength is the interface's matter.
pub fn check_passcode(passcode: &str) -> Result<(), PasscodeError> {
    match passcode.len() {
        0..PASSCODE_MIN => Err(PasscodeError::TooShort),
        PASSCODE_MIN..=PASSCODE_MAX => Ok(()),
        _ => Err(PasscodeError::TooLong),
    }
}

/// Whether a cost lies between [`COST_MIN`] and [`COST_MAX`].
pub fn is_sane(cost: &KdfCost) -> bool {
    (COST_MIN.memory_kib..=COST_MAX.memory_kib).contains(&cost.memory_kib)
        && (COST_MIN.passes..=COST_MAX.passes).contains(&cost.passes)
        && (COST_MIN.lanes..=COST_MAX.lanes).contains(&cost.lanes)
}

/// Argon2id, version 1.3, 32 bytes: what a shell does for `Output::Derive`, off its main thread.
pub fn argon2id(secret: &[u8], salt: &[u8; 16], cost: &KdfCost) -> Result<Key, KdfError> {
    if !is_sane(cost) {
        return Err(KdfError::Cost);
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|_| KdfError::Cost)?;
    let mut key = zeroize::Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(secret, salt, key.as_mut())
        .map_err(|_| KdfError::Memory)?;
    Ok(Key::new(*key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn lengths() {
        assert_eq!(check_passcode("1234567"), Err(PasscodeError::TooShort));
        assert_eq!(check_passcode("12345678"), Ok(()));
        assert_eq!(check_passcode(&"x".repeat(1024)), Ok(()));
        assert_eq!(
            check_passcode(&"x".repeat(1025)),
            Err(PasscodeError::TooLong)
        );
    }

    #[test]
    fn costs_out_of_bounds_are_refused() {
        for cost in [
            KdfCost {
                memory_kib: COST_MIN.memory_kib - 1,
                ..COST
            },
            KdfCost {
                memory_kib: COST_MAX.memory_kib + 1,
                ..COST
            },
            KdfCost {
                memory_kib: u32::MAX,
                passes: u32::MAX,
                lanes: u32::MAX,
            },
            KdfCost { passes: 1, ..COST },
            KdfCost { passes: 11, ..COST },
            KdfCost { lanes: 0, ..COST },
            KdfCost { lanes: 5, ..COST },
        ] {
            assert!(!is_sane(&cost));
            assert_eq!(argon2id(b"passcode", &[0; 16], &cost), Err(KdfError::Cost));
        }
        assert!(is_sane(&COST) && is_sane(&COST_MIN) && is_sane(&COST_MAX));
    }

    #[test]
    fn secret_salt_and_cost_matter() {
        let base = argon2id(b"passcode", &[1; 16], &COST_MIN).unwrap();
        assert_eq!(argon2id(b"passcode", &[1; 16], &COST_MIN).unwrap(), base);
        assert_ne!(argon2id(b"passcodf", &[1; 16], &COST_MIN).unwrap(), base);
        assert_ne!(argon2id(b"passcode", &[2; 16], &COST_MIN).unwrap(), base);
        let more = KdfCost {
            passes: 3,
            ..COST_MIN
        };
        assert_ne!(argon2id(b"passcode", &[1; 16], &more).unwrap(), base);
    }
}
