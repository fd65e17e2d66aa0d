//! The effort asked of clients' puts: what is configured, and more while room is short. PROTOCOL.md
//! section 2.
//!
//! Invariant: what a few networks bring raises no floor, since by their shares they are in nobody's
//! way; and what another relay has taken is never refused for what was raised here.

use super::Relay;
use super::budget::Source;
use super::link::Phase;
use crate::io::LinkId;
use crate::limits::EFFORT_ASKED_MAX;
use crate::object::Admission;
use crate::time::Millis;
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Frame, Header};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// From one look at what clients bring to the next.
const LOOK_MS: Millis = 300_000;
/// Such times in an hour.
const LOOKS_PER_HOUR: u64 = 12;
/// Of what may come in that time no network counts as more than one part in so many.
const NETWORKS: u64 = 8;
/// One effort less doubles what a flood brings: only what is below half may double.
const CALM_PART: u64 = 2;
/// After so many looks in a row at which it was calm.
const CALM_LOOKS: u8 = 3;
/// How long the floor has been another one than the descriptor says until there is a new one.
const TOLD_AFTER_MS: Millis = 30 * 60_000;

/// By how much the floor is raised, and why.
#[derive(Debug, Default)]
pub(super) struct Floor {
    raised: u8,
    /// Bytes that each network brought since the last look, with room short: taken or refused.
    brought: BTreeMap<u64, u64>,
    /// When to look next: nothing has come, and nothing is raised, where there is no time.
    look_at: Option<Millis>,
    /// Looks in a row at which it was calm.
    calm: u8,
    /// Since when the descriptor says another one.
    differs_since: Option<Millis>,
}

impl Floor {
    pub fn next_time(&self) -> Millis {
        self.look_at.unwrap_or(Millis::MAX)
    }

    /// `part` is what one network counts as at most.
    fn bring(&mut self, now: Millis, network: u64, bytes: u64, part: u64) {
        self.look_at.get_or_insert(now + LOOK_MS);
        // Beyond that it changes nothing, and what is remembered has an end.
        if self.demand(part) < part * NETWORKS {
            *self.brought.entry(network).or_default() += bytes;
        }
    }

    /// What came, of each network as much as counts.
    fn demand(&self, part: u64) -> u64 {
        self.brought.values().map(|bytes| *bytes.min(&part)).sum()
    }

    /// Looks at what came; `most` is how much may be raised.
    fn look(&mut self, now: Millis, part: u64, most: u8) {
        let demand = self.demand(part);
        self.brought.clear();
        let is_calm = demand < part * NETWORKS / CALM_PART;
        self.calm = if is_calm { self.calm + 1 } else { 0 };
        if demand >= part * NETWORKS {
            self.raised = self.raised.saturating_add(1).min(most);
        } else if self.calm >= CALM_LOOKS {
            self.raised = self.raised.saturating_sub(1);
            self.calm = 0;
        }
        self.look_at = (self.raised > 0).then_some(now + LOOK_MS);
    }

    /// Whether a descriptor that says `said` has been wrong for long.
    fn is_to_be_told(&mut self, now: Millis, said: u8, floor: u8) -> bool {
        if said == floor {
            self.differs_since = None;
            return false;
        }
        let since = *self.differs_since.get_or_insert(now);
        let is_long = now.saturating_sub(since) >= TOLD_AFTER_MS;
        if is_long {
            self.differs_since = None;
        }
        is_long
    }
}

impl Relay {
    /// The effort asked of clients' puts now.
    pub fn effort_floor(&self) -> u8 {
        self.config.effort_floor.saturating_add(self.floor.raised)
    }

    /// What is asked of a put. Of a peer's, and of what is here already, not what was raised.
    pub(super) fn rules_of_puts(&self, link: LinkId, raw: &[u8; HEADER_BYTES]) -> Admission {
        let rules = self.rules();
        let is_here = || Header::parse(raw).is_ok_and(|header| self.has(&header.id()));
        if self.floor.raised == 0 || self.peers.is_peer(link) || is_here() {
            return rules;
        }
        Admission {
            effort_floor: self.effort_floor(),
            ..rules
        }
    }

    /// What a network counts as at most, from one look to the next.
    fn floor_part(&self) -> u64 {
        (self.hourly().0 / (LOOKS_PER_HOUR * NETWORKS)).max(1)
    }

    /// A client brought so much with room short, whether it was taken or not.
    pub(super) fn room_is_short(&mut self, source: Source, bytes: u64) {
        if let Source::Network(network) = source {
            let part = self.floor_part();
            self.floor.bring(self.now.mono, network, bytes, part);
        }
    }

    /// Whether the descriptor is to be made anew for the floor.
    pub(super) fn floor_is_to_be_told(&mut self, said: u8) -> bool {
        let floor = self.effort_floor();
        self.floor.is_to_be_told(self.now.mono, said, floor)
    }

    /// Raises or lowers the floor, and tells clients.
    pub(super) fn floor_on_time(&mut self) {
        let now = self.now.mono;
        if self.floor.next_time() > now {
            return;
        }
        let part = self.floor_part();
        // More than clients do would shut them out.
        let room = EFFORT_ASKED_MAX.saturating_sub(self.config.effort_floor);
        let before = self.effort_floor();
        let most = self.config.floor_raised_max.min(room);
        self.floor.look(now, part, most);
        let effort = self.effort_floor();
        if effort != before {
            self.tell_floor(effort);
        }
    }

    fn tell_floor(&mut self, effort: u8) {
        let open = self.links.iter();
        let open = open.filter(|(_, state)| state.phase == Phase::Open);
        let clients = open.filter(|(link, _)| !self.peers.is_peer(**link));
        let clients: Vec<LinkId> = clients.map(|(link, _)| *link).collect();
        for link in clients {
            self.send(link, 0, &Frame::Floor { effort });
        }
    }
}
