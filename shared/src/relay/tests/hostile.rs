use super::*;
use crate::limits::REQUESTS_PER_LINK_MAX;

/// Frames of all types, valid for a relay or not.
fn seeds(n: u64) -> Vec<Vec<u8>> {
    let (header, body) = envelope(n);
    let (header, body) = (&header.encode(), &body[..]);
    let records = [[1; 24]; 3];
    let records = crate::wire::Records::new(&records);
    let bucket = crate::time::bucket(START.unix);
    [
        Frame::Hello {
            version: 1,
            network: NETWORK,
            nonce: [1; 32],
        },
        Frame::Ping { echo: 1 },
        Frame::Pong { echo: 1 },
        Frame::Put { header, body },
        Frame::Stored {
            receipt: crate::wire::Receipt::sign(
                &crate::crypto::SigningKey::from_bytes(&[3; 32]),
                envelope(1).0.id(),
                1,
            ),
            node_key: [1; 32],
        },
        Frame::Refused { code: 1, detail: 1 },
        Frame::Scan { bucket, first: 0 },
        Frame::ScanPage {
            bucket,
            closed: true,
            total: 3,
            bytes: 4,
            first: 0,
            records,
        },
        Frame::Get {
            bucket,
            bits: 0,
            prefix: 0,
        },
        Frame::Object {
            bucket,
            header,
            body,
        },
        Frame::End { count: u32::MAX },
        Frame::Find {
            bits: 3,
            prefix: u64::MAX,
        },
        Frame::Watch { mode: 1 },
        Frame::Lagged { bucket },
    ]
    .iter()
    .map(|f| f.encode(1))
    .collect()
}

fn mutate(rng: &mut Rng, frame: &[u8]) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    // Mostly keep the type, so that fields are reached; requests get numbers of their own.
    if bytes.len() > 5 {
        bytes[1] = rng.below(32) as u8;
    }
    for _ in 0..rng.below(4) {
        let at = rng.below(bytes.len() as u64) as usize;
        bytes[at] = rng.u64() as u8;
    }
    match rng.below(12) {
        0 => bytes.truncate(rng.below(bytes.len() as u64 + 1) as usize),
        1 => bytes.extend((0..rng.below(40)).map(|_| 7)),
        2 => rng.fill(&mut bytes),
        3 => bytes = alloc::vec![0xff; 17_400 + rng.below(16) as usize],
        _ => {}
    }
    bytes
}

fn bounds(world: &World) {
    let relay = &world.relay;
    assert!(
        relay
            .links
            .values()
            .all(|l| l.requests.len() <= REQUESTS_PER_LINK_MAX)
    );
    assert!(
        relay
            .links
            .values()
            .all(|l| l.jobs.len() <= REQUESTS_PER_LINK_MAX)
    );
    assert!(relay.reads <= crate::limits::READS_MAX);
    assert!(relay.puts.bytes() <= crate::limits::PENDING_BYTES_MAX);
    assert_eq!(relay.deadlines.len(), relay.links.len());
    assert!(relay.out.is_empty());
    assert!(relay.effects.len() <= relay.reads + 4);
}

#[test]
fn a_relay_survives_any_frames() {
    let mut rng = Rng::new([1; 32]);
    let mut world = World::new(config(), Disk::default());
    let mut open = 0;
    for n in 0..20_000u64 {
        let link = rng.below(8) + 1;
        if !world.relay.links.contains_key(&LinkId(link)) {
            open += 1;
            world.up(link);
            if rng.below(10) > 0 {
                world.message(link, &client(link).hello());
            }
        }
        world.auto = rng.below(4) == 0;
        let seeds = seeds(rng.below(200));
        // Every other one is something a client may say, unharmed but for its number.
        let bytes = if rng.below(2) == 0 {
            let valid = [1, 3, 3, 3, 6, 8, 11, 12];
            let mut bytes = seeds[valid[rng.below(8) as usize]].clone();
            bytes[1] = rng.below(32) as u8;
            bytes
        } else {
            let at = rng.below(seeds.len() as u64) as usize;
            mutate(&mut rng, &seeds[at])
        };
        match rng.below(200) {
            0 => world.input(Input::LinkDown { link: LinkId(link) }),
            1 => world.input(Input::LinkCongested {
                link: LinkId(link),
                congested: true,
            }),
            2..6 => world.input(Input::LinkCongested {
                link: LinkId(link),
                congested: false,
            }),
            6 => world.advance(rng.below(10_000)),
            7 if !world.effects.is_empty() => world.fail_effect(StoreError::Unavailable),
            _ => world.message(link, &bytes),
        }
        if n % 64 == 0 {
            while world.do_effect() {}
            world.sent.clear();
        }
        bounds(&world);
    }
    // The run got behind the first checks.
    let c = *world.relay.counters();
    assert!(
        open > 100 && c.stored > 50 && c.objects_sent > 50 && c.pushed > 50,
        "{c:?}"
    );
    assert!(c.frames_malformed > 500, "{c:?}");
}

#[test]
fn answers_that_nobody_asked_for_change_nothing() {
    let mut world = World::new(config(), Disk::default());
    for n in 0..50 {
        let token = Token(n);
        world.input(Input::Saved { token });
        world.input(Input::Loaded {
            token,
            rows: Vec::new(),
        });
        world.input(Input::StoreFailed {
            token,
            error: StoreError::Full,
        });
    }
    assert_eq!(world.relay.state(), State::Running);
    world.client(1);
    assert!(is_stored(&world.put(1, 1, &envelope(1))));
}

/// PROTOCOL.md section 3: numbers begin at 1, and none is used while it is in use.
#[test]
fn numbers_in_use_are_malformed() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    let watch = |n| Frame::Watch { mode: 0 }.encode(n);
    let scan = |n| {
        Frame::Scan {
            bucket: 1,
            first: 0,
        }
        .encode(n)
    };
    let get = |n| {
        let (bucket, bits, prefix) = (1, 0, 0);
        Frame::Get {
            bucket,
            bits,
            prefix,
        }
        .encode(n)
    };
    world.message(1, &watch(5));
    assert!(matches!(parse(&world.frames(1)[0]).1, Frame::Lagged { .. }));
    for frame in [scan(5), get(5), watch(5)] {
        world.message(1, &frame);
        assert_eq!(refusal(&world.frames(1)[0]).0, Refused::Malformed);
    }
    for frame in [scan(0), get(0), watch(0)] {
        world.message(1, &frame);
        assert!(
            world.frames(1).is_empty(),
            "there is no number to answer to"
        );
    }
    assert!(world.closed.is_empty());
    for frame in [scan(0), get(0)] {
        world.message(1, &frame);
    }
    assert!(!world.closed.is_empty(), "the eighth");
}
