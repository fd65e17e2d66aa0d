//! A device without the seed: what it writes, and what it refuses.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
use super::*;
use crate::api::Command;
use crate::identity::Seed;
use crate::node::cx::Config;
use crate::record::{SLOT_ROOT, SLOT_STATE};
use crate::vault::DataKey;
use shared::crypto::Rng;
use shared::time::Now;

const START: u64 = 20_000 * 86_400_000;
const HOUR: u64 = 3_600_000;

fn full() -> (Cx, Open) {
    let unix = START;
    let mut cx = Cx::new(Config::new(7), [3; 32], Now { mono: 0, unix });
    let data = DataKey::draw(&mut cx.rng);
    let seed = Seed::draw(&mut Rng::new([9; 32]));
    let mut open = Open::create(&mut cx, data, seed, "me".into(), false);
    open.begin(&mut cx);
    let root = crate::root::Root::draw(&mut cx.rng);
    open.take_root(&mut cx, &root.text());
    (cx, open)
}

/// The same account as a device has it that was given a certificate and leaves.
fn linked(cx: &mut Cx, open: &mut Open) {
    let device = SigningKey::draw(&mut cx.rng);
    let leaves = open.leaves_for(device.public());
    let hour = time::hour(START);
    let key = open.authority.full().unwrap().account_key();
    let certificate = Certificate::issue(key, 3, device.public(), hour);
    open.profile.certificate = certificate.to_bytes().to_vec();
    open.profile.linked = Some(LinkedRow {
        account: *open.me.as_bytes(),
        recovery: open.authority.recovery(),
        leaves,
    });
    (open.profile.seed, open.profile.slot) = (None, 3);
    open.device = device;
    open.authority = Authority::of(&open.profile).unwrap();
}

#[test]
fn it_writes_what_it_has_leave_for() {
    let (mut cx, mut open) = full();
    let recovery = open.authority.recovery();
    linked(&mut cx, &mut open);
    assert_eq!(open.authority.recovery(), recovery);
    assert!(!open.is_full() && open.seed().is_none());
    let read = open.profile.read_secret;
    let root = *open.state_root().unwrap().read.as_bytes();
    let period = record::period(time::hour(START));
    let expiry = time::hour(START) + 168;
    let may = |open: &Open, read: &[u8; 32], slot, period| {
        let spot = Spot {
            read,
            slot,
            period,
            expiry,
        };
        open.authority.signer(&open.device, &spot).is_some()
    };
    for slot in [SLOT_EPOCH_KEYS, SLOT_PROFILE] {
        assert!(may(&open, &read, slot, period) && may(&open, &read, slot, period + 1));
        assert!(!may(&open, &read, slot, period + 2) && !may(&open, &root, slot, period));
    }
    assert!(may(&open, &root, SLOT_STATE, period) && may(&open, &root, SLOT_STATE + 1, period));
    assert!(!may(&open, &root, SLOT_STATE + 40, period));
    assert!(!may(&open, &read, SLOT_ROOT, period) && open.own_read(SLOT_ROOT).is_none());
    let sealed = open.seal_record(&mut cx, SLOT_EPOCH_KEYS).unwrap();
    let place = Place::find(&open.me, &read, SLOT_EPOCH_KEYS, period);
    let hour = time::hour(START);
    record::open(&place, &read, &sealed.header, &sealed.body, hour).unwrap();
    // Another key of the device has no leave.
    open.device = SigningKey::draw(&mut cx.rng);
    assert!(!may(&open, &read, SLOT_PROFILE, period));
    assert!(open.seal_record(&mut cx, SLOT_EPOCH_KEYS).is_none());
}

#[test]
fn it_refuses_what_takes_the_words() {
    let (mut cx, mut open) = full();
    linked(&mut cx, &mut open);
    let refused = [
        Command::Invite {
            hours: 24,
            single_use: false,
        },
        Command::ComeBack,
        Command::TakeBack,
        Command::StartAnew,
        Command::LookAgain,
    ];
    for command in refused {
        let outcome = open.command(&mut cx, 1, command).unwrap();
        assert_eq!(outcome.unwrap_err().code, "needs_full_device");
    }
    let row = minicbor::to_vec(&open.profile).unwrap();
    let again: Profile = minicbor::decode(&row).unwrap();
    assert_eq!(Authority::of(&again).unwrap().account(), open.me);
    let seed = Seed::draw(&mut Rng::new([9; 32]));
    let identity = Identity::from_seed(&seed);
    let secrets: [&[u8]; 3] = [
        seed.as_bytes(),
        identity.record_key().as_bytes(),
        identity.recovery_key().as_bytes(),
    ];
    for secret in secrets {
        assert!(!row.windows(secret.len()).any(|part| part == secret));
    }
}

#[test]
fn its_certificate_ends_and_is_given_anew() {
    let (mut cx, mut open) = full();
    let before = Authority::of(&open.profile).unwrap();
    let account = before.full().unwrap().account_key();
    linked(&mut cx, &mut open);
    assert!(open.certificate(&mut cx).is_some());
    cx.now.unix += 193 * HOUR;
    cx.now.mono += 193 * HOUR;
    open.clock.tick(cx.now);
    assert!(open.certificate(&mut cx).is_none() && open.is_expired());
    open.look_after_certificate(&mut cx);
    assert!(cx.is_told("certificate_ended"));
    let text = "hello".into();
    let contact = crate::node::views::account(open.me.as_bytes());
    let send = Command::Send { contact, text };
    let code = open.command(&mut cx, 2, send).unwrap().unwrap_err().code;
    assert_eq!(code, "certificate_ended");
    let hour = time::hour(open.clock.assumed());
    let issue = |slot, key| Certificate::issue(account, slot, key, hour).to_bytes();
    let stranger = SigningKey::draw(&mut cx.rng).public();
    let mut forged = issue(3, open.device.public());
    forged[60] ^= 1;
    for bad in [issue(2, open.device.public()), issue(3, stranger), forged] {
        assert!(!open.renew_authority(&mut cx, &bad, Vec::new()));
    }
    let fresh = issue(3, open.device.public());
    assert!(open.renew_authority(&mut cx, &fresh, Vec::new()));
    assert_eq!(open.certificate(&mut cx), Some(fresh));
    assert!(!open.is_expired() && !cx.is_told("certificate_ended"));
}
