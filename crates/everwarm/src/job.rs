//! A computation that is due: the right to it, where it is done, and what becomes of what it gives.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use everwarm_core::clock::Instant;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_engine::stack::Seat;
use everwarm_engine::{Caller, Key, Lead, Settle, Ticket};

use crate::admission::Admission;
use crate::call::Call;
use crate::chain;
use crate::home::{Home, Worth};
use crate::link::Writing;
use crate::patience::{await_within, park_within};
use crate::remote::{Keeping, Storing};
use crate::renewed::{Old, Renewed};
use crate::share::{Failure, Share};
use crate::stores::wait;

/// The right to compute, and since when it is held.
pub(crate) struct Leading<K: Key, V: Clone> {
    pub(crate) lead: Lead<K, V, Failure>,
    pub(crate) began: Instant,
    /// The right to store what it computes behind memory.
    pub(crate) seat: Option<Seat>,
    /// Whether what it computes is for its callers alone: it has waited too long for another process.
    is_apart: bool,
    /// Whether its call is counted as one that was given the old value, where that may happen before the end.
    counted: Option<Arc<AtomicBool>>,
}

impl<K: Key, V: Clone> Leading<K, V> {
    pub(crate) fn new(call: &Call<'_, K, V>, lead: Lead<K, V, Failure>) -> Self {
        Self {
            lead,
            began: call.home.now(),
            counted: None,
            seat: None,
            is_apart: false,
        }
    }

    /// Whether it may wait for who computes elsewhere.
    pub(crate) const fn waits(&self) -> bool {
        self.lead.waits()
    }

    /// The same, that has waited too long for another process: it computes beside that.
    pub(crate) fn apart(mut self, home: &Home<K, V>) -> Self {
        home.scope.count_takeover();
        self.is_apart = true;
        self
    }

    /// Whether nobody else computes the same, as far as stores can see to that.
    fn has_lease(&self) -> bool {
        !self.is_apart && !self.seat.as_ref().is_some_and(Seat::is_apart)
    }

    /// The value that was there before, while it is kept.
    fn old(&self) -> Option<Old<V>> {
        self.lead.old().map(Old::of)
    }

    /// Ends the computation with an error, for which the old value stands where the policy says so.
    fn fall_back(mut self, failure: Failure, policy: &Policy) -> Option<V> {
        let counted = self.counted.as_ref();
        if counted.is_some_and(|counted| counted.swap(true, Ordering::Relaxed)) {
            self.lead.leave_behind();
        }
        let old = self.lead.fall_back(failure, policy, true);
        old.map(|old| old.value)
    }
}

/// A computation that is due, with all that it takes.
pub(crate) struct Job<K: Key, V: Clone, C, J> {
    leading: Leading<K, V>,
    compute: C,
    judge: J,
}

/// A caller's attendance of a computation that runs elsewhere: its place among those who wait, and whether it is counted as one that
/// was given the old value.
pub(crate) struct Attendance<K: Key, V: Clone> {
    pub(crate) counted: Arc<AtomicBool>,
    _waits: Option<Ticket<K, V, Failure>>,
}

/// A value that stores are being given.
type Unstored<K, V> = (Box<Storing<K, V>>, Writing);

impl<K: Key, V: Clone> Call<'_, K, V> {
    /// Ends a computation with what it gave; `judge` says what that is worth. What is returned is the old value where that
    /// stands for an error.
    ///
    /// # Errors
    /// The value that stores are being given, to be [ended](Self::stored) once they have it.
    fn conclude<X: Share>(
        &self,
        leading: Leading<K, V>,
        given: Result<Renewed<V>, X>,
        judge: impl FnOnce(&V) -> Outcome,
    ) -> Result<Result<V, X>, Unstored<K, V>> {
        let (value, tags) = match given {
            Ok(renewed) => renewed.into_parts(),
            Err(error) => {
                let old = leading.fall_back(error.share(), &self.policy);
                return Ok(old.ok_or(error));
            }
        };
        let outcome = self.admitted(judge(&value), &value);
        let Leading { lead, began, .. } = &leading;
        let worth = Worth::of(outcome, lead.negatives(), (self.home, &self.policy, *began));
        let has_failed = matches!(outcome, Outcome::Failed { .. });
        if worth.is_none() && has_failed && lead.fallback().is_some() {
            // Who waits is not told of the error: if the old value goes at this moment, they begin anew.
            let old = leading.fall_back(Arc::new(()), &self.policy);
            return Ok(Ok(old.unwrap_or(value)));
        }
        let stores = self.plan.stores() && !leading.is_apart;
        let Some(worth) = worth.filter(|_| stores) else {
            if !has_failed && stores {
                self.home.scope.count_refused();
            }
            let settle = self.kept(None, (&value, &tags));
            leading.lead.settle(value.clone(), settle);
            return Ok(Ok(value));
        };
        let storing = Storing {
            leading,
            value,
            worth,
            tags,
        };
        match self.keeping(storing) {
            Keeping::Memory(storing, standing) => Ok(Ok(self.stored(storing, standing))),
            Keeping::Stores(storing, writing) => Err((storing, writing)),
        }
    }

    /// What becomes of a computed value: one that is too heavy is not kept.
    pub(crate) fn admitted(&self, outcome: Outcome, value: &V) -> Outcome {
        let is_kept = matches!(outcome, Outcome::Value { .. } | Outcome::Nothing);
        match is_kept && !self.home.admits(self.key, value) {
            true => Outcome::Refused,
            false => outcome,
        }
    }

    /// How a value of this worth is kept.
    pub(crate) fn kept<'a>(
        &self,
        worth: Option<Worth>,
        (value, tags): (&V, &'a [Arc<str>]),
    ) -> Settle<'a> {
        Settle {
            weight: self.home.weigh(self.key, value),
            tags,
            store: worth.is_some(),
            too_heavy: worth.is_none() && !self.home.admits(self.key, value),
            ..worth
                .map(|worth| worth.settle(self.home))
                .unwrap_or_default()
        }
    }
}

/// What a computation gives that nobody else is given.
pub(crate) fn alone<V, X>(given: Result<Renewed<V>, X>) -> Result<V, X> {
    given.map(|renewed| renewed.into_parts().0)
}

impl<K: Key, V: Clone, C, J> Job<K, V, C, J> {
    /// Whether there is an old value to serve in place of what it gives.
    pub(crate) fn has_old(&self) -> bool {
        self.leading.lead.fallback().is_some()
    }
}

impl<K: Key, V: Clone, C, J: FnOnce(&V) -> Outcome> Job<K, V, C, J> {
    pub(crate) fn new(leading: Leading<K, V>, work: &mut Option<(C, J)>) -> Self {
        let (compute, judge) = work.take().expect("a call computes once");
        Self {
            leading,
            compute,
            judge,
        }
    }

    /// The work of an earlier call, if what that found is as old as time has it computed anew, and nobody computes it.
    pub(crate) fn again(call: &Call<'_, K, V>, work: (C, J)) -> Option<Self> {
        if call.due().is_some() || call.age().is_none() {
            return None;
        }
        let ask = call.asked(&[], false, true);
        let lead = call.home.engine.lead_behind(ask)?;
        Some(Self::new(Leading::new(call, lead), &mut Some(work)))
    }

    /// The caller waits for the computation, which goes on elsewhere.
    pub(crate) fn attend(&mut self, blocks_thread: bool) -> Attendance<K, V> {
        let lead = &self.leading.lead;
        // Until it goes on, no thread hosts it.
        lead.move_to(chain::NOWHERE);
        let waits = lead.follow(&Caller {
            thread: chain::thread(),
            chain: &chain::leads(),
            blocks_thread,
        });
        let counted = self.leading.counted.get_or_insert_default();
        Attendance {
            counted: Arc::clone(counted),
            _waits: waits,
        }
    }

    /// The computation goes on on this thread.
    pub(crate) fn move_here(&self) {
        self.leading.lead.move_to(chain::thread());
    }

    /// Has the old value stand for a computation that is not let in.
    ///
    /// # Errors
    /// What computes, if the old value is gone at this moment.
    fn give_way(self, call: &Call<'_, K, V>) -> Result<V, C> {
        let old = self.leading.fall_back(Arc::new(()), &call.policy);
        old.ok_or(self.compute)
    }

    /// Computes on this thread.
    pub(crate) fn run<X: Share>(mut self, call: &Call<'_, K, V>) -> Result<V, X>
    where
        C: FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X>,
    {
        if let Some(asking) = call.asking_behind(&self.leading) {
            let taken = wait(asking);
            match call.taken_behind(self.leading, taken) {
                Ok(value) => return Ok(value),
                Err(leading) => self.leading = leading,
            }
        }
        let id = self.leading.lead.id();
        let patience = &call.home.patience;
        let (bulkhead, limit) = patience.admits(self.leading.has_lease());
        let permit = match Admission::enter(bulkhead, id, true) {
            Err(_) if self.has_old() => {
                return self.give_way(call).or_else(|compute| alone(compute(None)));
            }
            Err(mut admission) => park_within(|task| admission.poll(task), limit).flatten(),
            Ok(permit) => permit,
        };
        let old = self.leading.old();
        let given = chain::within(id, || (self.compute)(old));
        drop(permit);
        match call.conclude(self.leading, given, self.judge) {
            Ok(ended) => ended,
            Err((storing, writing)) => {
                let standing = call.standing(&wait(writing));
                Ok(call.stored(*storing, standing))
            }
        }
    }

    /// Computes in this task.
    pub(crate) async fn run_async<X: Share, F>(mut self, call: &Call<'_, K, V>) -> Result<V, X>
    where
        F: Future<Output = Result<Renewed<V>, X>>,
        C: FnOnce(Option<Old<V>>) -> F,
    {
        if let Some(asking) = call.asking_behind(&self.leading) {
            let taken = asking.await;
            match call.taken_behind(self.leading, taken) {
                Ok(value) => return Ok(value),
                Err(leading) => self.leading = leading,
            }
        }
        let id = self.leading.lead.id();
        let patience = &call.home.patience;
        let (bulkhead, limit) = patience.admits(self.leading.has_lease());
        let permit = match Admission::enter(bulkhead, id, false) {
            Err(_) if self.has_old() => {
                return match self.give_way(call) {
                    Ok(old) => Ok(old),
                    Err(compute) => alone(compute(None).await),
                };
            }
            Err(mut admission) => {
                let within = (limit, patience.timer.as_ref());
                await_within(|task| admission.poll(task), within)
                    .await
                    .flatten()
            }
            Ok(permit) => permit,
        };
        // The parts are bound before the future is pinned: a cancelled call ends its computation before it hands over.
        let Self {
            leading,
            compute,
            judge,
        } = self;
        let old = leading.old();
        let mut computing = pin!(chain::within(id, || compute(old)));
        let given = poll_fn(|task| chain::within(id, || computing.as_mut().poll(task))).await;
        drop(permit);
        match call.conclude(leading, given, judge) {
            Ok(ended) => ended,
            Err((storing, writing)) => {
                let standing = call.standing(&writing.await);
                Ok(call.stored(*storing, standing))
            }
        }
    }
}
