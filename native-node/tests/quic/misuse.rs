//! What a link is not: clients and servers made by hand break each rule.

use crate::port::{Port, down, message, next, pattern, until, up};
use crate::raw;
use native_node::rtc::CertificateFile;
use native_node::transport::MESSAGE_BYTES_MAX;
use native_node::transport::{DialError, DownReason, LinkEvent, LinkId, LinkLimits};
use quinn::{Connection, Endpoint, RecvStream, SendStream};
use std::time::Duration;

struct Link {
    far: LinkId,
    connection: Connection,
    send: SendStream,
    receive: RecvStream,
    endpoint: Endpoint,
}

/// A link that said one frame.
async fn link(listener: &mut Port) -> Link {
    let endpoint = raw::endpoint();
    let connection = raw::connect(&endpoint, listener.address()).await.unwrap();
    let (mut send, receive) = connection.open_bi().await.unwrap();
    send.write_all(&[3, 0, 1, 2, 3]).await.unwrap();
    let (far, ..) = up(&mut listener.events).await;
    assert_eq!(&message(&mut listener.events).await.1[..], [1, 2, 3]);
    Link {
        far,
        connection,
        send,
        receive,
        endpoint,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_too_long_close_the_link() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    let mut it = link(&mut listener).await;
    let longest = u16::try_from(MESSAGE_BYTES_MAX).unwrap().to_le_bytes();
    it.send.write_all(&longest).await.unwrap();
    it.send
        .write_all(&pattern(1, MESSAGE_BYTES_MAX))
        .await
        .unwrap();
    let expected = (it.far, pattern(1, MESSAGE_BYTES_MAX));
    assert_eq!(message(&mut listener.events).await, expected);
    let longer = u16::try_from(MESSAGE_BYTES_MAX + 1).unwrap().to_le_bytes();
    it.send.write_all(&longer).await.unwrap();
    let expected = (it.far, DownReason::Misuse);
    assert_eq!(down(&mut listener.events).await, expected);
    it.connection.closed().await;
    assert_eq!(listener.quic.stats().misuse, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_ends_with_its_stream_or_its_connection() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    for way in 0..4 {
        let mut it = link(&mut listener).await;
        match way {
            0 => it.send.finish().unwrap(),
            1 => it.send.reset(0u8.into()).unwrap(),
            2 => {
                it.receive.stop(0u8.into()).unwrap();
                // It shows when something is to be sent.
                let far = it.far;
                let mut told = Ok(false);
                while told.is_ok() {
                    told = listener.quic.try_send(far, pattern(0, 100));
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            _ => it.connection.close(9u8.into(), b"enough"),
        }
        let expected = (it.far, DownReason::ClosedByPeer);
        assert_eq!(down(&mut listener.events).await, expected, "{way}");
        it.connection.closed().await;
    }
    until(|| listener.quic.stats().half_open == 0).await;
    assert_eq!(listener.quic.stats().links, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_one_stream_and_nothing_beside() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    let it = link(&mut listener).await;
    assert_eq!(it.connection.max_datagram_size(), None);
    let none = Duration::from_millis(300);
    let second = tokio::time::timeout(none, it.connection.open_bi());
    assert!(second.await.is_err(), "a second stream");
    let uni = tokio::time::timeout(none, it.connection.open_uni());
    assert!(uni.await.is_err(), "a stream of one direction");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_show_a_certificate_of_their_own_is_refused() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    let [own, other] = [(); 2].map(|()| CertificateFile::generate().unwrap());
    let endpoint = raw::endpoint();
    let refused = [
        raw::client(None, b"wm1"),
        // The key that signs is another one's than the certificate's.
        raw::client(Some(raw::identity(&other, &own)), b"wm1"),
    ];
    for (number, config) in (1..).zip(refused) {
        // A client of TLS 1.3 has done its part before it is refused.
        if let Ok(connection) = raw::connect_with(&endpoint, listener.address(), config).await {
            connection.closed().await;
        }
        until(|| listener.quic.stats().expired == number).await;
    }
    let other_protocol = raw::client(Some(raw::identity(&own, &own)), b"h3");
    let refused = raw::connect_with(&endpoint, listener.address(), other_protocol);
    assert!(refused.await.is_err());
    assert!(listener.events.try_recv().is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_with_a_stolen_certificate_is_found_out() {
    let [own, other] = [(); 2].map(|()| CertificateFile::generate().unwrap());
    let mut dialler = Port::dialler();
    let stolen = raw::server(raw::identity(&other, &own), b"wm1");
    let foreign = raw::server(raw::identity(&other, &other), b"h3");
    for server in [stolen, foreign] {
        let address = server.local_addr().unwrap();
        tokio::spawn(async move {
            while let Some(incoming) = server.accept().await {
                let _ = incoming.await;
            }
        });
        dialler.quic.dial(address, Some(other.fingerprint()));
        match next(&mut dialler.events).await {
            LinkEvent::DialFailed { error, .. } => assert_eq!(error, DialError::NoAnswer),
            unexpected => panic!("{unexpected:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_does_not_move_to_another_address() {
    let limits = LinkLimits {
        silence_timeout: Duration::from_secs(2),
        ..LinkLimits::quic()
    };
    let mut listener = Port::listen_with(&["127.0.0.1:0"], limits).await;
    let mut it = link(&mut listener).await;
    let elsewhere = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    it.endpoint.rebind(elsewhere).unwrap();
    it.send.write_all(&[1, 0, 7]).await.unwrap();
    let expected = (it.far, DownReason::Silent);
    assert_eq!(down(&mut listener.events).await, expected);
}

// One thread: all frames are queued before any is written.
#[tokio::test]
async fn small_frames_share_packets() {
    let mut listener = Port::listen("127.0.0.1:0").await;
    let mut it = link(&mut listener).await;
    let before = it.connection.stats().udp_rx.datagrams;
    for seed in 0..1_000 {
        listener.quic.try_send(it.far, pattern(seed, 20)).unwrap();
    }
    let mut got = vec![0; 22 * 1_000];
    it.receive.read_exact(&mut got).await.unwrap();
    for (seed, frame) in got.chunks(22).enumerate() {
        assert_eq!(frame[..2], [20, 0]);
        assert_eq!(frame[2..], pattern(seed, 20));
    }
    let datagrams = it.connection.stats().udp_rx.datagrams - before;
    assert!(datagrams < 50, "{datagrams} datagrams for 22 KB");
}
