//! A relay and a node that dials it, each driven as in the programs.

use crate::middle::Middle;
use crate::port::PATIENCE;
use native_node::driver::{Base, Driven, Parts};
use native_node::quic::{QuicConfig, QuicPort};
use native_node::relay::{RelayOptions, RunningRelay};
use native_node::rtc::RtcDialer;
use native_node::scratch::Scratch;
use shared::crypto::PublicKey;
use shared::io::{DialError, DialTo, Input, LinkId, Node, Output, Token};
use shared::link::{ClientLink, LinkConfig, Reply};
use shared::object::network_id;
use shared::time::Now;
use shared::wire::RelayHint;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const ADDRESSES: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::LOCALHOST),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// What the caller is told.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Welcome,
    Failed(DialError),
    Down,
}

/// Dials what it is commanded to, says Hello, and believes no Welcome that is not signed over the
/// two certificates.
struct Caller {
    node_key: [u8; 32],
    link: Option<(LinkId, ClientLink)>,
    next: VecDeque<Output<Told>>,
}

impl Node for Caller {
    type Command = DialTo;
    type Event = Told;

    fn handle_input(&mut self, now: Now, input: Input<'_, DialTo>) {
        match input {
            Input::Command(to) => {
                let token = Token(7);
                self.next.push_back(Output::Dial { token, to });
            }
            Input::LinkUp {
                link,
                dialled,
                binding,
                ..
            } => {
                assert_eq!(dialled, Some(Token(7)));
                let config = LinkConfig {
                    node_key: PublicKey::from_bytes(&self.node_key).unwrap(),
                    network: network_id("test"),
                    binding,
                    nonce: [9; 32],
                    work_divisor: 1,
                };
                let client = ClientLink::new(config, now);
                let bytes = client.hello();
                self.next.push_back(Output::Send { link, bytes });
                self.link = Some((link, client));
            }
            Input::LinkMessage { link, bytes } => {
                let (own, client) = self.link.as_mut().unwrap();
                assert_eq!(link, *own);
                let reply = client.on_frame(now, bytes).unwrap();
                if matches!(reply, Reply::Asked) {
                    // Its store is new; there is nothing to give.
                    return;
                }
                assert!(matches!(reply, Reply::Welcome(_)), "{reply:?}");
                self.next.push_back(Output::Event(Told::Welcome));
                self.next.push_back(Output::Close { link });
            }
            Input::LinkDown { .. } => self.next.push_back(Output::Event(Told::Down)),
            Input::DialFailed { error, .. } => {
                self.next.push_back(Output::Event(Told::Failed(error)));
            }
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Output<Told> {
        self.next.pop_front().unwrap_or(Output::WaitUntil(u64::MAX))
    }
}

async fn told(caller: &mut Driven<Caller>) -> Told {
    let told = tokio::time::timeout(PATIENCE, caller.events.recv()).await;
    told.expect("in time").expect("it runs")
}

/// A relay on loopback, and where it keeps its data.
async fn relay() -> (RunningRelay, Scratch) {
    let data = Scratch::new("quic").unwrap();
    let relay = RunningRelay::start(RelayOptions {
        find: native_node::find::FindOptions::default(),
        data: data.path().to_owned(),
        bind: ADDRESSES.to_vec(),
        port: 0,
        advertise: None,
        hosts: Vec::new(),
        network: "test".to_owned(),
        store_bytes_max: 1 << 20,
    });
    (relay.await.unwrap(), data)
}

/// Driven as an account is.
fn caller(hint: &RelayHint, data: &Scratch, dialer: bool) -> Driven<Caller> {
    let parts = Parts {
        data: data.path().to_owned(),
        port: None,
        dialer: dialer.then(|| RtcDialer::new(PATIENCE, 4 << 20)),
        quic: Some(QuicPort::dialling(QuicConfig::account()).unwrap()),
        derive: None,
    };
    let caller = Caller {
        node_key: hint.node_key,
        link: None,
        next: VecDeque::new(),
    };
    let base = Base::open(data.path()).unwrap();
    base.drive(parts, |_, _| caller, None).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_answers_hello_over_quic() {
    let (relay, _relay_data) = relay().await;
    let hint = relay.hint();
    let data = Scratch::new("quic").unwrap();
    let mut caller = caller(&hint, &data, false);
    for ip in ADDRESSES {
        let address = SocketAddr::new(ip, hint.port);
        let by_address = |certificate| DialTo::Relay {
            address,
            certificate,
        };
        let at = RelayHint {
            address: ip,
            ..hint
        };
        let ways = [
            by_address(Some(hint.certificate)),
            by_address(None),
            DialTo::Hint(at.encode()),
        ];
        for to in ways {
            caller.commands.send(to).await.unwrap();
            assert_eq!(told(&mut caller).await, Told::Welcome);
            assert_eq!(told(&mut caller).await, Told::Down);
        }
    }
    let false_hint = RelayHint {
        certificate: [1; 32],
        ..hint
    };
    let expected = Told::Failed(DialError::WrongCertificate);
    let to = DialTo::Relay {
        address: SocketAddr::new(ADDRESSES[0], hint.port),
        certificate: Some([1; 32]),
    };
    for to in [to, DialTo::Hint(false_hint.encode())] {
        caller.commands.send(to).await.unwrap();
        assert_eq!(told(&mut caller).await, expected);
    }
    // Not a hint.
    caller.commands.send(DialTo::Hint(vec![5])).await.unwrap();
    let expected = Told::Failed(DialError::Unsupported);
    assert_eq!(told(&mut caller).await, expected);
    caller.stop().await;
    relay.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_quic_does_not_get_through_a_hint_is_dialled_over_webrtc() {
    let (relay, _relay_data) = relay().await;
    let hint = relay.hint();
    let listening = SocketAddr::new(ADDRESSES[0], hint.port);
    let no_quic = |datagram: &[u8]| datagram.first().is_some_and(|byte| *byte < 64);
    let middle = Middle::start(listening, no_quic).await;
    let behind = RelayHint {
        address: middle.address.ip(),
        port: middle.address.port(),
        ..hint
    };
    for (dialer, expected) in [
        (true, Told::Welcome),
        (false, Told::Failed(DialError::NoAnswer)),
    ] {
        let data = Scratch::new("quic").unwrap();
        let mut caller = caller(&hint, &data, dialer);
        let to = DialTo::Hint(behind.encode());
        caller.commands.send(to).await.unwrap();
        assert_eq!(told(&mut caller).await, expected);
        caller.stop().await;
    }
    relay.stop().await;
}
