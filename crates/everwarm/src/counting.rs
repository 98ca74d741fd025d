//! Whole numbers that are counted in place: no count is lost among threads, and none among processes where there are stores.

use std::borrow::Borrow;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::judge::Freshness;
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_engine::{Cause, Condition, Written};

use crate::cache::Cache;
use crate::form::Typed;
use crate::stores::wait;

mod sealed {
    pub trait Sealed {}
}

/// A whole number of the standard library: what can be counted.
#[diagnostic::on_unimplemented(
    message = "only whole numbers are counted, and `{Self}` is none",
    note = "hint: write `update(key, |value| ...)`, or keep an `i64` or another of the standard library's whole numbers"
)]
pub trait Integer: Copy + Send + Sync + 'static + sealed::Sealed {
    /// Nothing.
    #[doc(hidden)]
    const ZERO: Self;

    /// The sum; None if it is none of these numbers.
    #[doc(hidden)]
    fn plus(self, other: Self) -> Option<Self>;

    /// The difference; None if it is none of these numbers.
    #[doc(hidden)]
    fn minus(self, other: Self) -> Option<Self>;
}

macro_rules! integers {
    ($($kind:ty)*) => {$(
        impl sealed::Sealed for $kind {}

        impl Integer for $kind {
            const ZERO: Self = 0;

            fn plus(self, other: Self) -> Option<Self> {
                self.checked_add(other)
            }

            fn minus(self, other: Self) -> Option<Self> {
                self.checked_sub(other)
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize);

/// By how much [`incr`](Cache::incr) and [`decr`](Cache::decr) count, and what a counter is that is not there yet. A number is such a
/// count, from nothing.
///
/// ```
/// use everwarm::{Cache, Count, duration::mins};
///
/// let left = Cache::new("left");
/// let one_of_ten = Count::by(1).initial(10).ttl_on_create(mins(1));
/// assert_eq!((left.decr("ada", one_of_ten), left.decr("ada", one_of_ten)), (Ok(9), Ok(8)));
/// # let _: &Cache<String, i64> = &left;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it does nothing until something is counted by it"]
pub struct Count<V> {
    by: V,
    initial: V,
    ttl: Option<Duration>,
}

impl<V: Integer> Count<V> {
    /// A count by so much, from nothing.
    pub const fn by(by: V) -> Self {
        Self {
            by,
            initial: V::ZERO,
            ttl: None,
        }
    }

    /// What a counter that is not there is counted from.
    pub const fn initial(mut self, initial: V) -> Self {
        self.initial = initial;
        self
    }

    /// How long a counter lives that is not there yet; as any entry of the cache unless said otherwise.
    pub const fn ttl_on_create(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }
}

impl<V: Integer> From<V> for Count<V> {
    fn from(by: V) -> Self {
        Self::by(by)
    }
}

/// Why something was not counted.
#[derive(Clone, Copy)]
pub(crate) enum Uncounted {
    /// What is there is no number of the cache's type.
    NoNumber,
    /// The number would be none of the cache's type.
    TooFar,
}

/// What a counter becomes, and how it lives where it was not there before.
pub(crate) struct Counting<F> {
    pub(crate) sum: F,
    /// None if such a value is not kept.
    pub(crate) created: Option<(Lifetime, Vec<Arc<str>>)>,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// Adds to the whole number of `key`; the sum. What is not there is counted from nothing, and lives as any entry of the cache does,
    /// so that it begins anew when its ttl is over; what is there keeps its tags and when it ends. [`Count`] says otherwise.
    ///
    /// ```
    /// use everwarm::{Cache, duration::mins, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let asked: Cache<String, u32> = Cache::builder("asked").ttl(mins(1)).clock(&clock).build()?;
    /// assert_eq!((asked.incr("ada", 1)?, asked.incr("ada", 5)?), (1, 6));
    /// clock.advance(mins(1));
    /// assert_eq!(asked.incr("ada", 1)?, 1);
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Unsupported`, with nothing changed, if the sum is beyond the type, if stores have something else under the key, or
    /// if they cannot be asked; of kind `Closed` in a cache that was closed.
    pub fn incr<Q>(&self, key: &Q, count: impl Into<Count<V>>) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Integer,
    {
        wait(self.incr_async(key, count))
    }

    /// As [`incr`](Self::incr), in this task.
    ///
    /// # Errors
    /// As [`incr`](Self::incr).
    pub async fn incr_async<Q>(&self, key: &Q, count: impl Into<Count<V>>) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Integer,
    {
        self.count(key, count.into(), V::plus).await
    }

    /// Takes from the whole number of `key`; the difference. In all else it is [`incr`](Self::incr).
    ///
    /// ```
    /// let stock = everwarm::Cache::new("stock");
    /// assert_eq!((stock.incr("lamp", 5)?, stock.decr("lamp", 2)?), (5, 3));
    /// # let _: &everwarm::Cache<String, i64> = &stock;
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`incr`](Self::incr).
    pub fn decr<Q>(&self, key: &Q, count: impl Into<Count<V>>) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Integer,
    {
        wait(self.decr_async(key, count))
    }

    /// As [`decr`](Self::decr), in this task.
    ///
    /// # Errors
    /// As [`incr`](Self::incr).
    pub async fn decr_async<Q>(&self, key: &Q, count: impl Into<Count<V>>) -> Result<V, Error>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
        V: Integer,
    {
        self.count(key, count.into(), V::minus).await
    }

    async fn count<Q>(
        &self,
        key: &Q,
        count: Count<V>,
        add: fn(V, V) -> Option<V>,
    ) -> Result<V, Error>
    where
        Q: Hash + ToOwned<Owned = K> + ?Sized,
        V: Integer,
    {
        let (home, hash, key) = (&self.home, self.hash(key), Typed(key.to_owned()));
        if home.engine.is_closed() {
            return Err(self.closed());
        }
        let Count { by, initial, ttl } = count;
        let sum = move |before: Option<V>| add(before.unwrap_or(initial), by);
        let created = sum(None).and_then(|first| self.created(&key, &first, ttl));
        let counting = Counting { sum, created };
        let counted = match home.held(hash, &key) {
            Some(held) => held.count(counting).await.map_err(|failure| {
                Error::new(
                    ErrorKind::Unsupported,
                    format!("nothing was counted: {}", failure.message()),
                    failure.hint(),
                )
            })?,
            None => self.count_in_memory((hash, key), counting)?,
        };
        counted.map_err(|uncounted| self.uncounted(uncounted))
    }

    /// The life and the tags of a counter that was not there, if such a value is kept.
    fn created(
        &self,
        key: &Typed<K>,
        value: &V,
        ttl: Option<Duration>,
    ) -> Option<(Lifetime, Vec<Arc<str>>)> {
        let home = &self.home;
        let (policy, outcome) = match ttl {
            Some(_) => {
                let policy = Policy { ttl, ..home.policy };
                (policy, Outcome::Value { ttl: None })
            }
            None => (home.policy, self.judge.outcome(value)),
        };
        let lifetime = home.lifetime(&policy, outcome)?;
        let tags = self.tagging.as_ref().map(|tagging| tagging(&key.0));
        home.admits(key, value)
            .then(|| (lifetime, tags.unwrap_or_default()))
    }

    fn count_in_memory(
        &self,
        (hash, key): (u64, Typed<K>),
        counting: Counting<impl Fn(Option<V>) -> Option<V>>,
    ) -> Result<Result<V, Uncounted>, Error> {
        let home = &self.home;
        loop {
            let seen = home.engine.peek(&home.scope, hash, &key);
            let seen = seen.filter(|seen| seen.freshness == Freshness::Fresh);
            let before = seen.as_ref().map(|seen| seen.value.clone());
            let Some(value) = (counting.sum)(before) else {
                return Ok(Err(Uncounted::TooFar));
            };
            let entry = (hash, key.clone());
            let written = match (&seen, &counting.created) {
                (Some(seen), _) => {
                    // It keeps its own.
                    let kept = (Lifetime::ending(Instant::NEVER), &[][..]);
                    let put = self.putting(entry, value.clone(), kept);
                    home.engine.exchange(put, seen.version)
                }
                (None, Some((lifetime, tags))) => {
                    let put = self.putting(entry, value.clone(), (*lifetime, tags));
                    home.engine.put_if(put, Condition::Absent)
                }
                (None, None) => {
                    home.scope.count_refused();
                    return Ok(Ok(value));
                }
            };
            match written {
                Written::Done => return Ok(Ok(value)),
                Written::Unmet if home.engine.is_closed() => return Err(self.closed()),
                Written::Unmet => {}
                // Nobody is to read what was replaced.
                Written::Refused => {
                    let cause = Cause::Replaced;
                    home.engine.delete_because(&home.scope, hash, &key, cause);
                    return Ok(Ok(value));
                }
            }
        }
    }

    fn closed(&self) -> Error {
        Error::new(
            ErrorKind::Closed,
            format!("the cache {:?} is closed", self.name()),
            "build another one",
        )
    }

    fn uncounted(&self, uncounted: Uncounted) -> Error {
        let (what, hint) = match uncounted {
            Uncounted::NoNumber => (
                "what stores have there is no whole number of its type",
                "`set` the key to one, or count under another key",
            ),
            Uncounted::TooFar => (
                "the number would be beyond its type",
                "count in a larger type, such as `i64`",
            ),
        };
        let message = format!("nothing was counted in {:?}: {what}", self.name());
        Error::new(ErrorKind::Unsupported, message, hint)
    }
}
