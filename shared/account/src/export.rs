//! The export file: all rows of an account under a passphrase, to be put on another device.
//! PROTOCOL.md section 8.
//!
//! Invariant: a file is read whole or not at all. Chunks are sealed with their number and whether
//! they are the last, so a file that was cut, extended or put together from two is noticed before
//! anything of it is used.
//!
//! Layout: "WireMin export" | version u8 | memory u32, passes u32, lanes u32 | salt[16] | check[16]
//! | chunks of 16,412 bytes, 16,384 of text each. The text is one row after the other (table u8,
//! key length u8, value length u32, key, value), then zeros: table 0 ends the rows.

use crate::passcode::is_sane;
use crate::rows::{MESSAGES, OBJECTS, ROW_KEY_MAX, ROW_VALUE_MAX, STATE};
use alloc::vec::Vec;
use shared::crypto::{Key, Rng, SEAL_OVERHEAD, kdf_key, open, same, seal};
use shared::io::{KdfCost, Table};
use zeroize::Zeroizing;

/// Longest file, bytes.
pub const EXPORT_MAX: usize = 64 * 1024 * 1024;
/// Most rows of a file.
pub const EXPORT_ROWS_MAX: usize = 500_000;

const MAGIC: &[u8; 14] = b"WireMin export";
const VERSION: u8 = 1;
const HEADER_LEN: usize = MAGIC.len() + 1 + 12 + 16;
const CHECK_LEN: usize = 16;
const CHUNK: usize = 16_384;
const SEALED_CHUNK: usize = CHUNK + SEAL_OVERHEAD;
const ROW_HEAD: usize = 6;

/// A row of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRow {
    pub table: Table,
    pub key: Vec<u8>,
    pub value: Zeroizing<Vec<u8>>,
}

/// What a file's passphrase is to be derived with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExportHeader {
    pub cost: KdfCost,
    pub salt: [u8; 16],
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExportError {
    /// Some other file.
    NotAnExport,
    /// Made by a newer version of this software.
    NewerVersion,
    /// Or the file's first 59 bytes were changed.
    WrongPassphrase,
    /// Cut, changed or put together; nothing of it is used.
    Damaged,
    /// More than [`EXPORT_MAX`] bytes or [`EXPORT_ROWS_MAX`] rows.
    TooLarge,
}

/// Why rows cannot be exported: a row's table, key or value is out of bounds, or there is too much
/// of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealExportError {
    Row,
    TooLarge,
}

/// Makes a file. `derived` is Argon2id of the passphrase with the header's salt and cost.
pub fn seal_export(
    rows: &[ExportRow],
    header: &ExportHeader,
    derived: &Key,
    rng: &mut Rng,
) -> Result<Vec<u8>, SealExportError> {
    let len: usize = rows
        .iter()
        .map(|row| ROW_HEAD + row.key.len() + row.value.len())
        .sum();
    let chunks = len.div_ceil(CHUNK).max(1);
    let size = HEADER_LEN + CHECK_LEN + chunks.saturating_mul(SEALED_CHUNK);
    if size > EXPORT_MAX || rows.len() > EXPORT_ROWS_MAX {
        return Err(SealExportError::TooLarge);
    }
    let mut text = Zeroizing::new(Vec::with_capacity(chunks * CHUNK));
    for row in rows {
        if !may_travel(row.table) || row.key.len() > ROW_KEY_MAX || row.value.len() > ROW_VALUE_MAX
        {
            return Err(SealExportError::Row);
        }
        text.push(row.table.0);
        text.push(row.key.len() as u8);
        text.extend_from_slice(&(row.value.len() as u32).to_le_bytes());
        text.extend_from_slice(&row.key);
        text.extend_from_slice(&row.value);
    }
    text.resize(chunks * CHUNK, 0);

    let mut out = Vec::with_capacity(size);
    out.extend_from_slice(&header.encode());
    let (key, check) = keys(derived, &out);
    out.extend_from_slice(&check.as_bytes()[..CHECK_LEN]);
    for (at, chunk) in text.chunks_exact(CHUNK).enumerate() {
        out.extend_from_slice(&seal(&key, &rng.array(), &aad(at, at + 1 == chunks), chunk));
    }
    Ok(out)
}

impl ExportHeader {
    /// What to derive the passphrase with before [`open_export`].
    pub fn read(file: &[u8]) -> Result<ExportHeader, ExportError> {
        let rest = file.strip_prefix(MAGIC).ok_or(ExportError::NotAnExport)?;
        match rest.first() {
            None | Some(0) => return Err(ExportError::Damaged),
            Some(&VERSION) => {}
            Some(_) => return Err(ExportError::NewerVersion),
        }
        if file.len() > EXPORT_MAX {
            return Err(ExportError::TooLarge);
        }
        let (numbers, rest) = rest[1..]
            .split_first_chunk::<12>()
            .ok_or(ExportError::Damaged)?;
        let (salt, _) = rest.split_first_chunk::<16>().ok_or(ExportError::Damaged)?;
        let number =
            |at: usize| u32::from_le_bytes([0, 1, 2, 3].map(|byte| numbers[at * 4 + byte]));
        let cost = KdfCost {
            memory_kib: number(0),
            passes: number(1),
            lanes: number(2),
        };
        if !is_sane(&cost) {
            return Err(ExportError::Damaged);
        }
        Ok(ExportHeader { cost, salt: *salt })
    }

    fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = [0; HEADER_LEN];
        out[..14].copy_from_slice(MAGIC);
        out[14] = VERSION;
        out[15..19].copy_from_slice(&self.cost.memory_kib.to_le_bytes());
        out[19..23].copy_from_slice(&self.cost.passes.to_le_bytes());
        out[23..27].copy_from_slice(&self.cost.lanes.to_le_bytes());
        out[27..].copy_from_slice(&self.salt);
        out
    }
}

/// All rows of a file, in its order.
pub fn open_export(file: &[u8], derived: &Key) -> Result<Vec<ExportRow>, ExportError> {
    ExportHeader::read(file)?;
    let (header, rest) = file
        .split_at_checked(HEADER_LEN)
        .ok_or(ExportError::Damaged)?;
    let (found, sealed) = rest
        .split_at_checked(CHECK_LEN)
        .ok_or(ExportError::Damaged)?;
    if sealed.is_empty() || sealed.len() % SEALED_CHUNK != 0 {
        return Err(ExportError::Damaged);
    }
    let (key, check) = keys(derived, header);
    if !same(found, &check.as_bytes()[..CHECK_LEN]) {
        return Err(ExportError::WrongPassphrase);
    }
    let chunks = sealed.len() / SEALED_CHUNK;
    let mut text = Zeroizing::new(Vec::with_capacity(chunks * CHUNK));
    for (at, chunk) in sealed.chunks_exact(SEALED_CHUNK).enumerate() {
        let opened = open(&key, &aad(at, at + 1 == chunks), chunk);
        let opened = Zeroizing::new(opened.map_err(|_| ExportError::Damaged)?);
        text.extend_from_slice(&opened);
    }
    parse(&text)
}

fn parse(mut rest: &[u8]) -> Result<Vec<ExportRow>, ExportError> {
    let mut rows = Vec::new();
    while rest.first().is_some_and(|&table| table != 0) {
        if rows.len() == EXPORT_ROWS_MAX {
            return Err(ExportError::TooLarge);
        }
        let (row, behind) = parse_row(rest).ok_or(ExportError::Damaged)?;
        rows.push(row);
        rest = behind;
    }
    if rest.iter().any(|&byte| byte != 0) {
        return Err(ExportError::Damaged);
    }
    Ok(rows)
}

fn parse_row(bytes: &[u8]) -> Option<(ExportRow, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<ROW_HEAD>()?;
    let [table, key_len, value_len @ ..] = *head;
    let value_len = usize::try_from(u32::from_le_bytes(value_len)).ok()?;
    if !may_travel(Table(table)) || value_len > ROW_VALUE_MAX {
        return None;
    }
    let (key, rest) = rest.split_at_checked(usize::from(key_len))?;
    let (value, rest) = rest.split_at_checked(value_len)?;
    let value = Zeroizing::new(value.to_vec());
    Some((
        ExportRow {
            table: Table(table),
            key: key.to_vec(),
            value,
        },
        rest,
    ))
}

fn may_travel(table: Table) -> bool {
    [STATE, MESSAGES, OBJECTS].contains(&table)
}

/// The key of the chunks, and what tells a wrong passphrase from a damaged file.
fn keys(derived: &Key, header: &[u8]) -> (Key, Key) {
    let derive = |label| kdf_key(&[derived.as_bytes()], label, &[header]);
    (derive("export"), derive("export check"))
}

fn aad(at: usize, last: bool) -> [u8; 14] {
    let mut aad = *b"wm-export\0\0\0\0\0";
    aad[9..13].copy_from_slice(&(at as u32).to_le_bytes());
    aad[13] = u8::from(last);
    aad
}

#[cfg(test)]
mod tests;
