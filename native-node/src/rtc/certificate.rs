//! A certificate for DTLS and QUIC that survives restarts: relay hints name its hash.
//!
//! Invariant: the same bytes always give the same fingerprint.

use rtc::crypto::{SignatureScheme, default_provider};
use rtc::peer_connection::certificate::{CertificateParams, RTCCertificate};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime};

/// First bytes of the stored form.
const MAGIC: &[u8; 8] = b"wm-dtls1";
/// Longest stored form: an ECDSA P-256 certificate and key take about 600 bytes.
const BYTES_MAX: usize = 8_192;
/// Nobody looks at the date in WebRTC; the library wants one that has not passed.
const LIFETIME: Duration = Duration::from_secs(20 * 365 * 86_400);

/// A certificate with its private key. `Debug` shows neither.
#[derive(Clone)]
pub struct CertificateFile {
    certificate: RTCCertificate,
    fingerprint: [u8; 32],
}

/// Why there is no certificate.
#[derive(Debug, PartialEq, Eq)]
pub enum CertificateError {
    /// The bytes are not a certificate stored by this program.
    Damaged,
    /// The crypto library refused to make one.
    Generate { cause: String },
}

impl std::fmt::Display for CertificateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Damaged => f.write_str(
                "the relay's stored WebRTC certificate is damaged. Stored messages are safe; put \
                 the file back from a backup, or delete it to get a new one (old relay hints then \
                 stop working)",
            ),
            Self::Generate { cause } => write!(f, "cannot make a WebRTC certificate: {cause}"),
        }
    }
}

impl std::error::Error for CertificateError {}

impl std::fmt::Debug for CertificateFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("CertificateFile(..)")
    }
}

fn generate(cause: impl std::fmt::Display) -> CertificateError {
    CertificateError::Generate {
        cause: cause.to_string(),
    }
}

impl CertificateFile {
    /// A new ECDSA P-256 certificate.
    pub fn generate() -> Result<Self, CertificateError> {
        let provider = default_provider().map_err(generate)?;
        let params = CertificateParams::new(vec!["wiremin".to_owned()]).map_err(generate)?;
        let scheme = SignatureScheme::EcdsaP256Sha256;
        let certificate =
            RTCCertificate::generate(provider.crypto(), scheme, params).map_err(generate)?;
        Self::new(certificate).ok_or_else(|| generate("it is empty"))
    }

    fn new(certificate: RTCCertificate) -> Option<Self> {
        let der = certificate.dtls_certificate.certificate.first()?;
        let fingerprint = Sha256::digest(der.as_ref()).into();
        Some(Self {
            certificate,
            fingerprint,
        })
    }

    /// SHA-256 of the certificate.
    pub fn fingerprint(&self) -> [u8; 32] {
        self.fingerprint
    }

    pub(super) fn certificate(&self) -> RTCCertificate {
        self.certificate.clone()
    }

    /// Certificate and private key (PKCS #8) in DER, for TLS.
    pub(crate) fn to_der(&self) -> Result<(Vec<u8>, Vec<u8>), CertificateError> {
        let dtls = &self.certificate.dtls_certificate;
        let der = dtls
            .certificate
            .first()
            .ok_or_else(|| generate("it is empty"))?;
        let key = dtls
            .private_key
            .signing_key
            .to_pkcs8_der()
            .map_err(generate)?;
        let key = key.ok_or_else(|| generate("its key cannot be stored"))?;
        Ok((der.as_ref().to_vec(), key.as_ref().to_vec()))
    }

    /// The stored form: magic, certificate length (u16), certificate, private key (PKCS #8), in
    /// DER. Keep it secret.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CertificateError> {
        let (der, key) = self.to_der()?;
        let length = u16::try_from(der.len()).map_err(generate)?;
        Ok([MAGIC, &length.to_le_bytes()[..], &der, &key].concat())
    }

    /// From the stored form.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CertificateError> {
        Self::parse(bytes).ok_or(CertificateError::Damaged)
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > BYTES_MAX {
            return None;
        }
        let rest = bytes.strip_prefix(MAGIC)?;
        let (length, rest) = rest.split_first_chunk::<2>()?;
        let (der, key) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        let provider = default_provider().ok()?;
        let certificate = RTCCertificate::from_pkcs8(
            provider.crypto(),
            SignatureScheme::EcdsaP256Sha256,
            vec![der.to_vec().into()],
            key,
            SystemTime::now() + LIFETIME,
        )
        .ok()?;
        Self::new(certificate)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn it_survives_storage() {
        let made = CertificateFile::generate().unwrap();
        let bytes = made.to_bytes().unwrap();
        let read = CertificateFile::from_bytes(&bytes).unwrap();
        assert_eq!(read.fingerprint(), made.fingerprint());
        assert_eq!(read.to_bytes().unwrap(), bytes);
        assert_ne!(
            CertificateFile::generate().unwrap().fingerprint(),
            made.fingerprint()
        );
    }

    #[test]
    fn damaged_bytes_are_refused() {
        let bytes = CertificateFile::generate().unwrap().to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert!(
                CertificateFile::from_bytes(&bytes[..end]).is_err(),
                "cut at {end}"
            );
        }
        assert!(CertificateFile::from_bytes(&vec![0; 100_000]).is_err());
    }
}
