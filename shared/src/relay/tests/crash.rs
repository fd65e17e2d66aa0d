use super::*;
use crate::time::hour;
use crate::wire::Id;

/// What reached the disk for good, and what may be lost with the power.
struct Machine {
    world: World,
    durable: Disk,
    rng: Rng,
    /// Acknowledged, and so to be found until it expires.
    acked: BTreeMap<Id, u64>,
    next: u64,
}

impl Machine {
    fn new(seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Machine {
            world: World::stopped(config(), Disk::default()),
            durable: Disk::default(),
            rng: Rng::new(bytes),
            acked: BTreeMap::new(),
            next: 0,
        }
    }

    fn step(&mut self) {
        match self.rng.below(10) {
            0..5 => self.put(),
            5..9 => self.do_effect(),
            _ if self.rng.below(4) == 0 => self.crash(),
            _ if self.rng.below(4) == 0 => self.fail(),
            _ => {
                let ms = self.rng.below(1_000_000);
                self.world.now.unix += ms;
                self.world.advance(1);
            }
        }
        self.read_answers();
    }

    fn put(&mut self) {
        if self.world.relay.status().links == 0 {
            self.world.up(1);
            self.world.message(1, &client(1).hello());
        }
        // Old ones are put again now and then.
        let n = if self.rng.below(3) == 0 {
            self.rng.below(self.next + 1)
        } else {
            self.next += 1;
            self.next
        };
        let (header, body) = self.object(n);
        let (header, body) = (&header.encode(), &body[..]);
        let put = Frame::Put { header, body };
        self.world.message(1, &put.encode(n as u32 + 1));
    }

    /// Some of them expire within the run.
    fn object(&self, n: u64) -> Object {
        let (mut header, body) = envelope(n);
        header.front.expiry -= (n % 50) as u32;
        (header, body)
    }

    fn do_effect(&mut self) {
        let durable = match self.world.effects.front() {
            Some(Output::Save { batch, .. }) => batch.durable,
            _ => false,
        };
        self.world.do_effect();
        if durable {
            self.durable = self.world.disk.clone();
        }
    }

    fn fail(&mut self) {
        // A failed start would end the run.
        let running = self.world.relay.state() == State::Running;
        if running && !self.world.effects.is_empty() {
            self.world.fail_effect(StoreError::Full);
        }
    }

    /// Acknowledgements that left before the crash count.
    fn read_answers(&mut self) {
        for frame in self.world.frames(1) {
            if let (request, Frame::Stored { receipt, .. }) = parse(&frame) {
                self.acked.insert(receipt.id, u64::from(request) - 1);
            }
        }
    }

    fn crash(&mut self) {
        let now = self.world.now;
        let mut world = World {
            relay: Relay::new(config(), [8; 32], now),
            now,
            ..World::stopped(config(), self.durable.clone())
        };
        world.effects.clear();
        world.settle();
        self.world = world;
        // Crashes come during the start, too.
        if self.rng.below(3) > 0 {
            while self.world.relay.state() == State::Starting {
                self.do_effect();
            }
        }
    }

    fn check(&mut self) {
        self.crash();
        while self.world.do_effect() {}
        assert_eq!(self.world.relay.state(), State::Running);
        let hour = hour(self.world.now.unix);
        let mut expected = 0;
        for (id, n) in &self.acked {
            let alive = self.object(*n).0.expiry > hour;
            let kept = self.world.relay.index.contains(id);
            assert_eq!(kept, alive, "object {n}");
            expected += u64::from(alive);
        }
        assert!(self.world.relay.status().objects >= expected);
        // And its body is there as well.
        let rows = (self.world.disk.rows(HEADS), self.world.disk.rows(BODIES));
        assert_eq!(rows.0, rows.1);
        assert_eq!(self.world.relay.counters().rows_damaged, 0);
    }
}

#[test]
fn nothing_acknowledged_is_lost_in_a_crash() {
    let mut acked = 0;
    for seed in 0..60 {
        let mut machine = Machine::new(seed);
        for _ in 0..200 {
            machine.step();
        }
        machine.check();
        acked += machine.acked.len();
    }
    assert!(acked > 1000, "{acked}");
}
