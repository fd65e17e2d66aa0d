//! A new device and an old one, and what may happen between them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod attacks;
mod bundles;
mod codes;
mod forged;
mod rough;
mod vectors;

use super::*;
use crate::epoch_keys::EpochKeys;
use crate::identity::{Certificate, Identity, Seed};
use crate::sealed::{Mailbox, Sealed, locator};
use crate::shown::NAME_BYTES_MAX;
use crate::state::values::{self, DeviceKind};
use crate::state::{ContactField, Entry, Key as StateKey, Stamp, Value};
use shared::crypto::{Key, PublicKey, Rng, SigningKey};
use shared::time::{epoch, hour};
use shared::wire::RelayHint;

/// Epoch 20,000, at noon.
pub const START: u64 = (20_000 * 24 + 12) * 3_600_000;

pub struct Account {
    pub seed: Seed,
    pub key: SigningKey,
    pub certificate: [u8; 101],
}

impl Account {
    pub fn draw(rng: &mut Rng) -> Account {
        let seed = Seed::draw(rng);
        let key = Identity::from_seed(&seed).account_key().clone();
        let device = SigningKey::draw(rng).public();
        let certificate = Certificate::issue(&key, 0, device, hour(START)).to_bytes();
        Account {
            seed,
            key,
            certificate,
        }
    }

    pub fn me(&self) -> Me<'_> {
        Me {
            account: self.key.public(),
            certificate: &self.certificate,
            name: "Ada",
        }
    }
}

pub fn hint(n: u8) -> RelayHint {
    RelayHint {
        address: core::net::Ipv4Addr::new(192, 0, 2, n).into(),
        port: 4433,
        certificate: [n; 32],
        node_key: [n; 32],
    }
}

pub fn at(ms: u64) -> Moment {
    Moment {
        mono: ms,
        now: START + ms,
        network: 7,
        effort: 0,
    }
}

pub fn asks(kind: DeviceKind, rng: &mut Rng) -> Asks {
    Asks {
        device: SigningKey::draw(rng).public(),
        kem_hash: [3; 32],
        name: "Browser".into(),
        kind,
    }
}

/// A run on both sides, before anything was delivered.
pub struct Run {
    pub n: NewDevice,
    pub o: OldDevice,
    pub asks: Asks,
    pub ada: Account,
    /// N's key, as it lies at the relay.
    pub key: Sealed,
    pub rng: Rng,
}

impl Run {
    pub fn new(kind: DeviceKind, seed: u8) -> Run {
        let mut rng = Rng::new([seed; 32]);
        let ada = Account::draw(&mut rng);
        let asks = asks(kind, &mut rng);
        let (n, key) = NewDevice::new(asks.clone(), &[hint(1)], &at(0), &mut rng).unwrap();
        let code = LinkCode::parse(&n.code().text(), START + 5_000).unwrap();
        let o = OldDevice::new(code, ada.me(), &at(5_000), &mut rng).unwrap();
        Run {
            n,
            o,
            asks,
            ada,
            key,
            rng,
        }
    }

    pub fn n_gets(&mut self, envelope: &Sealed) -> Reply<NewEvent> {
        let moment = at(6_000);
        self.n
            .on_envelope(&envelope.header, &envelope.body, &moment, &mut self.rng)
    }

    pub fn o_gets(&mut self, envelope: &Sealed) -> Reply<OldEvent> {
        let moment = at(6_000);
        self.o
            .on_envelope(&envelope.header, &envelope.body, &moment, &mut self.rng)
    }

    /// O's hello.
    pub fn hello(&mut self) -> Sealed {
        let key = self.key.clone();
        only(self.o_gets(&key))
    }

    /// Both show the number: what they show, and both envelopes.
    pub fn compare(&mut self) -> (Host, Newcomer, [Sealed; 2]) {
        let hello = self.hello();
        let reply = self.n_gets(&hello);
        let [device] = &reply.put[..] else {
            panic!("one answer")
        };
        let device = device.clone();
        let Some(NewEvent::Compare(host)) = reply.event else {
            panic!("{:?}", reply.event)
        };
        let newcomer = match self.o_gets(&device).event {
            Some(OldEvent::Compare(newcomer)) => newcomer,
            other => panic!("{other:?}"),
        };
        (host, newcomer, [hello, device])
    }

    pub fn bundle(&mut self, device: PublicKey, kind: DeviceKind, contacts: usize) -> Bundle {
        bundle(&self.ada, device, kind, contacts, &mut self.rng)
    }

    /// Approves, and seals everything.
    pub fn chunks(&mut self, bundle: &Bundle) -> Vec<Sealed> {
        let count = self.o.approve(bundle, &at(7_000)).unwrap();
        let next = || self.o.next_chunk(&at(7_000), &mut self.rng);
        let chunks: Vec<Sealed> = core::iter::from_fn(next).collect();
        assert_eq!(chunks.len(), usize::from(count));
        chunks
    }

    pub fn n_confirms(&mut self) -> Reply<NewEvent> {
        self.n.confirm(true, &at(7_000), &mut self.rng)
    }
}

pub fn bundle(
    of: &Account,
    device: PublicKey,
    kind: DeviceKind,
    contacts: usize,
    rng: &mut Rng,
) -> Bundle {
    let mut keys = EpochKeys::new();
    keys.ensure(epoch(START), 0, rng);
    let certificate = Certificate::issue(&of.key, 3, device, hour(START)).to_bytes();
    let mut state = Vec::new();
    let shared = (0..contacts).map(|_| bundles::contact(of, &mut state, rng));
    Bundle {
        account: of.key.public(),
        name: "Ada".into(),
        kind,
        contacts: shared.collect(),
        seed: (kind == DeviceKind::Full).then(|| of.seed.clone()),
        certificate,
        read: Key::new(rng.array()),
        mailbox: Mailbox::new(0x1234_0000, 16).unwrap(),
        place: 0x1234_5678,
        invites_place: 9,
        wider: Some((4, 480_300)),
        recovery: rng.array(),
        keys,
        state_read: Some(StateSecret {
            generation: 2,
            secret: Key::new(rng.array()),
        }),
        self_pair: SelfPair {
            epoch: epoch(START),
            secret: Key::new(rng.array()),
        },
        delegations: alloc::vec![Leave {
            slot: 2,
            period: 667,
            bytes: [8; 100],
        }],
        invitations: Vec::new(),
        state,
        history: [true, false].map(|mine| copy(of, mine)).into(),
    }
}

/// A message of a conversation with somebody.
pub fn copy(with: &Account, mine: bool) -> MessageCopy {
    let said = Said {
        id: [u8::from(mine); 16],
        mine,
        text: "hello".into(),
        at: START,
        order: 3,
    };
    MessageCopy::new(with.key.public(), said, START, Way::Arrived)
}

/// An entry of a contact, as a device of the account wrote it.
pub fn entry(who: &PublicKey, field: ContactField, value: Option<Value>) -> Entry {
    Entry {
        key: StateKey::Contact(*who.as_bytes(), field),
        stamp: Stamp {
            time: START,
            slot: 0,
        },
        value,
    }
}

/// The one envelope of a reply that has nothing to tell.
pub fn only<E: core::fmt::Debug>(reply: Reply<E>) -> Sealed {
    assert!(reply.event.is_none(), "{:?}", reply.event);
    let [envelope] = &reply.put[..] else {
        panic!("{} envelopes", reply.put.len())
    };
    envelope.clone()
}

pub fn is_nothing<E>(reply: &Reply<E>) -> bool {
    reply.put.is_empty() && reply.event.is_none()
}

#[track_caller]
pub fn n_failed(reply: &Reply<NewEvent>) -> Failure {
    match reply.event {
        Some(NewEvent::Failed(why)) => why,
        ref other => panic!("{other:?}"),
    }
}

#[track_caller]
pub fn o_failed(reply: &Reply<OldEvent>) -> Failure {
    match reply.event {
        Some(OldEvent::Failed(why)) => why,
        ref other => panic!("{other:?}"),
    }
}

#[test]
fn a_device_is_linked() {
    for (asked, given) in [
        (DeviceKind::Full, DeviceKind::Full),
        (DeviceKind::Linked, DeviceKind::Linked),
        (DeviceKind::Full, DeviceKind::Linked),
    ] {
        for n_first in [false, true] {
            let mut run = Run::new(asked, 1);
            assert_eq!(run.n.address(), run.o.address());
            let (host, newcomer, [hello, device]) = run.compare();
            assert_eq!(host.number, newcomer.number);
            assert_eq!(*host.account.key(), run.ada.key.public());
            assert_eq!((&host.name[..], &newcomer.name[..]), ("Ada", "Browser"));
            assert_eq!((newcomer.device, newcomer.kind), (run.asks.device, asked));
            assert_eq!(newcomer.kem_hash, run.asks.kem_hash);
            if n_first {
                assert!(is_nothing(&run.n_confirms()));
            }
            let bundle = run.bundle(newcomer.device, given, 60);
            let chunks = run.chunks(&bundle);
            assert!(chunks.len() > 1);
            let mut reply = Reply::nothing();
            for (have, chunk) in (1..).zip(&chunks) {
                assert!(run.n.expected().contains(&locator(&chunk.header.tag)));
                assert_eq!(chunk.header.address, run.n.address());
                reply = run.n_gets(chunk);
                let told = (have, Some(chunks.len() as u16));
                match &reply.event {
                    Some(NewEvent::Progress { have, of }) => assert_eq!((*have, *of), told),
                    _ => assert_eq!(told, (chunks.len() as u16, Some(have))),
                }
            }
            if !n_first {
                assert!(is_nothing(&reply), "not before the person said yes");
                reply = run.n_confirms();
            }
            let Some(NewEvent::Received(received)) = reply.event else {
                panic!("{:?}", reply.event)
            };
            assert!(reply.put.is_empty());
            assert_eq!(*received.encode().unwrap(), *bundle.encode().unwrap());
            assert_eq!(received.seed.is_some(), given == DeviceKind::Full);
            assert_eq!(received.certificate(START).unwrap().slot, 3);
            let word = run.n.taken(&at(8_000), &mut run.rng).unwrap();
            assert!(run.o.expected().contains(&locator(&word.header.tag)));
            assert!(matches!(run.o_gets(&word).event, Some(OldEvent::Done)));
            // It is over on both sides.
            for envelope in chunks.iter().chain([&hello, &device, &word]) {
                assert!(is_nothing(&run.n_gets(envelope)) && is_nothing(&run.o_gets(envelope)));
            }
            assert!(run.n.expected().is_empty() && run.o.expected().is_empty());
            assert!(run.n.deadline().is_none() && run.o.deadline().is_none());
        }
    }
}

#[test]
fn a_no_is_told_to_the_other_side() {
    let mut run = Run::new(DeviceKind::Linked, 2);
    run.compare();
    let reply = run.n.confirm(false, &at(7_000), &mut run.rng);
    assert_eq!(n_failed(&reply), Failure::RefusedHere);
    let reply = run.o_gets(&reply.put[0].clone());
    assert_eq!(o_failed(&reply), Failure::RefusedThere);
    let device = run.asks.device;
    let bundle = run.bundle(device, DeviceKind::Linked, 0);
    assert_eq!(
        run.o.approve(&bundle, &at(7_000)),
        Err(ApproveError::NotNow)
    );

    let mut run = Run::new(DeviceKind::Linked, 3);
    run.compare();
    let reply = run.o.refuse(&at(7_000), &mut run.rng);
    assert_eq!(o_failed(&reply), Failure::RefusedHere);
    assert_eq!(
        n_failed(&run.n_gets(&reply.put[0].clone())),
        Failure::RefusedThere
    );
    assert!(is_nothing(&run.n_confirms()));
}

#[test]
fn what_could_not_be_taken_is_told() {
    let mut run = Run::new(DeviceKind::Linked, 4);
    let (_, newcomer, _) = run.compare();
    let bundle = run.bundle(newcomer.device, DeviceKind::Linked, 0);
    run.n_confirms();
    for chunk in run.chunks(&bundle) {
        run.n_gets(&chunk);
    }
    let word = run.n.cancel(&at(8_000), &mut run.rng).unwrap();
    assert_eq!(o_failed(&run.o_gets(&word)), Failure::NotTaken);
    assert!(run.n.taken(&at(8_000), &mut run.rng).is_none());
}

#[test]
fn everything_has_its_time() {
    let late = |run: &mut Run| {
        let at = at(run.n.deadline().unwrap());
        run.n.on_time(
            &Moment {
                mono: at.mono - 1,
                ..at
            },
            &mut run.rng,
        );
        assert!(run.n.deadline().is_some());
        n_failed(&run.n.on_time(&at, &mut run.rng))
    };
    let late_o = |run: &mut Run| {
        let at = at(run.o.deadline().unwrap());
        run.o.on_time(
            &Moment {
                mono: at.mono - 1,
                ..at
            },
            &mut run.rng,
        );
        assert!(run.o.deadline().is_some());
        o_failed(&run.o.on_time(&at, &mut run.rng))
    };
    let mut run = Run::new(DeviceKind::Linked, 5);
    assert_eq!(late(&mut run), Failure::TimedOut(Late::Scan));
    assert_eq!(late_o(&mut run), Failure::TimedOut(Late::Key));
    let mut run = Run::new(DeviceKind::Linked, 5);
    run.hello();
    assert_eq!(late_o(&mut run), Failure::TimedOut(Late::Device));
    let mut run = Run::new(DeviceKind::Linked, 5);
    run.compare();
    assert_eq!(late(&mut run), Failure::TimedOut(Late::Person));
    assert_eq!(late_o(&mut run), Failure::TimedOut(Late::Person));
    let mut run = Run::new(DeviceKind::Linked, 5);
    let (_, newcomer, _) = run.compare();
    run.n_confirms();
    assert_eq!(late(&mut run), Failure::TimedOut(Late::Bundle));
    let bundle = run.bundle(newcomer.device, DeviceKind::Linked, 0);
    run.chunks(&bundle);
    assert_eq!(late_o(&mut run), Failure::NoWord);

    // An input that comes too late counts as the time that passed.
    let mut run = Run::new(DeviceKind::Linked, 5);
    let hello = run.hello();
    let after = at(run.n.deadline().unwrap());
    let reply = run
        .n
        .on_envelope(&hello.header, &hello.body, &after, &mut run.rng);
    assert_eq!(n_failed(&reply), Failure::TimedOut(Late::Scan));
    assert!(reply.put.is_empty() && is_nothing(&run.n_gets(&hello)));
}

#[test]
fn names_are_short() {
    let mut rng = Rng::new([6; 32]);
    let mut asks = asks(DeviceKind::Full, &mut rng);
    asks.name = "x".repeat(NAME_BYTES_MAX + 1);
    assert!(NewDevice::new(asks.clone(), &[hint(1)], &at(0), &mut rng).is_err());
    asks.name.pop();
    assert!(NewDevice::new(asks, &[hint(1)], &at(0), &mut rng).is_ok());
    let run = Run::new(DeviceKind::Full, 6);
    let name = "x".repeat(NAME_BYTES_MAX + 1);
    let me = Me {
        name: &name,
        ..run.ada.me()
    };
    assert!(OldDevice::new(run.n.code().clone(), me, &at(0), &mut rng).is_err());
}

#[test]
fn numbers_are_written_in_two_groups() {
    assert_eq!(digits(12_345), "012 345");
    assert_eq!(digits(0), "000 000");
    assert_eq!(digits(999_999), "999 999");
}
