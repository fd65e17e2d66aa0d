//! X25519 (RFC 7748): what two secrets that stay for long have in common.
//!
//! Invariant: a result that the other key alone decides (all zeros, from a point of small order) is
//! no secret, and is refused.

use super::hash::Key;
use x25519_dalek::{PublicKey, StaticSecret};

/// The public key of a secret.
pub fn agree_public(secret: &Key) -> [u8; 32] {
    PublicKey::from(&StaticSecret::from(*secret.as_bytes())).to_bytes()
}

/// The same on both sides; `None` for a public key of small order.
pub fn agree(secret: &Key, public: &[u8; 32]) -> Option<Key> {
    let secret = StaticSecret::from(*secret.as_bytes());
    let shared = secret.diffie_hellman(&PublicKey::from(*public));
    shared
        .was_contributory()
        .then(|| Key::new(*shared.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::super::rng::Rng;
    use super::*;
    use data_encoding::HEXLOWER;

    fn bytes(hex: &str) -> [u8; 32] {
        HEXLOWER.decode(hex.as_bytes()).unwrap().try_into().unwrap()
    }

    /// RFC 7748, section 6.1.
    #[test]
    fn known_answer() {
        let [a, b] = [
            "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
            "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
        ]
        .map(|hex| Key::new(bytes(hex)));
        let (public_a, public_b) = (agree_public(&a), agree_public(&b));
        assert_eq!(
            public_a,
            bytes("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a")
        );
        assert_eq!(
            public_b,
            bytes("de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f")
        );
        let shared = bytes("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(agree(&a, &public_b).unwrap().as_bytes(), &shared);
        assert_eq!(agree(&b, &public_a).unwrap().as_bytes(), &shared);
    }

    #[test]
    fn points_of_small_order_are_refused() {
        let secret = Key::new(Rng::new([1; 32]).array());
        let mut one = [0; 32];
        one[0] = 1;
        // p, p - 1 and p + 1, which are 0, -1 and 1; and a point of order 8.
        let mut p = [0xff; 32];
        (p[0], p[31]) = (0xed, 0x7f);
        let (mut less, mut more) = (p, p);
        (less[0], more[0]) = (0xec, 0xee);
        let eight = bytes("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
        for public in [[0; 32], one, p, less, more, eight] {
            assert!(agree(&secret, &public).is_none());
        }
        assert!(agree(&secret, &agree_public(&secret)).is_some());
    }
}
