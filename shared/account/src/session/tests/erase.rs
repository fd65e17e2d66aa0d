//! What is gone after 96 hours: everything a device held, dumped, opens nothing older.

use super::*;
use crate::session::opener::Who;

#[test]
fn a_dump_opens_nothing_older_than_96_hours() {
    let (mut ann, mut ben) = two(START);
    let mut archive: Vec<(Millis, Sealed)> = Vec::new();
    for day in 0..12 {
        let now = START + day * DAY;
        ann.at(now);
        ben.at(now);
        ann.learn(&mut ben);
        ben.learn(&mut ann);
        for n in 0..3 {
            let sent = ann.send(&format!("{day} {n}")).sealed;
            // One of three never arrives: its key is skipped, and must go too.
            if n != 1 {
                ben.read(&sent);
            }
            archive.push((now, sent));
        }
        for answer in ["so", "it goes"].map(|text| ben.send(text).sealed) {
            ann.read(&answer);
            archive.push((now, answer));
        }
    }
    let now = START + 11 * DAY + 96 * HOUR;
    // Day by day, as an online device does.
    for hours in (0..=96).step_by(6) {
        ben.at(now - 96 * HOUR + hours * HOUR);
    }
    let dump = ben;
    for (sent, sealed) in &archive {
        assert!(now - sent >= 96 * HOUR);
        let at = locator(&sealed.header.tag);
        assert!(!dump.table.contains_key(&at));
        // Whoever has the dump tries every key in it, expected or not.
        for chain in &dump.session.kept.chains {
            for index in 0..64 {
                let step = chain.step(index);
                assert!(step.is_none_or(|s| s.open(&sealed.header, &sealed.body).is_err()));
            }
        }
        // The chain it sends on is in memory alone, and leads forward only.
        let mut s = dump.session.sending.as_ref().map(|chain| chain.secret());
        for _ in 0..64 {
            let step = s.map(|s| crate::session::chain::step(&s));
            let at = locator(&sealed.header.tag);
            assert!(step.as_ref().is_none_or(|step| step.locator != at));
            s = step.map(|step| step.next);
        }
        for pair in &dump.session.kept.pairs {
            for epoch in epoch(*sent) - 1..=epoch(*sent) + 1 {
                for counter in 0..16 {
                    let direction = 1 - dump.session.direction();
                    let who = Who {
                        direction,
                        device: 0,
                        counter,
                        epoch,
                    };
                    let step = pair.rz(epoch).map(|rz| who.step(&rz));
                    assert!(step.is_none_or(|s| s.locator != at));
                }
            }
        }
        assert_eq!(dump.own.secrets(epoch(*sent)).count(), 0);
    }
}

/// The same dump a day after sending does open openers and what was skipped: the test above can
/// fail.
#[test]
fn a_dump_of_today_opens_what_was_not_received() {
    let (mut ann, mut ben) = two(START);
    let first = ann.send("opener").sealed;
    let skipped = ann.send("skipped").sealed;
    let last = ann.send("last").sealed;
    ben.read(&first);
    ben.read(&last);
    ben.at(START + 3 * DAY);
    assert_eq!(ben.read(&skipped), "skipped");
    assert!(
        ben.receive(&last).is_none(),
        "the key of a read message is gone at once"
    );
}

/// Everything else may be kept: without the epoch's secret an opener stays closed.
#[test]
fn erased_epoch_keys() {
    let (mut ann, mut ben) = two(START);
    let sent = ann.send("hello").sealed;
    assert!(!ben.own.erase(epoch(START) + 3));
    let mut copy = ben.restored(1);
    assert_eq!(copy.read(&sent), "hello");
    assert!(ben.own.erase(epoch(START) + 4));
    assert_eq!(ben.receive(&sent).unwrap().unwrap_err(), OpenError::NoKey);
}

/// While nobody vouches for the time nothing is erased, whatever the clock says.
#[test]
fn a_wrong_clock_erases_nothing() {
    let (mut ann, mut ben) = two(START);
    let sent = ann.send("hello").sealed;
    let later = START + 400 * DAY;
    ben.session.on_epoch(epoch(later), START);
    ben.own.ensure(epoch(later), 0, &mut ben.rng);
    ben.own.erase(epoch(START));
    ben.take_changes();
    assert!(ben.receive(&sent).is_none());
    ben.session.on_epoch(epoch(START), START);
    ben.take_changes();
    assert_eq!(ben.read(&sent), "hello");
}

/// An old pair goes 96 hours after the epoch in which the other side came to use its successor, by
/// agreed time; while they may know it alone it stays.
#[test]
fn old_pairs_go() {
    let (mut ann, mut ben) = two(START);
    let go = |days: u64, ann: &mut Party, ben: &mut Party| {
        ann.at(START + days * DAY);
        ben.at(START + days * DAY);
        ann.learn(ben);
        ben.learn(ann);
    };
    let sent = ann.send("one").sealed;
    ben.read(&sent);
    let sent = ben.send("two").sealed;
    ann.read(&sent);
    go(7, &mut ann, &mut ben);
    let late = ann.send("on the old pair, with the proposal").sealed;
    assert_eq!(ann.session.kept.pairs.len(), 2);
    ben.read(&late);
    go(7, &mut ann, &mut ben);
    let sent = ben.send("on the new one").sealed;
    ann.read(&sent);
    go(8, &mut ann, &mut ben);
    go(10, &mut ann, &mut ben);
    assert_eq!(
        (ann.session.kept.pairs.len(), ben.session.kept.pairs.len()),
        (2, 2)
    );
    go(11, &mut ann, &mut ben);
    go(12, &mut ann, &mut ben);
    assert_eq!(
        (ann.session.kept.pairs.len(), ben.session.kept.pairs.len()),
        (1, 2)
    );
    let sent = ann.send("on the new one, too").sealed;
    ben.read(&sent);
    go(13, &mut ann, &mut ben);
    go(17, &mut ann, &mut ben);
    assert_eq!(
        (ann.session.kept.pairs.len(), ben.session.kept.pairs.len()),
        (1, 1)
    );
    let sent = ann.send("still talking").sealed;
    assert_eq!(ben.read(&sent), "still talking");
}
