//! The core's random generator: ChaCha20 from one seed that the shell draws from the system at each
//! start.
//!
//! Invariant: same seed, same calls, same numbers, on every machine; the simulation lives on that.

use rand_chacha::ChaCha20Rng;
use rand_core::{Rng as _, SeedableRng};

/// ChaCha20 keyed with the seed. Not `Clone`: two copies would give out the same secrets.
pub struct Rng(ChaCha20Rng);

impl Rng {
    pub fn new(seed: [u8; 32]) -> Rng {
        Rng(ChaCha20Rng::from_seed(seed))
    }

    pub fn fill(&mut self, out: &mut [u8]) {
        self.0.fill_bytes(out);
    }

    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }

    pub fn u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// Uniform in 0..n, without bias. 0 for n = 0.
    pub fn below(&mut self, n: u64) -> u64 {
        // Lemire, "Fast Random Integer Generation in an Interval", 2019.
        let reject = if n == 0 { 0 } else { n.wrapping_neg() % n };
        loop {
            let wide = u128::from(self.u64()) * u128::from(n);
            let low = wide as u64;
            if low >= reject {
                return (wide >> 64) as u64;
            }
        }
    }

    /// One of these, each with the same chance.
    pub fn choose<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len() as u64) as usize)
    }

    /// Exponentially distributed with that mean: the gaps of a Poisson process. Saturates.
    pub fn exponential(&mut self, mean_ms: u64) -> u64 {
        // Von Neumann's method (1951), exact and without logarithms: the first number of a falling
        // run is kept if the run's length is odd; each run thrown away before it counts one
        // whole mean.
        let mut whole: u64 = 0;
        loop {
            let first = self.u64();
            let mut last = first;
            let mut odd = true;
            loop {
                let next = self.u64();
                if next >= last {
                    break;
                }
                last = next;
                odd = !odd;
            }
            if odd {
                let part = ((u128::from(mean_ms) * u128::from(first)) >> 64) as u64;
                return whole.saturating_add(part);
            }
            whole = whole.saturating_add(mean_ms);
        }
    }
}

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Rng(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    /// draft-strombergson-chacha-test-vectors-01, TC1: zero key and IV, 256 bits, 20 rounds.
    #[test]
    fn chacha20_known_answer() {
        assert_eq!(
            HEXLOWER.encode(&Rng::new([0; 32]).array::<32>()),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        );
    }

    #[test]
    fn below_is_uniform() {
        let mut rng = Rng::new([1; 32]);
        let mut counts = [0u32; 7];
        for _ in 0..70_000 {
            counts[rng.below(7) as usize] += 1;
        }
        // Mean 10,000, standard deviation 93.
        assert!(
            counts.iter().all(|count| (9_500..10_500).contains(count)),
            "{counts:?}"
        );
        assert_eq!(rng.below(0), 0);
        assert_eq!(rng.below(1), 0);
        assert!((0..100).any(|_| rng.below(u64::MAX) > u64::MAX / 2));
    }

    #[test]
    fn exponential_has_mean_and_tail() {
        let mut rng = Rng::new([2; 32]);
        let draws = 100_000;
        let (mut sum, mut above_mean, mut above_three) = (0, 0, 0);
        for _ in 0..draws {
            let x = rng.exponential(1_000_000);
            sum += x;
            above_mean += u64::from(x > 1_000_000);
            above_three += u64::from(x > 3_000_000);
        }
        let mean = sum / draws;
        assert!((985_000..1_015_000).contains(&mean), "{mean}");
        // e^-1 = 0.3679, e^-3 = 0.0498.
        assert!((36_100..37_500).contains(&above_mean), "{above_mean}");
        assert!((4_700..5_260).contains(&above_three), "{above_three}");
    }
}
