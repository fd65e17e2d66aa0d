#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

struct Session {
    started: Instant,
    proven: AtomicBool,
}

impl Session {
    fn prove(&self) {
        self.proven.store(true, Relaxed);
    }
}

impl HalfOpen for Arc<Session> {
    fn started(&self) -> Instant {
        self.started
    }

    fn is_proven(&self) -> bool {
        self.proven.load(Relaxed)
    }
}

struct World {
    sessions: Room<Arc<Session>>,
    now: Instant,
    next: u64,
    /// Ended, and still closing.
    ending: Vec<LinkId>,
}

fn world() -> World {
    World {
        sessions: Room::new(LinkLimits::default()),
        now: Instant::now(),
        next: 1,
        ending: Vec::new(),
    }
}

/// Each in a network of its own.
fn v4(number: u32) -> IpAddr {
    Ipv4Addr::from(0x0a00_0001 + (number << 8)).into()
}

/// The address of that number in an IPv4 /24, the /64 of that number in an IPv6 /48.
fn neighbours(number: u32) -> [IpAddr; 2] {
    let v6 = 0x2001_0db8_0007_u128 << 80 | u128::from(number) << 64 | 1;
    [
        Ipv4Addr::from(0xc000_0200 + number).into(),
        IpAddr::V6(v6.into()),
    ]
}

impl World {
    /// What the beginning of a handshake from `ip` leads to.
    fn open(&mut self, ip: IpAddr) -> Result<Arc<Session>, Full> {
        let victim = self.sessions.make_room(self.now, ip)?;
        self.ending.extend(victim);
        let session = Arc::new(Session {
            started: self.now,
            proven: AtomicBool::new(false),
        });
        self.sessions.add(LinkId(self.next), ip, session.clone());
        self.next += 1;
        Ok(session)
    }

    fn later(&mut self) {
        self.now += GRACE;
    }
}

#[test]
fn one_address_cannot_shut_the_others_out() {
    let mut world = world();
    let max = LinkLimits::default().half_open_per_address_max;
    // Handshakes that stop after the cookie, as many as one address gets.
    let opened = (0..500).filter(|_| {
        let opened = world.open(v4(1));
        opened.is_ok_and(|session| {
            session.prove();
            true
        })
    });
    assert_eq!(opened.count(), max);
    assert!(world.open(v4(2)).is_ok());
    world.later();
    assert!(world.open(v4(1)).is_err());
    // One IPv6 host has a whole /64.
    for host in 0..500_u128 {
        if let Ok(session) = world.open(IpAddr::V6((0x2001_0db8 << 96 | host).into())) {
            session.prove();
        }
    }
    assert!(world.sessions.half_open().count() <= 2 * max + 1);
}

#[test]
fn one_network_cannot_shut_the_others_out() {
    let max = LinkLimits::default().half_open_per_network_max;
    for family in 0..2 {
        let mut world = world();
        let mut open = |number| {
            let opened = world.open(neighbours(number)[family]);
            opened.is_ok_and(|session| {
                session.prove();
                true
            })
        };
        assert_eq!((0..250).filter(|number| open(*number)).count(), max);
        // They have had time, and keep their places.
        world.later();
        assert!(world.open(neighbours(251)[family]).is_err());
        assert!(world.open(v4(1)).is_ok());
    }
}

#[test]
fn what_was_begun_in_a_networks_name_gives_way_to_it() {
    let mut world = world();
    for number in 0..LinkLimits::default().half_open_per_network_max as u32 {
        world.open(neighbours(number)[0]).unwrap();
    }
    assert!(world.open(neighbours(250)[0]).is_err());
    world.later();
    assert!(world.open(neighbours(250)[0]).is_ok());
    assert_eq!(world.ending, [LinkId(1)]);
}

#[test]
fn a_network_of_many_addresses_gives_way_before_single_ones() {
    let mut world = world();
    // Older than all of the network's, and still not the ones to go.
    let limits = LinkLimits::default();
    let single = limits.half_open_max - limits.half_open_per_network_max;
    let addresses = (0..single as u32).map(v4);
    let many = (0..limits.half_open_per_network_max as u32).map(|n| neighbours(n)[1]);
    for ip in addresses.chain(many) {
        world.open(ip).unwrap().prove();
    }
    world.later();
    assert!(world.open(v4(1_000)).is_ok());
    assert_eq!(world.ending, [LinkId(single as u64 + 1)]);
}

#[test]
fn where_all_places_are_taken_the_largest_holder_gives_way() {
    let mut world = world();
    let limits = LinkLimits::default();
    for number in 0.. {
        let Ok(session) = world.open(v4(number / 10)) else {
            break;
        };
        session.prove();
    }
    assert_eq!(world.sessions.half_open().count(), limits.half_open_max);
    // Nobody has had time yet.
    assert!(world.open(v4(1_000)).is_err());
    world.later();
    for number in 0..50 {
        assert!(world.open(v4(1_000 + number)).is_ok(), "{number}");
    }
    assert_eq!(world.sessions.half_open().count(), limits.half_open_max);
}

#[test]
fn who_has_not_shown_that_it_receives_gives_way_first() {
    let mut world = world();
    for number in 0..LinkLimits::default().half_open_max as u32 {
        let session = world.open(v4(number)).unwrap();
        if number != 77 {
            session.prove();
        }
    }
    world.later();
    assert!(world.open(v4(1_000)).is_ok());
    assert_eq!(world.ending, [LinkId(78)]);
    // In its own address's name, too.
    let max = LinkLimits::default().half_open_per_address_max;
    let mut world = self::world();
    for _ in 0..max {
        world.open(v4(1)).unwrap();
    }
    world.later();
    assert!(world.open(v4(1)).is_ok());
    assert_eq!(world.ending, [LinkId(1)]);
}

#[test]
fn a_burst_is_bounded_even_while_what_gave_way_is_closing() {
    let mut world = world();
    let max = LinkLimits::default().half_open_max;
    for round in 0..3 {
        for number in 0..1_000 {
            let _ = world.open(v4(round * 1_000 + number));
        }
        world.later();
    }
    assert_eq!(world.sessions.half_open().count(), max);
    assert_eq!(world.ending.len(), max);
    // Each gave way once.
    world.ending.dedup();
    assert_eq!(world.ending.len(), max);
    // When they are gone there is room again.
    for gone in world.ending.drain(..) {
        world.sessions.remove(gone);
    }
    assert!(world.open(v4(9_000)).is_ok());
}

#[test]
fn what_is_closing_holds_a_place_of_its_address_and_none_of_the_half_open() {
    let mut world = world();
    let limits = LinkLimits::default();
    let max = limits.half_open_per_address_max;
    for _ in 0..limits.links_per_address_max / max {
        assert!(world.sessions.is_open_to(v4(1)));
        for _ in 0..max {
            world.open(v4(1)).unwrap().prove();
        }
        assert!(world.open(v4(1)).is_err());
        for (link, _) in world.sessions.iter() {
            world.ending.push(link);
        }
        for link in world.ending.drain(..) {
            world.sessions.on_closing(link);
        }
        assert_eq!(world.sessions.half_open().count(), 0);
    }
    assert!(!world.sessions.is_open_to(v4(1)));
    assert!(world.sessions.is_open_to(v4(2)));
    world.sessions.remove(LinkId(1));
    assert!(world.sessions.is_open_to(v4(1)));
}

#[test]
fn a_network_has_a_part_of_all_links() {
    let limits = LinkLimits::default();
    for family in 0..2 {
        let mut world = world();
        for number in 0..limits.links_per_network_max as u32 {
            let ip = neighbours(number % 250)[family];
            assert!(world.sessions.is_open_to(ip), "{number}");
            world.open(ip).unwrap();
            world.sessions.on_open(LinkId(u64::from(number) + 1));
        }
        assert!(!world.sessions.is_open_to(neighbours(251)[family]));
        assert!(world.sessions.is_open_to(v4(1)));
    }
}

#[test]
fn open_links_never_give_way() {
    let mut world = world();
    for number in 0..500 {
        world.open(v4(number)).unwrap();
        world.sessions.on_open(LinkId(u64::from(number) + 1));
    }
    world.later();
    assert!(world.open(v4(1)).is_ok());
    assert!(world.ending.is_empty());
    world.sessions.remove(LinkId(1));
    assert_eq!(world.sessions.iter().count(), 500);
}
