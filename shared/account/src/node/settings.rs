//! What people set for all their devices: a text that the shell writes and reads, kept in the state
//! and looked into by nobody else. PROTOCOL.md section 13.
//!
//! Invariant: what is told is what the state holds; of two devices the last word counts.

use super::cx::Cx;
use super::open::Open;
use super::problems;
use crate::api::{Answer, Event, Problem};
use crate::state::{Key, values};
use alloc::string::String;

/// The only group there is.
const GENERAL: Key = Key::Settings(0);
const BYTES_MAX: usize = 4_000;

impl Open {
    pub fn set_settings(
        &mut self,
        cx: &mut Cx,
        settings: String,
    ) -> Result<Option<Answer>, Problem> {
        let value = Some(settings).filter(|text| text.len() <= BYTES_MAX);
        let value = value.and_then(|text| values::settings(text.into_bytes()));
        let value = value.ok_or_else(problems::settings_too_long)?;
        self.write_state(cx, GENERAL, value);
        self.show_settings(cx);
        Ok(None)
    }

    /// Tells them, once there are any. What is no text was written by none of ours.
    pub fn show_settings(&self, cx: &mut Cx) {
        let value = self.state.set.get(&GENERAL);
        let text = value.and_then(|value| String::from_utf8(value.as_bytes().to_vec()).ok());
        if let Some(settings) = text {
            cx.event(Event::Settings { settings });
        }
    }
}
