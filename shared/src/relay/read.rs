//! Scan, Get, Find and Watch: answers that follow a cursor, as fast as the link takes them.
//!
//! Invariant: bodies in memory are bounded by the reads under way, not by what was asked for.

use super::index::{Entry, RecordPlace, bucket_of};
use super::link::{Cursor, Job, Watch};
use super::push::Push;
use super::rows::{self, BODIES, HEADS};
use super::{Effect, Relay};
use crate::io::{LinkId, Output, Query, Row};
use crate::limits::{
    HAVE_HEADERS_MAX, PUSHES_WAITING_MAX, READ_BYTES_MAX, READ_OBJECTS_MAX, READS_MAX,
    SCAN_PAGE_RECORDS_MAX,
};
use crate::wire::header::HEADER_BYTES;
use crate::wire::scan::prefix_range;
use crate::wire::{Frame, Records, Refused, ScanRecord};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;
use core::convert::Infallible;
use core::mem::discriminant;

/// Objects asked of the store, in the order in which they will be sent.
#[derive(Debug)]
pub(super) struct Read {
    pub link: LinkId,
    request: u32,
    bucket: u32,
    pub keys: Vec<Vec<u8>>,
    sends: Sends,
}

/// What becomes of what was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sends {
    Objects,
    /// To a peer, unasked.
    Pushes,
    /// To a peer, headers only.
    Headers,
}

impl Relay {
    pub(super) fn on_scan(&mut self, link: LinkId, request: u32, bucket: u32, first: u32) {
        self.counters.scans += 1;
        if self.links.get(&link).is_none_or(|state| state.congested) {
            // It has not read what it was sent.
            return self.refuse(link, request, Refused::OverQuota, 1);
        }
        let saving = self.puts.first_arrival().map(bucket_of);
        let closed = bucket < self.current_bucket() && saving.is_none_or(|s| bucket < s);
        let found = self.index.bucket(bucket);
        let from = usize::try_from(first).unwrap_or(usize::MAX);
        let records: Vec<[u8; 24]> = found
            .into_iter()
            .flat_map(|b| b.from(from).take(SCAN_PAGE_RECORDS_MAX))
            .map(|scan| scan.encode())
            .collect();
        let page = Frame::ScanPage {
            bucket,
            closed,
            total: found.map_or(0, |b| u32::try_from(b.total()).unwrap_or(u32::MAX)),
            bytes: found.map_or(0, |b| b.body_bytes),
            first,
            records: Records::new(&records),
        };
        let bytes = page.encode(request);
        self.out.push_back(Output::Send { link, bytes });
    }

    pub(super) fn on_get(
        &mut self,
        link: LinkId,
        request: u32,
        bucket: u32,
        bits: u8,
        prefix: u64,
    ) {
        self.counters.gets += 1;
        let (low, last) = prefix_range(bits, prefix);
        let cursor = Cursor::Bucket {
            bucket,
            next: Some((low, 0)),
            last,
        };
        self.add_job(link, request, cursor);
    }

    pub(super) fn on_find(&mut self, link: LinkId, request: u32, bits: u8, prefix: u64) {
        self.counters.finds += 1;
        let (low, high) = prefix_range(bits, prefix);
        let own = self.range();
        let elsewhere = !own.has((low >> 32) as u32) || !own.has((high >> 32) as u32);
        if elsewhere && !self.peers.is_peer(link) {
            return self.pass_find(link, request, bits, prefix);
        }
        let next = Some(place_of(low, 0));
        let last = place_of(high, 0xff);
        self.add_job(link, request, Cursor::Records { next, last });
    }

    fn add_job(&mut self, link: LinkId, request: u32, cursor: Cursor) {
        if !self.begin(link, request) {
            return;
        }
        if let Some(state) = self.links.get_mut(&link) {
            state.jobs.push_back(Job {
                request,
                cursor,
                sent: 0,
            });
            if state.is_hungry() {
                self.hungry.insert(link);
            }
        }
    }

    /// Tells a peer headers as fast as it takes them.
    pub(super) fn tell_headers_later(&mut self, link: LinkId, arrivals: Vec<u64>) {
        self.send_later(link, Cursor::Headers(VecDeque::new()), arrivals);
    }

    /// Pushes objects to a peer as fast as it takes them.
    pub(super) fn push_later(&mut self, link: LinkId, arrivals: Vec<u64>) {
        self.send_later(link, Cursor::Pushes(VecDeque::new()), arrivals);
    }

    /// Adds to the job of that kind, or begins one.
    fn send_later(&mut self, link: LinkId, empty: Cursor, arrivals: Vec<u64>) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if arrivals.is_empty() {
            return;
        }
        let same = |job: &Job| discriminant(&job.cursor) == discriminant(&empty);
        let at = state.jobs.iter().position(same).unwrap_or_else(|| {
            state.jobs.push_back(Job {
                request: 0,
                cursor: empty,
                sent: 0,
            });
            state.jobs.len() - 1
        });
        let cursor = state.jobs.get_mut(at).map(|job| &mut job.cursor);
        if let Some(Cursor::Pushes(waiting) | Cursor::Headers(waiting)) = cursor {
            let room = PUSHES_WAITING_MAX.saturating_sub(waiting.len());
            waiting.extend(arrivals.into_iter().take(room));
        }
        if state.is_hungry() {
            self.hungry.insert(link);
        }
    }

    /// Makes reads, link after link, a piece of one job at a time.
    pub(super) fn read_next(&mut self) {
        // What waits for peers does not hold up what is read from the store.
        while self.reads.saturating_sub(self.borrows.len()) < READS_MAX {
            let after = self.hungry.range(LinkId(self.served.0.saturating_add(1))..);
            let next = after.copied().next();
            let Some(link) = next.or_else(|| self.hungry.first().copied()) else {
                return;
            };
            self.served = link;
            self.read_for(link);
        }
    }

    fn read_for(&mut self, link: LinkId) {
        self.hungry.remove(&link);
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let Some(mut job) = state.jobs.pop_front() else {
            return;
        };
        let mut keys = Vec::new();
        let mut missing: Vec<(u64, Entry)> = Vec::new();
        let mut bytes = 0;
        let sends = match job.cursor {
            Cursor::Bucket { .. } | Cursor::Records { .. } => Sends::Objects,
            Cursor::Pushes(_) => Sends::Pushes,
            Cursor::Headers(_) => Sends::Headers,
        };
        let most = match sends {
            Sends::Headers => HAVE_HEADERS_MAX,
            _ => READ_OBJECTS_MAX,
        };
        while keys.len() < most && bytes < READ_BYTES_MAX {
            let Some((arrival, entry)) = advance(&self.index, &mut job.cursor) else {
                break;
            };
            if sends == Sends::Objects && !entry.held {
                missing.push((arrival, *entry));
            }
            bytes += if sends == Sends::Headers {
                HEADER_BYTES
            } else {
                entry.body_bytes() as usize
            };
            keys.push(rows::key(arrival, entry));
        }
        if keys.is_empty() {
            state.requests.remove(&job.request);
            if state.is_hungry() {
                self.hungry.insert(link);
            }
            if sends == Sends::Objects {
                self.send(link, job.request, &Frame::End { count: job.sent });
            }
            return;
        }
        state.reading = true;
        let bucket = match job.cursor {
            Cursor::Bucket { bucket, .. } => bucket,
            _ => 0,
        };
        let read = Read {
            link,
            request: job.request,
            bucket,
            keys: keys.clone(),
            sends,
        };
        // Jobs of a link take turns.
        state.jobs.push_back(job);
        self.reads += 1;
        if !missing.is_empty() {
            return if self.borrows.has_room(self.source(link)) {
                self.read_and_borrow(read, missing);
            } else {
                self.on_read_failed(&read);
            };
        }
        let table = if sends == Sends::Headers {
            HEADS
        } else {
            BODIES
        };
        self.load(Effect::Read(read), Query::Keys { table, keys });
    }

    pub(super) fn on_read(&mut self, read: Read, rows: Vec<Row>) {
        self.reads -= 1;
        let Some(state) = self.links.get_mut(&read.link) else {
            return;
        };
        state.reading = false;
        let rows: BTreeMap<Vec<u8>, Vec<u8>> = rows.into_iter().map(|r| (r.key, r.value)).collect();
        let mut sent = 0;
        if read.sends == Sends::Headers {
            let found = read.keys.iter().filter_map(|key| rows.get(key));
            let headers: Vec<[u8; HEADER_BYTES]> =
                found.filter_map(|row| rows::header(row)).collect();
            if state.is_hungry() {
                self.hungry.insert(read.link);
            }
            if !headers.is_empty() {
                self.counters.headers_told += headers.len() as u64;
                self.send(read.link, 0, &Frame::Have { headers: &headers });
            }
            return;
        }
        // What is missing was evicted, replaced or expired since.
        for row in read.keys.iter().filter_map(|key| rows.get(key)) {
            let Ok((header, body)) = rows::parse_body(row) else {
                self.counters.rows_damaged += 1;
                continue;
            };
            let bucket = read.bucket;
            let object = if read.sends == Sends::Pushes {
                Frame::Push { header, body }
            } else {
                Frame::Object {
                    bucket,
                    header,
                    body,
                }
            };
            let bytes = object.encode(read.request);
            let link = read.link;
            self.out.push_back(Output::Send { link, bytes });
            sent += 1;
        }
        self.counters.objects_sent += u64::from(sent);
        if let Some(job) = state.jobs.iter_mut().find(|j| j.request == read.request) {
            job.sent += sent;
        }
        if state.is_hungry() {
            self.hungry.insert(read.link);
        }
    }

    pub(super) fn on_read_failed(&mut self, read: &Read) {
        self.reads -= 1;
        self.counters.reads_failed += 1;
        let Some(state) = self.links.get_mut(&read.link) else {
            return;
        };
        state.reading = false;
        state.jobs.retain(|j| j.request != read.request);
        if state.is_hungry() {
            self.hungry.insert(read.link);
        }
        if self.finish(read.link, read.request) {
            self.refuse(read.link, read.request, Refused::StoreFailed, 0);
        }
    }

    pub(super) fn on_watch(&mut self, link: LinkId, request: u32, whole: bool) {
        let bucket = self.current_bucket();
        let ring = if whole { &self.ring } else { &self.news };
        let next = ring.end();
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if state.watch.is_some() {
            return self.on_malformed(link, Some(request));
        }
        // Pushes may start in an earlier bucket: that of what is being saved right now.
        let saving = self.puts.first_arrival().map_or(bucket, bucket_of);
        let bucket = bucket.min(saving);
        state.watch = Some(Watch {
            request,
            whole,
            next,
            bucket,
            since: self.last_arrival,
        });
        self.watched_since = self.watched_since.max(self.last_arrival);
        self.send(link, request, &Frame::Lagged { bucket });
    }

    /// Makes an arrival known to those who watch whole objects, before it is durable, or scan
    /// records. Without any of them there is nothing to keep.
    pub(super) fn announce(&mut self, whole: bool, push: impl FnOnce() -> Push) {
        let watched = self.wake_watchers(whole);
        let ring = if whole {
            &mut self.ring
        } else {
            &mut self.news
        };
        if watched {
            ring.add(push());
        } else {
            ring.drop_below(ring.end());
        }
    }

    /// What has arrived is durable: makes it known to those who watch scan records, who could not
    /// have fetched it before; and to those who began to watch whole objects while it was being
    /// saved, since no scan listed it yet.
    pub(super) fn announce_durable(&mut self, arrival: u64, mut push: Push) {
        if arrival <= self.watched_since {
            for (link, state) in &mut self.links {
                let Some(watch) = state.watch.as_mut().filter(|watch| watch.whole) else {
                    continue;
                };
                if watch.since >= arrival && watch.bucket <= push.bucket {
                    watch.bucket = push.bucket;
                    let bytes = push_frame(&push, true).encode(watch.request);
                    self.out.push_back(Output::Send { link: *link, bytes });
                }
            }
        }
        push.row = None;
        self.announce(false, || push);
    }

    /// Makes a header known that came alone: bodies of it can be borrowed.
    pub(super) fn announce_header(&mut self, arrival: u64, scan: ScanRecord) {
        for whole in [true, false] {
            self.announce(whole, || Push {
                bucket: bucket_of(arrival),
                scan,
                row: None,
            });
        }
    }

    /// Those of a kind that have room may have something to get. False: nobody watches so.
    fn wake_watchers(&mut self, whole: bool) -> bool {
        let mut watched = false;
        for (id, link) in &self.links {
            if link.watch.is_some_and(|watch| watch.whole == whole) {
                watched = true;
                if !link.congested {
                    self.behind.insert(*id);
                }
            }
        }
        watched
    }

    /// The next frame that some watching link has not got yet.
    pub(super) fn next_push(&mut self) -> Option<Output<Infallible>> {
        while let Some(link) = self.behind.first().copied() {
            let watch = self.links.get_mut(&link).and_then(|l| l.watch.as_mut());
            let whole = watch.as_ref().is_some_and(|watch| watch.whole);
            let ring = if whole { &self.ring } else { &self.news };
            let end = ring.end();
            let Some(watch) = watch.filter(|w| w.next < end) else {
                self.behind.remove(&link);
                continue;
            };
            let request = watch.request;
            let bytes = match ring.push(watch.next) {
                None => {
                    watch.next = end;
                    // What is being saved no scan lists yet.
                    watch.since = self.last_arrival;
                    self.watched_since = self.last_arrival;
                    self.counters.lagged += 1;
                    let bucket = watch.bucket;
                    Frame::Lagged { bucket }.encode(request)
                }
                Some(push) => {
                    watch.next += 1;
                    watch.bucket = push.bucket;
                    self.counters.pushed += 1;
                    push_frame(push, watch.whole).encode(request)
                }
            };
            return Some(Output::Send { link, bytes });
        }
        None
    }
}

fn push_frame(push: &Push, whole: bool) -> Frame<'_> {
    let row = push.row.as_deref().filter(|_| whole);
    match row.and_then(|row| rows::parse_body(row).ok()) {
        Some((header, body)) => Frame::Object {
            bucket: push.bucket,
            header,
            body,
        },
        None => Frame::News {
            bucket: push.bucket,
            record: push.scan,
        },
    }
}

/// The lowest or highest place of a record that starts with these bits.
fn place_of(key: u64, rest: u8) -> RecordPlace {
    let mut tag = [rest; 16];
    tag[..4].copy_from_slice(&(key as u32).to_be_bytes());
    ((key >> 32) as u32, tag)
}

/// The next place.
fn after((address, tag): RecordPlace) -> Option<RecordPlace> {
    match u128::from_be_bytes(tag).checked_add(1) {
        Some(tag) => Some((address, tag.to_be_bytes())),
        None => Some((address.checked_add(1)?, [0; 16])),
    }
}

/// The next object of a cursor and its arrival; afterwards the cursor is behind it.
fn advance<'a>(index: &'a super::Index, cursor: &mut Cursor) -> Option<(u64, &'a Entry)> {
    match cursor {
        Cursor::Bucket { bucket, next, last } => {
            let ((hash, arrival), entry) = index.next_in_bucket(*bucket, (*next)?, *last)?;
            *next = Some((hash, arrival.saturating_add(1)));
            Some((arrival, entry))
        }
        Cursor::Records { next, last } => {
            let from = (*next)?;
            if from > *last {
                return None;
            }
            let (arrival, entry) = index.next_record(from, *last)?;
            *next = after(entry.place());
            Some((arrival, entry))
        }
        Cursor::Pushes(arrivals) | Cursor::Headers(arrivals) => loop {
            // What is gone is left out.
            let arrival = arrivals.pop_front()?;
            if let Some(entry) = index.at(arrival).filter(|entry| entry.held) {
                return Some((arrival, entry));
            }
        },
    }
}
