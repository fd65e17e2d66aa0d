//! What a relay keeps in memory of what it stores: everything but bodies, 150 bytes an object.
//!
//! Invariant: an object is named by its arrival, which is unique; every other index leads to
//! arrivals, and all of them change together in `insert` and `remove`.
//!
//! Objects lie in the ten minutes of their arrival, in vectors in that order: no tree holds more
//! than a few words of each. In there arrivals are counted from the start of the ten minutes: half
//! a word instead of one, a million times.

use crate::wire::header::HEADER_BYTES;
use crate::wire::{Header, Id, Kind, Lifetime, ScanRecord, SizeClass};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Microseconds in a bucket.
const BUCKET_US: u64 = 600_000_000;

/// The bucket of an arrival.
pub(super) fn bucket_of(arrival_us: u64) -> u32 {
    u32::try_from(arrival_us / BUCKET_US).unwrap_or(u32::MAX)
}

/// Where a bucket begins, microseconds.
fn start_of(bucket: u32) -> u64 {
    u64::from(bucket) * BUCKET_US
}

/// Microseconds from the start of a bucket to an arrival in it.
fn offset(arrival: u64) -> u32 {
    offset_in(bucket_of(arrival), arrival)
}

/// The same; what is before the bucket is at its start, what is behind it stays behind it.
fn offset_in(bucket: u32, arrival: u64) -> u32 {
    u32::try_from(arrival.saturating_sub(start_of(bucket))).unwrap_or(u32::MAX)
}

/// A body hash as two halves, so that it and an offset take three words of 32 bits and no more.
type HalvedHash = [u32; 2];

fn halved(hash: u64) -> HalvedHash {
    [(hash >> 32) as u32, hash as u32]
}

fn joined([high, low]: HalvedHash) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// Where a record lies: its address and tag.
pub(super) type RecordPlace = (u32, [u8; 16]);

/// The shape of an object that is no more, whose place stays. No size has the code 15.
const GONE: u8 = 0xff;

/// One object, in 76 bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: Id,
    pub scan: ScanRecord,
    /// Of a record. As bytes, which need no padding to lie at a multiple of eight.
    version: [u8; 8],
    pub expiry: u32,
    /// Size and lifetime, in a nibble each, or [`GONE`].
    shape: u8,
    pub address: u32,
    pub kind: Kind,
    pub effort: u8,
    /// Its body is here. Others keep those of other ranges.
    pub held: bool,
}
const _: () = assert!(size_of::<(u32, Entry)>() == 80);

impl Entry {
    pub fn new(header: &Header, version: u64) -> Self {
        Entry {
            id: header.id(),
            scan: ScanRecord::of(header),
            version: version.to_ne_bytes(),
            expiry: header.expiry,
            shape: header.size.code() << 4 | header.lifetime.code(),
            address: header.address,
            kind: header.kind,
            effort: header.effort,
            held: true,
        }
    }

    /// The same, without its body.
    pub fn unheld(header: &Header) -> Self {
        Entry {
            held: false,
            ..Entry::new(header, 0)
        }
    }

    /// Of a record; else 0.
    pub fn version(&self) -> u64 {
        u64::from_ne_bytes(self.version)
    }

    fn is_gone(&self) -> bool {
        self.shape == GONE
    }

    /// What it takes of the quota.
    pub fn bytes(&self) -> u64 {
        let body = if self.held { self.body_bytes() } else { 0 };
        body + HEADER_BYTES as u64
    }

    /// Where it lies among records.
    pub fn place(&self) -> RecordPlace {
        (self.address, self.scan.tag)
    }

    pub fn body_bytes(&self) -> u64 {
        SizeClass::new(self.shape >> 4).map_or(0, |size| size.bytes() as u64)
    }

    /// The hour in which it was made: its expiry less its lifetime.
    pub fn born(&self) -> u32 {
        let lifetime = Lifetime::new(self.shape & 0x0f);
        let hours = lifetime.map_or(0, Lifetime::hours);
        self.expiry.saturating_sub(hours)
    }
}

/// Objects and their offsets in a bucket, in that order but while they are loaded.
#[derive(Debug, Default)]
struct Slots(Vec<(u32, Entry)>);

impl Slots {
    fn find(&self, at: u32, loading: bool) -> Option<usize> {
        if loading {
            self.0.iter().position(|(offset, _)| *offset == at)
        } else {
            self.0.binary_search_by_key(&at, |(offset, _)| *offset).ok()
        }
    }

    fn get(&self, at: u32, loading: bool) -> Option<&Entry> {
        let (_, entry) = self.0.get(self.find(at, loading)?)?;
        (!entry.is_gone()).then_some(entry)
    }

    fn get_mut(&mut self, at: u32, loading: bool) -> Option<&mut Entry> {
        let found = self.find(at, loading)?;
        let (_, entry) = self.0.get_mut(found)?;
        (!entry.is_gone()).then_some(entry)
    }

    /// True if its place was there already.
    fn put(&mut self, at: u32, entry: Entry, loading: bool) -> bool {
        let in_order = self.0.last().is_none_or(|(last, _)| *last < at);
        if in_order || loading {
            self.0.push((at, entry));
            return false;
        }
        // What comes back after a failed eviction, or was saved in another order.
        let found = self.0.binary_search_by_key(&at, |(offset, _)| *offset);
        match found {
            Ok(found) => {
                if let Some((_, place)) = self.0.get_mut(found) {
                    *place = entry;
                }
                true
            }
            Err(free) => {
                self.0.insert(free, (at, entry));
                false
            }
        }
    }

    fn take(&mut self, at: u32, loading: bool) -> Option<Entry> {
        let found = self.find(at, loading)?;
        let (_, entry) = self.0.get_mut(found)?;
        let before = *entry;
        entry.shape = GONE;
        (!before.is_gone()).then_some(before)
    }

    /// Forgets the places of what is gone; how many there were.
    fn compact(&mut self) -> u64 {
        let before = self.0.len();
        self.0.retain(|(_, entry)| !entry.is_gone());
        self.0.shrink_to_fit();
        (before - self.0.len()) as u64
    }
}

/// The arrivals of ten minutes.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// What is listed. What was removed keeps its place, so that positions stay good.
    list: Slots,
    /// Records, which are not.
    records: Slots,
    by_hash: BTreeSet<(HalvedHash, u32)>,
    /// Sum of the bodies still there.
    pub body_bytes: u64,
}

impl Bucket {
    /// Positions, those of removed objects included.
    pub fn total(&self) -> usize {
        self.list.0.len()
    }

    /// Scan records from a position on.
    pub fn from(&self, first: usize) -> impl Iterator<Item = &ScanRecord> {
        self.list.0.iter().skip(first).map(|(_, entry)| &entry.scan)
    }

    fn slots(&mut self, kind: Kind) -> &mut Slots {
        match kind {
            Kind::Record => &mut self.records,
            _ => &mut self.list,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    buckets: BTreeMap<u32, Bucket>,
    /// The first 8 bytes of ids. Two objects may share them.
    by_id: BTreeSet<(u64, u64)>,
    /// What expired is found here at its hour; what went before is passed over.
    by_expiry: BTreeMap<u32, Vec<u64>>,
    by_effort: BTreeMap<u8, BTreeSet<u64>>,
    records: BTreeMap<RecordPlace, u64>,
    objects: u64,
    /// Of which only the header is here.
    unheld: BTreeSet<u64>,
    bytes: u64,
    /// Places in buckets of objects that are gone.
    dead: u64,
    last_arrival: u64,
    /// Arrivals come in any order, until `finish_loading`.
    loading: bool,
}

impl Index {
    /// An index to be filled from the store, then made ready by `finish_loading`.
    pub fn loading() -> Self {
        Index {
            loading: true,
            ..Index::default()
        }
    }

    pub fn finish_loading(&mut self) {
        self.loading = false;
        for bucket in self.buckets.values_mut() {
            for slots in [&mut bucket.list, &mut bucket.records] {
                slots.0.sort_unstable_by_key(|(offset, _)| *offset);
                slots.0.shrink_to_fit();
            }
        }
    }

    pub fn len(&self) -> u64 {
        self.objects
    }

    /// Places in buckets that are remembered for objects that are gone.
    pub fn dead(&self) -> u64 {
        self.dead
    }

    pub fn records_len(&self) -> u64 {
        self.records.len() as u64
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn last_arrival(&self) -> u64 {
        self.last_arrival
    }

    /// Objects of which only the header is here.
    pub fn unheld(&self) -> usize {
        self.unheld.len()
    }

    pub fn contains(&self, id: &Id) -> bool {
        self.arrival(id).is_some()
    }

    /// Whether its body is here.
    pub fn holds(&self, id: &Id) -> bool {
        let entry = self.arrival(id).and_then(|arrival| self.at(arrival));
        entry.is_some_and(|entry| entry.held)
    }

    /// The body of an object has come, of which the header was here.
    pub fn hold(&mut self, arrival: u64) {
        let loading = self.loading;
        let bucket = self.buckets.get_mut(&bucket_of(arrival));
        let Some(entry) = bucket.and_then(|b| b.list.get_mut(offset(arrival), loading)) else {
            return;
        };
        if !core::mem::replace(&mut entry.held, true) {
            self.bytes += entry.body_bytes();
            self.unheld.remove(&arrival);
            let effort = self.by_effort.entry(entry.effort).or_default();
            effort.insert(arrival);
        }
    }

    pub fn arrival(&self, id: &Id) -> Option<u64> {
        let short = id.short();
        let same = self.by_id.range((short, 0)..=(short, u64::MAX));
        let is_it = |arrival: &u64| self.at(*arrival).is_some_and(|entry| entry.id == *id);
        same.map(|(_, arrival)| *arrival).find(is_it)
    }

    pub fn at(&self, arrival: u64) -> Option<&Entry> {
        let bucket = self.buckets.get(&bucket_of(arrival))?;
        let at = offset(arrival);
        let listed = bucket.list.get(at, self.loading);
        listed.or_else(|| bucket.records.get(at, self.loading))
    }

    fn is_taken(&self, arrival: u64) -> bool {
        // While loading, places can't be searched.
        let mut held = self.by_effort.values();
        held.any(|a| a.contains(&arrival)) || self.unheld.contains(&arrival)
    }

    /// Every object and its arrival.
    pub fn each(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.buckets.iter().flat_map(|(bucket, slots)| {
            let all = slots.list.0.iter().chain(&slots.records.0);
            let live = all.filter(|(_, entry)| !entry.is_gone());
            live.map(|(offset, entry)| (start_of(*bucket) + u64::from(*offset), entry))
        })
    }

    /// The record of a place, and its arrival.
    pub fn record(&self, place: &RecordPlace) -> Option<(u64, &Entry)> {
        let arrival = *self.records.get(place)?;
        Some((arrival, self.at(arrival)?))
    }

    pub fn bucket(&self, bucket: u32) -> Option<&Bucket> {
        self.buckets.get(&bucket)
    }

    /// Adds an object; of two records with one tag the higher version stays and the other is
    /// returned, with its arrival. False: the id or the arrival is there already, or the arrival is
    /// none of this age of the world; nothing changed.
    pub fn insert(&mut self, arrival: u64, entry: Entry) -> (bool, Option<(u64, Entry)>) {
        let at = bucket_of(arrival);
        if at == u32::MAX || self.contains(&entry.id) || self.is_taken(arrival) {
            return (false, None);
        }
        let mut replaced = None;
        if entry.kind == Kind::Record {
            let other = self.records.get(&entry.place()).copied();
            if let Some((place, other)) = other.and_then(|at| Some((at, *self.at(at)?))) {
                if other.version() >= entry.version() {
                    return (true, Some((arrival, entry)));
                }
                replaced = self.remove(place).map(|older| (place, older));
            }
            self.records.insert(entry.place(), arrival);
        }
        if !self.loading && !self.buckets.contains_key(&at) {
            // The one before has its last object.
            if let Some(mut last) = self.buckets.last_entry() {
                last.get_mut().list.0.shrink_to_fit();
                last.get_mut().records.0.shrink_to_fit();
            }
        }
        let bucket = self.buckets.entry(at).or_default();
        let slots = bucket.slots(entry.kind);
        if slots.put(offset(arrival), entry, self.loading) && entry.kind != Kind::Record {
            self.dead -= 1;
        }
        if entry.kind != Kind::Record {
            let hash = halved(entry.scan.hash_key());
            bucket.by_hash.insert((hash, offset(arrival)));
            bucket.body_bytes += entry.body_bytes();
        }
        self.by_id.insert((entry.id.short(), arrival));
        self.by_expiry
            .entry(entry.expiry)
            .or_default()
            .push(arrival);
        if entry.held {
            let effort = self.by_effort.entry(entry.effort).or_default();
            effort.insert(arrival);
        } else {
            self.unheld.insert(arrival);
        }
        self.bytes += entry.bytes();
        self.objects += 1;
        self.last_arrival = self.last_arrival.max(arrival);
        (true, replaced)
    }

    pub fn remove(&mut self, arrival: u64) -> Option<Entry> {
        let kind = self.at(arrival)?.kind;
        let bucket = self.buckets.get_mut(&bucket_of(arrival))?;
        let entry = bucket.slots(kind).take(offset(arrival), self.loading)?;
        self.by_id.remove(&(entry.id.short(), arrival));
        if let Some(arrivals) = self.by_effort.get_mut(&entry.effort) {
            arrivals.remove(&arrival);
            if arrivals.is_empty() {
                self.by_effort.remove(&entry.effort);
            }
        }
        self.bytes -= entry.bytes();
        self.objects -= 1;
        self.unheld.remove(&arrival);
        if entry.kind == Kind::Record {
            if self.records.get(&entry.place()) == Some(&arrival) {
                self.records.remove(&entry.place());
            }
            return Some(entry);
        }
        let hash = halved(entry.scan.hash_key());
        bucket.by_hash.remove(&(hash, offset(arrival)));
        bucket.body_bytes -= entry.body_bytes();
        self.dead += 1;
        Some(entry)
    }

    /// Removes what expires at `hour` or before, and forgets the places of what is gone from
    /// buckets before `old`. Returns how many expired.
    pub fn expire(&mut self, hour: u32, old: u32) -> u64 {
        let mut expired = 0;
        while let Some(first) = self.by_expiry.first_entry() {
            if *first.key() > hour {
                break;
            }
            for arrival in first.remove() {
                let is_due = self.at(arrival).is_some_and(|entry| entry.expiry <= hour);
                if is_due && self.remove(arrival).is_some() {
                    expired += 1;
                }
            }
        }
        for bucket in self.buckets.range_mut(..old).map(|(_, b)| b) {
            if bucket.list.0.len() > bucket.by_hash.len() {
                self.dead -= bucket.list.compact();
            }
            bucket.records.compact();
        }
        self.buckets
            .retain(|at, b| *at >= old || !(b.list.0.is_empty() && b.records.0.is_empty()));
        expired
    }

    /// Objects that are held, in the order in which they give way: least effort first, then oldest.
    pub fn least(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let arrivals = self.by_effort.values().flatten();
        arrivals.filter_map(|arrival| Some((*arrival, self.at(*arrival)?)))
    }

    /// Objects of which only the header is here, the oldest first.
    pub fn headers(&self) -> impl Iterator<Item = (u64, &Entry)> {
        let arrivals = self.unheld.iter();
        arrivals.filter_map(|arrival| Some((*arrival, self.at(*arrival)?)))
    }

    /// The next object of a bucket at or after a place in the order of body hashes, up to a highest
    /// hash.
    pub fn next_in_bucket(
        &self,
        bucket: u32,
        from: (u64, u64),
        last: u64,
    ) -> Option<((u64, u64), &Entry)> {
        let (from, last) = (
            (halved(from.0), offset_in(bucket, from.1)),
            (halved(last), u32::MAX),
        );
        let by_hash = &self.buckets.get(&bucket)?.by_hash;
        let (hash, offset) = *by_hash.range(from..=last).next()?;
        let arrival = start_of(bucket) + u64::from(offset);
        Some(((joined(hash), arrival), self.at(arrival)?))
    }

    /// The next record at or after a place, up to a last one.
    pub fn next_record(&self, from: RecordPlace, last: RecordPlace) -> Option<(u64, &Entry)> {
        let (_, arrival) = self.records.range(from..=last).next()?;
        Some((*arrival, self.at(*arrival)?))
    }
}
