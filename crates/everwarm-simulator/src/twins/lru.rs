//! Least recently used, by a clock of requests.

use std::collections::{BTreeMap, HashMap};

use super::Twin;

/// Keys by their last request.
pub struct Lru {
    capacity: usize,
    last: HashMap<u64, u64>,
    order: BTreeMap<u64, u64>,
    requests: u64,
}

impl Lru {
    /// An empty one of this capacity.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self {
            capacity,
            last: HashMap::new(),
            order: BTreeMap::new(),
            requests: 0,
        }
    }

    /// Whether the key is there.
    #[must_use]
    pub fn contains(&self, key: u64) -> bool {
        self.last.contains_key(&key)
    }

    /// How many keys are there.
    #[must_use]
    pub fn len(&self) -> usize {
        self.last.len()
    }

    /// Whether no key is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// The least recently requested key.
    #[must_use]
    pub fn oldest(&self) -> Option<u64> {
        self.order.values().next().copied()
    }

    /// Makes the key the newest, whether it was there or not, and returns the one that this pushes out.
    pub fn renew(&mut self, key: u64) -> Option<u64> {
        self.remove(key);
        self.requests += 1;
        self.last.insert(key, self.requests);
        self.order.insert(self.requests, key);
        if self.last.len() > self.capacity {
            let oldest = self.oldest()?;
            self.remove(oldest);
            return Some(oldest);
        }
        None
    }

    /// Takes the key out; whether it was there.
    pub fn remove(&mut self, key: u64) -> bool {
        let last = self.last.remove(&key);
        last.is_some_and(|last| self.order.remove(&last).is_some())
    }
}

impl Twin for Lru {
    fn request(&mut self, key: u64) -> bool {
        let there = self.contains(key);
        self.renew(key);
        there
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_requested_leaves() {
        let mut lru = Lru::new(2);
        let there: Vec<bool> = [1, 2, 1, 3, 2, 1].map(|key| lru.request(key)).into();
        assert_eq!(there, [false, false, true, false, false, false]);
    }
}
