//! Openers: the first message of a chain. Located by the pair, readable only with the recipient's
//! key of the epoch. PROTOCOL.md section 6.
//!
//! Invariant: the inner key and S_0 depend on the pair, the epoch key and the whole ciphertext, so
//! that neither a stolen pair nor a broken key exchange opens a message alone.

use crate::sealed::Step;
use shared::crypto::{CIPHERTEXT_LEN, Key, kdf_key, sha256};

/// Which opener of which device: what its locator and outer key depend on beside RZ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Who {
    /// 0 from the smaller account key, 1 from the larger.
    pub direction: u8,
    pub device: u8,
    pub counter: u32,
    pub epoch: u32,
}

impl Who {
    pub fn bytes(&self) -> [u8; 10] {
        let mut bytes = [0; 10];
        bytes[0] = self.direction;
        bytes[1] = self.device;
        bytes[2..6].copy_from_slice(&self.counter.to_le_bytes());
        bytes[6..].copy_from_slice(&self.epoch.to_le_bytes());
        bytes
    }

    /// Locator, mac key and outer key. `rz` is RZ of the epoch.
    pub fn step(&self, rz: &Key) -> Step {
        Step::derive(rz.as_bytes(), "opener", &[&self.bytes()])
    }

    /// The locator alone.
    pub fn locator(&self, rz: &Key) -> u64 {
        Step::derive_locator(rz.as_bytes(), "opener", &[&self.bytes()])
    }
}

/// What follows from the exchange.
pub(crate) struct Exchanged {
    pub inner: Key,
    pub s0: Key,
}

/// `shared` is X-Wing's secret of `ct`.
pub(crate) fn exchange(shared: &Key, rz: &Key, who: &Who, ct: &[u8; CIPHERTEXT_LEN]) -> Exchanged {
    let (who, hash) = (who.bytes(), sha256(&[ct]));
    let derive = |label| kdf_key(&[shared.as_bytes(), rz.as_bytes()], label, &[&who, &hash]);
    Exchanged {
        inner: derive("opener inner"),
        s0: derive("chain"),
    }
}
