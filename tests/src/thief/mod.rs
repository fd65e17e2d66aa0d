//! A thief: what was recorded of the network, and what somebody got hold of, are tried on each
//! other in every way that PROTOCOL.md knows.
//!
//! ```text
//! archive  every object that was ever put
//! dump     all rows of a device, decrypted
//! words    all that follows from the 18 words, and from what they open
//! mod      keys and sessions that were found, and how they are tried
//! ```
//!
//! Invariant: a key is found wherever it lies, whatever row it is in: every byte string of a key's
//! length is tried as a key of every kind.

mod archive;
mod dump;
mod words;

pub use archive::{Archive, Recorded};
pub use dump::dump;
pub use words::Words;

use account::epoch_keys::EpochKeys;
use account::sealed::locator;
use account::session::Session;
use shared::crypto::{
    CIPHERTEXT_LEN, KemSecret, Key, hmac, kdf, kdf_key, open, same, sha256, unpad,
};
use std::collections::{BTreeMap, BTreeSet};

/// Openers of one device and epoch are tried up to this counter.
const COUNTERS: u32 = 24;
/// Messages of a chain that may be missing in a row.
const CHAIN_GAP: usize = 40;

/// How something was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// By a stored session and the account's own code.
    Session,
    /// As an opener, by keys found in the dump.
    Opener,
    /// By a chain that follows from a key in the dump, or from an opener.
    Chain,
    /// By a key of one message.
    Skipped,
    Greeting,
    Acceptance,
    Return,
}

/// What somebody has.
#[derive(Clone, Default)]
pub struct Thief {
    /// Whatever may be a key, in the order in which it was found.
    keys: Vec<[u8; 32]>,
    /// Whatever may be the secret of an invitation.
    secrets: BTreeSet<[u8; 16]>,
    sessions: Vec<Session>,
    own: Vec<EpochKeys>,
    /// Keys of the accounts that write to each other: everybody knows them.
    accounts: Vec<[u8; 32]>,
    /// RT of returns.
    returns: Vec<Key>,
    /// Days in which what was recorded was sealed, and some around them.
    epochs: std::ops::Range<u32>,
}

/// The 104 bytes of an envelope.
struct Step {
    locator: u64,
    key: Key,
    next: [u8; 32],
}

fn step(secret: &[u8], label: &str, context: &[u8]) -> Step {
    let mut okm = [0; 104];
    kdf(&[secret], label, &[context], &mut okm);
    let part = |at: usize| -> [u8; 32] { okm[at..at + 32].try_into().unwrap_or_default() };
    let first = okm.first_chunk().copied().unwrap_or_default();
    Step {
        locator: u64::from_be_bytes(first),
        key: Key::new(part(40)),
        next: part(72),
    }
}

impl Thief {
    /// Who knows these accounts and these days, and has nothing yet.
    pub fn new(accounts: &[[u8; 32]], epochs: std::ops::Range<u32>) -> Thief {
        Thief {
            accounts: accounts.to_vec(),
            epochs,
            ..Thief::default()
        }
    }

    /// Takes every byte string (as CBOR marks them) that may be a key, and everything that reads
    /// as a session or as epoch keys.
    pub fn take(&mut self, bytes: &[u8]) {
        for at in 0..bytes.len() {
            let (len, from) = match bytes[at..] {
                [head @ 0x40..=0x57, ..] => (usize::from(head - 0x40), at + 1),
                [0x58, len, ..] => (usize::from(len), at + 2),
                [0x59, high, low, ..] => (usize::from(u16::from_be_bytes([high, low])), at + 3),
                _ => continue,
            };
            let Some(found) = bytes.get(from..from + len) else {
                continue;
            };
            if let Ok(key) = found.try_into() {
                self.key(key);
            } else if let Ok(secret) = found.try_into() {
                self.secrets.insert(secret);
            }
            self.sessions.extend(Session::decode(found).ok());
        }
        self.own.extend(EpochKeys::decode(bytes).ok());
    }

    pub fn key(&mut self, key: [u8; 32]) {
        if !self.keys.contains(&key) {
            self.keys.push(key);
        }
    }

    /// How many keys and sessions there are to be tried.
    pub fn loot(&self) -> (usize, usize) {
        (self.keys.len(), self.sessions.len())
    }

    /// What opens of all that was recorded, by its place in the archive.
    pub fn open_all(&self, archive: &Archive) -> BTreeMap<usize, How> {
        let mut opened = BTreeMap::new();
        self.by_sessions(archive, &mut opened);
        self.by_pairs(archive, &mut opened);
        for key in &self.keys {
            self.by_chain(archive, *key, &mut opened);
        }
        self.by_macs(archive, &mut opened);
        self.by_invitations(archive, &mut opened);
        self.by_returns(archive, &mut opened);
        opened
    }

    /// The account's own code, told each day in turn, with nothing agreed on that would make it
    /// erase: as if the clock had been set there.
    fn by_sessions(&self, archive: &Archive, opened: &mut BTreeMap<usize, How>) {
        for session in &self.sessions {
            let mut session = session.clone();
            for epoch in self.epochs.clone() {
                session.on_epoch(epoch, 0);
                loop {
                    let expected: BTreeMap<_, _> = session.expected().collect();
                    let found = expected.iter().find_map(|(locator, slot)| {
                        let at = archive.find(*locator).find(|at| !opened.contains_key(at))?;
                        let object = &archive.objects[at];
                        let one = |own| {
                            session
                                .clone()
                                .open(slot, &object.header, &object.body, own)
                        };
                        let own = self.own.iter().find(|own| one(own).is_ok())?;
                        Some((at, *slot, own))
                    });
                    let Some((at, slot, own)) = found else { break };
                    let object = &archive.objects[at];
                    if session
                        .open(&slot, &object.header, &object.body, own)
                        .is_ok()
                    {
                        opened.insert(at, How::Session);
                    }
                }
            }
        }
    }

    /// Every key as RZ of every day, hashed on from there.
    fn by_pairs(&self, archive: &Archive, opened: &mut BTreeMap<usize, How>) {
        for key in &self.keys {
            for first in self.epochs.clone() {
                let mut rz = Key::new(*key);
                for epoch in first..self.epochs.end {
                    if epoch > first {
                        rz = kdf_key(&[rz.as_bytes()], "pair next", &[&epoch.to_le_bytes()]);
                    }
                    self.by_openers(archive, &rz, epoch, opened);
                }
            }
        }
    }

    fn by_openers(
        &self,
        archive: &Archive,
        rz: &Key,
        epoch: u32,
        opened: &mut BTreeMap<usize, How>,
    ) {
        for (direction, counter) in (0..2u8).flat_map(|d| (0..COUNTERS).map(move |c| (d, c))) {
            let mut who = vec![direction, 0];
            who.extend_from_slice(&counter.to_le_bytes());
            who.extend_from_slice(&epoch.to_le_bytes());
            let step = step(rz.as_bytes(), "opener", &who);
            for at in archive.find(step.locator) {
                let Some((ct, inner)) = archive.objects[at].outer(&step.key) else {
                    continue;
                };
                let bound: [&[u8]; 2] = [&who, &sha256(&[&ct[..]])];
                for shared in self.shared(&ct) {
                    let ikm: [&[u8]; 2] = [shared.as_bytes(), rz.as_bytes()];
                    if open(&kdf_key(&ikm, "opener inner", &bound), &[], &inner).is_ok() {
                        opened.entry(at).or_insert(How::Opener);
                        let s0 = kdf_key(&ikm, "chain", &bound);
                        self.by_chain(archive, *s0.as_bytes(), opened);
                    }
                }
            }
        }
    }

    /// What every key makes of a ciphertext, as the secret of an X-Wing key or as the secret that
    /// was sealed with.
    fn shared(&self, ct: &[u8; CIPHERTEXT_LEN]) -> impl Iterator<Item = Key> {
        let both = self.keys.iter().flat_map(|key| {
            let secret = KemSecret::from_bytes(*key);
            [secret.decapsulate(ct), Key::new(*key)]
        });
        both.collect::<Vec<Key>>().into_iter()
    }

    /// A key as S of a chain, until it has led nowhere for longer than any gap is.
    fn by_chain(&self, archive: &Archive, s: [u8; 32], opened: &mut BTreeMap<usize, How>) {
        let (mut s, mut missed) = (s, 0);
        while missed < CHAIN_GAP {
            let step = step(&s, "step", &[]);
            missed += 1;
            for at in archive.find(step.locator) {
                let object = &archive.objects[at];
                if open(&step.key, &object.header.front.encode(), &object.body).is_ok() {
                    opened.entry(at).or_insert(How::Chain);
                    missed = 0;
                }
            }
            s = step.next;
        }
    }

    /// A key as the MAC key of a message, found by its tag alone, and any other as its key.
    fn by_macs(&self, archive: &Archive, opened: &mut BTreeMap<usize, How>) {
        for mac in &self.keys {
            for (at, object) in archive.objects.iter().enumerate() {
                let hash = &object.header.body_hash[..8];
                if !same(&object.header.tag[8..], &hmac(mac, &[hash])[..8]) {
                    continue;
                }
                let front = object.header.front.encode();
                let mut keys = self.keys.iter().map(|key| Key::new(*key));
                if keys.any(|key| open(&key, &front, &object.body).is_ok()) {
                    opened.entry(at).or_insert(How::Skipped);
                }
            }
        }
    }

    /// Greetings and what was answered to them.
    fn by_invitations(&self, archive: &Archive, opened: &mut BTreeMap<usize, How>) {
        for (secret, account, j) in self.secrets.iter().flat_map(|secret| {
            let places = move |account| (0..64u8).map(move |j| (secret, account, j));
            self.accounts.iter().flat_map(places)
        }) {
            let step = step(secret, "greeting", &[&account[..], &[j]].concat());
            self.by_inner(
                archive,
                &step,
                "greeting inner",
                None,
                How::Greeting,
                opened,
            );
        }
        for pair in self.keys.windows(2) {
            let [shared, transcript] = pair else { continue };
            let pre = kdf_key(&[shared], "pair pre", &[transcript]);
            let step = step(pre.as_bytes(), "acceptance", &[]);
            let (label, how) = ("acceptance inner", How::Acceptance);
            self.by_inner(archive, &step, label, Some(&pre), how, opened);
        }
    }

    fn by_returns(&self, archive: &Archive, opened: &mut BTreeMap<usize, How>) {
        for (secret, epoch, j) in self.return_steps() {
            let step = step(secret.as_bytes(), "return step", &which(epoch, j));
            self.by_inner(archive, &step, "return inner", None, How::Return, opened);
        }
    }

    /// Returns that are recognized and whose outer layer opens: what the words alone show.
    pub fn returns_seen(&self, archive: &Archive) -> usize {
        let seen = self.return_steps().map(|(secret, epoch, j)| {
            let step = step(secret.as_bytes(), "return step", &which(epoch, j));
            let found = archive.find(step.locator);
            found
                .filter_map(|at| archive.objects[at].outer(&step.key))
                .count()
        });
        seen.sum()
    }

    fn return_steps(&self) -> impl Iterator<Item = (&Key, u32, u8)> {
        self.returns.iter().flat_map(|secret| {
            let epochs = self.epochs.clone();
            epochs.flat_map(move |epoch| (0..4).map(move |j| (secret, epoch, j)))
        })
    }

    /// An envelope whose outer key is known: every key is tried on the inner one.
    fn by_inner(
        &self,
        archive: &Archive,
        step: &Step,
        label: &str,
        also: Option<&Key>,
        how: How,
        opened: &mut BTreeMap<usize, How>,
    ) {
        for at in archive.find(step.locator) {
            let object = &archive.objects[at];
            let Some((ct, inner)) = object.outer(&step.key) else {
                continue;
            };
            for shared in self.shared(&ct) {
                let mut ikm: Vec<&[u8]> = vec![shared.as_bytes()];
                ikm.extend(also.map(|key| &key.as_bytes()[..]));
                let key = kdf_key(&ikm, label, &[&sha256(&[&ct[..]])]);
                if open(&key, &[], &inner).is_ok_and(|text| unpad(&text).is_ok()) {
                    opened.entry(at).or_insert(how);
                }
            }
        }
    }
}

fn which(epoch: u32, j: u8) -> Vec<u8> {
    [&epoch.to_le_bytes()[..], &[j]].concat()
}

/// The locator of an object.
fn locator_of(object: &Recorded) -> u64 {
    locator(&object.header.tag)
}
