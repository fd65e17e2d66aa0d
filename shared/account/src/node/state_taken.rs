//! What another device of the account wrote, acted on here: contacts appear, change, go.
//! PROTOCOL.md section 13.
//!
//! Invariant: whatever order entries come in, what is done follows from the set as it stands then,
//! and is nothing if it stands so here already.

use super::commands::clean_name;
use super::cx::Cx;
use super::greet::new_contact;
use super::model::*;
use super::open::Open;
use super::{limits, problems, views};
use crate::epoch_keys::ContactKeys;
use crate::sealed::Mailbox;
use crate::state::values::{self, Access, Existence, Standing};
use crate::state::{ContactField, Key, ProfileField, Value};
use alloc::collections::BTreeSet;

impl Open {
    /// These keys have other values than before.
    pub(super) fn take_state(&mut self, cx: &mut Cx, keys: &[Key]) {
        let mut contacts = BTreeSet::new();
        if keys.iter().any(|key| matches!(key, Key::Device(_))) {
            self.meet_devices(cx);
            self.show_devices(cx);
        }
        for key in keys {
            match key {
                Key::Profile(field) => self.take_profile(cx, *field),
                Key::Settings(_) => self.show_settings(cx),
                // Nobody is a contact of themselves.
                Key::Contact(who, _) if who == self.me.as_bytes() => {}
                Key::Contact(who, _) => drop(contacts.insert(*who)),
                _ => {}
            }
        }
        for who in contacts {
            self.take_contact(cx, &who);
        }
    }

    fn take_profile(&mut self, cx: &mut Cx, field: ProfileField) {
        let key = Key::Profile(field);
        let Some(value) = self.state.set.get(&key).cloned() else {
            return;
        };
        match field {
            ProfileField::Name => {
                let name = values::read_name(&value).ok();
                let Some(name) = name.and_then(|name| clean_name(&name).ok()) else {
                    return;
                };
                self.profile.name = name;
                self.show_profile(cx);
            }
            ProfileField::Mailbox => self.take_place(&value),
            ProfileField::ReadSecret => {
                let Ok(secret) = values::read_bytes32(&value) else {
                    return;
                };
                self.profile.read_secret = *secret;
                for (who, contact) in &mut self.contacts {
                    contact.row.told.read_taken();
                    cx.touch(RowKey::Contact(*who));
                }
                // The record of epoch keys moves with it.
                self.published_epoch = 0;
                self.house_at = cx.now.mono;
            }
            ProfileField::About | ProfileField::Avatar => return,
        }
        self.state.noted.insert(key, value);
        cx.touch(RowKey::Profile);
    }

    /// A mailbox grows only: of one place the higher number of bits is right.
    fn take_place(&mut self, value: &Value) {
        let Ok((place, bits)) = values::read_place(value) else {
            return;
        };
        let bits = match place == self.profile.place {
            true => bits.max(self.profile.mailbox.bits()),
            false => bits,
        };
        if let Some(mailbox) = Mailbox::new(place, bits) {
            self.profile.place = place;
            self.profile.mailbox = mailbox;
        }
    }

    fn take_contact(&mut self, cx: &mut Cx, who: &Who) {
        let existence = self.field(who, ContactField::Existence);
        let existence = existence.map(|value| Existence::decode(&value));
        let here = self.contacts.get(who).map(|contact| contact.row.state);
        match (existence, here) {
            // Who was greeted is not in the state yet.
            (None, None | Some(0)) => {}
            (None, Some(_)) => self.take_removal(cx, who, false),
            (Some(Err(_)), _) => {}
            (Some(Ok(existence)), _) if existence.standing == Standing::Blocked => {
                self.take_block(cx, who, here, existence.added)
            }
            (Some(Ok(existence)), _) => self.take_active(cx, who, here, existence.added),
        }
        self.noted(who);
    }

    fn take_removal(&mut self, cx: &mut Cx, who: &Who, block: bool) {
        // Who removed them has drawn another read secret, and says so.
        self.drop_contact(cx, who, block);
        self.pump_jobs(cx);
    }

    fn take_block(&mut self, cx: &mut Cx, who: &Who, here: Option<u8>, added: u64) {
        match here {
            Some(2) => {}
            Some(_) => self.take_removal(cx, who, true),
            None if self.contacts.len() >= limits::CONTACTS_MAX => {
                cx.trouble(problems::state_full());
            }
            None => {
                let mut blocked = new_contact(*who, self.name_in_state(who), added);
                blocked.row.state = 2;
                self.contacts.insert(*who, blocked);
                cx.touch(RowKey::Contact(*who));
                self.show_contact(cx, who);
            }
        }
    }

    fn take_active(&mut self, cx: &mut Cx, who: &Who, here: Option<u8>, added: u64) {
        if here.is_none() && self.contacts.len() >= limits::CONTACTS_MAX {
            return cx.trouble(problems::state_full());
        }
        if here == Some(2) {
            self.contacts.remove(who);
        }
        let name = self.name_in_state(who);
        let acknowledge = self.field(who, ContactField::Acknowledge);
        let acknowledge = acknowledge.and_then(|value| values::read_flag(&value).ok());
        let read_to = self.field(who, ContactField::ReadTo);
        let read_to = read_to.and_then(|value| values::read_order(&value).ok());
        let access = self.field(who, ContactField::Access);
        let access = access.and_then(|value| Access::decode(&value).ok());
        let contact = self.contacts.entry(*who);
        let contact = contact.or_insert_with(|| new_contact(*who, name.clone(), added));
        let row = &mut contact.row;
        row.state = 1;
        row.added = added;
        row.name = name;
        row.acknowledge = acknowledge.unwrap_or(true);
        if !row.acknowledge {
            row.owed.clear();
        }
        if read_to.is_some_and(|order| order >= row.order) {
            row.unread = 0;
        }
        if let Some(access) = access {
            let keys = &mut contact.keys;
            let keys = keys.get_or_insert_with(|| ContactKeys::new(access.read_secret));
            if *keys.read_secret() != access.read_secret {
                keys.change_read(access.read_secret);
            }
            let known = contact.row.recovery;
            contact.row.recovery = known.or(access.recovery);
        }
        cx.touch(RowKey::Contact(*who));
        self.show_contact(cx, who);
    }

    fn field(&self, who: &Who, field: ContactField) -> Option<Value> {
        self.state.set.get(&Key::Contact(*who, field)).cloned()
    }

    /// Their name as the state has it, else as it is here, else the beginning of their id.
    fn name_in_state(&self, who: &Who) -> alloc::string::String {
        let name = self.field(who, ContactField::Name);
        let name = name.and_then(|value| values::read_name(&value).ok());
        let name = name.and_then(|name| clean_name(&name).ok());
        let here = || {
            self.contacts
                .get(who)
                .map(|contact| contact.row.name.clone())
        };
        name.or_else(here)
            .unwrap_or_else(|| views::account(who).chars().take(8).collect())
    }
}
