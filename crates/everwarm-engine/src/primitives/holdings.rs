//! The permits that are held through one cache in this process: renewed while somebody refers to them.

use std::sync::{Arc, Weak};

use everwarm_core::clock::Instant;

use super::lease::Held;
use crate::shim::Mutex;

/// Permits that are held. One that nobody refers to any more is not renewed, and ends by itself.
#[derive(Debug)]
pub struct Holdings {
    all: Mutex<Vec<Holding>>,
}

#[derive(Debug)]
struct Holding {
    name: Box<str>,
    /// The thread or task that took it.
    owner: u64,
    held: Weak<Held>,
}

impl Holdings {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self {
            all: Mutex::new(Vec::new()),
        }
    }

    /// Has a permit renewed from here on.
    pub fn add(&self, name: &str, owner: u64, held: &Arc<Held>) {
        let mut all = self.all.lock();
        all.retain(Holding::is_held);
        all.push(Holding {
            name: name.into(),
            owner,
            held: Arc::downgrade(held),
        });
    }

    /// Whether this owner holds a permit of that name.
    #[must_use]
    pub fn is_held_by(&self, name: &str, owner: u64) -> bool {
        let all = self.all.lock();
        let mut all = all.iter();
        all.any(|each| &*each.name == name && each.owner == owner && each.is_held())
    }

    /// Whether there is anything to renew.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let mut all = self.all.lock();
        all.retain(Holding::is_held);
        all.is_empty()
    }

    /// What has lived for a third of its ttl, and is to be renewed.
    #[must_use]
    pub fn due(&self, now: Instant) -> Vec<Arc<Held>> {
        let all = self.all.lock();
        let held = all.iter().filter_map(|each| each.held.upgrade());
        held.filter(|held| held.is_due(now)).collect()
    }
}

impl Default for Holdings {
    fn default() -> Self {
        Self::new()
    }
}

impl Holding {
    fn is_held(&self) -> bool {
        self.held.upgrade().is_some_and(|held| held.is_held())
    }
}
