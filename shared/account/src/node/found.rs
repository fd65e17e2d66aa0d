//! Records that were looked up: opened, put in order by what they say of their age, and told to the
//! part they concern. PROTOCOL.md section 4.
//!
//! Invariant: what is told was written by the account it was looked up for, in that slot; the
//! newest comes first, whichever relay gave it.

use super::cx::Cx;
use super::lookups::{Purpose, Settled, Whose};
use super::open::Open;
use super::relays::NodeKey;
use crate::cbor;
use crate::epoch_keys::EpochKeys;
use crate::profile::ProfileText;
use crate::record::{self, SLOT_EPOCH_KEYS, SLOT_PROFILE, SLOT_ROOT};
use crate::state::Parts;
use alloc::{collections::BTreeSet, vec::Vec};
use shared::crypto::PublicKey;
use shared::time;

/// Within this time of its writing a record may be on its way to a relay.
const SETTLED_S: u64 = 3_600;

/// What makes one text of a slot newer than another: generation and time of keys, time of a
/// profile, logical version of what devices agree on.
pub type Age = (u64, u64);

/// A text that was found.
pub struct Read {
    pub age: Age,
    /// On the wire, in its period.
    pub version: u64,
    pub text: Vec<u8>,
    by: BTreeSet<NodeKey>,
}

/// What a lookup brought.
pub struct Looked {
    /// The newest first, each once.
    pub texts: Vec<Read>,
    /// One of the places has a tombstone.
    pub taken_back: bool,
    /// Some relay has said all it has. False with no text: nothing is known.
    pub reached: bool,
}

impl Looked {
    pub fn nothing(reached: bool) -> Looked {
        Looked {
            texts: Vec::new(),
            taken_back: false,
            reached,
        }
    }

    /// The highest generation of epoch keys that was found, in their slot.
    pub fn generation(&self) -> Option<u32> {
        let newest = self.texts.first()?.age.0;
        Some(u32::try_from(newest).unwrap_or(u32::MAX))
    }
}

impl Open {
    /// Looks up what an account keeps in a slot: [`Open::on_looked_up`] is told. False if it cannot
    /// be looked up now.
    pub fn look_up(&mut self, cx: &mut Cx, of: Whose, slot: u16) -> bool {
        let Some((owner, read)) = self.reader(of, slot) else {
            return false;
        };
        let hour = time::hour(self.clock.assumed());
        let places = record::places_since(&owner, &read, slot, hour, self.since(of, slot));
        let started = self
            .lookups
            .start(cx, Purpose::Record { of, slot, read }, places);
        self.pump_lookups(cx);
        started
    }

    /// The owner of a record, and the secret that finds and opens it.
    fn reader(&self, of: Whose, slot: u16) -> Option<(PublicKey, [u8; 32])> {
        match of {
            Whose::Own => Some((self.me, self.own_read(slot)?)),
            Whose::Contact(who) => {
                let keys = self.contacts.get(&who)?.keys.as_ref()?;
                let owner = PublicKey::from_bytes(&who).ok()?;
                matches!(slot, SLOT_EPOCH_KEYS | SLOT_PROFILE).then(|| (owner, *keys.read_secret()))
            }
        }
    }

    /// The hour before which what is looked for was not written: a contact's profile that is at
    /// least as new as it said, so that fewer places are asked for.
    fn since(&self, of: Whose, slot: u16) -> u32 {
        match of {
            Whose::Contact(who) if slot == SLOT_PROFILE => {
                let contact = self.contacts.get(&who);
                contact.map_or(0, |c| time::hour(c.row.told.profile_head))
            }
            _ => 0,
        }
    }

    /// The read secret of a record of this account.
    pub fn own_read(&self, slot: u16) -> Option<[u8; 32]> {
        match slot {
            SLOT_EPOCH_KEYS | SLOT_PROFILE => Some(self.profile.read_secret),
            SLOT_ROOT => Some(*self.authority.full()?.record_key().as_bytes()),
            _ => {
                Parts::of_slot(slot)?;
                Some(*self.state_root()?.read.as_bytes())
            }
        }
    }

    /// Opens what a lookup of [`Purpose::Record`] brought.
    pub fn read_found(&self, settled: &Settled, hour: u32) -> Looked {
        let mut looked = Looked::nothing(!settled.answered.is_empty());
        let Purpose::Record { slot, read, .. } = &settled.purpose else {
            return looked;
        };
        for held in &settled.records {
            let here = |place: &&record::Place| place.tag == held.header.tag;
            let place = settled.places.iter().find(here);
            let opened = place.map(|p| record::open(p, read, &held.header, &held.body, hour));
            let Some(Ok(opened)) = opened else { continue };
            if opened.is_tombstone() {
                looked.taken_back = true;
            } else if let Some(age) = age(*slot, &opened.text) {
                looked.texts.push(Read {
                    age,
                    version: opened.version,
                    text: opened.text,
                    by: held.by.clone(),
                });
            }
        }
        let newest = |read: &Read| core::cmp::Reverse((read.age, read.version));
        looked.texts.sort_by_key(newest);
        looked
    }

    /// Notes which relays gave less than another, of what is there long enough to be everywhere.
    pub fn note_withheld(&mut self, cx: &mut Cx, asked: &BTreeSet<NodeKey>, looked: &Looked) {
        let seconds = self.clock.assumed() / 1_000;
        let settled = |read: &&Read| read.version.saturating_add(SETTLED_S) < seconds;
        let Some(newest) = looked.texts.first().filter(settled).map(|read| read.age) else {
            return;
        };
        let mut changed = false;
        for key in asked {
            let gave = |read: &Read| read.age == newest && read.by.contains(key);
            let withheld = !looked.texts.iter().any(gave);
            if let Some(relay) = self.relays.get_mut(key) {
                changed |= relay.withheld != withheld;
                relay.withheld = withheld;
            }
        }
        if changed {
            self.show_relays(cx);
        }
    }

    /// What was looked up is here, or nothing is. True if no more answers are waited for. Who needs
    /// a record of this account for more than writing it again is told here too.
    pub fn on_looked_up(&mut self, cx: &mut Cx, of: Whose, slot: u16, looked: &Looked) -> bool {
        match (of, slot) {
            (Whose::Contact(who), SLOT_EPOCH_KEYS) => {
                self.check_head(cx, &who, slot, looked);
                self.on_keys_read(cx, &who, looked)
            }
            (Whose::Contact(who), SLOT_PROFILE) => self.on_profile_read(cx, &who, looked),
            (Whose::Contact(_), _) => true,
            (Whose::Own, slot) => self.on_own_read(cx, slot, looked),
        }
    }
}

/// `None` for a text that is none of that slot.
pub fn age(slot: u16, text: &[u8]) -> Option<Age> {
    match slot {
        SLOT_EPOCH_KEYS => EpochKeys::age_of(text),
        SLOT_PROFILE => Some((0, ProfileText::decode(text).ok()?.time)),
        SLOT_ROOT => Some((0, logical_version(text)?)),
        _ => {
            Parts::of_slot(slot)?;
            Some((0, logical_version(text)?))
        }
    }
}

/// Key 0 of what devices agree on.
fn logical_version(text: &[u8]) -> Option<u64> {
    #[derive(minicbor::Decode)]
    #[cbor(map)]
    struct Front {
        #[n(0)]
        version: u64,
    }
    let front: Front = cbor::from_slice(text).ok()?;
    Some(front.version)
}
