//! What somebody gets who has not shown to receive at their address.

use crate::middle::Middle;
use crate::port::{PATIENCE, Port, pattern, until, up};
use crate::raw;
use native_node::transport::LinkLimits;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

/// Sends datagrams that begin with each byte, of several lengths, `rounds` times; bytes sent and
/// bytes that came back.
pub fn junk(to: SocketAddr, rounds: usize) -> (usize, usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let quiet = Duration::from_millis(1);
    socket.set_read_timeout(Some(quiet)).unwrap();
    let (mut sent, mut answered) = (0, 0);
    let mut state = 0x1234_5678_9abc_def1_u64;
    let mut room = [0; 2_000];
    for _ in 0..rounds {
        for first in 0..=255 {
            for length in [1, 2, 20, 25, 100, 1_200, 1_400, 1_472, 1_900] {
                let mut bytes = vec![first; length];
                for byte in &mut bytes[1..] {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                    *byte = state.to_le_bytes()[3];
                }
                // Half of the long headers say version 1.
                if length > 5 && state.is_multiple_of(2) {
                    bytes[1..5].copy_from_slice(&[0, 0, 0, 1]);
                }
                sent += socket.send_to(&bytes, to).unwrap();
            }
            while let Ok((length, _)) = socket.recv_from(&mut room) {
                answered += length;
            }
        }
    }
    (sent, answered)
}

/// The first datagram of a real handshake.
async fn initial() -> Vec<u8> {
    let server = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let to = server.local_addr().unwrap();
    let endpoint = raw::endpoint();
    let config = raw::client(Some(raw::new_identity()), b"wm1");
    let _connecting = endpoint.connect_with(config, to, "relay").unwrap();
    let mut room = [0; 2_000];
    let (length, _) = server.recv_from(&mut room).await.unwrap();
    room[..length].to_vec()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unproved_address_gets_a_retry_and_no_more_than_it_sent() {
    let listener = Port::listen("127.0.0.1:0").await;
    let to = listener.address();
    let initial = initial().await;
    assert!(initial.len() >= 1_200);
    let times = 20;
    let (answers, answered) = tokio::task::spawn_blocking({
        let initial = initial.clone();
        move || {
            let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
            let quiet = Duration::from_secs(2);
            socket.set_read_timeout(Some(quiet)).unwrap();
            let (mut answers, mut answered) = (0, 0);
            let mut room = [0; 2_000];
            // After the last one only what would come by itself is waited for.
            for number in 0..=times {
                if number < times {
                    socket.send_to(&initial, to).unwrap();
                }
                while let Ok((length, _)) = socket.recv_from(&mut room) {
                    // A Retry of version 1 (RFC 9000 section 17.2.5).
                    assert_eq!(room[0] & 0xf0, 0xf0);
                    assert_eq!(room[1..5], [0, 0, 0, 1]);
                    (answers, answered) = (answers + 1, answered + length);
                    if number < times {
                        break;
                    }
                }
            }
            (answers, answered)
        }
    })
    .await
    .unwrap();
    assert_eq!(answers, times);
    assert!(answered * 5 < times * initial.len(), "{answered} bytes");
    assert_eq!(listener.quic.counters().retried, 20);
    // Nothing is kept.
    let stats = listener.quic.stats();
    assert_eq!((stats.links, stats.half_open), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_only_dials_begins_nothing_with_strangers() {
    let dialler = Port::dialler();
    let mut other = Port::listen("127.0.0.1:0").await;
    // Learn its address.
    dialler.quic.dial(other.address(), None);
    let link = crate::port::up(&mut { dialler.events }).await.0;
    dialler
        .quic
        .try_send(link, crate::port::pattern(0, 1))
        .unwrap();
    let native_node::transport::LinkEvent::Up { remote, .. } =
        crate::port::next(&mut other.events).await
    else {
        panic!("no link");
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let quiet = Duration::from_millis(500);
    socket.set_read_timeout(Some(quiet)).unwrap();
    let sent = socket.send_to(&initial().await, remote).unwrap();
    // A stateless reset at most: nothing begins.
    let mut room = [0; 2_000];
    if let Ok((length, _)) = socket.recv_from(&mut room) {
        assert!(length < sent && room[0] & 0x80 == 0, "{length} bytes");
    }
}

fn impatient() -> LinkLimits {
    LinkLimits {
        half_open_timeout: Duration::from_secs(3),
        half_open_per_address_max: 3,
        ..LinkLimits::quic()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn handshakes_without_a_stream_end_and_are_few() {
    let mut listener = Port::listen_with(&["127.0.0.1:0"], impatient()).await;
    let endpoint = raw::endpoint();
    let mut connections = Vec::new();
    for _ in 0..3 {
        connections.push(raw::connect(&endpoint, listener.address()).await.unwrap());
    }
    assert!(raw::connect(&endpoint, listener.address()).await.is_err());
    assert_eq!(listener.quic.counters().refused_full, 1);
    for connection in &connections {
        connection.closed().await;
    }
    until(|| listener.quic.stats().expired == 3).await;
    until(|| listener.quic.stats().half_open == 0).await;
    assert!(listener.events.try_recv().is_err());
    // There is room again.
    raw::connect(&endpoint, listener.address()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_handshake_that_stops_ends() {
    let listener = Port::listen_with(&["127.0.0.1:0"], impatient()).await;
    // An Initial, and one with the token of the Retry.
    let mut passed = 0;
    let two = move |_: &[u8]| {
        passed += 1;
        passed <= 2
    };
    let to = Middle::start(listener.address(), two).await.address;
    let endpoint = raw::endpoint();
    let config = raw::client(Some(raw::new_identity()), b"wm1");
    let _connecting = endpoint.connect_with(config, to, "relay").unwrap();
    until(|| listener.quic.stats().half_open == 1).await;
    until(|| listener.quic.stats().expired == 1).await;
    until(|| listener.quic.stats().half_open == 0).await;
    assert_eq!(listener.quic.stats().opened, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_closed_counts_until_it_is_gone() {
    let limits = LinkLimits {
        links_max: 4,
        ..LinkLimits::quic()
    };
    let listener = Port::listen_with(&["127.0.0.1:0"], limits).await;
    let endpoint = raw::endpoint();
    let identity = raw::new_identity();
    let mut refused = 0;
    for _ in 0..200 {
        let config = raw::client(Some(identity.clone()), b"wm1");
        match raw::connect_with(&endpoint, listener.address(), config).await {
            Ok(connection) => connection.close(0u8.into(), b""),
            Err(_) => refused += 1,
        }
        // The library notes the end of one a moment after its task.
        let held = listener.quic.connections();
        assert!(held <= 2 * limits.links_max, "{held} connections");
    }
    assert!(refused > 0);
    assert_eq!(listener.quic.counters().refused_full, refused);
    // Who runs the relay is shown that.
    let shown = listener.quic.meter().counts();
    let count = |name| shown.iter().find(|(it, _)| *it == name).unwrap().1;
    assert_eq!(count("handshakes_refused"), refused);
    assert!(count("addresses_asked_for_proof") >= 200);
    // There is room again.
    until(|| listener.quic.connections() == 0).await;
    while raw::connect(&endpoint, listener.address()).await.is_err() {}
}

/// A token for it, which the stranger could put into a packet in the relay's name, ends the link.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_in_use_on_one_socket_gets_no_reset_from_another() {
    let bind = ["127.0.0.1:0", "[::1]:0"];
    let mut listener = Port::listen_with(&bind, LinkLimits::quic()).await;
    let middle = Middle::start(listener.address(), |_| true).await;
    let mut dialler = Port::dialler();
    dialler.quic.dial(middle.address, None);
    let near = up(&mut dialler.events).await.0;
    dialler.quic.try_send(near, pattern(0, 1)).unwrap();
    up(&mut listener.events).await;
    // Behind the first byte stands the id that the listener chose.
    until(|| middle.last().first().is_some_and(|first| first & 0x80 == 0)).await;
    let mut overheard = vec![0x55; 200];
    overheard[..13].copy_from_slice(&middle.last()[..13]);
    // A version that nobody speaks is always answered.
    let mut other = vec![0; 1_200];
    other[..6].copy_from_slice(&[0xc0, 0x0a, 0x0a, 0x0a, 0x0b, 8]);

    let to = SocketAddr::new("::1".parse().unwrap(), listener.address().port());
    let stranger = tokio::net::UdpSocket::bind("[::1]:0").await.unwrap();
    stranger.send_to(&overheard, to).await.unwrap();
    stranger.send_to(&other, to).await.unwrap();
    let mut room = [0; 2_000];
    let received = tokio::time::timeout(PATIENCE, stranger.recv_from(&mut room));
    let (length, _) = received.await.expect("in time").unwrap();
    let negotiation = room[0] & 0x80 != 0 && room[1..5] == [0; 4];
    assert!(negotiation, "a reset of {length} bytes");
}
