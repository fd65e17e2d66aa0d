//! What a record proves without being opened: who owns it, and that the owner wrote it. PROTOCOL.md
//! section 4.
//!
//! Invariant: a `Record` exists only with a good signature under the key its tag is made of.

use crate::crypto::{PublicKey, sha256};
use crate::wire::{Header, Kind, Malformed, Reader};

/// Bytes before the ciphertext.
pub const RECORD_FRONT_BYTES: usize = 218;
/// Bytes the record's signature and the text's associated data cover at the front.
pub const RECORD_SIGNED_BYTES: usize = 142;

/// A checked record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// A', the blinded key.
    pub owner: [u8; 32],
    pub slot: u16,
    pub version: u64,
    /// nonce || ciphertext || GCM tag.
    pub sealed: &'a [u8],
}

/// Why a body is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RecordError {
    /// Another kind of object, too short, or a key that is none.
    Malformed,
    /// The header's address or tag is not the owner's.
    WrongPlace,
    /// The delegation is forged or over.
    BadDelegation,
    BadSignature,
}

impl From<Malformed> for RecordError {
    fn from(_: Malformed) -> Self {
        RecordError::Malformed
    }
}

/// Address and tag of a record: the first 20 bytes of H("wm-rec-addr" || A' || slot).
pub fn place(owner: &[u8; 32], slot: u16) -> (u32, [u8; 16]) {
    let hash = sha256(&[b"wm-rec-addr", owner, &slot.to_le_bytes()]);
    let mut address = [0; 4];
    let mut tag = [0; 16];
    address.copy_from_slice(&hash[..4]);
    tag.copy_from_slice(&hash[4..20]);
    (u32::from_le_bytes(address), tag)
}

/// Checks place, delegation and signature; `hour` is the time a delegation must reach.
pub fn check<'a>(header: &Header, body: &'a [u8], hour: u32) -> Result<Record<'a>, RecordError> {
    if header.kind != Kind::Record {
        return Err(RecordError::Malformed);
    }
    let mut r = Reader::new(body);
    let front = r.array_ref::<RECORD_SIGNED_BYTES>()?;
    let signature = r.array_ref::<64>()?;
    let sealed = r.rest();
    if sealed.len() < 28 {
        return Err(RecordError::Malformed);
    }
    let mut r = Reader::new(front);
    let owner = r.array::<32>()?;
    let slot = r.u16()?;
    let version = r.u64()?;
    if (header.address, header.tag) != place(&owner, slot) {
        return Err(RecordError::WrongPlace);
    }
    let owner_key = PublicKey::from_bytes(&owner).map_err(|_| RecordError::Malformed)?;
    let delegation = r.rest();
    let signer = if delegation.iter().all(|b| *b == 0) {
        owner_key
    } else {
        delegate(&owner_key, slot, delegation, hour)?
    };
    signer
        .verify(
            &[b"wm-record", &header.front.encode(), front, sealed],
            signature,
        )
        .map_err(|_| RecordError::BadSignature)?;
    Ok(Record {
        owner,
        slot,
        version,
        sealed,
    })
}

fn delegate(
    owner: &PublicKey,
    slot: u16,
    delegation: &[u8],
    hour: u32,
) -> Result<PublicKey, RecordError> {
    let mut r = Reader::new(delegation);
    let key = r.array::<32>()?;
    let until = r.u32()?;
    let signature = r.array_ref::<64>()?;
    if until <= hour {
        return Err(RecordError::BadDelegation);
    }
    let signed: [&[u8]; 5] = [
        b"wm-delegate",
        owner.as_bytes(),
        &slot.to_le_bytes(),
        &key,
        &until.to_le_bytes(),
    ];
    owner
        .verify(&signed, signature)
        .map_err(|_| RecordError::BadDelegation)?;
    PublicKey::from_bytes(&key).map_err(|_| RecordError::Malformed)
}

/// The version of a record that was checked before, from its body.
pub fn version(body: &[u8]) -> Option<u64> {
    body.get(34..42)?.try_into().ok().map(u64::from_le_bytes)
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
