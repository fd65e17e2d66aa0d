//! Sealing a message: on the chain, or as an opener where there is no chain to go on with.
//! PROTOCOL.md section 6.
//!
//! Invariant: without a key of the recipient for now nothing is sealed; there is no fallback.

use super::Session;
use super::chain::SendChain;
use super::opener::{Who, exchange};
use super::pair::{PAIR_EPOCHS, Pair, PairSeed, sending};
use super::payload::{
    ACKS_MAX, Context, MessageId, OPENER_INDEX, OWN_BYTES_MAX, Payload, REMOVALS_MAX,
};
use crate::epoch_keys::{ContactKeys, EpochKeys, NOTICE_KEYS_MAX};
use crate::identity::RecoveryPublic;
use crate::removal::Removal;
use crate::sealed::{INNER_LEN, Mailbox, Sealed, Sender, Step};
use crate::shown::{NAME_BYTES_MAX, TEXT_BYTES_MAX};
use alloc::{string::String, vec::Vec};
use shared::crypto::{KemPublic, Rng, SEAL_OVERHEAD, hedge, pad};
use shared::time::{Millis, epoch};
use shared::wire::SizeClass;

/// Length and signature that go with every payload.
const AROUND: usize = 2 + 64;
/// One short message in so many is padded as long ones are.
const LONG_ONE_IN: u64 = 8;
/// One draw in two ranks above a pair of the same epoch, one in three above two.
const FRESH_DRAWS_MAX: usize = 1_000;

/// What a message is to say; keys, certificates and fresh pairs are added where they belong.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    pub message_id: MessageId,
    /// `None`: acknowledgements or news of the account alone. Then nobody acknowledges it.
    pub text: Option<String>,
    /// Unix ms.
    pub time: Millis,
    pub order: u64,
    /// 16 at most.
    pub acks: Vec<MessageId>,
    /// Ours, where it changed.
    pub mailbox: Option<Mailbox>,
    /// Ours, where it changed.
    pub name: Option<String>,
    pub no_acks: bool,
    /// Times of our keys' record (s) and of our profile (ms).
    pub heads: Option<(u64, u64)>,
    /// Our contact read secret, where it changed.
    pub read: Option<[u8; 32]>,
    /// Ours, where it was not told yet.
    pub recovery: Option<RecoveryPublic>,
    /// For our own other devices.
    pub own: Option<Vec<u8>>,
    /// Devices of ours that are none any more: 4 at most, and not beside a text.
    pub removals: Vec<Removal>,
}

/// A sealed message. Save the session before it leaves this device.
#[derive(Clone, Debug)]
pub struct SealedMessage {
    pub sealed: Sealed,
    pub is_opener: bool,
    /// Of the recipient's key.
    pub epoch: u32,
}

/// Why a message was not sealed. The session is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// No key of the recipient for now is known: it waits for keys.
    NoKeys,
    /// The handshake is not done.
    NoPair,
    TextTooLong {
        bytes_max: usize,
    },
    NameTooLong {
        bytes_max: usize,
    },
    TooManyAcks {
        max: usize,
    },
}

/// What a message goes out on.
struct Route<'a> {
    pair: usize,
    epoch: u32,
    key: &'a KemPublic,
    generation: u32,
}

impl Session {
    /// Seals a message to the peer's mailbox. `to` are their keys, `own` ours, told in openers.
    pub fn seal_message(
        &mut self,
        draft: &Draft,
        to: &ContactKeys,
        from: &Sender,
        own: &EpochKeys,
        rng: &mut Rng,
    ) -> Result<SealedMessage, SealError> {
        check(draft)?;
        let now = epoch(from.now);
        let pair = sending(&self.kept.pairs, now).ok_or(SealError::NoPair)?.id;
        let pair = self
            .kept
            .pairs
            .iter()
            .position(|p| p.id == pair)
            .ok_or(SealError::NoPair)?;
        let (epoch, key) = to
            .pick(now, self.kept.pairs[pair].at)
            .ok_or(SealError::NoKeys)?;
        let route = Route {
            pair,
            epoch,
            key,
            generation: to.generation(),
        };
        let mut payload = Payload {
            message_id: draft.message_id,
            text: draft.text.clone(),
            time: draft.time,
            order: draft.order,
            acks: draft.acks.clone(),
            mailbox: draft.mailbox,
            name: draft.name.clone(),
            no_acks: draft.no_acks,
            heads: draft.heads,
            read: draft.read,
            recovery: draft.recovery,
            own: draft.own.clone(),
            removals: draft.removals.clone(),
            sealed: from.now,
            ..Payload::default()
        };
        let may_propose = draft.text.is_some() || self.kept.anew.is_some();
        if may_propose && self.is_fresh_due(&route) {
            payload.fresh = Some(self.draw_fresh(&draft.message_id, &route, rng));
        }
        let fresh = payload.fresh;
        let is_opener = !self.can_go_on(&route, from.now);
        let sealed = if is_opener {
            payload.certificate = Some(*from.certificate);
            self.seal_opener(payload, &route, from, own, rng)
        } else {
            self.seal_chain(&payload, from, rng)
        }
        .ok_or(SealError::TextTooLong {
            bytes_max: TEXT_BYTES_MAX,
        })?;
        if let Some(fresh) = fresh {
            self.propose(&fresh, draft.message_id, &route);
        }
        Ok(SealedMessage {
            sealed,
            is_opener,
            epoch,
        })
    }

    /// Whether there is a chain that a message of this route can go on.
    fn can_go_on(&self, route: &Route, now: Millis) -> bool {
        self.sending.as_ref().is_some_and(|chain| {
            chain.pair == self.kept.pairs[route.pair].id
                && (chain.epoch, chain.generation) == (route.epoch, route.generation)
                && !chain.is_exhausted(now)
        })
    }

    fn seal_opener(
        &mut self,
        payload: Payload,
        route: &Route,
        from: &Sender,
        own: &EpochKeys,
        rng: &mut Rng,
    ) -> Option<Sealed> {
        let (payload, message) = (with_keys(payload.clone(), own, epoch(from.now)), payload);
        let slot = from.certificate[0];
        let direction = self.direction();
        let pair = &mut self.kept.pairs[route.pair];
        let rz = pair.rz(route.epoch)?;
        let counter = pair.count(route.epoch);
        let who = Who {
            direction,
            device: slot,
            counter,
            epoch: route.epoch,
        };
        // All that distinguishes this message from any other a copy of this state may seal, time
        // included.
        let bound: [&[u8]; 5] = [
            &payload,
            &who.bytes(),
            rz.as_bytes(),
            route.key.as_bytes(),
            &from.now.to_le_bytes(),
        ];
        let (ct, shared) = route.key.encapsulate(hedge(&rng.array(), "opener", &bound));
        let keys = exchange(&shared, &rz, &who, &ct);
        let chain = SendChain::new(
            keys.s0,
            pair.id,
            route.epoch,
            route.generation,
            message.message_id,
            from.now,
        );
        let context = Context {
            sender: &self.kept.me,
            recipient: &self.kept.peer,
            epoch: route.epoch,
            chain: &chain.id,
            index: OPENER_INDEX,
        };
        let signed = context.sign(from.device, &payload);
        let front = Step::front(from, SizeClass::KIB_4, self.kept.mailbox, rng);
        let sealed = who
            .step(&rz)
            .seal_inner(&front, &ct, &keys.inner, &signed, rng)
            .ok()?;
        self.sending = Some(chain);
        Some(sealed)
    }

    fn seal_chain(&mut self, payload: &Payload, from: &Sender, rng: &mut Rng) -> Option<Sealed> {
        let bytes = payload.encode();
        let small = bytes.len() + AROUND + SEAL_OVERHEAD <= SizeClass::KIB_1.bytes();
        let size = match small && rng.below(LONG_ONE_IN) != 0 {
            true => SizeClass::KIB_1,
            false => SizeClass::KIB_4,
        };
        if bytes.len() + AROUND + SEAL_OVERHEAD > size.bytes() {
            return None;
        }
        let chain = self.sending.as_mut()?;
        let (index, step) = chain.take(payload.message_id);
        let context = Context {
            sender: &self.kept.me,
            recipient: &self.kept.peer,
            epoch: chain.epoch,
            chain: &chain.id,
            index,
        };
        let signed = context.sign(from.device, &bytes);
        let padded = pad(&signed, size.bytes() - SEAL_OVERHEAD).ok()?;
        let front = Step::front(from, size, self.kept.mailbox, rng);
        Some(step.seal(&front, &padded, rng))
    }

    /// Weekly, or after a higher pair was lost, on a pair both sides have, unless a proposal is
    /// under way.
    fn is_fresh_due(&self, route: &Route) -> bool {
        let pair = &self.kept.pairs[route.pair];
        let under_way = |p: &Pair| !p.confirmed && p.first.saturating_add(2) > route.epoch;
        let set_back = |p: &Pair| p.retired && !p.lost && p.rank() > pair.rank();
        let pairs = &self.kept.pairs;
        if let Some(anew) = self.kept.anew {
            // What was proposed before, a device that is gone was told of.
            return pair.confirmed && !pairs.iter().any(|p| p.id == anew && under_way(p));
        }
        !self.is_own()
            && pair.confirmed
            && (route.epoch >= pair.first.saturating_add(PAIR_EPOCHS) || pairs.iter().any(set_back))
            && !pairs.iter().any(under_way)
    }

    /// Randomness of a pair that ranks above those there are: of two that begin in one epoch the id
    /// decides which one is sent on.
    fn draw_fresh(&self, message: &MessageId, route: &Route, rng: &mut Rng) -> [u8; 32] {
        let known = self.kept.pairs.iter().filter(|p| !p.lost);
        let highest = known.map(Pair::rank).max();
        let rz = self.kept.pairs[route.pair].rz(route.epoch);
        let mut fresh = rng.array();
        for _ in 0..FRESH_DRAWS_MAX {
            let Some((rz, highest)) = rz.as_ref().zip(highest) else {
                break;
            };
            let seed = PairSeed::fresh(rz, &fresh, message, route.epoch);
            if highest.0 != route.epoch || (seed.epoch, seed.id()) > highest {
                break;
            }
            fresh = rng.array();
        }
        fresh
    }

    fn propose(&mut self, fresh: &[u8; 32], message: MessageId, route: &Route) {
        let Some(rz) = self.kept.pairs[route.pair].rz(route.epoch) else {
            return;
        };
        let seed = PairSeed::fresh(&rz, fresh, &message, route.epoch);
        if let Some(anew) = &mut self.kept.anew {
            *anew = seed.id();
        }
        self.insert_pair(Pair::new(&seed, false, Some(message)));
    }
}

fn check(draft: &Draft) -> Result<(), SealError> {
    if draft
        .text
        .as_ref()
        .is_some_and(|t| t.len() > TEXT_BYTES_MAX)
    {
        return Err(SealError::TextTooLong {
            bytes_max: TEXT_BYTES_MAX,
        });
    }
    if draft
        .name
        .as_ref()
        .is_some_and(|n| n.len() > NAME_BYTES_MAX)
    {
        return Err(SealError::NameTooLong {
            bytes_max: NAME_BYTES_MAX,
        });
    }
    if draft.own.as_ref().is_some_and(|o| o.len() > OWN_BYTES_MAX) {
        return Err(SealError::TextTooLong {
            bytes_max: OWN_BYTES_MAX,
        });
    }
    debug_assert!(
        draft.removals.len() <= REMOVALS_MAX,
        "bounded by who drafts"
    );
    if draft.acks.len() > ACKS_MAX {
        return Err(SealError::TooManyAcks { max: ACKS_MAX });
    }
    Ok(())
}

/// The payload with as many of our next keys as there is room for.
fn with_keys(mut payload: Payload, own: &EpochKeys, now_epoch: u32) -> Vec<u8> {
    for keys in (0..=NOTICE_KEYS_MAX).rev() {
        payload.keys = own.notice(now_epoch, keys);
        let bytes = payload.encode();
        if keys == 0 || bytes.len() + AROUND <= INNER_LEN {
            return bytes;
        }
    }
    Vec::new()
}
