//! How far something is: the device itself, a recovery, a linking.

use super::Problem;
use alloc::string::String;
use serde::{Deserialize, Serialize};

/// A step of linking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum LinkStep {
    /// New device: no relay has answered yet.
    Connecting,
    /// New device: shows its code, until then (Unix ms).
    Shown {
        code: String,
        until: u64,
    },
    /// The other one: the code was read, the new device is looked for.
    Asking,
    /// The digits are to be compared. On the new device with name and id of the account; on the
    /// other one with the new device's name, and whether it asks for the words.
    Compare {
        digits: String,
        name: String,
        account: String,
        full: bool,
    },
    /// This side said yes.
    Waiting,
    /// So many parts have gone over, of so many; 0: not known yet.
    Moving {
        have: u32,
        of: u32,
    },
    Done,
    Failed {
        problem: Problem,
    },
}

/// How far a recovery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RecoveryState {
    /// Relays are asked for what there was.
    Looking,
    /// Every relay that answered has nothing. They are asked on.
    Nothing,
    /// Contacts are here, and are told.
    Found,
    Done,
}

/// Which screen is next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Reading the store.
    Starting,
    /// No account here.
    Empty,
    /// `wait_until`: no attempt is taken before (Unix ms); `attempts`: wrong ones so far.
    Locked {
        account: String,
        attempts: u32,
        #[serde(skip_serializing_if = "Option::is_none", default)]
        wait_until: Option<u64>,
    },
    Open,
}
