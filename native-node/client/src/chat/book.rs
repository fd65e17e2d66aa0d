//! What the account has told so far, and which of it a person has to hear.
//!
//! Invariant: what is said of a message is what the account last told of it.

use super::numbered::Numbered;
use super::text;
use account::api::{
    ContactState, ContactView, Delivery, Event, GreetingView, InviteState, InviteView, MessageView,
    RelayState, RelayView, WaitsFor,
};
use account::shown;
use std::collections::BTreeMap;

/// Characters of an account's id that tell two contacts of one name apart.
const ID_SHOWN: usize = 8;

/// A message of ours.
pub struct Sent {
    pub contact: String,
    pub message: String,
    pub delivery: Delivery,
}

#[derive(Default)]
pub struct Book {
    pub name: String,
    pub account: String,
    pub relays: Vec<RelayView>,
    pub contacts: BTreeMap<String, ContactView>,
    pub greetings: Numbered<GreetingView>,
    pub invites: Numbered<InviteView>,
    pub sent: Numbered<Sent>,
    /// To whom a text goes.
    pub current: Option<String>,
    /// Everything there is has been told; what comes now is new.
    pub live: bool,
    /// Places below these were shown, by contact.
    shown: BTreeMap<String, u64>,
    connected: usize,
}

impl Book {
    /// Takes an event in. What to say of it, if anything.
    pub fn on_event(&mut self, event: Event) -> Option<String> {
        let said = match event {
            Event::Profile { account, name, .. } => {
                (self.account, self.name) = (account, name);
                None
            }
            Event::Relays { relays, .. } => self.on_relays(relays),
            Event::Invite { invite } => self.on_invite(invite),
            Event::InviteRemoved { invite } => {
                self.invites.remove(&invite);
                None
            }
            Event::Greeting { greeting } => Some(self.on_greeting(greeting)),
            Event::GreetingRemoved { greeting } => {
                self.greetings.remove(&greeting);
                None
            }
            Event::Contact { contact } => self.on_contact(contact),
            Event::ContactRemoved { contact } => {
                self.contacts.remove(&contact);
                self.current.take_if(|current| *current == contact);
                None
            }
            Event::Message { message } => self.on_message(&message),
            Event::Trouble { problem } => return Some(text::problem(&problem)),
            Event::TroubleOver { code } => Some(format!("* That trouble is over ({code}).")),
            _ => None,
        };
        said.filter(|_| self.live)
    }

    fn on_relays(&mut self, relays: Vec<RelayView>) -> Option<String> {
        let up =
            |relay: &&RelayView| matches!(relay.state, RelayState::Open | RelayState::CatchingUp);
        let connected = relays.iter().filter(up).count();
        self.relays = relays;
        let before = std::mem::replace(&mut self.connected, connected);
        match (before, connected) {
            (0, 1..) => Some("* A relay is connected.".into()),
            (1.., 0) => Some(
                "* No relay is connected any more. What you write is kept on this device and sent \
                 when there is one; they are tried again by themselves."
                    .into(),
            ),
            _ => None,
        }
    }

    /// How many relays there are, and that they are connected or not.
    pub fn relays_line(&self) -> String {
        match (self.relays.len(), self.connected) {
            (0, _) => "* There is no relay yet, so nothing can be sent: open an invitation, name \
                       one with /relay, or start with --relay."
                .into(),
            (all, connected) => {
                format!("* {connected} of {} connected.", text::count(all, "relay"))
            }
        }
    }

    fn on_invite(&mut self, invite: InviteView) -> Option<String> {
        let state = invite.state;
        let (number, before) = self.invites.put(&invite.invite.clone(), invite);
        let changed = before.is_some_and(|before| before.state != state);
        (changed && state != InviteState::Publishing)
            .then(|| format!("* Invitation {number} is {}.", text::invite_state(state)))
    }

    fn on_greeting(&mut self, greeting: GreetingView) -> String {
        let (number, _) = self.greetings.put(&greeting.greeting.clone(), greeting);
        self.greeting_line(number).unwrap_or_default()
    }

    pub fn greeting_line(&self, number: usize) -> Option<String> {
        let greeting = self.greetings.get(number)?;
        let name = plain_name(&greeting.name, &greeting.account);
        let text = text::said(&name, &greeting.text);
        Some(format!(
            "* {name} wants to talk: /accept {number}, /decline {number} or /block {number}\n{text}"
        ))
    }

    fn on_contact(&mut self, contact: ContactView) -> Option<String> {
        let id = contact.contact.clone();
        let state = contact.state;
        if !self.live {
            // What is unread is shown from the history.
            self.shown.insert(id.clone(), contact.messages);
        }
        let before = self.contacts.insert(id.clone(), contact);
        let accepted = state == ContactState::Active
            && before.is_some_and(|before| before.state == ContactState::Greeted);
        accepted.then(|| format!("* {} accepted: you can talk.", self.label(&id)))
    }

    fn on_message(&mut self, message: &MessageView) -> Option<String> {
        if message.mine {
            return self.on_sent(message);
        }
        if !self.contacts.contains_key(&message.contact) {
            // The text of a greeting, which was shown as such.
            return None;
        }
        let shown = self.shown.entry(message.contact.clone()).or_default();
        if !self.live || message.index < *shown {
            return None;
        }
        *shown = message.index + 1;
        let name = self.label(&message.contact);
        Some(match message.notice {
            Some(notice) => text::notice(notice, &name),
            None => text::said(&name, &message.text),
        })
    }

    /// A message of ours is new, or has got further.
    pub fn on_sent(&mut self, message: &MessageView) -> Option<String> {
        let delivery = message.delivery.clone();
        let sent = Sent {
            contact: message.contact.clone(),
            message: message.message.clone(),
            delivery: delivery.clone(),
        };
        let (number, before) = self.sent.put(&message.message, sent);
        let state = self.state(&delivery);
        let before = before.map(|before| self.state(&before.delivery));
        (before.as_ref() != Some(&state)).then(|| format!("* [{number}] {state}"))
    }

    /// Why a message is queued is said if that may last.
    fn state(&self, delivery: &Delivery) -> String {
        let passing = match delivery {
            Delivery::Queued { waits_for } => match waits_for {
                WaitsFor::Work | WaitsFor::Keys => true,
                WaitsFor::Relay => self.connected > 0,
                WaitsFor::RelayRoom | WaitsFor::Acceptance => false,
                // The other device goes on without this one.
                WaitsFor::Confirmation | WaitsFor::Device => false,
            },
            _ => false,
        };
        match passing {
            true => "queued".into(),
            false => text::delivery(delivery),
        }
    }

    /// Messages of ours, of this run, that no relay has yet.
    pub fn unsent(&self) -> usize {
        let queued = |sent: &&Sent| matches!(sent.delivery, Delivery::Queued { .. });
        self.sent
            .iter()
            .map(|(_, sent)| sent)
            .filter(queued)
            .count()
    }

    /// The name of a contact, with a part of the id where another has the same.
    pub fn label(&self, id: &str) -> String {
        let name_of = |id: &str| self.contacts.get(id).map_or("", |it| it.name.as_str());
        let name = plain_name(name_of(id), id);
        let same = |other: &&ContactView| plain_name(&other.name, &other.contact) == name;
        match self.contacts.values().filter(same).count() {
            0 | 1 => name,
            _ => format!("{name} {}", short(id)),
        }
    }

    /// Whom a person means by this: a name, its beginning, or that of an id.
    pub fn find(&self, wanted: &str) -> Result<String, String> {
        let wanted_low = wanted.to_lowercase();
        let label = |id: &String| self.label(id).to_lowercase();
        let exact = |id: &&String| label(id) == wanted_low || **id == wanted_low;
        let begins =
            |id: &&String| label(id).starts_with(&wanted_low) || id.starts_with(&wanted_low);
        let ids = || self.contacts.keys();
        let mut found: Vec<&String> = ids().filter(exact).collect();
        if found.is_empty() {
            found = ids().filter(begins).collect();
        }
        match found.as_slice() {
            [one] => Ok((*one).clone()),
            [] => Err(format!(
                "* You know nobody of the name {wanted}. /contacts lists all."
            )),
            several => {
                let labels: Vec<String> = several.iter().map(|id| self.label(id)).collect();
                Err(format!("* Which one? {}", labels.join(", ")))
            }
        }
    }

    /// With whom there was something last.
    pub fn latest(&self) -> Option<String> {
        let open = self.contacts.values();
        let open = open.filter(|contact| contact.state != ContactState::Blocked);
        let latest = open.max_by_key(|contact| contact.changed)?;
        Some(latest.contact.clone())
    }

    pub fn contact_line(&self, contact: &ContactView) -> String {
        let here = self.current.as_deref() == Some(contact.contact.as_str());
        let mark = if here { ">" } else { " " };
        let state = match contact.state {
            ContactState::Greeted => ", has not accepted yet",
            ContactState::Active => "",
            ContactState::Blocked => ", blocked",
        };
        let unread = match contact.unread {
            0 => String::new(),
            number => format!(", {number} unread"),
        };
        let id = short(&contact.contact);
        format!(
            "{mark} {}{state}{unread}  ({id}…)",
            self.label(&contact.contact)
        )
    }
}

/// A name as it stands in a line: never empty, and without what frames one.
fn plain_name(name: &str, id: &str) -> String {
    let name: String = shown::name(name)
        .chars()
        .filter(|c| !matches!(c, '<' | '>'))
        .collect();
    match name.trim() {
        "" => short(id).to_owned(),
        name => name.to_owned(),
    }
}

fn short(id: &str) -> &str {
    id.get(..ID_SHOWN).unwrap_or(id)
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
