//! Getting what was missed and what is new from each relay. PROTOCOL.md section 7.
//!
//! Invariant: as long as a bucket stays below [`TAKE_ALL_BYTES_MAX`], what is asked of a relay
//! depends on the time and on the relay's answers alone, never on whether anything was for this
//! account.

use super::cx::Cx;
use super::model::RowKey;
use super::open::Open;
use super::relay::Stage;
use super::relays::NodeKey;
use crate::sealed::locator;
use alloc::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    vec::Vec,
};
use shared::link::ReqId;
use shared::range::Range;
use shared::recent::Recent;
use shared::time::{self, Millis};
use shared::wire::scan::prefix_range;
use shared::wire::{Header, Records, ScanRecord};

/// Above this, only blocks with matches are fetched from a bucket.
pub const TAKE_ALL_BYTES_MAX: u64 = 4 << 20;
/// Envelopes live that long, so nothing older is missed.
const BUCKETS_MAX: u32 = 48 * 6;
/// How far back a relay is read that lists what no other one listed: two hours.
const OVERLAP_BUCKETS: u32 = 2 * 6;
/// No clock that is right comes near it.
const BUCKET_LAST: u32 = u32::MAX - 1;
/// Scans and gets under way on a link at once.
const REQUESTS_MAX: usize = 4;
/// Body hashes of objects that were here already.
const HELD_MAX: usize = 65_536;
/// How long a relay that refused something is left alone.
const REFUSED_PAUSE_MS: Millis = 5_000;
/// How often a Get that brought less than its End says is asked for again.
const AGAIN_MAX: u8 = 3;
/// Objects in a block, on average.
const BLOCK_OBJECTS: u32 = 8;

/// What is under way on each relay's link, and what came lately from any.
#[derive(Default)]
pub struct Sync {
    pub feeds: BTreeMap<NodeKey, Feed>,
    held: Recent<[u8; 8], HELD_MAX>,
    /// Ids of objects: another relay's copy of a body under a changed header is another object.
    ids: Recent<u64, HELD_MAX>,
}

/// Catching up with one relay.
#[derive(Default)]
pub struct Feed {
    /// Since when it is watched (mono).
    pub began: Millis,
    /// The next bucket to scan, and the last.
    next: u32,
    last: u32,
    todo: VecDeque<Want>,
    wants: BTreeMap<ReqId, Want>,
    live_bucket: u32,
    live_bytes: u64,
    /// What came of it, in either form.
    live_objects: u32,
    /// Records of buckets of which only blocks are taken, with the bits of these: what nobody
    /// expected yet may belong to a chain that becomes known a little later.
    passed: VecDeque<(u32, u8, ScanRecord)>,
    /// Nothing is asked before that time (mono): the relay refused something.
    paused_until: Millis,
}

enum Want {
    Scan {
        bucket: u32,
        /// Records looked at so far.
        first: u32,
        /// Some of them were not here yet, and the bucket is small enough to be taken whole.
        new: bool,
    },
    Get {
        bucket: u32,
        bits: u8,
        prefix: u64,
        /// Objects that came.
        came: u32,
        /// How often it was asked for before, in vain.
        again: u8,
    },
}

impl Want {
    fn scan(bucket: u32) -> Self {
        Want::Scan {
            bucket,
            first: 0,
            new: false,
        }
    }

    fn get(bucket: u32, bits: u8, prefix: u64) -> Self {
        Want::Get {
            bucket,
            bits,
            prefix,
            came: 0,
            again: 0,
        }
    }

    /// It ended with so many objects sent: what is still to be asked for if not all of them came.
    /// A relay may count what a link drops, so not for ever.
    fn left(self, count: u32) -> Option<Self> {
        match self {
            Want::Get {
                bucket,
                bits,
                prefix,
                came,
                again,
            } if came < count && again < AGAIN_MAX => Some(Want::Get {
                bucket,
                bits,
                prefix,
                came: 0,
                again: again + 1,
            }),
            _ => None,
        }
    }
}

impl Feed {
    /// Whether all that the relay listed so far has come.
    pub fn is_idle(&self) -> bool {
        self.next > self.last && self.todo.is_empty() && self.wants.is_empty()
    }

    fn pass(&mut self, bucket: u32, bits: u8, record: &ScanRecord) {
        if self.passed.len() >= HELD_MAX {
            self.passed.pop_front();
        }
        self.passed.push_back((bucket, bits, *record));
    }

    /// Counts what came by the watch.
    fn count(&mut self, bucket: u32, bytes: usize) {
        if bucket != self.live_bucket {
            self.live_bucket = bucket;
            (self.live_bytes, self.live_objects) = (0, 0);
        }
        self.live_bytes += bytes as u64;
        self.live_objects = self.live_objects.saturating_add(1);
    }

    /// Prefix bits of what is got for a record that came by the watch: a block of a bucket that is
    /// too large to be taken whole, else one of as many objects as came so far allow.
    fn news_bits(&self, large: bool) -> u8 {
        if large {
            block_bits((TAKE_ALL_BYTES_MAX / 2_048) as u32)
        } else {
            block_bits(self.live_objects)
        }
    }
}

impl Sync {
    /// Notes an object; false if it was here before.
    pub fn hold(&mut self, header: &Header) -> bool {
        self.held.add(ScanRecord::of(header).hash);
        self.ids.add(header.id().short())
    }

    /// Whether what answers a request came with all else of its bucket.
    pub fn is_whole(&self, key: &NodeKey, request: ReqId) -> bool {
        let want = self
            .feeds
            .get(key)
            .and_then(|feed| feed.wants.get(&request));
        matches!(want, Some(Want::Get { bits: 0, .. }))
    }

    /// Counts an object that answers a request.
    pub fn came(&mut self, key: &NodeKey, request: ReqId) {
        let feed = self.feeds.get_mut(key);
        let want = feed.and_then(|feed| feed.wants.get_mut(&request));
        if let Some(Want::Get { came, .. }) = want {
            *came = came.saturating_add(1);
        }
    }

    /// An object that was expected did not open: another under the same body hash may.
    pub fn let_go(&mut self, header: &Header) {
        self.held.remove(&ScanRecord::of(header).hash);
    }
}

impl Open {
    /// A relay said Welcome: watch first, so that nothing falls between, then catch up.
    pub fn begin_feed(&mut self, cx: &mut Cx, key: NodeKey, relay_unix: u64) {
        let current = time::bucket(relay_unix).min(BUCKET_LAST);
        let of_use = self.reads_from(&key);
        let first = self.first_bucket(&key, current);
        let Some(relay) = self.relays.get_mut(&key) else {
            return;
        };
        if !of_use {
            // It lists other people's mail only. What is written here can be put there.
            if let Stage::Open { caught_up, .. } = &mut relay.stage {
                *caught_up = true;
            }
            return;
        }
        let oldest = current.saturating_sub(BUCKETS_MAX);
        if self.relays.kept().all(|(_, r)| r.row.cursor < oldest) {
            self.missed_heads(cx);
        }
        let Some(relay) = self.relays.get_mut(&key) else {
            return;
        };
        if relay.row.cursor == 0 {
            relay.row.cursor = first;
            cx.touch(RowKey::Relay(key));
        } else if relay.row.cursor > current {
            // Its clock was set back: what came since is somewhere in the last two days.
            relay.row.cursor = oldest;
            cx.touch(RowKey::Relay(key));
        }
        let next = relay.row.cursor.max(oldest);
        let whole = current > relay.records_until;
        if let Stage::Open { link, client, .. } = &mut relay.stage
            && let Some((_, frame)) = client.watch(cx.now, whole)
        {
            cx.send(*link, frame);
        }
        self.sync.feeds.insert(
            key,
            Feed {
                next,
                last: current,
                began: cx.now.mono,
                ..Feed::default()
            },
        );
        self.pump_feed(cx, key);
    }

    /// From where a relay is read for the first time: it has what came while no other one was
    /// there. Others may have been read on meanwhile that list something else.
    fn first_bucket(&self, key: &NodeKey, current: u32) -> u32 {
        let listed = self.relays.listed(self.relays.range_of(key));
        let read = || {
            let kept = self.relays.kept().map(|(_, relay)| relay);
            kept.filter(|relay| relay.row.cursor > 0)
        };
        let Some(any) = read().map(|relay| relay.row.cursor).min() else {
            return current;
        };
        let apart = any.min(self.named.lonely_since().unwrap_or(current));
        let since = |wanted: Range| {
            let part = wanted.and(listed)?;
            let lists = |range: Range| self.relays.listed(range).wider_or_same(part);
            let same = read().filter(|relay| relay.range.is_some_and(lists));
            let same = same.map(|relay| relay.row.cursor).min();
            Some(same.unwrap_or(apart.saturating_sub(OVERLAP_BUCKETS)))
        };
        let all = self.reads().into_iter().filter_map(since);
        all.min().unwrap_or(current).min(current)
    }

    /// Asks for the next buckets, or notes that all are here.
    pub fn pump_feed(&mut self, cx: &mut Cx, key: NodeKey) {
        let (Some(feed), Some(relay)) = (self.sync.feeds.get_mut(&key), self.relays.get_mut(&key))
        else {
            return;
        };
        let Stage::Open {
            link,
            client,
            caught_up,
            ..
        } = &mut relay.stage
        else {
            return;
        };
        if feed.paused_until > cx.now.mono {
            return;
        }
        while feed.wants.len() < REQUESTS_MAX {
            let want = match feed.todo.pop_front() {
                Some(want) => want,
                None if feed.next <= feed.last => {
                    feed.next += 1;
                    Want::scan(feed.next - 1)
                }
                None => break,
            };
            let asked = match &want {
                Want::Scan { bucket, first, .. } => client.scan(cx.now, *bucket, *first),
                Want::Get {
                    bucket,
                    bits,
                    prefix,
                    ..
                } => client.get(cx.now, *bucket, *bits, *prefix),
            };
            let Some((request, frame)) = asked else {
                feed.todo.push_front(want);
                break;
            };
            feed.wants.insert(request, want);
            cx.send(*link, frame);
        }
        if feed.wants.is_empty() && feed.todo.is_empty() && !*caught_up {
            *caught_up = true;
            let finished = finished(feed.last);
            if relay.row.cursor < finished {
                relay.row.cursor = finished;
                cx.touch_lazily(RowKey::Relay(key));
            }
            self.show_relays(cx);
        }
    }

    /// One page of a bucket's scan records.
    pub fn on_scan_page(
        &mut self,
        cx: &mut Cx,
        key: NodeKey,
        request: ReqId,
        (total, bytes): (u32, u64),
        page: Records<'_>,
    ) {
        let Some(feed) = self.sync.feeds.get_mut(&key) else {
            return;
        };
        let Some(Want::Scan { bucket, first, new }) = feed.wants.remove(&request) else {
            return;
        };
        // Where the network is divided, a relay would have to borrow most of a bucket.
        let divided = self.relays.range_of(&key).bits() > 0;
        let whole = bytes <= TAKE_ALL_BYTES_MAX && !divided;
        if new && !whole {
            // It grew too large meanwhile: what was passed over is looked at again.
            feed.todo.push_front(Want::scan(bucket));
            return self.pump_feed(cx, key);
        }
        let bits = if whole { 0 } else { block_bits(total) };
        let mut looked_at = first;
        let mut fresh = Vec::new();
        for record in page.iter() {
            self.audits.list(key, bucket, record.hash);
            looked_at = looked_at.saturating_add(1);
            if !self.sync.held.has(&record.hash) {
                fresh.push(record);
            }
        }
        let new = whole && (new || !fresh.is_empty());
        if looked_at < total && looked_at > first {
            let first = looked_at;
            feed.todo.push_front(Want::Scan { bucket, first, new });
        } else if new {
            feed.todo.push_back(Want::get(bucket, bits, 0));
        }
        if !whole {
            let ours = |r: &&ScanRecord| self.expected.has(&locator(&r.tag));
            let block = |r: &ScanRecord| prefix_range(bits, r.hash_key()).0;
            let blocks: BTreeSet<u64> = fresh.iter().filter(ours).map(block).collect();
            let gets = blocks
                .into_iter()
                .map(|prefix| Want::get(bucket, bits, prefix));
            feed.todo.extend(gets);
            for record in &fresh {
                feed.pass(bucket, bits, record);
            }
        }
        self.pump_feed(cx, key);
    }

    /// The relay could not answer: asked again a little later, its bucket is not complete.
    pub fn on_feed_refused(&mut self, cx: &mut Cx, key: NodeKey, request: ReqId) {
        let Some(feed) = self.sync.feeds.get_mut(&key) else {
            return;
        };
        if let Some(mut want) = feed.wants.remove(&request) {
            if let Want::Get { came, .. } = &mut want {
                *came = 0;
            }
            feed.todo.push_front(want);
            feed.paused_until = cx.now.mono + REFUSED_PAUSE_MS;
        }
    }

    /// Goes on with what waited.
    pub fn pump_feeds(&mut self, cx: &mut Cx) {
        let keys: Vec<NodeKey> = self.sync.feeds.keys().copied().collect();
        for key in keys {
            self.pump_feed(cx, key);
        }
    }

    /// A Get has ended, of which the relay sent so many objects. False if the request was not one
    /// of ours.
    pub fn on_feed_end(&mut self, cx: &mut Cx, key: NodeKey, request: ReqId, count: u32) -> bool {
        let Some(feed) = self.sync.feeds.get_mut(&key) else {
            return false;
        };
        let Some(want) = feed.wants.remove(&request) else {
            return false;
        };
        feed.todo.extend(want.left(count));
        self.pump_feed(cx, key);
        true
    }

    /// Something came by the watch: everything before its bucket is complete, but for what is
    /// [`finished`] a little later.
    pub fn on_live(&mut self, cx: &mut Cx, key: NodeKey, bucket: u32, bytes: usize) {
        let (Some(feed), Some(relay)) = (self.sync.feeds.get_mut(&key), self.relays.get_mut(&key))
        else {
            return;
        };
        let Stage::Open {
            link, caught_up, ..
        } = &mut relay.stage
        else {
            return;
        };
        feed.count(bucket, bytes);
        // A stray bucket from a wrong clock must not skip what is still to come.
        let plausible = bucket <= time::bucket(self.clock.assumed()).saturating_add(2);
        let complete = *caught_up && feed.todo.is_empty() && feed.wants.is_empty();
        let finished = finished(bucket);
        if complete && plausible && finished > relay.row.cursor {
            relay.row.cursor = finished;
            cx.touch_lazily(RowKey::Relay(key));
        }
        if feed.live_bytes > TAKE_ALL_BYTES_MAX && relay.records_until < bucket {
            // Too much to take whole: for the rest of this bucket only scan records are watched.
            relay.records_until = bucket;
            let link = *link;
            self.relays.redial(cx, link);
            self.on_relay_lost(cx, key);
        }
    }

    /// A scan record came by the watch: gets its block if it is for us.
    pub fn on_news(&mut self, cx: &mut Cx, key: NodeKey, bucket: u32, record: &ScanRecord) {
        self.on_live(cx, key, bucket, 0);
        let (Some(feed), Some(relay)) = (self.sync.feeds.get_mut(&key), self.relays.get_mut(&key))
        else {
            return;
        };
        let bits = feed.news_bits(bucket <= relay.records_until);
        if self.sync.held.has(&record.hash) || !self.expected.has(&locator(&record.tag)) {
            return feed.pass(bucket, bits, record);
        }
        let (prefix, _) = prefix_range(bits, record.hash_key());
        feed.todo.push_back(Want::get(bucket, bits, prefix));
        self.pump_feed(cx, key);
    }

    /// Something was opened: gets the blocks of what was passed by and is expected now.
    pub fn get_passed(&mut self, cx: &mut Cx) {
        for feed in self.sync.feeds.values_mut() {
            let mut blocks = BTreeSet::new();
            feed.passed.retain(|(bucket, bits, record)| {
                let wanted =
                    !self.sync.held.has(&record.hash) && self.expected.has(&locator(&record.tag));
                if wanted {
                    blocks.insert((*bucket, *bits, prefix_range(*bits, record.hash_key()).0));
                }
                !wanted
            });
            let gets = blocks
                .into_iter()
                .map(|(bucket, bits, prefix)| Want::get(bucket, bits, prefix));
            feed.todo.extend(gets);
        }
        self.pump_feeds(cx);
    }

    /// The relay dropped pushes: scan again from there.
    pub fn on_lagged(&mut self, cx: &mut Cx, key: NodeKey, bucket: u32) {
        // By the relay's clock: a bucket is complete only when it is over there.
        let relay = self.relays.get_mut(&key).map(|relay| &relay.stage);
        let unix = match relay {
            Some(Stage::Open { client, .. }) => client.relay_time(cx.now),
            _ => None,
        };
        let current = time::bucket(unix.unwrap_or(self.clock.assumed())).min(BUCKET_LAST);
        let bucket = bucket.min(BUCKET_LAST);
        let Some(feed) = self.sync.feeds.get_mut(&key) else {
            return;
        };
        let from = bucket.max(current.saturating_sub(BUCKETS_MAX));
        feed.next = feed.next.min(from);
        feed.last = current.max(feed.last);
        if bucket > current {
            // Its clock was set back, and what arrives still goes where it was.
            match bucket - current <= BUCKETS_MAX {
                true => feed.last = feed.last.max(bucket),
                false => feed.todo.push_back(Want::scan(bucket)),
            }
        }
        if let Some(relay) = self.relays.get_mut(&key) {
            relay.row.cursor = relay.row.cursor.min(from);
            if let Stage::Open { caught_up, .. } = &mut relay.stage {
                *caught_up = false;
            }
        }
        self.pump_feed(cx, key);
    }
}

/// The bucket to scan from on the next link, when this one is the latest: pushes may go back to the
/// bucket before, and a link may break before they do.
fn finished(latest: u32) -> u32 {
    latest.saturating_sub(1)
}

/// Prefix bits of a block of about [`BLOCK_OBJECTS`] in a bucket of `total`.
pub fn block_bits(total: u32) -> u8 {
    (total / BLOCK_OBJECTS).checked_ilog2().unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where the network is divided records come from buckets of any size: of a few objects, a
    /// block that is meant for thousands would be the one that is for us.
    #[test]
    fn what_news_are_got_with_hides_in_what_there_is() {
        let mut feed = Feed::default();
        for n in 1..=5_000u32 {
            feed.count(7, 0);
            let block = n >> feed.news_bits(false);
            assert!(block >= BLOCK_OBJECTS.min(n), "{n}: {block}");
        }
        assert_eq!(feed.news_bits(true), 8);
        feed.count(8, 0);
        assert_eq!(feed.news_bits(false), 0);
    }
}
