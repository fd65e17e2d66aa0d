use super::*;
use crate::object::record::place;

pub(super) fn record(owner: u8, slot: u16, version: u64, salt: u8) -> Object {
    let key = SigningKey::from_bytes(&[owner; 32]);
    let (address, tag) = place(key.public().as_bytes(), slot);
    let size = SizeClass::KIB_1;
    let mut front = Front::from_now(START.unix, Kind::Record, size, Lifetime::H168, NETWORK);
    front.address = address;
    let mut body = key.public().as_bytes().to_vec();
    body.extend_from_slice(&slot.to_le_bytes());
    body.extend_from_slice(&version.to_le_bytes());
    body.extend_from_slice(&[0; 100]);
    let sealed = [salt; 1024 - 206];
    let signature = key.sign(&[b"wm-record", &front.encode(), &body, &sealed]);
    body.extend_from_slice(&signature);
    body.extend_from_slice(&sealed);
    (front.header(tag, &body), body)
}

fn find(world: &mut World, client: &mut ClientLink, bits: u8, prefix: u64) -> Vec<Header> {
    let (_, frame) = client.find(world.now, bits, prefix).unwrap();
    world.message(1, &frame);
    let mut found = Vec::new();
    for frame in world.frames(1) {
        match client.on_frame(world.now, &frame) {
            Ok(Reply::Object { header, .. }) => found.push(header),
            Ok(Reply::End { count, .. }) => assert_eq!(count as usize, found.len()),
            other => unreachable!("{other:?}"),
        }
    }
    found
}

#[test]
fn the_highest_version_stays() {
    let mut world = World::new(config(), Disk::default());
    let mut client = world.client(1);
    assert!(is_stored(&world.put(1, 1, &record(1, 1, 5, 0))));
    assert_eq!(
        refusal(&world.put(1, 2, &record(1, 1, 4, 0))).0,
        Refused::OldRecord
    );
    assert_eq!(
        refusal(&world.put(1, 3, &record(1, 1, 5, 1))).0,
        Refused::OldRecord
    );
    assert!(
        is_stored(&world.put(1, 4, &record(1, 1, 5, 0))),
        "the same again"
    );
    assert!(is_stored(&world.put(1, 5, &record(1, 1, 6, 0))));
    assert!(
        is_stored(&world.put(1, 6, &record(1, 2, 1, 0))),
        "another slot"
    );
    let found: Vec<_> = find(&mut world, &mut client, 0, 0)
        .iter()
        .map(Header::id)
        .collect();
    let mut expected = [record(1, 1, 6, 0).0, record(1, 2, 1, 0).0];
    expected.sort_by_key(|h| (h.address, h.tag));
    assert_eq!(found, expected.map(|h| h.id()));
    assert_eq!((world.disk.rows(HEADS), world.disk.rows(BODIES)), (2, 2));
    assert_eq!(world.relay.status().records, 2);
    let (bits, prefix) = (64, expected[0].record_key());
    assert_eq!(find(&mut world, &mut client, bits, prefix), [expected[0]]);
    // Records are in no bucket.
    let bucket = crate::time::bucket(START.unix);
    let (_, frame) = client.get(world.now, bucket, 0, 0).unwrap();
    world.message(1, &frame);
    assert!(matches!(
        parse(&world.frames(1)[0]).1,
        Frame::End { count: 0 }
    ));
}

#[test]
fn versions_that_follow_before_the_first_is_saved() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    world.auto = false;
    for (request, version) in [(1, 1), (2, 3), (3, 2), (4, 4)] {
        let (header, body) = record(1, 1, version, 0);
        let (header, body) = (&header.encode(), &body[..]);
        world.message(1, &Frame::Put { header, body }.encode(request));
    }
    while world.do_effect() {}
    let frames = world.frames(1);
    let answers: Vec<_> = frames.iter().map(|f| (parse(f).0, is_stored(f))).collect();
    assert_eq!(answers, [(3, false), (1, true), (2, true), (4, true)]);
    assert_eq!((world.disk.rows(HEADS), world.disk.rows(BODIES)), (1, 1));
    assert_eq!(world.relay.status().records, 1);
    let kept = record(1, 1, 4, 0).0.id();
    assert!(world.relay.index.contains(&kept));
    // And after a restart.
    let world = World::new(config(), world.disk);
    assert!(world.relay.index.contains(&kept));
}

#[test]
fn a_newer_version_that_cannot_be_saved_leaves_the_older() {
    let mut world = World::new(config(), Disk::default());
    let mut client = world.client(1);
    assert!(is_stored(&world.put(1, 1, &record(1, 1, 5, 0))));
    world.auto = false;
    let (header, body) = record(1, 1, 6, 0);
    let (header, body) = (&header.encode(), &body[..]);
    world.message(1, &Frame::Put { header, body }.encode(2));
    world.fail_effect(StoreError::Full);
    world.frames(1);
    world.auto = true;
    assert_eq!(find(&mut world, &mut client, 0, 0), [record(1, 1, 5, 0).0]);
    assert!(is_stored(&world.put(1, 3, &record(1, 1, 6, 0))));
}

/// A record of `owner` that another key signs, with leave for `slot` until that hour.
fn delegated(slot: u16, leave_for: u16, until: u32) -> Object {
    let owner = SigningKey::from_bytes(&[1; 32]);
    let device = SigningKey::from_bytes(&[2; 32]);
    let (header, mut body) = record(1, slot, 5, 0);
    let mut leave = device.public().as_bytes().to_vec();
    leave.extend_from_slice(&until.to_le_bytes());
    let by = owner.public();
    let leave_for = leave_for.to_le_bytes();
    let signature = owner.sign(&[b"wm-delegate", by.as_bytes(), &leave_for, &leave]);
    leave.extend_from_slice(&signature);
    body[42..142].copy_from_slice(&leave);
    let (front, sealed) = (header.front.encode(), body[206..].to_vec());
    let signature = device.sign(&[b"wm-record", &front, &body[..142], &sealed]);
    body[142..206].copy_from_slice(&signature);
    (header.front.header(header.tag, &body), body)
}

#[test]
fn a_delegate_writes_what_it_has_leave_for() {
    let hour = crate::time::hour(START.unix);
    let mut world = World::new(config(), Disk::default());
    let mut client = world.client(1);
    assert!(is_stored(&world.put(1, 1, &delegated(1, 1, hour + 1))));
    let found = find(&mut world, &mut client, 0, 0);
    assert_eq!(found, [delegated(1, 1, hour + 1).0]);
    for wrong in [
        // Over, and for another slot.
        delegated(1, 1, hour),
        delegated(1, 1, 0),
        delegated(2, 1, hour + 1),
        delegated(1, 2, hour + 1),
    ] {
        assert_eq!(refusal(&world.put(1, 2, &wrong)).0, Refused::BadRecord);
    }
    // Nothing in it can be changed.
    for at in [42, 73, 74, 77, 78, 141] {
        let (header, mut body) = delegated(1, 1, hour + 1);
        body[at] ^= 1;
        let changed = (header.front.header(header.tag, &body), body);
        assert_eq!(refusal(&world.put(1, 3, &changed)).0, Refused::BadRecord);
    }
}

#[test]
fn forged_records_are_refused() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    for at in [0, 33, 35, 45, 150, 900] {
        let (header, mut body) = record(1, 1, 5, 0);
        body[at] ^= 1;
        let forged = (header.front.header(header.tag, &body), body);
        assert_eq!(refusal(&world.put(1, 1, &forged)).0, Refused::BadRecord);
    }
    assert_eq!(world.relay.counters().refused_bad_record, 6);
    assert_eq!(world.relay.status().objects, 0);
}

/// A record that was replaced does not hold up what others may bring in the hour.
#[test]
fn what_was_replaced_counts_in_no_budget() {
    let small = RelayConfig {
        store_bytes_max: 16 * 1096,
        hour_bytes_max: Some(8 * 1096),
        ..config()
    };
    let mut world = World::new(small, Disk::default());
    for link in [1, 2] {
        world.up_from(link, from(link));
        world.message(link, &client(link).hello());
        world.frames(link);
    }
    // More than half full; from here on it counts.
    for n in 0..9 {
        assert!(is_stored(&world.put(1, n + 1, &envelope(n.into()))));
    }
    for version in 1..=3 {
        let record = record(1, 1, version, 0);
        assert!(is_stored(&world.put(1, 20 + version as u32, &record)));
    }
    for n in 30..33 {
        world.put(1, n, &envelope(n.into()));
    }
    for n in 40..42 {
        assert!(is_stored(&world.put(2, n, &envelope(n.into()))), "{n}");
    }
}
