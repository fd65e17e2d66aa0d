//! How bad the world is on the way of frames and saves.

/// What may go wrong on the way.
#[derive(Clone, Copy, Debug)]
pub struct Faults {
    /// One-way delay of a frame, ms.
    pub delay_ms: (u64, u64),
    /// A link breaks at a frame, one in so many (0: never). Links are reliable, so loss shows as
    /// this.
    pub breaks_one_in: u64,
    /// A pushed or fetched object comes twice, one in so many (0: never).
    pub doubles_one_in: u64,
    /// A frame of a relay overtakes the one before it, one in so many (0: never).
    pub overtakes_one_in: u64,
    /// Time a save takes, ms.
    pub save_ms: (u64, u64),
}

impl Default for Faults {
    fn default() -> Self {
        Self {
            delay_ms: (1, 20),
            breaks_one_in: 0,
            doubles_one_in: 0,
            overtakes_one_in: 0,
            save_ms: (1, 5),
        }
    }
}
