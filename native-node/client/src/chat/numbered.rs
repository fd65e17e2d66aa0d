//! Things that people name by a small number, as they were numbered when they first appeared.

use std::collections::BTreeMap;

/// Values by number; each has a key of its own. Numbers are never used again.
pub struct Numbered<T> {
    items: BTreeMap<usize, (String, T)>,
    last: usize,
}

impl<T> Default for Numbered<T> {
    fn default() -> Self {
        Self {
            items: BTreeMap::new(),
            last: 0,
        }
    }
}

impl<T> Numbered<T> {
    /// Its number, and what was there before.
    pub fn put(&mut self, key: &str, value: T) -> (usize, Option<T>) {
        if let Some(number) = self.number(key) {
            let before = self.items.insert(number, (key.to_owned(), value));
            return (number, before.map(|(_, value)| value));
        }
        self.last += 1;
        self.items.insert(self.last, (key.to_owned(), value));
        (self.last, None)
    }

    pub fn remove(&mut self, key: &str) -> Option<(usize, T)> {
        let number = self.number(key)?;
        let (_, value) = self.items.remove(&number)?;
        Some((number, value))
    }

    pub fn number(&self, key: &str) -> Option<usize> {
        let found = self.items.iter().find(|(_, (known, _))| known == key);
        found.map(|(number, _)| *number)
    }

    pub fn get(&self, number: usize) -> Option<&T> {
        self.items.get(&number).map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (usize, &T)> {
        self.items
            .iter()
            .map(|(number, (_, value))| (*number, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stays_with_its_key() {
        let mut items = Numbered::default();
        assert_eq!(items.put("a", 'A'), (1, None));
        assert_eq!(items.put("b", 'B'), (2, None));
        assert_eq!(items.put("a", 'C'), (1, Some('A')));
        assert_eq!(items.remove("a"), Some((1, 'C')));
        assert_eq!(items.put("a", 'A'), (3, None));
        assert_eq!((items.get(1), items.get(2)), (None, Some(&'B')));
        assert_eq!(items.iter().count(), 2);
    }
}
