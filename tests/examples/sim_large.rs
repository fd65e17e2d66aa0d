//! What a large network costs each relay and each person, and whether that stays the same when
//! both double: the same code as everywhere, real relays and accounts on a virtual clock, work
//! stubbed but for a sample. `make sim-large`; sizes are numbers of nodes, a fifth of them relays:
//! `cargo run --release -p tests --example sim_large -- 625 1250 > report`.
//!
//! Each line of the output is a JSON object. `tests/growth.mjs` makes docs/growth.md of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::*;
use shared::crypto::Rng;
use shared::object::pow;
use shared::wire::Header;
use std::time::Instant;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
/// A range is halved when more relays keep it: 40 in earnest, scaled down with the network.
const SWARM_RELAYS: usize = 12;
/// Texts that each person writes while it is measured, and for how long that is.
const TEXTS: usize = 4;
const MEASURED_MS: u64 = 20 * MINUTE;

fn main() {
    let sizes: Vec<usize> = std::env::args()
        .skip(1)
        .map(|n| n.parse().unwrap())
        .collect();
    for nodes in sizes {
        Network::new(nodes).measure();
    }
}

struct Network {
    nodes: usize,
    world: World,
    rng: Rng,
    relays: Vec<At>,
    people: Vec<At>,
    started: Instant,
}

impl Network {
    /// Relays that come one after the other, each told of one that is there, and people who know
    /// one relay.
    fn new(nodes: usize) -> Self {
        let mut network = Network {
            nodes,
            world: World::new(1),
            rng: Rng::new([1; 32]),
            relays: Vec::new(),
            people: Vec::new(),
            started: Instant::now(),
        };
        network.world.swarm_relays = Some(SWARM_RELAYS);
        let relays = nodes / 5;
        for n in 0..relays {
            let at = network.world.add_networked(&format!("relay {n}"));
            if n > 0 {
                let known = network.any_relay();
                network.world.name_relay(at, known);
            }
            network.relays.push(at);
            network.world.run(15 * MINUTE / relays as u64);
        }
        network.world.run(35 * MINUTE);
        network.note("relays have met");
        network.make_people(nodes - relays);
        network
    }

    fn note(&self, what: &str) {
        eprintln!("{}: {what} after {:?}", self.nodes, self.started.elapsed());
    }

    fn any_relay(&mut self) -> At {
        self.relays[self.rng.below(self.relays.len() as u64) as usize]
    }

    fn make_people(&mut self, count: usize) {
        let world = &mut self.world;
        for n in 0..count {
            self.people.push(world.add(&format!("person {n}"), false));
        }
        let asked: Vec<u64> = self
            .people
            .iter()
            .map(|at| world.ask(*at, Command::NewWords))
            .collect();
        world.run(1_000);
        for (at, asked) in self.people.clone().into_iter().zip(asked) {
            let Some(Ok(Some(Answer::Words { words }))) = self.world.answer(at, asked) else {
                panic!("no words");
            };
            let name = self.world.hosts[at].name.clone();
            let create = Command::Create {
                passcode: passcode(&name),
                name,
                words: words.join(" "),
                restore: false,
                remember: true,
            };
            self.world.ask(at, create);
        }
        self.world.run(5_000);
        for at in self.people.clone() {
            let relay = self.any_relay();
            let hint = self.world.hosts[relay].hint.to_text();
            self.world.ask(at, Command::AddRelay { hint });
        }
        // Three relays for what each reads; the mailbox gets its bits.
        self.world.run(5 * MINUTE);
        self.note("people are there");
        self.meet();
        self.note("people have met");
    }

    /// The first meets the second, the third the fourth, and so on, all at once.
    fn meet(&mut self) {
        let pairs = self.pairs();
        let world = &mut self.world;
        let invite = Command::Invite {
            hours: 24,
            single_use: true,
        };
        let asked: Vec<u64> = pairs
            .iter()
            .map(|(a, _)| world.ask(*a, invite.clone()))
            .collect();
        world.run(MINUTE);
        for ((a, b), asked) in pairs.iter().zip(asked) {
            let Some(Ok(Some(Answer::Invitation { fragment, .. }))) = world.answer(*a, asked)
            else {
                panic!("no invitation");
            };
            let link = fragment.clone();
            world.ask(*b, Command::OpenInvite { link: link.clone() });
            let text = "may I?".into();
            world.ask(*b, Command::Greet { link, text });
        }
        for _ in 0..10 {
            world.run(MINUTE);
            for (a, b) in &pairs {
                if let Some(GreetingView { greeting, .. }) = world.greeting(*a)
                    && !world.knows(*a, *b)
                {
                    world.ask(*a, Command::Accept { greeting });
                }
            }
        }
        let met = pairs
            .iter()
            .filter(|(a, b)| world.knows(*b, *a) && world.knows(*a, *b))
            .count();
        eprintln!("{}: {met} of {} pairs have met", self.nodes, pairs.len());
    }

    fn pairs(&self) -> Vec<(At, At)> {
        self.people
            .chunks_exact(2)
            .map(|two| (two[0], two[1]))
            .collect()
    }

    /// Everybody writes; everything is counted.
    fn measure(mut self) {
        let pairs: Vec<(At, At)> = self
            .pairs()
            .into_iter()
            .filter(|(a, b)| self.world.knows(*a, *b) && self.world.knows(*b, *a))
            .collect();
        let before = self.world.traffic.clone();
        let writers: Vec<(At, At)> = pairs
            .iter()
            .flat_map(|(a, b)| [(*a, *b), (*b, *a)])
            .collect();
        let pause = MEASURED_MS / (TEXTS * writers.len()) as u64;
        for n in 0..TEXTS {
            for (from, to) in &writers {
                self.world.say(*from, *to, &format!("text {n}"));
                self.world.run(pause.max(1));
            }
        }
        let counted_ms = MEASURED_MS;
        let after = self.world.traffic.clone();
        self.world.run(10 * MINUTE);
        let heard = |(from, to): &(At, At)| {
            let heard = self.world.heard(*to, *from);
            (0..TEXTS)
                .filter(|n| heard.contains(&format!("text {n}")))
                .count()
        };
        let delivered: usize = writers.iter().map(heard).sum();
        let traffic = |of: &[At]| {
            let bytes = |at: &At| after.get(at).unwrap_or(&0) - before.get(at).unwrap_or(&0);
            let sum: u64 = of.iter().map(bytes).sum();
            sum as f64 / of.len() as f64 * 3_600_000.0 / counted_ms as f64 / 1000.0
        };
        let of_relays = |what: &dyn Fn(At) -> u64| {
            let sum: u64 = self.relays.iter().map(|at| what(*at)).sum();
            sum as f64 / self.relays.len() as f64
        };
        let status = |at: At| self.world.relay(at).status();
        let numbers = [
            ("nodes", self.nodes as f64),
            ("relays", self.relays.len() as f64),
            (
                "range_bits",
                of_relays(&|at| self.world.relay(at).range().bits().into()),
            ),
            ("relay_kb_an_hour", traffic(&self.relays)),
            (
                "relay_bodies",
                of_relays(&|at| status(at).objects - status(at).headers),
            ),
            ("relay_headers", of_relays(&|at| status(at).headers)),
            (
                "relay_peers",
                of_relays(&|at| self.world.relay(at).peers().count() as u64),
            ),
            ("relay_links", of_relays(&|at| status(at).links as u64)),
            (
                "relay_index_kb",
                of_relays(&|at| status(at).objects) * 171.0 / 1000.0,
            ),
            ("person_kb_an_hour", traffic(&self.people)),
            ("person_relays", self.held()),
            ("pairs", pairs.len() as f64),
            ("texts", (TEXTS * writers.len()) as f64),
            ("delivered", delivered as f64),
            ("kb_of_process_a_node", resident_kb() / self.nodes as f64),
            ("hashes_a_text", sampled_work(&mut self.rng)),
            ("seconds", self.started.elapsed().as_secs_f64()),
        ];
        let fields: Vec<String> = numbers
            .iter()
            .map(|(name, n)| format!("\"{name}\": {n:.2}"))
            .collect();
        println!("{{{}}}", fields.join(", "));
        self.note("done");
    }

    /// Relays that a person is linked to.
    fn held(&self) -> f64 {
        let open = |at: &At| {
            let mut told = self.world.hosts[*at].events.iter().rev();
            let relays = told.find_map(|event| match event {
                Event::Relays { relays, .. } => Some(relays.clone()),
                _ => None,
            });
            let relays = relays.unwrap_or_default();
            relays
                .iter()
                .filter(|r| matches!(r.state, RelayState::Open))
                .count()
        };
        self.people.iter().map(open).sum::<usize>() as f64 / self.people.len() as f64
    }
}

/// Memory of this process, disks of the world included.
fn resident_kb() -> f64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm
        .split_whitespace()
        .nth(1)
        .and_then(|n| n.parse::<f64>().ok());
    pages.unwrap_or(0.0) * 4.0
}

/// Real proof-of-work for a few objects of 1 KiB: hashes each, which do not depend on the network.
fn sampled_work(rng: &mut Rng) -> f64 {
    let world = World::new(2);
    let samples = 10;
    let mut hashes = 0;
    for _ in 0..samples {
        let (header, _) = world.object(rng, 0);
        let paid = |nonce: &u64| {
            pow::is_paid(
                &Header {
                    nonce: *nonce,
                    ..header
                },
                1,
            )
        };
        hashes += (0..).find(paid).unwrap() + 1;
    }
    hashes as f64 / f64::from(samples)
}
