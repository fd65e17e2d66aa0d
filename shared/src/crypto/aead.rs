//! Sealing: AES-256-GCM with a hedged nonce in front, and padding to a length. PROTOCOL.md,
//! opening.
//!
//! Invariant: one key never seals two different texts under one nonce, not even with a repeated
//! random generator, because the nonce is a MAC over the text.

use super::hash::{Key, hmac, sha256};
use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit, Nonce, Tag};
use alloc::vec::Vec;

/// What a sealed text is longer than its text: nonce[12] and tag[16].
pub const SEAL_OVERHEAD: usize = NONCE_LEN + TAG_LEN;

const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// It was not sealed under this key with this associated data, or was changed since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

/// The text does not fit into the length it is to be padded to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLong;

/// `nonce[12] || AES-256-GCM(key, nonce, text, aad)`. `fresh` is new randomness for each call.
pub fn seal(key: &Key, fresh: &[u8; 32], aad: &[u8], text: &[u8]) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    let mac = hmac(
        key.as_bytes(),
        &[b"wm-nonce", fresh, &sha256(&[aad]), &sha256(&[text])],
    );
    nonce.copy_from_slice(&mac[..NONCE_LEN]);

    let mut sealed = Vec::with_capacity(text.len() + SEAL_OVERHEAD);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(text);
    let buffer = &mut sealed[NONCE_LEN..];
    let Ok(tag) = cipher(key).encrypt_inout_detached(&Nonce::from(nonce), aad, buffer.into())
    else {
        unreachable!("a text in memory is shorter than GCM's limit of 64 GiB");
    };
    sealed.extend_from_slice(&tag);
    sealed
}

/// The text of what [`seal`] made.
pub fn open(key: &Key, aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, Forged> {
    let (nonce, rest) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Forged)?;
    let (text, tag) = rest.split_last_chunk::<TAG_LEN>().ok_or(Forged)?;
    let mut text = text.to_vec();
    cipher(key)
        .decrypt_inout_detached(
            &Nonce::from(*nonce),
            aad,
            text.as_mut_slice().into(),
            &Tag::from(*tag),
        )
        .map_err(|_| Forged)?;
    Ok(text)
}

/// `u16 length || text || zeros`, `len` bytes in all.
pub fn pad(text: &[u8], len: usize) -> Result<Vec<u8>, TooLong> {
    let size = u16::try_from(text.len()).map_err(|_| TooLong)?;
    if text.len() + 2 > len {
        return Err(TooLong);
    }
    let mut padded = Vec::with_capacity(len);
    padded.extend_from_slice(&size.to_le_bytes());
    padded.extend_from_slice(text);
    padded.resize(len, 0);
    Ok(padded)
}

/// The text of what [`pad`] made; anything but zeros behind it is refused.
pub fn unpad(padded: &[u8]) -> Result<&[u8], Forged> {
    let (size, rest) = padded.split_first_chunk::<2>().ok_or(Forged)?;
    let size = usize::from(u16::from_le_bytes(*size));
    let (text, zeros) = rest.split_at_checked(size).ok_or(Forged)?;
    if zeros.iter().any(|&byte| byte != 0) {
        return Err(Forged);
    }
    Ok(text)
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new(&(*key.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use data_encoding::HEXLOWER;

    /// Test case 16 of the GCM specification (McGrew and Viega), opened through our framing.
    #[test]
    fn gcm_known_answer() {
        let hex = |text: &str| HEXLOWER.decode(text.as_bytes()).unwrap();
        let mut key = [0; 32];
        key.copy_from_slice(&hex(
            "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
        ));
        let sealed = hex(concat!(
            "cafebabefacedbaddecaf888",
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa",
            "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662",
            "76fc6ece0f4e1768cddf8853bb2d551b",
        ));
        let aad = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let text = open(&Key::new(key), &aad, &sealed).unwrap();
        assert_eq!(
            HEXLOWER.encode(&text),
            concat!(
                "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72",
                "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39"
            )
        );
    }

    #[test]
    fn any_change_is_noticed() {
        let key = Key::new([3; 32]);
        let sealed = seal(&key, &[9; 32], b"aad", b"a text");
        assert_eq!(sealed.len(), 6 + SEAL_OVERHEAD);
        assert_eq!(open(&key, b"aad", &sealed).unwrap(), b"a text");
        assert_eq!(open(&key, b"aaD", &sealed), Err(Forged));
        assert_eq!(open(&Key::new([4; 32]), b"aad", &sealed), Err(Forged));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(open(&key, b"aad", &changed), Err(Forged));
            assert_eq!(open(&key, b"aad", &sealed[..at]), Err(Forged));
        }
    }

    #[test]
    fn nonces_are_hedged() {
        let key = Key::new([3; 32]);
        let nonce = |fresh: u8, aad: &[u8], text: &[u8]| {
            seal(&key, &[fresh; 32], aad, text)[..NONCE_LEN].to_vec()
        };
        let base = nonce(1, b"a", b"t");
        assert_eq!(base, nonce(1, b"a", b"t"));
        assert_ne!(base, nonce(2, b"a", b"t"));
        assert_ne!(base, nonce(1, b"b", b"t"));
        assert_ne!(base, nonce(1, b"a", b"u"));
    }

    #[test]
    fn padding() {
        let padded = pad(b"abc", 8).unwrap();
        assert_eq!(padded, [3, 0, b'a', b'b', b'c', 0, 0, 0]);
        assert_eq!(unpad(&padded), Ok(b"abc".as_slice()));
        assert_eq!(pad(b"abc", 5).unwrap().len(), 5);
        assert_eq!(pad(b"abc", 4), Err(TooLong));
        assert_eq!(pad(&alloc::vec![0; 65_536], 100_000), Err(TooLong));
        assert_eq!(unpad(&[3, 0, 1, 2]), Err(Forged));
        assert_eq!(unpad(&[1]), Err(Forged));
        assert_eq!(unpad(&[1, 0, 1, 0, 1]), Err(Forged));
        assert_eq!(unpad(&[0, 0]), Ok([].as_slice()));
    }
}
