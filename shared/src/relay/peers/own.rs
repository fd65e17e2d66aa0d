//! This relay's own descriptor: made with work when its addresses change, and each day.

use super::shake::split;
use crate::io::{Output, Token};
use crate::limits::DESCRIPTOR_AHEAD_S;
use crate::object::pow;
use crate::relay::Relay;
use crate::time::{Millis, Now};
use crate::wire::descriptor::ADDRESSES_MAX;
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Descriptor, Frame, Header};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How long a descriptor is used before another one is made.
const RENEW_MS: Millis = 24 * 3_600_000;

/// A clock that is so far from where it should be was set.
const CLOCK_SET_MS: Millis = 3_600_000;

/// A descriptor as objects are sent: header || body.
pub(super) type RawDescriptor = Vec<u8>;

/// This relay's descriptor and the one being worked on.
#[derive(Debug, Default)]
pub(super) struct Own {
    /// `None` until they are told.
    addresses: Option<Vec<SocketAddr>>,
    solving: Option<(Token, Header, Vec<u8>)>,
    ready: Option<RawDescriptor>,
    renew_at: Millis,
    version: u64,
    /// The effort floor that it says.
    floor: u8,
    /// When it was made.
    made: Now,
}

impl Own {
    /// Whether the shell said where this relay is reachable.
    pub fn is_told(&self) -> bool {
        self.addresses.is_some()
    }

    /// What the shell said; nothing before it did.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.addresses.as_deref().unwrap_or_default()
    }

    /// Header and body, when the work is done.
    pub fn ready(&self) -> Option<&RawDescriptor> {
        self.ready.as_ref()
    }

    /// The effort floor that the descriptor says, once there is one.
    pub fn floor_said(&self) -> Option<u8> {
        self.ready.is_some().then_some(self.floor)
    }

    /// It is to say something else, as soon as it is made.
    pub fn renew(&mut self, now: Millis) {
        self.renew_at = now;
    }

    pub fn next_time(&self) -> Millis {
        match (&self.addresses, &self.solving) {
            (Some(_), None) => self.renew_at,
            _ => Millis::MAX,
        }
    }
}

impl Relay {
    pub(in crate::relay) fn on_reachable(&mut self, mut addresses: Vec<SocketAddr>) {
        addresses.truncate(ADDRESSES_MAX);
        let own = &mut self.peers.own;
        if own.addresses.as_ref() == Some(&addresses) {
            return;
        }
        let node_key = *self.config.node_key.public().as_bytes();
        self.peers.book.set_own(&addresses, node_key);
        own.addresses = Some(addresses);
        own.renew_at = self.now.mono;
        if let Some((token, ..)) = own.solving.take() {
            self.out.push_back(Output::CancelSolve { token });
        }
    }

    /// Makes a new descriptor when it is time.
    pub(super) fn renew_descriptor(&mut self) {
        let said = self.peers.own.floor_said();
        let is_other_floor = said.is_some_and(|said| self.floor_is_to_be_told(said));
        let own = &self.peers.own;
        // Others refuse what a clock that was wrong dated.
        let was_set = own.ready.is_some() && self.now.jump_since(&own.made) > CLOCK_SET_MS;
        let is_due = own.next_time() <= self.now.mono
            || (was_set || is_other_floor) && own.solving.is_none();
        if !is_due {
            return;
        }
        let floor = self.effort_floor();
        let own = &mut self.peers.own;
        let now_s = self.now.unix / 1000;
        // A clock that was ahead is forgotten.
        let last = own.version.min(now_s + DESCRIPTOR_AHEAD_S / 2);
        own.version = now_s.max(last + 1);
        own.made = self.now;
        // What is to be said otherwise while it is being made is said by the next one.
        own.renew_at = self.now.mono + RENEW_MS;
        own.floor = floor;
        let descriptor = Descriptor {
            node_key: *self.config.node_key.public().as_bytes(),
            certificate: self.config.certificate,
            version: own.version,
            bits: self.peers.swarm.bits,
            effort_floor: floor,
            browsers: self.config.browsers,
            addresses: own.addresses.clone().unwrap_or_default(),
        };
        let (header, body) =
            descriptor.sign(&self.config.node_key, self.now.unix, self.config.network);
        let work = pow::work(&header, self.config.work_divisor);
        let token = self.next_token();
        self.out.push_back(Output::Solve {
            token,
            prefix: header.prefix(),
            target: pow::target(work),
            expected: work,
        });
        self.peers.own.solving = Some((token, header, body));
    }

    pub(in crate::relay) fn on_solved(&mut self, token: Token, nonce: u64) {
        let own = &mut self.peers.own;
        let Some((_, mut header, body)) = own.solving.take_if(|(t, ..)| *t == token) else {
            return;
        };
        header.nonce = nonce;
        if !pow::is_paid(&header, self.config.work_divisor) {
            // A shell that is wrong is asked again.
            own.renew_at = self.now.mono;
            return;
        }
        let mut raw = Vec::with_capacity(HEADER_BYTES + body.len());
        raw.extend_from_slice(&header.encode());
        raw.extend_from_slice(&body);
        let bytes = split(&raw).map(|(header, body)| Frame::Peered { header, body }.encode(0));
        own.ready = Some(raw);
        let read = Descriptor::read(&header, &body).ok();
        let peers = self.peers.links.keys();
        let told = peers.filter_map(|link| Some((*link, bytes.clone()?)));
        let told = told.map(|(link, bytes)| Output::Send { link, bytes });
        self.out.extend(told);
        if let Some(descriptor) = read {
            let position = descriptor.position(&header.front);
            self.on_range(position, descriptor.range(&header.front));
        }
        self.take_waiting_peers();
    }
}
