//! What outlives a restart: keys from which connection ids and reset tokens follow, so that a peer
//! whose link was to an earlier run of this relay is told with the next thing that it says
//! (stateless reset, RFC 9000 section 10.3).
//!
//! Each socket has keys of its own. With one key, whoever sees a connection's id could send it to
//! another socket of the relay, where it is not in use, and would get the token with which they
//! can end the connection (RFC 9000 sections 10.3.2 and 21.11).
//!
//! Invariant: both follow from the certificate's private key and the socket's IP address alone.

use hmac::{Hmac, KeyInit, Mac};
use quinn::crypto::{CryptoError, HmacKey};
use quinn_proto::{ConnectionId, ConnectionIdGenerator, InvalidCid, RandomConnectionIdGenerator};
use sha2::Sha256;
use shared::crypto::sha256;
use std::net::IpAddr;
use std::time::Duration;

/// Bytes of HMAC-SHA-256.
const SIGNATURE_BYTES: usize = 32;
/// Random bytes of a connection id.
const DRAWN_BYTES: usize = 8;
/// What follows from them and the key.
const CHECK_BYTES: usize = 4;

/// A key for one purpose of a socket that is bound to that address.
fn key_of(purpose: &[u8], local: IpAddr, private_key: &[u8]) -> [u8; 32] {
    let address = match local.to_canonical() {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => v6,
    };
    sha256(&[purpose, &address.octets(), private_key])
}

/// Makes and checks reset tokens.
pub struct ResetKey([u8; 32]);

impl ResetKey {
    /// From the private key of the certificate, for a socket.
    pub fn new(private_key: &[u8], local: IpAddr) -> Self {
        Self(key_of(b"wm-quic-reset", local, private_key))
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

/// Makes connection ids, and knows those again that an earlier run with the same key made for the
/// same socket; others are dropped without a look.
///
/// The library's own have 24 random bits. That is too few where a Retry hands one out: the
/// handshake that goes on with it would be taken for a part of whatever connection has the same.
pub struct ConnectionIds {
    key: [u8; 32],
    random: RandomConnectionIdGenerator,
}

impl ConnectionIds {
    /// From the private key of the certificate, for a socket.
    pub fn new(private_key: &[u8], local: IpAddr) -> Self {
        Self {
            key: key_of(b"wm-quic-id", local, private_key),
            random: RandomConnectionIdGenerator::new(DRAWN_BYTES),
        }
    }

    fn check(&self, drawn: &[u8]) -> [u8; CHECK_BYTES] {
        let [a, b, c, d, ..] = sha256(&[&self.key, drawn]);
        [a, b, c, d]
    }
}

impl ConnectionIdGenerator for ConnectionIds {
    fn generate_cid(&mut self) -> ConnectionId {
        let drawn = self.random.generate_cid();
        ConnectionId::new(&[&drawn[..], &self.check(&drawn)].concat())
    }

    fn validate(&self, id: &ConnectionId) -> Result<(), InvalidCid> {
        match id.split_last_chunk() {
            Some((drawn, check)) if *check == self.check(drawn) => Ok(()),
            _ => Err(InvalidCid),
        }
    }

    fn cid_len(&self) -> usize {
        DRAWN_BYTES + CHECK_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

    #[test]
    fn ids_are_known_again_and_do_not_repeat() {
        let [mut first, second] = [(); 2].map(|()| ConnectionIds::new(b"one key", V4));
        let others = [(&b"another key"[..], V4), (b"one key", V6)];
        let others = others.map(|(key, local)| ConnectionIds::new(key, local));
        let mut seen = HashSet::new();
        for _ in 0..100_000 {
            let id = first.generate_cid();
            assert_eq!(id.len(), first.cid_len());
            assert!(second.validate(&id).is_ok());
            assert!(others.iter().all(|other| other.validate(&id).is_err()));
            assert!(seen.insert(id));
        }
        assert!(first.validate(&ConnectionId::new(&[1, 2, 3])).is_err());
    }

    #[test]
    fn reset_tokens_follow_from_the_key_and_the_socket() {
        let [one, same] = [(); 2].map(|()| ResetKey::new(b"one key", V4));
        let mut token = [0; SIGNATURE_BYTES];
        one.sign(b"an id", &mut token);
        assert!(same.verify(b"an id", &token).is_ok());
        assert!(same.verify(b"no id", &token).is_err());
        for other in [ResetKey::new(b"another", V4), ResetKey::new(b"one key", V6)] {
            assert!(other.verify(b"an id", &token).is_err());
        }
    }
}
