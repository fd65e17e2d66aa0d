//! What somebody who sees everything at all relays has recorded.
//!
//! Invariant: an object is in it once, with the time at which it was first put.

use super::locator_of;
use crate::world::{Seen, World};
use shared::crypto::{CIPHERTEXT_LEN, Key, open};
use shared::wire::{Header, Kind};
use std::collections::{BTreeMap, BTreeSet};

const PUT: u8 = 0x10;
/// Type and request number of a frame.
const FRONT: usize = 5;
const HEADER: usize = 72;

/// An object and when it was put.
#[derive(Clone, Debug)]
pub struct Recorded {
    pub at_ms: u64,
    /// Who put it first.
    pub from: usize,
    pub header: Header,
    pub body: Vec<u8>,
}

impl Recorded {
    /// Ciphertext and inner text of an envelope whose outer key this is.
    pub(super) fn outer(&self, key: &Key) -> Option<(Box<[u8; CIPHERTEXT_LEN]>, Vec<u8>)> {
        let text = open(key, &self.header.front.encode(), &self.body).ok()?;
        let (ct, inner) = text.split_first_chunk()?;
        Some((Box::new(*ct), inner.to_vec()))
    }
}

/// Everything that was put.
#[derive(Clone, Debug, Default)]
pub struct Archive {
    pub objects: Vec<Recorded>,
    known: BTreeSet<[u8; 32]>,
    places: BTreeMap<u64, Vec<usize>>,
}

impl Archive {
    /// Takes what relays have seen since this was last called. The world keeps it from now on.
    pub fn record(&mut self, world: &mut World) {
        for seen in world.seen.replace(Vec::new()).unwrap_or_default() {
            self.add(&seen);
        }
    }

    fn add(&mut self, seen: &Seen) {
        if seen.bytes.first() != Some(&PUT) || !seen.to_relay {
            return;
        }
        let front = seen.bytes.get(FRONT..).unwrap_or_default();
        let Some((header, body)) = front.split_first_chunk::<HEADER>() else {
            return;
        };
        let Ok(header) = Header::parse(header) else {
            return;
        };
        if !self.known.insert(header.body_hash) {
            return;
        }
        let object = Recorded {
            at_ms: seen.at_ms,
            from: seen.client,
            header,
            body: body.to_vec(),
        };
        let place = self.places.entry(locator_of(&object)).or_default();
        place.push(self.objects.len());
        self.objects.push(object);
    }

    /// Objects of that locator.
    pub fn find(&self, locator: u64) -> impl Iterator<Item = usize> {
        self.places.get(&locator).into_iter().flatten().copied()
    }

    pub fn envelopes(&self) -> impl Iterator<Item = (usize, &Recorded)> {
        let all = self.objects.iter().enumerate();
        all.filter(|(_, object)| object.header.kind == Kind::Envelope)
    }

    pub fn records(&self) -> impl Iterator<Item = &Recorded> {
        let all = self.objects.iter();
        all.filter(|object| object.header.kind == Kind::Record)
    }
}
