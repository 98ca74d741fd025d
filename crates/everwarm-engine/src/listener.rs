//! Who is told of entries that left, and why they did.

use std::mem;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::generation::Stamp;
use everwarm_memory::{Cause as Need, Departed, Found, Gone, Newcomer, Taken, Vacancy};

use crate::cache::Cache;
use crate::departures::Reason;
use crate::entry::{Entry, Key, Term};
use crate::recording::Event;
use crate::scope::Scope;
use crate::sitting::Plain;
use crate::what_if::Known;

/// Why an entry left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Another entry needed the room.
    Capacity,
    /// Its time was over.
    Expired,
    /// A later value took its place, or was to take it and was too heavy to be kept.
    Replaced,
    /// Its key was deleted.
    Deleted,
    /// Its key or one of its tags was invalidated.
    Invalidated,
    /// Its function or the whole cache was cleared, or the function is gone.
    Cleared,
}

impl Cause {
    /// The cause in one word.
    ///
    /// ```
    /// assert_eq!(everwarm_engine::Cause::Capacity.name(), "capacity");
    /// ```
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capacity => "capacity",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Deleted => "deleted",
            Self::Invalidated => "invalidated",
            Self::Cleared => "cleared",
        }
    }
}

impl From<Need> for Cause {
    fn from(need: Need) -> Self {
        match need {
            Need::Capacity => Self::Capacity,
            Need::Expired => Self::Expired,
            Need::Replaced => Self::Replaced,
        }
    }
}

/// Is told of every entry that leaves a cache, once.
///
/// It is called by the thread that made the entry leave, when that has taken effect and no lock is held, so it may use the
/// cache. Entries that are there when the cache itself is dropped are not told of. It must not panic: what else left with
/// the entry would not be told of.
pub trait Listener<K, V>: Send + Sync {
    /// The entry of `key` is gone.
    fn on_remove(&self, key: &K, value: &V, cause: Cause);
}

/// What came of storing an entry: it is there, or it had no room whatever would leave, and what was there went.
pub(crate) enum Stored<K, V> {
    /// In a place that was vacant; who left for it, counted if it was evicted from the same scope.
    Entered(Option<Gone<K, Entry<V>>>),
    /// In the place of another.
    Replaced(K, Earlier<V>),
    /// Where scales or samples have to know of it.
    Kept(Departed<K, Entry<V>>, Option<(u64, Known)>),
    TooHeavy(K, Entry<V>, Option<Taken<K, Entry<V>>>),
}

/// An entry on its way in.
pub(crate) struct Incoming<V> {
    pub(crate) entry: Entry<V>,
    pub(crate) term: Term,
    /// What the value weighs.
    pub(crate) weight: u64,
    /// The clock's reading, which `written` may be some nanoseconds ahead of.
    pub(crate) now: Instant,
}

impl<V> Incoming<V> {
    /// A value without tags of which there is nothing to say but when it ends.
    #[inline]
    pub(crate) fn plain((value, stamp): (V, Stamp), written: Instant, plain: Plain) -> Self {
        Self {
            entry: Entry {
                value,
                stamp,
                written,
                tags: None,
            },
            term: Term {
                deadline: plain.end,
                keep_until: plain.end,
            },
            weight: plain.weight,
            now: plain.now,
        }
    }
}

/// An entry that another has taken the place of.
pub(crate) struct Earlier<V> {
    entry: Entry<V>,
    expired: bool,
}

/// Puts an entry in the place of the one with its key: nothing has to be counted, and nobody else can have to leave.
#[inline]
fn replace<K: Key, V>(
    mut found: Found<'_, K, Entry<V>, K::Lock>,
    incoming: Incoming<V>,
) -> Earlier<V> {
    let end = found.kept_until();
    let (payload, deadline) = found.touched();
    let entry = mem::replace(payload, incoming.entry);
    let term = incoming.term;
    if deadline != term.deadline || end != term.keep_until {
        found.redate_and_keep(term.deadline, term.keep_until);
    }
    Earlier {
        entry,
        expired: end <= incoming.now,
    }
}

/// Puts an entry in a place that is vacant; who left for it, counted if it was evicted from the same scope.
#[inline(always)]
pub(crate) fn enter<K: Key, V>(
    vacancy: Vacancy<'_, K, Entry<V>, K::Lock>,
    (scope, shard): (&Scope, usize),
    (hash, key): (u64, K),
    incoming: Incoming<V>,
) -> Option<Gone<K, Entry<V>>> {
    // Counted before it is there, so that nobody can count it out before it was counted in.
    scope.counters.enter_at(shard);
    let newcomer = Newcomer {
        hash,
        key,
        payload: incoming.entry,
        deadline: incoming.term.deadline,
        keep_until: incoming.term.keep_until,
        weight: 0,
    };
    let gone = vacancy.admit(newcomer, incoming.now);
    if let Some(gone) = &gone
        && is_evicted_from(scope, gone)
    {
        scope.counters.evict_at(shard);
    }
    gone
}

/// Whether an entry of the scope whose other entry needed the room had to leave for that.
fn is_evicted_from<K: Key, V>(inserted_by: &Scope, gone: &Gone<K, Entry<V>>) -> bool {
    gone.cause == Need::Capacity && gone.key.scope() == inserted_by.id()
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// Stores an entry, under the lock of the seats; what leaves is returned, for [`let_go`](Self::let_go) when no lock is held.
    pub(crate) fn store(
        &self,
        scope: &Scope,
        hash: u64,
        key: K,
        incoming: Incoming<V>,
    ) -> Stored<K, V> {
        if self.memory.weighs() || self.sample.holds(hash) {
            return self.store_with_care(scope, hash, key, incoming);
        }
        match self.memory.seek(hash, &key) {
            Ok(found) => {
                let earlier = replace(found, incoming);
                Stored::Replaced(key, earlier)
            }
            Err(vacancy) => {
                let shard = self.memory.shard_of(hash);
                Stored::Entered(enter(vacancy, (scope, shard), (hash, key), incoming))
            }
        }
    }

    /// As [`store`](Self::store), where scales or samples have to know of it.
    #[inline(never)]
    fn store_with_care(
        &self,
        scope: &Scope,
        hash: u64,
        key: K,
        incoming: Incoming<V>,
    ) -> Stored<K, V> {
        let Incoming {
            entry,
            term,
            weight,
            now,
        } = incoming;
        let weight = self.weight_of(&key, weight);
        if !self.memory.fits(weight) {
            self.sample.note(Event::Removed(hash));
            let taken = self.memory.remove(hash, &key);
            return Stored::TooHeavy(key, entry, taken);
        }
        // Counted before it is there, so that nobody can count it out before it was counted in.
        scope.counters.enter(weight);
        let sampled = self.sample.holds(hash).then(|| {
            let known = Known {
                scope: scope.id(),
                stamp: entry.stamp,
                tags: entry.tags.clone(),
                deadline: term.deadline,
                weight,
            };
            (hash, known)
        });
        let newcomer = Newcomer {
            hash,
            key,
            payload: entry,
            deadline: term.deadline,
            keep_until: term.keep_until,
            weight,
        };
        Stored::Kept(self.memory.admit(newcomer, now), sampled)
    }

    /// Counts and tells of an entry that was replaced, and drops it.
    #[inline]
    fn let_go_of_replaced(&self, scope: &Scope, key: K, earlier: Earlier<V>) {
        if !earlier.expired && self.listener.is_none() {
            return;
        }
        let cause = if earlier.expired {
            scope.counters.expired.bump();
            self.remember(&key, &earlier.entry, Cause::Expired);
            Need::Expired
        } else {
            Need::Replaced
        };
        let gone = Gone {
            key,
            payload: earlier.entry,
            weight: 0,
            cause,
        };
        self.tell_of_gone(scope, &gone);
    }

    /// Whether a value of this weight can be there at all, if need be alone.
    pub(crate) fn has_room_for(&self, key: &K, value: u64) -> bool {
        self.memory.fits(self.weight_of(key, value))
    }

    /// What an entry weighs: its value, its key and its place in the table; nothing where nothing is weighed.
    fn weight_of(&self, key: &K, value: u64) -> u64 {
        if !self.memory.weighs() {
            return 0;
        }
        value
            .saturating_add(key.weight())
            .saturating_add(everwarm_memory::Memory::<K, Entry<V>, K::Lock>::OVERHEAD)
    }

    /// Counts and tells of the entries that one stored in `scope` let go, and drops them. Whether it was kept.
    pub(crate) fn let_go(&self, scope: &Scope, stored: Stored<K, V>) -> bool {
        match stored {
            Stored::Entered(None) => true,
            Stored::Entered(Some(gone)) => {
                self.let_go_of_gone(scope, &gone);
                true
            }
            Stored::Replaced(key, earlier) => {
                self.let_go_of_replaced(scope, key, earlier);
                true
            }
            Stored::Kept(departed, sampled) => {
                if let Some((hash, known)) = sampled {
                    let now = self.ticker.now();
                    self.sample.note(Event::Stored { hash, known, now });
                }
                for gone in departed.iter() {
                    self.count_gone(scope, gone);
                }
                for gone in departed {
                    self.tell_of_gone(scope, &gone);
                }
                true
            }
            Stored::TooHeavy(key, _refused, taken) => {
                scope.counters.refused.bump();
                self.departures.note(&key, Reason::HeavierThanAll);
                if let Some(taken) = taken {
                    scope.counters.leave(taken.weight);
                    self.tell(&taken.key, &taken.payload.value, Cause::Replaced);
                }
                false
            }
        }
    }

    /// As [`let_go`](Self::let_go), of the one entry of a shard that had to leave.
    #[inline]
    pub(crate) fn let_go_of_gone(&self, inserted_by: &Scope, gone: &Gone<K, Entry<V>>) {
        if is_evicted_from(inserted_by, gone) {
            self.remember(&gone.key, &gone.payload, Cause::Capacity);
        } else {
            self.count_gone(inserted_by, gone);
        }
        self.tell_of_gone(inserted_by, gone);
    }

    fn count_gone(&self, inserted_by: &Scope, gone: &Gone<K, Entry<V>>) {
        self.in_scope(gone.key.scope(), inserted_by, |scope| {
            scope.counters.leave(gone.weight);
            match gone.cause {
                Need::Capacity => scope.counters.evicted.bump(),
                Need::Expired => scope.counters.expired.bump(),
                Need::Replaced => {}
            }
        });
        self.remember(&gone.key, &gone.payload, gone.cause.into());
    }

    /// An entry that was invalid when its turn came to leave has left because of that.
    #[inline]
    fn tell_of_gone(&self, inserted_by: &Scope, gone: &Gone<K, Entry<V>>) {
        if self.listener.is_some() {
            self.tell_of_gone_to_listener(inserted_by, gone);
        }
    }

    #[inline(never)]
    fn tell_of_gone_to_listener(&self, inserted_by: &Scope, gone: &Gone<K, Entry<V>>) {
        let entry = &gone.payload;
        let valid = self.in_scope(gone.key.scope(), inserted_by, |scope| {
            self.authority.allows(entry.stamp, &scope.mark, &entry.tags)
        });
        let cause = match (gone.cause, valid) {
            (Need::Capacity | Need::Replaced, Some(false)) => Cause::Invalidated,
            (need, _) => need.into(),
        };
        self.tell(&gone.key, &entry.value, cause);
    }

    /// Counts and tells of entries that were taken out, and drops them. How many they were.
    pub(crate) fn let_go_of_all(&self, taken: Vec<Taken<K, Entry<V>>>, cause: Cause) -> usize {
        for taken in &taken {
            self.remember(&taken.key, &taken.payload, cause);
        }
        self.count_and_tell(taken, cause)
    }

    /// As [`let_go_of_all`](Self::let_go_of_all), of entries that were cleared, and why.
    pub(crate) fn let_go_of_cleared(
        &self,
        taken: Vec<Taken<K, Entry<V>>>,
        reason: &Reason,
    ) -> usize {
        for taken in &taken {
            self.departures.note(&taken.key, reason.clone());
        }
        self.count_and_tell(taken, Cause::Cleared)
    }

    fn count_and_tell(&self, taken: Vec<Taken<K, Entry<V>>>, cause: Cause) -> usize {
        let count = taken.len();
        for taken in &taken {
            self.with_scope(taken.key.scope(), |scope| {
                scope.counters.leave(taken.weight);
                if cause == Cause::Expired {
                    scope.counters.expired.bump();
                }
            });
        }
        if self.listener.is_some() {
            for taken in taken {
                self.tell(&taken.key, &taken.payload.value, cause);
            }
        }
        count
    }

    /// Notes why the entry of a key is not there any more.
    fn remember(&self, key: &K, entry: &Entry<V>, cause: Cause) {
        let reason = match cause {
            Cause::Capacity => Reason::Evicted,
            Cause::Expired => entry.ended(),
            Cause::Deleted | Cause::Invalidated => Reason::Deleted,
            Cause::Cleared => Reason::Cleared,
            Cause::Replaced => return,
        };
        self.departures.note(key, reason);
    }

    #[inline]
    pub(crate) fn tell(&self, key: &K, value: &V, cause: Cause) {
        if let Some(listener) = &self.listener {
            listener.on_remove(key, value, cause);
        }
    }

    /// What `read` makes of the scope of that number, if there still is one; `near` is looked at first.
    fn in_scope<R>(&self, id: u32, near: &Scope, read: impl FnOnce(&Scope) -> R) -> Option<R> {
        if id == near.id() {
            Some(read(near))
        } else {
            self.with_scope(id, read)
        }
    }
}
