//! Records from their owner's side and their readers': what is written under a blinded key, found
//! by who has the read secret, and opened. PROTOCOL.md section 4.
//!
//! Invariant: a record that was opened was written by the account it was looked up for, in that
//! slot and period.

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
/// Slot of invitations' records, each under a read secret of its own.
pub const SLOT_INVITATION: u16 = 16;
/// Period of records that are not found by date: invitations.
pub const NO_PERIOD: u32 = 0;

const PERIOD_HOURS: u32 = 720;
/// Front bytes that are bound into the text: key, slot and version.
const BOUND_BYTES: usize = 42;
/// A Find matches about that many records of the relay's.
const CROWD: u32 = 64;

/// The period a record is written in at that hour.
pub fn period(hour: u32) -> u32 {
    hour / PERIOD_HOURS
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
}

/// Who writes, and what relays ask for.
#[derive(Clone, Copy, Debug)]
pub struct Author<'a> {
    pub account: &'a SigningKey,
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
    let owner = w.by.account.public();
    let blinded = BlindedKey::new(w.by.account, &blinding(&owner, w.read, w.slot, w.period));
    let (address, tag) = place(blinded.public().as_bytes(), w.slot);
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
    body.extend_from_slice(blinded.public().as_bytes());
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
    body.resize(RECORD_SIGNED_BYTES, 0);
    let signature = blinded.sign(&[b"wm-record", &front.encode(), &body, &text]);
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

/// Bits and prefix (the rest zero) of a Find that tells a relay with so many live records in a
/// range of this size no more than that one of about 64 of them is wanted.
pub fn find_prefix(place: &Place, live_records: u32, range: Range) -> (u8, u64) {
    let bits = (live_records / CROWD).checked_ilog2().unwrap_or(0) as u8 + range.bits();
    let rest = u64::MAX.checked_shr(u32::from(bits)).unwrap_or(0);
    (bits, record_key(place.address, &place.tag) & !rest)
}

fn blinding(owner: &PublicKey, read: &[u8; 32], slot: u16, period: u32) -> [u8; 32] {
    let (slot, period) = (slot.to_le_bytes(), period.to_le_bytes());
    sha256(&[b"wm-blind", owner.as_bytes(), read, &slot, &period])
}

/// `bound` is A' || slot || version.
fn text_key(read: &[u8; 32], bound: &[u8]) -> Key {
    kdf_key(&[read], "record", &[bound])
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const READ: [u8; 32] = [7; 32];

    fn writing(account: &SigningKey) -> Writing<'_> {
        Writing {
            by: Author {
                account,
                version: 3,
                effort: 0,
                network: 5,
            },
            read: &READ,
            slot: 1,
            period: 9,
            size: SizeClass::KIB_2,
            lifetime: Lifetime::H168,
            expiry: 9 * 720 + 100,
        }
    }

    #[test]
    fn who_may_read_finds_and_opens() {
        let account = SigningKey::from_bytes(&[1; 32]);
        let w = writing(&account);
        let sealed = write(&w, b"text", &[4; 32]).unwrap();
        assert_eq!(sealed.body.len(), 2048);
        let place = Place::find(&account.public(), &READ, 1, 9);
        let opened = open(&place, &READ, &sealed.header, &sealed.body, 9 * 720).unwrap();
        assert_eq!(
            opened,
            Opened {
                version: 3,
                text: b"text".into()
            }
        );
        assert!(!opened.is_tombstone());
        let gone = write(
            &Writing {
                by: Author { version: 4, ..w.by },
                ..w
            },
            b"",
            &[4; 32],
        )
        .unwrap();
        assert!(
            open(&place, &READ, &gone.header, &gone.body, 0)
                .unwrap()
                .is_tombstone()
        );

        // Room: front, nonce, length and tag are taken off.
        let most = 2048 - 218 - 16 - 2;
        let full = write(&w, &alloc::vec![1; most], &[4; 32]).unwrap();
        assert_eq!(
            open(&place, &READ, &full.header, &full.body, 0)
                .unwrap()
                .text
                .len(),
            most
        );
        assert_eq!(
            write(&w, &alloc::vec![1; most + 1], &[4; 32]),
            Err(WriteError::TooLong)
        );
    }

    #[test]
    fn places_do_not_link() {
        let account = SigningKey::from_bytes(&[1; 32]).public();
        let base = Place::find(&account, &READ, 1, 9);
        for other in [
            Place::find(&SigningKey::from_bytes(&[2; 32]).public(), &READ, 1, 9),
            Place::find(&account, &[8; 32], 1, 9),
            Place::find(&account, &READ, 16, 9),
            Place::find(&account, &READ, 1, 10),
        ] {
            assert_ne!(other.blinded, base.blinded);
            assert_ne!(other.tag, base.tag);
        }
    }

    #[test]
    fn any_change_is_noticed() {
        let account = SigningKey::from_bytes(&[1; 32]);
        let sealed = write(&writing(&account), b"text", &[4; 32]).unwrap();
        let place = Place::find(&account.public(), &READ, 1, 9);
        let read = |header: &Header, body: &[u8]| open(&place, &READ, header, body, 0);
        // Every signed byte of the front, and some of the text.
        for at in (0..218).chain((218..2048).step_by(97)) {
            let mut body = sealed.body.clone();
            body[at] ^= 1;
            assert!(read(&sealed.header, &body).is_err(), "byte {at}");
        }
        for at in 0..32 {
            let mut bytes = sealed.header.encode();
            bytes[at] ^= 1;
            if let Ok(header) = Header::parse(&bytes) {
                assert!(read(&header, &sealed.body).is_err(), "byte {at}");
            }
        }
        // Written by somebody else who may read: the place is another one.
        let thief = SigningKey::from_bytes(&[3; 32]);
        let forged = write(&writing(&thief), b"text", &[4; 32]).unwrap();
        assert_eq!(
            read(&forged.header, &forged.body),
            Err(OpenError::Elsewhere)
        );
        let wrong = open(&place, &[8; 32], &sealed.header, &sealed.body, 0);
        assert_eq!(wrong, Err(OpenError::Forged));
    }

    #[test]
    fn prefixes_keep_a_crowd() {
        let owner = SigningKey::from_bytes(&[1; 32]).public();
        let place = Place {
            address: u32::MAX,
            tag: [0xff; 16],
            ..Place::find(&owner, &READ, 1, 9)
        };
        let prefix = |records, bits| find_prefix(&place, records, Range::of(0, bits));
        assert_eq!(prefix(0, 0), (0, 0));
        assert_eq!(prefix(127, 0), (0, 0));
        assert_eq!(prefix(128, 0), (1, 1 << 63));
        assert_eq!(prefix(u32::MAX, 0), (25, u64::MAX << 39));
        // So many in a part of all.
        assert_eq!(prefix(0, 3), (3, u64::MAX << 61));
        assert_eq!(prefix(128, 3), (4, u64::MAX << 60));
        assert_eq!(prefix(u32::MAX, 32), (57, u64::MAX << 7));
    }
}
