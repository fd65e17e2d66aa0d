//! The same state run twice. `sealed::seen` checks in every test that no key and nonce ever serves
//! two texts; here everything random is repeated on purpose.

use super::*;
use crate::sealed::seen;

/// Two processes from one stored state with one seed say different things: the other side reads all
/// of it.
#[test]
fn forked_from_one_snapshot_with_one_seed() {
    let (mut ann, mut ben) = two(START);
    for n in 0..5 {
        let sent = ann.send(&format!("before {n}"));
        ben.read(&sent.sealed);
    }
    let (mut one, mut two) = (ann.restored(50), ann.restored(50));
    let before = seen::count();
    for n in 0..40 {
        // Openers again and again: 24 unacknowledged, and restarts.
        if n % 15 == 14 {
            (one, two) = (one.restored(51), two.restored(51));
        }
        let (a, b) = (format!("first {n}"), format!("second {n}"));
        let (sent_a, sent_b) = (one.send(&a), two.send(&b));
        assert_ne!(sent_a.sealed.body, sent_b.sealed.body);
        assert_eq!(ben.read(&sent_a.sealed), a);
        assert_eq!(ben.read(&sent_b.sealed), b);
        // What Ben answers reaches both.
        let answer = ben.send("answer").sealed;
        assert_eq!(one.read(&answer), "answer");
        assert_eq!(two.read(&answer), "answer");
    }
    assert!(seen::count() >= before + 120);
}

/// A fork far behind the other is still heard.
#[test]
fn an_old_fork_is_heard() {
    let (ann, mut ben) = two(START);
    let (mut one, mut two) = (ann.restored(50), ann.restored(50));
    for n in 0..8 {
        one = one.restored(n);
        let sent = one.send("ahead");
        assert!(sent.is_opener);
        ben.read(&sent.sealed);
    }
    let sent = two.send("behind");
    assert_eq!(ben.read(&sent.sealed), "behind");
}

/// Even a copy of the memory, sending chain included, uses no nonce twice.
#[test]
fn forked_in_memory() {
    let (mut ann, _) = two(START);
    ann.send("opener");
    let mut copy = ann.restored(0);
    copy.session = ann.session.clone();
    copy.rng = Rng::new([3; 32]);
    ann.rng = Rng::new([3; 32]);
    let before = seen::count();
    for n in 0..50 {
        ann.send(&format!("first {n}"));
        copy.send(&format!("second {n}"));
    }
    assert!(seen::count() >= before + 100);
}

/// The check itself: it fails where a nonce repeats.
#[test]
#[should_panic(expected = "one key and nonce for two texts")]
fn a_repeated_nonce_is_noticed() {
    let key = shared::crypto::Key::new([1; 32]);
    let sealed = crate::sealed::seal(&key, &[0; 32], &[], b"one");
    seen::note(&key, &[], b"two", &sealed);
}

/// Handshakes of one state and one seed with different words.
#[test]
fn forked_handshakes() {
    let greet = |text: &str, name: &str| {
        let (mut ann, mut ben) = (Alone::new(1, START), Alone::new(2, START));
        let invitation = Invitation::draw(hour(START), 24, false, Mailbox::default(), &mut ann.rng);
        let by = Author {
            signer: Signer::Account(&ann.account),
            version: 1,
            effort: 0,
            network: 5,
        };
        let record = invitation.record(by, name, &ann.rng.array()).unwrap();
        let link = invitation.link(ann.account.public(), Vec::new());
        let offer = link
            .open(&record.header, &record.body, hour(START))
            .unwrap();
        let (intro, me) = (ben.intro("Ben"), ben.account.public());
        let pending = PendingGreeting::new(&link, &offer, &me, intro, text.into(), &mut ben.rng);
        let mut pending = pending.unwrap();
        let sent = pending.seal(&ben.sender(), &mut Rng::new([6; 32]));
        let me = ann.account.public();
        let at = locator(&sent.header.tag);
        let j = invitation.locators(&me).find(|(l, _)| *l == at).unwrap().1;
        let greeting =
            Greeting::open(&invitation, &me, j, &sent.header, &sent.body, START).unwrap();
        let intro = Introduction {
            name: name.into(),
            ..ann.intro("")
        };
        let (pending, mut session) = PendingAcceptance::new(greeting, &me, intro).unwrap();
        pending.seal(
            &mut session,
            &ann.sender(),
            &ann.own,
            &mut Rng::new([6; 32]),
        )
    };
    let before = seen::count();
    let (one, two) = (greet("hello", "Ann"), greet("hallo", "Anne"));
    assert_ne!(one.header.tag, two.header.tag);
    assert!(seen::count() >= before + 10);
}

/// Ann falls back to a state before a fresh pair was agreed. Once Ben hears her on the old pair
/// again, he answers there.
#[test]
fn set_back_to_before_a_fresh_pair() {
    let (mut ann, mut ben) = two(START);
    let at = |n: u64, ann: &mut Party, ben: &mut Party| {
        ann.at(START + n);
        ben.at(START + n);
    };
    let first = ann.send("hello");
    ben.read(&first.sealed);
    at(7 * DAY, &mut ann, &mut ben);
    ann.learn(&mut ben);
    ben.learn(&mut ann);
    let old = ann.restored(20);
    let proposal = ann.send("with a fresh pair");
    ben.read(&proposal.sealed);
    at(7 * DAY + 1, &mut ann, &mut ben);
    let answer = ben.send("on the fresh pair, with the acknowledgement");
    ann.read(&answer.sealed);
    at(7 * DAY + 2, &mut ann, &mut ben);
    let sent = ann.send("on it too");
    assert!(sent.is_opener);
    ben.read(&sent.sealed);
    let pair_of = |p: &Party| pair::sending(&p.session.kept.pairs, u32::MAX).unwrap().id;
    assert_eq!(pair_of(&ann), pair_of(&ben));

    let mut ann = old.restored(21);
    at(7 * DAY + 3, &mut ann, &mut ben);
    let deaf = ben.send("not heard");
    assert!(ann.receive(&deaf.sealed).is_none());
    let sent = ann.send("set back");
    assert_eq!(ben.read(&sent.sealed), "set back");
    let sent = ben.send("heard again");
    assert_eq!(ann.read(&sent.sealed), "heard again");
}
