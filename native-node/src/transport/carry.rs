//! The life of an open link: ordered messages both ways, with back-pressure, over anything that
//! can read and write them. The same for the listening and the dialling side.
//!
//! Invariant: every `Up` is followed by exactly one `Down`, and while nobody takes events, nothing
//! more is read (what then waits inside the transport is bounded by its window).

use super::table::{LinkTable, Outbox, cost};
use super::{DownReason, LinkEvent, MESSAGE_BYTES_MAX, lock};
use bytes::Bytes;
use shared::io::LinkId;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;
use tokio::sync::mpsc;

/// A closed link may take this long to send what was queued before.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// Where the messages of a link come from.
pub trait Reader: Send {
    /// The next message, or why there will be none. Dropping the future loses nothing.
    fn read(&mut self) -> impl Future<Output = Result<Bytes, DownReason>> + Send;
}

/// Where the messages of a link go.
pub trait Writer: Send {
    /// Messages that wait are gathered while they have fewer bytes than this.
    const BATCH_BYTES: usize;

    /// Hands over messages, in order; comes back when there is room for more.
    fn write(&mut self, batch: Vec<Bytes>) -> impl Future<Output = Result<(), DownReason>> + Send;

    /// Comes back when the other side has everything, or never will.
    fn flush(&mut self) -> impl Future<Output = ()> + Send;
}

impl LinkTable {
    /// Announce a link with `up`, carry its messages until it ends, and announce that.
    pub async fn carry<W: Writer>(
        &self,
        link: LinkId,
        outbox: &Outbox,
        (mut reader, writer): (impl Reader, W),
        up: LinkEvent,
    ) {
        let (queue, queued) = mpsc::unbounded_channel();
        *lock(&outbox.queue) = Some(queue);
        self.totals.up.fetch_add(1, Relaxed);
        self.totals.opened.fetch_add(1, Relaxed);
        self.emit(up).await;
        let mut writing = std::pin::pin!(self.write(outbox, writer, queued));
        let reason = loop {
            let step = tokio::select! {
                read = reader.read() => match read {
                    Ok(bytes) => self.on_message(link, outbox, bytes).await,
                    Err(reason) => ControlFlow::Break(outbox.ending().unwrap_or(reason)),
                },
                reason = outbox.ended() => ControlFlow::Break(reason),
                () = outbox.drained.notified() => self.on_drained(link, outbox).await,
                reason = &mut writing => ControlFlow::Break(reason),
            };
            if let ControlFlow::Break(reason) = step {
                break reason;
            }
        };
        // No new messages; then the writer ends when it has handed over the last one.
        *lock(&outbox.queue) = None;
        if reason == DownReason::Closed {
            let _ = tokio::time::timeout(FLUSH_TIMEOUT, writing).await;
        }
        if reason == DownReason::Misuse {
            self.totals.misuse.fetch_add(1, Relaxed);
        }
        self.totals.up.fetch_sub(1, Relaxed);
        self.emit(LinkEvent::Down { link, reason }).await;
    }

    /// Writes until the queue is closed and empty, and has arrived; or until that fails.
    async fn write<W: Writer>(
        &self,
        outbox: &Outbox,
        mut writer: W,
        mut queued: mpsc::UnboundedReceiver<Bytes>,
    ) -> DownReason {
        while let Some(first) = queued.recv().await {
            let mut costs = cost(&first);
            let mut batch = vec![first];
            while costs < W::BATCH_BYTES
                && let Ok(bytes) = queued.try_recv()
            {
                costs += cost(&bytes);
                batch.push(bytes);
            }
            if let Err(reason) = writer.write(batch).await {
                return reason;
            }
            let before = outbox.waiting.fetch_sub(costs, Relaxed);
            if before >= self.low_mark() && before - costs < self.low_mark() {
                outbox.drained.notify_one();
            }
        }
        writer.flush().await;
        DownReason::Closed
    }

    async fn on_message(
        &self,
        link: LinkId,
        outbox: &Outbox,
        bytes: Bytes,
    ) -> ControlFlow<DownReason> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return ControlFlow::Break(DownReason::Misuse);
        }
        self.totals.messages_in.fetch_add(1, Relaxed);
        let length = bytes.len() as u64;
        self.totals.bytes_in.fetch_add(length, Relaxed);
        self.emit_or_end(outbox, LinkEvent::Message { link, bytes })
            .await
    }

    async fn on_drained(&self, link: LinkId, outbox: &Outbox) -> ControlFlow<DownReason> {
        if outbox.waiting.load(Relaxed) >= self.low_mark() || !outbox.congested.swap(false, Relaxed)
        {
            return ControlFlow::Continue(());
        }
        self.emit_or_end(outbox, LinkEvent::Drained { link }).await
    }

    /// The owner may be slow, and may be what waits for this link to close.
    async fn emit_or_end(&self, outbox: &Outbox, event: LinkEvent) -> ControlFlow<DownReason> {
        tokio::select! {
            () = self.emit(event) => ControlFlow::Continue(()),
            reason = outbox.ended() => ControlFlow::Break(reason),
        }
    }
}
