//! The seed and its 18 words.
//!
//! Invariant: words and seed are the same 216 bits, most significant first, 12 bits a word; every
//! 18 words of the list are a seed. The checksum is a property of good seeds, not a part of them.

use minicbor::{Decode, Decoder, Encode, Encoder, decode, encode};
use shared::crypto::{Rng, same, sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes of a seed.
pub const SEED_LEN: usize = 27;
/// Words of a seed.
pub const WORDS: usize = 18;

/// What an account is made of. Whoever has it is the account.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; SEED_LEN]);

impl Seed {
    /// Draws until the checksum holds, 4096 times on average.
    pub fn draw(rng: &mut Rng) -> Seed {
        loop {
            let seed = Seed(rng.array());
            if seed.checksum() {
                return seed;
            }
        }
    }

    pub fn from_bytes(bytes: [u8; SEED_LEN]) -> Seed {
        Seed(bytes)
    }

    /// From places in the word list, each below 4096.
    pub fn from_indices(indices: &[u16; WORDS]) -> Seed {
        let mut bytes = [0; SEED_LEN];
        for (three, pair) in bytes.chunks_exact_mut(3).zip(indices.chunks_exact(2)) {
            let bits = (u32::from(pair[0] & 0xfff) << 12) | u32::from(pair[1] & 0xfff);
            three.copy_from_slice(&bits.to_be_bytes()[1..]);
        }
        Seed(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; SEED_LEN] {
        &self.0
    }

    /// Whether the first 12 bits of `H("wm-chk" || seed)` are zero. True for all seeds drawn here,
    /// for one in 4096 mistyped ones.
    pub fn checksum(&self) -> bool {
        let hash = sha256(&[b"wm-chk", &self.0]);
        hash[0] == 0 && hash[1] < 16
    }

    /// Places in the word list.
    pub fn indices(&self) -> [u16; WORDS] {
        let mut indices = [0; WORDS];
        for (three, pair) in self.0.chunks_exact(3).zip(indices.chunks_exact_mut(2)) {
            pair[0] = u16::from(three[0]) << 4 | u16::from(three[1]) >> 4;
            pair[1] = u16::from(three[1] & 15) << 8 | u16::from(three[2]);
        }
        indices
    }
}

impl PartialEq for Seed {
    fn eq(&self, other: &Seed) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for Seed {}

impl core::fmt::Debug for Seed {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Seed(..)")
    }
}

impl<C> Encode<C> for Seed {
    fn encode<W: encode::Write>(
        &self,
        out: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), encode::Error<W::Error>> {
        out.bytes(&self.0)?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Seed {
    fn decode(from: &mut Decoder<'b>, _: &mut C) -> Result<Seed, decode::Error> {
        let wrong = |_| decode::Error::message("wrong length");
        from.bytes()?.try_into().map(Seed).map_err(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drawn_seeds_have_the_checksum_and_differ() {
        let mut rng = Rng::new([1; 32]);
        let (one, two) = (Seed::draw(&mut rng), Seed::draw(&mut rng));
        assert!(one.checksum() && two.checksum());
        assert_ne!(one, two);
    }

    #[test]
    fn bits_are_in_order() {
        let mut bytes = [0; SEED_LEN];
        bytes[..4].copy_from_slice(&[0xab, 0xcd, 0xef, 0x12]);
        bytes[26] = 0x07;
        let indices = Seed::from_bytes(bytes).indices();
        assert_eq!(indices[..3], [0xabc, 0xdef, 0x120]);
        assert_eq!(indices[17], 7);
        assert_eq!(Seed::from_indices(&indices).as_bytes(), &bytes);
    }

    #[test]
    fn indices_round_trip() {
        let mut rng = Rng::new([2; 32]);
        for _ in 0..100 {
            let seed = Seed::from_bytes(rng.array());
            assert_eq!(Seed::from_indices(&seed.indices()), seed);
        }
    }
}
