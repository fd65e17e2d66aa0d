//! The links of a port by age: whether one more may begin, and which gives way to it.
//!
//! Invariant: half-open links are bounded in all, from one block of addresses and from one network,
//! those that are being ended too; an address can be shut out by its neighbours in the network,
//! never by others alone.

use super::{LinkLimits, block, network};
use shared::io::LinkId;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// A half-open link younger than this does not give way.
const GRACE: Duration = Duration::from_millis(500);

/// What is known of a link before it is open.
pub trait HalfOpen {
    fn started(&self) -> Instant;
    /// Its other side has shown that it receives at its address.
    fn is_proven(&self) -> bool;
}

/// All links that came in.
pub struct Room<S> {
    limits: LinkLimits,
    table: BTreeMap<LinkId, Entry<S>>,
}

struct Entry<S> {
    session: S,
    block: IpAddr,
    network: IpAddr,
    stage: Stage,
}

/// How far a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    HalfOpen,
    Open,
    /// It had to give way, and has not ended yet.
    GivingWay,
    /// It has ended, and takes memory while its last packets may come.
    Closing,
}

/// There is no room for another half-open link.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl<S: HalfOpen> Room<S> {
    pub fn new(limits: LinkLimits) -> Self {
        Self {
            limits,
            table: BTreeMap::new(),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (LinkId, &S)> {
        self.table
            .iter()
            .map(|(link, entry)| (*link, &entry.session))
    }

    /// Whether one more link from `ip` may begin, those that are closing counted.
    pub fn is_open_to(&self, ip: IpAddr) -> bool {
        let (block, network, limits) = (block(ip), network(ip), &self.limits);
        let entries = || self.table.values();
        let of_block = entries().filter(|entry| entry.block == block).count();
        let of_network = entries().filter(|entry| entry.network == network).count();
        self.table.len() < limits.links_max
            && of_block < limits.links_per_address_max
            && of_network < limits.links_per_network_max
    }

    pub fn add(&mut self, link: LinkId, ip: IpAddr, session: S) {
        let entry = Entry {
            session,
            block: block(ip),
            network: network(ip),
            stage: Stage::HalfOpen,
        };
        self.table.insert(link, entry);
    }

    pub fn on_open(&mut self, link: LinkId) {
        self.set(link, Stage::Open);
    }

    /// It has ended; [`Self::remove`] follows when it takes no memory any more.
    pub fn on_closing(&mut self, link: LinkId) {
        self.set(link, Stage::Closing);
    }

    fn set(&mut self, link: LinkId, stage: Stage) {
        if let Some(entry) = self.table.get_mut(&link) {
            entry.stage = stage;
        }
    }

    pub fn remove(&mut self, link: LinkId) {
        self.table.remove(&link);
    }

    /// Room for one more from `ip`; the link in the answer has to be ended for it.
    pub fn make_room(&mut self, now: Instant, ip: IpAddr) -> Result<Option<LinkId>, Full> {
        let gives_way = |entry: &&Entry<S>| entry.stage == Stage::GivingWay;
        if self.table.values().filter(gives_way).count() >= self.limits.half_open_max {
            return Err(Full);
        }
        let (block, network) = (block(ip), network(ip));
        let of_block = |entry: &Entry<S>| entry.block == block;
        let of_network = |entry: &Entry<S>| entry.network == network;
        let count = |kind: &dyn Fn(&Entry<S>) -> bool| {
            let half_open = self.half_open();
            half_open.filter(|entry| kind(entry)).count()
        };
        // Somebody else may have begun them in these addresses' name.
        let unproven = |kind: &dyn Fn(&Entry<S>) -> bool| {
            self.oldest(now, |entry| kind(entry) && !entry.session.is_proven())
        };
        let victim = if count(&of_block) >= self.limits.half_open_per_address_max {
            unproven(&of_block)
        } else if count(&of_network) >= self.limits.half_open_per_network_max {
            unproven(&of_network)
        } else if count(&|_| true) >= self.limits.half_open_max {
            unproven(&|_| true).or_else(|| self.oldest_of_largest(now))
        } else {
            return Ok(None);
        };
        let victim = victim.ok_or(Full)?;
        self.set(victim, Stage::GivingWay);
        Ok(Some(victim))
    }

    fn half_open(&self) -> impl Iterator<Item = &Entry<S>> {
        let half_open = |entry: &&Entry<S>| entry.stage == Stage::HalfOpen;
        self.table.values().filter(half_open)
    }

    /// The oldest link of the networks that hold most.
    fn oldest_of_largest(&self, now: Instant) -> Option<LinkId> {
        let mut held: HashMap<IpAddr, usize> = HashMap::new();
        for entry in self.half_open() {
            *held.entry(entry.network).or_default() += 1;
        }
        let most = held.values().max().copied()?;
        self.oldest(now, |entry| held.get(&entry.network) == Some(&most))
    }

    /// The oldest half-open link of this kind that may give way.
    fn oldest(&self, now: Instant, kind: impl Fn(&Entry<S>) -> bool) -> Option<LinkId> {
        let gives_way = |entry: &Entry<S>| {
            let age = now.saturating_duration_since(entry.session.started());
            entry.stage == Stage::HalfOpen && age >= GRACE && kind(entry)
        };
        let found = self.table.iter().find(|(_, entry)| gives_way(entry));
        found.map(|(link, _)| *link)
    }
}

#[cfg(test)]
#[path = "room_tests.rs"]
mod tests;
