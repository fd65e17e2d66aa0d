//! The recovery key: by it contacts know a return of this account from its 18 words. PROTOCOL.md
//! sections 1 and 14.
//!
//! Invariant: it makes tags and outer keys, nothing more: who has it without a contact's epoch key
//! reads nothing, and who has no device certificate of the account signs nothing.

use shared::crypto::{Key, PublicKey, agree, agree_public, kdf_key};

/// R: the public half, told to contacts.
pub type RecoveryPublic = [u8; 32];

/// The X25519 secret that follows from the seed, and its public half.
#[derive(Clone, Debug)]
pub struct RecoveryKey {
    secret: Key,
    public: RecoveryPublic,
}

impl RecoveryKey {
    pub fn new(secret: Key) -> RecoveryKey {
        let public = agree_public(&secret);
        RecoveryKey { secret, public }
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        self.secret.as_bytes()
    }

    pub fn public(&self) -> RecoveryPublic {
        self.public
    }

    /// RT, what returns `from` one account `to` another are found by. `theirs` is R of the one that
    /// is not ours. `None` for an R that agrees on nothing.
    pub fn return_secret(
        &self,
        theirs: &RecoveryPublic,
        from: &PublicKey,
        to: &PublicKey,
    ) -> Option<Key> {
        let shared = agree(&self.secret, theirs)?;
        let parties: [&[u8]; 2] = [from.as_bytes(), to.as_bytes()];
        Some(kdf_key(&[shared.as_bytes()], "return", &parties))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use crate::identity::{Identity, Seed};
    use shared::crypto::Rng;

    #[test]
    fn both_sides_have_the_same_secret_in_each_direction() {
        let mut rng = Rng::new([3; 32]);
        let mut draw = || Identity::from_seed(&Seed::draw(&mut rng));
        let (ann, ben, eve) = (draw(), draw(), draw());
        let secret = |by: &Identity, other: &Identity, from: &Identity, to: &Identity| {
            let (from, to) = (from.account_key().public(), to.account_key().public());
            let theirs = other.recovery_key().public();
            by.recovery_key()
                .return_secret(&theirs, &from, &to)
                .unwrap()
        };
        let hers = secret(&ann, &ben, &ann, &ben);
        assert_eq!(hers, secret(&ben, &ann, &ann, &ben));
        assert_ne!(hers, secret(&ben, &ann, &ben, &ann));
        assert_ne!(hers, secret(&eve, &ben, &ann, &ben));
        let (from, to) = (ann.account_key().public(), ben.account_key().public());
        assert!(
            ann.recovery_key()
                .return_secret(&[0; 32], &from, &to)
                .is_none()
        );
    }
}
