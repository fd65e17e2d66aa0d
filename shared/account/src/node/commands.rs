//! Commands for an open account.
//!
//! Invariant: each ends in one `Done` or `Failed`; those that wait for a relay or a puzzle keep
//! their number until then.

use super::cx::Cx;
use super::model::*;
use super::open::Open;
use super::relays::NodeKey;
use super::{limits, problems, views};
use crate::api::*;
use crate::rows;
use crate::shown;
use alloc::{boxed::Box, string::String, vec::Vec};
use shared::io::{Query, Token};
use shared::wire::RelayHint;

/// What a load under way is for.
pub enum Loading {
    History {
        request: u64,
        who: Who,
        first: u64,
    },
    /// The newest message that is left after a deletion, looked for backwards.
    Last {
        who: Who,
        first: u64,
    },
    /// The message to delete.
    Delete {
        request: u64,
        who: Who,
        id: Id16,
        first: u64,
    },
    /// What another device of ours missed.
    ToTell {
        slot: u8,
        who: Who,
        first: u64,
    },
}

type Outcome = Result<Option<Answer>, Problem>;

impl Open {
    /// Carries out a command. `None`: its answer comes later.
    pub fn command(&mut self, cx: &mut Cx, id: u64, command: Command) -> Option<Outcome> {
        let outcome = match command {
            Command::Rename { .. }
            | Command::SetProfile { .. }
            | Command::SetSettings { .. }
            | Command::Invite { .. }
            | Command::Greet { .. }
            | Command::Accept { .. }
            | Command::Decline { .. }
            | Command::Block { .. }
            | Command::Send { .. }
            | Command::Retry { .. }
            | Command::RemoveDevice { .. }
            | Command::Revoke { .. }
            | Command::ComeBack
            | Command::TakeBack
            | Command::StartAnew
            | Command::Unblock { .. }
            | Command::Acknowledge { .. }
                if self.profile.is_removed =>
            {
                Err(problems::device_removed())
            }
            Command::RemoveDevice { slot } => self.remove_device(cx, slot),
            Command::Rename { name } => self.rename(cx, name),
            Command::SetProfile { about, avatar } => self.set_profile(cx, about, avatar),
            Command::SetSettings { settings } => self.set_settings(cx, settings),
            Command::Avatar { contact } => self.avatar(&contact),
            Command::AddRelay { hint } => self.add_relay(cx, &hint),
            Command::RemoveRelay { relay } => self.remove_relay(cx, &relay),
            Command::Invite { .. }
            | Command::Revoke { .. }
            | Command::ComeBack
            | Command::LookAgain
            | Command::StartAnew
            | Command::TakeBack
                if !self.is_full() =>
            {
                Err(problems::needs_full_device())
            }
            Command::Invite { hours, single_use } => self.invite(cx, hours, single_use),
            Command::Revoke { invite } => self.revoke(cx, &invite),
            Command::CheckLink { link } => self.check_link(&link),
            Command::OpenInvite { link } => return self.open_invite(cx, id, &link),
            Command::Greet { link, text } => return self.greet(cx, id, &link, text),
            Command::Accept { greeting } => self.accept(cx, &greeting),
            Command::Decline { greeting } => self.decline(cx, &greeting, false),
            Command::Block { greeting } => self.decline(cx, &greeting, true),
            Command::Snapshot => {
                self.snapshot(cx);
                Ok(None)
            }
            Command::Send { .. } if self.profile.superseded.is_some() => {
                Err(problems::superseded())
            }
            Command::Send { .. } if self.is_expired() => Err(problems::certificate_ended()),
            Command::Send { contact, text } => match views::who(&contact) {
                Some(who) => match self.send(cx, id, who, text) {
                    Ok(()) => return None,
                    Err(problem) => Err(problem),
                },
                None => Err(problems::contact_unknown()),
            },
            Command::Cancel { message, contact } => {
                self.on_message(cx, &contact, &message, Self::cancel)
            }
            Command::Retry { message, contact } => {
                self.on_message(cx, &contact, &message, Self::retry)
            }
            Command::History {
                contact,
                before,
                limit,
            } => {
                return self.history(cx, id, &contact, before, limit);
            }
            Command::MarkRead { contact } => self.mark_read(cx, &contact),
            Command::DeleteMessage { contact, message } => {
                return self.delete_message(cx, id, &contact, &message);
            }
            Command::DeleteConversation { contact } => self.delete_conversation(cx, &contact),
            Command::RemoveContact { contact, block } => self.remove_contact(cx, &contact, block),
            Command::Unblock { contact } => self.unblock(cx, &contact),
            Command::Acknowledge { contact, on } => self.set_acknowledge(cx, &contact, on),
            Command::SafetyNumber { contact } => self.safety_number(&contact),
            Command::ConfirmReturn { contact } => self.confirm_return(cx, &contact),
            Command::ComeBack => self.come_back(cx),
            Command::LookAgain => self.look_for_state(cx),
            Command::StartAnew => self.start_anew(cx),
            Command::TakeBack => self.take_back_account(cx),
            // The rest is answered before an account is open, by `entry.rs`.
            _ => Err(problems::not_possible()),
        };
        Some(outcome)
    }

    pub fn known(&self, contact: &str) -> Result<Who, Problem> {
        let who = views::who(contact).ok_or_else(problems::contact_unknown)?;
        if self.contacts.contains_key(&who) {
            Ok(who)
        } else {
            Err(problems::contact_unknown())
        }
    }

    fn on_message(
        &mut self,
        cx: &mut Cx,
        contact: &str,
        message: &str,
        act: fn(&mut Self, &mut Cx, &Who, &Id16) -> Result<(), Problem>,
    ) -> Outcome {
        let who = self.known(contact)?;
        let id = views::id16(message).ok_or_else(problems::message_unknown)?;
        act(self, cx, &who, &id).map(|()| None)
    }

    fn rename(&mut self, cx: &mut Cx, name: String) -> Outcome {
        self.profile.name = clean_name(&name)?;
        cx.touch(RowKey::Profile);
        for (who, contact) in &mut self.contacts {
            if contact.row.state == 1 {
                contact.row.name_untold = true;
                cx.touch(RowKey::Contact(*who));
            }
        }
        if self.shown.time > 0 {
            self.profile_changed(cx);
        }
        self.show_profile(cx);
        Ok(None)
    }

    fn add_relay(&mut self, cx: &mut Cx, hint: &str) -> Outcome {
        let hint = RelayHint::from_text(hint.trim()).map_err(|_| problems::hint_invalid())?;
        self.relays.add(cx, hint)?;
        self.begin_with_relay(cx, &hint.node_key);
        Ok(None)
    }

    /// A relay is in use from now on. A guest that stays has said Welcome before.
    pub fn begin_with_relay(&mut self, cx: &mut Cx, key: &NodeKey) {
        if !self.sync.feeds.contains_key(key)
            && let Some(time) = self.relays.time_of(key, cx.now)
        {
            self.on_welcome(cx, *key, time);
        }
        self.relays.on_timer(cx);
        self.show_relays(cx);
    }

    fn remove_relay(&mut self, cx: &mut Cx, relay: &str) -> Outcome {
        let key = self.relays.remove(cx, relay);
        let key = key.ok_or_else(problems::relay_unknown)?;
        self.clock.listen_to(&self.relays.clocks());
        self.named.refuse(key);
        self.on_relay_lost(cx, key);
        Ok(None)
    }

    /// Tells everything there is, as after unlocking.
    pub fn snapshot(&self, cx: &mut Cx) {
        self.show_profile(cx);
        self.show_settings(cx);
        self.show_relays(cx);
        for invite in self.invites.values() {
            cx.event(Event::Invite {
                invite: views::invite(invite),
            });
        }
        for greeting in self.greetings.values().filter(|g| !g.done) {
            cx.event(Event::Greeting {
                greeting: views::greeting(greeting),
            });
        }
        for who in self.contacts.keys() {
            self.show_contact(cx, who);
        }
        self.show_devices(cx);
        self.show_recovery(cx);
        self.tell_superseded(cx);
        self.tell_removed(cx);
    }

    pub fn show_profile(&self, cx: &mut Cx) {
        cx.event(Event::Profile {
            account: views::account(self.me.as_bytes()),
            name: self.profile.name.clone(),
            restored: self.profile.restored,
            about: self.shown.about.clone(),
            avatar: views::avatar(&self.shown),
        });
    }

    pub fn show_relays(&self, cx: &mut Cx) {
        self.relays.show(cx, self.clock.clock_off_s());
    }

    fn history(
        &mut self,
        cx: &mut Cx,
        request: u64,
        contact: &str,
        before: Option<u64>,
        limit: u32,
    ) -> Option<Outcome> {
        let who = match self.known(contact) {
            Ok(who) => who,
            Err(problem) => return Some(Err(problem)),
        };
        let end = self.contacts.get(&who).map_or(0, |c| c.row.next_index);
        let end = before.unwrap_or(end).min(end);
        let first = self.page_before(&who, end, limit);
        let token = self.load_messages(cx, &who, first, end);
        self.loads.insert(
            token,
            Loading::History {
                request,
                who,
                first,
            },
        );
        None
    }

    /// Where a page of so many messages that ends at `end` begins.
    pub(super) fn page_before(&self, who: &Who, end: u64, limit: u32) -> u64 {
        let limit = u64::from(limit.clamp(1, limits::HISTORY_MAX));
        end.saturating_sub(limit).max(self.floor(who).min(end))
    }

    /// Below this index nothing is left.
    pub(super) fn floor(&self, who: &Who) -> u64 {
        self.contacts.get(who).map_or(0, |c| c.row.cleared_to)
    }

    pub(super) fn load_messages(&self, cx: &mut Cx, who: &Who, first: u64, end: u64) -> Token {
        let keys = (first..end)
            .filter_map(|index| {
                let key = RowKey::Message(*who, index).bytes();
                Some(self.rows.locate(rows::MESSAGES, &key).ok()?.to_vec())
            })
            .collect();
        cx.load(Query::Keys {
            table: rows::MESSAGES,
            keys,
        })
    }

    /// Rows of a load of [`Loading`] came.
    pub fn on_loaded(&mut self, cx: &mut Cx, loading: Loading, mut found: Vec<MessageRow>) {
        found.sort_unstable_by_key(|message| message.index);
        // What is still on its way is known better in memory.
        for message in &mut found {
            let who = match &loading {
                Loading::History { who, .. }
                | Loading::Last { who, .. }
                | Loading::Delete { who, .. }
                | Loading::ToTell { who, .. } => *who,
            };
            if let Some(live) = self.outgoing.get(&(who, message.id)) {
                *message = live.clone();
            }
        }
        match loading {
            Loading::History {
                request,
                who,
                first,
            } => {
                let messages = found
                    .iter()
                    .map(|m| views::message(&who, m, self.message_waits_for(&who, &m.id)))
                    .collect();
                // What is stored can be shown, whatever else waits to be.
                let more = first > self.floor(&who);
                let answer = Answer::History {
                    messages,
                    more,
                    first,
                };
                cx.done_at_once(request, answer);
            }
            Loading::Last { who, first } => match found.pop() {
                None if first > self.floor(&who) => self.seek_last(cx, &who, first),
                last => {
                    if let Some(contact) = self.contacts.get_mut(&who) {
                        contact.row.last = last;
                        cx.touch(RowKey::Contact(who));
                        self.show_contact(cx, &who);
                    }
                }
            },
            Loading::Delete {
                request,
                who,
                id,
                first,
            } => match found.iter().find(|message| message.id == id) {
                Some(message) => {
                    self.remove_message(cx, &who, &message.clone());
                    cx.done(request, None);
                }
                None if first > self.floor(&who) => {
                    self.seek_to_delete(cx, request, &who, id, first)
                }
                None => cx.failed(request, problems::message_unknown()),
            },
            Loading::ToTell { slot, who, first } => {
                self.on_loaded_to_tell(cx, (slot, who, first), &found);
            }
        }
    }

    fn seek_last(&mut self, cx: &mut Cx, who: &Who, end: u64) {
        let first = self.page_before(who, end, limits::HISTORY_MAX);
        let token = self.load_messages(cx, who, first, end);
        self.loads.insert(token, Loading::Last { who: *who, first });
    }

    fn seek_to_delete(&mut self, cx: &mut Cx, request: u64, who: &Who, id: Id16, end: u64) {
        let first = self.page_before(who, end, limits::HISTORY_MAX);
        let token = self.load_messages(cx, who, first, end);
        self.loads.insert(
            token,
            Loading::Delete {
                request,
                who: *who,
                id,
                first,
            },
        );
    }

    fn mark_read(&mut self, cx: &mut Cx, contact: &str) -> Outcome {
        let who = self.known(contact)?;
        if let Some(contact) = self.contacts.get_mut(&who).filter(|c| c.row.unread > 0) {
            contact.row.unread = 0;
            cx.touch(RowKey::Contact(who));
            self.show_contact(cx, &who);
        }
        Ok(None)
    }

    fn delete_message(
        &mut self,
        cx: &mut Cx,
        request: u64,
        contact: &str,
        message: &str,
    ) -> Option<Outcome> {
        let who = match self.known(contact) {
            Ok(who) => who,
            Err(problem) => return Some(Err(problem)),
        };
        let Some(id) = views::id16(message) else {
            return Some(Err(problems::message_unknown()));
        };
        let end = self.contacts.get(&who).map_or(0, |c| c.row.next_index);
        self.seek_to_delete(cx, request, &who, id, end);
        None
    }

    fn remove_message(&mut self, cx: &mut Cx, who: &Who, message: &MessageRow) {
        cx.write(RowKey::Message(*who, message.index), None);
        // A greeting goes on by itself: it says what it says without this.
        self.outgoing.remove(&(*who, message.id));
        cx.touch(RowKey::Outgoing(*who, message.id));
        if self.is_plain_message(who, &message.id) {
            let owner = Owner::Message(*who, message.id);
            self.drop_parcel(cx, &owner);
            self.drop_job(cx, &owner);
        }
        cx.event(Event::MessageRemoved {
            contact: views::account(who),
            message: views::hex(&message.id),
        });
        let was_last = self.contacts.get(who).is_some_and(|c| {
            c.row
                .last
                .as_ref()
                .is_some_and(|last| last.id == message.id)
        });
        if was_last {
            self.seek_last(cx, who, message.index);
        }
        self.pump_jobs(cx);
    }

    fn delete_conversation(&mut self, cx: &mut Cx, contact: &str) -> Outcome {
        let who = self.known(contact)?;
        self.clear_conversation(cx, &who);
        self.show_contact(cx, &who);
        Ok(None)
    }

    /// Removes all messages with a contact; what was on its way is no longer sent.
    pub fn clear_conversation(&mut self, cx: &mut Cx, who: &Who) {
        let outgoing: Vec<Id16> = self
            .outgoing
            .range((*who, [0; 16])..=(*who, [0xff; 16]))
            .map(|((_, id), _)| *id)
            .collect();
        for id in outgoing {
            self.outgoing.remove(&(*who, id));
            cx.touch(RowKey::Outgoing(*who, id));
            if self.is_plain_message(who, &id) {
                let owner = Owner::Message(*who, id);
                self.drop_parcel(cx, &owner);
                self.drop_job(cx, &owner);
            }
        }
        if let Some(contact) = self.contacts.get_mut(who) {
            for index in contact.row.cleared_to..contact.row.next_index {
                cx.write(RowKey::Message(*who, index), None);
            }
            contact.row.cleared_to = contact.row.next_index;
            contact.row.last = None;
            contact.row.unread = 0;
            cx.touch(RowKey::Contact(*who));
        }
        cx.event(Event::ConversationCleared {
            contact: views::account(who),
        });
        self.pump_jobs(cx);
    }

    fn set_acknowledge(&mut self, cx: &mut Cx, contact: &str, on: bool) -> Outcome {
        let who = self.known(contact)?;
        if let Some(contact) = self.contacts.get_mut(&who) {
            contact.row.switch_untold |= contact.row.acknowledge != on;
            contact.row.acknowledge = on;
            if !on {
                contact.row.owed.clear();
            }
            cx.touch(RowKey::Contact(who));
            self.show_contact(cx, &who);
        }
        Ok(None)
    }

    fn safety_number(&self, contact: &str) -> Outcome {
        let who = self.known(contact)?;
        let digits = views::safety_number(self.me.as_bytes(), &who);
        Ok(Some(Answer::SafetyNumber { digits }))
    }
}

/// A name people can be shown: one line, not empty, not long.
pub fn clean_name(name: &str) -> Result<String, Problem> {
    let name = shown::name(name);
    if name.is_empty() || name.len() > shown::NAME_BYTES_MAX {
        return Err(problems::name_invalid());
    }
    Ok(name)
}

/// A contact's view as an answer.
pub fn contact_answer(view: ContactView) -> Answer {
    Answer::Contact {
        contact: Box::new(view),
    }
}
