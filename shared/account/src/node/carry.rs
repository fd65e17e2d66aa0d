//! Everybody's envelopes, carried for a while: some open later, and a relay that lost its store is
//! given back what it lacks.
//!
//! Invariant: what is carried, and offered, depends on what relays sent, never on whether any of it
//! was for this account.

use super::cx::Cx;
use super::open::Open;
use super::relays::{NodeKey, Stage};
use alloc::collections::{BTreeMap, VecDeque};
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
}

/// The latest envelopes, and what is still to be offered to relays that asked.
#[derive(Default)]
pub struct Carry {
    objects: BTreeMap<Id, Carried>,
    order: VecDeque<Id>,
    bytes: usize,
    offers: BTreeMap<NodeKey, VecDeque<Id>>,
}

impl Carry {
    /// Takes an envelope along.
    pub fn take(&mut self, header: Header, body: &[u8]) {
        let id = header.id();
        let carried = Carried {
            header,
            body: body.to_vec(),
            closed: true,
        };
        self.bytes += body.len();
        if let Some(before) = self.objects.insert(id, carried) {
            self.bytes -= before.body.len();
        } else {
            self.order.push_back(id);
        }
        while self.bytes > CARRIED_BYTES_MAX {
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
        let latest = self.carry.order.iter().rev().take(OFFERED_MAX);
        let latest: VecDeque<Id> = latest.copied().collect();
        self.carry.offers.insert(key, latest);
        self.offer(cx, &key);
    }

    /// A relay lacks these of what it was offered.
    pub fn on_wanted(&mut self, cx: &mut Cx, key: NodeKey, ids: &[[u8; 32]]) {
        if let Some(Stage::Open { link, .. }) = self.relays.get_mut(&key).map(|r| &r.stage) {
            let link = *link;
            let carried = ids
                .iter()
                .take(OFFERED_AT_ONCE)
                .filter_map(|id| self.carry.objects.get(&Id(*id)));
            for carried in carried {
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
        let stage = self.relays.get_mut(key).map(|relay| &relay.stage);
        let Some(Stage::Open { link, .. }) = stage else {
            self.carry.offers.remove(key);
            return;
        };
        let Some(left) = self.carry.offers.get_mut(key) else {
            return;
        };
        let ids = left.drain(..left.len().min(OFFERED_AT_ONCE));
        let headers: Vec<[u8; 72]> = ids
            .filter_map(|id| self.carry.objects.get(&id))
            .map(|carried| carried.header.encode())
            .collect();
        if left.is_empty() {
            self.carry.offers.remove(key);
        }
        if !headers.is_empty() {
            cx.send(*link, ClientLink::have(&headers));
        }
    }
}
