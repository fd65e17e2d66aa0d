//! Fifty relays, many, fifty again: ranges are halved and joined, and every object that was put on
//! the way is looked for in the end.

use crate::{MINUTE, SCAN_WIDER_BITS};
use shared::crypto::Rng;
use std::time::Instant;
use tests::disk::Disk;
use tests::network::Object;
use tests::world::{At, World};

/// How many there are before and after.
const FEW: usize = 50;
/// In which time there are twice as many, and half as many.
const DOUBLED_MINUTES: f64 = 15.0;
const HALVED_MINUTES: f64 = 180.0;
/// Objects that are put at each of [`PUTS`] moments of growing and of shrinking.
const OBJECTS: usize = 10;
const PUTS: usize = 20;

struct Waves {
    world: World,
    rng: Rng,
    up: Vec<At>,
    objects: Vec<Object>,
    /// Objects that nobody had half a minute later, so that their sender had no receipt.
    again: usize,
    started: Instant,
}

/// Relays come until there are so many, then leave in any order, without a word and for good. A
/// range is halved at `swarm` relays.
pub fn run(most: usize, swarm: usize) {
    let mut waves = Waves {
        world: World::new(3),
        rng: Rng::new([3; 32]),
        up: Vec::new(),
        objects: Vec::new(),
        again: 0,
        started: Instant::now(),
    };
    waves.world.swarm_relays = Some(swarm);
    waves.world.scan_wider_bits = SCAN_WIDER_BITS;
    for _ in 0..FEW {
        waves.come();
        waves.world.run(MINUTE / 4);
    }
    waves.world.run(20 * MINUTE);
    let few = waves.look("few");
    let each = (most - FEW).div_ceil(PUTS);
    for n in 0..most - FEW {
        waves.come();
        waves.pass(DOUBLED_MINUTES);
        if n % each == 0 {
            waves.put();
        }
    }
    waves.world.run(40 * MINUTE);
    waves.put();
    let many = waves.look("many");
    for n in 0..most - FEW {
        waves.leave();
        waves.pass(HALVED_MINUTES);
        if n % each == 0 {
            waves.put();
        }
    }
    waves.world.run(120 * MINUTE);
    let end = waves.look("few again");
    println!(
        "{{\"waves\": {most}, \"swarm\": {swarm}, \
         \"few\": {FEW}, \"few_bits\": {:.2}, \"many_bits\": {:.2}, \
         \"end_bits\": {:.2}, \"objects\": {}, \"put_again\": {}, \"lost_at_most\": {}, \
         \"lost_in_the_end\": {}, \
         \"hours\": {:.1}, \"seconds\": {:.0}}}",
        few.1,
        many.1,
        end.1,
        waves.objects.len(),
        waves.again,
        many.0,
        end.0,
        (waves.world.now - tests::world::BEGINNING_MS) as f64 / 3_600_000.0,
        waves.started.elapsed().as_secs_f64(),
    );
}

impl Waves {
    fn any(&mut self) -> At {
        self.up[self.rng.below(self.up.len() as u64) as usize]
    }

    fn come(&mut self) {
        let name = format!("relay {}", self.world.hosts.len());
        let at = self.world.add_networked(&name);
        if !self.up.is_empty() {
            let known = self.any();
            self.world.name_relay(at, known);
        }
        self.up.push(at);
    }

    fn leave(&mut self) {
        let n = self.rng.below(self.up.len() as u64) as usize;
        let at = self.up.swap_remove(n);
        self.world.kill(at);
        self.world.hosts[at].disk = Disk::default();
    }

    /// The time in which one comes or leaves, where a network doubles or halves in so many minutes.
    fn pass(&mut self, minutes: f64) {
        let one = minutes * MINUTE as f64 / std::f64::consts::LN_2 / self.up.len() as f64;
        self.world.run(one as u64);
    }

    /// At any relay: most pass it on. What nobody has is put again, as its sender would.
    fn put(&mut self) {
        let mut unstored: Vec<Object> = Vec::new();
        for _ in 0..OBJECTS {
            unstored.push(self.world.object(&mut self.rng, 0));
        }
        self.objects.extend(unstored.iter().cloned());
        while !unstored.is_empty() {
            for object in &unstored {
                let at = self.any();
                self.world.put(at, object);
                self.world.run(1_000);
            }
            self.world.run(MINUTE / 2);
            unstored.retain(|object| !self.up.iter().any(|at| self.keeps(object, *at)));
            self.again += unstored.len();
        }
        eprintln!("{} relays, {:?}", self.up.len(), self.started.elapsed());
    }

    /// Whether a relay has an object that it is to keep.
    fn keeps(&self, object: &Object, at: At) -> bool {
        let relay = self.world.relay(at);
        relay.range().has(object.0.address) && relay.stores(&object.0.id())
    }

    /// How many objects are with nobody who should keep them, and the bits of a range.
    fn look(&self, when: &str) -> (usize, f64) {
        let lost = |object: &&Object| !self.up.iter().any(|at| self.keeps(object, *at));
        let lost = self.objects.iter().filter(lost).count();
        let bits = |at: &At| f64::from(self.world.relay(*at).range().bits());
        let bits = self.up.iter().map(bits).sum::<f64>() / self.up.len() as f64;
        let (relays, objects) = (self.up.len(), self.objects.len());
        eprintln!("{when}: {relays} relays, {bits:.2} bits, {lost} of {objects} objects lost");
        (lost, bits)
    }
}
