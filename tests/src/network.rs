//! Relays of the world that know each other, and what is put at them.
//!
//! Invariant: a relay learns of another one as in life, by an address that somebody names.

use crate::host::{Host, NETWORK, Process, WORK_DIVISOR};
use crate::world::{At, World};
use shared::crypto::Rng;
use shared::io::{Finder, Input, LinkId, Origin};
use shared::object::pow;
use shared::relay::Relay;
use shared::wire::{Frame, Front, Header, Kind, Lifetime, SizeClass};

/// Somebody in a network of their own.
pub fn from(network: u64) -> Origin {
    Origin {
        network,
        address: network,
        ..Origin::default()
    }
}

/// Header and body.
pub type Object = (Header, Vec<u8>);

impl World {
    /// So many relays, `relay 0` and so on; each but the first is told of an earlier one.
    pub fn relays(&mut self, count: usize, told_of: impl Fn(usize) -> usize) -> Vec<At> {
        let relays: Vec<At> = (0..count)
            .map(|n| self.add_networked(&format!("relay {n}")))
            .collect();
        for n in 1..count {
            self.name_relay(relays[n], relays[told_of(n)]);
        }
        relays
    }

    /// The relay that runs there.
    pub fn relay(&self, at: At) -> &Relay {
        match &self.hosts[at].process {
            Process::Relay(relay) => relay,
            _ => panic!("no relay runs on {}", self.hosts[at].name),
        }
    }

    /// An envelope of 1 KiB with work.
    pub fn object(&self, rng: &mut Rng, effort: u8) -> Object {
        let body: Vec<u8> = (0..1024).map(|_| rng.u64() as u8).collect();
        let mut front = Front::from_now(
            self.now,
            Kind::Envelope,
            SizeClass::KIB_1,
            Lifetime::ENVELOPE,
            NETWORK,
        );
        front.effort = effort;
        front.address = rng.u64() as u32;
        let mut header = front.header(rng.array(), &body);
        let paid = |nonce: &u64| {
            pow::is_paid(
                &Header {
                    nonce: *nonce,
                    ..header
                },
                WORK_DIVISOR,
            )
        };
        header.nonce = (0..).find(paid).expect("a nonce");
        (header, body)
    }

    /// A relay that knows other relays, in a network group of its own.
    pub fn add_networked(&mut self, name: &str) -> At {
        self.add_relay(name, false)
    }

    /// The same, behind a NAT: it dials others, and nobody dials it.
    pub fn add_hidden(&mut self, name: &str) -> At {
        self.add_relay(name, true)
    }

    fn add_relay(&mut self, name: &str, hidden: bool) -> At {
        let mut host = Host::new(name, true);
        host.store_bytes = self.store_bytes;
        host.swarm_relays = self.swarm_relays;
        host.scan_wider_bits = self.scan_wider_bits;
        (host.hour_bytes, host.floor_raised) = (self.hour_bytes, self.floor_raised);
        let [_, _, a, b] = (self.hosts.len() as u32).to_be_bytes();
        host.address = ([20 + a, b, 0, 1], 8420).into();
        (host.networked, host.hidden) = (true, hidden);
        self.add_host(host)
    }

    /// An object is put at a relay by nobody in particular.
    pub fn put(&mut self, at: At, object: &Object) {
        self.put_from(at, object, Origin::default());
    }

    /// The same, from somewhere.
    pub fn put_from(&mut self, at: At, (header, body): &Object, from: Origin) {
        let now = self.now;
        self.next += 1;
        let link = LinkId(self.next * 2);
        let binding = [0; 32];
        let dialled = None;
        let header = &header.encode();
        let hello = Frame::Hello {
            version: 1,
            network: NETWORK,
            nonce: [0; 32],
        };
        let put = Frame::Put { header, body };
        self.hosts[at].input(
            now,
            Input::LinkUp {
                link,
                dialled,
                from,
                binding,
            },
        );
        for (request, frame) in [(0, hello), (1, put)] {
            let bytes = &frame.encode(request);
            self.hosts[at].input(now, Input::LinkMessage { link, bytes });
        }
        self.hosts[at].input(now, Input::LinkDown { link });
        self.drain(at);
    }

    /// A relay hears of another one, as a person would name it.
    pub fn name_relay(&mut self, at: At, other: At) {
        let now = self.now;
        let address = self.hosts[other].address;
        let by = Finder::Named;
        self.hosts[at].input(now, Input::Found { address, by });
        self.drain(at);
    }
}
