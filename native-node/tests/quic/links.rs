//! Links as they should be.

use crate::middle::Middle;
use crate::port::{PATIENCE, Port, down, message, next, pattern, until, up};
use native_node::quic::QuicConfig;
use native_node::rtc::{CertificateFile, RtcDialer};
use native_node::transport::{
    DialError, DownReason, LinkEvent, LinkLimits, MESSAGE_BYTES_MAX, SendError,
};
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_of_all_sizes_cross_in_order_both_ways() {
    for bind in ["127.0.0.1:0", "[::1]:0"] {
        let mut listener = Port::listen(bind).await;
        let mut dialler = Port::dialler();
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

/// A dialler that does not wait for long.
fn impatient() -> Port {
    Port::dialling(QuicConfig {
        dial_timeout: Duration::from_secs(2),
        ..QuicConfig::relay()
    })
}

async fn expect_dial_failed(port: &mut Port, expected: DialError) {
    match next(&mut port.events).await {
        LinkEvent::DialFailed { error, .. } => assert_eq!(error, expected),
        other => panic!("{other:?} instead of DialFailed"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_dials_from_its_own_port_and_shows_its_own_certificate() {
    let both = ["127.0.0.1:0", "[::1]:0"];
    let mut one = Port::listen_with(&both, LinkLimits::quic()).await;
    let mut other = Port::listen_with(&both, LinkLimits::quic()).await;
    let v6 = SocketAddr::new("::1".parse().unwrap(), other.address().port());
    for address in [other.address(), v6] {
        one.quic.dial(address, Some(other.certificate));
        let (near, ..) = up(&mut one.events).await;
        one.quic.try_send(near, pattern(1, 3_000)).unwrap();
        match next(&mut other.events).await {
            LinkEvent::Up {
                remote,
                remote_fingerprint,
                ..
            } => {
                assert_eq!(remote_fingerprint, one.certificate);
                assert_eq!(remote.port(), one.address().port());
                assert_eq!(remote.ip(), address.ip());
            }
            unexpected => panic!("{unexpected:?}"),
        }
        assert_eq!(message(&mut other.events).await.1, pattern(1, 3_000));
    }
    // The other way at the same time, over the same two ports.
    let (near, far) = other.link_to(&mut one).await;
    one.quic.try_send(far, pattern(2, 200)).unwrap();
    assert_eq!(message(&mut other.events).await, (near, pattern(2, 200)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_dialler_notices_a_wrong_certificate() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    let mut dialler = Port::dialler();
    dialler.quic.dial(listener.address(), Some([7; 32]));
    expect_dial_failed(&mut dialler, DialError::WrongCertificate).await;
    // Without one to expect, whoever answers is taken.
    dialler.quic.dial(listener.address(), None);
    assert_eq!(up(&mut dialler.events).await.2, listener.certificate);
    until(|| listener.quic.stats().expired == 1).await;
    assert!(listener.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_answers_a_dial_ends() {
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut dialler = impatient();
    dialler.quic.dial(silent.local_addr().unwrap(), None);
    expect_dial_failed(&mut dialler, DialError::NoAnswer).await;
    // No address at all.
    dialler.quic.dial("127.0.0.1:0".parse().unwrap(), None);
    expect_dial_failed(&mut dialler, DialError::Unsupported).await;
    // Closed before it came to anything.
    let link = dialler.quic.dial(silent.local_addr().unwrap(), None);
    dialler.quic.close(link);
    expect_dial_failed(&mut dialler, DialError::NoAnswer).await;
    assert_eq!(dialler.quic.stats().half_open, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_says_so_and_drains() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    let mut dialler = Port::dialler();
    let (near, far) = dialler.link_to(&mut listener).await;
    // Nobody takes events at the dialler, so the listener's queue must fill, and not grow.
    let (mut sent, mut congested) = (0, false);
    loop {
        match listener.quic.try_send(far, pattern(sent, 16_384)) {
            Ok(now) => {
                sent += 1;
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
        let expected = (near, pattern(seed, 16_384));
        assert_eq!(message(&mut dialler.events).await, expected);
    }
    let event = next(&mut listener.events).await;
    assert!(matches!(event, LinkEvent::Drained { .. }));
    assert_eq!(listener.quic.try_send(far, pattern(1, 1)), Ok(false));
    assert_eq!(message(&mut dialler.events).await, (near, pattern(1, 1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn webrtc_and_quic_share_the_port_without_mixing() {
    let mut listener = Port::listen_with(&["127.0.0.1:0", "[::1]:0"], LinkLimits::quic()).await;
    let mut dialler = Port::dialler();
    let (rtc_dialler, mut rtc_dialled) = RtcDialer::new(PATIENCE, 4 << 20);
    rtc_dialler.dial(listener.hint());
    let (rtc_near, ..) = up(&mut rtc_dialled).await;
    let rtc_far = up(&mut listener.rtc.as_mut().unwrap().1).await.0;
    let (near, far) = dialler.link_to(&mut listener).await;
    let junk = tokio::task::spawn_blocking({
        let to = listener.address();
        move || crate::strangers::junk(to, 4)
    });
    for seed in 0..100 {
        let bytes = pattern(seed, 3_000);
        dialler.quic.try_send(near, bytes.clone()).unwrap();
        rtc_dialler.try_send(rtc_near, bytes.clone()).unwrap();
        assert_eq!(message(&mut listener.events).await, (far, bytes.clone()));
        let (rtc, rtc_events) = listener.rtc.as_mut().unwrap();
        assert_eq!(message(rtc_events).await, (rtc_far, bytes.clone()));
        rtc.try_send(rtc_far, bytes.clone()).unwrap();
        listener.quic.try_send(far, bytes.clone()).unwrap();
        assert_eq!(message(&mut rtc_dialled).await, (rtc_near, bytes.clone()));
        assert_eq!(message(&mut dialler.events).await, (near, bytes));
    }
    let (sent, answered) = junk.await.unwrap();
    assert!(answered < sent, "{answered} bytes for {sent}");
    let (rtc, _) = listener.rtc.as_ref().unwrap();
    assert!(rtc.datagrams().dropped_garbage > 0 && rtc.datagrams().dropped_unknown > 0);
    assert_eq!((rtc.stats().links, rtc.stats().half_open), (1, 0));
    let stats = listener.quic.stats();
    assert_eq!((stats.links, stats.half_open), (1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn links_beyond_the_limit_of_an_address_are_refused() {
    let limits = LinkLimits {
        links_per_address_max: 2,
        ..LinkLimits::quic()
    };
    let mut listener = Port::listen_with(&["127.0.0.1:0"], limits).await;
    let mut dialler = Port::dialler();
    let (_, first) = dialler.link_to(&mut listener).await;
    dialler.link_to(&mut listener).await;
    dialler.quic.dial(listener.address(), None);
    expect_dial_failed(&mut dialler, DialError::NoAnswer).await;
    assert_eq!(listener.quic.counters().refused_full, 1);
    // A place that became free is usable again.
    listener.quic.close(first);
    down(&mut listener.events).await;
    down(&mut dialler.events).await;
    until(|| listener.quic.connections() == 1).await;
    loop {
        dialler.quic.dial(listener.address(), None);
        match next(&mut dialler.events).await {
            LinkEvent::Up { .. } => break,
            LinkEvent::DialFailed { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_link_is_let_go() {
    let limits = LinkLimits {
        silence_timeout: Duration::from_secs(2),
        ..LinkLimits::quic()
    };
    let mut listener = Port::listen_with(&["127.0.0.1:0"], limits).await;
    let mut dialler = Port::dialler();
    let (near, far) = dialler.link_to(&mut listener).await;
    assert_eq!(down(&mut listener.events).await, (far, DownReason::Silent));
    assert_eq!(down(&mut dialler.events).await.0, near);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_keeps_a_link_alive_stays_and_notices_when_nobody_answers() {
    let limits = LinkLimits {
        silence_timeout: Duration::from_secs(5),
        ..LinkLimits::quic()
    };
    let mut listener = Port::listen_with(&["127.0.0.1:0"], limits).await;
    let middle = Middle::start(listener.address(), |_| true).await;
    let mut dialler = Port::dialling(QuicConfig {
        keep_alive: Some(Duration::from_millis(500)),
        ..QuicConfig::account()
    });
    dialler
        .quic
        .dial(middle.address, Some(listener.certificate));
    let (near, ..) = up(&mut dialler.events).await;
    dialler.quic.try_send(near, pattern(0, 1)).unwrap();
    let (far, ..) = up(&mut listener.events).await;
    assert_eq!(message(&mut listener.events).await, (far, pattern(0, 1)));
    tokio::time::sleep(limits.silence_timeout * 3 / 2).await;
    listener.quic.try_send(far, pattern(1, 100)).unwrap();
    assert_eq!(message(&mut dialler.events).await, (near, pattern(1, 100)));
    // A relay whose machine is gone: nobody says so.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    middle.switch_to(silent.local_addr().unwrap());
    let expected = (near, DownReason::Silent);
    assert_eq!(down(&mut dialler.events).await, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_dials_of_one_account_have_no_certificate_in_common() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    let mut dialler = Port::dialler();
    let mut shown = Vec::new();
    for _ in 0..2 {
        dialler.quic.dial(listener.address(), None);
        let (near, local, _) = up(&mut dialler.events).await;
        dialler.quic.try_send(near, pattern(0, 1)).unwrap();
        let (_, _, remote) = up(&mut listener.events).await;
        message(&mut listener.events).await;
        assert_eq!(local, remote);
        shown.push(remote);
    }
    assert_ne!(shown[0], shown[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_ends_says_so_to_its_links() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    let mut dialler = Port::dialler();
    let (near, far) = dialler.link_to(&mut listener).await;
    listener.quic.try_send(far, pattern(1, 100)).unwrap();
    drop(listener.quic);
    assert_eq!(message(&mut dialler.events).await, (near, pattern(1, 100)));
    assert_eq!(
        down(&mut dialler.events).await,
        (near, DownReason::ClosedByPeer)
    );
    assert_eq!(down(&mut listener.events).await, (far, DownReason::Closed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_to_an_earlier_run_is_told_so() {
    let certificate = CertificateFile::generate().unwrap();
    let listen = || Port::listen_as(&["127.0.0.1:0"], certificate.clone(), LinkLimits::quic());
    let (mut first, second) = (listen().await, listen().await);
    let middle = Middle::start(first.address(), |_| true).await;
    let mut dialler = Port::dialler();
    dialler.quic.dial(middle.address, None);
    let (near, ..) = up(&mut dialler.events).await;
    dialler.quic.try_send(near, pattern(0, 1)).unwrap();
    up(&mut first.events).await;
    // As after a restart: the same certificate, and nothing known of any link.
    middle.switch_to(second.address());
    dialler.quic.try_send(near, pattern(1, 1_000)).unwrap();
    let expected = (near, DownReason::ClosedByPeer);
    assert_eq!(down(&mut dialler.events).await, expected);
    assert_eq!(second.quic.stats().opened, 0);
    assert_eq!(first.quic.stats().links, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_addresses_are_dialled_as_what_they_are() {
    let mut listener = Port::listen_with(&["127.0.0.1:0", "[::1]:0"], LinkLimits::quic()).await;
    let mut dialler = Port::dialler();
    let port = listener.address().port();
    let mapped = SocketAddr::new("::ffff:127.0.0.1".parse().unwrap(), port);
    let labelled = std::net::SocketAddrV6::new("::1".parse().unwrap(), port, 7, 0).into();
    for address in [mapped, labelled] {
        dialler.quic.dial(address, Some(listener.certificate));
        let (near, ..) = up(&mut dialler.events).await;
        dialler.quic.try_send(near, pattern(1, 10)).unwrap();
        let (far, ..) = up(&mut listener.events).await;
        assert_eq!(message(&mut listener.events).await, (far, pattern(1, 10)));
    }
    // Itself: the core finds out by the node key.
    listener.quic.dial(listener.address(), None);
    let (near, ..) = up(&mut listener.events).await;
    listener.quic.try_send(near, pattern(2, 10)).unwrap();
    let (far, ..) = up(&mut listener.events).await;
    assert_ne!(near, far);
    assert_eq!(message(&mut listener.events).await, (far, pattern(2, 10)));
}
