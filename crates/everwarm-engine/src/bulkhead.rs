//! Bulkheads: how many computations run at once.
//!
//! A permit that comes free is assigned to nobody, since who waits may never run again; the first in the line is woken, and
//! whoever is first to ask takes it. Newcomers go to the end of the line as long as there is one.
//!
//! Waiting for a permit is waiting for those who hold one, and stands in the graph of waits as that. So a computation that a
//! holder needs does not wait for that holder's permit: it would close a circle, and runs within that permit.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::task::Waker;

use everwarm_core::flight::LeadId;

use crate::process::Process;
use crate::shim::Mutex;
use crate::waits::{Caller, Wait};

/// Lets a number of computations run at once.
#[derive(Debug)]
pub struct Bulkhead {
    most: NonZeroUsize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    process: Process,
    holders: Vec<LeadId>,
    line: VecDeque<(u64, Waker)>,
    /// The number of the next place in the line.
    next: u64,
}

/// The right to compute; dropping it lets the next one in.
#[derive(Debug)]
#[must_use = "dropping a permit gives it back"]
pub struct Permit {
    bulkhead: Arc<Bulkhead>,
    lead: LeadId,
    process: Process,
    /// Whether it is one of the bulkhead's, or a computation's within another's permit.
    counts: bool,
}

/// A place among those who wait for a permit. Dropping it gives the place up.
#[derive(Debug)]
#[must_use = "dropping a place gives up the wait"]
pub struct Line {
    bulkhead: Arc<Bulkhead>,
    lead: LeadId,
    place: Option<u64>,
    wait: Option<Wait>,
}

impl Bulkhead {
    /// How many computations of a cache with stores run at once that have no lease, where its user has not said how many may run at
    /// all.
    pub const WITHOUT_LEASE: NonZeroUsize = NonZeroUsize::new(64).unwrap();

    /// One that lets `most` computations run at once.
    #[must_use]
    pub fn new(most: NonZeroUsize) -> Arc<Self> {
        Arc::new(Self {
            most,
            state: Mutex::new(State {
                process: Process::current(),
                holders: Vec::new(),
                line: VecDeque::new(),
                next: 0,
            }),
        })
    }

    /// A permit for the computation of `lead`, or a place in the line. `caller` is who computes: its chain ends in `lead`.
    ///
    /// # Errors
    /// The place in the line.
    pub fn enter(self: &Arc<Self>, lead: LeadId, caller: &Caller<'_>) -> Result<Permit, Line> {
        let mut line = Line {
            bulkhead: Arc::clone(self),
            lead,
            place: None,
            wait: None,
        };
        line.try_enter(caller).ok_or(line)
    }

    /// How many computations hold a permit.
    #[must_use]
    pub fn running(&self) -> usize {
        let state = self.state.lock();
        match state.process.is_parent() {
            true => 0,
            false => state.holders.len(),
        }
    }

    fn permit(self: &Arc<Self>, lead: LeadId, counts: bool) -> Permit {
        Permit {
            bulkhead: Arc::clone(self),
            lead,
            process: Process::current(),
            counts,
        }
    }

    /// Takes a permit if one is free for who stands at `place`; else who holds them.
    fn take(&self, lead: LeadId, place: Option<u64>) -> Result<(), Vec<LeadId>> {
        let mut left = VecDeque::new();
        let mut state = self.state.lock();
        if state.process.is_parent() {
            state.process = Process::current();
            state.holders.clear();
            left = std::mem::take(&mut state.line);
        }
        let may_pass = place.is_some() || state.line.is_empty();
        let taken = if may_pass && state.holders.len() < self.most.get() {
            state.holders.push(lead);
            Ok(())
        } else {
            Err(state.holders.clone())
        };
        drop(state);
        drop(left);
        taken
    }

    /// Wakes the first in the line, if a permit is free.
    fn call_next(&self) {
        let mut state = self.state.lock();
        let next = match state.holders.len() < self.most.get() {
            true => state.line.pop_front(),
            false => None,
        };
        drop(state);
        if let Some((_, waker)) = next {
            waker.wake();
        }
    }
}

impl Line {
    /// Asks again: a permit if one has come free, or if whoever has them waits for this computation.
    pub fn try_enter(&mut self, caller: &Caller<'_>) -> Option<Permit> {
        let holders = match self.bulkhead.take(self.lead, self.place) {
            Ok(()) => {
                self.forget();
                self.wait = None;
                return Some(self.bulkhead.permit(self.lead, true));
            }
            Err(holders) => holders,
        };
        self.wait = None;
        self.wait = Wait::begin_for_any(caller, &holders);
        if self.wait.is_some() {
            return None;
        }
        self.forget();
        Some(self.bulkhead.permit(self.lead, false))
    }

    /// Has `waker` called when a permit has come free, at once if one is; it replaces the one given before.
    pub fn register(&mut self, waker: Waker) {
        let mut state = self.bulkhead.state.lock();
        let place = match self.place {
            Some(place) => place,
            None => {
                state.next += 1;
                state.next
            }
        };
        self.place = Some(place);
        let is_free = state.holders.len() < self.bulkhead.most.get();
        let known = state.line.iter().position(|(other, _)| *other == place);
        let before = match known {
            Some(at) if is_free => state.line.remove(at).map(|(_, waker)| waker),
            Some(at) => Some(std::mem::replace(&mut state.line[at].1, waker.clone())),
            None if is_free => None,
            None => {
                state.line.push_back((place, waker.clone()));
                None
            }
        };
        drop(state);
        drop(before);
        if is_free {
            waker.wake();
        }
    }

    /// Leaves the line; whether it was still to be called.
    fn forget(&mut self) -> bool {
        let Some(place) = self.place.take() else {
            return true;
        };
        let mut state = self.bulkhead.state.lock();
        let at = state.line.iter().position(|(other, _)| *other == place);
        let left = at.and_then(|at| state.line.remove(at));
        drop(state);
        left.is_some()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // Whoever was called and goes away calls the next.
        if !self.forget() {
            self.bulkhead.call_next();
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !self.counts || self.process.is_parent() {
            return;
        }
        let mut state = self.bulkhead.state.lock();
        if let Some(at) = state.holders.iter().position(|lead| *lead == self.lead) {
            state.holders.swap_remove(at);
        }
        drop(state);
        self.bulkhead.call_next();
    }
}
