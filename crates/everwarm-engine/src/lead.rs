//! Leads: who holds one computes, and says how it ended.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::flight::LeadId;
use everwarm_core::generation::Stamp;
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::Policy;

use crate::cache::Cache;
use crate::departures::Reason;
use crate::entry::{Entry, Key};
use crate::flights::{Flight, Outcome};
use crate::listener::Incoming;
use crate::scope::Scope;
use crate::tags::{self, Negative, Tags};
use crate::ticket::Ticket;
use crate::waits::{self, Caller, Wait};
use crate::windows::{self, Offer, Old, Served};

/// The right and the duty to compute one key's value.
///
/// Settling or failing ends it; dropping it hands the work over: all who wait wake, and the first of them to run begins anew.
#[must_use = "dropping a lead hands the computation over"]
pub struct Lead<K: Key, V: Clone, E: Clone> {
    cache: Arc<Cache<K, V, E>>,
    flight: Arc<Flight<K, V, E>>,
    /// What was there before.
    old: Option<Old<V>>,
    /// How many failures in a row came before.
    negatives: u32,
    /// Whether nobody waits for it at first: its caller was given the old value.
    is_behind: bool,
    /// Whether it may wait for who computes elsewhere.
    waits: bool,
    ended: bool,
}

/// How a computation began.
pub(crate) struct Begun<'a, K> {
    pub(crate) stamp: Stamp,
    pub(crate) scope: &'a Scope,
    pub(crate) key: &'a K,
    pub(crate) tags: &'a Tags,
}

/// How a value is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Settle<'a> {
    /// The value's life.
    pub lifetime: Lifetime,
    /// What the value stands for, if for nothing or an error.
    pub negative: Option<Negative>,
    /// The tags that follow from the result.
    pub tags: &'a [Arc<str>],
    /// What the value weighs, in bytes; ignored in a cache that has no bound of bytes.
    pub weight: u64,
    /// Whether the value may be stored at all.
    pub store: bool,
    /// Whether it may not since it weighs too much.
    pub too_heavy: bool,
    /// How old the value is already: a store had it.
    pub age: Duration,
    /// What is said of the value, for the computation that follows.
    pub etag: Option<&'a Arc<str>>,
}

impl Settle<'_> {
    /// Why there is no entry, where the value is not stored.
    pub(crate) const fn refusal(&self) -> Reason {
        if self.too_heavy {
            Reason::TooHeavy
        } else {
            Reason::NotStored
        }
    }
}

impl Default for Settle<'_> {
    fn default() -> Self {
        Self {
            lifetime: Lifetime::ending(Instant::NEVER),
            negative: None,
            tags: &[],
            weight: 0,
            store: true,
            too_heavy: false,
            age: Duration::ZERO,
            etag: None,
        }
    }
}

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    /// Whether memory took it.
    pub stored: bool,
}

impl<K: Key, V: Clone, E: Clone> Lead<K, V, E> {
    pub(crate) fn new(cache: Arc<Cache<K, V, E>>, flight: Arc<Flight<K, V, E>>) -> Self {
        Self {
            cache,
            flight,
            old: None,
            negatives: 0,
            is_behind: false,
            waits: true,
            ended: false,
        }
    }

    /// The same lead, whose caller was given the old value.
    pub(crate) fn behind(mut self, old: Old<V>) -> Self {
        self.old = Some(old);
        self.is_behind = true;
        self
    }

    /// The same lead, which is to wait for nobody.
    pub(crate) const fn without_waiting(mut self) -> Self {
        self.waits = false;
        self
    }

    /// The same lead, after what there was.
    pub(crate) fn after(mut self, old: Option<Old<V>>, negatives: u32) -> Self {
        self.old = old;
        self.negatives = negatives;
        self
    }

    /// What was there before the computation, in one of its windows: whether it may be served is for
    /// [`fallback`](Self::fallback) to say.
    #[must_use]
    pub fn old(&self) -> Option<&Old<V>> {
        self.old.as_ref()
    }

    /// The old value, if it may be served at this moment: it is in one of its windows, and was not invalidated.
    #[must_use]
    pub fn fallback(&self) -> Option<Served<V>> {
        let (flight, old) = (&self.flight, self.old.as_ref()?);
        let sits = self.cache.seats(flight.hash).sits(flight);
        let key = (flight.hash, &flight.key);
        self.cache.serve_old(&flight.scope, key, old, sits)
    }

    /// Tells of a value that a store had: it is the old value if memory has none.
    pub fn offer(&mut self, offer: &Offer<'_, V>) {
        if self.old.is_none() {
            let begun = (self.flight.stamp, &self.flight.tags);
            self.old = Some(self.cache.offered(offer, begun));
        }
    }

    /// How many times in a row "nothing" or a remembered error came before, while the last of them is known.
    #[must_use]
    pub const fn negatives(&self) -> u32 {
        self.negatives
    }

    /// Whether the old value was served already, so that nobody waits for this computation at first.
    #[must_use]
    pub const fn is_behind(&self) -> bool {
        self.is_behind
    }

    /// Whether it may wait until others have computed the value, in stores or elsewhere. Not where its call is part of a computation of
    /// the same key that lost its seat, or that a circle of waits keeps from ending: what it waited for would wait for it.
    #[must_use]
    pub const fn waits(&self) -> bool {
        self.waits
    }

    /// The number of this lead, for the chains of calls that its computation makes.
    #[must_use]
    pub fn id(&self) -> LeadId {
        self.flight.lead
    }

    /// The computation goes on on this thread.
    pub fn move_to(&self, thread: u64) {
        if !self.flight.process.is_parent() {
            waits::moved(self.flight.lead, thread);
        }
    }

    /// Its caller was given the old value, and is counted so, before it ended.
    pub const fn leave_behind(&mut self) {
        self.is_behind = true;
    }

    /// The wait of the caller whose computation goes on elsewhere; None if that would close a circle.
    pub fn follow(&self, caller: &Caller<'_>) -> Option<Ticket<K, V, E>> {
        let wait = Wait::begin(caller, self.flight.lead)?;
        let (cache, flight) = (Arc::clone(&self.cache), Arc::clone(&self.flight));
        let joined = (flight.stamp, true);
        Some(Ticket::new(cache, flight, joined, wait))
    }

    /// Ends the computation with its value: those who wait get it, and memory if its key, scope and tags met no
    /// invalidation since it began and nobody took the seat.
    pub fn settle(mut self, value: V, settle: Settle<'_>) -> Settled {
        if self.flight.process.is_parent() {
            return Settled { stored: false };
        }
        let from_result = self.cache.authority.intern(settle.tags);
        let now = self.cache.ticker.now();
        let suspends = |tags| self.cache.authority.suspends(tags, now);
        let store = settle.store && !suspends(&self.flight.tags) && !suspends(&from_result);
        if !store {
            self.cache
                .departures
                .note(&self.flight.key, settle.refusal());
        }
        let stored = self.leave_seat(store.then_some((&value, settle, &from_result)));
        // Only here: where cloning the value panicked, dropping the lead hands over.
        self.ended = true;
        self.flight.end(Outcome::Landed(value, from_result));
        waits::ended(self.flight.lead);
        Settled { stored }
    }

    /// Ends the computation with an error, which those who wait share; nothing is stored.
    pub fn fail(mut self, error: E) {
        self.end(Outcome::Failed(error));
    }

    /// Ends the computation with an error, or with the old value where the policy lets it be served: then that is served without
    /// computing until its back-off ends.
    ///
    /// `covers` says whether the old value may stand for this error. Where it may not, a computation that was begun behind the old
    /// value's back, and so has nobody to give it to, leaves it held all the same.
    pub fn fall_back(mut self, error: E, policy: &Policy, covers: bool) -> Option<Served<V>> {
        let is_parent = self.flight.process.is_parent();
        let old = self
            .old
            .take()
            .filter(|_| !is_parent && (covers || self.is_behind));
        let Some(old) = old else {
            self.fail(error);
            return None;
        };
        let (flight, cache) = (Arc::clone(&self.flight), Arc::clone(&self.cache));
        let mut seats = cache.seats(flight.hash);
        let seat = seats.unseat(&flight);
        let sits = seat.is_some() && !cache.is_closed();
        let versions = sits.then_some(&mut seats.versions);
        let key = (flight.hash, &flight.key);
        let fallen = cache.fall_back(&flight.scope, key, &old, (policy, versions));
        drop(seats);
        self.ended = true;
        let Some((served, stored)) = fallen else {
            flight.end(Outcome::Failed(error));
            waits::ended(flight.lead);
            return None;
        };
        if let Some(stored) = stored {
            cache.let_go(&flight.scope, stored);
        }
        if !self.is_behind {
            flight.scope.counters.recount_as_stale();
        }
        flight.end(match covers {
            true => Outcome::FellBack(served.value.clone(), error),
            false => Outcome::Failed(error),
        });
        waits::ended(flight.lead);
        Some(served).filter(|_| covers)
    }

    /// Ends a computation that was begun behind the old value's back and that somebody else does: the old value is served without
    /// computing for this long. Who waits begins anew.
    pub fn defer(mut self, span: Duration) {
        let old = self.old.take().filter(|_| !self.flight.process.is_parent());
        if let Some(old) = old {
            let (flight, cache) = (&self.flight, &*self.cache);
            let mut seats = cache.seats(flight.hash);
            let sits = seats.unseat(flight).is_some() && !cache.is_closed();
            let until = cache.ticker.now().after(span);
            let key = (flight.hash, &flight.key);
            let stored = if sits {
                cache.hold(&flight.scope, key, &old, (until, &mut seats.versions))
            } else {
                None
            };
            drop(seats);
            if let Some(stored) = stored {
                cache.let_go(&flight.scope, stored);
            }
        }
    }

    /// Ends the computation with an error that is remembered: those who wait share it, and `value` stands for it in memory as
    /// `settle` says.
    pub fn remember(mut self, error: E, value: &V, settle: Settle<'_>) -> Settled {
        if self.flight.process.is_parent() {
            return Settled { stored: false };
        }
        let stored = self.leave_seat(settle.store.then_some((value, settle, &None)));
        self.ended = true;
        self.flight.end(Outcome::Failed(error));
        waits::ended(self.flight.lead);
        Settled { stored }
    }

    /// Ends a computation whose value is for its caller alone: nothing is stored, and who waits begins anew.
    pub fn withhold(self) {
        if !self.flight.process.is_parent() {
            let departures = &self.cache.departures;
            departures.note(&self.flight.key, Reason::NotStored);
        }
    }

    fn end(&mut self, outcome: Outcome<V, E>) {
        self.ended = true;
        if self.flight.process.is_parent() {
            return;
        }
        self.leave_seat(None);
        self.flight.end(outcome);
        waits::ended(self.flight.lead);
    }

    /// Leaves the seat, if it is still this flight's, and stores the value in the same step if it is still valid.
    fn leave_seat(&self, value: Option<(&V, Settle<'_>, &Tags)>) -> bool {
        let (flight, cache) = (&self.flight, &*self.cache);
        let mut seats = cache.seats(flight.hash);
        let seat = seats.unseat(flight);
        let sits = (seat.is_some() || cache.keeps_doomed()) && !cache.is_closed();
        let now = cache.ticker.now();
        let entry = value
            .filter(|_| sits)
            .and_then(|(value, settle, from_result)| {
                let written = seats.versions.next(now);
                let computed = (value.clone(), settle, from_result);
                cache.incoming(&self.begun(), computed, (written, now))
            });
        let key = flight.key.clone();
        let stored = entry.map(|entry| cache.store(&flight.scope, flight.hash, key, entry));
        drop(seats);
        stored.is_some_and(|stored| cache.let_go(&flight.scope, stored))
    }

    fn begun(&self) -> Begun<'_, K> {
        let flight = &self.flight;
        Begun {
            stamp: flight.stamp,
            scope: &flight.scope,
            key: &flight.key,
            tags: &flight.tags,
        }
    }
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// A computed value as an entry with its deadline, unless an invalidation met it since the computation began.
    #[inline]
    pub(crate) fn incoming(
        &self,
        begun: &Begun<'_, K>,
        (value, settle, from_result): (V, Settle<'_>, &Tags),
        (written, now): (Instant, Instant),
    ) -> Option<Incoming<V>> {
        let (stamp, scope) = (begun.stamp, begun.scope);
        let tags = tags::union(begun.tags, from_result);
        if let Some(reason) = self.authority.overtaken(stamp, &scope.mark, &tags) {
            self.departures.note(begun.key, reason);
            return None;
        }
        let tags = tags::with_etag(tags::with_age(tags, settle.age), settle.etag);
        let (tags, term) = match settle.negative {
            Some(negative) => windows::dated_negative(&tags, &settle.lifetime, negative),
            None => windows::dated(&tags, &settle.lifetime),
        };
        let entry = Entry {
            value,
            stamp,
            written,
            tags,
        };
        Some(Incoming {
            entry,
            term,
            weight: settle.weight,
            now,
        })
    }
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// Whether an invalidation met a computation without tags since it began, which is noted.
    #[inline]
    pub(crate) fn is_overtaken(&self, begun: &Begun<'_, K>) -> bool {
        let reason = self
            .authority
            .overtaken(begun.stamp, &begun.scope.mark, &None);
        if let Some(reason) = reason {
            self.departures.note(begun.key, reason);
            return true;
        }
        false
    }
}

impl<K: Key, V: Clone, E: Clone> Drop for Lead<K, V, E> {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Outcome::Gone);
        }
    }
}

impl<K: Key, V: Clone, E: Clone> std::fmt::Debug for Lead<K, V, E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("Lead")
            .field(&self.flight.lead)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use everwarm_memory::Bounds;

    use super::*;
    use crate::{Ask, Ticker, Turn};

    #[derive(Clone, PartialEq, Eq)]
    struct Only(u32);

    impl Key for Only {
        type Lock = crate::DefaultLock;

        fn scope(&self) -> u32 {
            self.0
        }
    }

    type End = fn(Lead<Only, u8, ()>, Settle<'_>);

    #[test]
    fn every_end_takes_the_lead_out_of_the_graph() {
        let max_entries = NonZeroUsize::MIN;
        let cache = Cache::<Only, u8, ()>::new(Bounds::entries(max_entries), Ticker::system());
        let scope = cache.scope();
        let key = Only(scope.id());
        let begin = || {
            let ask = Ask {
                scope: &scope,
                hash: 0,
                key: &key,
                tags: &[],
                caller: Caller::default(),
                again: false,
            };
            cache.begin(ask).expect("no wait for itself")
        };
        let refused = Settle {
            store: false,
            ..Settle::default()
        };
        let ends: [End; 4] = [
            |lead, _| lead.fail(()),
            |lead, _| drop(lead),
            |lead, _| lead.withhold(),
            |lead, settle| assert_eq!(lead.settle(1, settle).stored, settle.store),
        ];
        let kept = (ends[3], Settle::default());
        for (end, settle) in ends.map(|end| (end, refused)).into_iter().chain([kept]) {
            let Turn::Lead(lead) = begin() else {
                panic!("nobody else asks")
            };
            let id = lead.id();
            assert!(waits::runs(id));
            end(lead, settle);
            assert!(!waits::runs(id));
        }
        assert!(matches!(begin(), Turn::Hit(1)));
    }
}
