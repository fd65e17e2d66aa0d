//! Another contact read secret, when somebody who knew it is no contact any more. PROTOCOL.md
//! section 4.
//!
//! Invariant: what is written from now on is found and opened by who was told the new secret alone;
//! where something lay under the old one there are tombstones soon.

use super::cx::Cx;
use super::model::{Owner, RowKey};
use super::open::Open;
use crate::record::{SLOT_EPOCH_KEYS, SLOT_PROFILE};

impl Open {
    /// Draws it, and tells all who are left. A device that has no leave to write under another one
    /// leaves it to one that has the seed, which hears of the removal.
    pub fn change_read(&mut self, cx: &mut Cx) {
        if !self.is_full() {
            return;
        }
        let fresh = cx.rng.array();
        let old = core::mem::replace(&mut self.profile.read_secret, fresh);
        cx.touch(RowKey::Profile);
        for slot in [SLOT_EPOCH_KEYS, SLOT_PROFILE] {
            self.take_back(cx, slot, old);
        }
        for (who, contact) in &mut self.contacts {
            if contact.row.state != 2 {
                contact.row.told.read_changed();
                cx.touch(RowKey::Contact(*who));
            }
        }
        let keys = Owner::Record(SLOT_EPOCH_KEYS);
        self.remakes.remove(&keys);
        self.jobs.add(keys);
        if self.shown.time > 0 {
            self.record_changed(cx, SLOT_PROFILE);
        }
    }
}
