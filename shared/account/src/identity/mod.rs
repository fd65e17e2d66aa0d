//! Who an account is: everything that follows from its seed. PROTOCOL.md section 1.
//!
//! Invariant: account key, record key and recovery key come from the seed and nothing else does, so
//! the 18 words restore them and a device key that was lost takes nothing with it.

mod certificate;
mod id;
mod recovery;
mod seed;
mod typed;

pub use certificate::{
    CERTIFICATE_HOURS, CERTIFICATE_LEN, CERTIFICATE_RENEW_HOURS, Certificate, CertificateError,
    DEVICE_SLOTS,
};
pub use id::{AccountId, ID_LEN, IdError};
pub use recovery::{RecoveryKey, RecoveryPublic};
pub use seed::{SEED_LEN, Seed, WORDS};
pub use typed::{Typed, TypedError, Unknown, read_words};

use shared::crypto::{Key, SigningKey, kdf_key};

/// The keys of an account.
#[derive(Clone, Debug)]
pub struct Identity {
    account: SigningKey,
    record: Key,
    recovery: RecoveryKey,
}

impl Identity {
    pub fn from_seed(seed: &Seed) -> Identity {
        let derive = |label| kdf_key(&[seed.as_bytes()], label, &[]);
        Identity {
            account: SigningKey::from_bytes(derive("account key").as_bytes()),
            record: derive("record key"),
            recovery: RecoveryKey::new(derive("recovery key")),
        }
    }

    pub fn id(&self) -> AccountId {
        AccountId::new(self.account.public())
    }

    /// Signs device certificates and blinded records.
    pub fn account_key(&self) -> &SigningKey {
        &self.account
    }

    /// For records the account writes for itself.
    pub fn record_key(&self) -> &Key {
        &self.record
    }

    /// What contacts know a return of this account by.
    pub fn recovery_key(&self) -> &RecoveryKey {
        &self.recovery
    }
}
