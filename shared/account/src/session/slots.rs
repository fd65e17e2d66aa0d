//! Slots by locator, 16 bytes each: a session has some hundred, and there are many sessions.
//!
//! Invariant: it does as a map from locator to slot does; rows are in the order of locators, and
//! every name that a row has is there.

use super::Slot;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// Names are tidied up when there are so many, several times what a session can have in use.
const NAMES_MAX: usize = 1_024;
/// A chain's window at a time.
const GROW: usize = 32;

#[derive(Clone, Debug, Default)]
pub(super) struct Slots {
    rows: Vec<Row>,
    /// Slots as they are without their number.
    names: Vec<Slot>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    locator: u64,
    name: u32,
    /// Counter or index.
    number: u32,
}

/// A slot without its number, and the number.
fn split(slot: Slot) -> (Slot, u32) {
    let mut name = slot;
    let number = match &mut name {
        Slot::Opener { counter, .. } => core::mem::take(counter),
        Slot::Chain { index, .. } => core::mem::take(index),
    };
    (name, number)
}

impl Slots {
    pub fn of(slots: BTreeMap<u64, Slot>) -> Slots {
        let mut all = Slots {
            rows: Vec::with_capacity(slots.len()),
            names: Vec::new(),
        };
        for (locator, slot) in slots {
            let row = all.row(locator, slot);
            all.rows.push(row);
        }
        all.names.shrink_to_fit();
        all
    }

    pub fn get(&self, locator: &u64) -> Option<Slot> {
        self.slot(self.rows.get(self.find(*locator).ok()?)?)
    }

    /// True if there was none at that locator.
    pub fn insert(&mut self, locator: u64, slot: Slot) -> bool {
        if self.names.len() >= NAMES_MAX {
            self.tidy();
        }
        let row = self.row(locator, slot);
        match self.find(locator) {
            Ok(at) => {
                self.rows[at] = row;
                false
            }
            Err(at) => {
                if self.rows.len() == self.rows.capacity() {
                    self.rows.reserve_exact(GROW);
                }
                self.rows.insert(at, row);
                true
            }
        }
    }

    /// True if there was one.
    pub fn remove(&mut self, locator: &u64) -> bool {
        let found = self.find(*locator);
        found.is_ok_and(|at| {
            self.rows.remove(at);
            true
        })
    }

    /// In the order of locators.
    pub fn iter(&self) -> impl Iterator<Item = (u64, Slot)> {
        let rows = self.rows.iter();
        rows.filter_map(|row| Some((row.locator, self.slot(row)?)))
    }

    fn find(&self, locator: u64) -> Result<usize, usize> {
        self.rows.binary_search_by_key(&locator, |row| row.locator)
    }

    fn slot(&self, row: &Row) -> Option<Slot> {
        let mut slot = *self.names.get(row.name as usize)?;
        match &mut slot {
            Slot::Opener { counter, .. } => *counter = row.number,
            Slot::Chain { index, .. } => *index = row.number,
        }
        Some(slot)
    }

    fn row(&mut self, locator: u64, slot: Slot) -> Row {
        let (name, number) = split(slot);
        let known = self.names.iter().rposition(|known| *known == name);
        let at = known.unwrap_or_else(|| {
            self.names.push(name);
            self.names.len() - 1
        });
        Row {
            locator,
            name: at as u32,
            number,
        }
    }

    /// Forgets names that nothing has.
    fn tidy(&mut self) {
        *self = Slots::of(self.iter().collect());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use shared::crypto::Rng;

    /// Against a map that is right, with chains that come and go.
    #[test]
    fn does_as_a_map_does() {
        let mut rng = Rng::new([1; 32]);
        let mut model: BTreeMap<u64, Slot> = BTreeMap::new();
        let mut slots = Slots::default();
        for step in 0..40_000u64 {
            let locator = rng.below(600);
            let (id, number) = (rng.below(3) + step / 20, rng.below(20) as u32);
            let slot = match rng.below(2) {
                0 => Slot::Chain {
                    chain: [id as u8; 16],
                    index: number,
                },
                _ => Slot::Opener {
                    pair: id.to_le_bytes(),
                    device: 1,
                    epoch: 7,
                    counter: number,
                },
            };
            if rng.below(3) == 0 {
                assert_eq!(slots.remove(&locator), model.remove(&locator).is_some());
            } else {
                let new = model.insert(locator, slot).is_none();
                assert_eq!(slots.insert(locator, slot), new);
            }
            let asked = rng.below(600);
            assert_eq!(slots.get(&asked), model.get(&asked).copied());
            assert!(slots.names.len() <= NAMES_MAX);
        }
        assert!(slots.iter().eq(model.iter().map(|(l, slot)| (*l, *slot))));
        let whole = Slots::of(model.clone());
        assert!(whole.iter().eq(slots.iter()));
        assert_eq!(core::mem::size_of::<Row>(), 16);
    }
}
