//! Leads: who holds one computes, and says how it ended.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::flight::LeadId;

use crate::cache::Cache;
use crate::departures::Reason;
use crate::entry::{Entry, Key};
use crate::flights::{Flight, Outcome};
use crate::listener::Incoming;
use crate::tags::{self, Tags};
use crate::waits;

/// The right and the duty to compute one key's value.
///
/// Settling or failing ends it; dropping it hands the work over: all who wait wake, and the first of them to run begins anew.
#[must_use = "dropping a lead hands the computation over"]
pub struct Lead<K: Key, V: Clone, E: Clone> {
    cache: Arc<Cache<K, V, E>>,
    flight: Arc<Flight<K, V, E>>,
    ended: bool,
}

/// How a value is to be kept.
#[derive(Clone, Copy, Debug)]
pub struct Settle<'a> {
    /// When the entry ends; [`Instant::NEVER`] for an entry that stays.
    pub deadline: Instant,
    /// The tags that follow from the result.
    pub tags: &'a [Arc<str>],
    /// What the value weighs, in bytes; ignored in a cache that has no bound of bytes.
    pub weight: u64,
    /// Whether the value may be stored at all.
    pub store: bool,
    /// How old the value is already: a store had it.
    pub age: Duration,
}

impl Default for Settle<'_> {
    fn default() -> Self {
        Self {
            deadline: Instant::NEVER,
            tags: &[],
            weight: 0,
            store: true,
            age: Duration::ZERO,
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
            ended: false,
        }
    }

    /// The number of this lead, for the chains of calls that its computation makes.
    #[must_use]
    pub fn id(&self) -> LeadId {
        self.flight.lead
    }

    /// Ends the computation with its value: those who wait get it, and memory if its key, scope and tags met no
    /// invalidation since it began and nobody took the seat.
    pub fn settle(mut self, value: V, settle: Settle<'_>) -> Settled {
        if self.flight.process.is_parent() {
            return Settled { stored: false };
        }
        if !settle.store {
            self.cache
                .departures
                .note(&self.flight.key, Reason::NotStored);
        }
        let from_result = self.cache.authority.intern(settle.tags);
        let stored = self.leave_seat(settle.store.then_some((&value, settle, &from_result)));
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
            .and_then(|value| self.entry(value, (seats.versions.next(now), now)));
        let key = flight.key.clone();
        let stored = entry.map(|entry| cache.store(&flight.scope, flight.hash, key, entry));
        drop(seats);
        stored.is_some_and(|stored| cache.let_go(&flight.scope, stored))
    }

    /// The value as an entry with its deadline, unless an invalidation met it since the computation began.
    fn entry(
        &self,
        value: (&V, Settle<'_>, &Tags),
        (written, now): (Instant, Instant),
    ) -> Option<Incoming<V>> {
        let (value, settle, from_result) = value;
        let (stamp, scope) = (self.flight.stamp, &self.flight.scope);
        let tags = tags::union(&self.flight.tags, from_result);
        if let Some(reason) = self.cache.authority.overtaken(stamp, &scope.mark, &tags) {
            self.cache.departures.note(&self.flight.key, reason);
            return None;
        }
        let entry = Entry {
            value: value.clone(),
            stamp,
            written,
            tags: tags::with_age(tags, settle.age),
        };
        Some(Incoming {
            entry,
            deadline: settle.deadline,
            weight: settle.weight,
            now,
        })
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
    use crate::{Ask, Caller, Ticker, Turn};

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
