//! The relay's tables. Keys start with the hour of expiry, so that expiring is one `DeleteBelow`
//! and the scan at start reads heads only; then comes the arrival, so that what comes together lies
//! together: a commit writes few pages, and a bucket is read from few.
//!
//! ```text
//! META    "schema"            -> schema u32 | network u32 | made u64 (ms)
//!         "bits"              -> bits u8 of the range, once it was divided
//! HEADS   expiry u32 || arrival u64 (us) || id[0..8], numbers big-endian
//!                             -> header[72] | version u64 (of records; else 0) | 1 u8 (0: has no
//!                                body here)
//! BODIES  the same key        -> header[72] | body
//! BOOK    see `book`
//! ```
//! A body's row repeats its header so that serving an object is one read.

use super::index::Entry;
use crate::io::{Batch, Change, Row, Table};
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Header, Malformed, Reader};
use alloc::vec::Vec;

/// The schema this version reads and writes.
pub const SCHEMA: u32 = 3;
pub const META: Table = Table(0);
pub const HEADS: Table = Table(1);
pub const BODIES: Table = Table(2);
pub(super) const SCHEMA_KEY: &[u8] = b"schema";
pub(super) const BITS_KEY: &[u8] = b"bits";

const KEY_BYTES: usize = 20;

/// Key of an object in HEADS and BODIES.
pub(super) fn key(arrival: u64, entry: &Entry) -> Vec<u8> {
    let mut key = Vec::with_capacity(KEY_BYTES);
    key.extend_from_slice(&entry.expiry.to_be_bytes());
    key.extend_from_slice(&arrival.to_be_bytes());
    key.extend_from_slice(&entry.id.short().to_be_bytes());
    key
}

/// The row of HEADS.
pub(super) fn head(header: &[u8], version: u64, held: bool) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER_BYTES + 9);
    value.extend_from_slice(header);
    value.extend_from_slice(&version.to_le_bytes());
    value.push(held.into());
    value
}

/// The rows of an object whose body is here; `row` is header and body.
pub(super) fn object(arrival: u64, entry: &Entry, row: Vec<u8>) -> [Change; 2] {
    let header = row.get(..HEADER_BYTES).unwrap_or_default();
    let key = key(arrival, entry);
    let head = Change::Put {
        table: HEADS,
        key: key.clone(),
        value: head(header, entry.version(), true),
    };
    let body = Change::Put {
        table: BODIES,
        key,
        value: row,
    };
    [head, body]
}

/// The same of an object that is no record, for who fills a store: heads, then bodies.
pub fn stored(arrival: u64, header: &Header, body: &[u8]) -> [Change; 2] {
    let row = [&header.encode()[..], body].concat();
    object(arrival, &Entry::new(header, 0), row)
}

/// Arrival and entry from a row of HEADS that is consistent with its key.
pub(super) fn parse_head(row: &Row) -> Result<(u64, Entry), Malformed> {
    let mut r = Reader::new(&row.value);
    let header = Header::parse(r.array_ref()?)?;
    let version = r.u64()?;
    let held = r.u8()?;
    r.end()?;
    let mut entry = Entry::new(&header, version);
    entry.held = held == 1;
    let arrival = row.key.get(4..12).and_then(|bytes| bytes.first_chunk());
    let arrival = u64::from_be_bytes(*arrival.ok_or(Malformed)?);
    if key(arrival, &entry) == row.key && held <= 1 {
        Ok((arrival, entry))
    } else {
        Err(Malformed)
    }
}

/// The header from a row of HEADS.
pub(super) fn header(row: &[u8]) -> Option<[u8; HEADER_BYTES]> {
    row.first_chunk().copied()
}

/// Header and body from a row of BODIES.
pub(super) fn parse_body(row: &[u8]) -> Result<(&[u8; HEADER_BYTES], &[u8]), Malformed> {
    let mut r = Reader::new(row);
    let header = r.array_ref()?;
    let body = r.rest();
    if body.len() == Header::parse(header)?.size.bytes() {
        Ok((header, body))
    } else {
        Err(Malformed)
    }
}

pub(super) fn schema_row(network: u32, made: u64) -> Vec<u8> {
    let mut value = SCHEMA.to_le_bytes().to_vec();
    value.extend_from_slice(&network.to_le_bytes());
    value.extend_from_slice(&made.to_le_bytes());
    value
}

pub(super) fn delete(batch: &mut Batch, arrival: u64, entry: &Entry) {
    for table in [HEADS, BODIES] {
        batch.changes.push(Change::Delete {
            table,
            key: key(arrival, entry),
        });
    }
}

pub(super) fn delete_expired(hour: u32) -> Batch {
    let to = hour.saturating_add(1).to_be_bytes().to_vec();
    let below = |table| Change::DeleteBelow {
        table,
        to: to.clone(),
    };
    Batch {
        durable: false,
        changes: [HEADS, BODIES].map(below).into(),
    }
}
