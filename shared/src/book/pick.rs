//! Whom to dial next, and whom to name to others. PROTOCOL.md section 12.
//!
//! Invariant: chance goes by buckets first and by entries second, so that a source that fills its
//! buckets is drawn no more often than one with an entry in each.

use super::group::{canonical, reach};
use super::table::{Bucket, Entry, Known};
use super::{Book, Group, Reach};
use crate::crypto::Rng;
use crate::limits::{
    BOOK_DARK_AFTER_MS, BOOK_FAILURES_DOUBT, BOOK_NAMED_MS, BOOK_WAIT_MS_MAX, BOOK_WAIT_MS_MIN,
    DESCRIPTOR_AHEAD_S, MEMBER_FAILURES, MEMBER_LOOK_MS, MEMBER_MS,
};
use crate::range::Range;
use crate::time::{Millis, hour};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// Somewhere to dial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    pub address: SocketAddr,
    /// The hash of the certificate to expect, where it is known.
    pub certificate: Option<[u8; 32]>,
    /// Who is expected there.
    pub node_key: Option<[u8; 32]>,
    /// What it keeps, where that is known.
    pub range: Option<Range>,
}

/// Relays that there is a link to, or a dial under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    addresses: BTreeSet<SocketAddr>,
    node_keys: BTreeSet<[u8; 32]>,
    groups: BTreeSet<Group>,
}

impl Taken {
    /// One that was or is being dialled: its group is taken too.
    pub fn dialled(&mut self, address: SocketAddr, node_key: Option<[u8; 32]>) {
        self.addresses.insert(canonical(address));
        self.groups.insert(Group::of(address.ip()));
        self.node_keys.extend(node_key);
    }

    /// One that dialled: its group says nothing about whom to dial.
    pub fn dialler(&mut self, node_key: [u8; 32]) {
        self.node_keys.insert(node_key);
    }

    fn has(&self, address: &SocketAddr, entry: &Entry) -> bool {
        let known = entry.node_key();
        self.addresses.contains(address) || known.is_some_and(|key| self.node_keys.contains(key))
    }
}

/// One of many, each with the same chance, without keeping them.
#[derive(Clone, Copy, Debug, Default)]
struct Draw {
    seen: u64,
    drawn: Option<SocketAddr>,
}

impl Draw {
    fn add(&mut self, rng: &mut Rng, address: SocketAddr) {
        self.seen += 1;
        if rng.below(self.seen) == 0 {
            self.drawn = Some(address);
        }
    }
}

impl Book {
    /// Whom to dial next: nobody of `taken`, nobody of its groups while there is somebody else, and
    /// nobody who failed a short while ago. Tried and new by even chance; `only_new` for feelers,
    /// which also see whether tried ones that hold up others are still there.
    pub fn pick(
        &mut self,
        rng: &mut Rng,
        now: Millis,
        taken: &Taken,
        only_new: bool,
    ) -> Option<Candidate> {
        if only_new && let Some(address) = self.next_doubted(now, taken) {
            return self.candidate(address);
        }
        self.draw(rng, now, taken, only_new, self.table.buckets())
    }

    /// The same of those that keep something of a range.
    pub fn pick_in(
        &self,
        rng: &mut Rng,
        now: Millis,
        taken: &Taken,
        range: Range,
    ) -> Option<Candidate> {
        if range == Range::ALL {
            return self.draw(rng, now, taken, false, self.table.buckets());
        }
        let mut held: BTreeMap<Bucket, Vec<SocketAddr>> = BTreeMap::new();
        for (address, entry) in self.table.keeping(range) {
            for bucket in self.table.buckets_of(address, entry) {
                held.entry(bucket).or_default().push(*address);
            }
        }
        self.draw(rng, now, taken, false, held.iter())
    }

    fn draw<'a>(
        &self,
        rng: &mut Rng,
        now: Millis,
        taken: &Taken,
        only_new: bool,
        buckets: impl Iterator<Item = (&'a Bucket, &'a Vec<SocketAddr>)>,
    ) -> Option<Candidate> {
        // Of groups that are free, and of the others.
        let mut tried = [Draw::default(); 2];
        let mut new = [Draw::default(); 2];
        for (bucket, held) in buckets {
            let draws = match bucket {
                Bucket::Tried(_) if only_new => continue,
                Bucket::Tried(_) => &mut tried,
                Bucket::New(_) => &mut new,
            };
            let mut inside = [Draw::default(); 2];
            for address in held {
                if !self.is_free(now, address, taken) {
                    continue;
                }
                let [free, other] = &mut inside;
                let group = Group::of(address.ip());
                let draw = if taken.groups.contains(&group) {
                    other
                } else {
                    free
                };
                draw.add(rng, *address);
            }
            for (draw, inside) in draws.iter_mut().zip(inside) {
                if let Some(address) = inside.drawn {
                    draw.add(rng, address);
                }
            }
        }
        let tried_first = rng.below(2) == 0;
        let pairs = tried.into_iter().zip(new);
        let mut order = pairs.flat_map(|(t, n)| if tried_first { [t, n] } else { [n, t] });
        let address = order.find_map(|draw| draw.drawn)?;
        self.candidate(address)
    }

    /// What is known of an address, to dial it (an anchor, say).
    pub fn candidate(&self, address: SocketAddr) -> Option<Candidate> {
        let address = canonical(address);
        let entry = self.table.get(&address)?;
        // After some failures it may be another relay's by now: whoever answers says who it is.
        let known = entry.known.as_ref();
        let known = known.filter(|_| entry.failures < BOOK_FAILURES_DOUBT);
        Some(Candidate {
            address,
            certificate: known.map(|known| known.descriptor.certificate),
            node_key: known.map(|known| known.descriptor.node_key),
            range: known.map(Known::range),
        })
    }

    /// Whether a link has proved where that relay is, and no dial has failed there since.
    pub fn is_found(&self, node_key: &[u8; 32]) -> bool {
        let entry = self.table.of_key(node_key);
        let entry = entry.and_then(|address| self.table.get(&address));
        entry.is_some_and(|entry| entry.tried && entry.failures == 0)
    }

    /// Where a relay says it is, if no link has proved it and it is time to look.
    pub fn unproved(&self, now: Millis, node_key: &[u8; 32]) -> Option<Candidate> {
        let address = self.table.of_key(node_key)?;
        let unproved = self.table.get(&address).is_some_and(|entry| !entry.tried);
        let free = unproved && self.is_free(now, &address, &Taken::default());
        free.then(|| self.candidate(address)).flatten()
    }

    /// Descriptors (header and body) to name to others, at most `max`: of relays that a link proved
    /// in the last 7 days, first half of them those that keep what is nearest to an address, then
    /// others in random order, one of each group first. To an asker who is not on the `local`
    /// network only those that can be dialled from anywhere.
    pub fn sample(
        &self,
        rng: &mut Rng,
        now: Millis,
        (max, near): (usize, u32),
        local: bool,
    ) -> Vec<Vec<u8>> {
        let ahead = now.saturating_add(DESCRIPTOR_AHEAD_S * 1000);
        let named = |(address, entry): (&SocketAddr, &'_ Entry)| {
            let proved = entry.proved != 0
                && entry.proved <= ahead
                && now.saturating_sub(entry.proved) <= BOOK_NAMED_MS;
            proved.then_some(Group::of(address.ip()))
        };
        let mut found = Vec::new();
        for (address, entry) in self.table.entries() {
            let Some(known) = &entry.known else {
                continue;
            };
            let mut addresses = known.descriptor.addresses.iter();
            let dialable = addresses.any(|a| match reach(a.ip()) {
                Some(reach) => local || reach == Reach::Public,
                None => false,
            });
            if let Some(group) = named((address, entry))
                && dialable
                && known.expiry > hour(now)
            {
                found.push((group, known));
            }
        }
        for i in (1..found.len()).rev() {
            let other = rng.below(i as u64 + 1) as usize;
            found.swap(i, other);
        }
        let mut groups = BTreeSet::new();
        let (firsts, others): (Vec<_>, Vec<_>) = found
            .into_iter()
            .partition(|(group, _)| groups.insert(*group));
        let mut all: Vec<&Known> = firsts.into_iter().chain(others).map(|(_, k)| k).collect();
        if all.len() > max {
            // Nearest is what shares most of its first bits.
            let distance = |known: &&Known| known.position ^ near;
            let mut nearest = all.clone();
            nearest.sort_by_key(distance);
            nearest.truncate(max / 2);
            let keys: BTreeSet<_> = nearest.iter().map(|k| k.descriptor.node_key).collect();
            all.retain(|known| !keys.contains(&known.descriptor.node_key));
            nearest.append(&mut all);
            all = nearest;
        }
        all.into_iter().take(max).map(Known::raw).collect()
    }

    /// The groups of those who were there lately and belong into a range.
    pub fn members(&self, now: Millis, range: Range) -> impl Iterator<Item = Group> {
        let fresh = move |entry: &Entry| {
            let proved = entry.proved != 0 && now.saturating_sub(entry.proved) <= MEMBER_MS;
            proved && entry.failures < MEMBER_FAILURES
        };
        let entries = self.table.keeping(range);
        let entries = entries.filter(move |(_, entry)| fresh(entry));
        entries.filter_map(move |(address, entry)| {
            let known = entry.known.as_ref().filter(|k| range.has(k.position))?;
            // Only where it was found: its place follows from that address.
            let first = known.descriptor.addresses.first()?;
            let here = canonical(*first) == *address;
            here.then(|| Group::of(address.ip()))
        })
    }

    /// One that keeps something of a range and was not proved for a while, or never.
    pub fn unsure(
        &self,
        rng: &mut Rng,
        now: Millis,
        taken: &Taken,
        range: Range,
    ) -> Option<Candidate> {
        let mut draw = Draw::default();
        for (address, entry) in self.table.keeping(range) {
            let unsure = entry.proved == 0 || now.saturating_sub(entry.proved) > MEMBER_LOOK_MS;
            if unsure && self.is_free(now, address, taken) {
                draw.add(rng, *address);
            }
        }
        self.candidate(draw.drawn?)
    }

    /// The next tried entry whose place another needs.
    fn next_doubted(&mut self, now: Millis, taken: &Taken) -> Option<SocketAddr> {
        let table = &self.table;
        // One that there is a link to is there; one that failed often gives way anyhow.
        self.doubted.retain(|address| {
            table.get(address).is_some_and(|entry| {
                let doubted = entry.tried && entry.failures < BOOK_FAILURES_DOUBT;
                doubted && !taken.has(address, entry)
            })
        });
        let mut doubted = self.doubted.iter();
        doubted.find(|at| self.is_free(now, at, taken)).copied()
    }

    fn is_free(&self, now: Millis, address: &SocketAddr, taken: &Taken) -> bool {
        let Some(entry) = self.table.get(address) else {
            return false;
        };
        let since = now.checked_sub(entry.attempted);
        // A clock that was set back is no reason to wait.
        let waited = entry.attempted == 0 || since.is_none_or(|ms| ms >= self.wait(now, entry));
        waited && !taken.has(address, entry)
    }

    /// From one dial to the next.
    fn wait(&self, now: Millis, entry: &Entry) -> Millis {
        let doubled = entry.failures.saturating_sub(1).min(16);
        let wait = (BOOK_WAIT_MS_MIN << doubled).min(BOOK_WAIT_MS_MAX);
        if entry.tried && self.is_dark(now) {
            return wait.min(BOOK_DARK_AFTER_MS);
        }
        wait
    }
}
