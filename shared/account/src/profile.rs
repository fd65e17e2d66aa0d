//! A profile: what an account shows of itself to its contacts. The text of the record in slot 2.
//! PROTOCOL.md section 4.
//!
//! Invariant: a profile that decodes is within its bounds and can be shown: its texts have no
//! control characters, its picture is of a known kind and size.

use crate::cbor::{self, Malformed};
use crate::picture::{Kind, kind};
use crate::shown::{self, NAME_BYTES_MAX};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};
use shared::crypto::sha256;

/// Longest text somebody writes of themselves, bytes of UTF-8.
pub const ABOUT_BYTES_MAX: usize = 500;

/// What an account shows of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProfileText {
    /// May be empty in a profile that was never written.
    pub name: String,
    pub about: String,
    pub avatar: Option<Vec<u8>>,
    /// When it was changed last, Unix ms by the clock of who changed it: of two the later holds.
    pub time: u64,
}

#[derive(Encode, Decode)]
#[cbor(map)]
struct Wire {
    #[n(0)]
    name: String,
    #[n(1)]
    about: Option<String>,
    #[cbor(n(2), with = "minicbor::bytes")]
    avatar: Option<Vec<u8>>,
    #[n(3)]
    time: u64,
}

impl ProfileText {
    pub fn encode(&self) -> Vec<u8> {
        cbor::to_vec(&Wire {
            name: self.name.clone(),
            about: (!self.about.is_empty()).then(|| self.about.clone()),
            avatar: self.avatar.clone(),
            time: self.time,
        })
    }

    pub fn decode(bytes: &[u8]) -> Result<ProfileText, Malformed> {
        let wire: Wire = cbor::from_slice(bytes)?;
        let about = wire.about.unwrap_or_default();
        let is_right = wire.name.len() <= NAME_BYTES_MAX
            && about.len() <= ABOUT_BYTES_MAX
            && wire.avatar.as_ref().is_none_or(|a| kind(a).is_some());
        if !is_right {
            return Err(Malformed);
        }
        Ok(ProfileText {
            name: shown::name(&wire.name),
            about: shown::text(&about),
            avatar: wire.avatar,
            time: wire.time,
        })
    }

    /// Names the picture: the same hash, the same picture.
    pub fn avatar_hash(&self) -> Option<[u8; 32]> {
        self.avatar.as_ref().map(|bytes| sha256(&[bytes]))
    }

    /// The picture with its kind.
    pub fn picture(&self) -> Option<(&[u8], Kind)> {
        let bytes = self.avatar.as_deref()?;
        Some((bytes, kind(bytes)?))
    }

    /// Whether it holds against another: the later one does, of two of one time that with the
    /// greater bytes, on whatever device they meet.
    pub fn holds_against(&self, other: &ProfileText) -> bool {
        (self.time, self.encode()) > (other.time, other.encode())
    }
}

#[cfg(test)]
#[path = "profile_tests.rs"]
mod tests;
