//! The client's side of a link to a relay. PROTOCOL.md section 3.
//!
//! Invariant: whatever the relay sends, an answer handed on was asked for on this link and is what
//! was asked for: receipts are signed, objects are paid for, whole, in place and unexpired. A relay
//! can still hold things back.
//!
//! ```text
//! link.hello() -> frame                            send it first
//! link.put / scan / get / find / relays / offer / watch   send the frame; answers carry the ReqId
//! link.on_frame(now, bytes) -> Reply               or the fault for which to close the link
//! link.on_timer(now) -> maybe a frame              when link.next_time() has come
//! ```

mod answer;
mod reply;

pub use reply::{LinkFault, Reply, ReqId};

use crate::crypto::PublicKey;
use crate::limits::{
    ANSWER_AFTER_MS, DEAD_AFTER_MS, HANDSHAKE_MS, OFFERED_PORTS_MAX, PING_AFTER_MS,
    REQUESTS_PER_LINK_MAX,
};
use crate::time::{Millis, Now, hour};
use crate::wire::frame::LINK_VERSION;
use crate::wire::header::HEADER_BYTES;
use crate::wire::scan::prefix_range;
use crate::wire::{Frame, Header, Id, Welcome};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a client needs to know of a relay before it says Hello.
#[derive(Clone, Copy, Debug)]
pub struct LinkConfig {
    /// From the relay's hint.
    pub node_key: PublicKey,
    pub network: u32,
    /// From `Input::LinkUp`.
    pub binding: [u8; 32],
    /// Random, fresh for each link.
    pub nonce: [u8; 32],
    /// 1 in production.
    pub work_divisor: u64,
}

/// A request under way.
#[derive(Clone, Copy, Debug)]
struct Asked {
    what: What,
    /// When it was asked, or last answered in part.
    at: Millis,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Put {
        id: Id,
        address: u32,
        /// A relay that keeps that address, as this one says.
        keeper: Option<[u8; 32]>,
    },
    Scan {
        bucket: u32,
        first: u32,
    },
    /// `low` rises with each object, `previous` is the last one's id.
    Get {
        bucket: u32,
        low: u64,
        last: u64,
        previous: Option<Id>,
        count: u32,
    },
    Find {
        low: u64,
        last: u64,
        previous: Option<(u32, [u8; 16])>,
        count: u32,
    },
    Relays {
        left: u8,
    },
    Offer,
    /// Stays to the end of the link.
    Watch {
        whole: bool,
        bucket: u32,
        answered: bool,
    },
}

/// The last signature on receipts that was checked: by whom, over which root and time.
type Vouched = ([u8; 32], [u8; 32], Millis, [u8; 64]);

/// One link to one relay.
#[derive(Debug)]
pub struct ClientLink {
    config: LinkConfig,
    /// The Welcome, and when it came by the monotonic clock.
    welcome: Option<(Welcome, Millis)>,
    opened: Millis,
    heard: Millis,
    pinged: bool,
    requests: BTreeMap<u32, Asked>,
    next_request: u32,
    vouched: Option<Vouched>,
    now: Now,
    /// Frames that were dropped: unknown, unasked for, or carrying a bad object.
    faults: u32,
}

impl ClientLink {
    pub fn new(config: LinkConfig, now: Now) -> Self {
        ClientLink {
            config,
            welcome: None,
            opened: now.mono,
            heard: now.mono,
            pinged: false,
            requests: BTreeMap::new(),
            next_request: 1,
            vouched: None,
            now,
            faults: 0,
        }
    }

    // Getters.

    /// Whether the relay has proved itself.
    pub fn is_open(&self) -> bool {
        self.welcome.is_some()
    }

    /// What the relay said of itself.
    pub fn welcome(&self) -> Option<&Welcome> {
        self.welcome.as_ref().map(|(w, _)| w)
    }

    pub fn node_key(&self) -> &PublicKey {
        &self.config.node_key
    }

    /// The relay's clock now, once it is open.
    pub fn relay_time(&self, now: Now) -> Option<Millis> {
        let (welcome, at) = self.welcome.as_ref()?;
        Some(welcome.time.saturating_add(now.mono.saturating_sub(*at)))
    }

    /// Requests that can still be made before an answer must come.
    pub fn room(&self) -> usize {
        REQUESTS_PER_LINK_MAX.saturating_sub(self.unanswered().count())
    }

    /// Frames of the relay that were dropped.
    pub fn faults(&self) -> u32 {
        self.faults
    }

    fn unanswered(&self) -> impl Iterator<Item = &Asked> {
        let waiting = |a: &&Asked| !matches!(a.what, What::Watch { answered: true, .. });
        self.requests.values().filter(waiting)
    }

    // Requests. `None`: the link is not open, or has no room; ask again after an answer.

    /// The first frame.
    pub fn hello(&self) -> Vec<u8> {
        let hello = Frame::Hello {
            version: LINK_VERSION,
            network: self.config.network,
            nonce: self.config.nonce,
        };
        hello.encode(0)
    }

    /// Answered by `Stored` or `Refused`.
    pub fn put(&mut self, now: Now, header: &Header, body: &[u8]) -> Option<(ReqId, Vec<u8>)> {
        let what = What::Put {
            id: header.id(),
            address: header.address,
            keeper: None,
        };
        let header = &header.encode();
        self.ask(now, what, &Frame::Put { header, body })
    }

    /// Answered by `ScanPage` or `Refused`.
    pub fn scan(&mut self, now: Now, bucket: u32, first: u32) -> Option<(ReqId, Vec<u8>)> {
        let what = What::Scan { bucket, first };
        self.ask(now, what, &Frame::Scan { bucket, first })
    }

    /// Answered by `Object`s in ascending order of body hash, then `End`; or `Refused`.
    pub fn get(
        &mut self,
        now: Now,
        bucket: u32,
        bits: u8,
        prefix: u64,
    ) -> Option<(ReqId, Vec<u8>)> {
        let (low, last) = prefix_range(bits, prefix);
        let what = What::Get {
            bucket,
            low,
            last,
            previous: None,
            count: 0,
        };
        let frame = Frame::Get {
            bucket,
            bits,
            prefix: low,
        };
        self.ask(now, what, &frame)
    }

    /// Answered by `Object`s in ascending order of tags, then `End`; or `Refused`.
    pub fn find(&mut self, now: Now, bits: u8, prefix: u64) -> Option<(ReqId, Vec<u8>)> {
        let (low, last) = prefix_range(bits, prefix);
        let what = What::Find {
            low,
            last,
            previous: None,
            count: 0,
        };
        self.ask(now, what, &Frame::Find { bits, prefix: low })
    }

    /// Answered by at most `max` `Named`, then `End`; or `Refused`.
    pub fn relays(&mut self, now: Now, max: u8, near: u32) -> Option<(ReqId, Vec<u8>)> {
        let what = What::Relays { left: max };
        self.ask(now, what, &Frame::Relays { max, near })
    }

    /// Answered by `Answered`, or `Refused`. Ports as in `Input::Prepared`, at most
    /// [`OFFERED_PORTS_MAX`] count.
    pub fn offer(
        &mut self,
        now: Now,
        node_key: [u8; 32],
        ports: &[u16],
    ) -> Option<(ReqId, Vec<u8>)> {
        let ports = ports.iter().take(OFFERED_PORTS_MAX);
        let ports: Vec<[u8; 2]> = ports.map(|port| port.to_le_bytes()).collect();
        let ports = &ports;
        self.ask(now, What::Offer, &Frame::Offer { node_key, ports })
    }

    /// Answered by `Lagged` (scan from that bucket on), then `News` (or `Pushed` for whole objects)
    /// as they arrive. Once a link.
    pub fn watch(&mut self, now: Now, whole: bool) -> Option<(ReqId, Vec<u8>)> {
        let mut watches = self.requests.values();
        if watches.any(|a| matches!(a.what, What::Watch { .. })) {
            return None;
        }
        let what = What::Watch {
            whole,
            bucket: 0,
            answered: false,
        };
        let mode = whole.into();
        self.ask(now, what, &Frame::Watch { mode })
    }

    // What is told without an answer, to a relay that asked.

    /// Objects that are here.
    pub fn have(headers: &[[u8; HEADER_BYTES]]) -> Vec<u8> {
        Frame::Have { headers }.encode(0)
    }

    /// One of those that are lacking there.
    pub fn push(header: &Header, body: &[u8]) -> Vec<u8> {
        let header = &header.encode();
        Frame::Push { header, body }.encode(0)
    }

    fn ask(&mut self, now: Now, what: What, frame: &Frame<'_>) -> Option<(ReqId, Vec<u8>)> {
        if !self.is_open() || self.room() == 0 {
            return None;
        }
        let request = self.next_request;
        self.next_request = request.checked_add(1)?;
        self.requests.insert(request, Asked { what, at: now.mono });
        Some((ReqId(request), frame.encode(request)))
    }

    // Time.

    /// Pings a silent relay; fails when it is dead or stalls.
    pub fn on_timer(&mut self, now: Now) -> Result<Option<Vec<u8>>, LinkFault> {
        let silent = now.mono.saturating_sub(self.heard);
        let handshake = now.mono.saturating_sub(self.opened) >= HANDSHAKE_MS;
        if silent >= DEAD_AFTER_MS || !self.is_open() && handshake {
            return Err(LinkFault::Silent);
        }
        if self.stalls().is_some_and(|at| at <= now.mono) {
            return Err(LinkFault::Stalled);
        }
        if silent < PING_AFTER_MS || self.pinged || !self.is_open() {
            return Ok(None);
        }
        self.pinged = true;
        Ok(Some(Frame::Ping { echo: now.mono }.encode(0)))
    }

    /// When to call `on_timer`, by the monotonic clock.
    pub fn next_time(&self) -> Millis {
        let silence = if !self.is_open() {
            self.opened + HANDSHAKE_MS
        } else if self.pinged {
            self.heard + DEAD_AFTER_MS
        } else {
            self.heard + PING_AFTER_MS
        };
        self.stalls().map_or(silence, |at| at.min(silence))
    }

    fn stalls(&self) -> Option<Millis> {
        let first = self.unanswered().map(|a| a.at).min()?;
        Some(first + ANSWER_AFTER_MS)
    }

    /// The hour by the relay's clock, the machine's own before there is one.
    fn hour(&self) -> u32 {
        hour(self.relay_time(self.now).unwrap_or(self.now.unix))
    }
}

#[cfg(test)]
mod tests;
