//! Another device that took the account over with its 18 words: noticed, told, and taken back.
//! PROTOCOL.md section 14.
//!
//! Invariant: a device whose keys are not the account's any more publishes none and sends nothing,
//! until the person has said what they want.

use super::cx::Cx;
use super::found::Looked;
use super::lookups::Whose;
use super::model::*;
use super::open::Open;
use super::problems;
use crate::api::{Answer, Problem};
use crate::epoch_keys::ContactKeys;
use crate::record::SLOT_EPOCH_KEYS;
use shared::time::Millis;

/// What another device of ours has to say comes within this time.
const SUSPECT_MS: Millis = 900_000;

impl Open {
    /// Once an epoch, whether the account's keys are still those of this device.
    pub fn look_for_others(&mut self, cx: &mut Cx) {
        let epoch = self.clock.assumed_epoch();
        let linked = self.relays.in_use().next().is_some();
        let again = self.own.suspect.is_some_and(|(_, at)| at <= cx.now.mono);
        let due = again || self.profile.keys_looked != epoch;
        let due = due && linked && !self.is_looking();
        if due && self.look_up(cx, Whose::Own, SLOT_EPOCH_KEYS) {
            self.profile.keys_looked = epoch;
            if let Some((_, at)) = &mut self.own.suspect {
                *at = Millis::MAX;
            }
            cx.touch_lazily(RowKey::Profile);
        }
    }

    /// The account's keys, as relays have them.
    pub fn on_own_keys(&mut self, cx: &mut Cx, looked: &Looked) {
        let Some(newest) = looked.generation() else {
            return;
        };
        if self.is_of_other_device(cx, looked, newest) {
            return;
        }
        let own = self.epoch_keys.generation();
        let owner = Owner::Record(SLOT_EPOCH_KEYS);
        if newest > own && !self.is_looking() && self.is_full() {
            self.profile.superseded = Some(newest);
            cx.touch(RowKey::Profile);
            self.drop_parcel(cx, &owner);
            self.drop_job(cx, &owner);
            self.tell_superseded(cx);
        } else if newest < own && !self.parcels.contains_key(&owner) {
            // A device of before has written over them.
            self.jobs.add(owner);
            self.pump_jobs(cx);
        }
    }

    /// Where there are other devices, one of them may have drawn the generation that was found, and
    /// says so soon. True if nothing follows from it yet.
    fn is_of_other_device(&mut self, cx: &mut Cx, looked: &Looked, newest: u32) -> bool {
        if self.other_devices().is_empty() {
            return false;
        }
        let epoch = self.clock.assumed_epoch();
        let mut published = ContactKeys::new(self.profile.read_secret);
        for read in &looked.texts {
            // One that is malformed brings nothing.
            let _ = published.learn_text(&read.text, epoch);
        }
        self.own.published = Some(published);
        if self.epoch_keys.secrets(epoch).next().is_none() {
            // What is sealed to us from now on is for these; the others take them, and answer.
            self.epoch_keys.renew_above(newest, epoch, &mut cx.rng);
            cx.touch(RowKey::EpochKeys);
            return true;
        }
        let known = self.own.suspect.filter(|(seen, _)| *seen == newest);
        if newest <= self.epoch_keys.generation() {
            self.own.suspect = None;
            return false;
        }
        if known.is_none() {
            self.own.suspect = Some((newest, cx.now.mono + SUSPECT_MS));
        }
        known.is_none()
    }

    pub fn tell_superseded(&self, cx: &mut Cx) {
        if self.profile.superseded.is_some() {
            cx.trouble(problems::recovered_elsewhere());
        }
    }

    /// This device speaks for the account again: the other one is superseded in its turn.
    pub fn take_back_account(&mut self, cx: &mut Cx) -> Result<Option<Answer>, Problem> {
        let Some(theirs) = self.profile.superseded.take() else {
            return Err(problems::not_possible());
        };
        cx.trouble_over("recovered_elsewhere");
        self.come_back_above(cx, theirs);
        Ok(None)
    }
}
