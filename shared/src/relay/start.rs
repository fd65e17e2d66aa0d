//! From a store to a running relay: the schema is checked, then heads are read page by page into
//! the index.
//!
//! Invariant: nothing is written to a store of an unknown schema or another network.

use super::link::Phase;
use super::rows::{self, BITS_KEY, HEADS, META, SCHEMA, SCHEMA_KEY};
use super::{Effect, Relay, StartError, State};
use crate::book::BOOK;
use crate::io::{Batch, Change, LinkId, Query, Row};
use crate::limits::START_PAGE_ROWS;
use crate::time::hour;
use crate::wire::{Bye, Reader};
use alloc::vec;
use alloc::vec::Vec;

impl Relay {
    pub(super) fn load_schema(&mut self) {
        let keys = vec![BITS_KEY.to_vec(), SCHEMA_KEY.to_vec()];
        self.load(Effect::Schema, Query::Keys { table: META, keys });
    }

    pub(super) fn on_schema(&mut self, rows: &[Row]) {
        let Some(row) = rows.iter().find(|row| row.key == SCHEMA_KEY) else {
            let put = Change::Put {
                table: META,
                key: SCHEMA_KEY.to_vec(),
                value: rows::schema_row(self.config.network, self.now.unix),
            };
            let batch = Batch {
                durable: true,
                changes: vec![put],
            };
            self.made = self.now.unix;
            self.save(Effect::NewSchema, batch);
            return;
        };
        let mut r = Reader::new(&row.value);
        let found = r.u32().unwrap_or(0);
        if found != SCHEMA {
            return self.fail(StartError::UnknownSchema { found });
        }
        match r.u32() {
            Ok(network) if network == self.config.network => {
                self.made = r.u64().unwrap_or(0);
                let bits = rows.iter().find(|row| row.key == BITS_KEY);
                if let Some([bits @ ..=32]) = bits.map(|row| &row.value[..]) {
                    self.peers.swarm.begin_with(*bits);
                }
                self.load_heads(&[]);
            }
            found => {
                let found = found.unwrap_or(0);
                self.fail(StartError::OtherNetwork { found });
            }
        }
    }

    pub(super) fn load_heads(&mut self, from: &[u8]) {
        let query = Query::Range {
            table: HEADS,
            from: from.to_vec(),
            to: None,
            limit: START_PAGE_ROWS,
        };
        self.load(Effect::Heads, query);
    }

    pub(super) fn on_heads(&mut self, rows: &[Row]) {
        let hour = hour(self.now.unix);
        let mut gone = Batch::default();
        for row in rows {
            match rows::parse_head(row) {
                Ok((_, entry)) if entry.expiry <= hour => {}
                Ok((arrival, entry)) => match self.index.insert(arrival, entry) {
                    (true, None) => {}
                    (true, Some((at, older))) => rows::delete(&mut gone, at, &older),
                    // It gave way, came again, and was back: one row is enough, that with the body.
                    (false, _) if self.index.contains(&entry.id) => {
                        let listed = self.index.arrival(&entry.id);
                        let worse = entry.held && !self.index.holds(&entry.id);
                        let other = listed.filter(|_| worse).and_then(|at| {
                            let other = self.index.remove(at)?;
                            self.index.insert(arrival, entry);
                            Some((at, other))
                        });
                        let (arrival, entry) = other.unwrap_or((arrival, entry));
                        rows::delete(&mut gone, arrival, &entry);
                    }
                    (false, _) => self.counters.rows_damaged += 1,
                },
                Err(_) => self.counters.rows_damaged += 1,
            }
        }
        if !gone.changes.is_empty() {
            self.save(Effect::Sweep, gone);
        }
        // A short page may be the shell's choice; an empty one is the end.
        match rows.last() {
            Some(row) => self.load_heads(&after(&row.key)),
            None => self.load_book(&[]),
        }
    }

    fn load_book(&mut self, from: &[u8]) {
        let query = Query::Range {
            table: BOOK,
            from: from.to_vec(),
            to: None,
            limit: START_PAGE_ROWS,
        };
        self.load(Effect::Book, query);
    }

    pub(super) fn on_book(&mut self, rows: &[Row]) {
        for row in rows {
            self.peers.book_mut().load(&row.key, &row.value);
        }
        match rows.last() {
            Some(row) => self.load_book(&after(&row.key)),
            None => self.run(),
        }
    }

    fn run(&mut self) {
        self.index.finish_loading();
        self.last_arrival = self.index.last_arrival();
        self.shrink();
        self.state = State::Running;
        self.welcome_waiting();
    }

    pub(super) fn fail(&mut self, error: StartError) {
        self.state = State::Failed(error);
        let links: Vec<LinkId> = self.links.keys().copied().collect();
        for link in links {
            self.bye(link, Bye::Leaving);
        }
    }

    fn welcome_waiting(&mut self) {
        let waiting: Vec<_> = self
            .links
            .iter()
            .filter_map(|(id, link)| match link.phase {
                Phase::Waiting { request, nonce } => Some((*id, request, nonce)),
                _ => None,
            })
            .collect();
        for (link, request, nonce) in waiting {
            self.welcome(link, request, &nonce);
        }
    }
}

/// The lowest key above a key.
fn after(key: &[u8]) -> Vec<u8> {
    let mut next = key.to_vec();
    next.push(0);
    next
}
