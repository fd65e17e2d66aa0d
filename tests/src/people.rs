//! People of the simulated world: what a person does with the app, in few words.
//!
//! Invariant: everything goes through commands and events, as it does for the page and the bot.

use crate::host::Host;
use crate::world::{At, World};
use account::api::*;
use std::collections::BTreeMap;

impl World {
    /// A world with a relay, and Ann and Bob, who use it and have not met.
    pub fn two(seed: u64) -> (World, At, At, At) {
        let mut world = World::new(seed);
        let relay = world.add("relay", true);
        let ann = world.person("Ann", "relay");
        let bob = world.person("Bob", "relay");
        (world, relay, ann, bob)
    }

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

    /// What is not remembered stays open until it is locked: for worlds that run for days.
    pub fn stay_open(&mut self, at: At) {
        self.must(at, Command::Lock);
        self.unlock(at);
    }

    /// Unlocks, not to be remembered.
    pub fn unlock(&mut self, at: At) {
        let passcode = passcode(&self.hosts[at].name);
        let remember = false;
        self.must(at, Command::Unlock { passcode, remember });
    }

    /// Ann and Bob, who know the relays of these names, have met, and stay open.
    pub fn friends(&mut self, ann: &str, bob: &str) -> (At, At) {
        let (ann, bob) = (self.person("Ann", ann), self.person("Bob", bob));
        self.stay_open(ann);
        self.stay_open(bob);
        self.meet(ann, bob);
        self.run(600_000);
        (ann, bob)
    }

    /// Makes an invitation for several and waits until a relay has it.
    pub fn invite_for(&mut self, at: At, hours: u32) -> InviteView {
        self.invite_as(at, hours, false)
    }

    /// Makes an invitation and waits until a relay has it.
    pub fn invite_as(&mut self, at: At, hours: u32, single_use: bool) -> InviteView {
        let made = self.must(at, Command::Invite { hours, single_use });
        let Some(Answer::Invitation { invite, .. }) = made else {
            panic!("no invitation: {made:?}");
        };
        let live = |world: &World| {
            world.hosts[at].events.iter().any(|event| {
                matches!(event, Event::Invite { invite: shown }
                    if shown.invite == invite.invite && shown.state == InviteState::Live)
            })
        };
        assert!(
            self.run_until(120_000, live),
            "the invitation is not live; {}",
            self.replay()
        );
        invite
    }

    /// Greets by a link; the answer.
    pub fn greet(&mut self, at: At, link: &str) -> Result<Option<Answer>, Problem> {
        let (link, text) = (link.into(), "may I?".into());
        let asked = self.ask(at, Command::Greet { link, text });
        let answered = |world: &World| world.answer(at, asked).is_some();
        self.run_until(60_000, answered);
        match self.answer(at, asked) {
            Some(answer) => answer,
            None => panic!("greeting is not answered; {}", self.replay()),
        }
    }

    /// Accepts the first greeting of the list, once there is one.
    pub fn accept(&mut self, at: At) {
        let came = |world: &World| world.greeting(at).is_some();
        assert!(
            self.run_until(600_000, came),
            "no greeting came; {}",
            self.replay()
        );
        if let Some(GreetingView { greeting, .. }) = self.greeting(at) {
            self.must(at, Command::Accept { greeting });
        }
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
        let link = self.invite_for(host, 24).fragment;
        let mut greeted = self.greet(guest, &link);
        // Where frames overtake each other an answer may end before what it brought.
        if self.faults.overtakes_one_in > 0 && greeted.is_err() {
            greeted = self.greet(guest, &link);
        }
        if let Err(problem) = greeted {
            panic!("not greeted: {problem:?}; {}", self.replay());
        }
        self.accept(host);
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

    /// Each writes, and each is read.
    pub fn talk(&mut self, a: At, b: At, text: &str) {
        for (from, to) in [(a, b), (b, a)] {
            self.say(from, to, text);
            let name = self.hosts[from].name.clone();
            let heard = self.hears(to, from, text, 10 * 60_000);
            assert!(heard, "{text}: {name} is not heard; {}", self.replay());
        }
    }

    /// Whether `at` is shown this text from `other` in time.
    pub fn hears(&mut self, at: At, other: At, text: &str, ms: u64) -> bool {
        self.run_until(ms, |world| world.heard(at, other).iter().any(|t| t == text))
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
            let Some(Answer::History {
                messages,
                more,
                first,
            }) = self.must(at, page)
            else {
                break;
            };
            before = Some(first);
            all.splice(0..0, messages);
            if !more {
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
