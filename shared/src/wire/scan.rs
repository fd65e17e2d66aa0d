//! Scan records and the prefixes that name blocks of objects. PROTOCOL.md section 3.

use super::codec::{Malformed, Reader};
use super::header::Header;
use crate::limits::SCAN_PAGE_RECORDS_MAX;

/// Bytes of a scan record.
pub const SCAN_RECORD_BYTES: usize = 24;

/// What a recipient needs to find its own: tag || body hash[0..8].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ScanRecord {
    pub tag: [u8; 16],
    pub hash: [u8; 8],
}

impl ScanRecord {
    pub fn of(header: &Header) -> Self {
        let [a, b, c, d, e, f, g, h, ..] = header.body_hash;
        ScanRecord {
            tag: header.tag,
            hash: [a, b, c, d, e, f, g, h],
        }
    }

    pub fn encode(&self) -> [u8; SCAN_RECORD_BYTES] {
        let mut out = [0; SCAN_RECORD_BYTES];
        out[..16].copy_from_slice(&self.tag);
        out[16..].copy_from_slice(&self.hash);
        out
    }

    pub(super) fn read(r: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(ScanRecord {
            tag: r.array()?,
            hash: r.array()?,
        })
    }

    /// The key of blocks that Get names a prefix of.
    pub fn hash_key(&self) -> u64 {
        u64::from_be_bytes(self.hash)
    }
}

/// The records of a page, still as bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Records<'a>(pub(super) &'a [[u8; SCAN_RECORD_BYTES]]);

impl<'a> Records<'a> {
    /// As many as a page takes; the rest is left out.
    pub fn new(records: &'a [[u8; SCAN_RECORD_BYTES]]) -> Self {
        Records(records.get(..SCAN_PAGE_RECORDS_MAX).unwrap_or(records))
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = ScanRecord> + 'a {
        self.0
            .iter()
            .filter_map(|r| ScanRecord::read(&mut Reader::new(r)).ok())
    }
}

pub(super) fn records<'a>(r: &mut Reader<'a>) -> Result<Records<'a>, Malformed> {
    let (records, left) = r.rest().as_chunks();
    if !left.is_empty() || records.len() > SCAN_PAGE_RECORDS_MAX {
        return Err(Malformed);
    }
    Ok(Records(records))
}

/// The keys that start with the first `bits` bits of `prefix`: from the lowest to the highest, both
/// inclusive.
pub fn prefix_range(bits: u8, prefix: u64) -> (u64, u64) {
    let low_bits = u64::MAX.checked_shr(bits.into()).unwrap_or(0);
    (prefix & !low_bits, prefix | low_bits)
}
