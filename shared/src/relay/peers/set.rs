//! One side's set for one reconciliation: negentropy over salted names. PROTOCOL.md section 12.
//!
//! Invariant: names are salted anew each time, so that nobody can choose objects whose fingerprints
//! cancel out; what a message can make this side do is bounded by the set's own size.

use crate::crypto::sha256;
use crate::limits::{RECONCILE_BYTES_MAX, SALTED_BYTES};
use crate::wire::Id;
use alloc::vec::Vec;
use negentropy::{Negentropy, NegentropyStorageVector};

/// The name of an object in one reconciliation. Two objects of a million share one with a chance of
/// one in 3 million for each difference; the next salt parts them.
pub(super) type Salted = [u8; SALTED_BYTES];

/// A message before it is squeezed.
const MESSAGE_BYTES_MAX: usize = 2 * RECONCILE_BYTES_MAX;

/// Objects as they are named in one reconciliation.
pub(super) struct Set {
    protocol: Negentropy<'static, NegentropyStorageVector>,
    /// Where each is found, by salted name.
    places: Vec<(Salted, u64)>,
}

/// What a turn of the asker came to.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// Arrivals of what the other side lacks.
    pub have: Vec<u64>,
    pub need: Vec<Salted>,
    /// The next turn, if there is one.
    pub message: Option<Vec<u8>>,
}

impl core::fmt::Debug for Set {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Set({} objects)", self.places.len())
    }
}

impl Set {
    /// `objects`: the hour in which each was made, its id, and its arrival.
    pub fn new(salt: &[u8; 16], objects: impl Iterator<Item = (u32, Id, u64)>) -> Option<Self> {
        let mut storage = NegentropyStorageVector::new();
        let mut places = Vec::new();
        for (born, id, arrival) in objects {
            let name = name(salt, &id);
            storage
                .insert(born.into(), negentropy::Id::from_byte_array(padded(&name)))
                .ok()?;
            places.push((name, arrival));
        }
        storage.seal().ok()?;
        places.sort_unstable();
        // Lone zeros make a message longer when it is squeezed.
        let protocol = Negentropy::owned(storage, RECONCILE_BYTES_MAX as u64 - 1_400).ok()?;
        Some(Set { protocol, places })
    }

    /// The asker's first turn.
    pub fn begin(&mut self) -> Option<Vec<u8>> {
        self.protocol.initiate().ok().and_then(|m| squeezed(&m))
    }

    /// The answerer's turn. `None`: the message makes no sense.
    pub fn answer(&mut self, message: &[u8]) -> Option<Vec<u8>> {
        let answer = self.protocol.reconcile(&unsqueezed(message)?).ok()?;
        squeezed(&answer)
    }

    /// The asker's next turn. `None`: the message makes no sense.
    pub fn take(&mut self, message: &[u8]) -> Option<Turn> {
        let (mut have, mut need) = (Vec::new(), Vec::new());
        let message = self
            .protocol
            .reconcile_with_ids(&unsqueezed(message)?, &mut have, &mut need)
            .ok()?;
        let message = match message {
            Some(message) => Some(squeezed(&message)?),
            None => None,
        };
        Some(Turn {
            have: have
                .iter()
                .filter_map(|id| self.place(&shortened(id.as_bytes())))
                .collect(),
            need: need.iter().map(|id| shortened(id.as_bytes())).collect(),
            message,
        })
    }

    /// The arrival of an object by its salted name.
    pub fn place(&self, name: &Salted) -> Option<u64> {
        let at = self.places.binary_search_by(|(n, _)| n.cmp(name)).ok()?;
        self.places.get(at).map(|(_, arrival)| *arrival)
    }
}

fn name(salt: &[u8; 16], id: &Id) -> Salted {
    shortened(&sha256(&[b"wm-salt", salt, &id.0]))
}

fn shortened(hash: &[u8; 32]) -> Salted {
    let [a, b, c, d, e, f, ..] = *hash;
    [a, b, c, d, e, f]
}

/// As negentropy wants it.
fn padded(name: &Salted) -> [u8; 32] {
    let mut id = [0; 32];
    id[..SALTED_BYTES].copy_from_slice(name);
    id
}

/// Without the zeros that pad the names: each run of them as a zero and its length.
fn squeezed(message: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(message.len());
    let mut run: u8 = 0;
    for byte in message {
        if *byte == 0 && run < u8::MAX {
            run += 1;
            continue;
        }
        if run > 0 {
            out.extend([0, run]);
            run = 0;
        }
        match byte {
            0 => run = 1,
            _ => out.push(*byte),
        }
    }
    if run > 0 {
        out.extend([0, run]);
    }
    (out.len() <= RECONCILE_BYTES_MAX).then_some(out)
}

/// `None`: longer than any message, or cut off.
fn unsqueezed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            0 => {
                let run = usize::from(*bytes.next()?);
                out.resize(out.len() + run, 0);
            }
            _ => out.push(*byte),
        }
        if out.len() > MESSAGE_BYTES_MAX {
            return None;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::collections::BTreeSet;

    const SALT: [u8; 16] = [3; 16];

    fn id(n: u64) -> Id {
        Id(sha256(&[&n.to_le_bytes()]))
    }

    fn set(numbers: impl Iterator<Item = u64>) -> Set {
        Set::new(&SALT, numbers.map(|n| ((n / 2000) as u32, id(n), n))).unwrap()
    }

    /// Turns and bytes until both know; what the asker has and needs.
    fn settle(asker: &mut Set, answerer: &mut Set) -> (usize, usize, BTreeSet<u64>, BTreeSet<u64>) {
        let mut message = asker.begin();
        let (mut turns, mut bytes) = (0, 0);
        let (mut have, mut need) = (BTreeSet::new(), BTreeSet::new());
        while let Some(asked) = message {
            turns += 1;
            let answer = answerer.answer(&asked).unwrap();
            bytes += asked.len() + answer.len();
            let turn = asker.take(&answer).unwrap();
            have.extend(turn.have);
            need.extend(turn.need.iter().filter_map(|name| answerer.place(name)));
            message = turn.message;
        }
        (turns, bytes, have, need)
    }

    #[test]
    fn finds_every_difference() {
        for (mine, theirs) in [
            (0..0, 0..0),
            (0..1000, 0..1000),
            (0..0, 0..50),
            (0..50, 0..0),
            (0..5000, 1..5000),
            (0..5000, 4000..9000),
        ] {
            let (_, _, have, need) = settle(&mut set(mine.clone()), &mut set(theirs.clone()));
            let mine: BTreeSet<u64> = mine.collect();
            let theirs: BTreeSet<u64> = theirs.collect();
            assert_eq!(have, &mine - &theirs);
            assert_eq!(need, &theirs - &mine);
        }
    }

    #[test]
    fn equal_sets_cost_next_to_nothing() {
        let (turns, bytes, ..) = settle(&mut set(0..100_000), &mut set(0..100_000));
        assert_eq!(turns, 1);
        assert!(bytes < 400, "{bytes}");
    }

    #[test]
    fn squeezing_is_undone() {
        for n in 0..600usize {
            let mut message = alloc::vec![7; 40];
            message.resize(40 + n, 0);
            message.push(u8::from(n % 3 > 0));
            let back = squeezed(&message).and_then(|s| unsqueezed(&s));
            assert_eq!(back, Some(message));
        }
        assert_eq!(unsqueezed(&[1, 0]), None);
        assert_eq!(unsqueezed(&[0, 255].repeat(200)), None);
    }

    #[test]
    fn differences_among_what_is_new_are_cheap() {
        // A hundred among the last 2,000 of 100,000.
        let mut mine = set((0..100_000).filter(|n| *n < 98_000 || n % 40 != 0));
        let mut theirs = set((0..100_000).filter(|n| *n < 98_000 || n % 40 != 20));
        let (turns, bytes, have, need) = settle(&mut mine, &mut theirs);
        assert_eq!((have.len(), need.len()), (50, 50));
        assert!(turns <= 4 && bytes < 20_000, "{turns} turns, {bytes} bytes");
    }

    #[test]
    fn rubbish_is_refused() {
        let mut answerer = set(0..100);
        let mut asker = set(0..100);
        let first = asker.begin().unwrap();
        for n in 0..first.len() {
            let _ = set(50..150).answer(&first[..n]);
            let mut changed = first.clone();
            changed[n] ^= 0x81;
            let _ = answerer.answer(&changed);
            let _ = asker.take(&changed);
        }
        assert!(answerer.answer(&[]).is_none());
        assert!(asker.take(&[0x61; 13]).is_none());
        for n in 0..2000u64 {
            let noise = sha256(&[&n.to_le_bytes()]);
            let mut message = alloc::vec![0x61];
            message.extend_from_slice(&noise[..(n % 33) as usize]);
            let _ = answerer.answer(&message);
            let _ = asker.take(&message);
        }
    }
}
