//! Devices of one account that agree: what happens on one shows on the others.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::cx::{Config, Cx};
use super::greet::new_contact;
use super::model::*;
use super::open::Open;
use super::views;
use crate::api::{Command, Event};
use crate::identity::Seed;
use crate::rows::PlainRow;
use crate::state::{ContactField, Entry, Key, ProfileField, Stamp, values};
use crate::vault::DataKey;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use shared::crypto::{Rng, SigningKey};
use shared::io::Output;
use shared::time::Now;
use zeroize::Zeroizing;

const NOW: Now = Now {
    mono: 1_000_000,
    unix: 20_000 * 86_400_000,
};

pub(super) struct Device {
    pub(super) cx: Cx,
    pub(super) open: Open,
    pub(super) rows: BTreeMap<RowKey, Vec<u8>>,
}

fn data() -> DataKey {
    DataKey::draw(&mut Rng::new([9; 32]))
}

pub(super) fn somebody(n: u8) -> Who {
    *SigningKey::from_bytes(&[n; 32]).public().as_bytes()
}

impl Device {
    pub(super) fn new(n: u8, name: &str, restored: bool) -> Device {
        let mut cx = Cx::new(Config::new(1), [n; 32], NOW);
        let seed = Seed::from_bytes([5; 27]);
        let mut open = Open::create(&mut cx, data(), seed, name.into(), restored);
        open.profile.slot = n;
        open.begin(&mut cx);
        let rows = BTreeMap::new();
        let mut device = Device { cx, open, rows };
        device.turn();
        device
    }

    /// As it is opened again from its rows; those that `keep` names.
    pub(super) fn again(self, keep: impl Fn(&RowKey) -> bool) -> (Device, Vec<RowKey>) {
        let rows = self.rows.clone();
        let kept = rows.iter().filter(|(key, _)| keep(key));
        let state = kept.map(|(key, value)| PlainRow {
            key: key.bytes(),
            value: Zeroizing::new(value.clone()),
        });
        let mut cx = Cx::new(Config::new(1), [77; 32], NOW);
        let mut open = Open::from_rows(&mut cx, data(), state.collect()).unwrap();
        open.begin(&mut cx);
        let mut device = Device { cx, open, rows };
        let changed = device.turn().1;
        (device, changed)
    }

    /// The end of an input: events, and the rows that were written.
    pub(super) fn turn(&mut self) -> (Vec<Event>, Vec<RowKey>) {
        let mut dirty = self.cx.take_dirty();
        self.open.note(&mut self.cx, &dirty);
        dirty.extend(self.cx.take_dirty());
        for key in &dirty {
            match self.open.encode(key) {
                Some(value) => drop(self.rows.insert(*key, value)),
                None => drop(self.rows.remove(key)),
            }
        }
        for (key, value) in self.cx.take_written() {
            match value {
                Some(value) => drop(self.rows.insert(key, value)),
                None => drop(self.rows.remove(&key)),
            }
        }
        self.cx.save(Vec::new());
        let mut events = Vec::new();
        while let Some(output) = self.cx.pop() {
            if let Output::Event(event) = output {
                events.push(event);
            }
        }
        (events, dirty.into_iter().collect())
    }

    pub(super) fn later(&mut self, ms: u64) {
        self.cx.now.mono += ms;
        self.cx.now.unix += ms;
        self.open.on_time(&mut self.cx);
    }

    pub(super) fn befriend(&mut self, who: Who, name: &str) {
        let mut contact = new_contact(who, name.into(), NOW.unix);
        contact.row.state = 1;
        self.open.contacts.insert(who, contact);
        self.cx.touch(RowKey::Contact(who));
        self.turn();
    }

    pub(super) fn command(&mut self, command: Command) -> Vec<Event> {
        let outcome = self.open.command(&mut self.cx, 1, command);
        assert!(outcome.unwrap().is_ok());
        self.turn().0
    }

    /// What is stored of a conversation, in the order in which it came.
    pub(super) fn messages(&self, who: &Who) -> Vec<MessageRow> {
        let first = RowKey::Message(*who, 0);
        let last = RowKey::Message(*who, u64::MAX);
        let rows = self.rows.range(first..=last);
        rows.map(|(_, row)| minicbor::decode(row).unwrap())
            .collect()
    }

    fn entries(&self) -> Vec<Entry> {
        self.open.state.set.iter().cloned().collect()
    }

    fn hear(&mut self, of: &Device) -> Vec<Event> {
        self.open.merge_state(&mut self.cx, of.entries());
        self.turn().0
    }

    fn row(&self, who: &Who) -> &ContactRow {
        &self.open.contacts.get(who).unwrap().row
    }

    fn read_to(&self, who: &Who) -> Option<u64> {
        let value = self
            .open
            .state
            .set
            .get(&Key::Contact(*who, ContactField::ReadTo))?;
        values::read_order(value).ok()
    }
}

/// Until nobody has anything new, which is soon.
fn settle(a: &mut Device, b: &mut Device) {
    for _ in 0..3 {
        a.hear(b);
        b.hear(a);
    }
    assert_eq!(a.entries(), b.entries());
    assert!(a.hear(b).is_empty() && b.hear(a).is_empty());
}

fn ann() -> String {
    views::account(&somebody(1))
}

#[test]
fn contacts_appear_change_and_go_everywhere() {
    let (mut a, mut b) = (Device::new(0, "Me", false), Device::new(1, "Me", false));
    settle(&mut a, &mut b);
    a.befriend(somebody(1), "Ann");
    let events = b.hear(&a);
    assert!(matches!(&events[..], [Event::Contact { contact }] if contact.name == "Ann"));
    assert_eq!(
        (b.row(&somebody(1)).state, b.row(&somebody(1)).added),
        (1, NOW.unix)
    );
    settle(&mut a, &mut b);

    b.command(Command::Acknowledge {
        contact: ann(),
        on: false,
    });
    a.hear(&b);
    assert!(!a.row(&somebody(1)).acknowledge);
    a.command(Command::Acknowledge {
        contact: ann(),
        on: true,
    });
    b.hear(&a);
    assert!(b.row(&somebody(1)).acknowledge);

    // As when a message tells it.
    a.open.contacts.get_mut(&somebody(1)).unwrap().row.name = "Anna".into();
    a.cx.touch(RowKey::Contact(somebody(1)));
    a.turn();
    b.hear(&a);
    assert_eq!(b.row(&somebody(1)).name, "Anna");

    b.command(Command::RemoveContact {
        contact: ann(),
        block: true,
    });
    a.hear(&b);
    assert_eq!(a.row(&somebody(1)).state, 2);
    settle(&mut a, &mut b);
    a.command(Command::Unblock { contact: ann() });
    let events = b.hear(&a);
    assert!(
        events
            .iter()
            .any(|event| matches!(event, Event::ContactRemoved { .. }))
    );
    assert!(b.open.contacts.is_empty());
    settle(&mut a, &mut b);
    let live = a.open.state.set.range(Key::fields_of(somebody(1)));
    assert_eq!(live.count(), 0);
}

#[test]
fn who_was_only_greeted_is_not_in_the_state() {
    let mut a = Device::new(0, "Me", false);
    let before = a.entries();
    let greeted = new_contact(somebody(1), "Ann".into(), NOW.unix);
    a.open.contacts.insert(somebody(1), greeted);
    a.cx.touch(RowKey::Contact(somebody(1)));
    a.turn();
    assert_eq!(a.entries(), before);
}

/// One device does not know better only because it heard of something late.
#[test]
fn nothing_is_written_back() {
    let (mut a, mut b) = (Device::new(0, "Me", false), Device::new(1, "Me", false));
    settle(&mut a, &mut b);
    a.befriend(somebody(1), "Ann");
    let access = values::Access {
        read_secret: [3; 32],
        mailbox: Default::default(),
        recovery: Some([4; 32]),
    };
    let key = Key::Contact(somebody(1), ContactField::Access);
    a.open
        .write_state(&mut a.cx, key.clone(), access.encode().unwrap());
    a.turn();
    b.hear(&a);
    assert!(b.open.contacts[&somebody(1)].keys.is_some());
    // Its rows are written for all kinds of reasons.
    b.later(60_000);
    b.cx.touch(RowKey::Contact(somebody(1)));
    b.cx.touch(RowKey::Profile);
    let (_, rows) = b.turn();
    assert!(!rows.iter().any(|row| matches!(row, RowKey::StateEntry(_))));
    assert_eq!(a.entries(), b.entries());
}

/// A newer version says more, and shows names otherwise: what this one makes of it stays here.
#[test]
fn what_is_not_understood_stands() {
    let mut a = Device::new(0, "Me", false);
    let raw = |field, bytes: &[u8]| Entry {
        key: Key::Contact(somebody(1), field),
        stamp: Stamp {
            time: NOW.unix,
            slot: 1,
        },
        value: crate::state::Value::new(bytes.into()),
    };
    let theirs = [
        raw(
            ContactField::Existence,
            &[0x83, 1, 5, 0x63, b'n', b'e', b'w'],
        ),
        raw(ContactField::Name, b"\x65 Ann "),
    ];
    a.open.merge_state(&mut a.cx, theirs.clone().into());
    a.turn();
    assert_eq!(
        (a.row(&somebody(1)).name.as_str(), a.row(&somebody(1)).added),
        ("Ann", 5)
    );
    let (mut a, _) = a.again(|_| true);
    a.cx.touch(RowKey::Contact(somebody(1)));
    a.turn();
    assert!(theirs.iter().all(|entry| a.entries().contains(entry)));

    // A standing that this version does not know: nothing is done about it.
    let mut unknown = raw(ContactField::Existence, &[0x82, 9, 5]);
    unknown.stamp.time += 1;
    a.open.merge_state(&mut a.cx, [unknown.clone()].into());
    a.turn();
    assert!(a.entries().contains(&unknown));
    assert_eq!(a.row(&somebody(1)).state, 1);
}

#[test]
fn read_markers_are_written_every_ten_seconds_at_most() {
    let (mut a, mut b) = (Device::new(0, "Me", false), Device::new(1, "Me", false));
    a.befriend(somebody(1), "Ann");
    settle(&mut a, &mut b);
    let arrive = |device: &mut Device, order| {
        let row = &mut device.open.contacts.get_mut(&somebody(1)).unwrap().row;
        (row.order, row.unread) = (order, row.unread + 1);
        device.cx.touch(RowKey::Contact(somebody(1)));
        device.turn();
    };
    arrive(&mut a, 4);
    arrive(&mut b, 4);
    assert_eq!(a.read_to(&somebody(1)), None);
    let read = || Command::MarkRead { contact: ann() };
    a.command(read());
    assert_eq!(a.read_to(&somebody(1)), Some(4));
    arrive(&mut a, 5);
    a.command(read());
    arrive(&mut a, 6);
    a.command(read());
    a.later(9_999);
    a.open.note_marks(&mut a.cx);
    assert_eq!(a.read_to(&somebody(1)), Some(4), "too early");
    b.hear(&a);
    assert_eq!(b.row(&somebody(1)).unread, 0);
    arrive(&mut b, 7);
    a.later(1);
    a.open.note_marks(&mut a.cx);
    a.turn();
    assert_eq!(a.read_to(&somebody(1)), Some(6));
    b.hear(&a);
    assert_eq!(b.row(&somebody(1)).unread, 1, "the last was not read");
}

/// Made again from its words: what it draws and is called anew gives way to what was there.
#[test]
fn a_restored_device_takes_what_was_there() {
    let mut old = Device::new(0, "Old name", false);
    old.befriend(somebody(1), "Ann");
    let mut new = Device::new(1, "Typed now", true);
    // A day goes by without a relay, and it does what any account does.
    new.later(86_400_000);
    new.open.profile.mailbox = crate::sealed::Mailbox::new(new.open.profile.place, 3).unwrap();
    new.cx.touch(RowKey::Profile);
    new.turn();
    let before = old.entries();
    assert!(old.hear(&new).is_empty());
    assert_eq!(old.entries(), before);

    let events = new.hear(&old);
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Profile { name, .. } if name == "Old name"))
    );
    let (old_profile, profile) = (&old.open.profile, &new.open.profile);
    assert_eq!(profile.read_secret, old_profile.read_secret);
    assert_eq!(profile.place, old_profile.place);
    assert_eq!(profile.mailbox, old_profile.mailbox);
    assert_eq!(new.row(&somebody(1)).name, "Ann");
    assert_eq!(new.entries(), old.entries());

    new.open.state_looked_for(&mut new.cx);
    new.command(Command::Rename {
        name: "New name".into(),
    });
    old.hear(&new);
    assert_eq!(old.open.profile.name, "New name");
}

#[test]
fn the_state_is_read_again_from_its_rows() {
    let mut a = Device::new(0, "Me", false);
    a.befriend(somebody(1), "Ann");
    a.befriend(somebody(2), "Ben");
    let part = a.open.write_state_part(&mut a.cx, 0).unwrap();
    a.open.state_part_stored(&mut a.cx, 0, part.version);
    a.command(Command::RemoveContact {
        contact: ann(),
        block: false,
    });
    let entries = a.entries();
    let (mut a, changed) = a.again(|_| true);
    assert_eq!(a.entries(), entries);
    let is_state = |row: &&RowKey| matches!(row, RowKey::StateEntry(_) | RowKey::StateParts);
    assert_eq!(changed.iter().find(is_state), None, "nothing new was said");
    assert_eq!(a.open.state_due(&mut a.cx), [0]);
    let mut rows = a.open.state.rows();
    rows.sort_unstable();
    assert!(rows.iter().filter(is_state).count() == entries.len() + 1);

    // An account of before there was a state.
    let (a, _) = a.again(|row| !is_state(&row));
    let live = |entries: &[Entry]| entries.iter().filter(|e| e.value.is_some()).count();
    assert_eq!(live(&a.entries()), live(&entries));
}

/// From one device through a record's text to another one, with what this version does not know.
#[test]
fn parts_carry_the_state() {
    let mut a = Device::new(0, "Me", false);
    a.befriend(somebody(1), "Ann");
    let newer = Entry {
        key: Key::parse(&[9, 9]).unwrap(),
        stamp: Stamp { time: 5, slot: 3 },
        value: crate::state::Value::new(b"?".to_vec()),
    };
    a.open.merge_state(&mut a.cx, [newer.clone()].into());
    assert_eq!(a.open.state_due(&mut a.cx), [0]);
    let written = a.open.write_state_part(&mut a.cx, 0).unwrap();
    a.open.state_part_stored(&mut a.cx, 0, written.version);
    assert!(a.open.state_due(&mut a.cx).is_empty());

    let mut b = Device::new(1, "Typed now", true);
    let found = b.open.on_state_part(&mut b.cx, 0, &written.text).unwrap();
    assert!(!found.lacks && !found.is_older);
    let (events, _) = b.turn();
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::Contact { contact } if contact.name == "Ann"))
    );
    assert!(b.entries().contains(&newer));
    assert_eq!(b.open.profile.name, "Me");
    assert!(
        b.open.state_due(&mut b.cx).is_empty(),
        "it has nothing to add"
    );
    assert!(
        b.open
            .on_state_part(&mut b.cx, 0, &written.text[1..])
            .is_err()
    );

    b.open.state_part_missing(&mut b.cx, 0);
    assert_eq!(b.open.state_due(&mut b.cx), [0]);
    let again = b.open.write_state_part(&mut b.cx, 0).unwrap();
    assert_eq!(again.version, 2);
    b.open.state_part_given_up(&mut b.cx, 0);
    assert_eq!(
        (b.open.state_due(&mut b.cx), b.open.state_parts()),
        ([0].into(), 1)
    );
}

/// Settings are a text that passes to all devices; the last word counts.
#[test]
fn settings_pass() {
    fn shown(events: &[Event]) -> Option<&str> {
        events.iter().rev().find_map(|event| match event {
            Event::Settings { settings } => Some(settings.as_str()),
            _ => None,
        })
    }
    let mut a = Device::new(0, "Me", false);
    let mut b = Device::new(1, "Me", true);
    let set = |settings: &str| Command::SetSettings {
        settings: settings.into(),
    };
    let outcome = a.open.command(&mut a.cx, 1, set("dark")).unwrap();
    assert!(outcome.is_ok());
    assert_eq!(shown(&a.turn().0), Some("dark"));
    let entries = a.entries();
    b.open.merge_state(&mut b.cx, entries.clone());
    assert_eq!(shown(&b.turn().0), Some("dark"));
    b.open.command(&mut b.cx, 1, set("light"));
    b.open.merge_state(&mut b.cx, entries);
    assert_eq!(shown(&b.turn().0), Some("light"));

    let (long, longest) = ("x".repeat(4_001), "x".repeat(4_000));
    let refused = a.open.command(&mut a.cx, 2, set(&long)).unwrap();
    assert_eq!(refused.unwrap_err().code, "settings_too_long");
    assert_eq!(shown(&a.turn().0), None, "and nothing changed");
    assert!(a.open.command(&mut a.cx, 3, set(&longest)).unwrap().is_ok());
}

/// The profile's fields a person does not see are agreed on, too.
#[test]
fn the_profile_is_in_the_state() {
    let a = Device::new(0, "Me", false);
    for field in [
        ProfileField::Name,
        ProfileField::Mailbox,
        ProfileField::ReadSecret,
    ] {
        assert!(a.open.state.set.get(&Key::Profile(field)).is_some());
    }
}
