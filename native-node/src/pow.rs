//! Proof-of-work for native nodes: SHA-256 of the one 40-byte block `prefix || nonce`.
//!
//! Invariant: a nonce is returned only after the `sha2` crate has confirmed it, and a kernel is
//! used only after it has agreed with `sha2` on this machine, so a fault here can cost time, never
//! validity. PROTOCOL.md section 2.
//!
//! Of the 16 message words only word 8 (the low half of the nonce) changes inside the loop. So
//! rounds 0 to 7, the schedule words 16 to 22 and the fixed parts of the next 13 are computed once
//! for 2^32 nonces, and only the first word of a digest is computed and compared. The SHA
//! instructions have a latency of four cycles and a throughput of one: several nonces go side by
//! side. The kernel is chosen at run time; no target flags are needed.

// The SHA instructions are reachable only through functions with target features, which the
// compiler cannot prove to be present. This is the only file of the crate that may do that.
#![allow(unsafe_code)]

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use sha2::block_api::compress256;
use sha2::{Digest, Sha256};

/// Nonces between two looks at the cancel flag: about 4 ms with SHA instructions, 50 ms without.
const SLICE: u64 = 1 << 18;

/// Initial hash value (FIPS 180-4, 5.3.3).
const H: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The first nonce of `start, start + 1, ...` (`count` of them, wrapping after `u64::MAX`) whose
/// `SHA-256(prefix || nonce)`, read as a big-endian number, is below `target`.
///
/// `nonce` is hashed as 8 bytes, little-endian. Blocks the thread; see [`Solver`] for slices.
#[must_use]
pub fn search(prefix: &[u8; 32], target: &[u8; 32], start: u64, count: u64) -> Option<u64> {
    search_with(Kernel::chosen(), prefix, target, start, count)
}

/// Name of the kernel this machine runs, for logs and benchmarks.
#[must_use]
pub fn kernel_name() -> &'static str {
    Kernel::chosen().name()
}

/// A search that goes on until it has found a nonce or is cancelled.
#[derive(Debug, Clone)]
pub struct Solver {
    prefix: [u8; 32],
    target: [u8; 32],
    start: u64,
}

/// Why [`Solver::solve`] ended without a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SolveError {
    /// The cancel flag was set after `hashes` hashes.
    Cancelled { hashes: u64 },
    /// All 2^64 nonces were tried.
    Exhausted,
}

impl std::fmt::Display for SolveError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            SolveError::Cancelled { hashes } => write!(f, "cancelled after {hashes} hashes"),
            SolveError::Exhausted => f.write_str("no nonce reaches the target"),
        }
    }
}

impl std::error::Error for SolveError {}

impl Solver {
    /// Looks for a nonce with `SHA-256(prefix || nonce) < target`, from `start` on.
    #[must_use]
    pub fn new(prefix: [u8; 32], target: [u8; 32], start: u64) -> Self {
        Solver {
            prefix,
            target,
            start,
        }
    }

    /// Blocks until there is a nonce or `cancel` is set. `progress` gets the number of hashes done
    /// so far, after each slice of 2^18.
    pub fn solve(
        &self,
        cancel: &AtomicBool,
        mut progress: impl FnMut(u64),
    ) -> Result<u64, SolveError> {
        let mut hashes = 0u64;
        while !cancel.load(Ordering::Relaxed) {
            let slice = SLICE.min(u64::MAX - hashes);
            if slice == 0 {
                return Err(SolveError::Exhausted);
            }
            let start = self.start.wrapping_add(hashes);
            if let Some(nonce) = search(&self.prefix, &self.target, start, slice) {
                return Ok(nonce);
            }
            hashes += slice;
            progress(hashes);
        }
        Err(SolveError::Cancelled { hashes })
    }
}

fn search_with(
    kernel: Kernel,
    prefix: &[u8; 32],
    target: &[u8; 32],
    start: u64,
    count: u64,
) -> Option<u64> {
    let bound = first_word(target);
    let (mut at, mut left) = (start, count);
    while left > 0 {
        // Nonces that share their high half share a midstate.
        let segment = left.min((1 << 32) - (at & 0xffff_ffff));
        let mid = Midstate::new(prefix, (at >> 32) as u32);
        let mut done = 0;
        while done < segment {
            let rest = segment - done;
            let first = at.wrapping_add(done);
            match kernel.scan(&mid, bound, first as u32, rest) {
                Some(skipped) => {
                    let nonce = first.wrapping_add(skipped);
                    if confirm(prefix, target, nonce) {
                        return Some(nonce);
                    }
                    done += skipped + 1;
                }
                None => done = segment,
            }
        }
        at = at.wrapping_add(segment);
        left -= segment;
    }
    None
}

/// Whether `nonce` solves `prefix`, by the `sha2` crate.
fn confirm(prefix: &[u8; 32], target: &[u8; 32], nonce: u64) -> bool {
    let digest = Sha256::new()
        .chain_update(prefix)
        .chain_update(nonce.to_le_bytes())
        .finalize();
    digest.as_slice() < target.as_slice()
}

fn first_word(bytes: &[u8; 32]) -> u32 {
    u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
}

/// How the inner loop is done on this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kernel {
    /// SHA instructions, other vector instructions in their three-operand form.
    #[cfg(target_arch = "x86_64")]
    ShaAvx,
    /// SHA instructions on processors without AVX.
    #[cfg(target_arch = "x86_64")]
    ShaSse,
    /// The block function of the `sha2` crate, which has kernels of its own.
    Block,
}

impl Kernel {
    /// The fastest one that runs here and agrees with `sha2`; decided once.
    fn chosen() -> Kernel {
        static CHOSEN: OnceLock<Kernel> = OnceLock::new();
        *CHOSEN.get_or_init(|| {
            Kernel::available()
                .into_iter()
                .find(|kernel| kernel.agrees())
                .unwrap_or(Kernel::Block)
        })
    }

    /// Those this processor can run, the fastest first.
    fn available() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("sha") && is_x86_feature_detected!("sse4.1") {
            if is_x86_feature_detected!("avx") {
                kernels.push(Kernel::ShaAvx);
            }
            kernels.push(Kernel::ShaSse);
        }
        kernels.push(Kernel::Block);
        kernels
    }

    fn name(self) -> &'static str {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::ShaAvx => "sha-ni, avx",
            #[cfg(target_arch = "x86_64")]
            Kernel::ShaSse => "sha-ni, sse4.1",
            Kernel::Block => "sha2 block function",
        }
    }

    /// Whether this kernel finds what `sha2` finds among a few nonces, some across 2^32.
    fn agrees(self) -> bool {
        let prefix = [0xa5; 32];
        let mut target = [0xff; 32];
        target[0] = 0x3f;
        let (start, count) = ((1u64 << 32) - 150, 301);
        let by_sha2 = (start..start + count).filter(|nonce| confirm(&prefix, &target, *nonce));
        let mut from = start;
        let by_kernel = std::iter::from_fn(|| {
            let nonce = search_with(self, &prefix, &target, from, start + count - from)?;
            from = nonce + 1;
            Some(nonce)
        });
        by_kernel.eq(by_sha2)
    }

    /// How many of the nonces with low halves `first, first + 1, ...` come before the first whose
    /// digest begins with a word of at most `bound`; none among `count` (at most 2^32) if `None`.
    fn scan(self, mid: &Midstate, bound: u32, first: u32, count: u64) -> Option<u64> {
        match self {
            #[cfg(target_arch = "x86_64")]
            Kernel::ShaAvx => {
                // SAFETY: `available` offers this variant only where sha, sse4.1 and avx are.
                unsafe { x86::scan_avx(mid, bound, first, count) }
            }
            #[cfg(target_arch = "x86_64")]
            Kernel::ShaSse => {
                // SAFETY: `available` offers this variant only where sha and sse4.1 are.
                unsafe { x86::scan_sse(mid, bound, first, count) }
            }
            Kernel::Block => (0..count).find(|skipped| {
                let low = first.wrapping_add(*skipped as u32);
                mid.first_word(low) <= bound
            }),
        }
    }
}

/// What all nonces with one high half share.
struct Midstate {
    /// The padded block with a zero in place of the low half.
    block: [u8; 64],
    /// Words 0 to 23 of the schedule, with a zero for word 8. Only word 23 depends on that one.
    #[cfg(target_arch = "x86_64")]
    words: [u32; 24],
    /// The working variables a to h after round 7.
    #[cfg(target_arch = "x86_64")]
    state: [u32; 8],
}

impl Midstate {
    fn new(prefix: &[u8; 32], nonce_high: u32) -> Self {
        let mut block = [0u8; 64];
        block[..32].copy_from_slice(prefix);
        block[36..40].copy_from_slice(&nonce_high.to_le_bytes());
        block[40] = 0x80;
        block[62..].copy_from_slice(&(40u16 * 8).to_be_bytes());
        Midstate {
            #[cfg(target_arch = "x86_64")]
            words: schedule(&block),
            #[cfg(target_arch = "x86_64")]
            state: schedule(&block)[..8]
                .iter()
                .zip(K)
                .fold(H, |state, (w, k)| round(state, *w, k)),
            block,
        }
    }

    /// The first word of the digest, by `sha2`.
    fn first_word(&self, nonce_low: u32) -> u32 {
        let mut block = self.block;
        block[32..36].copy_from_slice(&nonce_low.to_le_bytes());
        let mut state = H;
        compress256(&mut state, &[block]);
        state[0]
    }
}

/// Round constants (FIPS 180-4, 4.2.2).
#[cfg(target_arch = "x86_64")]
const K: [u32; 64] = [
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2,
];

/// The first 24 words of the message schedule (FIPS 180-4, 6.2.2).
#[cfg(target_arch = "x86_64")]
fn schedule(block: &[u8; 64]) -> [u32; 24] {
    let mut w = [0u32; 24];
    for (word, bytes) in w.iter_mut().zip(block.chunks_exact(4)) {
        *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
    for t in 16..24 {
        let (x, y) = (w[t - 15], w[t - 2]);
        w[t] = (y.rotate_right(17) ^ y.rotate_right(19) ^ (y >> 10))
            .wrapping_add(w[t - 7])
            .wrapping_add(x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3))
            .wrapping_add(w[t - 16]);
    }
    w
}

/// One round of the compression function (FIPS 180-4, 6.2.2).
#[cfg(target_arch = "x86_64")]
fn round([a, b, c, d, e, f, g, h]: [u32; 8], w: u32, k: u32) -> [u32; 8] {
    let t1 = h
        .wrapping_add(e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25))
        .wrapping_add((e & f) ^ (!e & g))
        .wrapping_add(w)
        .wrapping_add(k);
    let t2 = (a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22))
        .wrapping_add((a & b) ^ (a & c) ^ (b & c));
    [t1.wrapping_add(t2), a, b, c, d.wrapping_add(t1), e, f, g]
}

/// The loop in SHA instructions. A vector holds four schedule words, the lowest lane first; the
/// working variables are in two vectors, `abef` and `cdgh`, with a and c in the highest lanes.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::x86_64::{
        __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_cvtsi32_si128, _mm_extract_epi32,
        _mm_min_epu32, _mm_set_epi32, _mm_set1_epi32, _mm_setzero_si128, _mm_sha256msg1_epu32,
        _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi32, _mm_sub_epi32,
    };

    use super::{H, K, Midstate};

    /// Nonces side by side: enough to hide the latency, few enough to stay in registers.
    const STREAMS: usize = 4;

    /// The values of the loop that no nonce changes. `wk` are schedule words plus round constants.
    struct Fixed {
        abef: __m128i,
        cdgh: __m128i,
        /// Round constants, four a vector.
        k: [__m128i; 16],
        /// Words 4 to 7 and 8 to 11, the low half of the nonce (word 8) as zero.
        w4: __m128i,
        w8: __m128i,
        /// For the rounds 8 to 21, two a vector, in the two low lanes.
        wk: [__m128i; 7],
        /// The parts of words 20 to 23, 24 to 27, 28 to 31 and 32 to 35 that do not vary.
        part: [__m128i; 4],
    }

    impl Fixed {
        #[target_feature(enable = "sha,sse4.1")]
        fn new(mid: &Midstate) -> Self {
            let vector = |words: &[u32], t: usize| {
                let [a, b, c, d] = [words[t], words[t + 1], words[t + 2], words[t + 3]];
                _mm_set_epi32(d as i32, c as i32, b as i32, a as i32)
            };
            let mut k = [_mm_setzero_si128(); 16];
            for (i, vector_of_k) in k.iter_mut().enumerate() {
                *vector_of_k = vector(&K, 4 * i);
            }
            let [w4, w8, w12, w16, w20] = [4, 8, 12, 16, 20].map(|t| vector(&mid.words, t));
            let mut wk = [_mm_setzero_si128(); 7];
            for (i, pair) in wk.iter_mut().enumerate() {
                let four = [w8, w12, w16, w20][i / 2];
                let sum = _mm_add_epi32(four, k[2 + i / 2]);
                *pair = if i % 2 == 0 {
                    sum
                } else {
                    _mm_shuffle_epi32(sum, 0x0e)
                };
            }
            let [a, b, c, d, e, f, g, h] = mid.state.map(|word| word as i32);
            Fixed {
                abef: _mm_set_epi32(a, b, e, f),
                cdgh: _mm_set_epi32(c, d, g, h),
                k,
                w4,
                w8,
                wk,
                part: [
                    _mm_sub_epi32(w20, _mm_sha256msg1_epu32(w4, w8)),
                    _mm_add_epi32(_mm_sha256msg1_epu32(w8, w12), _mm_alignr_epi8(w20, w16, 4)),
                    _mm_sha256msg1_epu32(w12, w16),
                    _mm_sha256msg1_epu32(w16, w20),
                ],
            }
        }
    }

    /// Defines `scan` for one set of target features, so that the compiler may use all of them.
    macro_rules! scan {
        ($scan:ident, $features:literal) => {
            /// See `Kernel::scan`.
            #[target_feature(enable = $features)]
            pub fn $scan(mid: &Midstate, bound: u32, first: u32, count: u64) -> Option<u64> {
                let fixed = Fixed::new(mid);
                let h0 = _mm_set1_epi32(H[0] as i32);
                let mut skipped = 0;
                while skipped < count {
                    let low = first.wrapping_add(skipped as u32);
                    let mut words = first_words!(fixed, low);
                    let mut least = _mm_set1_epi32(-1);
                    for word in &mut words {
                        *word = _mm_add_epi32(*word, h0);
                        least = _mm_min_epu32(least, *word);
                    }
                    // Unlikely, and then the last streams may already be beyond `count`.
                    if _mm_extract_epi32::<3>(least) as u32 <= bound {
                        let hit = words
                            .iter()
                            .position(|word| _mm_extract_epi32::<3>(*word) as u32 <= bound);
                        return hit.map(|i| skipped + i as u64).filter(|hit| *hit < count);
                    }
                    skipped += STREAMS as u64;
                }
                None
            }
        };
    }

    /// `abef` after the last round for `STREAMS` nonces from `low` on, a in the highest lane.
    macro_rules! first_words {
        ($fixed:ident, $low:ident) => {{
            let fixed = &$fixed;
            let mut abef = [fixed.abef; STREAMS];
            let mut cdgh = [fixed.cdgh; STREAMS];
            let mut nonce = [_mm_setzero_si128(); STREAMS];
            // The last 16 words of the schedule; at first words 20 to 35.
            let mut w = [[_mm_setzero_si128(); 4]; STREAMS];

            for i in 0..STREAMS {
                let word8 = $low.wrapping_add(i as u32).swap_bytes();
                nonce[i] = _mm_cvtsi32_si128(word8 as i32);
                let wk = _mm_add_epi32(fixed.wk[0], nonce[i]);
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], wk);
            }
            for i in 0..STREAMS {
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], fixed.wk[1]);
                let word8 = _mm_add_epi32(fixed.w8, nonce[i]);
                w[i][0] = _mm_add_epi32(_mm_sha256msg1_epu32(fixed.w4, word8), fixed.part[0]);
            }
            for i in 0..STREAMS {
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], fixed.wk[2]);
                w[i][1] = _mm_sha256msg2_epu32(_mm_add_epi32(fixed.part[1], nonce[i]), w[i][0]);
            }
            for i in 0..STREAMS {
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], fixed.wk[3]);
                let sum = _mm_add_epi32(fixed.part[2], _mm_alignr_epi8(w[i][1], w[i][0], 4));
                w[i][2] = _mm_sha256msg2_epu32(sum, w[i][1]);
            }
            for i in 0..STREAMS {
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], fixed.wk[4]);
                let sum = _mm_add_epi32(fixed.part[3], _mm_alignr_epi8(w[i][2], w[i][1], 4));
                w[i][3] = _mm_sha256msg2_epu32(sum, w[i][2]);
            }
            for i in 0..STREAMS {
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], fixed.wk[5]);
            }
            for i in 0..STREAMS {
                cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], fixed.wk[6]);
                let wk = _mm_shuffle_epi32(_mm_add_epi32(w[i][0], fixed.k[5]), 0x0e);
                abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], wk);
            }
            // Rounds 24 to 63, four at a time; `w` runs 16 words ahead while there are any.
            macro_rules! four_rounds {
                ($k:literal, $a:literal $b:literal $c:literal $d:literal) => {
                    let mut wk = [_mm_setzero_si128(); STREAMS];
                    for i in 0..STREAMS {
                        wk[i] = _mm_add_epi32(w[i][$b], fixed.k[$k]);
                        cdgh[i] = _mm_sha256rnds2_epu32(cdgh[i], abef[i], wk[i]);
                        if $k < 13 {
                            let sigma0 = _mm_sha256msg1_epu32(w[i][$a], w[i][$b]);
                            let middle = _mm_alignr_epi8(w[i][$d], w[i][$c], 4);
                            let sum = _mm_add_epi32(sigma0, middle);
                            w[i][$a] = _mm_sha256msg2_epu32(sum, w[i][$d]);
                        }
                    }
                    for i in 0..STREAMS {
                        let wk = _mm_shuffle_epi32(wk[i], 0x0e);
                        abef[i] = _mm_sha256rnds2_epu32(abef[i], cdgh[i], wk);
                    }
                };
            }
            four_rounds!(6, 0 1 2 3);
            four_rounds!(7, 1 2 3 0);
            four_rounds!(8, 2 3 0 1);
            four_rounds!(9, 3 0 1 2);
            four_rounds!(10, 0 1 2 3);
            four_rounds!(11, 1 2 3 0);
            four_rounds!(12, 2 3 0 1);
            four_rounds!(13, 3 0 1 2);
            four_rounds!(14, 0 1 2 3);
            four_rounds!(15, 1 2 3 0);
            abef
        }};
    }

    scan!(scan_avx, "sha,avx");
    scan!(scan_sse, "sha,sse4.1");
}

#[cfg(test)]
mod tests;
