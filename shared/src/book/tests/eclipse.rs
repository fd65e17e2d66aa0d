//! How much of the book liars can hold.
use super::*;
use crate::book::Taken;
use crate::limits::{
    BOOK_BUCKETS_PER_GROUP, BOOK_BUCKETS_PER_SOURCE, BOOK_NEW_BUCKETS, BOOK_TRIED_BUCKETS,
};
use alloc::collections::BTreeSet;

const HONEST: usize = 200;
const LIES: usize = 100_000;

#[derive(Debug)]
struct Measured {
    /// New buckets with a lie in them, and with anything.
    lying_buckets: usize,
    buckets: usize,
    lies: usize,
    honest: usize,
    /// Of 1,000 feelers.
    lying_picks: usize,
}

/// Honest relays are heard from 8 groups; liars tell from `groups` of theirs, before and after.
fn under_attack(groups: u8, lie: impl Fn(&mut Rng) -> SocketAddr) -> Measured {
    let mut rng = Rng::new([groups; 32]);
    let mut book = Book::new(rng.array(), NETWORK);
    let honest: Vec<SocketAddr> = (0..HONEST).map(|_| random_address(&mut rng)).collect();
    let told: BTreeSet<SocketAddr> = honest.iter().copied().collect();
    let tell = |book: &mut Book, rng: &mut Rng, now: Millis| {
        for n in 0..LIES / 2 {
            let from = [66, (n % usize::from(groups)) as u8, 6, 6];
            let source = Source::Peer(Group::of(IpAddr::from(from)));
            // The liar names the honest too, so that they lie where it can drive them out.
            let address = honest.get(n).copied().unwrap_or_else(|| lie(rng));
            let _ = book.hear(now, address, source);
        }
    };
    tell(&mut book, &mut rng, NOW);
    for from in 1..=8 {
        let source = Source::Peer(Group::of(IpAddr::from([from, 1, 1, 1])));
        for address in &told {
            let _ = book.hear(NOW + HOUR, *address, source);
        }
    }
    tell(&mut book, &mut rng, NOW + 2 * HOUR);
    check(&book);
    assert_eq!(book.counts().tried, 0);

    let mut lying_buckets = 0;
    for (_, held) in book.table.buckets() {
        lying_buckets += usize::from(held.iter().any(|at| !told.contains(at)));
    }
    let buckets = book.table.buckets().count();
    let honest = told.iter().filter(|at| book.table.get(at).is_some());
    let honest = honest.count();
    let mut lying_picks = 0;
    for _ in 0..1000 {
        let picked = book.pick(&mut rng, NOW + HOUR, &Taken::default(), true);
        lying_picks += usize::from(!told.contains(&picked.unwrap().address));
    }
    Measured {
        lying_buckets,
        buckets,
        lies: book.table.len() - honest,
        honest,
        lying_picks,
    }
}

/// What `groups` of liars can reach at most.
fn reach(groups: usize) -> (usize, usize) {
    let buckets = groups * BOOK_BUCKETS_PER_SOURCE as usize;
    (buckets, buckets * BOOK_BUCKET_ENTRIES_MAX)
}

#[test]
fn a_liar_of_one_group_holds_a_sixteenth_of_the_new() {
    let m = under_attack(1, random_address);
    let (buckets, entries) = reach(1);
    assert!(m.lying_buckets <= buckets, "{}", m.lying_buckets);
    assert!(m.lies <= entries, "{}", m.lies);
    // An honest entry is lost only if all its buckets are the liar's: 1 in 16 for the first alone.
    assert!(m.honest >= HONEST * 15 / 16, "{}", m.honest);
    // Picked by buckets: 16 of more than 80, though it has most of the entries.
    assert!(m.buckets >= 80, "{}", m.buckets);
    assert!(m.lying_picks <= 1000 * 16 / 80, "{}", m.lying_picks);
    assert!(m.lies > m.honest);
}

#[test]
fn a_liar_who_has_only_addresses_of_its_group_holds_one_bucket() {
    let own = |rng: &mut Rng| {
        let [a, b] = rng.array();
        SocketAddr::new(IpAddr::from([66, 0, a, b]), 1 + rng.below(9) as u16)
    };
    let m = under_attack(1, own);
    assert!(m.lying_buckets <= 1, "{}", m.lying_buckets);
    assert!(m.lies <= BOOK_BUCKET_ENTRIES_MAX, "{}", m.lies);
    assert!(m.honest >= HONEST * 99 / 100, "{}", m.honest);
}

#[test]
fn liars_of_ten_groups_hold_what_ten_groups_reach() {
    let m = under_attack(10, random_address);
    let (buckets, entries) = reach(10);
    // Ten draws of 16 of 256, many of them the same: 256 (1 - (1 - 1/256)^160) = 119 on average.
    assert!(m.lying_buckets <= buckets.min(140), "{}", m.lying_buckets);
    assert!(m.lying_buckets < usize::from(BOOK_NEW_BUCKETS));
    assert!(m.lies <= entries, "{}", m.lies);
    // Each of its up to 4 buckets is the liars' by a chance of 119/256.
    assert!(m.honest >= HONEST * 3 / 4, "{}", m.honest);
    assert!(m.lying_picks <= 1000 * 3 / 4, "{}", m.lying_picks);
}

/// Relays of one group that answer, in the tried table: 2 of 64 buckets.
#[test]
fn relays_of_one_group_hold_two_buckets_of_the_tried() {
    let mut book = book();
    for n in 0..1000u32 {
        let ip = IpAddr::from([66, 6, (n >> 8) as u8, n as u8]);
        let address = SocketAddr::new(ip, 5);
        let told = relay(n, &[address], 0);
        book.proved(NOW + u64::from(n), address, &told.descriptor, &told.raw);
    }
    check(&book);
    let most = BOOK_BUCKETS_PER_GROUP as usize * BOOK_BUCKET_ENTRIES_MAX;
    assert!(book.counts().tried <= most, "{:?}", book.counts());
    assert!(book.counts().refused.full > 0);
}

/// Thousands of relays of as many groups that all answer do not drive out one that does.
#[test]
fn who_answers_keeps_its_place() {
    let (mut book, mut rng) = (book(), Rng::new([12; 32]));
    let honest: Vec<_> = (0..HONEST as u32)
        .map(|n| proved(&mut book, &mut rng, NOW, n))
        .collect();
    assert_eq!(book.counts().tried, HONEST);
    let mut now = NOW;
    let mut attackers: Vec<_> = Vec::new();
    for n in 1000..5000 {
        now += 1000;
        attackers.push(proved(&mut book, &mut rng, now, n));
    }
    let full = usize::from(BOOK_TRIED_BUCKETS) * BOOK_BUCKET_ENTRIES_MAX;
    assert!(book.counts().tried > full * 9 / 10, "{:?}", book.counts());
    assert!(honest.iter().all(|(at, _)| is_tried(&book, at)));
    check(&book);

    // The feelers ask those whose places are wanted, and those are there.
    let mut asked = 0;
    for _ in 0..1000 {
        now += 2 * MINUTE;
        let feeler = book.pick(&mut rng, now, &Taken::default(), true).unwrap();
        book.attempted(now, feeler.address);
        let known = honest.iter().chain(&attackers);
        let mut known = known.filter(|(at, _)| *at == feeler.address);
        let (address, told) = known.next().unwrap();
        asked += usize::from(is_tried(&book, address));
        book.proved(now, *address, &told.descriptor, &told.raw);
    }
    assert!(asked > 100, "{asked}");
    assert!(honest.iter().all(|(at, _)| is_tried(&book, at)));
    check(&book);

    // Whoever failed three times while others answer gives way.
    let (gone, _) = honest[0];
    for _ in 0..2 {
        book.failed(now, gone);
    }
    for (address, told) in &attackers {
        book.proved(now, *address, &told.descriptor, &told.raw);
    }
    assert!(is_tried(&book, &gone));
    book.failed(now, gone);
    for (address, told) in &attackers {
        book.proved(now, *address, &told.descriptor, &told.raw);
    }
    assert!(!is_tried(&book, &gone));
    assert!(honest[1..].iter().all(|(at, _)| is_tried(&book, at)));
    check(&book);
}

/// 100,000 lies beside a full tried table: it is as it was.
#[test]
fn telling_does_not_touch_the_tried() {
    let (mut book, mut rng) = (book(), Rng::new([13; 32]));
    let honest: Vec<_> = (0..100)
        .map(|n| proved(&mut book, &mut rng, NOW, n))
        .collect();
    for n in 0..LIES {
        let source = Source::Peer(Group::of(random_address(&mut rng).ip()));
        let address = match n % 10 {
            0 => honest[n % 100].0,
            _ => random_address(&mut rng),
        };
        let _ = book.hear(NOW + n as u64, address, source);
    }
    // Nor do descriptors of others that name the same addresses.
    for (n, (address, _)) in (500..).zip(&honest) {
        let liar = relay(n, &[*address], 0);
        let _ = book.learn(NOW, &liar.descriptor, &liar.raw, Source::Dht);
    }
    assert_eq!(book.counts().tried, 100);
    assert_eq!(book.counts().refused.claimed, 100);
    for (address, told) in &honest {
        assert!(is_tried(&book, address));
        assert_eq!(book.candidate(*address).unwrap().node_key, Some(told.key()));
    }
    let most = usize::from(BOOK_NEW_BUCKETS) * BOOK_BUCKET_ENTRIES_MAX;
    assert!(book.counts().new <= most);
    check(&book);
}
