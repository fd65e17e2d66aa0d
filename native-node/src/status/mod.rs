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

/// Longest text of a report that is shown; names of networks may have 64 bytes.
const TEXT_CHARS_MAX: usize = 80;

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
    /// What was counted since the start, by what it is about; without zeros. In `webrtc` and
    /// `quic` what strangers began at the port, and what came to nothing.
    pub counters: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Report {
    /// With nothing in its texts that a terminal would obey: whoever has the port of a relay that
    /// was killed may answer in its place.
    fn shown(mut self) -> Self {
        let texts = [&mut self.version, &mut self.state, &mut self.relay];
        for text in texts.into_iter().chain([&mut self.network]) {
            *text = plain(text);
        }
        for peer in &mut self.peers {
            peer.relay = plain(&peer.relay);
        }
        let counted = |(name, count): (String, u64)| (plain(&name), count);
        let groups = std::mem::take(&mut self.counters).into_iter();
        self.counters = groups
            .map(|(group, counters)| {
                let counters = counters.into_iter().map(counted).collect();
                (plain(&group), counters)
            })
            .collect();
        self
    }
}

/// One short line: what controls a terminal, turns the direction of text or is not seen at all
/// is escaped.
fn plain(text: &str) -> String {
    let hides = |c: char| {
        c.is_control()
            || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
    };
    let mut shown = String::new();
    for c in text.chars().take(TEXT_CHARS_MAX) {
        match hides(c) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
    }
    shown
}

/// Which objects a relay keeps: those whose addresses start with the first bits of a number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Range {
    pub bits: u8,
    pub prefix: u32,
}

impl From<shared::range::Range> for Range {
    fn from(range: shared::range::Range) -> Self {
        Range {
            bits: range.bits(),
            prefix: range.prefix(),
        }
    }
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
    pub range: Range,
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
    /// Of these, such of which only the header is here: other relays keep their bodies.
    pub headers: u64,
    pub objects_max: u64,
    /// Of the objects.
    pub records: u64,
    pub bytes: u64,
    pub bytes_max: u64,
    /// The effort asked of what clients put: more while many bring too much.
    #[serde(default)]
    pub effort_floor: u8,
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
