//! The relay, and native clients that link to it over QUIC.

use crate::pace::{BODY, Pace, Seen, commands, nanos};
use bytes::Bytes;
use native_node::clock::Clock;
use native_node::driver::{Base, Parts};
use native_node::pow;
use native_node::quic::{QuicConfig, QuicPort};
use native_node::rtc::{CertificateFile, RtcConfig, RtcPort};
use native_node::scratch::Scratch;
use native_node::transport::{LinkEvent, LinkId, LinkLimits};
use shared::crypto::{PublicKey, Rng, SigningKey, sha256};
use shared::link::{ClientLink, LinkConfig, Reply};
use shared::object::pow::{target, work};
use shared::relay::{Relay, RelayConfig};
use shared::time::Now;
use shared::wire::{Front, Header, Kind, Lifetime, RelayHint, SizeClass};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc::Receiver;

const NETWORK: u32 = 7;
/// An object costs 64 hashes.
const WORK_DIVISOR: u64 = 1 << 12;
/// Links of the publisher: a link has 16 unanswered puts at most.
const LINKS: usize = 32;
/// Objects made beforehand.
pub const OBJECTS: usize = 200_000;

fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("random bytes");
    bytes
}

/// The relay; says its hint, and ends with its input.
pub async fn middle() {
    let scratch = Scratch::new("bench-gossip").expect("a directory");
    let base = Base::open(scratch.path()).expect("a store");
    let key = SigningKey::from_bytes(&random());
    let certificate = CertificateFile::generate().expect("a certificate");
    let mut hint = RelayHint {
        address: [127, 0, 0, 1].into(),
        port: 0,
        certificate: certificate.fingerprint(),
        node_key: *key.public().as_bytes(),
    };
    let ice = hint.ice();
    let config = RtcConfig {
        bind: vec![SocketAddr::new(hint.address, 0)],
        certificate: certificate.clone(),
        ufrag: ice.ufrag,
        pwd: ice.pwd,
        limits: LinkLimits::default(),
    };
    let (rtc, events) = RtcPort::listen(config).await.expect("a port");
    hint.port = rtc.local_addr().port();
    let quic = QuicPort::sharing(&rtc, &certificate, QuicConfig::relay()).expect("a port");
    let mut config = RelayConfig::new(key, NETWORK);
    config.work_divisor = WORK_DIVISOR;
    config.certificate = hint.certificate;
    let parts = Parts {
        data: scratch.path().to_owned(),
        port: Some((Arc::new(rtc), events)),
        dialer: None,
        quic: Some(quic),
        derive: None,
    };
    let make = |seed, now| Relay::new(config, seed, now);
    let _driven = base.drive(parts, make, None).expect("a relay");
    println!("{}", hint.to_text());
    let mut line = String::new();
    let wait = tokio::task::spawn_blocking(move || std::io::stdin().read_line(&mut line));
    let _ = wait.await;
    drop(scratch);
    std::process::exit(0);
}

/// Links of one client to one relay.
struct Client {
    quic: QuicPort,
    events: Receiver<LinkEvent>,
    hint: RelayHint,
    clock: Clock,
    links: HashMap<LinkId, ClientLink>,
}

impl Client {
    async fn open(at: &str, links: usize) -> Self {
        let hint = RelayHint::from_text(at).expect("a hint");
        let (quic, events) = QuicPort::dialling(QuicConfig::account()).expect("a socket");
        let mut client = Self {
            quic,
            events,
            hint,
            clock: Clock::start(),
            links: HashMap::new(),
        };
        for _ in 0..links {
            let to = SocketAddr::new(hint.address, hint.port);
            let link = client.quic.dial(to, Some(hint.certificate));
            while !client.links.get(&link).is_some_and(ClientLink::is_open) {
                let event = client.next().await;
                client.take(event, |_| {});
            }
        }
        client
    }

    async fn next(&mut self) -> LinkEvent {
        self.events.recv().await.expect("a port that lives")
    }

    fn send(&self, link: LinkId, bytes: Vec<u8>) {
        let sent = self.quic.try_send(link, Bytes::from(bytes));
        sent.expect("room in the queue");
    }

    fn up(&mut self, now: Now, link: LinkId, local: &[u8; 32], remote: &[u8; 32]) {
        let config = LinkConfig {
            node_key: PublicKey::from_bytes(&self.hint.node_key).expect("a key"),
            network: NETWORK,
            binding: sha256(&[b"wm-bind", local, remote]),
            nonce: random(),
            work_divisor: WORK_DIVISOR,
        };
        let client = ClientLink::new(config, now);
        self.send(link, client.hello());
        self.links.insert(link, client);
    }

    /// Checks what came, as every client does, and hands it on.
    fn take(&mut self, event: LinkEvent, mut on: impl FnMut(Reply<'_>)) {
        let now = self.clock.now();
        match event {
            LinkEvent::Up {
                link,
                local_fingerprint,
                remote_fingerprint,
                ..
            } => self.up(now, link, &local_fingerprint, &remote_fingerprint),
            LinkEvent::Message { link, bytes } => {
                let client = self.links.get_mut(&link).expect("a link that is up");
                match client.on_frame(now, &bytes).expect("no fault") {
                    Reply::Send(bytes) => self.send(link, bytes),
                    reply => on(reply),
                }
            }
            LinkEvent::Drained { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

pub async fn watcher(at: &str) {
    let mut client = Client::open(at, 1).await;
    let now = client.clock.now();
    let (link, frame) = {
        let (link, client) = client.links.iter_mut().next().expect("a link");
        (*link, client.watch(now, true).expect("a watch").1)
    };
    client.send(link, frame);
    let mut watching = false;
    while !watching {
        let event = client.next().await;
        client.take(event, |reply| {
            watching |= matches!(reply, Reply::Lagged { .. });
        });
    }
    println!("ready");
    let (mut commands, mut seen) = (commands(), Seen::default());
    loop {
        tokio::select! {
            event = client.next() => client.take(event, |reply| {
                if let Reply::Pushed { body, .. } = reply {
                    seen.came(body);
                }
            }),
            Some((name, numbers)) = commands.recv() => seen.answer(&name, &numbers),
        }
    }
}

/// Object number so and so.
fn object(rng: &mut Rng, number: usize, now: Now) -> (Header, Vec<u8>) {
    let mut body = vec![0; BODY];
    rng.fill(&mut body);
    body[..8].copy_from_slice(&(number as u64).to_le_bytes());
    let (size, lifetime) = (SizeClass::KIB_1, Lifetime::ENVELOPE);
    let front = Front::from_now(now.unix, Kind::Envelope, size, lifetime, NETWORK);
    let mut header = front.header(rng.array(), &body);
    let target = target(work(&header, WORK_DIVISOR));
    let nonce = pow::search(&header.prefix(), &target, rng.u64(), u64::MAX);
    header.nonce = nonce.expect("a nonce");
    (header, body)
}

pub async fn publisher(at: &str) {
    let now = Clock::start().now();
    let mut rng = Rng::new(random());
    let objects: Vec<(Header, Vec<u8>)> = (0..OBJECTS).map(|n| object(&mut rng, n, now)).collect();
    let mut client = Client::open(at, LINKS).await;
    let links: Vec<LinkId> = client.links.keys().copied().collect();
    println!("ready");
    let (mut commands, mut pace) = (commands(), Pace::default());
    let mut waiting = 0usize;
    loop {
        tokio::select! {
            event = client.next() => client.take(event, |reply| match reply {
                // Its signature was checked.
                Reply::Stored { .. } => waiting -= 1,
                Reply::Refused { why, .. } => panic!("refused: {why:?}"),
                _ => {}
            }),
            () = pace.wait(), if waiting < LINKS * 16 => {}
            Some((_, numbers)) = commands.recv() => pace.begin(&numbers),
        }
        'due: while let Some(number) = pace.due() {
            let (header, body) = &objects[number];
            // The first that has room: as few links as will do.
            for at in &links {
                let now = client.clock.now();
                let link = client.links.get_mut(at).expect("a link");
                if let Some((_, frame)) = link.put(now, header, body) {
                    pace.sent(Some(nanos()));
                    client.send(*at, frame);
                    waiting += 1;
                    continue 'due;
                }
            }
            break;
        }
        if pace.all_sent() && waiting == 0 {
            pace.tell();
        }
    }
}
