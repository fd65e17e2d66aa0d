#![allow(clippy::unwrap_used, clippy::expect_used)]
mod endurance;

use super::*;
use crate::crypto::{Rng, SigningKey};
use crate::limits::CLIENT_FAULTS_MAX;
use crate::wire::{
    Front, Kind, Lifetime, Receipt, Receipts, Records, Refused, ScanRecord, SizeClass,
};
use alloc::vec;

const NOW: Now = Now {
    mono: 5000,
    unix: 1_700_000_000_000,
};
const NETWORK: u32 = 7;

fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn config() -> LinkConfig {
    LinkConfig {
        node_key: key().public(),
        network: NETWORK,
        binding: [1; 32],
        nonce: [2; 32],
        work_divisor: u64::MAX,
    }
}

fn welcome(time: Millis) -> Welcome {
    Welcome {
        version: 1,
        network: NETWORK,
        node_key: [0; 32],
        time,
        effort_floor: 1,
        live_records: 2,
        range: crate::range::Range::ALL,
        signature: [0; 64],
    }
}

fn open() -> ClientLink {
    let mut link = ClientLink::new(config(), NOW);
    let welcome = welcome(NOW.unix).sign(&key(), &[1; 32], &[2; 32]);
    let reply = link
        .on_frame(NOW, &Frame::Welcome(welcome).encode(0))
        .map(|r| r == Reply::Welcome(welcome));
    assert_eq!(reply, Ok(true));
    link
}

#[test]
fn where_another_relay_is_dialled_counts_only_when_it_was_asked() {
    let address = ([5, 6, 7, 8], 8420).into();
    let answer = |request| Frame::Answer { address }.encode(request);
    let mut link = open();
    let (request, frame) = link.offer(NOW, [4; 32], &[0, 7, 9]).unwrap();
    let (node_key, ports) = ([4; 32], &[[0, 0], [7, 0]][..]);
    assert_eq!(
        Frame::parse(&frame),
        Ok((request.0, Frame::Offer { node_key, ports }))
    );
    let answered = answer(request.0);
    let reply = link.on_frame(NOW, &answered);
    assert_eq!(reply, Ok(Reply::Answered { request, address }));
    // Once.
    assert_eq!(link.on_frame(NOW, &answered), Ok(Reply::Nothing));
    let (find, _) = link.find(NOW, 0, 0).unwrap();
    let false_answer = answer(find.0);
    let fault = link.on_frame(NOW, &false_answer);
    assert_eq!(fault, Err(LinkFault::BadAnswer));
    let mut link = open();
    let (request, _) = link.offer(NOW, [4; 32], &[0]).unwrap();
    let end = Frame::End { count: 0 }.encode(request.0);
    assert_eq!(link.on_frame(NOW, &end), Err(LinkFault::BadAnswer));
}

type Object = (Header, Vec<u8>);

fn object(n: u64, kind: Kind) -> Object {
    let front = Front::from_now(NOW.unix, kind, SizeClass::KIB_1, Lifetime::H48, NETWORK);
    let mut body = vec![0; 1024];
    body[..8].copy_from_slice(&n.to_le_bytes());
    (front.header([n as u8; 16], &body), body)
}

fn sorted(kind: Kind, n: u64) -> Vec<Object> {
    let mut all: Vec<_> = (0..n).map(|n| object(n, kind)).collect();
    all.sort_by_key(|(h, _)| {
        if kind == Kind::Record {
            h.record_key()
        } else {
            h.hash_key()
        }
    });
    all
}

fn send(link: &mut ClientLink, request: u32, bucket: u32, o: &Object) -> Result<bool, LinkFault> {
    let header = &o.0.encode();
    let frame = Frame::Object {
        bucket,
        header,
        body: &o.1,
    }
    .encode(request);
    let reply = link.on_frame(NOW, &frame)?;
    Ok(matches!(reply, Reply::Object { .. } | Reply::Pushed { .. }))
}

#[test]
fn only_the_expected_relay_on_this_link_is_welcome() {
    let good = welcome(5).sign(&key(), &[1; 32], &[2; 32]);
    let other = SigningKey::from_bytes(&[4; 32]);
    let changed = |change: &dyn Fn(&mut Welcome)| {
        let mut w = good;
        change(&mut w);
        w
    };
    let cases = [
        (
            welcome(5).sign(&other, &[1; 32], &[2; 32]),
            LinkFault::WrongKey,
        ),
        (
            welcome(5).sign(&key(), &[9; 32], &[2; 32]),
            LinkFault::BadWelcome,
        ),
        (
            welcome(5).sign(&key(), &[1; 32], &[9; 32]),
            LinkFault::BadWelcome,
        ),
        (changed(&|w| w.time += 1), LinkFault::BadWelcome),
        (changed(&|w| w.effort_floor += 1), LinkFault::BadWelcome),
        (changed(&|w| w.live_records += 1), LinkFault::BadWelcome),
        (
            changed(&|w| w.version = 2),
            LinkFault::WrongVersion { version: 2 },
        ),
        (
            changed(&|w| w.network = 1),
            LinkFault::WrongNetwork { network: 1 },
        ),
    ];
    for (welcome, fault) in cases {
        let mut link = ClientLink::new(config(), NOW);
        assert_eq!(
            link.on_frame(NOW, &Frame::Welcome(welcome).encode(0)),
            Err(fault)
        );
        assert!(!link.is_open() && link.find(NOW, 0, 0).is_none());
    }
    let link = open();
    let later = Now {
        mono: NOW.mono + 500,
        unix: 0,
    };
    assert_eq!(link.relay_time(later), Some(NOW.unix + 500));
}

#[test]
fn receipts_of_one_signature_are_each_checked() {
    let mut link = open();
    let objects: Vec<_> = (1..=3).map(|n| object(n, Kind::Envelope)).collect();
    let mut put = |n: usize| link.put(NOW, &objects[n].0, &objects[n].1).unwrap().0;
    let asked = [put(0), put(1), put(2)];
    let ids = objects.iter().map(|(header, _)| header.id()).collect();
    let receipts = Receipts::sign(&key(), ids, 77).unwrap();
    let node_key = *key().public().as_bytes();
    let mut siblings = Vec::new();
    let mut say = |receipt: usize, request: ReqId| {
        let receipt = receipts.of(receipt, &mut siblings).unwrap();
        let frame = Frame::Stored { receipt, node_key }.encode(request.0);
        link.on_frame(NOW, &frame).map(|_| ())
    };
    assert_eq!(say(0, asked[0]), Ok(()));
    assert_eq!(say(2, asked[2]), Ok(()));
    // The signature held, but for another object.
    assert_eq!(say(0, asked[1]), Err(LinkFault::BadReceipt));
}

#[test]
fn receipts_are_checked() {
    let (header, body) = object(1, Kind::Envelope);
    let stored = |receipt: Receipt<'static>| Frame::Stored {
        receipt,
        node_key: *key().public().as_bytes(),
    };
    let good = Receipt::sign(&key(), header.id(), 77);
    let forged = Receipt::sign(&SigningKey::from_bytes(&[4; 32]), header.id(), 77);
    let other = Receipt::sign(&key(), object(2, Kind::Envelope).0.id(), 77);
    for (receipt, fine) in [(good, true), (forged, false), (other, false)] {
        let mut link = open();
        let (request, _) = link.put(NOW, &header, &body).unwrap();
        let frame = stored(receipt).encode(request.0);
        let expected = if fine {
            let by = *key().public().as_bytes();
            Ok(Reply::Stored {
                request,
                receipt,
                by,
            })
        } else {
            Err(LinkFault::BadReceipt)
        };
        assert_eq!(link.on_frame(NOW, &frame), expected);
    }
    // A receipt where none was asked for.
    let mut link = open();
    assert_eq!(
        link.on_frame(NOW, &stored(good).encode(1)),
        Ok(Reply::Nothing)
    );
    assert_eq!(link.faults(), 1);
}

#[test]
fn bad_objects_are_dropped_and_misplaced_ones_end_the_link() {
    let hour = crate::time::hour(NOW.unix);
    let bad: [&dyn Fn(&mut Object); 6] = [
        &|o| o.0.front.network = 1,
        &|o| o.0.front.expiry = hour - 2,
        &|o| o.0.front.expiry = hour + 53,
        &|o| o.0.body_hash[31] ^= 1,
        &|o| o.1.truncate(1023),
        &|o| o.1[5] ^= 1,
    ];
    let mut link = open();
    let (request, _) = link.get(NOW, 9, 0, 0).unwrap();
    for (n, change) in bad.iter().enumerate() {
        let mut o = object(1, Kind::Envelope);
        change(&mut o);
        assert_eq!(send(&mut link, request.0, 9, &o), Ok(false), "case {n}");
    }
    assert_eq!(link.faults(), 6);
    assert_eq!(
        send(&mut link, request.0, 9, &object(1, Kind::Envelope)),
        Ok(true)
    );
    // Unpaid, where work is asked for.
    let mut strict = open();
    strict.config.work_divisor = 1;
    let (request, _) = strict.get(NOW, 9, 0, 0).unwrap();
    assert_eq!(
        send(&mut strict, request.0, 9, &object(1, Kind::Envelope)),
        Ok(false)
    );

    let o = object(1, Kind::Envelope);
    let key = o.0.hash_key();
    let misplaced: [(u8, u64, u32); 3] = [(0, 0, 8), (64, key + 1, 9), (1, !key, 9)];
    for (bits, prefix, bucket) in misplaced {
        let mut link = open();
        let (request, _) = link.get(NOW, 9, bits, prefix).unwrap();
        assert_eq!(
            send(&mut link, request.0, bucket, &o),
            Err(LinkFault::BadAnswer)
        );
    }
    let mut link = open();
    let (request, _) = link.get(NOW, 9, 0, 0).unwrap();
    let record = object(1, Kind::Record);
    assert_eq!(
        send(&mut link, request.0, 9, &record),
        Err(LinkFault::BadAnswer)
    );
    let mut link = open();
    let (request, _) = link.scan(NOW, 9, 0).unwrap();
    assert_eq!(send(&mut link, request.0, 9, &o), Err(LinkFault::BadAnswer));
}

#[test]
fn answers_come_in_order_and_once() {
    for kind in [Kind::Envelope, Kind::Record] {
        let objects = sorted(kind, 5);
        let ask = |link: &mut ClientLink| match kind {
            Kind::Record => link.find(NOW, 0, 0).unwrap().0.0,
            _ => link.get(NOW, 0, 0, 0).unwrap().0.0,
        };
        let mut link = open();
        let request = ask(&mut link);
        assert!(
            objects
                .iter()
                .all(|o| send(&mut link, request, 0, o) == Ok(true))
        );
        let frame = Frame::End { count: 5 }.encode(request);
        let end = Reply::End {
            request: ReqId(request),
            count: 5,
        };
        assert_eq!(link.on_frame(NOW, &frame), Ok(end));
        // After the end nothing belongs to it.
        assert_eq!(send(&mut link, request, 0, &objects[0]), Ok(false));
        for second in [0, 1] {
            let mut link = open();
            let request = ask(&mut link);
            assert_eq!(send(&mut link, request, 0, &objects[1]), Ok(true));
            assert_eq!(
                send(&mut link, request, 0, &objects[second]),
                Err(LinkFault::BadAnswer)
            );
        }
    }
}

#[test]
fn pages_must_be_what_was_asked_for_and_full() {
    let records = [[1; 24]; 2];
    let page = |bucket, total, first| Frame::ScanPage {
        bucket,
        closed: false,
        total,
        bytes: 0,
        first,
        records: Records::new(&records),
    };
    for (frame, fine) in [
        (page(4, 12, 10), true),
        (page(4, 13, 10), false),
        (page(4, 11, 10), false),
        (page(5, 12, 10), false),
        (page(4, 2, 0), false),
    ] {
        let mut link = open();
        let (request, _) = link.scan(NOW, 4, 10).unwrap();
        let bytes = frame.encode(request.0);
        let reply = link.on_frame(NOW, &bytes);
        assert_eq!(matches!(reply, Ok(Reply::ScanPage { .. })), fine);
        assert!(fine || reply == Err(LinkFault::BadAnswer));
    }
}

#[test]
fn pushes_only_to_a_watch_and_never_far_backwards() {
    let record = ScanRecord {
        tag: [1; 16],
        hash: [2; 8],
    };
    let news = |bucket| Frame::News { bucket, record };
    let mut link = open();
    assert_eq!(link.on_frame(NOW, &news(1).encode(1)), Ok(Reply::Nothing));
    let (request, _) = link.watch(NOW, false).unwrap();
    let lagged = Frame::Lagged { bucket: 7 }.encode(request.0);
    assert_eq!(link.on_frame(NOW, &lagged), Ok(Reply::Lagged { bucket: 7 }));
    let reply = Reply::News { bucket: 8, record };
    assert_eq!(link.on_frame(NOW, &news(8).encode(request.0)), Ok(reply));
    let reply = Reply::News { bucket: 7, record };
    assert_eq!(link.on_frame(NOW, &news(7).encode(request.0)), Ok(reply));
    assert_eq!(
        send(&mut link, request.0, 8, &object(1, Kind::Envelope)),
        Err(LinkFault::BadAnswer)
    );
    assert_eq!(
        link.on_frame(NOW, &news(6).encode(request.0)),
        Err(LinkFault::BadAnswer)
    );
    assert!(link.watch(NOW, true).is_none());
    // It takes no room, and is not waited for.
    assert_eq!(link.room(), 16);
    assert_eq!(link.next_time(), NOW.mono + PING_AFTER_MS);
}
