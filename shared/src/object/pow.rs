//! Proof of work: how much, and the check. The search itself is the shells' (`Output::Solve`).
//! PROTOCOL.md section 2.
//!
//! Invariant: validity depends on 72 bytes and nothing else, and checking allocates nothing.

use crate::crypto::sha256;
use crate::wire::Header;

/// W: the hashes an object costs on average. `divisor` is 1 but in test networks.
pub fn work(header: &Header, divisor: u64) -> u64 {
    let bytes = header.size.bytes() as u64 + 1024;
    let hours = u64::from(header.lifetime.hours()) + 16;
    // At most 2 * 17,408 * 4,336 * 2^32 < 2^60.
    let full = (2 * bytes * hours) << header.effort.min(crate::limits::EFFORT_MAX);
    (full / divisor.max(1)).max(1)
}

/// floor(2^256 / work), big-endian. For a work of 1, which asks for nothing, the largest number
/// there is.
pub fn target(work: u64) -> [u8; 32] {
    let mut out = [0xff; 32];
    if work <= 1 {
        return out;
    }
    // Long division of 1 followed by 32 zero digits, base 256.
    let divisor = u128::from(work);
    let mut remainder = 1u128;
    for digit in &mut out {
        remainder <<= 8;
        // Below 256, as the remainder was below the divisor.
        *digit = (remainder / divisor) as u8;
        remainder %= divisor;
    }
    out
}

/// Whether H(prefix || nonce) is below the target.
pub fn check(prefix: &[u8; 32], nonce: u64, target: &[u8; 32]) -> bool {
    sha256(&[prefix, &nonce.to_le_bytes()]) < *target
}

/// Whether the header's nonce pays for it.
pub fn is_paid(header: &Header, divisor: u64) -> bool {
    check(
        &header.prefix(),
        header.nonce,
        &target(work(header, divisor)),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::wire::{Front, Kind, Lifetime, SizeClass};

    fn header(size: SizeClass, lifetime: Lifetime, effort: u8) -> Header {
        let kind = if lifetime == Lifetime::H48 {
            Kind::Envelope
        } else {
            Kind::Record
        };
        let front = Front {
            kind,
            size,
            lifetime,
            effort,
            expiry: 1,
            address: 2,
            network: 3,
        };
        front.header([4; 16], &[])
    }

    #[test]
    fn price_of_objects() {
        assert_eq!(
            work(&header(SizeClass::KIB_1, Lifetime::H48, 0), 1),
            1 << 18
        );
        assert_eq!(
            work(&header(SizeClass::KIB_4, Lifetime::H48, 4), 1),
            2 * 5120 * 64 * 16
        );
        let most = work(&header(SizeClass::KIB_16, Lifetime::H4320, 32), 1);
        assert_eq!(most, (2 * 17_408 * 4336) << 32);
        assert_eq!(
            work(&header(SizeClass::KIB_1, Lifetime::H48, 0), 1 << 10),
            1 << 8
        );
        assert_eq!(
            work(&header(SizeClass::KIB_1, Lifetime::H48, 0), u64::MAX),
            1
        );
        assert_eq!(
            work(&header(SizeClass::KIB_1, Lifetime::H48, 0), 0),
            1 << 18
        );
    }

    #[test]
    fn targets_are_exact() {
        let mut two_to_238 = [0; 32];
        two_to_238[2] = 1 << 6;
        assert_eq!(target(1 << 18), two_to_238);
        assert_eq!(target(1), [0xff; 32]);
        assert_eq!(target(0), [0xff; 32]);
        assert_eq!(target(3), [0x55; 32]);
        // target * work <= 2^256 < (target + 1) * work, in 9 limbs of 32 bits.
        for w in [
            2,
            3,
            5,
            255,
            256,
            257,
            655_360,
            u64::MAX / 3,
            u64::MAX - 1,
            u64::MAX,
        ] {
            let t = target(w);
            let product = times(&t, w);
            let rest = 2u128.pow(64) - (product & u128::from(u64::MAX));
            // 2^256 - target * work, seen modulo 2^64, is less than work.
            assert!(rest % 2u128.pow(64) < u128::from(w), "{w}");
        }
    }

    /// Modulo 2^64 of the product, enough as the remainder is below 2^64.
    fn times(t: &[u8; 32], w: u64) -> u128 {
        let low = u64::from_be_bytes(*t.last_chunk().unwrap());
        u128::from(low.wrapping_mul(w))
    }

    #[test]
    fn solving_and_checking_agree() {
        let mut h = header(SizeClass::KIB_1, Lifetime::H48, 0);
        let divisor = 1 << 10;
        let t = target(work(&h, divisor));
        h.nonce = (0..).find(|n| check(&h.prefix(), *n, &t)).unwrap();
        assert!(is_paid(&h, divisor));
        assert!(!is_paid(&h, 1), "a lucky nonce: choose another sample");
        let misses = (0..4096).filter(|n| !check(&h.prefix(), *n, &t)).count();
        assert!((4000..4096).contains(&misses), "{misses}");
    }
}
