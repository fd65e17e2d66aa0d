use super::*;
use crate::wire::{Id, ScanRecord};

fn filled(objects: u64) -> (World, ClientLink, u32) {
    let mut world = World::new(config(), Disk::default());
    let client = world.client(1);
    for n in 0..objects {
        assert!(is_stored(&world.put(1, n as u32 + 1, &envelope(n))));
    }
    let bucket = crate::time::bucket(START.unix);
    (world, client, bucket)
}

/// All replies to what is sent, with the bodies checked by the client's side.
fn get(world: &mut World, client: &mut ClientLink, bucket: u32, bits: u8, prefix: u64) -> Vec<Id> {
    let (request, frame) = client.get(world.now, bucket, bits, prefix).unwrap();
    world.message(1, &frame);
    let mut ids = Vec::new();
    let frames = world.frames(1);
    for (n, frame) in frames.iter().enumerate() {
        match client.on_frame(world.now, frame) {
            Ok(Reply::Object {
                request: r, header, ..
            }) => {
                assert_eq!(r, request);
                ids.push(header.id());
            }
            Ok(Reply::End { count, .. }) => {
                assert_eq!((count as usize, n), (ids.len(), frames.len() - 1));
            }
            other => unreachable!("{other:?}"),
        }
    }
    ids
}

#[test]
fn pages_of_a_bucket_in_order_of_arrival() {
    let (mut world, mut client, bucket) = filled(1300);
    let mut seen: Vec<ScanRecord> = Vec::new();
    loop {
        let first = seen.len() as u32;
        let (_, frame) = client.scan(world.now, bucket, first).unwrap();
        world.message(1, &frame);
        let frames = world.frames(1);
        match client.on_frame(world.now, &frames[0]) {
            Ok(Reply::ScanPage {
                closed,
                total,
                bytes,
                records,
                ..
            }) => {
                assert_eq!((closed, total, bytes), (false, 1300, 1300 * 1024));
                seen.extend(records.iter());
                if records.is_empty() {
                    break;
                }
                assert!(records.len() == 600 || seen.len() == 1300);
            }
            other => unreachable!("{other:?}"),
        }
    }
    let expected: Vec<_> = (0..1300).map(|n| ScanRecord::of(&envelope(n).0)).collect();
    assert_eq!(seen, expected);
}

#[test]
fn a_bucket_is_closed_when_its_time_is_over_and_nothing_is_being_saved() {
    let (mut world, mut client, bucket) = filled(1);
    let mut closed = |world: &mut World, bucket| {
        let (_, frame) = client.scan(world.now, bucket, 0).unwrap();
        world.message(1, &frame);
        let frames = world.frames(1);
        match client.on_frame(world.now, &frames[0]) {
            Ok(Reply::ScanPage { closed, .. }) => closed,
            other => unreachable!("{other:?}"),
        }
    };
    assert!(closed(&mut world, bucket - 1) && !closed(&mut world, bucket));
    world.auto = false;
    let (header, body) = envelope(5);
    let (header, body) = (&header.encode(), &body[..]);
    world.message(1, &Frame::Put { header, body }.encode(9));
    for _ in 0..20 {
        world.advance(30_000);
        world.message(1, &Frame::Ping { echo: 1 }.encode(0));
        world.frames(1);
    }
    assert!(!closed(&mut world, bucket));
    while world.do_effect() {}
    world.frames(1);
    assert!(closed(&mut world, bucket) && !closed(&mut world, bucket + 1));
}

#[test]
fn blocks_hold_what_has_their_prefix() {
    let (mut world, mut client, bucket) = filled(300);
    let all: BTreeSet<Id> = (0..300).map(|n| envelope(n).0.id()).collect();
    assert_eq!(
        get(&mut world, &mut client, bucket, 0, 0)
            .into_iter()
            .collect::<BTreeSet<_>>(),
        all
    );
    assert!(get(&mut world, &mut client, bucket + 1, 0, 0).is_empty());
    let mut seen = BTreeSet::new();
    for block in 0..32u64 {
        let ids = get(&mut world, &mut client, bucket, 5, block << 59);
        assert!(ids.len() < 40);
        seen.extend(ids);
    }
    assert_eq!(seen, all);
    let one = envelope(7).0;
    assert_eq!(
        get(&mut world, &mut client, bucket, 64, one.hash_key()),
        [one.id()]
    );
    assert_eq!(world.relay.counters().objects_sent, 601);
}

#[test]
fn a_congested_link_gets_what_is_owed_and_no_more() {
    let (mut world, mut client, bucket) = filled(200);
    world.auto = false;
    let (_, frame) = client.get(world.now, bucket, 0, 0).unwrap();
    world.message(1, &frame);
    let link = LinkId(1);
    world.input(Input::LinkCongested {
        link,
        congested: true,
    });
    while world.do_effect() {}
    let owed = world.frames(1).len();
    assert!(owed > 0 && owed <= 16, "{owed}");
    world.advance(1000);
    assert!(world.effects.is_empty() && world.frames(1).is_empty());
    world.input(Input::LinkCongested {
        link,
        congested: false,
    });
    while world.do_effect() {}
    assert_eq!(world.frames(1).len(), 200 - owed + 1);
}

#[test]
fn links_and_their_requests_take_turns_and_reads_are_bounded() {
    let (mut world, _, bucket) = filled(50);
    world.auto = false;
    for link in 2..=101 {
        let mut client = client(link);
        world.up(link);
        world.message(link, &client.hello());
        let welcome = world.frames(link);
        client.on_frame(world.now, &welcome[0]).unwrap();
        for _ in 0..16 {
            let (_, frame) = client.get(world.now, bucket, 0, 0).unwrap();
            world.message(link, &frame);
        }
    }
    assert_eq!(world.effects.len(), crate::limits::READS_MAX);
    for _ in 0..100 {
        world.do_effect();
    }
    // A hundred reads serve a hundred links.
    let served = (2..=101).filter(|l| !world.frames(*l).is_empty()).count();
    assert_eq!(served, 100);
    while world.do_effect() {
        assert!(world.effects.len() <= crate::limits::READS_MAX);
    }
    assert_eq!(world.relay.counters().objects_sent, 100 * 16 * 50);
    assert_eq!(world.relay.status().reading, 0);
}

#[test]
fn a_failed_read_is_refused_and_the_link_goes_on() {
    let (mut world, mut client, bucket) = filled(20);
    world.auto = false;
    let (_, frame) = client.get(world.now, bucket, 0, 0).unwrap();
    world.message(1, &frame);
    world.fail_effect(StoreError::Unavailable);
    let frames = world.frames(1);
    assert_eq!(refusal(&frames[0]), (Refused::StoreFailed, 0));
    client.on_frame(world.now, &frames[0]).unwrap();
    world.auto = true;
    assert_eq!(get(&mut world, &mut client, bucket, 0, 0).len(), 20);
}

#[test]
fn damaged_rows_are_left_out() {
    let (mut world, mut client, bucket) = filled(3);
    for (n, value) in world
        .disk
        .0
        .iter_mut()
        .filter(|((t, _), _)| *t == BODIES.0)
        .enumerate()
    {
        match n {
            0 => value.1.clear(),
            1 => value.1.truncate(500),
            _ => {}
        }
    }
    assert_eq!(get(&mut world, &mut client, bucket, 0, 0).len(), 1);
    assert_eq!(world.relay.counters().rows_damaged, 2);
}
