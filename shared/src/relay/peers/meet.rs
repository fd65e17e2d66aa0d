//! Whom to dial: anchors first, then whom the book offers, and now and then a stranger to see
//! whether what is said of them is true.

use super::shake::{BadDescriptor, Dial, split};
use crate::book::{BOOK, Candidate, Group, Source, Taken};
use crate::io::{Batch, Change, DialTo, Finder, LinkId, Output, Reach};
use crate::limits::{NAMES_ASKED, NAMES_MAX, PEERS_TAKEN_MAX};
use crate::range::Range;
use crate::relay::{Effect, Relay, State};
use crate::time::Millis;
use crate::wire::{Descriptor, Frame, Refused};
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Between two dials.
const DIAL_EVERY_MS: Millis = 250;
/// When there was nobody to dial.
const IDLE_MS: Millis = 10_000;
/// Between two feelers.
const FEELER_EVERY_MS: Millis = 120_000;
/// After a peer that dialled, and from one such to the next.
const FEEL_SOON_MS: Millis = 2_000;
/// Between two peers asked for names.
const NAMES_EVERY_MS: Millis = 600_000;
/// The same while there are too few, at first.
const NAMES_SOON_MS: Millis = 15_000;
/// Ranges for which somebody to dial is looked for at once.
const NEEDS_AT_ONCE: usize = 6;
/// Between two answers to Relays on one link.
const NAMES_PAUSE_MS: Millis = 10_000;
/// How long changes of the book gather before they are saved.
const SAVE_AFTER_MS: Millis = 5_000;
/// How often a link that is up counts as a proof of its address.
const PROVED_EVERY_MS: Millis = 3_600_000;
/// Peers dialled first at the next start.
const ANCHORS: usize = 2;

/// When to do what.
#[derive(Debug, Default)]
pub(super) struct Meet {
    dial_at: Millis,
    feeler_at: Millis,
    names_at: Millis,
    names_pause: Millis,
    save_at: Millis,
    anchors: Option<Vec<SocketAddr>>,
    /// Node keys of peers that dialled, to be looked for at their addresses.
    to_feel: VecDeque<[u8; 32]>,
}

impl Meet {
    pub fn next_time(&self) -> Millis {
        let times = [self.dial_at, self.feeler_at, self.names_at, self.save_at];
        times.into_iter().min().unwrap_or(Millis::MAX)
    }

    /// A peer that dialled this relay is to be looked for at its address.
    pub fn feel_soon(&mut self, now: Millis, node_key: [u8; 32]) {
        if self.to_feel.len() < PEERS_TAKEN_MAX {
            self.to_feel.push_back(node_key);
        }
        self.feeler_at = self.feeler_at.min(now + FEEL_SOON_MS);
    }

    /// Something changed: look at once.
    pub fn hurry(&mut self, now: Millis) {
        self.dial_at = self.dial_at.min(now + DIAL_EVERY_MS);
    }

    /// A peer came or went: there may be others to hear of.
    pub fn ask_soon(&mut self, now: Millis) {
        self.names_pause = NAMES_SOON_MS;
        self.names_at = self.names_at.min(now + NAMES_SOON_MS);
        self.hurry(now);
    }
}

impl Relay {
    pub(in crate::relay) fn on_found(&mut self, address: SocketAddr, by: Finder) {
        let source = match by {
            Finder::Named => Source::Person,
            Finder::Lan => Source::Lan,
            Finder::Dht => Source::Dht,
        };
        self.counters.relays_found += 1;
        if self.peers.book.hear(self.now.unix, address, source).is_ok() {
            self.peers.meet.hurry(self.now.mono);
        }
    }

    /// Dials whom it is time to dial.
    pub(super) fn meet_relays(&mut self) {
        let now = self.now.mono;
        if self.state != State::Running || self.peers.own.ready().is_none() {
            let meet = &mut self.peers.meet;
            meet.dial_at = now + DIAL_EVERY_MS;
            meet.feeler_at = meet.feeler_at.max(meet.dial_at);
            meet.names_at = meet.names_at.max(meet.dial_at);
            return;
        }
        if self.peers.meet.dial_at <= now {
            let found = self.wants_peers() && self.dial_one();
            self.peers.meet.dial_at = now + if found { DIAL_EVERY_MS } else { IDLE_MS };
        }
        if self.peers.meet.feeler_at <= now {
            let (candidate, more) = self.next_feeler();
            if let Some(candidate) = candidate {
                self.dial(candidate, true, None);
            }
            let waiting = more || !self.peers.meet.to_feel.is_empty();
            let pause = if waiting {
                FEEL_SOON_MS
            } else {
                FEELER_EVERY_MS
            };
            self.peers.meet.feeler_at = now + pause;
        }
        if self.peers.meet.names_at <= now {
            let lonely = self.wants_peers();
            let near = self.near();
            // Whoever knew somebody was asked before: less often, as long as nothing changes.
            let meet = &mut self.peers.meet;
            let pause = meet.names_pause.max(NAMES_SOON_MS);
            meet.names_pause = (pause * 2).min(NAMES_EVERY_MS);
            let pause = if lonely { pause } else { NAMES_EVERY_MS };
            meet.names_at = now + pause;
            let links: Vec<LinkId> = self.peers.links.keys().copied().collect();
            if let Some(link) = self.rng.choose(&links) {
                self.ask_names(*link, near);
            }
        }
    }

    /// Peers that dialled come before those that say that they keep the same, and these before
    /// strangers. True: there are more like it.
    fn next_feeler(&mut self) -> (Option<Candidate>, bool) {
        let (book, unix) = (&self.peers.book, self.now.unix);
        while let Some(key) = self.peers.meet.to_feel.pop_front() {
            if let Some(candidate) = book.unproved(unix, &key) {
                return (Some(candidate), false);
            }
        }
        let taken = self.taken(true);
        let around = self.peers.swarm.range.wider(1);
        let unsure = self.peers.book.unsure(&mut self.rng, unix, &taken, around);
        if unsure.is_some() {
            return (unsure, true);
        }
        let stranger = self.peers.book.pick(&mut self.rng, unix, &taken, true);
        (stranger, false)
    }

    pub(super) fn wants_peers(&self) -> bool {
        !self.needs().is_empty()
    }

    /// Whether a relay that keeps this is wanted as a peer.
    pub(super) fn wants(&self, range: Range) -> bool {
        self.needs().iter().any(|need| need.overlaps(range))
    }

    /// Where relays are wanted: near this one, among those of which it keeps headers, anywhere.
    pub(super) fn near(&mut self) -> u32 {
        let anywhere = self.rng.u64() as u32;
        let swarm = &self.peers.swarm;
        let around = swarm.scanned();
        match self.rng.below(4) {
            0 => anywhere,
            1 => around.fill(anywhere),
            _ => swarm.position,
        }
    }

    fn dial_one(&mut self) -> bool {
        let book = &self.peers.book;
        let anchors = &mut self.peers.meet.anchors;
        let anchors = anchors.get_or_insert_with(|| book.anchors().to_vec());
        if let Some(candidate) = anchors.pop().and_then(|address| book.candidate(address)) {
            let own = self.peers.swarm.range;
            self.dial(candidate, false, Some(own));
            return true;
        }
        let mut needs = self.needs();
        // Each costs a look at the whole book: the first, and some of the others.
        for at in 1..needs.len().min(NEEDS_AT_ONCE) {
            let other = at + self.rng.below((needs.len() - at) as u64) as usize;
            needs.swap(at, other);
        }
        let mut needs = needs.into_iter().take(NEEDS_AT_ONCE);
        needs.any(|range| self.dial_in(range))
    }

    /// Dials somebody who keeps something of a range, if one is known.
    pub(super) fn dial_in(&mut self, range: Range) -> bool {
        let taken = self.taken(false);
        let unix = self.now.unix;
        let found = self.peers.book.pick_in(&mut self.rng, unix, &taken, range);
        let is_known = found.is_some();
        if let Some(candidate) = found {
            self.dial(candidate, false, Some(range));
        }
        is_known
    }

    fn dial(&mut self, to: Candidate, feeler: bool, within: Option<Range>) {
        let token = self.next_token();
        self.counters.relays_dialled += 1;
        self.counters.relays_felt += u64::from(feeler);
        let (address, certificate) = (to.address, to.certificate);
        self.peers.book.attempted(self.now.unix, address);
        let dial = Dial { to, feeler, within };
        self.peers.shakes.dial(token, dial);
        let to = DialTo::Relay {
            address,
            certificate,
        };
        self.out.push_back(Output::Dial { token, to });
    }

    /// Who is not to be dialled, and the groups of those that were. Peers that dialled this relay
    /// are felt for at their addresses, but not dialled to stay.
    fn taken(&self, to_feel: bool) -> Taken {
        let mut taken = Taken::default();
        let peers = self.peers.links.values();
        for peer in peers.filter(|peer| peer.dialled || !to_feel) {
            let key = peer.descriptor.node_key;
            match peer.address.filter(|_| peer.dialled) {
                Some(address) => taken.dialled(address, Some(key)),
                None => taken.dialler(key),
            }
        }
        for dial in self.peers.shakes.under_way() {
            taken.dialled(dial.to.address, dial.to.node_key);
        }
        taken
    }

    // Names.

    /// Asks a peer for other relays.
    pub(super) fn ask_names(&mut self, link: LinkId, near: u32) {
        let Some(peer) = self.peers.links.get_mut(&link) else {
            return;
        };
        if peer.naming.is_some() {
            return;
        }
        let request = peer.request();
        peer.naming = Some((request, NAMES_ASKED));
        let max = NAMES_ASKED;
        self.send(link, request, &Frame::Relays { max, near });
    }

    /// Names other relays to whoever asks, once in a while.
    pub(in crate::relay) fn on_relays(&mut self, link: LinkId, request: u32, max: u8, near: u32) {
        let now = self.now.mono;
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let wait = state.names_at.saturating_sub(now);
        if wait > 0 || state.congested {
            let seconds = wait.div_ceil(1000).max(1) as u32;
            return self.refuse(link, request, Refused::OverQuota, seconds);
        }
        state.names_at = now + NAMES_PAUSE_MS;
        let max = usize::from(max).min(NAMES_MAX);
        let unix = self.now.unix;
        let local = state.origin.reach != Reach::Public;
        let undialled = match self.peers.is_peer(link) {
            true => Vec::new(),
            false => self.undialled(link, max, near),
        };
        let max = max - undialled.len();
        let book = &self.peers.book;
        let names = book.sample(&mut self.rng, unix, (max, near), local);
        let frames = |raw: &[u8], is_dialled: bool| {
            let (header, body) = split(raw)?;
            Some(match is_dialled {
                true => Frame::Relay { header, body }.encode(request),
                false => Frame::Undialled { header, body }.encode(request),
            })
        };
        let first = undialled.iter().filter_map(|raw| frames(raw, false));
        let all = first.chain(names.iter().filter_map(|raw| frames(raw, true)));
        let mut count = 0;
        for bytes in all {
            count += 1;
            self.out.push_back(Output::Send { link, bytes });
        }
        self.counters.relays_named += u64::from(count);
        self.send(link, request, &Frame::End { count });
    }

    /// A peer names a relay.
    pub(in crate::relay) fn on_named(
        &mut self,
        link: LinkId,
        request: u32,
        header: &[u8; 72],
        body: &[u8; 1024],
    ) {
        let peer = self.peers.links.get_mut(&link);
        let asked = peer.and_then(|peer| {
            let (number, left) = peer.naming.filter(|(number, _)| *number == request)?;
            peer.naming = Some((number, left.checked_sub(1)?));
            Some(peer)
        });
        let Some(peer) = asked else {
            return self.on_malformed(link, None);
        };
        let source = match peer.address.filter(|_| peer.dialled) {
            Some(address) => Source::Peer(Group::of(address.ip())),
            None => Source::Dialler(self.reach_of(link)),
        };
        let unix = self.now.unix;
        if self.peers.book.hears_known(unix, (header, body), source) {
            return;
        }
        let descriptor = match self.read_descriptor(header, body) {
            Ok(descriptor) => descriptor,
            // Clocks differ: what has expired for us is not bad for that.
            Err(BadDescriptor::Date) => return,
            Err(BadDescriptor::Forged) => return self.on_malformed(link, None),
        };
        let raw = [&header[..], &body[..]].concat();
        let learned = self
            .peers
            .book
            .learn(self.now.unix, &descriptor, &raw, source);
        if learned.is_ok() {
            self.peers.meet.hurry(self.now.mono);
        }
    }

    /// How near the other end of a link is.
    pub(super) fn reach_of(&self, link: LinkId) -> Reach {
        let state = self.links.get(&link);
        state.map_or(Reach::Public, |state| state.origin.reach)
    }

    pub(in crate::relay) fn on_names_end(&mut self, link: LinkId, request: u32) {
        let peer = self.peers.links.get_mut(&link);
        let ended = peer.and_then(|peer| peer.naming.take_if(|(number, _)| *number == request));
        // Each costs looks at the whole book: not for an end to nothing.
        if ended.is_some() {
            self.retry_errands();
        }
    }

    /// A dialled peer that is still linked is where it was.
    fn prove_linked(&mut self) {
        let (mono, unix) = (self.now.mono, self.now.unix);
        for peer in self.peers.links.values_mut() {
            let due = mono.saturating_sub(peer.proved) >= PROVED_EVERY_MS;
            if let Some(address) = peer.address.filter(|_| peer.dialled && due) {
                peer.proved = mono;
                let book = &mut self.peers.book;
                book.proved(unix, address, &peer.descriptor, &peer.raw);
            }
        }
    }

    /// A peer has a new descriptor.
    pub(in crate::relay) fn on_renewed(
        &mut self,
        link: LinkId,
        header: &[u8; 72],
        body: &[u8; 1024],
    ) {
        let descriptor = self.read_descriptor(header, body);
        let source = Source::Dialler(self.reach_of(link));
        let Some(peer) = self.peers.links.get_mut(&link) else {
            return;
        };
        let own = |d: &Descriptor| d.node_key == peer.descriptor.node_key;
        let Some(descriptor) = descriptor.ok().filter(own) else {
            return self.on_malformed(link, None);
        };
        if descriptor.version <= peer.descriptor.version {
            // What it said before costs it nothing to say again.
            return;
        }
        peer.renew(descriptor, [&header[..], &body[..]].concat());
        let descriptor = &peer.descriptor;
        let (book, unix) = (&mut self.peers.book, self.now.unix);
        match peer.address.filter(|_| peer.dialled) {
            Some(address) => book.proved(unix, address, descriptor, &peer.raw),
            None => {
                let _ = book.learn(unix, descriptor, &peer.raw, source);
                self.peers
                    .meet
                    .feel_soon(self.now.mono, descriptor.node_key);
            }
        }
    }

    // The book's rows.

    pub(super) fn save_book(&mut self) {
        if self.peers.meet.save_at > self.now.mono {
            return;
        }
        self.peers.meet.save_at = self.now.mono + SAVE_AFTER_MS;
        self.prove_linked();
        let mut oldest: Vec<_> = self.peers.links.values().filter(|p| p.dialled).collect();
        oldest.sort_unstable_by_key(|peer| peer.since);
        let oldest = oldest.into_iter().filter_map(|peer| peer.address);
        let anchors: Vec<SocketAddr> = oldest.take(ANCHORS).collect();
        if !anchors.is_empty() {
            self.peers.book.set_anchors(&anchors);
        }
        let changes = self.peers.book.take_changes();
        if changes.is_empty() {
            return;
        }
        let change = |(key, value)| match value {
            Some(value) => Change::Put {
                table: BOOK,
                key,
                value,
            },
            None => Change::Delete { table: BOOK, key },
        };
        let batch = Batch {
            durable: false,
            changes: changes.into_iter().map(change).collect(),
        };
        self.save(Effect::Sweep, batch);
    }
}
