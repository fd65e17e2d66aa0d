//! Somebody who knows many: contacts that were met one after the other, each online for as long as
//! that takes.
//!
//! Invariant: all that anybody knows of anybody came by way of the relay.

use crate::people::passcode;
use crate::world::{At, World};
use account::api::{Answer, Command, Event, InviteState, RecoveryState};

/// Longest time for one meeting to be over, ms.
const MEETING_MS_MAX: u64 = 600_000;

impl World {
    /// `at` meets so many, who use the relay of that name; those it met are not online afterwards.
    pub fn meet_many(&mut self, at: At, relay: &str, many: usize) -> Vec<At> {
        (0..many)
            .map(|n| {
                let other = self.person(&format!("contact {n}"), relay);
                self.meet_quickly(other, at);
                self.kill(other);
                other
            })
            .collect()
    }

    /// As [`World::meet`], and no longer than it takes.
    fn meet_quickly(&mut self, host: At, guest: At) {
        let (hours, single_use) = (24, true);
        let made = self.must(host, Command::Invite { hours, single_use });
        let Some(Answer::Invitation { invite, fragment }) = made else {
            panic!("no invitation: {made:?}");
        };
        let live = |world: &World| {
            let mut told = world.hosts[host].events.iter();
            told.any(|event| {
                matches!(event, Event::Invite { invite: shown }
                    if shown.invite == invite.invite && shown.state == InviteState::Live)
            })
        };
        assert!(self.run_until(MEETING_MS_MAX, live), "{}", self.replay());
        self.greet(guest, &fragment).expect("greeted");
        self.accept(host);
        // Only the last of what was told: there is much of it.
        let before = self.hosts[guest].events.len();
        let met = |world: &World| {
            let id = world.id(host);
            let mut told = world.hosts[guest].events[before..].iter();
            told.any(|event| matches!(event, Event::Contact { contact } if contact.contact == id))
        };
        assert!(self.run_until(MEETING_MS_MAX, met), "{}", self.replay());
        self.run(30_000);
    }

    /// The 18 words of somebody.
    pub fn words(&mut self, at: At) -> String {
        let passcode = passcode(&self.hosts[at].name);
        match self.must(at, Command::ShowWords { passcode }) {
            Some(Answer::Words { words }) => words.join(" "),
            other => panic!("no words: {other:?}"),
        }
    }

    /// The account of these words on a machine that has nothing else, and when it was told of a
    /// relay.
    pub fn restore(&mut self, words: &str, name: &str, relay: &str) -> (At, u64) {
        let at = self.add(name, false);
        self.run(100);
        let create = Command::Create {
            name: name.into(),
            words: words.into(),
            passcode: passcode(name),
            restore: true,
            remember: true,
        };
        self.must(at, create);
        let since = self.now;
        let hint = crate::host::Host::hint(relay).to_text();
        self.must(at, Command::AddRelay { hint });
        self.stay_open(at);
        (at, since)
    }

    /// How far a recovery is, as last told: contacts, and those that answered.
    pub fn recovery(&self, at: At) -> Option<(RecoveryState, u32, u32)> {
        let mut told = self.hosts[at].events.iter().rev();
        told.find_map(|event| match event {
            Event::Recovery {
                state,
                contacts,
                back,
            } => Some((*state, *contacts, *back)),
            _ => None,
        })
    }
}
