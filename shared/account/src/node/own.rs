//! What the devices of an account write to each other with.
//!
//! Invariant: all of them have the same.

use super::cx::Cx;
use super::model::RowKey;
use super::open::Open;
use crate::linking::SelfPair;

impl Open {
    /// Draws it if there is none.
    pub(super) fn self_pair(&mut self, cx: &mut Cx) -> SelfPair {
        let epoch = self.clock.assumed_epoch();
        let pair = &mut self.profile.self_pair;
        let pair = pair.get_or_insert_with(|| SelfPair {
            epoch,
            secret: shared::crypto::Key::new(cx.rng.array()),
        });
        cx.touch(RowKey::Profile);
        pair.clone()
    }

    /// A new device begins with what it was given.
    pub(super) fn begin_own(&mut self, cx: &mut Cx, pair: &SelfPair) {
        self.profile.self_pair = Some(pair.clone());
        cx.touch(RowKey::Profile);
    }
}
