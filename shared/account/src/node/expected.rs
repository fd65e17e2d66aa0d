//! The table of expected tags, as the node speaks of it.
//!
//! Invariant: what was put comes back as it was.

use super::model::Id16;
use super::open::Expected;
use crate::session::{Lead, LeadTable};

/// A map from locator to [`Expected`].
pub struct ExpectedTags(LeadTable);

impl ExpectedTags {
    /// `secret` is random.
    pub fn new(secret: [u8; 16]) -> ExpectedTags {
        ExpectedTags(LeadTable::new(secret))
    }

    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[inline]
    pub fn has(&self, locator: &u64) -> bool {
        self.0.has(locator)
    }

    /// What a locator leads to.
    pub fn get(&self, locator: &u64) -> Option<Expected> {
        let Lead { kind, of: who, n } = self.0.get(locator)?;
        Some(match kind {
            1 => {
                let [invite, _] = halves(&who);
                Expected::Greeting { invite, j: n }
            }
            2 => Expected::Acceptance { who, n },
            3 => Expected::Session { who },
            4 => Expected::Return { who },
            5 => Expected::ReturnAccepted { who, n },
            6 => Expected::Own,
            _ => return None,
        })
    }

    /// A full table expects nothing more.
    pub fn insert(&mut self, locator: u64, expected: Expected) {
        let (kind, of, n) = match expected {
            Expected::Greeting { invite, j } => {
                let mut of = [0; 32];
                of[..16].copy_from_slice(&invite);
                (1, of, j)
            }
            Expected::Acceptance { who, n } => (2, who, n),
            Expected::Session { who } => (3, who, 0),
            Expected::Return { who } => (4, who, 0),
            Expected::ReturnAccepted { who, n } => (5, who, n),
            Expected::Own => (6, [0; 32], 0),
        };
        self.0.insert(locator, Lead { kind, of, n });
    }

    pub fn remove(&mut self, locator: &u64) {
        self.0.remove(locator);
    }
}

fn halves(of: &[u8; 32]) -> [Id16; 2] {
    let mut halves = [[0; 16]; 2];
    halves[0].copy_from_slice(&of[..16]);
    halves[1].copy_from_slice(&of[16..]);
    halves
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_comes_back() {
        let mut table = ExpectedTags::new([1; 16]);
        let (who, invite) = ([7; 32], [7; 16]);
        let all = [
            Expected::Greeting { invite, j: 63 },
            Expected::Acceptance { who, n: 15 },
            Expected::Session { who },
            Expected::Return { who },
            Expected::ReturnAccepted { who, n: 1 },
            Expected::Own,
        ];
        for (locator, expected) in (0..).zip(all) {
            table.insert(locator, expected);
        }
        for (locator, expected) in (0..).zip(all) {
            assert_eq!(table.get(&locator), Some(expected));
            table.remove(&locator);
            assert!(!table.has(&locator));
        }
    }
}
