//! Proof-of-work for the browser: SHA-256 of the one 40-byte block `prefix || nonce`.
//!
//! Invariant: a nonce is returned only after the `sha2` crate has confirmed it, so an error here
//! can cost time, never validity. PROTOCOL.md section 2.
//!
//! Four nonces go side by side in one SIMD128 vector. Of the 16 message words only word 8 (the low
//! half of the nonce) changes inside the loop, so rounds 0 to 7, the schedule words 16 to 22 and
//! the fixed parts of words 23 to 38 are computed once for 2^32 nonces, and only the first word of
//! a digest is computed and compared. Unrolling is by macros, since this crate is otherwise
//! built for size. Away from WASM the same rounds run on plain arrays, which is how the tests hold
//! them to `sha2`. No unsafe code is needed.

use core::array::from_fn;

use sha2::{Digest, Sha256};

#[cfg(target_feature = "simd128")]
use simd::Lanes;

#[cfg(not(target_feature = "simd128"))]
use portable::Lanes;

/// Nonces in one vector.
const LANES: u32 = 4;

/// Initial hash value (FIPS 180-4, 5.3.3).
const H: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// Round constants (FIPS 180-4, 4.2.2).
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

/// The first nonce of `start, start + 1, ...` (`count` of them, wrapping after `u64::MAX`) whose
/// `SHA-256(prefix || nonce)`, read as a big-endian number, is below `target`.
///
/// `nonce` is hashed as 8 bytes, little-endian.
#[must_use]
pub fn search(prefix: &[u8; 32], target: &[u8; 32], start: u64, count: u64) -> Option<u64> {
    let bound = first_word(target);
    let mut at = start;
    let mut left = count;
    while left > 0 {
        // One block of nonces shares its high half, which is a constant of the midstate.
        let block = left.min((1 << 32) - (at & 0xffff_ffff));
        let mid = Midstate::new(prefix, (at >> 32) as u32);
        let end = at.wrapping_add(block);
        while at != end {
            let vectors = (end.wrapping_sub(at) / u64::from(LANES)) as u32;
            let candidate = if vectors > 0 {
                mid.scan(bound, at as u32, vectors)
            } else {
                None
            };
            match candidate {
                Some(skipped) => at = at.wrapping_add(u64::from(skipped)),
                None => at = at.wrapping_add(u64::from(vectors) * u64::from(LANES)),
            }
            // A candidate, or one of the last nonces that do not fill a vector.
            if at != end {
                if confirm(prefix, target, at) {
                    return Some(at);
                }
                at = at.wrapping_add(1);
            }
        }
        left -= block;
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

const fn small_sigma0(x: u32) -> u32 {
    x.rotate_right(7) ^ x.rotate_right(18) ^ (x >> 3)
}

const fn small_sigma1(x: u32) -> u32 {
    x.rotate_right(17) ^ x.rotate_right(19) ^ (x >> 10)
}

/// One round on plain words, `wk` being the schedule word plus the round constant.
fn round(state: [u32; 8], wk: u32) -> [u32; 8] {
    let [a, b, c, d, e, f, g, h] = state;
    let t1 = h
        .wrapping_add(e.rotate_right(6) ^ e.rotate_right(11) ^ e.rotate_right(25))
        .wrapping_add((e & f) ^ (!e & g))
        .wrapping_add(wk);
    let t2 = (a.rotate_right(2) ^ a.rotate_right(13) ^ a.rotate_right(22))
        .wrapping_add((a & b) ^ (a & c) ^ (b & c));
    [t1.wrapping_add(t2), a, b, c, d.wrapping_add(t1), e, f, g]
}

/// What all nonces with one high half share, each value spread over the lanes. It sits in memory
/// because loading a vector is cheaper for today's compilers than building a constant.
struct Midstate {
    /// Working variables after round 8, as if word 8 were zero: word 8 adds to `a` and `e` only.
    state: [Lanes; 8],
    /// Up to round 22: round constant plus schedule word. From round 23 on: round constant.
    k: [Lanes; 39],
    /// Round constants 39 to 62.
    k_late: [[Lanes; 8]; 3],
    /// Of schedule words 23 to 38: the sum of the terms that do not depend on word 8.
    fixed: [Lanes; 39],
}

impl Midstate {
    fn new(prefix: &[u8; 32], nonce_high: u32) -> Self {
        let mut w = [0u32; 23];
        for (word, bytes) in w.iter_mut().zip(prefix.chunks_exact(4)) {
            *word = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        w[9] = nonce_high.swap_bytes();
        w[10] = 0x8000_0000;
        w[15] = 40 * 8;
        // Word 8 is zero here; none of the words 16 to 22 uses it.
        for t in 16..23 {
            w[t] = small_sigma1(w[t - 2])
                .wrapping_add(w[t - 7])
                .wrapping_add(small_sigma0(w[t - 15]))
                .wrapping_add(w[t - 16]);
        }
        let state = (0..9).fold(H, |state, t| round(state, w[t].wrapping_add(K[t])));
        let word = |t: usize| w.get(t).copied().unwrap_or(0);
        let known = |t: usize| if t == 8 { None } else { w.get(t).copied() };
        let fixed = |t: usize| {
            let sigma1 = known(t - 2).map_or(0, small_sigma1);
            let sigma0 = known(t - 15).map_or(0, small_sigma0);
            let words = known(t - 7)
                .unwrap_or(0)
                .wrapping_add(known(t - 16).unwrap_or(0));
            sigma1.wrapping_add(sigma0).wrapping_add(words)
        };
        Midstate {
            state: state.map(Lanes::splat),
            k: from_fn(|t| Lanes::splat(K[t].wrapping_add(word(t)))),
            k_late: from_fn(|i| from_fn(|j| Lanes::splat(K[39 + 8 * i + j]))),
            fixed: from_fn(|t| Lanes::splat(if t < 23 { 0 } else { fixed(t) })),
        }
    }

    /// How many nonces from `first` on lie before the first one whose digest begins with a word
    /// of at most `bound`, among `vectors * LANES`.
    #[inline(never)]
    fn scan(&self, bound: u32, first: u32, vectors: u32) -> Option<u32> {
        let limit = Lanes::splat(bound);
        for vector in 0..vectors {
            let skipped = vector * LANES;
            let words = self.first_words(Lanes::count_from(first.wrapping_add(skipped)));
            if let Some(lane) = words.first_at_most(limit) {
                return Some(skipped + lane);
            }
        }
        None
    }

    /// The first word of the digest for each of the low halves in `nonces`.
    #[cfg_attr(target_feature = "simd128", inline(always))]
    fn first_words(&self, nonces: Lanes) -> Lanes {
        let mut w = [Lanes::splat(0); 39];
        w[8] = nonces.swap_bytes();
        let mut state = State::after_round_8(self.state, w[8]);
        macro_rules! known_rounds {
            ($($t:literal)*) => { $( state = state.round(self.k[$t]); )* };
        }
        macro_rules! rounds {
            ($($t:literal)*) => { $(
                w[$t] = self.word(&w, $t);
                state = state.round(self.k[$t].add(w[$t]));
            )* };
        }
        known_rounds!(9 10 11 12 13 14 15 16 17 18 19 20 21 22);
        rounds!(23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38);

        // The rest is a loop of eight rounds: unrolled as well, the code would outgrow the
        // processor's store of decoded instructions (measured on Zen 3: a tenth slower).
        let mut last: [Lanes; 16] = from_fn(|i| w[23 + i]);
        macro_rules! late_rounds {
            ($k:ident: $($i:literal)*) => { $(
                last[$i] = next_word(&last, $i);
                state = state.round($k[$i].add(last[$i]));
            )* };
        }
        for k in &self.k_late {
            late_rounds!(k: 0 1 2 3 4 5 6 7);
            last.rotate_left(8);
        }
        state = state.round(next_word(&last, 0).add(Lanes::splat(K[63])));
        state.words[0].add(Lanes::splat(H[0]))
    }

    /// Schedule word `t`, 23 to 38, from those before it. With a literal `t` only the terms that
    /// vary are left.
    #[cfg_attr(target_feature = "simd128", inline(always))]
    fn word(&self, w: &[Lanes; 39], t: usize) -> Lanes {
        let varies = |i: usize| i == 8 || i >= 23;
        let mut sum = self.fixed[t];
        if varies(t - 2) {
            sum = sum.add(w[t - 2].small_sigma1());
        }
        if varies(t - 7) {
            sum = sum.add(w[t - 7]);
        }
        if varies(t - 15) {
            sum = sum.add(w[t - 15].small_sigma0());
        }
        if varies(t - 16) {
            sum = sum.add(w[t - 16]);
        }
        sum
    }
}

/// The schedule word that follows the 16 in `ring`, of which the oldest is at `oldest`.
#[cfg_attr(target_feature = "simd128", inline(always))]
fn next_word(ring: &[Lanes; 16], oldest: usize) -> Lanes {
    let back = |n: usize| ring[(oldest + 16 - n) % 16];
    ring[oldest]
        .add(back(15).small_sigma0())
        .add(back(7))
        .add(back(2).small_sigma1())
}

/// The eight working variables of four hashes, and `b ^ c`, which the last round left over.
#[derive(Clone, Copy)]
struct State {
    words: [Lanes; 8],
    b_xor_c: Lanes,
}

impl State {
    /// The state after round 8, given the one for a zero word 8.
    #[inline(always)]
    fn after_round_8(mut words: [Lanes; 8], w8: Lanes) -> Self {
        words[0] = words[0].add(w8);
        words[4] = words[4].add(w8);
        State {
            words,
            b_xor_c: words[1].xor(words[2]),
        }
    }

    // Natively a call: a function with all rounds of arrays in it takes minutes to compile.
    #[cfg_attr(target_feature = "simd128", inline(always))]
    #[cfg_attr(not(target_feature = "simd128"), inline(never))]
    fn round(self, wk: Lanes) -> Self {
        let [a, b, c, d, e, f, g, h] = self.words;
        let choice = g.xor(e.and(f.xor(g)));
        let t1 = h.add(wk).add(choice).add(e.big_sigma1());
        // Majority as b ^ ((a ^ b) & (b ^ c)): this a ^ b is the next round's b ^ c.
        let a_xor_b = a.xor(b);
        let majority = b.xor(a_xor_b.and(self.b_xor_c));
        let t2 = a.big_sigma0().add(majority);
        State {
            words: [t1.add(t2), a, b, c, d.add(t1), e, f, g],
            b_xor_c: a_xor_b,
        }
    }
}

/// The operations that differ between a SIMD128 vector and an array.
macro_rules! sigmas {
    () => {
        #[inline(always)]
        pub fn big_sigma0(self) -> Self {
            self.rotate::<2, 30>()
                .xor(self.rotate::<13, 19>())
                .xor(self.rotate::<22, 10>())
        }

        #[inline(always)]
        pub fn big_sigma1(self) -> Self {
            self.rotate::<6, 26>()
                .xor(self.rotate::<11, 21>())
                .xor(self.rotate::<25, 7>())
        }

        #[inline(always)]
        pub fn small_sigma0(self) -> Self {
            self.rotate::<7, 25>()
                .xor(self.rotate::<18, 14>())
                .xor(self.shift::<3>())
        }

        #[inline(always)]
        pub fn small_sigma1(self) -> Self {
            self.rotate::<17, 15>()
                .xor(self.rotate::<19, 13>())
                .xor(self.shift::<10>())
        }
    };
}

#[cfg(target_feature = "simd128")]
mod simd {
    use core::arch::wasm32::{
        i8x16_shuffle, i32x4_add, i32x4_shl, i32x4_splat, u32x4, u32x4_bitmask, u32x4_le,
        u32x4_shr, v128, v128_and, v128_or, v128_xor,
    };

    #[derive(Clone, Copy)]
    pub struct Lanes(v128);

    impl Lanes {
        sigmas!();

        #[inline(always)]
        pub fn splat(word: u32) -> Self {
            Lanes(i32x4_splat(word as i32))
        }

        /// `first, first + 1, ...`
        #[inline(always)]
        pub fn count_from(first: u32) -> Self {
            Lanes(i32x4_add(i32x4_splat(first as i32), u32x4(0, 1, 2, 3)))
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            Lanes(i32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub fn xor(self, other: Self) -> Self {
            Lanes(v128_xor(self.0, other.0))
        }

        #[inline(always)]
        pub fn and(self, other: Self) -> Self {
            Lanes(v128_and(self.0, other.0))
        }

        #[inline(always)]
        pub fn shift<const RIGHT: u32>(self) -> Self {
            Lanes(u32x4_shr(self.0, RIGHT))
        }

        /// To the right; `LEFT` is `32 - RIGHT`.
        #[inline(always)]
        pub fn rotate<const RIGHT: u32, const LEFT: u32>(self) -> Self {
            Lanes(v128_or(u32x4_shr(self.0, RIGHT), i32x4_shl(self.0, LEFT)))
        }

        #[inline(always)]
        pub fn swap_bytes(self) -> Self {
            Lanes(i8x16_shuffle::<
                3,
                2,
                1,
                0,
                7,
                6,
                5,
                4,
                11,
                10,
                9,
                8,
                15,
                14,
                13,
                12,
            >(self.0, self.0))
        }

        /// The first lane that is not above the same lane of `limit`.
        #[inline(always)]
        pub fn first_at_most(self, limit: Self) -> Option<u32> {
            let lanes = u32x4_bitmask(u32x4_le(self.0, limit.0));
            if lanes == 0 {
                None
            } else {
                Some(lanes.trailing_zeros())
            }
        }
    }
}

#[cfg(not(target_feature = "simd128"))]
mod portable {
    #[derive(Clone, Copy)]
    pub struct Lanes([u32; 4]);

    impl Lanes {
        sigmas!();

        #[inline(always)]
        pub fn splat(word: u32) -> Self {
            Lanes([word; 4])
        }

        /// `first, first + 1, ...`
        #[inline(always)]
        pub fn count_from(first: u32) -> Self {
            Lanes([0, 1, 2, 3].map(|lane| first.wrapping_add(lane)))
        }

        #[inline(always)]
        fn zip(self, other: Self, f: impl Fn(u32, u32) -> u32) -> Self {
            let ([a, b, c, d], [p, q, r, s]) = (self.0, other.0);
            Lanes([f(a, p), f(b, q), f(c, r), f(d, s)])
        }

        #[inline(always)]
        pub fn add(self, other: Self) -> Self {
            self.zip(other, u32::wrapping_add)
        }

        #[inline(always)]
        pub fn xor(self, other: Self) -> Self {
            self.zip(other, |x, y| x ^ y)
        }

        #[inline(always)]
        pub fn and(self, other: Self) -> Self {
            self.zip(other, |x, y| x & y)
        }

        #[inline(always)]
        pub fn shift<const RIGHT: u32>(self) -> Self {
            Lanes(self.0.map(|x| x >> RIGHT))
        }

        /// To the right; `LEFT` is `32 - RIGHT`.
        #[inline(always)]
        pub fn rotate<const RIGHT: u32, const LEFT: u32>(self) -> Self {
            Lanes(self.0.map(|x| x >> RIGHT | x << LEFT))
        }

        #[inline(always)]
        pub fn swap_bytes(self) -> Self {
            Lanes(self.0.map(u32::swap_bytes))
        }

        /// The first lane that is not above the same lane of `limit`.
        #[inline(always)]
        pub fn first_at_most(self, limit: Self) -> Option<u32> {
            (0u32..)
                .zip(self.0.iter().zip(limit.0))
                .find(|(_, (x, y))| *x <= y)
                .map(|(lane, _)| lane)
        }
    }
}

#[cfg(test)]
mod tests;
