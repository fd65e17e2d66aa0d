//! One machine of the world: a relay or an account with its disk and its clock.
//!
//! Invariant: a host that is down gets no input; what it knew and had not saved is gone.

use crate::disk::Disk;
use account::api::{Command, Event, Request};
use account::node::{Account, CARRIED_BYTES_MAX, Config};
use core::net::SocketAddr;
use shared::crypto::{SigningKey, sha256};
use shared::io::{Input, Output};
use shared::range::SCAN_WIDER_BITS;
use shared::relay::{Relay, RelayConfig};
use shared::time::Now;
use shared::wire::RelayHint;

/// The network of all simulated nodes.
pub const NETWORK: u32 = 0x5157_4d31;
/// Real work divided by this.
pub const WORK_DIVISOR: u64 = 1 << 14;

/// What runs on a host.
pub enum Process {
    Relay(Box<Relay>),
    Account(Box<Account>),
    Down,
}

/// A machine.
pub struct Host {
    pub name: String,
    pub is_relay: bool,
    /// How clients find it, if it is a relay.
    pub hint: RelayHint,
    pub process: Process,
    pub disk: Disk,
    pub remembered: Option<[u8; 32]>,
    /// Its clock minus the world's, ms.
    pub skew: i64,
    pub starts: u64,
    /// Everything the account told since the world began.
    pub events: Vec<Event>,
    /// When this process began, on the world's clock.
    pub began: u64,
    /// The next wake-up asked for, on the world's clock.
    pub wake: Option<u64>,
    pub next_request: u64,
    /// Dies when its disk has finished that many saves, before it hears of the last one.
    pub dies_at_save: Option<u64>,
    /// Where other relays reach it.
    pub address: SocketAddr,
    /// The size of a relay's store, if it is not the usual one.
    pub store_bytes: Option<u64>,
    /// By how many relays a range may be kept, if not by the usual number.
    pub swarm_relays: Option<usize>,
    /// By how many bits more is listed than is kept.
    pub scan_wider_bits: u8,
    /// What an account carries of others' envelopes.
    pub carried_bytes_max: usize,
    /// By how much a relay raises its floor at most, if not by the usual number.
    pub floor_raised: Option<u8>,
    /// What may come into a relay's store in an hour, if it is not the usual part.
    pub hour_bytes: Option<u64>,
    /// A relay that knows other relays: it is told where it is reachable.
    pub networked: bool,
    /// A relay behind a NAT: it is told a private address, and nobody reaches it whom it has not
    /// let in.
    pub hidden: bool,
    /// Hosts that it has let in.
    pub let_in: std::collections::BTreeSet<SocketAddr>,
    /// Raised at each start: what belongs to an earlier run is dropped.
    pub run: u64,
}

impl Host {
    pub fn new(name: &str, is_relay: bool) -> Self {
        Self {
            name: name.into(),
            is_relay,
            hint: Self::hint(name),
            process: Process::Down,
            disk: Disk::default(),
            remembered: None,
            skew: 0,
            starts: 0,
            events: Vec::new(),
            began: 0,
            wake: None,
            next_request: 1,
            dies_at_save: None,
            address: SocketAddr::from(([10, 0, 0, 1], 1)),
            store_bytes: None,
            swarm_relays: None,
            scan_wider_bits: SCAN_WIDER_BITS,
            carried_bytes_max: CARRIED_BYTES_MAX,
            floor_raised: None,
            hour_bytes: None,
            networked: false,
            hidden: false,
            let_in: Default::default(),
            run: 0,
        }
    }

    /// The node key of a relay of that name.
    pub fn node_key(name: &str) -> SigningKey {
        SigningKey::from_bytes(&sha256(&[b"sim node", name.as_bytes()]))
    }

    /// The hint that leads to a relay of that name.
    pub fn hint(name: &str) -> RelayHint {
        RelayHint {
            address: [127, 0, 0, 1].into(),
            port: 1,
            certificate: sha256(&[b"sim certificate", name.as_bytes()]),
            node_key: *Self::node_key(name).public().as_bytes(),
        }
    }

    pub fn now(&self, world: u64) -> Now {
        Now {
            mono: world - self.began,
            unix: world.saturating_add_signed(self.skew),
        }
    }

    /// Starts the process with a seed for its randomness.
    pub fn start(&mut self, world: u64, seed: [u8; 32]) {
        self.began = world;
        self.starts += 1;
        self.run += 1;
        let now = self.now(world);
        self.process = if self.is_relay {
            let mut config = RelayConfig::new(Self::node_key(&self.name), NETWORK);
            config.work_divisor = WORK_DIVISOR;
            config.store_bytes_max = self.store_bytes.unwrap_or(config.store_bytes_max);
            let usual = config.swarm_relays_max;
            config.swarm_relays_max = self.swarm_relays.unwrap_or(usual);
            config.scan_wider_bits = self.scan_wider_bits;
            config.floor_raised_max = self.floor_raised.unwrap_or(config.floor_raised_max);
            config.hour_bytes_max = self.hour_bytes;
            config.certificate = self.hint.certificate;
            Process::Relay(Box::new(Relay::new(config, seed, now)))
        } else {
            let config = Config {
                network: NETWORK,
                work_divisor: WORK_DIVISOR,
                scan_wider_bits: self.scan_wider_bits,
                carried_bytes_max: self.carried_bytes_max,
            };
            Process::Account(Box::new(Account::new(config, seed, now)))
        };
    }

    pub fn is_up(&self) -> bool {
        !matches!(self.process, Process::Down)
    }

    /// One input for whichever node runs here. Commands go to accounts only.
    pub fn input(&mut self, world: u64, input: Input<'_, Request>) {
        let now = self.now(world);
        match &mut self.process {
            Process::Account(account) => account.handle_input(now, input),
            Process::Relay(relay) => {
                if let Some(input) = for_relay(input) {
                    relay.handle_input(now, input);
                }
            }
            Process::Down => {}
        }
    }

    pub fn output(&mut self) -> Option<Output<Event>> {
        match &mut self.process {
            Process::Account(account) => Some(account.poll_output()),
            Process::Relay(relay) => Some(from_relay(relay.poll_output())),
            Process::Down => None,
        }
    }

    /// A request with a number of its own.
    pub fn request(&mut self, command: Command) -> Request {
        let id = self.next_request;
        self.next_request += 1;
        Request { id, command }
    }
}

fn for_relay(input: Input<'_, Request>) -> Option<Input<'_, core::convert::Infallible>> {
    Some(match input {
        Input::Wake => Input::Wake,
        Input::LinkUp {
            link,
            dialled,
            from,
            binding,
        } => Input::LinkUp {
            link,
            dialled,
            from,
            binding,
        },
        Input::LinkMessage { link, bytes } => Input::LinkMessage { link, bytes },
        Input::LinkCongested { link, congested } => Input::LinkCongested { link, congested },
        Input::LinkDown { link } => Input::LinkDown { link },
        Input::Loaded { token, rows } => Input::Loaded { token, rows },
        Input::Saved { token } => Input::Saved { token },
        Input::StoreFailed { token, error } => Input::StoreFailed { token, error },
        Input::DialFailed { token, error } => Input::DialFailed { token, error },
        Input::Solved { token, nonce } => Input::Solved { token, nonce },
        Input::Reachable { addresses } => Input::Reachable { addresses },
        Input::Found { address, by } => Input::Found { address, by },
        Input::Located { token, addresses } => Input::Located { token, addresses },
        _ => return None,
    })
}

fn from_relay(output: Output<core::convert::Infallible>) -> Output<Event> {
    match output {
        Output::Send { link, bytes } => Output::Send { link, bytes },
        Output::Close { link } => Output::Close { link },
        Output::Load { token, query } => Output::Load { token, query },
        Output::Save { token, batch } => Output::Save { token, batch },
        Output::Dial { token, to } => Output::Dial { token, to },
        Output::Locate { token, links } => Output::Locate { token, links },
        Output::Knock { to } => Output::Knock { to },
        Output::Solve {
            token,
            prefix,
            target,
            expected,
        } => Output::Solve {
            token,
            prefix,
            target,
            expected,
        },
        Output::CancelSolve { token } => Output::CancelSolve { token },
        Output::WaitUntil(at) => Output::WaitUntil(at),
        Output::Event(never) => match never {},
        other => unreachable!("a relay asked for {other:?}"),
    }
}
