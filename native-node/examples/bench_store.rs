//! The relay with its database: durable, signed puts a second on one core, and what a million
//! stored objects cost at the start and in memory.
//!
//!     cargo run --release -p native-node --example bench_store [-- --puts | --start]
//!
//! *Puts*: 64 clients with 16 unanswered puts each, as many as the protocol lets them have, put
//! objects of 1 KiB to the relay's core over the native store, in files on the disk. Each is
//! checked as always (work too: it was made beforehand, little of it, which makes the check no
//! cheaper), committed durably, and only then signed for. All of it, the clients' side too, runs
//! in one process on one core (`taskset -c 0`); links have no transport here, which
//! tests/bench/gossip measures. In turn with it runs the store alone, given the same rows in
//! batches of the same size: the figures are medians of five rounds, and the ratio is the median
//! of the rounds' ratios.
//!
//! *Start*: another process opens a database of 1,000,000 objects of 48 hours, none of it in the
//! system's cache, and runs it until the relay serves. Memory is what it has more than a relay with
//! an empty store: the index, and the database's own cache.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod measure;

use measure::{median, resident_kib, verdict};
use native_node::clock::Clock;
use native_node::pow;
use native_node::scratch::Scratch;
use native_node::store::{Store, StoreAnswer, StoreRequest};
use shared::crypto::{Rng, SigningKey};
use shared::io::{Batch, Change, Input, LinkId, Origin, Output, Query, Token};
use shared::limits::{REQUESTS_PER_LINK_MAX, SAVE_BATCH_OBJECTS_MAX};
use shared::object::pow::{target, work};
use shared::relay::{HEADS, META, Relay, RelayConfig, SCHEMA, State, stored};
use shared::wire::{Frame, Front, Header, Kind, Lifetime, SizeClass};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc;
use std::time::Instant;

const NETWORK: u32 = 7;
/// An object costs 64 hashes.
const WORK_DIVISOR: u64 = 1 << 12;
const LINKS: u64 = 64;
const PUTS: usize = 40_000;
const ROUNDS: usize = 5;
const OBJECTS: u64 = 1_000_000;
const HOURS: u64 = 48;
/// Rows of one batch while the large store is filled.
const FILL_ROWS: u64 = 4_096;

const GOAL_PUTS: f64 = 20_000.0;
const GOAL_START_S: f64 = 5.0;
const GOAL_BYTES: f64 = 200.0;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let dir = |at: usize| Path::new(&arguments[at]);
    match arguments.first().map(String::as_str) {
        Some("relay-in") => say(relay_puts(dir(1))),
        Some("store-in") => say(store_puts(dir(1))),
        Some("start-in") => start(dir(1)),
        Some("--puts") => puts(),
        Some("--start") => large(),
        _ => {
            puts();
            large();
        }
    }
}

/// Runs this program as a process of its own, on one core, and hands back what it says.
fn run(what: &str, dir: &Path) -> Vec<f64> {
    let program = std::env::current_exe().unwrap();
    let mut command = Command::new("taskset");
    command.args(["-c", "0"]).arg(program).arg(what).arg(dir);
    let output = command.output().expect("taskset, of util-linux");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what}: {error}");
    let said = String::from_utf8(output.stdout).unwrap();
    let numbers = said.split_whitespace().map(|word| word.parse().unwrap());
    numbers.collect()
}

/// An envelope of 1 KiB that arrives in the present hour, or so many hours before it. Work is done
/// where it is checked: the relay does not look again at what it has stored.
fn object(rng: &mut Rng, unix: u64, age: u64, paid: bool) -> (Header, Vec<u8>) {
    let mut body = vec![0; 1024];
    rng.fill(&mut body);
    let (size, lifetime) = (SizeClass::KIB_1, Lifetime::ENVELOPE);
    let born = unix - age * 3_600_000;
    let front = Front::from_now(born, Kind::Envelope, size, lifetime, NETWORK);
    let mut header = front.header(rng.array(), &body);
    if paid {
        let target = target(work(&header, WORK_DIVISOR));
        header.nonce = pow::search(&header.prefix(), &target, rng.u64(), u64::MAX).unwrap();
    }
    (header, body)
}

/// A store whose answers come through a queue.
struct Disk {
    store: Store,
    answers: mpsc::Receiver<StoreAnswer>,
}

impl Disk {
    fn open(dir: &Path) -> Self {
        let (tell, answers) = mpsc::channel();
        let store = Store::open(&dir.join("store.redb"), move |answer| {
            let _ = tell.send(answer);
        });
        Self {
            store: store.unwrap(),
            answers,
        }
    }

    fn save(&self, token: u64, durable: bool, changes: Vec<Change>) {
        let (token, batch) = (Token(token), Batch { durable, changes });
        self.store.request(StoreRequest::Save { token, batch });
    }

    fn saved(&self) {
        match self.answers.recv().unwrap() {
            StoreAnswer::Saved { .. } => {}
            other => panic!("{other:?}"),
        }
    }

    fn heads(&self) -> usize {
        let query = Query::Range {
            table: HEADS,
            from: Vec::new(),
            to: None,
            limit: u32::MAX,
        };
        let token = Token(0);
        self.store.request(StoreRequest::Load { token, query });
        match self.answers.recv().unwrap() {
            StoreAnswer::Loaded { rows, .. } => rows.len(),
            other => panic!("{other:?}"),
        }
    }
}

/// The relay's core over its store, driven as `native_node::driver` does, without sockets.
struct Driven {
    relay: Relay,
    clock: Clock,
    disk: Disk,
    sent: Vec<(LinkId, Vec<u8>)>,
}

impl Driven {
    fn open(dir: &Path) -> Self {
        let mut config = RelayConfig::new(SigningKey::from_bytes(&[7; 32]), NETWORK);
        config.work_divisor = WORK_DIVISOR;
        config.store_objects_max = 2 * OBJECTS;
        let clock = Clock::start();
        let mut driven = Self {
            relay: Relay::new(config, [7; 32], clock.now()),
            clock,
            disk: Disk::open(dir),
            sent: Vec::new(),
        };
        driven.drain();
        while driven.relay.state() == State::Starting {
            driven.answered();
        }
        assert_eq!(driven.relay.state(), State::Running);
        driven
    }

    fn input(&mut self, input: Input<'_, std::convert::Infallible>) {
        self.relay.handle_input(self.clock.now(), input);
        self.drain();
    }

    fn drain(&mut self) {
        loop {
            let request = match self.relay.poll_output() {
                Output::WaitUntil(_) => return,
                Output::Send { link, bytes } => {
                    self.sent.push((link, bytes));
                    continue;
                }
                Output::Load { token, query } => StoreRequest::Load { token, query },
                Output::Save { token, batch } => StoreRequest::Save { token, batch },
                _ => continue,
            };
            self.disk.store.request(request);
        }
    }

    /// Waits for an answer of the store.
    fn answered(&mut self) {
        let input = match self.disk.answers.recv().unwrap() {
            StoreAnswer::Loaded { token, rows } => Input::Loaded { token, rows },
            StoreAnswer::Saved { token } => Input::Saved { token },
            StoreAnswer::Failed { error, .. } => panic!("{error:?}"),
        };
        self.input(input);
    }

    fn link(&mut self, link: LinkId) {
        let (dialled, binding) = (None, [0; 32]);
        let from = Origin {
            network: link.0,
            address: link.0,
            ..Origin::default()
        };
        self.input(Input::LinkUp {
            link,
            dialled,
            from,
            binding,
        });
        let (version, network, nonce) = (1, NETWORK, [0; 32]);
        let hello = Frame::Hello {
            version,
            network,
            nonce,
        };
        let bytes = &hello.encode(0);
        self.input(Input::LinkMessage { link, bytes });
    }
}

/// When a measurement began, and what the process had used of processors by then, seconds.
struct Begun(Instant, f64);

impl Begun {
    fn now() -> Self {
        Self(Instant::now(), cpu())
    }

    /// Puts a second, and puts a second of processor time.
    fn rates(&self) -> [f64; 2] {
        [self.0.elapsed().as_secs_f64(), cpu() - self.1].map(|seconds| PUTS as f64 / seconds)
    }
}

/// Processor time of this process, all threads, seconds.
fn cpu() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    // Behind the name, which may have spaces, come 11 fields, then user and system time in ticks.
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .unwrap()
        .1
        .split_whitespace()
        .collect();
    let ticks = |at: usize| fields[at].parse::<f64>().unwrap();
    (ticks(11) + ticks(12)) / 100.0
}

fn say([rate, of_cpu]: [f64; 2]) {
    println!("{rate} {of_cpu}");
}

/// Puts a second of the whole relay.
fn relay_puts(dir: &Path) -> [f64; 2] {
    let mut relay = Driven::open(dir);
    let mut rng = Rng::new([1; 32]);
    let unix = relay.clock.now().unix;
    let frames: Vec<Vec<u8>> = (0..PUTS)
        .map(|n| {
            let (header, body) = object(&mut rng, unix, 0, true);
            let (header, body) = (&header.encode(), &body[..]);
            Frame::Put { header, body }.encode(n as u32 + 1)
        })
        .collect();
    let links: Vec<LinkId> = (1..=LINKS).map(LinkId).collect();
    links.iter().for_each(|link| relay.link(*link));
    relay.sent.clear();

    let mut receipts = Vec::with_capacity(PUTS);
    let mut frames = frames.iter();
    let begun = Begun::now();
    for _ in 0..REQUESTS_PER_LINK_MAX {
        for (link, bytes) in links.iter().zip(frames.by_ref()) {
            let link = *link;
            relay.input(Input::LinkMessage { link, bytes });
        }
    }
    while receipts.len() < PUTS {
        relay.answered();
        // Whoever has a receipt puts the next object.
        for (link, bytes) in std::mem::take(&mut relay.sent) {
            receipts.push(bytes);
            if let Some(bytes) = frames.next() {
                relay.input(Input::LinkMessage { link, bytes });
            }
        }
    }
    let rates = begun.rates();

    let node_key = SigningKey::from_bytes(&[7; 32]).public();
    for receipt in &receipts {
        let Ok((_, Frame::Stored { receipt, .. })) = Frame::parse(receipt) else {
            panic!("not stored");
        };
        receipt.verify(&node_key).unwrap();
    }
    drop(relay);
    assert_eq!(Disk::open(dir).heads(), PUTS);
    rates
}

/// Puts a second of the store alone, two batches under way as the relay has them.
fn store_puts(dir: &Path) -> [f64; 2] {
    let disk = Disk::open(dir);
    let mut rng = Rng::new([1; 32]);
    let unix = Clock::start().now().unix;
    let objects: Vec<[Change; 2]> = (0..PUTS as u64)
        .map(|n| {
            let (header, body) = object(&mut rng, unix, 0, false);
            stored(unix * 1000 + n, &header, &body)
        })
        .collect();
    let batches = objects.chunks(SAVE_BATCH_OBJECTS_MAX);
    let batches: Vec<Vec<Change>> = batches.map(<[_]>::concat).collect();
    let begun = Begun::now();
    for (n, changes) in batches.into_iter().enumerate() {
        disk.save(n as u64, true, changes);
        if n > 0 {
            disk.saved();
        }
    }
    disk.saved();
    begun.rates()
}

fn puts() {
    let figures = || {
        let scratch = || Scratch::new("bench").unwrap();
        let relay = run("relay-in", scratch().path());
        let store = run("store-in", scratch().path());
        (relay, store)
    };
    let rounds: Vec<(Vec<f64>, Vec<f64>)> = (0..ROUNDS).map(|_| figures()).collect();
    let relay = |at: usize| median(rounds.iter().map(|(relay, _)| relay[at]).collect());
    let store = |at: usize| median(rounds.iter().map(|(_, store)| store[at]).collect());
    let ratio = median(
        rounds
            .iter()
            .map(|(relay, store)| relay[1] / store[1])
            .collect(),
    );
    let met = verdict(relay(0) >= GOAL_PUTS);
    println!("durable puts of 1 KiB on one core (taskset -c 0), {PUTS} each, {ROUNDS} rounds");
    println!("                                 a second   a second of processor time");
    println!(
        "  checked, durable, signed for   {:>8.0}   {:>8.0}   goal {GOAL_PUTS:.0} a second: {met}",
        relay(0),
        relay(1),
    );
    println!(
        "  the store alone, durable       {:>8.0}   {:>8.0}",
        store(0),
        store(1)
    );
    println!("  relay to store alone                        {ratio:.2} x");
    println!("  (far apart: it waited for the disk, or other programs had the core)");
}

/// A store of a million objects in the order in which they came.
fn fill(dir: &Path) {
    let disk = Disk::open(dir);
    let mut rng = Rng::new([2; 32]);
    let unix = Clock::start().now().unix;
    let (schema, network) = (SCHEMA.to_le_bytes(), NETWORK.to_le_bytes());
    let mut changes = vec![Change::Put {
        table: META,
        key: b"schema".to_vec(),
        value: [&schema[..], &network, &unix.to_le_bytes()].concat(),
    }];
    for n in 0..OBJECTS {
        let age = HOURS - 1 - n * HOURS / OBJECTS;
        let (header, body) = object(&mut rng, unix, age, false);
        changes.extend(stored((unix - age * 3_600_000) * 1000 + n, &header, &body));
        if (n + 1).is_multiple_of(FILL_ROWS) || n + 1 == OBJECTS {
            disk.save(n, n + 1 == OBJECTS, std::mem::take(&mut changes));
            disk.saved();
        }
    }
}

/// Says how long the relay took to serve, how many objects it has, and what it takes.
fn start(dir: &Path) {
    let started = Instant::now();
    let relay = Driven::open(dir);
    let took = started.elapsed().as_secs_f64();
    let objects = relay.relay.status().objects;
    let resident = resident_kib(std::process::id()) * 1024.0;
    println!("{took} {objects} {resident}");
}

/// Takes a file out of the system's cache.
fn forget(path: &Path) {
    let mut input = std::ffi::OsString::from("if=");
    input.push(path);
    let mut dd = Command::new("dd");
    let done = dd
        .arg(input)
        .args(["iflag=nocache", "count=0", "status=none"]);
    assert!(done.status().expect("dd, of coreutils").success());
}

fn large() {
    let full = Scratch::new("bench-large").unwrap();
    let empty = Scratch::new("bench-empty").unwrap();
    fill(full.path());
    let database = full.path().join("store.redb");
    let on_disk = database.metadata().unwrap().len() as f64;
    let _ = run("start-in", empty.path());
    let (mut times, mut sizes) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let [_, _, nothing] = run("start-in", empty.path())[..] else {
            panic!("no figures");
        };
        forget(&database);
        let [took, objects, resident] = run("start-in", full.path())[..] else {
            panic!("no figures");
        };
        assert_eq!(objects, OBJECTS as f64);
        times.push(took);
        sizes.push((resident - nothing) / objects);
    }
    let (took, bytes) = (median(times), median(sizes));
    println!(
        "a store of {OBJECTS} objects, {:.2} GB on the disk",
        on_disk / 1e9
    );
    println!(
        "  start to serving, cold, one core   {took:>6.2} s   goal {GOAL_START_S:.0}: {}",
        verdict(took <= GOAL_START_S)
    );
    println!(
        "  resident memory an object          {bytes:>6.0} bytes   goal {GOAL_BYTES:.0}: {}",
        verdict(bytes <= GOAL_BYTES)
    );
}
