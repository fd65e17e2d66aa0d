//! Small nodes, driven over a real store and real links.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::rtc::{CertificateFile, RtcConfig, RtcHint};
use crate::scratch::Scratch;
use crate::transport::{LinkId, LinkLimits};
use shared::io::{Query, Table};
use shared::time::Now;
use std::convert::Infallible;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// Only a bound on hanging.
const PATIENCE: Duration = Duration::from_secs(60);
const UFRAG: &str = "relayFrg";
const PWD: &str = "abcdefghijklmnopqrstuvwx";
/// Frames that a link gets when it comes up: more than any send queue holds.
const BACKLOG: u32 = 1_024;
const FRAME_BYTES: usize = 16_384;

/// Has a lot to say to every link, and pauses where it is told to.
#[derive(Default)]
struct Talker {
    to: Option<LinkId>,
    said: u32,
    congested: bool,
    down: bool,
}

impl Node for Talker {
    type Command = Infallible;
    type Event = &'static str;

    fn handle_input(&mut self, _: Now, input: Input<'_, Infallible>) {
        match input {
            Input::LinkUp { link, .. } => self.to = Some(link),
            Input::LinkCongested { congested, .. } => self.congested = congested,
            Input::LinkDown { .. } => (self.to, self.down) = (None, true),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Output<&'static str> {
        if std::mem::take(&mut self.down) {
            return Output::Event("down");
        }
        match self.to {
            Some(link) if self.said < BACKLOG && !self.congested => {
                self.said += 1;
                let mut bytes = self.said.to_le_bytes().to_vec();
                bytes.resize(FRAME_BYTES, 0);
                Output::Send { link, bytes }
            }
            _ => Output::WaitUntil(u64::MAX),
        }
    }
}

/// Ends by a panic when it is given a command.
struct Broken;

impl Node for Broken {
    type Command = ();
    type Event = Infallible;

    fn handle_input(&mut self, _: Now, input: Input<'_, ()>) {
        assert!(!matches!(input, Input::Command(())), "a broken invariant");
    }

    fn poll_output(&mut self) -> Output<Infallible> {
        Output::WaitUntil(u64::MAX)
    }
}

/// Repeats what it is told of the world outside.
#[derive(Default)]
struct Echo(Option<Outside>);

impl Node for Echo {
    type Command = Infallible;
    type Event = Outside;

    fn handle_input(&mut self, _: Now, input: Input<'_, Infallible>) {
        match input {
            Input::Reachable { addresses } => self.0 = Some(Outside::Reachable(addresses)),
            Input::Found { address, by } => self.0 = Some(Outside::Found { address, by }),
            _ => {}
        }
    }

    fn poll_output(&mut self) -> Output<Outside> {
        match self.0.take() {
            Some(outside) => Output::Event(outside),
            None => Output::WaitUntil(u64::MAX),
        }
    }
}

/// Reads for whoever is linked, again and again.
struct Reader {
    links: usize,
    to_load: bool,
    to_tell: bool,
    /// Told of every link that is gone.
    left: Arc<AtomicBool>,
}

impl Node for Reader {
    type Command = Infallible;
    type Event = &'static str;

    fn handle_input(&mut self, _: Now, input: Input<'_, Infallible>) {
        match input {
            Input::LinkUp { .. } => (self.links, self.to_tell) = (self.links + 1, true),
            Input::LinkDown { .. } => self.links -= 1,
            Input::Loaded { .. } => {}
            _ => return,
        }
        self.to_load = self.links > 0;
        self.left.store(self.links == 0, Relaxed);
    }

    fn poll_output(&mut self) -> Output<&'static str> {
        if std::mem::take(&mut self.to_tell) {
            return Output::Event("up");
        }
        if !std::mem::take(&mut self.to_load) {
            return Output::WaitUntil(u64::MAX);
        }
        let query = Query::Keys {
            table: Table(0),
            keys: Vec::new(),
        };
        Output::Load {
            token: Token(1),
            query,
        }
    }
}

async fn port() -> (Arc<RtcPort>, mpsc::Receiver<LinkEvent>) {
    let config = RtcConfig {
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        certificate: CertificateFile::generate().unwrap(),
        ufrag: UFRAG.to_owned(),
        pwd: PWD.to_owned(),
        limits: LinkLimits::default(),
    };
    let (port, events) = RtcPort::listen(config).await.unwrap();
    (Arc::new(port), events)
}

fn dial(port: &RtcPort) -> (RtcDialer, mpsc::Receiver<LinkEvent>) {
    let (dialer, events) = RtcDialer::new(PATIENCE, LinkLimits::default().send_bytes_max);
    dialer.dial(RtcHint {
        address: port.local_addr(),
        fingerprint: port.fingerprint(),
        ufrag: UFRAG.to_owned(),
        pwd: PWD.to_owned(),
    });
    (dialer, events)
}

async fn next_event(events: &mut mpsc::Receiver<LinkEvent>) -> LinkEvent {
    let event = tokio::time::timeout(PATIENCE, events.recv()).await;
    event.expect("in time").expect("open")
}

/// Drives a node over a store of its own and this port.
fn drive<N>(data: &Scratch, port: (Arc<RtcPort>, mpsc::Receiver<LinkEvent>), node: N) -> Driven<N>
where
    N: Node + Send + 'static,
    N::Command: Send,
    N::Event: Send,
{
    let parts = Parts {
        data: data.path().to_owned(),
        port: Some(port),
        dialer: None,
        quic: None,
        derive: None,
    };
    let base = Base::open(data.path()).unwrap();
    base.drive(parts, |_, _| node, None).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_much_to_say_is_paced_not_cut_off() {
    let data = Scratch::new("driver").unwrap();
    let (port, port_events) = port().await;
    let mut driven = drive(&data, (port.clone(), port_events), Talker::default());
    let (_dialer, mut events) = dial(&port);
    assert!(matches!(
        next_event(&mut events).await,
        LinkEvent::Up { .. }
    ));
    for number in 1..=BACKLOG {
        match next_event(&mut events).await {
            LinkEvent::Message { bytes, .. } => assert_eq!(bytes[..4], number.to_le_bytes()),
            other => panic!("{other:?} instead of message {number}"),
        }
    }
    assert!(driven.events.try_recv().is_err());
    driven.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_ended_by_itself_is_noticed() {
    let data = Scratch::new("driver").unwrap();
    let mut driven = drive(&data, port().await, Broken);
    driven.commands.send(()).await.unwrap();
    let told = tokio::time::timeout(PATIENCE, driven.events.recv()).await;
    assert!(told.expect("in time").is_none());
    driven.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_nobody_is_left_to_read_for() {
    let data = Scratch::new("driver").unwrap();
    let (port, port_events) = port().await;
    let left = Arc::new(AtomicBool::new(false));
    let node = Reader {
        links: 0,
        to_load: false,
        to_tell: false,
        left: left.clone(),
    };
    let mut driven = drive(&data, (port.clone(), port_events), node);
    let (_dialer, _events) = dial(&port);
    let told = tokio::time::timeout(PATIENCE, driven.events.recv()).await;
    assert_eq!(told.expect("in time"), Some("up"));
    driven.stop().await;
    assert!(left.load(Relaxed));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_found_outside_reaches_the_node_in_order() {
    let data = Scratch::new("driver").unwrap();
    let mut driven = drive(&data, port().await, Echo::default());
    let address = "192.0.2.1:8420".parse().unwrap();
    let mut expected = vec![Outside::Reachable(vec![address])];
    expected
        .extend([Finder::Named, Finder::Lan, Finder::Dht].map(|by| Outside::Found { address, by }));
    for outside in &expected {
        driven.outside.send(outside.clone()).await.unwrap();
    }
    for outside in expected {
        let told = tokio::time::timeout(PATIENCE, driven.events.recv()).await;
        assert_eq!(told.expect("in time"), Some(outside));
    }
    driven.stop().await;
}
