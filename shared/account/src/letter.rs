//! What the devices of an account tell each other: items, in the payloads of their own session.
//! PROTOCOL.md section 16. Pure.
//!
//! Invariant: an item that was read is within its bounds; one of a kind that this version does not
//! know, or that is malformed, is passed over, and takes none of the others with it.

use crate::cbor::{self, Malformed};
use crate::epoch_keys::EpochKeys;
use crate::identity::CERTIFICATE_LEN;
use crate::linking::{Leave, SharedContact};
use crate::removal::{REMOVED_MAX, Told};
use crate::session::OWN_BYTES_MAX;
use crate::shown::TEXT_BYTES_MAX;
use crate::state::Entry;
use alloc::boxed::Box;
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Decoder, Encode, Encoder};
use shared::crypto::KemPublic;
use shared::time::Millis;

/// Bytes of items in one letter: an array's head goes before them.
pub const ITEMS_BYTES_MAX: usize = OWN_BYTES_MAX - 3;
/// Items in one letter.
pub const ITEMS_MAX: usize = 255;
/// A longer item is cut into pieces of so many bytes.
pub const PIECE_BYTES_MAX: usize = 2_200;
/// Pieces of one item.
pub const PIECES_MAX: u8 = 64;
/// Higher orders than a conversation can come to are no orders.
const ORDER_MAX: u64 = 1 << 62;

const ENTRY: u8 = 0;
const COPY: u8 = 1;
const SESSION: u8 = 2;
const KEYS: u8 = 3;
const CERTIFICATE: u8 = 4;
const KEM: u8 = 5;
const ANSWERED: u8 = 6;
const AWAY: u8 = 8;
const ALL: u8 = 9;
const PIECE: u8 = 10;
const REMOVED: u8 = 11;

/// One thing that is told.
#[derive(Clone, Debug)]
pub enum Item {
    /// An entry of the state.
    Entry(Entry),
    /// A message of a conversation.
    Copy(Copy),
    /// How a session with a contact stands.
    Session(Box<SharedContact>),
    /// Our epoch keys.
    Keys(EpochKeys),
    /// What a full device issued for another one.
    Certificate(Box<Issued>),
    /// A greeting that was answered on another device.
    Answered(Answered),
    /// This device was away since then (Unix ms), and asks for what happened.
    Away(Away),
    /// That was all for the device that asked so.
    All(All),
    /// Part of an item that is too long for a letter.
    Piece(Piece),
    /// The telling device's X-Wing key.
    Kem(Box<Kem>),
    /// Devices that are gone, and what one that stays goes on with.
    Removed(Box<Told>),
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub struct Kem {
    #[cbor(n(1), with = "cbor::kem_public")]
    pub public: KemPublic,
}

/// A message as another device shows it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Copy {
    #[cbor(n(1), with = "minicbor::bytes")]
    pub who: [u8; 32],
    #[cbor(n(2), with = "minicbor::bytes")]
    pub id: [u8; 16],
    #[n(3)]
    pub mine: bool,
    #[n(4)]
    pub text: String,
    /// When it was written, by its writer's clock, Unix ms.
    #[n(5)]
    pub at: Millis,
    #[n(6)]
    pub order: u64,
    /// When it was taken in or sent, by the telling device's clock.
    #[n(7)]
    pub time: Millis,
    #[n(8)]
    pub delivery: Progress,
}

/// How far a message of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Progress {
    #[n(0)]
    OnTheWay,
    #[n(1)]
    Delivered,
    #[n(2)]
    Cancelled,
    #[n(3)]
    /// Relays have it, and nobody acknowledges: nothing more will be known.
    Stored,
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub struct Issued {
    #[n(1)]
    pub slot: u8,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub certificate: [u8; CERTIFICATE_LEN],
    #[n(3)]
    pub delegations: Vec<Leave>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Answered {
    #[cbor(n(1), with = "minicbor::bytes")]
    pub greeting: [u8; 16],
    /// 1 accepted, 2 declined.
    #[n(2)]
    pub how: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Away {
    #[n(1)]
    pub since: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct All {
    #[n(1)]
    pub since: Millis,
    #[n(2)]
    pub slot: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Piece {
    /// The same for all pieces of an item.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub id: [u8; 16],
    #[n(2)]
    pub at: u8,
    #[n(3)]
    pub of: u8,
    #[cbor(n(4), with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

impl Copy {
    fn is_in_bounds(&self) -> bool {
        self.text.len() <= TEXT_BYTES_MAX && self.order < ORDER_MAX
    }
}

impl Item {
    /// The item's bytes, as they stand in a letter.
    pub fn encode(&self) -> Vec<u8> {
        fn rows<T: Encode<()>>(kind: u8, of: &T) -> Vec<u8> {
            // The derived arrays leave their first place to the kind.
            let mut bytes = cbor::to_vec(of);
            let null = bytes.get_mut(1).filter(|place| **place == NULL);
            if let Some(place) = null {
                *place = kind;
            }
            bytes
        }
        fn beside<T: Encode<()>>(kind: u8, of: &T) -> Vec<u8> {
            [&[0x82, kind][..], &cbor::to_vec(of)].concat()
        }
        match self {
            Item::Entry(entry) => beside(ENTRY, entry),
            Item::Copy(copy) => rows(COPY, copy),
            Item::Session(contact) => beside(SESSION, contact),
            Item::Keys(keys) => beside(KEYS, keys),
            Item::Certificate(issued) => rows(CERTIFICATE, issued),
            Item::Answered(answered) => rows(ANSWERED, answered),
            Item::Away(away) => rows(AWAY, away),
            Item::All(all) => rows(ALL, all),
            Item::Piece(piece) => rows(PIECE, piece),
            Item::Kem(kem) => rows(KEM, kem),
            Item::Removed(told) => rows(REMOVED, told),
        }
    }

    /// `Ok(None)`: of a kind that this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Option<Item>, Malformed> {
        let mut from = Decoder::new(bytes);
        let elements = from.array().map_err(|_| Malformed)?.ok_or(Malformed)?;
        let kind = from.u64().map_err(|_| Malformed)?;
        let Ok(kind) = u8::try_from(kind) else {
            return Ok(None);
        };
        let beside = || bytes.get(from.position()..).filter(|_| elements >= 2);
        let item = match kind {
            ENTRY => Item::Entry(first(beside())?),
            COPY => Item::Copy(row(bytes)?),
            SESSION => Item::Session(Box::new(first(beside())?)),
            KEYS => Item::Keys(first(beside())?),
            CERTIFICATE => Item::Certificate(Box::new(row(bytes)?)),
            ANSWERED => Item::Answered(row(bytes)?),
            AWAY => Item::Away(row(bytes)?),
            ALL => Item::All(row(bytes)?),
            PIECE => Item::Piece(row(bytes)?),
            KEM => Item::Kem(Box::new(row(bytes)?)),
            REMOVED => Item::Removed(Box::new(row(bytes)?)),
            _ => return Ok(None),
        };
        match item.is_in_bounds() {
            true => Ok(Some(item)),
            false => Err(Malformed),
        }
    }

    fn is_in_bounds(&self) -> bool {
        match self {
            Item::Copy(copy) => copy.is_in_bounds(),
            Item::Keys(keys) => keys.is_in_bounds(),
            Item::Piece(piece) => piece.at < piece.of && piece.of <= PIECES_MAX,
            Item::Removed(told) => told.removals.len() <= REMOVED_MAX,
            _ => true,
        }
    }

    /// The item as letters take it: by itself, or cut into pieces, which `id` names. Nothing of one
    /// that is longer than that.
    pub fn parts(&self, id: [u8; 16]) -> Vec<Vec<u8>> {
        let bytes = self.encode();
        if bytes.len() <= ITEMS_BYTES_MAX {
            return alloc::vec![bytes];
        }
        let of = bytes.len().div_ceil(PIECE_BYTES_MAX);
        let Some(of) = u8::try_from(of).ok().filter(|of| *of <= PIECES_MAX) else {
            return Vec::new();
        };
        let piece = |(at, bytes): (u8, &[u8])| {
            let bytes = bytes.to_vec();
            Item::Piece(Piece { id, at, of, bytes }).encode()
        };
        (0..of)
            .zip(bytes.chunks(PIECE_BYTES_MAX))
            .map(piece)
            .collect()
    }
}

const NULL: u8 = 0xf6;

/// An item whose elements are those of a derived array.
fn row<T: for<'b> Decode<'b, ()>>(bytes: &[u8]) -> Result<T, Malformed> {
    cbor::from_slice(bytes)
}

/// What stands behind the kind; more behind it is skipped.
fn first<T: for<'b> Decode<'b, ()>>(bytes: Option<&[u8]>) -> Result<T, Malformed> {
    let mut from = Decoder::new(bytes.ok_or(Malformed)?);
    from.decode().map_err(|_| Malformed)
}

/// The value of payload key 17: an array of these items.
pub fn join(count: usize, items: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.len() + 3);
    // A vector takes everything.
    let _ = Encoder::new(&mut out).array(count as u64);
    out.extend_from_slice(items);
    out
}

/// The items of such a value, each by itself. What is not an array of items is nothing.
pub fn split(bytes: &[u8]) -> Vec<&[u8]> {
    let mut from = Decoder::new(bytes);
    let mut items = Vec::new();
    let Ok(Some(count)) = from.array() else {
        return items;
    };
    for _ in 0..count.min(ITEMS_MAX as u64) {
        let begin = from.position();
        if from.skip().is_err() {
            return items;
        }
        items.extend(bytes.get(begin..from.position()));
    }
    items
}

#[cfg(test)]
#[path = "letter_tests.rs"]
mod tests;
