//! The turn of an awaited call, held by the coroutine that drives it.

pub(crate) mod begin;
mod stores;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use everwarm_core::limits::End;
use everwarm_core::using::Read;
use everwarm_engine::Settle;
use everwarm_engine::stack::Fetched;
use parking_lot::Mutex;
use pyo3::exceptions::PyRuntimeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::answer::{Status, Told};
use crate::ask::Source;
use crate::engine::{Arrival, Ticket};
use crate::errand::Errand;
use crate::home::Home;
use crate::limits::Times;
use crate::object::Object;
use crate::ring::{Ring, seconds};
use crate::settle::Flight;
use crate::settling::{Settling, Writes};
use crate::shared::{self, Link, Ours, Remote, Step};
use crate::wanted::Wanted;
use crate::{call, errors, failures, limits, waiting};

/// One turn: a value, a lead or a wait.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Turn {
    /// The decorated function, or the object that is wanted.
    asked: Py<PyAny>,
    /// How long the call may wait and take; None: it needs no time.
    times: Option<Times>,
    /// How the call got, or gets, its value.
    status: Mutex<Status>,
    /// What the stores told of its value, if they had it.
    told: Mutex<Option<Box<Told>>>,
    /// A computation that is to be begun in the background, since the value is old.
    behind: Mutex<Option<Box<Flight>>>,
    /// Whether its first look at the stores may be one with those of other calls.
    looks_with_others: bool,
    state: Mutex<State>,
}

/// A lead, and what the stores are asked for it.
pub(crate) type Asking = (
    Box<Flight>,
    Ours<Pin<Box<dyn Future<Output = Fetched> + Send>>>,
);

enum State {
    Value(Object),
    /// The function is called past the cache.
    Past,
    /// The stores are asked for the value of a lead.
    Ask(
        Box<Flight>,
        Ours<Pin<Box<dyn Future<Output = Fetched> + Send>>>,
    ),
    Lead(Box<Flight>),
    /// The stores are given the value of a lead.
    Store(Box<Settling>, Arc<Link>, Ours<Writes>),
    Wait(Ticket),
    Spent,
}

#[pymethods]
impl Turn {
    #[getter]
    fn status(&self) -> &'static str {
        self.status.lock().name()
    }

    /// Its first look at the stores, to be awaited: together with those of other tasks. None if it is to be asked alone.
    fn looking<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let of = match &*slf.get().state.lock() {
            State::Ask(flight, _) if slf.get().looks_with_others => {
                let remote = flight.remote.as_deref();
                remote.and_then(Remote::found_together)
            }
            _ => None,
        };
        of.map(|of| Errand::looking(slf, of)).transpose()
    }

    /// Asks the stores, if the turn is a lead that has any, or that is stored: None once they have answered. Else `ring` will be
    /// woken, or it is to be asked again after so many seconds. Without a ring it is to be asked again at once, with one.
    #[pyo3(signature = (ring=None))]
    fn ask(&self, py: Python<'_>, ring: Option<&Bound<'_, Ring>>) -> PyResult<Option<f64>> {
        let ring = ring.map(Bound::get);
        loop {
            let (flight, mut asking) = match self.take() {
                State::Ask(flight, asking) => (flight, asking),
                State::Store(settling, link, writes) => {
                    return self.store(py, (settling, link, writes), ring);
                }
                state => {
                    *self.state.lock() = state;
                    return Ok(None);
                }
            };
            let stepped = shared::step_calmly(py, asking.get(), ring);
            if let Some(remote) = &flight.remote {
                shared::check_tampering(py, remote.name())?;
            }
            let answer = match stepped {
                Step::Again(left) => {
                    *self.state.lock() = State::Ask(flight, asking);
                    return Ok(Some(seconds(left)));
                }
                Step::Done(answer) => answer,
            };
            self.answered(py, flight, answer)?;
        }
    }

    /// Has waited too long for another process, and computes beside that.
    fn go_alone(&self, py: Python<'_>) -> PyResult<()> {
        if let State::Ask(mut flight, asking) = self.take() {
            drop(asking);
            self.with_home(py, |home| flight.go_alone(home))?;
            *self.state.lock() = State::Lead(flight);
        }
        Ok(())
    }

    /// What it is by now.
    #[getter]
    fn state(&self) -> &'static str {
        match &*self.state.lock() {
            State::Value(_) => "value",
            State::Past => "past",
            State::Ask(..) => "ask",
            State::Lead(_) => "lead",
            State::Store(..) => "store",
            State::Wait(_) => "wait",
            State::Spent => "spent",
        }
    }

    /// The turn of a computation that is to be begun in the background, once.
    fn behind(&self, py: Python<'_>) -> Option<Self> {
        let flight = self.behind.lock().take()?;
        Some(Self::leading(self.asked.bind(py), *flight, Read::Any))
    }

    /// The number of the lead, if this turn is one.
    #[getter]
    fn lead(&self) -> Option<u64> {
        match &*self.state.lock() {
            State::Lead(flight) => Some(flight.lead.id().0),
            _ => None,
        }
    }

    /// The number of the lead, also while stores are asked for its value.
    #[getter]
    fn led(&self) -> Option<u64> {
        match &*self.state.lock() {
            State::Lead(flight) | State::Ask(flight, _) => Some(flight.lead.id().0),
            _ => None,
        }
    }

    /// The number of the lead that is waited for, if this turn is a wait.
    #[getter]
    fn leader(&self) -> Option<u64> {
        match &*self.state.lock() {
            State::Wait(ticket) => Some(ticket.leader().0),
            _ => None,
        }
    }

    /// Whether the function is to be called past the cache.
    #[getter]
    fn past(&self) -> bool {
        matches!(&*self.state.lock(), State::Past)
    }

    /// Whether this turn is a lead whose caller was given the old value, so that nobody gets what comes of it.
    #[getter]
    fn is_behind(&self) -> bool {
        matches!(&*self.state.lock(), State::Lead(flight) if flight.lead.is_behind())
    }

    /// Whether the computation has to wait for a permit, if this turn is a lead. If there is an old value, that is served instead.
    fn crowded(&self, py: Python<'_>) -> PyResult<bool> {
        let mut flight = match self.take() {
            State::Lead(flight) => flight,
            state => {
                *self.state.lock() = state;
                return Ok(false);
            }
        };
        let is_in = flight.try_enter(py, false)?;
        if is_in || flight.lead.is_behind() || flight.lead.fallback().is_none() {
            *self.state.lock() = State::Lead(flight);
            return Ok(!is_in);
        }
        let times = self.times.map(|times| times.limits.wait);
        let error = errors::crowded(py, &self.title(py)?, times.unwrap_or_default());
        let served = self.with_home(py, |home| limits::fall_back(py, home, *flight, error))?;
        let (value, status) = served?;
        *self.status.lock() = status;
        let state = self.arrived_with(py, &value)?;
        *self.state.lock() = state;
        Ok(false)
    }

    /// Ends a computation that was not begun with an error, which those who wait share if it is an `Exception`.
    fn give_up(&self, error: Bound<'_, PyAny>) {
        let py = error.py();
        if let State::Lead(flight) = self.take() {
            limits::give_up(py, *flight, &PyErr::from_value(error));
        }
    }

    /// After how many seconds the caller is to be served the old value, if there is one.
    #[getter]
    fn soft_limit(&self) -> Option<f64> {
        let has_old = match &*self.state.lock() {
            State::Lead(flight) => flight.lead.fallback().is_some(),
            _ => false,
        };
        let soft = self.times.and_then(|times| times.soft);
        soft.filter(|_| has_old).map(|limit| limit.as_secs_f64())
    }

    /// The old value for a caller that leaves its computation, if there is one.
    fn fall_back(&self, py: Python<'_>) -> PyResult<Option<(Py<PyAny>,)>> {
        let served = match &*self.state.lock() {
            State::Lead(flight) => flight.lead.fallback(),
            _ => None,
        };
        let Some(served) = served else {
            return Ok(None);
        };
        let State::Value(own) = self.arrived_with(py, &served.value)? else {
            return Ok(None);
        };
        Ok(Some((own.into_bound(py).unbind(),)))
    }

    /// How long the call waits for another's computation, or for a permit, in seconds.
    #[getter]
    fn wait_limit(&self) -> Option<f64> {
        self.times.map(|times| times.limits.wait.as_secs_f64())
    }

    /// Whether the computation may outlast its caller.
    #[getter]
    fn apart(&self) -> bool {
        self.times.is_some_and(|times| times.lead_apart())
    }

    /// How long the call may take, in seconds, or None.
    #[getter]
    fn hard_limit(&self) -> Option<f64> {
        Some(self.times?.hard?.as_secs_f64())
    }

    /// Whether the computation goes on if its caller is cancelled.
    #[getter]
    fn outlives_caller(&self) -> bool {
        self.times.is_some_and(|times| times.limits.outlives_caller)
    }

    /// The computation goes on on this thread.
    fn move_here(&self) {
        if let State::Lead(flight) = &*self.state.lock() {
            flight.lead.move_to(waiting::thread());
        }
    }

    /// The caller has left, perhaps with the old value: the new one is not stored, if late ones are not.
    fn leave(&self, py: Python<'_>, with_old: bool) -> PyResult<()> {
        let stores = self.times.is_none_or(|times| times.limits.stores_late);
        let mut is_led = false;
        if let State::Lead(flight) = &mut *self.state.lock() {
            is_led = true;
            flight.storable &= stores;
            if with_old {
                flight.lead.leave_behind();
            }
        }
        // One that has failed meanwhile is counted so already.
        if with_old && (is_led || *self.status.lock() != Status::Stale) {
            self.with_home(py, |home| home.scope.recount_as_left())?;
            *self.status.lock() = Status::Stale;
        }
        Ok(())
    }

    /// The error of a call whose time is over.
    fn timed_out(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let limit = self.times.and_then(|times| times.hard);
        let error = errors::timed_out(py, &self.title(py)?, limit);
        Ok(error.into_value(py).into_any())
    }

    /// The error of a call that has waited too long for a permit; None where only the want of a lease has kept it: it goes on.
    fn too_crowded(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        if let State::Lead(flight) = &mut *self.state.lock()
            && flight.pass()
        {
            return Ok(None);
        }
        let limit = self.times.map(|times| times.limits.wait);
        let error = errors::crowded(py, &self.title(py)?, limit.unwrap_or_default());
        Ok(Some(error.into_value(py).into_any()))
    }

    /// Has `post(waiter)` called, from whichever thread, once the leader has ended or a permit has come free.
    fn register(&self, post: Py<PyAny>, waiter: Py<PyAny>) {
        let waker = Waker::from(Arc::new(waiting::Call { post, waiter }));
        // Registering may wake at once, which runs Python code: the ticket is taken out meanwhile.
        match self.take() {
            State::Wait(mut ticket) => {
                ticket.register(waker);
                *self.state.lock() = State::Wait(ticket);
            }
            State::Lead(mut flight) => {
                if let Some(admission) = &mut flight.admission {
                    admission.register(waker);
                }
                *self.state.lock() = State::Lead(flight);
            }
            state => *self.state.lock() = state,
        }
    }

    /// Whether the wait has ended: None if not, False if the call has to begin anew. A leader's error is raised.
    fn arrived(&self, py: Python<'_>) -> PyResult<Option<bool>> {
        let State::Wait(mut ticket) = self.take() else {
            return Ok(Some(true));
        };
        match ticket.try_arrive() {
            Some(arrival) => self.arrive(py, arrival).map(Some),
            None => {
                *self.state.lock() = State::Wait(ticket);
                Ok(None)
            }
        }
    }

    /// Waits as a thread: False if the call has to begin anew. A leader's error is raised.
    fn wait(&self, py: Python<'_>) -> PyResult<bool> {
        match self.take() {
            State::Wait(ticket) => {
                let limits = self.times.map(|times| times.limits).unwrap_or_default();
                match waiting::wait(py, ticket, (End::Wait, limits.wait))? {
                    Some(arrival) => self.arrive(py, arrival),
                    None => Ok(false),
                }
            }
            state => {
                *self.state.lock() = state;
                Ok(true)
            }
        }
    }

    /// Has a wait that was begun as a task's block its thread; false if it would wait for itself, and has to begin anew as a
    /// call that blocks.
    fn block(&self, py: Python<'_>) -> PyResult<bool> {
        let chain = waiting::chain(py)?;
        Ok(match &mut *self.state.lock() {
            State::Wait(ticket) => ticket.block(&waiting::caller(&chain, true)),
            _ => true,
        })
    }

    /// Gives up on the leader; the call has to begin anew.
    fn take_over(&self) {
        if let State::Wait(ticket) = self.take() {
            ticket.take_over();
        }
    }

    /// The value of a hit or of a wait that has ended.
    fn value(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &*self.state.lock() {
            State::Value(value) => Ok(value.bind(py).clone().unbind()),
            _ => Err(PyRuntimeError::new_err("this turn has no value")),
        }
    }

    /// Ends the computation with its value. Where that is awaited, what it gives is as [`ask`](Self::ask) has it.
    #[pyo3(signature = (value, is_awaited=false))]
    fn settle(&self, value: Bound<'_, PyAny>, is_awaited: bool) -> PyResult<Option<f64>> {
        let py = value.py();
        let State::Lead(flight) = self.take() else {
            return Ok(None);
        };
        let asked = self.asked.bind(py);
        if let Ok(wanted) = asked.cast::<Wanted>() {
            let wanted = wanted.get();
            let settling = wanted.settling(py, *flight, &value.into())?;
            return self.stored(py, wanted.home(), settling, is_awaited);
        }
        let native = call::function(asked)?;
        let home = &*native.home(py)?;
        let settling = native.settling(py, home, *flight, &value.into());
        self.stored(py, home, settling, is_awaited)
    }

    /// Ends the computation with what those who wait are given, and stores nothing.
    fn refuse(&self, value: Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        if let State::Lead(flight) = self.take() {
            let settle = Settle {
                store: false,
                ..Settle::default()
            };
            let native = call::function(self.asked.bind(py))?;
            native.home(py)?.scope.count_refused();
            flight.lead.settle(value.into(), settle);
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.asked)?;
        if let Some(flight) = &*self.behind.lock() {
            flight.keyed.visit(&visit)?;
        }
        match &*self.state.lock() {
            State::Value(value) => value.visit(&visit),
            State::Lead(flight) | State::Ask(flight, _) => flight.keyed.visit(&visit),
            State::Store(settling, ..) => settling.visit(&visit),
            State::Wait(_) | State::Past | State::Spent => Ok(()),
        }
    }

    fn __clear__(&self) {
        drop(self.take());
        let behind = self.behind.lock().take();
        drop(behind);
    }

    /// Ends the computation with an error: whether there is a value in its place, which the turn then has. Else an `Exception` is
    /// shared, and any other hands the work over.
    fn fail(&self, error: Bound<'_, PyAny>) -> PyResult<bool> {
        let py = error.py();
        let State::Lead(flight) = self.take() else {
            return Ok(false);
        };
        let error = PyErr::from_value(error);
        let fallen = self.with_home(py, |home| {
            let behind = flight.lead.is_behind();
            match failures::fail(py, home, *flight, error) {
                Ok((value, status)) => Ok(Some((value, Some(status)))),
                Err(_) if behind => Ok(None),
                Err(error) => {
                    let raised = error.value(py).clone();
                    match home.failures.instead(py, error) {
                        Ok(value) => Ok(Some((value, None))),
                        Err(same) if same.value(py).is(&raised) => Ok(None),
                        Err(other) => Err(other),
                    }
                }
            }
        })??;
        let Some((value, status)) = fallen else {
            return Ok(false);
        };
        match status {
            Some(status) => {
                let state = self.arrived_with(py, &value)?;
                *self.status.lock() = status;
                *self.state.lock() = state;
            }
            None => *self.state.lock() = State::Value(value),
        }
        Ok(true)
    }
}

impl Turn {
    /// Takes the lead out, to settle it with others.
    pub(crate) fn take_lead(&self) -> Option<Box<Flight>> {
        match self.take() {
            State::Lead(flight) => Some(flight),
            _ => None,
        }
    }

    /// What is asked for, in messages.
    fn title(&self, py: Python<'_>) -> PyResult<String> {
        let asked = self.asked.bind(py);
        match asked.cast::<Wanted>() {
            Ok(wanted) => Ok(wanted.get().title(py)),
            Err(_) => Ok(call::function(asked)?.title(py)),
        }
    }

    /// How the call got its value, and what the stores told of it.
    pub(crate) fn told(&self) -> (Status, Option<Box<Told>>) {
        (*self.status.lock(), self.told.lock().clone())
    }

    /// Does something where the value belongs.
    fn with_home<R>(&self, py: Python<'_>, work: impl FnOnce(&Home) -> R) -> PyResult<R> {
        let asked = self.asked.bind(py);
        if let Ok(wanted) = asked.cast::<Wanted>() {
            return Ok(work(wanted.get().home()));
        }
        Ok(work(&*call::function(asked)?.home(py)?))
    }

    /// What a follower is given of its leader's value.
    fn arrived_with(&self, py: Python<'_>, value: &Object) -> PyResult<State> {
        let asked = self.asked.bind(py);
        let own = match asked.cast::<Wanted>() {
            Ok(wanted) => wanted.get().own(py, value),
            Err(_) => {
                let native = call::function(asked)?;
                native.try_copied(py, &*native.home(py)?, value)
            }
        };
        Ok(own.map_or(State::Past, State::Value))
    }

    /// Ends the wait: whether with a value.
    fn arrive(&self, py: Python<'_>, arrival: Arrival) -> PyResult<bool> {
        match arrival {
            Arrival::Value(value) => {
                let state = self.arrived_with(py, &value)?;
                *self.state.lock() = state;
                Ok(true)
            }
            Arrival::Stale(value) => {
                let state = self.arrived_with(py, &value)?;
                *self.status.lock() = Status::Stale;
                *self.state.lock() = state;
                Ok(true)
            }
            Arrival::Again => Ok(false),
            Arrival::Failed(error) => {
                let error = waiting::own_copy(py, error);
                let value = self.with_home(py, |home| home.failures.instead(py, error))??;
                *self.state.lock() = State::Value(value);
                Ok(true)
            }
        }
    }

    /// Takes the state out, so that nothing of Python's runs or is dropped under the lock.
    fn take(&self) -> State {
        std::mem::replace(&mut *self.state.lock(), State::Spent)
    }
}
