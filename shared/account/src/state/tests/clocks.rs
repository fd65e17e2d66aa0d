//! Wrong clocks, and how long deleted entries are kept.

use super::*;
use crate::state::set::{AHEAD_MS_MAX, DELETED_KEPT_MS, WriteError};

fn write(set: &mut Set, key: &Key, value: &str, clock: Clock, slot: u8) -> Entry {
    let change = set.write(key.clone(), text(value), clock, slot);
    assert_eq!(change, Ok(Change::Value));
    set.entry(key).unwrap().clone()
}

/// A device a year ahead writes; another one sees it. From then on whoever writes has the last
/// word, on either, and other keys keep right times.
#[test]
fn a_clock_a_year_ahead_does_not_win_for_ever() {
    let (mut a, mut b) = (Set::new(), Set::new());
    let key = name_of(1);
    let jumped = write(&mut a, &key, "from the future", alone(NOW + YEAR), 0);
    assert_eq!(jumped.stamp.time, NOW + YEAR);
    // Not seen: what was written meanwhile gives way, visibly.
    write(&mut b, &key, "unseen", at(NOW + DAY), 1);
    assert_eq!(b.merge(jumped.clone(), at(NOW + DAY)), Ok(Change::Value));
    // Seen: one later.
    let over = write(&mut b, &key, "b", at(NOW + DAY), 1);
    assert_eq!(over.stamp.time, NOW + YEAR + 1);
    assert_eq!(a.merge(over, alone(NOW + YEAR)), Ok(Change::Value));
    // The clock is right again: the same holds on the device itself.
    let own = write(&mut a, &key, "a", at(NOW + DAY), 0);
    assert_eq!(own.stamp.time, NOW + YEAR + 2);
    assert_eq!(b.merge(own, at(NOW + DAY)), Ok(Change::Value));
    // Other keys are not drawn along.
    for (set, slot) in [(&mut a, 0), (&mut b, 1)] {
        let other = write(set, &name_of(2 + slot), "x", at(NOW + 2 * DAY), slot);
        assert_eq!(other.stamp.time, NOW + 2 * DAY);
    }
    // Deleting it works too, and a year later nothing is special.
    b.delete(&key, at(NOW + DAY), 1).unwrap();
    assert_eq!(b.entry(&key).unwrap().stamp.time, NOW + YEAR + 3);
    let late = write(&mut b, &key, "late", at(NOW + 2 * YEAR), 1);
    assert_eq!(late.stamp.time, NOW + 2 * YEAR);
}

/// A device a year behind: what it has seen it writes over, what it has not seen holds against it.
#[test]
fn a_clock_a_year_behind_writes_over_what_it_has_seen() {
    let (mut a, mut b) = (Set::new(), Set::new());
    let key = name_of(1);
    let right = write(&mut b, &key, "b", at(NOW), 1);
    a.merge(right, alone(NOW - YEAR)).unwrap();
    let behind = write(&mut a, &key, "a", alone(NOW - YEAR), 0);
    assert_eq!(behind.stamp.time, NOW + 1);
    assert_eq!(b.merge(behind, at(NOW)), Ok(Change::Value));
    // On a key that it never saw it is taken for old, and loses against anything written since.
    let new = write(&mut a, &name_of(2), "a", alone(NOW - YEAR), 0);
    assert_eq!(new.stamp.time, NOW - YEAR);
    let held = write(&mut b, &name_of(2), "b", at(NOW - DAY), 1);
    assert_eq!(b.merge(new, at(NOW)), Ok(Change::Nothing));
    assert_eq!(a.merge(held, alone(NOW - YEAR)), Ok(Change::Value));
}

/// A clock that falls back behind the time that was agreed is not followed.
#[test]
fn agreed_time_holds_a_clock_that_falls_back() {
    let mut set = Set::new();
    let clock = Clock {
        assumed: NOW - YEAR,
        agreed: NOW,
    };
    assert_eq!(write(&mut set, &name_of(1), "x", clock, 0).stamp.time, NOW);
}

#[test]
fn times_seen_count_as_far_as_clocks_may_differ() {
    for (ahead, expected) in [
        (0, NOW),
        (AHEAD_MS_MAX, NOW + AHEAD_MS_MAX),
        (AHEAD_MS_MAX + 1, NOW),
        (TIME_MAX - NOW, NOW),
    ] {
        let mut set = Set::new();
        let seen = entry(name_of(1), NOW + ahead, 0, Some("x"));
        merge_all(&mut set, &[seen], at(NOW));
        let written = write(&mut set, &name_of(2), "y", at(NOW), 1);
        assert_eq!(written.stamp.time, expected, "{ahead} ahead");
    }
}

/// On one key no stamp of a device goes back, however its clock jumps.
#[test]
fn stamps_of_a_key_do_not_go_back() {
    let mut rng = Rng::new([4; 32]);
    let mut set = Set::new();
    let mut last = Stamp::default();
    for n in 0..2_000 {
        let jump = [0, YEAR, 30 * YEAR, HOUR][rng.below(4) as usize];
        let clock = alone((NOW + n + jump).saturating_sub(rng.below(60 * YEAR)));
        match rng.below(3) {
            0 => drop(set.delete(&name_of(1), clock, 0)),
            _ => drop(set.write(name_of(1), text(&alloc::format!("{n}")), clock, 0)),
        }
        let stamp = set.entry(&name_of(1)).map_or(last, |entry| entry.stamp);
        assert!(stamp >= last);
        last = stamp;
    }
}

/// The clock itself cannot use times up; what a hostile device does with the last one is told.
#[test]
fn times_do_not_run_out() {
    let mut set = Set::new();
    let first = write(&mut set, &name_of(1), "x", alone(u64::MAX), 0);
    assert!(first.stamp.time < TIME_MAX / 2 + 2);
    let next = write(&mut set, &name_of(1), "y", alone(u64::MAX), 0);
    assert_eq!(next.stamp.time, first.stamp.time + 1);
    let last = entry(name_of(2), TIME_MAX, 0, Some("pinned"));
    merge_all(&mut set, &[last], at(NOW));
    let refused = set.write(name_of(2), text("y"), at(NOW), 1);
    assert_eq!(refused, Err(WriteError::TimeEnds));
    assert_eq!(
        set.delete(&name_of(2), at(NOW), 1),
        Err(WriteError::TimeEnds)
    );
    assert_eq!(set.get(&name_of(2)), Some(&text("pinned")));
}

#[test]
fn deleted_entries_are_forgotten_after_their_time_only() {
    let mut set = Set::new();
    write(&mut set, &name_of(1), "x", at(NOW), 0);
    write(&mut set, &name_of(2), "stays", at(NOW), 0);
    assert_eq!(
        set.delete(&name_of(1), at(NOW + DAY), 0),
        Ok(Change::Deleted)
    );
    assert_eq!(
        set.delete(&name_of(1), at(NOW + DAY), 0),
        Ok(Change::Nothing)
    );
    assert_eq!(set.delete(&name_of(9), at(NOW), 0), Ok(Change::Nothing));
    let end = NOW + DAY + DELETED_KEPT_MS;
    assert!(set.forget(at(end), |_| true).is_empty());
    // A clock alone, however wrong, makes nothing be forgotten.
    assert!(set.forget(alone(end + 9 * YEAR), |_| true).is_empty());
    assert!(set.forget(at(end + 1), |_| false).is_empty());
    assert_eq!(set.forget(at(end + 1), |_| true), [name_of(1)]);
    assert_eq!(set.len(), 1);
}

/// The entry of a value that was deleted comes again, as long as it may be at relays: it stays
/// deleted.
#[test]
fn old_copies_do_not_bring_back_what_was_deleted() {
    let mut set = Set::new();
    let old = write(&mut set, &name_of(1), "x", at(NOW), 0);
    set.delete(&name_of(1), at(NOW + DAY), 0).unwrap();
    for day in (1..=361).step_by(20) {
        let now = at(NOW + day * DAY);
        set.forget(now, |_| true);
        assert_eq!(set.merge(old.clone(), now), Ok(Change::Nothing));
    }
}

/// A wrong clock dated the deletion back by years: it is kept as long all the same, counted from
/// when it took the value away, and a replica that never had the value is not troubled with it.
#[test]
fn a_deletion_dated_back_is_kept_as_long() {
    let (mut a, mut b) = (Set::new(), Set::new());
    let old = write(&mut a, &name_of(1), "x", at(NOW - 3 * YEAR), 0);
    b.merge(old.clone(), at(NOW)).unwrap();
    a.delete(&name_of(1), alone(NOW - 3 * YEAR), 0).unwrap();
    let deleted = a.entry(&name_of(1)).unwrap().clone();
    assert_eq!(b.merge(deleted.clone(), at(NOW)), Ok(Change::Deleted));
    assert!(b.forget(at(NOW + DELETED_KEPT_MS), |_| true).is_empty());
    assert_eq!(b.merge(old, at(NOW + 90 * DAY)), Ok(Change::Nothing));
    // Over a restart too.
    let mut again = Set::new();
    again.load(&b.encode(&name_of(1)).unwrap()).unwrap();
    assert!(again.forget(at(NOW + DELETED_KEPT_MS), |_| true).is_empty());
    assert_eq!(
        again.forget(at(NOW + DELETED_KEPT_MS + 1), |_| true).len(),
        1
    );
    // Forgotten is forgotten: copies of the deletion do not keep each other alive.
    let late = at(NOW + DELETED_KEPT_MS + 1);
    assert_eq!(again.merge(deleted, late), Ok(Change::Nothing));
    assert!(again.is_empty());
}
