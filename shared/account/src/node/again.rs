//! Messages that a person stops, or sends again. PROTOCOL.md section 7.
//!
//! Invariant: what another device of this account sends is stopped and sent again there.

use super::cx::Cx;
use super::model::*;
use super::open::Open;
use super::problems;
use super::waiting::GreetingEnd;
use crate::api::Problem;

impl Open {
    /// Stops sending a message.
    pub fn cancel(&mut self, cx: &mut Cx, who: &Who, id: &Id16) -> Result<(), Problem> {
        let message = self
            .outgoing
            .get(&(*who, *id))
            .ok_or_else(problems::message_done)?;
        if !self.is_plain_message(who, id) {
            return Err(problems::message_done());
        }
        let was_stored = message.was_stored
            || self.puts.values().any(|p| {
                p.under_way
                    .values()
                    .any(|o| *o == Owner::Message(*who, *id))
            });
        if !message.delivery.is_on_the_way() {
            return Err(problems::message_done());
        }
        self.set_delivery(cx, who, id, DeliveryRow::Cancelled(was_stored));
        let owner = Owner::Message(*who, *id);
        self.drop_parcel(cx, &owner);
        self.drop_job(cx, &owner);
        self.pump_jobs(cx);
        Ok(())
    }

    /// Sends a cancelled or refused message again, under the same id.
    pub fn retry(&mut self, cx: &mut Cx, who: &Who, id: &Id16) -> Result<(), Problem> {
        let message = self
            .outgoing
            .get(&(*who, *id))
            .ok_or_else(problems::message_done)?;
        if message.delivery.is_on_the_way() || matches!(message.delivery, DeliveryRow::Elsewhere(_))
        {
            return Err(problems::message_done());
        }
        let owner = match self.is_plain_message(who, id) {
            true => Owner::Message(*who, *id),
            false => match self.greeting_end(who) {
                Some(GreetingEnd::TooLate) => return Err(problems::greeting_too_late()),
                Some(GreetingEnd::Unanswered) => return Err(problems::greeting_unanswered()),
                None => Owner::Greeting(*who),
            },
        };
        self.set_delivery(cx, who, id, DeliveryRow::Queued);
        self.remakes.remove(&owner);
        self.drop_parcel(cx, &owner);
        self.want_keys(cx, who);
        self.queue_missing(Some(who));
        self.pump_jobs(cx);
        Ok(())
    }
}
