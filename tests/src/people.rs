//! People of the simulated world: what a person does with the app, in few words.
//!
//! Invariant: everything goes through commands and events, as it does for the page and the bot.

use crate::host::Host;
use crate::world::{At, World};
use account::api::*;
use std::collections::BTreeMap;

impl World {
    /// A person with a new account that knows the relay of that name.
    pub fn person(&mut self, name: &str, relay: &str) -> At {
        self.person_with_clock(name, relay, 0)
    }

    /// A person whose clock is off by `skew` ms.
    pub fn person_with_clock(&mut self, name: &str, relay: &str, skew: i64) -> At {
        let at = self.add_with_clock(name, false, skew);
        self.run(100);
        let words = match self.ask_now(at, Command::NewWords) {
            Ok(Some(Answer::Words { words })) => words.join(" "),
            other => panic!("no words: {other:?}"),
        };
        let create = Command::Create {
            name: name.into(),
            words,
            passcode: passcode(name),
            restore: false,
            remember: true,
        };
        self.must(at, create);
        self.must(
            at,
            Command::AddRelay {
                hint: Host::hint(relay).to_text(),
            },
        );
        at
    }

    /// A command that has to succeed.
    pub fn must(&mut self, at: At, command: Command) -> Option<Answer> {
        let what = format!("{command:?}");
        match self.ask_now(at, command) {
            Ok(answer) => answer,
            Err(problem) => panic!("{what}: {problem:?}; {}", self.replay()),
        }
    }

    pub fn invite(&mut self, at: At) -> String {
        match self.must(
            at,
            Command::Invite {
                hours: 24,
                single_use: false,
            },
        ) {
            Some(Answer::Invitation { fragment, .. }) => fragment,
            other => panic!("no invitation: {other:?}"),
        }
    }

    /// The account id of a person.
    pub fn id(&self, at: At) -> String {
        let mut events = self.hosts[at].events.iter();
        let id = events.find_map(|event| match event {
            Event::Profile { account, .. } => Some(account.clone()),
            _ => None,
        });
        id.unwrap_or_else(|| panic!("{} has no account", self.hosts[at].name))
    }

    /// The first greeting in the list of a person.
    pub fn greeting(&self, at: At) -> Option<GreetingView> {
        let mut listed: BTreeMap<String, GreetingView> = BTreeMap::new();
        for event in &self.hosts[at].events {
            match event {
                Event::Greeting { greeting } => {
                    listed.insert(greeting.greeting.clone(), greeting.clone());
                }
                Event::GreetingRemoved { greeting } => {
                    listed.remove(greeting);
                }
                _ => {}
            }
        }
        listed.into_values().next()
    }

    /// `guest` greets `host` by an invitation, `host` accepts. Both can write when it returns.
    pub fn meet(&mut self, host: At, guest: At) {
        let link = self.invite(host);
        let live = |world: &World| {
            let shown = |e: &Event| match e {
                Event::Invite { invite } => invite.state == InviteState::Live,
                _ => false,
            };
            world.hosts[host].events.iter().any(shown)
        };
        assert!(
            self.run_until(120_000, live),
            "the invitation is not live; {}",
            self.replay()
        );
        self.must(
            guest,
            Command::Greet {
                link,
                text: "may I?".into(),
            },
        );
        let came = |world: &World| world.greeting(host).is_some();
        assert!(
            self.run_until(600_000, came),
            "no greeting came; {}",
            self.replay()
        );
        let Some(greeting) = self.greeting(host) else {
            return;
        };
        self.must(
            host,
            Command::Accept {
                greeting: greeting.greeting,
            },
        );
        let met = |world: &World| world.knows(guest, host);
        assert!(
            self.run_until(600_000, met),
            "not accepted; {}",
            self.replay()
        );
    }

    /// Whether `at` has `other` as an active contact.
    pub fn knows(&self, at: At, other: At) -> bool {
        let id = self.id(other);
        self.hosts[at].events.iter().any(|event| {
            matches!(event, Event::Contact { contact }
                if contact.contact == id && contact.state == ContactState::Active)
        })
    }

    pub fn say(&mut self, from: At, to: At, text: &str) -> u64 {
        let contact = self.id(to);
        self.ask(
            from,
            Command::Send {
                contact,
                text: text.into(),
            },
        )
    }

    /// Texts that `at` was shown from `other`, in the order of the conversation, each as often as
    /// it was shown as new.
    pub fn heard(&self, at: At, other: At) -> Vec<String> {
        let id = self.id(other);
        let mut shown: Vec<(u64, u64, String)> = Vec::new();
        for event in &self.hosts[at].events {
            if let Event::Message { message } = event
                && !message.mine
                && message.notice.is_none()
                && message.contact == id
            {
                shown.push((message.order, message.index, message.text.clone()));
            }
        }
        shown.sort();
        shown.into_iter().map(|(_, _, text)| text).collect()
    }

    /// Messages of `at` to `other` that are shown as delivered.
    pub fn delivered(&self, at: At, other: At) -> usize {
        let id = self.id(other);
        let mut last: BTreeMap<String, bool> = BTreeMap::new();
        for event in &self.hosts[at].events {
            if let Event::Message { message } = event
                && message.mine
                && message.contact == id
            {
                let delivered = matches!(message.delivery, Delivery::Delivered { .. });
                last.insert(message.message.clone(), delivered);
            }
        }
        last.values().filter(|delivered| **delivered).count()
    }

    /// Texts from `at` to `other` that the app said it had taken.
    pub fn promised(&self, at: At, other: At) -> Vec<String> {
        let id = self.id(other);
        let mut taken = Vec::new();
        for event in &self.hosts[at].events {
            if let Event::Done {
                answer: Some(Answer::Message { message }),
                ..
            } = event
                && message.contact == id
            {
                taken.push(message.text.clone());
            }
        }
        taken
    }

    /// The whole conversation as the store has it.
    pub fn history(&mut self, at: At, other: At) -> Vec<MessageView> {
        let contact = self.id(other);
        let mut all = Vec::new();
        let mut before = None;
        loop {
            let page = Command::History {
                contact: contact.clone(),
                before,
                limit: 100,
            };
            let Some(Answer::History { messages, more }) = self.must(at, page) else {
                break;
            };
            before = messages.first().map(|message| message.index);
            all.splice(0..0, messages);
            if !more || before.is_none() {
                break;
            }
        }
        all.sort_by_key(|m: &MessageView| (m.order, m.mine, m.index));
        all
    }
}

/// The passcode of a simulated person.
pub fn passcode(name: &str) -> String {
    format!("the passcode of {name}")
}
