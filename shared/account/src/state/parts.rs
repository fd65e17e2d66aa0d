//! The set divided into parts, each the text of a record, and what is known of those that lie at
//! relays. PROTOCOL.md section 13.
//!
//! Invariant: at no moment between two writes do the relays lack an entry that they had. What was
//! found is merged, whatever number of parts it was written under; a part is cut down only after
//! the parts that take over from it are stored.

use super::entry::{Entry, Key, Line, Lines, PLACED_BYTES};
use super::set::{Change, Clock, Set, is_forgotten};
use crate::cbor::{self, Bytes32, Malformed};
use crate::record::SLOT_STATE;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use minicbor::{Decode, Decoder, Encode, Encoder};
use shared::crypto::sha256;
use zeroize::Zeroizing;

/// So many parts there are at most; a power of two.
pub const PARTS_MAX: u8 = 64;
/// A part's text is no longer, so that it fits into a record of 16 KiB.
pub const PART_BYTES_MAX: usize = 15_500;
/// Longer texts are not read.
const READ_BYTES_MAX: usize = 16_384;
/// Higher versions are not read: only a hostile device writes them.
const VERSION_MAX: u64 = 1 << 47;
/// What a text holds beside its entries, bytes at most.
const FRAME_BYTES: usize = 1 + 1 + 9 + 1 + 2 + 1 + 3 + 1 + 34;

/// Where a key lies among the parts, however many there are.
pub(super) fn spot(key: &[u8]) -> u8 {
    let placed = key.get(..PLACED_BYTES).unwrap_or(key);
    sha256(&[placed])[0]
}

/// The part of so many that a key belongs to.
pub fn part_of(key: &Key, parts: u8) -> u8 {
    spot(&key.bytes()) % parts.max(1)
}

/// The parts of one account, as a device knows them.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub struct Parts {
    #[n(0)]
    count: u8,
    #[n(1)]
    known: BTreeMap<u8, Known>,
    /// Written, and not known to be stored.
    #[n(2)]
    under_way: BTreeMap<u8, Known>,
}

/// A part's text at relays, as far as it matters.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
struct Known {
    #[n(0)]
    version: u64,
    /// Of its text.
    #[n(1)]
    hash: Bytes32,
    /// What of the set was in it; `None` if it lacked something.
    #[n(2)]
    content: Option<Bytes32>,
    /// The number of parts it was written under.
    #[n(3)]
    under: u8,
}

/// A text to be put into the record of a part.
#[derive(Debug)]
pub struct Written {
    pub version: u64,
    pub text: Zeroizing<Vec<u8>>,
    /// Entries that the set has forgotten meanwhile: their rows go.
    pub forgotten: Vec<Key>,
}

/// What a part that was found brought.
#[derive(Debug)]
pub struct Found {
    pub version: u64,
    /// What it changed in the set.
    pub changes: Vec<(Key, Change)>,
    /// Entries that were not taken, because the set is full.
    pub refused: usize,
    /// Entries of the set that belong there are missing, or older: it has to be written again.
    pub lacks: bool,
    /// A text of a higher version was known before.
    pub is_older: bool,
}

/// The entries of one part need more than a record has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

impl Default for Parts {
    fn default() -> Parts {
        Parts::new()
    }
}

impl Parts {
    pub fn new() -> Parts {
        Parts {
            count: 1,
            known: BTreeMap::new(),
            under_way: BTreeMap::new(),
        }
    }

    /// How many there are: those to be looked for.
    pub fn count(&self) -> u8 {
        self.count
    }

    pub fn slot(part: u8) -> u16 {
        SLOT_STATE + u16::from(part)
    }

    /// The part whose record lies in a slot, if one does.
    pub fn of_slot(slot: u16) -> Option<u8> {
        let part = u8::try_from(slot.checked_sub(SLOT_STATE)?).ok()?;
        (part < PARTS_MAX).then_some(part)
    }

    /// The parts to be written, because the set changed or relays lack some of it. One that is to
    /// be cut down comes only once those that take over are [`Parts::stored`]: ask again then.
    pub fn due(&mut self, set: &Set) -> Vec<u8> {
        self.grow(set);
        let contents = contents(set, self.count);
        let is_now = |known: Option<&Known>, part: u8| {
            let now = contents.get(usize::from(part));
            known.is_some_and(|known| known.content.as_ref() == now)
        };
        let written =
            |part| is_now(self.known.get(&part), part) || is_now(self.under_way.get(&part), part);
        let parts = (0..self.count).rev();
        parts
            .filter(|part| !written(*part) && !self.waits(*part))
            .collect()
    }

    /// Whether relays have all of the set.
    pub fn stand(&self, set: &Set) -> bool {
        let contents = contents(set, self.count);
        (0..self.count).all(|part| {
            let known = self
                .known
                .get(&part)
                .and_then(|known| known.content.as_ref());
            known.is_some() && known == contents.get(usize::from(part))
        })
    }

    /// Whether a part's record holds entries that now belong into others, which do not stand yet.
    fn waits(&self, part: u8) -> bool {
        let Some(under) = self.known.get(&part).map(|known| known.under) else {
            return false;
        };
        let stands = |taker| {
            let known = self.known.get(&taker);
            known.is_some_and(|known| known.under == self.count && known.content.is_some())
        };
        let takers = (part..self.count).step_by(usize::from(under.max(1)));
        takers.skip(1).any(|taker| !stands(taker))
    }

    /// The text of a part as the set is now, of a version above all that were seen.
    pub fn write(&mut self, part: u8, set: &mut Set, clock: Clock) -> Result<Written, TooLong> {
        self.grow(set);
        let count = self.count;
        let belongs = |key: &Key| part_of(key, count) == part;
        let forgotten = set.forget(clock, |key| match key.is_for_devices() {
            true => part == 0,
            false => belongs(key),
        });
        let (entries, len) = entries_of(set, part, count);
        if FRAME_BYTES + entries.len() > PART_BYTES_MAX {
            return Err(TooLong);
        }
        let before = self.known.get(&part);
        let versions = [before, self.under_way.get(&part)];
        let version = versions.into_iter().flatten().map(|known| known.version);
        let version = version.max().unwrap_or(0) + 1;
        let text = Text {
            version,
            count,
            len,
            entries: &entries,
            before: before.map_or(Bytes32([0; 32]), |known| known.hash),
        };
        let text = text.encode();
        let known = Known {
            version,
            hash: Bytes32(sha256(&[&text])),
            content: Some(content(count, &entries)),
            under: count,
        };
        self.under_way.insert(part, known);
        Ok(Written {
            version,
            text,
            forgotten,
        })
    }

    /// A relay has stored what was written in that version.
    pub fn stored(&mut self, part: u8, version: u64) {
        let Some(written) = self.under_way.get(&part).filter(|w| w.version == version) else {
            return;
        };
        let newer = |known: &Known| known.version > version;
        if !self.known.get(&part).is_some_and(newer) {
            self.known.insert(part, written.clone());
        }
        self.under_way.remove(&part);
    }

    /// What was written will not be stored: the part is due as before.
    pub fn given_up(&mut self, part: u8) {
        self.under_way.remove(&part);
    }

    /// Relays have nothing of a part, or only what is older: it has to be written again.
    pub fn missing(&mut self, part: u8) {
        if let Some(known) = self.known.get_mut(&part) {
            known.content = None;
        }
    }

    /// Takes the text of a part that was found, into the set too. Those that could not be looked
    /// into before are to be looked for if [`Parts::count`] is higher now.
    pub fn found(
        &mut self,
        part: u8,
        text: &[u8],
        set: &mut Set,
        clock: Clock,
    ) -> Result<Found, Malformed> {
        let read = Read::of(text)?;
        if part >= read.count {
            return Err(Malformed);
        }
        self.count = self.count.max(read.count);
        let mut found = Found {
            version: read.version,
            changes: Vec::new(),
            refused: 0,
            lacks: false,
            is_older: self
                .known
                .get(&part)
                .is_some_and(|k| k.version > read.version),
        };
        for entry in &read.entries {
            match set.merge(entry.clone(), clock) {
                Ok(Change::Nothing) => {}
                Ok(change) => found.changes.push((entry.key.clone(), change)),
                Err(_) => found.refused += 1,
            }
        }
        if !found.is_older {
            found.lacks = self.lacks(part, &read, set, clock);
            self.learn(part, &read, text, found.lacks, set);
        }
        Ok(found)
    }

    /// Whether entries of ours that belong into a part are missing in what was found, or older.
    /// Deleted ones that others may have forgotten do not count.
    fn lacks(&self, part: u8, read: &Read, set: &Set, clock: Clock) -> bool {
        let there: BTreeMap<&Key, &Entry> = read.entries.iter().map(|e| (&e.key, e)).collect();
        let gone = |entry: &Entry| entry.value.is_none() && is_forgotten(entry, 0, clock);
        let mut ours = members(set, part, self.count).filter(|entry| !gone(entry));
        ours.any(|entry| there.get(&entry.key).is_none_or(|there| entry.beats(there)))
    }

    fn learn(&mut self, part: u8, read: &Read, text: &[u8], lacks: bool, set: &Set) {
        let stands = !lacks && read.count == self.count;
        let (entries, _) = entries_of(set, part, self.count);
        let known = Known {
            version: read.version,
            hash: Bytes32(sha256(&[text])),
            content: stands.then(|| content(self.count, &entries)),
            under: read.count,
        };
        // Of one version two texts may have been written: which one stays is for relays to say.
        let passed = |written: &Known| written.version <= read.version;
        if self.under_way.get(&part).is_some_and(passed) {
            self.under_way.remove(&part);
        }
        self.known.insert(part, known);
    }

    /// Doubles the number of parts as long as one is too long.
    fn grow(&mut self, set: &Set) {
        while self.count < PARTS_MAX && longest(set, self.count) > PART_BYTES_MAX {
            self.count *= 2;
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Parts, Malformed> {
        let parts: Parts = cbor::from_slice(bytes)?;
        match is_count(parts.count) {
            true => Ok(parts),
            false => Err(Malformed),
        }
    }
}

/// Whether an entry can be written in the greatest number of parts. One that makes nothing longer
/// always can.
pub(super) fn has_room(set: &Set, entry: &Entry) -> bool {
    if entry.key.is_for_devices() {
        return true;
    }
    let held = set.entry(&entry.key);
    if held.is_some_and(|held| entry.encode().len() <= held.encode().len()) {
        return true;
    }
    let part = part_of(&entry.key, PARTS_MAX);
    let others = members(set, part, PARTS_MAX).filter(|held| held.key != entry.key);
    let (bytes, _) = in_order(others.chain([entry]).collect());
    FRAME_BYTES + bytes.len() <= PART_BYTES_MAX
}

fn is_count(count: u8) -> bool {
    count.is_power_of_two() && count <= PARTS_MAX
}

fn members(set: &Set, part: u8, count: u8) -> impl Iterator<Item = &Entry> {
    set.placed()
        .filter(move |(spot, entry)| spot % count == part && !entry.key.is_for_devices())
        .map(|(_, entry)| entry)
}

/// A part's entries as they are written, one behind the other, and their number.
fn entries_of(set: &Set, part: u8, count: u8) -> (Zeroizing<Vec<u8>>, u64) {
    in_order(members(set, part, count).collect())
}

fn in_order(entries: Vec<&Entry>) -> (Zeroizing<Vec<u8>>, u64) {
    let mut keyed: Vec<(Vec<u8>, &Entry)> = entries
        .into_iter()
        .map(|entry| (entry.key.bytes(), entry))
        .collect();
    keyed.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let mut out = Zeroizing::new(Vec::with_capacity(READ_BYTES_MAX));
    let mut before: Option<(&Entry, &[u8])> = None;
    for (key, entry) in &keyed {
        // A vector takes everything.
        let _ = minicbor::encode(Line::after(entry, key, before), &mut *out);
        before = Some((entry, key));
    }
    (out, keyed.len() as u64)
}

/// Of the longest part's text, bytes at most.
fn longest(set: &Set, count: u8) -> usize {
    let lens = (0..count).map(|part| entries_of(set, part, count).0.len());
    FRAME_BYTES + lens.max().unwrap_or(0)
}

fn contents(set: &Set, count: u8) -> Vec<Bytes32> {
    let of = |part| content(count, &entries_of(set, part, count).0);
    (0..count).map(of).collect()
}

fn content(count: u8, entries: &[u8]) -> Bytes32 {
    Bytes32(sha256(&[b"wm-part", &[count], entries]))
}

/// A text as it is written.
struct Text<'a> {
    version: u64,
    count: u8,
    len: u64,
    entries: &'a [u8],
    before: Bytes32,
}

impl Text<'_> {
    fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(FRAME_BYTES + self.entries.len()));
        let mut front = Encoder::new(&mut *out);
        // A vector takes everything.
        let _ = front
            .map(4)
            .and_then(|e| e.u8(0)?.u64(self.version))
            .and_then(|e| e.u8(1)?.u8(self.count))
            .and_then(|e| e.u8(2)?.array(self.len));
        out.extend_from_slice(self.entries);
        let mut back = Encoder::new(&mut *out);
        let _ = back.u8(3).and_then(|e| e.bytes(&self.before.0));
        out
    }
}

/// A text that was read.
#[derive(Default)]
struct Read {
    version: u64,
    count: u8,
    entries: Vec<Entry>,
}

impl Read {
    fn of(text: &[u8]) -> Result<Read, Malformed> {
        if text.len() > READ_BYTES_MAX {
            return Err(Malformed);
        }
        let mut from = Decoder::new(text);
        let read = Read::decode(&mut from).map_err(|_| Malformed)?;
        let right = is_count(read.count) && (1..=VERSION_MAX).contains(&read.version);
        match right && from.position() == text.len() {
            true => Ok(read),
            false => Err(Malformed),
        }
    }

    fn decode(from: &mut Decoder<'_>) -> Result<Read, minicbor::decode::Error> {
        let mut read = Read::default();
        for _ in 0..from.map()?.unwrap_or(0) {
            match from.i64()? {
                0 => read.version = from.u64()?,
                1 => read.count = from.u8()?,
                2 => {
                    let mut lines = Lines::default();
                    let endless = || minicbor::decode::Error::message("no length");
                    for _ in 0..from.array()?.ok_or_else(endless)? {
                        let entry = lines.read(from)?;
                        // Nobody else's business than the devices': not taken from a record.
                        read.entries
                            .extend(entry.filter(|entry| !entry.key.is_for_devices()));
                    }
                }
                _ => from.skip()?,
            }
        }
        Ok(read)
    }
}
