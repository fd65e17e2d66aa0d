//! A relay hint: what is needed to dial a relay with no signalling. PROTOCOL.md section 3.

use super::codec::{Malformed, Reader, Writer};
use crate::crypto::kdf;
use crate::limits::HINT_TEXT_BYTES_MAX;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use data_encoding::{BASE64_NOPAD, BASE64URL_NOPAD};

/// Where a relay listens and how it proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayHint {
    pub address: IpAddr,
    /// UDP.
    pub port: u16,
    /// SHA-256 of the DTLS certificate.
    pub certificate: [u8; 32],
    /// The Ed25519 key that signs Welcome and receipts.
    pub node_key: [u8; 32],
}

/// ICE credentials of a relay, as they stand in SDP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IceCredentials {
    /// 8 characters.
    pub ufrag: String,
    /// 24 characters. Anyone with the hint knows it.
    pub pwd: String,
}

impl RelayHint {
    /// One hint and nothing more.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut r = Reader::new(bytes);
        let hint = Self::read(&mut r)?;
        r.end()?;
        Ok(hint)
    }

    /// A hint at the front of something longer.
    pub fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        let address = match r.u8()? {
            4 => IpAddr::V4(Ipv4Addr::from(r.array::<4>()?)),
            6 => IpAddr::V6(Ipv6Addr::from(r.array::<16>()?)),
            _ => return Err(Malformed),
        };
        let port = r.u16()?;
        if port == 0 {
            return Err(Malformed);
        }
        Ok(RelayHint {
            address,
            port,
            certificate: r.array()?,
            node_key: r.array()?,
        })
    }

    /// 71 bytes (IPv4) or 83 (IPv6).
    pub fn encode(&self) -> Vec<u8> {
        let mut w = Writer::with_capacity(83);
        match self.address {
            IpAddr::V4(a) => w.u8(4).bytes(&a.octets()),
            IpAddr::V6(a) => w.u8(6).bytes(&a.octets()),
        };
        w.u16(self.port)
            .bytes(&self.certificate)
            .bytes(&self.node_key);
        w.0
    }

    /// The hint from base64url without padding.
    pub fn from_text(text: &str) -> Result<Self, Malformed> {
        let text = text.trim();
        if text.len() > HINT_TEXT_BYTES_MAX {
            return Err(Malformed);
        }
        Self::parse(
            &BASE64URL_NOPAD
                .decode(text.as_bytes())
                .map_err(|_| Malformed)?,
        )
    }

    /// base64url without padding.
    pub fn to_text(&self) -> String {
        BASE64URL_NOPAD.encode(&self.encode())
    }

    /// For people: `192.0.2.1:4433` or `[2001:db8::1]:4433`.
    pub fn address_text(&self) -> String {
        SocketAddr::new(self.address, self.port).to_string()
    }

    /// What the relay's ICE-lite endpoint answers to.
    pub fn ice(&self) -> IceCredentials {
        let mut d = [0; 24];
        kdf(&[&self.node_key], "ice", &[&self.certificate], &mut d);
        // Standard base64 is base64url with `+` and `/` in the place of `-` and `_`.
        IceCredentials {
            ufrag: BASE64_NOPAD.encode(&d[..6]),
            pwd: BASE64_NOPAD.encode(&d[6..]),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn hints() -> [RelayHint; 2] {
        let v4 = RelayHint {
            address: "192.0.2.1".parse().unwrap(),
            port: 4433,
            certificate: [1; 32],
            node_key: [2; 32],
        };
        [
            v4,
            RelayHint {
                address: "2001:db8::1".parse().unwrap(),
                ..v4
            },
        ]
    }

    #[test]
    fn round_trip() {
        for hint in hints() {
            assert_eq!(RelayHint::parse(&hint.encode()), Ok(hint));
            assert_eq!(RelayHint::from_text(&hint.to_text()), Ok(hint));
        }
        assert_eq!(hints().map(|h| h.encode().len()), [71, 83]);
        assert_eq!(hints()[1].address_text(), "[2001:db8::1]:4433");
    }

    #[test]
    fn mangled_is_refused() {
        let bytes = hints()[0].encode();
        for n in 0..bytes.len() {
            assert_eq!(RelayHint::parse(&bytes[..n]), Err(Malformed));
        }
        for flags in (0..=255).filter(|f| *f != 4) {
            let mut b = bytes.clone();
            b[0] = flags;
            assert_eq!(RelayHint::parse(&b), Err(Malformed));
        }
        assert_eq!(RelayHint::from_text(&"A".repeat(10_000)), Err(Malformed));
        assert_eq!(RelayHint::from_text("not a hint"), Err(Malformed));
    }

    #[test]
    fn ice_credentials_are_what_ice_allows() {
        let ice = hints()[0].ice();
        assert_eq!((ice.ufrag.len(), ice.pwd.len()), (8, 24));
        let allowed = |c: char| c.is_ascii_alphanumeric() || c == '+' || c == '/';
        assert!(ice.ufrag.chars().chain(ice.pwd.chars()).all(allowed));
        assert_ne!(
            ice,
            RelayHint {
                certificate: [9; 32],
                ..hints()[0]
            }
            .ice()
        );
    }
}
