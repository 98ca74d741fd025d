//! What a shard is of a memory: keys come to shards by chance, so what one of them learns holds for all.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// One of several shards, or the only one.
#[derive(Clone, Debug, Default)]
pub(crate) struct Part {
    /// The way that the first shard has found to be best, for the others.
    way: Option<Arc<AtomicUsize>>,
    number: usize,
    shards: usize,
}

impl Part {
    /// The first of so many shards.
    pub(crate) fn first(shards: usize) -> Self {
        Self {
            way: (shards > 1).then(Arc::default),
            number: 0,
            shards,
        }
    }

    /// Another shard of the same memory.
    pub(crate) fn number(&self, number: usize) -> Self {
        Self {
            number,
            ..self.clone()
        }
    }

    /// Whether the first shard learns for this one.
    #[inline]
    pub(super) fn is_led(&self) -> bool {
        self.number > 0
    }

    /// How many entries all shards have, if this one has so many.
    pub(super) fn of_all(&self, entries: usize) -> usize {
        entries * self.shards.max(1)
    }

    /// The way that the first shard follows.
    #[inline]
    pub(super) fn way(&self) -> usize {
        let way = self.way.as_ref();
        // It orders nothing but itself.
        way.map_or(0, |way| way.load(Ordering::Relaxed))
    }

    /// Has the others follow this way.
    pub(super) fn lead(&self, followed: usize) {
        if let Some(way) = &self.way {
            way.store(followed, Ordering::Relaxed);
        }
    }
}
