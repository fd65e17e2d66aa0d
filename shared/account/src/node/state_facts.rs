//! What this device knows, written down for the others: each row that changes is compared with what
//! was said of it last. PROTOCOL.md section 13.
//!
//! Invariant: whatever part of the node changes a contact or the profile, and touches its row, the
//! state follows in the same save. Only what changed here is written, so nothing that another
//! device wrote is undone by one that has not acted on it.

use super::cx::Cx;
use super::limits::READ_MARK_MS;
use super::model::*;
use super::open::{Contact, Open};
use crate::state::values::{self, Access, Existence, Standing};
use crate::state::{ContactField, Key, ProfileField, Set, Value};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// What stands to be said of a key; `None`: nothing, it is to be deleted.
type Fact = (Key, Option<Value>);

impl Open {
    /// Follows the rows that an input touched.
    pub fn note(&mut self, cx: &mut Cx, dirty: &BTreeSet<RowKey>) {
        for row in dirty {
            match row {
                RowKey::Profile => self.note_profile(cx),
                RowKey::Contact(who) => {
                    self.note_contact_state(cx, who);
                    self.note_session(cx, who);
                }
                RowKey::EpochKeys => self.note_keys_drawn(cx),
                _ => {}
            }
        }
    }

    /// On opening: what was never written down, of accounts from before there was a state.
    pub fn note_all(&mut self, cx: &mut Cx) {
        self.note_profile(cx);
        let everybody: Vec<Who> = self.contacts.keys().copied().collect();
        for who in everybody {
            let Some(contact) = self.contacts.get(&who) else {
                continue;
            };
            for (key, value) in facts(contact, &self.state.set) {
                match (self.state.set.entry(&key), value) {
                    (None, Some(value)) => self.say(cx, key, value),
                    (Some(_), Some(value)) => drop(self.state.noted.insert(key, value)),
                    _ => {}
                }
            }
            self.note_mark(cx, &who);
        }
    }

    /// Read markers that waited.
    pub fn note_marks(&mut self, cx: &mut Cx) {
        if self.state.unmarked.is_empty() || self.state.mark_at > cx.now.mono {
            return;
        }
        for who in core::mem::take(&mut self.state.unmarked) {
            self.write_mark(cx, &who);
        }
    }

    /// What stands now counts as said: it came from elsewhere.
    pub(super) fn noted(&mut self, who: &Who) {
        self.state.noted.retain(|key, _| !is_of(key, who));
        let Some(contact) = self.contacts.get(who) else {
            return;
        };
        for (key, value) in facts(contact, &self.state.set) {
            if let Some(value) = value {
                self.state.noted.insert(key, value);
            }
        }
    }

    fn note_profile(&mut self, cx: &mut Cx) {
        let profile = &self.profile;
        let facts = [
            (ProfileField::Name, values::name(&profile.name)),
            (
                ProfileField::Mailbox,
                values::place(profile.place, profile.mailbox.bits()),
            ),
            (
                ProfileField::ReadSecret,
                values::bytes32(&profile.read_secret),
            ),
        ];
        for (field, value) in facts {
            if let Some(value) = value {
                self.say(cx, Key::Profile(field), value);
            }
        }
    }

    fn note_contact_state(&mut self, cx: &mut Cx, who: &Who) {
        let Some(contact) = self.contacts.get(who) else {
            let fields = self.state.set.range(Key::fields_of(*who));
            let fields: Vec<Key> = fields.map(|(key, _)| key.clone()).collect();
            for key in &fields {
                self.delete_state(cx, key);
            }
            self.state.unmarked.remove(who);
            return self.noted(who);
        };
        for (key, value) in facts(contact, &self.state.set) {
            match value {
                Some(value) => self.say(cx, key, value),
                None => {
                    self.state.noted.remove(&key);
                    self.delete_state(cx, &key);
                }
            }
        }
        self.note_mark(cx, who);
    }

    /// Says something, if it is another thing than last.
    fn say(&mut self, cx: &mut Cx, key: Key, value: Value) {
        if self.state.noted.get(&key) != Some(&value) {
            self.state.noted.insert(key.clone(), value.clone());
            self.write_state(cx, key, value);
        }
    }

    fn note_mark(&mut self, cx: &mut Cx, who: &Who) {
        if self.unsaid_mark(who).is_none() {
            return;
        }
        match self.state.mark_at <= cx.now.mono {
            true => self.write_mark(cx, who),
            false => drop(self.state.unmarked.insert(*who)),
        }
    }

    fn write_mark(&mut self, cx: &mut Cx, who: &Who) {
        if let Some(value) = self.unsaid_mark(who).and_then(values::order) {
            self.state.mark_at = cx.now.mono + READ_MARK_MS;
            self.write_state(cx, Key::Contact(*who, ContactField::ReadTo), value);
        }
    }

    /// How far a conversation was read, if the state does not say so.
    fn unsaid_mark(&self, who: &Who) -> Option<u64> {
        let row = &self.contacts.get(who)?.row;
        let key = Key::Contact(*who, ContactField::ReadTo);
        let said = self.state.set.get(&key);
        let said = said.and_then(|value| values::read_order(value).ok());
        let read = row.state == 1 && row.unread == 0 && row.order > said.unwrap_or(0);
        read.then_some(row.order)
    }
}

fn is_of(key: &Key, who: &Who) -> bool {
    matches!(key, Key::Contact(of, _) if of == who)
}

/// What a contact's row says. Of somebody who was greeted nothing yet; of who is blocked, no more
/// than that.
fn facts(contact: &Contact, set: &Set) -> Vec<Fact> {
    let row = &contact.row;
    let key = |field| Key::Contact(row.who, field);
    let standing = match row.state {
        1 => Standing::Active,
        2 => Standing::Blocked,
        _ => return Vec::new(),
    };
    let existence = Existence {
        standing,
        added: row.added,
    };
    let mut facts = Vec::new();
    facts.push((key(ContactField::Existence), existence.encode()));
    if let Some(name) = values::name(&row.name).filter(|_| !row.name.is_empty()) {
        facts.push((key(ContactField::Name), Some(name)));
    }
    if standing == Standing::Blocked {
        let fields = [
            ContactField::Access,
            ContactField::Acknowledge,
            ContactField::ReadTo,
        ];
        facts.extend(fields.map(|field| (key(field), None)));
        return facts;
    }
    let acknowledge = key(ContactField::Acknowledge);
    if !row.acknowledge || set.get(&acknowledge).is_some() {
        facts.push((acknowledge, values::flag(row.acknowledge)));
    }
    if let (Some(keys), Some(session)) = (&contact.keys, &contact.session) {
        let access = key(ContactField::Access);
        let now = Access {
            read_secret: *keys.read_secret(),
            mailbox: session.mailbox(),
            recovery: row.recovery,
        };
        facts.push((access, now.encode()));
    }
    facts
}
