//! Invitations of ours: made, withdrawn, over. PROTOCOL.md section 5.
//!
//! Invariant: an invitation's secret key exists only while the invitation is valid.

use super::cx::Cx;
use super::model::*;
use super::open::{Expected, Invite, Open};
use super::{limits, problems, views};
use crate::api::*;
use crate::invite::Invitation;
use alloc::vec::Vec;
use shared::time;

type Outcome = Result<Option<Answer>, Problem>;

/// Hours an invitation may be valid, and the record's lifetime that covers them.
const HOURS: [u32; 4] = [1, 24, 168, 720];

impl Open {
    pub fn invite(&mut self, cx: &mut Cx, hours: u32, single_use: bool) -> Outcome {
        if !HOURS.contains(&hours) {
            return Err(problems::hours_invalid());
        }
        let hints = self.relays.hints();
        if hints.is_empty() {
            return Err(problems::no_relay());
        }
        if self.invites.values().filter(|i| i.row.state <= 1).count() >= limits::INVITES_MAX {
            return Err(problems::invites_full());
        }
        // The unit is the hour: the one that has begun does not count.
        let hour = time::hour(self.clock.assumed()) + 1;
        let mailbox = self.invite_mailbox(cx);
        let secret = Invitation::draw(hour, hours, single_use, mailbox, &mut cx.rng);
        let fragment = secret.link(self.me, hints).fragment();
        let id = secret.id();
        let row = InviteRow {
            id,
            secret: None,
            fragment: fragment.clone(),
            until: u64::from(secret.expiry) * 3_600_000,
            single_use,
            state: 0,
            tombstone: false,
            elsewhere: false,
        };
        self.invites.insert(
            id,
            Invite {
                row,
                secret: Some(secret),
            },
        );
        cx.touch(RowKey::Invite(id));
        self.expect_greetings(&id);
        self.hold_relays(cx);
        self.jobs.add(Owner::Invite(id));
        self.pump_jobs(cx);
        let view = self.show_invite(cx, &id);
        Ok(view.map(|invite| Answer::Invitation { invite, fragment }))
    }

    pub fn show_invite(&self, cx: &mut Cx, id: &Id16) -> Option<InviteView> {
        let view = self.invites.get(id).map(views::invite)?;
        cx.event(Event::Invite {
            invite: view.clone(),
        });
        Some(view)
    }

    /// Greetings to this invitation are expected from now on.
    pub fn expect_greetings(&mut self, id: &Id16) {
        let invite = self.invites.get(id).filter(|i| i.row.state <= 1);
        let Some(secret) = invite.and_then(|i| i.secret.as_ref()) else {
            return;
        };
        let me = self.me;
        for (locator, j) in secret.locators(&me) {
            self.expected
                .insert(locator, Expected::Greeting { invite: *id, j });
        }
    }

    fn forget_greetings(&mut self, id: &Id16) {
        let Some(secret) = self.invites.get(id).and_then(|i| i.secret.as_ref()) else {
            return;
        };
        let me = self.me;
        for (locator, _) in secret.locators(&me) {
            self.expected.remove(&locator);
        }
    }

    /// The invitation's record is on a relay.
    pub fn on_invite_stored(&mut self, cx: &mut Cx, id: &Id16) {
        let Some(invite) = self.invites.get_mut(id) else {
            return;
        };
        if invite.row.tombstone {
            // What is left of the secret can make the tombstone again for another relay.
            invite.row.tombstone = false;
            cx.touch(RowKey::Invite(*id));
            self.show_invite(cx, id);
        } else if invite.row.state == 0 {
            invite.row.state = 1;
            cx.touch(RowKey::Invite(*id));
            self.show_invite(cx, id);
        }
    }

    pub fn revoke(&mut self, cx: &mut Cx, invite: &str) -> Outcome {
        let id = views::id16(invite).ok_or_else(problems::invite_unknown)?;
        if self.invites.get(&id).is_none_or(|i| i.row.state > 1) {
            return Err(problems::invite_unknown());
        }
        self.end_invite(cx, &id, 2);
        Ok(None)
    }

    /// Ends an invitation: its key goes, and a tombstone takes its place in the network.
    pub fn end_invite(&mut self, cx: &mut Cx, id: &Id16, state: u8) {
        self.forget_greetings(id);
        let owner = Owner::Invite(*id);
        self.drop_parcel(cx, &owner);
        self.drop_job(cx, &owner);
        if let Some(invite) = self.invites.get_mut(id) {
            invite.row.state = state;
            match (&mut invite.secret, state) {
                // What expired is gone from the network by itself.
                (secret, 4) => *secret = None,
                (Some(secret), _) => {
                    secret.forget_key(&mut cx.rng);
                    invite.row.tombstone = true;
                    self.jobs.add(owner);
                }
                _ => {}
            }
            cx.touch(RowKey::Invite(*id));
        }
        self.show_invite(cx, id);
        self.pump_jobs(cx);
    }

    /// Invitations and dealt-with greetings whose time is over.
    pub fn expire_invites(&mut self, cx: &mut Cx) {
        let now = self.clock.assumed();
        // What was not taken back in time is gone by itself.
        let ended = |i: &&Invite| i.row.state > 1 && i.secret.is_some() && i.row.until <= now;
        let ended: Vec<Id16> = self
            .invites
            .values()
            .filter(ended)
            .map(|i| i.row.id)
            .collect();
        for id in ended {
            let owner = Owner::Invite(id);
            self.drop_parcel(cx, &owner);
            self.drop_job(cx, &owner);
            self.on_invite_stored(cx, &id);
            if let Some(invite) = self.invites.get_mut(&id) {
                invite.secret = None;
            }
        }
        let over: Vec<Id16> = self
            .invites
            .iter()
            .filter(|(_, i)| i.row.state <= 1 && i.row.until <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in over {
            self.end_invite(cx, &id, 4);
        }
        const SHOWN_FOR_MS: u64 = 7 * 86_400_000;
        let old: Vec<Id16> = self
            .invites
            .iter()
            .filter(|(_, i)| i.row.state > 1 && i.row.until + SHOWN_FOR_MS <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in old {
            self.invites.remove(&id);
            cx.touch(RowKey::Invite(id));
            cx.event(Event::InviteRemoved {
                invite: views::hex(&id),
            });
        }
        let done: Vec<Id16> = self
            .greetings
            .iter()
            .filter(|(_, g)| g.done && g.until <= now)
            .map(|(id, _)| *id)
            .collect();
        for id in done {
            self.greetings.remove(&id);
            cx.touch(RowKey::Greeting(id));
        }
    }
}
