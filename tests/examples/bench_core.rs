//! What sealing and opening a message costs beside the primitives it must do, and what it costs to
//! see that a scan record is not for us. Both sides of each comparison are measured in this run.
#![allow(clippy::unwrap_used)]

use account::acceptance::PendingAcceptance;
use account::epoch_keys::{ContactKeys, EpochKeys};
use account::greeting::{Greeting, Introduction, PendingGreeting};
use account::identity::Certificate;
use account::invite::Invitation;
use account::record::Author;
use account::sealed::{Mailbox, Sealed, Sender, locator};
use account::session::{Draft, Session, Slot, TagTable};
use shared::crypto::{
    CIPHERTEXT_LEN, KemSecret, Key, Rng, SigningKey, hedge, hmac, kdf, open, pad, seal, sha256,
};
use shared::time::{epoch, hour};
use std::hint::black_box;
use std::time::{Duration, Instant};

const NOW: u64 = 20_000 * 86_400_000 + 43_200_000;
const TEXT: usize = 200;
/// Rounds of one run, and runs of which the best counts: other processes only ever add time.
const ROUNDS: usize = 100;
const RUNS: usize = 60;
const TAGS: usize = 100_000;

struct Party {
    account: SigningKey,
    device: SigningKey,
    certificate: [u8; 101],
    own: EpochKeys,
    rng: Rng,
}

impl Party {
    fn new(seed: u8) -> Party {
        let mut rng = Rng::new([seed; 32]);
        let (account, device) = (SigningKey::draw(&mut rng), SigningKey::draw(&mut rng));
        let certificate = Certificate::issue(&account, 0, device.public(), hour(NOW)).to_bytes();
        let mut own = EpochKeys::new();
        own.ensure(epoch(NOW), 0, &mut rng);
        Party {
            account,
            device,
            certificate,
            own,
            rng,
        }
    }

    fn sender(&self) -> Sender<'_> {
        Sender {
            account: self.account.public(),
            device: &self.device,
            certificate: &self.certificate,
            network: 1,
            effort: 0,
            now: NOW,
        }
    }

    fn intro(&mut self) -> Introduction {
        Introduction {
            read: self.rng.array(),
            mailbox: Mailbox::draw(0, &mut self.rng),
            name: "a name".into(),
            message_id: self.rng.array(),
            time: NOW,
            recovery: [9; 32],
        }
    }
}

/// Ben, who writes, with Ann's keys; Ann, who reads. They met as people do.
fn met() -> (Party, Session, Party, Session, ContactKeys) {
    let (mut ann, mut ben) = (Party::new(1), Party::new(2));
    let invitation = Invitation::draw(hour(NOW), 24, false, Mailbox::default(), &mut ann.rng);
    let by = Author {
        signer: account::record::Signer::Account(&ann.account),
        version: 1,
        effort: 0,
        network: 1,
    };
    let record = invitation.record(by, "Ann", &ann.rng.array()).unwrap();
    let link = invitation.link(ann.account.public(), Vec::new());
    let offer = link.open(&record.header, &record.body, hour(NOW)).unwrap();
    let (a, b) = (ann.account.public(), ben.account.public());
    let intro = ben.intro();
    let text = String::from("hello");
    let mut pending = PendingGreeting::new(&link, &offer, &b, intro, text, &mut ben.rng).unwrap();
    let sent = pending.seal(&ben.sender(), &mut Rng::new([3; 32]));
    let found = |sent: &Sealed, l: u64| locator(&sent.header.tag) == l;
    let (_, j) = invitation
        .locators(&a)
        .find(|(l, _)| found(&sent, *l))
        .unwrap();
    let greeting = Greeting::open(&invitation, &a, j, &sent.header, &sent.body, NOW).unwrap();
    let intro = ann.intro();
    let (answer, mut hers) = PendingAcceptance::new(greeting, &a, intro).unwrap();
    let sent = answer.seal(&mut hers, &ann.sender(), &ann.own, &mut Rng::new([4; 32]));
    let accepted = pending
        .open_acceptance(&b, 0, &sent.header, &sent.body, NOW)
        .unwrap();
    let mut his = accepted.session;
    hers.on_epoch(epoch(NOW), NOW);
    his.on_epoch(epoch(NOW), NOW);
    (ann, hers, ben, his, accepted.keys)
}

/// Time per round in the best run.
fn best(rounds: usize, mut round: impl FnMut()) -> Duration {
    let run = |round: &mut dyn FnMut()| {
        let start = Instant::now();
        (0..rounds).for_each(|_| round());
        start.elapsed() / rounds as u32
    };
    (0..RUNS).map(|_| run(&mut round)).min().unwrap()
}

fn us(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

/// Sealing and opening on a chain, one message after the other, tags looked up in a table.
fn messages() -> (Duration, Duration) {
    let (ann, mut hers, mut ben, mut his, keys) = met();
    let mut table: TagTable<Slot> = TagTable::new(ben.rng.array());
    let mut rng = Rng::new([5; 32]);
    let mut draft = Draft {
        text: Some("x".repeat(TEXT)),
        time: NOW,
        ..Draft::default()
    };
    let apply = |hers: &mut Session, table: &mut TagTable<Slot>| {
        let changes = hers.take_changes();
        for locator in &changes.removed {
            table.remove(locator);
        }
        for (locator, slot) in &changes.added {
            table.insert(*locator, *slot);
        }
    };
    apply(&mut hers, &mut table);
    let (mut sealing, mut opening) = (Duration::MAX, Duration::MAX);
    for _ in 0..RUNS {
        let (mut seal_time, mut open_time, mut counted) = (Duration::ZERO, Duration::ZERO, 0);
        for _ in 0..ROUNDS {
            draft.message_id = rng.array();
            let from = ben.sender();
            let start = Instant::now();
            let sent = his
                .seal_message(&draft, &keys, &from, &ben.own, &mut rng)
                .unwrap();
            let sealed = start.elapsed();
            let Sealed { header, body } = &sent.sealed;
            let start = Instant::now();
            let slot = *table.get(&locator(&header.tag)).unwrap();
            let opened = hers.open(&slot, header, body, &ann.own).unwrap();
            apply(&mut hers, &mut table);
            let took = start.elapsed();
            assert_eq!(opened.payload.text.as_ref().map(String::len), Some(TEXT));
            if !sent.is_opener {
                (seal_time, open_time) = (seal_time + sealed, open_time + took);
                counted += 1;
            }
        }
        sealing = sealing.min(seal_time / counted);
        opening = opening.min(open_time / counted);
    }
    (sealing, opening)
}

/// The primitives of one message in a body of so many bytes: (sealing, opening).
fn primitives(body: usize) -> (Duration, Duration) {
    let mut rng = Rng::new([6; 32]);
    let device = SigningKey::draw(&mut rng);
    let public = device.public();
    let (key, mac, fresh) = (Key::new(rng.array()), rng.array::<32>(), rng.array::<32>());
    let payload = vec![1u8; TEXT + 60];
    let mut okm = [0; 104];
    let padded = pad(&payload, body - 28).unwrap();
    let sealed = seal(&key, &fresh, &[0; 16], &padded);
    let context = [0u8; 32 * 2 + 4 + 16 + 4];
    let signature = device.sign(&[b"wm-msg", &context, &sha256(&[&payload])]);
    let sealing = best(ROUNDS, || {
        kdf(&[key.as_bytes()], "step", &[], &mut okm);
        black_box(device.sign(&[b"wm-msg", &context, &sha256(&[&payload])]));
        let padded = pad(&payload, body - 28).unwrap();
        let sealed = seal(&key, &fresh, &[0; 16], &padded);
        black_box(hmac(&mac, &[&sha256(&[&sealed])[..8]]));
    });
    let opening = best(ROUNDS, || {
        kdf(&[key.as_bytes()], "step", &[], &mut okm);
        black_box(hmac(&mac, &[&[7; 8]]));
        black_box(open(&key, &[0; 16], &sealed).unwrap());
        let signed: [&[u8]; 3] = [b"wm-msg", &context, &sha256(&[&payload])];
        public.verify(&signed, &signature).unwrap();
    });
    (sealing, opening)
}

fn tags() {
    let mut rng = Rng::new([7; 32]);
    let mut table = TagTable::new(rng.array());
    let known: Vec<u64> = (0..TAGS).map(|_| rng.u64()).collect();
    for (locator, value) in known.iter().zip(0u32..) {
        table.insert(*locator, value);
    }
    let foreign: Vec<u64> = (0..TAGS * 10).map(|_| rng.u64()).collect();
    let mut hits = 0u64;
    let mut all = |asked: &[u64]| {
        let time = best(1, || {
            hits += asked.iter().filter(|l| table.get(l).is_some()).count() as u64;
        });
        time.as_secs_f64() * 1e9 / asked.len() as f64
    };
    let (miss, hit) = (all(&foreign), all(&known));
    // Each lookup depending on the one before: no two overlap.
    let mut last = 0u64;
    let start = Instant::now();
    for locator in &foreign {
        last = locator ^ u64::from(table.get(&(locator ^ last)).is_some());
    }
    let alone = start.elapsed().as_secs_f64() * 1e9 / foreign.len() as f64;
    black_box(last);
    assert_eq!(hits, (RUNS * TAGS) as u64);
    println!(
        "tag table, {TAGS} expected: miss {miss:.1} ns (one after the other {alone:.1} ns), \
         hit {hit:.1} ns; goal: miss under 100 ns"
    );
}

fn main() {
    let (sealing, opening) = messages();
    let (small, large) = (primitives(1024), primitives(4096));
    // One in eight is padded to 4 KiB.
    let mix = |small: Duration, large: Duration| (small * 7 + large) / 8;
    let (seal_floor, open_floor) = (mix(small.0, large.0), mix(small.1, large.1));
    let row = |what: &str, took: Duration, floor: Duration| {
        let (took, floor) = (us(took), us(floor));
        println!(
            "{what:<22} {took:7.1} us   its primitives {floor:7.1} us   {:.2} x",
            took / floor
        );
    };
    println!("chain message of {TEXT} bytes");
    row("  seal", sealing, seal_floor);
    row("  open", opening, open_floor);
    row(
        "  both (goal: 2 x)",
        sealing + opening,
        seal_floor + open_floor,
    );

    let secret = KemSecret::from_bytes([8; 32]);
    let (public, mut n) = (secret.public(), 0u8);
    let encapsulate = best(ROUNDS, || {
        n = n.wrapping_add(1);
        black_box(public.encapsulate(hedge(&[n; 32], "bench", &[])));
    });
    let decapsulate = best(ROUNDS, || {
        black_box(secret.decapsulate(&[n; CIPHERTEXT_LEN]));
    });
    println!(
        "X-Wing: encapsulate {:.1} us, decapsulate {:.1} us (openers only)",
        us(encapsulate),
        us(decapsulate)
    );
    tags();
}
