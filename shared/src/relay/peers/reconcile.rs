//! Finding what was missed: one peer in turn each minute, every new one at once.
//!
//! Invariant: this side asks one peer at a time and answers a few; a set that is not used for a
//! minute is forgotten.

use super::set::{Salted, Set};
use crate::io::LinkId;
use crate::limits::{RECONCILE_TURNS_MAX, RECONCILED_AT_ONCE_MAX, WANT_IDS_MAX};
use crate::relay::{Relay, State};
use crate::time::{Millis, hour};
use crate::wire::{Frame, Refused};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Between two reconciliations that this side begins.
const EVERY_MS: Millis = 60_000;
/// After one that found much to do.
const AGAIN_MS: Millis = 10_000;
/// Between two that a peer begins.
const ASKED_EVERY_MS: Millis = 5_000;
/// How long the other side may take for a turn.
const TURN_MS: Millis = 60_000;
/// What expires sooner is not worth the way.
const EXPIRES_HOURS: u32 = 2;
/// The arrival of what is not here.
const NOWHERE: u64 = u64::MAX;

#[derive(Debug)]
struct Asking {
    link: LinkId,
    request: u32,
    salt: [u8; 16],
    set: Set,
    turns: u32,
    needed: bool,
    until: Millis,
}

#[derive(Debug)]
struct Answering {
    request: u32,
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
        let links = &self.peers.links;
        let after = |last: LinkId| links.range(LinkId(last.0 + 1)..).next();
        let next = reconciling.soon.pop_first().or_else(|| {
            let next = reconciling.last.and_then(after);
            next.or_else(|| links.first_key_value()).map(|(l, _)| *l)
        });
        if let Some(link) = next {
            reconciling.last = Some(link);
            self.ask_for_missed(link);
        }
    }

    fn ask_for_missed(&mut self, link: LinkId) {
        let salt = self.rng.array();
        let Some((mut set, request)) = self.set(&salt).zip(self.request_of(link)) else {
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
            set,
            turns: 1,
            needed: false,
            until: self.now.mono + TURN_MS,
        });
        let message = &message;
        self.send(link, request, &Frame::Reconcile { salt, message });
    }

    fn request_of(&mut self, link: LinkId) -> Option<u32> {
        Some(self.peers.links.get_mut(&link)?.request())
    }

    fn set(&self, salt: &[u8; 16]) -> Option<Set> {
        let hour = hour(self.now.unix);
        let soonest = hour + EXPIRES_HOURS;
        // What there was no room for counts as known, and has no place to be pushed from.
        let dropped = self.peers.dropped.born(hour);
        let dropped = dropped.map(|(born, expiry, id)| (born, expiry, id, NOWHERE));
        let all = self.index.born().chain(dropped);
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
        let turn = asking.set.take(message);
        let turn = turn.filter(|_| asking.turns < RECONCILE_TURNS_MAX);
        let Some(turn) = turn else {
            self.peers.reconcile.asking = None;
            return self.on_malformed(link, None);
        };
        asking.turns += 1;
        asking.needed |= !turn.need.is_empty();
        asking.until = now + TURN_MS;
        let salt = asking.salt;
        let last = turn.message.is_none();
        if last {
            let needed = asking.needed;
            self.peers.reconcile.asking = None;
            if needed || !self.peers.reconcile.soon.is_empty() {
                let soon = if needed { now + AGAIN_MS } else { now };
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
            self.send(link, request, &Frame::Reconcile { salt, message });
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
        salt: &[u8; 16],
        message: &[u8],
    ) {
        let until = self.now.mono + TURN_MS;
        let known = self.peers.reconcile.answering.get(&link);
        if known.is_none_or(|a| a.request != request) {
            let others = self.peers.reconcile.answering.len() - usize::from(known.is_some());
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
            let set = self.set(salt);
            let Some(set) = set.filter(|_| others < RECONCILED_AT_ONCE_MAX) else {
                return self.refuse(link, request, Refused::TooManyRequests, 0);
            };
            let answering = Answering {
                request,
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
        answering.until = until;
        let answer = answering.set.answer(message);
        match answer.filter(|_| answering.turns <= RECONCILE_TURNS_MAX) {
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
        let arrivals: Vec<u64> = names
            .iter()
            .filter_map(|name| answering.set.place(name))
            .collect();
        if last {
            self.peers.reconcile.answering.remove(&link);
        }
        self.push_later(link, arrivals);
    }
}
