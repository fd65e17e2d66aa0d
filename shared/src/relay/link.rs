//! One link of a relay, and how many there may be.

use super::counters::Counters;
use super::index::RecordPlace;
use crate::io::Origin;
use crate::limits::REQUESTS_PER_LINK_MAX;
use crate::time::Millis;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

/// How far a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Nothing heard yet.
    New,
    /// Said Hello while the relay was starting.
    Waiting {
        request: u32,
        nonce: [u8; 32],
    },
    Open,
    /// This side dialled it and said Hello.
    Dialled {
        nonce: [u8; 32],
    },
    /// This side dialled it and said Peer.
    Shaking {
        node_key: [u8; 32],
    },
}

/// A Get or Find under way: a cursor, never a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Job {
    pub request: u32,
    pub cursor: Cursor,
    pub sent: u32,
}

/// What comes next, and the last that belongs to the answer. `None` as next: nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cursor {
    Bucket {
        bucket: u32,
        next: Option<(u64, u64)>,
        last: u64,
    },
    Records {
        next: Option<RecordPlace>,
        last: RecordPlace,
    },
    /// Arrivals of what is pushed to a peer. Its job has no request.
    Pushes(VecDeque<u64>),
    /// The same, of what is told by its header only.
    Headers(VecDeque<u64>),
}

/// A link's place in what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Watch {
    pub request: u32,
    pub whole: bool,
    /// Number of the next push.
    pub next: u64,
    /// Bucket of the last push.
    pub bucket: u32,
    /// The last arrival before it began: that may still be on its way to the store.
    pub since: u64,
}

#[derive(Debug)]
pub(super) struct Link {
    pub origin: Origin,
    pub binding: [u8; 32],
    pub phase: Phase,
    pub heard: Millis,
    /// When to look at it again; its entry in the relay's deadlines.
    pub deadline: Millis,
    pub malformed: u8,
    pub congested: bool,
    /// Since when.
    pub congested_at: Millis,
    /// Puts, Gets and Finds not yet answered.
    pub requests: BTreeSet<u32>,
    pub jobs: VecDeque<Job>,
    pub reading: bool,
    pub watch: Option<Watch>,
    /// The signature of the Welcome sent, over which a relay that dialled proves itself.
    pub proof: [u8; 64],
    /// Headers that a client may still offer, since it was asked.
    pub offers: usize,
    /// Objects that it was asked for and has not pushed.
    pub pushes: usize,
    /// When it may ask for the names of relays again.
    pub names_at: Millis,
    /// When it may be led to a peer again.
    pub offer_at: Millis,
}

/// Why a request number was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unnumbered {
    InUse,
    TooMany,
}

impl Link {
    pub fn new(origin: Origin, binding: [u8; 32], now: Millis, deadline: Millis) -> Self {
        Link {
            origin,
            binding,
            phase: Phase::New,
            heard: now,
            deadline,
            malformed: 0,
            congested: false,
            congested_at: 0,
            requests: BTreeSet::new(),
            jobs: VecDeque::new(),
            reading: false,
            watch: None,
            proof: [0; 64],
            offers: 0,
            pushes: 0,
            names_at: 0,
            offer_at: 0,
        }
    }

    /// Takes a request number until it is answered.
    pub fn begin(&mut self, request: u32) -> Result<(), Unnumbered> {
        if self.requests.len() >= REQUESTS_PER_LINK_MAX {
            return Err(Unnumbered::TooMany);
        }
        if !self.is_free(request) {
            return Err(Unnumbered::InUse);
        }
        self.requests.insert(request);
        Ok(())
    }

    /// Whether nothing under way has this number. None is 0.
    pub fn is_free(&self, request: u32) -> bool {
        let watched = self.watch.is_some_and(|watch| watch.request == request);
        request != 0 && !watched && !self.requests.contains(&request)
    }

    /// Whether a read could be made for it.
    pub fn is_hungry(&self) -> bool {
        !self.jobs.is_empty() && !self.reading && !self.congested
    }
}

/// How many links there are from where. Links dialled by this side have no origin and count towards
/// the whole only.
#[derive(Debug, Default)]
pub(super) struct Origins {
    networks: BTreeMap<u64, usize>,
    addresses: BTreeMap<Origin, usize>,
}

impl Origins {
    /// Counts a link unless its network or address has its share.
    pub fn add(&mut self, from: Origin, per_network: usize, per_address: usize) -> bool {
        if from == Origin::default() {
            return true;
        }
        let network = self.networks.get(&from.network).copied().unwrap_or(0);
        let address = self.addresses.get(&from).copied().unwrap_or(0);
        if network >= per_network || address >= per_address {
            return false;
        }
        self.networks.insert(from.network, network + 1);
        self.addresses.insert(from, address + 1);
        true
    }

    pub fn remove(&mut self, from: Origin) {
        subtract(&mut self.networks, &from.network);
        subtract(&mut self.addresses, &from);
    }
}

fn subtract<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(n) = counts.get_mut(key) {
        *n -= 1;
        if *n == 0 {
            counts.remove(key);
        }
    }
}

/// What a link that went away leaves in the counters.
pub(super) fn count_close(counters: &mut Counters, why: Closed) {
    match why {
        Closed::Idle => counters.links_idle += 1,
        Closed::Version => counters.links_wrong_version += 1,
        Closed::Network => counters.links_wrong_network += 1,
        Closed::NoHello => counters.links_without_hello += 1,
        Closed::Malformed => counters.links_closed_malformed += 1,
    }
}

/// Why the relay closed a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Closed {
    Idle,
    Version,
    Network,
    NoHello,
    Malformed,
}
