//! Traces: what is known of a key, to explain why a call would be a hit or a miss. They count and touch nothing.

use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::judge::Judgement;
use everwarm_core::lifetime::Lifetime;
use everwarm_memory::Look;

use crate::cache::Cache;
use crate::departures::{Memory, Reason};
use crate::entry::Key;
use crate::hit::Finding;
use crate::scope::Scope;
use crate::tags;

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
    /// An entry is there whose ttl is over, and that is served in a window.
    Stale {
        /// The time since it was written.
        age: Duration,
        /// The time it may be served yet.
        left: Duration,
        /// What a call would do with it.
        judgement: Judgement,
    },
    /// An error is remembered, and raised.
    Remembered {
        /// The time it is remembered yet.
        left: Duration,
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

impl Trace {
    /// What it is called, in every front.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Fresh { .. } => "fresh",
            Self::Stale { judgement, .. } => match judgement {
                Judgement::OnlyIfError => "stale_if_error",
                Judgement::Serve(_) => "held",
                Judgement::ServeAndRefresh(_) | Judgement::Gone => "stale",
            },
            Self::Remembered { .. } => "remembered",
            Self::Computing => "computing",
            Self::NeverStored => "never_stored",
            Self::Unknown => "unknown",
            Self::Gone(reason) => reason.name(),
        }
    }

    /// The tag or the verb that made the entry gone, or the bound that it is too heavy for.
    #[must_use]
    pub fn by(&self) -> Option<&str> {
        match self {
            Self::Gone(reason) => reason.by(),
            _ => None,
        }
    }

    /// How old the entry is, and the time it has left; `None` also for ever.
    #[must_use]
    pub const fn times(&self) -> (Option<Duration>, Option<Duration>) {
        match self {
            Self::Fresh { age, ttl } => (Some(*age), *ttl),
            Self::Stale { age, left, .. } => (Some(*age), Some(*left)),
            Self::Remembered { left } => (None, Some(*left)),
            _ => (None, None),
        }
    }
}

/// What lies before an entry that is there: the time until each change of what a call does with it, zero where it has come, and
/// `None` where the entry has no such window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ahead {
    /// Until it is due to be computed anew, while it is fresh still.
    pub refresh: Option<Duration>,
    /// Until it is no longer served old while it is computed anew.
    pub stale: Option<Duration>,
    /// Until it no longer stands for a computation that fails.
    pub fallback: Option<Duration>,
    /// Until the next attempt, after one that failed.
    pub retry: Option<Duration>,
}

impl Ahead {
    fn of(lifetime: &Lifetime, now: Instant) -> Self {
        let window = |from: Instant, to: Instant| (from < to).then_some(to);
        let left = |end: Option<Instant>| end.map(|end| end.since(now));
        let (fresh, stale) = (lifetime.fresh_until(), lifetime.stale_until());
        let refresh = lifetime.refresh_from();
        Self {
            refresh: left((refresh < fresh).then_some(refresh)),
            stale: left(window(fresh, stale)),
            fallback: left(window(stale, lifetime.keep_until())),
            retry: left(window(now, lifetime.retry_from())),
        }
    }
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// What lies before the entry of `key`; nothing if there is none that counts.
    pub fn ahead(&self, scope: &Scope, hash: u64, key: &K) -> Ahead {
        let (lifetime, _) = self.memory.look(hash, key, |entry, deadline, _| {
            let finding = self.judge_closely(scope, entry, deadline);
            let counts = finding.is_fresh() || matches!(finding, Finding::InWindow(_));
            Look::Keep(tags::lifetime(&entry.tags).copied().filter(|_| counts))
        });
        let lifetime = lifetime.flatten();
        let now = self.ticker.now();
        lifetime.map_or_else(Ahead::default, |lifetime| Ahead::of(&lifetime, now))
    }

    /// What is known of `key`.
    pub fn trace(&self, scope: &Scope, hash: u64, key: &K) -> Trace {
        let (found, _) = self.memory.look(hash, key, |entry, deadline, _| {
            let finding = self.judge_closely(scope, entry, deadline);
            let over = match finding {
                Finding::Invalid => self
                    .authority
                    .overtaken(entry.stamp, &scope.mark, &entry.tags),
                Finding::Expired => Some(entry.ended()),
                _ => None,
            };
            let lifetime = tags::lifetime(&entry.tags).copied();
            let lifetime = lifetime.unwrap_or(Lifetime::ending(deadline));
            Look::Keep((finding, entry.written, lifetime, over))
        });
        let now = self.ticker.now();
        let until = |end: Instant| end.since(now);
        let age = |written| self.seats(hash).versions.since(written, now);
        match found {
            Some((finding, written, lifetime, _)) if finding.is_fresh() => {
                let deadline = lifetime.fresh_until();
                return Trace::Fresh {
                    age: age(written),
                    ttl: (deadline != Instant::NEVER).then(|| until(deadline)),
                };
            }
            Some((Finding::InWindow(judgement), written, lifetime, _))
                if judgement != Judgement::OnlyIfError =>
            {
                let end = match judgement {
                    Judgement::Serve(_) => lifetime.keep_until(),
                    _ => lifetime.stale_until(),
                };
                return Trace::Stale {
                    age: age(written),
                    left: until(end),
                    judgement,
                };
            }
            Some((Finding::Remembered, _, lifetime, _)) => {
                return Trace::Remembered {
                    left: until(lifetime.fresh_until()),
                };
            }
            _ => {}
        }
        let seats = self.seats(hash);
        let computing = self.is_computing(&seats, (hash, key), scope);
        drop(seats);
        if computing {
            return Trace::Computing;
        }
        match found {
            Some((_, _, _, Some(reason))) => Trace::Gone(reason),
            Some((Finding::InWindow(judgement), written, lifetime, _)) => Trace::Stale {
                age: age(written),
                left: until(lifetime.keep_until()),
                judgement,
            },
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
