//! The latest of many things, so that one that comes again is known.
//!
//! Invariant: never more than `MAX`; the one noted first is forgotten first.

use alloc::collections::{BTreeSet, VecDeque};

/// The last `MAX` of what was added.
#[derive(Debug)]
pub struct Recent<K, const MAX: usize> {
    set: BTreeSet<K>,
    order: VecDeque<K>,
}

impl<K, const MAX: usize> Default for Recent<K, MAX> {
    fn default() -> Self {
        Recent {
            set: BTreeSet::new(),
            order: VecDeque::new(),
        }
    }
}

impl<K: Ord + Copy, const MAX: usize> Recent<K, MAX> {
    /// Notes it; false if it was here before.
    pub fn add(&mut self, key: K) -> bool {
        if !self.set.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.set.remove(&oldest);
        }
        true
    }

    pub fn has(&self, key: &K) -> bool {
        self.set.contains(key)
    }

    /// Lets it count as new when it comes again.
    pub fn remove(&mut self, key: &K) {
        self.set.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_forgotten_first() {
        let mut recent: Recent<u32, 3> = Recent::default();
        assert!([1, 2, 3].into_iter().all(|n| recent.add(n)));
        assert!(!recent.add(1));
        assert!(recent.add(4));
        assert_eq!(
            [1, 2, 3, 4].map(|n| recent.has(&n)),
            [false, true, true, true]
        );
        recent.remove(&3);
        assert!(!recent.has(&3) && recent.add(3));
    }
}
