//! The dialling side, for native accounts: an ordinary peer connection whose remote answer is made
//! up from the relay hint.
//!
//! Invariant: a link is up only after the relay proved to own the certificate of the hint.

use super::certificate::CertificateFile;
use super::channel::Channel;
use super::peer::{self, Handler, IN_FLIGHT_BYTES_MAX};
use super::{CHANNEL_LABEL, answer_from_hint};
use crate::transport::{DownReason, LinkEvent, LinkStats, LinkTable, Outbox, SendError};
use bytes::Bytes;
use shared::io::{DialError, LinkId};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{PeerConnection, RTCSessionDescription};

/// What of a relay hint is needed to dial it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RtcHint {
    pub address: SocketAddr,
    /// SHA-256 of the relay's DTLS certificate.
    pub fingerprint: [u8; 32],
    pub ufrag: String,
    pub pwd: String,
}

/// Dials relays from hints. Dropping it closes its links.
pub struct RtcDialer {
    links: Arc<LinkTable>,
    timeout: Duration,
}

impl RtcDialer {
    /// `timeout` is for one dial; `send_bytes_max` as in [`crate::transport::LinkLimits`].
    pub fn new(timeout: Duration, send_bytes_max: usize) -> (Self, mpsc::Receiver<LinkEvent>) {
        let (links, events) = LinkTable::new(send_bytes_max, IN_FLIGHT_BYTES_MAX);
        (Self { links, timeout }, events)
    }

    /// Dial, with a new certificate each time. `Up` or `DialFailed` follows.
    pub fn dial(&self, hint: RtcHint) -> LinkId {
        let (link, outbox) = self.links.register();
        let (links, timeout) = (self.links.clone(), self.timeout);
        tokio::spawn(async move {
            if let Err(error) = run(&links, link, &outbox, &hint, timeout).await {
                links.emit(LinkEvent::DialFailed { link, error }).await;
            }
            links.remove(link);
        });
        link
    }

    /// Queue one message. Never waits.
    pub fn try_send(&self, link: LinkId, bytes: Bytes) -> Result<bool, SendError> {
        self.links.try_send(link, bytes)
    }

    /// Close a link after what was sent before has left (2 s at most). `Down` follows.
    pub fn close(&self, link: LinkId) {
        self.links.end(link, DownReason::Closed);
    }

    pub fn stats(&self) -> LinkStats {
        self.links.stats()
    }
}

impl Drop for RtcDialer {
    fn drop(&mut self) {
        self.links.end_all();
    }
}

/// The life of one dialled link.
async fn run(
    links: &Arc<LinkTable>,
    link: LinkId,
    outbox: &Outbox,
    hint: &RtcHint,
    timeout: Duration,
) -> Result<(), DialError> {
    let certificate = CertificateFile::generate().map_err(|_| DialError::Unsupported)?;
    let handler = Handler::dialling(links.clone(), link);
    // Boxed, so that this task does not keep the room in which it was made.
    let making = Box::pin(peer::dialling(
        &certificate,
        handler,
        local_for(hint.address),
    ));
    let connection = making.await.map_err(|_| DialError::Unsupported)?;
    let opened = tokio::select! {
        opened = tokio::time::timeout(timeout, open(&connection, hint)) => {
            opened.unwrap_or(Err(DialError::NoAnswer))
        }
        _ = outbox.ended() => Err(DialError::NoAnswer),
    };
    let result = match opened {
        Ok(_) if peer::remote_fingerprint(&connection).await != Some(hint.fingerprint) => {
            Err(DialError::WrongCertificate)
        }
        Err(error) => Err(error),
        Ok(channel) => {
            let up = LinkEvent::Up {
                link,
                remote: hint.address,
                local_fingerprint: certificate.fingerprint(),
                remote_fingerprint: hint.fingerprint,
            };
            let channel = Channel(channel);
            links
                .carry(link, outbox, (channel.clone(), channel), up)
                .await;
            Ok(())
        }
    };
    // Closing cannot usefully fail.
    let _ = connection.close().await;
    result
}

async fn open(
    connection: &Arc<dyn PeerConnection>,
    hint: &RtcHint,
) -> Result<Arc<dyn DataChannel>, DialError> {
    let describe = async {
        let channel = connection.create_data_channel(CHANNEL_LABEL, None).await?;
        let offer = connection.create_offer(None).await?;
        let text = offer.sdp.clone();
        connection.set_local_description(offer).await?;
        Ok::<_, webrtc::error::Error>((channel, text))
    };
    let (channel, offer) = describe.await.map_err(|_| DialError::Unsupported)?;
    let answer = answer_from_hint(
        &offer,
        &[hint.address],
        &hint.fingerprint,
        &hint.ufrag,
        &hint.pwd,
    )
    .map_err(|_| DialError::Unsupported)?;
    let answer = RTCSessionDescription::answer(answer).map_err(|_| DialError::Unsupported)?;
    connection
        .set_remote_description(answer)
        .await
        .map_err(|_| DialError::Unsupported)?;
    loop {
        match channel.poll().await {
            Some(DataChannelEvent::OnOpen) => return Ok(channel),
            Some(DataChannelEvent::OnClose) | None => return Err(DialError::NoAnswer),
            Some(_) => {}
        }
    }
}

/// The address to bind so that `remote` can be reached. A wildcard skips loopback in this library.
fn local_for(remote: SocketAddr) -> SocketAddr {
    match remote {
        SocketAddr::V4(v4) if v4.ip().is_loopback() => (Ipv4Addr::LOCALHOST, 0).into(),
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(v6) if v6.ip().is_loopback() => (Ipv6Addr::LOCALHOST, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}
