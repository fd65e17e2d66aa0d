//! Another device of the account goes on with what it was told of a session.

use super::*;
use crate::cbor::{from_slice, to_vec};

/// Ann's second device, in slot 1, with what her first one tells it.
fn second(ann: &Party) -> Party {
    let mut second = ann.restored(60);
    let told: SharedSession = from_slice(&to_vec(&ann.session.share())).unwrap();
    let (me, peer) = (ann.account(), *ann.session.peer());
    second.session = Session::shared(me, peer, told).unwrap();
    second.table.clear();
    second.device = SigningKey::draw(&mut second.rng);
    second.certificate[0] = 1;
    second.owed.clear();
    second.at(ann.now);
    second
}

/// For as long as the pairs that were told are the newest: the devices tell each other of others.
/// Nobody tells Ben of the second one.
#[test]
fn a_second_device_reads_and_writes() {
    let (mut ann, mut ben) = two(START);
    ben.read(&ann.send("before").sealed);
    ann.read(&ben.send("on a chain that Ann alone has").sealed);
    let mut other = second(&ann);
    assert_eq!(other.session.mailbox(), ann.session.mailbox());

    let on_the_chain = ben.send("on it, too").sealed;
    assert!(other.receive(&on_the_chain).is_none(), "no chain was told");
    assert_eq!(ann.read(&on_the_chain), "on it, too");
    for day in 1..6 {
        for party in [&mut ann, &mut other, &mut ben] {
            party.at(START + day * DAY);
        }
        ann.learn(&mut ben);
        other.learn(&mut ben);
        ben.learn(&mut ann);
        // Epoch keys are the account's: both devices have the same.
        other.own = EpochKeys::decode(&ann.own.encode()).unwrap();
        let sent = ben.send("to both").sealed;
        assert_eq!(other.read(&sent), "to both");
        assert_eq!(ann.read(&sent), "to both");
        assert_eq!(
            ben.read(&other.send("from the second").sealed),
            "from the second"
        );
        assert_eq!(
            ben.read(&ann.send("from the first").sealed),
            "from the first"
        );
    }
}

/// Ann's devices write while Ben is away, the second one for the first time and from a few starts:
/// everything is found, Ben is told once, and both read the answer.
#[test]
fn a_device_nobody_announced_is_heard() {
    for away in 0..3 {
        let (mut ann, mut ben) = two(START);
        ben.read(&ann.send("from the first").sealed);
        let mut other = second(&ann);
        let mut sent = Vec::new();
        for n in 0..5 {
            sent.push(other.send(&format!("from start {n}")).sealed);
            sent.push(other.send("and on its chain").sealed);
            other = other.restored(n);
        }
        ben.at(START + away * DAY);
        let mut changed = 0;
        for (n, sealed) in sent.iter().enumerate() {
            let opened = ben.receive(sealed).expect("expected").expect("opens");
            assert_eq!((opened.slot, opened.is_opener), (1, n % 2 == 0));
            changed += u32::from(opened.device_changed);
        }
        assert_eq!(changed, 1);
        assert!(ben.session.knows(1, &other.device.public()));
        assert!(ben.session.knows(0, &ann.device.public()));
        if away == 0 {
            let answer = ben.send("to both").sealed;
            assert_eq!(
                (ann.read(&answer), other.read(&answer)),
                ("to both".into(), "to both".into())
            );
        }
    }
}

/// What is expected of slots that nobody is known in is little, and gone when it can't come.
#[test]
fn unknown_slots_cost_little() {
    let (ann, _) = two(START);
    let openers = |party: &Party, device: u8| {
        let of = |slot: &Slot| matches!(slot, Slot::Opener { device: d, .. } if *d == device);
        party.table.values().filter(|slot| of(slot)).count()
    };
    let pairs = ann.session.kept.pairs.len();
    // From the pair's first epoch on: the day before, today, tomorrow.
    assert_eq!(openers(&ann, 3), pairs * 3 * 3);
    let mut later = ann.restored(1);
    later.at(START + 10 * DAY);
    assert_eq!(openers(&later, 3), pairs * 4 * 3);
    assert_eq!(openers(&later, 8), 0);
}

/// A certificate by another account opens nothing, whatever else is right.
#[test]
fn an_unknown_device_has_to_be_certified() {
    let (ann, mut ben) = two(START);
    let mut other = second(&ann);
    let stranger = SigningKey::from_bytes(&[9; 32]);
    let device = other.device.public();
    other.certificate = Certificate::issue(&stranger, 1, device, hour(START)).to_bytes();
    let forged = other.send("forged").sealed;
    let refused = ben.receive(&forged).unwrap().unwrap_err();
    assert_eq!(refused, OpenError::BadCertificate);
    assert!(!ben.session.knows(1, &device));
    // The account's own word for another slot is no word for this one: it lies elsewhere.
    other = other.restored(3);
    other.certificate = Certificate::issue(&ann.account, 4, device, hour(START)).to_bytes();
    let sealed = other.send("from slot 4").sealed;
    assert_eq!(ben.receive(&sealed).unwrap().unwrap().slot, 4);
}

/// Ben's openers were many on this day: those that come next are expected.
#[test]
fn counters_of_theirs_are_told_and_ours_are_not() {
    let (mut ann, mut ben) = two(START);
    ben.read(&ann.send("known").sealed);
    for n in 0..30 {
        ben = ben.restored(n);
        ann.read(&ben.send("an opener").sealed);
    }
    let mut other = second(&ann);
    ben = ben.restored(90);
    let sent = ben.send("the next one");
    assert!(sent.is_opener);
    assert_eq!(other.read(&sent.sealed), "the next one");
    let pairs = |party: &Party| party.session.kept.pairs.len();
    assert_eq!(pairs(&other), pairs(&ann));
    let now = epoch(START);
    let mut counts = other.session.kept.pairs.iter_mut().map(|p| p.count(now));
    assert!(counts.all(|next| next == 0));
}

#[test]
fn what_is_out_of_bounds_is_refused() {
    let (mut ann, mut ben) = two(START);
    ann.read(&ben.send("known").sealed);
    let bytes = to_vec(&ann.session.share());
    let (me, peer) = (ann.account(), ben.account());
    let read = |bytes: &[u8]| {
        let told = from_slice::<SharedSession>(bytes)?;
        Session::shared(me, peer, told).map(|_| ())
    };
    assert!(read(&bytes).is_ok());
    for len in 0..bytes.len() {
        assert!(read(&bytes[..len]).is_err(), "{len}");
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            // Whatever it says then, it is within its bounds.
            let _ = read(&changed);
        }
    }
    // One pair twice.
    let twice = ann.session.kept.pairs[0].clone();
    ann.session.kept.pairs.push(twice);
    assert!(read(&to_vec(&ann.session.share())).is_err());
}

/// What each of two devices knows of a session, told to the other in any order and twice, leaves
/// both with the same pairs, and both read what comes on any.
#[test]
fn devices_unite_what_they_know() {
    let (mut ann, mut ben) = two(START);
    ben.read(&ann.send("known").sealed);
    ann.read(&ben.send("known, too").sealed);
    let mut other = second(&ann);
    // A week later one of them proposes a pair, and Ben takes it.
    for party in [&mut ann, &mut other, &mut ben] {
        party.at(START + 8 * DAY);
    }
    other.own = EpochKeys::decode(&ann.own.encode()).unwrap();
    ann.learn(&mut ben);
    other.learn(&mut ben);
    ben.learn(&mut ann);
    let proposed = ann.send("with a pair").sealed;
    ben.read(&proposed);
    let answer = ben.send("on the new one").sealed;
    assert_eq!(ann.read(&answer), "on the new one");
    assert!(
        other.receive(&answer).is_none(),
        "it does not know the pair"
    );
    let before = other.session.standing();
    let told =
        |party: &Party| -> SharedSession { from_slice(&to_vec(&party.session.share())).unwrap() };
    // An older word first, and again later: it takes nothing back.
    let old = told(&other);
    for told in [told(&ann), old.clone(), told(&ann), old] {
        other.session.merge_shared(told).unwrap();
        other.take_changes();
    }
    assert_ne!(other.session.standing(), before);
    assert_eq!(other.session.standing(), ann.session.standing());
    assert_eq!(
        ann.session.merge_shared(told(&other)),
        Ok(false),
        "nothing new"
    );
    assert_eq!(other.read(&answer), "on the new one");
    assert_eq!(
        ben.read(&other.send("on it, from the other").sealed),
        "on it, from the other"
    );
    let pairs = ben.session.kept.pairs.iter();
    let retired = pairs.filter(|p| p.retired).count();
    assert_eq!(retired, 0, "nobody was set back");
    // Lost on one is lost on all.
    ann.session.lose_pairs();
    other.session.merge_shared(told(&ann)).unwrap();
    other.take_changes();
    let draft = other.draft("on nothing");
    assert_eq!(other.send_draft(&draft).unwrap_err(), SealError::NoPair);
}

/// Whatever another device says of a session, it stays within its bounds.
#[test]
fn what_is_united_is_in_bounds() {
    let (mut ann, mut ben) = two(START);
    ann.read(&ben.send("known").sealed);
    let good = to_vec(&ann.session.share());
    let mut rng = Rng::new([8; 32]);
    for _ in 0..2_000 {
        let mut bytes = good.clone();
        for _ in 0..1 + rng.below(4) {
            let at = rng.below(bytes.len() as u64) as usize;
            bytes[at] = rng.u64() as u8;
        }
        if let Ok(told) = from_slice::<SharedSession>(&bytes) {
            let _ = ann.session.merge_shared(told);
        }
    }
    assert!(Session::decode(&ann.session.encode()).is_ok());
    assert!(ann.session.kept.pairs.len() <= PAIRS_MAX);
}
