//! WebRTC links over loopback, native to native: what a relay and a native account do.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::Bytes;
use native_node::rtc::{CertificateFile, RtcConfig, RtcDialer, RtcHint, RtcPort};
use native_node::transport::{
    DialError, DownReason, LinkEvent, LinkId, LinkLimits, MESSAGE_BYTES_MAX, SendError,
};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

const UFRAG: &str = "relayFrg";
const PWD: &str = "abcdefghijklmnopqrstuvwx";
/// Only a bound on hanging: nothing below depends on how long things take.
const PATIENCE: Duration = Duration::from_secs(60);

fn config(bind: &str, certificate: &CertificateFile) -> RtcConfig {
    RtcConfig {
        bind: vec![bind.parse().unwrap()],
        certificate: certificate.clone(),
        ufrag: UFRAG.to_owned(),
        pwd: PWD.to_owned(),
        limits: LinkLimits::default(),
    }
}

fn hint(port: &RtcPort) -> RtcHint {
    RtcHint {
        address: port.local_addr(),
        fingerprint: port.fingerprint(),
        ufrag: UFRAG.to_owned(),
        pwd: PWD.to_owned(),
    }
}

fn dialer() -> (RtcDialer, Receiver<LinkEvent>) {
    RtcDialer::new(PATIENCE, LinkLimits::default().send_bytes_max)
}

/// A port on loopback, with a certificate of its own.
async fn listen() -> (RtcPort, Receiver<LinkEvent>) {
    let certificate = CertificateFile::generate().unwrap();
    RtcPort::listen(config("127.0.0.1:0", &certificate))
        .await
        .unwrap()
}

/// A link to that port: its dialler, and its names at the dialler and at the port.
async fn dial(
    port: &RtcPort,
    at_port: &mut Receiver<LinkEvent>,
) -> (RtcDialer, Receiver<LinkEvent>, LinkId, LinkId) {
    let (dialer, mut at_dialer) = dialer();
    dialer.dial(hint(port));
    let (near, ..) = up(&mut at_dialer).await;
    let (far, ..) = up(at_port).await;
    (dialer, at_dialer, near, far)
}

/// Wait for a condition that nothing announces.
async fn until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.expect("in time");
}

async fn next(events: &mut Receiver<LinkEvent>) -> LinkEvent {
    tokio::time::timeout(PATIENCE, events.recv())
        .await
        .expect("an event in time")
        .expect("open")
}

async fn up(events: &mut Receiver<LinkEvent>) -> (LinkId, [u8; 32], [u8; 32]) {
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

async fn message(events: &mut Receiver<LinkEvent>) -> (LinkId, Bytes) {
    loop {
        match next(events).await {
            LinkEvent::Message { link, bytes } => return (link, bytes),
            LinkEvent::Drained { .. } => {}
            other => panic!("{other:?} instead of Message"),
        }
    }
}

/// Recognisable bytes, so that a mixed-up or cut message shows.
fn pattern(seed: usize, length: usize) -> Bytes {
    (0..length)
        .map(|i| u8::try_from((seed * 31 + i * 7) % 251).unwrap())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn messages_of_all_sizes_cross_in_order_both_ways() {
    let certificate = CertificateFile::generate().unwrap();
    let (port, mut at_port) = RtcPort::listen(config("127.0.0.1:0", &certificate))
        .await
        .unwrap();
    let (dialer, mut at_dialer) = dialer();
    let dialled = dialer.dial(hint(&port));
    let (near, near_local, near_remote) = up(&mut at_dialer).await;
    let (far, far_local, far_remote) = up(&mut at_port).await;
    assert_eq!(near, dialled);
    // The link handshake binds both certificates: each side must see the same two.
    assert_eq!((near_local, near_remote), (far_remote, far_local));
    assert_eq!(far_local, certificate.fingerprint());

    let sizes = [
        1,
        2,
        100,
        1_171,
        1_172,
        1_200,
        4_096,
        16_384,
        16_896,
        MESSAGE_BYTES_MAX,
    ];
    for (seed, size) in sizes.into_iter().enumerate() {
        dialer.try_send(near, pattern(seed, size)).unwrap();
        port.try_send(far, pattern(seed + 100, size)).unwrap();
    }
    for (seed, size) in sizes.into_iter().enumerate() {
        assert_eq!(message(&mut at_port).await, (far, pattern(seed, size)));
        assert_eq!(
            message(&mut at_dialer).await,
            (near, pattern(seed + 100, size))
        );
    }
    let long = Bytes::from(vec![0; MESSAGE_BYTES_MAX + 1]);
    assert_eq!(dialer.try_send(near, long), Err(SendError::TooLong));

    // What was sent before a close still arrives.
    port.try_send(far, pattern(7, 5_000)).unwrap();
    port.close(far);
    assert_eq!(message(&mut at_dialer).await, (near, pattern(7, 5_000)));
    let reason = down(&mut at_dialer).await.1;
    assert!(
        matches!(reason, DownReason::ClosedByPeer | DownReason::Failed),
        "{reason:?}"
    );
    assert_eq!(down(&mut at_port).await, (far, DownReason::Closed));
    assert_eq!(port.try_send(far, pattern(0, 1)), Err(SendError::NoLink));
    assert_eq!(port.stats().messages_in, 10);
}

async fn down(events: &mut Receiver<LinkEvent>) -> (LinkId, DownReason) {
    loop {
        match next(events).await {
            LinkEvent::Down { link, reason } => return (link, reason),
            LinkEvent::Drained { .. } => {}
            other => panic!("{other:?} instead of Down"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ipv6_works_beside_ipv4_on_the_same_port_number() {
    let certificate = CertificateFile::generate().unwrap();
    let mut both = config("127.0.0.1:0", &certificate);
    both.bind.push("[::1]:0".parse().unwrap());
    let (port, mut at_port) = RtcPort::listen(both).await.unwrap();
    let (dialer, mut at_dialer) = dialer();
    let v6 = SocketAddr::new("::1".parse().unwrap(), port.local_addr().port());
    for address in [port.local_addr(), v6] {
        dialer.dial(RtcHint {
            address,
            ..hint(&port)
        });
        let (near, ..) = up(&mut at_dialer).await;
        let (far, ..) = up(&mut at_port).await;
        dialer.try_send(near, pattern(1, 3_000)).unwrap();
        assert_eq!(message(&mut at_port).await, (far, pattern(1, 3_000)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_links_share_the_port_without_mixing() {
    let certificate = CertificateFile::generate().unwrap();
    let (port, mut at_port) = RtcPort::listen(config("0.0.0.0:0", &certificate))
        .await
        .unwrap();
    let (dialer, mut at_dialer) = dialer();
    let address = SocketAddr::new("127.0.0.1".parse().unwrap(), port.local_addr().port());
    let dialled: BTreeSet<LinkId> = (0..20)
        .map(|_| {
            dialer.dial(RtcHint {
                address,
                ..hint(&port)
            })
        })
        .collect();
    let mut by_certificate = BTreeMap::new();
    for _ in 0..20 {
        let (near, local, _) = up(&mut at_dialer).await;
        by_certificate.insert(local, near);
    }
    let mut far_of = BTreeMap::new();
    for _ in 0..20 {
        let (far, _, remote) = up(&mut at_port).await;
        far_of.insert(by_certificate[&remote], far);
    }
    assert_eq!(far_of.keys().copied().collect::<BTreeSet<_>>(), dialled);
    let seed = |link: LinkId| usize::try_from(link.0).unwrap();
    for round in 0..10 {
        for near in &dialled {
            dialer
                .try_send(*near, pattern(seed(*near) + round, 2_000))
                .unwrap();
        }
    }
    let near_of: BTreeMap<_, _> = far_of.iter().map(|(near, far)| (*far, *near)).collect();
    let mut rounds: BTreeMap<LinkId, usize> = BTreeMap::new();
    for _ in 0..200 {
        let (far, bytes) = message(&mut at_port).await;
        let round = rounds.entry(far).or_default();
        assert_eq!(bytes, pattern(seed(near_of[&far]) + *round, 2_000));
        *round += 1;
    }
    assert!(
        rounds.len() == 20 && rounds.values().all(|count| *count == 10),
        "{rounds:?}"
    );
    assert_eq!(port.stats().links, 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_outlives_a_restart() {
    let stored = CertificateFile::generate().unwrap().to_bytes().unwrap();
    let certificate = CertificateFile::from_bytes(&stored).unwrap();
    let (port, mut at_port) = RtcPort::listen(config("127.0.0.1:0", &certificate))
        .await
        .unwrap();
    let hint = hint(&port);
    let (dialer, mut at_dialer) = dialer();
    dialer.dial(hint.clone());
    let (near, ..) = up(&mut at_dialer).await;
    up(&mut at_port).await;
    drop((port, at_port));
    assert_eq!(down(&mut at_dialer).await.0, near);

    let certificate = CertificateFile::from_bytes(&stored).unwrap();
    let bind = hint.address.to_string();
    let (_port, mut at_port) = listen_again(config(&bind, &certificate)).await;
    dialer.dial(hint);
    let (near, ..) = up(&mut at_dialer).await;
    let (far, ..) = up(&mut at_port).await;
    dialer.try_send(near, pattern(3, 300)).unwrap();
    assert_eq!(message(&mut at_port).await, (far, pattern(3, 300)));
}

/// The old port's tasks may still be letting go of the socket.
async fn listen_again(config: RtcConfig) -> (RtcPort, Receiver<LinkEvent>) {
    for _ in 0..600 {
        if let Ok(listening) = RtcPort::listen(config.clone()).await {
            return listening;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the port never became free");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_gets_no_answer() {
    let (port, _at_port) = listen().await;
    let (dialer, mut at_dialer) = RtcDialer::new(Duration::from_secs(2), 1 << 22);
    let pwd = "wrongwrongwrongwrongwrong".to_owned();
    let link = dialer.dial(RtcHint { pwd, ..hint(&port) });
    match next(&mut at_dialer).await {
        LinkEvent::DialFailed {
            link: failed,
            error,
        } => {
            assert_eq!((failed, error), (link, DialError::NoAnswer));
        }
        other => panic!("{other:?}"),
    }
    let stats = port.stats();
    assert!(port.datagrams().wrong_password > 0);
    assert_eq!((stats.links, stats.half_open, stats.opened), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dialler_notices_a_wrong_certificate() {
    let (port, _at_port) = listen().await;
    let (dialer, mut at_dialer) = dialer();
    let fingerprint = CertificateFile::generate().unwrap().fingerprint();
    let link = dialer.dial(RtcHint {
        fingerprint,
        ..hint(&port)
    });
    match next(&mut at_dialer).await {
        LinkEvent::DialFailed {
            link: failed,
            error,
        } => {
            assert_eq!((failed, error), (link, DialError::WrongCertificate));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_work_through_a_flood_of_garbage() {
    let (port, mut at_port) = listen().await;
    let to = port.local_addr();
    let flood = tokio::task::spawn_blocking(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_nonblocking(true).unwrap();
        let mut state = 0x1234_5678_9abc_def1_u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut answered = 0;
        for round in 0..20_000_u32 {
            let mut bytes: Vec<u8> = (0..random() % 1_400)
                .map(|_| random().to_le_bytes()[3])
                .collect();
            // A third looks like DTLS, a third like STUN.
            match (round % 3, bytes.first_chunk_mut::<14>()) {
                (0, Some(head)) => *head = [22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1],
                (1, Some(head)) => {
                    head[..8].copy_from_slice(&[0, 1, 0, 80, 0x21, 0x12, 0xa4, 0x42]);
                }
                _ => {}
            }
            let _ = socket.send_to(&bytes, to);
            let mut room = [0; 2_000];
            answered += u32::from(socket.recv_from(&mut room).is_ok());
            if round % 64 == 0 {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        answered
    });
    let (dialer, _at_dialer, near, far) = dial(&port, &mut at_port).await;
    for seed in 0..200 {
        dialer.try_send(near, pattern(seed, 1_000)).unwrap();
        assert_eq!(message(&mut at_port).await, (far, pattern(seed, 1_000)));
    }
    assert_eq!(flood.await.unwrap(), 0, "garbage must not be answered");
    let stats = port.stats();
    assert!(port.datagrams().dropped_garbage > 0 && port.datagrams().dropped_unknown > 0);
    assert_eq!((stats.links, stats.half_open), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_so_and_drains() {
    let (port, mut at_port) = listen().await;
    let (_dialer, mut at_dialer, near, far) = dial(&port, &mut at_port).await;
    // Nobody takes events at the dialler, so the port's queue must fill, and not grow.
    let (mut sent, mut congested) = (0, false);
    loop {
        match port.try_send(far, pattern(sent, 16_384)) {
            Ok(now) => {
                sent += 1;
                // The buffers below take some of it, and may do so late.
                congested |= now;
            }
            Err(error) => {
                assert_eq!(error, SendError::Full);
                break;
            }
        }
        if sent % 32 == 0 {
            tokio::task::yield_now().await;
        }
        assert!(sent < 10_000, "the queue is unbounded");
    }
    assert!(congested, "told before it was full");
    for seed in 0..sent {
        assert_eq!(message(&mut at_dialer).await, (near, pattern(seed, 16_384)));
    }
    assert!(matches!(
        next(&mut at_port).await,
        LinkEvent::Drained { .. }
    ));
    assert_eq!(port.try_send(far, pattern(1, 1)), Ok(false));
    assert_eq!(message(&mut at_dialer).await, (near, pattern(1, 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_queue_is_told_of_even_if_nobody_took_events_for_long() {
    let (port, mut at_port) = listen().await;
    let (dialer, mut at_dialer, near, far) = dial(&port, &mut at_port).await;
    // The link stands still with a message that finds no room among the events.
    let events = 1_025;
    for _ in 0..events {
        dialer.try_send(near, pattern(1, 1)).unwrap();
    }
    until(|| port.stats().messages_in == events).await;
    while port.try_send(far, pattern(0, 16_384)).is_ok() {}
    for _ in 0..events {
        assert!(matches!(
            next(&mut at_port).await,
            LinkEvent::Message { .. }
        ));
    }
    for _ in 0..port.stats().messages_out {
        message(&mut at_dialer).await;
    }
    assert!(matches!(
        next(&mut at_port).await,
        LinkEvent::Drained { .. }
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_beyond_the_limit_of_an_address_are_refused() {
    let certificate = CertificateFile::generate().unwrap();
    let mut few = config("127.0.0.1:0", &certificate);
    few.limits.links_per_address_max = 2;
    let (port, mut at_port) = RtcPort::listen(few).await.unwrap();
    let (dialer, mut at_dialer) = RtcDialer::new(Duration::from_secs(3), 1 << 22);
    for _ in 0..2 {
        dialer.dial(hint(&port));
        up(&mut at_dialer).await;
    }
    let refused = dialer.dial(hint(&port));
    match next(&mut at_dialer).await {
        LinkEvent::DialFailed { link, .. } => assert_eq!(link, refused),
        other => panic!("{other:?}"),
    }
    assert!(port.datagrams().refused_full > 0);
    // A place that became free is usable again.
    let (first, ..) = up(&mut at_port).await;
    port.close(first);
    up(&mut at_port).await;
    assert_eq!(down(&mut at_port).await, (first, DownReason::Closed));
    until(|| port.stats().links + port.stats().half_open <= 1).await;
    dialer.dial(hint(&port));
    loop {
        match next(&mut at_dialer).await {
            LinkEvent::Up { .. } => break,
            LinkEvent::Down { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_client_is_let_go() {
    let certificate = CertificateFile::generate().unwrap();
    let mut impatient = config("127.0.0.1:0", &certificate);
    impatient.limits.silence_timeout = Duration::from_secs(3);
    let (port, mut at_port) = RtcPort::listen(impatient).await.unwrap();
    // A runtime that is shut down is a process that was killed: nothing says goodbye.
    let hint = hint(&port);
    let (dialled, opened) = std::sync::mpsc::channel();
    let client = std::thread::spawn(move || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let (dialer, mut at_dialer) = dialer();
            dialer.dial(hint);
            up(&mut at_dialer).await;
            std::mem::forget(dialer);
        });
        runtime.shutdown_background();
        dialled.send(()).unwrap();
    });
    let (link, ..) = up(&mut at_port).await;
    tokio::task::spawn_blocking(move || opened.recv().unwrap())
        .await
        .unwrap();
    client.join().unwrap();
    assert_eq!(down(&mut at_port).await, (link, DownReason::Silent));
    until(|| port.stats().half_open == 0).await;
}
