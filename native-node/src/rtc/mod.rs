//! WebRTC links: the relay's one UDP port for all browsers, and a native dialler.
//!
//! A browser dials from a relay hint alone. It makes up the relay's answer to its own, unmodified
//! offer ([`answer_from_hint`]); the relay makes up the offer when the first packets come, because
//! all that it would learn from one is in the client's STUN checks and DTLS handshake. No
//! signalling is needed, and HTTP offer/answer is the same mechanism: [`RtcPort::answer`] hands
//! out the answer the browser could have made up.
//!
//! ```text
//! UDP socket(s)   transport/udp.rs
//!   -> paths.rs   who is behind which address; ICE-lite, limits; decides, no I/O   (stun.rs)
//!   -> session.rs a virtual socket for each client
//!   -> peer.rs    one `webrtc` peer connection a link, told a made-up offer        (sdp.rs)
//!   -> channel.rs its data channel, as what carries a link (transport/carry.rs)
//! port.rs listens, dial.rs dials.
//! ```
//!
//! Invariant: a link's `Up` names the certificates that DTLS really used; who is behind them is
//! the link handshake's business (PROTOCOL.md section 3).

mod certificate;
mod channel;
mod dial;
mod paths;
mod peer;
mod port;
mod sdp;
mod session;
mod stun;

pub use certificate::{CertificateError, CertificateFile};
pub use dial::{RtcDialer, RtcHint};
pub use port::RtcPort;
pub use sdp::{AnswerError, answer_from_hint};

use crate::transport::LinkLimits;
use std::net::SocketAddr;

/// Label of the one data channel of a link.
pub const CHANNEL_LABEL: &str = "wm1";

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
    pub limits: LinkLimits,
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
    /// Questions for the own address: of who has a link, and others or too many.
    pub questions_answered: u64,
    pub questions_dropped: u64,
}
