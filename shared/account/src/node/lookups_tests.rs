#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::super::cx::Config;
use super::*;
use crate::record::SLOT_PROFILE;
use shared::crypto::{PublicKey, SigningKey};
use shared::time::Now;
use shared::wire::{Front, Kind, Lifetime, SizeClass};

fn cx() -> Cx {
    Cx::new(Config::new(5), [1; 32], Now::default())
}

fn owner(n: u8) -> PublicKey {
    SigningKey::from_bytes(&[n; 32]).public()
}

fn places(n: u8) -> Vec<Place> {
    record::places(&owner(n), &[7; 32], SLOT_PROFILE, 5_000)
}

fn start(lookups: &mut Lookups, cx: &mut Cx, n: u8) -> u64 {
    let purpose = Purpose::Record {
        of: Whose::Contact(*owner(n).as_bytes()),
        slot: SLOT_PROFILE,
        read: [7; 32],
    };
    assert!(lookups.start(cx, purpose, places(n)));
    lookups.next - 1
}

/// As `ask` does for a relay that has few records: one Find for all.
fn ask(lookups: &mut Lookups, key: NodeKey, request: u32, waiting: &[u64]) {
    let find = Find {
        of: (0, 0),
        at: 0,
        waiting: waiting.iter().copied().collect(),
    };
    lookups.finds.insert((key, ReqId(request)), find);
    for id in waiting {
        let lookup = lookups.lookups.get_mut(id).unwrap();
        *lookup.asked.entry(key).or_default() += 1;
    }
}

fn object(place: &Place, salt: u8) -> (Header, Vec<u8>) {
    let front = Front {
        kind: Kind::Record,
        size: SizeClass::KIB_1,
        lifetime: Lifetime::H4320,
        effort: 0,
        expiry: 5_100,
        address: place.address,
        network: 5,
    };
    let body = alloc::vec![salt; 1_024];
    (front.header(place.tag, &body), body)
}

const A: NodeKey = [1; 32];
const B: NodeKey = [2; 32];

#[test]
fn one_find_answers_all_who_wait() {
    let (mut lookups, mut cx) = (Lookups::default(), cx());
    let ids: Vec<u64> = (1..=50).map(|n| start(&mut lookups, &mut cx, n)).collect();
    ask(&mut lookups, A, 1, &ids);
    for n in 1..=50 {
        let (header, body) = object(&places(n)[usize::from(n % 7)], n);
        lookups.hold(A, ReqId(1), &header, &body);
    }
    // Of nobody's interest, and of a request that is none of these.
    let (header, body) = object(&places(99)[0], 0);
    lookups.hold(A, ReqId(1), &header, &body);
    let (header, body) = object(&places(1)[0], 9);
    lookups.hold(A, ReqId(2), &header, &body);
    lookups.hold(B, ReqId(1), &header, &body);
    assert!(lookups.take_settled(0).is_empty(), "before the end");
    assert!(lookups.on_end(A, ReqId(1), true));
    assert!(!lookups.on_end(A, ReqId(1), true));
    let settled = lookups.take_settled(0);
    assert_eq!(settled.len(), 50);
    for (n, settled) in (1..=50).zip(&settled) {
        let [held] = &settled.records[..] else {
            unreachable!("one record each")
        };
        assert_eq!(held.body[0], n);
        assert_eq!(settled.answered, [A].into());
    }
    assert_eq!(lookups.found_bytes, 0);
    settled
        .iter()
        .for_each(|s| assert!(lookups.finish(s.lookup)));
    assert!(lookups.wanted.is_empty() && lookups.finds.is_empty());
}

#[test]
fn copies_are_kept_once_with_who_gave_them() {
    let (mut lookups, mut cx) = (Lookups::default(), cx());
    let id = start(&mut lookups, &mut cx, 1);
    ask(&mut lookups, A, 1, &[id]);
    ask(&mut lookups, B, 1, &[id]);
    let (header, body) = object(&places(1)[0], 1);
    for key in [A, A, B] {
        lookups.hold(key, ReqId(1), &header, &body);
    }
    let (other, body) = object(&places(1)[1], 2);
    lookups.hold(B, ReqId(1), &other, &body);
    assert_eq!(lookups.found_bytes, 2_048);
    lookups.on_end(A, ReqId(1), true);
    assert!(lookups.take_settled(0).is_empty(), "B is waited for");
    // A refused one has not answered.
    lookups.on_end(B, ReqId(1), false);
    let settled = lookups.take_settled(0).remove(0);
    let by: Vec<_> = settled.records.iter().map(|held| held.by.clone()).collect();
    assert_eq!(by, [[A, B].into(), [B].into()]);
    assert_eq!(settled.answered, [A].into());
}

#[test]
fn a_flood_is_bounded() {
    let (mut lookups, mut cx) = (Lookups::default(), cx());
    let id = start(&mut lookups, &mut cx, 1);
    ask(&mut lookups, A, 1, &[id]);
    let place = places(1)[0];
    for salt in 0..=255 {
        let (header, body) = object(&place, salt);
        lookups.hold(A, ReqId(1), &header, &body);
    }
    assert_eq!(lookups.lookups[&id].found.len(), FOUND_MAX);
    // All together have a bound too, and what is over counts no more.
    lookups.found_bytes = FOUND_BYTES_MAX - 1_000;
    let second = start(&mut lookups, &mut cx, 2);
    let (header, body) = object(&places(2)[0], 1);
    lookups.hold(A, ReqId(1), &header, &body);
    assert!(lookups.lookups[&second].found.is_empty());
    lookups.found_bytes = FOUND_MAX * 1_024;
    lookups.finish(id);
    assert_eq!(lookups.found_bytes, 0);
    // So are lookups.
    while lookups.lookups.len() < LOOKUPS_MAX {
        start(&mut lookups, &mut cx, 3);
    }
    let again = Purpose::Record {
        of: Whose::Own,
        slot: SLOT_PROFILE,
        read: [0; 32],
    };
    assert!(!lookups.start(&mut cx, again, Vec::new()));
}

#[test]
fn a_link_that_breaks_owes_nothing_more() {
    let (mut lookups, mut cx) = (Lookups::default(), cx());
    let id = start(&mut lookups, &mut cx, 1);
    ask(&mut lookups, A, 1, &[id]);
    ask(&mut lookups, B, 7, &[id]);
    let (header, body) = object(&places(1)[0], 1);
    lookups.hold(A, ReqId(1), &header, &body);
    lookups.on_link_down(&A);
    assert!(lookups.take_settled(0).is_empty());
    assert!(!lookups.lookups[&id].asked.contains_key(&A), "asked again");
    lookups.on_link_down(&B);
    let settled = lookups.take_settled(0);
    assert_eq!((settled.len(), settled[0].answered.len()), (1, 0));
    assert!(lookups.finds.is_empty());
}

/// Nothing found, and nobody asked, are two things.
#[test]
fn what_ends_in_vain_says_whether_anybody_answered() {
    let (mut lookups, mut cx) = (Lookups::default(), cx());
    let relays = Relays::new(4);
    let first = start(&mut lookups, &mut cx, 1);
    start(&mut lookups, &mut cx, 2);
    ask(&mut lookups, A, 1, &[first]);
    assert!(lookups.take_failed(LOOKUP_MS_MAX - 1, &relays).is_empty());
    lookups.on_end(A, ReqId(1), true);
    let failed = lookups.take_failed(LOOKUP_MS_MAX, &relays);
    let reached: Vec<bool> = failed.iter().map(|(_, reached)| *reached).collect();
    assert_eq!(reached, [true, false]);
    assert!(lookups.wanted.is_empty() && lookups.lookups.is_empty());
}
