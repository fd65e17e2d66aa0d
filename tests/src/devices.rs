//! People with several devices: a second one is linked as people do it.
//!
//! Invariant: from the moment it is there it is a device of its own, with the words and all that
//! was said.

use crate::linking::{MINUTE, code, compare, is_done, link_new, reaches, scan, yes};
use crate::people::passcode;
use crate::world::{At, World};
use account::api::*;

impl World {
    /// Another device of the person at `of`.
    pub fn device(&mut self, of: At, name: &str) -> At {
        self.device_with_clock(of, name, 0)
    }

    /// One without the words.
    pub fn linked_device(&mut self, of: At, name: &str) -> At {
        self.device_as(of, name, 0, false)
    }

    /// The same, with a clock that is off by `skew` ms.
    pub fn device_with_clock(&mut self, of: At, name: &str, skew: i64) -> At {
        self.device_as(of, name, skew, true)
    }

    fn device_as(&mut self, of: At, name: &str, skew: i64, full: bool) -> At {
        let at = self.add_with_clock(name, false, skew);
        self.run(100);
        link_new(self, at, full);
        let code = code(self, at);
        scan(self, of, &code);
        let (there, here) = (compare(self, at), compare(self, of));
        assert_eq!(there.0, here.0);
        let all = Command::LinkConfirm {
            full,
            history_days: 365,
            passcode: full.then(|| passcode(&self.hosts[of].name)),
        };
        self.must(of, all);
        self.must(at, yes(false, None));
        for one in [at, of] {
            reaches(self, one, 5 * MINUTE, is_done);
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
