//! Receipts: what a relay signs when it has stored objects. PROTOCOL.md section 3.
//!
//! Invariant: one signature stands for all that became durable together, and each receipt proves
//! its own object without the others.

use super::codec::{Malformed, Reader, Writer};
use super::header::Id;
use crate::crypto::{BadSignature, PublicKey, SigningKey, sha256};
use crate::time::Millis;
use alloc::vec::Vec;

/// Steps from an object to the root: as many as a batch of objects needs.
const STEPS_MAX: usize = 10;

type Hash = [u8; 32];

/// A relay's word that it stored an object durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt<'a> {
    pub id: Id,
    /// The relay's clock.
    pub time: Millis,
    /// By the relay's node key, over the root and the time.
    pub signature: [u8; 64],
    /// Bit n: sibling n stands left.
    sides: u16,
    /// From the object's leaf (H(0 || id)) to the root; none if it was signed for alone.
    siblings: &'a [Hash],
}

impl<'a> Receipt<'a> {
    /// Of one object alone.
    pub fn sign(key: &SigningKey, id: Id, time: Millis) -> Receipt<'static> {
        Receipt {
            id,
            time,
            signature: sign(key, &leaf(&id), time),
            sides: 0,
            siblings: &[],
        }
    }

    /// What was signed for: the same for all that became durable together.
    pub fn root(&self) -> Hash {
        let steps = self.siblings.iter().enumerate();
        steps.fold(leaf(&self.id), |below, (step, sibling)| {
            match self.sides >> step & 1 {
                0 => node(&below, sibling),
                _ => node(sibling, &below),
            }
        })
    }

    pub fn verify(&self, key: &PublicKey) -> Result<(), BadSignature> {
        let signed = [b"wm-receipt", &self.root()[..], &self.time.to_le_bytes()];
        key.verify(&signed, &self.signature)
    }

    /// What proves it, beside id and time, to who has the relay's key.
    pub fn proof(&self) -> Vec<u8> {
        let sides = self.sides.to_le_bytes();
        [&self.signature[..], &sides, self.siblings.as_flattened()].concat()
    }

    /// `id | time u64 | node key | signature | sides u16 | siblings`, to the end.
    pub(super) fn read(r: &mut Reader<'a>) -> Result<(Self, [u8; 32]), Malformed> {
        let (id, time, node_key) = (Id(r.array()?), r.u64()?, r.array()?);
        let (signature, sides) = (r.array()?, r.u16()?);
        let (siblings, rest) = r.rest().as_chunks();
        let steps = siblings.len();
        if !rest.is_empty() || steps > STEPS_MAX || u32::from(sides) >> steps != 0 {
            return Err(Malformed);
        }
        let receipt = Receipt {
            id,
            time,
            signature,
            sides,
            siblings,
        };
        Ok((receipt, node_key))
    }

    pub(super) fn write<'w>(&self, w: &'w mut Writer, node_key: &[u8; 32]) -> &'w mut Writer {
        w.bytes(&self.id.0)
            .u64(self.time)
            .bytes(node_key)
            .bytes(&self.signature)
            .u16(self.sides)
            .bytes(self.siblings.as_flattened())
    }
}

/// Receipts of what became durable together.
pub struct Receipts {
    time: Millis,
    signature: [u8; 64],
    ids: Vec<Id>,
    /// The leaves, and what each pair of a level makes; one that is left over goes up as it is.
    levels: Vec<Vec<Hash>>,
}

impl Receipts {
    /// `None` for no object, or more than a receipt can tell apart.
    pub fn sign(key: &SigningKey, ids: Vec<Id>, time: Millis) -> Option<Self> {
        let mut levels = alloc::vec![ids.iter().map(leaf).collect::<Vec<Hash>>()];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let pairs = last.chunks(2).map(|pair| match pair {
                [left, right] => node(left, right),
                alone => alone.concat().try_into().unwrap_or_default(),
            });
            let next = pairs.collect();
            levels.push(next);
        }
        let root = levels.last()?.first()?;
        let signature = sign(key, root, time);
        (levels.len() <= STEPS_MAX + 1).then_some(Self {
            time,
            signature,
            ids,
            levels,
        })
    }

    /// The receipt of one of the objects; `siblings` is overwritten.
    pub fn of<'a>(&self, object: usize, siblings: &'a mut Vec<Hash>) -> Option<Receipt<'a>> {
        let id = *self.ids.get(object)?;
        siblings.clear();
        let (mut at, mut sides) = (object, 0);
        for level in &self.levels {
            if let Some(sibling) = level.get(at ^ 1) {
                sides |= (at as u16 & 1) << siblings.len();
                siblings.push(*sibling);
            }
            at /= 2;
        }
        Some(Receipt {
            id,
            time: self.time,
            signature: self.signature,
            sides,
            siblings,
        })
    }
}

fn leaf(id: &Id) -> Hash {
    sha256(&[&[0], &id.0])
}

fn node(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

fn sign(key: &SigningKey, root: &Hash, time: Millis) -> [u8; 64] {
    key.sign(&[b"wm-receipt", root, &time.to_le_bytes()])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::wire::Frame;

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[3; 32])
    }

    fn ids(count: u16) -> Vec<Id> {
        let id = |n: u16| Id(sha256(&[&n.to_le_bytes()]));
        (0..count).map(id).collect()
    }

    #[test]
    fn each_of_a_batch_proves_itself_and_no_other() {
        let node_key = *key().public().as_bytes();
        for count in [1, 2, 3, 4, 5, 7, 8, 9, 63, 64, 65, 1_000, 1_024] {
            let receipts = Receipts::sign(&key(), ids(count), 9).unwrap();
            let mut siblings = Vec::new();
            for n in 0..usize::from(count) {
                let receipt = receipts.of(n, &mut siblings).unwrap();
                assert_eq!(receipt.id, ids(count)[n]);
                assert!(receipt.verify(&key().public()).is_ok(), "{n} of {count}");
                let other = Receipt {
                    id: Id([7; 32]),
                    ..receipt
                };
                assert!(other.verify(&key().public()).is_err());
                let late = Receipt {
                    time: 10,
                    ..receipt
                };
                assert!(late.verify(&key().public()).is_err());
                let sent = Frame::Stored { receipt, node_key }.encode(5);
                assert_eq!(
                    Frame::parse(&sent).unwrap(),
                    (5, Frame::Stored { receipt, node_key })
                );
            }
            assert!(receipts.of(count.into(), &mut siblings).is_none());
        }
        assert!(Receipts::sign(&key(), ids(1_025), 9).is_none());
        assert!(Receipts::sign(&key(), ids(0), 9).is_none());
    }

    #[test]
    fn one_alone_is_a_batch_of_one() {
        let receipts = Receipts::sign(&key(), ids(1), 9).unwrap();
        let mut siblings = Vec::new();
        let alone = Receipt::sign(&key(), ids(1)[0], 9);
        assert_eq!(receipts.of(0, &mut siblings), Some(alone));
    }

    #[test]
    fn an_inner_node_is_no_object() {
        let receipts = Receipts::sign(&key(), ids(4), 9).unwrap();
        let inner = Id(receipts.levels[1][0]);
        let mut siblings = Vec::new();
        let first = receipts.of(0, &mut siblings).unwrap();
        let forged = Receipt {
            id: inner,
            sides: first.sides >> 1,
            siblings: &first.siblings[1..],
            ..first
        };
        assert!(forged.verify(&key().public()).is_err());
    }

    #[test]
    fn too_many_steps_and_sides_of_none_are_malformed() {
        let node_key = *key().public().as_bytes();
        let hashes = [[1; 32]; STEPS_MAX + 1];
        let receipt = |sides, steps: usize| Receipt {
            id: Id([1; 32]),
            time: 2,
            signature: [3; 64],
            sides,
            siblings: &hashes[..steps],
        };
        let parses = |receipt| {
            let sent = Frame::Stored { receipt, node_key }.encode(1);
            Frame::parse(&sent).is_ok()
        };
        assert!(parses(receipt(0x3ff, STEPS_MAX)) && parses(receipt(0, 0)));
        assert!(!parses(receipt(0, STEPS_MAX + 1)));
        assert!(!parses(receipt(1, 0)) && !parses(receipt(0x400, STEPS_MAX)));
    }
}
