//! What a link is not: a hand-made WebRTC client breaks each rule, and the relay closes the link.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use bytes::BytesMut;
use native_node::rtc::{CertificateFile, RtcConfig, RtcPort};
use native_node::transport::{DownReason, LinkEvent, LinkLimits};
use rtc::data_channel::RTCDataChannelInit;
use rtc::ice::mdns::MulticastDnsMode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;
use webrtc::data_channel::{DataChannel, DataChannelEvent};
use webrtc::peer_connection::{
    PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCSessionDescription,
    SettingEngineBuilder,
};

/// Only a bound on hanging.
const PATIENCE: Duration = Duration::from_secs(60);

struct Nothing;
impl PeerConnectionEventHandler for Nothing {}

async fn port() -> (RtcPort, Receiver<LinkEvent>) {
    RtcPort::listen(RtcConfig {
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        certificate: CertificateFile::generate().unwrap(),
        ufrag: "relayFrg".to_owned(),
        pwd: "abcdefghijklmnopqrstuvwx".to_owned(),
        limits: LinkLimits {
            half_open_timeout: Duration::from_secs(5),
            ..LinkLimits::default()
        },
    })
    .await
    .unwrap()
}

/// Connect by HTTP-style offer and answer, with one data channel as described.
async fn connect(
    port: &RtcPort,
    label: &str,
    init: RTCDataChannelInit,
) -> (Arc<dyn PeerConnection>, Arc<dyn DataChannel>) {
    let engine = SettingEngineBuilder::new()
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .build();
    let connection = PeerConnectionBuilder::new()
        .with_setting_engine(engine)
        .with_handler(Arc::new(Nothing))
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .build()
        .await
        .unwrap();
    let channel = connection
        .create_data_channel(label, Some(init))
        .await
        .unwrap();
    let offer = connection.create_offer(None).await.unwrap();
    let answer = port
        .answer(&offer.sdp, &[("127.0.0.1".parse().unwrap(), None)])
        .unwrap();
    connection.set_local_description(offer).await.unwrap();
    let answer = RTCSessionDescription::answer(answer).unwrap();
    connection.set_remote_description(answer).await.unwrap();
    (Arc::new(connection), channel)
}

fn reliable() -> RTCDataChannelInit {
    RTCDataChannelInit {
        ordered: true,
        ..RTCDataChannelInit::default()
    }
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

async fn opened(channel: &Arc<dyn DataChannel>) {
    loop {
        match tokio::time::timeout(PATIENCE, channel.poll())
            .await
            .unwrap()
        {
            Some(DataChannelEvent::OnOpen) => return,
            Some(_) => {}
            None => panic!("never opened"),
        }
    }
}

async fn expect_misuse(events: &mut Receiver<LinkEvent>) {
    match next(events).await {
        LinkEvent::Down {
            reason: DownReason::Misuse,
            ..
        } => {}
        other => panic!("{other:?} instead of Down by misuse"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn text_long_messages_and_a_second_channel_close_the_link() {
    let (port, mut events) = port().await;
    for rule in 0..3 {
        let (connection, channel) = connect(&port, "wm1", reliable()).await;
        opened(&channel).await;
        assert!(matches!(next(&mut events).await, LinkEvent::Up { .. }));
        // A binary message of the right size is none of these.
        channel
            .send(BytesMut::from(&[1; 17_408][..]))
            .await
            .unwrap();
        assert!(matches!(next(&mut events).await, LinkEvent::Message { .. }));
        match rule {
            0 => channel.send_text("hello").await.unwrap(),
            1 => channel
                .send(BytesMut::from(&[1; 17_409][..]))
                .await
                .unwrap(),
            _ => drop(
                connection
                    .create_data_channel("wm1", Some(reliable()))
                    .await
                    .unwrap(),
            ),
        }
        expect_misuse(&mut events).await;
        connection.close().await.unwrap();
    }
    assert_eq!(port.stats().misuse, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_too_long_to_be_reassembled_is_lost_and_holds_nothing_up() {
    let (port, mut events) = port().await;
    let (connection, channel) = connect(&port, "wm1", reliable()).await;
    opened(&channel).await;
    assert!(matches!(next(&mut events).await, LinkEvent::Up { .. }));
    channel
        .send(BytesMut::from(&[1; 40_000][..]))
        .await
        .unwrap();
    // One that comes in the same datagram waits for the next one.
    let keep_sending = async {
        loop {
            channel.send(BytesMut::from(&[2; 8][..])).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        event = next(&mut events) => match event {
            LinkEvent::Message { bytes, .. } => assert_eq!(&bytes[..], [2; 8]),
            other => panic!("{other:?}"),
        },
        () = keep_sending => {}
    }
    connection.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_channels_never_become_links() {
    let (port, mut events) = port().await;
    let unordered = RTCDataChannelInit {
        ordered: false,
        ..RTCDataChannelInit::default()
    };
    for (label, init) in [("other", reliable()), ("wm1", unordered)] {
        let before = port.stats().expired;
        let (connection, _channel) = connect(&port, label, init).await;
        until(|| port.stats().expired != before).await;
        connection.close().await.unwrap();
    }
    assert_eq!(
        port.stats().misuse,
        2,
        "each was refused for its channel, not by time"
    );
    assert!(events.try_recv().is_err());
}
