//! The world: hosts, links between them, and one queue of everything that is going to happen.
//!
//! Invariant: all that happens follows from the seed. The same seed gives the same trace, event by
//! event.

use crate::faults::Faults;
use crate::host::{Host, WORK_DIVISOR};
use account::api::{Answer, Command, Event, Problem, Request};
use account::node::CARRIED_BYTES_MAX;
use core::net::SocketAddr;
use shared::crypto::{Rng, sha256};
use shared::io::{Batch, Input, LinkId, Origin, Output, Query, StoreError, Token};
use shared::object::pow;
use shared::range::SCAN_WIDER_BITS;
use std::collections::{BTreeMap, BTreeSet};

/// Places of hosts in the world.
pub type At = usize;

pub(crate) enum Coming {
    Wake,
    Up {
        link: LinkId,
        dialled: Option<Token>,
        binding: [u8; 32],
        from: Origin,
    },
    DialFailed {
        token: Token,
    },
    Prepared {
        token: Token,
    },
    Located {
        token: Token,
        addresses: Option<[SocketAddr; 2]>,
    },
    Frame {
        link: LinkId,
        bytes: Vec<u8>,
    },
    Down {
        link: LinkId,
    },
    Saved {
        token: Token,
        batch: Batch,
    },
    Loaded {
        token: Token,
        query: Query,
    },
    Solved {
        token: Token,
        prefix: [u8; 32],
        target: [u8; 32],
    },
    Derived {
        token: Token,
        key: [u8; 32],
    },
    DeriveFailed {
        token: Token,
    },
    Recalled {
        token: Token,
    },
    Erased {
        token: Token,
    },
}

/// One end of a link.
#[derive(Clone, Copy, Debug)]
pub(crate) struct End {
    pub host: At,
    pub peer: At,
    /// Frames arrive in order: none before this time.
    pub next: u64,
}

/// How a relay is dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Found {
    Certificate([u8; 32]),
    Address(SocketAddr),
}

/// A frame as a relay saw it, for the tests of what relays can learn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub at_ms: u64,
    pub client: At,
    pub to_relay: bool,
    pub bytes: Vec<u8>,
}

/// From, to, frame: the frame that is sent in its place.
pub type Lie = fn(At, At, Vec<u8>) -> Option<Vec<u8>>;

/// Everything.
pub struct World {
    pub now: u64,
    pub hosts: Vec<Host>,
    pub faults: Faults,
    pub seed: u64,
    pub(crate) rng: Rng,
    queue: BTreeMap<(u64, u64), (At, u64, Coming)>,
    /// Wake-ups of hosts, those that were replaced since included.
    wakes: BTreeSet<(u64, At)>,
    pub(crate) next: u64,
    pub(crate) links: BTreeMap<LinkId, End>,
    /// Relays by how they are dialled.
    pub(crate) found: BTreeMap<Found, At>,
    /// Bytes of all frames sent, by their type.
    pub bytes: BTreeMap<u8, u64>,
    /// The same and how many frames these were, with people and between relays apart.
    pub flows: BTreeMap<(bool, u8), (u64, u64)>,
    /// Bytes of frames that each host sent or was sent.
    pub traffic: BTreeMap<At, u64>,
    /// Pairs of hosts that cannot reach each other.
    pub cut: Vec<(At, At)>,
    /// What relays saw, if it is kept.
    pub seen: Option<Vec<Seen>>,
    /// Shows relays what a build that leaks would: the address of every envelope is made from its
    /// recipient's name.
    pub leak: bool,
    /// What becomes of a frame from one host to another where somebody lies (`None`: withheld).
    pub lie: Option<Lie>,
    /// Who lies; nobody named: everybody.
    pub liars: BTreeSet<At>,
    /// The size of the stores of relays that start from now on.
    pub store_bytes: Option<u64>,
    /// What may come into them in an hour.
    pub hour_bytes: Option<u64>,
    /// By how much they raise their floors at most.
    pub floor_raised: Option<u8>,
    /// By how many relays a range may be kept, of those added from now on.
    pub swarm_relays: Option<usize>,
    /// By how many bits more than they keep they list, and accounts believe it.
    pub scan_wider_bits: u8,
    /// What accounts that are added from now on carry of others' envelopes.
    pub carried_bytes_max: usize,
    /// No machine has the memory that a passcode takes.
    pub derive_fails: bool,
    /// Of everything that happened so far.
    digest: u64,
}

/// The world begins on a Monday of 2026.
pub const BEGINNING_MS: u64 = 1_795_392_000_000;

impl World {
    pub fn new(seed: u64) -> Self {
        Self {
            now: BEGINNING_MS,
            hosts: Vec::new(),
            faults: Faults::default(),
            seed,
            rng: Rng::new(sha256(&[b"world", &seed.to_le_bytes()])),
            queue: BTreeMap::new(),
            wakes: BTreeSet::new(),
            next: 0,
            links: BTreeMap::new(),
            bytes: BTreeMap::new(),
            flows: BTreeMap::new(),
            traffic: BTreeMap::new(),
            found: BTreeMap::new(),
            cut: Vec::new(),
            seen: None,
            leak: false,
            lie: None,
            liars: BTreeSet::new(),
            store_bytes: None,
            swarm_relays: None,
            scan_wider_bits: SCAN_WIDER_BITS,
            carried_bytes_max: CARRIED_BYTES_MAX,
            hour_bytes: None,
            floor_raised: None,
            derive_fails: false,
            digest: 0,
        }
    }

    /// A digest of everything that happened so far.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn add(&mut self, name: &str, is_relay: bool) -> At {
        self.add_with_clock(name, is_relay, 0)
    }

    /// A host whose clock is off by `skew` ms.
    pub fn add_with_clock(&mut self, name: &str, is_relay: bool, skew: i64) -> At {
        let mut host = Host::new(name, is_relay);
        host.skew = skew;
        host.scan_wider_bits = self.scan_wider_bits;
        host.carried_bytes_max = self.carried_bytes_max;
        let [_, _, a, b] = (self.hosts.len() as u32).to_be_bytes();
        host.address = ([12 + a, b, 0, 1], 5000).into();
        self.add_host(host)
    }

    /// Starts a host that is new here.
    pub(crate) fn add_host(&mut self, host: Host) -> At {
        let at = self.hosts.len();
        if host.is_relay {
            let certificate = Found::Certificate(host.hint.certificate);
            self.found.entry(certificate).or_insert(at);
        }
        if host.networked {
            self.found.entry(Found::Address(host.address)).or_insert(at);
        }
        self.hosts.push(host);
        self.start(at);
        at
    }

    pub fn start(&mut self, at: At) {
        let host = &self.hosts[at];
        let seed = sha256(&[
            b"start",
            &self.seed.to_le_bytes(),
            host.name.as_bytes(),
            &host.starts.to_le_bytes(),
        ]);
        self.start_with(at, seed);
    }

    /// Starts with this randomness (for the same snapshot twice).
    pub fn start_with(&mut self, at: At, seed: [u8; 32]) {
        let now = self.now;
        self.hosts[at].start(now, seed);
        if self.hosts[at].networked {
            let private = ([192, 168, 0, 1], 8420).into();
            let host = &self.hosts[at];
            let addresses = vec![if host.hidden { private } else { host.address }];
            self.hosts[at].input(now, Input::Reachable { addresses });
        }
        self.drain(at);
    }

    /// Stops a process at once: what was not durable may be lost, its links break.
    pub fn kill(&mut self, at: At) {
        let host = &mut self.hosts[at];
        host.process = crate::host::Process::Down;
        host.run += 1;
        let keep = self.rng.below(host.disk.waiting() as u64 + 1) as usize;
        host.disk.crash(keep);
        let broken: Vec<LinkId> = self
            .links
            .iter()
            .filter(|(_, e)| e.host == at || e.peer == at)
            .map(|(l, _)| *l)
            .collect();
        for link in broken {
            self.break_link(link);
        }
    }

    /// The process dies when its disk has finished that many saves in all.
    pub fn kill_at_save(&mut self, at: At, saves: u64) {
        self.hosts[at].dies_at_save = Some(saves);
    }

    /// What a host has stored is deleted from outside, its remembered key too.
    pub fn empty(&mut self, at: At) {
        self.hosts[at].disk.empty();
        self.hosts[at].remembered = None;
    }

    /// Another host with a copy of this one's disk and remembered key; it is not started.
    pub fn copy(&mut self, at: At) -> At {
        let old = &self.hosts[at];
        let mut twin = Host::new(&old.name, old.is_relay);
        twin.disk = old.disk.clone();
        twin.remembered = old.remembered;
        twin.events = old.events.clone();
        twin.next_request = old.next_request;
        self.hosts.push(twin);
        self.hosts.len() - 1
    }

    pub(crate) fn push(&mut self, at: At, delay: u64, coming: Coming) {
        self.next += 1;
        let run = self.hosts[at].run;
        self.queue
            .insert((self.now + delay, self.next), (at, run, coming));
    }

    pub(crate) fn between(&mut self, (low, high): (u64, u64)) -> u64 {
        low + self.rng.below(high.saturating_sub(low) + 1)
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        n > 0 && self.rng.below(n) == 0
    }

    /// Asks something of an account; its number finds the answer.
    pub fn ask(&mut self, at: At, command: Command) -> u64 {
        let now = self.now;
        let request = self.hosts[at].request(command);
        let id = request.id;
        self.hosts[at].input(now, Input::Command(request));
        self.drain(at);
        id
    }

    /// Asks and runs until the answer is there.
    pub fn ask_now(&mut self, at: At, command: Command) -> Result<Option<Answer>, Problem> {
        let id = self.ask(at, command);
        let answered = |world: &World| world.answer(at, id).is_some();
        self.run_until(60_000, answered);
        self.answer(at, id)
            .unwrap_or_else(|| panic!("no answer; {}", self.replay()))
    }

    /// The answer to a request, if it came.
    pub fn answer(&self, at: At, wanted: u64) -> Option<Result<Option<Answer>, Problem>> {
        self.hosts[at]
            .events
            .iter()
            .rev()
            .find_map(|event| match event {
                Event::Done { id, answer } if *id == wanted => Some(Ok(answer.clone())),
                Event::Failed { id, error } if *id == wanted => Some(Err(error.clone())),
                _ => None,
            })
    }

    /// The command that plays this world again.
    pub fn replay(&self) -> String {
        format!("replay with WIREMIN_SEED={} cargo test -p tests", self.seed)
    }

    /// Runs until the condition holds. False if the time was over first.
    pub fn run_until(&mut self, ms: u64, done: impl Fn(&World) -> bool) -> bool {
        let end = self.now + ms;
        loop {
            if done(self) {
                return true;
            }
            if !self.step(end) {
                return done(self);
            }
        }
    }

    pub fn run(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
    }

    /// The next thing that happens before `end`; false (and the clock at `end`) if there is none.
    pub fn step(&mut self, end: u64) -> bool {
        let queued = self
            .queue
            .first_key_value()
            .map(|(key, _)| key.0)
            .unwrap_or(u64::MAX);
        let woken = loop {
            let Some(&(wake, at)) = self.wakes.first() else {
                break None;
            };
            let host = &self.hosts[at];
            if host.is_up() && host.wake == Some(wake) {
                break Some((wake, at));
            }
            self.wakes.pop_first();
        };
        match woken {
            Some((wake, at)) if wake < queued => {
                if wake > end {
                    self.now = end.max(self.now);
                    return false;
                }
                self.now = wake.max(self.now);
                self.hosts[at].wake = None;
                self.happen(at, Coming::Wake);
            }
            _ if queued <= end => {
                let Some(((time, _), (at, run, coming))) = self.queue.pop_first() else {
                    return false;
                };
                self.now = time.max(self.now);
                if self.hosts[at].run == run && self.hosts[at].is_up() {
                    self.happen(at, coming);
                }
            }
            _ => {
                self.now = end.max(self.now);
                return false;
            }
        }
        true
    }

    fn happen(&mut self, at: At, coming: Coming) {
        let now = self.now;
        let host = &mut self.hosts[at];
        match coming {
            Coming::Wake => host.input(now, Input::Wake),
            Coming::Up {
                link,
                dialled,
                binding,
                from,
            } => {
                host.input(
                    now,
                    Input::LinkUp {
                        link,
                        dialled,
                        from,
                        binding,
                    },
                );
            }
            Coming::DialFailed { token } => {
                let error = shared::io::DialError::NoAnswer;
                host.input(now, Input::DialFailed { token, error });
            }
            Coming::Prepared { token } => {
                let ports = vec![0];
                host.input(now, Input::Prepared { token, ports });
            }
            Coming::Located { token, addresses } => {
                host.input(now, Input::Located { token, addresses });
            }
            Coming::Frame { link, bytes } => {
                if !self.links.contains_key(&link) {
                    return;
                }
                self.digest = mixed(mixed(self.digest, &now.to_le_bytes()), &bytes);
                host.input(
                    now,
                    Input::LinkMessage {
                        link,
                        bytes: &bytes,
                    },
                );
            }
            Coming::Down { link } => host.input(now, Input::LinkDown { link }),
            Coming::Saved { token, batch } => {
                if let Some(error) = host.disk.refusal() {
                    host.input(now, Input::StoreFailed { token, error });
                } else {
                    host.disk.save(batch);
                    if host
                        .dies_at_save
                        .is_some_and(|saves| saves <= host.disk.saves)
                    {
                        host.dies_at_save = None;
                        return self.kill(at);
                    }
                    host.input(now, Input::Saved { token });
                }
            }
            Coming::Loaded { token, query } => {
                if std::mem::take(&mut host.disk.emptied) {
                    let error = StoreError::Emptied;
                    host.input(now, Input::StoreFailed { token, error });
                } else {
                    let rows = host.disk.load(&query);
                    host.input(now, Input::Loaded { token, rows });
                }
            }
            Coming::Solved {
                token,
                prefix,
                target,
            } => {
                let nonce = (0..).find(|nonce| pow::check(&prefix, *nonce, &target));
                let Some(nonce) = nonce else { return };
                host.input(now, Input::Solved { token, nonce });
            }
            Coming::Derived { token, key } => host.input(now, Input::Derived { token, key }),
            Coming::DeriveFailed { token } => host.input(now, Input::DeriveFailed { token }),
            Coming::Recalled { token } => {
                let key = host.remembered;
                host.input(now, Input::Recalled { token, key });
            }
            Coming::Erased { token } => {
                host.disk.erase();
                host.input(now, Input::Saved { token });
            }
        }
        self.drain(at);
    }

    pub(crate) fn drain(&mut self, at: At) {
        loop {
            let Some(output) = self.hosts[at].output() else {
                return;
            };
            match output {
                Output::WaitUntil(mono) => {
                    let host = &mut self.hosts[at];
                    host.wake = (mono != u64::MAX).then(|| host.began.saturating_add(mono));
                    self.wakes.extend(host.wake.map(|wake| (wake, at)));
                    return;
                }
                output => self.act(at, output),
            }
        }
    }

    fn act(&mut self, at: At, output: Output<Event>) {
        match output {
            Output::Send { link, bytes } => self.send(at, link, bytes),
            Output::Close { link } => self.break_link(link),
            Output::Dial { token, to } => self.dial(at, token, &to),
            Output::Prepare { token, .. } => self.push(at, 1, Coming::Prepared { token }),
            Output::Locate { token, links } => {
                let addresses = self.locate(links);
                self.push(at, 1, Coming::Located { token, addresses });
            }
            Output::Knock { to } => self.hosts[at].let_in.extend(to),
            Output::Load { token, query } => self.push(at, 1, Coming::Loaded { token, query }),
            Output::Save { token, batch } => {
                let delay = self.between(self.faults.save_ms);
                self.push(at, delay, Coming::Saved { token, batch });
            }
            Output::Solve {
                token,
                prefix,
                target,
                expected,
            } => {
                // 13 million real hashes a second, as in a browser.
                let delay = expected * WORK_DIVISOR / 13_000;
                self.push(
                    at,
                    delay,
                    Coming::Solved {
                        token,
                        prefix,
                        target,
                    },
                );
            }
            Output::CancelSolve { token } => {
                self.queue.retain(|_, (host, _, coming)| {
                    *host != at || !matches!(coming, Coming::Solved { token: t, .. } if *t == token)
                });
            }
            Output::Derive {
                token,
                secret,
                salt,
                ..
            } => {
                if self.derive_fails {
                    return self.push(at, 300, Coming::DeriveFailed { token });
                }
                let key = sha256(&[b"sim kdf", &secret.0, &salt]);
                self.push(at, 300, Coming::Derived { token, key });
            }
            Output::Remember { key } => self.hosts[at].remembered = Some(key),
            Output::Recall { token } => self.push(at, 1, Coming::Recalled { token }),
            Output::Forget => self.hosts[at].remembered = None,
            Output::Erase { token } => self.push(at, 5, Coming::Erased { token }),
            Output::Event(event) => self.hosts[at].events.push(event),
            Output::WaitUntil(_) => {}
        }
    }

    /// Sends a command whose answer nobody waits for.
    pub fn tell(&mut self, at: At, request: Request) {
        let now = self.now;
        self.hosts[at].input(now, Input::Command(request));
        self.drain(at);
    }
}

/// FNV-1a over words instead of bytes: it tells runs apart, nobody tries to deceive it.
fn mixed(digest: u64, bytes: &[u8]) -> u64 {
    let words = bytes.chunks(8).map(|chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        u64::from_le_bytes(word)
    });
    let all = words.chain([bytes.len() as u64]);
    all.fold(digest, |digest, word| {
        (digest ^ word)
            .wrapping_mul(0x0000_0100_0000_01b3)
            .rotate_left(23)
    })
}
