//! What may be told, and by whom.
use super::*;
use crate::book::{Reach, Unfit};

#[test]
fn what_no_relay_can_have_is_refused_from_everybody() {
    let sources = [
        Source::Person,
        Source::Lan,
        Source::Dht,
        peer("8.8.8.8"),
        peer("127.0.0.1"),
        Source::Dialler(Reach::Loopback),
    ];
    let mut book = book();
    for source in sources {
        for text in [
            "0.0.0.0:1",
            "224.0.0.1:1",
            "255.255.255.255:1",
            "192.0.2.1:1",
            "[2001:db8::1]:1",
            "[::]:1",
            "[ff02::1]:1",
            "[::ffff:203.0.113.1]:1",
        ] {
            let heard = book.hear(NOW, at(text), source);
            assert_eq!(heard, Err(Unfit::Special), "{text}");
        }
        assert_eq!(book.hear(NOW, at("8.8.8.8:0"), source), Err(Unfit::Port));
    }
    let counts = book.counts();
    assert_eq!((counts.new, counts.tried), (0, 0));
    assert_eq!(counts.refused.special, 8 * sources.len() as u64);
    assert_eq!(counts.refused.port, sources.len() as u64);
}

#[test]
fn near_addresses_are_told_by_those_who_are_near() {
    let hears = |text: &str, source| book().hear(NOW, at(text), source).is_ok();
    let near = ["127.0.0.1:1", "192.168.1.2:1", "8.8.8.8:1"];
    let cases = [
        (Source::Person, [true, true, true]),
        (Source::Lan, [true, true, true]),
        (Source::Dht, [false, false, true]),
        (peer("9.9.9.9"), [false, false, true]),
        (peer("2a00::1"), [false, false, true]),
        (peer("10.1.2.3"), [false, true, true]),
        (peer("fd00::1"), [false, true, true]),
        (peer("127.0.0.1"), [true, true, true]),
        (peer("::1"), [true, true, true]),
        (Source::Dialler(Reach::Public), [false, false, true]),
        (Source::Dialler(Reach::Private), [false, true, true]),
        (Source::Dialler(Reach::Loopback), [true, true, true]),
    ];
    for (source, expected) in cases {
        assert_eq!(near.map(|text| hears(text, source)), expected, "{source:?}");
    }
}

#[test]
fn of_a_descriptor_the_first_fit_address_counts() {
    let mut book = book();
    let told = relay(1, &[at("10.0.0.1:5"), at("8.8.8.8:5")], 0);
    let learned = book.learn(NOW, &told.descriptor, &told.raw, peer("9.9.9.9"));
    assert_eq!(learned, Ok(()));
    let candidate = book.candidate(at("8.8.8.8:5")).unwrap();
    assert_eq!(candidate.certificate, Some([1; 32]));
    assert_eq!(candidate.node_key, Some(told.key()));
    assert_eq!(book.candidate(at("10.0.0.1:5")), None);

    let only_near = relay(2, &[at("10.0.0.1:5")], 0);
    let mut learn = |told: &Told| book.learn(NOW, &told.descriptor, &told.raw, Source::Dht);
    assert_eq!(learn(&only_near), Err(Unfit::Special));
    assert_eq!(learn(&relay(3, &[], 0)), Err(Unfit::Unaddressed));
    // More than 2 hours ahead; expired.
    let version = NOW / 1000;
    let mut ahead = relay(4, &[at("8.8.4.4:5")], 0);
    ahead.descriptor.version = version + 7201;
    assert_eq!(learn(&ahead), Err(Unfit::Stale));
    ahead.descriptor.version = version + 7200;
    assert_eq!(learn(&ahead), Ok(()));
    let week = 170 * 3600;
    assert_eq!(
        learn(&relay(5, &[at("8.8.4.5:5")], week)),
        Err(Unfit::Stale)
    );
    let mut cut = relay(6, &[at("8.8.4.6:5")], 0);
    cut.raw.pop();
    assert_eq!(learn(&cut), Err(Unfit::Stale));
    let refused = book.counts().refused;
    assert_eq!((refused.special, refused.unaddressed), (1, 1));
    assert_eq!(refused.stale, 3);
    check(&book);
}

#[test]
fn its_own_addresses_and_key_are_refused_and_dropped() {
    let mut book = book();
    let own = relay(1, &[at("8.8.8.8:5")], 0);
    let other = relay(2, &[at("8.8.8.8:5"), at("9.9.9.9:5")], 0);
    assert_eq!(book.hear(NOW, at("8.8.8.8:5"), Source::Dht), Ok(()));
    book.proved(NOW, at("4.4.4.4:4"), &own.descriptor, &own.raw);
    book.set_anchors(&[at("8.8.8.8:5"), at("7.7.7.7:7")]);
    assert_eq!(book.counts().tried, 1);
    book.set_own(&[at("[::ffff:8.8.8.8]:5")], own.key());
    let counts = book.counts();
    assert_eq!((counts.new, counts.tried), (0, 0));
    assert_eq!(book.anchors(), [at("7.7.7.7:7")]);

    assert_eq!(
        book.hear(NOW, at("8.8.8.8:5"), Source::Person),
        Err(Unfit::Own)
    );
    let learned = book.learn(NOW, &own.descriptor, &own.raw, Source::Dht);
    assert_eq!(learned, Err(Unfit::Own));
    book.proved(NOW, at("4.4.4.4:4"), &own.descriptor, &own.raw);
    assert_eq!(book.counts().refused.own, 3);
    assert_eq!(book.counts().tried, 0);
    // Another port of the same machine is another relay.
    assert_eq!(book.hear(NOW, at("8.8.8.8:6"), Source::Dht), Ok(()));
    // Who claims to be here is looked for at its other address.
    let learned = book.learn(NOW, &other.descriptor, &other.raw, Source::Dht);
    assert_eq!(learned, Ok(()));
    assert!(book.candidate(at("9.9.9.9:5")).is_some());
    check(&book);
}

#[test]
fn an_address_has_one_entry_however_it_is_written() {
    let mut book = book();
    for text in ["[::ffff:8.8.8.8]:5", "8.8.8.8:5", "[::ffff:808:808]:5"] {
        assert_eq!(book.hear(NOW, at(text), Source::Dht), Ok(()));
    }
    assert_eq!(book.counts().new, 1);
    assert!(book.candidate(at("[::ffff:8.8.8.8]:5")).is_some());
}

#[test]
fn who_tells_again_gains_no_place_and_writes_nothing() {
    let mut book = book();
    for source in [Source::Dht, peer("9.9.9.9"), peer("9.8.9.9")] {
        for _ in 0..50 {
            assert_eq!(book.hear(NOW, at("8.8.8.8:5"), source), Ok(()));
        }
        let entry = book.table.get(&at("8.8.8.8:5")).unwrap();
        assert_eq!(entry.sources.iter().filter(|s| **s == source).count(), 1);
        assert!(book.take_changes().len() <= 1);
        let _ = book.hear(NOW + MINUTE, at("8.8.8.8:5"), source);
        assert!(book.take_changes().is_empty());
    }
    // But no more than 4 sources, each with half the chance of the one before.
    for n in 1..=200 {
        let ip = IpAddr::from([n, 1, 1, 1]);
        let _ = book.hear(NOW, at("8.8.8.8:5"), Source::Peer(Group::of(ip)));
    }
    let entry = book.table.get(&at("8.8.8.8:5")).unwrap();
    assert_eq!(entry.sources.len(), 4);
    check(&book);
}
