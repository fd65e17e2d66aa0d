//! The relays of an account, as people see them.

use super::cx::Cx;
use super::model::Chooser;
use super::offers::is_somewhere;
use super::relay::{Relay, Stage};
use super::relays::{NodeKey, Relays};
use crate::api::{Event, RelayState, RelayView};
use alloc::{string::String, vec::Vec};
use shared::io::Output;

impl Relays {
    pub fn views(&self) -> Vec<RelayView> {
        // One of which no address is known was never reached.
        let known = self.kept().filter(|(_, relay)| is_somewhere(&relay.hint));
        known.map(|(key, relay)| relay.view(key)).collect()
    }

    /// Tells people how the relays stand.
    pub fn show(&self, cx: &mut Cx, clock_off_s: Option<i64>) {
        cx.at_once(Output::Event(Event::Relays {
            relays: self.views(),
            clock_off_s,
        }));
    }
}

impl Relay {
    fn view(&self, key: &NodeKey) -> RelayView {
        RelayView {
            relay: name_of(key),
            address: self.hint.address_text(),
            hint: self.hint.to_text(),
            state: match &self.stage {
                Stage::Down { .. } => RelayState::Down,
                Stage::Dialling { .. } | Stage::Greeting { .. } => RelayState::Connecting,
                Stage::Open {
                    caught_up: false, ..
                } => RelayState::CatchingUp,
                Stage::Open { .. } => RelayState::Open,
            },
            found: self.row.by == Chooser::Relay,
            error: self.error.clone(),
            withheld: self.withheld,
        }
    }
}

/// What people call a relay: the first 16 hex digits of its key.
pub fn name_of(key: &NodeKey) -> String {
    super::views::hex(&key[..8])
}
