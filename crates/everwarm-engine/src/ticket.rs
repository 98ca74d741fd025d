//! Tickets: who holds one waits for somebody else's computation, as a parked thread or an awaiting task.

use std::sync::Arc;
use std::task::Waker;

use everwarm_core::flight::LeadId;
use everwarm_core::generation::{Stamp, outdated_for};

use crate::cache::Cache;
use crate::entry::Key;
use crate::flights::{Flight, Outcome};
use crate::tags::{Tags, markers};
use crate::waits::{Caller, Wait};

/// A place among those who wait for a computation. Dropping it gives the place up.
#[must_use = "dropping a ticket gives up the wait"]
pub struct Ticket<K: Key, V: Clone, E: Clone> {
    cache: Arc<Cache<K, V, E>>,
    flight: Arc<Flight<K, V, E>>,
    joined: Stamp,
    /// Whether the old value will do, if the computation fails.
    takes_old: bool,
    place: Option<usize>,
    wait: Option<Wait>,
}

/// How a wait ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival<V, E> {
    /// With the leader's value.
    Value(V),
    /// With the old value, since the computation failed.
    Stale(V),
    /// With the leader's error.
    Failed(E),
    /// Without: begin again, with [`Ask::again`](crate::Ask::again) set.
    Again,
}

impl<K: Key, V: Clone, E: Clone> Ticket<K, V, E> {
    pub(crate) fn new(
        cache: Arc<Cache<K, V, E>>,
        flight: Arc<Flight<K, V, E>>,
        (joined, takes_old): (Stamp, bool),
        wait: Wait,
    ) -> Self {
        Self {
            cache,
            flight,
            joined,
            takes_old,
            place: None,
            wait: Some(wait),
        }
    }

    /// Has `waker` called when the computation has ended, at once if it has; it replaces the one given before.
    pub fn register(&mut self, waker: Waker) {
        self.flight.register(&mut self.place, waker);
    }

    /// How the wait ended, if it has.
    pub fn try_arrive(&mut self) -> Option<Arrival<V, E>> {
        if self.flight.process.is_parent() {
            return Some(Arrival::Again);
        }
        let arrival = self.flight.outcome(|outcome| match outcome {
            Outcome::Landed(_, tags) if self.is_outdated(tags) => Arrival::Again,
            Outcome::Landed(value, _) => Arrival::Value(value.clone()),
            Outcome::FellBack(value, _) if self.takes_old => Arrival::Stale(value.clone()),
            Outcome::Failed(error) | Outcome::FellBack(_, error) => Arrival::Failed(error.clone()),
            Outcome::Gone => Arrival::Again,
        })?;
        self.wait = None;
        if matches!(arrival, Arrival::Stale(_)) {
            self.flight.scope.counters.recount_follower_as_stale();
        }
        Some(arrival)
    }

    /// The wait of a caller that asked as one that blocks no thread, and blocks it from here on; false if that would close a
    /// circle, so that it must not wait. A caller that leads some keys and waits for others settles what it leads before.
    pub fn block(&mut self, caller: &Caller<'_>) -> bool {
        self.wait = None;
        self.wait = Wait::begin(caller, self.flight.lead);
        self.wait.is_some()
    }

    /// Supersedes the flight: whoever waits for it is told to begin again, this caller too, and its late value goes to its
    /// leader only. For a leader that died, or a wait that took too long.
    pub fn take_over(self) {
        if self.flight.process.is_parent() {
            return;
        }
        let seat = self.cache.seats(self.flight.hash).unseat(&self.flight);
        // Whoever has lost the seat or the followers is late, even if both went to different hands.
        if self.flight.end(Outcome::Gone) || seat.is_some() {
            self.flight.scope.counters.takeovers.bump();
        }
    }

    /// The lead that is waited for.
    #[must_use]
    pub fn leader(&self) -> LeadId {
        self.flight.lead
    }

    /// The thread that hosts the computation.
    #[must_use]
    pub fn host(&self) -> u64 {
        self.flight.thread
    }

    /// Whether a tag that only the result named met an invalidation that this caller came after. What was known on
    /// joining was looked at then.
    fn is_outdated(&self, from_result: &Tags) -> bool {
        outdated_for(self.joined, self.flight.stamp, markers(from_result))
    }
}

impl<K: Key, V: Clone, E: Clone> Drop for Ticket<K, V, E> {
    fn drop(&mut self) {
        if let (Some(place), false) = (self.place, self.flight.process.is_parent()) {
            self.flight.deregister(place);
        }
    }
}

impl<K: Key, V: Clone, E: Clone> std::fmt::Debug for Ticket<K, V, E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_tuple("Ticket")
            .field(&self.flight.lead)
            .finish()
    }
}
