#![allow(clippy::unwrap_used, clippy::expect_used)]

mod dialling;
mod eclipse;
mod moving;
mod store;
mod telling;

use super::table::Bucket;
use super::{Book, Group, Source};
use crate::crypto::{Rng, SigningKey};
use crate::limits::{BOOK_BUCKET_ENTRIES_MAX, BOOK_SOURCES_MAX};
use crate::time::Millis;
use crate::wire::Descriptor;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::{IpAddr, Ipv4Addr, SocketAddr};

const NETWORK: u32 = 7;
const NOW: Millis = 1_795_392_000_000;
const MINUTE: Millis = 60_000;
const HOUR: Millis = 60 * MINUTE;
const DAY: Millis = 24 * HOUR;

/// A relay as others tell of it.
#[derive(Clone)]
struct Told {
    descriptor: Descriptor,
    raw: Vec<u8>,
}

impl Told {
    fn key(&self) -> [u8; 32] {
        self.descriptor.node_key
    }
}

fn book() -> Book {
    Book::new([1; 32], NETWORK)
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn peer(text: &str) -> Source {
    Source::Peer(Group::of(text.parse().unwrap()))
}

/// The relay number `n`, which found itself at these addresses `age` seconds before [`NOW`].
fn relay(n: u32, addresses: &[SocketAddr], age: u64) -> Told {
    let mut secret = [9; 32];
    secret[..4].copy_from_slice(&n.to_le_bytes());
    let key = SigningKey::from_bytes(&secret);
    let version = NOW / 1000 - age;
    let made = Descriptor {
        node_key: *key.public().as_bytes(),
        certificate: [n as u8; 32],
        version,
        bits: 0,
        effort_floor: 0,
        browsers: true,
        addresses: addresses.into(),
    };
    let (header, body) = made.sign(&key, version * 1000, NETWORK);
    let mut raw = header.encode().to_vec();
    raw.extend_from_slice(&body);
    let descriptor = Descriptor::read(&header, &body).unwrap();
    Told { descriptor, raw }
}

fn random_address(rng: &mut Rng) -> SocketAddr {
    loop {
        let ip = IpAddr::from(Ipv4Addr::from(rng.u64() as u32));
        if super::reach(ip) == Some(super::Reach::Public) {
            return SocketAddr::new(ip, 1 + rng.below(65_535) as u16);
        }
    }
}

/// The relay number `n` at a random public address, proved.
fn proved(book: &mut Book, rng: &mut Rng, now: Millis, n: u32) -> (SocketAddr, Told) {
    let address = random_address(rng);
    let told = relay(n, &[address], 0);
    book.proved(now, address, &told.descriptor, &told.raw);
    (address, told)
}

fn is_tried(book: &Book, address: &SocketAddr) -> bool {
    book.table.get(address).is_some_and(|entry| entry.tried)
}

/// Everything that must hold at all times.
fn check(book: &Book) {
    let mut places: BTreeMap<SocketAddr, (usize, usize)> = BTreeMap::new();
    for (bucket, held) in book.table.buckets() {
        assert!((1..=BOOK_BUCKET_ENTRIES_MAX).contains(&held.len()));
        let limit = match bucket {
            Bucket::New(n) => (*n, crate::limits::BOOK_NEW_BUCKETS),
            Bucket::Tried(n) => (*n, crate::limits::BOOK_TRIED_BUCKETS),
        };
        assert!(limit.0 < limit.1);
        for address in held {
            let place = places.entry(*address).or_default();
            match bucket {
                Bucket::New(_) => place.0 += 1,
                Bucket::Tried(_) => place.1 += 1,
            }
        }
    }
    let mut tried = 0;
    assert_eq!(places.len(), book.table.len());
    for (address, entry) in book.table.entries() {
        assert!((1..=BOOK_SOURCES_MAX).contains(&entry.sources.len()));
        let expected = if entry.tried {
            (0, 1)
        } else {
            (entry.sources.len(), 0)
        };
        assert_eq!(places[address], expected, "{address}");
        assert!(entry.known.is_some() || entry.named && !entry.tried);
        if let Some(key) = entry.node_key() {
            assert_eq!(book.table.of_key(key), Some(*address));
            assert_ne!(Some(*key), book.own_key);
        }
        assert!(!book.own.contains(address));
        tried += usize::from(entry.tried);
    }
    let counts = book.counts();
    assert_eq!(counts.tried, tried);
    assert_eq!(counts.new + counts.tried, book.table.len());
}
