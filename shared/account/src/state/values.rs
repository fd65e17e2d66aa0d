//! What entries say: each kind of value as a type. PROTOCOL.md section 13.
//!
//! Invariant: what decodes is within its bounds; elements that a newer version put behind those
//! known here are skipped.

use super::entry::Value;
use crate::cbor::{self, Malformed};
use crate::sealed::Mailbox;
use crate::shown::NAME_BYTES_MAX;
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::time::Millis;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

/// Longest text about oneself, bytes of UTF-8.
pub const ABOUT_BYTES_MAX: usize = 500;

/// How somebody stands to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Standing {
    #[n(1)]
    Active,
    #[n(2)]
    Blocked,
}

/// That there is a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Existence {
    #[n(0)]
    pub standing: Standing,
    /// Unix ms.
    #[n(1)]
    pub added: Millis,
}

/// What it takes to find a contact's records and mailbox, and to come back to them.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(array)]
pub struct Access {
    /// Their contact read secret.
    #[cbor(n(0), with = "minicbor::bytes")]
    pub read_secret: [u8; 32],
    #[n(1)]
    #[zeroize(skip)]
    pub mailbox: Mailbox,
    /// The public half of their recovery key, if they told it.
    #[cbor(n(2), with = "minicbor::bytes")]
    pub recovery: Option<[u8; 32]>,
}

/// A device of the account.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Device {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub key: [u8; 32],
    /// H of its X-Wing public key.
    #[cbor(n(1), with = "minicbor::bytes")]
    pub kem_hash: [u8; 32],
    #[n(2)]
    pub name: String,
    #[n(3)]
    pub kind: DeviceKind,
    /// Unix ms.
    #[n(4)]
    pub since: Millis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum DeviceKind {
    /// It has the seed.
    #[n(0)]
    Full,
    #[n(1)]
    Linked,
}

/// An invitation that devices share.
#[derive(Clone, PartialEq, Eq, Encode, Decode, Zeroize, ZeroizeOnDrop)]
#[cbor(array)]
pub struct SharedInvitation {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub secret: [u8; 16],
    /// Hour at which it ends.
    #[n(1)]
    pub expiry: u32,
    /// As in its record.
    #[n(2)]
    pub flags: u8,
    /// Secret half of its X-Wing key.
    #[cbor(n(3), with = "minicbor::bytes")]
    pub kem: [u8; 32],
}

macro_rules! redacted {
    ($($name:ident),*) => {$(
        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(concat!(stringify!($name), "(..)"))
            }
        }
    )*};
}
redacted!(Access, SharedInvitation);

impl Existence {
    pub fn encode(&self) -> Option<Value> {
        value(self)
    }

    pub fn decode(value: &Value) -> Result<Existence, Malformed> {
        cbor::from_slice(value.as_bytes())
    }
}

impl Access {
    pub fn encode(&self) -> Option<Value> {
        value(self)
    }

    pub fn decode(value: &Value) -> Result<Access, Malformed> {
        let access: Access = cbor::from_slice(value.as_bytes())?;
        let mailbox = access.mailbox;
        // Rebuilt by its own rules: bits behind the prefix are cleared.
        let mailbox = Mailbox::new(mailbox.prefix(), mailbox.bits()).ok_or(Malformed)?;
        let mut access = access;
        access.mailbox = mailbox;
        Ok(access)
    }
}

impl Device {
    /// `None`: its name is too long.
    pub fn encode(&self) -> Option<Value> {
        (self.name.len() <= NAME_BYTES_MAX).then(|| value(self))?
    }

    pub fn decode(value: &Value) -> Result<Device, Malformed> {
        let device: Device = cbor::from_slice(value.as_bytes())?;
        match device.name.len() <= NAME_BYTES_MAX {
            true => Ok(device),
            false => Err(Malformed),
        }
    }
}

impl SharedInvitation {
    pub fn encode(&self) -> Option<Value> {
        value(self)
    }

    pub fn decode(value: &Value) -> Result<SharedInvitation, Malformed> {
        cbor::from_slice(value.as_bytes())
    }
}

/// A name: the account's own, a contact's, or the one a contact has here. `None`: too long.
pub fn name(text: &str) -> Option<Value> {
    bounded(text, NAME_BYTES_MAX)
}

/// As it was written: [`crate::shown::name`] is for showing it.
pub fn read_name(value: &Value) -> Result<String, Malformed> {
    read_bounded(value, NAME_BYTES_MAX)
}

/// What somebody says about themselves. `None`: too long.
pub fn about(text: &str) -> Option<Value> {
    bounded(text, ABOUT_BYTES_MAX)
}

/// As it was written: [`crate::shown::text`] is for showing it.
pub fn read_about(value: &Value) -> Result<String, Malformed> {
    read_bounded(value, ABOUT_BYTES_MAX)
}

/// Whether a contact is told that messages arrived.
pub fn flag(on: bool) -> Option<Value> {
    value(&on)
}

pub fn read_flag(value: &Value) -> Result<bool, Malformed> {
    cbor::from_slice(value.as_bytes())
}

/// The order up to which a conversation was read.
pub fn order(order: u64) -> Option<Value> {
    value(&order)
}

pub fn read_order(value: &Value) -> Result<u64, Malformed> {
    cbor::from_slice(value.as_bytes())
}

/// The place of which the account's mailbox is the first bits, as many as it has now.
pub fn place(place: u32, bits: u8) -> Option<Value> {
    (bits <= 32).then(|| value(&(place, bits)))?
}

pub fn read_place(value: &Value) -> Result<(u32, u8), Malformed> {
    let (place, bits) = cbor::from_slice(value.as_bytes())?;
    match bits <= 32 {
        true => Ok((place, bits)),
        false => Err(Malformed),
    }
}

/// The avatar's hash, or the contact read secret.
pub fn bytes32(bytes: &[u8; 32]) -> Option<Value> {
    value(&Bytes32(Zeroizing::new(*bytes)))
}

pub fn read_bytes32(value: &Value) -> Result<Zeroizing<[u8; 32]>, Malformed> {
    let Bytes32(bytes) = cbor::from_slice(value.as_bytes())?;
    Ok(bytes)
}

/// Settings, which are whatever a shell put there. `None`: too long.
pub fn settings(bytes: Vec<u8>) -> Option<Value> {
    Value::new(bytes)
}

struct Bytes32(Zeroizing<[u8; 32]>);

impl<C> Encode<C> for Bytes32 {
    fn encode<W: minicbor::encode::Write>(
        &self,
        out: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        out.bytes(&self.0[..])?.ok()
    }
}

impl<'b, C> Decode<'b, C> for Bytes32 {
    fn decode(
        from: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Bytes32, minicbor::decode::Error> {
        let wrong = |_| minicbor::decode::Error::message("wrong length");
        let bytes = from.bytes()?.try_into().map_err(wrong)?;
        Ok(Bytes32(Zeroizing::new(bytes)))
    }
}

fn value<T: Encode<()>>(of: &T) -> Option<Value> {
    Value::new(cbor::to_vec(of))
}

fn bounded(text: &str, bytes_max: usize) -> Option<Value> {
    (text.len() <= bytes_max).then(|| value(&text))?
}

fn read_bounded(value: &Value, bytes_max: usize) -> Result<String, Malformed> {
    let text: &str = cbor::from_slice(value.as_bytes())?;
    match text.len() <= bytes_max {
        true => Ok(text.into()),
        false => Err(Malformed),
    }
}
