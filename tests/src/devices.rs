//! People with several devices: a second one is made of a copy of the first, until devices can be
//! linked.
//!
//! Invariant: from the moment it is there it is a device of its own, with nothing by which the
//! first one seals.

use crate::host::{Host, Process};
use crate::people::passcode;
use crate::world::{At, World};
use account::api::*;

impl World {
    /// Another device of the person at `of`, in that slot, which knows the relay of that name.
    pub fn device(&mut self, of: At, slot: u8, name: &str, relay: &str) -> At {
        self.device_with_clock(of, slot, name, relay, 0)
    }

    /// The same, with a clock that is off by `skew` ms.
    pub fn device_with_clock(
        &mut self,
        of: At,
        slot: u8,
        name: &str,
        relay: &str,
        skew: i64,
    ) -> At {
        let now = self.hosts[of].now(self.now);
        if let Process::Account(account) = &mut self.hosts[of].process {
            account.begin_devices(now);
        }
        self.drain(of);
        let owner = self.hosts[of].name.clone();
        let export = Command::Export {
            passcode: passcode(&owner),
            passphrase: "between devices".into(),
        };
        let Some(Answer::File { file }) = self.must(of, export) else {
            panic!("no file; {}", self.replay());
        };
        let at = self.add_with_clock(name, false, skew);
        self.run(100);
        let import = Command::Import {
            file,
            passphrase: "between devices".into(),
            passcode: passcode(name),
            remember: true,
        };
        self.must(at, import);
        let now = self.hosts[at].now(self.now);
        if let Process::Account(account) = &mut self.hosts[at].process {
            account.become_device(now, slot);
        }
        self.drain(at);
        let known = |event: &Event| {
            matches!(event, Event::Relays { relays, .. }
                if relays.iter().any(|r| r.hint == Host::hint(relay).to_text()))
        };
        if !self.hosts[at].events.iter().any(known) {
            let hint = Host::hint(relay).to_text();
            self.must(at, Command::AddRelay { hint });
        }
        self.stay_open(at);
        at
    }

    /// The devices of the account as `at` last told them.
    pub fn devices(&self, at: At) -> Vec<DeviceView> {
        let mut told = self.hosts[at].events.iter().rev();
        let devices = told.find_map(|event| match event {
            Event::Devices { devices } => Some(devices.clone()),
            _ => None,
        });
        devices.unwrap_or_default()
    }
}
