//! One call: whose turn it is, and what becomes of the turn. The two drivers, for threads and for tasks, end this file.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use everwarm_core::clock::Instant;
use everwarm_core::error::Error;
use everwarm_core::limits::End;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_engine::{Arrival, Ask, Caller, Key, Lead, Settle, Ticket, Turn};

use crate::chain;
use crate::errand::Errand;
use crate::home::{Home, Worth};
use crate::patience::{Refuse, Times, await_within, park_within};
use crate::renewed::{Old, Renewed};
use crate::share::{Failure, Share};

/// One call for a key that memory did not answer.
pub(crate) struct Call<'a, K: Key, V> {
    pub(crate) home: &'a Home<K, V>,
    pub(crate) policy: Policy,
    pub(crate) hash: u64,
    pub(crate) key: &'a K,
    pub(crate) tags: &'a [Arc<str>],
    /// Whether the value is computed anew whatever is there.
    pub(crate) refresh: bool,
}

/// The right to compute, and since when it is held.
pub(crate) struct Leading<K: Key, V: Clone> {
    lead: Lead<K, V, Failure>,
    began: Instant,
    /// Whether its call is counted as one that was given the old value, where that may happen before the end.
    counted: Option<Arc<AtomicBool>>,
}

impl<K: Key, V: Clone> Leading<K, V> {
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

/// What is left to do for a call.
enum Next<K: Key, V: Clone> {
    Return(V),
    /// There is this to return, if somebody else computes.
    Refresh(V, Leading<K, V>),
    Compute(Leading<K, V>),
    Wait(Ticket<K, V, Failure>),
}

/// Where a computation is done.
pub(crate) enum Place<K: Key, V: Clone, J, X> {
    /// By the caller.
    Here(J),
    /// By somebody else, while the caller is given this.
    Behind(V),
    /// By somebody else, for whom the caller waits.
    Apart(Errand<Result<V, X>>, Attendance<K, V>),
}

/// A caller's attendance of a computation that runs elsewhere: its place among those who wait, and whether it is counted as one that
/// was given the old value.
pub(crate) struct Attendance<K: Key, V: Clone> {
    counted: Arc<AtomicBool>,
    _waits: Option<Ticket<K, V, Failure>>,
}

/// Whatever is due is computed by the caller.
pub(crate) fn here<K: Key, V: Clone, J, X>(job: J, _: Option<V>) -> Place<K, V, J, X> {
    Place::Here(job)
}

/// Of a call that is under no limit of time.
pub(crate) const fn unlimited<V, X>() -> Refuse<fn(Error) -> Result<V, X>> {
    Refuse(None)
}

impl<K: Key, V: Clone> Call<'_, K, V> {
    /// What is to be done; `again` after a wait that ended without a value.
    fn next(&self, blocks_thread: bool, again: bool) -> Next<K, V> {
        let chain = chain::leads();
        let ask = Ask {
            scope: &self.home.scope,
            hash: self.hash,
            key: self.key,
            tags: self.tags,
            caller: Caller {
                thread: chain::thread(),
                chain: &chain,
                blocks_thread,
            },
            again,
        };
        let leading = |lead| {
            let began = self.home.now();
            let counted = None;
            Leading {
                lead,
                began,
                counted,
            }
        };
        if self.refresh {
            return Next::Compute(leading(self.home.engine.refresh(ask)));
        }
        match self.home.engine.begin(ask) {
            Ok(Turn::Hit(value) | Turn::Stale(value) | Turn::Remembered(value)) => {
                Next::Return(value)
            }
            Ok(Turn::HitAndLead(value, _, lead)) => Next::Refresh(value, leading(lead)),
            Ok(Turn::Lead(lead) | Turn::Alone(lead)) => Next::Compute(leading(lead)),
            Ok(Turn::Wait(ticket)) => Next::Wait(ticket),
            Err(_) => panic!(
                "a computation of {:?} asks for the key that it is to give\n\
                 hint: compute it from other keys, or without the cache",
                self.home.name
            ),
        }
    }

    /// Ends a computation with what it gave; `judge` says what that is worth. What is returned is the old value where that
    /// stands for an error.
    fn conclude<X: Share>(
        &self,
        leading: Leading<K, V>,
        given: Result<Renewed<V>, X>,
        judge: impl FnOnce(&V) -> Outcome,
    ) -> Result<V, X> {
        let (value, tags) = match given {
            Ok(renewed) => renewed.into_parts(),
            Err(error) => {
                let old = leading.fall_back(error.share(), &self.policy);
                return old.ok_or(error);
            }
        };
        let outcome = judge(&value);
        let Leading { lead, began, .. } = &leading;
        let worth = Worth::of(outcome, lead, (self.home, &self.policy, *began));
        let has_failed = matches!(outcome, Outcome::Failed { .. });
        if worth.is_none() && has_failed && lead.fallback().is_some() {
            // Who waits is not told of the error: if the old value goes at this moment, they begin anew.
            let old = leading.fall_back(Arc::new(()), &self.policy);
            return Ok(old.unwrap_or(value));
        }
        if worth.is_none() && !has_failed {
            self.home.scope.count_refused();
        }
        let settle = Settle {
            weight: self.home.weigh(self.key, &value),
            tags: &tags,
            store: worth.is_some(),
            ..worth.map(Worth::settle).unwrap_or_default()
        };
        leading.lead.settle(value.clone(), settle);
        Ok(value)
    }
}

/// What a follower returns; None if it is to begin again, also after an error that is not of its type.
fn received<V, X: Share>(arrival: Arrival<V, Failure>) -> Option<Result<V, X>> {
    match arrival {
        Arrival::Value(value) | Arrival::Stale(value) => Some(Ok(value)),
        Arrival::Failed(failure) => X::receive(failure).map(Err),
        Arrival::Again => None,
    }
}

fn arrive<K: Key, V: Clone>(
    ticket: &mut Ticket<K, V, Failure>,
    task: &Context<'_>,
) -> Poll<Arrival<V, Failure>> {
    ticket.register(task.waker().clone());
    ticket.try_arrive().map_or(Poll::Pending, Poll::Ready)
}

impl<K: Key, V: Clone> Call<'_, K, V> {
    /// The value that stands for one that takes too long: what memory may give at this moment.
    fn old(&self) -> Option<V> {
        let Home { engine, scope, .. } = self.home;
        let seen = (!self.refresh).then(|| engine.peek(scope, self.hash, self.key));
        seen.flatten().map(|seen| seen.value)
    }

    /// The old value for a caller who does not wait any longer.
    fn leave_with_old(&self, counted: &AtomicBool) -> Option<V> {
        let old = self.old()?;
        if !counted.swap(true, Ordering::Relaxed) {
            self.home.scope.recount_as_left();
        }
        Some(old)
    }

    /// The end of a call whose time is over.
    fn leave<X, R: FnOnce(Error) -> Result<V, X>>(&self, times: Times<R>) -> Result<V, X> {
        match self.leave_with_old(&AtomicBool::new(false)) {
            Some(old) => Ok(old),
            None => times.refuse(&self.home.name, true),
        }
    }

    /// Answers the call on this thread, which parks while somebody else computes. `place` says where what is due is computed; it is
    /// given the value that is served meanwhile, if there is one.
    pub(crate) fn run<X: Share, C, J, R>(
        &self,
        compute: C,
        judge: J,
        place: impl FnOnce(Job<K, V, C, J>, Option<V>) -> Place<K, V, Job<K, V, C, J>, X>,
        refuse: Refuse<R>,
    ) -> Result<V, X>
    where
        C: FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X>,
        J: FnOnce(&V) -> Outcome,
        R: FnOnce(Error) -> Result<V, X>,
    {
        let mut again = false;
        let times = Times::new(&self.policy, &self.home.patience, refuse);
        let placed = loop {
            match self.next(true, again) {
                Next::Return(value) => return Ok(value),
                Next::Refresh(value, leading) => {
                    break place(Job::new(leading, compute, judge), Some(value));
                }
                Next::Compute(leading) => break place(Job::new(leading, compute, judge), None),
                Next::Wait(mut ticket) => {
                    let (end, span) = times.of_wait();
                    let arriving = |task: &mut Context<'_>| arrive(&mut ticket, task);
                    match park_within(arriving, span) {
                        None if end == End::Call => return self.leave(times),
                        None => ticket.take_over(),
                        Some(arrival) => {
                            if let Some(given) = received(arrival) {
                                return given;
                            }
                        }
                    }
                }
            }
            again = true;
        };
        match placed {
            Place::Here(job) => job.run(self),
            Place::Behind(value) => Ok(value),
            Place::Apart(errand, attendance) => self.attend((errand, attendance), times),
        }
    }

    /// Waits on this thread for a computation that runs elsewhere, as long as there is time.
    fn attend<X, R>(
        &self,
        (errand, attendance): (Errand<Result<V, X>>, Attendance<K, V>),
        times: Times<R>,
    ) -> Result<V, X>
    where
        R: FnOnce(Error) -> Result<V, X>,
    {
        for span in times.of_computation(self.old().is_some()) {
            let ending = |task: &mut Context<'_>| errand.poll(task);
            match park_within(ending, span) {
                Some(Some(given)) => return given,
                Some(None) => return times.refuse(&self.home.name, false),
                None => {
                    if let Some(old) = self.leave_with_old(&attendance.counted) {
                        return Ok(old);
                    }
                }
            }
        }
        times.refuse(&self.home.name, true)
    }

    /// Answers the call in this task, which is woken when somebody else has computed. `place` as for [`run`](Self::run).
    pub(crate) async fn run_async<X: Share, F, C, J, R>(
        &self,
        compute: C,
        judge: J,
        place: impl FnOnce(Job<K, V, C, J>, Option<V>) -> Place<K, V, Job<K, V, C, J>, X>,
        refuse: Refuse<R>,
    ) -> Result<V, X>
    where
        F: Future<Output = Result<Renewed<V>, X>>,
        C: FnOnce(Option<Old<V>>) -> F,
        J: FnOnce(&V) -> Outcome,
        R: FnOnce(Error) -> Result<V, X>,
    {
        let mut again = false;
        let timer = self.home.patience.timer.as_ref();
        let times = Times::new(&self.policy, &self.home.patience, refuse);
        let placed = loop {
            match self.next(false, again) {
                Next::Return(value) => return Ok(value),
                Next::Refresh(value, leading) => {
                    break place(Job::new(leading, compute, judge), Some(value));
                }
                Next::Compute(leading) => break place(Job::new(leading, compute, judge), None),
                Next::Wait(mut ticket) => {
                    let (end, span) = times.of_wait();
                    let arriving = |task: &mut Context<'_>| arrive(&mut ticket, task);
                    match await_within(arriving, (span, timer)).await {
                        None if end == End::Call => return self.leave(times),
                        None => ticket.take_over(),
                        Some(arrival) => {
                            if let Some(given) = received(arrival) {
                                return given;
                            }
                        }
                    }
                }
            }
            again = true;
        };
        match placed {
            Place::Here(job) => job.run_async(self).await,
            Place::Behind(value) => Ok(value),
            Place::Apart(errand, attendance) => {
                self.attend_async((errand, attendance), times).await
            }
        }
    }

    /// Waits in this task for a computation that runs elsewhere, as long as there is time.
    async fn attend_async<X, R>(
        &self,
        (errand, attendance): (Errand<Result<V, X>>, Attendance<K, V>),
        times: Times<R>,
    ) -> Result<V, X>
    where
        R: FnOnce(Error) -> Result<V, X>,
    {
        let timer = self.home.patience.timer.as_ref();
        for span in times.of_computation(self.old().is_some()) {
            let ending = |task: &mut Context<'_>| errand.poll(task);
            match await_within(ending, (span, timer)).await {
                Some(Some(given)) => return given,
                Some(None) => return times.refuse(&self.home.name, false),
                None => {
                    if let Some(old) = self.leave_with_old(&attendance.counted) {
                        return Ok(old);
                    }
                }
            }
        }
        times.refuse(&self.home.name, true)
    }
}

impl<K: Key, V: Clone, C, J: FnOnce(&V) -> Outcome> Job<K, V, C, J> {
    fn new(leading: Leading<K, V>, compute: C, judge: J) -> Self {
        Self {
            leading,
            compute,
            judge,
        }
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

    /// Computes on this thread.
    pub(crate) fn run<X: Share>(self, call: &Call<'_, K, V>) -> Result<V, X>
    where
        C: FnOnce(Option<Old<V>>) -> Result<Renewed<V>, X>,
    {
        let old = self.leading.old();
        let given = chain::within(self.leading.lead.id(), || (self.compute)(old));
        call.conclude(self.leading, given, self.judge)
    }

    /// Computes in this task.
    pub(crate) async fn run_async<X: Share, F>(self, call: &Call<'_, K, V>) -> Result<V, X>
    where
        F: Future<Output = Result<Renewed<V>, X>>,
        C: FnOnce(Option<Old<V>>) -> F,
    {
        // The parts are bound before the future is pinned: a cancelled call ends its computation before it hands over.
        let Self {
            leading,
            compute,
            judge,
        } = self;
        let (id, old) = (leading.lead.id(), leading.old());
        let mut computing = pin!(chain::within(id, || compute(old)));
        let given = poll_fn(|task| chain::within(id, || computing.as_mut().poll(task))).await;
        call.conclude(leading, given, judge)
    }
}
