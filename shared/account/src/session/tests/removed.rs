//! A device of an account is shut out: what the contact takes, and what the device opens, after it
//! was told.

use super::*;
use crate::removal::Removal;

/// Another device of Ann's, with all that she has.
fn another(ann: &Party, seed: u8) -> Party {
    let mut other = ann.restored(seed);
    other.device = SigningKey::draw(&mut other.rng);
    let key = other.device.public();
    other.certificate = Certificate::issue(&other.account, 1, key, hour(other.now)).to_bytes();
    other
}

fn removal(by: &SigningKey, gone: &Party, time: Millis) -> Removal {
    Removal::sign(by, 1, gone.device.public(), time)
}

/// What Ann tells when she has taken a device out.
fn tell(ann: &mut Party, removals: Vec<Removal>) -> Sealed {
    let mut draft = ann.draft("");
    draft.text = None;
    draft.removals = removals;
    ann.send_draft(&draft).unwrap().sealed
}

/// Ann takes the device out; Ben hears of it, and answers.
fn shut_out(ann: &mut Party, ben: &mut Party, gone: &Party) -> usize {
    ann.own.renew(epoch(ann.now), &mut ann.rng);
    ann.session.renew();
    let told = tell(ann, alloc::vec![removal(&ann.account, gone, ann.now)]);
    let opened = ben.receive(&told).unwrap().unwrap();
    let payload = &opened.payload;
    let notice = payload.keys.as_ref().expect("an opener tells the new keys");
    ben.keys.begin_anew(notice, payload.sealed, epoch(ben.now));
    ben.owed.push(payload.message_id);
    opened.removed.len()
}

#[test]
fn the_device_opens_nothing_that_is_sealed_after_it_was_told() {
    for seed in 0..20 {
        let (mut ann, mut ben) = two(START + u64::from(seed) * HOUR);
        let mut gone = another(&ann, seed);
        let said = gone.send("from the other").sealed;
        ben.read(&said);
        let told = ben.send("to both").sealed;
        assert_eq!(gone.read(&told), "to both");
        ann.read(&told);

        assert_eq!(shut_out(&mut ann, &mut ben, &gone), 1);
        let before = ben.session.kept.pairs.iter().filter(|p| !p.retired);
        assert_eq!(before.count(), 1, "the one that was proposed");
        for text in ["one", "two"] {
            let sealed = ben.send(text).sealed;
            assert!(gone.receive(&sealed).is_none_or(|opened| opened.is_err()));
            assert_eq!(ann.read(&sealed), text);
        }
        // Acknowledged, the pair is the one for both.
        let sealed = ann.send("back").sealed;
        assert!(gone.receive(&sealed).is_none());
        assert_eq!(ben.read(&sealed), "back");
        assert!(ann.session.kept.anew.is_none());
        let sending = |p: &Party| {
            pair::sending(&p.session.kept.pairs, epoch(p.now))
                .unwrap()
                .id
        };
        assert_eq!(sending(&ann), sending(&ben));
    }
}

#[test]
fn it_is_not_heard_any_more_and_its_slot_is_free() {
    let (mut ann, mut ben) = two(START);
    let mut gone = another(&ann, 1);
    ben.read(&gone.send("an opener").sealed);
    let on_chain = gone.send("on a chain").sealed;
    shut_out(&mut ann, &mut ben, &gone);
    assert!(ben.receive(&on_chain).is_none(), "its chain is forgotten");
    let mut again = gone.restored(3);
    let opener = again.send("another opener").sealed;
    assert_eq!(
        ben.receive(&opener).unwrap().unwrap_err(),
        OpenError::BadCertificate
    );
    let mut new = another(&ann, 4);
    let opener = new.send("a new one").sealed;
    let opened = ben.receive(&opener).unwrap().unwrap();
    assert!(opened.device_changed);
    // As told to another device of Ben's.
    let shared = Session::shared(ben.account(), ann.account(), ben.session.share()).unwrap();
    assert_eq!(shared.kept.removed, ben.session.kept.removed);
    // As long as a certificate may be good.
    ben.at(ben.now + 11 * DAY);
    assert_eq!(ben.session.kept.removed.len(), 1);
    ben.at(ben.now + 2 * DAY);
    assert!(ben.session.kept.removed.is_empty());
}

#[test]
fn what_the_account_did_not_sign_shuts_nobody_out() {
    let (mut ann, mut ben) = two(START);
    let mut gone = another(&ann, 1);
    ben.read(&gone.send("here").sealed);
    let foreign = removal(&ben.account, &gone, ann.now);
    let own = Removal::sign(&ann.account, 0, ann.device.public(), ann.now);
    let old = removal(&ann.account, &gone, ann.now - 12 * DAY);
    let told = tell(&mut ann, alloc::vec![foreign, own, old]);
    let opened = ben.receive(&told).unwrap().unwrap();
    assert!(opened.removed.is_empty() && ben.session.kept.removed.is_empty());
    assert_eq!(ben.read(&gone.send("still here").sealed), "still here");
    // Told twice it is news once, and says no time that keeps it for ever.
    let far = removal(&ann.account, &gone, u64::MAX);
    for news in [1, 0] {
        let told = tell(&mut ann, alloc::vec![far.clone()]);
        assert_eq!(ben.receive(&told).unwrap().unwrap().removed.len(), news);
    }
    ben.at(ben.now + 13 * DAY);
    assert!(ben.session.kept.removed.is_empty());
}

/// While it could it told keys of its own, of the highest generation.
#[test]
fn what_it_told_before_is_healed() {
    let (mut ann, mut ben) = two(START);
    let mut gone = another(&ann, 1);
    gone.own
        .renew_above(u32::MAX - 2, epoch(gone.now), &mut gone.rng);
    let opened = ben.receive(&gone.send("mine").sealed).unwrap().unwrap();
    let notice = opened.payload.keys.unwrap();
    ben.keys.learn(&notice, gone.now, epoch(ben.now));
    let stolen = ben.send("to the thief alone").sealed;
    assert!(ann.receive(&stolen).is_none_or(|opened| opened.is_err()));
    shut_out(&mut ann, &mut ben, &gone);
    assert_eq!(ann.read(&ben.send("to Ann").sealed), "to Ann");
}

/// The message that proposes another pair is lost: it is proposed again two epochs later.
#[test]
fn a_lost_proposal_is_made_again() {
    let (mut ann, mut ben) = two(START);
    let gone = another(&ann, 1);
    ben.read(&ann.send("a pair that both").sealed);
    ann.read(&ben.send("are known to have").sealed);
    ann.own.renew(epoch(ann.now), &mut ann.rng);
    ann.session.renew();
    let word = removal(&ann.account, &gone, ann.now);
    tell(&mut ann, alloc::vec![word.clone()]);
    for party in [&mut ann, &mut ben] {
        party.at(START + 2 * DAY);
    }
    ann.learn(&mut ben);
    ann.session.end_chain();
    let told = tell(&mut ann, alloc::vec![word]);
    let opened = ben.receive(&told).unwrap().unwrap();
    assert!(opened.payload.fresh.is_some());
    assert_eq!(opened.removed.len(), 1);
}
