//! Links of the world: dialled, delayed, broken, cut, and looked at.
//!
//! Invariant: a link keeps the order of its frames but where a fault lets one overtake.

use crate::host::Host;
use crate::world::{At, Coming, End, Found, Seen, World};
use account::api::Event;
use core::net::SocketAddr;
use shared::crypto::sha256;
use shared::io::{DialTo, LinkId, Origin, Token};
use shared::wire::RelayHint;

impl World {
    /// Separates or reunites two hosts.
    pub fn set_cut(&mut self, a: At, b: At, cut: bool) {
        self.cut.retain(|pair| *pair != (a, b) && *pair != (b, a));
        if cut {
            self.cut.push((a, b));
            let broken: Vec<LinkId> = self
                .links
                .iter()
                .filter(|(_, e)| (e.host, e.peer) == (a, b))
                .map(|(l, _)| *l)
                .collect();
            for link in broken {
                self.break_link(link);
            }
        }
    }

    pub(crate) fn is_cut(&self, a: At, b: At) -> bool {
        self.cut.contains(&(a, b)) || self.cut.contains(&(b, a))
    }

    pub(crate) fn break_link(&mut self, link: LinkId) {
        // Both ends have the same number, told apart by its lowest bit.
        for end in [link, LinkId(link.0 ^ 1)] {
            if let Some(gone) = self.links.remove(&end) {
                let delay = self.rng.below(50);
                self.push(gone.host, delay, Coming::Down { link: end });
            }
        }
    }

    pub(crate) fn dial(&mut self, at: At, token: Token, to: &DialTo) {
        let hint = match to {
            DialTo::Hint(hint) => RelayHint::parse(hint).ok(),
            DialTo::Relay { .. } => None,
        };
        let is_wanted = |host: &Host| match to {
            DialTo::Hint(_) => hint.is_some_and(|hint| {
                let theirs = host.hint;
                let at = (hint.address, hint.port);
                let here = (host.address.ip(), host.address.port());
                let reached = at == (theirs.address, theirs.port) || at == here;
                reached
                    && (hint.node_key, hint.certificate) == (theirs.node_key, theirs.certificate)
            }),
            DialTo::Relay {
                address,
                certificate,
            } => {
                let theirs = host.hint.certificate;
                host.networked
                    && host.address == *address
                    && certificate.is_none_or(|certificate| certificate == theirs)
            }
        };
        // Where relays were first; what has moved since is looked for among all.
        let key = match to {
            DialTo::Hint(_) => hint.map(|hint| Found::Certificate(hint.certificate)),
            DialTo::Relay { address, .. } => Some(Found::Address(*address)),
        };
        let first = key.and_then(|key| self.found.get(&key).copied());
        let is_it = |host: &Host| host.is_relay && is_wanted(host);
        let relay = first
            .filter(|at| is_it(&self.hosts[*at]))
            .or_else(|| self.hosts.iter().position(is_it));
        let reached = relay.filter(|relay| self.hosts[*relay].is_up() && !self.is_cut(at, *relay));
        let from = self.hosts[at].address;
        let reached = reached.filter(|relay| {
            let host = &mut self.hosts[*relay];
            !host.hidden || host.let_in.remove(&from)
        });
        let Some(relay) = reached else {
            return self.push(at, 3_000, Coming::DialFailed { token });
        };
        self.next += 1;
        let (mine, theirs) = (LinkId(self.next * 2), LinkId(self.next * 2 + 1));
        let delay = self.between(self.faults.delay_ms);
        let next = self.now + delay;
        self.links.insert(
            mine,
            End {
                host: at,
                peer: relay,
                next,
            },
        );
        self.links.insert(
            theirs,
            End {
                host: relay,
                peer: at,
                next,
            },
        );
        let binding = sha256(&[b"binding", &self.next.to_le_bytes()]);
        let from = Origin {
            network: at as u64,
            address: at as u64,
            ..Origin::default()
        };
        let up = |link, dialled, from| Coming::Up {
            link,
            dialled,
            binding,
            from,
        };
        self.push(relay, delay, up(theirs, None, from));
        self.push(at, delay, up(mine, Some(token), Origin::default()));
    }

    /// Where two links of a host come from.
    pub(crate) fn locate(&self, links: [LinkId; 2]) -> Option<[SocketAddr; 2]> {
        let [a, b] = links.map(|link| Some(self.hosts[self.links.get(&link)?.peer].address));
        Some([a?, b?])
    }

    pub(crate) fn send(&mut self, at: At, link: LinkId, bytes: Vec<u8>) {
        let Some(end) = self.links.get(&link).copied() else {
            return;
        };
        if end.host != at {
            return;
        }
        let bytes = match self.lie {
            Some(lie) if self.liars.is_empty() || self.liars.contains(&at) => {
                match lie(at, end.peer, bytes) {
                    Some(bytes) => bytes,
                    None => return,
                }
            }
            _ => bytes,
        };
        let code = bytes.first().copied().unwrap_or(0);
        let size = bytes.len() as u64;
        *self.bytes.entry(code).or_default() += size;
        let is_person = |host: At| !self.hosts[host].is_relay;
        let with_person = is_person(at) || is_person(end.peer);
        let (bytes_so_far, frames) = self.flows.entry((with_person, code)).or_default();
        (*bytes_so_far, *frames) = (*bytes_so_far + size, *frames + 1);
        for host in [at, end.peer] {
            *self.traffic.entry(host).or_default() += size;
        }
        if self.one_in(self.faults.breaks_one_in) {
            return self.break_link(link);
        }
        if self.seen.is_some() {
            let shown = if self.leak {
                self.leaky(at, bytes.clone())
            } else {
                bytes.clone()
            };
            let to_relay = self.hosts[end.peer].is_relay;
            let client = if to_relay { at } else { end.peer };
            let seen = Seen {
                at_ms: self.now,
                client,
                to_relay,
                bytes: shown,
            };
            self.seen.get_or_insert_default().push(seen);
        }
        let other = LinkId(link.0 ^ 1);
        let is_object = bytes.first() == Some(&0x23);
        let mut time = self.now + self.between(self.faults.delay_ms);
        let overtakes = is_object && self.one_in(self.faults.overtakes_one_in);
        if let Some(peer) = self.links.get_mut(&other)
            && !overtakes
        {
            time = time.max(peer.next);
            peer.next = time;
        }
        let delay = time - self.now;
        if is_object && self.one_in(self.faults.doubles_one_in) {
            self.push(
                end.peer,
                delay,
                Coming::Frame {
                    link: other,
                    bytes: bytes.clone(),
                },
            );
        }
        self.push(end.peer, delay, Coming::Frame { link: other, bytes });
    }

    /// A put as a careless build would make it: anybody who knows a name finds that person's mail.
    pub(crate) fn leaky(&self, at: At, mut bytes: Vec<u8>) -> Vec<u8> {
        let recipient = self.hosts[at]
            .events
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Contact { contact } => Some(contact.contact.clone()),
                _ => None,
            });
        let (Some(name), Some(0x10)) = (recipient, bytes.first()) else {
            return bytes;
        };
        let is_envelope = bytes.get(5).is_some_and(|kind| kind & 0x0f == 0);
        if let Some(address) = bytes.get_mut(13..17).filter(|_| is_envelope) {
            address.copy_from_slice(&sha256(&[name.as_bytes()])[..4]);
        }
        bytes
    }
}

/// A lie of the first host, a relay: it refuses what it has stored, for that reason.
pub fn refusing<const CODE: u8, const DETAIL: u32>(
    from: At,
    _: At,
    bytes: Vec<u8>,
) -> Option<Vec<u8>> {
    if from != 0 || bytes[0] != 0x11 {
        return Some(bytes);
    }
    let mut answer = vec![0x12];
    answer.extend_from_slice(&bytes[1..5]);
    answer.push(CODE);
    answer.extend_from_slice(&DETAIL.to_le_bytes());
    Some(answer)
}
