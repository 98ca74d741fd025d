//! The turn of an awaited call, held by the coroutine that drives it.

use everwarm_core::using::{self, Read};
use everwarm_engine::stack::Fetched;
use everwarm_engine::{Ask, Settle};
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Waker;

use crate::answer::{Status, Told};
use crate::arguments::Spread;
use crate::ask::{Source, Wish};
use crate::engine::{Arrival, Ticket};
use crate::function::Called;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::settle::{self, Flight};
use crate::shared::{self, Step};
use crate::signature::Unkeyed;
use crate::using::Plan;
use crate::wanted::Wanted;
use crate::{ask, call, engine, errors, waiting};

/// One turn: a value, a lead or a wait.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Turn {
    /// The decorated function, or the object that is wanted.
    asked: Py<PyAny>,
    /// How the call got, or gets, its value.
    status: Mutex<Status>,
    /// What the stores told of its value, if they had it.
    told: Mutex<Option<Box<Told>>>,
    state: Mutex<State>,
}

enum State {
    Value(Object),
    /// The function is called past the cache.
    Past,
    /// The stores are asked for the value of a lead.
    Ask(Box<Flight>, Pin<Box<dyn Future<Output = Fetched> + Send>>),
    Lead(Box<Flight>),
    Wait(Ticket),
    Spent,
}

/// The turn of a call that is awaited, or of one that blocks its thread where it has to wait.
#[pyfunction]
#[pyo3(signature = (function, arguments, keywords, plan, again, blocks=false))]
pub(crate) fn begin(
    function: &Bound<'_, PyAny>,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
    plan: &Bound<'_, Plan>,
    again: bool,
    blocks: bool,
) -> PyResult<Turn> {
    let py = function.py();
    let plan = plan.get().0;
    if let Ok(wanted) = function.cast::<Wanted>() {
        let wanted = wanted.get();
        if wanted.home().is_away(py)? {
            wanted.home().scope.count_bypass();
            return Ok(Turn::going_past(function));
        }
        let keyed = wanted.keyed(py)?;
        let tags = wanted.tags(&keyed);
        return Turn::new(function, wanted, (keyed, Some(tags)), (plan, again, blocks));
    }
    let native = call::function(function)?;
    let home = native.home(py)?;
    if plan == using::Plan::Skip || native.keeps_nothing() || home.is_disabled(py)? {
        home.scope.count_bypass();
        return Ok(Turn::going_past(function));
    }
    Spread::new(arguments, keywords)?.with(py, |call| {
        let keyed = native.keyed(&home, call);
        if matches!(keyed, Err(Unkeyed::Nobody)) && !home.strict {
            home.scope.count_bypass();
            return Ok(Turn::going_past(function));
        }
        let keyed = keyed.map_err(|unkeyed| match unkeyed {
            Unkeyed::Nobody => errors::nobody(py, &native.title(py)),
            // The function itself says best what does not fit.
            Unkeyed::Misfit => match native.bypass(&home, call) {
                Err(error) => error,
                Ok(_) => PyTypeError::new_err("the arguments do not fit the function\nhint: pass what the function itself takes"),
            },
            Unkeyed::Refused(error) => error,
        })?;
        let source = Called {
            function: native,
            home: &home,
            call,
        };
        if plan != using::Plan::ORDINARY
            && !again
            && let Some(value) = native.found(py, &home, &keyed, plan)?
        {
            return Ok(Turn::handed(function, &source, &value));
        }
        let tags = native.tags(&home, call, &keyed);
        Turn::new(function, &source, (keyed, tags), (plan, again, blocks))
    })
}

impl Turn {
    /// The turn that the engine gives, for a key and its tags, to a call that may have asked before.
    fn new(
        asked: &Bound<'_, PyAny>,
        source: &impl Source,
        entry: (Keyed, Option<Vec<Arc<str>>>),
        (plan, again, blocks): (using::Plan, bool, bool),
    ) -> PyResult<Self> {
        let py = asked.py();
        let (keyed, tags) = entry;
        let home = source.home();
        let chain = waiting::chain(py)?;
        let wish = Wish::new(source, &keyed, tags);
        let ask = Ask {
            again,
            ..home.ask(&keyed, wish.tags(), waiting::caller(&chain, blocks))
        };
        let (status, state) = match ask::turn(py, source, ask, plan)? {
            engine::Turn::Hit(value) => return Ok(Self::handed(asked, source, &value)),
            engine::Turn::Wait(ticket) => (Status::Follower, State::Wait(ticket)),
            engine::Turn::Lead(lead) | engine::Turn::Alone(lead) => {
                let storable = wish.is_storable() && plan.stores();
                let mut flight = Box::new(Flight::new(home, lead, keyed, storable));
                flight.remote = wish.remote(py, source)?;
                let state = match flight
                    .remote
                    .as_deref()
                    .map(|remote| remote.ask(plan.read()))
                {
                    Some(asking) => State::Ask(flight, Box::pin(asking)),
                    None => State::Lead(flight),
                };
                (ask::computed(home, plan), state)
            }
        };
        let turn = Self {
            asked: asked.clone().unbind(),
            status: Mutex::new(status),
            told: Mutex::new(None),
            state: Mutex::new(state),
        };
        Ok(turn)
    }
}

#[pymethods]
impl Turn {
    #[getter]
    fn status(&self) -> &'static str {
        self.status.lock().name()
    }

    /// Asks the stores, if the turn is a lead that has any: the seconds after which they want to be asked again, or None.
    fn ask(&self, py: Python<'_>) -> PyResult<Option<f64>> {
        loop {
            let (mut flight, mut asking) = match self.take() {
                State::Ask(flight, asking) => (flight, asking),
                state => {
                    *self.state.lock() = state;
                    return Ok(None);
                }
            };
            let stepped = py.detach(|| shared::step_calmly(&mut asking));
            if let Some(remote) = &flight.remote {
                shared::check_tampering(py, remote.name())?;
            }
            let answer = match stepped {
                Step::Again(left) => {
                    *self.state.lock() = State::Ask(flight, asking);
                    return Ok(Some(left.as_secs_f64()));
                }
                Step::Done(answer) => answer,
            };
            let next = self.with_home(py, |home| {
                let remote = flight.remote.as_mut()?;
                if let Some(kept) = remote.take(py, home, answer) {
                    *self.status.lock() = Status::Hit;
                    let value = flight.found(py, home, &kept);
                    *self.told.lock() = Some(Box::new(kept.told));
                    return Some(State::Value(value));
                }
                if remote.leads() {
                    return Some(State::Lead(flight));
                }
                let asking = Box::pin(remote.ask(Read::Nothing));
                Some(State::Ask(flight, asking))
            })?;
            *self.state.lock() = next.unwrap_or(State::Spent);
        }
    }

    /// The number of the lead, if this turn is one.
    #[getter]
    fn lead(&self) -> Option<u64> {
        match &*self.state.lock() {
            State::Lead(flight) => Some(flight.lead.id().0),
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

    /// Has `post(waiter)` called, from whichever thread, once the leader has ended.
    fn register(&self, post: Py<PyAny>, waiter: Py<PyAny>) {
        let waker = Waker::from(Arc::new(waiting::Call { post, waiter }));
        // Registering may wake at once, which runs Python code: the ticket is taken out meanwhile.
        let taken = self.take();
        if let State::Wait(mut ticket) = taken {
            ticket.register(waker);
            *self.state.lock() = State::Wait(ticket);
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
            State::Wait(ticket) => self.arrive(py, waiting::wait(py, ticket)?),
            state => {
                *self.state.lock() = state;
                Ok(true)
            }
        }
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

    /// Ends the computation with its value.
    fn settle(&self, value: Bound<'_, PyAny>) -> PyResult<()> {
        let py = value.py();
        if let State::Lead(flight) = self.take() {
            let asked = self.asked.bind(py);
            if let Ok(wanted) = asked.cast::<Wanted>() {
                return wanted.get().settle(py, *flight, value.into()).map(drop);
            }
            let native = call::function(asked)?;
            native.settle(py, &*native.home(py)?, *flight, value.into())?;
        }
        Ok(())
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
        match &*self.state.lock() {
            State::Value(value) => value.visit(&visit),
            State::Lead(flight) | State::Ask(flight, _) => flight.keyed.visit(&visit),
            State::Wait(_) | State::Past | State::Spent => Ok(()),
        }
    }

    fn __clear__(&self) {
        drop(self.take());
    }

    /// Ends the computation with an error: an `Exception` is shared, any other hands the work over.
    fn fail(&self, error: Bound<'_, PyAny>) {
        let py = error.py();
        if let State::Lead(flight) = self.take() {
            settle::fail(py, flight.lead, &PyErr::from_value(error));
        }
    }
}

impl Turn {
    /// The turn of a call that goes past the cache: its status says so, and whoever drives it calls the function.
    fn going_past(function: &Bound<'_, PyAny>) -> Self {
        Self {
            asked: function.clone().unbind(),
            status: Mutex::new(Status::Bypass),
            told: Mutex::new(None),
            state: Mutex::new(State::Past),
        }
    }

    /// The turn of a call that found a value; a call past the cache if it can be given nothing of it.
    fn handed(asked: &Bound<'_, PyAny>, source: &impl Source, value: &Object) -> Self {
        match source.own(asked.py(), value) {
            Some(own) => Self {
                asked: asked.clone().unbind(),
                status: Mutex::new(Status::Hit),
                told: Mutex::new(None),
                state: Mutex::new(State::Value(own)),
            },
            None => Self::going_past(asked),
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
            Arrival::Again => Ok(false),
            Arrival::Failed(error) => Err(waiting::own_copy(py, error)),
        }
    }

    /// Takes the state out, so that nothing of Python's runs or is dropped under the lock.
    fn take(&self) -> State {
        std::mem::replace(&mut *self.state.lock(), State::Spent)
    }
}
