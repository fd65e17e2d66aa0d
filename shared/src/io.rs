//! Everything that enters and leaves the core. Read this file first.
//!
//! A node ([`crate::relay::Relay`], or `account::Account` in its own crate) is driven by three
//! calls:
//!
//! ```text
//! new(config, seed: [u8; 32], now: Now) -> Node   seed: the system's randomness, fresh at each start
//! handle_input(&mut self, now: Now, input: Input) returns nothing: bad bytes are counted
//! poll_output(&mut self) -> Output                drain until WaitUntil, then wait for the next input
//! ```
//!
//! Invariant: state that something sent depends on has been `Saved` before it is sent.

use crate::time::{Millis, Now};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// What a shell drives: a relay, or an account.
pub trait Node {
    /// What a person or a script can ask ([`core::convert::Infallible`] for a relay).
    type Command;
    /// What they are told.
    type Event;
    /// One thing that happened.
    fn handle_input(&mut self, now: Now, input: Input<'_, Self::Command>);
    /// What to do next; drain until `WaitUntil`.
    fn poll_output(&mut self) -> Output<Self::Event>;
}

/// A link, numbered by the shell, never reused within a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

/// An effect's number, given by the core and handed back with its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u64);

/// A table of the store. Each node numbers its own; 0 to 15.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table(pub u8);

/// What happened outside. `C` is the node's command type ([`core::convert::Infallible`] for a
/// relay).
#[derive(Debug)]
pub enum Input<'a, C> {
    /// The time asked for by [`Output::WaitUntil`] has come (harmless when early).
    Wake,
    /// A link is open. `dialled` is the token of the [`Output::Dial`] it answers, `None` for one
    /// that came in.
    LinkUp {
        link: LinkId,
        dialled: Option<Token>,
        from: Origin,
        binding: [u8; 32],
    },
    /// A dial came to nothing, or the link could not be opened in time.
    DialFailed { token: Token, error: DialError },
    /// One frame arrived, as sent.
    LinkMessage { link: LinkId, bytes: &'a [u8] },
    /// The send queue of a link passed the shell's high-water mark (`true`) or drained again
    /// (`false`). While it is congested a node sends on it only answers it already owes.
    LinkCongested { link: LinkId, congested: bool },
    /// The link is gone, by whichever side. Nothing more arrives or leaves on it.
    LinkDown { link: LinkId },
    /// Rows for [`Output::Load`], in ascending order of keys; rows that do not exist are left out.
    Loaded { token: Token, rows: Vec<Row> },
    /// The batch of [`Output::Save`] is as durable as was asked.
    Saved { token: Token },
    /// A load or save failed; nothing of a failed batch was applied.
    StoreFailed { token: Token, error: StoreError },
    /// Work done so far for [`Output::Solve`], in hashes.
    Solving { token: Token, hashes: u64 },
    /// A puzzle's solution. The core checks it again.
    Solved { token: Token, nonce: u64 },
    /// The result of [`Output::Derive`]: Argon2id's 32 bytes.
    Derived { token: Token, key: [u8; 32] },
    /// This machine could not derive: too little memory for the cost, or the cost is out of bounds.
    DeriveFailed { token: Token },
    /// The addresses at which others reach this relay, the best first; told at the start and when
    /// they change.
    Reachable { addresses: Vec<SocketAddr> },
    /// The answer to [`Output::Prepare`]: UDP ports from which the dial will be made, as the other
    /// end of that link sees them; 0: the port of the link itself. None: it cannot be made.
    Prepared { token: Token, ports: Vec<u16> },
    /// The answer to [`Output::Locate`], in the same order; `None` if one of the links is gone.
    Located {
        token: Token,
        addresses: Option<[SocketAddr; 2]>,
    },
    /// Somewhere a relay may be listening.
    Found { address: SocketAddr, by: Finder },
    /// The answer to [`Output::Recall`]: the remembered key, if the shell still has it.
    Recalled { token: Token, key: Option<[u8; 32]> },
    /// Something a person or a script wants.
    Command(C),
}

/// What the shell has to do. `E` is the node's event type ([`core::convert::Infallible`] for a
/// relay).
#[derive(Debug)]
pub enum Output<E> {
    /// Send one frame. A link that cannot take it any more is closed by the shell, never stalled.
    Send { link: LinkId, bytes: Vec<u8> },
    /// Close a link after what was sent before has left.
    Close { link: LinkId },
    /// Open a link. Answered by `LinkUp` or `DialFailed`.
    Dial { token: Token, to: DialTo },
    /// Prepare the dial of that token to a relay that lets in only whom the other end of a link
    /// leads to it. Answered by `Prepared`; the dial follows within seconds, or never.
    Prepare { token: Token, link: LinkId },
    /// From which addresses two links come. Answered by `Located`.
    Locate { token: Token, links: [LinkId; 2] },
    /// Send one datagram of one byte to each address, from the port at which links come in: the
    /// NAT or firewall of this machine lets in what comes back.
    Knock { to: Vec<SocketAddr> },
    /// Read from the store. Answered by `Loaded` or `StoreFailed`.
    Load { token: Token, query: Query },
    /// Apply a batch, all or nothing, in the order given out. Answered by `Saved` or `StoreFailed`.
    Save { token: Token, batch: Batch },
    /// Find a nonce with H(prefix || nonce) below target, off the main thread, in the order given
    /// out. About `expected` hashes. Answered by `Solving` about four times a second, then
    /// `Solved`.
    Solve {
        token: Token,
        prefix: [u8; 32],
        target: [u8; 32],
        expected: u64,
    },
    /// The solution is not wanted any more; no answer needed.
    CancelSolve { token: Token },
    /// Argon2id (version 1.3, 32 bytes out), off the main thread. Answered by `Derived` or
    /// `DeriveFailed`.
    Derive {
        token: Token,
        secret: Secret,
        salt: [u8; 16],
        cost: KdfCost,
    },
    /// Keep a key where only this device can use it, replacing an earlier one (a key file with
    /// owner-only rights, or a value wrapped by a non-extractable WebCrypto key).
    Remember { key: [u8; 32] },
    /// Hand back the remembered key.
    Recall { token: Token },
    /// Destroy the remembered key.
    Forget,
    /// Erase every table and the remembered key of this node. Answered by `Saved`.
    Erase { token: Token },
    /// Something a person or a script should know.
    Event(E),
    /// Nothing to do until then, by the monotonic clock, or until the next input.
    WaitUntil(Millis),
}

/// Where a link came from, for limits: the /24 (IPv4) or /48 (IPv6) and the address, hashed by the
/// shell with a secret of the process so that the core never holds addresses ([`Input::Located`]
/// only passes through). Zero for links
/// dialled by this side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Origin {
    pub network: u64,
    pub address: u64,
    pub reach: Reach,
}

/// From how far away an address can be dialled, nearest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// This machine.
    Loopback,
    /// This network: private, shared by a provider's customers, or link-local.
    Private,
    /// Anywhere.
    #[default]
    Public,
}

/// Whom to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DialTo {
    /// A relay from its hint alone, over WebRTC or QUIC. Bytes as in PROTOCOL.md section 3.
    Hint(Vec<u8>),
    /// A relay over QUIC. Its certificate must have this hash, if one is known.
    Relay {
        address: SocketAddr,
        certificate: Option<[u8; 32]>,
    },
}

/// Who says that there is a relay at an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finder {
    /// The person who runs this one.
    Named,
    /// A beacon on the local network, or somebody in a DHT on it.
    Lan,
    /// The BitTorrent DHT: anybody.
    Dht,
}

/// Why a dial failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DialError {
    /// No answer in time: wrong address, a firewall, or the relay is off.
    NoAnswer,
    /// It answered with another certificate than the hint's.
    WrongCertificate,
    /// This shell cannot dial that kind of address, or has nothing to dial it with.
    Unsupported,
}

/// A read from one table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Query {
    /// These keys.
    Keys { table: Table, keys: Vec<Vec<u8>> },
    /// All rows from `from` (inclusive) to `to` (exclusive, `None`: the end), at most `limit`.
    Range {
        table: Table,
        from: Vec<u8>,
        to: Option<Vec<u8>>,
        limit: u32,
    },
}

/// A stored row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    pub key: Vec<u8>,
    pub value: Vec<u8>,
}

/// Changes that happen together or not at all. Batches are applied in the order they were handed
/// out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// True: answer `Saved` only when it survives a power cut. False: an answer may come before.
    pub durable: bool,
    pub changes: Vec<Change>,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    Put {
        table: Table,
        key: Vec<u8>,
        value: Vec<u8>,
    },
    Delete {
        table: Table,
        key: Vec<u8>,
    },
    /// Delete all keys below `to`.
    DeleteBelow {
        table: Table,
        to: Vec<u8>,
    },
}

/// Why the store failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// The disk, or the browser's quota, is full.
    Full,
    /// The store cannot be used: locked by another tab, private mode, damaged, or gone.
    Unavailable,
    /// The store can be used, but all that was in it is gone: browsers do so when the disk is full.
    /// What is saved from now on stays.
    Emptied,
}

/// Argon2id's cost, stored beside what it protects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfCost {
    pub memory_kib: u32,
    pub passes: u32,
    pub lanes: u32,
}

/// Bytes that are not shown and are overwritten when dropped.
#[derive(Clone, PartialEq, Eq, zeroize::Zeroize, zeroize::ZeroizeOnDrop)]
pub struct Secret(pub Vec<u8>);

impl core::fmt::Debug for Secret {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Secret(..)")
    }
}
