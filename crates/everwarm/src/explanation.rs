//! Why a call would be a hit or a miss, as a value and as a sentence.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use everwarm_engine::{Ahead, Key};

use crate::cache::Cache;
use crate::form::Typed;
use crate::function::{Function, Shared, Writing};
use crate::home::Home;
use crate::link::is_own;

/// Why a call would be a hit or a miss: what [`Cache::explain`] and the verb `explain` of a decorated function give. Shown, it is a
/// sentence that says what to do. Its texts are those of Python's `explain`.
///
/// All of it is about memory: what stores have is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explanation {
    /// What the call would be now: `"hit"`, `"stale"` (an old value), `"miss"`, `"follower"` (somebody is computing it), or `"refused"`
    /// (its arguments are beyond what a key may be).
    pub status: &'static str,
    /// `"fresh"`; `"stale"` and `"held"` of an old value that would be computed anew, or not yet since an attempt failed; `"computing"`,
    /// `"refused"`; of a miss `"never_stored"`, `"expired"`, `"evicted"`, `"invalidated"`, `"cleared"`, `"marked_stale"`,
    /// `"stale_if_error"` (an old value is there in case the computation fails), `"too_heavy"`, `"not_storable"`, or `"unknown"` where
    /// nothing is remembered.
    pub reason: &'static str,
    /// The tag or the verb that let the entry go, or the bound that it is too heavy for.
    pub by: Option<String>,
    /// The time since the entry was written, if it is there.
    pub age: Option<Duration>,
    /// The time that it has left; None also of one without end.
    pub ttl: Option<Duration>,
    /// The time until it is computed anew ahead of its end, nothing if that is due; None without such a window.
    pub refresh_in: Option<Duration>,
    /// The time until it is no longer served old while it is computed anew.
    pub stale_for: Option<Duration>,
    /// The time until it no longer stands for a computation that fails.
    pub fallback_for: Option<Duration>,
    /// The time until the next attempt, after one that failed.
    pub retry_in: Option<Duration>,
}

impl Explanation {
    /// Of a call that has no key.
    const REFUSED: Self = Self {
        status: "refused",
        reason: "refused",
        by: None,
        age: None,
        ttl: None,
        refresh_in: None,
        stale_for: None,
        fallback_for: None,
        retry_in: None,
    };
}

impl fmt::Display for Explanation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = self.by.as_deref().unwrap_or_default();
        match self.reason {
            "fresh" => match self.ttl {
                None => write!(out, "a hit: a fresh entry is there without end"),
                Some(left) => write!(out, "a hit: a fresh entry is there for another {left:?}"),
            },
            "stale" => write!(
                out,
                "a stale hit: its ttl is over; it is served for another {:?}, and computed anew",
                self.ttl.unwrap_or_default()
            ),
            "held" => write!(
                out,
                "a stale hit: its ttl is over, and computing it anew failed or is done elsewhere; it is served for another {:?} at most",
                self.ttl.unwrap_or_default()
            ),
            "stale_if_error" => write!(
                out,
                "a miss: its ttl is over; should its computation fail, the old value is served, for another {:?}",
                self.ttl.unwrap_or_default()
            ),
            "invalidated" if by == "invalidate" => {
                write!(
                    out,
                    "a miss: its key was made gone, and the next call computes it"
                )
            }
            "invalidated" => {
                write!(
                    out,
                    "a miss: its tag {by:?} was invalidated, and the next call computes it"
                )
            }
            "too_heavy" => write!(
                out,
                "a miss: its value weighs more than `{by}` allows; a larger one would keep it"
            ),
            reason => out.write_str(sentence(reason)),
        }
    }
}

/// What there is to say of a reason alone.
fn sentence(reason: &str) -> &'static str {
    match reason {
        "computing" => {
            "a miss that waits: somebody is computing it at this moment, and the value will be shared"
        }
        "refused" => {
            "past the cache: an argument is beyond what a key may be; it is computed every time"
        }
        "expired" => "a miss: its entry has expired; a longer `ttl` would keep it",
        "evicted" => "a miss: its entry made room for others; a larger `max_entries` would keep it",
        "cleared" => "a miss: all entries were made gone, and the next call computes it",
        "marked_stale" => {
            "a miss: its entry was demoted by `mark_stale`, and the next call computes it anew"
        }
        "not_storable" => {
            "a miss: its value was computed and not stored; look at `when`, `cache_none`, its own ttl and `read_only`"
        }
        "never_stored" => "a miss: nothing was ever stored for it; the next call computes it",
        _ => "a miss: it is not there, and nothing is remembered of why; the next call computes it",
    }
}

impl<K: Key, V: Clone> Home<K, V> {
    /// What is known of an entry; counts, touches and computes nothing.
    fn explain(&self, hash: u64, key: &K) -> Explanation {
        let Self { engine, scope, .. } = self;
        let trace = engine.trace(scope, hash, key);
        let (age, ttl) = trace.times();
        let Ahead {
            refresh,
            stale,
            fallback,
            retry,
        } = engine.ahead(scope, hash, key);
        // What is ours among tags is nobody's to know.
        let by = trace.by().map(|by| match is_own(by) {
            true => "invalidate",
            false => by,
        });
        Explanation {
            status: match trace.name() {
                "fresh" | "remembered" => "hit",
                "stale" | "held" => "stale",
                "computing" => "follower",
                _ => "miss",
            },
            reason: trace.name(),
            by: by.map(str::to_owned),
            age,
            ttl,
            refresh_in: refresh,
            stale_for: stale,
            fallback_for: fallback,
            retry_in: retry,
        }
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// Why a call for `key` would be a hit or a miss. It counts, touches and computes nothing. Of an entry that has left memory a typed
    /// cache remembers nothing, so that its reason is `"unknown"`.
    ///
    /// ```
    /// let users = everwarm::Cache::builder("users").tags(|id: &u64| [format!("user:{id}")]).build()?;
    /// users.set(7, "Ada");
    /// assert_eq!(users.explain(&7).status, "hit");
    /// users.invalidate_tags(["user:7"]);
    /// let told = users.explain(&7);
    /// assert_eq!((told.status, told.reason, told.by.as_deref()), ("miss", "invalidated", Some("user:7")));
    /// assert_eq!(told.to_string(), r#"a miss: its tag "user:7" was invalidated, and the next call computes it"#);
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn explain<Q>(&self, key: &Q) -> Explanation
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.home.explain(self.hash(key), &Typed(key.to_owned()))
    }
}

impl<R: Shared> Function<R> {
    /// Why a call would be a hit or a miss. It counts, touches and computes nothing.
    pub fn explain(&'static self, write: Writing<'_>) -> Explanation {
        match self.keyed(write) {
            Ok((hash, key)) => self.home().explain(hash, &key),
            Err(_) => Explanation::REFUSED,
        }
    }
}
