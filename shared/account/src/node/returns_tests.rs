//! What is expected of whom, without relays: the rest is in the simulation.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
extern crate std;

use super::*;
use crate::identity::{Identity, Seed};
use crate::node::cx::Config;
use crate::node::greet::new_contact;
use crate::sealed::locator;
use crate::session::Session;
use crate::vault::DataKey;
use shared::crypto::Rng;
use shared::time::Now;

const START: u64 = 20_000 * 86_400_000;

/// 500 contacts, epoch after epoch: the table keeps 20 places for each, and no others.
#[test]
fn the_table_of_500_contacts() {
    let mut rng = Rng::new([1; 32]);
    let mut table = ExpectedTags::new(rng.array());
    let mut contacts: Vec<(Who, Returns)> = Vec::new();
    for _ in 0..500 {
        let secret = Some(Key::new(rng.array()));
        let returns = Returns {
            secret,
            ..Returns::default()
        };
        contacts.push((rng.array(), returns));
    }
    // A tag, and a number for what it leads to.
    let place = 8 + 4;
    for epoch in [20_000, 20_000, 20_001, 20_009, 20_008, 0, u32::MAX] {
        for (who, returns) in &mut contacts {
            returns.refresh(who, epoch, &mut table);
        }
        let of_each = contacts[0].1.expected.len();
        assert_eq!(table.len(), 500 * of_each);
        if epoch == 20_000 {
            let places = (2 * table.len()).next_power_of_two();
            let kib = places * place / 1_024;
            std::println!("{} tags, {places} places, {kib} KiB", table.len());
            assert_eq!(of_each, 20);
        }
    }
    for (who, returns) in &mut contacts {
        returns.secret = None;
        returns.refresh(who, 5, &mut table);
    }
    assert_eq!(table.len(), 0);
}

fn account(seed: u8) -> (Cx, Open) {
    let now = Now {
        mono: 0,
        unix: START,
    };
    let mut cx = Cx::new(Config::new(7), [seed; 32], now);
    let seed = Seed::from_bytes([seed; 27]);
    let data = DataKey::draw(&mut cx.rng);
    let mut open = Open::create(&mut cx, data, seed, "me".into(), false);
    open.begin(&mut cx);
    (cx, open)
}

/// An account with a contact that it was in touch with, who has not told R.
fn with_contact(seed: u8) -> (Cx, Open, Identity, Who) {
    let (cx, mut open) = account(seed);
    let theirs = Identity::from_seed(&Seed::from_bytes([seed + 1; 27]));
    let key = theirs.account_key().public();
    let (who, device) = (*key.as_bytes(), key);
    let mut contact = new_contact(who, "them".into(), START);
    contact.row.state = 1;
    contact.session = Some(Session::new(
        open.me,
        key,
        Default::default(),
        (0, device),
        START,
    ));
    open.contacts.insert(who, contact);
    (cx, open, theirs, who)
}

fn expected(open: &Open) -> usize {
    open.contacts
        .values()
        .map(|c| c.returns.locators().count())
        .sum()
}

#[test]
fn returns_are_expected_of_active_contacts_with_a_known_key() {
    let (mut cx, mut open, theirs, who) = with_contact(1);
    let before = open.expected.len();
    open.expect_returns(&who);
    assert_eq!(open.expected.len(), before, "nothing was told");
    // R of small order agrees on nothing, and stays.
    open.note_recovery(&who, [0; 32]);
    assert_eq!(open.expected.len(), before);
    open.contacts.get_mut(&who).unwrap().row.recovery = None;

    open.note_recovery(&who, theirs.recovery_key().public());
    open.note_recovery(&who, [9; 32]);
    assert_eq!((expected(&open), open.expected.len()), (20, before + 20));
    let secret = theirs
        .recovery_key()
        .return_secret(&open.authority.recovery(), &key(&who), &open.me)
        .unwrap();
    let which = Which {
        epoch: 20_001,
        j: 3,
    };
    let at = which.locator(&secret);
    assert_eq!(open.expected.get(&at), Some(Expected::Return { who }));
    // A handshake may tell another one.
    open.contacts.get_mut(&who).unwrap().row.recovery = Some([9; 32]);
    open.expect_returns(&who);
    assert_eq!(open.expected.get(&at), None);
    assert_eq!(open.expected.len(), before + 20);
    // Nobody is expected who is blocked or removed.
    let contact = crate::node::views::account(&who);
    open.remove_contact(&mut cx, &contact, true).unwrap();
    open.expect_returns(&who);
    open.note_recovery(&who, theirs.recovery_key().public());
    assert_eq!(open.expected.len(), before);
}

fn key(who: &Who) -> PublicKey {
    PublicKey::from_bytes(who).unwrap()
}

/// A whole return, from one account to another: of who is not active, or was met later, it changes
/// nothing; of who is, once.
#[test]
fn a_return_is_taken_once_and_of_contacts_alone() {
    let (mut cx, mut ann, theirs, who) = with_contact(1);
    ann.note_recovery(&who, theirs.recovery_key().public());
    let (mut their_cx, mut ben) = account(2);
    assert_eq!(ben.me.as_bytes(), &who);
    let me = *ann.me.as_bytes();
    let mut contact = new_contact(me, "Ann".into(), START);
    contact.row.state = 1;
    contact.row.recovery = Some(ann.authority.recovery());
    let mut keys = crate::epoch_keys::ContactKeys::new(ann.profile.read_secret);
    keys.learn(&ann.epoch_keys.notice(20_000, 2).unwrap(), START, 20_000);
    contact.keys = Some(keys);
    ben.contacts.insert(me, contact);
    // What was written at the moment of a handshake is no later than that.
    for cx in [&mut cx, &mut their_cx] {
        cx.now.unix += 1_000;
        cx.now.mono += 1_000;
    }
    ann.on_time(&mut cx);
    ben.on_time(&mut their_cx);
    assert!(ben.come_back_to(&mut their_cx, &me, Default::default()));
    let sealed = ben.seal(&mut their_cx, &Owner::Return(me)).unwrap();
    let again = ben.seal(&mut their_cx, &Owner::Return(me)).unwrap();

    let at = |sealed: &crate::sealed::Sealed| locator(&sealed.header.tag);
    let take = |cx: &mut Cx, ann: &mut Open, sealed: &crate::sealed::Sealed| {
        let expected = ann.expected.get(&at(sealed));
        assert_eq!(expected, Some(Expected::Return { who }));
        ann.on_return(cx, &who, at(sealed), &sealed.header, &sealed.body)
    };
    let row = |ann: &Open| ann.contacts[&who].row.clone();
    for state in [0, 2] {
        ann.contacts.get_mut(&who).unwrap().row.state = state;
        assert_eq!(take(&mut cx, &mut ann, &sealed), None);
    }
    let contact = ann.contacts.get_mut(&who).unwrap();
    (contact.row.state, contact.row.met) = (1, START + 1_000);
    assert_eq!(take(&mut cx, &mut ann, &sealed), Some(()));
    assert!(row(&ann).returned.is_none(), "met since");
    let mut changed = sealed.clone();
    changed.body[2_000] ^= 1;
    assert_eq!(take(&mut cx, &mut ann, &changed), None);

    ann.contacts.get_mut(&who).unwrap().row.met = START + 999;
    assert_eq!(take(&mut cx, &mut ann, &sealed), Some(()));
    let taken = row(&ann);
    assert_eq!((taken.next_index, taken.met), (1, START + 1_000));
    assert!(
        taken.returned.is_some_and(|r| r.waits),
        "heard from just now"
    );
    assert!(ann.is_to_be_confirmed(&who));
    // A copy changes nothing; the same sealed anew is answered, and not told again.
    let asked = |ann: &Open| ann.contacts[&who].acceptance.as_ref().unwrap().encode();
    let first = asked(&ann);
    take(&mut cx, &mut ann, &sealed).unwrap();
    assert_eq!(asked(&ann), first);
    take(&mut cx, &mut ann, &again).unwrap();
    assert_ne!(asked(&ann), first);
    assert_eq!(row(&ann).next_index, 1);
    // When the answer has come there, none of them is answered any more.
    ann.end_acceptance(&mut cx, &who);
    take(&mut cx, &mut ann, &sealed).unwrap();
    assert!(ann.contacts[&who].acceptance.is_none());
    assert_eq!(row(&ann).next_index, 1);

    // All of it is in the row.
    let bytes = ann.encode(&RowKey::Contact(who)).unwrap();
    let stored: ContactRow = minicbor::decode(&bytes).unwrap();
    assert!(stored.returned.is_some_and(|r| r.waits && !r.confirmed));
    assert!(stored.recovery.is_some() && stored.recovery_told);
    let bytes = ben.encode(&RowKey::Contact(me)).unwrap();
    let stored: ContactRow = minicbor::decode(&bytes).unwrap();
    assert!(stored.coming_back.is_some());
}

/// Who could not be found again is not left.
#[test]
fn only_who_knows_us_is_left_to_come_back() {
    for (known, told, goes) in [
        (true, true, true),
        (true, false, false),
        (false, true, false),
    ] {
        let (mut cx, mut open, theirs, who) = with_contact(3);
        let contact = open.contacts.get_mut(&who).unwrap();
        contact.row.recovery = known.then(|| theirs.recovery_key().public());
        contact.row.recovery_told = told;
        let device = open.device.public();
        open.come_back(&mut cx).unwrap();
        assert_ne!(open.device.public(), device);
        let contact = &open.contacts[&who];
        assert_eq!(contact.session.is_none(), goes);
        assert_eq!(contact.coming_back.is_some(), goes);
    }
}
