#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

fn drawn(epoch: u32) -> (EpochKeys, Rng) {
    let mut rng = Rng::new([1; 32]);
    let mut keys = EpochKeys::new();
    assert!(keys.ensure(epoch, 0, &mut rng));
    (keys, rng)
}

#[test]
fn eight_ahead_and_three_behind() {
    let (mut keys, mut rng) = drawn(100);
    assert!(!keys.ensure(100, 0, &mut rng));
    assert!(keys.ensure(101, 0, &mut rng));
    assert_eq!(keys.generation(), 0);
    assert_eq!(
        (100..110).filter(|e| keys.secrets(*e).count() == 1).count(),
        9
    );
    assert!(!keys.erase(103));
    assert!(keys.erase(104));
    assert!(keys.secrets(100).next().is_none() && keys.secrets(101).next().is_some());
    let read = EpochKeys::decode(&keys.encode()).unwrap();
    assert_eq!(read.encode(), keys.encode());
    assert!(EpochKeys::decode(&keys.encode()[..40]).is_err());
}

#[test]
fn a_gap_starts_a_generation() {
    let (mut keys, mut rng) = drawn(100);
    assert!(keys.ensure(120, 0, &mut rng));
    assert_eq!(keys.generation(), 1);
    assert_eq!(keys.secrets(107).count(), 1);
    keys.renew(120, &mut rng);
    assert_eq!((keys.generation(), keys.secrets(120).count()), (2, 2));
    let newest = keys.notice(120, 1).unwrap().keys.remove(0);
    assert_eq!(keys.secrets(120).next().unwrap().public(), newest);
}

/// A clock that jumps about fills no memory and costs no key of the present.
#[test]
fn jumping_clock() {
    let (mut keys, mut rng) = drawn(100);
    let present = keys.secrets(100).next().unwrap().clone();
    for epoch in (0..30).map(|i| 1000 + i * 100) {
        keys.ensure(epoch, 0, &mut rng);
        keys.ensure(100, 0, &mut rng);
        assert!(keys.secrets.len() <= KEYS_MAX);
        assert_eq!(
            (100..108)
                .filter(|e| keys.secrets(*e).next().is_some())
                .count(),
            8
        );
    }
    assert_eq!(keys.secrets(100).collect::<Vec<_>>(), [&present]);
}

#[test]
fn contacts_learn_keys() {
    let (mut keys, mut rng) = drawn(100);
    let mut theirs = ContactKeys::new([1; 32]);
    assert!(!theirs.usable(100));
    let notice = keys.notice(100, 2).unwrap();
    assert!(theirs.learn(&notice, 5_000, 100));
    assert!(!theirs.learn(&notice, 5_000, 100));
    assert_eq!(theirs.last_epoch(), Some(101));
    assert!(theirs.usable(102) && theirs.usable(99) && !theirs.usable(103));
    assert_eq!(theirs.pick(101, 0).unwrap().0, 101);
    assert_eq!(theirs.pick(102, 102), None);

    let text = keys.record_text(100, 6_000).unwrap();
    assert_eq!(theirs.learn_text(&text, 100), Ok(true));
    assert_eq!(theirs.last_epoch(), Some(107));
    assert_eq!(ContactKeys::decode(&theirs.encode()), Ok(theirs.clone()));

    let old = keys.notice(100, 2).unwrap();
    keys.renew(101, &mut rng);
    assert!(theirs.learn(&keys.notice(101, 1).unwrap(), 7_000, 101));
    assert_eq!((theirs.generation(), theirs.last_epoch()), (1, Some(101)));
    assert!(
        !theirs.learn(&old, 8_000, 101),
        "an older generation does not come back"
    );
    assert!(theirs.learn_text(&text[..text.len() - 1], 100).is_err());
}

/// Keys far from now are not kept, whatever a contact says.
#[test]
fn far_epochs_are_not_kept() {
    let (keys, _) = drawn(5_000);
    let mut theirs = ContactKeys::new([1; 32]);
    theirs.learn(&keys.notice(5_000, 2).unwrap(), 1, 100);
    assert_eq!(theirs.last_epoch(), None);
    let (keys, _) = drawn(u32::MAX - 20);
    theirs.learn(&keys.notice(u32::MAX - 20, 2).unwrap(), 1, u32::MAX - 20);
    assert!(theirs.usable(u32::MAX - 20));
}

/// Two devices that drew for the same days, before they heard of each other: both have all secrets
/// then, in one order, and publish the same.
#[test]
fn devices_unite_their_keys() {
    let drawn = |seed: u8| {
        let mut keys = EpochKeys::new();
        keys.ensure(100, 0, &mut Rng::new([seed; 32]));
        keys
    };
    let (mut a, mut b) = (drawn(1), drawn(2));
    b.renew(100, &mut Rng::new([3; 32]));
    let (a0, b0) = (a.clone(), b.clone());
    assert!(a.unite(b0.clone()) && b.unite(a0.clone()));
    assert_eq!(a.encode(), b.encode());
    assert!(!a.unite(b0.clone()) && !a.unite(a0.clone()) && !b.unite(a.clone()));
    assert_eq!(a.generation(), b0.generation());
    assert_eq!(
        a.notice(100, 2),
        b0.notice(100, 2),
        "the newest generation counts"
    );
    let all: BTreeSet<KeyName> = a0.names().union(&b0.names()).copied().collect();
    assert_eq!(a.names(), all);
    assert!(EpochKeys::decode(&a.encode()).is_ok());
    // Of one epoch no more than a few are taken, however many are told.
    for seed in 4..40 {
        a.unite(drawn(seed));
    }
    assert_eq!(a.secrets(100).count(), UNITED_MAX);
    assert!(EpochKeys::decode(&a.encode()).is_ok());
    for epoch in 0..4_000 {
        let mut keys = EpochKeys::new();
        keys.ensure(epoch * 8, 0, &mut Rng::new([5; 32]));
        a.unite(keys);
    }
    assert!(a.is_in_bounds());
}
