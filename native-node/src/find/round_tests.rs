//! Look-ups in DHTs on loopback: one of the library's nodes, and one of liars.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::round::{Dropped, FOUND_MAX, Looked, PORTS_MAX, Round};
use super::{Place, aside, dht};
use crate::driver::Outside;
use shared::io::Finder;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

const NETWORK: u32 = 7;
const DAY: u32 = 20_200;

fn place(text: &str) -> Place {
    text.parse().unwrap()
}

fn round(bootstrap: &[String], port: u16) -> (Round, mpsc::Receiver<Outside>) {
    let (tell, told) = mpsc::channel(2 * FOUND_MAX);
    let round = Round {
        bootstrap: bootstrap.iter().map(|text| place(text)).collect(),
        nodes: Vec::new(),
        bind: Some(Ipv4Addr::LOCALHOST),
        patience: Duration::from_millis(500),
        keys: vec![dht::key(NETWORK, DAY)],
        port,
        announces: true,
        own: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))],
        public: None,
        tell,
    };
    (round, told)
}

/// All that was told, by the right one: the address book takes near ones from no DHT.
fn all(mut told: mpsc::Receiver<Outside>) -> Vec<String> {
    let mut found = Vec::new();
    while let Ok(outside) = told.try_recv() {
        let Outside::Found { address, by } = outside else {
            panic!("something else was told");
        };
        let near = address.ip().is_loopback() || address.to_string().starts_with("10.");
        assert_eq!(by, if near { Finder::Lan } else { Finder::Dht });
        found.push(address.to_string());
    }
    found.sort();
    found
}

async fn look(bootstrap: &[String], port: u16, announces: bool) -> (Looked, Vec<String>) {
    let (mut round, told) = round(bootstrap, port);
    round.announces = announces;
    let looked = round.look().await;
    (looked, all(told))
}

#[tokio::test]
async fn two_relays_find_each_other() {
    let testnet = aside(|| mainline::Testnet::builder(10).build().unwrap());
    let testnet = testnet.await.unwrap();
    let entry = &testnet.bootstrap[..1];

    let (looked, found) = look(entry, 1001, true).await;
    assert!(found.is_empty() && looked.announced);
    // Somebody who announces nothing finds, and is not found.
    let (looked, found) = look(entry, 1003, false).await;
    assert_eq!(found, ["127.0.0.1:1001"]);
    assert!(!looked.announced);
    let (looked, found) = look(entry, 1002, true).await;
    assert_eq!((looked.found, found), (1, vec!["127.0.0.1:1001".into()]));
    let (looked, found) = look(entry, 1001, false).await;
    assert_eq!(found, ["127.0.0.1:1002"]);
    assert!(looked.dropped.own > 0, "its own announcement is there, too");

    // Nodes that answered lead in when the entry is gone.
    let (mut round, told) = round(&["127.0.0.1:1".to_owned()], 1001);
    round.nodes = looked.nodes;
    assert_eq!(round.look().await.found, 1);
    assert_eq!(all(told), ["127.0.0.1:1002"]);
    // Other networks and other days are apart.
    let (mut other, told) = self::round(entry, 1001);
    other.keys = vec![dht::key(NETWORK + 1, DAY), dht::key(NETWORK, DAY + 1)];
    assert_eq!(other.look().await.found, 0);
    assert!(all(told).is_empty());
}

#[tokio::test]
async fn without_a_dht_nothing_is_found() {
    let (looked, found) = look(&["127.0.0.1:1".to_owned()], 1001, true).await;
    assert!(found.is_empty() && !looked.announced && looked.nodes.is_empty());
}

/// A node of a DHT that answers whoever looks for peers with the same ones, and asks back. What
/// it was sent is kept.
struct Liar {
    at: String,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Liar {
    fn start(id: u8, peers: &[SocketAddrV4]) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let at = socket.local_addr().unwrap();
        // It names itself alone.
        let place = [&[id; 20][..], &[127, 0, 0, 1], &at.port().to_be_bytes()].concat();
        let (nodes, at) = ([b"5:nodes26:", &place[..]].concat(), at.to_string());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (kept, peers) = (asked.clone(), values(peers));
        // It ends with the test.
        std::thread::spawn(move || {
            let mut room = [0; 2_048];
            while let Ok((length, from)) = socket.recv_from(&mut room) {
                let query = &room[..length];
                kept.lock().unwrap().push(query.to_vec());
                let Some(at) = query.windows(5).position(|part| part == b"1:t4:") else {
                    continue;
                };
                let number = &query[at + 5..at + 9];
                let (head, id) = (b"d1:rd2:id20:", [id; 20]);
                let tail = [&b"e1:t4:"[..], number, b"1:y1:re"].concat();
                let body = match (has(query, b"9:get_peers"), has(query, b"9:find_node")) {
                    (true, _) => [&nodes[..], &peers].concat(),
                    (_, true) => nodes.clone(),
                    _ => Vec::new(),
                };
                let answer = [&head[..], &id, &body, &tail].concat();
                let ping = [&b"d1:ad2:id20:"[..], &id, b"e1:q4:ping1:t4:zzzz1:y1:qe"].concat();
                socket.send_to(&ping, from).unwrap();
                socket.send_to(&answer, from).unwrap();
            }
        });
        Self { at, asked }
    }
}

/// Peers in a bencoded answer (BEP 5).
fn values(peers: &[SocketAddrV4]) -> Vec<u8> {
    let compact = peers.iter().flat_map(|at| {
        let (ip, port) = (at.ip().octets(), at.port().to_be_bytes());
        [&b"6:"[..], &ip, &port].concat()
    });
    [
        b"5:token4:aaaa6:valuesl",
        &compact.collect::<Vec<_>>()[..],
        b"e",
    ]
    .concat()
}

fn has(query: &[u8], part: &[u8]) -> bool {
    query.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn poisoned_addresses_are_dropped_and_there_is_an_end_of_them() {
    let poison = "0.0.0.0:1 10.0.0.1:1 127.0.0.1:22 169.254.1.1:1 172.16.0.1:1 192.168.1.1:80 \
        224.0.0.251:5353 239.1.1.1:1 255.255.255.255:1 192.0.2.1:1";
    let poison: Vec<SocketAddrV4> = poison
        .split_whitespace()
        .map(|text| text.parse().unwrap())
        .collect();
    let own = ["1.2.3.4:0", "5.5.5.5:1001", "6.6.6.6:1001"].map(|text| text.parse().unwrap());
    let good = |from: u8| (0..120).map(move |low| SocketAddrV4::new([9, 9, from, low].into(), 1));
    let first: Vec<_> = poison.iter().copied().chain(own).chain(good(1)).collect();
    let liars = [
        Liar::start(1, &first),
        Liar::start(2, &good(2).collect::<Vec<_>>()),
    ];

    let bootstrap = liars.each_ref().map(|liar| liar.at.clone());
    let (mut round, told) = round(&bootstrap, 1001);
    // Taken for the DHT of the internet; from loopback nothing can leave to that address.
    round.nodes = bootstrap.map(|at| at.parse().unwrap()).to_vec();
    round.bootstrap = vec![place("1.2.3.4:1")];
    round.own = vec!["5.5.5.5:1001".parse().unwrap()];
    round.public = Some("6.6.6.6".parse().unwrap());
    let looked = round.look().await;

    let found = all(told);
    assert_eq!((looked.found, found.len()), (FOUND_MAX, FOUND_MAX));
    assert!(found.iter().all(|at| at.starts_with("9.9.")), "{found:?}");
    // A node may be asked more than once.
    let times = looked.dropped.port_zero;
    let expected = Dropped {
        port_zero: times,
        too_near: 10 * times,
        own: 2 * times,
        ..looked.dropped
    };
    assert!(times > 0 && looked.dropped.too_many >= 40);
    assert_eq!(looked.dropped, expected);
}

#[tokio::test]
async fn one_address_is_named_a_few_times_only() {
    let victim = (1..=100).map(|port| SocketAddrV4::new([127, 0, 0, 9].into(), port));
    let liar = Liar::start(1, &victim.collect::<Vec<_>>());
    let (looked, found) = look(&[liar.at], 1001, false).await;
    assert_eq!((looked.found, found.len()), (PORTS_MAX, PORTS_MAX));
    assert!(looked.dropped.too_many >= 92);
}

#[tokio::test]
async fn it_answers_nothing_and_says_so_and_announces_its_port() {
    let liar = Liar::start(1, &[]);
    let (looked, _) = look(std::slice::from_ref(&liar.at), 1001, true).await;
    assert!(looked.announced);
    let asked = liar.asked.lock().unwrap();
    assert!(!asked.is_empty());
    for query in asked.iter() {
        let asks = has(query, b"1:y1:q") && has(query, b"2:roi1e");
        assert!(asks, "{}", query.escape_ascii());
    }
    let announced = asked.iter().find(|query| has(query, b"13:announce_peer"));
    let announced = announced.expect("an announcement");
    assert!(has(announced, b"4:porti1001e"));
    assert!(has(announced, &dht::key(NETWORK, DAY)));
    assert!(!has(announced, b"12:implied_porti1e"));
}

#[tokio::test]
async fn a_dht_of_ones_own_tells_of_relays_as_near_as_it_is() {
    let peers = "127.0.0.1:5 10.0.0.7:5 9.9.9.9:5 0.0.0.0:5 224.0.0.1:5".split(' ');
    let peers: Vec<SocketAddrV4> = peers.map(|text| text.parse().unwrap()).collect();
    let liar = Liar::start(1, &peers);
    // Entered on this machine, on its network, and on the internet.
    for (entry, expected) in [
        (None, &["10.0.0.7:5", "127.0.0.1:5", "9.9.9.9:5"][..]),
        (Some("10.255.255.1:1"), &["10.0.0.7:5", "9.9.9.9:5"]),
        (Some("1.2.3.4:1"), &["9.9.9.9:5"]),
    ] {
        let bootstrap = entry.map_or(liar.at.clone(), str::to_owned);
        let (mut round, told) = round(&[bootstrap], 1001);
        // One that answered before; from loopback nothing can leave to the others.
        round.nodes = vec![liar.at.parse().unwrap()];
        round.announces = false;
        round.look().await;
        assert_eq!(all(told), expected, "{entry:?}");
    }
}
