//! QUIC links: relays among themselves, and native accounts that dial relays.
//!
//! ```text
//! socket.rs  quinn's end of a UDP socket, which may be WebRTC's (transport/udp.rs)
//! tls.rs     TLS 1.3 with self-signed certificates on both sides; windows and time-outs
//! reset.rs   what a peer of an earlier run is told
//! stream.rs  frames on the one stream of a link
//! drivers.rs the library's tasks, and what they hold
//! port.rs    listens and dials
//! ```
//!
//! Invariant: nothing is kept for an address, and no more sent to it than came from it, before it
//! has returned the token of a Retry. PROTOCOL.md section 12.

mod drivers;
mod port;
mod reset;
mod socket;
mod stream;
mod tls;

pub use port::QuicPort;

use crate::rtc::CertificateError;
use crate::transport::LinkLimits;
use std::net::SocketAddr;
use std::time::Duration;

/// How long a port waits for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuicConfig {
    pub limits: LinkLimits,
    /// For one dial, until the handshake is over.
    pub dial_timeout: Duration,
    /// A link on which nothing came for this long asks whether the other side is there.
    pub keep_alive: Option<Duration>,
}

impl QuicConfig {
    /// For a relay: it hears from those that are there.
    pub fn relay() -> Self {
        Self {
            limits: LinkLimits::quic(),
            dial_timeout: Duration::from_secs(10),
            keep_alive: None,
        }
    }

    /// For an account: somebody waits, so what is gone is noticed in seconds, and WebRTC has its
    /// turn soon.
    pub fn account() -> Self {
        Self {
            limits: LinkLimits {
                silence_timeout: Duration::from_secs(10),
                ..LinkLimits::quic()
            },
            dial_timeout: Duration::from_secs(4),
            keep_alive: Some(Duration::from_secs(3)),
        }
    }
}

/// Why there is no port.
#[derive(Debug)]
pub enum QuicError {
    /// No address could be bound.
    Bind {
        address: SocketAddr,
        cause: std::io::Error,
    },
    /// The TLS library does not take the certificate.
    Tls {
        cause: String,
    },
    Certificate(CertificateError),
}

impl std::fmt::Display for QuicError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bind { address, cause } => write!(
                f,
                "cannot use UDP {address} for QUIC: {cause}. Nothing was changed; stop what uses \
                 all ports, or start again"
            ),
            Self::Tls { cause } => write!(f, "QUIC does not take the certificate: {cause}"),
            Self::Certificate(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for QuicError {}

impl From<CertificateError> for QuicError {
    fn from(error: CertificateError) -> Self {
        Self::Certificate(error)
    }
}

/// Handshakes that came to nothing at once, since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QuicCounters {
    /// Answered by a Retry.
    pub retried: u64,
    /// Over a limit.
    pub refused_full: u64,
}
