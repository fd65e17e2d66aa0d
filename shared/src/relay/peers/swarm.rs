//! What part of the address space this relay keeps, and with how many others: a range that too many
//! keep is halved, one that too few keep is joined with its other half. PROTOCOL.md section 12.
//!
//! Invariant: a relay keeps what its descriptor says. How many others there are it counts by the
//! networks at which links proved them, never by what was only told.

use super::Peer;
use crate::book::Group;
use crate::io::{Batch, Change, LinkId};
use crate::limits::{
    PEERS_DIALLED, PEERS_ELSEWHERE, PEERS_FOR_ERRANDS, PEERS_OF_SIBLING, SWARM_RELAYS_MIN,
};
use crate::range::Range;
use crate::relay::link::Phase;
use crate::relay::rows::{BITS_KEY, META};
use crate::relay::{Effect, Relay};
use crate::time::Millis;
use crate::wire::Bye;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// Between two counts.
const LOOK_MS: Millis = 30_000;
/// A relay that has just started believes for so long what its peers say of how far the network is
/// divided, until it has counted itself.
const YOUNG_MS: Millis = 15 * 60_000;
/// Of so many at least.
const SAID_MIN: usize = 3;
/// Between two steps towards a wider range: those it would take over are counted in between.
const JOIN_EVERY_MS: Millis = 10 * 60_000;
/// What left the range is kept so long, for those who still look for it here.
pub(in crate::relay) const HANDOVER_MS: Millis = 48 * 3_600_000;
/// Objects that left the range and are looked at at a time, and headers of them that one relay is
/// told: it asks for no more at a time.
const LEFT_LOOKED_AT: usize = 4_096;
const LEFT_TOLD: usize = 500;
/// Relays that are told of each, those that this one dialled before others.
const LEFT_TOLD_TO: usize = 2;
/// A peer that is not needed goes when it was not of use for so long.
const UNUSED_MS: Millis = 5 * 60_000;

/// This relay's place among all.
#[derive(Debug, Default)]
pub(in crate::relay) struct Swarm {
    /// As its descriptor says.
    pub position: u32,
    pub range: Range,
    /// What the next descriptor is to say.
    pub bits: u8,
    /// Those that it had when it ended the last time.
    began_with: u8,
    /// Bits by which ranges of headers are wider.
    pub wider: u8,
    /// When the range last changed, and when it was last made wider (mono).
    pub changed: Millis,
    joined: Millis,
    look_at: Millis,
    /// When the first look was.
    began: Option<Millis>,
    /// Arrivals of what is here and was not told to those who are to keep it since the range is
    /// another one.
    pub left: Vec<u64>,
}

impl Swarm {
    pub fn new(wider: u8) -> Self {
        Swarm {
            wider,
            ..Swarm::default()
        }
    }

    pub fn begin_with(&mut self, bits: u8) {
        (self.bits, self.began_with) = (bits, bits);
    }

    pub fn next_time(&self) -> Millis {
        self.look_at
    }

    /// One of the ranges in which this relay keeps nothing, another one each minute.
    fn elsewhere(&self, now: Millis) -> Range {
        let around = self.scanned();
        let others = (1u64 << around.bits()) - 1;
        let other = 1 + (now / 60_000) % others.max(1);
        let flipped = (other << (32 - around.bits())) as u32;
        Range::of(around.prefix() ^ flipped, around.bits())
    }

    /// The quarters of the range and of those around it of which headers are kept: others may have
    /// halved theirs once or twice already.
    fn parts(&self) -> impl Iterator<Item = Range> {
        let ranges = core::iter::once(self.range).chain(self.range.siblings(self.wider));
        ranges.flat_map(|range| range.split(2))
    }

    /// Where headers are kept.
    pub fn scanned(&self) -> Range {
        self.range.wider(self.wider)
    }
}

/// The networks of relays that were there lately, by the range that they belong to.
struct Members<F>(F);

impl<I: Iterator<Item = Group>, F: Fn(Range) -> I> Members<F> {
    /// Whether so many networks keep something, not relays: those of one network are in one hand.
    fn has(&self, range: Range, count: usize) -> bool {
        let mut seen = BTreeSet::new();
        let mut groups = (self.0)(range);
        count == 0 || groups.any(|group| seen.insert(group) && seen.len() >= count)
    }

    /// The bits of the range that a relay at this position should keep, if a range is halved that
    /// more than `most` keep. Between halving and joining lies a third of them, so that it does not
    /// go back and forth. What is asked of a range is asked of all around it, so that no part of
    /// the whole is left to nobody.
    fn bits(&self, position: u32, bits: u8, most: usize) -> u8 {
        let mut range = Range::ALL;
        while let Some(halves) = range.halves() {
            let divided = range.bits() < bits;
            let (all, each) = if divided {
                (most * 7 / 10, (most / 5).max(2))
            } else {
                (most + 1, most * 3 / 10)
            };
            let enough = halves.map(|half| self.has(half, each)) == [true, true];
            if !enough || !self.has(range, all) {
                break;
            }
            range = Range::of(position, range.bits() + 1);
        }
        // A step at a time towards more, so that those who leave it are replaced in between.
        range.bits().max(bits.saturating_sub(1))
    }
}

impl Relay {
    /// What this relay keeps bodies of.
    pub fn range(&self) -> Range {
        self.peers.swarm.range
    }

    /// Counts the relays around, and takes a narrower or wider range when it is time.
    pub(super) fn look_around(&mut self) {
        let now = self.now.mono;
        if self.peers.swarm.look_at > now {
            return;
        }
        self.peers.swarm.look_at = now + LOOK_MS;
        let Some(own) = self.peers.own.addresses().first() else {
            // It can't be dialled, so nobody counts on it.
            let swarm = &mut self.peers.swarm;
            if swarm.bits != 0 {
                swarm.bits = 0;
                self.peers.own.renew(now);
            }
            return self.let_go_unneeded();
        };
        let (book, unix) = (&self.peers.book, self.now.unix);
        let swarm = &mut self.peers.swarm;
        let (position, group) = (swarm.position, Group::of(own.ip()));
        let members = |range: Range| {
            let own = range.has(position).then_some(group);
            book.members(unix, range).chain(own)
        };
        let began = *swarm.began.get_or_insert(now);
        let most = self.config.swarm_relays_max.max(SWARM_RELAYS_MIN);
        let mut bits = Members(members).bits(position, swarm.bits, most);
        if now - began < YOUNG_MS {
            // Anybody may dial in, many times, and say anything.
            let links = self.peers.links.values();
            let chosen = links.clone().any(|peer| peer.dialled);
            let asked = links.filter(|peer| peer.dialled || !chosen);
            let mut said: Vec<u8> = asked.map(|peer| peer.descriptor.bits).collect();
            said.sort_unstable();
            // One or two may lie.
            let middle = said.get(said.len() / 2).filter(|_| said.len() >= SAID_MIN);
            let middle = middle.copied().unwrap_or(0);
            bits = bits.max(middle).max(swarm.began_with);
        }
        let swarm = &mut self.peers.swarm;
        if bits < swarm.bits {
            if now.saturating_sub(swarm.joined) < JOIN_EVERY_MS && swarm.joined > 0 {
                bits = swarm.bits;
            } else {
                swarm.joined = now;
            }
        }
        if bits != swarm.bits {
            swarm.bits = bits;
            self.peers.own.renew(now);
            // A restart is no reason to take over what others keep.
            if now - began >= YOUNG_MS {
                let put = Change::Put {
                    table: META,
                    key: BITS_KEY.to_vec(),
                    value: [bits].into(),
                };
                let batch = Batch {
                    durable: false,
                    changes: [put].into(),
                };
                self.save(Effect::Sweep, batch);
            }
        }
        self.hand_over();
        self.let_go_unneeded();
    }

    /// This relay's new descriptor says what it keeps.
    pub(super) fn on_range(&mut self, position: u32, range: Range) {
        let swarm = &mut self.peers.swarm;
        swarm.position = position;
        if swarm.range == range {
            return;
        }
        self.counters.range_changes += 1;
        let before = swarm.scanned();
        swarm.range = range;
        swarm.changed = self.now.mono;
        let held = self.index.each().filter(|(_, entry)| entry.held);
        let left = held.filter(|(_, entry)| !range.has(entry.address));
        swarm.left = left.map(|(arrival, _)| arrival).collect();
        let around = swarm.scanned();
        if !around.wider_or_same(before) {
            self.send_clients_away();
        }
        let peers = self.peers.links.iter();
        let concerned = peers.filter(|(_, peer)| peer.range.overlaps(around));
        let links: Vec<LinkId> = concerned.map(|(link, _)| *link).collect();
        for link in links {
            self.peers.reconcile.soon(link);
        }
        self.peers.meet.hurry(self.now.mono);
    }

    /// What left the range may be here alone: a relay that has just started takes everything until
    /// it has heard of others. Those who are to keep it are told its header, and ask for what they
    /// lack.
    fn hand_over(&mut self) {
        let mut left = core::mem::take(&mut self.peers.swarm.left);
        let later = left.split_off(left.len().min(LEFT_LOOKED_AT));
        let mut told: BTreeMap<LinkId, Vec<u64>> = BTreeMap::new();
        let mut waiting = Vec::new();
        let mut wanted = None;
        for arrival in left {
            let Some(entry) = self.index.at(arrival).filter(|entry| entry.held) else {
                continue;
            };
            let address = entry.address;
            if self.range().has(address) {
                continue;
            }
            let mut keepers = self.peers.keepers(address);
            wanted = wanted.or_else(|| keepers.is_empty().then_some(address));
            keepers.retain(|link| told.get(link).is_none_or(|told| told.len() < LEFT_TOLD));
            if keepers.is_empty() {
                waiting.push(arrival);
                continue;
            }
            for keeper in keepers.into_iter().take(LEFT_TOLD_TO) {
                told.entry(keeper).or_default().push(arrival);
                self.counters.handed_over += 1;
            }
        }
        // What waits for somebody has its turn after the rest.
        self.peers.swarm.left = later;
        self.peers.swarm.left.append(&mut waiting);
        for (keeper, arrivals) in told {
            self.tell_headers_later(keeper, arrivals);
        }
        if let Some(address) = wanted {
            self.dial_for(address, true);
        }
    }

    /// Something is listed here no more, and clients know of a range from their Welcome only: they
    /// come again and are told, or go where they find what they look for.
    fn send_clients_away(&mut self) {
        let clients = self.links.iter().filter(|(link, state)| {
            let relay = self.peers.is_peer(**link) || self.peers.shakes.is_waiting(**link);
            state.phase == Phase::Open && !relay
        });
        let clients: Vec<LinkId> = clients.map(|(link, _)| *link).collect();
        for link in clients {
            self.bye(link, Bye::Leaving);
        }
    }

    /// Ranges of which there are too few peers, the most urgent first.
    pub(super) fn needs(&self) -> Vec<Range> {
        let own = self.peers.swarm.range;
        let around = self.peers.swarm.scanned();
        let mut needs = Vec::new();
        let all = || self.peers.ranges();
        let of_own = all().filter(|(range, dialled)| *dialled && range.overlaps(own));
        if of_own.count() < PEERS_DIALLED {
            needs.push(own);
        }
        for part in self.peers.swarm.parts() {
            let linked = all().filter(|(range, _)| range.overlaps(part));
            if linked.count() < PEERS_OF_SIBLING {
                needs.push(part);
            }
        }
        let elsewhere = all().filter(|(range, dialled)| *dialled && !range.overlaps(around));
        if around != Range::ALL && elsewhere.count() < PEERS_ELSEWHERE {
            needs.push(self.peers.swarm.elsewhere(self.now.mono));
        }
        needs
    }

    /// Peers that this relay dialled and does not need leave.
    fn let_go_unneeded(&mut self) {
        let own = self.peers.swarm.range;
        let around = self.peers.swarm.scanned();
        let mut of_own = 0;
        let mut elsewhere = 0;
        let mut parts: Vec<(Range, usize)> =
            self.peers.swarm.parts().map(|range| (range, 0)).collect();
        let mut dialled: Vec<(&LinkId, &Peer)> = self.peers.links.iter().collect();
        dialled.retain(|(_, peer)| peer.dialled);
        dialled.sort_unstable_by_key(|(_, peer)| peer.since);
        let mut gone = Vec::new();
        for (link, peer) in dialled {
            let mut needed = false;
            for (_, count) in parts
                .iter_mut()
                .filter(|(part, _)| peer.range.overlaps(*part))
            {
                *count += 1;
                needed |= *count <= PEERS_OF_SIBLING;
            }
            if peer.range.overlaps(own) {
                of_own += 1;
                needed |= of_own <= PEERS_DIALLED;
            } else if !peer.range.overlaps(around) {
                elsewhere += 1;
                needed |= elsewhere <= PEERS_ELSEWHERE;
            }
            let unused = self.now.mono.saturating_sub(peer.used) > UNUSED_MS;
            if !needed && unused {
                gone.push(*link);
            }
        }
        for link in gone {
            self.counters.peers_unneeded += 1;
            self.bye(link, Bye::Leaving);
        }
    }

    /// Whether another peer can be dialled for somebody's errand.
    pub(super) fn may_dial_for_errand(&self) -> bool {
        self.peers.dialled()
            < PEERS_DIALLED + 15 * PEERS_OF_SIBLING + PEERS_ELSEWHERE + PEERS_FOR_ERRANDS
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::crypto::Rng;
    use crate::limits::SWARM_RELAYS_MAX as MOST;
    use core::net::IpAddr;

    fn group(n: u32) -> Group {
        let [_, a, b, _] = (n << 8).to_be_bytes();
        Group::of(IpAddr::from([20 + a, b, 1, 1]))
    }

    fn members(count: u32, seed: u8) -> Vec<(u32, Group)> {
        let mut rng = Rng::new([seed; 32]);
        (0..count).map(|n| (rng.u64() as u32, group(n))).collect()
    }

    fn of(all: &[(u32, Group)]) -> Members<impl Fn(Range) -> alloc::vec::IntoIter<Group>> {
        Members(|range: Range| {
            let inside = all.iter().filter(|(position, _)| range.has(*position));
            let groups = inside.map(|(_, group)| *group);
            groups.collect::<Vec<Group>>().into_iter()
        })
    }

    /// Where all relays end that start with these bits.
    fn settle(all: &[(u32, Group)], bits: u8) -> Vec<u8> {
        let one =
            |position: &u32| (0..20).fold(bits, |bits, _| of(all).bits(*position, bits, MOST));
        all.iter()
            .take(60)
            .map(|(position, _)| one(position))
            .collect()
    }

    #[test]
    fn ranges_follow_the_number_of_relays() {
        for (count, least, most) in [
            (1, 0, 0),
            (27, 0, 0),
            (200, 2, 4),
            (2000, 5, 8),
            (10_000, 7, 10),
        ] {
            let all = members(count, 1);
            for start in [0, 3, 12] {
                for (bits, (position, _)) in settle(&all, start).into_iter().zip(&all) {
                    assert!(
                        (least..=most).contains(&bits),
                        "{count}: {bits} from {start}"
                    );
                    let (all, range) = (of(&all), Range::of(*position, bits));
                    let mates = all.has(range, 8) && !all.has(range, 42);
                    assert!(mates || bits == 0, "{bits} of {count}");
                }
            }
        }
    }

    #[test]
    fn it_does_not_go_back_and_forth() {
        // From halving to joining a quarter must leave.
        for count in 28..=40u32 {
            let all = members(count, 2);
            let position = all[0].0;
            assert_eq!(of(&all).bits(position, 0, MOST), 0);
            assert_eq!(of(&all).bits(position, 1, MOST), 1, "{count}");
        }
        assert_eq!(of(&members(27, 2)).bits(0, 1, MOST), 0);
        assert_eq!(of(&members(60, 2)).bits(0, 0, MOST), 1);
    }

    #[test]
    fn keys_and_one_network_divide_nothing() {
        let mut rng = Rng::new([3; 32]);
        let one: Vec<(u32, Group)> = (0..5000).map(|_| (rng.u64() as u32, group(7))).collect();
        assert_eq!(of(&one).bits(0, 0, MOST), 0);
        // All of many networks in one half: the other half would have nobody.
        let low: Vec<_> = members(100, 4)
            .into_iter()
            .map(|(p, g)| (p >> 1, g))
            .collect();
        assert_eq!(of(&low).bits(0, 0, MOST), 0);
    }
}
