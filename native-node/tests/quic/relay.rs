//! A relay and a node that dials it, each driven as in the programs.

use crate::port::PATIENCE;
use native_node::driver::{Base, Driven, Parts};
use native_node::quic::{QuicConfig, QuicPort};
use native_node::relay::{RelayOptions, RunningRelay};
use native_node::rtc::CertificateFile;
use native_node::scratch::Scratch;
use shared::crypto::PublicKey;
use shared::io::{DialError, DialTo, Input, LinkId, Node, Output, Token};
use shared::link::{ClientLink, LinkConfig, Reply};
use shared::object::network_id;
use shared::time::Now;
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relay_answers_hello_over_quic() {
    let (relay_data, data) = (Scratch::new("quic").unwrap(), Scratch::new("quic").unwrap());
    let addresses: [IpAddr; 2] = ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    let relay = RunningRelay::start(RelayOptions {
        find: native_node::find::FindOptions::default(),
        data: relay_data.path().to_owned(),
        bind: addresses.to_vec(),
        port: 0,
        advertise: None,
        hosts: Vec::new(),
        network: "test".to_owned(),
        store_bytes_max: 1 << 20,
    })
    .await
    .unwrap();
    let hint = relay.hint();

    let config = QuicConfig::new(CertificateFile::generate().unwrap());
    let parts = Parts {
        data: data.path().to_owned(),
        port: None,
        dialer: None,
        quic: Some(QuicPort::dialling(config).unwrap()),
        derive: None,
    };
    let caller = Caller {
        node_key: hint.node_key,
        link: None,
        next: VecDeque::new(),
    };
    let base = Base::open(data.path()).unwrap();
    let mut caller = base.drive(parts, |_, _| caller, None).unwrap();
    for ip in addresses {
        for certificate in [Some(hint.certificate), None] {
            let address = SocketAddr::new(ip, hint.port);
            let to = DialTo::Relay {
                address,
                certificate,
            };
            caller.commands.send(to).await.unwrap();
            assert_eq!(told(&mut caller).await, Told::Welcome);
            assert_eq!(told(&mut caller).await, Told::Down);
        }
    }
    let to = DialTo::Relay {
        address: SocketAddr::new(addresses[0], hint.port),
        certificate: Some([1; 32]),
    };
    caller.commands.send(to).await.unwrap();
    let expected = Told::Failed(DialError::WrongCertificate);
    assert_eq!(told(&mut caller).await, expected);
    caller.stop().await;
    relay.stop().await;
}
