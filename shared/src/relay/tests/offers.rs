//! Clients are led to peers that nobody can dial; nobody is made to send to others, and offers take
//! bounded memory.
use super::peers::{address, key, relay};
use super::*;
use crate::io::{Finder, Origin};
use crate::limits::{
    OFFERS_MAX, OFFERS_OF_SOURCE_MAX, OPENS_MAX, OPENS_OF_ADDRESS_MAX, OPENS_OF_PEER_MAX,
};
use alloc::string::ToString;
use alloc::{format, vec};
use core::net::{IpAddr, SocketAddr};

const CLIENT: u64 = 100;

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

impl World {
    /// The questions where two links come from.
    fn locates(&mut self) -> Vec<(Token, [LinkId; 2])> {
        let mut found = Vec::new();
        self.effects.retain(|effect| match effect {
            Output::Locate { token, links } => {
                found.push((*token, *links));
                false
            }
            _ => true,
        });
        found
    }

    fn knocks(&mut self) -> Vec<SocketAddr> {
        let mut found = Vec::new();
        self.effects.retain(|effect| match effect {
            Output::Knock { to } => {
                found.extend(to);
                false
            }
            _ => true,
        });
        found
    }

    fn located(&mut self, addresses: Option<[&str; 2]>) {
        let (token, links) = self.locates()[0];
        assert_eq!(links, [LinkId(CLIENT), LinkId(1)]);
        let addresses = addresses.map(|addresses| addresses.map(at));
        self.input(Input::Located { token, addresses });
    }

    fn offer(&mut self, link: u64, request: u32, n: u8, ports: &[u16]) {
        let node_key = *key(n).public().as_bytes();
        let ports: Vec<[u8; 2]> = ports.iter().map(|port| port.to_le_bytes()).collect();
        let ports = &ports;
        self.message(link, &Frame::Offer { node_key, ports }.encode(request));
    }

    /// The reason in the only frame.
    fn refused(&mut self, link: u64) -> (Refused, u32) {
        let frames = self.frames(link);
        assert_eq!(frames.len(), 1);
        refusal(&frames[0])
    }

    fn open(&mut self, link: u64, ip: &str, port: u16) {
        let ip: IpAddr = ip.parse().unwrap();
        let ports = &[port.to_le_bytes()];
        self.message(link, &Frame::Open { ip, ports }.encode(7));
    }

    /// A peer that this relay dialled.
    fn dialled_peer(&mut self, link: u64, n: u8) {
        let address = address(n);
        let by = Finder::Named;
        self.input(Input::Found { address, by });
        self.advance(1_000);
        let (token, to) = self.dials()[0];
        assert_eq!(to, address);
        self.taken(link, token, n);
        self.frames(link);
    }
}

/// A relay with one peer that dialled it, on link 1, and a client.
fn led() -> World {
    let mut world = relay();
    world.peer(1);
    world.client(CLIENT);
    world.frames(1);
    world
}

/// The one frame sent on a link, as (request, ip, ports) of an Open.
fn opened(world: &mut World, link: u64) -> (u32, IpAddr, Vec<u16>) {
    let frames = world.frames(link);
    let opens: Vec<_> = frames
        .iter()
        .filter_map(|frame| match parse(frame) {
            (request, Frame::Open { ip, ports }) => {
                let ports = ports.iter().map(|port| u16::from_le_bytes(*port));
                Some((request, ip, ports.collect()))
            }
            _ => None,
        })
        .collect();
    assert_eq!(opens.len(), 1);
    opens[0].clone()
}

#[test]
fn a_client_is_led_to_a_peer() {
    let mut world = led();
    world.message(CLIENT, &Frame::Relays { max: 9, near: 0 }.encode(1));
    let frames = world.frames(CLIENT);
    assert!(matches!(parse(&frames[0]).1, Frame::Undialled { .. }));
    assert!(matches!(parse(&frames[1]).1, Frame::End { count: 1 }));
    world.offer(CLIENT, 2, 1, &[0, 9]);
    world.located(Some(["5.6.7.8:77", "1.2.3.4:8420"]));
    let (request, ip, ports) = opened(&mut world, 1);
    assert_eq!((ip.to_string(), ports), ("5.6.7.8".into(), vec![77, 9]));
    world.message(1, &Frame::End { count: 2 }.encode(request));
    let frames = world.frames(CLIENT);
    assert_eq!(frames.len(), 1);
    let address = at("1.2.3.4:8420");
    assert_eq!(parse(&frames[0]), (2, Frame::Answer { address }));
    // Said again it means nothing.
    world.message(1, &Frame::End { count: 2 }.encode(request));
    assert!(world.frames(CLIENT).is_empty());
    let counters = world.relay.counters();
    assert_eq!((counters.offers, counters.offers_answered), (1, 1));
}

#[test]
fn peers_are_not_told_of_those_that_nobody_dials_and_make_no_offers() {
    let mut world = led();
    world.peer(2);
    world.message(2, &Frame::Relays { max: 9, near: 0 }.encode(1));
    let frames = world.frames(2);
    assert!(matches!(
        parse(frames.last().unwrap()).1,
        Frame::End { count: 0 }
    ));
    let before = world.relay.counters().frames_malformed;
    world.offer(2, 2, 1, &[0]);
    assert_eq!(world.relay.counters().frames_malformed, before + 1);
    assert!(world.locates().is_empty());
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    // Nobody here has that key; the relay's own; that of one it dialled.
    for n in [77, 42, 9] {
        let mut world = led();
        if n == 9 {
            world.dialled_peer(50, 9);
        }
        world.offer(CLIENT, 1, n, &[0]);
        assert_eq!(world.refused(CLIENT), (Refused::NoWay, 0), "{n}");
    }
    // Other families of addresses; one that the client cannot dial; a link that is gone.
    for addresses in [
        Some(["5.6.7.8:77", "[2a00::1]:8420"]),
        Some(["5.6.7.8:77", "192.168.0.2:8420"]),
        Some(["[2a00::1]:77", "1.2.3.4:8420"]),
        None,
    ] {
        let mut world = led();
        world.offer(CLIENT, 1, 1, &[0]);
        world.located(addresses);
        assert_eq!(world.refused(CLIENT), (Refused::NoWay, 0));
        assert!(world.frames(1).is_empty());
    }
    // The peer says no, or why not now, or nothing, or leaves.
    for (code, detail, expected) in [
        (14, 3, (Refused::NoWay, 0)),
        (1, 0, (Refused::NoWay, 0)),
        (7, 30, (Refused::OverQuota, 30)),
    ] {
        let mut world = led();
        world.offer(CLIENT, 1, 1, &[0]);
        world.located(Some(["5.6.7.8:77", "1.2.3.4:8420"]));
        let (request, ..) = opened(&mut world, 1);
        world.message(1, &Frame::Refused { code, detail }.encode(request));
        assert_eq!(world.refused(CLIENT), expected);
    }
    let mut world = led();
    world.offer(CLIENT, 1, 1, &[0]);
    world.located(Some(["5.6.7.8:77", "1.2.3.4:8420"]));
    world.advance(5_000);
    assert_eq!(world.refused(CLIENT), (Refused::StoreFailed, 0));
    world.offer(CLIENT, 2, 1, &[0]);
    world.input(Input::LinkDown { link: LinkId(1) });
    assert_eq!(world.refused(CLIENT), (Refused::NoWay, 0));
    let counters = world.relay.counters();
    assert_eq!((counters.offers, counters.offers_in_vain), (2, 2));
    assert_eq!(counters.refused_no_way, 1);
}

#[test]
fn offers_are_few_on_a_link_and_bounded_in_all() {
    let mut world = led();
    world.offer(CLIENT, 1, 1, &[0]);
    world.offer(CLIENT, 2, 1, &[0]);
    assert_eq!(world.refused(CLIENT), (Refused::OverQuota, 5));
    // The number of one that is under way is in use.
    world.offer(CLIENT, 1, 1, &[0]);
    assert_eq!(world.refused(CLIENT).0, Refused::Malformed);
    // A source has so many in a minute, others have their own.
    let mut world = led();
    let offer = |world: &mut World, link: u64, network: u64| {
        let address = link;
        let from = Origin {
            address,
            ..from(network)
        };
        world.up_from(link, from);
        world.message(link, &client(link).hello());
        world.frames(link);
        world.offer(link, 1, 1, &[0]);
    };
    for link in 1_000..1_020 {
        offer(&mut world, link, 7);
    }
    assert_eq!(world.locates().len(), OFFERS_OF_SOURCE_MAX as usize);
    assert!(matches!(world.refused(1_019), (Refused::OverQuota, 1..=60)));
    // In all there are no more than that under way.
    for link in 2_000..2_000 + OFFERS_MAX as u64 {
        offer(&mut world, link, link);
    }
    let others = OFFERS_MAX - OFFERS_OF_SOURCE_MAX as usize;
    assert_eq!(world.locates().len(), others);
    let last = 2_000 + OFFERS_MAX as u64 - 1;
    assert_eq!(world.refused(last), (Refused::TooManyRequests, 0));
    // Who leaves is forgotten, and what comes then is of no use.
    world.input(Input::LinkDown {
        link: LinkId(1_000),
    });
    world.advance(5_000);
    let counters = world.relay.counters();
    assert_eq!(counters.offers_in_vain, 20 + OFFERS_MAX as u64);
    offer(&mut world, 3_000, 3_000);
    assert_eq!(world.locates().len(), 1);
}

#[test]
fn a_client_of_a_peer_that_was_dialled_is_let_in() {
    let mut world = relay();
    world.dialled_peer(50, 9);
    world.open(50, "5.6.7.8", 77);
    assert_eq!(world.knocks(), [at("5.6.7.8:77")]);
    let frames = world.frames(50);
    assert_eq!(parse(&frames[0]), (7, Frame::End { count: 1 }));
    // What is nearer than the peer, and what is nobody's.
    for ip in [
        "192.168.0.1",
        "127.0.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "203.0.113.5",
        "fe80::1",
    ] {
        world.open(50, ip, 77);
        assert_eq!(world.refused(50), (Refused::NoWay, 0), "{ip}");
    }
    // Who dialled this relay can be dialled by others just as well.
    world.peer(1);
    world.frames(1);
    world.open(1, "5.6.7.8", 77);
    assert_eq!(world.refused(1), (Refused::NoWay, 0));
    // And nobody else may say it.
    world.client(CLIENT);
    world.open(CLIENT, "5.6.7.8", 77);
    assert_eq!(world.refused(CLIENT).0, Refused::Malformed);
    assert!(world.knocks().is_empty());
    let counters = world.relay.counters();
    assert_eq!((counters.opens, counters.opens_refused), (1, 7));
}

#[test]
fn few_are_let_in_for_one_address_one_peer_and_all() {
    let mut world = relay();
    for n in 1..=8u8 {
        world.dialled_peer(n.into(), n);
    }
    let all = |world: &mut World| {
        let mut let_in = Vec::new();
        for n in 1..=8u8 {
            for turn in 0..30u8 {
                world.open(n.into(), &format!("5.6.{n}.{turn}"), 77);
                world.open(n.into(), "5.7.7.7", 77);
            }
            let_in.push(world.knocks());
        }
        let_in
    };
    let let_in = all(&mut world);
    let same = let_in[0].iter().filter(|to| **to == at("5.7.7.7:77"));
    assert_eq!(same.count(), OPENS_OF_ADDRESS_MAX as usize);
    let counts: Vec<u32> = let_in.iter().map(|to| to.len() as u32).collect();
    assert_eq!(counts[0], OPENS_OF_PEER_MAX);
    assert_eq!(counts.iter().sum::<u32>(), OPENS_MAX);
    world.frames(8);
    world.open(8, "5.8.8.8", 77);
    assert!(matches!(world.refused(8), (Refused::OverQuota, 1..=60)));
    for _ in 0..3 {
        world.advance(20_000);
        (1..=8).for_each(|link| world.message(link, &Frame::Pong { echo: 0 }.encode(0)));
    }
    assert_eq!(all(&mut world).iter().flatten().count(), OPENS_MAX as usize);
}
