//! Exports for the browser benchmark: each scans `count` nonces from `start` of a fixed prefix and
//! returns how many hashes came out below the target `2^(256 - bits)`, 1 to 32 bits, so that all do
//! the same work and the page can compare what they found.

#[path = "../../../../../web-node/src/pow.rs"]
mod pow;

use sha2::{Digest, Sha256, block_api::compress256};

const PREFIX: [u8; 32] = *b"proof-of-work benchmark, prefix.";

const INITIAL: [u32; 8] = [
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

/// The specialised kernel.
#[unsafe(no_mangle)]
pub extern "C" fn own(start: u64, count: u32, bits: u32) -> u32 {
    let target = target_of(bits);
    let (mut at, mut left, mut hits) = (start, u64::from(count), 0);
    while let Some(nonce) = pow::search(&PREFIX, &target, at, left) {
        hits += 1;
        left -= nonce - at + 1;
        at = nonce + 1;
    }
    hits
}

/// `Sha256::digest` of the 40 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn sha2_digest(start: u64, count: u32, bits: u32) -> u32 {
    let target = target_of(bits);
    let mut message = [0u8; 40];
    message[..32].copy_from_slice(&PREFIX);
    let mut hits = 0;
    for nonce in start..start + u64::from(count) {
        message[32..].copy_from_slice(&nonce.to_le_bytes());
        hits += u32::from(Sha256::digest(message).as_slice() < target.as_slice());
    }
    hits
}

/// The crate's block function on a block padded once.
#[unsafe(no_mangle)]
pub extern "C" fn sha2_block(start: u64, count: u32, bits: u32) -> u32 {
    let first = u32::from_be_bytes([0, 1, 2, 3].map(|i| target_of(bits)[i]));
    let mut block = [0u8; 64];
    block[..32].copy_from_slice(&PREFIX);
    block[40] = 0x80;
    block[62..].copy_from_slice(&320u16.to_be_bytes());
    let mut hits = 0;
    for nonce in start..start + u64::from(count) {
        block[32..40].copy_from_slice(&nonce.to_le_bytes());
        let mut state = INITIAL;
        compress256(&mut state, core::slice::from_ref(&block));
        hits += u32::from(state[0] < first);
    }
    hits
}

/// `2^(256 - bits)`, big-endian.
fn target_of(bits: u32) -> [u8; 32] {
    let mut target = [0u8; 32];
    target[..4].copy_from_slice(&(1u32 << (32 - bits)).to_be_bytes());
    target
}
