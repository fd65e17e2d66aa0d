//! What time it is, twice: *assumed* time says what is sent and expected, *agreed* time says what
//! is erased. PROTOCOL.md section 6.
//!
//! Invariant: agreed time never goes back, and passes neither assumed time nor the local clock, so
//! one wrong clock, ours or another's, cannot destroy keys. `Now` is told by [`AgreedTime::tick`]
//! before anything else is asked.

use crate::cbor::{self, StateError};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use minicbor::{Decode, Encode};
use shared::time::{Millis, Now, epoch};

/// Relays that must have told the time before it counts as agreed.
const RELAYS_AGREE: usize = 3;
/// The local clock is taken as it is while the relays' differs by less.
const TRUSTED_MS: u64 = 10 * 60_000;
/// Monotonic time that passes for each epoch nobody vouches for.
const ALONE_MS: u64 = 12 * 3_600_000;
const EPOCH_MS: u64 = 86_400_000;
const RELAYS_MAX: usize = 16;
const VERSION: u8 = 1;

/// The clocks of one account.
#[derive(Clone, Debug, Default)]
pub struct AgreedTime {
    now: Now,
    /// How far each relay's clock is ahead of ours, ms. Forgotten when our clock jumps and when
    /// the process ends.
    relays: BTreeMap<[u8; 32], i64>,
    kept: Kept,
    /// When `kept.alone` was last counted up, monotonic.
    counted: Option<Millis>,
    /// Our clock jumped, and what relays said of it was forgotten.
    jumped: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
struct Kept {
    /// Unix ms; 0 while nobody has vouched for a time yet.
    #[n(0)]
    agreed: Millis,
    /// Monotonic time since agreed time last moved, ms, over all starts.
    #[n(1)]
    alone: Millis,
}

impl AgreedTime {
    pub fn new() -> AgreedTime {
        AgreedTime::default()
    }

    /// Takes the time of an input. True if the agreed epoch moved: erase, and save.
    pub fn tick(&mut self, now: Now) -> bool {
        let before = core::mem::replace(&mut self.now, now);
        let started = self.counted.is_none();
        let ran = now.mono.saturating_sub(self.counted.unwrap_or(now.mono));
        let walked = now.unix.abs_diff(before.unix);
        if !started && walked.abs_diff(ran) > TRUSTED_MS {
            // Somebody set the clock, or the machine slept.
            self.relays.clear();
            self.jumped = true;
        }
        self.counted = Some(now.mono);
        self.kept.alone = self.kept.alone.saturating_add(ran);
        let epoch_before = self.agreed_epoch();
        if self.relays.len() >= RELAYS_AGREE {
            self.advance(self.bound());
        }
        self.walk_alone();
        self.agreed_epoch() != epoch_before
    }

    /// Whether our clock jumped since this was last asked: relays have to be asked again.
    pub fn take_jumped(&mut self) -> bool {
        core::mem::take(&mut self.jumped)
    }

    /// Forgets what other relays than these said.
    pub fn listen_to(&mut self, relays: &[[u8; 32]]) {
        self.relays.retain(|relay, _| relays.contains(relay));
    }

    /// A relay's clock, from its Welcome. True if the agreed epoch moved.
    pub fn on_relay(&mut self, relay: [u8; 32], unix: Millis) -> bool {
        if self.relays.len() >= RELAYS_MAX && !self.relays.contains_key(&relay) {
            return false;
        }
        let ahead = i128::from(unix) - i128::from(self.now.unix);
        let ahead = ahead.clamp(i128::from(i64::MIN), i128::from(i64::MAX)) as i64;
        self.relays.insert(relay, ahead);
        let before = self.agreed_epoch();
        if self.relays.len() >= RELAYS_AGREE {
            self.advance(self.bound());
        }
        self.agreed_epoch() != before
    }

    /// The time in an authenticated message of a contact. True if the agreed epoch moved.
    pub fn on_contact(&mut self, unix: Millis) -> bool {
        let before = self.agreed_epoch();
        self.advance(unix.min(self.bound()));
        self.agreed_epoch() != before
    }

    /// Local time, corrected by the relays' median where that differs by more than 10 minutes. Unix
    /// ms.
    pub fn assumed(&self) -> Millis {
        match self.relays_ahead() {
            Some(ahead) if ahead.unsigned_abs() > TRUSTED_MS => {
                self.now.unix.saturating_add_signed(ahead)
            }
            _ => self.now.unix,
        }
    }

    pub fn assumed_epoch(&self) -> u32 {
        epoch(self.assumed())
    }

    /// 0 while nobody has vouched for a time. Unix ms.
    pub fn agreed(&self) -> Millis {
        self.kept.agreed
    }

    pub fn agreed_epoch(&self) -> u32 {
        epoch(self.kept.agreed)
    }

    /// By how many seconds the relays' clocks are ahead of this machine's, if it is enough to tell
    /// people.
    pub fn clock_off_s(&self) -> Option<i64> {
        self.relays_ahead()
            .filter(|ahead| ahead.unsigned_abs() > TRUSTED_MS)
            .map(|ms| ms / 1000)
    }

    /// The median; of two in the middle the one nearer to the local clock, so that of two relays
    /// one that is wrong changes nothing.
    fn relays_ahead(&self) -> Option<i64> {
        let mut ahead: Vec<i64> = self.relays.values().copied().collect();
        ahead.sort_unstable();
        let middle = ahead.get(ahead.len().checked_sub(1)? / 2..=ahead.len() / 2)?;
        middle.iter().copied().min_by_key(|ms| ms.unsigned_abs())
    }

    /// Agreed time goes no further, whoever vouches for it.
    fn bound(&self) -> Millis {
        self.assumed().min(self.now.unix)
    }

    fn advance(&mut self, to: Millis) {
        if to > self.kept.agreed {
            self.kept = Kept {
                agreed: to,
                alone: 0,
            };
        }
    }

    /// One epoch towards the present for every 12 hours this ran without a word from anybody.
    fn walk_alone(&mut self) {
        if self.kept.agreed == 0 {
            // There is nothing to walk from, and nothing was received yet that would have to be
            // erased.
            self.kept.alone = 0;
        }
        while self.kept.alone >= ALONE_MS {
            let next = self.kept.agreed.saturating_add(EPOCH_MS).min(self.bound());
            if next <= self.kept.agreed {
                self.kept.alone = ALONE_MS;
                break;
            }
            self.kept.agreed = next;
            self.kept.alone -= ALONE_MS;
        }
    }

    pub fn encode(&self) -> Vec<u8> {
        cbor::encode_state(VERSION, &self.kept)
    }

    pub fn decode(bytes: &[u8]) -> Result<AgreedTime, StateError> {
        let kept = cbor::decode_state(VERSION, bytes)?;
        Ok(AgreedTime {
            kept,
            ..AgreedTime::default()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    const TODAY: u64 = 20_000 * DAY;

    fn at(mono: u64, unix: u64) -> AgreedTime {
        let mut time = AgreedTime::new();
        time.tick(Now { mono, unix });
        time
    }

    #[test]
    fn relays_correct_a_wrong_clock() {
        let mut time = at(0, TODAY);
        time.on_relay([1; 32], TODAY + HOUR / 12);
        assert_eq!((time.assumed(), time.clock_off_s()), (TODAY, None));
        let mut time = at(0, TODAY + 400 * DAY);
        time.on_relay([1; 32], TODAY);
        assert_eq!((time.assumed(), time.agreed()), (TODAY, 0));
        assert_eq!(time.clock_off_s(), Some(-(400 * DAY as i64) / 1000));
        // Of two one lies: what agrees with our own clock stands.
        for lie in [0, TODAY - 10 * DAY, TODAY + 10 * DAY, u64::MAX] {
            let mut time = at(0, TODAY);
            time.on_relay([1; 32], TODAY);
            time.on_relay([2; 32], lie);
            assert_eq!(time.assumed(), TODAY);
        }
        // One of three lies.
        time.on_relay([2; 32], TODAY + 1);
        assert!(time.on_relay([3; 32], 0));
        assert_eq!((time.assumed(), time.agreed()), (TODAY, TODAY));
    }

    #[test]
    fn a_contact_and_our_clock_must_agree() {
        let mut time = at(0, TODAY);
        assert!(time.on_contact(TODAY - DAY));
        assert_eq!(time.agreed_epoch(), 19_999);
        assert!(
            time.on_contact(u64::MAX),
            "their clock is wrong: ours bounds it"
        );
        assert_eq!(time.agreed(), TODAY);
        let mut time = at(0, TODAY + 9_000 * DAY);
        assert!(
            time.on_contact(TODAY),
            "our clock is wrong: theirs bounds it"
        );
        assert_eq!(time.agreed(), TODAY);
        time.tick(Now {
            mono: 1,
            unix: TODAY - DAY,
        });
        assert!(!time.on_contact(TODAY - DAY));
        assert_eq!(time.agreed(), TODAY, "never back");
    }

    /// Whoever offers three relays could say any time: nothing is erased ahead of our own clock.
    #[test]
    fn relays_alone_do_not_pass_our_clock() {
        let mut time = at(0, TODAY);
        for relay in 1..=9 {
            time.on_relay([relay; 32], TODAY + 5_000 * DAY);
        }
        assert_eq!(time.assumed(), TODAY + 5_000 * DAY);
        assert_eq!(time.agreed(), TODAY);
        time.tick(Now {
            mono: 5 * DAY,
            unix: TODAY + 5 * DAY,
        });
        assert_eq!(time.agreed(), TODAY + 5 * DAY);
    }

    #[test]
    fn alone_it_takes_twelve_hours_for_an_epoch() {
        let mut time = at(0, TODAY);
        time.on_contact(TODAY);
        assert!(!time.tick(Now {
            mono: 1,
            unix: TODAY + 9_000 * DAY
        }));
        assert!(!time.tick(Now {
            mono: 12 * HOUR - 1,
            unix: TODAY + 9_000 * DAY
        }));
        assert!(time.tick(Now {
            mono: 12 * HOUR,
            unix: TODAY + 9_000 * DAY
        }));
        assert_eq!(time.agreed_epoch(), 20_001);
        // Over a restart, with 11 hours saved.
        time.tick(Now {
            mono: 23 * HOUR,
            unix: TODAY + 9_000 * DAY,
        });
        let mut time = AgreedTime::decode(&time.encode()).unwrap();
        time.tick(Now {
            mono: 7,
            unix: TODAY + 9_000 * DAY,
        });
        assert_eq!(time.agreed_epoch(), 20_001);
        time.tick(Now {
            mono: 7 + HOUR,
            unix: TODAY + 9_000 * DAY,
        });
        assert_eq!(time.agreed_epoch(), 20_002);
        // With a right clock it stops at the present, and time alone is not saved up.
        let mut time = at(0, TODAY);
        time.on_contact(TODAY);
        time.tick(Now {
            mono: 30 * DAY,
            unix: TODAY + DAY / 2,
        });
        assert_eq!(time.agreed(), TODAY + DAY / 2);
        time.tick(Now {
            mono: 30 * DAY,
            unix: TODAY + 300 * DAY,
        });
        assert_eq!(time.agreed_epoch(), 20_001);
    }

    #[test]
    fn before_anybody_spoke_nothing_is_agreed() {
        let mut time = at(0, TODAY);
        time.tick(Now {
            mono: 300 * DAY,
            unix: TODAY + 300 * DAY,
        });
        assert_eq!(time.agreed(), 0);
    }

    #[test]
    fn a_jump_forgets_what_relays_said() {
        let mut time = at(0, TODAY + 5 * DAY);
        time.on_relay([1; 32], TODAY);
        time.tick(Now {
            mono: HOUR,
            unix: TODAY + 5 * DAY + HOUR,
        });
        assert_eq!(time.assumed(), TODAY + HOUR);
        time.tick(Now {
            mono: HOUR,
            unix: TODAY + HOUR,
        });
        assert_eq!(time.assumed(), TODAY + HOUR);
        let many = (0..100u8)
            .filter(|i| time.on_relay([*i; 32], TODAY + HOUR))
            .count();
        assert_eq!((many, time.relays.len()), (1, RELAYS_MAX));
        assert!(time.take_jumped());
        assert!(!time.take_jumped());
    }
}
