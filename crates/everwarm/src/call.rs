//! One call: whose turn it is, and what becomes of the turn. The two drivers, for threads and for tasks, end this file.

use std::borrow::Cow;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::error::Error;
use everwarm_core::limits::End;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_core::using::{Plan, Read};
use everwarm_engine::stack::Place;
use everwarm_engine::{Arrival, Ask, Caller, Key, LeadId, Ticket, Turn};

use crate::chain;
use crate::errand::Errand;
use crate::home::Home;
use crate::job::{Attendance, Job, Leading};
use crate::link::Taken;
use crate::patience::{Refuse, Timer, Times, await_within, park_within};
use crate::renewed::{Old, Renewed};
use crate::share::{Failure, Share};
use crate::stores::waiting;

/// As fine as ages are known.
const FINE: Duration = Duration::from_millis(1);

/// One call for a key that memory did not answer.
pub(crate) struct Call<'a, K: Key, V> {
    pub(crate) home: &'a Home<K, V>,
    pub(crate) policy: Cow<'a, Policy>,
    pub(crate) hash: u64,
    pub(crate) key: &'a K,
    pub(crate) tags: &'a [Arc<str>],
    /// Where its entry lies in stores, if there are any.
    pub(crate) place: Option<&'a Place>,
    /// What it was told to do.
    pub(crate) plan: Plan,
}

/// What is left to do for a call.
pub(crate) enum Next<K: Key, V: Clone> {
    Return(V),
    /// This was found for the first time since it was written, and time has such computed anew.
    Notice(V),
    /// There is this to return, if somebody else computes.
    Refresh(V, Leading<K, V>),
    Compute(Leading<K, V>),
    Wait(Ticket<K, V, Failure>),
}

/// Where a computation is done.
pub(crate) enum Doing<K: Key, V: Clone, J, X> {
    /// By the caller.
    Here(J),
    /// By somebody else, while the caller is given this.
    Behind(V),
    /// By somebody else, for whom the caller waits.
    Apart(Errand<Result<V, X>>, Attendance<K, V>),
}

/// Whatever is due is computed by the caller.
pub(crate) fn here<K: Key, V: Clone, J, X>(job: J, _: Option<V>) -> Doing<K, V, J, X> {
    Doing::Here(job)
}

/// Of a call that is under no limit of time.
pub(crate) const fn unlimited<V, X>() -> Refuse<fn(Error) -> Result<V, X>> {
    Refuse(None)
}

impl<K: Key, V: Clone> Call<'_, K, V> {
    /// What the engine is asked.
    pub(crate) fn asked<'a>(
        &'a self,
        chain: &'a [LeadId],
        blocks_thread: bool,
        again: bool,
    ) -> Ask<'a, K> {
        Ask {
            scope: &self.home.scope,
            hash: self.hash,
            key: self.key,
            tags: self.tags,
            caller: Caller {
                thread: chain::thread(),
                chain,
                blocks_thread,
            },
            again,
        }
    }

    /// The earliest instant at which an entry may have been written that it takes.
    fn earliest(&self) -> Instant {
        match self.plan.read() {
            Read::Any => Instant::ZERO,
            read => self.home.since(read),
        }
    }

    /// What is to be done; `again` after a wait that ended without a value.
    fn next(&self, blocks_thread: bool, again: bool) -> Next<K, V> {
        let chain = chain::leads();
        let ask = self.asked(&chain, blocks_thread, again);
        let leading = |lead| Leading::new(self, lead);
        if self.plan == Plan::Refresh {
            return Next::Compute(leading(self.home.engine.refresh(ask)));
        }
        match self.home.engine.begin_since(ask, self.earliest()) {
            Ok(Turn::Hit(value)) if self.policy.refresh_every().is_some() => Next::Notice(value),
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
}

/// Ends a call that did not compute, whose work nobody needs.
fn done<O, W>(work: &mut Option<W>, outcome: O) -> O {
    *work = None;
    outcome
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
    /// How old the entry is, if it is there.
    pub(crate) fn age(&self) -> Option<Duration> {
        let Home { engine, scope, .. } = self.home;
        Some(engine.peek(scope, self.hash, self.key)?.age)
    }

    /// When the entry is to be computed anew, if it is there and that is yet to come.
    pub(crate) fn due(&self) -> Option<Instant> {
        let (every, age) = self.policy.refresh_every().zip(self.age())?;
        let left = every.checked_sub(age).filter(|left| *left > FINE)?;
        Some(self.home.now().after(left))
    }

    /// The value that stands for one that takes too long: what memory may give at this moment.
    fn old(&self) -> Option<V> {
        let Home { engine, scope, .. } = self.home;
        let seen = (self.plan.read() == Read::Any).then(|| engine.peek(scope, self.hash, self.key));
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

    /// What is left to do of what is due after a look at the stores, on this thread; None once the call's own time is over.
    fn ask(
        &self,
        leading: Leading<K, V>,
        (end, span): (End, Option<Duration>),
    ) -> Option<Next<K, V>> {
        let Some(asking) = self.asking(leading.waits()) else {
            return Some(Next::Compute(leading));
        };
        let mut asking = pin!(asking);
        let taken = park_within(|task| waiting(|| asking.as_mut().poll(task)), span);
        self.after_asking(leading, (taken, end))
    }

    /// The same in this task.
    async fn ask_async(
        &self,
        leading: Leading<K, V>,
        ((end, span), timer): ((End, Option<Duration>), Option<&Timer>),
    ) -> Option<Next<K, V>> {
        let Some(asking) = self.asking(leading.waits()) else {
            return Some(Next::Compute(leading));
        };
        let mut asking = pin!(asking);
        let taken = await_within(|task| asking.as_mut().poll(task), (span, timer)).await;
        self.after_asking(leading, (taken, end))
    }

    /// What is left to do after stores were asked, or had no answer in time.
    fn after_asking(
        &self,
        leading: Leading<K, V>,
        (taken, end): (Option<Taken<V>>, End),
    ) -> Option<Next<K, V>> {
        match taken {
            Some(taken) => Some(self.taken(leading, taken)),
            None if end == End::Call => None,
            None => Some(Next::Compute(leading.apart(self.home))),
        }
    }

    /// Answers the call on this thread, which parks while somebody else computes. `place` says where what is due is computed; it is
    /// given the value that is served meanwhile, if there is one. The work is left where it is to be noted for later.
    pub(crate) fn run<X: Share, C, J, R>(
        &self,
        work: &mut Option<(C, J)>,
        place: impl FnOnce(Job<K, V, C, J>, Option<V>) -> Doing<K, V, Job<K, V, C, J>, X>,
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
            let next = match self.next(true, again) {
                Next::Compute(leading) => match self.ask(leading, times.of_wait()) {
                    Some(next) => next,
                    None => return done(work, self.leave(times)),
                },
                next => next,
            };
            match next {
                Next::Notice(value) => return Ok(value),
                Next::Return(value) => return done(work, Ok(value)),
                Next::Refresh(value, leading) => {
                    break place(Job::new(leading, work), Some(value));
                }
                Next::Compute(leading) => break place(Job::new(leading, work), None),
                Next::Wait(mut ticket) => {
                    let (end, span) = times.of_wait();
                    let arriving = |task: &mut Context<'_>| arrive(&mut ticket, task);
                    match park_within(arriving, span) {
                        None if end == End::Call => return done(work, self.leave(times)),
                        None => ticket.take_over(),
                        Some(arrival) => {
                            if let Some(given) = received(arrival) {
                                return done(work, given);
                            }
                        }
                    }
                }
            }
            again = true;
        };
        match placed {
            Doing::Here(job) => job.run(self),
            Doing::Behind(value) => Ok(value),
            Doing::Apart(errand, attendance) => self.attend((errand, attendance), times),
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
                Some(None) => {
                    let old = self.leave_with_old(&attendance.counted);
                    return old.map_or_else(|| times.refuse(&self.home.name, false), Ok);
                }
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
        work: &mut Option<(C, J)>,
        place: impl FnOnce(Job<K, V, C, J>, Option<V>) -> Doing<K, V, Job<K, V, C, J>, X>,
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
            let next = match self.next(false, again) {
                Next::Compute(leading) => {
                    let limit = (times.of_wait(), timer);
                    match self.ask_async(leading, limit).await {
                        Some(next) => next,
                        None => return done(work, self.leave(times)),
                    }
                }
                next => next,
            };
            match next {
                Next::Notice(value) => return Ok(value),
                Next::Return(value) => return done(work, Ok(value)),
                Next::Refresh(value, leading) => {
                    break place(Job::new(leading, work), Some(value));
                }
                Next::Compute(leading) => break place(Job::new(leading, work), None),
                Next::Wait(mut ticket) => {
                    let (end, span) = times.of_wait();
                    let arriving = |task: &mut Context<'_>| arrive(&mut ticket, task);
                    match await_within(arriving, (span, timer)).await {
                        None if end == End::Call => return done(work, self.leave(times)),
                        None => ticket.take_over(),
                        Some(arrival) => {
                            if let Some(given) = received(arrival) {
                                return done(work, given);
                            }
                        }
                    }
                }
            }
            again = true;
        };
        match placed {
            Doing::Here(job) => job.run_async(self).await,
            Doing::Behind(value) => Ok(value),
            Doing::Apart(errand, attendance) => {
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
                Some(None) => {
                    let old = self.leave_with_old(&attendance.counted);
                    return old.map_or_else(|| times.refuse(&self.home.name, false), Ok);
                }
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
