//! One trace through one cache: get, and put if it was not there.

use everwarm_core::clock::Instant;
use everwarm_memory::{Bounds, Eviction, Memory};

use crate::twins::{Lru, Twin, WTinyLfu, hits_at_best, mix};

/// A cache to play a trace through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Player {
    /// The real memory, with this order, about so many shards, and hashes of this seed.
    Memory(Eviction, usize, u64),
    /// The twin of LRU.
    Lru,
    /// The twin of W-TinyLFU.
    WTinyLfu,
    /// The optimum.
    Belady,
}

impl Player {
    /// What heads its column.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Memory(eviction, 1, _) => eviction.name().to_owned(),
            Self::Memory(eviction, shards, _) => format!("{} × {shards}", eviction.name()),
            Self::Lru => "LRU".to_owned(),
            Self::WTinyLfu => "W-TinyLFU".to_owned(),
            Self::Belady => "optimum".to_owned(),
        }
    }

    /// Hits in a hundred requests, for a cache of this capacity that is empty at first.
    #[must_use]
    pub fn play(self, trace: &[u64], capacity: usize) -> f64 {
        let hits = match self {
            Self::Memory(eviction, shards, seed) => {
                through_memory(trace, capacity, eviction, shards, seed)
            }
            Self::Lru => through_twin(trace, Lru::new(capacity)),
            Self::WTinyLfu => through_twin(trace, WTinyLfu::new(capacity)),
            Self::Belady => hits_at_best(trace, capacity),
        };
        100.0 * hits as f64 / trace.len().max(1) as f64
    }
}

fn through_twin(trace: &[u64], mut twin: impl Twin) -> usize {
    trace.iter().filter(|&&key| twin.request(key)).count()
}

/// The hits of a trace through the real memory, whose caller hashes with this seed.
///
/// # Panics
///
/// If the capacity is zero.
#[must_use]
pub fn through_memory(
    trace: &[u64],
    capacity: usize,
    eviction: Eviction,
    shards: usize,
    seed: u64,
) -> usize {
    let bounds = Bounds {
        eviction,
        ..Bounds::entries(capacity.try_into().expect("a capacity is at least one"))
    };
    let memory: Memory<u64, ()> = Memory::with_shards(bounds, shards);
    let request = |key: &u64| {
        let hash = mix(*key ^ mix(seed));
        let hit = memory.find(hash, key).is_some_and(|mut found| {
            found.touched();
            true
        });
        if !hit {
            drop(memory.insert(hash, *key, (), Instant::NEVER));
        }
        hit
    };
    trace.iter().filter(|&key| request(key)).count()
}
