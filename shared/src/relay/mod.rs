//! A relay: takes objects that are paid for, keeps them until they expire, and hands them to
//! whoever asks. It cannot open any of them. PROTOCOL.md sections 2 to 4; the shell's side is
//! `io.rs`.
//!
//! Invariant: `Stored` is sent only after the store said `Saved` for that object, and everything a
//! peer can make grow has a bound in `limits.rs`.
//!
//! ```text
//! config  what it is told, its state   start  from the store to the indexes   rows   keys and values
//! links   Hello to Bye, idle links     put    checks, saving, receipts        index  kept in memory
//! read    Scan, Get, Find              push   the ring behind Watch           link   one link's state
//! sweep   expiry                           peers  other relays                budget who may fill it
//! borrow  bodies that others keep          floor   the effort asked of clients
//! ```

mod borrow;
mod budget;
mod config;
mod counters;
mod floor;
mod index;
mod link;
mod links;
mod peers;
mod push;
mod put;
mod read;
mod rows;
mod start;
mod sweep;

pub use config::{RelayConfig, StartError, State, Status};
pub use counters::Counters;
pub use peers::PeerStatus;
pub use rows::{BODIES, HEADS, META, SCHEMA, stored};

use crate::crypto::Rng;
use crate::io::{Batch, Input, LinkId, Node, Output, Query, Token};
use crate::time::{Millis, Now};
use crate::wire::{Frame, Id, Refused};
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use borrow::Borrows;
use budget::Budgets;
use core::convert::Infallible;
use core::net::SocketAddr;
use floor::Floor;
use index::{Index, bucket_of};
use link::{Link, Origins};
use peers::Peers;
use push::Ring;
use put::Puts;
use read::Read;
use sweep::Sweeper;

/// What a token stands for.
#[derive(Debug)]
enum Effect {
    Schema,
    NewSchema,
    Heads,
    Book,
    Objects,
    Sweep,
    Read(Read),
    /// For a read that also waits for peers.
    Borrow(LinkId),
}

/// A node without an account.
#[derive(Debug)]
pub struct Relay {
    config: RelayConfig,
    state: State,
    now: Now,
    rng: Rng,
    index: Index,
    links: BTreeMap<LinkId, Link>,
    origins: Origins,
    deadlines: BTreeSet<(Millis, LinkId)>,
    puts: Puts,
    budgets: Budgets,
    floor: Floor,
    borrows: Borrows,
    /// For those who watch whole objects, as they arrive.
    ring: Ring,
    /// For those who watch scan records, once what they name can be fetched.
    news: Ring,
    /// The latest arrival before any watch began.
    watched_since: u64,
    /// Watching links that may have something to get.
    behind: BTreeSet<LinkId>,
    /// Links whose next read can be made.
    hungry: BTreeSet<LinkId>,
    /// The link served last.
    served: LinkId,
    reads: usize,
    effects: BTreeMap<Token, Effect>,
    next_token: u64,
    last_arrival: u64,
    sweeper: Sweeper,
    /// When the store was made.
    made: Millis,
    peers: Peers,
    counters: Counters,
    out: VecDeque<Output<Infallible>>,
}

impl Relay {
    /// A relay that starts by reading its indexes from the store. `seed` is fresh random at each
    /// start.
    pub fn new(config: RelayConfig, seed: [u8; 32], now: Now) -> Self {
        let peers = Peers::new(&config);
        let mut relay = Relay {
            config,
            state: State::Starting,
            now,
            rng: Rng::new(seed),
            index: Index::loading(),
            links: BTreeMap::new(),
            origins: Origins::default(),
            deadlines: BTreeSet::new(),
            puts: Puts::default(),
            budgets: Budgets::default(),
            floor: Floor::default(),
            borrows: Borrows::default(),
            ring: Ring::default(),
            news: Ring::default(),
            watched_since: 0,
            behind: BTreeSet::new(),
            hungry: BTreeSet::new(),
            served: LinkId(0),
            reads: 0,
            effects: BTreeMap::new(),
            next_token: 0,
            last_arrival: 0,
            sweeper: Sweeper::default(),
            made: 0,
            peers,
            counters: Counters::default(),
            out: VecDeque::new(),
        };
        relay.load_schema();
        relay
    }

    // Getters.

    pub fn state(&self) -> State {
        self.state
    }

    pub fn status(&self) -> Status {
        let known = self.peers.known();
        Status {
            state: self.state,
            objects: self.index.len(),
            records: self.index.records_len(),
            headers: self.index.unheld() as u64,
            bytes: self.index.bytes(),
            links: self.links.len(),
            watches: self.links.values().filter(|l| l.watch.is_some()).count(),
            peers: self.peers.len(),
            known_new: known.new,
            known_tried: known.tried,
            saving: self.puts.len(),
            reading: self.reads,
        }
    }

    /// Whether an object is stored, with its body.
    pub fn stores(&self, id: &Id) -> bool {
        self.index.holds(id)
    }

    /// Whether its header is here.
    pub fn lists(&self, id: &Id) -> bool {
        self.index.contains(id)
    }

    /// The relays that this one is linked to.
    pub fn peers(&self) -> impl Iterator<Item = PeerStatus> {
        self.peers.each()
    }

    /// Where others are told that this relay is.
    pub fn addresses(&self) -> &[SocketAddr] {
        self.peers.addresses()
    }

    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    // Inputs.

    /// Takes what happened. Bad bytes are counted, not thrown.
    pub fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        self.now = Now {
            mono: now.mono.max(self.now.mono),
            unix: now.unix,
        };
        match input {
            Input::LinkUp {
                link,
                dialled,
                from,
                binding,
            } => self.on_link_up(link, dialled, from, binding),
            Input::DialFailed { token, .. } => self.on_dial_failed(token),
            Input::Solved { token, nonce } => self.on_solved(token, nonce),
            Input::Reachable { addresses } => self.on_reachable(addresses),
            Input::Found { address, by } => self.on_found(address, by),
            Input::Located { token, addresses } => self.on_located(token, addresses),
            Input::LinkMessage { link, bytes } => self.on_message(link, bytes),
            Input::LinkCongested { link, congested } => self.on_congested(link, congested),
            Input::LinkDown { link } => self.forget_link(link),
            Input::Loaded { token, rows } => match self.effects.remove(&token) {
                Some(Effect::Schema) => self.on_schema(&rows),
                Some(Effect::Heads) => self.on_heads(&rows),
                Some(Effect::Book) => self.on_book(&rows),
                Some(Effect::Read(read)) => self.on_read(read, rows),
                Some(Effect::Borrow(link)) => self.on_borrow_read(link, token, rows),
                _ => {}
            },
            Input::Saved { token } => match self.effects.remove(&token) {
                Some(Effect::NewSchema) => self.load_heads(&[]),
                Some(Effect::Objects) => self.on_saved(token),
                _ => {}
            },
            Input::StoreFailed { token, error } => match self.effects.remove(&token) {
                Some(Effect::Schema | Effect::NewSchema | Effect::Heads | Effect::Book) => {
                    self.fail(StartError::Store(error));
                }
                Some(Effect::Objects) => self.on_save_failed(token, error),
                Some(Effect::Read(read)) => self.on_read_failed(&read),
                Some(Effect::Borrow(link)) => self.on_borrow_failed(link, token),
                Some(Effect::Sweep) => self.counters.saves_failed += 1,
                None => {}
            },
            Input::Command(never) => match never {},
            // A relay remembers no key, and is led nowhere.
            Input::Wake
            | Input::Solving { .. }
            | Input::Derived { .. }
            | Input::DeriveFailed { .. }
            | Input::Prepared { .. }
            | Input::Recalled { .. } => {}
        }
        self.on_time();
        self.save_formed();
        self.read_next();
    }

    // Outputs.

    /// What to do next; drain until `WaitUntil`.
    pub fn poll_output(&mut self) -> Output<Infallible> {
        if let Some(output) = self.out.pop_front() {
            return output;
        }
        if let Some(output) = self.next_push() {
            return output;
        }
        Output::WaitUntil(self.next_time())
    }

    fn next_time(&self) -> Millis {
        let sweep = self.sweeper.next_time(self.now);
        let links = self.deadlines.first().map_or(sweep, |(at, _)| *at);
        let peers = self.peers.next_time().min(self.borrows.next_time());
        links.min(sweep).min(peers).min(self.floor.next_time())
    }

    fn on_time(&mut self) {
        self.close_idle();
        if self.state == State::Running {
            self.sweep();
        }
        self.borrows_on_time();
        self.floor_on_time();
        self.peers_on_time();
    }

    // Effects and frames.

    fn token(&mut self, effect: Effect) -> Token {
        let token = self.next_token();
        self.effects.insert(token, effect);
        token
    }

    fn next_token(&mut self) -> Token {
        self.next_token += 1;
        Token(self.next_token)
    }

    fn save(&mut self, effect: Effect, batch: Batch) -> Token {
        let token = self.token(effect);
        self.out.push_back(Output::Save { token, batch });
        token
    }

    fn load(&mut self, effect: Effect, query: Query) -> Token {
        let token = self.token(effect);
        self.out.push_back(Output::Load { token, query });
        token
    }

    fn send(&mut self, link: LinkId, request: u32, frame: &Frame<'_>) {
        let bytes = frame.encode(request);
        self.out.push_back(Output::Send { link, bytes });
    }

    fn refuse(&mut self, link: LinkId, request: u32, why: Refused, detail: u32) {
        self.counters.count(why);
        let code = why as u8;
        self.send(link, request, &Frame::Refused { code, detail });
    }

    /// Microseconds, above every arrival so far.
    fn next_arrival(&mut self) -> u64 {
        let clock = self.now.unix.saturating_mul(1000);
        self.last_arrival = clock.max(self.last_arrival.saturating_add(1));
        self.last_arrival
    }

    /// The bucket that the next arrival falls into.
    fn current_bucket(&self) -> u32 {
        let clock = self.now.unix.saturating_mul(1000);
        bucket_of(clock.max(self.last_arrival.saturating_add(1)))
    }
}

impl Node for Relay {
    type Command = Infallible;
    type Event = Infallible;

    fn handle_input(&mut self, now: Now, input: Input<'_, Infallible>) {
        Relay::handle_input(self, now, input);
    }

    fn poll_output(&mut self) -> Output<Infallible> {
        Relay::poll_output(self)
    }
}

#[cfg(test)]
mod tests;
