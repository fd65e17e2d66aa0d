//! WebRTC links: the relay's one UDP port for all browsers, and a native dialler.
//!
//! A browser dials from a relay hint alone. It makes up the relay's answer to its own, unmodified
//! offer ([`answer_from_hint`]); the relay makes up the offer when the first packets come, because
//! all that it would learn from one is in the client's STUN checks and DTLS handshake. No
//! signalling is needed, and HTTP offer/answer is the same mechanism: [`RtcPort::answer`] hands
//! out the answer the browser could have made up.
//!
//! ```text
//! UDP socket(s)   socket.rs    batched reads and writes
//!   -> paths.rs   who is behind which address; ICE-lite, limits; decides, no I/O   (stun.rs)
//!   -> room.rs    which client may open a link, and which gives way
//!   -> session.rs a virtual socket for each client
//!   -> peer.rs    one `webrtc` peer connection a link, told a made-up offer        (sdp.rs)
//!   -> link.rs    ordered messages with back-pressure, the same for both ends
//! port.rs listens, dial.rs dials.
//! ```
//!
//! Invariant: a link's `Up` names the certificates that DTLS really used; who is behind them is
//! the link handshake's business (PROTOCOL.md section 3).

mod certificate;
mod dial;
mod link;
mod paths;
mod peer;
mod port;
mod room;
mod sdp;
mod session;
mod socket;
mod stun;

pub use certificate::{CertificateError, CertificateFile};
pub use dial::{RtcDialer, RtcHint};
pub use link::SendError;
pub(crate) use paths::block;
pub use port::RtcPort;
pub use sdp::{AnswerError, answer_from_hint};
pub use shared::io::{DialError, LinkId};

use bytes::Bytes;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Longest message of a link, bytes; a longer one closes it (PROTOCOL.md section 3).
pub const MESSAGE_BYTES_MAX: usize = 17_408;
/// Label of the one data channel of a link.
pub const CHANNEL_LABEL: &str = "wm1";
/// Messages waiting to be taken by the owner of the event queue, all links together.
const EVENTS_MAX: usize = 1_024;

/// What [`RtcPort::listen`] needs.
#[derive(Clone, Debug)]
pub struct RtcConfig {
    /// Addresses to bind, such as `0.0.0.0:port` and `[::]:port`. All get the first one's port;
    /// port 0 lets the system choose. Wildcards include loopback.
    pub bind: Vec<SocketAddr>,
    pub certificate: CertificateFile,
    /// 4 to 32 characters; public, from the hint.
    pub ufrag: String,
    /// 22 to 256 characters; public, from the hint.
    pub pwd: String,
    pub limits: RtcLimits,
}

/// Bounds on what strangers can make a port hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RtcLimits {
    /// Links, half-open ones included. An idle one takes about 0.5 MB.
    pub links_max: usize,
    /// Links from one IPv4 address or IPv6 /64.
    pub links_per_address_max: usize,
    /// Links whose data channel is not open yet.
    pub half_open_max: usize,
    /// Of these, from one IPv4 address or IPv6 /64.
    pub half_open_per_address_max: usize,
    /// Time for a link to open.
    pub half_open_timeout: Duration,
    /// A link whose client sends nothing, not even ICE checks (every 2.5 s), for this long is
    /// closed.
    pub silence_timeout: Duration,
    /// Bytes waiting to be sent on one link, acknowledged by nobody yet.
    pub send_bytes_max: usize,
}

impl Default for RtcLimits {
    fn default() -> Self {
        Self {
            links_max: 2_048,
            links_per_address_max: 128,
            half_open_max: 128,
            half_open_per_address_max: 16,
            half_open_timeout: Duration::from_secs(10),
            silence_timeout: Duration::from_secs(15),
            send_bytes_max: 4 * 1024 * 1024,
        }
    }
}

/// What happens on links. Events of one link come in order.
#[derive(Debug)]
pub enum RtcEvent {
    /// The data channel is open. Fingerprints are SHA-256 of the DTLS certificates in use.
    Up {
        link: LinkId,
        /// The dialled address, or the one the client came from.
        remote: SocketAddr,
        local_fingerprint: [u8; 32],
        remote_fingerprint: [u8; 32],
    },
    /// One message, at most [`MESSAGE_BYTES_MAX`] bytes.
    Message { link: LinkId, bytes: Bytes },
    /// Less than a quarter of the send queue is in use again, after more than half was.
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
    /// The peer broke a rule: a message too long or not binary, a second or wrong data channel.
    Misuse,
    /// The transport failed.
    Failed,
}

/// Why a port could not start.
#[derive(Debug)]
pub enum RtcError {
    /// An address could not be bound: in use, not ours, or not allowed.
    Bind {
        address: SocketAddr,
        cause: std::io::Error,
    },
    /// `bind` is empty.
    NoAddress,
    /// The ICE credentials break ICE's rules (RFC 8839 section 5.4).
    Credentials,
    Certificate(CertificateError),
}

impl std::fmt::Display for RtcError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind { address, cause } => write!(
                f,
                "cannot listen on UDP {address}: {cause}. Nothing was changed; choose another \
                 address or port, or stop what uses it"
            ),
            Self::NoAddress => f.write_str("no UDP address to listen on was given"),
            Self::Credentials => f.write_str("the ICE credentials break ICE's rules"),
            Self::Certificate(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for RtcError {}

impl From<CertificateError> for RtcError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

/// Counts since the start, and sizes now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RtcStats {
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
    pub datagrams: Counters,
}

/// Datagrams that came to nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Neither DTLS nor a well-formed check for this port.
    pub dropped_garbage: u64,
    /// DTLS from an address without a verified check, or of a link that is gone.
    pub dropped_unknown: u64,
    /// Checks signed with another password.
    pub wrong_password: u64,
    /// Checks and handshakes over a limit.
    pub refused_full: u64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while holding one; and even then the data behind it is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
