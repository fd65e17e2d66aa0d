use super::*;
use crate::object::pow;
use crate::time::hour;
use crate::wire::Receipt;

#[test]
fn stored_only_after_saved_and_signed() {
    let mut world = World::new(config(), Disk::default());
    let mut client = world.client(1);
    world.auto = false;
    let (header, body) = envelope(1);
    let (request, frame) = client.put(START, &header, &body).unwrap();
    world.message(1, &frame);
    assert!(world.frames(1).is_empty());
    assert_eq!(world.relay.status().saving, 1);
    let Some(Output::Save { batch, .. }) = world.effects.front() else {
        unreachable!("no save");
    };
    assert!(batch.durable);
    world.do_effect();
    let frames = world.frames(1);
    match client.on_frame(START, &frames[0]) {
        Ok(Reply::Stored {
            request: r,
            receipt,
            ..
        }) => {
            assert_eq!((r, receipt.id), (request, header.id()));
        }
        other => unreachable!("{other:?}"),
    }
    assert_eq!((world.disk.rows(HEADS), world.disk.rows(BODIES)), (1, 1));
    let status = world.relay.status();
    assert_eq!((status.objects, status.bytes, status.saving), (1, 1096, 0));
}

#[test]
fn a_failed_save_acknowledges_nothing_and_can_be_tried_again() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    for (error, why) in [
        (StoreError::Full, Refused::StoreFull),
        (StoreError::Unavailable, Refused::StoreFailed),
    ] {
        world.auto = false;
        let (header, body) = envelope(1);
        let (header, body) = (&header.encode(), &body[..]);
        world.message(1, &Frame::Put { header, body }.encode(1));
        world.fail_effect(error);
        let frames = world.frames(1);
        assert_eq!(refusal(&frames[0]), (why, 0));
        assert_eq!(
            (world.relay.status().objects, world.relay.status().saving),
            (0, 0)
        );
    }
    world.auto = true;
    assert!(is_stored(&world.put(1, 2, &envelope(1))));
}

#[test]
fn a_duplicate_is_acknowledged_again_and_stored_once() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    world.client(2);
    world.auto = false;
    let (header, body) = envelope(1);
    let (header, body) = (&header.encode(), &body[..]);
    world.message(1, &Frame::Put { header, body }.encode(1));
    world.message(2, &Frame::Put { header, body }.encode(7));
    world.message(1, &Frame::Put { header, body }.encode(2));
    while world.do_effect() {}
    let answers: Vec<u32> = world.frames(1).iter().map(|f| parse(f).0).collect();
    assert_eq!(answers, [1, 2]);
    assert!(is_stored(&world.frames(2)[0]));
    assert!(is_stored(&world.put(2, 8, &envelope(1))));
    assert_eq!(
        (
            world.disk.rows(HEADS),
            world.relay.counters().puts_duplicate
        ),
        (1, 3)
    );
}

#[test]
fn each_refusal_has_its_code_and_counter() {
    let strict = RelayConfig {
        work_divisor: 1 << 10,
        effort_floor: 2,
        ..config()
    };
    let mut world = World::new(strict, Disk::default());
    world.client(1);
    let solve = |change: &dyn Fn(&mut Header)| {
        let (mut h, body) = envelope_of(1, 2, SizeClass::KIB_1);
        change(&mut h);
        h.nonce = (0..)
            .find(|n| pow::is_paid(&Header { nonce: *n, ..h }, 1 << 10))
            .unwrap();
        (h, body)
    };
    let hour = hour(START.unix);
    let cases: [(Object, (Refused, u32)); 6] = [
        (solve(&|h| h.front.network = 1), (Refused::WrongNetwork, 0)),
        (solve(&|h| h.front.expiry = hour), (Refused::Expired, hour)),
        (
            solve(&|h| h.front.expiry = hour + 51),
            (Refused::Expired, hour),
        ),
        (solve(&|h| h.front.effort = 1), (Refused::TooLittleWork, 2)),
        (
            solve(&|h| h.body_hash = [0; 32]),
            (Refused::BodyMismatch, 0),
        ),
        (
            solve(&|h| h.front.size = SizeClass::KIB_2),
            (Refused::Malformed, 0),
        ),
    ];
    for (n, (object, why)) in cases.iter().enumerate() {
        let frame = world.put(1, n as u32 + 1, object);
        assert_eq!(refusal(&frame), *why);
    }
    let (mut unpaid, body) = solve(&|_| ());
    unpaid.nonce = (unpaid.nonce + 1..)
        .find(|n| {
            !pow::is_paid(
                &Header {
                    nonce: *n,
                    ..unpaid
                },
                1 << 10,
            )
        })
        .unwrap();
    let frame = world.put(1, 20, &(unpaid, body));
    assert_eq!(refusal(&frame), (Refused::TooLittleWork, 2));
    assert!(is_stored(&world.put(1, 21, &solve(&|_| ()))));
    let c = world.relay.counters();
    assert_eq!((c.refused_wrong_network, c.refused_expired), (1, 2));
    assert_eq!((c.refused_too_little_work, c.refused_body_mismatch), (2, 1));
    assert_eq!((c.refused_malformed, c.stored, c.puts), (1, 1, 8));
}

#[test]
fn sixteen_requests_at_once() {
    let mut world = World::new(config(), Disk::default());
    let mut client = world.client(1);
    world.auto = false;
    for n in 1..=17 {
        let (header, body) = envelope(n);
        assert_eq!(client.put(START, &header, &body).is_some(), n <= 16);
        let (header, body) = (&header.encode(), &body[..]);
        world.message(1, &Frame::Put { header, body }.encode(n as u32));
    }
    let frames = world.frames(1);
    assert_eq!(frames.len(), 1);
    assert_eq!(refusal(&frames[0]), (Refused::TooManyRequests, 0));
    while world.do_effect() {}
    assert_eq!(world.frames(1).len(), 16);
    // Number 3 is free again.
    world.auto = true;
    assert!(is_stored(&world.put(1, 3, &envelope(3))));
}

#[test]
fn saves_are_gathered_while_two_are_under_way() {
    let mut world = World::new(config(), Disk::default());
    for n in 1..=10 {
        world.client(n);
    }
    world.auto = false;
    for n in 1..=10 {
        let (header, body) = envelope(n);
        let (header, body) = (&header.encode(), &body[..]);
        world.message(n, &Frame::Put { header, body }.encode(1));
    }
    assert_eq!(world.effects.len(), 2);
    world.do_effect();
    let sizes: Vec<usize> = world
        .effects
        .iter()
        .map(|e| match e {
            Output::Save { batch, .. } => batch.changes.len(),
            _ => 0,
        })
        .collect();
    assert_eq!(sizes, [2, 16]);
    while world.do_effect() {}
    assert!((1..=10).all(|n| is_stored(&world.frames(n)[0])));
}

#[test]
fn bodies_waiting_for_the_store_are_bounded() {
    let mut world = World::new(config(), Disk::default());
    world.auto = false;
    let (mut refused, mut link) = (0, 0);
    for n in 0..1200 {
        if n % 16 == 0 {
            link += 1;
            world.client(link);
        }
        let (header, body) = envelope_of(n, 0, SizeClass::KIB_16);
        let (header, body) = (&header.encode(), &body[..]);
        world.message(link, &Frame::Put { header, body }.encode(n as u32 + 1));
        for frame in world.frames(link) {
            assert_eq!(refusal(&frame), (Refused::OverQuota, 1));
            refused += 1;
        }
    }
    assert!(world.relay.puts.bytes() <= crate::limits::PENDING_BYTES_MAX);
    let kept = crate::limits::PENDING_BYTES_MAX as u64 / (16_384 + 72);
    assert_eq!(refused, 1200 - kept);
    while world.do_effect() {}
    assert_eq!(world.relay.status().objects, kept);
    assert_eq!(world.relay.puts.bytes(), 0);
}

#[test]
fn a_full_store_gives_way_to_more_effort_only() {
    let small = RelayConfig {
        store_bytes_max: 3 * 1096,
        hour_bytes_max: Some(u64::MAX),
        ..config()
    };
    let mut world = World::new(small, Disk::default());
    world.client(1);
    for (n, effort) in [(1, 1), (2, 0), (3, 0)] {
        let object = envelope_of(n, effort, SizeClass::KIB_1);
        assert!(is_stored(&world.put(1, n as u32, &object)));
    }
    let frame = world.put(1, 4, &envelope_of(4, 0, SizeClass::KIB_1));
    assert_eq!(refusal(&frame), (Refused::StoreFull, 0));
    // The oldest of least effort goes.
    assert!(is_stored(&world.put(
        1,
        5,
        &envelope_of(5, 1, SizeClass::KIB_1)
    )));
    let has = |w: &World, n, effort| {
        let id = envelope_of(n, effort, SizeClass::KIB_1).0.id();
        w.relay.index.contains(&id)
    };
    assert!(has(&world, 1, 1) && !has(&world, 2, 0) && has(&world, 3, 0) && has(&world, 5, 1));
    assert_eq!((world.disk.rows(HEADS), world.disk.rows(BODIES)), (3, 3));
    // Two would have to go for a bigger one: one of them has as much effort.
    let frame = world.put(1, 6, &envelope_of(6, 1, SizeClass::KIB_2));
    assert_eq!(refusal(&frame), (Refused::StoreFull, 0));
    // What gave way to a save that failed is back.
    world.auto = false;
    let (header, body) = envelope_of(7, 3, SizeClass::KIB_2);
    let (header, body) = (&header.encode(), &body[..]);
    world.message(1, &Frame::Put { header, body }.encode(7));
    assert!(!has(&world, 3, 0));
    world.fail_effect(StoreError::Full);
    assert!(has(&world, 1, 1) && has(&world, 3, 0) && has(&world, 5, 1));
    assert_eq!(world.relay.status().bytes, 3 * 1096);
    assert_eq!(world.relay.counters().evicted, 1);
}

#[test]
fn who_floods_leaves_the_others_their_share() {
    let small = RelayConfig {
        store_bytes_max: 256 * 1096,
        hour_bytes_max: Some(64 * 1096),
        ..config()
    };
    let mut world = World::new(small, Disk::default());
    for link in 1..=4 {
        world.up_from(link, from(link));
        world.message(link, &client(link).hello());
        world.frames(link);
    }
    // One fills the half that is free, and more, with effort.
    let mut stored = 0;
    for n in 0..300 {
        let answer = world.put(1, n + 1, &envelope_of(n.into(), 5, SizeClass::KIB_1));
        stored += u32::from(is_stored(&answer));
        if !is_stored(&answer) {
            assert_eq!(refusal(&answer).0, Refused::OverQuota);
        }
    }
    assert!((128..=129 + 32).contains(&stored), "{stored}");
    // The others come after, without any, and get as much.
    for n in 0..8 {
        for link in 2..=4 {
            let object = envelope(1000 * link + n);
            assert!(
                is_stored(&world.put(link, n as u32 + 1, &object)),
                "{link} {n}"
            );
        }
    }
    // Nor does it get back in.
    let answer = world.put(1, 999, &envelope_of(999, 30, SizeClass::KIB_1));
    assert_eq!(refusal(&answer).0, Refused::OverQuota);
    world.advance(3_600_000);
    world.up_from(9, from(1));
    world.message(9, &client(9).hello());
    world.frames(9);
    let answer = world.put(9, 1000, &envelope_of(1001, 5, SizeClass::KIB_1));
    assert!(is_stored(&answer));
}

/// What gave way and was put again meanwhile keeps its row.
#[test]
fn what_comes_back_before_its_successor_is_saved_is_not_deleted() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    let (header, body) = envelope(1);
    assert!(is_stored(&world.put(1, 1, &(header, body.clone()))));
    // More than a batch waits from one network; the last of it makes the object give way.
    world.auto = false;
    let put = |world: &mut World, link: u64, request: u32, (header, body): &Object| {
        let header = &header.encode();
        world.message(link, &Frame::Put { header, body }.encode(request));
    };
    for link in 10..70 {
        world.up(link);
        world.message(link, &client(link).hello());
        for n in 0..10 {
            let object = envelope(link * 100 + n);
            put(&mut world, link, n as u32 + 1, &object);
        }
    }
    world.relay.config.store_objects_max = 601;
    put(&mut world, 1, 2, &envelope_of(2, 1, SizeClass::KIB_1));
    assert!(!world.relay.index.contains(&header.id()));
    // It comes again, from elsewhere, and is saved before.
    world.relay.config.store_objects_max = 1_000;
    world.up_from(2, from(9));
    world.message(2, &client(2).hello());
    put(&mut world, 2, 1, &(header, body));
    while world.do_effect() {}
    assert!(world.relay.index.contains(&header.id()));
    assert_eq!(world.disk.rows(HEADS) as u64, world.relay.status().objects);
    assert_eq!(world.disk.rows(BODIES) as u64, world.relay.status().objects);
}

#[test]
fn who_fills_the_queue_gives_way_to_others() {
    let mut world = World::new(config(), Disk::default());
    world.auto = false;
    for link in 1..=80 {
        world.up_from(link, from(u64::from(link > 64)));
        world.message(link, &client(link).hello());
        world.frames(link);
    }
    // More than fits, over many links of one network.
    for n in 0..640u64 {
        let (header, body) = envelope_of(n, 0, SizeClass::KIB_16);
        let header = &header.encode();
        let frame = Frame::Put {
            header,
            body: &body,
        };
        world.message(n % 64 + 1, &frame.encode(n as u32 + 1));
    }
    (1..=64).for_each(|link| drop(world.frames(link)));
    for n in 0..8u64 {
        let (header, body) = envelope_of(5000 + n, 0, SizeClass::KIB_16);
        let header = &header.encode();
        let frame = Frame::Put {
            header,
            body: &body,
        };
        world.message(70, &frame.encode(n as u32 + 1));
    }
    assert_eq!(world.frames(70).len(), 0, "none is refused");
    while world.do_effect() {}
    let answers = world.frames(70);
    assert!(answers.len() == 8 && answers.iter().all(|f| is_stored(f)));
}

#[test]
fn receipts_do_not_verify_for_others() {
    let receipt = Receipt::sign(&node_key(), envelope(1).0.id(), 5);
    assert!(receipt.verify(&node_key().public()).is_ok());
    let key = SigningKey::from_bytes(&[1; 32]).public();
    assert!(receipt.verify(&key).is_err());
    let mut other = receipt;
    other.time = 6;
    assert!(other.verify(&node_key().public()).is_err());
}
