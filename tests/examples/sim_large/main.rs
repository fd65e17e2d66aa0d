//! What a large network costs each relay and each person, and whether that stays the same when
//! both double: the same code as everywhere, real relays and accounts on a virtual clock, work
//! stubbed but for a sample. `make sim-large`; the first number is that of nodes, a fifth of them
//! relays, a second one begins other random numbers:
//! `cargo run --release -p tests --example sim_large -- 625 3 > report`.
//!
//! `waves 1000` is a network of relays alone that grows from 50 to so many and shrinks to 50 again;
//! a second number says at how many relays a range is halved.
//! Each line of the output is a JSON object. `tests/growth.mjs` makes docs/growth.md of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod waves;

use account::api::*;
use shared::crypto::Rng;
use shared::limits::SWARM_RELAYS_MAX;
use shared::object::pow;
use shared::wire::Header;
use std::time::Instant;
use tests::people::passcode;
use tests::world::{At, World};

const MINUTE: u64 = 60_000;
/// A range is halved when more relays keep it: 40 in earnest, scaled down with the network.
const SWARM_RELAYS: usize = 12;
/// Headers are kept of twice what is kept itself: of 16 times as much in earnest.
const SCAN_WIDER_BITS: u8 = 1;
/// What an account carries of others' envelopes: 8 MiB in earnest.
const CARRIED_BYTES_MAX: usize = 256 << 10;
/// For how long people go on inviting each other.
const MEETING_MINUTES: usize = 10;
/// Texts that each person writes while it is measured, and for how long that is.
const TEXTS: usize = 2;
const MEASURED_MS: u64 = 10 * MINUTE;

fn main() {
    let mut args = std::env::args().skip(1).peekable();
    if args.next_if_eq("waves").is_some() {
        let mut number = |usual| args.next().map_or(usual, |n| n.parse().unwrap());
        return waves::run(number(1_000), number(SWARM_RELAYS_MAX));
    }
    let nodes = args.next().map_or(625, |n| n.parse().unwrap());
    let seed = args.next().map_or(1, |n| n.parse().unwrap());
    Network::new(nodes, seed).measure();
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
    fn new(nodes: usize, seed: u8) -> Self {
        let mut network = Network {
            nodes,
            world: World::new(seed.into()),
            rng: Rng::new([seed; 32]),
            relays: Vec::new(),
            people: Vec::new(),
            started: Instant::now(),
        };
        network.world.swarm_relays = Some(SWARM_RELAYS);
        network.world.scan_wider_bits = SCAN_WIDER_BITS;
        network.world.carried_bytes_max = CARRIED_BYTES_MAX;
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
        self.forget_events();
        self.note("people are there");
        self.meet();
        self.note("people have met");
    }

    /// The first meets the second, the third the fourth, and so on, some each minute: who opens an
    /// invitation is sent 64 records or more by each relay.
    fn meet(&mut self) {
        let pairs = self.pairs();
        let world = &mut self.world;
        let invite = Command::Invite {
            hours: 24,
            single_use: true,
        };
        let each = pairs.len().div_ceil(MEETING_MINUTES).max(1);
        let mut asked: Vec<(At, At, u64)> = Vec::new();
        for minute in 0..MEETING_MINUTES + 12 {
            for (a, b, asked) in std::mem::take(&mut asked) {
                let Some(Ok(Some(Answer::Invitation { fragment, .. }))) = world.answer(a, asked)
                else {
                    panic!("no invitation");
                };
                let link = fragment.clone();
                world.ask(b, Command::OpenInvite { link: link.clone() });
                let text = "may I?".into();
                world.ask(b, Command::Greet { link, text });
                world.run(MINUTE / 2 / each as u64);
            }
            for (a, b) in pairs.iter().skip(minute * each).take(each) {
                asked.push((*a, *b, world.ask(*a, invite.clone())));
            }
            world.run(MINUTE / 2);
            for (a, b) in pairs.iter().take((minute + 1) * each) {
                if let Some(GreetingView { greeting, .. }) = world.greeting(*a)
                    && !world.knows(*a, *b)
                {
                    world.ask(*a, Command::Accept { greeting });
                }
            }
        }
        let world = &self.world;
        for (a, b) in &pairs {
            let (host, guest) = (world.knows(*a, *b), world.knows(*b, *a));
            if host && guest {
                continue;
            }
            // How far they came.
            let problems = |at: At| {
                let events = world.hosts[at].events.iter();
                let failed = events.filter(|event| matches!(event, Event::Failed { .. }));
                failed
                    .map(|event| format!("{event:?}"))
                    .collect::<Vec<String>>()
            };
            let asked = world.greeting(*a).is_some();
            let all = [problems(*a), problems(*b)].concat();
            eprintln!("{a} and {b}: {asked} {host} {guest} {all:?}");
        }
        self.forget_events();
        let world = &mut self.world;
        let met = pairs
            .iter()
            .filter(|(a, b)| world.knows(*b, *a) && world.knows(*a, *b))
            .count();
        eprintln!("{}: {met} of {} pairs have met", self.nodes, pairs.len());
    }

    /// What people were told and nobody looks at again.
    fn forget_events(&mut self) {
        for host in &mut self.world.hosts {
            let mut relays = None;
            host.events.retain(|event| match event {
                Event::Relays { .. } => {
                    relays = Some(event.clone());
                    false
                }
                Event::Profile { .. }
                | Event::Contact { .. }
                | Event::Greeting { .. }
                | Event::GreetingRemoved { .. }
                | Event::Message { .. } => true,
                _ => false,
            });
            host.events.extend(relays);
            host.events.shrink_to_fit();
        }
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
        let flows_before = self.world.flows.clone();
        // One of each pair, then the other, half a turn later however many they are: no text
        // carries what acknowledges another.
        let answers = pairs.iter().map(|(a, b)| (*b, *a));
        let writers: Vec<(At, At)> = pairs.iter().copied().chain(answers).collect();
        let pause = MEASURED_MS / (TEXTS * writers.len()) as u64;
        for n in 0..TEXTS {
            for (from, to) in &writers {
                self.world.say(*from, *to, &format!("text {n}"));
                self.world.run(pause.max(1));
            }
        }
        let counted_ms = MEASURED_MS;
        let after = self.world.traffic.clone();
        let flows_after = self.world.flows.clone();
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
        // What people and relays say to each other is counted for people, a frame between two
        // relays for both of them.
        let flow = |((with_person, code), (bytes, frames)): (&(bool, u8), &(u64, u64))| {
            let zero = (0, 0);
            let before = flows_before.get(&(*with_person, *code)).unwrap_or(&zero);
            let (of, per, count) = match with_person {
                true => ("person", 1, self.people.len()),
                false => ("relay", 2, self.relays.len()),
            };
            let an_hour = |n: u64| {
                let each = (n * per) as f64 / count as f64;
                each * 3_600_000.0 / counted_ms as f64
            };
            let kb = an_hour(bytes - before.0) / 1000.0;
            let frames = an_hour(frames - before.1);
            format!("\"{of}_{code:02x}\": [{kb:.2}, {frames:.2}]")
        };
        let flows: Vec<String> = flows_after.iter().map(flow).collect();
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
            (
                "relay_known",
                of_relays(&|at| (status(at).known_new + status(at).known_tried) as u64),
            ),
            ("relay_links", of_relays(&|at| status(at).links as u64)),
            (
                "relay_index_kb",
                of_relays(&|at| status(at).objects) * 171.0 / 1000.0,
            ),
            ("person_kb_an_hour", traffic(&self.people)),
            ("person_relays", self.held()),
            // Of all that is put in the network, what is pushed to a person as often as they are
            // pushed it.
            (
                "person_share",
                of_relays(&|at| {
                    let part = 0.5f64.powi(self.world.relay(at).range().bits().into());
                    (status(at).watches as f64 * part * 1e9) as u64
                }) * self.relays.len() as f64
                    / self.people.len() as f64
                    / 1e9,
            ),
            (
                "person_watches",
                of_relays(&|at| status(at).watches as u64) * self.relays.len() as f64
                    / self.people.len() as f64,
            ),
            ("pairs", pairs.len() as f64),
            ("texts", (TEXTS * writers.len()) as f64),
            ("delivered", delivered as f64),
            ("kb_of_process_a_node", resident_kb() / self.nodes as f64),
            ("hashes_a_text", sampled_work(&mut self.rng)),
            ("seconds", self.started.elapsed().as_secs_f64()),
        ];
        let fields: Vec<String> = numbers
            .iter()
            .map(|(name, n)| format!("\"{name}\": {n:.4}"))
            .collect();
        println!("{{{}, {}}}", fields.join(", "), flows.join(", "));
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
