//! The account as a node: inputs in, outputs out. PROTOCOL.md sections 4 to 7; `shared::io` for the
//! contract.
//!
//! ```text
//! Account -> entry, unlock, transfer        no account, locked, creating; export and import
//!         -> linking, linking_new, linking_old, meet   a device is linked: either side
//!         -> Open -> bundle, history, slots, own    what a new device gets, and all share
//!         -> Open -> relays, offers, named, fetch, lookups, found  what comes
//!                 -> jobs, seal, shelf, outbox, audit, carry  what goes
//!                 -> inbox, invites, greet, waiting, people, heads, shown  what it means
//!                 -> recovery, returns, comeback, superseded  who lost everything but the words
//!                 -> authority                             what a device without the seed may do
//!                 -> state, state_facts, state_taken, settings  what all devices of the account agree on
//!                 -> own, letters, own_facts, own_taken, own_keys, catch_up, devices  its others
//! ```

mod again;
mod assemble;
mod audit;
mod authority;
mod bundle;
mod carry;
mod catch_up;
mod comeback;
mod commands;
mod cx;
mod devices;
mod entry;
mod expected;
mod fetch;
mod found;
mod greet;
mod heads;
mod history;
mod inbox;
mod invites;
mod jobs;
mod letters;
mod limits;
mod linking;
mod linking_new;
mod linking_old;
mod links;
mod lookups;
mod mailbox;
mod meet;
mod message_row;
mod model;
mod named;
mod offers;
mod open;
mod outbox;
mod own;
mod own_facts;
mod own_keys;
mod own_taken;
#[cfg(test)]
mod own_tests;
mod people;
mod problems;
mod recovery;
mod relay;
mod relay_views;
mod relays;
mod removal;
mod removal_taken;
mod returns;
mod rotate;
mod seal;
mod settings;
mod shelf;
mod shown;
mod slots;
mod state;
mod state_facts;
mod state_taken;
#[cfg(test)]
mod state_tests;
mod superseded;
mod transfer;
mod unlock;
mod views;
mod waiting;
mod whole;

pub use carry::CARRIED_BYTES_MAX;
pub use cx::Config;

use crate::api::{Event, Request};
use cx::Cx;
use entry::Entry;
use open::Open;
use shared::io::{Input, Node, Output};
use shared::time::Now;

/// One account on one device.
pub struct Account {
    cx: Cx,
    entry: Entry,
    open: Option<alloc::boxed::Box<Open>>,
    linking: Option<linking::Linking>,
}

impl Account {
    /// `seed` is fresh from the system's random source at each start. Begins by reading the store.
    pub fn new(config: Config, seed: [u8; 32], now: Now) -> Self {
        let mut cx = Cx::new(config, seed, now);
        let entry = Entry::start(&mut cx);
        Self {
            cx,
            entry,
            open: None,
            linking: None,
        }
    }

    /// One thing that happened. Bad bytes are counted, not thrown.
    pub fn handle_input(&mut self, now: Now, input: Input<'_, Request>) {
        self.cx.now = now;
        if let Some(open) = &mut self.open {
            open.on_time(&mut self.cx);
        }
        match input {
            Input::Command(request) => self.on_command(request),
            Input::Saved { token } => self.on_saved(token),
            Input::StoreFailed { token, error } => self.on_store_failed(token, error),
            Input::Loaded { token, rows } => self.on_loaded(token, rows),
            Input::Derived { token, key } => self.on_derived(token, key),
            Input::DeriveFailed { token } => self.on_derive_failed(token),
            Input::Recalled { token, key } => self.on_recalled(token, key),
            Input::Wake => self.cx.on_timer(),
            input => {
                let left = self.on_link_input(input);
                if let (Some(open), Some(input)) = (&mut self.open, left) {
                    open.on_link_input(&mut self.cx, input);
                }
            }
        }
        self.on_timer();
        self.flush();
    }

    /// What to do next; `WaitUntil` when there is nothing more.
    pub fn poll_output(&mut self) -> Output<Event> {
        if let Some(output) = self.cx.pop() {
            return output;
        }
        let open = self.open.as_ref().and_then(|open| open.next_timer());
        let link = self.next_link_timer();
        let timers = [open, link, self.cx.next_timer(), self.entry.next_timer()];
        Output::WaitUntil(timers.into_iter().flatten().min().unwrap_or(u64::MAX))
    }

    fn flush(&mut self) {
        match &mut self.open {
            Some(open) => {
                let mut dirty = self.cx.take_dirty();
                open.note(&mut self.cx, &dirty);
                dirty.extend(self.cx.take_dirty());
                open.plan_state(&mut self.cx, &dirty);
                dirty.extend(self.cx.take_dirty());
                let encoded = dirty
                    .into_iter()
                    .map(|key| (key, open.encode(&key)))
                    .collect();
                self.cx.flush(&open.rows, encoded);
            }
            None => self.cx.save(alloc::vec::Vec::new()),
        }
    }
}

impl Node for Account {
    type Command = Request;
    type Event = Event;

    fn handle_input(&mut self, now: Now, input: Input<'_, Request>) {
        Account::handle_input(self, now, input);
    }

    fn poll_output(&mut self) -> Output<Event> {
        Account::poll_output(self)
    }
}
