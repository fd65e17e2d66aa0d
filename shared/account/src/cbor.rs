//! CBOR at the edges: whole values only, state under a version byte, and the types of
//! `shared::crypto` as byte strings.
//!
//! Invariant: what decodes was read to its last byte.

use alloc::vec::Vec;
use minicbor::{Decode, Encode};

/// Not CBOR of the expected shape, or something left over behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Why a stored state could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StateError {
    /// Written by a newer version of this program.
    NewerVersion { version: u8 },
    /// Damaged.
    Malformed,
}

impl From<Malformed> for StateError {
    fn from(_: Malformed) -> Self {
        StateError::Malformed
    }
}

pub(crate) fn to_vec<T: Encode<()>>(value: &T) -> Vec<u8> {
    let mut out = Vec::new();
    // A vector takes everything, so this cannot fail.
    let _ = minicbor::encode(value, &mut out);
    out
}

pub(crate) fn from_slice<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, Malformed> {
    let mut decoder = minicbor::Decoder::new(bytes);
    let value = decoder.decode().map_err(|_| Malformed)?;
    if decoder.position() == bytes.len() {
        Ok(value)
    } else {
        Err(Malformed)
    }
}

/// `version || CBOR`, the form of every stored state.
pub(crate) fn encode_state<T: Encode<()>>(version: u8, value: &T) -> Vec<u8> {
    let mut out = alloc::vec![version];
    let _ = minicbor::encode(value, &mut out);
    out
}

/// Reads what [`encode_state`] wrote with this version.
pub(crate) fn decode_state<'b, T: Decode<'b, ()>>(
    version: u8,
    bytes: &'b [u8],
) -> Result<T, StateError> {
    match bytes.split_first() {
        Some((found, rest)) if *found == version => Ok(from_slice(rest)?),
        Some((&found, _)) if found > version => Err(StateError::NewerVersion { version: found }),
        _ => Err(StateError::Malformed),
    }
}

macro_rules! as_bytes {
    ($name:ident, $type:ty, $len:expr, $from:expr) => {
        /// For `#[cbor(with = ..)]`.
        pub(crate) mod $name {
            use minicbor::{Decoder, Encoder, decode as d, encode as e};
            use shared::crypto::*;

            pub(crate) fn encode<C, W: e::Write>(
                value: &$type,
                out: &mut Encoder<W>,
                _: &mut C,
            ) -> Result<(), e::Error<W::Error>> {
                out.bytes(value.as_bytes())?.ok()
            }

            pub(crate) fn decode<'b, C>(
                from: &mut Decoder<'b>,
                _: &mut C,
            ) -> Result<$type, d::Error> {
                let bytes = from.bytes()?;
                let bytes: &[u8; $len] = bytes
                    .try_into()
                    .map_err(|_| d::Error::message("wrong length"))?;
                let read: fn(&[u8; $len]) -> Option<$type> = $from;
                read(bytes).ok_or_else(|| d::Error::message("not a key"))
            }
        }
    };
}

as_bytes!(key, Key, 32, |b| Some(Key::new(*b)));
as_bytes!(public_key, PublicKey, 32, |b| PublicKey::from_bytes(b).ok());
as_bytes!(kem_secret, KemSecret, 32, |b| Some(KemSecret::from_bytes(
    *b
)));
as_bytes!(kem_public, KemPublic, KEM_PUBLIC_LEN, |b| {
    KemPublic::from_bytes(b).ok()
});

/// A message id as a CBOR byte string, for arrays of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct Bytes16(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 16]);

/// A hash as a CBOR byte string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(transparent)]
pub(crate) struct Bytes32(#[cbor(n(0), with = "minicbor::bytes")] pub [u8; 32]);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn left_over_and_other_versions_are_refused() {
        let bytes = encode_state(1, &7u32);
        assert_eq!(decode_state::<u32>(1, &bytes), Ok(7));
        assert_eq!(decode_state::<u32>(2, &bytes), Err(StateError::Malformed));
        let newer = encode_state(3, &7u32);
        assert_eq!(
            decode_state::<u32>(1, &newer),
            Err(StateError::NewerVersion { version: 3 })
        );
        assert_eq!(
            decode_state::<u32>(1, &[1, 7, 7]),
            Err(StateError::Malformed)
        );
        assert_eq!(decode_state::<u32>(1, &[]), Err(StateError::Malformed));
        assert_eq!(from_slice::<u32>(&[0x1a, 0, 0]), Err(Malformed));
    }

    /// An array that claims more elements than there are bytes must not size anything.
    #[test]
    fn huge_counts_are_refused() {
        let claim = [0x9b, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
        assert_eq!(from_slice::<Vec<Bytes16>>(&claim), Err(Malformed));
    }
}
