//! Computations of a caller on its own thread, for a key that memory does not have: most end before anybody else asks.
//!
//! Such a leader sits alone: the seat holds its number and its key, and nothing is shared. Who comes to wait makes a
//! [flight](crate::flights) of that, and the leader finds it by its number when it ends. It is not in the graph of waits
//! either: it is on the chain of every call that its thread makes until it ends, which is all that the graph would tell.

use std::mem::ManuallyDrop;
use std::sync::Arc;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::flight::LeadId;
use everwarm_core::generation::Stamp;

use crate::begin::Ask;
use crate::cache::Cache;
use crate::entry::Key;
use crate::flights::{Flight, Outcome, Seats};
use crate::hit::Absence;
use crate::lead::{Begun, Settle, Settled};
use crate::listener::{self, Incoming};
use crate::process::Process;
use crate::scope::Scope;
use crate::shim::MutexGuard;
use crate::tags::Tags;
use crate::waits;

/// What a seat knows of a leader that nobody follows.
pub(crate) struct Lone<K> {
    pub(crate) lead: LeadId,
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) stamp: Stamp,
    pub(crate) thread: u64,
    pub(crate) process: Process,
}

/// How a value is kept of which there is nothing to say but when it ends.
#[derive(Clone, Copy, Debug)]
pub struct Plain {
    /// The clock's reading.
    pub now: Instant,
    /// When it is over.
    pub end: Instant,
    /// What the value weighs, in bytes; ignored in a cache that has no bound of bytes.
    pub weight: u64,
}

/// The right and the duty to compute one key's value on the thread that has it, as a [`Lead`](crate::Lead) is for any thread.
///
/// Settling or failing ends it; dropping it hands the work over.
#[must_use = "dropping it hands the computation over"]
pub struct Sitting<'a, K: Key, V: Clone, E: Clone> {
    cache: &'a Cache<K, V, E>,
    scope: &'a Arc<Scope>,
    hash: u64,
    /// The shard of its key, and how many entries had come into it when it sat down: there was none of its key.
    shard: usize,
    arrivals: u64,
    key: &'a K,
    lead: LeadId,
    stamp: Stamp,
    process: Process,
    ended: bool,
    /// What those who wait made of it: known at the end.
    flight: Option<Arc<Flight<K, V, E>>>,
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// The right to compute on this thread, if nothing is there and nobody computes; else [`begin`](Self::begin) says whose turn
    /// it is. Counted as a miss.
    ///
    /// Until it ends its [number](Sitting::id) has to be in the chain of every call that this thread makes.
    /// Where `absence` still holds memory is not looked at again: all that comes into it comes under the lock of the seats.
    #[inline(always)]
    pub fn sit<'a>(&'a self, ask: Ask<'a, K>, absence: Absence) -> Option<Sitting<'a, K, V, E>> {
        let Ask {
            scope, hash, key, ..
        } = ask;
        // Before anything else, so that no invalidation from here on is overlooked.
        let stamp = self.authority.stamp();
        if !ask.tags.is_empty() || ask.again || self.sample.holds(hash) || self.is_closed() {
            return None;
        }
        let (lead, process) = (waits::alone(), Process::current());
        let lone = Lone {
            lead,
            hash,
            key: key.clone(),
            stamp,
            thread: ask.caller.thread,
            process,
        };
        let shard = self.memory.shard_of(hash);
        let mut seats = self.flights.lock(shard);
        let arrivals = self.memory.arrivals(shard);
        let is_absent = absence.arrivals() == arrivals || self.memory.find(hash, key).is_none();
        if !is_absent || !seats.sit(lone) {
            return None;
        }
        scope.counters.sat(shard);
        drop(seats);
        Some(Sitting {
            cache: self,
            scope,
            hash,
            shard,
            arrivals,
            key,
            lead,
            stamp,
            process,
            ended: false,
            flight: None,
        })
    }
}

impl<'a, K: Key, V: Clone, E: Clone> Sitting<'a, K, V, E> {
    /// The number of this lead, for the chains of calls that its computation makes.
    #[must_use]
    pub const fn id(&self) -> LeadId {
        self.lead
    }

    /// Ends the computation with its value, as [`Lead::settle`](crate::Lead::settle) does.
    pub fn settle(self, value: &V, settle: Settle<'_>) -> Settled {
        let cache = self.cache;
        let from_result = cache.authority.intern(settle.tags);
        let now = cache.ticker.now();
        let store = settle.store && !cache.authority.suspends(&from_result, now);
        if !store && !self.process.is_parent() {
            cache.departures.note(self.key, settle.refusal());
        }
        let tags = from_result.clone();
        self.land(
            (value, from_result),
            (store, now),
            |begun, value, written| cache.incoming(begun, (value, settle, &tags), (written, now)),
        )
    }

    /// As [`settle`](Self::settle), of a value that is kept, without tags, and has nothing but an end.
    #[inline(always)]
    pub fn keep(self, value: &V, plain: Plain) -> Settled {
        let (cache, scope) = (self.cache, self.scope);
        if self.process.is_parent() {
            return self.keep_in_company(value, plain);
        }
        // Where cloning the value panics, dropping this hands over.
        let kept = value.clone();
        let mut seats = cache.flights.lock(self.shard);
        let Some(key) = seats.leave_alone(self.lead) else {
            drop(seats);
            return self.keep_in_company(value, plain);
        };
        // It ended, and there is no flight.
        let Self {
            stamp,
            shard,
            hash,
            arrivals,
            key: lent,
            ..
        } = *ManuallyDrop::new(self);
        let begun = Begun {
            stamp,
            scope,
            key: lent,
            tags: &None,
        };
        if cache.is_closed() || cache.is_overtaken(&begun) {
            drop(seats);
            return Settled { stored: false };
        }
        let written = seats.versions.next(plain.now);
        let incoming = Incoming::plain((kept, stamp), written, plain);
        // As long as it sat the sample may have been given its hash.
        let vacancy = match cache.sample.holds(hash) {
            true => None,
            false => cache.memory.vacancy(shard, arrivals),
        };
        let Some(vacancy) = vacancy else {
            let stored = cache.store(scope, hash, key, incoming);
            drop(seats);
            let stored = cache.let_go(scope, stored);
            return Settled { stored };
        };
        let gone = listener::enter(vacancy, (scope, shard), (hash, key), incoming);
        drop(seats);
        if let Some(gone) = &gone {
            cache.let_go_of_gone(scope, gone);
        }
        Settled { stored: true }
    }

    /// As [`keep`](Self::keep), where it does not sit alone any more.
    #[cold]
    fn keep_in_company(self, value: &V, plain: Plain) -> Settled {
        let cache = self.cache;
        self.land((value, None), (true, plain.now), |begun, value, written| {
            let stays = !cache.is_overtaken(begun);
            stays.then(|| Incoming::plain((value, begun.stamp), written, plain))
        })
    }

    /// Leaves the seat with a value, which is stored as what `incoming` makes of it if the seat was held to the end.
    #[inline]
    fn land(
        mut self,
        (value, from_result): (&V, Tags),
        (store, now): (bool, Instant),
        incoming: impl FnOnce(&Begun<'_, K>, V, Instant) -> Option<Incoming<V>>,
    ) -> Settled {
        if self.process.is_parent() {
            self.ended = true;
            return Settled { stored: false };
        }
        let (cache, scope) = (self.cache, self.scope);
        // Where cloning the value panics, dropping this hands over.
        let kept = store.then(|| value.clone());
        let (mut seats, sat) = self.leave();
        let given = self.flight.as_ref().map(|_| value.clone());
        let key = sat.or_else(|| cache.keeps_doomed().then(|| self.key.clone()));
        let begun = Begun {
            stamp: self.stamp,
            scope,
            key: self.key,
            tags: &None,
        };
        let stored = kept
            .zip(key)
            .filter(|_| !cache.is_closed())
            .and_then(|(value, key)| {
                let written = seats.versions.next(now);
                let incoming = incoming(&begun, value, written)?;
                Some(cache.store(scope, self.hash, key, incoming))
            });
        drop(seats);
        let stored = stored.is_some_and(|stored| cache.let_go(scope, stored));
        if let Some((flight, value)) = self.flight.as_ref().zip(given) {
            flight.end(Outcome::Landed(value, from_result));
        }
        Settled { stored }
    }

    /// Ends the computation with an error, which those who wait share; nothing is stored.
    pub fn fail(mut self, error: impl FnOnce() -> E) {
        if self.process.is_parent() {
            self.ended = true;
            return;
        }
        drop(self.leave());
        if let Some(flight) = &self.flight {
            flight.end(Outcome::Failed(error()));
        }
    }

    /// Leaves the seat, and learns whether somebody waits. What is returned is the lock of the seats, and the key if it sat to the end.
    fn leave(&mut self) -> (MutexGuard<'a, Seats<K, V, E>>, Option<K>) {
        let mut seats = self.cache.seats(self.hash);
        let (key, flight) = seats.leave((self.hash, self.lead));
        (self.ended, self.flight) = (true, flight);
        (seats, key)
    }
}

impl<K: Key, V: Clone, E: Clone> Drop for Sitting<'_, K, V, E> {
    fn drop(&mut self) {
        if !self.ended && !self.process.is_parent() {
            drop(self.leave());
        }
        if let Some(flight) = &self.flight {
            flight.end(Outcome::Gone);
        }
    }
}

impl<K: Key, V: Clone, E: Clone> std::fmt::Debug for Sitting<'_, K, V, E> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Sitting").field(&self.lead).finish()
    }
}
