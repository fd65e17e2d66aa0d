//! The kernel, held to the `sha2` crate. Natively its lanes are arrays; tests/bench/pow compares
//! the SIMD128 lanes in a browser.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

/// Reproducible bytes without a dependency: SHA-256 of a counter.
fn sample(counter: u64) -> [u8; 32] {
    Sha256::digest(counter.to_le_bytes()).into()
}

/// The target that about one hash in `one_in` reaches.
fn target(one_in: u32) -> [u8; 32] {
    let mut target = [0xff; 32];
    target[..4].copy_from_slice(&(u32::MAX / one_in).to_be_bytes());
    target
}

fn hits_by_sha2(prefix: &[u8; 32], target: &[u8; 32], start: u64, count: u64) -> Vec<u64> {
    (0..count)
        .map(|i| start.wrapping_add(i))
        .filter(|nonce| confirm(prefix, target, *nonce))
        .collect()
}

fn hits(prefix: &[u8; 32], target: &[u8; 32], start: u64, count: u64) -> Vec<u64> {
    let mut done = 0;
    std::iter::from_fn(|| {
        let nonce = search(prefix, target, start.wrapping_add(done), count - done)?;
        done = nonce.wrapping_sub(start) + 1;
        Some(nonce)
    })
    .collect()
}

#[test]
fn the_kernel_finds_exactly_what_sha2_finds() {
    for case in 0..40u64 {
        let prefix = sample(case);
        let word = |at: usize| u64::from_le_bytes(sample(!case)[at..at + 8].try_into().unwrap());
        let start = match case % 4 {
            0 => word(0),
            1 => (word(0) & 0xffff_ffff_0000_0000).wrapping_sub(word(8) % 500),
            2 => u64::MAX - word(8) % 500,
            _ => word(0) % 1000,
        };
        let (target, count) = (target(1 + (word(16) % 64) as u32), 500 + word(24) % 500);
        let expected = hits_by_sha2(&prefix, &target, start, count);
        assert!(!expected.is_empty());
        assert_eq!(
            hits(&prefix, &target, start, count),
            expected,
            "case {case}"
        );
    }
}

#[test]
fn the_range_is_half_open() {
    let (prefix, target) = (sample(1), target(300));
    for hit in hits_by_sha2(&prefix, &target, 0, 5000) {
        let found = |start, count| search(&prefix, &target, start, count);
        assert_eq!(found(hit, 1), Some(hit));
        assert_eq!(found(hit, 0), None);
        assert_eq!(found(hit, 1000), Some(hit));
        for before in 1..10 {
            assert_eq!(found(hit.saturating_sub(before), before + 1), Some(hit));
            assert_eq!(found(hit.saturating_sub(before), before), None);
        }
    }
}

#[test]
fn the_comparison_is_strict_and_of_all_bytes() {
    let prefix = sample(2);
    for nonce in [0, 1, 77, u64::from(u32::MAX), u64::MAX] {
        let digest: [u8; 32] = Sha256::new()
            .chain_update(prefix)
            .chain_update(nonce.to_le_bytes())
            .finalize()
            .into();
        let mut above = digest;
        above[31] = above[31].wrapping_add(1);
        assert_eq!(search(&prefix, &digest, nonce, 1), None);
        assert_eq!(
            search(&prefix, &above, nonce, 1),
            (above > digest).then_some(nonce)
        );
    }
}

/// A wrong kernel that offers too many candidates is not seen in what `search` returns.
#[test]
fn the_first_words_are_those_of_the_digest() {
    for case in 0..200u64 {
        let prefix = sample(case);
        let nonce = u64::from_le_bytes(*sample(!case).first_chunk().unwrap());
        let digest = Sha256::new()
            .chain_update(prefix)
            .chain_update(nonce.to_le_bytes());
        let expected = first_word(&digest.finalize().into());

        let mid = Midstate::new(&prefix, (nonce >> 32) as u32);
        let lanes = mid.first_words(Lanes::splat(nonce as u32));
        assert_eq!(lanes.first_at_most(Lanes::splat(expected)), Some(0));
        assert_eq!(lanes.first_at_most(Lanes::splat(expected - 1)), None);
    }
}
