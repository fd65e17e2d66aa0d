//! A hundred of each: what is sent for each copy of 1 KiB that is delivered.
//!
//! Gossipsub: a hundred libp2p swarms in this process, over QUIC, with its defaults; counted are
//! the bytes written to streams by all of them. Ours: a hundred relays of the simulated network,
//! core for core the real ones, and an object is put at any of them; counted are the bytes of all
//! frames. Neither count has the transport's part, headers of packets, acknowledgements and the
//! like, which is QUIC's for both. Objects come at the same pace, from everybody in turn; what is
//! said between them (heartbeats, gossip, requests, reconciliation) is counted while they come and
//! for five seconds after.

use crate::gossip::{behaviour, topic};
use crate::pace::BODY;
use futures::StreamExt;
use libp2p::gossipsub::{Behaviour, Event};
use libp2p::metrics::Registry;
use libp2p::swarm::SwarmEvent;
use libp2p::{Multiaddr, Swarm, SwarmBuilder, identity};
use prometheus_client::encoding::text;
use shared::crypto::Rng;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tests::world::World;
use tokio::sync::mpsc;

const NODES: usize = 100;
const OBJECTS: usize = 200;
/// Between two objects.
const PAUSE: Duration = Duration::from_millis(50);
const SETTLE: Duration = Duration::from_secs(5);
/// Others that a swarm dials: as many as a relay does.
const DIALS: usize = 8;
const GOAL: f64 = 0.5;

/// What a swarm's task is told.
enum Order {
    Dial(Multiaddr),
    Publish(u64),
}

struct Node {
    orders: mpsc::UnboundedSender<Order>,
    registry: Registry,
    address: Multiaddr,
}

impl Node {
    async fn start(came: Arc<AtomicUsize>) -> Self {
        let mut registry = Registry::default();
        let mut swarm = SwarmBuilder::with_existing_identity(identity::Keypair::generate_ed25519())
            .with_tokio()
            .with_quic()
            .with_bandwidth_metrics(&mut registry)
            .with_behaviour(|key| Ok(behaviour(key, true)))
            .expect("a behaviour")
            .with_swarm_config(|config| {
                config.with_idle_connection_timeout(Duration::from_secs(600))
            })
            .build();
        let any: Multiaddr = "/ip4/127.0.0.1/udp/0/quic-v1".parse().expect("an address");
        swarm.listen_on(any).expect("a socket");
        let address = loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
                break address;
            }
        };
        let (orders, queue) = mpsc::unbounded_channel();
        tokio::spawn(live(swarm, queue, came));
        Self {
            orders,
            registry,
            address,
        }
    }

    /// Bytes written to streams since the start.
    fn sent(&self) -> u64 {
        let mut all = String::new();
        text::encode(&mut all, &self.registry).expect("metrics as text");
        let out = all.lines().filter(|line| line.contains("Outbound"));
        let numbers = out.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        numbers.sum()
    }
}

async fn live(
    mut swarm: Swarm<Behaviour>,
    mut orders: mpsc::UnboundedReceiver<Order>,
    came: Arc<AtomicUsize>,
) {
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                if let SwarmEvent::Behaviour(Event::Message { .. }) = event {
                    came.fetch_add(1, Relaxed);
                }
            }
            order = orders.recv() => match order {
                Some(Order::Dial(to)) => drop(swarm.dial(to)),
                Some(Order::Publish(number)) => {
                    let mut body = vec![0; BODY];
                    getrandom::fill(&mut body).expect("random bytes");
                    body[..8].copy_from_slice(&number.to_le_bytes());
                    swarm.behaviour_mut().publish(topic(), body).expect("published");
                }
                None => return,
            },
        }
    }
}

/// Bytes a delivered copy, and the share of copies that were delivered.
async fn gossipsub() -> (f64, f64) {
    let came = Arc::new(AtomicUsize::new(0));
    let mut nodes = Vec::new();
    for _ in 0..NODES {
        nodes.push(Node::start(came.clone()).await);
    }
    let mut rng = Rng::new([1; 32]);
    for (at, node) in nodes.iter().enumerate() {
        for _ in 0..DIALS {
            let other = (at + 1 + rng.below(NODES as u64 - 1) as usize) % NODES;
            let _ = node.orders.send(Order::Dial(nodes[other].address.clone()));
        }
    }
    // Ten heartbeats: the meshes have their size.
    tokio::time::sleep(Duration::from_secs(10)).await;
    let sent = || nodes.iter().map(Node::sent).sum::<u64>();
    let before = sent();
    for number in 0..OBJECTS {
        let order = Order::Publish(number as u64);
        let _ = nodes[number % NODES].orders.send(order);
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(SETTLE).await;
    let came = came.load(Relaxed) as f64;
    let copies = (OBJECTS * (NODES - 1)) as f64;
    ((sent() - before) as f64 / came, came / copies)
}

/// The same of relays.
fn relays() -> (f64, f64) {
    let mut world = World::new(1);
    let relays = world.relays(NODES, |n| n / 2);
    world.run(5 * 60_000);
    let mut rng = Rng::new([1; 32]);
    world.bytes.clear();
    for number in 0..OBJECTS {
        let object = world.object(&mut rng, 0);
        world.put(relays[number % NODES], &object);
        world.run(PAUSE.as_millis() as u64);
    }
    world.run(SETTLE.as_millis() as u64);
    let stored = relays.iter().map(|at| world.relay(*at).status().objects);
    let came = stored.sum::<u64>() as f64 - OBJECTS as f64;
    let copies = (OBJECTS * (NODES - 1)) as f64;
    let bytes: u64 = world.bytes.values().sum();
    (bytes as f64 / came, came / copies)
}

pub async fn run() {
    let (theirs, their_share) = gossipsub().await;
    let simulated = tokio::task::spawn_blocking(relays);
    let (ours, our_share) = simulated.await.expect("a simulation");
    println!("bytes sent for each delivered copy of 1 KiB, among {NODES}, {OBJECTS} objects");
    let row = |name: &str, bytes: f64, share: f64| {
        println!(
            "  {name:<10} {bytes:>7.0}   {:.1} % delivered",
            share * 100.0
        );
    };
    row("gossipsub", theirs, their_share);
    row("relays", ours, our_share);
    let ratio = ours / theirs;
    let verdict = if ratio <= GOAL { "met" } else { "MISSED" };
    println!("  ratio {ratio:.2} x   goal {GOAL}: {verdict}");
}
