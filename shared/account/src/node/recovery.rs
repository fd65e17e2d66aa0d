//! What the 18 words bring back on a device that had nothing else: the root, the state's parts, the
//! epoch keys' generation; then a return to each contact. PROTOCOL.md section 14.
//!
//! Invariant: that relays have nothing is the end of nothing. They are asked on until the person
//! says that what is here counts; until then nothing of the state is written. Contacts wait for
//! nothing that they do not need: what this account showed of itself is looked for beside them.

use super::cx::Cx;
use super::found::Looked;
use super::lookups::Whose;
use super::model::*;
use super::open::Open;
use crate::api::{Answer, Event, Problem, RecoveryState};
use crate::record::{SLOT_EPOCH_KEYS, SLOT_PROFILE, SLOT_ROOT};
use crate::state::values::Access;
use crate::state::{ContactField, Key, Parts};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use shared::time::Millis;

/// Between two looks at what was not found. Each pause is a quarter longer than the last one, so
/// what comes is seen when a quarter more time has passed at most: people wait for it.
const PAUSE_MS_MIN: Millis = 5_000;
const PAUSE_MS_MAX: Millis = 600_000;
/// So often keys and profile are looked for, which may never have been.
const LOOKS_MAX: u32 = 4;
/// So often a part is that the root says there is: it may be written minutes after the root.
const PART_LOOKS_MAX: u32 = 12;

/// How far it is, in the profile's row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, minicbor::Encode, minicbor::Decode)]
#[cbor(index_only)]
pub enum Recovering {
    #[default]
    #[n(0)]
    No,
    /// Relays are asked for what there was.
    #[n(1)]
    Looking,
    /// Contacts are asked to answer.
    #[n(2)]
    ComingBack,
}

/// What is looked for, since this start.
#[derive(Default)]
pub struct Recovery {
    /// When to look again (mono), and the pause after that.
    at: Millis,
    pause: Millis,
    /// Slots that were read, or will not be found.
    done: BTreeSet<u16>,
    looks: BTreeMap<u16, u32>,
    /// Every relay that answered has no root.
    nothing: bool,
    /// The highest generation of epoch keys that was seen.
    generation: u32,
}

impl Open {
    /// When to look again (mono).
    pub fn recovery_timer(&self) -> Option<Millis> {
        let at = Some(self.recovery.at).filter(|_| self.seeks_own());
        at.filter(|at| *at < Millis::MAX)
    }

    pub fn is_looking(&self) -> bool {
        self.profile.recovering == Recovering::Looking
    }

    /// Whether something of what there was is looked for still.
    fn seeks_own(&self) -> bool {
        match self.profile.recovering {
            Recovering::No => false,
            Recovering::Looking => true,
            Recovering::ComingBack => !self.recovery.done.contains(&SLOT_PROFILE),
        }
    }

    /// Looks for what comes next, as far as that is not under way.
    pub fn recover(&mut self, cx: &mut Cx) {
        if !self.seeks_own() || self.recovery.at > cx.now.mono {
            return;
        }
        self.recovery.at = Millis::MAX;
        if self.relays.in_use().next().is_none() {
            // A relay that comes makes it go on.
            return;
        }
        for slot in self.lacking() {
            if !self.lookups.seeks(Whose::Own, slot) && !self.look_up(cx, Whose::Own, slot) {
                self.look_later(cx);
            }
        }
    }

    /// A relay is there that was not.
    pub fn recover_soon(&mut self, cx: &mut Cx) {
        if self.seeks_own() {
            (self.recovery.at, self.recovery.pause) = (cx.now.mono, 0);
            self.recover(cx);
        }
    }

    /// The slots to be read now: the root, then all parts, then what they lead to. Whether there
    /// ever was a profile nothing says.
    fn lacking(&self) -> Vec<u16> {
        let done = &self.recovery.done;
        let lacking = |slots: Vec<u16>| -> Vec<u16> {
            slots.into_iter().filter(|s| !done.contains(s)).collect()
        };
        if !self.is_looking() {
            return lacking([SLOT_PROFILE].into());
        }
        if self.state_root().is_none() {
            return [SLOT_ROOT].into();
        }
        let parts = lacking((0..self.state_parts()).map(Parts::slot).collect());
        match parts.is_empty() {
            true => lacking([SLOT_EPOCH_KEYS, SLOT_PROFILE].into()),
            false => parts,
        }
    }

    fn look_later(&mut self, cx: &Cx) {
        let recovery = &mut self.recovery;
        let longer = recovery.pause + recovery.pause / 4;
        recovery.pause = longer.clamp(PAUSE_MS_MIN, PAUSE_MS_MAX);
        recovery.at = recovery.at.min(cx.now.mono + recovery.pause);
    }

    /// What was looked up of this account's own has been taken in.
    pub fn on_recovered(&mut self, cx: &mut Cx, slot: u16, looked: &Looked) {
        if !self.seeks_own() {
            return;
        }
        if slot == SLOT_EPOCH_KEYS {
            let newest = looked.generation().unwrap_or(0);
            self.recovery.generation = self.recovery.generation.max(newest);
        }
        let found = !looked.texts.is_empty();
        let looks = self.recovery.looks.entry(slot).or_default();
        *looks += u32::from(looked.reached);
        let looks_max = match Parts::of_slot(slot) {
            Some(_) => PART_LOOKS_MAX,
            None => LOOKS_MAX,
        };
        let given_up = *looks >= looks_max && slot != SLOT_ROOT;
        if found || given_up {
            self.recovery.done.insert(slot);
            (self.recovery.at, self.recovery.pause) = (cx.now.mono, 0);
        } else {
            self.look_later(cx);
        }
        if slot == SLOT_ROOT {
            self.recovery.nothing = !found && looked.reached;
        }
        let holds_up = |slot: &u16| *slot != SLOT_PROFILE;
        if !self.is_looking() {
            self.recovery_goes_on(cx);
        } else if self.lacking().iter().any(holds_up) {
            self.show_recovery(cx);
        } else {
            self.come_back_from_words(cx);
        }
        self.recover(cx);
    }

    /// Everything is here that there was: contacts are told.
    fn come_back_from_words(&mut self, cx: &mut Cx) {
        self.state_looked_for(cx);
        self.profile.recovering = Recovering::ComingBack;
        cx.touch(RowKey::Profile);
        self.draw_generation(cx, self.recovery.generation);
        let active: Vec<Who> = self.active().map(|(who, _)| *who).collect();
        for who in active {
            let access = self.state.set.get(&Key::Contact(who, ContactField::Access));
            let access = access.and_then(|value| Access::decode(value).ok());
            let Some(access) = access else { continue };
            let Some(contact) = self.contacts.get_mut(&who) else {
                continue;
            };
            if contact.session.is_some() || contact.row.recovery.is_none() {
                continue;
            }
            // The device of before told them ours, or they would not be in the state with theirs.
            contact.row.recovery_told = true;
            self.expect_returns(&who);
            self.come_back_to(cx, &who, access.mailbox);
        }
        self.pump_jobs(cx);
        self.recovery_goes_on(cx);
    }

    /// Somebody answered, or went: it is over when nobody is waited for and nothing looked for.
    pub fn recovery_goes_on(&mut self, cx: &mut Cx) {
        if self.profile.recovering != Recovering::ComingBack {
            return;
        }
        let waits = |c: &super::open::Contact| c.session.is_none() && c.coming_back.is_some();
        if !self.contacts.values().any(waits) && !self.seeks_own() {
            self.profile.recovering = Recovering::No;
            cx.touch(RowKey::Profile);
            self.tell_recovery(cx, RecoveryState::Done);
        } else {
            self.show_recovery(cx);
        }
    }

    /// What is here counts from now on, whatever there was.
    pub fn start_anew(&mut self, cx: &mut Cx) -> Result<Option<Answer>, Problem> {
        match self.profile.recovering {
            Recovering::No => {}
            Recovering::Looking if self.state_root().is_some() => self.come_back_from_words(cx),
            Recovering::Looking | Recovering::ComingBack => {
                self.state_looked_for(cx);
                self.profile.recovering = Recovering::No;
                cx.touch(RowKey::Profile);
                self.tell_recovery(cx, RecoveryState::Done);
            }
        }
        Ok(None)
    }

    pub fn look_for_state(&mut self, cx: &mut Cx) -> Result<Option<Answer>, Problem> {
        self.recovery.looks.clear();
        self.recovery.nothing = false;
        self.recover_soon(cx);
        self.show_recovery(cx);
        Ok(None)
    }

    /// Tells people how far it is, while it is under way.
    pub fn show_recovery(&self, cx: &mut Cx) {
        let state = match self.profile.recovering {
            Recovering::No => return,
            Recovering::Looking if self.recovery.nothing => RecoveryState::Nothing,
            Recovering::Looking => RecoveryState::Looking,
            Recovering::ComingBack => RecoveryState::Found,
        };
        self.tell_recovery(cx, state);
    }

    fn tell_recovery(&self, cx: &mut Cx, state: RecoveryState) {
        let contacts = self.active().count() as u32;
        let back = self.active().filter(|(_, c)| c.session.is_some()).count() as u32;
        cx.event(Event::Recovery {
            state,
            contacts,
            back,
        });
    }
}
