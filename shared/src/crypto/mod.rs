//! Thin names over the RustCrypto and dalek crates: the only place where primitives are called.
//!
//! Invariant: secrets are overwritten when dropped, not shown by `Debug`, and compared in constant
//! time. Everything is deterministic: what is random comes in as an argument. PROTOCOL.md, its
//! opening and sections 1, 4, 5 and 14.

pub mod aead;
pub mod agree;
pub mod blind;
pub mod hash;
pub mod kem;
pub mod rng;
pub mod sign;

pub use aead::{Forged, SEAL_OVERHEAD, TooLong, open, pad, seal, unpad};
pub use agree::{agree, agree_public};
pub use blind::{BlindedKey, blind_public};
pub use hash::{Key, hedge, hmac, kdf, kdf_key, same, sha256};
pub use kem::{BadKemKey, CIPHERTEXT_LEN, KEM_PUBLIC_LEN, KemPublic, KemSecret};
pub use rng::Rng;
pub use sign::{BadKey, BadSignature, PublicKey, SigningKey};
