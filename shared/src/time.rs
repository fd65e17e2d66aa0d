//! Two clocks, never mixed: `mono` for timers, `unix` for expiry. PROTOCOL.md, opening lines.

/// Milliseconds, of either clock.
pub type Millis = u64;

/// The time of one input: what the shell's clocks said when it happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Milliseconds since the process started; never goes back.
    pub mono: Millis,
    /// Milliseconds since 1970 by the machine's clock; may be wrong and may jump.
    pub unix: Millis,
}

impl Now {
    /// How far the machine's clock is from where the monotonic one says it should be since then.
    pub fn jump_since(&self, then: &Now) -> Millis {
        let ran = self.mono.saturating_sub(then.mono);
        self.unix.abs_diff(then.unix.saturating_add(ran))
    }
}

/// Hours since 1970, the unit of expiry.
pub const fn hour(unix: Millis) -> u32 {
    (unix / 3_600_000) as u32
}

/// Days since 1970, the unit of epoch keys.
pub const fn epoch(unix: Millis) -> u32 {
    (unix / 86_400_000) as u32
}

/// Ten-minute spans since 1970, the unit of scans.
pub const fn bucket(unix: Millis) -> u32 {
    (unix / 600_000) as u32
}
