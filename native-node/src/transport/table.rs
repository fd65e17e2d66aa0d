//! Links by number: their send queues, and how full these are.
//!
//! Invariant: what a link may queue is bounded in bytes; numbers are never used again.

use super::{DownReason, EVENTS_MAX, LinkEvent, LinkStats, MESSAGE_BYTES_MAX, Traffic, lock};
use bytes::Bytes;
use shared::io::LinkId;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use tokio::sync::{Notify, mpsc};

/// What a queued message costs beyond its bytes, so that empty ones are bounded, too.
const MESSAGE_OVERHEAD: usize = 64;

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SendError {
    /// The link is not up (any more).
    NoLink,
    /// The send queue is full; the message was not queued.
    Full,
    /// Longer than [`MESSAGE_BYTES_MAX`].
    TooLong,
}

impl std::fmt::Display for SendError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NoLink => "the link is gone",
            Self::Full => "the link's send queue is full",
            Self::TooLong => "the message is longer than a link carries",
        })
    }
}

impl std::error::Error for SendError {}

/// What the rest of the program holds of a link.
pub struct Outbox {
    pub(super) queue: Mutex<Option<mpsc::UnboundedSender<Bytes>>>,
    pub(super) waiting: AtomicUsize,
    /// `waiting` was above the high mark, and not below the low one since.
    pub(super) congested: AtomicBool,
    /// `waiting` fell below the low mark.
    pub(super) drained: Notify,
    ending: Mutex<Option<DownReason>>,
    /// `ending` was set. A notice of its own: who waits for the end must not take the other.
    ended: Notify,
}

/// The links of one port or dialler.
pub struct LinkTable {
    table: Mutex<HashMap<LinkId, Arc<Outbox>>>,
    next: AtomicU64,
    send_bytes_max: usize,
    events: mpsc::Sender<LinkEvent>,
    pub totals: Arc<Totals>,
}

#[derive(Default)]
pub struct Totals {
    pub up: AtomicUsize,
    pub opened: AtomicU64,
    pub expired: AtomicU64,
    pub(super) messages_in: AtomicU64,
    messages_out: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    pub misuse: AtomicU64,
}

/// Names of things that were counted since the start, and how often they came.
pub type Counts = Vec<(&'static str, u64)>;

/// What the links of a port carried and what came to nothing, for somebody who does not hold the
/// port.
#[derive(Clone)]
pub struct Meter {
    totals: Arc<Totals>,
    /// What the port itself counts.
    own: Arc<dyn Fn() -> Counts + Send + Sync>,
}

impl Meter {
    /// Links that are open.
    pub fn links(&self) -> usize {
        self.totals.up.load(Relaxed)
    }

    /// What strangers began and what came to nothing.
    pub fn counts(&self) -> Counts {
        let mut counts = (self.own)();
        counts.push(("handshakes_unfinished", self.totals.expired.load(Relaxed)));
        counts.push(("links_broke_a_rule", self.totals.misuse.load(Relaxed)));
        counts
    }

    /// Since the start.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            frames_in: self.totals.messages_in.load(Relaxed),
            frames_out: self.totals.messages_out.load(Relaxed),
            bytes_in: self.totals.bytes_in.load(Relaxed),
            bytes_out: self.totals.bytes_out.load(Relaxed),
        }
    }
}

pub(super) fn cost(bytes: &Bytes) -> usize {
    bytes.len() + MESSAGE_OVERHEAD
}

impl Outbox {
    /// Ask the link's task to end it. The first reason stays.
    fn end(&self, reason: DownReason) {
        lock(&self.ending).get_or_insert(reason);
        self.ended.notify_one();
    }

    pub(super) fn ending(&self) -> Option<DownReason> {
        *lock(&self.ending)
    }

    /// Wait until somebody asks for the end.
    pub async fn ended(&self) -> DownReason {
        loop {
            if let Some(reason) = self.ending() {
                return reason;
            }
            self.ended.notified().await;
        }
    }
}

impl LinkTable {
    /// `in_flight` of the bytes that may wait are the transport's own.
    pub fn new(send_bytes_max: usize, in_flight: usize) -> (Arc<Self>, mpsc::Receiver<LinkEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let links = Self {
            table: Mutex::default(),
            next: AtomicU64::new(1),
            send_bytes_max: send_bytes_max.saturating_sub(in_flight).max(65_536),
            events,
            totals: Arc::default(),
        };
        (Arc::new(links), receiver)
    }

    /// A new link's number and outbox; it takes messages once it is up.
    pub fn register(&self) -> (LinkId, Arc<Outbox>) {
        let link = LinkId(self.next.fetch_add(1, Relaxed));
        let outbox = Arc::new(Outbox {
            queue: Mutex::new(None),
            waiting: AtomicUsize::new(0),
            congested: AtomicBool::new(false),
            drained: Notify::new(),
            ending: Mutex::new(None),
            ended: Notify::new(),
        });
        lock(&self.table).insert(link, outbox.clone());
        (link, outbox)
    }

    pub fn remove(&self, link: LinkId) {
        lock(&self.table).remove(&link);
    }

    pub fn len(&self) -> usize {
        lock(&self.table).len()
    }

    pub async fn emit(&self, event: LinkEvent) {
        // Nobody listens when the program is ending.
        let _ = self.events.send(event).await;
    }

    pub fn end(&self, link: LinkId, reason: DownReason) {
        if let Some(outbox) = lock(&self.table).get(&link) {
            outbox.end(reason);
        }
    }

    pub fn end_all(&self) {
        for outbox in lock(&self.table).values() {
            outbox.end(DownReason::Closed);
        }
    }

    /// Queues one message. `true`: the link is congested, and a `Drained` will follow.
    pub fn try_send(&self, link: LinkId, bytes: Bytes) -> Result<bool, SendError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(SendError::TooLong);
        }
        let outbox = lock(&self.table)
            .get(&link)
            .cloned()
            .ok_or(SendError::NoLink)?;
        let queue = lock(&outbox.queue);
        let queue = queue.as_ref().ok_or(SendError::NoLink)?;
        // Only this function adds, and it holds the queue's lock.
        let (cost, length) = (cost(&bytes), bytes.len());
        let waiting = outbox.waiting.load(Relaxed) + cost;
        if waiting > self.send_bytes_max {
            return Err(SendError::Full);
        }
        let congested = waiting > self.high_mark();
        // Said before the writer can get hold of the message and find that all has drained.
        outbox.congested.fetch_or(congested, Relaxed);
        outbox.waiting.fetch_add(cost, Relaxed);
        queue.send(bytes).map_err(|_| SendError::NoLink)?;
        if congested && outbox.waiting.load(Relaxed) < self.low_mark() {
            // All of it has left between the look at it and the word about it.
            outbox.drained.notify_one();
        }
        self.totals.messages_out.fetch_add(1, Relaxed);
        self.totals.bytes_out.fetch_add(length as u64, Relaxed);
        Ok(congested)
    }

    fn high_mark(&self) -> usize {
        self.send_bytes_max / 16
    }

    pub(super) fn low_mark(&self) -> usize {
        self.send_bytes_max / 32
    }

    /// `own` is what the port counts itself; it must not hold the port.
    pub fn meter(&self, own: impl Fn() -> Counts + Send + Sync + 'static) -> Meter {
        Meter {
            totals: self.totals.clone(),
            own: Arc::new(own),
        }
    }

    pub fn stats(&self) -> LinkStats {
        let totals = &self.totals;
        let links = totals.up.load(Relaxed);
        LinkStats {
            links,
            half_open: self.len().saturating_sub(links),
            opened: totals.opened.load(Relaxed),
            expired: totals.expired.load(Relaxed),
            messages_in: totals.messages_in.load(Relaxed),
            messages_out: totals.messages_out.load(Relaxed),
            bytes_in: totals.bytes_in.load(Relaxed),
            bytes_out: totals.bytes_out.load(Relaxed),
            misuse: totals.misuse.load(Relaxed),
        }
    }
}
