//! One look-up in the DHT and, after it, an announcement.
//!
//! Invariant: at most [`FOUND_MAX`] addresses are told, none of which can lead to this relay itself
//! or nearer than a person has entered the DHT: to this machine only if that was on it, to the
//! local network only if that was on it or here. They are told as they come. PROTOCOL.md section
//! 12.

use crate::driver::Outside;
use crate::find::dht::BOOTSTRAP;
use crate::find::{Place, aside, is_global};
use futures_lite::StreamExt;
use mainline::async_dht::AsyncDht;
use mainline::{Dht, Id};
use shared::book::{Reach, reach};
use shared::io::Finder;
use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};

/// Addresses taken of a look-up.
pub(super) const FOUND_MAX: usize = 200;
/// Ports taken at one address: a liar may name one that is somebody else's, again and again.
pub(super) const PORTS_MAX: usize = 8;
/// Longest look-up of one key. Most of it is waiting for nodes that are gone.
const LOOK_MAX: Duration = Duration::from_secs(60);
/// Longest announcement.
const ANNOUNCE_MAX: Duration = Duration::from_secs(20);
/// Nodes remembered for the next look-up.
const NODES_MAX: usize = 12;

/// What is looked for, and from where.
pub(super) struct Round {
    /// Empty: [`BOOTSTRAP`].
    pub bootstrap: Vec<Place>,
    /// Nodes that answered before.
    pub nodes: Vec<SocketAddrV4>,
    pub bind: Option<Ipv4Addr>,
    /// How long a node of the DHT may take to answer.
    pub patience: Duration,
    pub keys: Vec<[u8; 20]>,
    /// The port that others reach this relay at.
    pub port: u16,
    pub announces: bool,
    /// The addresses of this relay, and the one that the DHT saw.
    pub own: Vec<SocketAddr>,
    pub public: Option<Ipv4Addr>,
    pub tell: mpsc::Sender<Outside>,
}

/// Addresses that were not told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Dropped {
    pub port_zero: u64,
    /// Of this machine or its networks, where they may not be, or nobody's.
    pub too_near: u64,
    pub own: u64,
    pub too_many: u64,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Looked {
    pub found: usize,
    pub dropped: Dropped,
    pub announced: bool,
    /// Nodes that answered.
    pub nodes: Vec<SocketAddrV4>,
    /// The own address, as the DHT saw it.
    pub public: Option<Ipv4Addr>,
}

impl Round {
    /// Nothing is found where there is no network, or no node of the DHT.
    pub async fn look(mut self) -> Looked {
        let entries = self.entries().await;
        let nearest = match self.bootstrap.is_empty() {
            true => Reach::Public,
            false => nearest(&entries),
        };
        let Some(dht) = self.node(entries).await else {
            return Looked::default();
        };
        let mut looked = Looked {
            public: self.public,
            ..Looked::default()
        };
        let mut sieve = Sieve::new(&self, nearest);
        for key in &self.keys {
            self.look_up(&dht, *key, &mut sieve).await;
            let seen = dht.info().await.public_address();
            looked.public = seen.map(|at| *at.ip()).or(looked.public);
            sieve.public = looked.public;
            if self.announces {
                let announced = dht.announce_peer(Id::from(*key), Some(self.port));
                looked.announced |= matches!(timeout(ANNOUNCE_MAX, announced).await, Ok(Ok(_)));
            }
        }
        (looked.found, looked.dropped) = (sieve.told.len(), sieve.dropped);
        let nodes = dht.to_bootstrap().await;
        let nodes = nodes.iter().filter_map(|text| text.parse().ok());
        looked.nodes = nodes.take(NODES_MAX).collect();
        looked
    }

    /// Where the DHT is entered.
    async fn entries(&self) -> Vec<SocketAddrV4> {
        let usual = || BOOTSTRAP.iter().filter_map(|text| text.parse().ok());
        let places: Vec<Place> = match self.bootstrap.as_slice() {
            [] => usual().collect(),
            named => named.to_vec(),
        };
        let mut entries = Vec::new();
        for place in places {
            let v4 = |at| match at {
                SocketAddr::V4(v4) => Some(v4),
                SocketAddr::V6(_) => None,
            };
            entries.extend(place.addresses().await.into_iter().filter_map(v4));
        }
        entries
    }

    /// A node of the DHT that only asks. It is gone when this is dropped.
    async fn node(&mut self, entries: Vec<SocketAddrV4>) -> Option<AsyncDht> {
        // A node without an entry would take whoever asks for one.
        if entries.is_empty() && self.nodes.is_empty() {
            return None;
        }
        let mut builder = Dht::builder();
        builder.bootstrap(&entries).extra_bootstrap(&self.nodes);
        builder.request_timeout(self.patience).port(0);
        if let Some(ip) = self.bind {
            builder.bind_address(ip);
        }
        match aside(move || builder.build()).await? {
            Ok(dht) => Some(dht.as_async()),
            Err(error) => {
                tracing::debug!(%error, "no node of the DHT: no socket or no thread");
                None
            }
        }
    }

    async fn look_up(&self, dht: &AsyncDht, key: [u8; 20], sieve: &mut Sieve) {
        let mut peers = dht.get_peers(Id::from(key));
        let deadline = Instant::now() + LOOK_MAX;
        while let Ok(Some(some)) = timeout_at(deadline, peers.next()).await {
            for at in some {
                let Some(address) = sieve.pass(at) else {
                    continue;
                };
                let by = finder(address);
                if self
                    .tell
                    .send(Outside::Found { address, by })
                    .await
                    .is_err()
                {
                    return;
                }
            }
        }
    }
}

/// How near the relays of a DHT may be that is entered there: a DHT that somebody runs on this
/// machine or beside it has its relays there, the one of the internet has not.
fn nearest(entries: &[SocketAddrV4]) -> Reach {
    let reaches = entries.iter().map(|at| reach(IpAddr::V4(*at.ip())));
    // Nowhere at all: nothing is said to be near.
    let reaches = reaches.map(|reach| reach.unwrap_or(Reach::Public));
    reaches.max().unwrap_or(Reach::Public)
}

/// Who says that there is a relay. Near addresses are let through in a DHT of one's own alone,
/// where others on this network announce themselves: that is what a beacon is, too. It is less
/// than the word of the person, who named the DHT and not what is found in it: that word is told
/// to the address book as true again and again, and ends the waits after failures, so a liar in
/// that DHT could have ports of the network called without end. `Dht` would be refused, as it may
/// tell of public addresses only.
fn finder(address: SocketAddr) -> Finder {
    match is_global(address.ip()) {
        true => Finder::Dht,
        false => Finder::Lan,
    }
}

/// Lets each address through once that may be a relay's.
struct Sieve {
    nearest: Reach,
    own: Vec<SocketAddr>,
    public: Option<Ipv4Addr>,
    port: u16,
    told: HashSet<SocketAddrV4>,
    dropped: Dropped,
}

impl Sieve {
    fn new(round: &Round, nearest: Reach) -> Self {
        Self {
            nearest,
            own: round.own.clone(),
            public: round.public,
            port: round.port,
            told: HashSet::new(),
            dropped: Dropped::default(),
        }
    }

    /// How many were told of one address.
    fn ports(&self, ip: Ipv4Addr) -> usize {
        self.told.iter().filter(|told| *told.ip() == ip).count()
    }

    fn pass(&mut self, at: SocketAddrV4) -> Option<SocketAddr> {
        let address = SocketAddr::V4(at);
        let fit = reach(address.ip()).is_some_and(|reach| reach >= self.nearest);
        let own = self.own.contains(&address)
            || (self.public == Some(*at.ip()) && self.port == at.port());
        let full = self.told.len() >= FOUND_MAX || self.ports(*at.ip()) >= PORTS_MAX;
        let dropped = &mut self.dropped;
        let reason = if self.told.contains(&at) {
            return None;
        } else if at.port() == 0 {
            &mut dropped.port_zero
        } else if own {
            &mut dropped.own
        } else if !fit {
            &mut dropped.too_near
        } else if full {
            &mut dropped.too_many
        } else {
            self.told.insert(at);
            return Some(address);
        };
        *reason += 1;
        None
    }
}
