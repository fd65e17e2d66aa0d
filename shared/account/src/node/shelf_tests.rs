#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::super::cx::{Config, Cx};
use super::*;
use shared::time::Now;

#[test]
fn rows_are_read_again() {
    let owners = [
        Owner::Record(1),
        Owner::Record(63),
        Owner::TakenBack([3; 16]),
    ];
    let parcels = owners.map(RowKey::Parcel);
    let keys = [
        RowKey::Record(2),
        RowKey::Record(u16::MAX),
        RowKey::TakenBack([1; 16]),
        RowKey::Shown,
        RowKey::ShownBy([2; 32]),
    ];
    let mut seen = alloc::collections::BTreeSet::new();
    for key in keys.into_iter().chain(parcels) {
        let bytes = key.bytes();
        assert_eq!(RowKey::parse(&bytes), Some(key));
        assert!(seen.insert(bytes));
    }
    assert_eq!(RowKey::parse(&[20, 1]), None);
    assert_eq!(RowKey::parse(&[21]), None);
    let row = RecordRow {
        due: Some(7),
        changed: Some(5),
        pending: true,
        hash: [4; 32],
        head: 9,
        ..RecordRow::default()
    };
    let bytes = minicbor::to_vec(&row).unwrap();
    let read: RecordRow = minicbor::decode(&bytes).unwrap();
    assert_eq!(minicbor::to_vec(&read).unwrap(), bytes);
    for cut in 0..bytes.len() {
        assert!(minicbor::decode::<RecordRow>(&bytes[..cut]).is_err());
    }
}

/// Where something lies is known as long as it may lie there, and there are few such places.
#[test]
fn places_are_remembered_while_something_may_be_there() {
    let mut cx = Cx::new(Config::new(5), [1; 32], Now::default());
    let mut shelf = Shelf::default();
    let mut all: Vec<WrittenRow> = Vec::new();
    for hour in (5_000..40_000).step_by(311) {
        let at = WrittenRow {
            period: record::period(hour),
            expiry: hour + 4_320,
        };
        shelf.note(&mut cx, SLOT_PROFILE, at, hour);
        all.push(at);
        let written = &shelf.records[&SLOT_PROFILE].written;
        assert!(written.len() <= 8);
        for past in all.iter().filter(|past| past.expiry > hour) {
            let known = |w: &WrittenRow| w.period == past.period && w.expiry >= past.expiry;
            assert!(written.iter().any(known));
        }
    }
}

#[test]
fn what_is_owed_is_pending_or_taken_back() {
    let mut shelf = Shelf::default();
    shelf.records.insert(2, RecordRow::default());
    let pending = RecordRow {
        pending: true,
        ..RecordRow::default()
    };
    shelf.records.insert(32, pending);
    let at = WrittenRow {
        period: 1,
        expiry: 2,
    };
    let row = TakenBackRow {
        slot: 2,
        at,
        read: [0; 32],
    };
    shelf.taken_back.insert([9; 16], row);
    let owed: Vec<Owner> = shelf.owed().collect();
    assert_eq!(owed, [Owner::Record(32), Owner::TakenBack([9; 16])]);
}
