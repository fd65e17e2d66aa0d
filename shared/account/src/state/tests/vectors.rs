//! Known answers for PROTOCOL.md section 13, made by another implementation:
//! shared/vectors/state.py.

use super::*;
use crate::state::parts::{Parts, part_of};
use crate::state::values::*;
use alloc::string::String;
use data_encoding::HEXLOWER;
use serde_json::Value as Json;

fn vectors(part: &str) -> Json {
    let file = include_str!("../../../../vectors/state.json");
    let all: Json = serde_json::from_str(file).unwrap();
    all[part].clone()
}

fn hex(json: &Json) -> Vec<u8> {
    HEXLOWER.decode(json.as_str().unwrap().as_bytes()).unwrap()
}

fn array<const N: usize>(json: &Json) -> [u8; N] {
    hex(json).try_into().unwrap()
}

fn number(json: &Json) -> u64 {
    json.as_u64().unwrap()
}

fn value(json: &Json) -> Option<Value> {
    (!json.is_null()).then(|| Value::new(hex(json)).unwrap())
}

fn read_entry(json: &Json, key: &[u8]) -> Entry {
    Entry {
        key: Key::parse(key).unwrap(),
        stamp: Stamp {
            time: number(&json["time"]),
            slot: number(&json["slot"]) as u8,
        },
        value: value(&json["value"]),
    }
}

fn entries() -> Vec<(Entry, Vec<u8>)> {
    let json = vectors("entries");
    let list = json.as_array().unwrap().iter();
    list.map(|json| (read_entry(json, &hex(&json["key"])), hex(&json["entry"])))
        .collect()
}

#[test]
fn entries_are_known() {
    for (entry, bytes) in entries() {
        assert_eq!(entry.encode(), bytes);
        assert_eq!(Entry::decode(&bytes), Ok(entry));
    }
}

#[test]
fn the_order_is_known() {
    let json = vectors("order");
    let key = Key::Settings(0).bytes();
    let list: Vec<Entry> = json
        .as_array()
        .unwrap()
        .iter()
        .map(|json| read_entry(json, &key))
        .collect();
    for (at, entry) in list.iter().enumerate() {
        for (other_at, other) in list.iter().enumerate() {
            assert_eq!(entry.beats(other), at > other_at, "{at} {other_at}");
        }
    }
}

#[test]
fn places_are_known() {
    for json in vectors("places").as_array().unwrap() {
        let key = Key::parse(&hex(&json["key"])).unwrap();
        for (doubled, part) in json["parts"].as_array().unwrap().iter().enumerate() {
            assert_eq!(u64::from(part_of(&key, 1 << doubled)), number(part));
        }
    }
}

#[test]
fn texts_are_known() {
    let json = vectors("texts");
    let mut set = Set::new();
    let entries: Vec<Entry> = entries().into_iter().map(|(entry, _)| entry).collect();
    merge_all(&mut set, &entries, at(NOW));
    let first = hex(&json["first"]);
    let mut parts = Parts::new();
    assert_eq!(*parts.write(0, &mut set, at(NOW)).unwrap().text, first);
    parts.stored(0, 1);
    // One that was found under two parts: both are written so.
    let halves: Vec<Vec<u8>> = json["halves"].as_array().unwrap().iter().map(hex).collect();
    parts.found(1, &halves[1], &mut set, at(NOW)).unwrap();
    assert_eq!(parts.count(), 2);
    assert_eq!(parts.due(&set), [0]);
    assert_eq!(*parts.write(0, &mut set, at(NOW)).unwrap().text, halves[0]);
    let mut read = Set::new();
    let mut parts = Parts::new();
    parts.found(0, &halves[0], &mut read, at(NOW)).unwrap();
    parts.found(1, &halves[1], &mut read, at(NOW)).unwrap();
    assert_eq!(all(&read), all(&set));
    assert!(parts.due(&read).is_empty());
}

fn text_of(json: &Json) -> String {
    json.as_str().unwrap().into()
}

#[test]
fn values_are_known() {
    let all = vectors("values");
    let is = |made: Option<Value>, name: &str| assert_eq!(made, value(&all[name]["value"]));

    let json = &all["existence"];
    let existence = Existence {
        standing: Standing::Blocked,
        added: number(&json["added"]),
    };
    is(existence.encode(), "existence");
    let json = &all["access"];
    let bits = number(&json["bits"]) as u8;
    let access = Access {
        read_secret: array(&json["read_secret"]),
        mailbox: Mailbox::new(number(&json["mailbox"]) as u32, bits).unwrap(),
        recovery: Some(array(&json["recovery"])),
    };
    is(access.encode(), "access");
    let json = &all["device"];
    let device = Device {
        key: array(&json["key"]),
        kem_hash: array(&json["kem_hash"]),
        name: text_of(&json["name"]),
        kind: DeviceKind::Linked,
        since: number(&json["since"]),
    };
    is(device.encode(), "device");
    let json = &all["invitation"];
    let invitation = SharedInvitation {
        secret: array(&json["secret"]),
        expiry: number(&json["expiry"]) as u32,
        flags: number(&json["flags"]) as u8,
        kem: array(&json["kem"]),
    };
    is(invitation.encode(), "invitation");
    is(name(&text_of(&all["name"]["text"])), "name");
    is(flag(true), "flag");
    is(order(number(&all["order"]["order"])), "order");
}
