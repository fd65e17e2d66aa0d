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
use crate::record::SLOT_EPOCH_KEYS;

impl Open {
    /// Once an epoch, whether the account's keys are still those of this device.
    pub fn look_for_others(&mut self, cx: &mut Cx) {
        let epoch = self.clock.assumed_epoch();
        let linked = self.relays.in_use().next().is_some();
        let due = self.profile.keys_looked != epoch && linked && !self.is_looking();
        let due = due && self.is_full();
        if due && self.look_up(cx, Whose::Own, SLOT_EPOCH_KEYS) {
            self.profile.keys_looked = epoch;
            cx.touch_lazily(RowKey::Profile);
        }
    }

    /// The account's keys, as relays have them.
    pub fn on_own_keys(&mut self, cx: &mut Cx, looked: &Looked) {
        let Some(newest) = looked.generation() else {
            return;
        };
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
