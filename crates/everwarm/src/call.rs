//! One call: whose turn it is, and what becomes of the turn. The two drivers, for threads and for tasks, end this file.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_engine::{Arrival, Ask, Caller, Key, Lead, Parker, Settle, Ticket, Turn};

use crate::chain;
use crate::home::Home;
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
struct Leading<K: Key, V: Clone> {
    lead: Lead<K, V, Failure>,
    began: Instant,
}

/// What is left to do for a call.
enum Next<K: Key, V: Clone> {
    Return(V),
    Compute(Leading<K, V>),
    Wait(Ticket<K, V, Failure>),
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
            Next::Compute(Leading { lead, began })
        };
        if self.refresh {
            return leading(self.home.engine.refresh(ask));
        }
        match self.home.engine.begin(ask) {
            Ok(Turn::Hit(value)) => Next::Return(value),
            Ok(Turn::Lead(lead) | Turn::Alone(lead)) => leading(lead),
            Ok(Turn::Wait(ticket)) => Next::Wait(ticket),
            Err(_) => panic!(
                "a computation of {:?} asks for the key that it is to give\n\
                 hint: compute it from other keys, or without the cache",
                self.home.name
            ),
        }
    }

    /// Ends a computation with what it gave; `judge` says what that is worth.
    fn conclude<X: Share>(
        &self,
        leading: Leading<K, V>,
        given: Result<V, X>,
        judge: impl FnOnce(&V) -> Outcome,
    ) -> Result<V, X> {
        let value = match given {
            Ok(value) => value,
            Err(error) => {
                leading.lead.fail(error.share());
                return Err(error);
            }
        };
        let outcome = judge(&value);
        let deadline = self.home.deadline(&self.policy, leading.began, outcome);
        if deadline.is_none() && !matches!(outcome, Outcome::Failed { .. }) {
            self.home.scope.count_refused();
        }
        let settle = Settle {
            weight: self.home.weigh(self.key, &value),
            deadline: deadline.unwrap_or(Instant::NEVER),
            store: deadline.is_some(),
            ..Settle::default()
        };
        leading.lead.settle(value.clone(), settle);
        Ok(value)
    }
}

/// What a follower returns; None if it is to begin again, also after an error that is not of its type.
fn received<V, X: Share>(arrival: Arrival<V, Failure>) -> Option<Result<V, X>> {
    match arrival {
        Arrival::Value(value) => Some(Ok(value)),
        Arrival::Failed(failure) => X::receive(failure).map(Err),
        Arrival::Again => None,
    }
}

impl<K: Key, V: Clone> Call<'_, K, V> {
    /// Answers the call on this thread, which parks while somebody else computes.
    pub(crate) fn run<X: Share>(
        &self,
        compute: impl FnOnce() -> Result<V, X>,
        judge: impl FnOnce(&V) -> Outcome,
    ) -> Result<V, X> {
        let mut again = false;
        loop {
            match self.next(true, again) {
                Next::Return(value) => return Ok(value),
                Next::Compute(leading) => {
                    let given = chain::within(leading.lead.id(), compute);
                    return self.conclude(leading, given, judge);
                }
                Next::Wait(ticket) => {
                    if let Some(given) = received(park_for(ticket)) {
                        return given;
                    }
                }
            }
            again = true;
        }
    }

    /// Answers the call in this task, which is woken when somebody else has computed.
    pub(crate) async fn run_async<X: Share, F: Future<Output = Result<V, X>>>(
        &self,
        compute: impl FnOnce() -> F,
        judge: impl FnOnce(&V) -> Outcome,
    ) -> Result<V, X> {
        let mut again = false;
        loop {
            match self.next(false, again) {
                Next::Return(value) => return Ok(value),
                Next::Compute(leading) => {
                    let id = leading.lead.id();
                    // Pinned after the lead was taken: a cancelled call ends its computation before it hands over.
                    let mut computing = pin!(chain::within(id, compute));
                    let given =
                        poll_fn(|task| chain::within(id, || computing.as_mut().poll(task))).await;
                    return self.conclude(leading, given, judge);
                }
                Next::Wait(ticket) => {
                    if let Some(given) = received(wait_for(ticket).await) {
                        return given;
                    }
                }
            }
            again = true;
        }
    }
}

fn park_for<K: Key, V: Clone>(mut ticket: Ticket<K, V, Failure>) -> Arrival<V, Failure> {
    let parker = Parker::new();
    ticket.register(parker.waker());
    loop {
        if let Some(arrival) = ticket.try_arrive() {
            return arrival;
        }
        parker.park(Duration::MAX);
    }
}

async fn wait_for<K: Key, V: Clone>(mut ticket: Ticket<K, V, Failure>) -> Arrival<V, Failure> {
    poll_fn(|task| {
        ticket.register(task.waker().clone());
        ticket.try_arrive().map_or(Poll::Pending, Poll::Ready)
    })
    .await
}
