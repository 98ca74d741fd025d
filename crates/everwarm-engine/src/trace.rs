//! Traces: what is known of a key, to explain why a call would be a hit or a miss. They count and touch nothing.

use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_memory::Look;

use crate::cache::Cache;
use crate::departures::{Memory, Reason};
use crate::entry::Key;
use crate::hit::Finding;
use crate::scope::Scope;

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// A fresh entry is there.
    Fresh {
        /// The time since it was written.
        age: Duration,
        /// The time it has left; `None` for ever.
        ttl: Option<Duration>,
    },
    /// It is being computed, and a call would wait for that.
    Computing,
    /// No entry counts, for this reason.
    Gone(Reason),
    /// There never was an entry.
    NeverStored,
    /// There is no entry, and nothing is remembered of why.
    Unknown,
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// What is known of `key`.
    pub fn trace(&self, scope: &Scope, hash: u64, key: &K) -> Trace {
        let (found, _) = self.memory.look(hash, key, |entry, deadline, _| {
            let finding = self.judge(scope, entry, deadline);
            let over = match finding {
                Finding::Invalid => self
                    .authority
                    .overtaken(entry.stamp, &scope.mark, &entry.tags),
                Finding::Expired => Some(entry.ended()),
                Finding::Fresh => None,
            };
            Look::Keep((finding, entry.written, deadline, over))
        });
        if let Some((Finding::Fresh, written, deadline, _)) = found {
            let now = self.ticker.now();
            return Trace::Fresh {
                age: self.seats(hash).versions.since(written, now),
                ttl: (deadline != Instant::NEVER).then(|| deadline.since(now)),
            };
        }
        let seats = self.seats(hash);
        let computing = seats
            .find(hash, key)
            .is_some_and(|flight| self.may_be_joined(flight));
        drop(seats);
        if computing {
            return Trace::Computing;
        }
        match found {
            Some((_, _, _, Some(reason))) => Trace::Gone(reason),
            _ => match self.departures.recall(key) {
                Memory::Left(reason) => Trace::Gone(reason),
                Memory::Never => Trace::NeverStored,
                Memory::Nothing => Trace::Unknown,
            },
        }
    }

    /// Some keys of a scope that have an entry, expired ones included: at most `most`.
    pub fn some_keys(&self, scope: &Scope, most: usize) -> Vec<K> {
        let mut keys = Vec::new();
        self.memory.for_each(|key, _| {
            if key.scope() == scope.id() && keys.len() < most {
                keys.push(key.clone());
            }
        });
        keys
    }
}
