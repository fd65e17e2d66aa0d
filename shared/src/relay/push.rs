//! What arrived lately, for the links that watch: one ring for all, a place in it for each.
//!
//! Invariant: a link that is slow costs nothing but its place; what falls off the ring is told as
//! Lagged.

use super::index::{Entry, bucket_of};
use crate::limits::{PUSH_RING_BYTES_MAX, PUSH_RING_ENTRIES_MAX};
use crate::wire::ScanRecord;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

/// One arrival.
#[derive(Debug)]
pub(super) struct Push {
    pub bucket: u32,
    pub scan: ScanRecord,
    /// header || body, kept when someone watches whole objects.
    pub row: Option<Vec<u8>>,
}

impl Push {
    /// `row` is header || body.
    pub fn of(arrival: u64, entry: &Entry, row: Vec<u8>) -> Self {
        Push {
            bucket: bucket_of(arrival),
            scan: entry.scan,
            row: Some(row),
        }
    }

    fn bytes(&self) -> usize {
        self.row.as_ref().map_or(0, Vec::len)
    }
}

#[derive(Debug, Default)]
pub(super) struct Ring {
    pushes: VecDeque<Push>,
    /// Number of the first push still there.
    first: u64,
    bytes: usize,
}

impl Ring {
    /// The number the next push will have.
    pub fn end(&self) -> u64 {
        self.first + self.pushes.len() as u64
    }

    pub fn add(&mut self, push: Push) {
        self.bytes += push.bytes();
        self.pushes.push_back(push);
        while self.pushes.len() > PUSH_RING_ENTRIES_MAX || self.bytes > PUSH_RING_BYTES_MAX {
            self.drop_first();
        }
    }

    /// Forgets what no watching link still needs.
    pub fn drop_below(&mut self, number: u64) {
        while self.first < number && !self.pushes.is_empty() {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(push) = self.pushes.pop_front() {
            self.bytes -= push.bytes();
            self.first += 1;
        }
    }

    /// `None`: it fell off, or has not come yet.
    pub fn push(&self, number: u64) -> Option<&Push> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.pushes.get(at)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::vec;

    fn push(bucket: u32, bytes: usize) -> Push {
        let scan = ScanRecord {
            tag: [0; 16],
            hash: [0; 8],
        };
        Push {
            bucket,
            scan,
            row: Some(vec![0; bytes]),
        }
    }

    #[test]
    fn the_oldest_falls_off() {
        let mut ring = Ring::default();
        for n in 0..5000 {
            assert_eq!(ring.end(), n.into());
            ring.add(push(n, 1));
        }
        let first = 5000 - PUSH_RING_ENTRIES_MAX as u64;
        assert!(ring.push(first - 1).is_none());
        assert_eq!(ring.push(first).unwrap().bucket, first as u32);
        assert!(ring.push(5000).is_none());
        ring.add(push(5000, PUSH_RING_BYTES_MAX));
        assert!(ring.push(4999).is_none());
        assert!(ring.push(5000).is_some());
        ring.drop_below(5001);
        assert_eq!((ring.bytes, ring.end()), (0, 5001));
    }
}
