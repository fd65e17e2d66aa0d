//! What both sides of a link derive: where each message lies, what it is sealed under, the numbers
//! that people compare. PROTOCOL.md section 15.
//!
//! Invariant: each message has a label of its own and all that was said before it in its key. The
//! numbers follow from the transcript alone, and everything in the transcript was chosen before who
//! chose it could know the rest.

use super::code::CodeSecret;
use crate::sealed::{self, Sealed, Step};
use alloc::vec::Vec;
use shared::crypto::{
    self, CIPHERTEXT_LEN, Forged, KemPublic, Key, Rng, SEAL_OVERHEAD, kdf, kdf_key, sha256,
};
use shared::time::Millis;
use shared::wire::{Front, Header, Kind, Lifetime, SizeClass};
use zeroize::Zeroizing;

/// When something happens, and for which network it is sealed.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// For timeouts.
    pub mono: Millis,
    /// Assumed time, Unix ms.
    pub now: Millis,
    pub network: u32,
    /// The relays' floor.
    pub effort: u8,
}

/// The envelopes of a link. Each is sent once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Message {
    /// N: its X-Wing key.
    Key,
    /// O: who asks, with a ciphertext to that key.
    Hello,
    /// N: the device.
    Device,
    /// N: whether it took what it got.
    Word,
    /// O: a part of what the device gets.
    Chunk(u16),
}

impl Message {
    fn number(self) -> u32 {
        match self {
            Message::Key => 0,
            Message::Hello => 1,
            Message::Device => 2,
            Message::Word => 3,
            Message::Chunk(n) => 4 + u32::from(n),
        }
    }

    fn size(self) -> SizeClass {
        match self {
            Message::Key | Message::Hello => SizeClass::KIB_2,
            Message::Device | Message::Word => SizeClass::KIB_1,
            Message::Chunk(_) => SizeClass::KIB_16,
        }
    }

    /// Bytes of what the outer key seals.
    fn outer_len(self) -> usize {
        self.size().bytes() - SEAL_OVERHEAD
    }

    /// Bytes of padded text under the inner key.
    fn inner_len(self) -> usize {
        let ahead = match self {
            Message::Hello => CIPHERTEXT_LEN,
            _ => 0,
        };
        self.outer_len() - ahead - SEAL_OVERHEAD
    }

    /// Text that fits into a chunk, bytes: its length takes two of them.
    pub const fn chunk_text_len() -> usize {
        SizeClass::KIB_16.bytes() - 2 * SEAL_OVERHEAD - 2
    }
}

/// Where the envelopes of one code lie, and what is around them. Whoever has seen the code knows
/// all of it.
pub(super) struct Meeting<'a>(pub &'a CodeSecret);

impl Meeting<'_> {
    fn step(&self, message: Message) -> Step {
        let number = message.number().to_le_bytes();
        Step::derive(&self.0[..], "link step", &[&number])
    }

    pub fn locator(&self, message: Message) -> u64 {
        self.step(message).locator
    }

    /// The one address of all of them.
    pub fn address(&self) -> u32 {
        let mut address = [0; 4];
        kdf(&[&self.0[..]], "link address", &[], &mut address);
        u32::from_le_bytes(address)
    }

    /// What the outer key seals.
    pub fn put(&self, message: Message, text: &[u8], at: &Moment, rng: &mut Rng) -> Sealed {
        let (size, life) = (message.size(), Lifetime::ENVELOPE);
        let mut front = Front::from_now(at.now, Kind::Envelope, size, life, at.network);
        front.effort = at.effort;
        front.address = self.address();
        self.step(message).seal(&front, text, rng)
    }

    /// N's key, as who has seen the code finds it.
    pub fn put_key(&self, key: &KemPublic, at: &Moment, rng: &mut Rng) -> Sealed {
        let Ok(text) = crypto::pad(key.as_bytes(), Message::Key.outer_len()) else {
            unreachable!("an X-Wing key fits into 2 KiB");
        };
        self.put(Message::Key, &text, at, rng)
    }

    /// A text under the inner key, with what stands before it.
    pub fn put_sealed(
        &self,
        message: Message,
        (ahead, inner): (&[u8], &Key),
        text: &[u8],
        at: &Moment,
        rng: &mut Rng,
    ) -> Sealed {
        let Ok(padded) = crypto::pad(text, message.inner_len()).map(Zeroizing::new) else {
            unreachable!("texts of a link are bounded by who makes them");
        };
        let inner = sealed::seal(inner, &rng.array(), &[], &padded);
        self.put(message, &[ahead, &inner].concat(), at, rng)
    }

    /// What is under the outer key. Who has not seen the code makes nothing that opens.
    pub fn open(&self, message: Message, header: &Header, body: &[u8]) -> Result<Vec<u8>, Forged> {
        if header.size != message.size() {
            return Err(Forged);
        }
        self.step(message).open(header, body)
    }
}

/// The text under an inner key.
pub(super) fn open_inner(key: &Key, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Forged> {
    let padded = Zeroizing::new(crypto::open(key, &[], sealed)?);
    Ok(Zeroizing::new(crypto::unpad(&padded)?.to_vec()))
}

/// c: what N is held to before it knows anything of the other side. `rest` is the device's message
/// behind the nonce.
pub(super) fn commitment(key: &KemPublic, nonce: &[u8; 32], rest: &[u8]) -> [u8; 32] {
    let rest = sha256(&[rest]);
    sha256(&[b"wm-link-commit", key.as_bytes(), nonce, &rest])
}

/// What both know once the ciphertext came.
#[derive(Clone)]
pub(super) struct Secrets {
    pub shared: Key,
    /// H of the code's bytes, and of the ciphertext.
    pub code: [u8; 32],
    pub ct: [u8; 32],
}

impl Secrets {
    pub fn hello_key(&self, secret: &CodeSecret) -> Key {
        let ikm: [&[u8]; 2] = [self.shared.as_bytes(), &secret[..]];
        kdf_key(&ikm, "link 1", &[&self.code, &self.ct])
    }

    pub fn device_key(&self, hello: &[u8]) -> Key {
        let said = sha256(&[hello]);
        let ikm: [&[u8]; 1] = [self.shared.as_bytes()];
        kdf_key(&ikm, "link 2", &[&self.code, &self.ct, &said])
    }

    pub fn agreed(&self, hello: &[u8], device: &[u8]) -> Agreed {
        let (hello, device) = (sha256(&[hello]), sha256(&[device]));
        Agreed {
            shared: self.shared.clone(),
            transcript: sha256(&[b"wm-link-transcript", &self.code, &self.ct, &hello, &device]),
        }
    }
}

/// What both know once the device was told.
#[derive(Clone)]
pub(super) struct Agreed {
    shared: Key,
    pub transcript: [u8; 32],
}

impl Agreed {
    /// What people compare: 6 digits.
    pub fn number(&self) -> u32 {
        let [a, b, c, d, e, f, g, h, ..] = sha256(&[b"wm-link-number", &self.transcript]);
        (u64::from_be_bytes([a, b, c, d, e, f, g, h]) % 1_000_000) as u32
    }

    pub fn word_key(&self) -> Key {
        kdf_key(&[self.shared.as_bytes()], "link 3", &[&self.transcript])
    }

    pub fn chunk_key(&self, number: u16, last: bool) -> Key {
        let (number, last) = (number.to_le_bytes(), [u8::from(last)]);
        let context: [&[u8]; 3] = [&self.transcript, &number, &last];
        kdf_key(&[self.shared.as_bytes()], "link 4", &context)
    }
}
