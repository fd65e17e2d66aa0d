//! Every kernel this machine can run, held to the `sha2` crate.

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

fn hits_by(
    kernel: Kernel,
    prefix: &[u8; 32],
    target: &[u8; 32],
    start: u64,
    count: u64,
) -> Vec<u64> {
    let mut done = 0;
    std::iter::from_fn(|| {
        let from = start.wrapping_add(done);
        let nonce = search_with(kernel, prefix, target, from, count - done)?;
        done = nonce.wrapping_sub(start) + 1;
        Some(nonce)
    })
    .collect()
}

#[test]
fn all_kernels_find_exactly_what_sha2_finds() {
    for kernel in Kernel::available() {
        for case in 0..40u64 {
            let prefix = sample(case);
            let word =
                |at: usize| u64::from_le_bytes(sample(!case)[at..at + 8].try_into().unwrap());
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
                hits_by(kernel, &prefix, &target, start, count),
                expected,
                "{kernel:?}, case {case}"
            );
        }
    }
}

#[test]
fn the_range_is_half_open() {
    let (prefix, target) = (sample(1), target(300));
    for kernel in Kernel::available() {
        for hit in hits_by_sha2(&prefix, &target, 0, 5000) {
            let found = |start, count| search_with(kernel, &prefix, &target, start, count);
            assert_eq!(found(hit, 1), Some(hit));
            assert_eq!(found(hit, 0), None);
            assert_eq!(found(hit, 1000), Some(hit));
            for before in 1..10 {
                assert_eq!(found(hit.saturating_sub(before), before + 1), Some(hit));
                assert_eq!(found(hit.saturating_sub(before), before), None);
            }
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
        for kernel in Kernel::available() {
            assert_eq!(search_with(kernel, &prefix, &digest, nonce, 1), None);
            let found = search_with(kernel, &prefix, &above, nonce, 1);
            assert_eq!(found, (above > digest).then_some(nonce));
        }
    }
}

#[test]
fn a_kernel_runs_only_after_agreeing_with_sha2() {
    for kernel in Kernel::available() {
        assert!(kernel.agrees(), "{kernel:?}");
    }
    assert_eq!(Some(&Kernel::chosen()), Kernel::available().first());
}

#[test]
fn a_solver_reports_progress_and_finds_the_first_nonce() {
    let (prefix, target) = (sample(3), target(1 << 20));
    let mut reports = Vec::new();
    let solver = Solver::new(prefix, target, 7);
    let nonce = solver
        .solve(&AtomicBool::new(false), |hashes| reports.push(hashes))
        .unwrap();
    assert!(confirm(&prefix, &target, nonce));
    let slices = (nonce - 7) / SLICE;
    assert_eq!(reports, (1..=slices).map(|n| n * SLICE).collect::<Vec<_>>());
    assert_eq!(search(&prefix, &target, 7, nonce - 7), None);
}

#[test]
fn a_solver_stops_when_cancelled() {
    let cancel = AtomicBool::new(true);
    let solver = Solver::new(sample(4), [0; 32], u64::MAX);
    assert_eq!(
        solver.solve(&cancel, |_| ()),
        Err(SolveError::Cancelled { hashes: 0 })
    );

    cancel.store(false, Ordering::Relaxed);
    let stopped = solver.solve(&cancel, |hashes| {
        cancel.store(hashes >= 2 * SLICE, Ordering::Relaxed)
    });
    assert_eq!(stopped, Err(SolveError::Cancelled { hashes: 2 * SLICE }));
}
