//! The address book in the store: one row an entry, and one for the anchors. PROTOCOL.md section 8.
//!
//! ```text
//! place      4 or 6 u8 | address[4 or 16] | port u16 | of 6: interface u32 (of link-local ones)
//! source     who u8 | group[5]   0 person, 1 local network, 2 DHT, 3 peer of the group,
//!                                4 dialler (group[0]: 0 loopback, 1 private, 2 public)
//!
//! place   -> form u8 (1) | flags u8 (1 tried, 2 named) | failures u8 | heard u64 | proved u64 | attempted u64 (ms)
//!            | sources u8 (1-4), each | descriptor header and body, or nothing
//! 0 u8    -> form u8 (1) | anchors u8 (0-2) | place of each
//! ```
//! Invariant: what parses encodes to the same bytes.

use super::group::{Group, Reach, canonical};
use super::table::{Entry, Known};
use super::{Book, Source};
use crate::io::Table;
use crate::limits::{BOOK_ANCHORS_MAX, BOOK_SOURCES_MAX};
use crate::wire::codec::Writer;
use crate::wire::descriptor::{read_address, write_address};
use crate::wire::header::HEADER_BYTES;
use crate::wire::{Descriptor, Header, Malformed, Reader};
use alloc::vec::Vec;
use core::net::{SocketAddr, SocketAddrV6};

/// The relay's table of the address book.
pub const BOOK: Table = Table(3);
const FORM: u8 = 1;
const ANCHORS_KEY: &[u8] = &[0];

impl Book {
    /// Rows that changed since the last call, for [`BOOK`]: key, and value or `None` to delete it.
    /// Losing some of them does no harm beyond what they say.
    pub fn take_changes(&mut self) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
        let changed = self.table.take_changed();
        let mut rows = Vec::with_capacity(changed.len() + 1);
        for address in changed {
            rows.push((key(&address), self.table.get(&address).map(value)));
        }
        if core::mem::take(&mut self.anchors_changed) {
            rows.push((ANCHORS_KEY.to_vec(), Some(anchors_value(&self.anchors))));
        }
        rows
    }

    /// A row of the store, at the start. Rows of unknown or damaged form are counted and skipped;
    /// one that has no place any more is deleted with the next changes.
    pub fn load(&mut self, key: &[u8], value: &[u8]) {
        if key == ANCHORS_KEY {
            match parse_anchors(value) {
                Ok(anchors) => self.anchors = anchors,
                Err(Malformed) => self.unread += 1,
            }
            return;
        }
        match parse(key, value, self.network) {
            Ok((address, entry)) => self.load_entry(address, entry),
            Err(Malformed) => self.unread += 1,
        }
    }

    fn load_entry(&mut self, address: SocketAddr, entry: Entry) {
        let node_key = entry.node_key();
        let twice = node_key.is_some_and(|key| self.table.of_key(key).is_some());
        let own = node_key.is_some() && node_key == self.own_key.as_ref();
        let fit = self.fit(&address, Source::Person).is_ok();
        let loaded = fit && !own && !twice && self.table.get(&address).is_none();
        if loaded {
            self.last_answer = self.last_answer.max(entry.proved);
            if entry.tried && self.table.make_room(&address).is_ok() {
                self.table.put_tried(address, entry);
            } else {
                // Without room its row goes, too.
                let _ = self.table.put_new(address, entry);
            }
        }
        self.table.has_row(address, loaded);
    }
}

impl Source {
    pub(super) fn bytes(self) -> [u8; 6] {
        let (who, [a, b, c, d, e]) = match self {
            Source::Person => (0, [0; 5]),
            Source::Lan => (1, [0; 5]),
            Source::Dht => (2, [0; 5]),
            Source::Peer(group) => (3, *group.bytes()),
            Source::Dialler(reach) => (4, [reach as u8, 0, 0, 0, 0]),
        };
        [who, a, b, c, d, e]
    }

    fn from_bytes(bytes: [u8; 6]) -> Result<Self, Malformed> {
        let [who, group @ ..] = bytes;
        match (who, group) {
            (0, [0, 0, 0, 0, 0]) => Ok(Source::Person),
            (1, [0, 0, 0, 0, 0]) => Ok(Source::Lan),
            (2, [0, 0, 0, 0, 0]) => Ok(Source::Dht),
            (3, _) => Ok(Source::Peer(Group::from_bytes(group).ok_or(Malformed)?)),
            (4, [0, 0, 0, 0, 0]) => Ok(Source::Dialler(Reach::Loopback)),
            (4, [1, 0, 0, 0, 0]) => Ok(Source::Dialler(Reach::Private)),
            (4, [2, 0, 0, 0, 0]) => Ok(Source::Dialler(Reach::Public)),
            _ => Err(Malformed),
        }
    }
}

fn key(address: &SocketAddr) -> Vec<u8> {
    let mut w = Writer::default();
    write_place(&mut w, address);
    w.0
}

fn value(entry: &Entry) -> Vec<u8> {
    let raw = entry.known.as_ref().map_or(Vec::new(), Known::raw);
    let mut w = Writer::with_capacity(64 + raw.len());
    let flags = u8::from(entry.tried) | u8::from(entry.named) << 1;
    w.u8(FORM).u8(flags).u8(entry.failures);
    w.u64(entry.heard).u64(entry.proved).u64(entry.attempted);
    w.u8(entry.sources.len() as u8);
    for source in &entry.sources {
        w.bytes(&source.bytes());
    }
    w.bytes(&raw);
    w.0
}

fn anchors_value(anchors: &[SocketAddr]) -> Vec<u8> {
    let mut w = Writer::default();
    w.u8(FORM).u8(anchors.len() as u8);
    for address in anchors {
        write_place(&mut w, address);
    }
    w.0
}

fn parse(key: &[u8], value: &[u8], network: u32) -> Result<(SocketAddr, Entry), Malformed> {
    let mut r = Reader::new(key);
    let address = read_place(&mut r)?;
    r.end()?;
    let mut r = Reader::new(value);
    if r.u8()? != FORM {
        return Err(Malformed);
    }
    let flags = r.u8()?;
    if flags > 3 {
        return Err(Malformed);
    }
    let (tried, named) = (flags & 1 != 0, flags & 2 != 0);
    let failures = r.u8()?;
    let (heard, proved, attempted) = (r.u64()?, r.u64()?, r.u64()?);
    let count = usize::from(r.u8()?);
    if count == 0 || count > BOOK_SOURCES_MAX {
        return Err(Malformed);
    }
    let mut sources = Vec::with_capacity(BOOK_SOURCES_MAX);
    for _ in 0..count {
        let source = Source::from_bytes(r.array()?)?;
        if sources.contains(&source) {
            return Err(Malformed);
        }
        sources.push(source);
    }
    let known = match r.rest() {
        [] => None,
        raw => Some(parse_known(raw, network)?),
    };
    if known.is_none() && (tried || !named) || tried && proved == 0 {
        return Err(Malformed);
    }
    let entry = Entry {
        tried,
        named,
        sources,
        failures,
        heard,
        proved,
        attempted,
        known,
    };
    Ok((address, entry))
}

/// The signature shows whether it is whole.
fn parse_known(raw: &[u8], network: u32) -> Result<Known, Malformed> {
    let (header, body) = raw.split_first_chunk::<HEADER_BYTES>().ok_or(Malformed)?;
    let header = Header::parse(header)?;
    if header.network != network {
        return Err(Malformed);
    }
    let descriptor = Descriptor::read(&header, body)?;
    Known::new(&descriptor, raw)
}

fn parse_anchors(value: &[u8]) -> Result<Vec<SocketAddr>, Malformed> {
    let mut r = Reader::new(value);
    let (form, count) = (r.u8()?, usize::from(r.u8()?));
    if form != FORM || count > BOOK_ANCHORS_MAX {
        return Err(Malformed);
    }
    let mut anchors = Vec::with_capacity(BOOK_ANCHORS_MAX);
    for _ in 0..count {
        anchors.push(read_place(&mut r)?);
    }
    r.end()?;
    Ok(anchors)
}

fn write_place(w: &mut Writer, address: &SocketAddr) {
    write_address(w, address);
    if let SocketAddr::V6(address) = address {
        w.u32(address.scope_id());
    }
}

fn read_place(r: &mut Reader<'_>) -> Result<SocketAddr, Malformed> {
    let mut address = read_address(r)?;
    if let SocketAddr::V6(v6) = address {
        address = SocketAddrV6::new(*v6.ip(), v6.port(), 0, r.u32()?).into();
    }
    if canonical(address) == address {
        Ok(address)
    } else {
        Err(Malformed)
    }
}
