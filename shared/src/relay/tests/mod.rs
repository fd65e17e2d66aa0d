#![allow(clippy::unwrap_used, clippy::expect_used)]
//! A relay, a disk and links, without a shell.

mod crash;
mod floor;
mod headers;
mod hostile;
mod links;
mod offers;
mod peers;
mod puts;
mod ranges;
mod reads;
mod records;
mod start;
mod watch;

use super::*;
use crate::crypto::SigningKey;
use crate::io::{Change, Origin, Row, StoreError};
use crate::link::{ClientLink, LinkConfig, LinkFault, Reply};
use crate::wire::{Front, Header, Kind, Lifetime, SizeClass};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

pub const NETWORK: u32 = 0x1234;
/// Work of 1: nothing to solve.
pub const FREE: u64 = u64::MAX;
pub const START: Now = Now {
    mono: 1000,
    unix: 1_700_000_000_000,
};

pub fn node_key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

pub fn config() -> RelayConfig {
    RelayConfig {
        work_divisor: FREE,
        ..RelayConfig::new(node_key(), NETWORK)
    }
}

/// Somebody in a network of their own: a source.
pub fn from(network: u64) -> Origin {
    Origin {
        network,
        address: network,
        ..Origin::default()
    }
}

/// What survives a crash.
#[derive(Clone, Debug, Default)]
pub struct Disk(pub BTreeMap<(u8, Vec<u8>), Vec<u8>>);

impl Disk {
    pub fn apply(&mut self, batch: Batch) {
        for change in batch.changes {
            match change {
                Change::Put { table, key, value } => {
                    self.0.insert((table.0, key), value);
                }
                Change::Delete { table, key } => {
                    self.0.remove(&(table.0, key));
                }
                Change::DeleteBelow { table, to } => {
                    self.0.retain(|(t, key), _| *t != table.0 || *key >= to);
                }
            }
        }
    }

    pub fn query(&self, query: Query) -> Vec<Row> {
        let row = |(k, v): (&(u8, Vec<u8>), &Vec<u8>)| Row {
            key: k.1.clone(),
            value: v.clone(),
        };
        match query {
            Query::Keys { table, mut keys } => {
                keys.sort();
                let get = |k: Vec<u8>| self.0.get_key_value(&(table.0, k)).map(row);
                keys.into_iter().filter_map(get).collect()
            }
            Query::Range {
                table,
                from,
                to,
                limit,
            } => self
                .0
                .range((table.0, from)..)
                .take_while(|((t, k), _)| *t == table.0 && to.as_ref().is_none_or(|to| k < to))
                .take(limit as usize)
                .map(row)
                .collect(),
        }
    }

    pub fn rows(&self, table: crate::io::Table) -> usize {
        self.0.keys().filter(|(t, _)| *t == table.0).count()
    }
}

pub struct World {
    pub relay: Relay,
    pub disk: Disk,
    pub now: Now,
    /// Loads and saves not yet done.
    pub effects: VecDeque<Output<Infallible>>,
    /// Whether effects are done at once.
    pub auto: bool,
    /// Frames that arrived, by link.
    pub sent: BTreeMap<LinkId, VecDeque<Vec<u8>>>,
    pub closed: BTreeSet<LinkId>,
    pub wake: Millis,
}

impl World {
    pub fn new(config: RelayConfig, disk: Disk) -> World {
        let mut world = World::stopped(config, disk);
        world.auto = true;
        world.settle();
        assert_eq!(world.relay.state(), State::Running);
        world
    }

    /// A relay whose effects wait for `do_effect`.
    pub fn stopped(config: RelayConfig, disk: Disk) -> World {
        let mut world = World {
            relay: Relay::new(config, [7; 32], START),
            disk,
            now: START,
            effects: VecDeque::new(),
            auto: false,
            sent: BTreeMap::new(),
            closed: BTreeSet::new(),
            wake: 0,
        };
        world.settle();
        world
    }

    pub fn input(&mut self, input: Input<'_, Infallible>) {
        self.relay.handle_input(self.now, input);
        self.settle();
    }

    pub fn settle(&mut self) {
        loop {
            match self.relay.poll_output() {
                Output::Send { link, bytes } => self.sent.entry(link).or_default().push_back(bytes),
                Output::Close { link } => {
                    self.closed.insert(link);
                }
                Output::WaitUntil(at) => {
                    self.wake = at;
                    if !self.auto || !self.do_effect() {
                        return;
                    }
                }
                effect => self.effects.push_back(effect),
            }
        }
    }

    /// Does the oldest effect on the store; false when there is none.
    pub fn do_effect(&mut self) -> bool {
        let of_store = |e: &Output<_>| matches!(e, Output::Load { .. } | Output::Save { .. });
        let oldest = self.effects.iter().position(of_store);
        let input = match oldest.and_then(|at| self.effects.remove(at)) {
            Some(Output::Load { token, query }) => {
                let rows = self.disk.query(query);
                Input::Loaded { token, rows }
            }
            Some(Output::Save { token, batch }) => {
                self.disk.apply(batch);
                Input::Saved { token }
            }
            _ => return false,
        };
        self.relay.handle_input(self.now, input);
        if !self.auto {
            self.settle();
        }
        true
    }

    /// Fails the oldest effect.
    pub fn fail_effect(&mut self, error: StoreError) {
        let token = match self.effects.pop_front() {
            Some(Output::Load { token, .. } | Output::Save { token, .. }) => token,
            other => unreachable!("{other:?}"),
        };
        self.input(Input::StoreFailed { token, error });
    }

    pub fn advance(&mut self, ms: u64) {
        self.now.mono += ms;
        self.now.unix += ms;
        self.input(Input::Wake);
    }

    pub fn up(&mut self, link: u64) {
        self.up_from(link, Origin::default());
    }

    pub fn up_from(&mut self, link: u64, from: Origin) {
        self.input(Input::LinkUp {
            link: LinkId(link),
            dialled: None,
            from,
            binding: [link as u8; 32],
        });
    }

    pub fn message(&mut self, link: u64, bytes: &[u8]) {
        let link = LinkId(link);
        self.input(Input::LinkMessage { link, bytes });
    }

    pub fn frames(&mut self, link: u64) -> Vec<Vec<u8>> {
        self.sent.remove(&LinkId(link)).unwrap_or_default().into()
    }

    /// A client whose handshake is done.
    pub fn client(&mut self, link: u64) -> ClientLink {
        let mut client = client(link);
        self.up(link);
        self.message(link, &client.hello());
        let frames = self.frames(link);
        assert!(matches!(
            client.on_frame(self.now, &frames[0]),
            Ok(Reply::Welcome(_))
        ));
        client
    }

    /// Puts an object over a link that is open, and hands back the relay's one answer.
    pub fn put(&mut self, link: u64, request: u32, object: &Object) -> Vec<u8> {
        let header = &object.0.encode();
        let body = &object.1;
        self.message(link, &Frame::Put { header, body }.encode(request));
        let mut frames = self.frames(link);
        assert_eq!(frames.len(), 1);
        frames.remove(0)
    }
}

pub fn client(link: u64) -> ClientLink {
    let config = LinkConfig {
        node_key: node_key().public(),
        network: NETWORK,
        binding: [link as u8; 32],
        nonce: [9; 32],
        work_divisor: FREE,
    };
    ClientLink::new(config, START)
}

pub type Object = (Header, Vec<u8>);

/// Envelopes of 1 KiB that differ by `n`.
pub fn envelope(n: u64) -> Object {
    envelope_of(n, 0, SizeClass::KIB_1)
}

pub fn envelope_of(n: u64, effort: u8, size: SizeClass) -> Object {
    let mut front = Front::from_now(START.unix, Kind::Envelope, size, Lifetime::H48, NETWORK);
    front.effort = effort;
    let mut body = alloc::vec![0; size.bytes()];
    body[..8].copy_from_slice(&n.to_le_bytes());
    (front.header([n as u8; 16], &body), body)
}

/// The only frame, parsed.
pub fn parse(frame: &[u8]) -> (u32, Frame<'_>) {
    Frame::parse(frame).unwrap()
}

pub fn is_stored(frame: &[u8]) -> bool {
    matches!(parse(frame).1, Frame::Stored { .. })
}

pub fn refusal(frame: &[u8]) -> (Refused, u32) {
    match parse(frame).1 {
        Frame::Refused { code, detail } => (Refused::from_code(code).unwrap(), detail),
        other => unreachable!("{other:?}"),
    }
}
