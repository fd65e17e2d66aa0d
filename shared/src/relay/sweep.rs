//! What leaves a relay by itself: objects that have expired, and what a smaller store has no room
//! for.
//!
//! Invariant: a clock that jumped, or was never seen before, deletes nothing until it has run on
//! for an hour.

use super::index::Entry;
use super::peers::HANDOVER_MS;
use super::{Effect, Relay, rows};
use crate::io::Batch;
use crate::time::{Millis, Now, hour};
use crate::wire::Kind;
use alloc::vec::Vec;

/// How far the clock may be from where the monotonic one says it should be.
const JUMP_MS: Millis = 2 * 3_600_000;
/// How long a clock is doubted.
const DOUBT_MS: Millis = 3_600_000;
/// Objects in one batch when a store has to shrink.
const SHRINK_OBJECTS: usize = 1_000;

/// Records that leave in an hour.
const LEFT_MAX: usize = 10_000;

/// When to sweep.
#[derive(Debug, Default)]
pub(super) struct Sweeper {
    believed: Option<Now>,
    /// Where the clock jumped to.
    doubted: Option<Now>,
    swept_hour: u32,
}

impl Sweeper {
    /// The hour at which what expires is to go, once an hour.
    fn due(&mut self, now: Now) -> Option<u32> {
        let follows = |then: &Now| now.jump_since(then) <= JUMP_MS;
        if !self.believed.as_ref().is_some_and(follows) {
            let doubted = self.doubted.filter(follows).unwrap_or(now);
            self.doubted = Some(doubted);
            if now.mono.saturating_sub(doubted.mono) < DOUBT_MS {
                return None;
            }
        }
        self.believed = Some(now);
        self.doubted = None;
        let hour = hour(now.unix);
        let due = hour != self.swept_hour;
        self.swept_hour = hour;
        due.then_some(hour)
    }

    /// When to look again, by the monotonic clock.
    pub fn next_time(&self, now: Now) -> Millis {
        let next_hour = (u64::from(hour(now.unix)) + 1) * 3_600_000;
        let next = now.mono + next_hour.saturating_sub(now.unix);
        let doubt = self.doubted.map(|doubted| doubted.mono + DOUBT_MS);
        doubt.map_or(next, |at| at.min(next))
    }
}

impl Relay {
    /// Drops what has expired, from memory at once, from the store in its turn.
    pub(super) fn sweep(&mut self) {
        let Some(hour) = self.sweeper.due(self.now) else {
            return;
        };
        // Nobody pages through buckets of more than an hour ago while they shrink.
        let old = self.current_bucket().saturating_sub(6);
        self.counters.expired += self.index.expire(hour, old);
        self.save(Effect::Sweep, rows::delete_expired(hour));
        self.leave_range();
    }

    /// Drops records of what was this relay's range before it moved: the rest has expired by then.
    fn leave_range(&mut self) {
        if self.now.mono.saturating_sub(self.peers.swarm.changed) < HANDOVER_MS {
            return;
        }
        let own = self.range();
        let left = self
            .index
            .each()
            .filter(|(_, entry)| entry.kind == Kind::Record && !own.has(entry.address));
        let left: Vec<(u64, Entry)> = left
            .map(|(at, entry)| (at, *entry))
            .take(LEFT_MAX)
            .collect();
        let mut gone = Batch::default();
        for (arrival, entry) in left {
            self.counters.left_range += 1;
            self.budgets.remove(arrival);
            self.index.remove(arrival);
            rows::delete(&mut gone, arrival, &entry);
        }
        if !gone.changes.is_empty() {
            self.save(Effect::Sweep, gone);
        }
    }

    /// Drops what is too much since the limits were lowered: least effort first, oldest first.
    pub(super) fn shrink(&mut self) {
        loop {
            let mut objects = self.index.len();
            let mut bytes = self.index.bytes();
            let mut gone = Batch::default();
            let mut arrivals = Vec::new();
            // Headers beyond their part first: others keep the bodies.
            let headers = self.config.store_objects_max / 2;
            let excess = (self.index.unheld() as u64).saturating_sub(headers);
            let excess = usize::try_from(excess).unwrap_or(usize::MAX);
            let headers = self.index.headers().take(excess);
            for (arrival, entry) in headers.chain(self.index.least()).take(SHRINK_OBJECTS) {
                let fits = objects <= self.config.store_objects_max
                    && bytes <= self.config.store_bytes_max;
                if fits {
                    break;
                }
                rows::delete(&mut gone, arrival, entry);
                arrivals.push(arrival);
                objects -= 1;
                bytes -= entry.bytes();
            }
            if arrivals.is_empty() {
                // Nobody has paged through anything yet: no place has to stay.
                self.index.expire(0, u32::MAX);
                return;
            }
            self.counters.evicted += arrivals.len() as u64;
            for arrival in arrivals {
                self.index.remove(arrival);
            }
            self.save(Effect::Sweep, gone);
        }
    }
}
