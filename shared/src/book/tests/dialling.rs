//! Whom to dial, how long to wait, whom to name.
use super::*;
use crate::book::{Candidate, Taken};
use crate::wire::Header;
use alloc::collections::BTreeSet;

fn next(book: &mut Book, rng: &mut Rng, now: Millis, taken: &Taken) -> Option<SocketAddr> {
    Some(book.pick(rng, now, taken, false)?.address)
}

#[test]
fn nobody_who_is_taken_is_picked() {
    let (mut book, mut rng) = (book(), Rng::new([2; 32]));
    let relays: Vec<_> = (0..6)
        .map(|n| proved(&mut book, &mut rng, NOW, n))
        .collect();
    let mut taken = Taken::default();
    let mut picked = BTreeSet::new();
    while let Some(Candidate {
        address, node_key, ..
    }) = book.pick(&mut rng, NOW, &taken, false)
    {
        assert!(picked.insert(address));
        if picked.len() % 2 == 0 {
            taken.dialled(address, node_key);
        } else {
            taken.dialler(node_key.unwrap());
        }
    }
    assert_eq!(picked.len(), relays.len());
}

#[test]
fn no_two_of_a_group_while_there_is_another() {
    let (mut book, mut rng) = (book(), Rng::new([3; 32]));
    for n in 1..=20 {
        let ip = IpAddr::from([8, 8, n, 1]);
        let _ = book.hear(NOW, SocketAddr::new(ip, 5), Source::Dht);
    }
    let other = relay(1, &[at("9.9.9.9:5")], 0);
    book.proved(NOW, at("9.9.9.9:5"), &other.descriptor, &other.raw);
    let mut taken = Taken::default();
    taken.dialled(at("8.8.1.1:5"), None);
    for _ in 0..100 {
        // Though there are twenty, and though a new one may be drawn.
        let picked = next(&mut book, &mut rng, NOW, &taken).unwrap();
        assert_eq!(picked, at("9.9.9.9:5"));
    }
    taken.dialled(at("9.9.9.9:5"), None);
    let picked = next(&mut book, &mut rng, NOW, &taken).unwrap();
    assert_eq!(Group::of(picked.ip()), Group::of(at("8.8.0.0:1").ip()));
    // Who dialled in does not use up a group.
    let mut taken = Taken::default();
    taken.dialler(other.key());
    assert!(next(&mut book, &mut rng, NOW, &taken).is_some());
}

#[test]
fn all_relays_of_one_machine_can_be_dialled() {
    let (mut book, mut rng) = (book(), Rng::new([4; 32]));
    for n in 0..20 {
        let address = SocketAddr::new(at("127.0.0.1:1").ip(), 8420 + n as u16);
        let told = relay(n, &[address], 0);
        let from = peer("127.0.0.1");
        assert_eq!(book.learn(NOW, &told.descriptor, &told.raw, from), Ok(()));
    }
    let mut taken = Taken::default();
    for _ in 0..20 {
        let candidate = book.pick(&mut rng, NOW, &taken, false).unwrap();
        taken.dialled(candidate.address, candidate.node_key);
    }
    assert_eq!(book.pick(&mut rng, NOW, &taken, false), None);
}

#[test]
fn tried_and_new_by_even_chance_and_feelers_only_new() {
    let (mut book, mut rng) = (book(), Rng::new([5; 32]));
    for n in 0..4 {
        proved(&mut book, &mut rng, NOW, n);
    }
    for _ in 0..400 {
        let address = random_address(&mut rng);
        let _ = book.hear(NOW, address, Source::Dht);
    }
    let taken = Taken::default();
    let mut tried = 0;
    for _ in 0..1000 {
        let picked = next(&mut book, &mut rng, NOW, &taken).unwrap();
        tried += u32::from(is_tried(&book, &picked));
        let feeler = book.pick(&mut rng, NOW, &taken, true).unwrap();
        assert!(!is_tried(&book, &feeler.address));
    }
    // Mean 500, standard deviation 16.
    assert!((420..580).contains(&tried), "{tried}");
}

#[test]
fn what_failed_waits_longer_and_longer() {
    let (mut book, mut rng) = (book(), Rng::new([6; 32]));
    let address = at("8.8.8.8:5");
    let told = relay(1, &[address], 0);
    book.proved(NOW, address, &told.descriptor, &told.raw);
    let taken = Taken::default();
    let mut now = NOW;
    for doubling in 0..14 {
        book.attempted(now, address);
        assert_eq!(next(&mut book, &mut rng, now, &taken), None);
        book.failed(now, address);
        let wait = (MINUTE << doubling).min(DAY);
        // Others answer meanwhile: it is not this relay that is cut off.
        for quiet in (0..wait).step_by(9 * MINUTE as usize) {
            book.answered(now + quiet);
        }
        assert_eq!(next(&mut book, &mut rng, now + wait - 1, &taken), None);
        now += wait;
        assert_eq!(next(&mut book, &mut rng, now, &taken), Some(address));
    }
    assert_eq!(book.table.get(&address).unwrap().failures, 14);
}

#[test]
fn a_person_or_a_beacon_ends_the_wait() {
    let (mut book, mut rng) = (book(), Rng::new([7; 32]));
    let address = at("192.168.1.2:5");
    let taken = Taken::default();
    let _ = book.hear(NOW, address, Source::Lan);
    for _ in 0..9 {
        book.failed(NOW, address);
    }
    assert_eq!(next(&mut book, &mut rng, NOW + HOUR, &taken), None);
    let _ = book.hear(NOW + HOUR, address, Source::Lan);
    assert_eq!(next(&mut book, &mut rng, NOW + HOUR, &taken), Some(address));
    book.failed(NOW + HOUR, address);
    assert_eq!(next(&mut book, &mut rng, NOW + HOUR, &taken), None);
    let _ = book.hear(NOW + HOUR, address, Source::Person);
    assert_eq!(next(&mut book, &mut rng, NOW + HOUR, &taken), Some(address));
    // A clock that was set back is no reason to wait.
    book.failed(NOW + HOUR, address);
    assert_eq!(next(&mut book, &mut rng, NOW - DAY, &taken), Some(address));
}

#[test]
fn a_night_without_a_network_costs_nothing() {
    let (mut book, mut rng) = (book(), Rng::new([8; 32]));
    let relays: Vec<_> = (0..20)
        .map(|n| proved(&mut book, &mut rng, NOW, n))
        .collect();
    let taken = Taken::default();
    let mut now = NOW + HOUR;
    for _ in 0..600 {
        now += MINUTE;
        while let Some(candidate) = book.pick(&mut rng, now, &taken, false) {
            book.attempted(now, candidate.address);
            book.failed(now, candidate.address);
        }
    }
    assert_eq!(book.counts().tried, 20);
    // Nobody waits longer than ten minutes, and the first who answers clears the others.
    assert!(
        book.pick(&mut rng, now + 10 * MINUTE, &taken, false)
            .is_some()
    );
    let (address, told) = &relays[0];
    book.proved(now, *address, &told.descriptor, &told.raw);
    for (address, _) in &relays {
        assert_eq!(book.table.get(address).unwrap().failures, 0);
    }
}

#[test]
fn what_never_answers_is_dropped_in_the_end() {
    let (mut book, mut rng) = (book(), Rng::new([9; 32]));
    let (gone, _) = proved(&mut book, &mut rng, NOW, 1);
    let new = at("8.8.8.8:5");
    let _ = book.hear(NOW, new, Source::Dht);
    for n in 1..=40 {
        let now = NOW + n * DAY;
        book.answered(now);
        for address in [gone, new] {
            // A day's worth: the first who answers after a long silence forgives the tried one.
            for _ in 0..10 {
                book.failed(now, address);
            }
        }
        assert_eq!(book.table.get(&gone).is_some(), n < 30, "day {n}");
        assert!(book.table.get(&new).is_none());
    }
}

#[test]
fn only_the_proved_are_named_one_of_a_group_first() {
    let (mut book, mut rng) = (book(), Rng::new([10; 32]));
    for n in 0..10u8 {
        let address = SocketAddr::new(IpAddr::from([8, 8, n, 1]), 5);
        let told = relay(n.into(), &[address], 0);
        book.proved(NOW, address, &told.descriptor, &told.raw);
    }
    let lone = relay(20, &[at("9.9.9.9:5")], 0);
    book.proved(NOW, at("9.9.9.9:5"), &lone.descriptor, &lone.raw);
    let said = relay(21, &[at("7.7.7.7:5")], 0);
    let _ = book.learn(NOW, &said.descriptor, &said.raw, Source::Dht);
    let near = relay(22, &[at("10.1.1.1:5")], 0);
    book.proved(NOW, at("10.1.1.1:5"), &near.descriptor, &near.raw);

    let mut firsts = BTreeSet::new();
    for _ in 0..50 {
        let near = rng.u64() as u32;
        let four = book.sample(&mut rng, NOW, (4, near), false);
        assert_eq!(four.len(), 4);
        assert!(four.contains(&lone.raw));
        firsts.extend(four.iter().map(|raw| raw.to_vec()));
        // The nearest one is among them, every time.
        let place = |raw: &[u8]| {
            let header = Header::parse(raw.first_chunk().unwrap()).unwrap();
            let read = Descriptor::read(&header, &raw[72..]).unwrap();
            read.position(&header.front) ^ near
        };
        let all = book.sample(&mut rng, NOW, (100, near), false);
        let nearest = all.iter().min_by_key(|raw| place(raw)).unwrap();
        assert!(four.contains(nearest));
    }
    assert!(firsts.len() > 8, "{}", firsts.len());
    let all = book.sample(&mut rng, NOW, (100, 0), false);
    assert_eq!(all.len(), 11);
    assert!(!all.contains(&said.raw));
    // What only its own network can dial is for that network.
    let local = book.sample(&mut rng, NOW, (100, 0), true);
    assert_eq!(local.len(), 12);
    assert!(local.contains(&near.raw));
    assert!(book.sample(&mut rng, NOW, (0, 0), true).is_empty());
    // Nor after a week: not proved since, and expired.
    assert!(
        book.sample(&mut rng, NOW + 7 * DAY + 2 * HOUR, (9, 0), true)
            .is_empty()
    );
}
