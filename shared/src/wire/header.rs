//! The 72-byte header of everything the network stores. PROTOCOL.md section 2.
//!
//! Invariant: a `Header` that parses encodes to the bytes it came from.

use super::codec::Malformed;
use crate::crypto::sha256;
use crate::limits::{BODY_BYTES_MIN, EFFORT_MAX};
use crate::time::{Millis, hour};

/// Bytes of a header.
pub const HEADER_BYTES: usize = 72;
const VERSION: u8 = 1;

/// An object's id: H(header).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Id(pub [u8; 32]);

impl Id {
    /// The first 8 bytes, for tables that bear it if two share them.
    pub fn short(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }
}

/// What an object is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Kind {
    Envelope = 0,
    Chunk = 1,
    Record = 2,
    Descriptor = 3,
}

impl Kind {
    fn from_code(code: u8) -> Result<Self, Malformed> {
        match code {
            0 => Ok(Kind::Envelope),
            1 => Ok(Kind::Chunk),
            2 => Ok(Kind::Record),
            3 => Ok(Kind::Descriptor),
            _ => Err(Malformed),
        }
    }

    /// Whether objects of this kind may have this lifetime.
    pub fn allows(self, lifetime: Lifetime) -> bool {
        match self {
            Kind::Envelope => lifetime == Lifetime::ENVELOPE,
            Kind::Chunk => lifetime <= Lifetime::H48,
            Kind::Record | Kind::Descriptor => true,
        }
    }
}

/// c: the body has 1024 * 2^c bytes, c is 0 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SizeClass(u8);

impl SizeClass {
    pub const KIB_1: SizeClass = SizeClass(0);
    pub const KIB_2: SizeClass = SizeClass(1);
    pub const KIB_4: SizeClass = SizeClass(2);
    pub const KIB_8: SizeClass = SizeClass(3);
    pub const KIB_16: SizeClass = SizeClass(4);

    pub fn new(c: u8) -> Result<Self, Malformed> {
        if c <= 4 {
            Ok(SizeClass(c))
        } else {
            Err(Malformed)
        }
    }

    pub const fn code(self) -> u8 {
        self.0
    }

    /// Bytes of a body of this class.
    pub const fn bytes(self) -> usize {
        BODY_BYTES_MIN << self.0
    }
}

/// t: how long an object may be kept, t is 0 to 7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lifetime(u8);

impl Lifetime {
    pub const H6: Lifetime = Lifetime(0);
    pub const H12: Lifetime = Lifetime(1);
    pub const H24: Lifetime = Lifetime(2);
    pub const H48: Lifetime = Lifetime(3);
    pub const H168: Lifetime = Lifetime(4);
    pub const H720: Lifetime = Lifetime(5);
    pub const H2160: Lifetime = Lifetime(6);
    pub const H4320: Lifetime = Lifetime(7);
    /// The one lifetime of envelopes.
    pub const ENVELOPE: Lifetime = Lifetime::H48;

    pub fn new(t: u8) -> Result<Self, Malformed> {
        if t <= 7 {
            Ok(Lifetime(t))
        } else {
            Err(Malformed)
        }
    }

    pub const fn code(self) -> u8 {
        self.0
    }

    /// T, in hours.
    pub const fn hours(self) -> u32 {
        const HOURS: [u32; 8] = [6, 12, 24, 48, 168, 720, 2160, 4320];
        HOURS[(self.0 & 7) as usize]
    }
}

/// The first 16 bytes of a header: what is known before the body is sealed, and bound into it as
/// associated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    pub kind: Kind,
    pub size: SizeClass,
    pub lifetime: Lifetime,
    pub effort: u8,
    /// Hour at which the object is dropped.
    pub expiry: u32,
    pub address: u32,
    pub network: u32,
}

impl Front {
    /// A front that expires its whole lifetime from now, rounded up to the hour.
    pub fn from_now(
        now: Millis,
        kind: Kind,
        size: SizeClass,
        lifetime: Lifetime,
        network: u32,
    ) -> Self {
        let expiry = hour(now).saturating_add(lifetime.hours() + 1);
        Front {
            kind,
            size,
            lifetime,
            effort: 0,
            expiry,
            address: 0,
            network,
        }
    }

    /// header[0..16].
    pub fn encode(&self) -> [u8; 16] {
        let mut out = [0; 16];
        out[0] = VERSION << 4 | self.kind as u8;
        out[1] = self.size.0 << 5 | self.lifetime.0 << 1;
        out[2] = self.effort;
        out[4..8].copy_from_slice(&self.expiry.to_le_bytes());
        out[8..12].copy_from_slice(&self.address.to_le_bytes());
        out[12..16].copy_from_slice(&self.network.to_le_bytes());
        out
    }

    /// The header of a sealed body, its nonce still to be found.
    pub fn header(&self, tag: [u8; 16], body: &[u8]) -> Header {
        Header {
            front: *self,
            tag,
            body_hash: sha256(&[body]),
            nonce: 0,
        }
    }
}

/// A header, fields in their order on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub front: Front,
    pub tag: [u8; 16],
    /// H(body).
    pub body_hash: [u8; 32],
    pub nonce: u64,
}

impl core::ops::Deref for Header {
    type Target = Front;
    fn deref(&self) -> &Front {
        &self.front
    }
}

impl Header {
    /// Checks version, kind, size, lifetime, effort's range and reserved bits; nothing else.
    pub fn parse(bytes: &[u8; HEADER_BYTES]) -> Result<Self, Malformed> {
        let (front, rest) = bytes.split_first_chunk::<16>().ok_or(Malformed)?;
        let (tag, rest) = rest.split_first_chunk::<16>().ok_or(Malformed)?;
        let (body_hash, rest) = rest.split_first_chunk::<32>().ok_or(Malformed)?;
        let nonce = u64::from_le_bytes(*rest.first_chunk().ok_or(Malformed)?);
        let [
            b0,
            b1,
            effort,
            b3,
            e0,
            e1,
            e2,
            e3,
            a0,
            a1,
            a2,
            a3,
            n0,
            n1,
            n2,
            n3,
        ] = *front;
        if b0 >> 4 != VERSION || b1 & 1 != 0 || b3 != 0 || effort > EFFORT_MAX {
            return Err(Malformed);
        }
        let front = Front {
            kind: Kind::from_code(b0 & 15)?,
            size: SizeClass::new(b1 >> 5)?,
            lifetime: Lifetime::new(b1 >> 1 & 15)?,
            effort,
            expiry: u32::from_le_bytes([e0, e1, e2, e3]),
            address: u32::from_le_bytes([a0, a1, a2, a3]),
            network: u32::from_le_bytes([n0, n1, n2, n3]),
        };
        if !front.kind.allows(front.lifetime) {
            return Err(Malformed);
        }
        Ok(Header {
            front,
            tag: *tag,
            body_hash: *body_hash,
            nonce,
        })
    }

    pub fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..16].copy_from_slice(&self.front.encode());
        out[16..32].copy_from_slice(&self.tag);
        out[32..64].copy_from_slice(&self.body_hash);
        out[64..].copy_from_slice(&self.nonce.to_le_bytes());
        out
    }

    /// H(header[0..64]): what the work is done on.
    pub fn prefix(&self) -> [u8; 32] {
        sha256(&[&self.encode()[..64]])
    }

    pub fn id(&self) -> Id {
        Id(sha256(&[&self.encode()]))
    }

    /// body hash[0..8] read big-endian: the key of blocks.
    pub fn hash_key(&self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.body_hash;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }

    /// Where a record lies: see [`record_key`].
    pub fn record_key(&self) -> u64 {
        record_key(self.address, &self.tag)
    }
}

/// The key of records: address || tag[0..4], each read as a number whose first bits count most.
pub fn record_key(address: u32, tag: &[u8; 16]) -> u64 {
    let [a, b, c, d, ..] = *tag;
    u64::from(address) << 32 | u64::from(u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn sample() -> Header {
        Front {
            kind: Kind::Record,
            size: SizeClass::KIB_4,
            lifetime: Lifetime::H168,
            effort: 3,
            expiry: 0x0102_0304,
            address: 5,
            network: 6,
        }
        .header([7; 16], b"body")
    }

    #[test]
    fn round_trip() {
        let h = sample();
        assert_eq!(Header::parse(&h.encode()), Ok(h));
        assert_eq!(h.encode()[..16], h.front.encode());
        assert_eq!(h.encode()[0..4], [0x12, 2 << 5 | 4 << 1, 3, 0]);
    }

    #[test]
    fn what_parses_encodes_to_itself_and_the_rest_is_refused() {
        let good = sample().encode();
        let mut accepted = 0;
        for byte in 0..4 {
            for value in 0..=255 {
                let mut bytes = good;
                bytes[byte] = value;
                if let Ok(h) = Header::parse(&bytes) {
                    assert_eq!(h.encode(), bytes);
                    accepted += 1;
                }
            }
        }
        // Byte 0: record or descriptor. Byte 1: 5 sizes of 8 lifetimes. Byte 2: 33 efforts. Byte 3:
        // zero.
        assert_eq!(accepted, 2 + 40 + 33 + 1);
    }

    #[test]
    fn lifetimes_of_kinds() {
        let with = |kind, t| {
            let mut h = sample();
            h.front.kind = kind;
            h.front.lifetime = Lifetime::new(t).unwrap();
            Header::parse(&h.encode()).is_ok()
        };
        let allowed = |kind| {
            (0..8)
                .filter(|&t| with(kind, t))
                .collect::<alloc::vec::Vec<_>>()
        };
        assert_eq!(allowed(Kind::Envelope), [3]);
        assert_eq!(allowed(Kind::Chunk), [0, 1, 2, 3]);
        assert_eq!(allowed(Kind::Record).len(), 8);
    }
}
