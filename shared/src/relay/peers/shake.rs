//! From a link to a peer: the dialler proves itself over the listener's Welcome, the listener
//! answers with its own descriptor.
//!
//! Invariant: a descriptor counts only with its work, its signature, and the link's proof that
//! whoever sent it holds its key.

use super::own::RawDescriptor;
use super::{Peer, range_of};
use crate::book::{Candidate, Source};
use crate::crypto::PublicKey;
use crate::io::{LinkId, Reach, Token};
use crate::limits::{DESCRIPTOR_AHEAD_S, PEERS_DIALLED, PEERS_OF_NETWORK_MAX, PEERS_TAKEN_MAX};
use crate::object::{Admission, AdmissionError, admit};
use crate::range::Range;
use crate::relay::Relay;
use crate::relay::link::{Link, Phase};
use crate::wire::descriptor::DESCRIPTOR_BYTES;
use crate::wire::frame::LINK_VERSION;
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Bye, Descriptor, Frame, Welcome};
use alloc::collections::BTreeMap;
use core::net::SocketAddr;

/// A dial under way.
#[derive(Clone, Debug)]
pub(super) struct Dial {
    pub to: Candidate,
    /// To see whether it is true; kept only while there are too few.
    pub feeler: bool,
    /// What it is to keep, if that is not known of it.
    pub within: Option<Range>,
}

/// Why a descriptor does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BadDescriptor {
    /// Expired, or from the future, by this clock.
    Date,
    /// Anything else: of another network, without work, without its signature.
    Forged,
}

/// Links that are to become peers.
#[derive(Debug, Default)]
pub(super) struct Shakes {
    dials: BTreeMap<Token, Dial>,
    dialled: BTreeMap<LinkId, Dial>,
    /// Proved before this relay's own descriptor was ready.
    waiting: BTreeMap<LinkId, (Descriptor, RawDescriptor)>,
}

impl Shakes {
    pub fn dial(&mut self, token: Token, dial: Dial) {
        self.dials.insert(token, dial);
    }

    /// The dial that a link or a failure answers.
    pub fn dialled(&mut self, token: Token) -> Option<Dial> {
        self.dials.remove(&token)
    }

    pub fn forget(&mut self, link: LinkId) -> Option<Dial> {
        self.waiting.remove(&link);
        self.dialled.remove(&link)
    }

    pub fn is_waiting(&self, link: LinkId) -> bool {
        self.waiting.contains_key(&link)
    }

    pub fn under_way(&self) -> impl Iterator<Item = &Dial> {
        self.dials.values().chain(self.dialled.values())
    }
}

impl Relay {
    /// A link that this relay dialled is open: it speaks first.
    pub(in crate::relay) fn on_dialled(&mut self, link: LinkId, token: Token) {
        let Some(dial) = self.peers.shakes.dialled(token) else {
            return self.bye(link, Bye::Leaving);
        };
        self.peers.shakes.dialled.insert(link, dial);
        let nonce = self.rng.array();
        if let Some(state) = self.links.get_mut(&link) {
            state.phase = Phase::Dialled { nonce };
        }
        let hello = Frame::Hello {
            version: LINK_VERSION,
            network: self.config.network,
            nonce,
        };
        self.send(link, 0, &hello);
    }

    /// A frame on a link that this relay dialled and that is not a peer's yet.
    pub(in crate::relay) fn on_dialled_frame(
        &mut self,
        link: LinkId,
        request: u32,
        frame: &Frame<'_>,
    ) {
        match *frame {
            Frame::Welcome(welcome) => self.on_peer_welcome(link, &welcome),
            Frame::Peered { header, body } => self.on_peered(link, header, body),
            Frame::Ping { echo } => self.send(link, request, &Frame::Pong { echo }),
            Frame::Pong { .. } | Frame::Ask | Frame::Floor { .. } => {}
            Frame::Bye { .. } => self.leave(link),
            _ => self.on_malformed(link, None),
        }
    }

    fn on_peer_welcome(&mut self, link: LinkId, welcome: &Welcome) {
        let Some((state, dial)) = self
            .links
            .get_mut(&link)
            .zip(self.peers.shakes.dialled.get(&link))
        else {
            return;
        };
        let Phase::Dialled { nonce } = state.phase else {
            return self.on_malformed(link, None);
        };
        let expected = dial.to.node_key.is_none_or(|key| key == welcome.node_key);
        let proved = welcome.version == LINK_VERSION
            && welcome.network == self.config.network
            && welcome.verify(&state.binding, &nonce).is_ok();
        let itself = welcome.node_key == *self.config.node_key.public().as_bytes();
        let Some(own) = self
            .peers
            .own
            .ready()
            .filter(|_| expected && proved && !itself)
        else {
            self.counters.peers_false += 1;
            return self.bye(link, Bye::Leaving);
        };
        let peer = self.peers.by_key.get(&welcome.node_key);
        if let Some(peer) = peer.and_then(|link| self.peers.links.get(link)) {
            // It had dialled us, and is where it said.
            let book = &mut self.peers.book;
            book.proved(self.now.unix, dial.to.address, &peer.descriptor, &peer.raw);
            self.peers.shakes.dialled.remove(&link);
            return self.bye(link, Bye::Leaving);
        }
        state.phase = Phase::Shaking {
            node_key: welcome.node_key,
        };
        let signed: [&[u8]; 3] = [b"wm-peer", &state.binding, &welcome.signature];
        let signature = self.config.node_key.sign(&signed);
        if let Some((header, body)) = split(own) {
            let peer = Frame::Peer {
                header,
                body,
                signature,
            };
            let bytes = peer.encode(0);
            self.out.push_back(crate::io::Output::Send { link, bytes });
        }
    }

    fn on_peered(
        &mut self,
        link: LinkId,
        header: &[u8; HEADER_BYTES],
        body: &[u8; DESCRIPTOR_BYTES],
    ) {
        let Some(Phase::Shaking { node_key }) = self.links.get(&link).map(|state| state.phase)
        else {
            return self.on_malformed(link, None);
        };
        let descriptor = self.read_descriptor(header, body);
        let Some(descriptor) = descriptor.ok().filter(|d| d.node_key == node_key) else {
            self.counters.peers_false += 1;
            return self.bye(link, Bye::Malformed);
        };
        let Some(dial) = self.peers.shakes.dialled.remove(&link) else {
            return;
        };
        let raw = [&header[..], &body[..]].concat();
        self.peers
            .book
            .proved(self.now.unix, dial.to.address, &descriptor, &raw);
        // Dialled anew it would be a minute later only.
        if dial.feeler && !self.wants(range_of(&descriptor, &raw)) {
            return self.bye(link, Bye::Leaving);
        }
        self.join(link, descriptor, raw, Some(dial.to.address));
    }

    /// Somebody who dialled says that they are a relay.
    pub(in crate::relay) fn on_peer(
        &mut self,
        link: LinkId,
        header: &[u8; HEADER_BYTES],
        body: &[u8; DESCRIPTOR_BYTES],
        signature: &[u8; 64],
    ) {
        let Some(state) = self.links.get(&link) else {
            return;
        };
        if self.peers.is_peer(link) || self.peers.shakes.is_waiting(link) {
            return self.on_malformed(link, None);
        }
        let (binding, proof) = (state.binding, state.proof);
        let signed: [&[u8]; 3] = [b"wm-peer", &binding, &proof];
        let holds_key = |descriptor: &Descriptor| {
            PublicKey::from_bytes(&descriptor.node_key)
                .is_ok_and(|key| key.verify(&signed, signature).is_ok())
        };
        let descriptor = self.read_descriptor(header, body);
        let Some(descriptor) = descriptor.ok().filter(holds_key) else {
            self.counters.peers_false += 1;
            return self.bye(link, Bye::Malformed);
        };
        if !self.peers.own.is_told() {
            return self.bye(link, Bye::Leaving);
        }
        let raw = [&header[..], &body[..]].concat();
        if self.peers.own.ready().is_some() {
            self.take_peer(link, descriptor, raw);
        } else {
            self.peers.shakes.waiting.insert(link, (descriptor, raw));
        }
    }

    pub(super) fn take_waiting_peers(&mut self) {
        for (link, (descriptor, raw)) in core::mem::take(&mut self.peers.shakes.waiting) {
            self.take_peer(link, descriptor, raw);
        }
    }

    /// A proved relay that dialled, if there is room for it.
    fn take_peer(&mut self, link: LinkId, descriptor: Descriptor, raw: RawDescriptor) {
        let taken = self.peers.links.iter().filter(|(_, peer)| !peer.dialled);
        let origin = |link: &LinkId| self.links.get(link).map(|state| state.origin);
        // Keys are free, networks are not. On the own network, who knows.
        let near = origin(&link).is_none_or(|from| from.reach != Reach::Public);
        let network = origin(&link).map(|from| from.network);
        let neighbours = taken
            .clone()
            .filter(|(other, _)| origin(other).map(|from| from.network) == network);
        let crowded = !near && neighbours.count() >= PEERS_OF_NETWORK_MAX;
        if crowded || taken.count() >= PEERS_TAKEN_MAX {
            self.counters.peers_over_limit += 1;
            return self.bye(link, Bye::Full);
        }
        let address = descriptor.addresses.first().copied();
        // It says so itself: others hear of it only when a dial has proved it.
        let source = Source::Dialler(self.reach_of(link));
        let unix = self.now.unix;
        let _ = self.peers.book.learn(unix, &descriptor, &raw, source);
        let Some((header, body)) = self.peers.own.ready().and_then(|own| split(own)) else {
            return;
        };
        let peered = Frame::Peered { header, body }.encode(0);
        self.out.push_back(crate::io::Output::Send {
            link,
            bytes: peered,
        });
        self.join(link, descriptor, raw, address);
    }

    fn join(
        &mut self,
        link: LinkId,
        descriptor: Descriptor,
        raw: RawDescriptor,
        address: Option<SocketAddr>,
    ) {
        let key = descriptor.node_key;
        let own_key = *self.config.node_key.public().as_bytes();
        if key == own_key {
            return self.bye(link, Bye::Leaving);
        }
        let dialled = self
            .links
            .get(&link)
            .is_some_and(|state| matches!(state.phase, Phase::Shaking { .. }));
        if let Some(&other) = self.peers.by_key.get(&key) {
            let other_dialled = self.peers.links.get(&other).is_some_and(|p| p.dialled);
            // Of two that were dialled at once from both sides, that of the lower key stays.
            let stays = match (other_dialled, dialled) {
                (a, b) if a == b => other,
                (true, _) if own_key < key => other,
                (false, _) if key < own_key => other,
                _ => link,
            };
            let goes = if stays == link { other } else { link };
            self.bye(goes, Bye::Leaving);
            if goes == link {
                return;
            }
        }
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.phase = Phase::Open;
        self.counters.peers_joined += 1;
        let peer = Peer::new((descriptor, raw), address, dialled, self.now.mono);
        let range = peer.range;
        self.peers.links.insert(link, peer);
        self.peers.by_key.insert(key, link);
        self.peers.reconcile.soon(link);
        // In a divided network most that come are here for somebody's errand and know little of
        // use: 16 names of each would be most of what relays say to each other.
        if self.wants(range) || self.wants_peers() && self.peers.len() <= PEERS_DIALLED {
            let near = self.near();
            self.ask_names(link, near);
        }
        self.retry_errands();
        if !dialled {
            // Is it where it says it is? Until that is known, it is not named to others.
            self.peers.meet.feel_soon(self.now.mono, key);
        }
    }

    /// A descriptor that is paid for, signed, and not from the future.
    pub(super) fn read_descriptor(
        &mut self,
        header: &[u8; HEADER_BYTES],
        body: &[u8; DESCRIPTOR_BYTES],
    ) -> Result<Descriptor, BadDescriptor> {
        let rules = Admission {
            effort_floor: 0,
            ..self.rules()
        };
        let latest = self.now.unix / 1000 + DESCRIPTOR_AHEAD_S;
        let read = match admit(header, body, &rules) {
            Ok(header) => match Descriptor::read(&header, body) {
                Ok(descriptor) if descriptor.version > latest => Err(BadDescriptor::Date),
                Ok(descriptor) => Ok(descriptor),
                Err(_) => Err(BadDescriptor::Forged),
            },
            Err(AdmissionError::WrongExpiry) => Err(BadDescriptor::Date),
            Err(_) => Err(BadDescriptor::Forged),
        };
        self.counters.descriptors_bad += u64::from(read.is_err());
        read
    }
}

impl Link {
    /// Whether it was dialled by this relay and is not a peer's yet.
    pub(in crate::relay) fn is_shaking(&self) -> bool {
        matches!(self.phase, Phase::Dialled { .. } | Phase::Shaking { .. })
    }
}

/// Header and body of a descriptor.
pub(super) fn split(raw: &[u8]) -> Option<(&[u8; HEADER_BYTES], &[u8; DESCRIPTOR_BYTES])> {
    let (header, body) = raw.split_first_chunk()?;
    Some((header, body.try_into().ok()?))
}
