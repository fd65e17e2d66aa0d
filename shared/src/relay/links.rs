//! Links from Hello to Bye: the handshake, what a frame is, pings, and what happens to a link that
//! sends rubbish.

use super::link::{Closed, Link, Phase, Unnumbered, count_close};
use super::{Relay, State};
use crate::io::{LinkId, Origin, Output, Token};
use crate::limits::{
    CONGESTED_MAX_MS, DEAD_AFTER_MS, HANDSHAKE_MS, MALFORMED_FRAMES_MAX, OFFERED_MAX,
    PING_AFTER_MS, YOUNG_STORE_MS,
};
use crate::wire::frame::LINK_VERSION;
use crate::wire::{Bye, Frame, FrameError, Refused, Welcome};

impl Relay {
    pub(super) fn on_link_up(
        &mut self,
        link: LinkId,
        dialled: Option<Token>,
        from: Origin,
        binding: [u8; 32],
    ) {
        if self.links.contains_key(&link) {
            return;
        }
        self.counters.links_opened += 1;
        let failed = matches!(self.state, State::Failed(_));
        let config = &self.config;
        let full = dialled.is_none() && self.links.len() >= config.links_max
            || !self.origins.add(
                from,
                config.links_per_network_max,
                config.links_per_address_max,
            );
        if full || failed {
            self.counters.links_over_limit += u64::from(full);
            if !full {
                self.origins.remove(from);
            }
            let reason = if full { Bye::Full } else { Bye::Leaving } as u8;
            self.send(link, 0, &Frame::Bye { reason });
            self.out.push_back(Output::Close { link });
            if let Some(token) = dialled {
                self.on_dial_failed(token);
            }
            return;
        }
        let deadline = self.now.mono + HANDSHAKE_MS;
        self.deadlines.insert((deadline, link));
        let state = Link::new(from, binding, self.now.mono, deadline);
        self.links.insert(link, state);
        if let Some(token) = dialled {
            self.on_dialled(link, token);
        }
    }

    pub(super) fn on_congested(&mut self, link: LinkId, congested: bool) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        if congested && !state.congested {
            state.congested_at = self.now.mono;
        }
        state.congested = congested;
        if congested {
            self.hungry.remove(&link);
            self.behind.remove(&link);
        } else {
            if state.watch.is_some() {
                self.behind.insert(link);
            }
            if state.is_hungry() {
                self.hungry.insert(link);
            }
        }
    }

    /// Forgets a link that is gone. Its puts go on, unanswered.
    pub(super) fn forget_link(&mut self, link: LinkId) {
        let Some(state) = self.links.remove(&link) else {
            return;
        };
        self.deadlines.remove(&(state.deadline, link));
        self.origins.remove(state.origin);
        self.hungry.remove(&link);
        self.behind.remove(&link);
        self.forget_borrow(link);
        self.forget_peer(link, state.phase);
    }

    /// Says good-bye and closes.
    pub(super) fn bye(&mut self, link: LinkId, reason: Bye) {
        let reason = reason as u8;
        self.send(link, 0, &Frame::Bye { reason });
        self.forget_link(link);
        self.out.push_back(Output::Close { link });
    }

    fn close(&mut self, link: LinkId, why: Closed) {
        count_close(&mut self.counters, why);
        let reason = match why {
            Closed::Idle => Bye::Idle,
            Closed::Version => Bye::Version,
            Closed::Network => Bye::Network,
            Closed::NoHello | Closed::Malformed => Bye::Malformed,
        };
        self.bye(link, reason);
    }

    pub(super) fn on_message(&mut self, link: LinkId, bytes: &[u8]) {
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.heard = self.now.mono;
        let phase = state.phase;
        self.counters.frames += 1;
        match Frame::parse(bytes) {
            Ok((request, frame)) => match phase {
                Phase::Open if self.peers.is_peer(link) => {
                    self.on_peer_frame(link, request, frame);
                }
                Phase::Open => self.on_frame(link, request, frame),
                Phase::Dialled { .. } | Phase::Shaking { .. } => {
                    self.on_dialled_frame(link, request, &frame);
                }
                Phase::New => self.on_hello(link, request, &frame),
                Phase::Waiting { .. } => self.on_early_frame(link, request, &frame),
            },
            Err(FrameError::TooLong) => {
                self.counters.frames_too_long += 1;
                self.close(link, Closed::Malformed);
            }
            Err(_) if phase == Phase::New => self.close(link, Closed::NoHello),
            Err(FrameError::Unknown { code, request }) => {
                self.counters.frames_unknown += 1;
                if code >= 0x10 {
                    self.refuse(link, request, Refused::UnknownRequest, 0);
                }
            }
            Err(FrameError::Malformed { request }) => self.on_malformed(link, request),
        }
    }

    /// Counts it, says so where there is a request to answer, closes the link at the 8th.
    pub(super) fn on_malformed(&mut self, link: LinkId, request: Option<u32>) {
        self.counters.frames_malformed += 1;
        if let Some(request) = request.filter(|r| *r != 0) {
            self.refuse(link, request, Refused::Malformed, 0);
        }
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.malformed += 1;
        if state.malformed >= MALFORMED_FRAMES_MAX {
            self.close(link, Closed::Malformed);
        }
    }

    fn on_hello(&mut self, link: LinkId, request: u32, frame: &Frame<'_>) {
        let Frame::Hello {
            version,
            network,
            nonce,
        } = *frame
        else {
            return match frame {
                Frame::Bye { .. } => self.leave(link),
                _ => self.close(link, Closed::NoHello),
            };
        };
        if version != LINK_VERSION {
            return self.close(link, Closed::Version);
        }
        if network != self.config.network {
            return self.close(link, Closed::Network);
        }
        if self.state == State::Running {
            self.welcome(link, request, &nonce);
        } else if let Some(state) = self.links.get_mut(&link) {
            state.phase = Phase::Waiting { request, nonce };
        }
    }

    pub(super) fn welcome(&mut self, link: LinkId, request: u32, nonce: &[u8; 32]) {
        let effort_floor = self.effort_floor();
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        state.phase = Phase::Open;
        self.counters.links_welcomed += 1;
        let welcome = Welcome {
            version: LINK_VERSION,
            network: self.config.network,
            node_key: [0; 32],
            time: self.now.unix,
            effort_floor,
            live_records: u32::try_from(self.index.records_len()).unwrap_or(u32::MAX),
            range: self.peers.swarm.range,
            signature: [0; 64],
        };
        let welcome = welcome.sign(&self.config.node_key, &state.binding, nonce);
        state.proof = welcome.signature;
        let young = self.now.unix.saturating_sub(self.made) < YOUNG_STORE_MS;
        if young {
            state.offers = OFFERED_MAX;
        }
        self.send(link, request, &Frame::Welcome(welcome));
        if young {
            // Clients may have what this store has never had, or lost.
            self.send(link, 0, &Frame::Ask);
        }
    }

    /// Before the Welcome a client waits.
    fn on_early_frame(&mut self, link: LinkId, request: u32, frame: &Frame<'_>) {
        match frame {
            Frame::Bye { .. } => self.leave(link),
            Frame::Ping { echo } => self.send(link, request, &Frame::Pong { echo: *echo }),
            Frame::Pong { .. } => {}
            _ => self.refuse(link, request, Refused::StoreFailed, 0),
        }
    }

    pub(super) fn leave(&mut self, link: LinkId) {
        self.forget_link(link);
        self.out.push_back(Output::Close { link });
    }

    fn on_frame(&mut self, link: LinkId, request: u32, frame: Frame<'_>) {
        let free = |state: &Link| state.is_free(request);
        let free = self.links.get(&link).is_some_and(free);
        match frame {
            // Those that are answered at once, and those that take their number.
            Frame::Scan { .. } | Frame::Watch { .. } if !free => {
                self.on_malformed(link, Some(request));
            }
            Frame::Bye { .. } => self.leave(link),
            Frame::Ping { echo } => self.send(link, request, &Frame::Pong { echo }),
            Frame::Pong { .. } => {}
            Frame::Put { header, body } => self.on_put(link, request, header, body),
            Frame::Scan { bucket, first } => self.on_scan(link, request, bucket, first),
            Frame::Get {
                bucket,
                bits,
                prefix,
            } => self.on_get(link, request, bucket, bits, prefix),
            Frame::Find { bits, prefix } => self.on_find(link, request, bits, prefix),
            Frame::Watch { mode } => self.on_watch(link, request, mode == 1),
            Frame::Relays { max, near } => self.on_relays(link, request, max, near),
            Frame::Offer { node_key, ports } if !self.peers.is_peer(link) => {
                self.on_offer(link, request, &node_key, ports);
            }
            Frame::Have { headers } if self.may_offer(link, headers.len()) => {
                self.on_have(link, headers);
            }
            Frame::Push { header, body } if self.may_push(link) => {
                self.on_push(link, header, body);
            }
            Frame::Peer {
                header,
                body,
                signature,
            } => self.on_peer(link, header, body, &signature),
            // A second Hello, what only relays say, and what only peers may say.
            Frame::Hello { .. }
            | Frame::Welcome(_)
            | Frame::Stored { .. }
            | Frame::Refused { .. }
            | Frame::ScanPage { .. }
            | Frame::Object { .. }
            | Frame::End { .. }
            | Frame::News { .. }
            | Frame::Lagged { .. }
            | Frame::Peered { .. }
            | Frame::Push { .. }
            | Frame::Have { .. }
            | Frame::Want { .. }
            | Frame::Relay { .. }
            | Frame::Offer { .. }
            | Frame::Answer { .. }
            | Frame::Undialled { .. }
            | Frame::Open { .. }
            | Frame::Ask
            | Frame::Floor { .. }
            | Frame::Reconcile { .. }
            | Frame::Reconciled { .. }
            | Frame::Need { .. } => self.on_malformed(link, Some(request)),
        }
    }

    /// A frame of a peer: what peers may say, and what anybody may.
    fn on_peer_frame(&mut self, link: LinkId, request: u32, frame: Frame<'_>) {
        match frame {
            Frame::Push { header, body } => self.on_push(link, header, body),
            Frame::Peered { header, body } => self.on_renewed(link, header, body),
            Frame::Have { headers } => self.on_have(link, headers),
            Frame::Want { ids } => self.on_want(link, ids),
            Frame::Relay { header, body } => self.on_named(link, request, header, body),
            Frame::Open { ip, ports } => self.on_open(link, request, ip, ports),
            Frame::Reconcile {
                salt,
                range,
                message,
            } => self.on_reconcile(link, request, (&salt, range), message),
            Frame::Reconciled { message } => self.on_reconciled(link, request, message),
            Frame::Need { last, salted } => self.on_need(link, request, last, salted),
            Frame::Stored { receipt, node_key } => {
                if !self.on_errand_stored(link, request, (receipt, node_key)) {
                    self.counters.errands_late += 1;
                }
            }
            Frame::Object { header, body, .. } => {
                if !self.on_errand_object(link, request, header, body) {
                    self.counters.errands_late += 1;
                }
            }
            Frame::End { .. } if self.on_errand_end(link, request) => {}
            Frame::End { .. } if self.on_let_in(link, request) => {}
            Frame::End { .. } => self.on_names_end(link, request),
            Frame::Refused { code, detail } => {
                let why = Refused::from_code(code);
                if !self.on_errand_refused(link, request, why, detail)
                    && !self.on_not_let_in(link, request, why, detail)
                {
                    self.on_names_end(link, request);
                    self.on_reconcile_refused(link, request);
                }
            }
            frame => self.on_frame(link, request, frame),
        }
    }

    /// Takes a request number, or says why not.
    pub(super) fn begin(&mut self, link: LinkId, request: u32) -> bool {
        let Some(state) = self.links.get_mut(&link) else {
            return false;
        };
        match state.begin(request) {
            Ok(()) => true,
            Err(Unnumbered::TooMany) => {
                self.refuse(link, request, Refused::TooManyRequests, 0);
                false
            }
            Err(Unnumbered::InUse) => {
                self.on_malformed(link, Some(request));
                false
            }
        }
    }

    /// Frees a request number if the link is still there.
    pub(super) fn finish(&mut self, link: LinkId, request: u32) -> bool {
        self.links
            .get_mut(&link)
            .is_some_and(|state| state.requests.remove(&request))
    }

    pub(super) fn close_idle(&mut self) {
        while let Some(&(at, link)) = self.deadlines.first() {
            if at > self.now.mono {
                return;
            }
            self.deadlines.remove(&(at, link));
            self.look_at(link);
        }
    }

    fn look_at(&mut self, link: LinkId) {
        let starting = self.state == State::Starting;
        let now = self.now.mono;
        let Some(state) = self.links.get_mut(&link) else {
            return;
        };
        let silent = now.saturating_sub(state.heard);
        let next = match state.phase {
            Phase::New => return self.close(link, Closed::Idle),
            _ if state.is_shaking() => return self.close(link, Closed::Idle),
            Phase::Waiting { .. } if starting => now + HANDSHAKE_MS,
            _ if silent >= DEAD_AFTER_MS => return self.close(link, Closed::Idle),
            // It speaks and does not read.
            _ if state.congested && now - state.congested_at >= CONGESTED_MAX_MS => {
                return self.close(link, Closed::Idle);
            }
            _ if state.congested => now + PING_AFTER_MS,
            _ if silent >= PING_AFTER_MS => {
                let echo = self.rng.u64();
                let bytes = Frame::Ping { echo }.encode(0);
                self.out.push_back(Output::Send { link, bytes });
                state.heard + DEAD_AFTER_MS
            }
            _ => state.heard + PING_AFTER_MS,
        };
        state.deadline = next;
        self.deadlines.insert((next, link));
    }
}
