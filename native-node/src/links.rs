//! Links of a node, over WebRTC and QUIC: those that came in and those it dialled. A relay's hint
//! is dialled over QUIC, and over WebRTC where that does not get through.
//!
//! Invariant: a link has one number in the whole process; addresses go no further than here.
//! PROTOCOL.md section 3.

use crate::quic::QuicPort;
use crate::rtc::{RtcDialer, RtcHint, RtcPort};
use crate::transport::{DialError, LinkEvent, SendError};
use bytes::Bytes;
use shared::book::{Reach, reach};
use shared::crypto::sha256;
use shared::io::{DialTo, Input, LinkId, Origin, Token};
use shared::wire::RelayHint;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Which of the three a link belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Came in over WebRTC.
    Port,
    /// Dialled over WebRTC.
    Dialer,
    /// Over QUIC, either way.
    Quic,
}

/// What a node has links over, each of them optional.
#[derive(Default)]
pub struct Sides {
    /// Dropped first: the port reads its socket.
    pub quic: Option<QuicPort>,
    pub port: Option<Arc<RtcPort>>,
    pub dialer: Option<RtcDialer>,
}

impl Sides {
    fn try_send(&self, link: LinkId, bytes: Bytes) -> Result<bool, SendError> {
        let (side, link) = side_of(link);
        let sent = match side {
            Side::Port => self.port.as_ref().map(|it| it.try_send(link, bytes)),
            Side::Dialer => self.dialer.as_ref().map(|it| it.try_send(link, bytes)),
            Side::Quic => self.quic.as_ref().map(|it| it.try_send(link, bytes)),
        };
        sent.unwrap_or(Err(SendError::NoLink))
    }

    fn close(&self, link: LinkId) {
        let (side, link) = side_of(link);
        match side {
            Side::Port => self.port.as_ref().map(|it| it.close(link)),
            Side::Dialer => self.dialer.as_ref().map(|it| it.close(link)),
            Side::Quic => self.quic.as_ref().map(|it| it.close(link)),
        };
    }

    /// Dials; with the hint to dial over WebRTC if that comes to nothing.
    fn dial(&self, to: &DialTo) -> Option<(LinkId, Option<RtcHint>)> {
        match to {
            DialTo::Hint(bytes) => {
                let hint = RelayHint::parse(bytes).ok()?;
                let address = SocketAddr::new(hint.address, hint.port);
                match self.dial_quic(address, Some(hint.certificate)) {
                    Some(link) => Some((link, Some(rtc_hint(&hint)))),
                    None => Some((self.dial_rtc(rtc_hint(&hint))?, None)),
                }
            }
            DialTo::Relay {
                address,
                certificate,
            } => Some((self.dial_quic(*address, *certificate)?, None)),
        }
    }

    fn dial_quic(&self, address: SocketAddr, certificate: Option<[u8; 32]>) -> Option<LinkId> {
        let link = self.quic.as_ref()?.dial(address, certificate);
        Some(number(Side::Quic, link))
    }

    fn dial_rtc(&self, hint: RtcHint) -> Option<LinkId> {
        Some(number(Side::Dialer, self.dialer.as_ref()?.dial(hint)))
    }
}

/// A dial under way.
struct Dial {
    token: Token,
    /// Dialled over WebRTC if this comes to nothing.
    otherwise: Option<RtcHint>,
}

/// All links of a node.
pub struct Links {
    sides: Sides,
    dials: HashMap<LinkId, Dial>,
    /// And where their other ends are.
    up: HashMap<LinkId, SocketAddr>,
    /// Of these, those of which the node knows that they are congested.
    congested: HashSet<LinkId>,
    origin_key: [u8; 32],
}

/// Numbers of the node's links from the numbers of the sides.
fn number(side: Side, link: LinkId) -> LinkId {
    let rest = match side {
        Side::Port => 0,
        Side::Dialer => 1,
        Side::Quic => 2,
    };
    LinkId(link.0 * 3 + rest)
}

fn side_of(link: LinkId) -> (Side, LinkId) {
    let side = match link.0 % 3 {
        0 => Side::Port,
        1 => Side::Dialer,
        _ => Side::Quic,
    };
    (side, LinkId(link.0 / 3))
}

impl Links {
    /// `origin_key` is a secret of the process, fresh at each start.
    pub fn new(sides: Sides, origin_key: [u8; 32]) -> Self {
        Self {
            sides,
            dials: HashMap::new(),
            up: HashMap::new(),
            congested: HashSet::new(),
            origin_key,
        }
    }

    /// Links that are up.
    pub fn len(&self) -> usize {
        self.up.len()
    }

    /// Whether none is up.
    pub fn is_empty(&self) -> bool {
        self.up.is_empty()
    }

    /// Dials; what comes at once instead of an answer is handed back.
    pub fn dial<C>(&mut self, token: Token, to: &DialTo) -> Option<Input<'static, C>> {
        let Some((link, otherwise)) = self.sides.dial(to) else {
            let error = DialError::Unsupported;
            return Some(Input::DialFailed { token, error });
        };
        self.dials.insert(link, Dial { token, otherwise });
        None
    }

    pub fn is_quic(&self, link: LinkId) -> bool {
        side_of(link).0 == Side::Quic
    }

    /// From which addresses two links come, `None` if one of them is gone.
    pub fn locate(&self, links: [LinkId; 2]) -> Option<[SocketAddr; 2]> {
        let [a, b] = links.map(|link| self.up.get(&link).copied());
        Some([a?, b?])
    }

    /// Lets in what comes from these addresses to the port at which links come in.
    pub fn knock(&self, to: &[SocketAddr]) {
        if let Some(port) = &self.sides.port {
            to.iter().for_each(|address| port.knock(*address));
        }
    }

    /// Sends one frame; a link that cannot take it is closed. What is handed back tells the node
    /// to pause before it has handed out everything.
    pub fn send<C>(&mut self, link: LinkId, bytes: Vec<u8>) -> Option<Input<'static, C>> {
        match self.sides.try_send(link, Bytes::from(bytes)) {
            Ok(true) if self.congested.insert(link) => {
                let congested = true;
                return Some(Input::LinkCongested { link, congested });
            }
            // `LinkDown` of a link that is gone is on its way.
            Ok(_) | Err(SendError::NoLink) => {}
            Err(error) => {
                tracing::debug!(link = link.0, %error, "closing a link");
                self.close(link);
            }
        }
        None
    }

    pub fn close(&self, link: LinkId) {
        self.sides.close(link);
    }

    /// Closes all links that are up, and names them.
    pub fn close_all(&self) -> Vec<LinkId> {
        self.up.keys().for_each(|link| self.close(*link));
        self.up.keys().copied().collect()
    }

    /// What an event of one side means to the node.
    pub fn input<'a, C>(&mut self, side: Side, event: &'a LinkEvent) -> Option<Input<'a, C>> {
        match event {
            LinkEvent::Up {
                link,
                remote,
                local_fingerprint,
                remote_fingerprint,
            } => {
                let link = number(side, *link);
                Some(self.on_up(link, *remote, local_fingerprint, remote_fingerprint))
            }
            LinkEvent::Message { link, bytes } => Some(Input::LinkMessage {
                link: number(side, *link),
                bytes,
            }),
            LinkEvent::Drained { link } => {
                let (link, congested) = (number(side, *link), false);
                self.congested.remove(&link);
                Some(Input::LinkCongested { link, congested })
            }
            LinkEvent::Down { link, reason } => {
                let link = number(side, *link);
                self.up.remove(&link);
                self.congested.remove(&link);
                tracing::debug!(link = link.0, ?reason, "link down");
                Some(Input::LinkDown { link })
            }
            LinkEvent::DialFailed { link, error } => {
                let dial = self.dials.remove(&number(side, *link))?;
                self.on_dial_failed(dial, *error)
            }
        }
    }

    fn on_dial_failed<C>(&mut self, dial: Dial, error: DialError) -> Option<Input<'static, C>> {
        let Dial { token, otherwise } = dial;
        // The certificate is the same over both.
        let again = otherwise.filter(|_| error != DialError::WrongCertificate);
        match again.and_then(|hint| self.sides.dial_rtc(hint)) {
            Some(link) => {
                let otherwise = None;
                self.dials.insert(link, Dial { token, otherwise });
                None
            }
            None => Some(Input::DialFailed { token, error }),
        }
    }

    fn on_up<C>(
        &mut self,
        link: LinkId,
        remote: SocketAddr,
        local: &[u8; 32],
        theirs: &[u8; 32],
    ) -> Input<'static, C> {
        let dialled = self.dials.remove(&link).map(|dial| dial.token);
        let (from, dialler, listener) = match dialled {
            None => (origin(&self.origin_key, remote.ip()), theirs, local),
            Some(_) => (Origin::default(), local, theirs),
        };
        self.up.insert(link, remote);
        tracing::debug!(link = link.0, "link up");
        Input::LinkUp {
            link,
            dialled,
            from,
            binding: sha256(&[b"wm-bind", dialler, listener]),
        }
    }
}

fn rtc_hint(hint: &RelayHint) -> RtcHint {
    let ice = hint.ice();
    RtcHint {
        address: SocketAddr::new(hint.address, hint.port),
        fingerprint: hint.certificate,
        ufrag: ice.ufrag,
        pwd: ice.pwd,
    }
}

/// Where a link came from, hashed. One IPv6 host has a whole /64, so that is its address.
fn origin(key: &[u8; 32], ip: IpAddr) -> Origin {
    let hashed = |bytes: &[u8]| {
        let [a, b, c, d, e, f, g, h, ..] = sha256(&[key, bytes]);
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    };
    let reach = reach(ip).unwrap_or(Reach::Public);
    match ip.to_canonical() {
        IpAddr::V4(v4) => Origin {
            reach,
            network: hashed(&v4.octets()[..3]),
            address: hashed(&v4.octets()),
        },
        IpAddr::V6(v6) => Origin {
            reach,
            network: hashed(&v6.octets()[..6]),
            address: hashed(&v6.octets()[..8]),
        },
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    #[test]
    fn numbers_never_clash() {
        let mut numbers = HashSet::new();
        for side in [Side::Port, Side::Dialer, Side::Quic] {
            for link in 1..5 {
                let number = number(side, LinkId(link));
                assert_eq!(side_of(number), (side, LinkId(link)));
                assert!(numbers.insert(number));
            }
        }
    }

    #[test]
    fn origins_group_neighbours_and_depend_on_the_process() {
        let of = |text: &str| origin(&[7; 32], text.parse().unwrap());
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"));
        assert_eq!(of("192.0.2.1").network, of("192.0.2.200").network);
        assert_ne!(of("192.0.2.1").address, of("192.0.2.200").address);
        assert_ne!(of("192.0.2.1").network, of("192.0.3.1").network);
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:3::4"));
        assert_eq!(of("2001:db8:1:2::1").network, of("2001:db8:1:3::1").network);
        assert_ne!(of("2001:db8:1:2::1").address, of("2001:db8:1:3::1").address);
        let other = origin(&[8; 32], "192.0.2.1".parse().unwrap());
        assert_ne!(of("192.0.2.1"), other);
    }
}
