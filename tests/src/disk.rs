//! A disk that loses what was not made durable, and tells when it is asked to crash between two
//! writes. It can be full, and it can be emptied from outside.
//!
//! Invariant: a batch is there whole or not at all; batches become durable in their order.

use shared::io::{Batch, Change, Query, Row, StoreError};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// So many batches at most wait to become durable: what is older was written by itself.
const WAITING_MAX: usize = 32;

/// Table and key of a row.
type Place = Box<[u8]>;
/// What was there before a batch, in the order in which it was changed.
type Before = Vec<(Place, Option<Packed>)>;

/// What one host has on disk, and what is still on its way there.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    /// What reads see: everything handed over.
    present: BTreeMap<Place, Packed>,
    /// How to undo each batch that is not durable yet.
    waiting: VecDeque<Before>,
    /// Saves finished so far.
    pub saves: u64,
    /// The disk refuses to write from now on.
    pub full: bool,
    /// All was lost, and the node was not told yet.
    pub emptied: bool,
}

/// A value without its longest run of zeros, for worlds of many disks.
#[derive(Clone, Debug)]
struct Packed {
    bytes: Box<[u8]>,
    at: u32,
    zeros: u32,
}

impl Packed {
    fn new(value: &[u8]) -> Self {
        let (mut at, mut zeros, mut run) = (0, 0, 0);
        for (n, byte) in value.iter().enumerate() {
            run = if *byte == 0 { run + 1 } else { 0 };
            if run > zeros {
                (at, zeros) = (n + 1 - run, run);
            }
        }
        let bytes = [&value[..at], &value[at + zeros..]].concat().into();
        let (at, zeros) = (at as u32, zeros as u32);
        Packed { bytes, at, zeros }
    }

    fn value(&self) -> Vec<u8> {
        let (before, after) = self.bytes.split_at(self.at as usize);
        let mut value = Vec::with_capacity(self.bytes.len() + self.zeros as usize);
        value.extend_from_slice(before);
        value.resize(before.len() + self.zeros as usize, 0);
        value.extend_from_slice(after);
        value
    }
}

fn place(table: u8, key: &[u8]) -> Place {
    [&[table], key].concat().into()
}

impl Disk {
    /// A batch finished: applied, and durable if it asked for it.
    pub fn save(&mut self, batch: Batch) {
        self.saves += 1;
        let durable = batch.durable;
        let before = self.apply(batch);
        self.waiting.push_back(before);
        if durable {
            self.waiting.clear();
        } else if self.waiting.len() > WAITING_MAX {
            self.waiting.pop_front();
        }
    }

    /// Power was cut: what was not durable may be there or not; `keep` of the waiting batches are.
    pub fn crash(&mut self, keep: usize) {
        while self.waiting.len() > keep {
            let undone = self.waiting.pop_back().unwrap_or_default();
            for (place, before) in undone.into_iter().rev() {
                match before {
                    Some(value) => self.present.insert(place, value),
                    None => self.present.remove(&place),
                };
            }
        }
        self.waiting.clear();
    }

    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }

    /// What is stored is deleted from outside, as browsers do. The next request is told.
    pub fn empty(&mut self) {
        self.erase();
        self.emptied = true;
    }

    /// Why a batch is not taken.
    pub fn refusal(&mut self) -> Option<StoreError> {
        if self.full {
            return Some(StoreError::Full);
        }
        std::mem::take(&mut self.emptied).then_some(StoreError::Emptied)
    }

    pub fn erase(&mut self) {
        self.present.clear();
        self.waiting.clear();
    }

    pub fn load(&self, query: &Query) -> Vec<Row> {
        let row = |key: &[u8], value: &Packed| Row {
            key: key.to_vec(),
            value: value.value(),
        };
        match query {
            Query::Keys { table, keys } => {
                let mut keys = keys.clone();
                keys.sort_unstable();
                keys.iter()
                    .filter_map(|key| Some(row(key, self.present.get(&place(table.0, key))?)))
                    .collect()
            }
            Query::Range {
                table,
                from,
                to,
                limit,
            } => self
                .present
                .range(place(table.0, from)..place(table.0 + 1, &[]))
                .take_while(|(key, _)| to.as_ref().is_none_or(|to| key[1..] < to[..]))
                .take(*limit as usize)
                .map(|(key, value)| row(&key[1..], value))
                .collect(),
        }
    }

    /// Where the rows of a table lie.
    pub fn places(&self, table: u8) -> BTreeSet<Vec<u8>> {
        let rows = self.present.keys().filter(|place| place[0] == table);
        rows.map(|place| place[1..].to_vec()).collect()
    }

    /// Every row's table and value, for tests that look for leaks.
    pub fn rows(&self) -> impl Iterator<Item = (u8, Vec<u8>)> {
        let rows = self.present.iter();
        rows.map(|(place, packed)| (place[0], packed.value()))
    }

    fn apply(&mut self, batch: Batch) -> Before {
        let mut before = Before::new();
        for change in batch.changes {
            match change {
                Change::Put { table, key, value } => {
                    let place = place(table.0, &key);
                    let old = self.present.insert(place.clone(), Packed::new(&value));
                    before.push((place, old));
                }
                Change::Delete { table, key } => {
                    let place = place(table.0, &key);
                    let old = self.present.remove(&place);
                    before.push((place, old));
                }
                Change::DeleteBelow { table, to } => {
                    let below = place(table.0, &[])..place(table.0, &to);
                    let below = self.present.range(below).map(|(place, _)| place.clone());
                    for place in below.collect::<Vec<Place>>() {
                        let old = self.present.remove(&place);
                        before.push((place, old));
                    }
                }
            }
        }
        before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::io::Table;

    #[test]
    fn what_is_packed_comes_back() {
        for value in [&[][..], &[0], &[0, 0, 1, 0, 0, 0, 2, 0], &[1, 2], &[0; 300]] {
            assert_eq!(Packed::new(value).value(), value);
        }
    }

    #[test]
    fn a_crash_takes_back_the_last_batches() {
        let put = |key: u8, value: u8, durable| Batch {
            durable,
            changes: vec![Change::Put {
                table: Table(1),
                key: vec![key],
                value: vec![value],
            }],
        };
        let mut disk = Disk::default();
        disk.save(put(1, 1, true));
        for value in 2..5 {
            disk.save(put(1, value, false));
            disk.save(put(value, 0, false));
        }
        let delete = Change::DeleteBelow {
            table: Table(1),
            to: vec![4],
        };
        disk.save(Batch {
            durable: false,
            changes: vec![delete],
        });
        let rows = |disk: &Disk| disk.rows().map(|(_, value)| value[0]).collect::<Vec<u8>>();
        assert_eq!((rows(&disk), disk.waiting()), (vec![0], 7));
        let mut half = disk.clone();
        half.crash(3);
        assert_eq!(rows(&half), [3, 0]);
        disk.crash(0);
        assert_eq!((rows(&disk), disk.waiting()), (vec![1], 0));
    }
}
