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
use crate::epoch_keys::{ContactKeys, KeyName};
use crate::linking::SelfPair;
use crate::session::{PairSeed, Session};
use crate::state::Key;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::crypto::Key as Secret;
use shared::time::Millis;

/// A device that was heard from so lately counts where one has to do something for all.
pub(super) const LATELY_MS: Millis = 72 * 3_600_000;

/// Chains of contacts that a new device can't read, so many are told of: 1,024 take 18 kB.
const OLD_CHAINS_MAX: usize = 1_024;

/// What a device knows of the others.
#[derive(Default)]
pub struct Own {
    pub(super) session: Option<Session>,
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
        Some(OwnRow {
            session,
            ..self.row.clone()
        })
    }

    pub fn restore(&mut self, mut row: OwnRow) -> Option<()> {
        let session = row.session.take()?;
        self.session = Some(Session::decode(&session).ok()?);
        self.row = row;
        Some(())
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
        let seed = PairSeed {
            epoch: pair.epoch,
            rz: pair.secret.clone(),
        };
        self.start_own(cx, &seed);
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
        let Some(session) = &mut self.own.session else {
            return;
        };
        session.set_mailbox(mailbox);
        if session.on_epoch(assumed, agreed) {
            cx.touch(RowKey::Own);
        }
        self.expect_own();
    }

    pub(super) fn expect_own(&mut self) {
        let Some(session) = &mut self.own.session else {
            return;
        };
        let changes = session.take_changes();
        for locator in changes.removed {
            self.expected.remove(&locator);
        }
        for (locator, _) in changes.added {
            self.expected.insert(locator, Expected::Own);
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
