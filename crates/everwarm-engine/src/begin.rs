//! The turn of a call that memory did not answer: a hit after all, the lead, a wait, or a computation alone.

use std::sync::Arc;

use everwarm_core::clock::Instant;
use everwarm_core::flight::{LeadId, Seat, State, seat};
use everwarm_core::generation::Stamp;
use everwarm_core::judge::Freshness;

use crate::cache::Cache;
use crate::entry::Key;
use crate::flights::{Departure, Flight, Seats, Sitter};
use crate::hit::Left;
use crate::lead::Lead;
use crate::process::Process;
use crate::scope::Scope;
use crate::tags::Tags;
use crate::ticket::Ticket;
use crate::waits::{self, Caller, Wait};
use crate::windows::{Old, Sight};

/// What a caller asks for.
#[derive(Debug)]
pub struct Ask<'a, K> {
    /// The function, or the object API.
    pub scope: &'a Arc<Scope>,
    /// The key's hash.
    pub hash: u64,
    /// The key.
    pub key: &'a K,
    /// The tags that follow from the arguments.
    pub tags: &'a [Arc<str>],
    /// Who asks.
    pub caller: Caller<'a>,
    /// Whether this call asked before and was told to begin again: it is counted already.
    pub again: bool,
}

impl<K> Clone for Ask<'_, K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Ask<'_, K> {}

/// What a caller is to do.
pub enum Turn<K: Key, V: Clone, E: Clone> {
    /// Return this.
    Hit(V),
    /// Return this, which is stale: it is being computed anew, or is not to be yet.
    Stale(V),
    /// Return this, and compute it anew in the background. Whoever cannot drops the lead.
    HitAndLead(V, Freshness, Lead<K, V, E>),
    /// Raise this error, which is remembered.
    Remembered(V),
    /// Compute, for everybody who waits and for memory.
    Lead(Lead<K, V, E>),
    /// Wait for who computes.
    Wait(Ticket<K, V, E>),
    /// Compute for oneself, since waiting would close a circle or the cache is closed; nobody waits for it and it is not
    /// stored.
    Alone(Lead<K, V, E>),
}

/// The call asks for the key that its own computation is to give: it would wait for itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelfWait {
    /// The lead of that computation, one of the caller's chain.
    pub lead: LeadId,
}

impl std::fmt::Display for SelfWait {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the computation asks for its own key")
    }
}

impl std::error::Error for SelfWait {}

/// What a call found under its shard's lock.
enum Found<K, V, E> {
    Hit(V, Freshness),
    Behind(Freshness, Running<K, V, E>, Superseded<K, V, E>, Old<V>),
    Remembered(V),
    Itself(LeadId),
    Circle(Departure<K>),
    Ahead(Running<K, V, E>, Wait),
    Seat(Running<K, V, E>, Superseded<K, V, E>, Option<Old<V>>, u32),
}

type Running<K, V, E> = Arc<Flight<K, V, E>>;
type Superseded<K, V, E> = Option<Sitter<K, V, E>>;
type Look<K, V, E> = (
    Found<K, V, E>,
    Option<Left<K, V>>,
    // What was found and is of no use, to be dropped when no lock is held.
    Option<Old<V>>,
);

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// The turn of a call for which [`hit`](Self::hit) had nothing.
    ///
    /// # Errors
    /// [`SelfWait`] if the key is being computed by a lead of the caller's own chain.
    pub fn begin(self: &Arc<Self>, ask: Ask<'_, K>) -> Result<Turn<K, V, E>, SelfWait> {
        self.begin_since(ask, Instant::ZERO)
    }

    /// As [`begin`](Self::begin), for a call that takes no entry written before `since`: such an entry counts as absent, also
    /// when the computation fails, and is served to others until the lead settles.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub fn begin_since(
        self: &Arc<Self>,
        ask: Ask<'_, K>,
        since: Instant,
    ) -> Result<Turn<K, V, E>, SelfWait> {
        let departure = self.departure(&ask);
        if self.is_closed() {
            return Ok(Turn::Alone(self.bypass(&ask, departure)));
        }
        let stamp = departure.stamp;
        let (found, left, spare) = self.find_seat(&ask, departure, since);
        self.let_go_of_found(ask.scope, left);
        drop(spare);
        if !ask.again && self.sample.holds(ask.hash) {
            self.sampled(ask.scope, ask.hash, None);
        }
        let counters = &ask.scope.counters;
        if !ask.again {
            match &found {
                Found::Hit(_, Freshness::Fresh)
                | Found::Behind(Freshness::Fresh, ..)
                | Found::Remembered(_) => {}
                Found::Hit(_, Freshness::Stale) | Found::Behind(Freshness::Stale, ..) => {
                    counters.stale.bump();
                }
                Found::Itself(_) | Found::Circle(_) | Found::Ahead(..) | Found::Seat(..) => {
                    counters.misses.bump();
                }
            }
        }
        Ok(match found {
            Found::Hit(value, Freshness::Fresh) => Turn::Hit(value),
            Found::Hit(value, Freshness::Stale) => Turn::Stale(value),
            Found::Remembered(error) => Turn::Remembered(error),
            Found::Behind(freshness, flight, _superseded, old) => {
                counters.computations.bump();
                counters.refreshes.bump();
                let value = old.value.clone();
                let lead = Lead::new(Arc::clone(self), flight).behind(old);
                Turn::HitAndLead(value, freshness, lead)
            }
            Found::Itself(lead) => return Err(SelfWait { lead }),
            Found::Circle(departure) => {
                counters.cycles.bump();
                counters.computations.bump();
                Turn::Alone(Lead::new(Arc::clone(self), departure.depart()).without_waiting())
            }
            Found::Ahead(flight, wait) => {
                if !ask.again {
                    counters.followers.bump();
                }
                let takes_old = since == Instant::ZERO;
                Turn::Wait(Ticket::new(
                    Arc::clone(self),
                    flight,
                    (stamp, takes_old),
                    wait,
                ))
            }
            Found::Seat(flight, _superseded, old, negatives) => {
                counters.computations.bump();
                let is_again =
                    waits::computes(ask.caller.chain, waits::subject(ask.scope, ask.hash));
                let lead = Lead::new(Arc::clone(self), flight).after(old, negatives);
                Turn::Lead(match is_again {
                    true => lead.without_waiting(),
                    false => lead,
                })
            }
        })
    }

    /// The lead for a key whatever is there: a running flight gives its value to its own callers only, and an entry goes
    /// on being served until the lead settles. Counted as a bypass.
    pub fn refresh(self: &Arc<Self>, ask: Ask<'_, K>) -> Lead<K, V, E> {
        let departure = self.departure(&ask);
        let flight = departure.depart();
        let superseded = self.seats(ask.hash).seat(Arc::clone(&flight));
        drop(superseded);
        if !ask.again {
            ask.scope.counters.bypass.bump();
        }
        ask.scope.counters.computations.bump();
        Lead::new(Arc::clone(self), flight)
    }

    /// A computation of a cache that is closed.
    #[cold]
    fn bypass(self: &Arc<Self>, ask: &Ask<'_, K>, departure: Departure<K>) -> Lead<K, V, E> {
        if !ask.again {
            ask.scope.counters.bypass.bump();
        }
        ask.scope.counters.computations.bump();
        Lead::new(Arc::clone(self), departure.depart())
    }

    /// The lead of a computation beside the one that sits, for a call that [`begin`](Self::begin) refused and that may compute
    /// nevertheless: it is part of a computation that is paused, and that will go on only after this call.
    pub fn alone(self: &Arc<Self>, ask: Ask<'_, K>) -> Lead<K, V, E> {
        ask.scope.counters.cycles.bump();
        ask.scope.counters.computations.bump();
        Lead::new(Arc::clone(self), self.departure(&ask).depart()).without_waiting()
    }

    /// The stamp is read before anything else, so that no invalidation from here on is overlooked.
    fn departure(&self, ask: &Ask<'_, K>) -> Departure<K> {
        let stamp = self.authority.stamp();
        Departure {
            hash: ask.hash,
            key: ask.key.clone(),
            scope: Arc::clone(ask.scope),
            stamp,
            tags: self.authority.intern(ask.tags),
            thread: ask.caller.thread,
        }
    }

    /// Memory, then the seat, as one step: who settles stores and leaves the seat under the same lock.
    fn find_seat(
        &self,
        ask: &Ask<'_, K>,
        departure: Departure<K>,
        since: Instant,
    ) -> Look<K, V, E> {
        let mut seats = self.seats(ask.hash);
        let (sight, left) = self.sight(ask, since, &seats.versions);
        let ahead = seats.find((ask.hash, ask.key), ask.scope).cloned();
        let ahead = ahead.filter(|flight| self.may_be_joined(flight));
        let (old, negatives) = match sight {
            Sight::Serve(value, freshness) => return (Found::Hit(value, freshness), left, None),
            Sight::Remembered(error) => return (Found::Remembered(error), left, None),
            Sight::Refresh(freshness, old) => {
                let found = if ahead.is_some() {
                    Found::Hit(old.value, freshness)
                } else {
                    let flight = departure.depart();
                    let superseded = seats.seat(Arc::clone(&flight));
                    Found::Behind(freshness, flight, superseded, old)
                };
                return (found, left, None);
            }
            Sight::IfError(old) => (Some(old), 0),
            Sight::Nothing(negatives) => (None, negatives),
        };
        let Some(flight) = ahead else {
            let flight = departure.depart();
            let superseded = seats.seat(Arc::clone(&flight));
            return (Found::Seat(flight, superseded, old, negatives), left, None);
        };
        let lead = flight.lead;
        let found = if ask.caller.chain.contains(&lead) {
            Found::Itself(lead)
        } else if let Some(wait) = Wait::begin(&ask.caller, lead) {
            Found::Ahead(flight, wait)
        } else {
            Found::Circle(departure)
        };
        (found, left, old)
    }

    /// The lead of a key that nobody computes, for a caller who was given a stale value by stores and has it computed anew in the
    /// background; None if somebody computes it.
    pub fn lead_behind(self: &Arc<Self>, ask: Ask<'_, K>) -> Option<Lead<K, V, E>> {
        if self.is_closed() {
            return None;
        }
        let departure = self.departure(&ask);
        let mut seats = self.seats(ask.hash);
        if self.is_computing(&seats, (ask.hash, ask.key), ask.scope) {
            return None;
        }
        let (sight, left) = self.sight(&Ask { again: true, ..ask }, Instant::ZERO, &seats.versions);
        let flight = departure.depart();
        let superseded = seats.seat(Arc::clone(&flight));
        drop(seats);
        drop(superseded);
        self.let_go_of_found(ask.scope, left);
        ask.scope.counters.computations.bump();
        ask.scope.counters.refreshes.bump();
        let lead = Lead::new(Arc::clone(self), flight);
        Some(match sight {
            Sight::Refresh(_, old) | Sight::IfError(old) => lead.behind(old),
            _ => lead,
        })
    }

    /// Whether a call that begins now may be given what `flight`, which sits, computes.
    pub(crate) fn may_be_joined(&self, flight: &Flight<K, V, E>) -> bool {
        let begun = (flight.stamp, flight.process, &flight.tags);
        self.may_be_awaited(begun, &flight.scope)
    }

    fn may_be_awaited(
        &self,
        (stamp, process, tags): (Stamp, Process, &Tags),
        scope: &Scope,
    ) -> bool {
        let markers = self.authority.markers(&scope.mark, tags);
        let there = (!process.is_parent()).then_some((State::Flying, stamp));
        seat(there, markers) == Seat::Follow
    }

    /// Whether somebody computes a key for those who come at this moment.
    pub(crate) fn is_computing(
        &self,
        seats: &Seats<K, V, E>,
        (hash, key): (u64, &K),
        scope: &Scope,
    ) -> bool {
        seats
            .peek(hash, key)
            .is_some_and(|begun| self.may_be_awaited(begun, scope))
    }
}
