//! Links of a node: those that came in over the port, and those it dialled.
//!
//! Invariant: a link has one number in the whole process; addresses go no further than here.
//! PROTOCOL.md section 3.

use crate::rtc::{DialError, RtcDialer, RtcEvent, RtcHint, RtcPort, SendError};
use bytes::Bytes;
use shared::book::Group;
use shared::crypto::sha256;
use shared::io::{DialTo, Input, LinkId, Origin, Token};
use shared::wire::RelayHint;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Which of the two a link belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Port,
    Dialer,
}

/// The port and the dialler of a node, either of them optional.
pub struct Links {
    port: Option<Arc<RtcPort>>,
    dialer: Option<RtcDialer>,
    dials: HashMap<LinkId, Token>,
    up: HashSet<LinkId>,
    /// Of these, those of which the node knows that they are congested.
    congested: HashSet<LinkId>,
    origin_key: [u8; 32],
}

/// Numbers of the node's links from the numbers of the two sides.
fn number(side: Side, link: LinkId) -> LinkId {
    match side {
        Side::Port => LinkId(link.0 * 2),
        Side::Dialer => LinkId(link.0 * 2 + 1),
    }
}

fn side_of(link: LinkId) -> (Side, LinkId) {
    let side = match link.0 % 2 {
        0 => Side::Port,
        _ => Side::Dialer,
    };
    (side, LinkId(link.0 / 2))
}

impl Links {
    /// `origin_key` is a secret of the process, fresh at each start.
    pub fn new(
        port: Option<Arc<RtcPort>>,
        dialer: Option<RtcDialer>,
        origin_key: [u8; 32],
    ) -> Self {
        Self {
            port,
            dialer,
            dials: HashMap::new(),
            up: HashSet::new(),
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
        let hint = match to {
            DialTo::Hint(bytes) => RelayHint::parse(bytes).ok(),
            DialTo::Relay { .. } => None,
        };
        match (&self.dialer, hint) {
            (Some(dialer), Some(hint)) => {
                let link = dialer.dial(rtc_hint(&hint));
                self.dials.insert(link, token);
                None
            }
            _ => Some(Input::DialFailed {
                token,
                error: DialError::Unsupported,
            }),
        }
    }

    /// Sends one frame; a link that cannot take it is closed. What is handed back tells the node
    /// to pause before it has handed out everything.
    pub fn send<C>(&mut self, link: LinkId, bytes: Vec<u8>) -> Option<Input<'static, C>> {
        let bytes = Bytes::from(bytes);
        let sent = match (side_of(link), &self.port, &self.dialer) {
            ((Side::Port, link), Some(port), _) => port.try_send(link, bytes),
            ((Side::Dialer, link), _, Some(dialer)) => dialer.try_send(link, bytes),
            _ => Err(SendError::NoLink),
        };
        match sent {
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
        match (side_of(link), &self.port, &self.dialer) {
            ((Side::Port, link), Some(port), _) => port.close(link),
            ((Side::Dialer, link), _, Some(dialer)) => dialer.close(link),
            _ => {}
        }
    }

    /// Closes all links that are up, and names them.
    pub fn close_all(&self) -> Vec<LinkId> {
        self.up.iter().for_each(|link| self.close(*link));
        self.up.iter().copied().collect()
    }

    /// What an event of one side means to the node.
    pub fn input<'a, C>(&mut self, side: Side, event: &'a RtcEvent) -> Option<Input<'a, C>> {
        match event {
            RtcEvent::Up {
                link,
                remote,
                local_fingerprint,
                remote_fingerprint,
            } => Some(self.on_up(side, *link, *remote, local_fingerprint, remote_fingerprint)),
            RtcEvent::Message { link, bytes } => Some(Input::LinkMessage {
                link: number(side, *link),
                bytes,
            }),
            RtcEvent::Drained { link } => {
                let (link, congested) = (number(side, *link), false);
                self.congested.remove(&link);
                Some(Input::LinkCongested { link, congested })
            }
            RtcEvent::Down { link, reason } => {
                let link = number(side, *link);
                self.up.remove(&link);
                self.congested.remove(&link);
                tracing::debug!(link = link.0, ?reason, "link down");
                Some(Input::LinkDown { link })
            }
            RtcEvent::DialFailed { link, error } => {
                let token = self.dials.remove(link)?;
                Some(Input::DialFailed {
                    token,
                    error: *error,
                })
            }
        }
    }

    fn on_up<C>(
        &mut self,
        side: Side,
        link: LinkId,
        remote: SocketAddr,
        local: &[u8; 32],
        theirs: &[u8; 32],
    ) -> Input<'static, C> {
        let (dialled, from, dialler, listener) = match side {
            Side::Port => (None, origin(&self.origin_key, remote.ip()), theirs, local),
            Side::Dialer => {
                let token = self.dials.remove(&link);
                (token, Origin::default(), local, theirs)
            }
        };
        let link = number(side, link);
        self.up.insert(link);
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
    let reach = Group::of(ip).reach();
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
        for side in [Side::Port, Side::Dialer] {
            for link in 1..5 {
                assert_eq!(side_of(number(side, LinkId(link))), (side, LinkId(link)));
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
