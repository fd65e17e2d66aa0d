//! Records from their owner's side and their readers': what is written under a blinded key, found
//! by who has the read secret, and opened. PROTOCOL.md section 4.
//!
//! Invariant: a record that was opened was written by the account it was looked up for, in that
//! slot and period.

use crate::delegation::{DELEGATION_LEN, Delegation};
use crate::sealed::{Sealed, seal};
use alloc::vec::Vec;
use shared::crypto::{
    self, BlindedKey, Key, PublicKey, SEAL_OVERHEAD, SigningKey, blind_public, kdf_key, sha256,
};
use shared::object::record::{RECORD_FRONT_BYTES, RECORD_SIGNED_BYTES, check, place};
use shared::range::Range;
use shared::wire::header::record_key;
use shared::wire::{Front, Header, Kind, Lifetime, SizeClass};

/// Slot of the epoch keys' record.
pub const SLOT_EPOCH_KEYS: u16 = 1;
/// Slot of the profile: name, what they say of themselves, picture.
pub const SLOT_PROFILE: u16 = 2;
/// Slot of the root: what leads who has the words to the state.
pub const SLOT_ROOT: u16 = 3;
/// Slot of invitations' records, each under a read secret of its own.
pub const SLOT_INVITATION: u16 = 16;
/// Slot of part 0 of the state; part n is n slots behind it.
pub const SLOT_STATE: u16 = 32;
/// Period of records that are not found by date: invitations.
pub const NO_PERIOD: u32 = 0;

const PERIOD_HOURS: u32 = 720;
/// A period that begins within so many hours is read too: a writer's clock may run ahead.
const NEXT_PERIOD_HOURS: u32 = 2;
/// Front bytes that are bound into the text: key, slot and version.
const BOUND_BYTES: usize = 42;
/// A Find matches about that many records of the relay's.
const CROWD: u32 = 64;

/// The period a record is written in at that hour.
pub fn period(hour: u32) -> u32 {
    hour / PERIOD_HOURS
}

/// How long a record of that slot lives.
pub fn lifetime(slot: u16) -> Lifetime {
    match slot {
        SLOT_EPOCH_KEYS => Lifetime::H168,
        _ => Lifetime::H4320,
    }
}

/// The periods in which a live record of that slot may have been written, newest first.
pub fn periods(slot: u16, hour: u32) -> impl Iterator<Item = u32> {
    let newest = period(hour.saturating_add(NEXT_PERIOD_HOURS));
    let oldest = period(hour.saturating_sub(lifetime(slot).hours()));
    (oldest..=newest).rev()
}

/// Where the newest record of `owner` in this slot may lie at that hour, the most likely place
/// first.
pub fn places(owner: &PublicKey, read: &[u8; 32], slot: u16, hour: u32) -> Vec<Place> {
    places_since(owner, read, slot, hour, 0)
}

/// The same, of one that was written at the hour `since` or later by its writer's clock.
pub fn places_since(
    owner: &PublicKey,
    read: &[u8; 32],
    slot: u16,
    hour: u32,
    since: u32,
) -> Vec<Place> {
    let first = period(since.min(hour).saturating_sub(NEXT_PERIOD_HOURS));
    periods(slot, hour)
        .filter(|period| *period >= first)
        .map(|period| Place::find(owner, read, slot, period))
        .collect()
}

/// The least size that a text fits into.
pub fn least_size(text: &[u8]) -> Option<SizeClass> {
    let sizes = [
        SizeClass::KIB_1,
        SizeClass::KIB_2,
        SizeClass::KIB_4,
        SizeClass::KIB_8,
        SizeClass::KIB_16,
    ];
    sizes.into_iter().find(|size| text.len() <= room(*size))
}

/// Bytes of text that a record of that size holds.
pub fn room(size: SizeClass) -> usize {
    size.bytes() - RECORD_FRONT_BYTES - (SEAL_OVERHEAD - 12) - 2
}

/// Where somebody's record lies, for who has their read secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub slot: u16,
    pub address: u32,
    pub tag: [u8; 16],
    blinded: PublicKey,
}

impl Place {
    /// The record of `owner` in this slot and period.
    pub fn find(owner: &PublicKey, read: &[u8; 32], slot: u16, period: u32) -> Place {
        let blinded = blind_public(owner, &blinding(owner, read, slot, period));
        let (address, tag) = place(blinded.as_bytes(), slot);
        Place {
            slot,
            address,
            tag,
            blinded,
        }
    }

    /// Whether that device may write here by this leave what lives until `expiry`.
    pub fn allows(&self, leave: &Delegation, device: &PublicKey, expiry: u32) -> bool {
        leave.allows(&self.blinded, self.slot, device, expiry)
    }
}

/// Who signs a record.
#[derive(Clone, Copy, Debug)]
pub enum Signer<'a> {
    /// The account itself.
    Account(&'a SigningKey),
    /// A device of it that has not the seed, for what it was given leave to write.
    Delegate {
        owner: &'a PublicKey,
        device: &'a SigningKey,
        leave: &'a Delegation,
    },
}

impl Signer<'_> {
    /// The account whose record it is.
    pub fn owner(&self) -> PublicKey {
        match self {
            Signer::Account(account) => account.public(),
            Signer::Delegate { owner, .. } => **owner,
        }
    }
}

/// Who writes, and what relays ask for.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    pub signer: Signer<'a>,
    /// Higher than every one written before in that slot and period.
    pub version: u64,
    pub effort: u8,
    pub network: u32,
}

/// What goes around a text that is written.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    pub by: Author<'a>,
    pub read: &'a [u8; 32],
    pub slot: u16,
    pub period: u32,
    pub size: SizeClass,
    pub lifetime: Lifetime,
    /// Hour at which it is dropped, at most `lifetime` + 2 from now.
    pub expiry: u32,
}

/// Why a record was not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteError {
    /// The text does not fit into that size.
    TooLong,
    /// The delegation is for another device, slot or period, or over before the record is.
    NotDelegated,
}

/// Why a record was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenError {
    /// It is another record than the one looked for.
    Elsewhere,
    /// Not a record, or a signature or delegation that does not hold.
    Invalid(shared::object::RecordError),
    /// The text was not sealed under this read secret.
    Forged,
}

/// An opened record. An empty text is a tombstone: the owner took it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    pub version: u64,
    pub text: Vec<u8>,
}

impl Opened {
    pub fn is_tombstone(&self) -> bool {
        self.text.is_empty()
    }
}

/// Writes a record; a text of length 0 is a tombstone. `fresh` is new randomness.
pub fn write(w: &Writing, text: &[u8], fresh: &[u8; 32]) -> Result<Sealed, WriteError> {
    match w.by.signer {
        Signer::Account(account) => {
            let owner = account.public();
            let blinded = BlindedKey::new(account, &blinding(&owner, w.read, w.slot, w.period));
            let sign = |parts: &[&[u8]]| blinded.sign(parts);
            seal_signed(w, blinded.public(), &[0; DELEGATION_LEN], sign, text, fresh)
        }
        Signer::Delegate {
            owner,
            device,
            leave,
        } => {
            let blinded = blind_public(owner, &blinding(owner, w.read, w.slot, w.period));
            if !leave.allows(&blinded, w.slot, &device.public(), w.expiry) {
                return Err(WriteError::NotDelegated);
            }
            let sign = |parts: &[&[u8]]| device.sign(parts);
            seal_signed(w, blinded, &leave.to_bytes(), sign, text, fresh)
        }
    }
}

fn seal_signed(
    w: &Writing,
    blinded: PublicKey,
    delegation: &[u8; DELEGATION_LEN],
    sign: impl Fn(&[&[u8]]) -> [u8; 64],
    text: &[u8],
    fresh: &[u8; 32],
) -> Result<Sealed, WriteError> {
    let (address, tag) = place(blinded.as_bytes(), w.slot);
    let front = Front {
        kind: Kind::Record,
        size: w.size,
        lifetime: w.lifetime,
        effort: w.by.effort,
        expiry: w.expiry,
        address,
        network: w.by.network,
    };
    let mut body = Vec::with_capacity(w.size.bytes());
    body.extend_from_slice(blinded.as_bytes());
    body.extend_from_slice(&w.slot.to_le_bytes());
    body.extend_from_slice(&w.by.version.to_le_bytes());
    let padded = crypto::pad(
        text,
        w.size.bytes() - RECORD_FRONT_BYTES - SEAL_OVERHEAD + 12,
    )
    .map_err(|_| WriteError::TooLong)?;
    let key = text_key(w.read, &body);
    let aad = [&front.encode()[..], &body].concat();
    let text = seal(&key, fresh, &aad, &padded);
    body.extend_from_slice(delegation);
    debug_assert_eq!(body.len(), RECORD_SIGNED_BYTES);
    let signature = sign(&[b"wm-record", &front.encode(), &body, &text]);
    body.extend_from_slice(&signature);
    body.extend_from_slice(&text);
    Ok(Sealed {
        header: front.header(tag, &body),
        body,
    })
}

/// Opens the record of a place. `hour` is the time a delegation must reach.
pub fn open(
    place: &Place,
    read: &[u8; 32],
    header: &Header,
    body: &[u8],
    hour: u32,
) -> Result<Opened, OpenError> {
    if (header.address, header.tag) != (place.address, place.tag) {
        return Err(OpenError::Elsewhere);
    }
    let record = check(header, body, hour).map_err(OpenError::Invalid)?;
    if record.owner != *place.blinded.as_bytes() || record.slot != place.slot {
        return Err(OpenError::Elsewhere);
    }
    let bound = body.get(..BOUND_BYTES).ok_or(OpenError::Forged)?;
    let aad = [&header.front.encode()[..], bound].concat();
    let padded =
        crypto::open(&text_key(read, bound), &aad, record.sealed).map_err(|_| OpenError::Forged)?;
    let text = crypto::unpad(&padded).map_err(|_| OpenError::Forged)?;
    Ok(Opened {
        version: record.version,
        text: text.into(),
    })
}

/// Whether a Find of such a relay names no prefix at all.
pub fn gives_all(live_records: u32, range: Range) -> bool {
    prefix_bits(live_records, range) == 0
}

fn prefix_bits(live_records: u32, range: Range) -> u8 {
    (live_records / CROWD).checked_ilog2().unwrap_or(0) as u8 + range.bits()
}

/// Bits and prefix (the rest zero) of a Find that tells a relay with so many live records in a
/// range of this size no more than that one of about 64 of them is wanted.
pub fn find_prefix(place: &Place, live_records: u32, range: Range) -> (u8, u64) {
    let bits = prefix_bits(live_records, range);
    let rest = u64::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
    (bits, record_key(place.address, &place.tag) & !rest)
}

/// What the account's key for one slot, period and read secret is blinded with.
pub(crate) fn blinding(owner: &PublicKey, read: &[u8; 32], slot: u16, period: u32) -> [u8; 32] {
    let (slot, period) = (slot.to_le_bytes(), period.to_le_bytes());
    sha256(&[b"wm-blind", owner.as_bytes(), read, &slot, &period])
}

/// `bound` is A' || slot || version.
fn text_key(read: &[u8; 32], bound: &[u8]) -> Key {
    kdf_key(&[read], "record", &[bound])
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
