//! Device certificates: the account key says for eight days that a device key speaks for it.
//!
//! Invariant: a [`Certificate`] that was read is signed by the account it was read for and was
//! valid at that hour.

use shared::crypto::{PublicKey, SigningKey};

/// Bytes of a certificate.
pub const CERTIFICATE_LEN: usize = 101;
/// Device slots, 0 to 7.
pub const DEVICE_SLOTS: u8 = 8;
/// A certificate ends at most that many hours from now.
pub const CERTIFICATE_HOURS: u32 = 192;
/// It is renewed when fewer hours than that are left.
pub const CERTIFICATE_RENEW_HOURS: u32 = 96;

/// Clocks may differ by that when the end of a certificate is judged.
const CLOCK_HOURS: u32 = 2;

/// A device key, its slot and its time. Layout: slot u8, device key[32], until u32 (hour),
/// signature[64].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Certificate {
    pub slot: u8,
    pub device: PublicKey,
    /// The first hour it is not valid in.
    pub until: u32,
    signature: [u8; 64],
}

/// Why a certificate was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// Not 101 bytes, a slot above 7, or a device key that is none.
    Malformed,
    Expired,
    /// It ends later than any certificate made by now could.
    TooLong,
    /// Signed by another account, or changed.
    Forged,
}

impl Certificate {
    /// Issues one that is valid as long as possible. `slot` is below [`DEVICE_SLOTS`].
    pub fn issue(account: &SigningKey, slot: u8, device: PublicKey, hour: u32) -> Certificate {
        assert!(slot < DEVICE_SLOTS, "device slots are 0 to 7");
        let until = hour.saturating_add(CERTIFICATE_HOURS);
        let mut certificate = Certificate {
            slot,
            device,
            until,
            signature: [0; 64],
        };
        certificate.signature = account.sign(&[&certificate.signed()]);
        certificate
    }

    /// Reads a certificate that `account` is said to have issued.
    pub fn read(
        bytes: &[u8],
        account: &PublicKey,
        hour: u32,
    ) -> Result<Certificate, CertificateError> {
        let certificate = Certificate::parse(bytes).ok_or(CertificateError::Malformed)?;
        if certificate.until <= hour {
            return Err(CertificateError::Expired);
        }
        if certificate.until - hour > CERTIFICATE_HOURS + CLOCK_HOURS {
            return Err(CertificateError::TooLong);
        }
        account
            .verify(&[&certificate.signed()], &certificate.signature)
            .map_err(|_| CertificateError::Forged)?;
        Ok(certificate)
    }

    pub fn to_bytes(&self) -> [u8; CERTIFICATE_LEN] {
        let mut bytes = [0; CERTIFICATE_LEN];
        bytes[0] = self.slot;
        bytes[1..33].copy_from_slice(self.device.as_bytes());
        bytes[33..37].copy_from_slice(&self.until.to_le_bytes());
        bytes[37..].copy_from_slice(&self.signature);
        bytes
    }

    /// Whether it is time to issue the next one.
    pub fn is_due(&self, hour: u32) -> bool {
        self.until < hour.saturating_add(CERTIFICATE_RENEW_HOURS)
    }

    fn parse(bytes: &[u8]) -> Option<Certificate> {
        let (slot, rest) = bytes.split_first()?;
        let (device, rest) = rest.split_first_chunk::<32>()?;
        let (until, signature) = rest.split_first_chunk::<4>()?;
        let signature = signature.try_into().ok()?;
        if *slot >= DEVICE_SLOTS {
            return None;
        }
        let device = PublicKey::from_bytes(device).ok()?;
        Some(Certificate {
            slot: *slot,
            device,
            until: u32::from_le_bytes(*until),
            signature,
        })
    }

    fn signed(&self) -> [u8; 46] {
        let mut text = [0; 46];
        text[..9].copy_from_slice(b"wm-device");
        text[9] = self.slot;
        text[10..42].copy_from_slice(self.device.as_bytes());
        text[42..].copy_from_slice(&self.until.to_le_bytes());
        text
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use shared::crypto::Rng;

    fn parts() -> (SigningKey, PublicKey, Certificate) {
        let mut rng = Rng::new([4; 32]);
        let account = SigningKey::draw(&mut rng);
        let device = SigningKey::draw(&mut rng).public();
        (
            account.clone(),
            account.public(),
            Certificate::issue(&account, 3, device, 1000),
        )
    }

    #[test]
    fn lives_eight_days() {
        let (_, public, certificate) = parts();
        let bytes = certificate.to_bytes();
        let read = |hour| Certificate::read(&bytes, &public, hour);
        assert_eq!(read(1000), Ok(certificate));
        assert_eq!(read(1191), Ok(certificate));
        assert_eq!(read(1192), Err(CertificateError::Expired));
        assert_eq!(read(u32::MAX), Err(CertificateError::Expired));
        assert_eq!(read(998), Ok(certificate));
        assert_eq!(read(997), Err(CertificateError::TooLong));
        assert!(!certificate.is_due(1000) && !certificate.is_due(1096));
        assert!(certificate.is_due(1097) && certificate.is_due(5000));
    }

    #[test]
    fn any_change_is_noticed() {
        let (_, public, certificate) = parts();
        let bytes = certificate.to_bytes();
        for at in 0..CERTIFICATE_LEN {
            for bit in 0..8 {
                let mut changed = bytes;
                changed[at] ^= 1 << bit;
                assert!(Certificate::read(&changed, &public, 1000).is_err());
            }
            let cut = Certificate::read(&bytes[..at], &public, 1000);
            assert_eq!(cut, Err(CertificateError::Malformed));
        }
        let stranger = SigningKey::from_bytes(&[1; 32]).public();
        assert_eq!(
            Certificate::read(&bytes, &stranger, 1000),
            Err(CertificateError::Forged)
        );
    }
}
