use super::*;
use crate::wire::Bye;

fn bye(world: &mut World, link: u64) -> Bye {
    let frames = world.frames(link);
    match parse(frames.last().unwrap()).1 {
        Frame::Bye { reason } => Bye::from_code(reason),
        other => unreachable!("{other:?}"),
    }
}

#[test]
fn the_handshake_proves_the_node_key_on_this_link() {
    let mut world = World::new(config(), Disk::default());
    let client = world.client(1);
    let welcome = client.welcome().unwrap();
    assert_eq!((welcome.time, welcome.effort_floor), (START.unix, 0));
    // The same frames on a link with other certificates convince nobody.
    world.up(2);
    world.message(2, &client.hello());
    let frames = world.frames(2);
    let mut other = super::client(3);
    assert_eq!(
        other.on_frame(START, &frames[0]),
        Err(LinkFault::BadWelcome)
    );
}

#[test]
fn hello_comes_first_and_fits() {
    let mut world = World::new(config(), Disk::default());
    let hello = |version, network| Frame::Hello {
        version,
        network,
        nonce: [0; 32],
    };
    for (n, frame, reason) in [
        (
            1,
            Frame::Scan {
                bucket: 1,
                first: 0,
            },
            Bye::Malformed,
        ),
        (2, hello(2, NETWORK), Bye::Version),
        (3, hello(1, 5), Bye::Network),
    ] {
        world.up(n);
        world.message(n, &frame.encode(1));
        assert_eq!(bye(&mut world, n), reason);
        assert!(world.closed.contains(&LinkId(n)));
    }
    assert_eq!(world.relay.status().links, 0);
    let c = world.relay.counters();
    assert_eq!(
        (
            c.links_without_hello,
            c.links_wrong_version,
            c.links_wrong_network
        ),
        (1, 1, 1)
    );
}

#[test]
fn the_eighth_malformed_frame_closes_the_link() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    for n in 1..=7 {
        world.message(1, &[0x20, n, 0, 0, 0]);
        let frames = world.frames(1);
        assert_eq!(parse(&frames[0]).0, n.into());
        assert_eq!(refusal(&frames[0]), (Refused::Malformed, 0));
    }
    world.message(1, &[0x20]);
    assert_eq!(bye(&mut world, 1), Bye::Malformed);
    assert_eq!(world.relay.counters().frames_malformed, 8);
    // A frame that is too long closes at once.
    world.client(2);
    world.message(2, &alloc::vec![0; 17_409]);
    assert_eq!(bye(&mut world, 2), Bye::Malformed);
}

#[test]
fn unknown_types_are_refused_only_as_requests() {
    let mut world = World::new(config(), Disk::default());
    world.client(1);
    world.message(1, &[0x0f, 1, 0, 0, 0, 1, 2, 3]);
    assert!(world.frames(1).is_empty());
    world.message(1, &[0x7f, 1, 0, 0, 0, 1, 2, 3]);
    let frames = world.frames(1);
    assert_eq!(refusal(&frames[0]), (Refused::UnknownRequest, 0));
    assert_eq!(world.relay.counters().frames_unknown, 2);
    assert_eq!(world.relay.status().links, 1);
}

#[test]
fn a_silent_link_is_pinged_then_closed_and_an_answering_one_stays() {
    let mut world = World::new(config(), Disk::default());
    let mut client = world.client(1);
    world.client(2);
    let opened = world.now.mono;
    let mut pings = 0;
    while world.now.mono < opened + 300_000 {
        world.advance(world.wake - world.now.mono);
        for frame in world.frames(1) {
            if let Ok(Reply::Send(pong)) = client.on_frame(world.now, &frame) {
                pings += 1;
                world.message(1, &pong);
            }
        }
    }
    assert!(pings > 5, "{pings}");
    assert_eq!(bye(&mut world, 2), Bye::Idle);
    assert!(!world.closed.contains(&LinkId(1)) && world.closed.contains(&LinkId(2)));
    // One that never says Hello goes sooner.
    world.up(3);
    world.advance(10_000);
    assert!(world.closed.contains(&LinkId(3)));
    assert_eq!(world.relay.counters().links_idle, 2);
}

#[test]
fn links_are_limited_in_all_and_by_origin() {
    let limits = RelayConfig {
        links_max: 10,
        links_per_address_max: 2,
        links_per_network_max: 3,
        ..config()
    };
    let mut world = World::new(limits, Disk::default());
    let home = |address| Origin {
        network: 1,
        address,
        ..Origin::default()
    };
    world.up_from(1, home(1));
    world.up_from(2, home(1));
    world.up_from(3, home(1));
    assert_eq!(bye(&mut world, 3), Bye::Full);
    world.up_from(4, home(2));
    world.up_from(5, home(3));
    assert_eq!(bye(&mut world, 5), Bye::Full);
    world.input(Input::LinkDown { link: LinkId(1) });
    world.up_from(6, home(3));
    assert!(!world.closed.contains(&LinkId(6)));
    for n in 10..30 {
        let network = n;
        world.up_from(
            n,
            Origin {
                network,
                address: n,
                ..Origin::default()
            },
        );
    }
    assert_eq!(world.relay.status().links, 10);
    assert_eq!(world.relay.counters().links_over_limit, 2 + 13);
    assert_eq!(world.closed.len(), 15);
}

#[test]
fn a_closed_link_leaves_nothing_behind() {
    let mut world = World::new(config(), Disk::default());
    let mut client = world.client(1);
    world.auto = false;
    let (header, body) = envelope(1);
    let (_, frame) = client.put(START, &header, &body).unwrap();
    world.message(1, &frame);
    let (_, frame) = client.get(START, 5, 0, 0).unwrap();
    world.message(1, &frame);
    let (_, frame) = client.watch(START, true).unwrap();
    world.message(1, &frame);
    world.input(Input::LinkDown { link: LinkId(1) });
    world.frames(1);
    while world.do_effect() {}
    assert!(world.frames(1).is_empty());
    let status = world.relay.status();
    assert_eq!(
        (status.links, status.watches, status.saving, status.reading),
        (0, 0, 0, 0)
    );
    assert_eq!(status.objects, 1, "what was put is kept");
    let r = &world.relay;
    assert!(r.deadlines.is_empty() && r.hungry.is_empty() && r.behind.is_empty());
    assert!(r.effects.is_empty());
}
