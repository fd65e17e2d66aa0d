//! Relays among themselves: who is a peer, whom to dial, what to tell them. PROTOCOL.md section 12.
//!
//! Invariant: a link is a peer's only after both sides proved their node keys over it, and there is
//! at most one to a node key.
//!
//! ```text
//! own    this relay's descriptor     shake      from a link to a peer      meet   whom to dial
//! spread push, Have, Want            reconcile  what was missed            set    negentropy
//! swarm  what to keep, with whom     errand     for ranges of others       dropped  no room for it
//! offer  clients are led to peers
//! ```

mod dropped;
mod errand;
mod meet;
mod offer;
mod own;
mod reconcile;
mod set;
mod shake;
mod spread;
mod swarm;

pub(super) use swarm::HANDOVER_MS;

use super::link::Phase;
use super::{Relay, RelayConfig};
use crate::book::{Book, Counts};
use crate::crypto::{SigningKey, sha256};
use crate::io::{LinkId, Token};
use crate::limits::PEERS_DIALLED;
use crate::range::Range;
use crate::recent::Recent;
use crate::time::Millis;
use crate::wire::{Descriptor, Header};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Ids of objects that a peer is known to have, the latest ones.
const KNOWN_MAX: usize = 2048;

/// The part of a relay that knows other relays.
#[derive(Debug)]
pub(super) struct Peers {
    own: own::Own,
    book: Book,
    links: BTreeMap<LinkId, Peer>,
    by_key: BTreeMap<[u8; 32], LinkId>,
    shakes: shake::Shakes,
    meet: meet::Meet,
    spread: spread::Spread,
    reconcile: reconcile::Reconciling,
    pub dropped: dropped::Dropped,
    pub swarm: swarm::Swarm,
    errands: errand::Errands,
    offers: offer::Offers,
}

/// A relay with which this one has a proved link.
#[derive(Debug)]
struct Peer {
    descriptor: Descriptor,
    /// The descriptor's header and body.
    raw: own::RawDescriptor,
    /// What it keeps.
    range: Range,
    /// Where it was dialled; where it says it is, for one that dialled us.
    address: Option<SocketAddr>,
    dialled: bool,
    since: Millis,
    /// When somebody last had use of it.
    used: Millis,
    known: Known,
    /// Headers to be told with the next Have.
    have: Vec<[u8; 72]>,
    next_request: u32,
    /// When it may ask for another reconciliation: each costs a look at the whole store.
    asks_at: Millis,
    /// The request for names that is not ended, and how many may still come.
    naming: Option<(u32, u8)>,
    /// When its address was last proved.
    proved: Millis,
}

impl Peer {
    fn new(
        (descriptor, raw): (Descriptor, own::RawDescriptor),
        address: Option<SocketAddr>,
        dialled: bool,
        since: Millis,
    ) -> Self {
        let range = range_of(&descriptor, &raw);
        Peer {
            descriptor,
            raw,
            range,
            address,
            dialled,
            since,
            used: since,
            known: Known::default(),
            have: Vec::new(),
            next_request: 1,
            asks_at: 0,
            naming: None,
            proved: since,
        }
    }

    /// It says something new of itself.
    fn renew(&mut self, descriptor: Descriptor, raw: own::RawDescriptor) {
        self.range = range_of(&descriptor, &raw);
        self.descriptor = descriptor;
        self.raw = raw;
    }

    /// Whether its descriptor shows to others that it keeps an address.
    fn shows(&self, address: u32, hour: u32) -> bool {
        self.is_fresh(hour) && self.range.has(address)
    }

    /// Whether its descriptor has not expired.
    fn is_fresh(&self, hour: u32) -> bool {
        let header = self.raw.first_chunk().map(Header::parse);
        header.and_then(Result::ok).is_some_and(|h| h.expiry > hour)
    }

    fn request(&mut self) -> u32 {
        let request = self.next_request;
        self.next_request = self.next_request.wrapping_add(1).max(1);
        request
    }
}

fn range_of(descriptor: &Descriptor, raw: &[u8]) -> Range {
    let header = raw.first_chunk().map(Header::parse);
    let header = header.and_then(Result::ok);
    header.map_or(Range::ALL, |header| descriptor.range(&header.front))
}

/// The address book's secret: the same at each start.
fn book_secret(node_key: &SigningKey) -> [u8; 32] {
    sha256(&[b"wm-book", &node_key.sign(&[b"wm-book"])])
}

/// The latest ids that a peer showed or was shown.
type Known = Recent<u64, KNOWN_MAX>;

/// A peer, as its operator is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    pub node_key: [u8; 32],
    pub address: Option<SocketAddr>,
    /// By this side.
    pub dialled: bool,
    /// What it keeps.
    pub range: Range,
    /// By the monotonic clock.
    pub since: Millis,
}

impl Peers {
    pub fn new(config: &RelayConfig) -> Self {
        let secret = book_secret(&config.node_key);
        Peers {
            own: own::Own::default(),
            book: Book::new(secret, config.network),
            links: BTreeMap::new(),
            by_key: BTreeMap::new(),
            shakes: shake::Shakes::default(),
            meet: meet::Meet::default(),
            spread: spread::Spread::default(),
            reconcile: reconcile::Reconciling::default(),
            dropped: dropped::Dropped::default(),
            swarm: swarm::Swarm::new(config.scan_wider_bits),
            errands: errand::Errands::default(),
            offers: offer::Offers::default(),
        }
    }

    pub fn len(&self) -> usize {
        self.links.len()
    }

    /// The links of those that keep something of a range, and whether this side dialled them.
    pub fn mates(&self, range: Range) -> impl Iterator<Item = (LinkId, bool)> {
        let mates = self
            .links
            .iter()
            .filter(move |(_, peer)| peer.range.overlaps(range));
        mates.map(|(link, peer)| (*link, peer.dialled))
    }

    /// The links of those that keep bodies for an address.
    pub fn keeping(&self, address: u32) -> Vec<LinkId> {
        let keeping = self
            .links
            .iter()
            .filter(|(_, peer)| peer.range.has(address));
        keeping.map(|(link, _)| *link).collect()
    }

    /// The same, those that this relay dialled before others.
    fn keepers(&self, address: u32) -> Vec<LinkId> {
        let mut mates: Vec<(LinkId, bool)> = self.mates(Range::of(address, 32)).collect();
        mates.sort_by_key(|(_, dialled)| !dialled);
        mates.into_iter().map(|(link, _)| link).collect()
    }

    /// A peer was of use.
    pub fn use_of(&mut self, link: LinkId, now: Millis) {
        if let Some(peer) = self.links.get_mut(&link) {
            peer.used = now;
        }
    }

    /// What peers keep, and whether this side dialled them; those being dialled to stay too.
    fn ranges(&self) -> impl Iterator<Item = (Range, bool)> {
        let linked = self.links.values().map(|peer| (peer.range, peer.dialled));
        let dials = self.shakes.under_way().filter(|dial| !dial.feeler);
        linked.chain(dials.filter_map(|dial| Some((dial.to.range.or(dial.within)?, true))))
    }

    /// Those that this relay dialled.
    pub fn dialled(&self) -> usize {
        self.links.values().filter(|peer| peer.dialled).count()
    }

    /// The peers of this moment.
    pub fn each(&self) -> impl Iterator<Item = PeerStatus> {
        self.links.values().map(|peer| PeerStatus {
            node_key: peer.descriptor.node_key,
            address: peer.address,
            dialled: peer.dialled,
            range: peer.range,
            since: peer.since,
        })
    }

    /// Other relays that the book has.
    pub fn known(&self) -> Counts {
        self.book.counts()
    }

    pub fn addresses(&self) -> &[SocketAddr] {
        self.own.addresses()
    }

    /// The book itself, to be filled from the store.
    pub fn book_mut(&mut self) -> &mut Book {
        &mut self.book
    }

    /// The node key of the relay at the other end, if it is one.
    pub fn key_of(&self, link: LinkId) -> Option<[u8; 32]> {
        Some(self.links.get(&link)?.descriptor.node_key)
    }

    pub fn is_peer(&self, link: LinkId) -> bool {
        self.links.contains_key(&link)
    }

    /// When something is to be done, by the monotonic clock.
    pub fn next_time(&self) -> Millis {
        if !self.own.is_told() {
            return self.spread.next_time();
        }
        [
            self.own.next_time(),
            self.meet.next_time(),
            self.spread.next_time(),
            self.reconcile.next_time(),
            self.swarm.next_time(),
            self.errands.next_time(),
            self.offers.next_time(),
        ]
        .into_iter()
        .min()
        .unwrap_or(Millis::MAX)
    }
}

impl Relay {
    /// What is due among relays. Before it knows where it is reachable a relay keeps to itself.
    pub(super) fn peers_on_time(&mut self) {
        self.ask_others();
        if !self.peers.own.is_told() {
            return;
        }
        self.renew_descriptor();
        self.look_around();
        self.meet_relays();
        self.errands_on_time();
        self.offers_on_time();
        self.tell_headers();
        self.reconcile_next();
        self.save_book();
    }

    /// A dial or a puzzle came to something.
    pub(super) fn on_dial_failed(&mut self, token: Token) {
        if let Some(dial) = self.peers.shakes.dialled(token) {
            self.peers.book.failed(self.now.unix, dial.to.address);
        }
    }

    /// Forgets a link that is gone, if it was a peer's or was to become one.
    pub(super) fn forget_peer(&mut self, link: LinkId, phase: Phase) {
        if let Some(dial) = self.peers.shakes.forget(link) {
            match phase {
                // It proved who it is; it has no room.
                Phase::Shaking { .. } => self.peers.book.answered(self.now.unix),
                _ => self.peers.book.failed(self.now.unix, dial.to.address),
            }
        }
        self.peers.spread.forget(link);
        self.peers.errands.leave(link);
        self.forget_errands(link);
        self.forget_offers(link);
        let Some(peer) = self.peers.links.remove(&link) else {
            return;
        };
        let key = peer.descriptor.node_key;
        if self.peers.by_key.get(&key) == Some(&link) {
            self.peers.by_key.remove(&key);
        }
        self.peers.reconcile.forget(link);
        // One that was here for an errand leaves no gap.
        let near = peer.range.overlaps(self.peers.swarm.scanned());
        if near && self.peers.dialled() < PEERS_DIALLED {
            self.peers.meet.ask_soon(self.now.mono);
        } else {
            self.peers.meet.hurry(self.now.mono);
        }
    }
}
