//! Relays that let in only whom another relay leads to them: offers over the links that there are.
//! PROTOCOL.md section 12, "Offers".
//!
//! Invariant: where a relay is led to counts for one dial, which proves certificate and node key as
//! any does; it is kept once that relay has answered there.

use super::cx::Cx;
use super::problems;
use super::relay::{PAUSE_MS_MIN, Relay, Stage};
use super::relays::{NodeKey, Relays, WELCOME_MS_MAX};
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};
use shared::book::{Group, reach};
use shared::io::{DialTo, LinkId, Output, Token};
use shared::link::ReqId;
use shared::wire::{Descriptor, Refused, RelayHint};

/// However long a relay says that it leads nobody, it is asked again after so many seconds.
const OFFERS_WAIT_S_MAX: u32 = 60;

/// The hint of a relay of which no address is known.
pub fn nowhere(descriptor: &Descriptor) -> RelayHint {
    RelayHint {
        address: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        port: 1,
        certificate: descriptor.certificate,
        node_key: descriptor.node_key,
    }
}

/// Whether a hint has an address.
pub fn is_somewhere(hint: &RelayHint) -> bool {
    !hint.address.is_unspecified()
}

impl Relay {
    /// Dials it where it is or may have moved to, or by an offer over the link of who named it.
    pub fn dial(&mut self, cx: &mut Cx, door: Option<LinkId>) {
        let token = cx.token();
        let known = is_somewhere(&self.hint);
        let door = door.filter(|_| self.by_offer || !known);
        self.by_offer = door.is_some();
        (self.asked, self.answered) = (None, None);
        self.dials_moved = self.moved.is_some() && !self.dials_moved && door.is_none();
        let moved = self.moved.filter(|_| self.dials_moved);
        let output = match door {
            Some(link) => Output::Prepare { token, link },
            None if moved.is_none() && !known => return self.fail(cx, problems::relay_gone()),
            None => {
                let to = DialTo::Hint(moved.unwrap_or(self.hint).encode());
                Output::Dial { token, to }
            }
        };
        self.stage = Stage::Dialling {
            token,
            deadline: cx.now.mono + WELCOME_MS_MAX,
        };
        cx.at_once(output);
    }
}

impl Relays {
    /// A relay leads to another one that is in use, if nobody else does now.
    pub fn note_door(&mut self, key: &NodeKey, by: NodeKey) {
        let through = self.relays.get(key).and_then(|relay| relay.through);
        let leads = through.is_some_and(|door| self.link_of(&door).is_some());
        if let Some(relay) = self.relays.get_mut(key)
            && !leads
            && *key != by
        {
            relay.through = Some(by);
        }
    }

    /// A dial is prepared: the relay that leads there is told.
    pub fn on_prepared(&mut self, cx: &mut Cx, prepared: Token, ports: &[u16]) {
        let waits = |r: &Relay| {
            let of_it = matches!(&r.stage, Stage::Dialling { token, .. } if *token == prepared);
            of_it && r.by_offer
        };
        let waiting = self.relays.iter().find(|(_, r)| waits(r));
        let Some((key, door)) = waiting.map(|(key, r)| (*key, r.through)) else {
            return;
        };
        let client = door.and_then(|door| match &mut self.relays.get_mut(&door)?.stage {
            Stage::Open { link, client, .. } => Some((door, *link, client)),
            _ => None,
        });
        let said = client.filter(|_| !ports.is_empty());
        let said = said.and_then(|(door, link, client)| {
            let (request, bytes) = client.offer(cx.now, key, ports)?;
            cx.at_once(Output::Send { link, bytes });
            Some((door, request))
        });
        if let Some(relay) = self.relays.get_mut(&key) {
            relay.asked = said;
            if said.is_none() {
                relay.fail(cx, problems::relay_gone());
            }
        }
    }

    /// A relay says where another one is to be dialled.
    pub fn on_answered(&mut self, cx: &mut Cx, by: NodeKey, request: ReqId, at: SocketAddr) {
        // Nobody may name what is nearer to this device than they are.
        let door = self.relays.get(&by).map(|door| door.hint.address);
        let nearest = door.map(|ip| Group::of(ip).reach());
        let fits = reach(at.ip()).is_some_and(|reach| nearest.is_some_and(|near| reach >= near));
        let Some(relay) = self.take_asked(by, request) else {
            return;
        };
        let Stage::Dialling { token, deadline } = &mut relay.stage else {
            return;
        };
        if !fits {
            return relay.fail(cx, problems::relay_false());
        }
        let hint = RelayHint {
            address: at.ip(),
            port: at.port(),
            ..relay.hint
        };
        *deadline = cx.now.mono + WELCOME_MS_MAX;
        let to = DialTo::Hint(hint.encode());
        cx.at_once(Output::Dial { token: *token, to });
        relay.answered = Some(hint);
    }

    /// A relay does not lead to another one. False: that was not what it was asked.
    pub fn on_offer_refused(
        &mut self,
        cx: &mut Cx,
        by: NodeKey,
        request: ReqId,
        (why, detail): (Option<Refused>, u32),
    ) -> bool {
        let Some(relay) = self.take_asked(by, request) else {
            return false;
        };
        if why == Some(Refused::OverQuota) {
            // Nothing is wrong with it: others are led somewhere just now.
            let pause = u64::from(detail.min(OFFERS_WAIT_S_MAX)) * 1000;
            let until = cx.now.mono + pause + cx.visible.below(PAUSE_MS_MIN);
            relay.stage = Stage::Down { until };
            return true;
        }
        if why == Some(Refused::NoWay) {
            relay.through = None;
            if is_somewhere(&relay.hint) {
                relay.by_offer = false;
                relay.stage = Stage::Down { until: cx.now.mono };
                return true;
            }
        }
        relay.fail(cx, problems::relay_gone());
        true
    }

    /// The link to a relay is gone: it leads nowhere now.
    pub fn on_door_closed(&mut self, cx: &mut Cx, door: &NodeKey) {
        let asked = |r: &&mut Relay| r.asked.is_some_and(|(by, _)| by == *door);
        for relay in self.relays.values_mut().filter(asked) {
            relay.asked = None;
            relay.fail(cx, problems::relay_gone());
        }
    }

    /// Links over which others are led to.
    pub(super) fn doors(&self) -> Vec<(NodeKey, LinkId)> {
        let link = |(key, _): (&NodeKey, &Relay)| Some((*key, self.link_of(key)?));
        self.kept().filter_map(link).collect()
    }

    fn take_asked(&mut self, by: NodeKey, request: ReqId) -> Option<&mut Relay> {
        let asked = Some((by, request));
        let relay = self.relays.values_mut().find(|r| r.asked == asked)?;
        relay.asked = None;
        Some(relay)
    }
}
