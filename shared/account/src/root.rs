//! The root: the record that leads who has the 18 words to the account's state. PROTOCOL.md
//! section 4.
//!
//! Invariant: the state's read secret is a random draw, so that a device without the words can be
//! given it, and shut out by another one.

use crate::cbor;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{Key, Rng};

/// What lies in slot 3.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Root {
    #[n(0)]
    pub version: u64,
    /// Finds and opens the parts of the state.
    #[cbor(n(1), with = "cbor::key")]
    pub read: Key,
    /// Of the state's read secrets, this one's number.
    #[n(2)]
    pub generation: u32,
}

impl Root {
    /// The first one of an account.
    pub fn draw(rng: &mut Rng) -> Root {
        Root {
            version: 1,
            read: Key::new(rng.array()),
            generation: 1,
        }
    }

    pub fn text(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    pub fn read(text: &[u8]) -> Option<Root> {
        cbor::from_slice(text).ok()
    }

    /// Whether all devices follow this one of the two, in whatever order they see them.
    pub fn beats(&self, other: &Root) -> bool {
        let rank = |root: &Root| (root.generation, root.version, *root.read.as_bytes());
        rank(self) > rank(other)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_of_two_is_followed() {
        let (mut one, mut two) = (Rng::new([1; 32]), Rng::new([2; 32]));
        let (a, b) = (Root::draw(&mut one), Root::draw(&mut two));
        assert!(a.beats(&b) != b.beats(&a) && !a.beats(&a));
        let next = Root {
            generation: 2,
            ..b.clone()
        };
        assert!(next.beats(&a) && next.beats(&b) && !a.beats(&next));
    }

    #[test]
    fn what_is_none_is_refused() {
        let root = Root::draw(&mut Rng::new([1; 32]));
        let text = root.text();
        assert_eq!(Root::read(&text), Some(root));
        for len in 0..text.len() {
            assert_eq!(Root::read(&text[..len]), None, "{len}");
        }
    }
}
