//! Both sides by way of relays: everything is seen by both, late, in any order, again and again.

use super::*;

/// Everything that was put, and what either side still has to be asked.
struct World {
    run: Run,
    pool: Vec<Sealed>,
    bundle: Option<Bundle>,
    numbers: [Option<u32>; 2],
    received: bool,
    done: bool,
}

impl World {
    fn new(seed: u8) -> World {
        let run = Run::new(DeviceKind::Full, seed);
        World {
            pool: alloc::vec![run.key.clone()],
            run,
            bundle: None,
            numbers: [None; 2],
            received: false,
            done: false,
        }
    }

    /// A client looks into what it expects, and now and then into anything else.
    fn deliver(&mut self, envelope: &Sealed) {
        let found = |expected: Vec<u64>| expected.contains(&locator(&envelope.header.tag));
        let (to_n, to_o) = (found(self.run.n.expected()), found(self.run.o.expected()));
        let anyway = self.run.rng.below(4) == 0;
        if to_n || anyway {
            let reply = self.run.n_gets(envelope);
            assert!(to_n || is_nothing(&reply));
            self.n_says(reply);
        }
        if to_o || anyway {
            let reply = self.run.o_gets(envelope);
            assert!(to_o || is_nothing(&reply));
            self.pool.extend(reply.put);
            match reply.event {
                Some(OldEvent::Compare(newcomer)) => {
                    self.numbers[1] = Some(newcomer.number);
                    let device = newcomer.device;
                    self.bundle = Some(self.run.bundle(device, DeviceKind::Full, 100));
                }
                Some(OldEvent::Done) => self.done = true,
                Some(OldEvent::Failed(why)) => panic!("{why:?}"),
                None => {}
            }
        }
    }

    fn n_says(&mut self, reply: Reply<NewEvent>) {
        self.pool.extend(reply.put);
        match reply.event {
            Some(NewEvent::Compare(host)) => self.numbers[0] = Some(host.number),
            Some(NewEvent::Received(_)) => {
                assert!(!self.received, "once");
                self.received = true;
                self.pool
                    .extend(self.run.n.taken(&at(8_000), &mut self.run.rng));
            }
            Some(NewEvent::Failed(why)) => panic!("{why:?}"),
            Some(NewEvent::Progress { .. }) | None => {}
        }
    }

    /// The people, whenever they get to it.
    fn people(&mut self) {
        if self.numbers[0].is_some() && self.run.rng.below(10) == 0 {
            let reply = self.run.n_confirms();
            self.n_says(reply);
        }
        if self.bundle.is_some() && self.run.rng.below(10) == 0 {
            let bundle = self.bundle.take().unwrap();
            self.run.o.approve(&bundle, &at(7_000)).unwrap();
        }
        if self.run.rng.below(3) == 0 {
            let chunk = self.run.o.next_chunk(&at(7_000), &mut self.run.rng);
            self.pool.extend(chunk);
        }
    }
}

#[test]
fn any_order_links_the_device() {
    for seed in 0..20 {
        let mut world = World::new(seed);
        for step in 0.. {
            assert!(step < 5_000, "it never ends");
            world.people();
            let at = world.run.rng.below(world.pool.len() as u64) as usize;
            let mut envelope = world.pool[at].clone();
            if world.run.rng.below(3) == 0 {
                let at = world.run.rng.below(envelope.body.len() as u64) as usize;
                envelope.body[at] ^= 0x10;
            }
            world.deliver(&envelope);
            if world.done {
                break;
            }
        }
        assert!(world.received && world.numbers[0] == world.numbers[1]);
    }
}

/// A later version says more, and an earlier one passes over it.
#[test]
fn what_is_unknown_in_a_bundle_is_passed_over() {
    let mut run = Run::new(DeviceKind::Full, 1);
    let device = run.asks.device;
    let bundle = run.bundle(device, DeviceKind::Full, 1);
    let bytes = bundle.encode().unwrap();
    // A map of 19 pairs: one more, [1, {2: "x"}] under key 24.
    assert_eq!(bytes[0], 0xb3);
    let more = [0x18, 24, 0x82, 1, 0xa1, 2, 0x61, b'x'];
    let later = [&[0xb4], &bytes[1..], &more].concat();
    let me = run.ada.key.public();
    let read = Bundle::read(&later, &me, &device, DeviceKind::Full, START).unwrap();
    assert_eq!(*read.encode().unwrap(), *bytes);
}
