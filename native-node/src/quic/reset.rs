//! What outlives a restart: keys from which connection ids and reset tokens follow, so that a peer
//! whose link was to an earlier run of this relay is told with the next thing that it says
//! (stateless reset, RFC 9000 section 10.3).
//!
//! Invariant: both follow from the certificate's private key alone.

use hmac::{Hmac, KeyInit, Mac};
use quinn::crypto::{CryptoError, HmacKey};
use quinn_proto::HashedConnectionIdGenerator;
use sha2::Sha256;
use shared::crypto::sha256;

/// Bytes of HMAC-SHA-256.
const SIGNATURE_BYTES: usize = 32;

/// Makes and checks reset tokens.
pub struct ResetKey([u8; 32]);

impl ResetKey {
    /// From the private key of the certificate.
    pub fn new(private_key: &[u8]) -> Self {
        Self(sha256(&[b"wm-quic-reset", private_key]))
    }

    fn mac(&self, data: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(data);
        Some(mac)
    }
}

impl HmacKey for ResetKey {
    fn sign(&self, data: &[u8], out: &mut [u8]) {
        if let Some(mac) = self.mac(data)
            && out.len() == SIGNATURE_BYTES
        {
            out.copy_from_slice(&mac.finalize().into_bytes());
        }
    }

    fn signature_len(&self) -> usize {
        SIGNATURE_BYTES
    }

    fn verify(&self, data: &[u8], signature: &[u8]) -> Result<(), CryptoError> {
        let mac = self.mac(data).ok_or(CryptoError)?;
        mac.verify_slice(signature).map_err(|_| CryptoError)
    }
}

/// Connection ids that an earlier run with the same key made are known again; others are dropped
/// without a look. That saves work and guards nothing.
pub fn connection_ids(private_key: &[u8]) -> HashedConnectionIdGenerator {
    let [a, b, c, d, e, f, g, h, ..] = sha256(&[b"wm-quic-id", private_key]);
    HashedConnectionIdGenerator::from_key(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
}
