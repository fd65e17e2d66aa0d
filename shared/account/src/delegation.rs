//! Leave to write: what a device without the seed needs to write records of its account, given by
//! one that has it. PROTOCOL.md section 4.
//!
//! Invariant: leave is for one device, one slot and one period under one read secret. It ends with
//! its hour, and with the read secret: a device that was removed does not know the next one.

use crate::record::{blinding, lifetime};
use shared::crypto::{BlindedKey, PublicKey, SigningKey};

/// Bytes of a delegation, in a record and as it is stored.
pub const DELEGATION_LEN: usize = 100;
/// Hours of a period, and what is left beside.
const PERIOD_HOURS: u32 = 720;
const SLACK_HOURS: u32 = 2;

/// Leave to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    /// The device's key.
    pub device: PublicKey,
    /// Hour at which it is over.
    pub until: u32,
    signature: [u8; 64],
}

/// What leave is given for.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub read: &'a [u8; 32],
    pub slot: u16,
    pub period: u32,
}

impl Delegation {
    /// Gives leave until the last record that may be written by it is over: relays and readers
    /// check it as long as they have the record.
    pub fn issue(account: &SigningKey, scope: &Scope, device: PublicKey) -> Delegation {
        let until = (scope.period.saturating_add(1)).saturating_mul(PERIOD_HOURS);
        let until = until.saturating_add(lifetime(scope.slot).hours() + SLACK_HOURS);
        Self::issue_until(account, scope, device, until)
    }

    /// The same, with an end of its own.
    pub fn issue_until(
        account: &SigningKey,
        scope: &Scope,
        device: PublicKey,
        until: u32,
    ) -> Delegation {
        let owner = account.public();
        let factor = blinding(&owner, scope.read, scope.slot, scope.period);
        let blinded = BlindedKey::new(account, &factor);
        let public = blinded.public();
        let signature = signed(&public, scope.slot, &device, until, |parts| {
            blinded.sign(parts)
        });
        Delegation {
            device,
            until,
            signature,
        }
    }

    /// Whether this device may write by it, in the slot of the blinded key, what lives until
    /// `expiry`.
    pub fn allows(&self, blinded: &PublicKey, slot: u16, device: &PublicKey, expiry: u32) -> bool {
        self.device == *device
            && self.until >= expiry
            && signed(blinded, slot, &self.device, self.until, |parts| {
                blinded.verify(parts, &self.signature).is_ok()
            })
    }

    /// delegate key || delegate until || delegation signature.
    pub fn to_bytes(&self) -> [u8; DELEGATION_LEN] {
        let mut bytes = [0; DELEGATION_LEN];
        bytes[..32].copy_from_slice(self.device.as_bytes());
        bytes[32..36].copy_from_slice(&self.until.to_le_bytes());
        bytes[36..].copy_from_slice(&self.signature);
        bytes
    }

    /// Reads one; that it holds is seen when it is used.
    pub fn read(bytes: &[u8]) -> Option<Delegation> {
        let bytes: &[u8; DELEGATION_LEN] = bytes.try_into().ok()?;
        let (device, rest) = bytes.split_first_chunk::<32>()?;
        let (until, rest) = rest.split_first_chunk::<4>()?;
        Some(Delegation {
            device: PublicKey::from_bytes(device).ok()?,
            until: u32::from_le_bytes(*until),
            signature: rest.try_into().ok()?,
        })
    }
}

fn signed<T>(
    blinded: &PublicKey,
    slot: u16,
    device: &PublicKey,
    until: u32,
    then: impl FnOnce(&[&[u8]]) -> T,
) -> T {
    then(&[
        b"wm-delegate",
        blinded.as_bytes(),
        &slot.to_le_bytes(),
        device.as_bytes(),
        &until.to_le_bytes(),
    ])
}

#[cfg(test)]
#[path = "delegation_tests.rs"]
mod tests;
