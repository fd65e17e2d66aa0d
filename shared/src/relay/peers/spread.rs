//! What arrived goes on to peers: whole to a few, by its header to the others, who ask for what
//! they lack.
//!
//! Invariant: only what is durable here is pushed or told, and a header is believed for its work
//! before anything is kept for it.

use crate::io::{LinkId, Output};
use crate::limits::{HAVE_HEADERS_MAX, WANT_IDS_MAX, WANTED_MAX, WANTED_OF_PEER_MAX};
use crate::object::AdmissionError;
use crate::object::admission::admit_header;
use crate::relay::{Relay, State};
use crate::time::{Millis, hour};
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Frame, Header, Id, Kind, Refused};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// Peers that get an object whole: of what a client brought, and of what came from a peer, which
/// others have too by then.
const WHOLE_TO: (usize, usize) = (3, 1);
/// Larger bodies are told by their header only.
const WHOLE_BYTES_MAX: usize = 2048;
/// How long headers gather.
const GATHER_MS: Millis = 50;
/// How long a peer may take to push what was wanted of it.
const WANTED_MS: Millis = 2_000;
/// Further peers remembered for an object that was asked of one.
const OTHERS_MAX: usize = 4;

/// An object that a peer was asked for.
#[derive(Debug)]
struct Wanted {
    asked: LinkId,
    at: Millis,
    others: Vec<LinkId>,
}

/// What is on its way from and to peers.
#[derive(Debug, Default)]
pub(super) struct Spread {
    wanted: BTreeMap<Id, Wanted>,
    /// When to look at each again. One entry may outlive its object.
    deadlines: VecDeque<(Millis, Id)>,
    tell_at: Option<Millis>,
}

impl Spread {
    pub fn next_time(&self) -> Millis {
        let wanted = self.deadlines.front().map(|(at, _)| *at);
        [self.tell_at, wanted]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(Millis::MAX)
    }

    pub fn forget(&mut self, link: LinkId) {
        for wanted in self.wanted.values_mut() {
            wanted.others.retain(|other| *other != link);
        }
    }

    fn of_peer(&self, link: LinkId) -> usize {
        self.wanted.values().filter(|w| w.asked == link).count()
    }
}

impl Relay {
    /// Hands on what has just become durable.
    pub(in crate::relay) fn spread(&mut self, id: Id, raw: &[u8], from: Option<LinkId>) {
        let Some((header, body)) = raw.split_first_chunk::<HEADER_BYTES>() else {
            return;
        };
        let Ok(parsed) = Header::parse(header) else {
            return;
        };
        let (address, kind) = (parsed.address, parsed.kind);
        let mut to: Vec<LinkId> = Vec::new();
        let mut scans: Vec<LinkId> = Vec::new();
        let wider = self.peers.swarm.wider;
        for (link, peer) in &self.peers.links {
            let congested = self.links.get(link).is_none_or(|state| state.congested);
            if Some(*link) == from || congested || peer.known.has(&id.short()) {
                continue;
            }
            if peer.range.has(address) {
                to.push(*link);
            } else if peer.range.wider(wider).has(address) && kind != Kind::Record {
                scans.push(*link);
            }
        }
        for link in scans {
            self.tell_later(link, &id, header);
        }
        let by_peer = from.is_some_and(|link| self.peers.is_peer(link));
        let mut whole = match (body.len() > WHOLE_BYTES_MAX, by_peer) {
            (true, _) => 0,
            (_, false) => WHOLE_TO.0,
            (_, true) => WHOLE_TO.1,
        };
        while !to.is_empty() {
            let at = self.rng.below(to.len() as u64) as usize;
            let link = to.swap_remove(at);
            if whole == 0 {
                self.tell_later(link, &id, header);
                continue;
            }
            if let Some(peer) = self.peers.links.get_mut(&link) {
                peer.known.add(id.short());
                whole -= 1;
                self.counters.pushed_to_peers += 1;
                let bytes = Frame::Push { header, body }.encode(0);
                self.out.push_back(Output::Send { link, bytes });
            }
        }
    }

    fn tell_later(&mut self, link: LinkId, id: &Id, header: &[u8; HEADER_BYTES]) {
        let Some(peer) = self.peers.links.get_mut(&link) else {
            return;
        };
        peer.known.add(id.short());
        peer.have.push(*header);
        if peer.have.len() >= HAVE_HEADERS_MAX {
            self.tell(link);
        } else {
            let at = self.now.mono + GATHER_MS;
            self.peers.spread.tell_at.get_or_insert(at);
        }
    }

    /// Tells the headers that have gathered.
    pub(super) fn tell_headers(&mut self) {
        let due = self.peers.spread.tell_at;
        if due.is_none_or(|at| at > self.now.mono) {
            return;
        }
        self.peers.spread.tell_at = None;
        let links: Vec<LinkId> = self.peers.links.keys().copied().collect();
        for link in links {
            self.tell(link);
        }
    }

    fn tell(&mut self, link: LinkId) {
        let Some(peer) = self.peers.links.get_mut(&link) else {
            return;
        };
        let headers = core::mem::take(&mut peer.have);
        if !headers.is_empty() {
            self.counters.headers_told += headers.len() as u64;
            self.send(link, 0, &Frame::Have { headers: &headers });
        }
    }

    /// Whether a client that was asked may offer so many headers more.
    pub(in crate::relay) fn may_offer(&mut self, link: LinkId, count: usize) -> bool {
        let state = self.links.get_mut(&link);
        state.is_some_and(|state| spend(&mut state.offers, count))
    }

    /// Whether a client was asked for an object more than it pushed.
    pub(in crate::relay) fn may_push(&mut self, link: LinkId) -> bool {
        let state = self.links.get_mut(&link);
        state.is_some_and(|state| spend(&mut state.pushes, 1))
    }

    /// There is no room, or a newer record is here: the peer need not know, and is not asked again.
    fn do_without(&mut self, header: &Header, why: Refused, wait: u32) {
        self.counters.count(why);
        let passing = why == Refused::OverQuota && wait <= 1;
        if !passing {
            let born = header.expiry.saturating_sub(header.lifetime.hours());
            let hour = hour(self.now.unix);
            let dropped = &mut self.peers.dropped;
            dropped.add(hour, header.id(), born, header.expiry);
        }
    }

    /// A peer stores these: what is lacking here is asked for. Of what lies in another range the
    /// header is kept.
    pub(in crate::relay) fn on_have(&mut self, link: LinkId, headers: &[[u8; HEADER_BYTES]]) {
        let mut ids: Vec<[u8; 32]> = Vec::new();
        let mut heads: Vec<(Header, [u8; HEADER_BYTES])> = Vec::new();
        let own = self.peers.swarm.range;
        let around = self.peers.swarm.scanned();
        // Only who keeps an object tells of it.
        let theirs = self.peers.links.get(&link).map(|peer| peer.range);
        let mut room = WANTED_OF_PEER_MAX.saturating_sub(self.peers.spread.of_peer(link));
        for raw in headers {
            let header = match admit_header(raw, &self.rules()) {
                Ok(header) if header.kind != Kind::Descriptor => header,
                // Clocks differ, and so do floors (of what is raised peers are told nothing).
                Err(AdmissionError::WrongExpiry | AdmissionError::LowEffort) => continue,
                _ => {
                    self.counters.headers_bad += 1;
                    self.on_malformed(link, None);
                    continue;
                }
            };
            let id = header.id();
            if let Some(peer) = self.peers.links.get_mut(&link) {
                peer.known.add(id.short());
            }
            if !own.has(header.address) {
                let keeps = theirs.is_some_and(|range| range.has(header.address));
                if keeps && around.has(header.address) && header.kind != Kind::Record {
                    heads.push((header, *raw));
                }
                continue;
            }
            if self.has(&id) || self.peers.dropped.has(hour(self.now.unix), &id) {
                continue;
            }
            if let Some(wanted) = self.peers.spread.wanted.get_mut(&id) {
                let known = wanted.asked == link || wanted.others.contains(&link);
                if !known && wanted.others.len() < OTHERS_MAX {
                    wanted.others.push(link);
                }
                continue;
            }
            if room == 0 || self.peers.spread.wanted.len() >= WANTED_MAX {
                // Reconciliation finds it.
                continue;
            }
            room -= 1;
            self.want(link, id, Vec::new());
            ids.push(id.0);
        }
        self.take_headers(&heads);
        self.say_want(link, &ids);
    }

    fn say_want(&mut self, link: LinkId, ids: &[[u8; 32]]) {
        if let Some(state) = self.links.get_mut(&link) {
            state.pushes += ids.len();
        }
        for ids in ids.chunks(WANT_IDS_MAX) {
            self.send(link, 0, &Frame::Want { ids });
        }
    }

    fn want(&mut self, asked: LinkId, id: Id, others: Vec<LinkId>) {
        let at = self.now.mono + WANTED_MS;
        self.counters.wanted += 1;
        let spread = &mut self.peers.spread;
        spread.wanted.insert(id, Wanted { asked, at, others });
        spread.deadlines.push_back((at, id));
    }

    /// What a peer did not push in time is asked of another one.
    pub(super) fn ask_others(&mut self) {
        let now = self.now.mono;
        let mut again: BTreeMap<LinkId, Vec<[u8; 32]>> = BTreeMap::new();
        while let Some(&(at, id)) = self.peers.spread.deadlines.front() {
            if at > now {
                break;
            }
            self.peers.spread.deadlines.pop_front();
            let late = self.peers.spread.wanted.get(&id).map(|w| w.at);
            if late != Some(at) {
                continue;
            }
            let Some(mut wanted) = self.peers.spread.wanted.remove(&id) else {
                continue;
            };
            self.counters.wanted_in_vain += 1;
            if let Some(next) = wanted.others.pop() {
                self.want(next, id, wanted.others);
                again.entry(next).or_default().push(id.0);
            }
        }
        for (link, ids) in again {
            self.say_want(link, &ids);
        }
    }

    /// A peer lacks these.
    pub(in crate::relay) fn on_want(&mut self, link: LinkId, ids: &[[u8; 32]]) {
        let arrivals: Vec<u64> = ids
            .iter()
            .filter_map(|id| self.index.arrival(&Id(*id)))
            .filter(|arrival| self.index.at(*arrival).is_some_and(|entry| entry.held))
            .collect();
        self.push_later(link, arrivals);
    }

    /// A peer hands on an object.
    pub(in crate::relay) fn on_push(
        &mut self,
        link: LinkId,
        raw: &[u8; HEADER_BYTES],
        body: &[u8],
    ) {
        self.counters.pushes += 1;
        let (mut lent, mut held) = (false, false);
        if let Ok(header) = Header::parse(raw) {
            let id = header.id();
            lent = self.borrows.is_wanted(&id);
            if let Some(peer) = self.peers.links.get_mut(&link) {
                peer.known.add(id.short());
            }
            held = self.has(&id);
            if held {
                self.peers.spread.wanted.remove(&id);
                self.counters.pushes_duplicate += 1;
            }
        }
        if self.state != State::Running || held && !lent {
            return;
        }
        let admitted = crate::object::admit(raw, body, &self.rules());
        if let Ok(header) = &admitted
            && lent
        {
            self.on_lent(header, raw, body);
            if held {
                return;
            }
        }
        match admitted {
            Ok(header) if header.kind != Kind::Descriptor && !self.keeps(&header) => {
                // Its idea of what this relay keeps is old.
                self.counters.pushes_elsewhere += u64::from(!lent);
            }
            Ok(header) if header.kind != Kind::Descriptor => {
                self.peers.spread.wanted.remove(&header.id());
                match self.take(link, None, &header, raw, body) {
                    Ok(()) => self.counters.pushes_taken += 1,
                    Err((why, wait)) => self.do_without(&header, why, wait),
                }
            }
            Err(AdmissionError::WrongExpiry | AdmissionError::LowEffort) => {
                self.counters.pushes_unfit += 1;
            }
            _ => {
                self.counters.pushes_bad += 1;
                self.on_malformed(link, None);
            }
        }
    }
}

/// Takes so many of what is left, if there are so many.
fn spend(left: &mut usize, count: usize) -> bool {
    let rest = left.checked_sub(count);
    *left = rest.unwrap_or(*left);
    rest.is_some()
}
