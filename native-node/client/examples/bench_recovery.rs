//! How long it takes on loopback, over QUIC, until an account of 500 contacts is back from its 18
//! words, and until a changed profile is shown to contacts that are online.
//!
//!     cargo run --release -p wiremin --example bench_recovery [-- --recovery | --profile]
//!
//! The past is simulated (tests/), up to the present moment; then a relay and accounts go on from
//! the simulated disks, as nodes with stores, sockets and clocks of this machine, all in this
//! process.
//!
//! *Recovery*: work is stubbed, all of it is divided by 2^40, so that any nonce will do, in the
//! account and in the relay's checks. A new account is made from the words; measured is from the
//! relay's being named until all contacts are shown, and until the relay has stored a return to
//! each. (What they answer leaves at their own random moments, 20 s on average.)
//!
//! *Profile*: with real work. From the record's being put at the relay until contacts that are
//! online show it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use account::api::{Command, Event, Phase, RecoveryState, Request};
use account::node::{Account, Config};
use account::record::SLOT_PROFILE;
use native_node::driver::{Base, Driven, Parts};
use native_node::quic::{QuicConfig, QuicPort};
use native_node::rtc::{CertificateFile, RtcConfig, RtcDialer, RtcPort};
use native_node::scratch::Scratch;
use native_node::store::{Store, StoreAnswer, StoreRequest};
use native_node::transport::LinkLimits;
use shared::crypto::sha256;
use shared::io::{Batch, Change, Input, KdfCost, Node, Output, Query, Table, Token};
use shared::relay::{Relay, RelayConfig, State};
use shared::time::Now;
use shared::wire::{Kind, RelayHint};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tests::disk::Disk;
use tests::host::{Host, NETWORK};
use tests::people::passcode;
use tests::world::{At, World};

const CONTACTS: usize = 500;
const ROUNDS: usize = 3;
const GOAL_RECOVERY_S: f64 = 10.0;
/// Contacts that are online when a profile changes.
const ONLINE: usize = 5;
const GOAL_PROFILE_S: f64 = 5.0;
const ABOUT: &str = "likes ships";
/// Any nonce will do.
const STUBBED: u64 = 1 << 40;
const REAL: u64 = 1;
const TABLES: u8 = 16;
/// Of a put: its type, the bytes before the header, where a record says its slot.
const PUT: u8 = 0x10;
const FRAME_FRONT: usize = 5;
const SLOT_AT: usize = FRAME_FRONT + 72 + 32;
const WAIT_MAX: Duration = Duration::from_secs(300);

#[tokio::main]
async fn main() {
    let argument = std::env::args().nth(1);
    let only = |what: &str| argument.as_deref().is_none_or(|only| only == what);
    if only("--recovery") {
        recovery().await;
    }
    if only("--profile") {
        profile().await;
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis() as u64
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// A world that ends now, in which Ada has met so many.
fn past(contacts: usize) -> (World, At, At, Vec<At>) {
    let mut world = World::new(1);
    world.now = unix_ms() - 3_600_000 - 40_000 * contacts as u64;
    let relay = world.add("relay", true);
    let ada = world.person("Ada", "relay");
    world.stay_open(ada);
    let others = world.meet_many(ada, "relay", contacts);
    let left = unix_ms().saturating_sub(world.now);
    world.run(left);
    (world, relay, ada, others)
}

/// A disk of the simulation as a store of this machine.
fn fill(dir: &Path, disk: &Disk) {
    let (tell, answers) = mpsc::channel();
    let store = Store::open(&dir.join("store.redb"), move |answer| {
        let _ = tell.send(answer);
    });
    let store = store.unwrap();
    let mut changes = Vec::new();
    for table in (0..TABLES).map(Table) {
        let all = Query::Range {
            table,
            from: Vec::new(),
            to: None,
            limit: u32::MAX,
        };
        changes.extend(disk.load(&all).into_iter().map(|row| Change::Put {
            table,
            key: row.key,
            value: row.value,
        }));
    }
    let (token, batch) = (
        Token(1),
        Batch {
            changes,
            durable: true,
        },
    );
    store.request(StoreRequest::Save { token, batch });
    match answers.recv().unwrap() {
        StoreAnswer::Saved { .. } => {}
        other => panic!("{other:?}"),
    }
}

/// How many envelopes and records a relay has, and since when: that is looked at five times a
/// second.
type Stored = Arc<Mutex<Vec<(Instant, u64, u64)>>>;

/// The relay, and when somebody first put a profile to it.
struct Watched {
    relay: Relay,
    profile: Arc<Mutex<Option<Instant>>>,
}

impl Node for Watched {
    type Command = std::convert::Infallible;
    type Event = std::convert::Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Self::Command>) {
        if let Input::LinkMessage { bytes, .. } = &input
            && bytes.first() == Some(&PUT)
            && bytes.get(SLOT_AT..SLOT_AT + 2) == Some(&SLOT_PROFILE.to_le_bytes()[..])
            && bytes
                .get(FRAME_FRONT)
                .is_some_and(|kind| kind & 0x0f == Kind::Record as u8)
        {
            self.profile
                .lock()
                .unwrap()
                .get_or_insert_with(Instant::now);
        }
        self.relay.handle_input(now, input);
    }

    fn poll_output(&mut self) -> Output<Self::Event> {
        self.relay.poll_output()
    }
}

/// What runs in the place of a relay.
struct Running {
    driven: Driven<Watched>,
    hint: RelayHint,
    stored: Stored,
    profile: Arc<Mutex<Option<Instant>>>,
}

/// The simulated relay goes on, on a port of this machine.
async fn relay(dir: &Path, divisor: u64) -> Running {
    let certificate = CertificateFile::generate().unwrap();
    let mut hint = Host::hint("relay");
    hint.certificate = certificate.fingerprint();
    hint.address = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let ice = hint.ice();
    let (rtc, rtc_events) = RtcPort::listen(RtcConfig {
        bind: vec!["127.0.0.1:0".parse().unwrap()],
        certificate: certificate.clone(),
        ufrag: ice.ufrag,
        pwd: ice.pwd,
        limits: LinkLimits::default(),
    })
    .await
    .unwrap();
    hint.port = rtc.local_addr().port();
    let quic = QuicPort::sharing(&rtc, &certificate, QuicConfig::relay()).unwrap();
    let mut config = RelayConfig::new(Host::node_key("relay"), NETWORK);
    config.work_divisor = divisor;
    config.certificate = hint.certificate;
    let parts = Parts {
        data: dir.to_owned(),
        port: Some((Arc::new(rtc), rtc_events)),
        dialer: None,
        quic: Some(quic),
        derive: None,
    };
    let stored = Stored::default();
    let seen = stored.clone();
    let look = move |_, node: &Watched| {
        let status = node.relay.status();
        let mut seen = seen.lock().unwrap();
        let records = status.records;
        let now = (status.objects.saturating_sub(records), records);
        if status.state == State::Starting {
            return;
        }
        if seen
            .last()
            .map(|(_, envelopes, records)| (*envelopes, *records))
            != Some(now)
        {
            seen.push((Instant::now(), now.0, now.1));
        }
    };
    let base = Base::open(dir).unwrap();
    let profile = Arc::new(Mutex::new(None));
    let watched = profile.clone();
    let make = |seed, now| Watched {
        relay: Relay::new(config, seed, now),
        profile: watched,
    };
    let driven = base.drive(parts, make, Some(Box::new(look))).unwrap();
    while stored.lock().unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Running {
        driven,
        hint,
        stored,
        profile,
    }
}

/// An account, and all it has told.
struct Person {
    driven: tokio::task::JoinHandle<()>,
    commands: tokio::sync::mpsc::Sender<Request>,
    told: Arc<Mutex<Vec<(Instant, Event)>>>,
}

/// As the simulation derives keys from passcodes.
fn derive(secret: &[u8], salt: &[u8; 16], _: &KdfCost) -> Option<[u8; 32]> {
    Some(sha256(&[b"sim kdf", secret, salt]))
}

impl Person {
    fn start(dir: &Path, divisor: u64) -> Person {
        let parts = Parts {
            data: dir.to_owned(),
            port: None,
            dialer: Some(RtcDialer::new(Duration::from_secs(10), 4 << 20)),
            quic: Some(QuicPort::dialling(QuicConfig::account()).unwrap()),
            derive: Some(derive),
        };
        let mut config = Config::new(NETWORK);
        config.work_divisor = divisor;
        let base = Base::open(dir).unwrap();
        let make = |seed, now| Account::new(config, seed, now);
        let driven = base.drive(parts, make, None).unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let (commands, all) = (driven.commands.clone(), told.clone());
        let driven = tokio::spawn(async move {
            // As a whole: dropping the rest would stop it.
            let mut driven = driven;
            while let Some(event) = driven.events.recv().await {
                all.lock().unwrap().push((Instant::now(), event));
            }
        });
        Person {
            driven,
            commands,
            told,
        }
    }

    async fn ask(&self, id: u64, command: Command) -> Instant {
        self.commands.send(Request { id, command }).await.unwrap();
        let done = move |event: &Event| match event {
            Event::Done { id: of, .. } if *of == id => true,
            Event::Failed { id: of, error } if *of == id => panic!("{error:?}"),
            _ => false,
        };
        self.when("an answer", done).await
    }

    async fn when(&self, what: &str, mut wanted: impl FnMut(&Event) -> bool) -> Instant {
        let (begin, mut from) = (Instant::now(), 0);
        while begin.elapsed() < WAIT_MAX {
            {
                let told = self.told.lock().unwrap();
                let found = told[from..].iter().find(|(_, event)| wanted(event));
                if let Some((at, _)) = found {
                    return *at;
                }
                from = told.len();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("{what} did not come");
    }
}

/// The store was read.
fn is_started(event: &Event) -> bool {
    matches!(event, Event::Phase { phase } if *phase != Phase::Starting)
}

async fn named(person: &Person, hint: &RelayHint) -> Instant {
    let hint = hint.to_text();
    person.ask(2, Command::AddRelay { hint }).await
}

/// Seconds until all contacts are shown, and until the relay has a return to each.
async fn recover(disk: &Disk, words: &str) -> (f64, f64) {
    let (at_relay, at_ada) = (
        Scratch::new("bench").unwrap(),
        Scratch::new("bench").unwrap(),
    );
    fill(at_relay.path(), disk);
    let relay = relay(at_relay.path(), STUBBED).await;
    let stored = &relay.stored;
    let ada = Person::start(at_ada.path(), STUBBED);
    ada.when("the start", is_started).await;
    let create = Command::Create {
        name: "?".into(),
        words: words.into(),
        passcode: passcode("Ada"),
        restore: true,
        remember: false,
    };
    ada.ask(1, create).await;
    let before = stored.lock().unwrap().last().unwrap().1;
    let begin = named(&ada, &relay.hint).await;
    let all = |event: &Event| {
        matches!(event, Event::Recovery { state: RecoveryState::Found, contacts, .. }
            if *contacts as usize == CONTACTS)
    };
    let found = ada.when("the contacts", all).await - begin;
    let told = loop {
        let last = stored.lock().unwrap().last().copied();
        if let Some((at, ..)) = last.filter(|last| last.1 >= before + CONTACTS as u64) {
            break at - begin;
        }
        assert!(begin.elapsed() < WAIT_MAX, "{last:?}, {before} before");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    ada.driven.abort();
    relay.driven.stop().await;
    (found.as_secs_f64(), told.as_secs_f64())
}

async fn recovery() {
    println!("an account of {CONTACTS} contacts from its 18 words, work stubbed");
    let (mut world, relay, ada, _) = past(CONTACTS);
    let words = world.words(ada);
    world.kill(ada);
    let (mut found, mut told) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (shown, stored) = recover(&world.hosts[relay].disk, &words).await;
        found.push(shown);
        told.push(stored);
    }
    let (found, told) = (median(found), median(told));
    println!("  all contacts are there after {found:.2} s (median of {ROUNDS})");
    println!(
        "  each has a return at the relay after {told:.2} s: {:.2} x the goal of \
         {GOAL_RECOVERY_S} s",
        told / GOAL_RECOVERY_S
    );
}

async fn profile() {
    println!("a changed profile, {ONLINE} contacts online, work as it is");
    let (world, relay_at, ada_at, others) = past(ONLINE);
    let dirs: Vec<Scratch> = (0..2 + ONLINE)
        .map(|_| Scratch::new("bench").unwrap())
        .collect();
    let people: Vec<At> = [ada_at].into_iter().chain(others).collect();
    fill(dirs[0].path(), &world.hosts[relay_at].disk);
    let relay = relay(dirs[0].path(), REAL).await;
    let mut all = Vec::new();
    for (at, dir) in people.iter().zip(&dirs[1..]) {
        fill(dir.path(), &world.hosts[*at].disk);
        let person = Person::start(dir.path(), REAL);
        person.when("the start", is_started).await;
        let passcode = passcode(&world.hosts[*at].name);
        let remember = false;
        person.ask(1, Command::Unlock { passcode, remember }).await;
        named(&person, &relay.hint).await;
        all.push(person);
    }
    // Keys of the day and what else a start brings.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let (about, avatar) = (Some(ABOUT.to_string()), None);
    let begin = all[0].ask(3, Command::SetProfile { about, avatar }).await;
    let mut shown = Vec::new();
    for person in &all[1..] {
        let there =
            |event: &Event| matches!(event, Event::Contact { contact } if contact.about == ABOUT);
        shown.push(person.when("the profile", there).await);
    }
    let at = relay.profile.lock().unwrap().unwrap();
    let seconds = |at: Instant, from: Instant| at.saturating_duration_since(from).as_secs_f64();
    let after: Vec<f64> = shown.iter().map(|seen| seconds(*seen, at)).collect();
    let most = after.iter().copied().fold(0.0, f64::max);
    println!(
        "  put {:.1} s after the change: gathered for 60 s, put off by 20 s on average, solved",
        seconds(at, begin)
    );
    println!(
        "  shown {:.2} s after that (median of {ONLINE}, {most:.2} at most): {:.2} x the goal of \
         {GOAL_PROFILE_S} s",
        median(after.clone()),
        median(after) / GOAL_PROFILE_S
    );
    all.iter().for_each(|person| person.driven.abort());
    relay.driven.stop().await;
}
