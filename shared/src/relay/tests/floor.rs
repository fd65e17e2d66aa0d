//! The effort asked of clients goes up while many bring more than there is room for, and down.
use super::peers::relay_of;
use super::*;

/// What may come from clients between two looks: 16 objects, 2 of a network.
const PER_LOOK: u64 = 16;
const WATCHES: u64 = 99;
const PEER: u64 = 30;

struct Flood {
    world: World,
    next: u64,
}

impl Flood {
    /// A relay with one peer and a client that stays, its store half full.
    fn new() -> Self {
        let config = RelayConfig {
            store_bytes_max: 1024 * 1096,
            hour_bytes_max: Some(4 * 12 * PER_LOOK * 1096),
            ..config()
        };
        let mut world = relay_of(config);
        world.peer(PEER);
        world.client(WATCHES);
        let mut flood = Flood { world, next: 0 };
        while flood.world.relay.status().bytes <= 512 * 1096 {
            assert!(is_stored(&flood.put(1, 0)));
        }
        assert_eq!(flood.world.relay.effort_floor(), 0);
        flood
    }

    fn object(&mut self, effort: u8) -> Object {
        self.next += 1;
        envelope_of(self.next, effort, SizeClass::KIB_1)
    }

    /// Somebody in that network puts something.
    fn put(&mut self, network: u64, effort: u8) -> Vec<u8> {
        let object = self.object(effort);
        self.put_it(network, &object)
    }

    fn put_it(&mut self, network: u64, object: &Object) -> Vec<u8> {
        let link = 1_000 + self.next;
        self.next += 1;
        self.world.up_from(link, from(network));
        self.world.message(link, &client(link).hello());
        self.world.frames(link);
        let answer = self.world.put(link, 1, object);
        let link = LinkId(link);
        self.world.input(Input::LinkDown { link });
        answer
    }

    /// Until the next look; the floors that the client that stays was told.
    fn look(&mut self) -> Vec<u8> {
        for _ in 0..15 {
            self.world.advance(20_000);
            let ping = Frame::Ping { echo: 1 }.encode(0);
            self.world.message(WATCHES, &ping);
            self.world.message(PEER, &ping);
        }
        let frames = self.world.frames(WATCHES);
        let told = frames.iter().filter_map(|frame| match parse(frame).1 {
            Frame::Floor { effort } => Some(effort),
            _ => None,
        });
        told.collect()
    }

    /// So many networks bring three objects each.
    fn flood(&mut self, networks: u64, effort: u8) {
        for network in 1..=networks {
            for _ in 0..3 {
                self.put(network, effort);
            }
        }
    }
}

#[test]
fn a_few_networks_raise_no_floor_and_many_do() {
    let mut flood = Flood::new();
    for _ in 0..3 {
        // However much they bring.
        (0..10).for_each(|_| flood.flood(7, 0));
        assert_eq!(flood.look(), []);
    }
    for floor in 1..=3 {
        flood.flood(8, floor - 1);
        assert_eq!(flood.look(), [floor]);
        assert_eq!(
            refusal(&flood.put(20, floor - 1)),
            (Refused::TooLittleWork, floor.into())
        );
        // What is refused for its work counts as nothing.
    }
    // Half as much holds it.
    for _ in 0..6 {
        flood.flood(4, 3);
        assert_eq!(flood.look(), []);
    }
    // Less lowers it, a step at a time.
    for floor in (0..3).rev() {
        for _ in 0..2 {
            flood.flood(3, 3);
            assert_eq!(flood.look(), []);
        }
        assert_eq!(flood.look(), [floor]);
    }
    assert!(flood.world.relay.floor.next_time() == Millis::MAX);
}

#[test]
fn it_is_raised_so_far_and_no_further() {
    let mut flood = Flood::new();
    for floor in 1..=12u8 {
        flood.flood(9, 12);
        let told = flood.look();
        assert_eq!(told.len(), usize::from(floor <= 8), "{told:?}");
    }
    assert_eq!(flood.world.relay.effort_floor(), 8);
}

/// A configured floor counts within what clients do.
#[test]
fn clients_are_not_shut_out() {
    for (configured, highest) in [(0, 8), (5, 8), (8, 8), (10, 10)] {
        let mut flood = Flood::new();
        flood.world.relay.config.effort_floor = configured;
        for _ in 0..10 {
            flood.flood(9, 12);
            flood.look();
        }
        assert_eq!(flood.world.relay.effort_floor(), highest);
    }
}

/// What another relay took, and what is here already, is not held to what was raised.
#[test]
fn peers_and_what_is_stored_are_held_to_the_configured_floor() {
    let mut flood = Flood::new();
    let stored = flood.object(0);
    assert!(is_stored(&flood.put_it(50, &stored)));
    flood.flood(8, 0);
    assert_eq!(flood.look(), [1]);
    assert!(is_stored(&flood.put_it(51, &stored)));
    let pushed = flood.object(0);
    let (header, body) = (&pushed.0.encode(), &pushed.1[..]);
    let push = Frame::Push { header, body }.encode(0);
    flood.world.message(PEER, &push);
    assert!(flood.world.relay.stores(&pushed.0.id()));
    let told = flood.object(0);
    let have = Frame::Have {
        headers: &[told.0.encode()],
    };
    flood.world.frames(PEER);
    flood.world.message(PEER, &have.encode(0));
    let frames = flood.world.frames(PEER);
    assert!(
        frames
            .iter()
            .any(|frame| matches!(parse(frame).1, Frame::Want { .. }))
    );
    // Peers are told nothing, and a Put that one passes on is taken.
    let passed = flood.object(0);
    assert!(is_stored(&flood.world.put(PEER, 7, &passed)));
}

#[test]
fn a_welcome_says_it_and_the_descriptor_after_a_while() {
    let mut flood = Flood::new();
    flood.flood(8, 0);
    flood.look();
    flood.world.up(70);
    flood.world.message(70, &client(70).hello());
    let frames = flood.world.frames(70);
    let Frame::Welcome(welcome) = parse(&frames[0]).1 else {
        unreachable!()
    };
    assert_eq!(welcome.effort_floor, 1);
    let solving = |flood: &Flood| {
        let effects = flood.world.effects.iter();
        effects
            .filter(|e| matches!(e, Output::Solve { .. }))
            .count()
    };
    // Half an hour, with the floor held.
    for _ in 0..5 {
        flood.flood(4, 1);
        flood.look();
        assert_eq!(solving(&flood), 0);
    }
    for _ in 0..2 {
        flood.flood(4, 1);
        flood.look();
    }
    assert_eq!(solving(&flood), 1);
    flood.world.solve();
    let frames = flood.world.frames(PEER);
    let said = frames.iter().find_map(|frame| match parse(frame).1 {
        Frame::Peered { header, body } => {
            let header = Header::parse(header).unwrap();
            crate::wire::Descriptor::read(&header, body).ok()
        }
        _ => None,
    });
    assert_eq!(said.unwrap().effort_floor, 1);
}
