//! What a relay's frames mean to the client, and why a link is given up.

use crate::range::Range;
use crate::wire::{Bye, Descriptor, Header, Receipt, Records, Refused, ScanRecord, Welcome};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// A request's number on its link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReqId(pub u32);

/// One frame, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply<'a> {
    /// The relay has proved itself; requests can be made.
    Welcome(Welcome),
    /// The object is durable at this relay, or another one that keeps its range. The signature was
    /// checked.
    Stored {
        request: ReqId,
        receipt: Receipt<'a>,
        /// The node key of whoever stores it.
        by: [u8; 32],
    },
    /// The request is over. `None`: a reason of a later version.
    Refused {
        request: ReqId,
        why: Option<Refused>,
        detail: u32,
    },
    /// A part of a bucket. `total` and `bytes` are the relay's word only.
    ScanPage {
        request: ReqId,
        bucket: u32,
        closed: bool,
        total: u32,
        bytes: u64,
        first: u32,
        records: Records<'a>,
    },
    /// One of the answers to Get or Find: work, body hash, expiry and place were checked.
    Object {
        request: ReqId,
        bucket: u32,
        header: Header,
        body: &'a [u8],
    },
    /// One of the answers to Relays: a relay that says so itself.
    Named {
        request: ReqId,
        descriptor: Descriptor,
        /// What it keeps.
        range: Range,
        /// Nobody dials it, whatever addresses it shows: the relay that names it leads there.
        undialled: bool,
    },
    /// The answer to Offer: the relay that was named is dialled there.
    Answered { request: ReqId, address: SocketAddr },
    /// The answer to Get, Find or Relays is complete.
    End { request: ReqId, count: u32 },
    /// Something arrived (Watch for scan records).
    News { bucket: u32, record: ScanRecord },
    /// Something arrived (Watch for whole objects), checked like `Object`.
    Pushed {
        bucket: u32,
        header: Header,
        body: &'a [u8],
    },
    /// Scan from this bucket on; later arrivals are pushed.
    Lagged { bucket: u32 },
    /// The relay lost its store: it wants to know what there is here (`ClientLink::have`).
    Asked,
    /// The relay asks for another effort from now on.
    Floor { effort: u8 },
    /// These are lacking there (`ClientLink::push`).
    Wanted { ids: &'a [[u8; 32]] },
    /// Send this back.
    Send(Vec<u8>),
    /// Nothing to do. What was dropped is in `faults`.
    Nothing,
}

/// Why a link must be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkFault {
    /// Another node key than the hint's.
    WrongKey,
    /// The Welcome's signature is not over this link: someone in the middle, or a stale hint.
    BadWelcome,
    WrongVersion {
        version: u8,
    },
    WrongNetwork {
        network: u32,
    },
    /// The relay left.
    Bye(Bye),
    /// A receipt that the node key did not sign, or for another object.
    BadReceipt,
    /// An answer that is not what was asked for.
    BadAnswer,
    /// Too many useless frames.
    Faulty,
    /// Nothing heard.
    Silent,
    /// It is there but does not answer.
    Stalled,
}
