//! What a client wants of a range that this relay does not keep: passed on to one that does, and
//! its answer passed back. PROTOCOL.md section 12.
//!
//! Invariant: only a client's request is passed on, never a peer's, so nothing goes round in a
//! circle; and what a peer answers is checked here, so that the client blames the right one.

use crate::crypto::{PublicKey, sha256};
use crate::io::{LinkId, Output};
use crate::limits::{ANSWER_OBJECTS_MAX, ERRAND_BYTES_MAX, ERRANDS_MAX, EXPIRY_SLACK_HOURS};
use crate::object::pow;
use crate::range::Range;
use crate::relay::Relay;
use crate::relay::budget::Source;
use crate::time::{Millis, hour};
use crate::wire::header::HEADER_BYTES;
use crate::wire::scan::prefix_range;
use crate::wire::{Frame, Header, Id, Kind, Receipt, Refused};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// How long one relay may take to answer, and all of them together.
const ANSWER_MS: Millis = 8_000;
const WHOLE_MS: Millis = 25_000;
/// Relays that are asked in turn.
const TRIES: usize = 3;
/// Requests that wait for somebody to be dialled: each is looked at whenever there is news.
const WAITING_MAX: usize = 64;
/// From one question for names to the next while some wait.
const NAMES_MS: Millis = 1_000;
/// Relays that a Find is asked of one after the other, where each keeps but a part of it.
const FIND_PARTS_MAX: u8 = 16;

#[derive(Debug)]
enum What {
    /// header || body.
    Put {
        id: Id,
        object: Vec<u8>,
    },
    Find(Find),
}

/// Records that are looked for.
#[derive(Debug)]
struct Find {
    bits: u8,
    /// The first key of what is still to be asked, of what is asked now the last, and the last.
    low: u64,
    upto: u64,
    last: u64,
    /// The last record that was passed back, and how many were.
    previous: Option<(u32, [u8; 16])>,
    count: u32,
    /// Some were of who is asked now.
    begun: bool,
    parts: u8,
}

/// One request of a client.
#[derive(Debug)]
struct Errand {
    client: LinkId,
    request: u32,
    source: Source,
    /// Where it leads.
    address: u32,
    what: What,
    /// Node keys of those that were asked.
    tried: Vec<[u8; 32]>,
    /// When the one that was asked should have answered.
    until: Millis,
    ends: Millis,
    /// When to ask for the names of others again, while it waits.
    names_at: Millis,
    /// Why one of them refused it.
    refused: Option<(Refused, u32)>,
}

impl Errand {
    fn bytes(&self) -> usize {
        match &self.what {
            What::Put { object, .. } => object.len(),
            What::Find(_) => 0,
        }
    }

    fn is_record(&self) -> bool {
        let What::Put { object, .. } = &self.what else {
            return false;
        };
        let header = object.first_chunk().and_then(|raw| Header::parse(raw).ok());
        header.is_some_and(|header| header.kind == Kind::Record)
    }
}

/// All that are under way.
#[derive(Debug, Default)]
pub(in crate::relay) struct Errands {
    /// By the peer's link and this side's request there.
    asked: BTreeMap<(LinkId, u32), Errand>,
    /// Until there is a link to somebody.
    waiting: VecDeque<Errand>,
    bytes: usize,
}

impl Errands {
    pub fn next_time(&self) -> Millis {
        let asked = self
            .asked
            .values()
            .map(|errand| errand.until.min(errand.ends));
        let waiting = self.waiting.iter().map(|e| e.ends.min(e.names_at));
        asked.chain(waiting).min().unwrap_or(Millis::MAX)
    }

    /// Whether there is room for one more of a source: it has no more than is free, so that who
    /// comes later finds room.
    fn has_room(&self, source: Source, bytes: usize) -> bool {
        let all = self.asked.values().chain(&self.waiting);
        let own = all.filter(|errand| errand.source == source);
        let (count, size) = own.fold((0, 0), |(n, size), errand| (n + 1, size + errand.bytes()));
        let taken = self.asked.len() + self.waiting.len();
        count < ERRANDS_MAX.saturating_sub(taken)
            && size + bytes <= ERRAND_BYTES_MAX.saturating_sub(self.bytes)
    }

    /// The same, for those that wait.
    fn may_wait(&self, source: Source) -> bool {
        let own = self.waiting.iter().filter(|e| e.source == source);
        own.count() < WAITING_MAX.saturating_sub(self.waiting.len())
    }

    /// A client is gone; what it put is stored all the same.
    pub fn leave(&mut self, client: LinkId) {
        let stays = |e: &Errand| e.client != client || matches!(e.what, What::Put { .. });
        self.waiting.retain(stays);
    }
}

impl Relay {
    /// A client's object for another range; its number is taken, its work was checked.
    pub(in crate::relay) fn pass_put(
        &mut self,
        (link, request): (LinkId, u32),
        header: &Header,
        raw: &[u8; HEADER_BYTES],
        body: &[u8],
    ) -> Result<(), (Refused, u32)> {
        let object = [&raw[..], body].concat();
        let id = header.id();
        self.pass_on(link, request, header.address, What::Put { id, object })
    }

    /// A client looks for records of another range.
    pub(in crate::relay) fn pass_find(
        &mut self,
        link: LinkId,
        request: u32,
        bits: u8,
        prefix: u64,
    ) {
        if !self.begin(link, request) {
            return;
        }
        let (low, last) = prefix_range(bits, prefix);
        let what = What::Find(Find {
            bits,
            low,
            upto: last,
            last,
            previous: None,
            count: 0,
            begun: false,
            parts: 1,
        });
        let passed = self.pass_on(link, request, (low >> 32) as u32, what);
        if let Err((why, detail)) = passed {
            self.finish(link, request);
            self.refuse(link, request, why, detail);
        }
    }

    fn pass_on(
        &mut self,
        client: LinkId,
        request: u32,
        address: u32,
        what: What,
    ) -> Result<(), (Refused, u32)> {
        let now = self.now.mono;
        let errand = Errand {
            client,
            request,
            source: self.source(client),
            address,
            what,
            tried: Vec::new(),
            until: now,
            ends: now + WHOLE_MS,
            names_at: 0,
            refused: None,
        };
        let errands = &mut self.peers.errands;
        if !errands.has_room(errand.source, errand.bytes()) {
            return Err((Refused::OverQuota, 2));
        }
        errands.bytes += errand.bytes();
        self.counters.errands += 1;
        self.send_errand(errand, false);
        Ok(())
    }

    /// Asks a peer that keeps what is wanted; if there is none, dials one. What has waited goes on
    /// waiting.
    fn send_errand(&mut self, mut errand: Errand, waited: bool) {
        let now = self.now.mono;
        let hour = hour(self.now.unix);
        let peers = self.peers.links.iter().filter(|(link, peer)| {
            let congested = self.links.get(link).is_none_or(|state| state.congested);
            peer.shows(errand.address, hour)
                && !congested
                && !errand.tried.contains(&peer.descriptor.node_key)
        });
        let links: Vec<LinkId> = peers.map(|(link, _)| *link).collect();
        let peer = self
            .rng
            .choose(&links)
            .and_then(|link| Some((*link, self.peers.links.get_mut(link)?)));
        let Some((link, peer)) = peer else {
            if !waited && !self.peers.errands.may_wait(errand.source) {
                return self.end_errand(&errand, Refused::OverQuota, 2);
            }
            // Who has just said that they know nobody is not asked again at once.
            let ask = errand.names_at <= now;
            if ask {
                errand.names_at = now + NAMES_MS;
            }
            self.dial_for(errand.address, ask);
            return self.peers.errands.waiting.push_back(errand);
        };
        peer.used = now;
        let request = peer.request();
        errand.tried.push(peer.descriptor.node_key);
        errand.until = now + ANSWER_MS;
        let frame = match &mut errand.what {
            What::Put { object, .. } => object
                .split_first_chunk()
                .map(|(header, body)| Frame::Put { header, body }),
            What::Find(find) => {
                // What begins here and lies in its range.
                let aligned = 64 - find.low.trailing_zeros() as u8;
                let bits = find.bits.max(peer.range.bits()).max(aligned);
                (_, find.upto) = prefix_range(bits, find.low);
                let prefix = find.low;
                Some(Frame::Find { bits, prefix })
            }
        };
        if let Some(frame) = frame {
            self.send(link, request, &frame);
        }
        self.peers.errands.asked.insert((link, request), errand);
    }

    pub(super) fn dial_for(&mut self, address: u32, ask: bool) {
        let range = Range::of(address, 32);
        let mut under_way = self.peers.shakes.under_way();
        if under_way.any(|dial| dial.to.range.is_some_and(|range| range.has(address))) {
            return;
        }
        drop(under_way);
        if self.may_dial_for_errand() && self.dial_in(range) {
            return;
        }
        if !ask {
            return;
        }
        // Somebody may know who keeps it.
        let links: Vec<LinkId> = self.peers.links.keys().copied().collect();
        if let Some(link) = self.rng.choose(&links) {
            self.ask_names(*link, address);
        }
    }

    /// There is a new peer, or a new name, or it is late.
    pub(super) fn errands_on_time(&mut self) {
        let now = self.now.mono;
        if self.peers.errands.next_time() > now {
            return;
        }
        let late = |errand: &Errand| errand.until.min(errand.ends) <= now;
        let errands = &mut self.peers.errands;
        let asked = errands.asked.iter().filter(|(_, errand)| late(errand));
        let keys: Vec<(LinkId, u32)> = asked.map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(errand) = self.peers.errands.asked.remove(&key) {
                self.try_another(errand);
            }
        }
        self.retry_errands();
    }

    /// Those that wait are looked at again.
    pub(super) fn retry_errands(&mut self) {
        let now = self.now.mono;
        for errand in core::mem::take(&mut self.peers.errands.waiting) {
            if errand.ends <= now {
                self.end_in_vain(&errand);
            } else {
                self.send_errand(errand, true);
            }
        }
    }

    fn try_another(&mut self, errand: Errand) {
        self.counters.errands_in_vain += 1;
        // A Find that was answered in part can't be begun anew.
        let begun = matches!(&errand.what, What::Find(find) if find.begun);
        if errand.ends <= self.now.mono || errand.tried.len() >= TRIES || begun {
            return self.end_in_vain(&errand);
        }
        self.send_errand(errand, false);
    }

    /// What one of those that were asked said goes to the client.
    fn end_in_vain(&mut self, errand: &Errand) {
        let (why, detail) = errand.refused.unwrap_or((Refused::StoreFailed, 0));
        self.end_errand(errand, why, detail);
    }

    fn end_errand(&mut self, errand: &Errand, why: Refused, detail: u32) {
        self.peers.errands.bytes -= errand.bytes();
        if self.finish(errand.client, errand.request) {
            self.refuse(errand.client, errand.request, why, detail);
        }
    }

    pub(super) fn forget_errands(&mut self, peer: LinkId) {
        let asked = self.peers.errands.asked.range((peer, 0)..=(peer, u32::MAX));
        let keys: Vec<(LinkId, u32)> = asked.map(|(key, _)| *key).collect();
        for key in keys {
            if let Some(errand) = self.peers.errands.asked.remove(&key) {
                self.try_another(errand);
            }
        }
    }

    // Answers of peers. False: there is no such request.

    /// A peer stored it: its receipt goes to the client, and who it is.
    pub(in crate::relay) fn on_errand_stored(
        &mut self,
        link: LinkId,
        request: u32,
        (receipt, node_key): (Receipt<'_>, [u8; 32]),
    ) -> bool {
        let Some(errand) = self.peers.errands.asked.remove(&(link, request)) else {
            return false;
        };
        let peer = self.peers.links.get(&link);
        let key = peer.map(|peer| peer.descriptor.node_key);
        let signed = PublicKey::from_bytes(&node_key).is_ok_and(|key| receipt.verify(&key).is_ok());
        let is_it = matches!(errand.what, What::Put { id, .. } if id == receipt.id);
        if !signed || !is_it || key != Some(node_key) {
            self.on_malformed(link, None);
            self.try_another(errand);
            return true;
        }
        let hour = hour(self.now.unix);
        if !peer.is_some_and(|peer| peer.shows(errand.address, hour)) {
            // It says something else of itself by now, and the client would not believe it.
            self.try_another(errand);
            return true;
        }
        self.peers.errands.bytes -= errand.bytes();
        if self.finish(errand.client, errand.request) {
            let raw = self.peers.links.get(&link).map(|peer| peer.raw.clone());
            if let Some((header, body)) = raw.as_ref().and_then(|raw| super::shake::split(raw)) {
                self.send(
                    errand.client,
                    errand.request,
                    &Frame::Relay { header, body },
                );
            }
            let stored = Frame::Stored { receipt, node_key };
            self.send(errand.client, errand.request, &stored);
        }
        true
    }

    /// One of the records that were looked for.
    pub(in crate::relay) fn on_errand_object(
        &mut self,
        link: LinkId,
        request: u32,
        raw: &[u8; HEADER_BYTES],
        body: &[u8],
    ) -> bool {
        let network = self.config.network;
        let divisor = self.config.work_divisor;
        let hour = hour(self.now.unix);
        let Some(errand) = self.peers.errands.asked.get_mut(&(link, request)) else {
            return false;
        };
        let (client, number) = (errand.client, errand.request);
        if !self.links.contains_key(&client) {
            // Nobody waits for it.
            if let Some(errand) = self.peers.errands.asked.remove(&(link, request)) {
                self.end_in_vain(&errand);
            }
            return true;
        }
        let sound = Header::parse(raw).ok().filter(|header| {
            header.kind == Kind::Record
                && header.network == network
                && body.len() == header.size.bytes()
                && pow::is_paid(header, divisor)
                && sha256(&[body]) == header.body_hash
        });
        let fits = match (&mut errand.what, sound) {
            (What::Find(find), Some(header)) => {
                let place = (header.address, header.tag);
                let fits = (find.low..=find.upto).contains(&header.record_key())
                    && find.previous.is_none_or(|previous| previous < place)
                    && find.count < ANSWER_OBJECTS_MAX;
                let latest = hour + header.lifetime.hours() + EXPIRY_SLACK_HOURS;
                if fits && !(hour + 1..=latest).contains(&header.expiry) {
                    // Clocks differ. The client would not believe it of this one.
                    return true;
                }
                (find.previous, find.begun) = (Some(place), true);
                find.count += u32::from(fits);
                fits
            }
            _ => false,
        };
        errand.until = self.now.mono + ANSWER_MS;
        if !fits {
            if let Some(errand) = self.peers.errands.asked.remove(&(link, request)) {
                self.try_another(errand);
            }
            self.on_malformed(link, None);
            return true;
        }
        let object = Frame::Object {
            bucket: 0,
            header: raw,
            body,
        };
        let bytes = object.encode(number);
        self.out.push_back(Output::Send {
            link: client,
            bytes,
        });
        true
    }

    /// All records that were looked for were sent.
    pub(in crate::relay) fn on_errand_end(&mut self, link: LinkId, request: u32) -> bool {
        let Some(mut errand) = self.peers.errands.asked.remove(&(link, request)) else {
            return false;
        };
        let What::Find(find) = &mut errand.what else {
            self.on_malformed(link, None);
            self.try_another(errand);
            return true;
        };
        if find.upto < find.last && find.parts < FIND_PARTS_MAX {
            // The rest is somebody else's.
            find.low = find.upto + 1;
            (find.begun, find.parts) = (false, find.parts + 1);
            errand.address = (find.low >> 32) as u32;
            errand.tried.clear();
            self.send_errand(errand, false);
            return true;
        }
        let count = find.count;
        if self.finish(errand.client, errand.request) {
            self.send(errand.client, errand.request, &Frame::End { count });
        }
        true
    }

    /// A peer refuses it. What any relay would say of a record goes to the client, else another one
    /// is asked.
    pub(in crate::relay) fn on_errand_refused(
        &mut self,
        link: LinkId,
        request: u32,
        why: Option<Refused>,
        detail: u32,
    ) -> bool {
        let Some(mut errand) = self.peers.errands.asked.remove(&(link, request)) else {
            return false;
        };
        let is_record = errand.is_record();
        match why {
            Some(why @ (Refused::OldRecord | Refused::BadRecord)) if is_record => {
                self.end_errand(&errand, why, detail);
                return true;
            }
            // This relay would have taken it: another may, too.
            Some(
                why @ (Refused::Expired
                | Refused::TooLittleWork
                | Refused::OverQuota
                | Refused::StoreFull),
            ) => errand.refused = Some((why, detail)),
            _ => {}
        }
        self.try_another(errand);
        true
    }
}
