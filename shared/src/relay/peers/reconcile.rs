//! Finding what was missed: one peer in turn each minute, every new one at once.
//!
//! Invariant: this side asks one peer at a time and answers a few; a set that is not used for a
//! minute is forgotten.

use super::Peer;
use super::set::{Salted, Set};
use crate::io::LinkId;
use crate::limits::{RECONCILE_TURNS_MAX, RECONCILED_AT_ONCE_MAX, WANT_IDS_MAX};
use crate::range::Range;
use crate::relay::{Relay, State};
use crate::time::{Millis, hour};
use crate::wire::{Frame, Kind, Refused};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Between two reconciliations that this side begins.
const EVERY_MS: Millis = 60_000;
/// After one that found much to do.
const AGAIN_MS: Millis = 10_000;
/// Between two that a peer begins.
const ASKED_EVERY_MS: Millis = 5_000;
/// How long one may take in all, with everything the other side does.
const WHOLE_MS: Millis = 120_000;
/// After how long one that is answered gives way to another.
const GIVES_WAY_MS: Millis = 10_000;
/// What expires sooner is not worth the way.
const EXPIRES_HOURS: u32 = 2;
/// The arrival of what is not here.
const NOWHERE: u64 = u64::MAX;

#[derive(Debug)]
struct Asking {
    link: LinkId,
    request: u32,
    salt: [u8; 16],
    range: Range,
    set: Set,
    turns: u32,
    needed: bool,
    /// When it is given up.
    until: Millis,
}

#[derive(Debug)]
struct Answering {
    request: u32,
    /// The asker keeps headers only of this.
    heads: bool,
    set: Set,
    turns: u32,
    until: Millis,
}

/// Reconciliations under way.
#[derive(Debug, Default)]
pub(super) struct Reconciling {
    asking: Option<Asking>,
    answering: BTreeMap<LinkId, Answering>,
    /// New peers.
    soon: BTreeSet<LinkId>,
    /// Objects taken from peers when there was last much to do.
    novel: Option<u64>,
    /// The peer asked last.
    last: Option<LinkId>,
    next_at: Millis,
}

impl Reconciling {
    pub fn soon(&mut self, link: LinkId) {
        self.soon.insert(link);
        self.next_at = 0;
    }

    pub fn forget(&mut self, link: LinkId) {
        self.soon.remove(&link);
        self.answering.remove(&link);
        self.asking.take_if(|asking| asking.link == link);
    }

    pub fn next_time(&self) -> Millis {
        let asking = self.asking.as_ref().map(|asking| asking.until);
        let answering = self.answering.values().map(|a| a.until).min();
        let next = self.asking.is_none().then_some(self.next_at);
        [asking, answering, next]
            .into_iter()
            .flatten()
            .min()
            .unwrap_or(Millis::MAX)
    }
}

impl Relay {
    /// Begins one if it is time, and forgets those that stall.
    pub(super) fn reconcile_next(&mut self) {
        let now = self.now.mono;
        let reconciling = &mut self.peers.reconcile;
        reconciling.answering.retain(|_, a| a.until > now);
        reconciling.asking.take_if(|asking| asking.until <= now);
        if reconciling.asking.is_some() || reconciling.next_at > now {
            return;
        }
        reconciling.next_at = now + EVERY_MS;
        if self.state != State::Running {
            return;
        }
        let reconciling = &mut self.peers.reconcile;
        let around = self.peers.swarm.scanned();
        // Of those that keep nothing that is kept here, there is nothing to ask.
        let concerned = |(_, peer): &(&LinkId, &Peer)| peer.range.overlaps(around);
        let links = &self.peers.links;
        let after = |last: LinkId| links.range(LinkId(last.0 + 1)..).find(concerned);
        let next = reconciling.soon.pop_first().or_else(|| {
            let next = reconciling.last.and_then(after);
            next.or_else(|| links.iter().find(concerned))
                .map(|(l, _)| *l)
        });
        if let Some(link) = next {
            reconciling.last = Some(link);
            self.ask_for_missed(link);
        }
    }

    fn ask_for_missed(&mut self, link: LinkId) {
        let own = self.peers.swarm.range;
        let around = self.peers.swarm.scanned();
        let Some(theirs) = self.peers.links.get(&link).map(|peer| peer.range) else {
            return;
        };
        // What both keep; or the headers of what only the other side does.
        let (range, heads) = match (own.and(theirs), around.and(theirs)) {
            (Some(range), _) => (range, false),
            (None, Some(range)) => (range, true),
            (None, None) => return,
        };
        let salt = self.rng.array();
        let set = self.set(&salt, range, true, heads);
        let Some((mut set, request)) = set.zip(self.request_of(link)) else {
            return;
        };
        let Some(message) = set.begin() else {
            return;
        };
        self.counters.reconciled += 1;
        self.peers.reconcile.asking = Some(Asking {
            link,
            request,
            salt,
            range,
            set,
            turns: 1,
            needed: false,
            until: self.now.mono + WHOLE_MS,
        });
        let message = &message;
        let turn = Frame::Reconcile {
            salt,
            range,
            message,
        };
        self.send(link, request, &turn);
    }

    fn request_of(&mut self, link: LinkId) -> Option<u32> {
        Some(self.peers.links.get_mut(&link)?.request())
    }

    /// What is kept of a range; with `heads` that of which the asker keeps headers. For the asker,
    /// what there was no room for counts as known, and is nowhere to be pushed from.
    fn set(&self, salt: &[u8; 16], range: Range, asks: bool, heads: bool) -> Option<Set> {
        let hour = hour(self.now.unix);
        let soonest = hour + EXPIRES_HOURS;
        let dropped = self.peers.dropped.born(hour).filter(|_| asks && !heads);
        let dropped = dropped.map(|(born, expiry, id)| (born, expiry, id, NOWHERE));
        let kept = self.index.each().filter(|(_, entry)| {
            let known = if heads {
                entry.kind != Kind::Record && (asks || entry.held)
            } else {
                entry.held
            };
            known && range.has(entry.address)
        });
        let kept = kept.map(|(arrival, e)| (e.born(), e.expiry, e.id, arrival));
        let all = kept.chain(dropped);
        let lasting = all.filter(|(_, expiry, ..)| *expiry > soonest);
        Set::new(
            salt,
            lasting.map(|(born, _, id, arrival)| (born, id, arrival)),
        )
    }

    /// The other side's turn.
    pub(in crate::relay) fn on_reconciled(&mut self, link: LinkId, request: u32, message: &[u8]) {
        let now = self.now.mono;
        let Some(asking) = &mut self.peers.reconcile.asking else {
            return;
        };
        if (asking.link, asking.request) != (link, request) {
            return;
        }
        let Some(mut turn) = asking.set.take(message) else {
            self.peers.reconcile.asking = None;
            return self.on_malformed(link, None);
        };
        asking.turns += 1;
        if asking.turns > RECONCILE_TURNS_MAX {
            // The rest at another time.
            turn.message = None;
        }
        asking.needed |= !turn.need.is_empty();
        let (salt, range) = (asking.salt, asking.range);
        let last = turn.message.is_none();
        if last {
            let needed = asking.needed;
            self.peers.reconcile.asking = None;
            // Only if what was needed the last time came: it may be what there is no room for.
            let novel = self.counters.pushes_taken;
            let again = needed && self.peers.reconcile.novel.replace(novel) != Some(novel);
            if again || !self.peers.reconcile.soon.is_empty() {
                let soon = if again { now + AGAIN_MS } else { now };
                let next_at = &mut self.peers.reconcile.next_at;
                *next_at = soon.min(*next_at);
            }
        }
        self.peers.book.answered(self.now.unix);
        self.counters.missed_here += turn.need.len() as u64;
        self.counters.missed_there += turn.have.len() as u64;
        self.need(link, request, &turn.need, last);
        self.push_later(link, turn.have);
        if let Some(message) = &turn.message {
            let turn = Frame::Reconcile {
                salt,
                range,
                message,
            };
            self.send(link, request, &turn);
        }
    }

    fn need(&mut self, link: LinkId, request: u32, names: &[Salted], last: bool) {
        let mut parts = names.chunks(WANT_IDS_MAX).peekable();
        while let Some(salted) = parts.next() {
            let last = last && parts.peek().is_none();
            self.send(link, request, &Frame::Need { last, salted });
        }
        if names.is_empty() && last {
            let salted = &[];
            self.send(link, request, &Frame::Need { last, salted });
        }
    }

    /// A reconciliation was refused.
    pub(in crate::relay) fn on_reconcile_refused(&mut self, link: LinkId, request: u32) {
        let is_it = |asking: &mut Asking| (asking.link, asking.request) == (link, request);
        self.peers.reconcile.asking.take_if(is_it);
    }

    /// A peer's turn.
    pub(in crate::relay) fn on_reconcile(
        &mut self,
        link: LinkId,
        request: u32,
        (salt, range): (&[u8; 16], Range),
        message: &[u8],
    ) {
        let until = self.now.mono + WHOLE_MS;
        let known = self.peers.reconcile.answering.get(&link);
        if known.is_none_or(|a| a.request != request) {
            let now = self.now.mono;
            let Some(peer) = self.peers.links.get_mut(&link) else {
                return;
            };
            let wait = peer.asks_at.saturating_sub(now);
            if wait > 0 {
                let seconds = wait.div_ceil(1000) as u32;
                return self.refuse(link, request, Refused::OverQuota, seconds);
            }
            peer.asks_at = now + ASKED_EVERY_MS;
            let answering = &mut self.peers.reconcile.answering;
            answering.remove(&link);
            if answering.len() >= RECONCILED_AT_ONCE_MAX {
                // The oldest gives way, if it had its time: four peers do not hold up the others.
                let oldest = answering.iter().min_by_key(|(_, a)| a.until);
                let oldest = oldest.filter(|(_, a)| a.until < until - GIVES_WAY_MS);
                let Some(oldest) = oldest.map(|(link, _)| *link) else {
                    return self.refuse(link, request, Refused::TooManyRequests, 0);
                };
                answering.remove(&oldest);
            }
            let own = self.peers.swarm.range;
            let Some(range) = own.and(range) else {
                return self.refuse(link, request, Refused::Elsewhere, 0);
            };
            let theirs = self.peers.links.get(&link).map(|peer| peer.range);
            let heads = theirs.is_some_and(|theirs| !theirs.overlaps(own));
            let Some(set) = self.set(salt, range, false, heads) else {
                return self.refuse(link, request, Refused::TooManyRequests, 0);
            };
            let answering = Answering {
                request,
                heads,
                set,
                turns: 0,
                until,
            };
            self.peers.reconcile.answering.insert(link, answering);
        }
        let Some(answering) = self.peers.reconcile.answering.get_mut(&link) else {
            return;
        };
        answering.turns += 1;
        let answer = answering.set.answer(message);
        match answer.filter(|_| answering.turns <= RECONCILE_TURNS_MAX + 1) {
            Some(message) => {
                let message = &message;
                self.send(link, request, &Frame::Reconciled { message });
            }
            None => {
                self.peers.reconcile.answering.remove(&link);
                self.on_malformed(link, Some(request));
            }
        }
    }

    /// What a peer lacks, by its salted names.
    pub(in crate::relay) fn on_need(
        &mut self,
        link: LinkId,
        request: u32,
        last: bool,
        names: &[Salted],
    ) {
        let answering = self.peers.reconcile.answering.get(&link);
        let Some(answering) = answering.filter(|a| a.request == request) else {
            return;
        };
        let heads = answering.heads;
        let arrivals: Vec<u64> = names
            .iter()
            .filter_map(|name| answering.set.place(name))
            .collect();
        if last {
            self.peers.reconcile.answering.remove(&link);
        }
        if heads {
            self.tell_headers_later(link, arrivals);
        } else {
            self.push_later(link, arrivals);
        }
    }
}
