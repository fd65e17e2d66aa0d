//! The table of expected tags: which envelope a locator leads to. PROTOCOL.md section 6.
//!
//! Invariant: a lookup touches one cache line in almost all cases; nothing iterates, so the order
//! of places, which follows a secret of the process, is never seen.

use alloc::vec::Vec;

/// Entries at most: 300 contacts with every chain and pair they may have, several times over.
pub const ENTRIES_MAX: usize = 1 << 20;

const FIRST_PLACES: usize = 64;

/// A map from locator to `T`. Open addressing, linear probing, at most half full.
#[derive(Clone, Debug)]
pub struct TagTable<T> {
    /// `locator ^ mask`; 0 is a free place.
    places: Vec<u64>,
    values: Vec<Option<T>>,
    used: usize,
    /// Random: contacts have some choice of locators, but cannot know which ones meet in one
    /// place.
    mask: u64,
    odd: u64,
    /// The one locator that would look like a free place.
    masked: Option<T>,
}

impl<T: Clone> TagTable<T> {
    /// `secret` is random.
    pub fn new(secret: [u8; 16]) -> TagTable<T> {
        let (mask, odd) = secret.split_at(8);
        let number = |bytes: &[u8]| bytes.iter().fold(0, |n, b| n << 8 | u64::from(*b));
        TagTable {
            places: alloc::vec![0; FIRST_PLACES],
            values: alloc::vec![None; FIRST_PLACES],
            used: 0,
            mask: number(mask),
            odd: number(odd) | 1,
            masked: None,
        }
    }

    pub fn len(&self) -> usize {
        self.used + usize::from(self.masked.is_some())
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What a locator leads to.
    #[inline]
    pub fn get(&self, locator: &u64) -> Option<&T> {
        let entry = locator ^ self.mask;
        if entry == 0 {
            return self.masked.as_ref();
        }
        let at = self.place_of(entry);
        if self.places[at] == entry {
            self.values[at].as_ref()
        } else {
            None
        }
    }

    /// Puts an entry, replacing one of the same locator. False if the table is full and it was not
    /// put.
    pub fn insert(&mut self, locator: u64, value: T) -> bool {
        let entry = locator ^ self.mask;
        if entry == 0 {
            self.masked = Some(value);
            return true;
        }
        let mut at = self.place_of(entry);
        if self.places[at] == 0 {
            if self.used >= ENTRIES_MAX {
                return false;
            }
            if (self.used + 1) * 2 > self.places.len() {
                self.grow();
                at = self.place_of(entry);
            }
            self.used += 1;
        }
        self.places[at] = entry;
        self.values[at] = Some(value);
        true
    }

    /// Takes an entry out.
    pub fn remove(&mut self, locator: &u64) -> Option<T> {
        let entry = locator ^ self.mask;
        if entry == 0 {
            return self.masked.take();
        }
        let mut free = self.place_of(entry);
        if self.places[free] == 0 {
            return None;
        }
        let gone = self.values[free].take();
        self.used -= 1;
        // Moves up what would not be found behind a free place (Knuth, algorithm 6.4 R).
        let last = self.places.len() - 1;
        let mut at = free;
        loop {
            at = (at + 1) & last;
            let entry = self.places[at];
            if entry == 0 {
                break;
            }
            let home = self.home(entry);
            if (at.wrapping_sub(home) & last) >= (at.wrapping_sub(free) & last) {
                self.places[free] = entry;
                self.values[free] = self.values[at].take();
                free = at;
            }
        }
        self.places[free] = 0;
        gone
    }

    /// Where the entry is, or the free place where it would be put.
    #[inline]
    fn place_of(&self, entry: u64) -> usize {
        let last = self.places.len() - 1;
        let mut at = self.home(entry);
        while self.places[at] != entry && self.places[at] != 0 {
            at = (at + 1) & last;
        }
        at
    }

    #[inline]
    fn home(&self, entry: u64) -> usize {
        let bits = self.places.len().trailing_zeros();
        (entry.wrapping_mul(self.odd) >> (64 - bits)) as usize
    }

    fn grow(&mut self) {
        let size = self.places.len() * 2;
        let places = core::mem::replace(&mut self.places, alloc::vec![0; size]);
        let values = core::mem::replace(&mut self.values, alloc::vec![None; size]);
        for (entry, value) in places.into_iter().zip(values) {
            if entry != 0 {
                let at = self.place_of(entry);
                self.places[at] = entry;
                self.values[at] = value;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::collections::BTreeMap;
    use shared::crypto::Rng;

    /// Against a map that is right, with many meetings in one place (small numbers) and without.
    #[test]
    fn does_as_a_map_does() {
        for (seed, range) in [(1, 40), (2, 3_000), (3, u64::MAX)] {
            let mut rng = Rng::new([seed; 32]);
            let mut table = TagTable::new(rng.array());
            let mut model = BTreeMap::new();
            let mut known = Vec::new();
            for step in 0..20_000u32 {
                let locator = match known.len() {
                    n if n > 0 && rng.below(2) == 0 => known[rng.below(n as u64) as usize],
                    _ => rng.below(range) ^ table.mask,
                };
                known.push(locator);
                if rng.below(3) == 0 {
                    assert_eq!(table.remove(&locator), model.remove(&locator));
                } else {
                    assert!(table.insert(locator, step));
                    model.insert(locator, step);
                }
                let asked = known[rng.below(known.len() as u64) as usize];
                assert_eq!(table.get(&asked), model.get(&asked));
                assert_eq!(table.len(), model.len());
            }
            assert!(known.iter().all(|l| table.get(l) == model.get(l)));
        }
    }

    #[test]
    fn the_masked_locator_is_one_like_others() {
        let mut table = TagTable::new([9; 16]);
        let locator = table.mask;
        assert_eq!(table.get(&locator), None);
        table.insert(locator, 1);
        assert_eq!((table.get(&locator), table.len()), (Some(&1), 1));
        assert_eq!((table.remove(&locator), table.is_empty()), (Some(1), true));
    }

    #[test]
    fn it_has_a_bound() {
        let mut table = TagTable::new([1; 16]);
        let mut n = 0u64;
        while table.insert(n.wrapping_mul(0x9e37_79b9_7f4a_7c15), ()) {
            n += 1;
            assert!(n <= ENTRIES_MAX as u64 + 1);
        }
        assert!(n >= ENTRIES_MAX as u64);
        assert_eq!(table.get(&0x9e37_79b9_7f4a_7c15), Some(&()));
    }
}
