//! A disk that loses what was not made durable, and tells when it is asked to crash between two
//! writes. It can be full, and it can be emptied from outside.
//!
//! Invariant: a batch is there whole or not at all; batches become durable in their order.

use shared::io::{Batch, Change, Query, Row, StoreError};
use std::collections::{BTreeMap, BTreeSet};

/// What one host has on disk, and what is still on its way there.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    durable: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    /// What reads see: everything handed over.
    present: BTreeMap<(u8, Vec<u8>), Vec<u8>>,
    waiting: Vec<Batch>,
    /// Saves finished so far.
    pub saves: u64,
    /// The disk refuses to write from now on.
    pub full: bool,
    /// All was lost, and the node was not told yet.
    pub emptied: bool,
}

impl Disk {
    /// A batch finished: applied, and durable if it asked for it.
    pub fn save(&mut self, batch: Batch) {
        self.saves += 1;
        apply(&mut self.present, &batch);
        let durable = batch.durable;
        self.waiting.push(batch);
        if durable {
            for batch in self.waiting.drain(..) {
                apply(&mut self.durable, &batch);
            }
        }
    }

    /// Power was cut: what was not durable may be there or not; `keep` of the waiting batches are.
    pub fn crash(&mut self, keep: usize) {
        let keep = keep.min(self.waiting.len());
        for batch in self.waiting.drain(..).take(keep) {
            apply(&mut self.durable, &batch);
        }
        self.waiting.clear();
        self.present = self.durable.clone();
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
        self.durable.clear();
        self.waiting.clear();
    }

    pub fn load(&self, query: &Query) -> Vec<Row> {
        let row = |key: &[u8], value: &[u8]| Row {
            key: key.to_vec(),
            value: value.to_vec(),
        };
        match query {
            Query::Keys { table, keys } => {
                let mut keys = keys.clone();
                keys.sort_unstable();
                keys.iter()
                    .filter_map(|key| {
                        let value = self.present.get(&(table.0, key.clone()))?;
                        Some(row(key, value))
                    })
                    .collect()
            }
            Query::Range {
                table,
                from,
                to,
                limit,
            } => self
                .present
                .range((table.0, from.clone())..(table.0 + 1, Vec::new()))
                .take_while(|((_, key), _)| to.as_ref().is_none_or(|to| key < to))
                .take(*limit as usize)
                .map(|((_, key), value)| row(key, value))
                .collect(),
        }
    }

    /// Where the rows of a table lie.
    pub fn places(&self, table: u8) -> BTreeSet<Vec<u8>> {
        let rows = self.present.keys().filter(|(of, _)| *of == table);
        rows.map(|(_, key)| key.clone()).collect()
    }

    /// Every row's table and value, for tests that look for leaks.
    pub fn rows(&self) -> impl Iterator<Item = (u8, &Vec<u8>)> {
        self.present
            .iter()
            .map(|((table, _), value)| (*table, value))
    }
}

fn apply(rows: &mut BTreeMap<(u8, Vec<u8>), Vec<u8>>, batch: &Batch) {
    for change in &batch.changes {
        match change {
            Change::Put { table, key, value } => {
                rows.insert((table.0, key.clone()), value.clone());
            }
            Change::Delete { table, key } => {
                rows.remove(&(table.0, key.clone()));
            }
            Change::DeleteBelow { table, to } => {
                let below: Vec<_> = rows
                    .range((table.0, Vec::new())..(table.0, to.clone()))
                    .map(|(key, _)| key.clone())
                    .collect();
                for key in below {
                    rows.remove(&key);
                }
            }
        }
    }
}
