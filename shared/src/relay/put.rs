//! From Put to Stored: checks in the protocol's order, saves in batches, receipts after `Saved`.
//!
//! Invariant: an object is in the index, goes on to peers and is acknowledged only when its batch
//! is durable (who watches whole objects has seen it before); if the batch fails, what was to give
//! way to it is back.

use super::budget::Source;
use super::index::{Entry, RecordPlace};
use super::push::Push;
use super::rows::{self, HEADS};
use super::{Effect, Relay};
use crate::io::{Batch, Change, LinkId, StoreError, Token};
use crate::limits::{
    BODY_BYTES_MAX, EVICTED_PER_PUT_MAX, PENDING_BYTES_MAX, SAVE_BATCH_BYTES_MAX,
    SAVE_BATCH_OBJECTS_MAX,
};
use crate::object::{Admission, admit, record};
use crate::time::hour;
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Frame, Header, Id, Kind, Receipt, Receipts, Refused};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use core::ops::Bound;

/// Bytes of a source in its turn, times its weight.
const QUANTUM_BYTES: usize = BODY_BYTES_MAX + HEADER_BYTES;
/// Requests the store may not have answered before headers are left to reconciliation.
const EFFECTS_MAX: usize = 1_024;
/// Batches under way; while both are, the next one grows.
const BATCHES_MAX: usize = 2;

/// An object on its way to the store.
#[derive(Debug)]
struct Pending {
    arrival: u64,
    entry: Entry,
    /// header || body.
    row: Vec<u8>,
    /// Who brought it.
    from: LinkId,
    source: Source,
    /// Who waits for the receipt.
    waiters: Vec<(LinkId, u32)>,
    /// What gives way to it.
    evicted: Vec<(u64, Entry)>,
}

/// All of them, and in which batch they are.
#[derive(Debug, Default)]
pub(super) struct Puts {
    pending: BTreeMap<Id, Pending>,
    /// The newest pending record of a place.
    tags: BTreeMap<RecordPlace, Id>,
    arrivals: BTreeSet<u64>,
    bytes: usize,
    /// Not yet handed out, by where they came from.
    forming: BTreeMap<Source, VecDeque<Id>>,
    /// Whose turn it was last.
    served: Option<Source>,
    /// What each source has on its way, bytes.
    by_source: BTreeMap<Source, usize>,
    batches: BTreeMap<Token, Vec<Id>>,
}

impl Puts {
    pub fn len(&self) -> usize {
        self.pending.len()
    }

    /// Headers and bodies.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The earliest arrival that may still be added to its bucket.
    pub fn first_arrival(&self) -> Option<u64> {
        self.arrivals.first().copied()
    }

    fn add(&mut self, pending: Pending) {
        let id = pending.entry.id;
        self.bytes += pending.row.len();
        *self.by_source.entry(pending.source).or_default() += pending.row.len();
        self.arrivals.insert(pending.arrival);
        if pending.entry.kind == Kind::Record {
            self.tags.insert(pending.entry.place(), id);
        }
        self.forming
            .entry(pending.source)
            .or_default()
            .push_back(id);
        self.pending.insert(id, pending);
    }

    fn take(&mut self, id: &Id) -> Option<Pending> {
        let pending = self.pending.remove(id)?;
        self.bytes -= pending.row.len();
        if let Some(bytes) = self.by_source.get_mut(&pending.source) {
            *bytes -= pending.row.len();
            if *bytes == 0 {
                self.by_source.remove(&pending.source);
            }
        }
        self.arrivals.remove(&pending.arrival);
        if self.tags.get(&pending.entry.place()) == Some(id) {
            self.tags.remove(&pending.entry.place());
        }
        Some(pending)
    }

    /// The next batch's objects, if there are any and a batch is free.
    fn next_batch(&mut self) -> Vec<Id> {
        let mut ids = Vec::new();
        let mut bytes = 0;
        if self.batches.len() >= BATCHES_MAX {
            return ids;
        }
        // Deficit round robin: each source in its turn, a quantum of bytes at a time.
        while let Some(source) = self.next_source() {
            let mut quantum = QUANTUM_BYTES * source.quanta();
            while let Some((id, size)) = self.front(source) {
                let full = ids.len() >= SAVE_BATCH_OBJECTS_MAX
                    || bytes + size > SAVE_BATCH_BYTES_MAX && !ids.is_empty();
                if full {
                    return ids;
                }
                let Some(left) = quantum.checked_sub(size) else {
                    break;
                };
                quantum = left;
                bytes += size;
                ids.push(id);
                self.pop(source);
            }
        }
        ids
    }

    /// The source after the one that was served last.
    fn next_source(&mut self) -> Option<Source> {
        let after = |last| {
            let rest = (Bound::Excluded(last), Bound::Unbounded);
            self.forming.range::<Source, _>(rest).next()
        };
        let next = self.served.and_then(after);
        let next = next.or_else(|| self.forming.first_key_value());
        self.served = next.map(|(source, _)| *source);
        self.served
    }

    fn front(&self, source: Source) -> Option<(Id, usize)> {
        let id = *self.forming.get(&source)?.front()?;
        Some((id, self.pending.get(&id)?.row.len()))
    }

    fn pop(&mut self, source: Source) {
        if let Some(queue) = self.forming.get_mut(&source) {
            queue.pop_front();
            if queue.is_empty() {
                self.forming.remove(&source);
            }
        }
    }

    /// The newest object of whoever has most on its way, if that is more than this source would
    /// have: it gives way.
    fn heavier(&mut self, source: Source, bytes: usize) -> Option<Id> {
        let own = self.by_source.get(&source).copied().unwrap_or(0) + bytes;
        let heaviest = self.by_source.iter().max_by_key(|(_, bytes)| **bytes);
        let (heaviest, _) = heaviest.filter(|(_, bytes)| **bytes > own)?;
        let heaviest = *heaviest;
        let queue = self.forming.get_mut(&heaviest)?;
        let id = queue.pop_back();
        if queue.is_empty() {
            self.forming.remove(&heaviest);
        }
        id
    }
}

impl Relay {
    pub(super) fn on_put(
        &mut self,
        link: LinkId,
        request: u32,
        raw: &[u8; HEADER_BYTES],
        body: &[u8],
    ) {
        if !self.begin(link, request) {
            return;
        }
        self.counters.puts += 1;
        let rules = self.rules_of_puts(link, raw);
        let refusal = match admit(raw, body, &rules) {
            // Relays' descriptors are not for everybody to keep.
            Ok(header) if header.kind == Kind::Descriptor => Some((Refused::Malformed, 0)),
            Ok(header) if self.keeps(&header) => {
                self.take(link, Some(request), &header, raw, body).err()
            }
            // What a peer passes on is not passed on again.
            Ok(_) if self.peers.is_peer(link) => Some((Refused::Elsewhere, 0)),
            Ok(header) => self.pass_put((link, request), &header, raw, body).err(),
            Err(error) => Some(error.refused(&rules)),
        };
        if let Some((why, detail)) = refusal {
            self.finish(link, request);
            self.refuse(link, request, why, detail);
        }
    }

    /// What an object must be to be stored.
    pub(super) fn rules(&self) -> Admission {
        Admission {
            network: self.config.network,
            hour: hour(self.now.unix),
            effort_floor: self.config.effort_floor,
            work_divisor: self.config.work_divisor,
        }
    }

    /// Whether this relay keeps bodies of its range.
    pub(super) fn keeps(&self, header: &Header) -> bool {
        self.range().has(header.address)
    }

    /// Whether it is stored, or about to be.
    pub(super) fn has(&self, id: &Id) -> bool {
        self.index.holds(id) || self.puts.pending.contains_key(id)
    }

    /// Queues an admitted object for saving, or joins one that is the same. With a request, a
    /// receipt follows.
    pub(super) fn take(
        &mut self,
        link: LinkId,
        request: Option<u32>,
        header: &Header,
        raw: &[u8; HEADER_BYTES],
        body: &[u8],
    ) -> Result<(), (Refused, u32)> {
        let id = header.id();
        if self.index.holds(&id) {
            self.counters.puts_duplicate += 1;
            if let Some(request) = request {
                self.receipt(link, request, id);
            }
            return Ok(());
        }
        if let Some(pending) = self.puts.pending.get_mut(&id) {
            self.counters.puts_duplicate += 1;
            pending
                .waiters
                .extend(request.map(|request| (link, request)));
            return Ok(());
        }
        let version = self.record_version(header, body)?;
        let entry = Entry::new(header, version);
        let source = self.source(link);
        let bytes = HEADER_BYTES + body.len();
        let within = self.within_budget(source, &entry);
        let counts = !matches!(within, Ok(None));
        let room = match within {
            Err(wait) => Err((Refused::OverQuota, wait)),
            Ok(Some(gone)) if !gone.is_empty() => Ok(gone),
            Ok(_) => self.room_for(&entry).ok_or((Refused::StoreFull, 0)),
        };
        let is_short = counts || room.as_ref().map_or(true, |gone| !gone.is_empty());
        if is_short && request.is_some() {
            self.room_is_short(source, bytes as u64);
        }
        let gone = room?;
        while self.puts.bytes + bytes > PENDING_BYTES_MAX {
            let heavier = self.puts.heavier(source, bytes);
            let id = heavier.ok_or((Refused::OverQuota, 1))?;
            self.give_up(&id, Refused::OverQuota, 1);
        }
        let evicted = gone
            .into_iter()
            .filter_map(|at| {
                self.budgets.remove(at);
                let entry = self.index.remove(at)?;
                let hour = hour(self.now.unix);
                let dropped = &mut self.peers.dropped;
                dropped.add(hour, entry.id, entry.born(), entry.expiry);
                Some((at, entry))
            })
            .collect();
        let row = [&raw[..], body].concat();
        // Where its header has been listed before, it stays.
        let listed = self.index.arrival(&id);
        let arrival = listed.unwrap_or_else(|| self.next_arrival());
        if counts {
            self.budgets.add(source, arrival, &entry);
        }
        if listed.is_none() && entry.kind != Kind::Record {
            self.announce(true, || Push::of(arrival, &entry, row.clone()));
        }
        self.puts.add(Pending {
            arrival,
            entry,
            row,
            from: link,
            source,
            waiters: request.map(|request| (link, request)).into_iter().collect(),
            evicted,
        });
        Ok(())
    }

    /// Makes room: what gives way to an object of this effort and size, or `None` if too little
    /// would.
    pub(super) fn room_for(&self, entry: &Entry) -> Option<Vec<u64>> {
        let objects = self.index.len() + self.puts.len() as u64 + 1;
        let mut excess_objects = objects.saturating_sub(self.config.store_objects_max);
        let bytes = self.index.bytes() + self.puts.bytes() as u64 + entry.bytes();
        let mut excess_bytes = bytes.saturating_sub(self.config.store_bytes_max);
        let mut gone = Vec::new();
        let mut least = self.index.least();
        while excess_objects > 0 || excess_bytes > 0 {
            // Places outlive their objects for an hour or so; they are bounded too.
            if self.index.dead() >= self.config.store_objects_max {
                return None;
            }
            let (arrival, other) = least.next()?;
            if other.effort >= entry.effort || gone.len() >= EVICTED_PER_PUT_MAX {
                return None;
            }
            gone.push(arrival);
            excess_objects = excess_objects.saturating_sub(1);
            excess_bytes = excess_bytes.saturating_sub(other.bytes());
        }
        Some(gone)
    }

    /// The version of a record that may be kept; 0 for anything else.
    fn record_version(&self, header: &Header, body: &[u8]) -> Result<u64, (Refused, u32)> {
        if header.kind != Kind::Record {
            return Ok(0);
        }
        let record = record::check(header, body, hour(self.now.unix))
            .map_err(|_| (Refused::BadRecord, 0))?;
        let place = (header.address, header.tag);
        let pending = self.puts.tags.get(&place);
        let pending = pending.and_then(|id| self.puts.pending.get(id));
        let newest = pending
            .map(|p| &p.entry)
            .into_iter()
            .chain(self.index.record(&place).map(|(_, entry)| entry))
            .map(Entry::version)
            .max();
        if newest.is_some_and(|newest| record.version <= newest) {
            return Err((Refused::OldRecord, 0));
        }
        Ok(record.version)
    }

    /// Keeps the headers of objects whose bodies others keep, as long as they are not more than
    /// half of all there may be. Lost ones are found again by reconciliation: nothing waits for the
    /// disk.
    pub(super) fn take_headers(&mut self, headers: &[(Header, [u8; HEADER_BYTES])]) {
        let mut batch = Batch::default();
        if self.effects.len() > EFFECTS_MAX {
            // The store is slow or opened anew.
            return;
        }
        for (header, raw) in headers {
            let id = header.id();
            let full = self.index.unheld() as u64 >= self.config.store_objects_max / 2
                || self.index.len() >= self.config.store_objects_max;
            let known = self.index.contains(&id)
                || self.puts.pending.contains_key(&id)
                // It gives way just now; or it did, and would only be borrowed.
                || self.peers.dropped.has(hour(self.now.unix), &id);
            if full || known {
                continue;
            }
            let entry = Entry::unheld(header);
            let arrival = self.next_arrival();
            batch.changes.push(Change::Put {
                table: HEADS,
                key: rows::key(arrival, &entry),
                value: rows::head(raw, 0, false),
            });
            self.counters.headers_kept += 1;
            self.index.insert(arrival, entry);
            self.announce_header(arrival, entry.scan);
        }
        if !batch.changes.is_empty() {
            self.save(Effect::Sweep, batch);
        }
    }

    /// An object that nobody has the body of is listed no more.
    pub(super) fn forget_header(&mut self, entry: &Entry) {
        let arrival = self.index.arrival(&entry.id);
        let unheld = arrival.filter(|at| self.index.at(*at).is_some_and(|entry| !entry.held));
        // The row of one that is being saved is to stay.
        if let Some(arrival) = unheld.filter(|_| !self.has(&entry.id)) {
            self.index.remove(arrival);
            self.forget_row(arrival, entry);
        }
    }

    /// What gave way, was put again and is back has a second row, which nobody needs.
    fn forget_double(&mut self, arrival: u64, entry: &Entry) {
        let kept = self.index.arrival(&entry.id);
        if kept.is_some_and(|kept| kept != arrival) {
            self.budgets.remove(arrival);
            self.forget_row(arrival, entry);
        }
    }

    fn forget_row(&mut self, arrival: u64, entry: &Entry) {
        let mut batch = Batch::default();
        rows::delete(&mut batch, arrival, entry);
        self.save(Effect::Sweep, batch);
    }

    /// Of what is stored already.
    fn receipt(&mut self, link: LinkId, request: u32, id: Id) {
        let receipt = Receipt::sign(&self.config.node_key, id, self.now.unix);
        self.say_stored(link, request, receipt);
    }

    fn say_stored(&mut self, link: LinkId, request: u32, receipt: Receipt<'_>) {
        if !self.finish(link, request) {
            return;
        }
        self.counters.stored += 1;
        let node_key = *self.config.node_key.public().as_bytes();
        let stored = Frame::Stored { receipt, node_key };
        self.send(link, request, &stored);
    }

    /// Hands out what has gathered.
    pub(super) fn save_formed(&mut self) {
        loop {
            let ids = self.puts.next_batch();
            if ids.is_empty() {
                return;
            }
            let mut batch = Batch {
                durable: true,
                changes: Vec::with_capacity(ids.len() * 2),
            };
            for pending in ids.iter().filter_map(|id| self.puts.pending.get(id)) {
                self.add_changes(&mut batch, pending);
            }
            let token = self.save(Effect::Objects, batch);
            self.puts.batches.insert(token, ids);
        }
    }

    fn add_changes(&self, batch: &mut Batch, pending: &Pending) {
        let entry = &pending.entry;
        for (arrival, evicted) in &pending.evicted {
            rows::delete(batch, *arrival, evicted);
        }
        if let Some((arrival, older)) = self.index.record(&entry.place())
            && entry.kind == Kind::Record
            && older.version() < entry.version()
        {
            rows::delete(batch, arrival, older);
        }
        let rows = rows::object(pending.arrival, entry, pending.row.clone());
        batch.changes.extend(rows);
    }

    pub(super) fn on_saved(&mut self, token: Token) {
        let ids = self.puts.batches.remove(&token).unwrap_or_default();
        let saved: Vec<Pending> = ids.iter().filter_map(|id| self.puts.take(id)).collect();
        let awaited = saved.iter().filter(|pending| !pending.waiters.is_empty());
        let awaited = awaited.map(|pending| pending.entry.id).collect();
        let receipts = Receipts::sign(&self.config.node_key, awaited, self.now.unix);
        let (mut place, mut siblings) = (0, Vec::new());
        for pending in saved {
            let id = pending.entry.id;
            self.counters.evicted += pending.evicted.len() as u64;
            self.peers.dropped.remove(&id);
            let listed = self.index.contains(&id);
            self.index.hold(pending.arrival);
            let (_, loser) = self.index.insert(pending.arrival, pending.entry);
            let stays = loser.is_none_or(|(at, _)| at != pending.arrival);
            if let Some((at, loser)) = loser {
                self.counters.replaced += 1;
                self.budgets.remove(at);
                // Its row is still there if it was itself on its way when this one was handed out.
                self.forget_row(at, &loser);
            } else {
                self.forget_double(pending.arrival, &pending.entry);
            }
            if !pending.waiters.is_empty()
                && let Some(receipts) = &receipts
                && let Some(receipt) = receipts.of(place, &mut siblings)
            {
                place += 1;
                for (link, request) in pending.waiters {
                    self.say_stored(link, request, receipt);
                }
            }
            if stays {
                self.spread(id, &pending.row, Some(pending.from));
            }
            if pending.entry.kind != Kind::Record && !listed {
                let push = Push::of(pending.arrival, &pending.entry, pending.row);
                self.announce_durable(pending.arrival, push);
            }
        }
    }

    pub(super) fn on_save_failed(&mut self, token: Token, error: StoreError) {
        self.counters.saves_failed += 1;
        let why = match error {
            StoreError::Full => Refused::StoreFull,
            StoreError::Unavailable | StoreError::Emptied => Refused::StoreFailed,
        };
        for id in self.puts.batches.remove(&token).unwrap_or_default() {
            self.give_up(&id, why, 0);
        }
    }

    /// An object is not stored after all: what gave way to it is back, and who waits is told.
    fn give_up(&mut self, id: &Id, why: Refused, detail: u32) {
        let Some(pending) = self.puts.take(id) else {
            return;
        };
        self.budgets.remove(pending.arrival);
        for (arrival, entry) in pending.evicted {
            self.peers.dropped.remove(&entry.id);
            // Its header may have been told meanwhile.
            let listed = self.index.arrival(&entry.id);
            if let Some(listed) = listed.filter(|_| !self.index.holds(&entry.id)) {
                self.index.remove(listed);
                self.forget_row(listed, &entry);
            }
            // Of two versions of a record the newer one stays.
            if let (_, Some((at, loser))) = self.index.insert(arrival, entry) {
                self.budgets.remove(at);
                self.forget_row(at, &loser);
            }
            self.forget_double(arrival, &entry);
        }
        for (link, request) in pending.waiters {
            if self.finish(link, request) {
                self.refuse(link, request, why, detail);
            }
        }
    }
}
