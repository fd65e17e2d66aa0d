//! QUIC links over loopback: what relays do among themselves.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod quic_port;

use native_node::quic::{QuicConfig, QuicPort};
use native_node::rtc::CertificateFile;
use native_node::transport::{
    DialError, DownReason, LinkEvent, LinkLimits, MESSAGE_BYTES_MAX, SendError,
};
use quic_port::{Port, down, message, next, pattern, up};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_all_sizes_cross_in_order_both_ways() {
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let mut listener = Port::listen(bind).await;
        let mut dialler = Port::dialling(QuicConfig::new(CertificateFile::generate().unwrap()));
        let near = dialler
            .quic
            .dial(listener.address(), Some(listener.certificate));
        let (link, near_local, near_remote) = up(&mut dialler.events).await;
        assert_eq!(link, near);
        assert_eq!(near_remote, listener.certificate);
        dialler.quic.try_send(near, pattern(0, 1)).unwrap();
        let (far, far_local, far_remote) = up(&mut listener.events).await;
        // The link handshake binds both certificates: each side must see the same two.
        assert_eq!((near_local, near_remote), (far_remote, far_local));
        assert_eq!(message(&mut listener.events).await, (far, pattern(0, 1)));

        let sizes = [0, 1, 2, 100, 1_171, 1_452, 4_096, 16_384, MESSAGE_BYTES_MAX];
        for (seed, size) in sizes.into_iter().enumerate() {
            dialler.quic.try_send(near, pattern(seed, size)).unwrap();
            listener
                .quic
                .try_send(far, pattern(seed + 100, size))
                .unwrap();
        }
        for (seed, size) in sizes.into_iter().enumerate() {
            let expected = (far, pattern(seed, size));
            assert_eq!(message(&mut listener.events).await, expected);
            let expected = (near, pattern(seed + 100, size));
            assert_eq!(message(&mut dialler.events).await, expected);
        }
        let long = pattern(0, MESSAGE_BYTES_MAX + 1);
        assert_eq!(dialler.quic.try_send(near, long), Err(SendError::TooLong));

        // What was sent before a close still arrives.
        for seed in 0..10 {
            listener.quic.try_send(far, pattern(seed, 5_000)).unwrap();
        }
        listener.quic.close(far);
        for seed in 0..10 {
            let expected = (near, pattern(seed, 5_000));
            assert_eq!(message(&mut dialler.events).await, expected);
        }
        let expected = (near, DownReason::ClosedByPeer);
        assert_eq!(down(&mut dialler.events).await, expected);
        assert_eq!(down(&mut listener.events).await, (far, DownReason::Closed));
        let late = listener.quic.try_send(far, pattern(0, 1));
        assert_eq!(late, Err(SendError::NoLink));
    }
}
