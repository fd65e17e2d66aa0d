//! What makes merging a join, with random sets and random deliveries.

use super::*;
use alloc::collections::BTreeMap;
use alloc::string::ToString;

fn random_key(rng: &mut Rng) -> Key {
    let n = rng.below(6) as u8;
    match rng.below(5) {
        0 => Key::Profile(ProfileField::About),
        1 => Key::Settings(n),
        2 => Key::Contact([n; 32], ContactField::ReadTo),
        3 => Key::parse(&[9, n]).unwrap(),
        _ => name_of(n),
    }
}

/// Few times, slots and values, so that ties are frequent.
fn random_entry(rng: &mut Rng) -> Entry {
    let value = (rng.below(4) > 0).then(|| rng.below(3).to_string());
    entry(
        random_key(rng),
        NOW + rng.below(8),
        rng.below(2) as u8,
        value.as_deref(),
    )
}

fn random_set(rng: &mut Rng) -> Set {
    let mut set = Set::new();
    let entries: Vec<Entry> = (0..rng.below(60)).map(|_| random_entry(rng)).collect();
    merge_all(&mut set, &entries, at(NOW));
    set
}

fn joined(sets: &[&Set]) -> Set {
    let mut out = Set::new();
    for set in sets {
        merge_all(&mut out, &all(set), at(NOW));
    }
    out
}

#[test]
fn merging_is_a_join() {
    let mut rng = Rng::new([1; 32]);
    for _ in 0..300 {
        let (a, b, c) = (
            random_set(&mut rng),
            random_set(&mut rng),
            random_set(&mut rng),
        );
        let whole = all(&joined(&[&a, &b, &c]));
        for other in [
            joined(&[&c, &b, &a]),
            joined(&[&joined(&[&a, &b]), &c]),
            joined(&[&a, &joined(&[&b, &c])]),
            joined(&[&b, &a, &b, &c, &a]),
        ] {
            assert_eq!(all(&other), whole);
            assert_eq!(other.digest(), joined(&[&a, &b, &c]).digest());
        }
        assert_eq!(all(&joined(&[&a, &a])), all(&a));
        let mut entries = [all(&a), all(&b), all(&c)].concat();
        entries = shuffled(&entries, &mut rng);
        let mut one_by_one = Set::new();
        merge_all(&mut one_by_one, &entries, at(NOW));
        assert_eq!(all(&one_by_one), whole);
    }
}

/// Of any two entries of one key exactly one holds, if they are not one and the same.
#[test]
fn what_holds_is_a_total_order() {
    let mut rng = Rng::new([2; 32]);
    for _ in 0..20_000 {
        let [mut a, mut b, mut c] = [0; 3].map(|_| random_entry(&mut rng));
        b.key = a.key.clone();
        c.key = a.key.clone();
        assert!(!a.beats(&a));
        assert_eq!(a == b, !a.beats(&b) && !b.beats(&a));
        assert!(!(a.beats(&b) && b.beats(&a)));
        if a.beats(&b) && b.beats(&c) {
            assert!(a.beats(&c));
        }
        core::mem::swap(&mut a, &mut c);
    }
}

struct Replica {
    set: Set,
    slot: u8,
    /// How far its clock is ahead, ms.
    skew: i64,
}

/// Three devices with wrong clocks write, and hear of each other late, twice, in any order, or
/// through one another. In the end all have the same; on each key the greatest stamp; and whoever
/// wrote having seen something has the last word against that.
#[test]
fn three_replicas_agree_whatever_is_delivered_when() {
    const SKEWS: [i64; 6] = [
        0,
        90_000,
        -90_000,
        2 * HOUR as i64,
        YEAR as i64,
        -(YEAR as i64),
    ];
    for seed in 0..60 {
        let mut rng = Rng::new([seed; 32]);
        let mut replicas = [0, 1, 2].map(|slot| Replica {
            set: Set::new(),
            slot,
            skew: SKEWS[rng.below(6) as usize],
        });
        let mut log: Vec<Entry> = Vec::new();
        let mut now = NOW;
        for _ in 0..400 {
            now += rng.below(60_000);
            let replica = &mut replicas[rng.below(3) as usize];
            let clock = alone(now.saturating_add_signed(replica.skew));
            if rng.below(2) == 0 {
                for _ in 0..rng.below(5).min(log.len() as u64) {
                    let entry = log[rng.below(log.len() as u64) as usize].clone();
                    replica.set.merge(entry, clock).unwrap();
                }
                continue;
            }
            let key = random_key(&mut rng);
            let seen = replica.set.entry(&key).cloned();
            let change = match rng.below(4) {
                0 => replica.set.delete(&key, clock, replica.slot).unwrap(),
                _ => {
                    let value = text(&rng.below(1_000).to_string());
                    let set = &mut replica.set;
                    set.write(key.clone(), value, clock, replica.slot).unwrap()
                }
            };
            let written = replica.set.entry(&key).cloned();
            if change != Change::Nothing {
                let written = written.unwrap();
                assert!(seen.is_none_or(|seen| written.beats(&seen)));
                assert_eq!(written.stamp.slot, replica.slot);
                log.push(written);
            } else {
                assert_eq!(seen, written);
            }
        }
        let mut holds: BTreeMap<Key, Entry> = BTreeMap::new();
        for entry in &log {
            let held = holds.get(&entry.key);
            if held.is_none_or(|held| entry.beats(held)) {
                holds.insert(entry.key.clone(), entry.clone());
            }
        }
        let holds: Vec<Entry> = holds.into_values().collect();
        for replica in &mut replicas {
            let order = shuffled(&log, &mut rng);
            merge_all(&mut replica.set, &order, alone(now));
            assert_eq!(all(&replica.set), holds, "seed {seed}");
        }
        assert_eq!(replicas[0].set.digest(), replicas[1].set.digest());
    }
}

#[test]
fn a_change_is_told_once() {
    let mut set = Set::new();
    let mut merge = |entry: &Entry| set.merge(entry.clone(), at(NOW)).unwrap();
    let first = entry(name_of(1), 5, 0, Some("Ann"));
    let same = entry(name_of(1), 6, 1, Some("Ann"));
    let other = entry(name_of(1), 7, 0, Some("Anna"));
    let gone = entry(name_of(1), 8, 0, None);
    let back = entry(name_of(1), 9, 0, Some("Ann"));
    for (entry, change) in [
        (&first, Change::Value),
        (&first, Change::Nothing),
        (&same, Change::Stamp),
        (&other, Change::Value),
        (&same, Change::Nothing),
        (&gone, Change::Deleted),
        (&other, Change::Nothing),
        (&gone, Change::Nothing),
        (&back, Change::Value),
    ] {
        assert_eq!(merge(entry), change, "{entry:?}");
    }
    assert_eq!(set.get(&name_of(1)), Some(&text("Ann")));
}

#[test]
fn the_digest_is_of_the_values() {
    let mut a = Set::new();
    merge_all(&mut a, &[entry(name_of(1), 5, 0, Some("Ann"))], at(NOW));
    let mut b = a.clone();
    merge_all(&mut b, &[entry(name_of(2), NOW, 0, None)], at(NOW));
    assert_eq!(a.digest(), b.digest());
    merge_all(&mut b, &[entry(name_of(1), 6, 0, Some("Ann"))], at(NOW));
    assert_ne!(a.digest(), b.digest());
}

#[test]
fn what_is_kept_is_read_again() {
    let mut rng = Rng::new([3; 32]);
    let set = random_set(&mut rng);
    let mut again = Set::new();
    for entry in set.iter() {
        let row = set.encode(&entry.key).unwrap();
        again.load(&row).unwrap();
        for cut in 0..row.len() {
            assert!(Set::new().load(&row[..cut]).is_err());
        }
    }
    assert_eq!(all(&set), all(&again));
    assert_eq!(set.encode(&name_of(99)), None);
}

#[test]
fn contacts_are_those_that_exist() {
    let mut set = Set::new();
    for n in [3, 0, 255] {
        add_contact(&mut set, [n; 32], "Ann", at(NOW));
    }
    merge_all(&mut set, &[entry(name_of(7), NOW, 0, Some("Eve"))], at(NOW));
    let key = Key::Contact([3; 32], ContactField::Existence);
    set.delete(&key, at(NOW), 0).unwrap();
    let who: Vec<Who> = set.contacts().copied().collect();
    assert_eq!(who, [[0; 32], [255; 32]]);
    assert_eq!(set.range(Key::fields_of([255; 32])).count(), 4);
    assert_eq!(set.range(Key::fields_of([3; 32])).count(), 3);
    assert_eq!(set.range(name_of(2)..=name_of(1)).count(), 0);
}
