//! What a new device keeps of what it was given, without relays: the rest is in the simulation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::api::Command;
use crate::epoch_keys::ContactKeys;
use crate::identity::{Identity, Seed};
use crate::linking::Newcomer;
use crate::node::cx::Config;
use crate::node::greet::new_contact;
use crate::node::open::Contact;
use crate::session::{PairSeed, Session};
use crate::state::Key as StateKey;
use shared::crypto::{KemSecret, Key, Rng, SigningKey, sha256};
use shared::time::Now;
use shared::wire::RelayHint;

const START: u64 = 20_000 * 86_400_000;

fn cx(n: u8) -> Cx {
    let unix = START;
    Cx::new(Config::new(7), [n; 32], Now { mono: 0, unix })
}

/// What [`Account::flush`](crate::node::Account) does between inputs.
fn settle(cx: &mut Cx, open: &mut Open) {
    let mut dirty = cx.take_dirty();
    open.note(cx, &dirty);
    dirty.extend(cx.take_dirty());
    open.plan_state(cx, &dirty);
    cx.take_dirty();
}

/// An account with contacts, an invitation and a few relays.
fn ada(cx: &mut Cx, seed: &Seed, contacts: u8) -> Open {
    let data = DataKey::draw(&mut cx.rng);
    let mut open = Open::create(cx, data, seed.clone(), "Ada".into(), false);
    open.begin(cx);
    let hint = RelayHint {
        address: core::net::Ipv4Addr::new(192, 0, 2, 1).into(),
        port: 4433,
        certificate: [1; 32],
        node_key: *SigningKey::from_bytes(&[1; 32]).public().as_bytes(),
    };
    open.relays.add(cx, hint).unwrap();
    let hours = 24;
    let invite = Command::Invite {
        hours,
        single_use: true,
    };
    assert!(open.command(cx, 1, invite).unwrap().is_ok());
    for n in 0..contacts {
        let theirs = Identity::from_seed(&Seed::from_bytes([n + 1; 27]));
        let key = theirs.account_key().public();
        let mut contact = new_contact(*key.as_bytes(), "them".into(), START);
        let device = SigningKey::draw(&mut cx.rng).public();
        let mut session = Session::new(open.me, key, Mailbox::default(), (0, device), START);
        let rz = Key::new(cx.rng.array());
        session.add_pair(&PairSeed { epoch: 20_000, rz }, true);
        session.on_epoch(20_000, 0);
        contact.session = Some(session);
        contact.keys = Some(ContactKeys::new(cx.rng.array()));
        contact.row.state = 1;
        contact.row.order = 40 + u64::from(n);
        contact.row.met = START;
        contact.row.recovery = Some(theirs.recovery_key().public());
        open.contacts.insert(*key.as_bytes(), contact);
        cx.touch(RowKey::Contact(*key.as_bytes()));
    }
    settle(cx, &mut open);
    open
}

/// The account as a new device of that kind opens it from what the old one gave.
fn handed(cx: &mut Cx, open: &mut Open, kind: DeviceKind) -> (Bundle, Open) {
    let drawn = Drawn {
        device: cx.rng.array(),
        kem: cx.rng.array(),
    };
    let kem = KemSecret::from_bytes(drawn.kem).public();
    let newcomer = Newcomer {
        device: SigningKey::from_bytes(&drawn.device).public(),
        kem_hash: sha256(&[kem.as_bytes()]),
        name: "Laptop".into(),
        kind,
        number: 0,
    };
    let slot = open.free_slot().unwrap();
    let certificate = open.certify(cx, &newcomer, kind, slot).unwrap();
    let bundle = open.bundle(cx, &certificate, kind).unwrap();
    let mut other = self::cx(77);
    let data = DataKey::draw(&mut other.rng);
    let mut clock = AgreedTime::new();
    clock.tick(other.now);
    let mut new = Open::of_bundle(&mut other, data, &drawn, &bundle, clock).unwrap();
    new.begin(&mut other);
    new.take_bundle(&mut other, bundle.clone());
    settle(&mut other, &mut new);
    (bundle, new)
}

#[test]
fn nothing_of_the_seed_is_in_a_linked_device() {
    let mut cx = cx(1);
    let seed = Seed::draw(&mut Rng::new([9; 32]));
    let mut open = ada(&mut cx, &seed, 3);
    let (bundle, new) = handed(&mut cx, &mut open, DeviceKind::Linked);
    assert!(bundle.seed.is_none() && !new.is_full());
    let identity = Identity::from_seed(&seed);
    let derived = |label| shared::crypto::kdf_key(&[seed.as_bytes()], label, &[]);
    let secrets = [
        seed.as_bytes().to_vec(),
        identity.record_key().as_bytes().to_vec(),
        identity.recovery_key().as_bytes().to_vec(),
        derived("account key").as_bytes().to_vec(),
        open.profile.device.to_vec(),
    ];
    let rows = new.export_state();
    assert!(rows.len() > 10);
    let values = rows.iter().map(|row| row.value.to_vec());
    for value in values.chain([minicbor::to_vec(&bundle).unwrap()]) {
        for secret in &secrets {
            assert!(!value.windows(secret.len()).any(|part| part == *secret));
        }
    }
    // They are where they should be.
    let (_, full) = handed(&mut cx, &mut open, DeviceKind::Full);
    let profile = full.encode(&RowKey::Profile).unwrap();
    assert!(profile.windows(27).any(|part| part == seed.as_bytes()));
    assert_eq!(full.me, open.me);
}

/// What the devices write to each other with: epoch and secret.
fn own_pair(open: &Open) -> (u32, Key) {
    open.own.session.as_ref().unwrap().own_pair().unwrap()
}

#[test]
fn everything_is_there() {
    let mut cx = cx(2);
    let seed = Seed::draw(&mut Rng::new([8; 32]));
    let mut open = ada(&mut cx, &seed, 3);
    for kind in [DeviceKind::Linked, DeviceKind::Full] {
        let (bundle, new) = handed(&mut cx, &mut open, kind);
        assert_eq!(bundle.delegations.is_empty(), kind == DeviceKind::Full);
        assert_eq!(new.profile.read_secret, open.profile.read_secret);
        assert_eq!(new.profile.mailbox, open.profile.mailbox);
        assert_eq!(new.epoch_keys.generation(), open.epoch_keys.generation());
        assert_eq!(own_pair(&new), own_pair(&open));
        assert_eq!(
            new.state_root().unwrap().read,
            open.state_root().unwrap().read
        );
        assert_eq!(new.contacts.len(), 3);
        for (who, theirs) in &open.contacts {
            let ours = &new.contacts[who];
            assert_eq!(ours.row.order, theirs.row.order);
            assert_eq!(ours.row.met, theirs.row.met);
            let expected = |c: &Contact| c.session.as_ref().unwrap().expected().count();
            assert_eq!(expected(ours), expected(theirs));
            // A return of theirs is found by both.
        }
        let everybody: Vec<Who> = open.contacts.keys().copied().collect();
        for who in everybody {
            open.expect_returns(&who);
            let places = |c: &Contact| c.returns.locators().collect::<Vec<u64>>();
            assert_eq!(places(&new.contacts[&who]), places(&open.contacts[&who]));
            assert_eq!(places(&new.contacts[&who]).len(), 20);
        }
        let invites: Vec<Id16> = new.invites.keys().copied().collect();
        assert_eq!(invites, open.invites.keys().copied().collect::<Vec<_>>());
        let slot = new.profile.slot;
        assert!(new.state.set.get(&StateKey::Device(slot)).is_some());
        assert!(new.state.set.get(&StateKey::Device(0)).is_some());
        // It opens from its rows as it is.
        let rows = new.export_state();
        let rows = rows.into_iter().map(|row| crate::rows::PlainRow {
            key: row.key,
            value: row.value,
        });
        let mut other = self::cx(78);
        let data = DataKey::draw(&mut other.rng);
        let again = Open::from_rows(&mut other, data, rows.collect()).unwrap();
        assert_eq!(again.is_full(), kind == DeviceKind::Full);
        assert_eq!((again.me, again.contacts.len()), (open.me, 3));
    }
}

/// Eight devices at most, and no slot twice while its certificate may hold.
#[test]
fn slots_are_given_once() {
    let mut cx = cx(3);
    let seed = Seed::draw(&mut Rng::new([7; 32]));
    let mut open = ada(&mut cx, &seed, 0);
    for slot in 1..8 {
        assert_eq!(open.free_slot(), Some(slot));
        handed(&mut cx, &mut open, DeviceKind::Linked);
    }
    assert_eq!(open.free_slot(), None);
    // One that says that it took nothing is free when its certificate is over.
    open.unlist(&mut cx, 5);
    assert_eq!(open.free_slot(), None);
    cx.now.unix += 193 * 3_600_000;
    cx.now.mono += 193 * 3_600_000;
    open.clock.tick(cx.now);
    assert_eq!(open.free_slot(), Some(5));
}
