//! Relays that move, addresses that change hands, and those who only claim it.
use super::*;
use crate::book::Unfit;

fn learn(book: &mut Book, told: &Told) -> Result<(), Unfit> {
    book.learn(NOW, &told.descriptor, &told.raw, Source::Dht)
}

fn prove(book: &mut Book, text: &str, told: &Told) {
    book.proved(NOW, at(text), &told.descriptor, &told.raw);
}

fn addresses(book: &Book) -> Vec<SocketAddr> {
    book.table.entries().map(|(address, _)| *address).collect()
}

#[test]
fn a_relay_that_moved_has_its_new_address_only() {
    for tried in [false, true] {
        let mut book = book();
        let before = relay(1, &[at("8.8.8.8:5")], 9);
        let after = relay(1, &[at("9.9.9.9:5")], 0);
        assert_eq!(learn(&mut book, &before), Ok(()));
        if tried {
            prove(&mut book, "8.8.8.8:5", &before);
        }
        assert_eq!(learn(&mut book, &after), Ok(()));
        assert_eq!(addresses(&book), [at("9.9.9.9:5")]);
        // Somebody who still has the old one does not bring it back.
        assert_eq!(learn(&mut book, &before), Err(Unfit::Stale));
        assert_eq!(learn(&mut book, &after), Ok(()));
        assert_eq!(addresses(&book), [at("9.9.9.9:5")]);
        assert_eq!(book.counts().tried, 0);
        check(&book);
    }
}

#[test]
fn a_newer_descriptor_of_the_same_place_is_kept() {
    let mut book = book();
    let old = relay(1, &[at("8.8.8.8:5")], 9);
    let mut new = relay(1, &[at("9.9.9.9:5"), at("8.8.8.8:5")], 0);
    new.descriptor.certificate = [77; 32];
    prove(&mut book, "8.8.8.8:5", &old);
    assert_eq!(learn(&mut book, &new), Ok(()));
    assert!(is_tried(&book, &at("8.8.8.8:5")));
    let candidate = book.candidate(at("8.8.8.8:5")).unwrap();
    assert_eq!(candidate.certificate, Some([77; 32]));
    // A link of before that ends its handshake late does not bring the old one back.
    prove(&mut book, "8.8.8.8:5", &old);
    let candidate = book.candidate(at("8.8.8.8:5")).unwrap();
    assert_eq!(candidate.certificate, Some([77; 32]));
    check(&book);
}

#[test]
fn a_proved_address_that_no_descriptor_names_stays() {
    let mut book = book();
    let first = relay(1, &[at("8.8.8.8:5")], 9);
    prove(&mut book, "192.168.1.2:5", &first);
    let next = relay(1, &[at("9.9.9.9:5")], 0);
    assert_eq!(learn(&mut book, &next), Ok(()));
    assert_eq!(addresses(&book), [at("192.168.1.2:5")]);
    // The named one is better once it is proved.
    prove(&mut book, "9.9.9.9:5", &next);
    assert_eq!(addresses(&book), [at("9.9.9.9:5")]);
    check(&book);
}

#[test]
fn who_forwards_to_a_relay_does_not_take_its_place() {
    let mut book = book();
    let honest = relay(1, &[at("8.8.8.8:5")], 0);
    prove(&mut book, "8.8.8.8:5", &honest);
    assert_eq!(book.hear(NOW, at("66.6.6.6:6"), Source::Dht), Ok(()));
    prove(&mut book, "66.6.6.6:6", &honest);
    assert_eq!(addresses(&book), [at("8.8.8.8:5")]);
    // Only when it is not found any more where it was.
    for _ in 0..3 {
        book.failed(NOW, at("8.8.8.8:5"));
    }
    prove(&mut book, "66.6.6.6:6", &honest);
    assert_eq!(addresses(&book), [at("66.6.6.6:6")]);
    check(&book);
}

#[test]
fn two_claims_to_one_address_are_settled_by_a_link() {
    let mut book = book();
    let honest = relay(1, &[at("8.8.8.8:5")], 0);
    let liar = relay(2, &[at("8.8.8.8:5"), at("66.6.6.6:6")], 0);
    let other = relay(3, &[at("8.8.8.8:5")], 0);
    assert_eq!(learn(&mut book, &honest), Ok(()));
    assert_eq!(learn(&mut book, &liar), Ok(()));
    // Dialled without a certificate to expect.
    let candidate = book.candidate(at("8.8.8.8:5")).unwrap();
    assert_eq!((candidate.certificate, candidate.node_key), (None, None));
    prove(&mut book, "8.8.8.8:5", &honest);
    assert_eq!(learn(&mut book, &other), Err(Unfit::Claimed));
    let candidate = book.candidate(at("8.8.8.8:5")).unwrap();
    assert_eq!(candidate.node_key, Some(honest.key()));
    assert_eq!(book.counts().refused.claimed, 1);
    check(&book);
}

#[test]
fn nobody_takes_an_address_away_by_claiming_it_and_leaving() {
    let here = at("8.8.8.8:5");
    let claim = relay(2, &[here], 9);
    let leave = relay(2, &[at("66.6.6.6:6")], 0);
    for proves in [false, true] {
        let mut book = book();
        assert_eq!(book.hear(NOW, here, peer("9.9.9.9")), Ok(()));
        assert_eq!(learn(&mut book, &claim), Ok(()));
        assert_eq!(book.candidate(here).unwrap().node_key, Some(claim.key()));
        if proves {
            prove(&mut book, "66.6.6.6:6", &leave);
        } else {
            assert_eq!(learn(&mut book, &leave), Ok(()));
        }
        assert_eq!(addresses(&book), [here, at("66.6.6.6:6")]);
        assert_eq!(book.candidate(here).unwrap().node_key, None);
        check(&book);
    }
    // Nor by failing there: the claim moves on to the next address.
    let mut book = book();
    let both = relay(2, &[here, at("66.6.6.6:6")], 0);
    assert_eq!(book.hear(NOW, here, peer("9.9.9.9")), Ok(()));
    assert_eq!(learn(&mut book, &both), Ok(()));
    book.failed(NOW, here);
    assert_eq!(book.candidate(here).unwrap().node_key, None);
    let moved = book.candidate(at("66.6.6.6:6")).unwrap();
    assert_eq!(moved.node_key, Some(both.key()));
    check(&book);
}

#[test]
fn an_address_that_changed_hands_is_its_new_relays() {
    let mut book = book();
    let before = relay(1, &[at("8.8.8.8:5")], 0);
    let after = relay(2, &[at("8.8.8.8:5")], 0);
    prove(&mut book, "8.8.8.8:5", &before);
    for _ in 0..3 {
        assert!(
            book.candidate(at("8.8.8.8:5"))
                .unwrap()
                .certificate
                .is_some()
        );
        book.failed(NOW, at("8.8.8.8:5"));
    }
    // After three failures whoever answers may say who it is.
    assert_eq!(book.candidate(at("8.8.8.8:5")).unwrap().certificate, None);
    prove(&mut book, "8.8.8.8:5", &after);
    let candidate = book.candidate(at("8.8.8.8:5")).unwrap();
    assert_eq!(candidate.node_key, Some(after.key()));
    assert_eq!(book.table.of_key(&before.key()), None);
    check(&book);
}

#[test]
fn a_new_entry_that_fails_tries_the_next_address_of_its_relay() {
    let mut book = book();
    let all = [at("[2a00::1]:5"), at("10.0.0.1:5"), at("8.8.8.8:5")];
    let told = relay(1, &all, 0);
    assert_eq!(learn(&mut book, &told), Ok(()));
    // The private one is not for the DHT to tell.
    for next in [all[0], all[2], all[0], all[2]] {
        assert_eq!(addresses(&book), [next]);
        book.failed(NOW, next);
        check(&book);
    }
}
