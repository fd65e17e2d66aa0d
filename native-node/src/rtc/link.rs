//! A link once its data channel is there: ordered messages both ways, with back-pressure. The
//! same for the listening and the dialling side.
//!
//! Invariant: every `Up` is followed by exactly one `Down`, and what a link may queue is bounded
//! in bytes in both directions (inwards by SCTP's window: while nobody takes events, nothing more
//! is read).

use super::{DownReason, EVENTS_MAX, MESSAGE_BYTES_MAX, RtcEvent, RtcStats, lock};
use bytes::{Bytes, BytesMut};
use shared::io::LinkId;
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use webrtc::data_channel::{DataChannel, DataChannelEvent, RTCDataChannelMessage};

/// What a queued message costs beyond its bytes, so that empty ones are bounded, too.
const MESSAGE_OVERHEAD: usize = 64;
/// Bytes handed to SCTP and not acknowledged yet; the rest waits in our own queue.
pub const IN_FLIGHT_BYTES_MAX: usize = 1024 * 1024;
/// A closed link may take this long to send what was queued before.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

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
    queue: Mutex<Option<mpsc::UnboundedSender<Bytes>>>,
    waiting: AtomicUsize,
    /// `waiting` was above the high mark, and not below the low one since.
    congested: AtomicBool,
    /// `waiting` fell below the low mark.
    drained: Notify,
    ending: Mutex<Option<DownReason>>,
    /// `ending` was set. A notice of its own: who waits for the end must not take the other.
    ended: Notify,
}

/// The links of one port or dialler.
pub struct Links {
    table: Mutex<HashMap<LinkId, Arc<Outbox>>>,
    next: AtomicU64,
    send_bytes_max: usize,
    events: mpsc::Sender<RtcEvent>,
    pub totals: Totals,
}

#[derive(Default)]
pub struct Totals {
    pub up: AtomicUsize,
    pub opened: AtomicU64,
    pub expired: AtomicU64,
    messages_in: AtomicU64,
    messages_out: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    pub misuse: AtomicU64,
}

fn cost(bytes: &Bytes) -> usize {
    bytes.len() + MESSAGE_OVERHEAD
}

impl Outbox {
    /// Ask the link's task to end it. The first reason stays.
    fn end(&self, reason: DownReason) {
        lock(&self.ending).get_or_insert(reason);
        self.ended.notify_one();
    }

    fn ending(&self) -> Option<DownReason> {
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

impl Links {
    pub fn new(send_bytes_max: usize) -> (Arc<Self>, mpsc::Receiver<RtcEvent>) {
        let (events, receiver) = mpsc::channel(EVENTS_MAX);
        let links = Self {
            table: Mutex::default(),
            next: AtomicU64::new(1),
            // The rest of the bound is in flight.
            send_bytes_max: send_bytes_max
                .saturating_sub(IN_FLIGHT_BYTES_MAX)
                .max(65_536),
            events,
            totals: Totals::default(),
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

    pub async fn emit(&self, event: RtcEvent) {
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
        self.totals.messages_out.fetch_add(1, Relaxed);
        self.totals.bytes_out.fetch_add(length as u64, Relaxed);
        Ok(congested)
    }

    fn high_mark(&self) -> usize {
        self.send_bytes_max / 2
    }

    fn low_mark(&self) -> usize {
        self.send_bytes_max / 4
    }

    pub fn stats(&self) -> RtcStats {
        let totals = &self.totals;
        let links = totals.up.load(Relaxed);
        RtcStats {
            links,
            half_open: self.len().saturating_sub(links),
            opened: totals.opened.load(Relaxed),
            expired: totals.expired.load(Relaxed),
            messages_in: totals.messages_in.load(Relaxed),
            messages_out: totals.messages_out.load(Relaxed),
            bytes_in: totals.bytes_in.load(Relaxed),
            bytes_out: totals.bytes_out.load(Relaxed),
            misuse: totals.misuse.load(Relaxed),
            datagrams: super::Counters::default(),
        }
    }

    /// Announce a link with `up`, carry its messages until it ends, and announce that.
    pub async fn carry(
        &self,
        link: LinkId,
        outbox: &Outbox,
        channel: &Arc<dyn DataChannel>,
        up: RtcEvent,
    ) {
        let (queue, queued) = mpsc::unbounded_channel();
        *lock(&outbox.queue) = Some(queue);
        self.totals.up.fetch_add(1, Relaxed);
        self.totals.opened.fetch_add(1, Relaxed);
        self.emit(up).await;
        let mut writer = std::pin::pin!(self.write(outbox, channel, queued));
        let reason = loop {
            let step = tokio::select! {
                event = channel.poll() => self.on_event(link, outbox, event).await,
                reason = outbox.ended() => ControlFlow::Break(reason),
                () = outbox.drained.notified() => self.on_drained(link, outbox).await,
                () = &mut writer => ControlFlow::Break(DownReason::Failed),
            };
            if let ControlFlow::Break(reason) = step {
                break reason;
            }
        };
        // No new messages; then the writer ends when it has handed over the last one.
        *lock(&outbox.queue) = None;
        if reason == DownReason::Closed {
            let flush = async {
                writer.await;
                while channel
                    .outstanding_bytes()
                    .await
                    .is_ok_and(|bytes| bytes > 0)
                {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            let _ = tokio::time::timeout(FLUSH_TIMEOUT, flush).await;
        }
        if reason == DownReason::Misuse {
            self.totals.misuse.fetch_add(1, Relaxed);
        }
        self.totals.up.fetch_sub(1, Relaxed);
        self.emit(RtcEvent::Down { link, reason }).await;
    }

    async fn write(
        &self,
        outbox: &Outbox,
        channel: &Arc<dyn DataChannel>,
        mut queued: mpsc::UnboundedReceiver<Bytes>,
    ) {
        while let Some(bytes) = queued.recv().await {
            let cost = cost(&bytes);
            if channel.send(BytesMut::from(bytes)).await.is_err() {
                return;
            }
            let before = outbox.waiting.fetch_sub(cost, Relaxed);
            if before >= self.low_mark() && before - cost < self.low_mark() {
                outbox.drained.notify_one();
            }
        }
    }

    async fn on_event(
        &self,
        link: LinkId,
        outbox: &Outbox,
        event: Option<DataChannelEvent>,
    ) -> ControlFlow<DownReason> {
        match event {
            Some(DataChannelEvent::OnMessage(message)) => {
                self.on_message(link, outbox, message).await
            }
            None | Some(DataChannelEvent::OnClose | DataChannelEvent::OnClosing) => {
                ControlFlow::Break(outbox.ending().unwrap_or(DownReason::ClosedByPeer))
            }
            Some(_) => ControlFlow::Continue(()),
        }
    }

    async fn on_message(
        &self,
        link: LinkId,
        outbox: &Outbox,
        message: RTCDataChannelMessage,
    ) -> ControlFlow<DownReason> {
        if message.is_string || message.data.len() > MESSAGE_BYTES_MAX {
            return ControlFlow::Break(DownReason::Misuse);
        }
        self.totals.messages_in.fetch_add(1, Relaxed);
        self.totals
            .bytes_in
            .fetch_add(message.data.len() as u64, Relaxed);
        let bytes = message.data.freeze();
        self.emit_or_end(outbox, RtcEvent::Message { link, bytes })
            .await
    }

    async fn on_drained(&self, link: LinkId, outbox: &Outbox) -> ControlFlow<DownReason> {
        if outbox.waiting.load(Relaxed) >= self.low_mark() || !outbox.congested.swap(false, Relaxed)
        {
            return ControlFlow::Continue(());
        }
        self.emit_or_end(outbox, RtcEvent::Drained { link }).await
    }

    /// The owner may be slow, and may be what waits for this link to close.
    async fn emit_or_end(&self, outbox: &Outbox, event: RtcEvent) -> ControlFlow<DownReason> {
        tokio::select! {
            () = self.emit(event) => ControlFlow::Continue(()),
            reason = outbox.ended() => ControlFlow::Break(reason),
        }
    }
}
