//! Clients are led to peers that nobody can dial, and clients of peers are let in. PROTOCOL.md
//! section 12, "Offers".
//!
//! Invariant: an address of a client passes through, named by the shell, and is not kept. What asks
//! to let somebody in names no relay, so it goes no further.

use super::Peer;
use super::own::RawDescriptor;
use crate::book::{Reach, reach};
use crate::crypto::sha256;
use crate::io::{LinkId, Output, Token};
use crate::limits::{
    NAMES_UNDIALLED_MAX, OFFERS_MAX, OFFERS_OF_SOURCE_MAX, OPENS_MAX, OPENS_OF_ADDRESS_MAX,
    OPENS_OF_PEER_MAX,
};
use crate::relay::Relay;
use crate::relay::budget::Source;
use crate::time::{Millis, hour};
use crate::wire::{Frame, Refused};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, SocketAddr};

/// Between two offers on one link.
const OFFER_PAUSE_MS: Millis = 5_000;
/// How long shell and peer may take.
const ANSWER_MS: Millis = 5_000;
/// Over which those that are let in are counted.
const MINUTE_MS: Millis = 60_000;

/// A client that is being led.
#[derive(Debug)]
struct Offer {
    client: LinkId,
    request: u32,
    peer: LinkId,
    ports: Vec<[u8; 2]>,
    until: Millis,
}

/// All that are under way.
#[derive(Debug, Default)]
pub(super) struct Offers {
    /// By the question to the shell.
    located: BTreeMap<Token, Offer>,
    /// By the peer's link and this side's request there; and where the peer is found.
    asked: BTreeMap<(LinkId, u32), (Offer, SocketAddr)>,
    /// How many each source made in the minute that ends then.
    sources: (Millis, BTreeMap<Source, u32>),
    opens: Opens,
}

impl Offers {
    pub fn next_time(&self) -> Millis {
        let all = self.each().map(|offer| offer.until);
        all.min().unwrap_or(Millis::MAX)
    }

    fn each(&self) -> impl Iterator<Item = &Offer> {
        let asked = self.asked.values().map(|(offer, _)| offer);
        self.located.values().chain(asked)
    }

    /// Counts one of a source, unless it or all have made too many.
    fn count(&mut self, now: Millis, source: Source) -> Result<(), (Refused, u32)> {
        if self.each().count() >= OFFERS_MAX {
            return Err((Refused::TooManyRequests, 0));
        }
        if self.sources.0 <= now {
            self.sources = (now + MINUTE_MS, BTreeMap::new());
        }
        let wait = (self.sources.0 - now).div_ceil(1000) as u32;
        let count = self.sources.1.entry(source).or_default();
        if *count >= OFFERS_OF_SOURCE_MAX {
            return Err((Refused::OverQuota, wait));
        }
        *count += 1;
        Ok(())
    }

    fn take(&mut self, is_over: impl Fn(&Offer) -> bool) -> Vec<Offer> {
        let tokens = self.located.iter().filter(|(_, offer)| is_over(offer));
        let tokens: Vec<Token> = tokens.map(|(token, _)| *token).collect();
        let asked = self.asked.iter().filter(|(_, (offer, _))| is_over(offer));
        let asked: Vec<(LinkId, u32)> = asked.map(|(key, _)| *key).collect();
        let located = tokens.iter().filter_map(|token| self.located.remove(token));
        let mut taken: Vec<Offer> = located.collect();
        let asked = asked.iter().filter_map(|key| self.asked.remove(key));
        taken.extend(asked.map(|(offer, _)| offer));
        taken
    }
}

/// Whom this relay let in, in the present minute.
#[derive(Debug, Default)]
struct Opens {
    ends: Millis,
    salt: [u8; 16],
    all: u32,
    peers: BTreeMap<[u8; 32], u32>,
    /// Of each address, hashed.
    addresses: BTreeMap<[u8; 8], u32>,
}

impl Opens {
    /// Counts one unless it is over a limit.
    fn count(&mut self, peer: [u8; 32], ip: IpAddr) -> bool {
        let address = self.hashed(ip);
        let of_peer = self.peers.get(&peer).copied().unwrap_or(0);
        let of_address = self.addresses.get(&address).copied().unwrap_or(0);
        let full = self.all >= OPENS_MAX
            || of_peer >= OPENS_OF_PEER_MAX
            || of_address >= OPENS_OF_ADDRESS_MAX;
        if !full {
            self.all += 1;
            self.peers.insert(peer, of_peer + 1);
            self.addresses.insert(address, of_address + 1);
        }
        !full
    }

    /// One IPv6 host has a whole /64.
    fn hashed(&self, ip: IpAddr) -> [u8; 8] {
        let hash = match ip.to_canonical() {
            IpAddr::V4(ip) => sha256(&[&self.salt, &ip.octets()]),
            IpAddr::V6(ip) => sha256(&[&self.salt, &ip.octets()[..8]]),
        };
        let [a, b, c, d, e, f, g, h, ..] = hash;
        [a, b, c, d, e, f, g, h]
    }
}

impl Relay {
    // For clients.

    /// Descriptors of peers that dialled this relay and that no dial has found.
    pub(super) fn undialled(&mut self, by: LinkId, max: usize, near: u32) -> Vec<RawDescriptor> {
        let hour = hour(self.now.unix);
        let links = &self.links;
        let is_public = |link: &LinkId| {
            let state = links.get(link);
            state.is_some_and(|state| state.origin.reach == Reach::Public)
        };
        let (book, wider) = (&self.peers.book, self.peers.swarm.wider);
        let fit = |(link, peer): &(&LinkId, &Peer)| {
            let key = &peer.descriptor.node_key;
            !peer.dialled
                && is_public(link) == is_public(&by)
                && peer.descriptor.browsers
                && peer.range.wider(wider).has(near)
                && peer.is_fresh(hour)
                && !book.is_found(key)
        };
        let fit = self.peers.links.iter().filter(fit);
        let mut fit: Vec<&Peer> = fit.map(|(_, peer)| peer).collect();
        let count = max.min(NAMES_UNDIALLED_MAX).min(fit.len());
        let mut names = Vec::with_capacity(count);
        for _ in 0..count {
            let at = self.rng.below(fit.len() as u64) as usize;
            names.push(fit.swap_remove(at).raw.clone());
        }
        names
    }

    /// A client wants a link to a peer.
    pub(in crate::relay) fn on_offer(
        &mut self,
        link: LinkId,
        request: u32,
        node_key: &[u8; 32],
        ports: &[[u8; 2]],
    ) {
        if !self.begin(link, request) {
            return;
        }
        self.counters.offers += 1;
        if let Err((why, detail)) = self.lead(link, request, node_key, ports) {
            self.end_offer(link, request, why, detail);
        }
    }

    fn lead(
        &mut self,
        client: LinkId,
        request: u32,
        node_key: &[u8; 32],
        ports: &[[u8; 2]],
    ) -> Result<(), (Refused, u32)> {
        let now = self.now.mono;
        let source = self.source(client);
        let Some(state) = self.links.get_mut(&client) else {
            return Ok(());
        };
        let wait = state.offer_at.saturating_sub(now);
        if wait > 0 {
            return Err((Refused::OverQuota, wait.div_ceil(1000) as u32));
        }
        state.offer_at = now + OFFER_PAUSE_MS;
        let peer = self.peers.by_key.get(node_key).copied();
        let dialled = |link: &LinkId| self.peers.links.get(link).is_none_or(|peer| peer.dialled);
        let Some(peer) = peer.filter(|link| !dialled(link)) else {
            return Err((Refused::NoWay, 0));
        };
        self.peers.offers.count(now, source)?;
        let token = self.next_token();
        let offer = Offer {
            client,
            request,
            peer,
            ports: ports.to_vec(),
            until: now + ANSWER_MS,
        };
        self.peers.offers.located.insert(token, offer);
        let links = [client, peer];
        self.out.push_back(Output::Locate { token, links });
        Ok(())
    }

    /// Where client and peer are.
    pub(in crate::relay) fn on_located(
        &mut self,
        token: Token,
        addresses: Option<[SocketAddr; 2]>,
    ) {
        let Some(offer) = self.peers.offers.located.remove(&token) else {
            return;
        };
        let peer = self.peers.links.get_mut(&offer.peer);
        let found = addresses
            .filter(|[from, to]| have_way(*from, *to))
            .zip(peer);
        let Some(([from, to], peer)) = found else {
            return self.end_offer(offer.client, offer.request, Refused::NoWay, 0);
        };
        peer.used = self.now.mono;
        let request = peer.request();
        let own = |port: &[u8; 2]| match *port {
            [0, 0] => from.port().to_le_bytes(),
            port => port,
        };
        let ports: Vec<[u8; 2]> = offer.ports.iter().map(own).collect();
        let link = offer.peer;
        self.peers.offers.asked.insert((link, request), (offer, to));
        let ip = from.ip();
        let ports = &ports;
        self.send(link, request, &Frame::Open { ip, ports });
    }

    /// The peer has let the client in. False: that was not what it was asked.
    pub(in crate::relay) fn on_let_in(&mut self, link: LinkId, request: u32) -> bool {
        let asked = self.peers.offers.asked.remove(&(link, request));
        let Some((offer, address)) = asked else {
            return false;
        };
        if self.finish(offer.client, offer.request) {
            self.counters.offers_answered += 1;
            self.send(offer.client, offer.request, &Frame::Answer { address });
        }
        true
    }

    /// It has not. False: that was not what it was asked.
    pub(in crate::relay) fn on_not_let_in(
        &mut self,
        link: LinkId,
        request: u32,
        why: Option<Refused>,
        detail: u32,
    ) -> bool {
        let asked = self.peers.offers.asked.remove(&(link, request));
        let Some((offer, _)) = asked else {
            return false;
        };
        let (why, detail) = match why {
            Some(Refused::OverQuota) => (Refused::OverQuota, detail),
            _ => (Refused::NoWay, 0),
        };
        self.end_offer(offer.client, offer.request, why, detail);
        true
    }

    fn end_offer(&mut self, client: LinkId, request: u32, why: Refused, detail: u32) {
        self.counters.offers_in_vain += 1;
        if self.finish(client, request) {
            self.refuse(client, request, why, detail);
        }
    }

    pub(super) fn offers_on_time(&mut self) {
        let now = self.now.mono;
        if self.peers.offers.next_time() > now {
            return;
        }
        for offer in self.peers.offers.take(|offer| offer.until <= now) {
            self.end_offer(offer.client, offer.request, Refused::StoreFailed, 0);
        }
    }

    /// A link is gone: a client's, or a peer's.
    pub(super) fn forget_offers(&mut self, link: LinkId) {
        let concerned = |offer: &Offer| offer.client == link || offer.peer == link;
        for offer in self.peers.offers.take(concerned) {
            self.end_offer(offer.client, offer.request, Refused::NoWay, 0);
        }
    }

    // For peers.

    /// A client of a peer is to be let in.
    pub(in crate::relay) fn on_open(
        &mut self,
        link: LinkId,
        request: u32,
        ip: IpAddr,
        ports: &[[u8; 2]],
    ) {
        let now = self.now.mono;
        let Some(peer) = self.peers.links.get(&link) else {
            return;
        };
        let key = peer.descriptor.node_key;
        // Nobody may name what is nearer to this relay than they are.
        let nearest = peer.address.filter(|_| peer.dialled);
        let nearest = nearest.and_then(|address| reach(address.ip()));
        let fit = nearest.is_some_and(|nearest| reach(ip).is_some_and(|reach| reach >= nearest));
        if !fit {
            self.counters.opens_refused += 1;
            return self.refuse(link, request, Refused::NoWay, 0);
        }
        if self.peers.offers.opens.ends <= now {
            self.peers.offers.opens = Opens {
                ends: now + MINUTE_MS,
                salt: self.rng.array(),
                ..Opens::default()
            };
        }
        let opens = &mut self.peers.offers.opens;
        if !opens.count(key, ip) {
            let wait = (opens.ends - now).div_ceil(1000) as u32;
            self.counters.opens_refused += 1;
            return self.refuse(link, request, Refused::OverQuota, wait);
        }
        self.counters.opens += 1;
        let port = |port: &[u8; 2]| SocketAddr::new(ip, u16::from_le_bytes(*port));
        let to: Vec<SocketAddr> = ports.iter().map(port).collect();
        let count = to.len() as u32;
        self.out.push_back(Output::Knock { to });
        self.send(link, request, &Frame::End { count });
    }
}

/// Whether who comes from one address can dial the other, which is to believe it, too.
fn have_way(from: SocketAddr, to: SocketAddr) -> bool {
    let is_public = |address: SocketAddr| reach(address.ip()) == Some(Reach::Public);
    from.is_ipv4() == to.is_ipv4() && is_public(to) == is_public(from)
}
