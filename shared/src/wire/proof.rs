//! What a node key signs: Welcome and receipts. PROTOCOL.md section 3.
//!
//! Invariant: a Welcome is bound to one link and one nonce, so that it proves nothing anywhere
//! else.

use super::frame::Welcome;
use super::header::Id;
use crate::crypto::{BadKey, BadSignature, PublicKey, SigningKey};
use crate::time::Millis;

/// A relay's word that it stored an object durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    pub id: Id,
    /// The relay's clock.
    pub time: Millis,
    pub signature: [u8; 64],
}

impl Receipt {
    pub fn sign(key: &SigningKey, id: Id, time: Millis) -> Self {
        let signature = key.sign(&[b"wm-receipt", &id.0, &time.to_le_bytes()]);
        Receipt {
            id,
            time,
            signature,
        }
    }

    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        let time = self.time.to_le_bytes();
        key.verify(&[b"wm-receipt", &self.id.0, &time], &self.signature)
    }
}

impl Welcome {
    /// Fills in node key and signature.
    pub fn sign(mut self, key: &SigningKey, binding: &[u8; 32], nonce: &[u8; 32]) -> Self {
        self.node_key = *key.public().as_bytes();
        self.signature = key.sign(&[b"wm-link", binding, nonce, &self.signed_fields()]);
        self
    }

    /// Checks the signature under the key in the Welcome, which the caller has compared with the
    /// hint's.
    pub fn verify(&self, binding: &[u8; 32], nonce: &[u8; 32]) -> Result<(), BadSignature> {
        let key = PublicKey::from_bytes(&self.node_key).map_err(|BadKey| BadSignature)?;
        let fields = self.signed_fields();
        key.verify(&[b"wm-link", binding, nonce, &fields], &self.signature)
    }
}
