//! Rows of the account's tables, sealed one by one, keys included. PROTOCOL.md section 8.
//!
//! Invariant: the store sees a row's table, a place that says nothing about its key, and a length
//! out of few. Which rows belong together, what they are and how long exactly is inside. (That a
//! row was put back to an earlier state of its own is not noticed: the disk can do that with all of
//! them at once anyway.)

use crate::vault::DataKey;
use alloc::vec::Vec;
use shared::crypto::{Key, hmac, kdf_key, open, seal};
use shared::io::Table;
use zeroize::Zeroizing;

/// The vault row ([`crate::vault`]); not sealed as a whole.
pub const VAULT: Table = Table(0);
/// Profile, contacts, invitations, pairs, keys.
pub const STATE: Table = Table(1);
/// Conversations.
pub const MESSAGES: Table = Table(2);
/// Objects under way, byte for byte.
pub const OBJECTS: Table = Table(3);

/// Longest key, bytes.
pub const ROW_KEY_MAX: usize = 255;
/// Longest value, bytes.
pub const ROW_VALUE_MAX: usize = 256 * 1024;

const SEALED: core::ops::RangeInclusive<u8> = 1..=3;

/// The keys of all sealed tables.
#[derive(Clone, Debug)]
pub struct Rows {
    tables: [TableKeys; 3],
}

#[derive(Clone, Debug)]
struct TableKeys {
    locate: Key,
    seal: Key,
}

/// A row as the account knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlainRow {
    pub key: Vec<u8>,
    pub value: Zeroizing<Vec<u8>>,
}

/// Why a row cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowError {
    /// Key or value is longer than a row takes.
    TooLong,
    /// The table has no sealed rows.
    Table,
    /// Not sealed by this vault, in another place, or damaged.
    Forged,
}

impl Rows {
    pub fn new(data: &DataKey) -> Rows {
        let derive = |label, table: u8| kdf_key(&[data.0.as_bytes()], label, &[&[table]]);
        let keys = |table| TableKeys {
            locate: derive("row locate", table),
            seal: derive("row seal", table),
        };
        Rows {
            tables: [keys(STATE.0), keys(MESSAGES.0), keys(OBJECTS.0)],
        }
    }

    /// Where a row of that key lies in the store.
    pub fn locate(&self, table: Table, key: &[u8]) -> Result<[u8; 16], RowError> {
        let mut located = [0; 16];
        located.copy_from_slice(&hmac(self.keys(table)?.locate.as_bytes(), &[key])[..16]);
        Ok(located)
    }

    /// Place and bytes to store.
    pub fn seal(
        &self,
        table: Table,
        key: &[u8],
        value: &[u8],
        fresh: &[u8; 32],
    ) -> Result<([u8; 16], Vec<u8>), RowError> {
        if key.len() > ROW_KEY_MAX || value.len() > ROW_VALUE_MAX {
            return Err(RowError::TooLong);
        }
        let located = self.locate(table, key)?;
        let len = HEAD + key.len() + value.len();
        let mut text = Zeroizing::new(Vec::with_capacity(size_class(len)));
        text.push(key.len() as u8);
        text.extend_from_slice(&(value.len() as u32).to_le_bytes());
        text.extend_from_slice(key);
        text.extend_from_slice(value);
        text.resize(size_class(len), 0);
        let sealed = seal(&self.keys(table)?.seal, fresh, &aad(table, &located), &text);
        Ok((located, sealed))
    }

    /// A row as it was stored at `located`.
    pub fn open(&self, table: Table, located: &[u8], sealed: &[u8]) -> Result<PlainRow, RowError> {
        let text = open(&self.keys(table)?.seal, &aad(table, located), sealed);
        let text = Zeroizing::new(text.map_err(|_| RowError::Forged)?);
        split(&text).ok_or(RowError::Forged)
    }

    fn keys(&self, table: Table) -> Result<&TableKeys, RowError> {
        let at = table
            .0
            .checked_sub(*SEALED.start())
            .ok_or(RowError::Table)?;
        self.tables.get(usize::from(at)).ok_or(RowError::Table)
    }
}

/// key length u8, value length u32.
const HEAD: usize = 5;

/// The padded length of a row of that many bytes: 64, 96, 128, 192, 256, 384 and so on, so at most
/// half is padding.
fn size_class(len: usize) -> usize {
    let whole = len.max(64).next_power_of_two();
    let between = whole / 4 * 3;
    if len <= between && between > 64 {
        between
    } else {
        whole
    }
}

fn aad(table: Table, located: &[u8]) -> Vec<u8> {
    [b"wm-row\x01".as_slice(), &[table.0], located].concat()
}

fn split(text: &[u8]) -> Option<PlainRow> {
    let (head, rest) = text.split_first_chunk::<HEAD>()?;
    let [key_len, value_len @ ..] = *head;
    let (key, rest) = rest.split_at_checked(usize::from(key_len))?;
    let value_len = usize::try_from(u32::from_le_bytes(value_len)).ok()?;
    let (value, _zeros) = rest.split_at_checked(value_len)?;
    Some(PlainRow {
        key: key.to_vec(),
        value: Zeroizing::new(value.to_vec()),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::vec;
    use shared::crypto::{Rng, SEAL_OVERHEAD};

    fn rows() -> Rows {
        Rows::new(&DataKey::draw(&mut Rng::new([1; 32])))
    }

    #[test]
    fn round_trip_gives_key_and_value() {
        let rows = rows();
        for (key, value) in [
            (b"".to_vec(), b"".to_vec()),
            (b"contact/1".to_vec(), b"hello".to_vec()),
            (vec![7; ROW_KEY_MAX], vec![9; ROW_VALUE_MAX]),
        ] {
            for table in [STATE, MESSAGES, OBJECTS] {
                let (located, sealed) = rows.seal(table, &key, &value, &[2; 32]).unwrap();
                assert_eq!(rows.locate(table, &key), Ok(located));
                let row = rows.open(table, &located, &sealed).unwrap();
                assert_eq!((&row.key, &*row.value), (&key, &value));
            }
        }
    }

    #[test]
    fn limits() {
        let rows = rows();
        let seal = |table, key: &[u8], value: &[u8]| rows.seal(table, key, value, &[0; 32]);
        assert_eq!(seal(STATE, &[0; 256], &[]), Err(RowError::TooLong));
        assert_eq!(
            seal(STATE, &[], &vec![0; ROW_VALUE_MAX + 1]),
            Err(RowError::TooLong)
        );
        assert_eq!(seal(VAULT, b"k", b"v"), Err(RowError::Table));
        assert_eq!(seal(Table(4), b"k", b"v"), Err(RowError::Table));
        assert_eq!(
            rows.open(Table(255), &[0; 16], &[0; 92]),
            Err(RowError::Table)
        );
    }

    #[test]
    fn sizes_are_few() {
        let sizes: Vec<usize> = (1..=400).map(size_class).collect();
        let mut few = sizes.clone();
        few.dedup();
        assert_eq!(few, [64, 96, 128, 192, 256, 384, 512]);
        assert!(sizes.iter().enumerate().all(|(at, &size)| size > at));
        assert_eq!(size_class(16_384 + 72 + 30), 24_576);
        let (_, sealed) = rows().seal(STATE, b"key", b"value", &[0; 32]).unwrap();
        assert_eq!(sealed.len(), 64 + SEAL_OVERHEAD);
    }

    #[test]
    fn rows_do_not_move() {
        let rows = rows();
        let (one, sealed) = rows.seal(STATE, b"one", b"value", &[0; 32]).unwrap();
        let two = rows.locate(STATE, b"two").unwrap();
        assert_eq!(rows.open(STATE, &two, &sealed), Err(RowError::Forged));
        assert_eq!(rows.open(MESSAGES, &one, &sealed), Err(RowError::Forged));
        assert_ne!(rows.locate(MESSAGES, b"one"), Ok(one));
        let other = Rows::new(&DataKey::draw(&mut Rng::new([2; 32])));
        assert_ne!(other.locate(STATE, b"one"), Ok(one));
        assert_eq!(other.open(STATE, &one, &sealed), Err(RowError::Forged));
    }

    #[test]
    fn any_change_is_noticed() {
        let rows = rows();
        let (located, sealed) = rows.seal(STATE, b"one", b"value", &[0; 32]).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 0x40;
            assert_eq!(rows.open(STATE, &located, &changed), Err(RowError::Forged));
            assert_eq!(
                rows.open(STATE, &located, &sealed[..at]),
                Err(RowError::Forged)
            );
        }
    }

    /// Even what was sealed rightly is judged when it is taken apart.
    #[test]
    fn lengths_inside_are_judged() {
        assert_eq!(split(&[0; 4]), None);
        assert_eq!(split(&[1, 0, 0, 0, 0]), None);
        assert_eq!(split(&[0, 255, 255, 255, 255, 1, 2]), None);
        assert_eq!(split(&[0, 3, 0, 0, 0, 1, 2]), None);
        assert!(split(&[0, 2, 0, 0, 0, 1, 2]).is_some());
    }
}
