//! What a node key signs at the beginning of a link. PROTOCOL.md section 3.
//!
//! Invariant: a Welcome is bound to one link and one nonce, so that it proves nothing anywhere
//! else.

use super::frame::Welcome;
use crate::crypto::{BadKey, BadSignature, PublicKey, SigningKey};

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
