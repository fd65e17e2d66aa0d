//! What devices of one account tell each other, in whatever order and however often it comes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::authority::{Authority, LinkedRow};
use super::model::*;
use super::state_tests::{Device, somebody};
use super::views;
use crate::api::Command;
use crate::identity::Certificate;
use crate::letter::{self, Answered, Copy, Issued, Item, Progress};
use crate::state::{Key, Value, values};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use alloc::{format, vec};
use shared::crypto::Rng;
use shared::time::hour;

/// Two devices with one pair and the same epoch keys.
fn two() -> (Device, Device) {
    let (mut a, mut b) = (Device::new(0, "Me", false), Device::new(1, "Me", false));
    b.open.epoch_keys = crate::epoch_keys::EpochKeys::decode(&a.open.epoch_keys.encode()).unwrap();
    let pair = a.open.self_pair(&mut a.cx);
    assert_eq!(a.open.self_pair(&mut a.cx), pair, "drawn once");
    b.open.begin_own(&mut b.cx, &pair);
    a.turn();
    b.turn();
    (a, b)
}

/// The values of payload key 17 that wait to be sent, in the order they were written.
fn letters(of: &Device) -> Vec<Vec<u8>> {
    let rows = of.open.own.letters.rows.values();
    let mut rows: Vec<_> = rows
        .map(|l| (l.number, letter::join(l.count as usize, &l.items)))
        .collect();
    rows.sort();
    rows.into_iter().map(|(_, bytes)| bytes).collect()
}

fn hear(device: &mut Device, slot: u8, letter: &[u8]) {
    device.open.take_items(&mut device.cx, slot, letter);
    device.turn();
}

/// What is stored of a conversation.
fn conversation(of: &Device, who: &Who) -> BTreeMap<Id16, (String, bool, u64)> {
    let seen = of.messages(who).into_iter();
    seen.map(|m| (m.id, (m.text, m.mine, m.order))).collect()
}

fn say(device: &mut Device, who: &Who, text: &str) {
    let contact = views::account(who);
    let text = text.into();
    let sent = device
        .open
        .command(&mut device.cx, 1, Command::Send { contact, text });
    assert!(sent.is_none(), "answered by itself");
    device.turn();
}

#[test]
fn letters_in_any_order_and_twice_lead_to_the_same() {
    for seed in 0..6 {
        let mut rng = Rng::new([seed; 32]);
        let (mut a, mut b) = two();
        let who = somebody(1);
        a.befriend(who, "Ann");
        for n in 0..30 {
            say(
                &mut a,
                &who,
                &format!("{n} {}", "x".repeat(rng.below(400) as usize)),
            );
        }
        let some: Vec<Id16> = a.open.outgoing.keys().map(|(_, id)| *id).take(5).collect();
        for id in &some {
            let (contact, message) = (views::account(&who), views::hex(id));
            a.command(Command::Cancel { contact, message });
        }
        let mut told = letters(&a);
        assert!(told.len() > 3);
        told.extend(letters(&a));
        for i in (1..told.len()).rev() {
            told.swap(i, rng.below(i as u64 + 1) as usize);
        }
        for letter in &told {
            hear(&mut b, 0, letter);
        }
        assert_eq!(conversation(&a, &who), conversation(&b, &who));
        assert_eq!(b.open.outgoing.len(), 30);
        assert!(b.open.own.row.waiting.is_empty() && b.open.own.row.pieces.is_empty());
        // Nothing is told back, and nothing is this one's to send.
        let back = letters(&b).concat().windows(4).any(|w| w == b"xxxx");
        assert!(!back);
        assert!(b.open.parcels.is_empty());
        let unread = b.open.contacts[&who].row.unread;
        assert_eq!(unread, 0);
    }
}

#[test]
fn what_is_said_of_a_message_is_shown_everywhere() {
    let (mut a, mut b) = two();
    let who = somebody(1);
    a.befriend(who, "Ann");
    say(&mut a, &who, "hello");
    for letter in letters(&a) {
        hear(&mut b, 0, &letter);
    }
    let (&(_, id), shown) = b.open.outgoing.first_key_value().unwrap();
    assert!(shown.delivery == DeliveryRow::Elsewhere(Some(0)));
    let retry = Command::Retry {
        contact: views::account(&who),
        message: views::hex(&id),
    };
    assert!(b.open.command(&mut b.cx, 2, retry).unwrap().is_err());
    // The contact says that it has it, to either.
    b.open.on_acknowledged(&mut b.cx, &who, &[id]);
    b.turn();
    assert!(b.open.outgoing.is_empty());
    assert!(matches!(
        b.messages(&who)[0].delivery,
        DeliveryRow::Delivered(_)
    ));
    a.open.on_acknowledged(&mut a.cx, &who, &[id]);
    a.turn();
    for letter in letters(&a) {
        hear(&mut b, 0, &letter);
    }
    assert_eq!(b.messages(&who).len(), 1);
}

#[test]
fn long_entries_come_in_pieces() {
    let (mut a, mut b) = two();
    let key = Key::Settings(0);
    let value = Value::new((0..4_096_u32).map(|n| n as u8).collect()).unwrap();
    a.open.write_state(&mut a.cx, key.clone(), value.clone());
    a.turn();
    let mut told = letters(&a);
    told.reverse();
    for letter in &told {
        hear(&mut b, 0, letter);
    }
    assert_eq!(b.open.state.set.get(&key), Some(&value));
    assert!(b.open.own.row.pieces.is_empty());
    // The pieces of one device are not those of another.
    let (_, mut c) = two();
    for (slot, letter) in told.iter().enumerate() {
        hear(&mut c, slot as u8, letter);
    }
    assert_eq!(c.open.state.set.get(&key), None);
}

/// Whatever another device says, what is kept of it stays small, and is dropped in time.
#[test]
fn hostile_letters_do_no_harm() {
    let mut rng = Rng::new([3; 32]);
    let (mut a, mut b) = two();
    let who = somebody(1);
    a.befriend(who, "Ann");
    for n in 0..10 {
        say(&mut a, &who, &format!("{n}"));
    }
    let good = letters(&a).concat();
    for _ in 0..300 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(6) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.u64() as u8;
        }
        hear(&mut b, 0, &bytes);
    }
    for n in 0..200_u32 {
        let mut copy = copy(somebody(9), n);
        copy.text = "y".repeat(1_900);
        let copy = Item::Copy(copy).encode();
        hear(&mut b, 0, &letter::join(1, &copy));
        let id = [n as u8; 16];
        let bytes = vec![0; 2_200];
        let (at, of) = (0, 2);
        let piece = Item::Piece(letter::Piece { id, at, of, bytes }).encode();
        hear(&mut b, 0, &letter::join(1, &piece));
    }
    let row = &b.open.own.row;
    let waiting: usize = row.waiting.iter().map(|w| w.bytes.len()).sum();
    let pieces: usize = row.pieces.iter().map(|p| p.bytes.len()).sum();
    assert!(waiting <= 32 << 10 && pieces <= 64 << 10);
    assert!(b.rows[&RowKey::Own].len() < 200_000);
    b.later(8 * 86_400_000);
    hear(&mut b, 0, &letter::join(0, &[]));
    assert!(b.open.own.row.waiting.is_empty());
}

fn copy(who: Who, n: u32) -> Copy {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&n.to_le_bytes());
    Copy {
        who,
        id,
        mine: false,
        text: format!("{n}"),
        at: 5,
        order: n.into(),
        time: 6,
        delivery: Progress::Delivered,
    }
}

/// A message of somebody who is a contact a moment later, and one of somebody who is blocked.
#[test]
fn what_is_about_strangers_waits() {
    let (mut a, mut b) = two();
    let (ann, ben) = (somebody(1), somebody(2));
    hear(
        &mut b,
        0,
        &letter::join(1, &Item::Copy(copy(ann, 7)).encode()),
    );
    assert_eq!(b.open.own.row.waiting.len(), 1);
    a.befriend(ann, "Ann");
    a.befriend(ben, "Ben");
    let contact = views::account(&ben);
    a.command(Command::RemoveContact {
        contact,
        block: true,
    });
    for letter in letters(&a) {
        hear(&mut b, 0, &letter);
    }
    hear(
        &mut b,
        0,
        &letter::join(1, &Item::Copy(copy(ben, 8)).encode()),
    );
    assert!(b.open.own.row.waiting.is_empty());
    assert_eq!(b.messages(&ann).len(), 1);
    assert_eq!(b.open.contacts[&ann].row.unread, 1);
    assert!(b.messages(&ben).is_empty());
    // Whoever says so, nobody is a contact of themselves.
    let me = *a.open.me.as_bytes();
    let existence = crate::state::values::Existence {
        standing: crate::state::values::Standing::Active,
        added: 1,
    };
    let entry = crate::state::Entry {
        key: Key::Contact(me, crate::state::ContactField::Existence),
        stamp: crate::state::Stamp { time: 9, slot: 0 },
        value: existence.encode(),
    };
    hear(&mut b, 0, &letter::join(1, &Item::Entry(entry).encode()));
    assert!(!b.open.contacts.contains_key(&me));
    // Another read secret is drawn by one, and taken and told by the other.
    a.open.change_read(&mut a.cx);
    a.turn();
    for letter in letters(&a) {
        hear(&mut b, 0, &letter);
    }
    assert!(b.open.contacts[&ann].row.told.is_read_untold);
    assert_eq!(a.open.profile.read_secret, b.open.profile.read_secret);
}

#[test]
fn certificates_are_taken_from_the_account_alone() {
    let (a, mut b) = two();
    let now = hour(b.open.clock.assumed());
    let (device, identity) = (b.open.device.public(), a.open.authority.full().unwrap());
    let account = identity.account_key();
    b.open.profile.seed = None;
    b.open.profile.linked = Some(LinkedRow {
        account: *a.open.me.as_bytes(),
        recovery: a.open.authority.recovery(),
        leaves: Vec::new(),
    });
    b.open.authority = Authority::of(&b.open.profile).unwrap();
    let tell = |b: &mut Device, slot, certificate| {
        let issued = Issued {
            slot,
            certificate,
            delegations: Vec::new(),
        };
        let item = Item::Certificate(Box::new(issued));
        hear(b, 0, &letter::join(1, &item.encode()));
    };
    let issue = |slot, device, from| Certificate::issue(account, slot, device, from).to_bytes();
    let stranger = shared::crypto::SigningKey::from_bytes(&[9; 32]);
    for (slot, wrong) in [
        (1, issue(1, a.open.device.public(), now)),
        (1, issue(2, device, now)),
        (2, issue(1, device, now)),
        (1, Certificate::issue(&stranger, 1, device, now).to_bytes()),
        (1, issue(1, device, now - 400)),
    ] {
        tell(&mut b, slot, wrong);
        assert!(b.open.profile.certificate.is_empty());
    }
    tell(&mut b, 1, issue(1, device, now));
    assert_eq!(b.open.profile.certificate, issue(1, device, now));
    tell(&mut b, 1, issue(1, device, now - 5));
    assert_eq!(b.open.profile.certificate, issue(1, device, now));
}

/// Any device may write the list of devices; only what the account has certified is certified anew.
#[test]
fn who_is_in_the_list_alone_gets_no_certificate() {
    let (mut a, b) = two();
    a.turn();
    let entry = |key: &shared::crypto::PublicKey, slot| {
        let device = values::Device {
            key: *key.as_bytes(),
            kem_hash: [3; 32],
            name: "Laptop".into(),
            kind: values::DeviceKind::Linked,
            since: 1,
        };
        (Key::Device(slot), device.encode().unwrap())
    };
    let renewed = |a: &mut Device| {
        let before = letters(a).len();
        a.open.renew_linked(&mut a.cx);
        a.turn();
        letters(a).len() - before
    };
    let stranger = shared::crypto::SigningKey::from_bytes(&[9; 32]).public();
    let (key, value) = entry(&stranger, 5);
    a.open.write_state(&mut a.cx, key, value);
    a.turn();
    assert_eq!(renewed(&mut a), 0);
    assert!(a.open.profile.given.is_empty());

    // One that was given its slot is, once a day.
    let key = b.open.device.public();
    let newcomer = crate::linking::Newcomer {
        device: key,
        kem_hash: [3; 32],
        name: "Laptop".into(),
        kind: values::DeviceKind::Linked,
        number: 1,
    };
    let kind = values::DeviceKind::Linked;
    assert!(a.open.certify(&mut a.cx, &newcomer, kind, 3).is_some());
    a.turn();
    assert_eq!(renewed(&mut a), 0);
    a.open.profile.given[0].until -= 24;
    renewed(&mut a);
    let hour = hour(a.open.clock.assumed());
    assert_eq!(a.open.profile.given[0].until, hour + 192);
}

#[test]
fn a_greeting_answered_elsewhere_leaves_the_list() {
    let (_, mut b) = two();
    let row = |id| GreetingRow {
        id,
        who: somebody(4),
        name: "Dan".into(),
        text: "may I?".into(),
        at: 1,
        opened: vec![1],
        invite: [0; 16],
        done: false,
        until: u64::MAX,
        accepted: false,
    };
    let (first, late) = ([1; 16], [2; 16]);
    b.open.greetings.insert(first, row(first));
    for greeting in [first, late] {
        let item = Item::Answered(Answered { greeting, how: 2 });
        hear(&mut b, 0, &letter::join(1, &item.encode()));
    }
    assert!(b.open.greetings[&first].done && !b.open.greetings[&first].accepted);
    // One that comes after it was answered is gone with the next letter.
    b.open.greetings.insert(late, row(late));
    hear(&mut b, 0, &letter::join(0, &[]));
    assert!(b.open.greetings[&late].done);
}

/// One of them draws; and what is sealed is sealed to what the others have.
#[test]
fn one_draws_and_the_others_know() {
    let (mut a, mut b) = two();
    a.open.own.note_heard(1, a.open.clock.assumed());
    b.open.own.note_heard(0, b.open.clock.assumed());
    assert!(a.open.draws_keys() && !b.open.draws_keys());
    let key = |of: &Device| {
        let keys = of.open.keys_of_devices().unwrap();
        let now = of.open.clock.assumed_epoch();
        keys.pick(now, 0).map(|(_, key)| key.clone()).unwrap()
    };
    let before = key(&a);
    assert_eq!(before, key(&b));
    // A new generation is used when it is known that it came.
    a.open.draw_generation(&mut a.cx, 0);
    a.turn();
    assert_eq!(key(&a), before);
    for letter in letters(&a) {
        hear(&mut b, 0, &letter);
    }
    assert_eq!(a.open.epoch_keys.names(), b.open.epoch_keys.names());
    let ids: Vec<Id16> = a.open.own.letters.rows.keys().copied().collect();
    a.open.letters_had(&mut a.cx, 1, &ids);
    a.turn();
    assert_ne!(key(&a), before);
    assert_eq!(key(&a), key(&b));
    assert!(a.open.own.letters.rows.is_empty(), "all have them");
    // Silent for three days: the next one draws.
    b.later(73 * 3_600_000);
    assert!(b.open.draws_keys());
}
