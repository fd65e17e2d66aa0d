//! The address space is divided: relays that lie about what they keep, clients that want all.
use super::peers::{key, relay};
use super::*;
use crate::range::Range;
use crate::wire::Descriptor;
use alloc::vec;

/// A relay that keeps so many bits of what is around its position.
fn narrow(bits: u8) -> World {
    let mut world = relay();
    let swarm = &mut world.relay.peers.swarm;
    swarm.range = Range::of(swarm.position, bits);
    swarm.bits = bits;
    world.relay.made = 0;
    world
}

/// A range that this relay neither keeps nor lists.
fn far(world: &World) -> Range {
    Range::of(!world.relay.range().prefix(), 1)
}

/// One of which it keeps headers.
fn sibling(world: &World) -> Range {
    world.relay.range().siblings().next().unwrap()
}

/// A peer's descriptor that keeps so many bits around an address of a range.
fn descriptor_in(n: u8, bits: u8, within: Range, version: u64) -> (Header, Vec<u8>) {
    for at in 0..20_000u32 {
        let [_, _, a, b] = at.to_be_bytes();
        let descriptor = Descriptor {
            node_key: *key(n).public().as_bytes(),
            certificate: [n; 32],
            version: START.unix / 1000 + version,
            bits,
            effort_floor: 0,
            browsers: true,
            addresses: vec![([60 + a, b, 1, 1], 8420).into()],
        };
        let (header, body) = descriptor.sign(&key(n), START.unix, NETWORK);
        if within.has(descriptor.position(&header.front)) {
            return (header, body);
        }
    }
    unreachable!("no place in it")
}

impl World {
    /// A relay that keeps so many bits around an address of a range links as a peer.
    fn keeper(&mut self, link: u64, bits: u8, within: Range) {
        let proof = self.welcomed(link);
        let (header, body) = descriptor_in(link as u8, bits, within, 0);
        let signature = key(link as u8).sign(&[b"wm-peer", &[link as u8; 32], &proof]);
        let peer = Frame::Peer {
            header: &header.encode(),
            body: body.as_slice().try_into().unwrap(),
            signature,
        };
        self.message(link, &peer.encode(0));
        let frames = self.frames(link);
        let peered = |f: &Vec<u8>| matches!(parse(f).1, Frame::Peered { .. });
        assert!(frames.iter().any(peered));
    }

    /// It says something else of itself.
    fn renewed(&mut self, link: u64, bits: u8, within: Range, version: u64) {
        let (header, body) = descriptor_in(link as u8, bits, within, version);
        let peered = Frame::Peered {
            header: &header.encode(),
            body: body.as_slice().try_into().unwrap(),
        };
        self.message(link, &peered.encode(0));
    }
}

/// What is to be said changes while the descriptor that says something else is being made.
#[test]
fn a_range_taken_while_the_descriptor_is_made_is_told_by_the_next_one() {
    let mut world = relay();
    world.peer(1);
    world.renewed(1, 5, Range::ALL, 1);
    world.now.mono += 30_000;
    // Its addresses change at the moment when it looks around.
    let addresses = vec![([51, 1, 1, 1], 8420).into()];
    world.input(Input::Reachable { addresses });
    world.solve();
    world.advance(1_000);
    world.solve();
    assert_eq!(world.relay.range().bits(), 5);
}

/// A client knows of a range from the Welcome; what is listed no more it would wait for.
#[test]
fn clients_are_sent_away_when_less_is_listed() {
    let mut world = relay();
    world.keeper(1, 3, Range::ALL);
    world.client(100);
    world.advance(30_000);
    world.solve();
    assert_eq!(world.relay.range().bits(), 3);
    // All headers still come here.
    assert!(!world.is_closed(100));
    world.renewed(1, 6, Range::ALL, 1);
    world.frames(1);
    world.message(1, &Frame::Ping { echo: 0 }.encode(0));
    world.message(100, &Frame::Ping { echo: 0 }.encode(0));
    world.advance(30_000);
    world.solve();
    assert_eq!(world.relay.range().bits(), 6);
    assert!(world.is_closed(100) && !world.is_closed(1));
}
