//! Leads: who holds one computes, and says how it ended.

use std::sync::Arc;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::flight::LeadId;

use crate::cache::Cache;
use crate::entry::{Entry, Key};
use crate::flights::{Flight, Outcome};
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
    /// Whether the value may be stored at all.
    pub store: bool,
}

impl Default for Settle<'_> {
    fn default() -> Self {
        Self {
            deadline: Instant::NEVER,
            tags: &[],
            store: true,
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
        self.ended = true;
        if self.flight.process.is_parent() {
            return Settled { stored: false };
        }
        let from_result = self.cache.authority.intern(settle.tags);
        let stored = self.leave_seat(settle.store.then_some((
            &value,
            settle.deadline,
            &from_result,
        )));
        self.flight.end(Outcome::Landed(value, from_result));
        waits::ended(self.flight.lead);
        Settled { stored }
    }

    /// Ends the computation with an error, which those who wait share; nothing is stored.
    pub fn fail(mut self, error: E) {
        self.end(Outcome::Failed(error));
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
    fn leave_seat(&self, value: Option<(&V, Instant, &Tags)>) -> bool {
        let (flight, cache) = (&self.flight, &*self.cache);
        let mut seats = cache.seats(flight.hash);
        let seat = seats.unseat(flight);
        let sits = seat.is_some() || cache.keeps_doomed();
        let entry = value.filter(|_| sits).and_then(|value| self.entry(value));
        let key = flight.key.clone();
        let departed = entry.map(|entry| cache.store(&flight.scope, flight.hash, key, entry));
        drop(seats);
        let stored = departed.is_some();
        if let Some(departed) = departed {
            cache.let_go(&flight.scope, departed);
        }
        stored
    }

    /// The value as an entry with its deadline, unless an invalidation met it since the computation began.
    fn entry(&self, value: (&V, Instant, &Tags)) -> Option<(Entry<V>, Instant)> {
        let (value, deadline, from_result) = value;
        let (stamp, scope) = (self.flight.stamp, &self.flight.scope);
        let tags = tags::union(&self.flight.tags, from_result);
        let valid = self.cache.authority.allows(stamp, &scope.mark, &tags);
        valid.then(|| {
            let (value, written) = (value.clone(), self.cache.ticker.now());
            (
                Entry {
                    value,
                    stamp,
                    written,
                    tags,
                },
                deadline,
            )
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
        let cache = Cache::<Only, u8, ()>::new(Bounds { max_entries }, Ticker::system());
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
        let ends: [End; 3] = [
            |lead, _| lead.fail(()),
            |lead, _| drop(lead),
            |lead, settle| assert_eq!(lead.settle(1, settle).stored, settle.store),
        ];
        let kept = (ends[2], Settle::default());
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
