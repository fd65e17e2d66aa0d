//! The address book: where relays are, as far as others said so and links proved it. Modelled on
//! Bitcoin Core's addrman. PROTOCOL.md section 12.
//!
//! Invariant: telling alone, however much, fills only the share of *new* addresses that the
//! network groups of the tellers reach, and never touches *tried* ones.
//!
//! ```text
//! group  who can reach an address, its network    table  entries and buckets
//! pick   whom to dial, whom to name               rows   keys and values in the store
//! ```

mod group;
mod pick;
mod rows;
mod table;

pub use group::{Group, Reach, reach};
pub use pick::{Candidate, Taken};
pub use rows::BOOK;

use crate::limits::{
    BOOK_ANCHORS_MAX, BOOK_DARK_AFTER_MS, BOOK_FAILURES_DOUBT, BOOK_FAILURES_MAX,
    BOOK_OWN_ADDRESSES_MAX, BOOK_TRIED_BUCKETS, BOOK_TRIED_KEPT_MS, DESCRIPTOR_AHEAD_S,
};
use crate::time::{Millis, hour};
use crate::wire::Descriptor;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use core::net::SocketAddr;
use group::canonical;
use table::{Entry, Known, Table};

/// When somebody told is kept to the hour, so that hearing of the same again writes nothing.
const HEARD_STEP_MS: u64 = 3_600_000;

/// Who told of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Who runs this relay.
    Person,
    /// A beacon on the local network.
    Lan,
    /// The BitTorrent DHT: anybody.
    Dht,
    /// A peer that was dialled, at an address of this group.
    Peer(Group),
    /// Whoever dialled this relay, about itself; how near its address was (`Public` if unknown).
    /// The core does not know that address, so all of them are one source.
    Dialler(Reach),
}

impl Source {
    /// Whether it may tell of addresses that reach so far: nobody may of nearer ones than its own.
    fn may_tell(self, reach: Reach) -> bool {
        match self {
            Source::Person | Source::Lan => true,
            Source::Dht => reach == Reach::Public,
            Source::Peer(group) => reach >= group.reach(),
            Source::Dialler(from) => reach >= from,
        }
    }
}

/// Why something that was told is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// Port 0.
    Port,
    /// An address no relay can have, or one that this source may not tell of.
    Special,
    /// This relay's own.
    Own,
    /// Its bucket is full of better ones.
    Full,
    /// The descriptor has no address: that relay only dials.
    Unaddressed,
    /// The descriptor has expired, is older than the one that is kept, or is from the future.
    Stale,
    /// All its addresses belong to other relays: proved, or claimed by them too.
    Claimed,
}

/// How much was refused, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Refusals {
    pub port: u64,
    pub special: u64,
    pub own: u64,
    pub full: u64,
    pub unaddressed: u64,
    pub stale: u64,
    pub claimed: u64,
}

/// What a book holds and what became of the rest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub new: usize,
    pub tried: usize,
    pub refused: Refusals,
    /// Gave way to others.
    pub dropped: u64,
    /// Rows of unknown or damaged form.
    pub unread: u64,
}

/// Where relays are.
#[derive(Debug)]
pub struct Book {
    network: u32,
    table: Table,
    own: BTreeSet<SocketAddr>,
    own_key: Option<[u8; 32]>,
    anchors: Vec<SocketAddr>,
    anchors_changed: bool,
    /// Tried ones whose place a proved one needs: the next feelers.
    doubted: BTreeSet<SocketAddr>,
    /// When any relay last answered.
    last_answer: Millis,
    refused: Refusals,
    unread: u64,
}

impl Book {
    /// An empty book. `secret` is random and the same at each start.
    pub fn new(secret: [u8; 32], network: u32) -> Self {
        Book {
            network,
            table: Table::new(secret),
            own: BTreeSet::new(),
            own_key: None,
            anchors: Vec::new(),
            anchors_changed: false,
            doubted: BTreeSet::new(),
            last_answer: 0,
            refused: Refusals::default(),
            unread: 0,
        }
    }

    // Getters.

    pub fn counts(&self) -> Counts {
        Counts {
            new: self.table.len() - self.table.tried(),
            tried: self.table.tried(),
            refused: self.refused,
            dropped: self.table.dropped(),
            unread: self.unread,
        }
    }

    /// At most [`BOOK_ANCHORS_MAX`] addresses to dial first.
    pub fn anchors(&self) -> &[SocketAddr] {
        &self.anchors
    }

    // What others tell.

    /// Somebody says that there is a relay. `now` is Unix time, here and below.
    pub fn hear(&mut self, now: Millis, address: SocketAddr, source: Source) -> Result<(), Unfit> {
        let address = canonical(address);
        let heard = self.fit(&address, source).and_then(|()| {
            if let Some(entry) = self.table.get(&address) {
                if !entry.named
                    && let Some(entry) = self.table.change(&address)
                {
                    entry.named = true;
                }
                self.hear_again(now, address, source);
                return Ok(());
            }
            let entry = Entry::new(now, source, None);
            self.table.put_new(address, entry).map_err(|_| Unfit::Full)
        });
        self.counted(heard)
    }

    /// Somebody hands on a descriptor; true if it is the very one that was read before, or an older
    /// one: it need not be read.
    pub fn hears_known(&mut self, now: Millis, raw: (&[u8], &[u8]), source: Source) -> bool {
        let key = raw.1.first_chunk::<32>();
        let Some(at) = key.and_then(|key| self.table.of_key(key)) else {
            return false;
        };
        let known = self.table.get(&at).and_then(|entry| entry.known.as_ref());
        let Some(known) = known.filter(|known| known.expiry > hour(now)) else {
            return false;
        };
        if known.is(raw) {
            self.hear_again(now, at, source);
            return true;
        }
        Descriptor::version_of(raw.1).is_some_and(|version| version < known.descriptor.version)
    }

    /// Somebody hands on a descriptor that was admitted and read; `raw` is its header and body.
    pub fn learn(
        &mut self,
        now: Millis,
        descriptor: &Descriptor,
        raw: &[u8],
        source: Source,
    ) -> Result<(), Unfit> {
        let learned = self.learn_from(now, descriptor, raw, source);
        self.counted(learned)
    }

    fn learn_from(
        &mut self,
        now: Millis,
        descriptor: &Descriptor,
        raw: &[u8],
        source: Source,
    ) -> Result<(), Unfit> {
        if self.own_key == Some(descriptor.node_key) {
            return Err(Unfit::Own);
        }
        let known = Known::new(descriptor, raw).map_err(|_| Unfit::Stale)?;
        let ahead = descriptor.version > (now / 1000).saturating_add(DESCRIPTOR_AHEAD_S);
        if ahead || known.expiry <= hour(now) {
            return Err(Unfit::Stale);
        }
        if let Some(at) = self.table.of_key(&descriptor.node_key) {
            let old = self.table.get(&at).and_then(|entry| entry.known.as_ref());
            let old = old.map(|known| &known.descriptor);
            let version = old.map_or(0, |old| old.version);
            if descriptor.version < version {
                return Err(Unfit::Stale);
            }
            // An address that it never named, but was found at, stays good.
            if !old.is_some_and(|old| names(old, &at)) || names(descriptor, &at) {
                if descriptor.version > version {
                    self.table.set_known(&at, Some(known));
                }
                self.hear_again(now, at, source);
                return Ok(());
            }
            // It moved, and says so itself.
            self.release(&at);
        }
        self.place_known(now, known, source)
    }

    /// An entry for a relay that has none, at the first of its addresses that can be had.
    fn place_known(&mut self, now: Millis, known: Known, source: Source) -> Result<(), Unfit> {
        let mut unfit = Unfit::Unaddressed;
        for address in &known.descriptor.addresses {
            let address = canonical(*address);
            if let Err(why) = self.fit(&address, source) {
                unfit = why;
                continue;
            }
            match self.table.get(&address) {
                None => {
                    let entry = Entry::new(now, source, Some(known));
                    return self.table.put_new(address, entry).map_err(|_| Unfit::Full);
                }
                Some(entry) if entry.known.is_none() => {
                    self.table.set_known(&address, Some(known));
                    self.hear_again(now, address, source);
                    return Ok(());
                }
                // Two relays say that they are here. Who is, a link will show.
                Some(entry) if !entry.tried => {
                    self.table.set_known(&address, None);
                    if let Some(entry) = self.table.change(&address) {
                        entry.named = true;
                    }
                }
                Some(_) => {}
            }
            unfit = Unfit::Claimed;
        }
        Err(unfit)
    }

    fn hear_again(&mut self, now: Millis, address: SocketAddr, source: Source) {
        self.table.add_source(address, source);
        let Some(entry) = self.table.get(&address) else {
            return;
        };
        // Who says so knows that it is there now.
        let failures = match source {
            Source::Person => 0,
            Source::Lan => entry.failures.min(1),
            _ => entry.failures,
        };
        let waits = entry.attempted != 0 && source != Source::Person;
        let step = now.abs_diff(entry.heard) >= HEARD_STEP_MS;
        let same = failures == entry.failures && waits == (entry.attempted != 0);
        if (step || !same)
            && let Some(entry) = self.table.change(&address)
        {
            entry.heard = now;
            entry.failures = failures;
            entry.attempted = if waits { entry.attempted } else { 0 };
        }
    }

    // What links show.

    /// A link to this address proved that it is this relay.
    pub fn proved(
        &mut self,
        now: Millis,
        address: SocketAddr,
        descriptor: &Descriptor,
        raw: &[u8],
    ) {
        let address = canonical(address);
        let own = self.own_key == Some(descriptor.node_key);
        let fit = match self.fit(&address, Source::Person) {
            Ok(()) if own => Err(Unfit::Own),
            fit => fit,
        };
        let known = Known::new(descriptor, raw).map_err(|_| Unfit::Stale);
        let Ok(mut known) = self.counted(fit.and(known)) else {
            return;
        };
        self.answered(now);
        let at = self.table.of_key(&descriptor.node_key);
        let old = at.and_then(|at| Some((at, self.table.get(&at)?.clone())));
        if let Some((at, old)) = &old {
            let older = |old: &&Known| old.descriptor.version > descriptor.version;
            if let Some(newer) = old.known.as_ref().filter(older) {
                known = newer.clone();
            }
            let moves = !old.tried
                || old.failures >= BOOK_FAILURES_DOUBT
                || names(&known.descriptor, &address) && !names(&known.descriptor, at);
            if *at != address && !moves {
                // A way to a relay that has a good address, perhaps a detour that somebody made.
                self.table.set_known(at, Some(known));
                self.table.remove(&address);
                return;
            }
            if *at != address {
                self.release(at);
            }
        }
        // What was here before was only said, or is gone.
        let here = self.table.remove(&address);
        let before = here.or(old.map(|(_, old)| old));
        let mut entry = before.unwrap_or_else(|| {
            let itself = Source::Peer(Group::of(address.ip()));
            Entry::new(now, itself, None)
        });
        entry.known = Some(known);
        entry.named = true;
        entry.failures = 0;
        entry.proved = now;
        entry.heard = now;
        self.settle(address, entry);
    }

    /// A relay is not at this address any more. If others spoke of the address too, or of another
    /// relay there, it stays without a descriptor: nobody takes away an address by claiming it.
    fn release(&mut self, address: &SocketAddr) {
        match self.table.get(address) {
            Some(entry) if entry.named && !entry.tried => self.table.set_known(address, None),
            _ => {
                self.table.remove(address);
            }
        }
    }

    fn settle(&mut self, address: SocketAddr, entry: Entry) {
        self.doubted.remove(&address);
        match self.table.make_room(&address) {
            Ok(()) => self.table.put_tried(address, entry),
            Err(oldest) => {
                if self.doubted.len() < usize::from(BOOK_TRIED_BUCKETS) {
                    self.doubted.insert(oldest);
                }
                let kept = self.table.put_new(address, entry);
                let _ = self.counted(kept.map_err(|_| Unfit::Full));
            }
        }
    }

    /// A dial of this address begins.
    pub fn attempted(&mut self, now: Millis, address: SocketAddr) {
        if let Some(entry) = self.table.change(&canonical(address)) {
            entry.attempted = now;
        }
    }

    /// A dial of this address came to nothing, or to something that is no relay.
    pub fn failed(&mut self, now: Millis, address: SocketAddr) {
        let address = canonical(address);
        let dark = self.is_dark(now);
        let Some(entry) = self.table.change(&address) else {
            return;
        };
        entry.failures = entry.failures.saturating_add(1);
        entry.attempted = now;
        let kept = entry.tried && now.saturating_sub(entry.proved) < BOOK_TRIED_KEPT_MS;
        if entry.failures >= BOOK_FAILURES_MAX && !dark && !kept {
            self.table.remove(&address);
        } else if !entry.tried {
            self.try_next_address(address);
        }
    }

    /// A new entry that failed goes on to the next address of its relay.
    fn try_next_address(&mut self, address: SocketAddr) {
        let Some(entry) = self.table.get(&address) else {
            return;
        };
        let Some(known) = &entry.known else {
            return;
        };
        let all = known.descriptor.addresses.iter().map(|a| canonical(*a));
        let after = all.clone().skip_while(|a| *a != address).skip(1);
        let next = after.chain(all).find(|next| {
            let told = |source: &Source| self.fit(next, *source).is_ok();
            self.table.get(next).is_none() && entry.sources.iter().any(told)
        });
        if let Some(next) = next {
            let mut entry = entry.clone();
            entry.named = false;
            self.release(&address);
            let kept = self.table.put_new(next, entry);
            let _ = self.counted(kept.map_err(|_| Unfit::Full));
        }
    }

    /// Nothing at all has answered lately: that others fail says nothing about them.
    fn is_dark(&self, now: Millis) -> bool {
        now.saturating_sub(self.last_answer) > BOOK_DARK_AFTER_MS
    }

    /// Some relay answered, on whatever link: this one is not cut off. What failed while it was may
    /// be there all the same. Told by `proved`, too.
    pub fn answered(&mut self, now: Millis) {
        if self.is_dark(now) {
            let since = self.last_answer;
            let failed = |e: &Entry| e.tried && e.failures > 0 && e.attempted > since;
            let failed = self.table.entries().filter(|(_, e)| failed(e));
            let failed: Vec<SocketAddr> = failed.map(|(at, _)| *at).collect();
            for address in failed {
                if let Some(entry) = self.table.change(&address) {
                    entry.failures = 0;
                }
            }
        }
        self.last_answer = now;
    }

    // Its own.

    /// The addresses at which this relay is reached, and its node key: refused, and dropped.
    pub fn set_own(&mut self, addresses: &[SocketAddr], node_key: [u8; 32]) {
        let own = addresses.iter().take(BOOK_OWN_ADDRESSES_MAX);
        self.own = own.map(|address| canonical(*address)).collect();
        self.own_key = Some(node_key);
        for address in &self.own {
            self.table.remove(address);
        }
        if let Some(address) = self.table.of_key(&node_key) {
            self.table.remove(&address);
        }
        let own = &self.own;
        let before = self.anchors.len();
        self.anchors.retain(|address| !own.contains(address));
        self.anchors_changed |= self.anchors.len() != before;
    }

    /// The peers to dial first at the next start, at most [`BOOK_ANCHORS_MAX`].
    pub fn set_anchors(&mut self, addresses: &[SocketAddr]) {
        let anchors = addresses.iter().take(BOOK_ANCHORS_MAX);
        let anchors: Vec<SocketAddr> = anchors.map(|address| canonical(*address)).collect();
        self.anchors_changed |= anchors != self.anchors;
        self.anchors = anchors;
    }

    // Checks.

    fn fit(&self, address: &SocketAddr, source: Source) -> Result<(), Unfit> {
        if address.port() == 0 {
            return Err(Unfit::Port);
        }
        match reach(address.ip()) {
            Some(reach) if source.may_tell(reach) => {}
            _ => return Err(Unfit::Special),
        }
        if self.own.contains(address) {
            return Err(Unfit::Own);
        }
        Ok(())
    }

    fn counted<T>(&mut self, result: Result<T, Unfit>) -> Result<T, Unfit> {
        let counter = match &result {
            Ok(_) => return result,
            Err(Unfit::Port) => &mut self.refused.port,
            Err(Unfit::Special) => &mut self.refused.special,
            Err(Unfit::Own) => &mut self.refused.own,
            Err(Unfit::Full) => &mut self.refused.full,
            Err(Unfit::Unaddressed) => &mut self.refused.unaddressed,
            Err(Unfit::Stale) => &mut self.refused.stale,
            Err(Unfit::Claimed) => &mut self.refused.claimed,
        };
        *counter += 1;
        result
    }
}

/// Whether a relay says that it is found there.
fn names(descriptor: &Descriptor, address: &SocketAddr) -> bool {
    let mut addresses = descriptor.addresses.iter();
    addresses.any(|named| canonical(*named) == *address)
}

#[cfg(test)]
mod tests;
