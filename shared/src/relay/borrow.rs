//! Bodies that others keep: lent by a peer for the time of an answer. PROTOCOL.md section 12.
//!
//! Invariant: an answer is complete, in its order, or refused; a client is never told that a bucket
//! ends where only a body could not be had.

use super::budget::Source;
use super::index::Entry;
use super::read::Read;
use super::{Effect, Relay, rows};
use crate::io::{LinkId, Query, Row, Token};
use crate::limits::{BORROWS_MAX, WANT_IDS_MAX};
use crate::time::Millis;
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Frame, Header, Id};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// How long a peer may take.
const LENT_MS: Millis = 3_000;
/// Peers that are asked in turn.
const TRIES: u8 = 3;

/// A read that waits for bodies.
#[derive(Debug)]
struct Waiting {
    read: Read,
    source: Source,
    rows: Vec<Row>,
    /// What the store has not answered yet.
    loading: Option<Token>,
    missing: BTreeMap<Id, Missing>,
    tries: u8,
    until: Millis,
}

/// One of the bodies.
#[derive(Debug)]
struct Missing {
    arrival: u64,
    entry: Entry,
    asked: Vec<LinkId>,
}

/// All of them, by the client's link: it has one read at a time.
#[derive(Debug, Default)]
pub(super) struct Borrows {
    waiting: BTreeMap<LinkId, Waiting>,
    wanted: BTreeMap<Id, BTreeSet<LinkId>>,
}

impl Borrows {
    pub fn next_time(&self) -> Millis {
        let times = self.waiting.values().map(|waiting| waiting.until);
        times.min().unwrap_or(Millis::MAX)
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there is room for one more of a source: it has no more than is free, so that who
    /// comes later finds room.
    pub fn has_room(&self, source: Source) -> bool {
        let own = self.waiting.values().filter(|w| w.source == source);
        own.count() < BORROWS_MAX.saturating_sub(self.waiting.len())
    }

    pub fn is_wanted(&self, id: &Id) -> bool {
        self.wanted.contains_key(id)
    }

    fn take(&mut self, link: LinkId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&link)?;
        for id in waiting.missing.keys() {
            if let Some(links) = self.wanted.get_mut(id) {
                links.remove(&link);
                if links.is_empty() {
                    self.wanted.remove(id);
                }
            }
        }
        Some(waiting)
    }
}

impl Relay {
    /// Loads what is here, and asks peers for what is not.
    pub(super) fn read_and_borrow(&mut self, read: Read, missing: Vec<(u64, Entry)>) {
        let link = read.link;
        let here: Vec<Vec<u8>> = {
            let keys = missing.iter().map(|(at, entry)| rows::key(*at, entry));
            let elsewhere: BTreeSet<Vec<u8>> = keys.collect();
            let keys = read.keys.iter().filter(|key| !elsewhere.contains(*key));
            keys.cloned().collect()
        };
        for (_, entry) in &missing {
            self.borrows
                .wanted
                .entry(entry.id)
                .or_default()
                .insert(link);
        }
        self.counters.borrowed += missing.len() as u64;
        let source = self.source(link);
        let loading = (!here.is_empty()).then(|| {
            let table = rows::BODIES;
            self.load(Effect::Borrow(link), Query::Keys { table, keys: here })
        });
        let missing = missing.into_iter().map(|(arrival, entry)| {
            let missing = Missing {
                arrival,
                entry,
                asked: Vec::new(),
            };
            (entry.id, missing)
        });
        let waiting = Waiting {
            read,
            source,
            rows: Vec::new(),
            loading,
            missing: missing.collect(),
            tries: 0,
            until: 0,
        };
        self.borrows.waiting.insert(link, waiting);
        self.ask_to_lend(link);
    }

    fn ask_to_lend(&mut self, link: LinkId) {
        let now = self.now.mono;
        let Some(waiting) = self.borrows.waiting.get_mut(&link) else {
            return;
        };
        waiting.tries += 1;
        waiting.until = now + LENT_MS;
        let mut wants: BTreeMap<LinkId, Vec<[u8; 32]>> = BTreeMap::new();
        for (id, missing) in &mut waiting.missing {
            let mut lenders = self.peers.keeping(missing.entry.address);
            lenders.retain(|lender| {
                let congested = self.links.get(lender).is_none_or(|state| state.congested);
                !congested && !missing.asked.contains(lender)
            });
            if let Some(lender) = self.rng.choose(&lenders) {
                wants.entry(*lender).or_default().push(id.0);
                missing.asked.push(*lender);
            }
        }
        for (lender, ids) in wants {
            self.peers.use_of(lender, now);
            for ids in ids.chunks(WANT_IDS_MAX) {
                self.send(lender, 0, &Frame::Want { ids });
            }
        }
    }

    /// A peer lends an object, which was checked.
    pub(super) fn on_lent(&mut self, header: &Header, raw: &[u8; HEADER_BYTES], body: &[u8]) {
        let id = header.id();
        for link in self.borrows.wanted.remove(&id).unwrap_or_default() {
            let Some(waiting) = self.borrows.waiting.get_mut(&link) else {
                continue;
            };
            if let Some(missing) = waiting.missing.remove(&id) {
                let value = [&raw[..], body].concat();
                let key = rows::key(missing.arrival, &missing.entry);
                waiting.rows.push(Row { key, value });
            }
            self.end_borrow(link);
        }
    }

    /// What is here was read.
    pub(super) fn on_borrow_read(&mut self, link: LinkId, token: Token, rows: Vec<Row>) {
        // An earlier one, which was given up, may have been answered late.
        let waiting = self.borrows.waiting.get_mut(&link);
        if let Some(waiting) = waiting.filter(|w| w.loading == Some(token)) {
            waiting.rows.extend(rows);
            waiting.loading = None;
            self.end_borrow(link);
        }
    }

    pub(super) fn on_borrow_failed(&mut self, link: LinkId, token: Token) {
        let waiting = self.borrows.waiting.get(&link);
        if waiting.is_some_and(|w| w.loading == Some(token))
            && let Some(waiting) = self.borrows.take(link)
        {
            self.on_read_failed(&waiting.read);
        }
    }

    fn end_borrow(&mut self, link: LinkId) {
        let waiting = self.borrows.waiting.get(&link);
        if waiting.is_some_and(|w| w.loading.is_none() && w.missing.is_empty())
            && let Some(waiting) = self.borrows.take(link)
        {
            self.on_read(waiting.read, waiting.rows);
        }
    }

    /// What was not lent in time is asked of others; then the answer is refused, and what nobody
    /// lends is listed no more.
    pub(super) fn borrows_on_time(&mut self) {
        let now = self.now.mono;
        if self.borrows.next_time() > now {
            return;
        }
        let late = self.borrows.waiting.iter().filter(|(_, w)| w.until <= now);
        let late: Vec<LinkId> = late.map(|(link, _)| *link).collect();
        for link in late {
            let waiting = self.borrows.waiting.get(&link);
            if waiting.is_some_and(|w| w.tries < TRIES && !w.missing.is_empty()) {
                self.ask_to_lend(link);
                continue;
            }
            let Some(waiting) = self.borrows.take(link) else {
                continue;
            };
            self.counters.borrowed_in_vain += waiting.missing.len() as u64;
            // What cannot be had would hold up all that lies beside it. It is told again by who has
            // it; so is what its keepers had no time to lend.
            for missing in waiting.missing.values() {
                let keeping = self.peers.keeping(missing.entry.address);
                let unasked = |keeper: &LinkId| !missing.asked.contains(keeper);
                if missing.asked.len() >= TRIES.into() || !keeping.iter().any(unasked) {
                    self.forget_header(&missing.entry);
                }
            }
            self.on_read_failed(&waiting.read);
        }
    }

    /// A client is gone, and what it waited for.
    pub(super) fn forget_borrow(&mut self, link: LinkId) {
        if self.borrows.take(link).is_some() {
            self.reads -= 1;
        }
    }
}
