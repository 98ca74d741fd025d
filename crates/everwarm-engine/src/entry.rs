//! What the memory holds for a key, and what a caller may see of it.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::generation::Stamp;
use everwarm_core::judge::Freshness;
use everwarm_memory::RawMutex;

use crate::departures::Reason;
use crate::tags::{self, Tags};

/// A key of a cache: it knows its scope, so that an entry need not say it again.
pub trait Key: Clone + Eq {
    /// What locks a table of such keys: [`DefaultLock`](crate::DefaultLock), unless whoever uses them brings a better one.
    type Lock: RawMutex;

    /// The [`Scope`](crate::Scope) the key belongs to.
    fn scope(&self) -> u32;

    /// The bytes that it takes beyond its own size.
    fn weight(&self) -> u64 {
        0
    }

    /// A hash of the key that lasts as long as the process, by which its departure is remembered; `None`: it is not.
    fn fingerprint(&self) -> Option<u64> {
        None
    }
}

/// An entry's payload: four words when a value is one, those that a hit looks at first.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Entry<V> {
    pub(crate) value: V,
    /// No invalidation up to this one met the entry: the stamp of its computation, or a later one it was checked against.
    pub(crate) stamp: Stamp,
    /// When it was written; dated so that no other write of its shard has the same, it is its version too.
    pub(crate) written: Instant,
    pub(crate) tags: Tags,
}

impl<V> Entry<V> {
    /// Why it is fresh no longer, if its deadline has passed.
    pub(crate) fn ended(&self) -> Reason {
        if tags::is_stale(&self.tags) {
            Reason::MarkedStale
        } else {
            Reason::Expired
        }
    }
}

/// What the table is told of an entry's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Term {
    /// From when on a hit has to look closer.
    pub(crate) deadline: Instant,
    /// When it leaves, if that is later.
    pub(crate) keep_until: Instant,
}

/// A value with what is known about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen<V> {
    /// The value.
    pub value: V,
    /// The time since it was written.
    pub age: Duration,
    /// The time it is fresh yet; `None` for ever.
    pub ttl: Option<Duration>,
    /// Whether it is fresh, or served in one of the windows after its ttl.
    pub freshness: Freshness,
    /// Its tags, from arguments and from the result.
    pub tags: Vec<Arc<str>>,
    /// The number of the write: above those of all earlier ones under the same key.
    pub version: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_four_words() {
        assert_eq!(size_of::<Entry<&str>>() - size_of::<&str>(), 24);
    }
}
