//! What WebRTC and QUIC have in common: links with numbers, send queues, limits, and one UDP port.
//!
//! ```text
//! udp.rs    sockets; tells the two protocols apart
//! room.rs   who may open a link, and which half-open one gives way
//! table.rs  numbers and send queues of links
//! carry.rs  a link from `Up` to `Down`, over whatever carries its messages
//! ```
//!
//! Invariant: `Up` names the certificates that the handshake really used; who is behind them is
//! the link handshake's business (PROTOCOL.md section 3).

mod carry;
mod room;
mod table;
mod udp;

pub(crate) use carry::{Reader, Writer};
pub(crate) use room::{HalfOpen, Room};
pub use shared::io::{DialError, LinkId};
pub use table::{Counts, Meter, SendError};
pub(crate) use table::{LinkTable, Outbox};
pub(crate) use udp::{Inbox, QUIC_DATAGRAM_BYTES_MAX, Route, UdpPort, canonical};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest message of a link, bytes; a longer one closes it (PROTOCOL.md section 3).
pub const MESSAGE_BYTES_MAX: usize = 17_408;
/// Messages waiting to be taken by the owner of an event queue, all links of it together.
const EVENTS_MAX: usize = 1_024;

/// Bounds on what strangers can make a port hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkLimits {
    /// Links that came in, half-open ones and those that still take memory after their end
    /// included. An idle one takes about 0.2 MB over WebRTC, and about 34 KiB over QUIC.
    pub links_max: usize,
    /// Links from one IPv4 address or IPv6 /64.
    pub links_per_address_max: usize,
    /// Links from one IPv4 /24 or IPv6 /48.
    pub links_per_network_max: usize,
    /// Links whose handshake is not over, or whose channel or stream is not open yet.
    pub half_open_max: usize,
    /// Of these, from one IPv4 address or IPv6 /64.
    pub half_open_per_address_max: usize,
    /// Of these, from one IPv4 /24 or IPv6 /48.
    pub half_open_per_network_max: usize,
    /// Time for a link to open.
    pub half_open_timeout: Duration,
    /// A link whose other side sends nothing at all (over WebRTC: not even ICE checks, every
    /// 2.5 s) for this long is closed.
    pub silence_timeout: Duration,
    /// Bytes waiting to be sent on one link, acknowledged by nobody yet.
    pub send_bytes_max: usize,
}

impl Default for LinkLimits {
    /// For WebRTC.
    fn default() -> Self {
        Self {
            links_max: 2_048,
            links_per_address_max: 128,
            links_per_network_max: 512,
            half_open_max: 128,
            half_open_per_address_max: 16,
            half_open_per_network_max: 32,
            half_open_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(15),
            send_bytes_max: 4 * 1024 * 1024,
        }
    }
}

impl LinkLimits {
    /// For QUIC, where only the frames of a link tell that somebody is there.
    pub fn quic() -> Self {
        Self {
            silence_timeout: Duration::from_secs(60),
            ..Self::default()
        }
    }
}

/// What happens on links. Events of one link come in order.
#[derive(Debug)]
pub enum LinkEvent {
    /// The link is open. Fingerprints are SHA-256 of the certificates in use.
    Up {
        link: LinkId,
        /// The dialled address, or the one the client came from.
        remote: SocketAddr,
        local_fingerprint: [u8; 32],
        remote_fingerprint: [u8; 32],
    },
    /// One message, at most [`MESSAGE_BYTES_MAX`] bytes.
    Message { link: LinkId, bytes: Bytes },
    /// Less than 1/32 of the send queue is in use again, after more than 1/16 was.
    Drained { link: LinkId },
    /// A link that was up is gone, by whichever side.
    Down { link: LinkId, reason: DownReason },
    /// A dial came to nothing; the link was never up.
    DialFailed { link: LinkId, error: DialError },
}

/// Why a link went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DownReason {
    /// This side closed it.
    Closed,
    /// The other side closed it.
    ClosedByPeer,
    /// Nothing was heard for too long.
    Silent,
    /// The peer broke a rule: a message too long or not binary, a second channel or stream.
    Misuse,
    /// The transport failed.
    Failed,
}

/// Counts since the start, and sizes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkStats {
    /// Open links.
    pub links: usize,
    pub half_open: usize,
    pub opened: u64,
    /// Half-open links that never opened.
    pub expired: u64,
    pub messages_in: u64,
    pub messages_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
    /// Links closed because the peer broke a rule.
    pub misuse: u64,
}

/// Frames and their bytes, without what carries them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    pub frames_in: u64,
    pub frames_out: u64,
    pub bytes_in: u64,
    pub bytes_out: u64,
}

impl Traffic {
    /// What came since `earlier`, of the same links.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            frames_in: self.frames_in.saturating_sub(earlier.frames_in),
            frames_out: self.frames_out.saturating_sub(earlier.frames_out),
            bytes_in: self.bytes_in.saturating_sub(earlier.bytes_in),
            bytes_out: self.bytes_out.saturating_sub(earlier.bytes_out),
        }
    }
}

/// The unit that per-address limits count by: an IPv4 address, an IPv6 /64.
pub(crate) fn block(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(_) => ip,
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 64 << 64).into()),
    }
}

/// What one holder of addresses often has whole: an IPv4 /24, an IPv6 /48.
pub(crate) fn network(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(v4) => IpAddr::V4((u32::from(v4) >> 8 << 8).into()),
        IpAddr::V6(v6) => IpAddr::V6((u128::from(v6) >> 80 << 80).into()),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding one; and even then the data behind it is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
