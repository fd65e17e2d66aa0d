//! Linking a device: the new one (N) shows a QR code, one that has the seed (O) scans it, people
//! compare six digits on both, and N gets what it needs. PROTOCOL.md section 15. Pure: no clock, no
//! network, no disk; a run lives in memory and ends with the process.
//!
//! ```text
//! N     NewDevice::new(asks, hints, at, rng)            put its envelope, show run.code() 60 s
//! O     LinkCode::parse, OldDevice::new(code, me, ..)   dial code.hints, watch run.address()
//! both  run.on_envelope(header, body, at, rng)          what came under run.expected()
//!       run.on_time(at, rng)                            at run.deadline()
//!       put reply.put, act on reply.event
//! N     NewEvent::Compare(host)       show number, account and name, ask: run.confirm(yes, ..)
//! O     OldEvent::Compare(newcomer)   show number, name and kind, ask. No: run.refuse(at, rng)
//!       yes: choose a slot, certify newcomer.device, save that, run.approve(&bundle, at), and put
//!       what run.next_chunk(at, rng) gives until it gives nothing
//! N     NewEvent::Received(bundle)    save it, then put what run.taken(at, rng) gives
//! O     OldEvent::Done or Failed      after approve it is linked, until it is removed
//! ```
//!
//! Envelopes lack their work, and may be put more than once. What is not of the run changes
//! nothing, and is no error. A run that failed is dropped.
//!
//! Invariant: N answers one hello for each code and O takes one answer for each scan, whatever
//! happens; nothing secret is sealed before a person said yes on O, or taken before one did on N.

mod bundle;
mod chunks;
mod code;
mod exchange;
mod history;
mod new_device;
mod old_device;
mod texts;

#[cfg(test)]
mod tests;

pub use bundle::{Bundle, Leave, ReturnSecret, SelfPair, SharedContact, StateSecret};
pub use chunks::{BUNDLE_BYTES_MAX, CHUNKS_MAX};
pub use code::{CLOCKS_MS, CodeError, LinkCode, PREFIX, SHOWN_MS};
pub use exchange::Moment;
pub use history::{HISTORY_BYTES_MAX, MessageCopy, Said, Way};
pub use new_device::{Asks, Host, NewDevice, NewEvent};
pub use old_device::{ApproveError, Me, Newcomer, OldDevice, OldEvent};

use crate::sealed::Sealed;
use alloc::{format, string::String, vec::Vec};
use shared::time::Millis;

/// What is waited for once the code was answered, each time.
pub const STEP_MS: Millis = 300_000;

/// What comes of an input.
#[derive(Debug)]
pub struct Reply<E> {
    /// To be put, once their work is done.
    pub put: Vec<Sealed>,
    pub event: Option<E>,
}

impl<E> Reply<E> {
    fn nothing() -> Reply<E> {
        Reply {
            put: Vec::new(),
            event: None,
        }
    }

    fn event(event: E) -> Reply<E> {
        Reply {
            put: Vec::new(),
            event: Some(event),
        }
    }
}

/// Why no device was linked. A run that failed is over: the next try begins with a new code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Something did not come in time.
    TimedOut(Late),
    /// The person said no on this device.
    RefusedHere,
    /// They said no on the other one.
    RefusedThere,
    /// Somebody else who has seen the code takes part.
    Disturbed,
    /// The new device is not the one that its code was made for.
    NotCommitted,
    /// What the other side says of its account or of this device is not certified.
    BadCertificate,
    /// What came is for another account, or not what was asked for.
    NotForUs,
    /// The other side says what no version says.
    Malformed,
    /// The new device got everything, and could not take it.
    NotTaken,
    /// Everything was sent, and the new device did not say whether it took it: it may be linked.
    NoWord,
}

/// What did not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    /// On N: nobody scanned the code.
    Scan,
    /// On O: what belongs to the code is at none of its relays.
    Key,
    /// On O: the new device answers no more.
    Device,
    /// A person who says yes or no here.
    Person,
    /// On N: what the other device sends, or a yes there.
    Bundle,
}

/// A number as people compare it: `012 345`.
pub fn digits(number: u32) -> String {
    format!("{:03} {:03}", number / 1000 % 1000, number % 1000)
}
