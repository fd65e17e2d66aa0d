//! A bundle cut into envelopes, and put together again. PROTOCOL.md section 15.
//!
//! Invariant: a part opens only in its place of its own run, and only as the last one if it is.
//! What comes out is what went in, whole, whatever order the parts came in; a run takes 8 MiB at
//! most.

use super::Failure;
use super::bundle::Bundle;
use super::exchange::{Agreed, Meeting, Message, Moment, open_inner};
use crate::sealed::Sealed;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use shared::crypto::{Rng, TooLong};
use zeroize::Zeroizing;

/// Longest bundle, bytes.
pub const BUNDLE_BYTES_MAX: usize = 8 << 20;
/// Envelopes of such a one.
pub const CHUNKS_MAX: u16 = (FRAME_BYTES + BUNDLE_BYTES_MAX).div_ceil(PART_BYTES) as u16;
/// Bundle in one envelope.
pub(super) const PART_BYTES: usize = Message::chunk_text_len();
/// In front of the bundle stands its length.
const FRAME_BYTES: usize = 4;

/// A bundle on its way out.
pub(super) struct Outgoing {
    text: Zeroizing<Vec<u8>>,
    next: u16,
}

impl Outgoing {
    pub fn new(bundle: &Bundle) -> Result<Outgoing, TooLong> {
        let bytes = bundle.encode()?;
        let mut text = Zeroizing::new(Vec::with_capacity(FRAME_BYTES + bytes.len()));
        text.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
        text.extend_from_slice(&bytes);
        Ok(Outgoing { text, next: 0 })
    }

    /// A single empty part: nothing will come.
    pub fn refusal() -> Outgoing {
        let text = Zeroizing::new(Vec::new());
        Outgoing { text, next: 0 }
    }

    pub fn count(&self) -> u16 {
        self.text.len().div_ceil(PART_BYTES).max(1) as u16
    }

    pub fn is_done(&self) -> bool {
        self.next >= self.count()
    }

    /// The next part, sealed; `None` behind the last one.
    pub fn next(
        &mut self,
        meeting: &Meeting,
        agreed: &Agreed,
        at: &Moment,
        rng: &mut Rng,
    ) -> Option<Sealed> {
        let (number, count) = (self.next, self.count());
        if number >= count {
            return None;
        }
        self.next += 1;
        let from = usize::from(number) * PART_BYTES;
        let to = self.text.len().min(from + PART_BYTES);
        let part = self.text.get(from..to)?;
        let key = agreed.chunk_key(number, self.next == count);
        Some(meeting.put_sealed(Message::Chunk(number), (&[], &key), part, at, rng))
    }
}

/// A bundle on its way in.
pub(super) struct Incoming {
    /// Parts that are awaited, by their locator.
    awaited: BTreeMap<u64, u16>,
    parts: BTreeMap<u16, Zeroizing<Vec<u8>>>,
    /// Known from the first part, or from the last one.
    count: Option<u16>,
}

/// What has come so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    Some {
        have: u16,
        of: Option<u16>,
    },
    Whole,
    /// The other side says no.
    Refusal,
}

impl Incoming {
    pub fn new(meeting: &Meeting) -> Incoming {
        let locator = |number| (meeting.locator(Message::Chunk(number)), number);
        Incoming {
            awaited: (0..CHUNKS_MAX).map(locator).collect(),
            parts: BTreeMap::new(),
            count: None,
        }
    }

    pub fn awaited(&self) -> impl Iterator<Item = u64> {
        self.awaited.keys().copied()
    }

    /// The number of the part that an awaited locator leads to.
    pub fn number(&self, locator: u64) -> Option<u16> {
        self.awaited.get(&locator).copied()
    }

    /// Takes a part that lay under an awaited locator, its outer seal opened.
    pub fn take(
        &mut self,
        number: u16,
        sealed: &[u8],
        agreed: &Agreed,
    ) -> Result<Progress, Failure> {
        let (text, is_last) = self.open(number, sealed, agreed)?;
        if number == 0 && is_last && text.is_empty() {
            return Ok(Progress::Refusal);
        }
        if !is_last && text.len() != PART_BYTES {
            return Err(Failure::Malformed);
        }
        if is_last {
            self.learn_count(number + 1)?;
        }
        if number == 0 {
            self.learn_count(count_told(&text)?)?;
        }
        self.parts.insert(number, text);
        self.awaited.retain(|_, awaited| *awaited != number);
        let have = self.parts.len() as u16;
        match self.count == Some(have) {
            true => Ok(Progress::Whole),
            false => Ok(Progress::Some {
                have,
                of: self.count,
            }),
        }
    }

    /// With whether it is the last one.
    fn open(
        &self,
        number: u16,
        sealed: &[u8],
        agreed: &Agreed,
    ) -> Result<(Zeroizing<Vec<u8>>, bool), Failure> {
        let can_be = |last: &bool| {
            self.count
                .is_none_or(|count| *last == (number + 1 == count))
        };
        [false, true]
            .into_iter()
            .filter(can_be)
            .find_map(|last| {
                Some((
                    open_inner(&agreed.chunk_key(number, last), sealed).ok()?,
                    last,
                ))
            })
            .ok_or(Failure::Disturbed)
    }

    /// First and last part have to say the same, and nothing comes behind the last.
    fn learn_count(&mut self, count: u16) -> Result<(), Failure> {
        let beyond = self.parts.keys().any(|number| *number >= count);
        if self.count.is_some_and(|known| known != count) || beyond {
            return Err(Failure::Malformed);
        }
        self.count = Some(count);
        self.awaited.retain(|_, number| *number < count);
        Ok(())
    }

    /// The bundle, if all of it is there.
    pub fn whole(&self) -> Option<Result<Zeroizing<Vec<u8>>, Failure>> {
        let count = self.count?;
        if self.parts.len() != usize::from(count) {
            return None;
        }
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::from(count) * PART_BYTES));
        self.parts
            .values()
            .for_each(|part| bytes.extend_from_slice(part));
        let told = bytes.first_chunk::<FRAME_BYTES>().copied();
        let told = told.map(|told| u32::from_le_bytes(told) as usize);
        if told != bytes.len().checked_sub(FRAME_BYTES) {
            return Some(Err(Failure::Malformed));
        }
        bytes.drain(..FRAME_BYTES);
        Some(Ok(bytes))
    }
}

/// How many parts there are, by the length in the first one.
fn count_told(first: &[u8]) -> Result<u16, Failure> {
    let told = first.first_chunk::<FRAME_BYTES>();
    let len = u32::from_le_bytes(*told.ok_or(Failure::Malformed)?) as usize;
    if len > BUNDLE_BYTES_MAX {
        return Err(Failure::Malformed);
    }
    Ok((FRAME_BYTES + len).div_ceil(PART_BYTES) as u16)
}
