//! The address space is divided: relays that lie about what they keep, clients that want all.
use super::peers::{key, relay};
use super::*;
use crate::range::Range;
use crate::wire::Descriptor;
use alloc::vec;

/// A relay that keeps so many bits of what is around its position.
pub(super) fn narrow(bits: u8) -> World {
    let mut world = relay();
    let swarm = &mut world.relay.peers.swarm;
    swarm.range = Range::of(swarm.position, bits);
    swarm.bits = bits;
    world.relay.made = 0;
    world
}

/// A range that this relay neither keeps nor lists.
pub(super) fn far(world: &World) -> Range {
    Range::of(!world.relay.range().prefix(), 1)
}

/// One of which it keeps headers.
pub(super) fn sibling(world: &World) -> Range {
    world.relay.range().siblings(4).next().unwrap()
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
    pub(super) fn keeper(&mut self, link: u64, bits: u8, within: Range) {
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
        // It names nobody.
        for frame in frames.iter().filter(|frame| frame[0] == RELAYS) {
            self.message(link, &Frame::End { count: 0 }.encode(parse(frame).0));
        }
    }

    /// It says something else of itself.
    pub(super) fn renewed(&mut self, link: u64, bits: u8, within: Range, version: u64) {
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
    for n in 1..=3 {
        world.peer(n);
        world.renewed(n, 5, Range::ALL, 1);
    }
    world.now.mono += 30_000;
    // Its addresses change at the moment when it looks around.
    let addresses = vec![([51, 1, 1, 1], 8420).into()];
    world.input(Input::Reachable { addresses });
    world.solve();
    world.advance(1_000);
    world.solve();
    assert_eq!(world.relay.range().bits(), 5);
}

#[test]
fn a_restart_takes_over_nothing() {
    let mut world = relay();
    let keepers = 1..=3;
    keepers.clone().for_each(|n| world.keeper(n, 5, Range::ALL));
    world.advance(30_000);
    world.solve();
    assert_eq!(world.relay.range().bits(), 5);
    // Until it has counted itself, which finds nobody.
    for _ in 0..32 {
        for n in keepers.clone() {
            world.message(n, &Frame::Ping { echo: 0 }.encode(0));
        }
        world.advance(30_000);
        world.solve();
    }
    let bits = world.relay.range().bits();
    assert_eq!(bits, 4);
    let mut again = World::new(config(), world.disk);
    let addresses = vec![([51, 1, 1, 1], 8420).into()];
    again.input(Input::Reachable { addresses });
    again.solve();
    assert_eq!(again.relay.range().bits(), bits);
}

#[test]
fn two_who_dialled_first_do_not_say_how_far_the_network_is_divided() {
    let mut world = relay();
    world.keeper(1, 32, Range::ALL);
    world.keeper(2, 32, Range::ALL);
    world.advance(30_000);
    world.solve();
    assert_eq!(world.relay.range(), Range::ALL);
}

/// A client knows of a range from the Welcome; what is listed no more it would wait for.
#[test]
fn clients_are_sent_away_when_less_is_listed() {
    let mut world = relay();
    (1..=3).for_each(|n| world.keeper(n, 3, Range::ALL));
    world.client(100);
    world.advance(30_000);
    world.solve();
    assert_eq!(world.relay.range().bits(), 3);
    // All headers still come here.
    assert!(!world.is_closed(100));
    for n in 1..=3 {
        world.renewed(n, 6, Range::ALL, 1);
        world.frames(n);
        world.message(n, &Frame::Ping { echo: 0 }.encode(0));
    }
    world.message(100, &Frame::Ping { echo: 0 }.encode(0));
    world.advance(30_000);
    world.solve();
    assert_eq!(world.relay.range().bits(), 6);
    assert!(world.is_closed(100) && !world.is_closed(1));
}

/// An envelope for an address.
pub(super) fn envelope_at(n: u64, address: u32) -> Object {
    let size = SizeClass::KIB_1;
    let mut front = Front::from_now(START.unix, Kind::Envelope, size, Lifetime::H48, NETWORK);
    front.address = address;
    let mut body = vec![0; size.bytes()];
    body[..8].copy_from_slice(&n.to_le_bytes());
    (front.header([n as u8; 16], &body), body)
}

/// A record of a range.
fn record_in(range: Range) -> Object {
    let records = (0..200).map(|owner| records::record(owner, 1, 1, 0));
    let mut records = records.filter(|(header, _)| range.has(header.address));
    records.next().unwrap()
}

impl World {
    /// The number of the last Put or Find passed on over a link.
    fn passed(&mut self, link: u64) -> Option<u32> {
        let frames = self.frames(link);
        let passed = frames.iter().rev().map(|f| parse(f));
        let mut passed =
            passed.filter(|(_, f)| matches!(f, Frame::Put { .. } | Frame::Find { .. }));
        passed.next().map(|(request, _)| request)
    }

    pub(super) fn put_far(&mut self, link: u64, request: u32, (header, body): &Object) {
        let header = &header.encode();
        self.message(link, &Frame::Put { header, body }.encode(request));
    }

    fn stored_by(&mut self, link: u64, request: u32, n: u8, id: Id) {
        let receipt = crate::wire::Receipt::sign(&key(n), id, START.unix);
        let node_key = *key(n).public().as_bytes();
        let stored = Frame::Stored { receipt, node_key };
        self.message(link, &stored.encode(request));
    }

    fn object(&mut self, link: u64, request: u32, (header, body): &Object) {
        let (bucket, header) = (0, &header.encode());
        let object = Frame::Object {
            bucket,
            header,
            body,
        };
        self.message(link, &object.encode(request));
    }

    /// What a client got: types of frames, without those about the link.
    pub(super) fn kinds(&mut self, link: u64) -> Vec<u8> {
        let frames = self.frames(link);
        let kinds = frames.iter().map(|frame| frame[0]);
        kinds.filter(|kind| *kind >= 0x10).collect()
    }
}

pub(super) const STORED: u8 = 0x11;
pub(super) const REFUSED: u8 = 0x12;
pub(super) const OBJECT: u8 = 0x23;
const RELAYS: u8 = 0x26;
const RELAY: u8 = 0x27;

#[test]
fn a_receipt_goes_back_only_with_a_descriptor_that_shows_it() {
    let mut world = narrow(6);
    let far = far(&world);
    world.keeper(1, 1, far);
    world.client(100);
    let object = envelope_at(1, far.prefix());
    world.put_far(100, 1, &object);
    let request = world.passed(1).unwrap();
    world.stored_by(1, request, 1, object.0.id());
    assert_eq!(world.kinds(100), [RELAY, STORED]);
    // Another one's receipt.
    world.put_far(100, 2, &envelope_at(2, far.prefix()));
    let request = world.passed(1).unwrap();
    let before = world.relay.counters().frames_malformed;
    world.stored_by(1, request, 1, object.0.id());
    assert_eq!(world.relay.counters().frames_malformed, before + 1);
    assert_eq!(world.kinds(100), []);
    // It keeps something else when it answers: the client would take this relay for a liar.
    let object = envelope_at(3, far.prefix());
    world.put_far(100, 3, &object);
    let request = world.passed(1).unwrap();
    world.renewed(1, 6, world.relay.range(), 1);
    world.stored_by(1, request, 1, object.0.id());
    assert_eq!(world.kinds(100), []);
    world.advance(25_000);
    assert_eq!(world.kinds(100), [REFUSED, REFUSED]);
}

#[test]
fn what_a_client_would_blame_this_relay_for_is_not_passed_back() {
    let mut world = narrow(6);
    let far = far(&world);
    world.keeper(1, 1, far);
    let mut client = world.client(100);
    let mut find = |world: &mut World| {
        let (_, frame) = client
            .find(world.now, 1, u64::from(far.prefix()) << 32)
            .unwrap();
        world.message(100, &frame);
        world.passed(1).unwrap()
    };
    let record = record_in(far);
    let request = find(&mut world);
    // Long expired, and from the future: clocks differ.
    for expiry in [START.unix / 3_600_000, u64::from(u32::MAX)] {
        let (mut header, body) = record.clone();
        header.front.expiry = expiry as u32;
        world.object(1, request, &(header, body));
    }
    assert_eq!(world.relay.counters().frames_malformed, 0);
    world.object(1, request, &record);
    assert_eq!(world.kinds(100), [OBJECT]);
    // Twice.
    world.object(1, request, &record);
    assert_eq!(world.relay.counters().frames_malformed, 1);
    assert_eq!(world.kinds(100), [REFUSED]);
    // Of another range.
    let request = find(&mut world);
    world.object(1, request, &record_in(world.relay.range().wider(5)));
    assert_eq!(world.relay.counters().frames_malformed, 2);
    // A client that is gone: the rest is not sent.
    let request = find(&mut world);
    world.input(Input::LinkDown { link: LinkId(100) });
    world.frames(100);
    world.object(1, request, &record);
    assert_eq!(world.kinds(100), []);
}

#[test]
fn a_find_is_asked_of_all_who_keep_a_part_of_it() {
    let mut world = narrow(6);
    let far = far(&world);
    let [low, high] = far.halves().unwrap();
    world.keeper(1, 2, low);
    world.keeper(2, 2, high);
    let mut client = world.client(100);
    let prefix = u64::from(far.prefix()) << 32;
    let (_, frame) = client.find(world.now, 1, prefix).unwrap();
    world.message(100, &frame);
    let mut found = 0;
    for (link, part) in [(1, low), (2, high)] {
        let frames = world.frames(link);
        let (request, frame) = parse(frames.last().unwrap());
        let prefix = u64::from(part.prefix()) << 32;
        assert_eq!(frame, Frame::Find { bits: 2, prefix });
        assert_eq!(world.kinds(100), []);
        world.object(link, request, &record_in(part));
        world.message(link, &Frame::End { count: 1 }.encode(request));
        for frame in world.frames(100) {
            match client.on_frame(world.now, &frame) {
                Ok(Reply::Object { .. }) => found += 1,
                Ok(Reply::End { count, .. }) => assert_eq!((count, link), (2, 2)),
                other => unreachable!("{other:?}"),
            }
        }
    }
    assert_eq!(found, 2);
}

/// Only a record can be older than another one, or badly signed.
#[test]
fn who_refuses_without_reason_is_not_the_last_to_be_asked() {
    let mut world = narrow(6);
    let far = far(&world);
    world.keeper(1, 1, far);
    world.keeper(2, 1, far);
    world.client(100);
    world.put_far(100, 1, &envelope_at(1, far.prefix()));
    for why in [Refused::BadRecord, Refused::TooLittleWork] {
        let (link, request) = [1, 2]
            .into_iter()
            .find_map(|link| Some((link, world.passed(link)?)))
            .unwrap();
        let (code, detail) = (why as u8, 8);
        assert_eq!(world.kinds(100), []);
        world.message(link, &Frame::Refused { code, detail }.encode(request));
    }
    // Nobody else can be asked: what one of them said is what there is to say.
    world.advance(25_000);
    let frames = world.frames(100);
    assert_eq!(refusal(frames.last().unwrap()), (Refused::TooLittleWork, 8));
    assert_eq!(world.relay.counters().frames_malformed, 0);
}

#[test]
fn one_client_does_not_take_all_places_of_those_who_wait() {
    let mut world = narrow(6);
    let far = far(&world);
    let find = |request| {
        let prefix = u64::from(far.prefix()) << 32;
        Frame::Find { bits: 9, prefix }.encode(request)
    };
    for link in 100..110 {
        world.up_from(link, from(7));
        world.message(link, &client(link).hello());
        (1..=16).for_each(|request| world.message(link, &find(request)));
    }
    world.up_from(200, from(8));
    world.message(200, &client(200).hello());
    world.frames(200);
    (1..=16).for_each(|request| world.message(200, &find(request)));
    assert_eq!(world.kinds(200), []);
    // Looking at them again takes nobody's place.
    world.advance(2_000);
    assert_eq!(world.kinds(200), []);
    // Those who left leave theirs.
    (100..110).for_each(|link| world.input(Input::LinkDown { link: LinkId(link) }));
    world.up_from(300, from(9));
    world.message(300, &client(300).hello());
    world.frames(300);
    (1..=16).for_each(|request| world.message(300, &find(request)));
    assert_eq!(world.kinds(300), []);
    world.advance(25_000);
    assert_eq!(world.kinds(300), [REFUSED; 16]);
    assert_eq!(world.kinds(200), [REFUSED; 16]);
}

/// A peer that names nobody, or refuses to, is not asked again at once.
#[test]
fn questions_for_names_do_not_go_round_in_a_circle() {
    let mut world = narrow(6);
    let far = far(&world);
    world.keeper(1, 6, world.relay.range());
    world.client(100);
    world.put_far(100, 1, &envelope_at(1, far.prefix()));
    let mut asked = 0;
    for turn in 0..100 {
        let frames = world.frames(1);
        let names = frames.iter().filter(|f| f[0] == RELAYS);
        for frame in names {
            asked += 1;
            let request = parse(frame).0;
            let (code, detail) = (Refused::OverQuota as u8, 10);
            world.message(1, &Frame::Refused { code, detail }.encode(request));
        }
        // An end to nothing.
        world.message(1, &Frame::End { count: 0 }.encode(1_000 + turn));
    }
    assert!(asked <= 3, "{asked}");
    // A little later it is.
    world.advance(1_000);
    assert!(world.kinds(1).contains(&RELAYS));
    assert!(world.wake > world.now.mono);
}

#[test]
fn what_a_relay_said_of_itself_before_counts_no_more() {
    let mut world = narrow(6);
    let far = far(&world);
    world.keeper(1, 6, world.relay.range());
    world.renewed(1, 1, far, 2);
    for version in [1, 0, 2] {
        world.renewed(1, 6, world.relay.range(), version);
    }
    let peers: Vec<Range> = world.relay.peers().map(|peer| peer.range).collect();
    assert_eq!(peers, [far]);
}

/// What was taken before it heard of others is told to who is to keep it, once, also when they come
/// later.
#[test]
fn what_leaves_the_range_is_told_to_those_who_are_to_keep_it() {
    let mut world = relay();
    world.client(100);
    let addresses = [0x2000_0000, 0x6000_0000, 0xa000_0000, 0xe000_0000];
    let objects: Vec<Object> = addresses.iter().map(|at| envelope_at(1, *at)).collect();
    for (n, object) in objects.iter().enumerate() {
        world.put(100, n as u32 + 1, object);
    }
    // Two halves are known: most peers say one bit.
    let own = Range::of(world.relay.peers.swarm.position, 1);
    for n in [1, 3, 4] {
        world.keeper(n, 1, own);
    }
    world.advance(30_000);
    world.solve();
    assert_eq!(world.relay.range(), own);
    let told = |world: &mut World, link: u64| {
        let frames = world.frames(link);
        let told = frames.iter().filter_map(|frame| match parse(frame).1 {
            Frame::Have { headers } => Some(headers.len()),
            _ => None,
        });
        told.sum::<usize>()
    };
    told(&mut world, 1);
    world.advance(30_000);
    assert_eq!(
        (told(&mut world, 1), world.relay.peers.swarm.left.len()),
        (0, 2)
    );
    world.keeper(2, 1, far(&world));
    told(&mut world, 2);
    world.advance(30_000);
    assert_eq!(told(&mut world, 2), 2);
    assert_eq!(world.relay.peers.swarm.left.len(), 0);
    world.advance(30_000);
    assert_eq!(told(&mut world, 2), 0);
}
