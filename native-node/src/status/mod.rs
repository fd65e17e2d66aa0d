//! What a running relay shows who runs it: `wiremin relay status`.
//!
//! ```text
//! desk  looks at the relay, answers       door  the file that says where to ask, and with what
//! ask   reads the door, asks              text  for people
//! ```
//!
//! Invariant: only who can read the relay's directory gets an answer, and no answer holds the
//! address of anybody but relays.

mod ask;
mod desk;
mod door;
mod text;

pub use ask::{AskError, ask};
pub use desk::{Asker, Desk, Facts};
pub use door::Door;
pub use text::text;

use crate::transport::Traffic;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A relay at one moment. Numbers of objects, frames, bytes; times in seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    pub version: String,
    /// `starting`, `running`, or `failed`.
    pub state: String,
    pub uptime_s: u64,
    /// The first 16 hex digits of its node key.
    pub relay: String,
    pub network: String,
    /// Where others are told that it is.
    pub addresses: Vec<SocketAddr>,
    pub range: Range,
    pub peers: Vec<Peer>,
    pub known: Known,
    pub stored: Stored,
    pub webrtc: Carried,
    pub quic: Carried,
    /// What was counted since the start, by what it is about; without zeros.
    pub counters: BTreeMap<String, BTreeMap<String, u64>>,
}

/// Which objects it keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    All,
}

/// A relay that it is linked to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The first 16 hex digits of its node key.
    pub relay: String,
    /// Where it was dialled; where it says it is, for one that dialled this relay.
    pub address: Option<SocketAddr>,
    /// By this relay.
    pub dialled: bool,
    pub linked_s: u64,
}

/// Relays that it knows of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Only heard of.
    pub new: usize,
    /// Proved by a link.
    pub tried: usize,
}

/// What it keeps, and how much it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    pub objects: u64,
    pub objects_max: u64,
    /// Of the objects.
    pub records: u64,
    pub bytes: u64,
    pub bytes_max: u64,
}

/// Links of one kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    pub links: usize,
    pub since_start: Traffic,
    pub last_minute: Traffic,
}

fn short(key: &[u8; 32]) -> String {
    key[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests;
