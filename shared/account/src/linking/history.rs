//! Messages of conversations, as devices of one account tell them to each other. PROTOCOL.md
//! section 15.
//!
//! Invariant: what reads is within its bounds.

use crate::cbor;
use crate::shown::TEXT_BYTES_MAX;
use alloc::string::String;
use minicbor::{Decode, Encode};
use shared::crypto::PublicKey;
use shared::time::Millis;

/// Copies in a bundle take that much at most, bytes.
pub const HISTORY_BYTES_MAX: usize = 4 << 20;
/// Bytes of a copy beside its text, at most.
const BESIDE_BYTES: usize = 112;

/// What an array of this kind begins with.
const KIND: u8 = 1;

/// A message, of whichever side.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct MessageCopy {
    #[n(0)]
    kind: u8,
    #[cbor(n(1), with = "cbor::public_key")]
    pub who: PublicKey,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub id: [u8; 16],
    #[n(3)]
    pub mine: bool,
    #[n(4)]
    pub text: String,
    /// By its sender's clock, Unix ms.
    #[n(5)]
    pub at: Millis,
    #[n(6)]
    pub order: u64,
    /// When it was sent or came, by the clock of the device that has it.
    #[n(7)]
    pub time: Millis,
    #[n(8)]
    pub way: Way,
}

/// How far one of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Way {
    #[n(0)]
    OnTheWay,
    #[n(1)]
    Arrived,
    #[n(2)]
    GivenUp,
}

/// What a message says, wherever it is copied.
#[derive(Clone, Debug)]
pub struct Said {
    pub id: [u8; 16],
    pub mine: bool,
    pub text: String,
    pub at: Millis,
    pub order: u64,
}

impl MessageCopy {
    pub fn new(who: PublicKey, said: Said, time: Millis, way: Way) -> MessageCopy {
        MessageCopy {
            kind: KIND,
            who,
            id: said.id,
            mine: said.mine,
            text: said.text,
            at: said.at,
            order: said.order,
            time,
            way,
        }
    }

    /// Whether it can be one.
    pub(super) fn is_in_bounds(&self) -> bool {
        self.kind == KIND && self.text.len() <= TEXT_BYTES_MAX
    }

    /// Bytes it takes, or a little less.
    pub fn bytes(text: &str) -> usize {
        text.len() + BESIDE_BYTES
    }
}
