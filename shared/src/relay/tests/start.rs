use super::*;
use crate::time::hour;
use crate::wire::Id;

#[test]
fn everything_is_there_after_a_restart() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    for n in 0..2500 {
        assert!(is_stored(&world.put(1, n as u32 + 1, &envelope(n))));
    }
    let before = world.relay.status();
    let bucket = crate::time::bucket(START.unix);
    let page = |world: &mut World| {
        world.message(
            1,
            &Frame::Scan {
                bucket,
                first: 1000,
            }
            .encode(9999),
        );
        world.frames(1).remove(0)
    };
    let page_before = page(&mut world);
    let last = world.relay.last_arrival;
    let mut world = World::new(config(), world.disk);
    let after = world.relay.status();
    assert_eq!((after.objects, after.bytes), (before.objects, before.bytes));
    world.client(1);
    assert_eq!(page(&mut world), page_before);
    assert_eq!(world.relay.last_arrival, last);
    assert!(is_stored(&world.put(1, 1, &envelope(7))), "known again");
    assert_eq!(world.relay.counters().puts_duplicate, 1);
}

#[test]
fn links_wait_for_their_welcome() {
    let mut world = World::stopped(config(), Disk::default());
    world.up(1);
    let mut client = client(1);
    world.message(1, &client.hello());
    world.message(
        1,
        &Frame::Scan {
            bucket: 1,
            first: 0,
        }
        .encode(1),
    );
    let frames = world.frames(1);
    assert_eq!(refusal(&frames[0]).0, Refused::StoreFailed);
    world.advance(15_000);
    assert_eq!(world.relay.state(), State::Starting);
    while world.do_effect() {}
    assert_eq!(world.relay.state(), State::Running);
    let frames = world.frames(1);
    assert!(matches!(
        client.on_frame(world.now, &frames[0]),
        Ok(Reply::Welcome(_))
    ));
}

#[test]
fn an_unknown_schema_or_network_is_left_alone() {
    let mut other = World::new(config(), Disk::default()).disk;
    let key = (META.0, rows::SCHEMA_KEY.to_vec());
    let cases = [
        (
            &[1, 0, 0, 0, 0x34, 0x12, 0, 0][..],
            StartError::UnknownSchema { found: 1 },
        ),
        (&[], StartError::UnknownSchema { found: 0 }),
        (
            &[3, 0, 0, 0, 9, 0, 0, 0],
            StartError::OtherNetwork { found: 9 },
        ),
    ];
    for (value, error) in cases {
        other.0.insert(key.clone(), value.to_vec());
        let mut world = World::stopped(config(), other.clone());
        world.up(1);
        while world.do_effect() {}
        assert_eq!(world.relay.state(), State::Failed(error));
        assert!(world.closed.contains(&LinkId(1)));
        world.up(2);
        assert!(world.closed.contains(&LinkId(2)));
        world.advance(10 * 3_600_000);
        assert!(!world.do_effect(), "nothing is written");
        assert_eq!(world.disk.0, other.0);
    }
}

#[test]
fn a_store_that_cannot_be_read_is_told() {
    for effects in 0..3 {
        let mut world = World::stopped(config(), Disk::default());
        for _ in 0..effects {
            world.do_effect();
        }
        world.fail_effect(StoreError::Unavailable);
        let failed = State::Failed(StartError::Store(StoreError::Unavailable));
        assert_eq!(world.relay.state(), failed);
    }
}

#[test]
fn damaged_heads_are_skipped() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    for n in 0..4 {
        world.put(1, n as u32 + 1, &envelope(n));
    }
    let heads: Vec<_> = world
        .disk
        .0
        .keys()
        .filter(|k| k.0 == HEADS.0)
        .cloned()
        .collect();
    world.disk.0.get_mut(&heads[0]).unwrap().truncate(40);
    world.disk.0.get_mut(&heads[1]).unwrap()[20] ^= 1;
    world
        .disk
        .0
        .insert((HEADS.0, alloc::vec![1, 2, 3]), alloc::vec![]);
    let world = World::new(config(), world.disk);
    assert_eq!(world.relay.status().objects, 2);
    assert_eq!(world.relay.counters().rows_damaged, 3);
}

#[test]
fn objects_expire_from_memory_and_disk() {
    let mut world = World::new(config(), Disk::default());
    // A clock is believed after an hour.
    world.advance(3_600_000);
    world.client(1);
    let begun = hour(world.now.unix);
    let short = |n: u64| {
        let (mut header, body) = envelope(n);
        header.front.expiry = begun + 1 + n as u32;
        (header, body)
    };
    for n in 0..3 {
        assert!(is_stored(&world.put(1, n as u32 + 1, &short(n))));
    }
    let disk = world.disk.clone();
    for left in [2, 1, 0] {
        // The relay itself asks to be woken at the next hour.
        while hour(world.now.unix) == begun + 2 - left {
            world.advance(world.wake - world.now.mono);
        }
        assert_eq!(world.relay.status().objects, u64::from(left));
        assert_eq!(
            (world.disk.rows(HEADS), world.disk.rows(BODIES)),
            (left as usize, left as usize)
        );
    }
    assert_eq!(world.relay.status().bytes, 0);
    assert_eq!(world.relay.counters().expired, 3);
    // Started after some have expired.
    let mut late = World::stopped(config(), disk);
    late.now.unix += 3 * 3_600_000;
    late.auto = true;
    late.do_effect();
    late.settle();
    assert_eq!((late.relay.status().objects, late.disk.rows(HEADS)), (1, 3));
    let kept: Id = short(2).0.id();
    assert!(late.relay.index.contains(&kept));
}

#[test]
fn places_in_a_bucket_stay_while_it_is_young_and_go_when_it_is_old() {
    let small = RelayConfig {
        store_objects_max: 2,
        ..config()
    };
    let mut world = World::new(small, Disk::default());
    world.advance(3_600_000);
    world.client(1);
    for effort in 0..4 {
        let object = envelope_of(effort.into(), effort, SizeClass::KIB_1);
        let frame = world.put(1, u32::from(effort) + 1, &object);
        assert!(is_stored(&frame));
    }
    let frame = world.put(1, 9, &envelope_of(9, 9, SizeClass::KIB_1));
    assert_eq!(
        refusal(&frame).0,
        Refused::StoreFull,
        "places are bounded too"
    );
    let bucket = crate::time::bucket(world.now.unix);
    let bucket = world.relay.index.bucket(bucket).unwrap();
    assert_eq!((bucket.total(), bucket.body_bytes), (4, 2048));
    assert_eq!((world.relay.index.len(), world.relay.index.dead()), (2, 2));
    world.advance(30_000);
    world.client(2);
    world.now.unix += 2 * 3_600_000;
    world.advance(0);
    assert_eq!((world.relay.index.len(), world.relay.index.dead()), (2, 0));
    let frame = world.put(2, 9, &envelope_of(9, 9, SizeClass::KIB_1));
    assert!(is_stored(&frame));
}

/// Whoever sets a clock wrong, or starts a machine with a wrong one, has an hour to notice.
#[test]
fn a_clock_that_jumps_deletes_nothing_for_an_hour() {
    const HOUR: u64 = 3_600_000;
    const YEAR: u64 = 365 * 24 * HOUR;
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    for n in 0..3 {
        assert!(is_stored(&world.put(1, n as u32 + 1, &envelope(n))));
    }
    world.advance(2 * HOUR);
    for _ in 0..3 {
        world.now.unix += YEAR;
        world.advance(HOUR / 2);
        world.now.unix -= YEAR;
        world.advance(HOUR / 2);
    }
    assert_eq!(
        (world.relay.status().objects, world.disk.rows(HEADS)),
        (3, 3)
    );
    // A start with a wrong clock: nothing is served, and nothing is lost.
    let mut wrong = World::stopped(config(), world.disk.clone());
    wrong.now.unix += YEAR;
    wrong.auto = true;
    while wrong.do_effect() {}
    wrong.advance(HOUR / 2);
    assert_eq!(
        (wrong.relay.status().objects, wrong.disk.rows(HEADS)),
        (0, 3)
    );
    // What is right after all is believed, and expiry goes on.
    wrong.advance(HOUR);
    assert_eq!(wrong.disk.rows(HEADS), 0);
    world.now.unix += YEAR;
    world.advance(0);
    assert_eq!(world.relay.status().objects, 3);
    world.advance(HOUR);
    assert_eq!(
        (world.relay.status().objects, world.disk.rows(HEADS)),
        (0, 0)
    );
    world.now.unix -= YEAR;
    world.advance(0);
    let (mut header, body) = envelope(9);
    header.front.expiry = hour(world.now.unix) + 1;
    world.client(2);
    assert!(is_stored(&world.put(2, 9, &(header, body))));
    world.advance(HOUR);
    world.advance(HOUR);
    assert_eq!(world.relay.status().objects, 0);
}

/// Started with less room than is taken: what is worth least goes, and puts are taken again.
#[test]
fn a_store_that_was_made_smaller_shrinks() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    for n in 0..2_500 {
        let object = envelope_of(n, (n % 3) as u8, SizeClass::KIB_1);
        assert!(is_stored(&world.put(1, n as u32 + 1, &object)));
    }
    let mut smaller = config();
    smaller.store_objects_max = 100;
    let mut world = World::new(smaller, world.disk);
    assert_eq!(
        (world.relay.status().objects, world.disk.rows(HEADS)),
        (100, 100)
    );
    assert_eq!(
        world.relay.index.least().next().map(|(_, e)| e.effort),
        Some(2)
    );
    world.client(1);
    let object = envelope_of(9_999, 3, SizeClass::KIB_1);
    assert!(is_stored(&world.put(1, 1, &object)));
}
