//! Reads that memory answers: one shard's lock, one compare of the change number, a clock reading only if the entry ends.

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::judge::{Freshness, Judgement};
use everwarm_core::lifetime::Lifetime;
use everwarm_memory::{Found, Look, Taken};
use hashbrown::Equivalent;

use crate::cache::Cache;
use crate::entry::{Entry, Key, Seen};
use crate::listener::Cause;
use crate::recording::Event;
use crate::scope::Scope;
use crate::slide::Reader;
use crate::tags::{self, Tags};

/// What a reader finds an entry to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    Fresh,
    /// Past the table's deadline, with something to be done in this window of its life.
    InWindow(Judgement),
    /// An error that is remembered.
    Remembered,
    Expired,
    Invalid,
}

impl Finding {
    /// Whether the entry's value is within its ttl.
    pub(crate) fn is_fresh(self) -> bool {
        use Freshness::Fresh;
        matches!(
            self,
            Self::Fresh
                | Self::InWindow(Judgement::Serve(Fresh) | Judgement::ServeAndRefresh(Fresh))
        )
    }

    /// Whether the entry has to leave.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Expired | Self::Invalid)
    }
}

/// An entry that a reader found to be over.
pub(crate) struct Left<K, V> {
    cause: Cause,
    taken: Taken<K, Entry<V>>,
}

impl<K: Key, V> Left<K, V> {
    /// Takes the entry out, and lets the lock go.
    #[cold]
    pub(crate) fn new(found: Found<'_, K, Entry<V>, K::Lock>, finding: Finding) -> Self {
        Self {
            cause: match finding {
                Finding::Expired => Cause::Expired,
                _ => Cause::Invalidated,
            },
            taken: found.take(),
        }
    }
}

/// That a reader found no entry of a key: it holds as long as nothing came into that shard of the table.
#[derive(Clone, Copy, Debug)]
pub struct Absence(u64);

impl Absence {
    /// Nothing is known.
    pub const UNKNOWN: Self = Self(u64::MAX);

    /// How many entries had come then.
    #[inline]
    pub(crate) const fn arrivals(self) -> u64 {
        self.0
    }
}

/// What a reader takes along from under the lock, to be turned into a [`Seen`] outside.
struct Sight<V> {
    value: V,
    written: Instant,
    /// The end of its freshness.
    deadline: Instant,
    freshness: Freshness,
    tags: Tags,
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// The value for `key`, counted as a hit; an absence counts nothing, since [`begin`](Self::begin) will.
    #[inline(always)]
    pub fn hit<Q: Equivalent<K> + ?Sized>(&self, scope: &Scope, hash: u64, key: &Q) -> Option<V> {
        let found = self.memory.find(hash, key)?;
        self.hit_found(scope, hash, found)
    }

    /// As [`hit`](Self::hit), or what a reader knows who found nothing, for [`sit`](Self::sit).
    ///
    /// # Errors
    /// There is no fresh value.
    #[inline(always)]
    pub fn hit_or_absent<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        hash: u64,
        key: &Q,
    ) -> Result<V, Absence> {
        match self.memory.seek(hash, key) {
            Ok(found) => self.hit_found(scope, hash, found).ok_or(Absence::UNKNOWN),
            Err(vacancy) => Err(Absence(vacancy.arrivals())),
        }
    }

    #[inline(always)]
    fn hit_found(
        &self,
        scope: &Scope,
        hash: u64,
        mut found: Found<'_, K, Entry<V>, K::Lock>,
    ) -> Option<V> {
        let (entry, deadline) = found.touched();
        let finding = self.judge(scope, entry, deadline);
        if finding != Finding::Fresh {
            self.leave_to_begin(scope, hash, found);
            return None;
        }
        let value = entry.value.clone();
        scope.counters.hit(found.shard());
        if self.sample.holds(hash) {
            self.sampled_hit(scope, hash, found);
        }
        Some(value)
    }

    /// An entry that is no plain hit: [`begin`](Self::begin) sees what its windows say, and one that is over leaves.
    #[cold]
    pub(crate) fn leave_to_begin(
        &self,
        scope: &Scope,
        hash: u64,
        mut found: Found<'_, K, Entry<V>, K::Lock>,
    ) {
        let (entry, deadline) = found.content();
        let finding = self.judge_closely(scope, entry, deadline);
        if finding.is_over() && tags::negative(&entry.tags).is_none() {
            self.let_go_of(scope, Left::new(found, finding));
            if self.sample.holds(hash) {
                self.sample.note(Event::Removed(hash));
            }
        }
    }

    /// A hit of a key of the sample; the table's lock is let go.
    #[cold]
    #[inline(never)]
    fn sampled_hit(&self, scope: &Scope, hash: u64, mut found: Found<'_, K, Entry<V>, K::Lock>) {
        let (entry, deadline) = found.content();
        let tags = entry.tags.clone();
        drop(found);
        self.sampled(scope, hash, Some((tags, deadline)));
    }

    /// As [`hit`](Self::hit), for a call that takes no entry written before `since`; one that is due to be computed anew is taken
    /// as it is.
    pub fn hit_since<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        hash: u64,
        key: &Q,
        since: Instant,
    ) -> Option<V> {
        let (value, left) = self.look(scope, hash, key, |entry, _, shard| {
            (entry.written >= since).then(|| {
                scope.counters.hit(shard);
                entry.value.clone()
            })
        });
        self.let_go_of_found(scope, left);
        value?
    }

    /// As [`hit`](Self::hit), with the entry's age, its remaining time and its tags.
    pub fn hit_seen<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        hash: u64,
        key: &Q,
    ) -> Option<Seen<V>> {
        let (sight, left) = self.look(scope, hash, key, |entry, deadline, shard| {
            scope.counters.hit(shard);
            Sight::of(entry, deadline, Freshness::Fresh)
        });
        self.let_go_of_found(scope, left);
        let sight = sight?;
        if self.sample.holds(hash) {
            self.sampled(scope, hash, Some((sight.tags.clone(), sight.deadline)));
        }
        Some(self.seen(hash, sight))
    }

    /// The value for `key` with its metadata, also a stale one in its windows; counts nothing and does not make the entry count as
    /// used.
    pub fn peek<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        hash: u64,
        key: &Q,
    ) -> Option<Seen<V>> {
        let (sight, _) = self.memory.look(hash, key, |entry, deadline, _| {
            let finding = self.judge_closely(scope, entry, deadline);
            let freshness = match finding {
                Finding::InWindow(_) if !finding.is_fresh() => Freshness::Stale,
                Finding::Fresh | Finding::InWindow(_) => Freshness::Fresh,
                Finding::Remembered | Finding::Expired | Finding::Invalid => {
                    return Look::Keep(None);
                }
            };
            Look::Keep(Some(Sight::of(entry, deadline, freshness)))
        });
        Some(self.seen(hash, sight??))
    }

    /// Whether there is a fresh value for `key`; counts and touches nothing.
    pub fn contains<Q: Equivalent<K> + ?Sized>(&self, scope: &Scope, hash: u64, key: &Q) -> bool {
        let (fresh, _) = self.memory.look(hash, key, |entry, deadline, _| {
            Look::Keep(self.judge_closely(scope, entry, deadline).is_fresh())
        });
        fresh.unwrap_or(false)
    }

    /// Takes from a fresh entry what `take` makes of it, marking it used. An entry found expired or invalid leaves: it is
    /// returned, for [`let_go_of_found`](Self::let_go_of_found) when no lock is held.
    pub(crate) fn look<Q: Equivalent<K> + ?Sized, R>(
        &self,
        scope: &Scope,
        hash: u64,
        key: &Q,
        take: impl FnOnce(&Entry<V>, Instant, usize) -> R,
    ) -> (Option<R>, Option<Left<K, V>>) {
        let Some(mut found) = self.memory.find(hash, key) else {
            return (None, None);
        };
        let shard = found.shard();
        let (entry, deadline) = found.content();
        let finding = self.judge_closely(scope, entry, deadline);
        if finding.is_over() {
            return (None, Some(Left::new(found, finding)));
        }
        if !finding.is_fresh() {
            return (None, None);
        }
        let answer = take(entry, deadline, shard);
        self.slide(&mut found, (finding, Reader::Takes));
        found.touch();
        (Some(answer), None)
    }

    /// Counts and tells of an entry that a reader took out, and drops it.
    #[inline]
    pub(crate) fn let_go_of_found(&self, scope: &Scope, left: Option<Left<K, V>>) {
        if let Some(left) = left {
            self.let_go_of(scope, left);
        }
    }

    #[cold]
    fn let_go_of(&self, scope: &Scope, left: Left<K, V>) {
        let Left { cause, taken } = left;
        scope.counters.leave(taken.weight);
        let entry = &taken.payload;
        let reason = if cause == Cause::Expired {
            scope.counters.expired.bump();
            Some(entry.ended())
        } else {
            self.authority
                .overtaken(entry.stamp, &scope.mark, &entry.tags)
        };
        if let Some(reason) = reason {
            self.departures.note(&taken.key, reason);
        }
        self.tell(&taken.key, &taken.payload.value, cause);
    }

    #[inline(always)]
    pub(crate) fn judge(&self, scope: &Scope, entry: &mut Entry<V>, deadline: Instant) -> Finding {
        if deadline != Instant::NEVER && deadline <= self.ticker.now() {
            return Finding::Expired;
        }
        let now = self.authority.stamp();
        if entry.stamp < now {
            if !self.authority.allows(entry.stamp, &scope.mark, &entry.tags) {
                return Finding::Invalid;
            }
            entry.stamp = now;
        }
        Finding::Fresh
    }

    fn seen(&self, hash: u64, sight: Sight<V>) -> Seen<V> {
        let now = self.ticker.now();
        Seen {
            value: sight.value,
            age: self.seats(hash).versions.since(sight.written, now) + tags::age(&sight.tags),
            version: sight.written.as_nanos(),
            ttl: (sight.deadline != Instant::NEVER).then(|| sight.deadline.since(now)),
            freshness: sight.freshness,
            tags: sight.tags.map(|tags| tags.names()).unwrap_or_default(),
        }
    }
}

impl<V: Clone> Sight<V> {
    fn of(entry: &Entry<V>, deadline: Instant, freshness: Freshness) -> Self {
        let lifetime = tags::lifetime(&entry.tags);
        Self {
            value: entry.value.clone(),
            written: entry.written,
            deadline: lifetime.map_or(deadline, Lifetime::fresh_until),
            freshness,
            tags: entry.tags.clone(),
        }
    }
}
