//! Who may fill how much of the store in an hour, once it is half full: of what clients bring every
//! network has the same share, of what relays bring every relay, and what one leaves the others
//! share. PROTOCOL.md section 2.
//!
//! Invariant: a source that stays below its share is never refused for what others put, however
//! many objects these bring and however much work is in them.
//!
//! All relays store what one of them takes, so each takes but a part from its clients.

use super::Relay;
use super::index::Entry;
use crate::io::LinkId;
use crate::limits::EVICTED_PER_PUT_MAX;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The store is filled freely up to one part in so many.
const FREE_PART: u64 = 2;
/// Above that, one part in so many an hour: what envelopes leave in the same time.
const HOUR_PART: u64 = 128;
/// In its turn to be saved a relay, which brings what many people put, has so many quanta.
const RELAY_WEIGHT: usize = 16;

/// Where objects come from: a network of clients, or another relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Source {
    Network(u64),
    Relay(u64),
}

impl Source {
    pub const fn quanta(self) -> usize {
        match self {
            Source::Network(_) => 1,
            Source::Relay(_) => RELAY_WEIGHT,
        }
    }
}

/// What one source brought in this hour and is still here.
#[derive(Debug, Default)]
struct Share {
    bytes: u64,
    /// By effort, then arrival: what gives way first comes first.
    objects: BTreeSet<(u8, u64)>,
}

/// What came in the hour under way.
#[derive(Debug, Default)]
pub(super) struct Budgets {
    clients: Budget,
    relays: Budget,
}

impl Budgets {
    fn of(&mut self, source: Source) -> &mut Budget {
        match source {
            Source::Network(_) => &mut self.clients,
            Source::Relay(_) => &mut self.relays,
        }
    }

    /// Counts an object of the hour under way.
    pub fn add(&mut self, source: Source, arrival: u64, entry: &Entry) {
        self.of(source).add(source, arrival, entry);
    }

    /// An object is gone.
    pub fn remove(&mut self, arrival: u64) {
        self.clients.remove(arrival);
        self.relays.remove(arrival);
    }
}

#[derive(Debug, Default)]
struct Budget {
    hour: u32,
    bytes: u64,
    shares: BTreeMap<Source, Share>,
    /// Source, effort and bytes of each object, by arrival.
    objects: BTreeMap<u64, (Source, u8, u64)>,
}

impl Budget {
    fn begin(&mut self, hour: u32) {
        if hour != self.hour {
            *self = Budget {
                hour,
                ..Budget::default()
            };
        }
    }

    fn add(&mut self, source: Source, arrival: u64, entry: &Entry) {
        let bytes = entry.bytes();
        let share = self.shares.entry(source).or_default();
        share.bytes += bytes;
        share.objects.insert((entry.effort, arrival));
        self.bytes += bytes;
        self.objects.insert(arrival, (source, entry.effort, bytes));
    }

    fn remove(&mut self, arrival: u64) {
        let Some((source, effort, bytes)) = self.objects.remove(&arrival) else {
            return;
        };
        self.bytes -= bytes;
        if let Some(share) = self.shares.get_mut(&source) {
            share.bytes -= bytes;
            share.objects.remove(&(effort, arrival));
            if share.objects.is_empty() {
                self.shares.remove(&source);
            }
        }
    }

    /// What gives way so that this source can bring so many bytes within a total of `most`: objects
    /// of sources that have more. `None`: it has its share.
    fn room(&self, source: Source, bytes: u64, most: u64) -> Option<Vec<u64>> {
        let own = self.shares.get(&source).map_or(0, |share| share.bytes);
        let own = own + bytes;
        let mut excess = (self.bytes + bytes).saturating_sub(most);
        let mut taken: BTreeMap<Source, u64> = BTreeMap::new();
        let mut gone = Vec::new();
        while excess > 0 {
            let left = |(other, share): (&Source, &Share)| {
                let taken = taken.get(other).copied().unwrap_or(0);
                (share.bytes - taken, *other)
            };
            let (most, heaviest) = self.shares.iter().map(left).max()?;
            if heaviest == source || most <= own {
                return None;
            }
            if gone.len() >= EVICTED_PER_PUT_MAX {
                // The part has become smaller since: a little at a time.
                return Some(gone);
            }
            let share = self.shares.get(&heaviest)?;
            let (_, arrival) = *share.objects.iter().find(|(_, a)| !gone.contains(a))?;
            let (_, _, size) = *self.objects.get(&arrival)?;
            gone.push(arrival);
            *taken.entry(heaviest).or_default() += size;
            excess = excess.saturating_sub(size);
        }
        Some(gone)
    }
}

impl Relay {
    /// Where what comes over a link comes from.
    pub(super) fn source(&self, link: LinkId) -> Source {
        match self.peers.key_of(link) {
            Some([a, b, c, d, e, f, g, h, ..]) => {
                Source::Relay(u64::from_le_bytes([a, b, c, d, e, f, g, h]))
            }
            None => {
                let state = self.links.get(&link);
                Source::Network(state.map_or(0, |state| state.origin.network))
            }
        }
    }

    /// Other relays that store what this one takes: those that it dialled, and one of each network
    /// of those that dialled, since keys are free.
    fn relays(&self) -> u64 {
        let mates = || self.peers.mates(self.range());
        let dialled = mates().filter(|(_, dialled)| *dialled).count();
        let taken = mates().filter(|(_, dialled)| !*dialled);
        let networks = taken.filter_map(|(link, _)| Some(self.links.get(&link)?.origin.network));
        let networks: BTreeSet<u64> = networks.collect();
        (dialled + networks.len()) as u64
    }

    /// What may come in an hour from clients and from relays, bytes.
    pub(super) fn hourly(&self) -> (u64, u64) {
        let most = self.config.store_bytes_max;
        let hourly = self.config.hour_bytes_max.unwrap_or(most / HOUR_PART);
        // Half of an equal part: what gave way again here was handed on before.
        let clients = hourly / (2 * (self.relays() + 1));
        (clients, hourly - clients)
    }

    /// What gives way to an object of this source by the hour's budget (`None`: it does not count,
    /// there is plenty of room), or the seconds after which it may come again.
    pub(super) fn within_budget(
        &mut self,
        source: Source,
        entry: &Entry,
    ) -> Result<Option<Vec<u64>>, u32> {
        let hour = crate::time::hour(self.now.unix);
        let most = self.config.store_bytes_max;
        let stored = self.index.bytes() + self.puts.bytes() as u64;
        if stored <= most / FREE_PART {
            return Ok(None);
        }
        let (clients, relays) = self.hourly();
        let most = match source {
            Source::Network(_) => clients,
            Source::Relay(_) => relays,
        };
        let budget = self.budgets.of(source);
        budget.begin(hour);
        let room = budget.room(source, entry.bytes(), most);
        // Where only a header is listed, its body is on its way.
        let stays = |arrival: &u64| self.index.at(*arrival).is_none_or(|entry| !entry.held);
        match room {
            // What is still on its way to the store can't give way.
            Some(gone) if !gone.iter().any(stays) => Ok(Some(gone)),
            Some(_) => Err(1),
            None => {
                let next_hour = (u64::from(hour) + 1) * 3_600_000;
                let wait = next_hour.saturating_sub(self.now.unix) / 1000 + 1;
                Err(u32::try_from(wait).unwrap_or(3600))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::wire::{Front, Kind, Lifetime, SizeClass};

    fn entry(effort: u8) -> Entry {
        let mut front = Front::from_now(
            1_700_000_000_000,
            Kind::Envelope,
            SizeClass::KIB_1,
            Lifetime::H48,
            1,
        );
        front.effort = effort;
        Entry::new(&front.header([0; 16], &[]), 0)
    }

    fn budget(objects: &[(Source, u8)]) -> Budget {
        let mut budget = Budget::default();
        for (n, (source, effort)) in objects.iter().enumerate() {
            budget.add(*source, n as u64, &entry(*effort));
        }
        budget
    }

    const A: Source = Source::Network(1);
    const B: Source = Source::Network(2);

    #[test]
    fn who_has_more_gives_way_and_least_effort_first() {
        let size = entry(0).bytes();
        let mut budget = budget(&[(A, 3), (A, 1), (A, 2), (B, 0)]);
        let most = 4 * size;
        // B takes from A what has the least work in it, until both have the same.
        assert_eq!(budget.room(B, size, most), Some(alloc::vec![1]));
        budget.remove(1);
        budget.add(B, 10, &entry(0));
        assert_eq!(budget.room(B, size, most), None);
        assert_eq!(budget.room(A, size, most), None);
        // A third one gets its part, of either.
        assert_eq!(
            budget.room(Source::Network(3), size, most).unwrap().len(),
            1
        );
        assert_eq!(budget.room(A, size, most + size), Some(Vec::new()));
    }

    #[test]
    fn clients_and_relays_are_counted_apart() {
        let mut budgets = Budgets::default();
        budgets.add(A, 1, &entry(0));
        budgets.add(Source::Relay(1), 2, &entry(0));
        let size = entry(0).bytes();
        assert_eq!((budgets.clients.bytes, budgets.relays.bytes), (size, size));
        budgets.remove(1);
        budgets.remove(2);
        assert_eq!((budgets.clients.bytes, budgets.relays.bytes), (0, 0));
    }

    #[test]
    fn what_is_gone_counts_no_more() {
        let mut budget = budget(&[(A, 0), (B, 0)]);
        budget.remove(0);
        budget.remove(0);
        budget.remove(1);
        assert_eq!((budget.bytes, budget.shares.len()), (0, 0));
        budget.add(A, 5, &entry(0));
        budget.begin(1);
        assert_eq!(budget.bytes, 0);
    }
}
