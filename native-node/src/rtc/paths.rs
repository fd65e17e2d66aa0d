//! Who is behind which address: the mux that lets all browsers share one UDP port. It decides
//! about each datagram and does no I/O.
//!
//! A client is told from others by its ICE username fragment and tie-breaker together: Chromium's
//! fragments have 4 letters and do collide, the tie-breaker has 64 random bits that stay the same
//! over all addresses of one peer connection. The password is public (it follows from the relay
//! hint), so a verified check proves only that somebody holds the hint.
//!
//! Invariant: memory is spent on a sender only after its check was verified, and a link only goes
//! where its client has shown that it receives (DTLS cookie at first, a challenge after a move).
//! A full table forgets who was not heard for longest, so it shuts nobody out.

use super::Counters;
use super::session::Session;
use super::stun::{self, Answer, IceKey, Refused, Transaction, UFRAG_BYTES_MAX};
use crate::transport::{HalfOpen, LinkLimits, Route, block, network};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Addresses that one client may use at a time.
const PATHS_PER_CLIENT_MAX: u16 = 8;
/// Addresses known beyond those of the links, all clients together.
const SPARE_PATHS_MAX: usize = 4_096;
/// Addresses forgotten at a time to make room: finding them takes a look at all.
const FORGET_AT_ONCE: usize = 256;
/// An address that is not a link's current one is forgotten after this silence.
const PATH_IDLE: Duration = Duration::from_secs(30);

/// Questions of one address (IPv6: /64) that are answered between two calls of `on_timer`.
const QUESTIONS_MAX: u8 = 8;

/// A client begins its handshake within milliseconds of the first answer, and repeats it. One that
/// checks for longer without it has a link to an earlier run of this process. Browsers check each
/// 2.5 s, so the second check tells.
const HELLO_WITHIN: Duration = Duration::from_secs(2);

/// A client, whatever its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey {
    ufrag: [u8; UFRAG_BYTES_MAX],
    tie_breaker: u64,
}

/// What to do with a datagram.
#[derive(Debug)]
pub enum Verdict {
    Drop,
    Answer(Answer),
    Deliver(Arc<Session>),
    /// A client begins a DTLS handshake: make a session, then deliver to it.
    Open(ClientKey),
}

#[derive(Debug)]
struct Path {
    client: ClientKey,
    heard: Instant,
    /// The client has shown that it receives here.
    proven: bool,
    challenge: Option<Transaction>,
}

#[derive(Debug)]
enum Client {
    /// Checks, but no link so far; first heard, or heard to begin one, at that time.
    Pending(Instant),
    Live(Arc<Session>),
    /// Its link is gone (or belonged to an earlier run of this process): its checks are refused,
    /// so that the browser notices at once.
    Gone,
}

#[derive(Debug)]
struct Known {
    state: Client,
    paths: u16,
}

#[derive(Debug)]
pub struct Paths {
    key: IceKey,
    limits: LinkLimits,
    clients: HashMap<ClientKey, Known>,
    paths: HashMap<SocketAddr, Path>,
    /// Live links and known paths of each address (IPv6: of each /64).
    load: HashMap<IpAddr, Load>,
    /// Known paths of each /24 or /48.
    networks: HashMap<IpAddr, usize>,
    pub counters: Counters,
}

#[derive(Clone, Copy, Debug, Default)]
struct Load {
    links: usize,
    paths: usize,
    /// Of the links, those that are open: somebody receives at this address.
    open: usize,
    /// Questions answered a moment ago.
    questions: u8,
}

impl Paths {
    pub fn new(key: IceKey, limits: LinkLimits) -> Self {
        Self {
            key,
            limits,
            clients: HashMap::new(),
            paths: HashMap::new(),
            load: HashMap::new(),
            networks: HashMap::new(),
            counters: Counters::default(),
        }
    }

    /// Decide about one datagram. `fresh` is 12 random bytes.
    pub fn on_datagram(
        &mut self,
        now: Instant,
        route: Route,
        bytes: &[u8],
        fresh: impl FnOnce() -> Transaction,
    ) -> Verdict {
        if stun::is_stun(bytes) {
            return self.on_stun(now, route, bytes, fresh);
        }
        if !bytes.first().is_some_and(|b| (20..64).contains(b)) {
            self.counters.dropped_garbage += 1;
            return Verdict::Drop;
        }
        self.on_dtls(now, route, bytes)
    }

    fn on_dtls(&mut self, now: Instant, route: Route, bytes: &[u8]) -> Verdict {
        let Some(path) = self.paths.get_mut(&route.remote) else {
            self.counters.dropped_unknown += 1;
            return Verdict::Drop;
        };
        path.heard = now;
        let Some(known) = self.clients.get_mut(&path.client) else {
            return Verdict::Drop;
        };
        match &known.state {
            Client::Live(session) => Verdict::Deliver(session.clone()),
            Client::Pending(_) if is_client_hello(bytes) => {
                known.state = Client::Pending(now);
                Verdict::Open(path.client)
            }
            Client::Pending(_) => {
                known.state = Client::Gone;
                self.counters.dropped_unknown += 1;
                Verdict::Drop
            }
            Client::Gone => Verdict::Drop,
        }
    }

    fn on_stun(
        &mut self,
        now: Instant,
        route: Route,
        bytes: &[u8],
        fresh: impl FnOnce() -> Transaction,
    ) -> Verdict {
        if let Some(transaction) = stun::answered_transaction(bytes) {
            self.on_challenge_answered(now, route, transaction);
            return Verdict::Drop;
        }
        if let Some(transaction) = stun::read_question(bytes) {
            return self.on_question(route.remote, &transaction);
        }
        let request = match stun::read_request(bytes, &self.key) {
            Ok(request) => request,
            Err(refused) => {
                match refused {
                    Refused::WrongPassword => self.counters.wrong_password += 1,
                    Refused::Malformed | Refused::NotForUs => self.counters.dropped_garbage += 1,
                }
                return Verdict::Drop;
            }
        };
        let mut client = ClientKey {
            ufrag: [0; UFRAG_BYTES_MAX],
            tie_breaker: request.tie_breaker,
        };
        if let Some(room) = client.ufrag.get_mut(..request.from.len()) {
            room.copy_from_slice(request.from);
        }
        if !self.learn(now, route.remote, client) {
            self.counters.refused_full += 1;
            return Verdict::Drop;
        }
        let (Some(path), Some(known)) =
            (self.paths.get_mut(&route.remote), self.clients.get(&client))
        else {
            return Verdict::Drop;
        };
        let mut moved_from = None;
        let answer = match &known.state {
            Client::Gone => stun::refusal(&request.transaction, &self.key),
            Client::Pending(since) if now.saturating_duration_since(*since) > HELLO_WITHIN => {
                stun::refusal(&request.transaction, &self.key)
            }
            Client::Pending(_) => stun::success(&request.transaction, route.remote, &self.key),
            Client::Live(session) if path.proven || session.route().remote == route.remote => {
                let old = session.route().remote;
                path.proven |= old == route.remote && session.is_proven();
                if request.nominates && old != route.remote {
                    session.set_route(route);
                    moved_from = session.is_proven().then_some(old);
                }
                session.heard(now);
                stun::success(&request.transaction, route.remote, &self.key)
            }
            // A second address for a live link: whoever asks for it must first show that they
            // receive there, or a link's traffic could be aimed at a third party.
            Client::Live(_) => {
                let transaction = *path.challenge.get_or_insert_with(fresh);
                stun::challenge(&transaction, request.from, &self.key)
            }
        };
        if let Some(path) = moved_from.and_then(|old| self.paths.get_mut(&old)) {
            path.proven = true;
        }
        if answer.as_bytes().len() > bytes.len() {
            self.counters.dropped_garbage += 1;
            return Verdict::Drop;
        }
        Verdict::Answer(answer)
    }

    /// The answer is longer than the question: it goes only where somebody is known to receive, and
    /// not often.
    fn on_question(&mut self, from: SocketAddr, transaction: &Transaction) -> Verdict {
        let load = self.load.get_mut(&block(from.ip()));
        match load.filter(|load| load.open > 0 && load.questions < QUESTIONS_MAX) {
            Some(load) => {
                load.questions += 1;
                self.counters.questions_answered += 1;
                Verdict::Answer(stun::located(transaction, from))
            }
            None => {
                self.counters.questions_dropped += 1;
                Verdict::Drop
            }
        }
    }

    fn on_challenge_answered(&mut self, now: Instant, route: Route, transaction: Transaction) {
        if let Some(path) = self.paths.get_mut(&route.remote)
            && path.challenge == Some(transaction)
        {
            path.challenge = None;
            path.proven = true;
            path.heard = now;
        }
    }

    /// Note that `client` checks from `remote`. False when there is no room.
    fn learn(&mut self, now: Instant, remote: SocketAddr, client: ClientKey) -> bool {
        if let Some(path) = self.paths.get_mut(&remote) {
            path.heard = now;
            if path.client == client {
                return true;
            }
            // Another client behind the same address and port: a NAT reused it, or a page was
            // reloaded. A live link keeps its address until it falls silent.
            let current = path.client;
            if self.is_route_of(current, remote) {
                return false;
            }
            self.forget_path(remote);
        }
        let paths_of_block = self.load.get(&block(remote.ip())).map_or(0, |l| l.paths);
        let paths_of_network = self.networks.get(&network(remote.ip())).copied();
        let clients_paths = self.clients.get(&client).map_or(0, |known| known.paths);
        let most = 4 * self.limits.links_per_address_max;
        if paths_of_block >= most
            || paths_of_network.unwrap_or_default() >= 2 * most
            || clients_paths >= PATHS_PER_CLIENT_MAX
        {
            return false;
        }
        if self.paths.len() >= self.limits.links_max + SPARE_PATHS_MAX {
            self.forget_oldest();
        }
        let known = self.clients.entry(client).or_insert(Known {
            state: Client::Pending(now),
            paths: 0,
        });
        known.paths += 1;
        self.load.entry(block(remote.ip())).or_default().paths += 1;
        *self.networks.entry(network(remote.ip())).or_default() += 1;
        let path = Path {
            client,
            heard: now,
            proven: false,
            challenge: None,
        };
        self.paths.insert(remote, path);
        true
    }

    fn is_route_of(&self, client: ClientKey, remote: SocketAddr) -> bool {
        matches!(self.clients.get(&client), Some(Known { state: Client::Live(session), .. })
            if session.route().remote == remote)
    }

    /// Makes room: forgets those heard longest ago that no live link goes to. There are always
    /// some, as there are fewer links than places.
    fn forget_oldest(&mut self) {
        let spare =
            |(remote, path): &(&SocketAddr, &Path)| !self.is_route_of(path.client, **remote);
        let mut spare: Vec<(Instant, SocketAddr)> = self
            .paths
            .iter()
            .filter(spare)
            .map(|(remote, path)| (path.heard, *remote))
            .collect();
        if spare.len() > FORGET_AT_ONCE {
            spare.select_nth_unstable(FORGET_AT_ONCE);
            spare.truncate(FORGET_AT_ONCE);
        }
        for (_, remote) in spare {
            self.forget_path(remote);
        }
    }

    fn forget_path(&mut self, remote: SocketAddr) {
        let Some(path) = self.paths.remove(&remote) else {
            return;
        };
        self.unload(remote.ip(), |load| {
            load.paths = load.paths.saturating_sub(1)
        });
        if let Some(paths) = self.networks.get_mut(&network(remote.ip())) {
            *paths -= 1;
            if *paths == 0 {
                self.networks.remove(&network(remote.ip()));
            }
        }
        if let Some(known) = self.clients.get_mut(&path.client) {
            known.paths = known.paths.saturating_sub(1);
            if known.paths == 0 && !matches!(known.state, Client::Live(_)) {
                self.clients.remove(&path.client);
            }
        }
    }

    fn unload(&mut self, ip: IpAddr, change: impl FnOnce(&mut Load)) {
        if let Some(load) = self.load.get_mut(&block(ip)) {
            change(load);
            if load.links == 0 && load.paths == 0 {
                self.load.remove(&block(ip));
            }
        }
    }

    /// Whether one more link from `ip` may open.
    pub fn has_room(&self, ip: IpAddr, links: usize) -> bool {
        let load = self.load.get(&block(ip)).copied().unwrap_or_default();
        links < self.limits.links_max && load.links < self.limits.links_per_address_max
    }

    /// A session was made for `client`, which called from `ip`.
    pub fn on_opened(&mut self, client: ClientKey, ip: IpAddr, session: Arc<Session>) {
        self.load.entry(block(ip)).or_default().links += 1;
        let known = self.clients.entry(client).or_insert(Known {
            state: Client::Gone,
            paths: 0,
        });
        known.state = Client::Live(session);
    }

    /// A link from `ip` is open, so somebody receives there.
    pub fn on_proven(&mut self, ip: IpAddr) {
        self.load.entry(block(ip)).or_default().open += 1;
    }

    /// The session of `client`, which called from `ip`, is over; it was `open` or never came to it.
    pub fn on_closed(&mut self, client: ClientKey, ip: IpAddr, open: bool) {
        self.unload(ip, |load| {
            load.links = load.links.saturating_sub(1);
            load.open = load.open.saturating_sub(open.into());
        });
        if let Some(known) = self.clients.get_mut(&client) {
            known.state = Client::Gone;
            if known.paths == 0 {
                self.clients.remove(&client);
            }
        }
    }

    /// Forget addresses that fell silent. Call about once a second.
    pub fn on_timer(&mut self, now: Instant) {
        self.load.values_mut().for_each(|load| load.questions = 0);
        let idle: Vec<SocketAddr> = self
            .paths
            .iter()
            .filter(|(_, path)| now.saturating_duration_since(path.heard) > PATH_IDLE)
            .map(|(remote, _)| *remote)
            .collect();
        for remote in idle {
            self.forget_path(remote);
        }
    }

    #[cfg(test)]
    fn sizes(&self) -> (usize, usize, usize) {
        (self.clients.len(), self.paths.len(), self.load.len())
    }
}

/// A DTLS handshake record of epoch 0 that holds a ClientHello (RFC 6347 sections 4.1 and 4.2.2).
fn is_client_hello(bytes: &[u8]) -> bool {
    matches!(bytes, [22, 0xfe, _, 0, 0, ..]) && bytes.get(13) == Some(&1)
}

#[cfg(test)]
#[path = "paths_tests.rs"]
mod tests;
