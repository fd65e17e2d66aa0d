//! What the short messages of a link say. PROTOCOL.md section 15.
//!
//! Invariant: what reads is within its bounds.

use crate::cbor::{self, Malformed};
use crate::identity::CERTIFICATE_LEN;
use crate::shown::NAME_BYTES_MAX;
use crate::state::values::DeviceKind;
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::PublicKey;

/// O: which account asks.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(super) struct Hello {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub nonce: [u8; 32],
    #[cbor(n(1), with = "cbor::public_key")]
    pub account: PublicKey,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub certificate: [u8; CERTIFICATE_LEN],
    #[n(3)]
    pub name: String,
}

/// N: the device, behind its nonce.
#[derive(Clone, Encode, Decode)]
#[cbor(map)]
pub(super) struct Device {
    #[cbor(n(0), with = "cbor::public_key")]
    pub key: PublicKey,
    #[n(1)]
    pub name: String,
    #[n(2)]
    pub kind: DeviceKind,
    #[cbor(n(3), with = "minicbor::bytes")]
    pub kem_hash: [u8; 32],
}

/// N: what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub(super) enum Word {
    #[n(0)]
    Refused,
    #[n(1)]
    Taken,
    #[n(2)]
    NotTaken,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct WordText {
    #[n(0)]
    word: Word,
}

impl Hello {
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Hello, Malformed> {
        let hello: Hello = cbor::from_slice(bytes)?;
        match hello.name.len() <= NAME_BYTES_MAX {
            true => Ok(hello),
            false => Err(Malformed),
        }
    }
}

impl Device {
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_vec(self)
    }

    pub fn decode(bytes: &[u8]) -> Result<Device, Malformed> {
        let device: Device = cbor::from_slice(bytes)?;
        match device.name.len() <= NAME_BYTES_MAX {
            true => Ok(device),
            false => Err(Malformed),
        }
    }
}

impl Word {
    pub fn encode(self) -> Vec<u8> {
        cbor::to_vec(&WordText { word: self })
    }

    pub fn decode(bytes: &[u8]) -> Result<Word, Malformed> {
        let text: WordText = cbor::from_slice(bytes)?;
        Ok(text.word)
    }
}
