//! Reading ahead of a walk over a whole table, so that it does not wait for the disk page by page.
//!
//! A walk asks for one page of rows after the other, and each row may lie in another part of the
//! file: a disk that has many requests at once answers them much faster than one after the other.
//! So a few threads read the same table, each the next of many parts of it, and leave it in the
//! system's cache. What they read they throw away; a failure is the walk's to meet.
//!
//! Invariant: the threads are gone before the database is closed ([`Ahead`] joins them).

use redb::{ReadOnlyTable, ReadableTable, ReadableTableMetadata};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::JoinHandle;

/// One gains nothing, it is as slow as the walk; two halve the time, more than four gain nothing
/// more (measured with 1 to 16, on one core). What each reads passes through the database's cache.
const THREADS: usize = 4;
/// A table with fewer rows is read soon enough.
const ROWS_MIN: u64 = 10_000;
/// Parts of a table. They are taken in order: what is read is never far from the walk.
const PARTS: u16 = 256;

pub type Rows = ReadOnlyTable<&'static [u8], &'static [u8]>;

/// Threads that read ahead. Dropping it ends them.
pub struct Ahead {
    ending: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Ahead {
    /// Starts reading; `open` hands out the table, once for each thread.
    pub fn start(open: impl Fn() -> Result<Rows, redb::Error>) -> Result<Self, redb::Error> {
        let mut ahead = Self {
            ending: Arc::default(),
            threads: Vec::new(),
        };
        let table = open()?;
        if table.len()? < ROWS_MIN {
            return Ok(ahead);
        }
        let ends = (table.first()?, table.last()?);
        let (Some((first, _)), Some((last, _))) = ends else {
            return Ok(ahead);
        };
        let parts = Arc::new(Parts::new(first.value(), last.value()));
        for _ in 0..THREADS {
            let (table, parts, ending) = (open()?, parts.clone(), ahead.ending.clone());
            let name = std::thread::Builder::new().name("store-ahead".into());
            // Without threads the walk is slower, and whole all the same.
            ahead
                .threads
                .extend(name.spawn(move || read(&table, &parts, &ending)).ok());
        }
        Ok(ahead)
    }

    /// Whether all has been read.
    pub fn is_over(&self) -> bool {
        self.threads.iter().all(JoinHandle::is_finished)
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.ending.store(true, Relaxed);
        for thread in self.threads.drain(..) {
            // What made it panic makes the walk panic, which is handled there.
            let _ = thread.join();
        }
    }
}

fn read(table: &Rows, parts: &Parts, ending: &AtomicBool) {
    while let Some((from, to)) = parts.take() {
        let rows = match &to {
            Some(to) if *to <= from => continue,
            Some(to) => table.range(&from[..]..&to[..]),
            None => table.range(&from[..]..),
        };
        // A failure is met by the walk, too.
        let Ok(rows) = rows else { return };
        for row in rows {
            if row.is_err() || ending.load(Relaxed) {
                return;
            }
        }
    }
}

/// A table's keys, cut as if they were spread evenly between the first and the last.
struct Parts {
    /// What all keys between the two begin with.
    common: Vec<u8>,
    /// The eight bytes behind it of the first and of the last key, as numbers.
    first: u64,
    last: u64,
    next: AtomicUsize,
}

impl Parts {
    fn new(first: &[u8], last: &[u8]) -> Self {
        let alike = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let number = |key: &[u8]| {
            let mut bytes = [0; 8];
            let behind = key.get(alike..).unwrap_or_default();
            bytes
                .iter_mut()
                .zip(behind)
                .for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(bytes)
        };
        Self {
            common: first.get(..alike).unwrap_or_default().to_vec(),
            first: number(first),
            last: number(last),
            next: AtomicUsize::new(0),
        }
    }

    /// Where the next part begins and ends; the last one has no end.
    fn take(&self) -> Option<(Vec<u8>, Option<Vec<u8>>)> {
        let part = u16::try_from(self.next.fetch_add(1, Relaxed)).ok()?;
        let from = match part {
            0 => Vec::new(),
            _ => self.begin(part),
        };
        let to = (part + 1 < PARTS).then(|| self.begin(part + 1));
        (part < PARTS).then_some((from, to))
    }

    fn begin(&self, part: u16) -> Vec<u8> {
        let span = u128::from(self.last.saturating_sub(self.first));
        let step = span * u128::from(part) / u128::from(PARTS);
        let at = self
            .first
            .saturating_add(u64::try_from(step).unwrap_or(u64::MAX));
        [&self.common[..], &at.to_be_bytes()].concat()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use redb::{Database, ReadableDatabase, TableDefinition};

    const TABLE: TableDefinition<'static, &[u8], &[u8]> = TableDefinition::new("1");

    /// All parts, in the order in which they are taken.
    fn parts(first: &[u8], last: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let parts = Parts::new(first, last);
        let all: Vec<_> = std::iter::from_fn(|| parts.take()).collect();
        assert!(parts.take().is_none());
        all
    }

    #[test]
    fn parts_follow_on_one_another_and_leave_nothing_out() {
        let keys: [&[u8]; 6] = [b"", b"a", b"ab", b"abcdefghijkl", b"abzz", &[255; 40]];
        for (at, first) in keys.iter().enumerate() {
            for last in &keys[at..] {
                let parts = parts(first, last);
                assert_eq!(parts.len(), usize::from(PARTS));
                assert_eq!(parts.first().unwrap().0, b"");
                assert_eq!(parts.last().unwrap().1, None);
                for pair in parts.windows(2) {
                    assert_eq!(pair[0].1.as_ref(), Some(&pair[1].0));
                    assert!(pair[0].0 <= pair[1].0);
                }
            }
        }
    }

    #[test]
    fn keys_that_are_spread_evenly_are_cut_evenly() {
        let key = |n: u64| [&b"hour"[..], &(n << 40).to_be_bytes(), &[7; 20]].concat();
        let parts = parts(&key(0), &key(256 * 100));
        for (from, to) in &parts[..255] {
            let inside = |n: &u64| key(*n) >= *from && key(*n) < to.clone().unwrap_or_default();
            let count = (0..=256 * 100).filter(inside).count();
            assert!((99..=101).contains(&count), "{count}");
        }
    }

    #[test]
    fn all_is_read_to_the_end_or_until_it_is_dropped() {
        let scratch = crate::scratch::Scratch::new("ahead").unwrap();
        let database = Database::create(scratch.path().join("db")).unwrap();
        let open = || {
            let transaction = database.begin_read()?;
            Ok(transaction.open_table(TABLE)?)
        };
        // There is no such table yet.
        assert!(Ahead::start(open).is_err());
        for count in [0_u32, 1, 20_000] {
            let transaction = database.begin_write().unwrap();
            let mut table = transaction.open_table(TABLE).unwrap();
            for n in 0..count {
                table.insert(&n.to_be_bytes()[..], &[7; 100][..]).unwrap();
            }
            drop(table);
            transaction.commit().unwrap();
            drop(Ahead::start(open).unwrap());
            let ahead = Ahead::start(open).unwrap();
            while !ahead.is_over() {
                std::thread::yield_now();
            }
        }
        // No transaction is left: this needs the database to itself.
        let mut database = database;
        database.compact().unwrap();
    }
}
