//! The entries of an address book and the buckets they lie in. PROTOCOL.md section 12.
//!
//! Invariant: a tried entry lies in one bucket; a new one in those of its sources, of which there
//! is at least one; what lies in no bucket is not there. A node key has one entry at most.

use super::Source;
use super::group::Group;
use crate::crypto::{Key, sha256};
use crate::limits::{
    BOOK_BUCKET_ENTRIES_MAX, BOOK_BUCKETS_PER_GROUP, BOOK_BUCKETS_PER_SOURCE, BOOK_FAILURES_DOUBT,
    BOOK_NEW_BUCKETS, BOOK_SOURCES_MAX, BOOK_TRIED_BUCKETS,
};
use crate::range::Range;
use crate::time::Millis;
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Descriptor, Header, Malformed};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::cmp::Reverse;
use core::net::SocketAddr;

/// A place for at most [`BOOK_BUCKET_ENTRIES_MAX`] addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Bucket {
    New(u16),
    Tried(u16),
}

/// A relay's descriptor as it was read, and as it is handed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub descriptor: Descriptor,
    /// Where it belongs.
    pub position: u32,
    /// The hour of the header.
    pub expiry: u32,
    /// Header and body without the zeros in front of the signature, and how many these are: most of
    /// a descriptor is zeros.
    short: Box<[u8]>,
    zeros: u16,
}

impl Known {
    /// Of a descriptor that was read from `raw`.
    pub fn new(descriptor: &Descriptor, raw: &[u8]) -> Result<Self, Malformed> {
        let header = raw.first_chunk::<HEADER_BYTES>().ok_or(Malformed)?;
        let header = Header::parse(header)?;
        if raw.len() != HEADER_BYTES + header.size.bytes() {
            return Err(Malformed);
        }
        Ok(Known {
            position: descriptor.position(&header.front),
            expiry: header.expiry,
            ..Known::shortened(descriptor, raw)
        })
    }

    fn shortened(descriptor: &Descriptor, raw: &[u8]) -> Self {
        let (fields, signature) = raw.split_at(raw.len().saturating_sub(64));
        let used = fields.iter().rposition(|byte| *byte != 0);
        let (used, zeros) = fields.split_at(used.map_or(0, |at| at + 1));
        Known {
            descriptor: descriptor.clone(),
            position: 0,
            expiry: 0,
            short: [used, signature].concat().into(),
            zeros: zeros.len() as u16,
        }
    }

    /// Whether it was read from this header and body.
    pub fn is(&self, (header, body): (&[u8], &[u8])) -> bool {
        // What differs does so in its header: it has the hash of the rest.
        self.short.starts_with(header) && self.raw().split_at(header.len()) == (header, body)
    }

    /// Header and body.
    pub fn raw(&self) -> Vec<u8> {
        let (used, signature) = self.short.split_at(self.short.len().saturating_sub(64));
        let mut raw = Vec::with_capacity(self.short.len() + usize::from(self.zeros));
        raw.extend_from_slice(used);
        raw.resize(used.len() + usize::from(self.zeros), 0);
        raw.extend_from_slice(signature);
        raw
    }

    /// What it keeps.
    pub fn range(&self) -> Range {
        Range::of(self.position, self.descriptor.bits)
    }
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub tried: bool,
    /// More stands for the address than the word of the relay in `known`.
    pub named: bool,
    /// Who told; 1 to [`BOOK_SOURCES_MAX`], the first first.
    pub sources: Vec<Source>,
    /// In a row, since it was last proved.
    pub failures: u8,
    /// When somebody last told of it, to the hour.
    pub heard: Millis,
    /// When a link last proved it; 0: never.
    pub proved: Millis,
    /// When it was last dialled, or when that failed; 0: never, or it need not wait.
    pub attempted: Millis,
    /// Tried entries have it always.
    pub known: Option<Known>,
}

impl Entry {
    pub fn new(now: Millis, source: Source, known: Option<Known>) -> Self {
        Entry {
            tried: false,
            named: known.is_none(),
            sources: [source].into(),
            failures: 0,
            heard: now,
            proved: 0,
            attempted: 0,
            known,
        }
    }

    pub fn node_key(&self) -> Option<&[u8; 32]> {
        Some(&self.known.as_ref()?.descriptor.node_key)
    }
}

/// No bucket had room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full;

#[derive(Debug)]
pub(super) struct Table {
    secret: Key,
    entries: BTreeMap<SocketAddr, Entry>,
    by_key: BTreeMap<[u8; 32], SocketAddr>,
    /// By prefix and bits of what they keep.
    by_range: BTreeMap<(u32, u8), BTreeSet<SocketAddr>>,
    buckets: BTreeMap<Bucket, Vec<SocketAddr>>,
    tried: usize,
    /// New entries that gave way to others.
    dropped: u64,
    /// Addresses that have a row in the store, and those whose row is to be written or deleted.
    stored: BTreeSet<SocketAddr>,
    changed: BTreeSet<SocketAddr>,
}

impl Table {
    pub fn new(secret: [u8; 32]) -> Self {
        Table {
            secret: Key::new(secret),
            entries: BTreeMap::new(),
            by_key: BTreeMap::new(),
            by_range: BTreeMap::new(),
            buckets: BTreeMap::new(),
            tried: 0,
            dropped: 0,
            stored: BTreeSet::new(),
            changed: BTreeSet::new(),
        }
    }

    // Getters.

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn tried(&self) -> usize {
        self.tried
    }

    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn get(&self, address: &SocketAddr) -> Option<&Entry> {
        self.entries.get(address)
    }

    pub fn of_key(&self, node_key: &[u8; 32]) -> Option<SocketAddr> {
        self.by_key.get(node_key).copied()
    }

    pub fn entries(&self) -> impl Iterator<Item = (&SocketAddr, &Entry)> {
        self.entries.iter()
    }

    /// Those that are known to keep something of a range.
    pub fn keeping(&self, range: Range) -> impl Iterator<Item = (&SocketAddr, &Entry)> {
        let first = range.prefix();
        let inside = self.by_range.range((first, 0)..=(range.last(), 32));
        let inside = inside.map(|(_, held)| held);
        let around = (0..range.bits()).map(move |bits| Range::of(first, bits));
        // The others begin where the range does, and are among those.
        let around = around.filter(move |around| around.prefix() != first);
        let around = around.filter_map(|r| self.by_range.get(&(r.prefix(), r.bits())));
        let held = inside.chain(around).flatten();
        held.filter_map(|address| Some((address, self.entries.get(address)?)))
    }

    /// Where an entry lies.
    pub fn buckets_of(&self, address: &SocketAddr, entry: &Entry) -> Vec<Bucket> {
        if entry.tried {
            return [self.tried_bucket(address)].into();
        }
        let sources = entry.sources.iter();
        sources
            .map(|source| self.new_bucket(address, *source))
            .collect()
    }

    pub fn buckets(&self) -> impl Iterator<Item = (&Bucket, &Vec<SocketAddr>)> {
        self.buckets.iter()
    }

    // Entries.

    /// To change anything but `tried`, `sources` and `known`. Its row is written anew.
    pub fn change(&mut self, address: &SocketAddr) -> Option<&mut Entry> {
        let entry = self.entries.get_mut(address)?;
        self.changed.insert(*address);
        Some(entry)
    }

    /// The descriptor's node key must have no other entry.
    pub fn set_known(&mut self, address: &SocketAddr, known: Option<Known>) {
        let Some(entry) = self.entries.get_mut(address) else {
            return;
        };
        let before = entry.known.take();
        self.forget_known(address, before.as_ref());
        self.find_known(address, known.as_ref());
        if let Some(entry) = self.entries.get_mut(address) {
            entry.known = known;
        }
        self.changed.insert(*address);
    }

    /// A new entry at an address that has none, in the buckets of its sources.
    pub fn put_new(&mut self, address: SocketAddr, mut entry: Entry) -> Result<(), Full> {
        entry.tried = false;
        let sources = core::mem::take(&mut entry.sources);
        for source in sources {
            let bucket = self.new_bucket(&address, source);
            if self.take_place(bucket, address) {
                entry.sources.push(source);
            }
        }
        if entry.sources.is_empty() {
            return Err(Full);
        }
        self.add(address, entry);
        Ok(())
    }

    /// Makes room for a tried entry: what failed again and again leaves. If nothing did: the one
    /// that was proved the longest ago.
    pub fn make_room(&mut self, address: &SocketAddr) -> Result<(), SocketAddr> {
        let held = self.buckets.get(&self.tried_bucket(address));
        let held = held.map_or(&[][..], Vec::as_slice);
        if held.len() < BOOK_BUCKET_ENTRIES_MAX {
            return Ok(());
        }
        let entry_of = |at: &SocketAddr| Some((*at, self.entries.get(at)?));
        let all = held.iter().filter_map(entry_of);
        let failed = all
            .clone()
            .filter(|(_, e)| e.failures >= BOOK_FAILURES_DOUBT);
        let worst = failed.max_by_key(|(_, e)| (e.failures, Reverse(e.proved)));
        if let Some((worst, _)) = worst {
            self.demote(&worst);
            return Ok(());
        }
        let oldest = all.min_by_key(|(_, e)| e.proved);
        oldest.map_or(Ok(()), |(oldest, _)| Err(oldest))
    }

    /// A tried entry at an address that has none, where there is room.
    pub fn put_tried(&mut self, address: SocketAddr, mut entry: Entry) {
        entry.tried = true;
        let bucket = self.tried_bucket(&address);
        self.buckets.entry(bucket).or_default().push(address);
        self.add(address, entry);
    }

    /// A new entry heard of from another source lies in another bucket too, with half the chance
    /// for each source that it has already.
    pub fn add_source(&mut self, address: SocketAddr, source: Source) {
        let Some(entry) = self.entries.get(&address) else {
            return;
        };
        let count = entry.sources.len();
        if entry.tried || count >= BOOK_SOURCES_MAX || entry.sources.contains(&source) {
            return;
        }
        let chance = self.number(b"source", &[&place(&address), &source.bytes()]);
        if !chance.is_multiple_of(1 << count) {
            return;
        }
        let bucket = self.new_bucket(&address, source);
        if self.take_place(bucket, address)
            && let Some(entry) = self.entries.get_mut(&address)
        {
            entry.sources.push(source);
            self.changed.insert(address);
        }
    }

    pub fn remove(&mut self, address: &SocketAddr) -> Option<Entry> {
        let entry = self.entries.remove(address)?;
        self.forget_known(address, entry.known.as_ref());
        if entry.tried {
            self.tried -= 1;
            self.leave(self.tried_bucket(address), address);
        } else {
            for source in &entry.sources {
                self.leave(self.new_bucket(address, *source), address);
            }
        }
        if self.stored.contains(address) {
            self.changed.insert(*address);
        } else {
            self.changed.remove(address);
        }
        Some(entry)
    }

    // Rows.

    /// Addresses whose rows are to be written, or deleted where there is no entry.
    pub fn take_changed(&mut self) -> BTreeSet<SocketAddr> {
        let changed = core::mem::take(&mut self.changed);
        for address in &changed {
            if self.entries.contains_key(address) {
                self.stored.insert(*address);
            } else {
                self.stored.remove(address);
            }
        }
        changed
    }

    /// The store has a row for this address, and the entry is as it says if it was `loaded` from
    /// it. If there is no entry, the row is to be deleted.
    pub fn has_row(&mut self, address: SocketAddr, loaded: bool) {
        self.stored.insert(address);
        if !self.entries.contains_key(&address) {
            self.changed.insert(address);
        } else if loaded {
            self.changed.remove(&address);
        }
    }

    // Places.

    fn add(&mut self, address: SocketAddr, entry: Entry) {
        self.find_known(&address, entry.known.as_ref());
        self.tried += usize::from(entry.tried);
        self.entries.insert(address, entry);
        self.changed.insert(address);
    }

    fn find_known(&mut self, address: &SocketAddr, known: Option<&Known>) {
        if let Some(known) = known {
            self.by_key.insert(known.descriptor.node_key, *address);
            let range = known.range();
            let place = (range.prefix(), range.bits());
            self.by_range.entry(place).or_default().insert(*address);
        }
    }

    fn forget_known(&mut self, address: &SocketAddr, known: Option<&Known>) {
        let Some(known) = known else { return };
        self.by_key.remove(&known.descriptor.node_key);
        let range = known.range();
        let place = (range.prefix(), range.bits());
        if let Some(held) = self.by_range.get_mut(&place) {
            held.remove(address);
            if held.is_empty() {
                self.by_range.remove(&place);
            }
        }
    }

    fn leave(&mut self, bucket: Bucket, address: &SocketAddr) {
        if let Some(held) = self.buckets.get_mut(&bucket) {
            held.retain(|at| at != address);
            if held.is_empty() {
                self.buckets.remove(&bucket);
            }
        }
    }

    /// A tried entry becomes a new one, if there is room without driving out others.
    fn demote(&mut self, address: &SocketAddr) {
        let Some(mut entry) = self.remove(address) else {
            return;
        };
        let sources = core::mem::take(&mut entry.sources);
        entry.sources.extend(sources.into_iter().filter(|source| {
            let held = self.buckets.get(&self.new_bucket(address, *source));
            held.is_none_or(|held| held.len() < BOOK_BUCKET_ENTRIES_MAX)
        }));
        if self.put_new(*address, entry).is_err() {
            self.dropped += 1;
        }
    }

    /// A place in a new bucket. If it is full, the one that failed most leaves, then the one
    /// unheard for the longest; not one that was proved and has not failed since. False: no room,
    /// or it lies there already.
    fn take_place(&mut self, bucket: Bucket, address: SocketAddr) -> bool {
        let held = self.buckets.entry(bucket).or_default();
        if held.contains(&address) {
            return false;
        }
        if held.len() < BOOK_BUCKET_ENTRIES_MAX {
            held.push(address);
            return true;
        }
        let entry_of = |at: &SocketAddr| Some((*at, self.entries.get(at)?));
        let worst = held
            .iter()
            .filter_map(entry_of)
            .filter(|(_, e)| e.proved == 0 || e.failures > 0)
            .min_by_key(|(_, e)| (Reverse(e.failures), e.heard));
        let Some((worst, _)) = worst else {
            return false;
        };
        self.give_way(bucket, &worst);
        self.buckets.entry(bucket).or_default().push(address);
        true
    }

    /// Out of one new bucket, and out of the table with the last of them.
    fn give_way(&mut self, bucket: Bucket, address: &SocketAddr) {
        let Some(entry) = self.entries.get(address) else {
            return;
        };
        let mut sources = entry.sources.clone();
        sources.retain(|source| self.new_bucket(address, *source) != bucket);
        if sources.is_empty() {
            self.remove(address);
            self.dropped += 1;
            return;
        }
        self.leave(bucket, address);
        if let Some(entry) = self.change(address) {
            entry.sources = sources;
        }
    }

    // Buckets, as Bitcoin Core's addrman draws them: one for each pair of groups, and of those of a
    // source only so many.

    fn new_bucket(&self, address: &SocketAddr, source: Source) -> Bucket {
        let source = source.bytes();
        let group = Group::of(address.ip());
        let pair = self.number(b"pair", &[group.bytes(), &source]) % BOOK_BUCKETS_PER_SOURCE;
        let bucket = self.number(b"new", &[&source, &pair.to_le_bytes()]);
        Bucket::New((bucket % u64::from(BOOK_NEW_BUCKETS)) as u16)
    }

    fn tried_bucket(&self, address: &SocketAddr) -> Bucket {
        let one = self.number(b"one", &[&place(address)]) % BOOK_BUCKETS_PER_GROUP;
        let group = Group::of(address.ip());
        let bucket = self.number(b"tried", &[group.bytes(), &one.to_le_bytes()]);
        Bucket::Tried((bucket % u64::from(BOOK_TRIED_BUCKETS)) as u16)
    }

    /// A number that nobody can foresee. Parts of one label have fixed lengths.
    fn number(&self, label: &[u8], parts: &[&[u8]]) -> u64 {
        let mut all: Vec<&[u8]> = Vec::with_capacity(4);
        all.extend([self.secret.as_bytes().as_slice(), label]);
        all.extend(parts);
        let [a, b, c, d, e, f, g, h, ..] = sha256(&all);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// Address and port in 18 bytes, for hashing.
fn place(address: &SocketAddr) -> [u8; 18] {
    let ip = match address.ip() {
        core::net::IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        core::net::IpAddr::V6(ip) => ip,
    };
    let mut out = [0; 18];
    out[..16].copy_from_slice(&ip.octets());
    out[16..].copy_from_slice(&address.port().to_le_bytes());
    out
}
