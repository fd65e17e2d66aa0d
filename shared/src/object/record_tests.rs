#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use crate::crypto::SigningKey;
use crate::wire::{Front, Lifetime, SizeClass};
use alloc::vec::Vec;

const HOUR: u32 = 5000;

fn owner() -> SigningKey {
    SigningKey::from_bytes(&[1; 32])
}

fn build(slot: u16, signer: &SigningKey, delegation: &[u8; 100]) -> (Header, Vec<u8>) {
    let (address, tag) = place(owner().public().as_bytes(), slot);
    let front = Front {
        kind: Kind::Record,
        size: SizeClass::KIB_1,
        lifetime: Lifetime::H168,
        effort: 0,
        expiry: HOUR + 100,
        address,
        network: 9,
    };
    let mut body = owner().public().as_bytes().to_vec();
    body.extend_from_slice(&slot.to_le_bytes());
    body.extend_from_slice(&77u64.to_le_bytes());
    body.extend_from_slice(delegation);
    let sealed = [6; 1024 - 206];
    let signature = signer.sign(&[b"wm-record", &front.encode(), &body, &sealed]);
    body.extend_from_slice(&signature);
    body.extend_from_slice(&sealed);
    (front.header(tag, &body), body)
}

fn delegation(key: &SigningKey, slot: u16, until: u32) -> [u8; 100] {
    let mut out = [0; 100];
    out[..32].copy_from_slice(key.public().as_bytes());
    out[32..36].copy_from_slice(&until.to_le_bytes());
    let by = owner().public();
    let signature = owner().sign(&[
        b"wm-delegate",
        by.as_bytes(),
        &slot.to_le_bytes(),
        &out[..36],
    ]);
    out[36..].copy_from_slice(&signature);
    out
}

#[test]
fn a_record_by_its_owner() {
    let (header, body) = build(1, &owner(), &[0; 100]);
    let record = check(&header, &body, HOUR).unwrap();
    assert_eq!((record.slot, record.version), (1, 77));
    assert_eq!(record.sealed.len(), 1024 - 206);
    assert_eq!(version(&body), Some(77));
}

#[test]
fn a_record_by_a_delegate_until_its_time() {
    let delegate = SigningKey::from_bytes(&[2; 32]);
    let (header, body) = build(1, &delegate, &delegation(&delegate, 1, HOUR + 1));
    assert!(check(&header, &body, HOUR).is_ok());
    assert_eq!(
        check(&header, &body, HOUR + 1),
        Err(RecordError::BadDelegation)
    );
    let (header, body) = build(2, &delegate, &delegation(&delegate, 1, HOUR + 1));
    assert_eq!(check(&header, &body, HOUR), Err(RecordError::BadDelegation));
    let (header, body) = build(1, &delegate, &[0; 100]);
    assert_eq!(check(&header, &body, HOUR), Err(RecordError::BadSignature));
}

#[test]
fn any_changed_byte_is_noticed() {
    let (header, body) = build(1, &owner(), &[0; 100]);
    for at in (0..300).chain([1023]) {
        let mut bad = body.clone();
        bad[at] ^= 1;
        assert!(check(&header, &bad, HOUR).is_err(), "byte {at}");
    }
    for n in 0..240 {
        assert!(check(&header, &body[..n], HOUR).is_err());
    }
    let mut moved = header;
    moved.front.address ^= 1;
    assert_eq!(check(&moved, &body, HOUR), Err(RecordError::WrongPlace));
    let mut later = header;
    later.front.expiry += 1;
    assert_eq!(check(&later, &body, HOUR), Err(RecordError::BadSignature));
}
