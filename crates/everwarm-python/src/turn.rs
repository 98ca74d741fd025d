//! The turn of an awaited call, held by the coroutine that drives it.

use everwarm_engine::Ask;
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyTypeError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use std::sync::Arc;
use std::task::Waker;

use crate::answer::{Mode, Status};
use crate::arguments::Spread;
use crate::call;
use crate::engine::{Arrival, Ticket};
use crate::object::Object;
use crate::settle::{self, Flight};
use crate::signature::Unkeyed;
use crate::waiting;

/// One turn: a value, a lead or a wait.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Turn {
    function: Py<PyAny>,
    /// How the call got, or gets, its value.
    status: Status,
    state: Mutex<State>,
}

enum State {
    Value(Object),
    Lead(Box<Flight>),
    Wait(Ticket),
    Spent,
}

/// The turn of an awaited call.
#[pyfunction]
pub(crate) fn begin(
    function: &Bound<'_, PyAny>,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
    refresh: bool,
    again: bool,
) -> PyResult<Turn> {
    let py = function.py();
    let native = call::function(function)?;
    let home = native.home(py)?;
    let mode = if refresh { Mode::Refresh } else { Mode::Read };
    Spread::new(arguments, keywords)?.with(py, |call| {
        let keyed = native.keyed(home, call).map_err(|unkeyed| match unkeyed {
            // The function itself says best what does not fit.
            Unkeyed::Misfit => match native.bypass(home, call) {
                Err(error) => error,
                Ok(_) => PyTypeError::new_err("the arguments do not fit the function\nhint: pass what the function itself takes"),
            },
            Unkeyed::Refused(error) => error,
        })?;
        let tags = native.tags(home, call);
        let chain = waiting::chain(py)?;
        let caller = waiting::caller(&chain, false);
        let ask = Ask {
            again,
            ..home.ask(&keyed, tags.as_deref(), caller)
        };
        let (status, state) = match native.turn(py, home, ask, mode)? {
            crate::engine::Turn::Hit(value) => (Status::Hit, State::Value(value)),
            crate::engine::Turn::Wait(ticket) => (Status::Follower, State::Wait(ticket)),
            crate::engine::Turn::Lead(lead) | crate::engine::Turn::Alone(lead) => (
                mode.computed(),
                State::Lead(Box::new(Flight::new(home, lead, keyed, tags.is_some()))),
            ),
        };
        Ok(Turn {
            function: function.clone().unbind(),
            status,
            state: Mutex::new(state),
        })
    })
}

#[pymethods]
impl Turn {
    #[getter]
    fn status(&self) -> &'static str {
        self.status.name()
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

    /// Has `wake` called, from whichever thread, once the leader has ended.
    fn register(&self, wake: Py<PyAny>) {
        let waker = Waker::from(Arc::new(waiting::Call(wake)));
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
        let (state, answer) = match ticket.try_arrive() {
            None => (State::Wait(ticket), Ok(None)),
            Some(Arrival::Value(value)) => (State::Value(value), Ok(Some(true))),
            Some(Arrival::Again) => (State::Spent, Ok(Some(false))),
            Some(Arrival::Failed(error)) => (State::Spent, Err(waiting::own_copy(py, error))),
        };
        *self.state.lock() = state;
        answer
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
            let native = call::function(self.function.bind(py))?;
            native.settle(py, native.home(py)?, *flight, value.into());
        }
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.function)?;
        match &*self.state.lock() {
            State::Value(value) => value.visit(&visit),
            State::Lead(flight) => flight.keyed.visit(&visit),
            State::Wait(_) | State::Spent => Ok(()),
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
    /// Takes the state out, so that nothing of Python's runs or is dropped under the lock.
    fn take(&self) -> State {
        std::mem::replace(&mut *self.state.lock(), State::Spent)
    }
}
