//! The two clocks of `shared::time`.

use shared::time::{Millis, Now};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Longest wait in one go: far times are asked for again.
const WAIT_MAX: Duration = Duration::from_secs(3_600);

/// Counts from when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Both clocks now.
    pub fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH);
        Now {
            mono: millis(self.0.elapsed()),
            // A machine that lives before 1970 has no idea of the time.
            unix: unix.map_or(0, millis),
        }
    }

    /// When to wake for a time of the monotonic clock; an hour from now at most.
    pub fn instant(&self, mono: Millis) -> Instant {
        let wait = Duration::from_millis(mono.saturating_sub(self.now().mono));
        Instant::now() + wait.min(WAIT_MAX)
    }
}

fn millis(duration: Duration) -> Millis {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
