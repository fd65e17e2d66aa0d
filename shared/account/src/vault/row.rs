//! The vault row's bytes, the only row of the store that is not sealed as a whole.
//!
//! Invariant: decoding what was encoded gives the same row, and nothing else decodes to it.

use super::{Remembered, VaultRow};
use crate::passcode::is_sane;
use alloc::vec::Vec;
use shared::crypto::PublicKey;
use shared::io::KdfCost;

/// The row's key in the vault table.
pub const VAULT_KEY: &[u8] = b"vault";
/// Version of the account's tables as a whole, kept in the row.
pub const SCHEMA: u16 = 1;

const VERSION: u8 = 1;

/// Why a stored row is no vault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultRowError {
    /// Written by a newer version of this software.
    Newer,
    /// The stored cost is below OWASP's floor or above the cap.
    Cost,
    Damaged,
}

impl VaultRow {
    /// version u8, schema u16, account key[32], memory u32, passes u32, lanes u32, salt[16],
    /// wrapped key[60], attempts u32, tried at u64, remembered u8 (0 or 1); if 1: wrapped key[60],
    /// since u64, until u64, last seen u64.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(220);
        out.push(VERSION);
        out.extend_from_slice(&SCHEMA.to_le_bytes());
        out.extend_from_slice(self.account.as_bytes());
        out.extend_from_slice(&self.cost.memory_kib.to_le_bytes());
        out.extend_from_slice(&self.cost.passes.to_le_bytes());
        out.extend_from_slice(&self.cost.lanes.to_le_bytes());
        out.extend_from_slice(&self.salt);
        out.extend_from_slice(&self.wrapped);
        out.extend_from_slice(&self.attempts.to_le_bytes());
        out.extend_from_slice(&self.tried_at.to_le_bytes());
        out.push(u8::from(self.remembered.is_some()));
        if let Some(kept) = &self.remembered {
            out.extend_from_slice(&kept.wrapped);
            out.extend_from_slice(&kept.since.to_le_bytes());
            out.extend_from_slice(&kept.until.to_le_bytes());
            out.extend_from_slice(&kept.last_seen.to_le_bytes());
        }
        out
    }

    pub fn decode(bytes: &[u8]) -> Result<VaultRow, VaultRowError> {
        let mut rest = Reader(bytes);
        if let Some([version, low, high]) = bytes.first_chunk::<3>()
            && (*version > VERSION || u16::from_le_bytes([*low, *high]) > SCHEMA)
        {
            return Err(VaultRowError::Newer);
        }
        let row = rest.row().ok_or(VaultRowError::Damaged)?;
        if !is_sane(&row.cost) {
            return Err(VaultRowError::Cost);
        }
        Ok(row)
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn row(&mut self) -> Option<VaultRow> {
        if self.take()? != [VERSION] || self.take()? != SCHEMA.to_le_bytes() {
            return None;
        }
        let account = PublicKey::from_bytes(&self.take()?).ok()?;
        let cost = KdfCost {
            memory_kib: self.u32()?,
            passes: self.u32()?,
            lanes: self.u32()?,
        };
        let mut row = VaultRow {
            account,
            cost,
            salt: self.take()?,
            wrapped: self.take()?,
            attempts: self.u32()?,
            tried_at: self.u64()?,
            remembered: None,
        };
        match self.take()? {
            [0] => {}
            [1] => row.remembered = Some(self.remembered()?),
            _ => return None,
        }
        self.0.is_empty().then_some(row)
    }

    fn remembered(&mut self) -> Option<Remembered> {
        Some(Remembered {
            wrapped: self.take()?,
            since: self.u64()?,
            until: self.u64()?,
            last_seen: self.u64()?,
        })
    }

    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (head, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*head)
    }

    fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_le_bytes)
    }
}
