//! This account's other devices: the session that all of them share, what is known of each, and
//! how one begins with it. PROTOCOL.md section 16.
//!
//! Invariant: without a pair there is no other device, and nothing is told to anybody. What another
//! device says was signed by a key that the account has certified for its slot.

use super::catch_up::CatchUp;
use super::cx::Cx;
use super::letters::Letters;
use super::model::*;
use super::open::{Expected, Open};
use crate::cbor;
use crate::epoch_keys::{ContactKeys, KeyName};
use crate::linking::SelfPair;
use crate::removal::Removal;
use crate::session::{PairSeed, Session, slot_bit};
use crate::state::Key;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::{KemPublic, Key as Secret};
use shared::time::Millis;

/// A device that was heard from so lately counts where one has to do something for all.
pub(super) const LATELY_MS: Millis = 72 * 3_600_000;

/// A session that is over is heard so long.
const FORMER_KEPT_MS: Millis = 30 * 86_400_000;

/// Chains of contacts that a new device can't read, so many are told of: 1,024 take 18 kB.
const OLD_CHAINS_MAX: usize = 1_024;

/// What a device knows of the others.
#[derive(Default)]
pub struct Own {
    pub(super) session: Option<Session>,
    /// Those of turns before: heard for a while, by who does not know the present one.
    /// The last one first.
    pub(super) former: Vec<Former>,
    pub(super) row: OwnRow,
    pub(super) letters: Letters,
    pub(super) catch_up: CatchUp,
    /// How the sessions with contacts stood when that was last told or heard.
    pub(super) sessions_said: BTreeMap<Who, [u8; 32]>,
    /// Epoch keys that were told or heard.
    pub(super) keys_said: BTreeSet<KeyName>,
    /// The account's public keys as its record has them.
    pub(super) published: Option<ContactKeys>,
    /// A generation above ours that the record has, and when to look again (mono): another device
    /// may have drawn it, and says so soon.
    pub(super) suspect: Option<(u32, Millis)>,
}

/// The session of a turn that is over.
pub struct Former {
    pub(super) turn: u32,
    pub(super) session: Session,
    /// When it ended, Unix ms.
    pub(super) since: Millis,
    /// The epoch keys that all had then.
    pub(super) keys: Vec<KeyName>,
}

#[derive(Clone, Encode, Decode)]
#[cbor(array)]
struct FormerRow {
    #[n(0)]
    turn: u32,
    #[cbor(n(1), with = "minicbor::bytes")]
    session: Vec<u8>,
    #[n(2)]
    since: Millis,
    #[n(3)]
    keys: Vec<KeyName>,
}

/// The X-Wing key of another device.
#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub struct KemRow {
    #[n(0)]
    pub(super) slot: u8,
    #[cbor(n(1), with = "cbor::kem_public")]
    pub(super) public: KemPublic,
}

/// A row.
#[derive(Clone, Default, Encode, Decode)]
#[cbor(map)]
pub struct OwnRow {
    /// `session::Session`, encoded.
    #[cbor(n(0), with = "minicbor::bytes")]
    session: Option<Vec<u8>>,
    /// When the newest letter of each slot was sealed, by its clock and not later than ours.
    #[n(1)]
    pub(super) heard: Vec<(u8, Millis)>,
    /// Letters that we owe an acknowledgement for.
    #[n(2)]
    pub(super) owed: Vec<OwedAck>,
    /// Pieces of items whose others did not come yet.
    #[n(3)]
    pub(super) pieces: Vec<PieceRow>,
    /// Items about what is not known here yet.
    #[n(4)]
    pub(super) waiting: Vec<WaitingRow>,
    /// The epoch keys that a device has, where it is known to lack some.
    #[n(5)]
    pub(super) has: Vec<(u8, Vec<KeyName>)>,
    /// When this device was last known to be linked to a relay, Unix ms.
    #[n(6)]
    pub(super) online: Millis,
    /// Since when it was away, until the others have told what happened.
    #[n(7)]
    pub(super) asks: Option<Millis>,
    /// Chains of contacts that were begun before the last device was there: what comes on them is
    /// told.
    #[n(8)]
    pub(super) old_chains: Vec<OwedAck>,
    /// When a slot was first heard, by our clock: what was before is for whoever links it to say.
    #[cbor(n(9), default)]
    met: Vec<(u8, Millis)>,
    /// How often what devices share was drawn anew since one of them was shut out.
    #[cbor(n(10), default)]
    pub(super) turn: u32,
    #[cbor(n(11), default)]
    former: Vec<FormerRow>,
    #[cbor(n(12), default)]
    pub(super) kems: Vec<KemRow>,
    /// Slots that were told this device's X-Wing key, a bit each.
    #[cbor(n(13), default)]
    pub(super) kem_told: u8,
}

#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub struct PieceRow {
    #[n(0)]
    pub(super) slot: u8,
    /// When it came, Unix ms.
    #[n(1)]
    pub(super) since: Millis,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, Encode, Decode)]
#[cbor(array)]
pub struct WaitingRow {
    #[n(0)]
    pub(super) slot: u8,
    #[n(1)]
    pub(super) since: Millis,
    #[cbor(n(2), with = "minicbor::bytes")]
    pub(super) bytes: Vec<u8>,
}

impl Own {
    pub fn row(&self) -> Option<OwnRow> {
        let session = Some(self.session.as_ref()?.encode());
        let former = self.former.iter().map(|former| FormerRow {
            turn: former.turn,
            session: former.session.encode(),
            since: former.since,
            keys: former.keys.clone(),
        });
        Some(OwnRow {
            session,
            former: former.collect(),
            ..self.row.clone()
        })
    }

    pub fn restore(&mut self, mut row: OwnRow) -> Option<()> {
        let session = row.session.take()?;
        self.session = Some(Session::decode(&session).ok()?);
        for former in core::mem::take(&mut row.former) {
            self.former.push(Former {
                turn: former.turn,
                session: Session::decode(&former.session).ok()?,
                since: former.since,
                keys: former.keys,
            });
        }
        self.row = row;
        Some(())
    }

    /// The session of that turn, or (`None`) the present one.
    pub(super) fn session_of(&mut self, turn: Option<u32>) -> Option<&mut Session> {
        let Some(turn) = turn else {
            return self.session.as_mut();
        };
        let mut former = self.former.iter_mut();
        former.find(|f| f.turn == turn).map(|f| &mut f.session)
    }

    /// The present one first.
    pub(super) fn sessions(&mut self) -> impl Iterator<Item = &mut Session> {
        let former = self.former.iter_mut().map(|former| &mut former.session);
        self.session.iter_mut().chain(former)
    }

    /// Nothing that was known of that slot's device counts any more.
    pub(super) fn forget_slot(&mut self, removal: &Removal) {
        let slot = removal.slot;
        self.row.heard.retain(|(of, _)| *of != slot);
        self.row.met.retain(|(of, _)| *of != slot);
        self.row.has.retain(|(of, _)| *of != slot);
        self.row.kems.retain(|kem| kem.slot != slot);
        self.row.waiting.retain(|row| row.slot != slot);
        self.row.pieces.retain(|row| row.slot != slot);
        self.row.kem_told &= !slot_bit(slot);
        for session in self.sessions() {
            session.forget_device(removal);
        }
    }

    /// When that slot was last heard, Unix ms.
    pub fn heard(&self, slot: u8) -> Option<Millis> {
        let mut heard = self.row.heard.iter();
        heard.find(|(of, _)| *of == slot).map(|(_, at)| *at)
    }

    /// Since when that slot may ask for what happened.
    pub(super) fn met(&self, slot: u8) -> Option<Millis> {
        let mut met = self.row.met.iter();
        met.find(|(of, _)| *of == slot).map(|(_, at)| *at)
    }

    /// That slot is another device's from now on.
    pub(super) fn meet_anew(&mut self, slot: u8, at: Millis) {
        self.row.met.retain(|(of, _)| *of != slot);
        self.row.met.push((slot, at));
    }

    /// That slot was heard, or named by another device. True if it is the first time.
    pub(super) fn note_met(&mut self, slot: u8, at: Millis) -> bool {
        let new = self.met(slot).is_none();
        if new {
            self.row.met.push((slot, at));
        }
        new
    }

    /// True if that is news of more than a minute.
    pub(super) fn note_heard(&mut self, slot: u8, at: Millis) -> bool {
        let heard = &mut self.row.heard;
        match heard.iter_mut().find(|(of, _)| *of == slot) {
            Some((_, known)) => {
                let news = at > known.saturating_add(60_000);
                *known = at.max(*known);
                news
            }
            None => {
                heard.push((slot, at));
                self.note_met(slot, at);
                true
            }
        }
    }
}

impl Open {
    /// What a new device begins with, to be handed to it by whoever links it. Drawn when there is
    /// none, and saved.
    pub(super) fn self_pair(&mut self, cx: &mut Cx) -> SelfPair {
        let known = self.own.session.as_ref().and_then(Session::own_pair);
        let (epoch, secret) = known.unwrap_or_else(|| {
            // The one before, for devices whose clock is slow.
            let epoch = self.clock.assumed_epoch().saturating_sub(1);
            let rz = Secret::new(cx.rng.array());
            let pair = PairSeed { epoch, rz };
            self.start_own(cx, &pair);
            (epoch, pair.rz)
        });
        let sessions = self.contacts.values().filter_map(|c| c.session.as_ref());
        let chains = sessions.flat_map(Session::chains).map(OwedAck);
        self.own.row.old_chains = chains.take(OLD_CHAINS_MAX).collect();
        cx.touch(RowKey::Own);
        SelfPair { epoch, secret }
    }

    /// This device is a new one of the account, with what [`Open::self_pair`] gave. Slot, device
    /// key, epoch keys, contacts and state are to be there before.
    pub(super) fn begin_own(&mut self, cx: &mut Cx, pair: &SelfPair) {
        self.start_own(cx, &pair.seed());
    }

    fn start_own(&mut self, cx: &mut Cx, pair: &PairSeed) {
        let (slot, mailbox) = (self.profile.slot, self.profile.mailbox);
        self.own.session = Some(Session::own(self.me, slot, mailbox, pair));
        self.own.row.online = self.clock.assumed();
        self.own_begin(cx);
        // What was sent before is not shown again when another device tells it.
        let under_way = self.outgoing.keys().copied();
        let last = self.contacts.iter().filter_map(|(who, c)| {
            let last = c.row.last.as_ref()?;
            Some((*who, last.id))
        });
        let known: Vec<(Who, Id16)> = under_way.chain(last).collect();
        for (who, id) in known {
            self.saw_own(cx, &who, id);
        }
        self.write_own_device(cx);
        cx.touch(RowKey::Own);
    }

    /// At the start of the process, before anything changes: what stands so was told before.
    pub(super) fn own_begin(&mut self, cx: &mut Cx) {
        self.own.keys_said = self.epoch_keys.names();
        let contacts = self.contacts.iter();
        let standing = contacts.filter_map(|(who, c)| Some((*who, c.session.as_ref()?.standing())));
        self.own.sessions_said = standing.collect();
        self.own_on_epoch(cx);
        self.begin_catch_up(cx);
    }

    /// A message of this account is known here, whichever device tells it.
    pub(super) fn saw_own(&mut self, cx: &mut Cx, who: &Who, id: Id16) {
        if self.own.session.is_none() {
            return;
        }
        if let Some(contact) = self.contacts.get_mut(who)
            && !contact.has_seen(&id)
        {
            contact.saw(cx, id);
            cx.touch(RowKey::Contact(*who));
        }
    }

    /// Brings the session to the present epoch.
    pub(super) fn own_on_epoch(&mut self, cx: &mut Cx) {
        let (assumed, agreed) = (self.clock.assumed_epoch(), self.clock.agreed());
        let sessions = self.contacts.values().filter_map(|c| c.session.as_ref());
        let chains: BTreeSet<Id16> = sessions.flat_map(Session::chains).collect();
        let old = &mut self.own.row.old_chains;
        old.retain(|chain| chains.contains(&chain.0));
        let mailbox = self.profile.mailbox;
        let over = |f: &Former| f.since.saturating_add(FORMER_KEPT_MS) <= agreed;
        let mut changed = false;
        while self.own.former.last().is_some_and(over) {
            self.drop_oldest_former();
            changed = true;
        }
        for session in self.own.sessions() {
            session.set_mailbox(mailbox);
            changed |= session.on_epoch(assumed, agreed);
        }
        if changed {
            cx.touch(RowKey::Own);
        }
        self.expect_own();
    }

    /// The session of the turn that is over for longest is heard no more.
    pub(super) fn drop_oldest_former(&mut self) {
        let oldest = self.own.former.pop();
        let expected = oldest.iter().flat_map(|former| former.session.expected());
        for (locator, _) in expected {
            self.expected.remove(&locator);
        }
    }

    pub(super) fn expect_own(&mut self) {
        for session in self.own.sessions() {
            let changes = session.take_changes();
            for locator in changes.removed {
                self.expected.remove(&locator);
            }
            for (locator, _) in changes.added {
                self.expected.insert(locator, Expected::Own);
            }
        }
    }

    /// Slots of the other devices, as the state names them and as they were heard.
    pub(super) fn other_devices(&self) -> BTreeSet<u8> {
        if self.own.session.is_none() {
            return BTreeSet::new();
        }
        let devices = self.state.set.range(Key::Device(0)..=Key::Device(u8::MAX));
        let named = devices.filter_map(|(key, _)| match key {
            Key::Device(slot) => Some(*slot),
            _ => None,
        });
        let heard = self.own.row.heard.iter().map(|(slot, _)| *slot);
        let mut slots: BTreeSet<u8> = named.chain(heard).collect();
        slots.remove(&self.profile.slot);
        slots
    }

    /// The same, a bit each.
    pub(super) fn other_bits(&self) -> u8 {
        let slots = self.other_devices().into_iter();
        slots.fold(0, |all, slot| all | slot_bit(slot))
    }

    /// Whether this device is the one, of those that were heard lately and that one aside, which
    /// does what one has to do for all: the one in the lowest slot.
    pub(super) fn is_first_but(&self, aside: Option<u8>) -> bool {
        let now = self.clock.assumed();
        let mut heard = self.own.row.heard.iter();
        !heard.any(|(slot, at)| {
            *slot < self.profile.slot && Some(*slot) != aside && at.saturating_add(LATELY_MS) > now
        })
    }
}
