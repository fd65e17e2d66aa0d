//! Everybody's envelopes, carried for a while: some open later, and a relay that lost its store is
//! given back what it lacks.
//!
//! Invariant: what is carried, and offered, depends on what relays sent, never on whether any of it
//! was for this account.

use super::cx::Cx;
use super::open::Open;
use super::relays::NodeKey;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;
use shared::limits::{OFFERED_AT_ONCE, OFFERED_MAX};
use shared::link::ClientLink;
use shared::wire::{Header, Id};

/// Bodies that are carried, bytes.
pub const CARRIED_BYTES_MAX: usize = 8 << 20;

struct Carried {
    header: Header,
    body: Vec<u8>,
    /// Nobody expected it yet.
    closed: bool,
    /// It came with everything else of its time, whoever that was for.
    whole: bool,
}

/// The latest envelopes, and what is still to be offered to relays that asked.
pub struct Carry {
    objects: BTreeMap<Id, Carried>,
    order: VecDeque<Id>,
    bytes: usize,
    bytes_max: usize,
    offers: BTreeMap<NodeKey, Offer>,
}

/// To one relay, on one link.
#[derive(Default)]
struct Offer {
    left: VecDeque<Id>,
    /// Offered, and not pushed.
    open: BTreeSet<Id>,
}

impl Carry {
    pub fn new(bytes_max: usize) -> Self {
        Carry {
            objects: BTreeMap::new(),
            order: VecDeque::new(),
            bytes: 0,
            bytes_max,
            offers: BTreeMap::new(),
        }
    }

    /// Takes an envelope along.
    pub fn take(&mut self, header: Header, body: &[u8], whole: bool) {
        let id = header.id();
        let carried = Carried {
            header,
            body: body.to_vec(),
            closed: true,
            whole,
        };
        self.bytes += body.len();
        if let Some(before) = self.objects.insert(id, carried) {
            self.bytes -= before.body.len();
        } else {
            self.order.push_back(id);
        }
        while self.bytes > self.bytes_max {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            if let Some(gone) = self.objects.remove(&oldest) {
                self.bytes -= gone.body.len();
            }
        }
    }

    /// It was expected: it need not be looked at again.
    pub fn opened(&mut self, header: &Header) {
        if let Some(carried) = self.objects.get_mut(&header.id()) {
            carried.closed = false;
        }
    }

    /// The first that nobody expected, and that somebody does now.
    pub fn take_expected(
        &mut self,
        expected: impl Fn(&Header) -> bool,
    ) -> Option<(Header, Vec<u8>)> {
        let wanted = |id: &&Id| {
            let carried = self.objects.get(*id);
            carried.is_some_and(|c| c.closed && expected(&c.header))
        };
        let id = *self.order.iter().find(wanted)?;
        let carried = self.objects.get_mut(&id)?;
        carried.closed = false;
        Some((carried.header, carried.body.clone()))
    }
}

impl Open {
    /// A relay that lost its store asked: it is offered the latest first, a few at a time.
    pub fn on_asked(&mut self, cx: &mut Cx, key: NodeKey) {
        // Once a link; and what an invitation leads to is told nothing.
        if self.carry.offers.contains_key(&key) || self.relays.is_guest(&key) {
            return;
        }
        let whole = |id: &&Id| self.carry.objects.get(*id).is_some_and(|c| c.whole);
        let latest = self.carry.order.iter().rev().filter(whole);
        let left = latest.take(OFFERED_MAX).copied().collect();
        let open = BTreeSet::new();
        self.carry.offers.insert(key, Offer { left, open });
        self.offer(cx, &key);
    }

    /// A relay lacks these of what it was offered.
    pub fn on_wanted(&mut self, cx: &mut Cx, key: NodeKey, ids: &[[u8; 32]]) {
        let link = self.relays.link_of(&key);
        let Some((link, offer)) = link.zip(self.carry.offers.get_mut(&key)) else {
            return;
        };
        for id in ids.iter().map(|id| Id(*id)) {
            if let Some(carried) = self.carry.objects.get(&id)
                && offer.open.remove(&id)
            {
                cx.send(link, ClientLink::push(&carried.header, &carried.body));
            }
        }
        self.offer(cx, &key);
    }

    /// Goes on offering to relays that answered nothing, because they lacked nothing.
    pub fn offer_on(&mut self, cx: &mut Cx) {
        let keys: Vec<NodeKey> = self.carry.offers.keys().copied().collect();
        for key in keys {
            self.offer(cx, &key);
        }
    }

    fn offer(&mut self, cx: &mut Cx, key: &NodeKey) {
        let link = self.relays.link_of(key);
        let Some((link, offer)) = link.zip(self.carry.offers.get_mut(key)) else {
            return;
        };
        let ids = offer.left.drain(..offer.left.len().min(OFFERED_AT_ONCE));
        let ids: Vec<Id> = ids.collect();
        let headers: Vec<[u8; 72]> = ids
            .iter()
            .filter_map(|id| self.carry.objects.get(id))
            .map(|carried| carried.header.encode())
            .collect();
        offer.open.extend(ids);
        if !headers.is_empty() {
            cx.send(link, ClientLink::have(&headers));
        }
    }

    /// A link is gone, and what was offered on it.
    pub fn end_offer(&mut self, key: &NodeKey) {
        self.carry.offers.remove(key);
    }
}
