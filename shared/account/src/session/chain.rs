//! Chains: one key for each message after an opener, each derived from the one before. The sender's
//! lives in memory only. PROTOCOL.md section 6.
//!
//! Invariant: the key of a message that was received, and what it could be derived from, is gone.

use super::pair::PairId;
use super::payload::MessageId;
use crate::cbor;
use crate::sealed::Step;
use alloc::collections::VecDeque;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{Key, PublicKey, kdf};
use shared::time::Millis;

/// Messages of a chain that may be missing or out of order.
pub const WINDOW: u32 = 32;
/// Messages sent without an acknowledgement before a new opener.
pub const UNACKNOWLEDGED_MAX: u32 = 24;
/// After that long an opener nobody acknowledged is followed by another: relays drop it before what
/// is sent now, which without it could not be opened.
const OPENER_ALONE_MS: Millis = 6 * 3_600_000;

pub(crate) type ChainId = [u8; 16];

pub(crate) fn chain_id(s0: &Key) -> ChainId {
    let mut id = [0; 16];
    kdf(&[s0.as_bytes()], "chain id", &[], &mut id);
    id
}

/// The step of the message that S belongs to.
pub(crate) fn step(s: &Key) -> Step {
    Step::derive(s.as_bytes(), "step", &[])
}

/// The chain this process sends on.
#[derive(Clone, Debug)]
pub(crate) struct SendChain {
    pub id: ChainId,
    pub pair: PairId,
    /// Of the recipient's key it was opened under.
    pub epoch: u32,
    pub generation: u32,
    next: u32,
    s: Key,
    /// Messages of it, with how many had been sent when each was: the opener counts as the first.
    waiting: Vec<(MessageId, u32)>,
    sent: u32,
    confirmed: u32,
    /// When the opener was sealed, assumed time.
    begun: Millis,
}

impl SendChain {
    /// The chain an opener began, `opener` being its message id.
    pub fn new(
        s0: Key,
        pair: PairId,
        epoch: u32,
        generation: u32,
        opener: MessageId,
        begun: Millis,
    ) -> Self {
        SendChain {
            id: chain_id(&s0),
            pair,
            epoch,
            generation,
            next: 0,
            s: s0,
            waiting: alloc::vec![(opener, 1)],
            sent: 1,
            confirmed: 0,
            begun,
        }
    }

    /// S, as whoever reads the memory of this process has it.
    #[cfg(test)]
    pub fn secret(&self) -> Key {
        self.s.clone()
    }

    pub fn is_exhausted(&self, now: Millis) -> bool {
        let alone = self.confirmed == 0 && now.abs_diff(self.begun) >= OPENER_ALONE_MS;
        alone || self.sent - self.confirmed >= UNACKNOWLEDGED_MAX
    }

    /// Index and step of the next message.
    pub fn take(&mut self, message: MessageId) -> (u32, Step) {
        let step = step(&self.s);
        self.s = step.next.clone();
        let index = self.next;
        self.next += 1;
        self.sent += 1;
        self.waiting.push((message, self.sent));
        (index, step)
    }

    /// The other side has this message, and so the chain up to it.
    pub fn acknowledged(&mut self, message: &MessageId) {
        if let Some(&(_, sent)) = self.waiting.iter().find(|(id, _)| id == message) {
            self.confirmed = self.confirmed.max(sent);
            self.waiting.retain(|(_, s)| *s > sent);
        }
    }
}

/// A chain somebody sends to us on.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(map)]
pub(crate) struct ReceiveChain {
    #[cbor(n(0), with = "minicbor::bytes")]
    pub id: ChainId,
    #[cbor(n(1), with = "minicbor::bytes")]
    pub pair: PairId,
    #[n(2)]
    pub epoch: u32,
    #[n(3)]
    pub slot: u8,
    #[cbor(n(4), with = "cbor::public_key")]
    pub device: PublicKey,
    /// Behind the highest index received.
    #[n(5)]
    next: u32,
    /// S of `next`.
    #[cbor(n(6), with = "cbor::key")]
    s: Key,
    #[n(7)]
    skipped: Vec<Skipped>,
    /// The steps from `next` on, derived from `s`.
    #[cbor(skip)]
    ahead: VecDeque<Step>,
}

/// What is left of a step that was passed over: S is not.
#[derive(Clone, Debug, Encode, Decode)]
#[cbor(array)]
struct Skipped {
    #[n(0)]
    index: u32,
    #[n(1)]
    locator: u64,
    #[cbor(n(2), with = "cbor::key")]
    mac: Key,
    #[cbor(n(3), with = "cbor::key")]
    key: Key,
}

impl ReceiveChain {
    pub fn new(s0: Key, pair: PairId, epoch: u32, slot: u8, device: PublicKey) -> Self {
        let mut chain = ReceiveChain {
            id: chain_id(&s0),
            pair,
            epoch,
            slot,
            device,
            next: 0,
            s: s0,
            skipped: Vec::new(),
            ahead: VecDeque::new(),
        };
        chain.look_ahead();
        chain
    }

    /// Derives the window; needed once after decoding.
    pub fn look_ahead(&mut self) {
        while self.ahead.len() < WINDOW as usize {
            let s = self.ahead.back().map_or(&self.s, |last| &last.next);
            self.ahead.push_back(step(s));
        }
    }

    /// Every locator that is expected, with its index.
    pub fn expected(&self) -> impl Iterator<Item = (u64, u32)> {
        let ahead = self
            .ahead
            .iter()
            .zip(self.next..)
            .map(|(step, i)| (step.locator, i));
        self.skipped
            .iter()
            .map(|s| (s.locator, s.index))
            .chain(ahead)
    }

    /// The step of an expected index.
    pub fn step(&self, index: u32) -> Option<Step> {
        if let Some(i) = index.checked_sub(self.next) {
            return self.ahead.get(i as usize).cloned();
        }
        let s = self.skipped.iter().find(|s| s.index == index)?;
        let (mac, key) = (s.mac.clone(), s.key.clone());
        Some(Step {
            locator: s.locator,
            mac,
            key,
            next: Key::new([0; 32]),
        })
    }

    /// Erases the step of a message that was received. Hands locators that are not expected any
    /// more to `removed`, new ones to `added`.
    pub fn received(
        &mut self,
        index: u32,
        mut added: impl FnMut(u64, u32),
        mut removed: impl FnMut(u64),
    ) {
        if index < self.next {
            self.skipped.retain(|s| {
                if s.index == index {
                    removed(s.locator);
                }
                s.index != index
            });
            return;
        }
        while self.next <= index {
            let Some(step) = self.ahead.pop_front() else {
                return;
            };
            self.s = step.next.clone();
            if self.next == index {
                removed(step.locator);
            } else {
                let Step {
                    locator, mac, key, ..
                } = step;
                self.skipped.push(Skipped {
                    index: self.next,
                    locator,
                    mac,
                    key,
                });
            }
            self.next += 1;
            let s = self.ahead.back().map_or(&self.s, |last| &last.next);
            let new = super::chain::step(s);
            added(new.locator, self.next.saturating_add(WINDOW - 1));
            self.ahead.push_back(new);
        }
        let oldest = self.next.saturating_sub(WINDOW);
        self.skipped.retain(|s| {
            if s.index < oldest {
                removed(s.locator);
            }
            s.index >= oldest
        });
    }

    pub fn is_in_bounds(&self) -> bool {
        // An index of 2^31 takes longer than any chain lives.
        self.skipped.len() <= WINDOW as usize && self.next < u32::MAX / 2
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use alloc::collections::BTreeMap;
    use shared::crypto::{Rng, SigningKey};

    fn chains() -> (SendChain, ReceiveChain) {
        let device = SigningKey::from_bytes(&[1; 32]).public();
        let s0 = || Key::new([7; 32]);
        let send = SendChain::new(s0(), [1; 8], 5, 0, [0; 16], 0);
        (send, ReceiveChain::new(s0(), [1; 8], 5, 0, device))
    }

    /// Messages in any order inside the window, some lost, some twice: each key is found once, and
    /// the changes told add up to what is expected.
    #[test]
    fn any_order_in_the_window() {
        let mut rng = Rng::new([4; 32]);
        let (mut send, mut receive) = chains();
        let mut told: BTreeMap<u64, u32> = receive.expected().collect();
        assert_eq!(told.len(), 32);
        let mut sent: Vec<(u32, Step)> = Vec::new();
        let mut got = 0;
        for _ in 0..400 {
            sent.push(send.take([0; 16]));
            assert!(send.next - sent[0].0 <= 32);
            let late = |sent: &[(u32, Step)]| sent.first().is_some_and(|s| s.0 + 31 < send.next);
            while late(&sent) || sent.len() > rng.below(24) as usize {
                // Any of them, but none so late that it falls out of the window.
                let at = if late(&sent) {
                    0
                } else {
                    rng.below(sent.len() as u64) as usize
                };
                let (index, step) = sent.remove(at);
                if rng.below(10) == 0 {
                    continue;
                }
                assert_eq!(told.get(&step.locator), Some(&index));
                let mine = receive.step(index).unwrap();
                assert_eq!((mine.key, mine.mac), (step.key, step.mac));
                let (mut new, mut gone) = (Vec::new(), Vec::new());
                receive.received(index, |l, i| new.push((l, i)), |l| gone.push(l));
                told.extend(new);
                gone.iter().for_each(|l| assert!(told.remove(l).is_some()));
                assert!(receive.step(index).is_none(), "erased");
                got += 1;
                assert_eq!(told, receive.expected().collect());
                assert!(receive.is_in_bounds());
            }
        }
        assert!(got > 300);
    }

    #[test]
    fn stored_and_read_again() {
        let (_, mut receive) = chains();
        for index in [0, 5, 3, 20] {
            receive.received(index, |_, _| {}, |_| {});
        }
        let bytes = cbor::to_vec(&receive);
        let mut read: ReceiveChain = cbor::from_slice(&bytes).unwrap();
        read.look_ahead();
        let all = |c: &ReceiveChain| c.expected().collect::<Vec<_>>();
        assert_eq!(all(&read), all(&receive));
        assert_eq!(read.skipped.len(), 17);
        // 17 skipped of about 85 bytes, and nothing of the 32 ahead.
        assert!(bytes.len() < 1_700, "{}", bytes.len());
    }

    #[test]
    fn an_opener_nobody_acknowledged_is_followed_by_another() {
        let mut send = SendChain::new(Key::new([1; 32]), [1; 8], 5, 0, [0; 16], 1_000);
        assert!(!send.is_exhausted(1_000 + OPENER_ALONE_MS - 1));
        assert!(send.is_exhausted(1_000 + OPENER_ALONE_MS));
        send.acknowledged(&[0; 16]);
        assert!(!send.is_exhausted(1_000 + OPENER_ALONE_MS));
    }

    #[test]
    fn acknowledgements_confirm_what_was_before() {
        let (mut send, _) = chains();
        for n in 1..23 {
            send.take([n; 16]);
            assert!(!send.is_exhausted(0));
        }
        send.take([23; 16]);
        assert!(send.is_exhausted(0));
        send.acknowledged(&[99; 16]);
        assert!(send.is_exhausted(0));
        send.acknowledged(&[1; 16]);
        assert!(!send.is_exhausted(0));
        send.acknowledged(&[23; 16]);
        assert_eq!((send.waiting.len(), send.sent - send.confirmed), (0, 0));
    }
}
