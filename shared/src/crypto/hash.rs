//! SHA-256, HMAC, the labelled key derivation `kdf`, and [`Key`]. PROTOCOL.md, opening.
//!
//! Invariant: every derivation goes through `kdf` with a label of its own, so that one secret never
//! gives the same bytes for two purposes.

use hkdf::HkdfExtract;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Longest output of [`kdf`], bytes (RFC 5869: 255 blocks).
pub const KDF_LEN_MAX: usize = 255 * 32;

/// SHA-256 of the parts, joined.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}

/// HMAC-SHA256 of the parts, joined (RFC 2104).
pub fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let Ok(mut mac) = <Hmac<Sha256> as KeyInit>::new_from_slice(key) else {
        unreachable!("HMAC takes keys of any length");
    };
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// `kdf(ikm, label, context, n)` of PROTOCOL.md; parts of `ikm` and of `context` are joined. Fills
/// `out`, which is at most [`KDF_LEN_MAX`] long.
pub fn kdf(ikm: &[&[u8]], label: &str, context: &[&[u8]], out: &mut [u8]) {
    assert!(
        out.len() <= KDF_LEN_MAX,
        "kdf output is longer than HKDF allows"
    );
    let mut extract = HkdfExtract::<Sha256>::new(None);
    for part in ikm {
        extract.input_ikm(part);
    }
    let (mut prk, hkdf) = extract.finalize();
    prk.zeroize();
    let mut info: alloc::vec::Vec<&[u8]> = alloc::vec![b"wiremin/1 ", label.as_bytes(), &[0]];
    info.extend_from_slice(context);
    let done = hkdf.expand_multi_info(&info, out);
    debug_assert!(done.is_ok(), "the length was checked above");
}

/// [`kdf`] with 32 bytes out.
pub fn kdf_key(ikm: &[&[u8]], label: &str, context: &[&[u8]]) -> Key {
    let mut key = Key([0; 32]);
    kdf(ikm, label, context, &mut key.0);
    key
}

/// Fresh randomness bound to all that will be sealed under what comes out of it, for X-Wing
/// encapsulation: `kdf(fresh || H(bound) for each, "hedge", label, 64)`. Repeated `fresh` bytes (a
/// restored snapshot) then still give other randomness for another text.
pub fn hedge(fresh: &[u8; 32], label: &str, bound: &[&[u8]]) -> [u8; 64] {
    let hashes: alloc::vec::Vec<[u8; 32]> = bound.iter().map(|part| sha256(&[part])).collect();
    let mut ikm: alloc::vec::Vec<&[u8]> = alloc::vec![fresh];
    ikm.extend(hashes.iter().map(|hash| hash.as_slice()));
    let mut out = [0; 64];
    kdf(&ikm, "hedge", &[label.as_bytes()], &mut out);
    out
}

/// Equality in a time that does not depend on where the slices differ. Lengths are not hidden.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// A secret of 32 bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Key([u8; 32]);

impl Key {
    pub fn new(bytes: [u8; 32]) -> Key {
        Key(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        same(&self.0, &other.0)
    }
}

impl Eq for Key {}

impl core::fmt::Debug for Key {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Key(..)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::{format, vec};
    use data_encoding::HEXLOWER;

    /// FIPS 180-2, B.1 and B.2.
    #[test]
    fn sha256_known_answers() {
        assert_eq!(
            HEXLOWER.encode(&sha256(&[b"a", b"bc"])),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(
            HEXLOWER.encode(&sha256(&[])),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
    }

    /// RFC 4231, test cases 2 and 6 (a key longer than a block).
    #[test]
    fn hmac_known_answers() {
        assert_eq!(
            HEXLOWER.encode(&hmac(b"Jefe", &[b"what do ya want ", b"for nothing?"])),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let text: &[u8] = b"Test Using Larger Than Block-Size Key - Hash Key First";
        assert_eq!(
            HEXLOWER.encode(&hmac(&[0xaa; 131], &[text])),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    /// `kdf` against HKDF spelled out with HMAC (RFC 5869, sections 2.2 and 2.3).
    #[test]
    fn kdf_is_hkdf() {
        let prk = hmac(&[0; 32], &[b"ikm"]);
        let info: &[u8] = b"wiremin/1 some label\0context";
        let t1 = hmac(&prk, &[info, &[1]]);
        let t2 = hmac(&prk, &[&t1, info, &[2]]);
        let mut out = [0; 40];
        kdf(&[b"i", b"km"], "some label", &[b"con", b"text"], &mut out);
        assert_eq!(out[..32], t1);
        assert_eq!(out[32..], t2[..8]);
        assert_eq!(
            kdf_key(&[b"ikm"], "some label", &[b"context"]).as_bytes(),
            &t1
        );
    }

    #[test]
    fn hedge_binds_every_part() {
        let base = hedge(&[7; 32], "a", &[b"one", b"two"]);
        assert_eq!(base, hedge(&[7; 32], "a", &[b"one", b"two"]));
        for other in [
            hedge(&[8; 32], "a", &[b"one", b"two"]),
            hedge(&[7; 32], "b", &[b"one", b"two"]),
            hedge(&[7; 32], "a", &[b"onet", b"wo"]),
            hedge(&[7; 32], "a", &[b"one"]),
        ] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn keys_do_not_show() {
        assert_eq!(format!("{:?}", vec![Key::new([1; 32])]), "[Key(..)]");
        assert_eq!(Key::new([1; 32]), Key::new([1; 32]));
        assert_ne!(Key::new([1; 32]), Key::new([2; 32]));
        assert!(same(b"ab", b"ab") && !same(b"ab", b"abc") && !same(b"ab", b"ac"));
    }
}
