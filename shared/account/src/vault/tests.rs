#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::passcode::{COST, COST_MIN};
use shared::crypto::SigningKey;

const HOUR: Millis = 3_600_000;

fn derived(byte: u8) -> Key {
    Key::new([byte; 32])
}

fn vault() -> (VaultRow, DataKey) {
    let mut rng = Rng::new([5; 32]);
    let account = SigningKey::draw(&mut rng).public();
    let data = DataKey::draw(&mut rng);
    let row = VaultRow::create(account, &data, &derived(1), [7; 16], COST, &rng.array()).unwrap();
    (row, data)
}

/// As after a restart.
fn stored(row: &VaultRow) -> VaultRow {
    VaultRow::decode(&row.encode()).unwrap()
}

#[test]
fn opens_with_the_passcode_only() {
    let (mut row, data) = vault();
    assert_eq!(row.begin_unlock(0), Ok(([7; 16], COST)));
    assert_eq!(row.finish_unlock(&derived(2)), Err(WrongPasscode));
    assert_eq!(row.attempts(), 1);
    assert_eq!(stored(&row).begin_unlock(1), Ok(([7; 16], COST)));
    assert_eq!(row.finish_unlock(&derived(1)), Ok(data));
    assert_eq!(row.attempts(), 0);
}

#[test]
fn waits_grow_and_survive_restarts() {
    let (mut row, data) = vault();
    let mut now = 1_000_000;
    for _ in 0..ATTEMPTS_FREE {
        assert!(row.begin_unlock(now).is_ok());
    }
    for wait in [
        30_000, 60_000, 120_000, 240_000, 480_000, 960_000, 1_920_000, HOUR, HOUR, HOUR,
    ] {
        row = stored(&row);
        assert_eq!(row.wait_until(now), Some(now + wait));
        assert_eq!(
            row.begin_unlock(now + wait - 1),
            Err(TooEarly { until: now + wait })
        );
        now += wait;
        assert_eq!(row.wait_until(now), None);
        assert!(row.begin_unlock(now).is_ok());
    }
    assert_eq!(row.finish_unlock(&derived(1)), Ok(data));
    assert_eq!(row.wait_until(now), None);
    assert!(row.begin_unlock(now).is_ok());
    row.attempts = u32::MAX;
    assert_eq!(row.begin_unlock(now), Err(TooEarly { until: now + HOUR }));
}

#[test]
fn a_clock_turned_back_does_not_shorten_the_wait() {
    let (mut row, _) = vault();
    let now = 100 * HOUR;
    for _ in 0..ATTEMPTS_FREE {
        row.begin_unlock(now).unwrap();
    }
    let back = now - 50 * HOUR;
    assert_eq!(
        row.begin_unlock(back),
        Err(TooEarly {
            until: back + 30_000
        })
    );
    row = stored(&row);
    assert_eq!(
        row.begin_unlock(back + 29_999),
        Err(TooEarly {
            until: back + 30_000
        })
    );
    assert!(row.begin_unlock(back + 30_000).is_ok());
}

#[test]
fn remembered_for_twenty_hours() {
    let (mut row, data) = vault();
    let start = 500 * HOUR;
    assert!(!row.is_remembered(start));
    row.remember(&data, &derived(9), start, &[1; 32]);
    let row = stored(&row);
    for (at, valid) in [
        (0, true),
        (20 * HOUR - 1, true),
        (20 * HOUR, false),
        (400 * HOUR, false),
    ] {
        let mut row = row.clone();
        assert_eq!(row.is_remembered(start + at), valid);
        let opened = row.recall(&derived(9), start + at);
        assert_eq!(
            opened,
            if valid {
                Ok(data.clone())
            } else {
                Err(NotRemembered)
            }
        );
        assert_eq!(row.remembered.is_some(), valid);
    }
}

#[test]
fn remembered_anew_for_no_longer() {
    let (mut row, data) = vault();
    let start = 500 * HOUR;
    row.remember_anew(&data, &derived(8), &[1; 32]);
    assert!(!row.is_remembered(start));
    row.remember(&data, &derived(8), start, &[1; 32]);
    row.remember_anew(&data, &derived(9), &[2; 32]);
    let row = stored(&row);
    let at = |ms| row.clone().recall(&derived(9), start + ms);
    assert_eq!(at(20 * HOUR - 1), Ok(data));
    assert_eq!(at(20 * HOUR), Err(NotRemembered));
    let lost = row.clone().recall(&derived(8), start);
    assert_eq!(lost, Err(NotRemembered));
}

#[test]
fn a_clock_turned_back_forgets() {
    let (mut row, data) = vault();
    let start = 500 * HOUR;
    row.remember(&data, &derived(9), start, &[1; 32]);
    assert_eq!(
        row.clone().recall(&derived(9), start - 1),
        Err(NotRemembered)
    );
    assert!(row.seen(start + 2 * HOUR));
    let mut row = stored(&row);
    assert_eq!(
        row.clone().recall(&derived(9), start + HOUR),
        Err(NotRemembered)
    );
    assert!(row.is_remembered(start + 2 * HOUR));
    assert!(!row.seen(start + HOUR));
    assert!(!row.is_remembered(start + 2 * HOUR));
    assert!(!row.seen(start + 2 * HOUR));
}

#[test]
fn a_wrong_remembered_key_is_forgotten() {
    let (mut row, data) = vault();
    row.remember(&data, &derived(9), 0, &[1; 32]);
    assert_eq!(row.recall(&derived(8), 1), Err(NotRemembered));
    assert_eq!(row.recall(&derived(9), 1), Err(NotRemembered));
}

/// Whoever can write the row cannot make the remembered time longer.
#[test]
fn the_remembered_time_is_sealed() {
    let (mut row, data) = vault();
    row.remember(&data, &derived(9), 0, &[1; 32]);
    row.remembered.as_mut().unwrap().until = 100 * HOUR;
    assert_eq!(row.recall(&derived(9), 1), Err(NotRemembered));
}

#[test]
fn another_passcode() {
    let (mut row, data) = vault();
    row.remember(&data, &derived(9), 0, &[1; 32]);
    row.rewrap(&data, &derived(3), [8; 16], COST_MIN, &[2; 32])
        .unwrap();
    assert!(!row.is_remembered(0));
    let mut row = stored(&row);
    assert_eq!(row.begin_unlock(0), Ok(([8; 16], COST_MIN)));
    assert_eq!(row.finish_unlock(&derived(1)), Err(WrongPasscode));
    assert_eq!(row.finish_unlock(&derived(3)), Ok(data.clone()));
    let weak = KdfCost { passes: 1, ..COST };
    assert_eq!(
        row.rewrap(&data, &derived(3), [8; 16], weak, &[2; 32]),
        Err(BadCost)
    );
    assert_eq!(row.finish_unlock(&derived(3)), Ok(data));
}

#[test]
fn stored_rows_are_judged() {
    let (mut row, data) = vault();
    row.remember(&data, &derived(9), 0, &[1; 32]);
    let bytes = row.encode();
    for cut in 0..bytes.len() {
        assert_eq!(VaultRow::decode(&bytes[..cut]), Err(VaultRowError::Damaged));
    }
    let with = |at: usize, new: &[u8]| {
        let mut changed = bytes.clone();
        changed[at..at + new.len()].copy_from_slice(new);
        VaultRow::decode(&changed)
    };
    assert_eq!(with(0, &[2]), Err(VaultRowError::Newer));
    assert_eq!(with(1, &[2]), Err(VaultRowError::Newer));
    assert_eq!(with(0, &[0]), Err(VaultRowError::Damaged));
    assert_eq!(with(35, &1024u32.to_le_bytes()), Err(VaultRowError::Cost));
    assert_eq!(with(39, &[1]), Err(VaultRowError::Cost));
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(VaultRow::decode(&longer), Err(VaultRowError::Damaged));
}

/// Every changed bit either fails to decode, fails to open, or lies in the fields that count and
/// time.
#[test]
fn any_change_of_what_is_sealed_is_noticed() {
    let (row, _) = vault();
    let bytes = row.encode();
    let counters = 123..bytes.len() - 1;
    for bit in 0..bytes.len() * 8 {
        let mut changed = bytes.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let Ok(mut row) = VaultRow::decode(&changed) else {
            continue;
        };
        let opened = row.finish_unlock(&derived(1)).is_ok();
        assert_eq!(opened, counters.contains(&(bit / 8)), "bit {bit}");
    }
}
