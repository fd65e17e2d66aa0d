//! A data channel as what carries the messages of a link.

use crate::transport::{DownReason, Reader, Writer};
use bytes::{Bytes, BytesMut};
use std::sync::Arc;
use std::time::Duration;
use webrtc::data_channel::{DataChannel, DataChannelEvent};

/// The one channel of a link; a clone reads, another writes.
#[derive(Clone)]
pub struct Channel(pub Arc<dyn DataChannel>);

impl Reader for Channel {
    async fn read(&mut self) -> Result<Bytes, DownReason> {
        loop {
            match self.0.poll().await {
                Some(DataChannelEvent::OnMessage(message)) if message.is_string => {
                    return Err(DownReason::Misuse);
                }
                Some(DataChannelEvent::OnMessage(message)) => return Ok(message.data.freeze()),
                None | Some(DataChannelEvent::OnClose | DataChannelEvent::OnClosing) => {
                    return Err(DownReason::ClosedByPeer);
                }
                Some(_) => {}
            }
        }
    }
}

impl Writer for Channel {
    /// SCTP bundles by itself.
    const BATCH_BYTES: usize = 0;

    async fn write(&mut self, batch: Vec<Bytes>) -> Result<(), DownReason> {
        for bytes in batch {
            let sent = self.0.send(BytesMut::from(bytes)).await;
            sent.map_err(|_| DownReason::Failed)?;
        }
        Ok(())
    }

    async fn flush(&mut self) {
        while self
            .0
            .outstanding_bytes()
            .await
            .is_ok_and(|bytes| bytes > 0)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
