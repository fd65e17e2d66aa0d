//! The QR code that a new device shows: where it waits, and what it is held to. PROTOCOL.md
//! section 15.
//!
//! Invariant: a code is its bytes. Both sides hash them as they are, so whatever is changed in a
//! code makes the numbers that people compare differ.

use crate::invite::HINTS_MAX;
use alloc::{string::String, vec::Vec};
use data_encoding::BASE64URL_NOPAD;
use shared::crypto::sha256;
use shared::time::Millis;
use shared::wire::{Reader, RelayHint};
use zeroize::Zeroizing;

/// What a code begins with, as text.
pub const PREFIX: &str = "wiremin:link/";
/// A code is shown for so long.
pub const SHOWN_MS: Millis = 60_000;
/// By how much the clocks of the two devices may differ, and how long a code may be on its way.
pub const CLOCKS_MS: Millis = 30_000;

const VERSION: u8 = 1;
const SECRET_LEN: usize = 16;
/// With three hints of IPv6 it has 465 characters.
const TEXT_BYTES_MAX: usize = 1_024;

/// s: who has seen the code has it. It leads to the envelopes, and opens nothing in them that
/// matters.
pub(super) type CodeSecret = Zeroizing<[u8; SECRET_LEN]>;

/// What a code says.
#[derive(Clone)]
pub struct LinkCode {
    /// All before the check.
    bytes: Zeroizing<Vec<u8>>,
    pub(super) key_hash: [u8; 32],
    pub(super) commitment: [u8; 32],
    pub(super) secret: CodeSecret,
    /// When it was shown first, Unix seconds by the clock of who shows it.
    pub time: u32,
    /// Relays at which the new device waits, 1 to 3.
    pub hints: Vec<RelayHint>,
}

impl core::fmt::Debug for LinkCode {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("LinkCode(..)")
    }
}

/// Why a text that was scanned links no device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// It is something else.
    NotACode,
    /// Cut off or changed: scan it again.
    Mangled,
    /// Made by a newer program.
    NewerVersion { version: u8 },
    /// It was shown so many seconds ago: the other device shows a new one by now. Or one of the
    /// clocks is wrong.
    Old { seconds: u32 },
    /// It says that it will be shown in so many seconds: one of the clocks is wrong.
    Ahead { seconds: u32 },
    /// It names no relay that this program can dial.
    NoHints,
}

impl LinkCode {
    /// Only the first three hints are in it; with two it is scanned more easily.
    pub(super) fn new(
        key_hash: [u8; 32],
        commitment: [u8; 32],
        secret: CodeSecret,
        now: Millis,
        hints: &[RelayHint],
    ) -> LinkCode {
        let time = u32::try_from(now / 1000).unwrap_or(u32::MAX);
        let hints = hints.get(..HINTS_MAX).unwrap_or(hints).to_vec();
        let mut bytes = Zeroizing::new(alloc::vec![VERSION]);
        bytes.extend_from_slice(&key_hash);
        bytes.extend_from_slice(&commitment);
        bytes.extend_from_slice(&secret[..]);
        bytes.extend_from_slice(&time.to_le_bytes());
        bytes.push(hints.len() as u8);
        for hint in &hints {
            bytes.extend_from_slice(&hint.encode());
        }
        LinkCode {
            bytes,
            key_hash,
            commitment,
            secret,
            time,
            hints,
        }
    }

    /// Whether a text is meant as a code, be it a good one or not.
    pub fn is_meant(text: &str) -> bool {
        let start = text.trim().get(..PREFIX.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
    }

    /// Reads what was scanned or pasted. `now` is assumed time (Unix ms).
    pub fn parse(text: &str, now: Millis) -> Result<LinkCode, CodeError> {
        if text.len() > TEXT_BYTES_MAX || !LinkCode::is_meant(text) {
            return Err(CodeError::NotACode);
        }
        let encoded = text.trim().get(PREFIX.len()..).unwrap_or_default();
        let bytes = BASE64URL_NOPAD.decode(encoded.as_bytes());
        let bytes = Zeroizing::new(bytes.map_err(|_| CodeError::Mangled)?);
        let code = LinkCode::read(&bytes)?;
        let shown = Millis::from(code.time) * 1000;
        let seconds = |ms: Millis| u32::try_from(ms / 1000).unwrap_or(u32::MAX);
        if now > shown + SHOWN_MS + CLOCKS_MS {
            let seconds = seconds(now - shown);
            return Err(CodeError::Old { seconds });
        }
        if shown > now.saturating_add(CLOCKS_MS) {
            let seconds = seconds(shown - now);
            return Err(CodeError::Ahead { seconds });
        }
        Ok(code)
    }

    fn read(bytes: &[u8]) -> Result<LinkCode, CodeError> {
        let (all, check) = bytes.split_last_chunk::<4>().ok_or(CodeError::Mangled)?;
        let right = checked(all) == *check;
        let (&version, rest) = all.split_first().ok_or(CodeError::Mangled)?;
        if !right || version == 0 {
            return Err(CodeError::Mangled);
        }
        if version > VERSION {
            return Err(CodeError::NewerVersion { version });
        }
        let code = Self::fields(all, &mut Reader::new(rest)).ok_or(CodeError::Mangled)?;
        match code.hints.is_empty() {
            true => Err(CodeError::NoHints),
            false => Ok(code),
        }
    }

    /// A hint of an unknown kind ends the list: its length is not known.
    fn fields(all: &[u8], r: &mut Reader<'_>) -> Option<LinkCode> {
        let (key_hash, commitment) = (r.array().ok()?, r.array().ok()?);
        let secret = Zeroizing::new(r.array().ok()?);
        let time = r.u32().ok()?;
        let count = usize::from(r.u8().ok()?);
        let hints = (0..count.min(HINTS_MAX)).map_while(|_| RelayHint::read(r).ok());
        Some(LinkCode {
            hints: hints.collect(),
            bytes: Zeroizing::new(all.to_vec()),
            key_hash,
            commitment,
            secret,
            time,
        })
    }

    /// What the QR code holds, in its byte mode.
    pub fn text(&self) -> String {
        let all = [&self.bytes[..], &checked(&self.bytes)].concat();
        let mut text = String::from(PREFIX);
        BASE64URL_NOPAD.encode_append(&all, &mut text);
        text
    }

    pub(super) fn hash(&self) -> [u8; 32] {
        sha256(&[&self.bytes])
    }
}

fn checked(bytes: &[u8]) -> [u8; 4] {
    let [a, b, c, d, ..] = sha256(&[b"wm-link-code", bytes]);
    [a, b, c, d]
}
