//! What tags lead to, 12 bytes a place: whose each is is kept once, and numbered.
//!
//! Invariant: a number is never used for somebody else. Names are not forgotten while the account
//! is open: there is one for each account and invitation that something was expected of.

use super::TagTable;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::num::NonZeroU32;

const KIND_BITS: u32 = 3;
const NUMBER_BITS: u32 = 21;

/// Where a tag leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lead {
    /// 1 to 7.
    pub kind: u8,
    /// Whose it is.
    pub of: [u8; 32],
    /// Which of theirs.
    pub n: u8,
}

/// A map from locator to [`Lead`].
#[derive(Clone, Debug)]
pub struct LeadTable {
    /// Kind, number of whose it is, n: from the highest bit.
    tags: TagTable<NonZeroU32>,
    names: Vec<[u8; 32]>,
    numbers: BTreeMap<[u8; 32], u32>,
}

impl LeadTable {
    /// `secret` is random.
    pub fn new(secret: [u8; 16]) -> LeadTable {
        LeadTable {
            tags: TagTable::new(secret),
            names: Vec::new(),
            numbers: BTreeMap::new(),
        }
    }

    pub fn len(&self) -> usize {
        self.tags.len()
    }

    pub fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    #[inline]
    pub fn has(&self, locator: &u64) -> bool {
        self.tags.get(locator).is_some()
    }

    /// What a locator leads to.
    pub fn get(&self, locator: &u64) -> Option<Lead> {
        let packed = self.tags.get(locator)?.get();
        let number = packed >> 8 & ((1 << NUMBER_BITS) - 1);
        Some(Lead {
            kind: (packed >> (8 + NUMBER_BITS)) as u8,
            of: *self.names.get(number as usize)?,
            n: packed as u8,
        })
    }

    /// Puts an entry, replacing one of the same locator. False if the table is full, or `kind` is
    /// out of bounds, and it was not put.
    pub fn insert(&mut self, locator: u64, lead: Lead) -> bool {
        let kind = u32::from(lead.kind);
        let number = self.number(lead.of);
        if kind == 0 || kind >> KIND_BITS != 0 || number >> NUMBER_BITS != 0 {
            return false;
        }
        let packed = kind << (8 + NUMBER_BITS) | number << 8 | u32::from(lead.n);
        NonZeroU32::new(packed).is_some_and(|packed| self.tags.insert(locator, packed))
    }

    /// Takes an entry out. True if there was one.
    pub fn remove(&mut self, locator: &u64) -> bool {
        self.tags.remove(locator).is_some()
    }

    fn number(&mut self, of: [u8; 32]) -> u32 {
        let names = &mut self.names;
        *self.numbers.entry(of).or_insert_with(|| {
            names.push(of);
            (names.len() - 1) as u32
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_comes_back() {
        let mut table = LeadTable::new([3; 16]);
        let lead = |n: u64| Lead {
            kind: 1 + (n % 7) as u8,
            of: [(n % 50) as u8; 32],
            n: (n % 256) as u8,
        };
        for n in 0..2_000 {
            assert!(table.insert(n, lead(n)));
        }
        for n in 0..2_000 {
            assert_eq!((table.get(&n), table.has(&n)), (Some(lead(n)), true));
        }
        assert_eq!((table.len(), table.names.len()), (2_000, 50));
        assert!(table.remove(&7) && !table.remove(&7) && table.get(&7).is_none());
        for kind in [0, 8] {
            let lead = Lead { kind, ..lead(0) };
            assert!(!table.insert(7, lead) && !table.has(&7));
        }
    }
}
