//! What a relay keeps in memory of what it stores: everything but bodies.
//!
//! Invariant: an object is named by its arrival, which is unique; every other index leads to
//! arrivals, and all of them change together in `insert` and `remove`.

use crate::wire::header::HEADER_BYTES;
use crate::wire::{Header, Id, Kind, ScanRecord};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Microseconds in a bucket.
const BUCKET_US: u64 = 600_000_000;

/// The bucket of an arrival.
pub(super) fn bucket_of(arrival_us: u64) -> u32 {
    u32::try_from(arrival_us / BUCKET_US).unwrap_or(u32::MAX)
}

/// One object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub id: Id,
    pub scan: ScanRecord,
    pub expiry: u32,
    /// The hour in which it was made: its expiry less its lifetime.
    pub born: u32,
    /// Bytes of the body.
    pub body_bytes: u32,
    pub kind: Kind,
    pub effort: u8,
    /// Of a record.
    pub version: u64,
}

impl Entry {
    pub fn new(header: &Header, version: u64) -> Self {
        Entry {
            id: header.id(),
            scan: ScanRecord::of(header),
            expiry: header.expiry,
            born: header.expiry.saturating_sub(header.lifetime.hours()),
            body_bytes: header.size.bytes() as u32,
            kind: header.kind,
            effort: header.effort,
            version,
        }
    }

    /// What it takes of the quota.
    pub fn bytes(&self) -> u64 {
        u64::from(self.body_bytes) + HEADER_BYTES as u64
    }
}

/// The arrivals of ten minutes.
#[derive(Debug, Default)]
pub(super) struct Bucket {
    /// In order of arrival. What was removed keeps its place, so that positions stay good.
    list: Vec<(u64, ScanRecord)>,
    by_hash: BTreeSet<(u64, u64)>,
    /// Sum of the bodies still there.
    pub body_bytes: u64,
}

impl Bucket {
    /// Positions, those of removed objects included.
    pub fn total(&self) -> usize {
        self.list.len()
    }

    /// Scan records from a position on.
    pub fn from(&self, first: usize) -> impl Iterator<Item = &ScanRecord> {
        self.list.iter().skip(first).map(|(_, scan)| scan)
    }
}

#[derive(Debug, Default)]
pub(super) struct Index {
    objects: BTreeMap<u64, Entry>,
    by_id: BTreeMap<Id, u64>,
    by_expiry: BTreeSet<(u32, u64)>,
    by_effort: BTreeSet<(u8, u64)>,
    buckets: BTreeMap<u32, Bucket>,
    records: BTreeMap<[u8; 16], u64>,
    bytes: u64,
    /// Places in buckets of objects that are gone.
    dead: u64,
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
            bucket.list.sort_unstable_by_key(|(a, _)| *a);
        }
    }

    pub fn len(&self) -> u64 {
        self.objects.len() as u64
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
        self.objects.last_key_value().map_or(0, |(a, _)| *a)
    }

    pub fn contains(&self, id: &Id) -> bool {
        self.by_id.contains_key(id)
    }

    pub fn arrival(&self, id: &Id) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    pub fn at(&self, arrival: u64) -> Option<&Entry> {
        self.objects.get(&arrival)
    }

    /// Of every object the hours in which it was made and expires, its id and its arrival.
    pub fn born(&self) -> impl Iterator<Item = (u32, u32, Id, u64)> {
        let objects = self.objects.iter();
        objects.map(|(arrival, entry)| (entry.born, entry.expiry, entry.id, *arrival))
    }

    pub fn record(&self, tag: &[u8; 16]) -> Option<&Entry> {
        self.objects.get(self.records.get(tag)?)
    }

    pub fn bucket(&self, bucket: u32) -> Option<&Bucket> {
        self.buckets.get(&bucket)
    }

    /// Adds an object; of two records with one tag the higher version stays and the other is
    /// returned. False: the id or the arrival is there already, nothing changed.
    pub fn insert(&mut self, arrival: u64, entry: Entry) -> (bool, Option<Entry>) {
        if self.by_id.contains_key(&entry.id) || self.objects.contains_key(&arrival) {
            return (false, None);
        }
        let mut replaced = None;
        if entry.kind == Kind::Record {
            if let Some((at, other)) = self.record_at(&entry.scan.tag) {
                if other.version >= entry.version {
                    return (true, Some(entry));
                }
                replaced = self.remove(at);
            }
            self.records.insert(entry.scan.tag, arrival);
        } else {
            self.insert_in_bucket(arrival, &entry);
        }
        self.by_id.insert(entry.id, arrival);
        self.by_expiry.insert((entry.expiry, arrival));
        self.by_effort.insert((entry.effort, arrival));
        self.bytes += entry.bytes();
        self.objects.insert(arrival, entry);
        (true, replaced)
    }

    fn record_at(&self, tag: &[u8; 16]) -> Option<(u64, Entry)> {
        let at = *self.records.get(tag)?;
        Some((at, *self.objects.get(&at)?))
    }

    fn insert_in_bucket(&mut self, arrival: u64, entry: &Entry) {
        let bucket = self.buckets.entry(bucket_of(arrival)).or_default();
        let in_order = bucket.list.last().is_none_or(|(last, _)| *last < arrival);
        if in_order || self.loading {
            bucket.list.push((arrival, entry.scan));
        } else {
            // Only what comes back after a failed eviction.
            match bucket.list.binary_search_by_key(&arrival, |(a, _)| *a) {
                Ok(_) => self.dead -= 1,
                Err(at) => bucket.list.insert(at, (arrival, entry.scan)),
            }
        }
        bucket.by_hash.insert((entry.scan.hash_key(), arrival));
        bucket.body_bytes += u64::from(entry.body_bytes);
    }

    pub fn remove(&mut self, arrival: u64) -> Option<Entry> {
        let entry = self.objects.remove(&arrival)?;
        self.by_id.remove(&entry.id);
        self.by_expiry.remove(&(entry.expiry, arrival));
        self.by_effort.remove(&(entry.effort, arrival));
        self.bytes -= entry.bytes();
        if entry.kind == Kind::Record {
            if self.records.get(&entry.scan.tag) == Some(&arrival) {
                self.records.remove(&entry.scan.tag);
            }
            return Some(entry);
        }
        let at = bucket_of(arrival);
        if let Some(bucket) = self.buckets.get_mut(&at) {
            bucket.by_hash.remove(&(entry.scan.hash_key(), arrival));
            bucket.body_bytes -= u64::from(entry.body_bytes);
            self.dead += 1;
        }
        Some(entry)
    }

    /// Removes what expires at `hour` or before, and forgets the places of what is gone from
    /// buckets before `old`. Returns how many expired.
    pub fn expire(&mut self, hour: u32, old: u32) -> u64 {
        let mut expired = 0;
        while let Some(&(expiry, arrival)) = self.by_expiry.first() {
            if expiry > hour {
                break;
            }
            self.remove(arrival);
            expired += 1;
        }
        for bucket in self.buckets.range_mut(..old).map(|(_, b)| b) {
            let before = bucket.list.len();
            if before > bucket.by_hash.len() {
                bucket.list.retain(|(a, _)| self.objects.contains_key(a));
                self.dead -= (before - bucket.list.len()) as u64;
            }
        }
        self.buckets
            .retain(|at, b| *at >= old || !b.list.is_empty());
        expired
    }

    /// Objects in the order in which they give way: least effort first, then oldest.
    pub fn least(&self) -> impl Iterator<Item = (u64, &Entry)> {
        self.by_effort
            .iter()
            .filter_map(|(_, a)| Some((*a, self.objects.get(a)?)))
    }

    /// The next object of a bucket at or after a place in the order of body hashes, up to a highest
    /// hash.
    pub fn next_in_bucket(
        &self,
        bucket: u32,
        from: (u64, u64),
        last: u64,
    ) -> Option<((u64, u64), &Entry)> {
        let at = *self
            .buckets
            .get(&bucket)?
            .by_hash
            .range(from..=(last, u64::MAX))
            .next()?;
        Some((at, self.objects.get(&at.1)?))
    }

    /// The next record at or after a tag, up to a highest tag.
    pub fn next_record(&self, from: [u8; 16], last: [u8; 16]) -> Option<([u8; 16], &Entry)> {
        let (tag, arrival) = self.records.range(from..=last).next()?;
        Some((*tag, self.objects.get(arrival)?))
    }
}
