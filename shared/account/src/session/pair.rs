//! Pairs: the shared secret RZ two accounts locate and authenticate their openers with. It is
//! hashed forward each epoch and replaced by a fresh one weekly. PROTOCOL.md section 6.
//!
//! Invariant: RZ of an epoch that was passed by agreed time exists nowhere any more; counters only
//! go up.

use super::payload::MessageId;
use crate::cbor::{self, Bytes16};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{Key, kdf, kdf_key};
use shared::time::Millis;

/// Pairs of a session, at most: two handshakes and the fresh ones of the days an old one is kept.
pub const PAIRS_MAX: usize = 6;
/// A pair that is not sent on any more is kept that long for receiving.
pub(crate) const PAIR_KEPT_MS: Millis = 96 * 3_600_000;
/// Epochs after which a fresh pair is proposed.
pub(crate) const PAIR_EPOCHS: u32 = 7;

/// Ten years: bounds the hashing a clock can ask for.
const FORWARD_MAX: u32 = 3_660;
/// Epochs with counters, at most.
const COUNTERS_MAX: usize = 64;
/// Openers are expected from so many below the highest counter seen to so many above it.
const COUNTERS_AROUND: u32 = 8;
/// Of a device that is not known: those it makes when it was started a few times.
const COUNTERS_UNKNOWN: u32 = 2;

pub(crate) type PairId = [u8; 8];

/// A secret two accounts agreed on, to begin with at that epoch.
#[derive(Clone, Debug)]
pub struct PairSeed {
    pub(crate) epoch: u32,
    pub(crate) rz: Key,
}

impl PairSeed {
    /// The pair a `fresh` value proposes: at `epoch`, where RZ is `rz`.
    pub fn fresh(rz: &Key, fresh: &[u8; 32], message: &MessageId, epoch: u32) -> PairSeed {
        PairSeed {
            epoch,
            rz: kdf_key(&[rz.as_bytes(), fresh], "pair fresh", &[message]),
        }
    }

    pub fn id(&self) -> PairId {
        let mut id = [0; 8];
        kdf(&[self.rz.as_bytes()], "pair id", &[], &mut id);
        id
    }
}

/// RZ one epoch on, `epoch` being the new one.
pub(crate) fn next(rz: &Key, epoch: u32) -> Key {
    kdf_key(&[rz.as_bytes()], "pair next", &[&epoch.to_le_bytes()])
}

#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct Pair {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: PairId,
    #[n(1)]
    pub first: u32,
    /// The epoch `rz` belongs to.
    #[n(2)]
    pub at: u32,
    #[cbor(n(3), with = "cbor::key")]
    rz: Key,
    /// The other side is known to have it.
    #[n(4)]
    pub confirmed: bool,
    /// Our message that proposed it: its acknowledgement confirms the pair.
    #[n(5)]
    pub proposed_in: Option<Bytes16>,
    /// When the last message that came on it was sealed, Unix ms by the sender's clock.
    #[n(6)]
    pub heard: Millis,
    /// Agreed time since when another one is sent on.
    #[n(7)]
    pub superseded: Option<Millis>,
    #[n(8)]
    sent: Vec<Sent>,
    #[n(9)]
    seen: Vec<Seen>,
    /// The other side may have lost it: there was another handshake since, or they were set back
    /// to before it.
    #[n(10)]
    pub retired: bool,
    /// They came back without it: whatever comes on it, it is not sent on any more.
    #[cbor(n(11), default)]
    pub lost: bool,
    /// Slots of the devices that wrote on it, a bit each. None with `heard`: not noted then.
    #[cbor(n(12), default)]
    by: u8,
}

/// The next counter of ours in an epoch.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(array)]
struct Sent {
    #[n(0)]
    epoch: u32,
    #[n(1)]
    next: u32,
}

/// The highest counter seen of a device in an epoch.
#[derive(Clone, Copy, Debug, Encode, Decode)]
#[cbor(array)]
struct Seen {
    #[n(0)]
    device: u8,
    #[n(1)]
    epoch: u32,
    #[n(2)]
    highest: u32,
}

/// A pair as it is told to another device of the account: without the counters of this one, and
/// without what it proposed.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
pub(crate) struct SharedPair {
    #[cbor(n(0), with = "minicbor::bytes")]
    id: PairId,
    #[n(1)]
    first: u32,
    #[n(2)]
    at: u32,
    #[cbor(n(3), with = "cbor::key")]
    rz: Key,
    #[n(4)]
    confirmed: bool,
    #[n(5)]
    retired: bool,
    #[n(6)]
    lost: bool,
    #[n(7)]
    heard: Millis,
    #[n(8)]
    seen: Vec<Seen>,
}

impl Pair {
    pub fn share(&self) -> SharedPair {
        SharedPair {
            id: self.id,
            first: self.first,
            at: self.at,
            rz: self.rz.clone(),
            confirmed: self.confirmed,
            retired: self.retired,
            lost: self.lost,
            heard: self.heard,
            seen: self.seen.clone(),
        }
    }

    /// What another device of ours knows of the same pair. Whether it is retired follows from what
    /// was heard last.
    pub fn unite(&mut self, told: &Pair) {
        self.confirmed |= told.confirmed;
        self.lost |= told.lost;
        if told.heard > self.heard || (told.heard == self.heard && told.retired) {
            self.retired = told.retired;
        }
        self.retired |= self.lost;
        self.heard = self.heard.max(told.heard);
        for seen in &told.seen {
            self.note(seen.device, seen.epoch, seen.highest);
        }
    }

    /// [`Pair::is_in_bounds`] is for who reads it.
    pub fn shared(told: SharedPair) -> Pair {
        Pair {
            id: told.id,
            first: told.first,
            at: told.at,
            rz: told.rz,
            confirmed: told.confirmed,
            proposed_in: None,
            heard: told.heard,
            superseded: None,
            sent: Vec::new(),
            seen: told.seen,
            retired: told.retired,
            lost: told.lost,
            by: 0,
        }
    }

    pub fn new(seed: &PairSeed, confirmed: bool, proposed_in: Option<MessageId>) -> Pair {
        Pair {
            id: seed.id(),
            first: seed.epoch,
            at: seed.epoch,
            rz: seed.rz.clone(),
            confirmed,
            proposed_in: proposed_in.map(Bytes16),
            heard: 0,
            superseded: None,
            sent: Vec::new(),
            seen: Vec::new(),
            retired: false,
            lost: false,
            by: 0,
        }
    }

    /// The order by which both sides choose: the latest, and of those of one epoch any, but the
    /// same one.
    pub fn rank(&self) -> (u32, PairId) {
        (self.first, self.id)
    }

    /// RZ of an epoch; `None` if that was erased, or lies absurdly far ahead.
    pub fn rz(&self, epoch: u32) -> Option<Key> {
        if epoch.checked_sub(self.at)? > FORWARD_MAX {
            return None;
        }
        Some((self.at..epoch).fold(self.rz.clone(), |rz, e| next(&rz, e + 1)))
    }

    /// Forgets RZ of the epochs before this one.
    pub fn advance(&mut self, epoch: u32) {
        if self.at < epoch {
            // What lies further behind than FORWARD_MAX is of no more use, and has to go all the
            // more.
            self.rz = self.rz(epoch).unwrap_or_else(|| next(&self.rz, epoch));
            self.at = epoch;
        }
        self.sent.retain(|s| s.epoch >= epoch);
        self.seen.retain(|s| s.epoch >= epoch);
    }

    /// Takes the next counter of an epoch. It counts as used from now on.
    pub fn count(&mut self, epoch: u32) -> u32 {
        if let Some(sent) = self.sent.iter_mut().find(|s| s.epoch == epoch) {
            let counter = sent.next;
            sent.next = sent.next.saturating_add(1);
            return counter;
        }
        if self.sent.len() >= COUNTERS_MAX {
            // Only with a clock that jumps. Counting anew is safe, as nonces are hedged.
            self.sent.remove(0);
        }
        self.sent.push(Sent { epoch, next: 1 });
        0
    }

    /// Notes the counter of an opener that came. True if the expected ones changed.
    pub fn note(&mut self, device: u8, epoch: u32, counter: u32) -> bool {
        let before = self.expected(device, epoch, true);
        let mut is_first = false;
        let known = self
            .seen
            .iter()
            .position(|s| (s.device, s.epoch) == (device, epoch));
        if let Some(seen) = known.and_then(|at| self.seen.get_mut(at)) {
            seen.highest = seen.highest.max(counter);
        } else if self.seen.len() < COUNTERS_MAX {
            self.seen.push(Seen {
                device,
                epoch,
                highest: counter,
            });
            is_first = true;
        }
        is_first || self.expected(device, epoch, true) != before
    }

    /// Counters of openers that are taken from a device in an epoch. Lower ones too: a device set
    /// back to an earlier state counts again what it had counted.
    pub fn expected(&self, device: u8, epoch: u32, known: bool) -> core::ops::RangeInclusive<u32> {
        let seen = self
            .seen
            .iter()
            .find(|s| (s.device, s.epoch) == (device, epoch));
        let highest = match seen {
            None if !known => return 0..=COUNTERS_UNKNOWN,
            seen => seen.map_or(0, |s| s.highest),
        };
        highest.saturating_sub(COUNTERS_AROUND)..=highest.saturating_add(COUNTERS_AROUND)
    }

    pub fn is_in_bounds(&self) -> bool {
        self.sent.len() <= COUNTERS_MAX && self.seen.len() <= COUNTERS_MAX && self.at >= self.first
    }
}

/// The pair to send on in an epoch: the highest the other side is known to have; before any is
/// known, the one made last: an acceptance sealed anew takes the place of the one before, which may
/// have reached nobody. Not one that was made while the clocks were ahead, and none that they came
/// back without.
pub(crate) fn sending(pairs: &[Pair], epoch: u32) -> Option<&Pair> {
    let begun = |p: &&Pair| p.at <= epoch.saturating_add(1);
    let all = || pairs.iter().filter(|p| !p.lost);
    let candidates = || all().filter(begun).filter(|p| !p.retired);
    candidates()
        .filter(|p| p.confirmed)
        .max_by_key(|p| p.rank())
        .or_else(|| candidates().next_back())
        .or_else(|| all().filter(begun).max_by_key(|p| p.rank()))
        .or_else(|| all().max_by_key(|p| p.rank()))
}

/// A device's slot as a bit; none for one that there is not.
pub(crate) fn slot_bit(slot: u8) -> u8 {
    1_u8.checked_shl(slot.into()).unwrap_or(0)
}

/// Notes that a message came on a pair from the device in a slot, sealed at `time` by its clock.
/// Spoken to on a lower pair later than on a higher one, we take it that the device was set back to
/// a state without the higher one, and retire that; until they speak on it later still. A device
/// that never wrote on the higher one may just not know it yet.
pub(crate) fn heard(pairs: &mut [Pair], id: &PairId, slot: u8, time: Millis) {
    let others = pairs.iter().filter(|p| p.id != *id && !p.retired);
    let others = others.map(|p| p.heard).max().unwrap_or(0);
    let Some(found) = pairs.iter_mut().find(|p| p.id == *id) else {
        return;
    };
    let bit = slot_bit(slot);
    // Of a pair heard on before this was noted, anybody may have written.
    if found.heard == 0 || found.by != 0 {
        found.by |= bit;
    }
    found.confirmed = true;
    found.heard = found.heard.max(time);
    if others > 0 && time > others {
        found.retired = found.lost;
    }
    let (rank, retired) = (found.rank(), found.retired);
    let wrote = |p: &Pair| p.by == 0 || p.by & bit > 0;
    let set_back = |p: &Pair| p.rank() > rank && p.heard > 0 && time > p.heard && wrote(p);
    for pair in pairs.iter_mut().filter(|p| !retired && set_back(p)) {
        pair.retired = true;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn pair(n: u8, epoch: u32) -> Pair {
        Pair::new(
            &PairSeed {
                epoch,
                rz: Key::new([n; 32]),
            },
            true,
            None,
        )
    }

    #[test]
    fn only_forward() {
        let mut pair = pair(1, 100);
        let later = pair.rz(110).unwrap();
        assert_eq!(pair.rz(99), None);
        assert_eq!(pair.rz(100 + FORWARD_MAX + 1), None);
        pair.advance(105);
        assert_eq!(pair.rz(104), None);
        assert_eq!(pair.rz(110), Some(later));
        pair.advance(90);
        assert_eq!(pair.at, 105);
        pair.advance(105 + 3 * FORWARD_MAX);
        assert_eq!(pair.at, 105 + 3 * FORWARD_MAX);
    }

    #[test]
    fn counters_go_up() {
        let mut pair = pair(1, 100);
        assert_eq!(
            [
                pair.count(100),
                pair.count(100),
                pair.count(101),
                pair.count(100)
            ],
            [0, 1, 0, 2]
        );
        assert_eq!(pair.expected(0, 100, true), 0..=8);
        assert!(pair.note(0, 100, 8));
        assert_eq!(pair.expected(0, 100, true), 0..=16);
        assert!(!pair.note(0, 100, 3));
        assert!(pair.note(0, 100, 12));
        assert_eq!(
            (pair.expected(0, 100, true), pair.expected(1, 100, true)),
            (4..=20, 0..=8)
        );
        assert_eq!(pair.expected(1, 100, false), 0..=2);
        assert_eq!(pair.expected(0, 100, false), 4..=20, "one that was heard");
        for epoch in 0..1_000 {
            pair.note(0, epoch, 1);
            pair.count(epoch);
        }
        assert!(pair.is_in_bounds());
    }

    #[test]
    fn which_to_send_on() {
        assert!(sending(&[], 200).is_none());
        let choose = |pairs: &[Pair]| sending(pairs, 200).unwrap().first;
        let mut pairs = [pair(1, 100), pair(2, 107)];
        assert_eq!(choose(&pairs), 107);
        pairs[1].confirmed = false;
        assert_eq!(choose(&pairs), 100);
        pairs[0].confirmed = false;
        assert_eq!(choose(&pairs), 107, "nothing is known yet");
        pairs.reverse();
        assert_eq!(choose(&pairs), 100, "the one made last");
        // Heard on the old one before they knew of the new one.
        let mut pairs = [pair(1, 100), pair(2, 107)];
        let (old, new) = (pairs[0].id, pairs[1].id);
        for (id, time, chosen) in [
            (old, 50, 107),
            (new, 60, 107),
            // Late, not later.
            (old, 55, 107),
            // Heard on the old one after the new one: set back.
            (old, 70, 100),
            // What was under way from before that changes nothing; what was sealed later does.
            (new, 65, 100),
            (new, 80, 107),
        ] {
            heard(&mut pairs, &id, 0, time);
            assert_eq!(choose(&pairs), chosen, "{time}");
        }
        // Another device, which does not know the new one yet, is not set back.
        let mut pairs = [pair(1, 100), pair(2, 107)];
        for (id, slot, time, chosen) in [
            (old, 0, 50, 107),
            (new, 0, 60, 107),
            (old, 1, 70, 107),
            (new, 1, 80, 107),
            (old, 1, 90, 100),
        ] {
            heard(&mut pairs, &id, slot, time);
            assert_eq!(choose(&pairs), chosen, "{time}");
        }
        // After another handshake the old ones are not chosen, whatever their rank.
        let mut pairs = [pair(1, 100), pair(2, 90)];
        pairs[0].retired = true;
        pairs[1].confirmed = false;
        assert_eq!(choose(&pairs), 90);
        // One that they came back without is not chosen again, whoever speaks on it.
        let mut pairs = [pair(1, 100), pair(2, 90)];
        (pairs[0].retired, pairs[0].lost) = (true, true);
        let (old, new) = (pairs[0].id, pairs[1].id);
        for (id, time) in [(new, 50), (old, 60), (new, 70), (old, 80)] {
            heard(&mut pairs, &id, 0, time);
            assert_eq!(choose(&pairs), 90, "{time}");
        }
        assert!(sending(&pairs[..1], 200).is_none());
        // Both sides choose the same of two of one epoch, in whatever order they have them.
        let (a, b) = (pair(1, 100), pair(2, 100));
        let one = sending(&[a.clone(), b.clone()], 200).unwrap().id;
        assert_eq!(sending(&[b, a], 200).unwrap().id, one);
        // Made by clocks that ran ahead: not used before its time.
        let pairs = [pair(1, 100), pair(2, 130)];
        for (epoch, chosen) in [(110, 100), (128, 100), (129, 130), (140, 130)] {
            assert_eq!(sending(&pairs, epoch).unwrap().first, chosen, "{epoch}");
        }
        assert_eq!(sending(&pairs[1..], 110).unwrap().first, 130);
    }
}
