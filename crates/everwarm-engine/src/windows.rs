//! Windows: what an entry is worth when it is no plain hit any more, and the old value that a lead falls back on.
//!
//! An entry with nothing but a ttl is over at the table's deadline. One with windows carries its life beside its tags; its
//! deadline in the table is the first instant at which anything but a plain hit is due, so that hits compare what they always
//! compare, and the table keeps it until the last window ends.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::draw::FixedDraw;
use everwarm_core::generation::Stamp;
use everwarm_core::judge::{Freshness, Judgement, Validity, judge};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::Policy;
use everwarm_core::settle::{Attempt, Fallback, Outcome, Settlement, settle};
use everwarm_core::using::Read;

use hashbrown::Equivalent;

use crate::begin::Ask;
use crate::cache::Cache;
use crate::entry::{Entry, Key, Term};
use crate::hit::{Finding, Left};
use crate::listener::{Incoming, Stored};
use crate::scope::Scope;
use crate::slide::Reader;
use crate::tags::{self, Negative, Tags};
use crate::version::Versions;

/// A value that is served although it is no plain hit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<V> {
    /// The value.
    pub value: V,
    /// Whether it is within its ttl.
    pub freshness: Freshness,
}

/// The value that was there before a computation.
#[derive(Clone, Debug)]
pub struct Old<V> {
    /// The value.
    pub value: V,
    /// How old it is.
    pub age: Duration,
    pub(crate) lifetime: Lifetime,
    stamp: Stamp,
    written: Instant,
    tags: Tags,
    /// What it weighs, if memory does not have it: a store had.
    offered: Option<u64>,
}

impl<V> Old<V> {
    /// What the computation of it said of it.
    #[must_use]
    pub fn etag(&self) -> Option<Arc<str>> {
        tags::etag(&self.tags)
    }

    /// Its tags.
    #[must_use]
    pub fn tags(&self) -> Vec<Arc<str>> {
        let tags = self.tags.as_ref();
        tags.map(|tags| tags.names()).unwrap_or_default()
    }

    /// Whether it still counts, where nothing was said against its key.
    fn validity(&self, is_valid: bool) -> Validity {
        match (is_valid, tags::is_stale(&self.tags)) {
            (false, _) => Validity::Invalid,
            (true, true) => Validity::Demoted,
            (true, false) => Validity::Valid,
        }
    }
}

/// A value that a store had, and that is old.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a, V> {
    /// The value.
    pub value: &'a V,
    /// Its life.
    pub lifetime: Lifetime,
    /// How old it is.
    pub age: Duration,
    /// Its tags, besides those of the flight.
    pub tags: &'a [Arc<str>],
    /// What it weighs.
    pub weight: u64,
}

/// What a caller that is no plain hit finds.
pub(crate) enum Sight<V> {
    /// Nothing to serve; so many failures in a row came before.
    Nothing(u32),
    /// A value to serve.
    Serve(V, Freshness),
    /// A value to serve, and it is time to compute it anew.
    Refresh(Freshness, Old<V>),
    /// A value to serve if the computation fails.
    IfError(Old<V>),
    /// An error that is remembered.
    Remembered(V),
}

/// An old value in place of a failure, and what came of having memory hold it.
type Fallen<K, V> = (Served<V>, Option<Stored<K, V>>);

/// How an entry of this life is dated in the table, and its tags with what the windows need to know.
pub(crate) fn dated(tags: &Tags, lifetime: &Lifetime) -> (Tags, Term) {
    let windows = lifetime.has_windows().then_some(*lifetime);
    (tags::with_lifetime(tags, windows), term(tags, lifetime))
}

/// As [`dated`], for an entry that stands for nothing or an error: it is kept for as long again as it counts, so that the next
/// in a row is known to be one. Of an error no hit may hear: it is one that has to look closer from the beginning.
pub(crate) fn dated_negative(tags: &Tags, lifetime: &Lifetime, negative: Negative) -> (Tags, Term) {
    let end = lifetime.fresh_until();
    let term = Term {
        deadline: if negative.is_error {
            Instant::ZERO
        } else {
            end
        },
        keep_until: end.after(end.since(lifetime.written())),
    };
    let tags = tags::with_lifetime(tags, Some(*lifetime));
    (tags::with_negative(&tags, negative), term)
}

/// How an entry of this life with these tags is dated in the table.
pub(crate) fn term(tags: &Tags, lifetime: &Lifetime) -> Term {
    let demoted = tags::is_stale(tags);
    Term {
        deadline: if demoted {
            Instant::ZERO
        } else {
            lifetime.serve_until()
        },
        keep_until: lifetime.keep_until(),
    }
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// As [`judge`](Self::judge), for a reader who has time: an entry past its deadline may have windows.
    pub(crate) fn judge_closely(
        &self,
        scope: &Scope,
        entry: &mut Entry<V>,
        deadline: Instant,
    ) -> Finding {
        let finding = self.judge(scope, entry, deadline);
        match tags::lifetime(&entry.tags) {
            Some(lifetime) if finding == Finding::Expired => {
                let lifetime = *lifetime;
                self.judge_in_windows(scope, entry, &lifetime)
            }
            _ => finding,
        }
    }

    fn judge_in_windows(
        &self,
        scope: &Scope,
        entry: &mut Entry<V>,
        lifetime: &Lifetime,
    ) -> Finding {
        // Whether it is valid is asked as of an entry without an end.
        if self.judge(scope, entry, Instant::NEVER) == Finding::Invalid {
            return Finding::Invalid;
        }
        let now = self.ticker.now();
        if let Some(negative) = tags::negative(&entry.tags) {
            return match negative.is_error && now < lifetime.fresh_until() {
                true => Finding::Remembered,
                false => Finding::Expired,
            };
        }
        let validity = if tags::is_stale(&entry.tags) {
            Validity::Demoted
        } else {
            Validity::Valid
        };
        match judge(lifetime, now, validity) {
            Judgement::Gone => Finding::Expired,
            judgement => Finding::InWindow(judgement),
        }
    }

    /// The value for a call that is to be served without computing, unless it was written before `since`: also a stale one in the
    /// window in which it is served. Counted as what it is; an absence counts nothing, and what is over leaves.
    pub fn take<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        hash: u64,
        key: &Q,
        since: Instant,
    ) -> Option<Served<V>> {
        let mut found = self.memory.find(hash, key)?;
        let shard = found.shard();
        let (entry, deadline) = found.content();
        let finding = self.judge_closely(scope, entry, deadline);
        let freshness = match finding {
            Finding::Fresh => Freshness::Fresh,
            Finding::InWindow(
                Judgement::Serve(freshness) | Judgement::ServeAndRefresh(freshness),
            ) => freshness,
            _ => {
                self.leave_to_begin(scope, hash, found);
                return None;
            }
        };
        if entry.written < since {
            return None;
        }
        let value = entry.value.clone();
        match freshness {
            Freshness::Fresh => scope.counters.hit(shard),
            Freshness::Stale => scope.counters.stale.bump(),
        }
        self.slide(&mut found, (finding, Reader::Takes));
        found.touch();
        Some(Served { value, freshness })
    }

    /// The value that is kept in case of an error, for a call whose `read` takes it without computing, unless it was written before
    /// `since`. Counted as stale; an absence counts nothing and leaves everything as it is.
    pub fn take_old<Q: Equivalent<K> + ?Sized>(
        &self,
        scope: &Scope,
        (hash, key): (u64, &Q),
        read: Read,
        since: Instant,
    ) -> Option<V> {
        let mut found = self.memory.find(hash, key)?;
        let (entry, deadline) = found.content();
        let is_kept =
            self.judge_closely(scope, entry, deadline) == Finding::InWindow(Judgement::OnlyIfError);
        let lifetime = tags::lifetime(&entry.tags).filter(|_| is_kept)?;
        // What was old when it came from a store has been so for longer than is known here.
        let is_dated = lifetime.fresh_until() > lifetime.written();
        let is_taken = is_dated && read.takes_old(lifetime.fresh_until(), self.ticker.now());
        if !is_taken || entry.written < since {
            return None;
        }
        let value = entry.value.clone();
        scope.counters.stale.bump();
        found.touch();
        Some(value)
    }

    /// What a call that is no plain hit finds in memory, and the entry that it found to be over.
    pub(crate) fn sight(
        &self,
        ask: &Ask<'_, K>,
        since: Instant,
        versions: &Versions,
    ) -> (Sight<V>, Option<Left<K, V>>) {
        let Some(mut found) = self.memory.find(ask.hash, ask.key) else {
            return (Sight::Nothing(0), None);
        };
        let (shard, is_kept) = (found.shard(), found.kept_until() > self.ticker.now());
        let (entry, deadline) = found.content();
        let finding = self.judge_closely(ask.scope, entry, deadline);
        if finding.is_over() {
            let in_a_row = is_kept && finding == Finding::Expired;
            let row = tags::negative(&entry.tags).filter(|_| in_a_row);
            let left = Left::new(found, finding);
            return (
                Sight::Nothing(row.map_or(0, |negative| negative.row)),
                Some(left),
            );
        }
        if entry.written < since {
            return (Sight::Nothing(0), None);
        }
        let sight = self.sight_of(entry, finding, versions);
        let is_hit = !matches!(
            sight,
            Sight::IfError(_)
                | Sight::Serve(_, Freshness::Stale)
                | Sight::Refresh(Freshness::Stale, _)
        );
        if is_hit && !ask.again {
            ask.scope.counters.hit(shard);
        }
        self.slide(&mut found, (finding, Reader::Computes));
        found.touch();
        (sight, None)
    }

    fn sight_of(&self, entry: &Entry<V>, finding: Finding, versions: &Versions) -> Sight<V> {
        match finding {
            Finding::Remembered => Sight::Remembered(entry.value.clone()),
            Finding::InWindow(Judgement::Serve(freshness)) => {
                Sight::Serve(entry.value.clone(), freshness)
            }
            Finding::InWindow(Judgement::ServeAndRefresh(freshness)) => {
                Sight::Refresh(freshness, self.old(entry, versions))
            }
            Finding::InWindow(Judgement::OnlyIfError | Judgement::Gone) => {
                Sight::IfError(self.old(entry, versions))
            }
            Finding::Fresh | Finding::Expired | Finding::Invalid => {
                Sight::Serve(entry.value.clone(), Freshness::Fresh)
            }
        }
    }

    fn old(&self, entry: &Entry<V>, versions: &Versions) -> Old<V> {
        let lifetime = tags::lifetime(&entry.tags).copied();
        let lifetime = lifetime.unwrap_or(Lifetime::endless(entry.written));
        Old {
            value: entry.value.clone(),
            age: versions.since(entry.written, self.ticker.now()) + tags::age(&entry.tags),
            lifetime,
            stamp: entry.stamp,
            written: entry.written,
            tags: entry.tags.clone(),
            offered: None,
        }
    }

    /// An old value that a store had, for a computation that began at `stamp` under these tags.
    pub(crate) fn offered(&self, offer: &Offer<'_, V>, (stamp, tags): (Stamp, &Tags)) -> Old<V> {
        let tags = tags::union(tags, &self.authority.intern(offer.tags));
        Old {
            value: offer.value.clone(),
            age: offer.age,
            lifetime: offer.lifetime,
            stamp,
            written: Instant::ZERO,
            tags: tags::with_age(tags, offer.age),
            offered: Some(offer.weight),
        }
    }

    /// Whether the old value of a flight that still sits, or does not, counts at this moment.
    fn validity_of(
        &self,
        scope: &Scope,
        (hash, key): (u64, &K),
        old: &Old<V>,
        sits: bool,
    ) -> Validity {
        // Who has lost the seat may have lost it to a deletion: only what memory still has was not met by one.
        let is_there = sits || {
            let (there, _) = self.memory.look(hash, key, |entry, _, _| {
                everwarm_memory::Look::Keep(entry.written == old.written)
            });
            there == Some(true)
        };
        old.validity(is_there && self.authority.allows(old.stamp, &scope.mark, &old.tags))
    }

    /// The old value, if it may be served at this moment.
    pub(crate) fn serve_old(
        &self,
        scope: &Scope,
        (hash, key): (u64, &K),
        old: &Old<V>,
        sits: bool,
    ) -> Option<Served<V>> {
        let validity = self.validity_of(scope, (hash, key), old, sits);
        let freshness = match judge(&old.lifetime, self.ticker.now(), validity) {
            Judgement::Gone => return None,
            Judgement::Serve(freshness) | Judgement::ServeAndRefresh(freshness) => freshness,
            Judgement::OnlyIfError => Freshness::Stale,
        };
        Some(Served {
            value: old.value.clone(),
            freshness,
        })
    }

    /// The old value in place of a failed computation, if the policy lets it be served. A flight that sits, whose seats are locked,
    /// has the entry held until the back-off ends.
    pub(crate) fn fall_back(
        &self,
        scope: &Scope,
        (hash, key): (u64, &K),
        old: &Old<V>,
        (policy, sits): (&Policy, Option<&mut Versions>),
    ) -> Option<Fallen<K, V>> {
        let served = self.serve_old(scope, (hash, key), old, sits.is_some())?;
        let attempt = Attempt {
            fallback: Some(Fallback {
                lifetime: old.lifetime,
                validity: old.validity(true),
            }),
            keep: sits.is_some(),
            ..Attempt::first(Instant::ZERO)
        };
        let outcome = Outcome::Failed { remembered: false };
        let now = self.ticker.now();
        match settle(outcome, &attempt, policy, now, &FixedDraw(0.0)) {
            Settlement::ServeFallback { until } => {
                let stored =
                    sits.and_then(|versions| self.hold(scope, (hash, key), old, (until, versions)));
                Some((served, stored))
            }
            _ => None,
        }
    }

    /// Has the old value served without computing until then. What memory does not have it is given.
    pub(crate) fn hold(
        &self,
        scope: &Scope,
        (hash, key): (u64, &K),
        old: &Old<V>,
        (until, versions): (Instant, &mut Versions),
    ) -> Option<Stored<K, V>> {
        let held = old.lifetime.held_until(until);
        let (tags, term) = dated(&old.tags, &held);
        if let Some(mut found) = self.memory.find(hash, key) {
            let (entry, _) = found.content();
            if entry.written == old.written && tags::is_stale(&entry.tags) == tags::is_stale(&tags)
            {
                let before = std::mem::replace(&mut entry.tags, tags);
                found.redate_and_keep(term.deadline, term.keep_until);
                drop(found);
                drop(before);
            }
            return None;
        }
        let weight = old.offered?;
        let now = self.ticker.now();
        let entry = Entry {
            value: old.value.clone(),
            stamp: old.stamp,
            written: versions.next(now),
            tags,
        };
        let incoming = Incoming {
            entry,
            term,
            weight,
            now,
        };
        Some(self.store(scope, hash, key.clone(), incoming))
    }
}
