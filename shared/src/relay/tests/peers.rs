//! Relays that lie, forge, replay and flood: each costs its own link, and bounded memory.
use super::*;
use crate::io::{DialTo, Finder, Origin};
use crate::limits::{
    HAVE_HEADERS_MAX, PEERS_DIALLED, PEERS_OF_NETWORK_MAX, PEERS_TAKEN_MAX, RECONCILED_AT_ONCE_MAX,
    WANTED_OF_PEER_MAX,
};
use crate::wire::{Bye, Descriptor};
use alloc::vec;
use core::net::SocketAddr;

pub(super) fn address(n: u8) -> SocketAddr {
    ([n, 1, 1, 1], 8420).into()
}

/// A relay that knows where it is reachable and has its descriptor.
pub(super) fn relay() -> World {
    relay_of(config())
}

pub(super) fn relay_of(config: RelayConfig) -> World {
    let mut world = World::new(config, Disk::default());
    world.input(Input::Reachable {
        addresses: vec![address(50)],
    });
    world.solve();
    world
}

impl World {
    /// Hands in the solution of every puzzle: with a work of 1 any nonce will do.
    pub(super) fn solve(&mut self) {
        while let Some(at) = self
            .effects
            .iter()
            .position(|e| matches!(e, Output::Solve { .. }))
        {
            let Some(Output::Solve { token, .. }) = self.effects.remove(at) else {
                return;
            };
            self.input(Input::Solved { token, nonce: 0 });
        }
    }

    pub(super) fn dials(&mut self) -> Vec<(Token, SocketAddr)> {
        let mut dials = Vec::new();
        self.effects.retain(|effect| match effect {
            Output::Dial {
                token,
                to: DialTo::Relay { address, .. },
            } => {
                dials.push((*token, *address));
                false
            }
            _ => true,
        });
        dials
    }

    /// The signature of the Welcome on a new link.
    pub(super) fn welcomed(&mut self, link: u64) -> [u8; 64] {
        self.welcomed_from(link, link)
    }

    fn welcomed_from(&mut self, link: u64, network: u64) -> [u8; 64] {
        self.up_from(link, from(network));
        self.message(link, &client(link).hello());
        let frames = self.frames(link);
        match parse(&frames[0]).1 {
            Frame::Welcome(welcome) => welcome.signature,
            other => unreachable!("{other:?}"),
        }
    }

    /// A peer with a key of its own.
    pub(super) fn peer(&mut self, link: u64) {
        let proof = self.welcomed(link);
        let frame = peer_frame(link, link as u8, &proof, |_| ());
        self.message(link, &frame);
        assert!(matches!(
            parse(&self.frames(link)[0]).1,
            Frame::Peered { .. }
        ));
    }

    /// A dial reaches the relay with this key, which signs for the link `binding`.
    fn answered(&mut self, link: u64, token: Token, n: u8, binding: u8) {
        self.input(Input::LinkUp {
            link: LinkId(link),
            dialled: Some(token),
            from: Origin::default(),
            binding: [link as u8; 32],
        });
        let hello = self.frames(link);
        let Frame::Hello { nonce, .. } = parse(&hello[0]).1 else {
            unreachable!()
        };
        let welcome = crate::wire::Welcome {
            version: 1,
            network: NETWORK,
            node_key: [0; 32],
            time: START.unix,
            effort_floor: 0,
            live_records: 0,
            range: crate::range::Range::ALL,
            signature: [0; 64],
        };
        let welcome = welcome.sign(&key(n), &[binding; 32], &nonce);
        self.message(link, &Frame::Welcome(welcome).encode(0));
    }

    /// The same, and it takes this relay as a peer.
    pub(super) fn taken(&mut self, link: u64, token: Token, n: u8) {
        self.answered(link, token, n, link as u8);
        let (header, body) = descriptor(n).sign(&key(n), START.unix, NETWORK);
        let peered = Frame::Peered {
            header: &header.encode(),
            body: body.as_slice().try_into().unwrap(),
        };
        self.message(link, &peered.encode(0));
    }

    pub(super) fn is_closed(&self, link: u64) -> bool {
        self.closed.contains(&LinkId(link))
    }

    pub(super) fn bye_of(&mut self, link: u64) -> Option<Bye> {
        let frames = self.frames(link);
        match parse(frames.last()?).1 {
            Frame::Bye { reason } => Some(Bye::from_code(reason)),
            _ => None,
        }
    }
}

pub(super) fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

fn descriptor(n: u8) -> Descriptor {
    Descriptor {
        node_key: *key(n).public().as_bytes(),
        certificate: [n; 32],
        version: START.unix / 1000,
        bits: 0,
        effort_floor: 0,
        browsers: true,
        addresses: vec![address(n)],
    }
}

fn peer_frame(link: u64, n: u8, proof: &[u8; 64], change: fn(&mut Descriptor)) -> Vec<u8> {
    let mut descriptor = descriptor(n);
    change(&mut descriptor);
    let (header, body) = descriptor.sign(&key(n), START.unix, NETWORK);
    let signature = key(n).sign(&[b"wm-peer", &[link as u8; 32], proof]);
    Frame::Peer {
        header: &header.encode(),
        body: body.as_slice().try_into().unwrap(),
        signature,
    }
    .encode(0)
}

#[test]
fn a_relay_proves_itself_over_this_link_and_no_other() {
    let mut world = relay();
    world.peer(1);
    assert_eq!(world.relay.status().peers, 1);
    // The proof of another link.
    let proof = world.welcomed(2);
    world.welcomed(3);
    world.message(3, &peer_frame(3, 3, &proof, |_| ()));
    assert!(world.is_closed(3));
    world.message(2, &peer_frame(9, 2, &proof, |_| ()));
    assert!(world.is_closed(2));
    // From the future, and of another key.
    let proof = world.welcomed(4);
    world.message(4, &peer_frame(4, 4, &proof, |d| d.version += 3 * 3600));
    let proof = world.welcomed(5);
    world.message(
        5,
        &peer_frame(5, 5, &proof, |d| d.node_key = descriptor(6).node_key),
    );
    assert!(world.is_closed(4) && world.is_closed(5));
    // Its own key, and one that is here.
    let proof = world.welcomed(42);
    world.message(42, &peer_frame(42, 42, &proof, |_| ()));
    assert_eq!(world.bye_of(42), Some(Bye::Leaving));
    let proof = world.welcomed(7);
    world.message(7, &peer_frame(7, 1, &proof, |_| ()));
    assert!(world.is_closed(7) && !world.is_closed(1));
    assert_eq!(world.relay.status().peers, 1);
    assert_eq!(world.relay.counters().peers_false, 4);
}

#[test]
fn there_is_room_for_so_many() {
    let mut world = relay();
    for link in 1..=PEERS_TAKEN_MAX as u64 + 1 {
        if link == 42 {
            continue;
        }
        world.peer(link);
    }
    let proof = world.welcomed(200);
    world.message(200, &peer_frame(200, 200, &proof, |_| ()));
    assert_eq!(world.bye_of(200), Some(Bye::Full));
    assert_eq!(world.relay.counters().peers_over_limit, 1);
}

/// Keys are free: whoever has many has not many networks.
#[test]
fn one_network_takes_only_a_few_places() {
    let mut world = relay();
    for link in 1..=10u64 {
        let proof = world.welcomed_from(link, 7);
        world.message(link, &peer_frame(link, link as u8, &proof, |_| ()));
    }
    assert_eq!(world.relay.status().peers, PEERS_OF_NETWORK_MAX);
    assert_eq!(world.bye_of(10), Some(Bye::Full));
    world.peer(20);
}

#[test]
fn what_only_peers_may_say_is_malformed_from_others() {
    let mut world = relay();
    // Its store is old: clients are not asked for what they have.
    world.relay.made = 0;
    let (header, body) = envelope(1);
    let header = header.encode();
    for frame in [
        Frame::Push {
            header: &header,
            body: &body,
        },
        Frame::Have { headers: &[header] },
        Frame::Want { ids: &[[1; 32]] },
        Frame::Reconcile {
            salt: [1; 16],
            range: crate::range::Range::ALL,
            message: &[0x61],
        },
        Frame::Need {
            last: true,
            salted: &[],
        },
    ] {
        let before = world.relay.counters().frames_malformed;
        world.welcomed(1);
        world.message(1, &frame.encode(1));
        assert_eq!(world.relay.counters().frames_malformed, before + 1);
        world.input(Input::LinkDown { link: LinkId(1) });
        world.frames(1);
    }
    assert_eq!(world.relay.status().objects, 0);
    // Relays' descriptors are not for everybody to store.
    let (header, body) = descriptor(9).sign(&key(9), START.unix, NETWORK);
    world.welcomed(1);
    let answer = world.put(1, 1, &(header, body));
    assert_eq!(refusal(&answer).0, Refused::Malformed);
}

#[test]
fn what_is_pushed_is_stored_once_and_goes_on_to_others() {
    let mut world = relay();
    for link in 1..=3 {
        world.peer(link);
    }
    let (header, body) = envelope(1);
    let push = Frame::Push {
        header: &header.encode(),
        body: &body,
    }
    .encode(0);
    world.message(1, &push);
    world.message(1, &push);
    world.advance(100);
    assert_eq!(world.relay.status().objects, 1);
    assert_eq!(world.relay.counters().pushes_duplicate, 1);
    let told = |frames: Vec<Vec<u8>>| {
        let told = |f: &Vec<u8>| matches!(parse(f).1, Frame::Push { .. } | Frame::Have { .. });
        frames.iter().filter(|f| told(f)).count()
    };
    let told = [1, 2, 3].map(|link| told(world.frames(link)));
    assert_eq!(told, [0, 1, 1]);
}

#[test]
fn bad_work_costs_the_peer_its_link() {
    let mut config = config();
    config.work_divisor = 1 << 10;
    let mut world = World::new(config, Disk::default());
    world.input(Input::Reachable { addresses: vec![] });
    // Its own descriptor is not worked on here: the listener waits, the peer's is refused.
    let proof = world.welcomed(1);
    world.message(1, &peer_frame(1, 1, &proof, |_| ()));
    assert!(world.is_closed(1));
    assert_eq!(world.relay.counters().descriptors_bad, 1);
}

#[test]
fn headers_without_an_object_and_floods_are_bounded() {
    let mut world = relay();
    world.peer(1);
    world.peer(2);
    for n in 0..20u64 {
        let headers: Vec<[u8; 72]> = (0..HAVE_HEADERS_MAX as u64)
            .map(|i| envelope(n * 1000 + i).0.encode())
            .collect();
        let have = Frame::Have { headers: &headers }.encode(0);
        world.message(1, &have);
        world.message(2, &have);
    }
    let asked = world.relay.counters().wanted;
    assert!(asked <= 2 * WANTED_OF_PEER_MAX as u64, "{asked}");
    // Nothing comes: each is asked of the other one once, and then forgotten.
    for _ in 0..10 {
        world.advance(2_500);
    }
    let counters = *world.relay.counters();
    assert_eq!(counters.wanted, counters.wanted_in_vain);
    // Asking for what is not there.
    let ids = [[7; 32]; 500];
    world.frames(1);
    for _ in 0..100 {
        world.message(1, &Frame::Want { ids: &ids }.encode(0));
    }
    assert_eq!(world.frames(1).len(), 0);
}

#[test]
fn reconciling_with_rubbish_ends_it() {
    let mut world = relay();
    for n in 0..50 {
        let client = 100;
        if n == 0 {
            world.client(client);
        }
        world.put(client, n + 1, &envelope(n.into()));
    }
    for link in 1..=RECONCILED_AT_ONCE_MAX as u64 + 1 {
        world.peer(link);
    }
    for link in 1..=RECONCILED_AT_ONCE_MAX as u64 + 1 {
        world.frames(link);
        let ask = Frame::Reconcile {
            salt: [1; 16],
            range: crate::range::Range::ALL,
            message: &[0x61],
        };
        world.message(link, &ask.encode(9));
        let answers = world.frames(link);
        let answer = answers
            .iter()
            .map(|f| parse(f).1)
            .find(|f| matches!(f, Frame::Reconciled { .. } | Frame::Refused { .. }));
        let refused = matches!(answer, Some(Frame::Refused { .. }));
        assert_eq!(refused, link > RECONCILED_AT_ONCE_MAX as u64);
    }
    // Each costs a look at the whole store.
    let again = Frame::Reconcile {
        salt: [2; 16],
        range: crate::range::Range::ALL,
        message: &[0x61],
    };
    world.message(1, &again.encode(10));
    assert_eq!(
        refusal(world.frames(1).last().unwrap()).0,
        Refused::OverQuota
    );
    let rubbish = Frame::Reconcile {
        salt: [1; 16],
        range: crate::range::Range::ALL,
        message: &[0x61, 2, 2, 255, 255, 255],
    };
    let before = world.relay.counters().frames_malformed;
    world.message(1, &rubbish.encode(9));
    assert_eq!(world.relay.counters().frames_malformed, before + 1);
    // Names nobody asked for, an answer to nothing.
    world.message(2, &Frame::Reconciled { message: &[0x61] }.encode(77));
    let names = [[9; 6]; 500];
    let need = Frame::Need {
        last: true,
        salted: &names,
    };
    world.message(2, &need.encode(9));
    world.advance(120_000);
    assert_eq!(world.relay.status().objects, 50);
}

#[test]
fn names_are_given_now_and_then_and_only_of_relays_that_were_dialled() {
    let mut world = relay();
    world.peer(1);
    let mut asker = world.client(100);
    let ask = |world: &mut World, asker: &mut ClientLink| {
        let (_, frame) = asker.relays(world.now, 16, 0).unwrap();
        world.message(100, &frame);
        let frames = world.frames(100);
        let mut names = 0;
        for frame in &frames {
            match asker.on_frame(world.now, frame) {
                Ok(Reply::Named { undialled, .. }) => names += u32::from(!undialled),
                Ok(Reply::End { .. }) => return Ok(names),
                Ok(Reply::Refused { why, .. }) => return Err(why),
                other => unreachable!("{other:?}"),
            }
        }
        unreachable!("no answer")
    };
    assert_eq!(ask(&mut world, &mut asker), Ok(0));
    assert_eq!(ask(&mut world, &mut asker), Err(Some(Refused::OverQuota)));
    // The relay looks whether its peer is where it says, and names it from then on.
    world.advance(3_000);
    let (token, to) = world.dials()[0];
    assert_eq!(to, address(1));
    world.answered(50, token, 1, 50);
    assert!(world.is_closed(50) && !world.is_closed(1));
    world.advance(10_000);
    assert_eq!(ask(&mut world, &mut asker), Ok(1));
}

#[test]
fn whoever_dialled_is_looked_for_within_seconds() {
    let mut world = relay();
    (1..=5).for_each(|link| world.peer(link));
    let mut felt: Vec<SocketAddr> = Vec::new();
    for _ in 0..120 {
        world.advance(100);
        for (token, at) in world.dials() {
            // Nobody is there.
            let error = crate::io::DialError::NoAnswer;
            world.input(Input::DialFailed { token, error });
            felt.push(at);
        }
    }
    felt.sort_unstable();
    assert_eq!(felt, (1..=5).map(address).collect::<Vec<_>>());
    // Who comes again and again is not dialled more often for it.
    let mut before = 1;
    for link in 11..=15 {
        world.input(Input::LinkDown {
            link: LinkId(before),
        });
        before = link;
        let proof = world.welcomed(link);
        world.message(link, &peer_frame(link, 1, &proof, |_| ()));
        world.advance(3_000);
    }
    assert_eq!(world.dials(), []);
}

#[test]
fn feelers_stay_while_there_are_too_few_peers() {
    let mut world = relay();
    let found = 1..=PEERS_DIALLED as u8 + 2;
    for n in found.clone() {
        let (address, by) = (address(n), Finder::Dht);
        world.input(Input::Found { address, by });
    }
    // All are dialled within seconds, one of them as a feeler.
    let mut link = 100;
    for _ in 0..20 {
        world.advance(300);
        for (token, to) in world.dials() {
            link += 1;
            let n = found.clone().find(|n| address(*n) == to).unwrap();
            world.taken(link, token, n);
            assert!(!world.is_closed(link));
        }
    }
    let dialled = PEERS_DIALLED as u64;
    assert_eq!(world.relay.status().peers as u64, dialled);
    // With enough of them a feeler says good-bye.
    for _ in 0..4 {
        for link in 101..=link {
            world.message(link, &Frame::Ping { echo: 0 }.encode(0));
        }
        world.advance(30_000);
    }
    let dials = world.dials();
    assert_eq!(dials.len(), 1);
    let n = found.clone().find(|n| address(*n) == dials[0].1).unwrap();
    world.taken(200, dials[0].0, n);
    assert!(world.is_closed(200));
    assert_eq!(world.relay.status().peers as u64, dialled);
}

/// Clocks differ; signatures do not.
#[test]
fn a_forged_name_costs_a_mark_and_a_stale_one_does_not() {
    let mut world = relay();
    world.peer(1);
    let mut name = |descriptor: &Descriptor, signer: u8| {
        let (header, body) = descriptor.sign(&key(signer), START.unix, NETWORK);
        let named = Frame::Relay {
            header: &header.encode(),
            body: body.as_slice().try_into().unwrap(),
        };
        let before = world.relay.counters().frames_malformed;
        // The first request of the relay at its new peer.
        world.message(1, &named.encode(1));
        world.relay.counters().frames_malformed - before
    };
    assert_eq!(name(&descriptor(8), 8), 0);
    assert_eq!(name(&descriptor(8), 9), 1);
    let mut ahead = descriptor(9);
    ahead.version += 3 * 3600;
    assert_eq!(name(&ahead, 9), 0);
    assert_eq!(world.relay.counters().descriptors_bad, 2);
}

#[test]
fn somebody_else_at_an_address_is_found_out() {
    let mut world = relay();
    world.input(Input::Found {
        address: address(9),
        by: Finder::Dht,
    });
    for bad in [
        "127.0.0.1:8420",
        "10.0.0.1:8420",
        "9.9.9.9:0",
        "224.0.0.1:1",
        "50.1.1.1:8420",
    ] {
        let address = bad.parse().unwrap();
        let by = Finder::Dht;
        world.input(Input::Found { address, by });
    }
    world.advance(1_000);
    let dials = world.dials();
    assert_eq!(dials.len(), 1);
    // A signature over another link.
    world.answered(60, dials[0].0, 9, 61);
    assert!(world.is_closed(60));
    assert_eq!(world.relay.status().peers, 0);
    world.advance(20_000);
    assert_eq!(world.dials().len(), 0, "it is left alone for a while");
}
