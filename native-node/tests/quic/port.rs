//! A port with a QUIC side, and what is asked of its events.
#![allow(dead_code, reason = "each test program takes what it needs")]

use bytes::Bytes;
use native_node::quic::{QuicConfig, QuicPort};
use native_node::rtc::{CertificateFile, RtcConfig, RtcHint, RtcPort};
use native_node::transport::{DownReason, LinkEvent, LinkId, LinkLimits};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// Only a bound on hanging: nothing depends on how long things take.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const UFRAG: &str = "relayFrg";
pub const PWD: &str = "abcdefghijklmnopqrstuvwx";

pub struct Port {
    pub quic: QuicPort,
    pub events: Receiver<LinkEvent>,
    /// Zeros for one that only dials.
    pub certificate: [u8; 32],
    /// What it shares the port with, if it listens.
    pub rtc: Option<(RtcPort, Receiver<LinkEvent>)>,
}

impl Port {
    pub async fn listen(bind: &str) -> Self {
        Self::listen_with(&[bind], LinkLimits::quic()).await
    }

    pub async fn listen_with(bind: &[&str], limits: LinkLimits) -> Self {
        Self::listen_as(bind, CertificateFile::generate().unwrap(), limits).await
    }

    pub async fn listen_as(
        bind: &[&str],
        certificate: CertificateFile,
        limits: LinkLimits,
    ) -> Self {
        let config = RtcConfig {
            bind: bind
                .iter()
                .map(|address| address.parse().unwrap())
                .collect(),
            certificate: certificate.clone(),
            ufrag: UFRAG.to_owned(),
            pwd: PWD.to_owned(),
            limits: LinkLimits::default(),
        };
        let (rtc, rtc_events) = RtcPort::listen(config).await.unwrap();
        let config = QuicConfig {
            limits,
            ..QuicConfig::relay()
        };
        let (quic, events) = QuicPort::sharing(&rtc, &certificate, config).unwrap();
        Self {
            quic,
            events,
            certificate: certificate.fingerprint(),
            rtc: Some((rtc, rtc_events)),
        }
    }

    pub fn dialling(config: QuicConfig) -> Self {
        let (quic, events) = QuicPort::dialling(config).unwrap();
        Self {
            quic,
            events,
            certificate: [0; 32],
            rtc: None,
        }
    }

    pub fn dialler() -> Self {
        Self::dialling(QuicConfig::relay())
    }

    pub fn address(&self) -> SocketAddr {
        self.rtc.as_ref().unwrap().0.local_addr()
    }

    pub fn hint(&self) -> RtcHint {
        RtcHint {
            address: self.address(),
            fingerprint: self.certificate,
            ufrag: UFRAG.to_owned(),
            pwd: PWD.to_owned(),
        }
    }

    /// Dials and says something: the other side learns of a link with the first message.
    pub async fn link_to(&mut self, other: &mut Port) -> (LinkId, LinkId) {
        self.quic.dial(other.address(), Some(other.certificate));
        let (near, ..) = up(&mut self.events).await;
        self.quic.try_send(near, pattern(0, 1)).unwrap();
        let (far, ..) = up(&mut other.events).await;
        assert_eq!(message(&mut other.events).await, (far, pattern(0, 1)));
        (near, far)
    }
}

/// Wait for a condition that nothing announces.
pub async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time");
}

pub async fn next(events: &mut Receiver<LinkEvent>) -> LinkEvent {
    tokio::time::timeout(PATIENCE, events.recv())
        .await
        .expect("an event in time")
        .expect("open")
}

pub async fn up(events: &mut Receiver<LinkEvent>) -> (LinkId, [u8; 32], [u8; 32]) {
    match next(events).await {
        LinkEvent::Up {
            link,
            local_fingerprint,
            remote_fingerprint,
            ..
        } => (link, local_fingerprint, remote_fingerprint),
        other => panic!("{other:?} instead of Up"),
    }
}

pub async fn message(events: &mut Receiver<LinkEvent>) -> (LinkId, Bytes) {
    loop {
        match next(events).await {
            LinkEvent::Message { link, bytes } => return (link, bytes),
            LinkEvent::Drained { .. } => {}
            other => panic!("{other:?} instead of Message"),
        }
    }
}

pub async fn down(events: &mut Receiver<LinkEvent>) -> (LinkId, DownReason) {
    loop {
        match next(events).await {
            LinkEvent::Down { link, reason } => return (link, reason),
            LinkEvent::Drained { .. } => {}
            other => panic!("{other:?} instead of Down"),
        }
    }
}

/// Recognisable bytes, so that a mixed-up or cut message shows.
pub fn pattern(seed: usize, length: usize) -> Bytes {
    (0..length)
        .map(|i| u8::try_from((seed * 31 + i * 7) % 251).unwrap())
        .collect()
}
