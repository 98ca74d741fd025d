//! What becomes of a computation's error: the old value is served, the error is remembered, or it is raised.

use everwarm_core::clock::Clock;
use everwarm_core::policy::{Negative, Policy};
use everwarm_engine::{Chance, Settle};
use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::answer::Status;
use crate::home::Home;
use crate::object::Object;
use crate::settle::Flight;
use crate::table::Table;
use crate::{calling, context, waiting};

/// What a policy says of errors, beside its windows.
#[derive(Default)]
pub(crate) struct Failures {
    /// The classes of errors for which the old value stands; None: all.
    pub(crate) covers: Option<Py<PyAny>>,
    /// What is given to callers where there is no old value.
    pub(crate) fallback: Option<Fallback>,
    /// The classes of errors that are remembered, and how.
    pub(crate) remembers: Vec<(Py<PyAny>, Negative)>,
}

/// A value for callers whose computation failed with nothing to serve.
pub(crate) enum Fallback {
    /// This one.
    Value(Py<PyAny>),
    /// What this gives for the error.
    Callable(Py<PyAny>),
}

impl Failures {
    fn covers(&self, py: Python<'_>, error: &PyErr) -> bool {
        let covers = self.covers.as_ref();
        covers.is_none_or(|classes| error.is_instance(py, classes.bind(py)))
    }

    /// How an error is remembered, if it is: the first class that it is of decides.
    fn remembers(&self, py: Python<'_>, error: &PyErr) -> Option<Negative> {
        let mut classes = self.remembers.iter();
        let found = classes.find(|(class, _)| error.is_instance(py, class.bind(py)));
        found.map(|(_, negative)| *negative)
    }

    /// What a caller is given for an error that nothing else stands for; the error, if there is nothing.
    pub(crate) fn instead(&self, py: Python<'_>, error: PyErr) -> PyResult<Object> {
        let given = match &self.fallback {
            Some(_) if !error.is_instance_of::<PyException>(py) || !self.covers(py, &error) => {
                return Err(error);
            }
            None => return Err(error),
            Some(Fallback::Value(value)) => value.bind(py).clone(),
            Some(Fallback::Callable(function)) => {
                let raised = error.value(py).as_any();
                calling::call(function.bind(py), [raised.as_borrowed()])?
            }
        };
        Ok(given.into())
    }
}

/// Ends a computation with its error: the old value and its status, if that stands for the error.
///
/// Followers share an `Exception`; any other error hands the work over.
pub(crate) fn fail(
    py: Python<'_>,
    home: &Home,
    flight: Flight,
    error: PyErr,
) -> PyResult<(Object, Status)> {
    context::forget(py, flight.lead.id());
    if !error.is_instance_of::<PyException>(py) {
        drop(flight.lead);
        return Err(error);
    }
    let failures = &home.failures;
    let shared = || Object::from(error.value(py).clone().into_any());
    if let Some(negative) = failures.remembers(py, &error) {
        remember(py, home, (flight, negative), &error);
        return Err(error);
    }
    let covers = failures.covers(py, &error);
    let behind = flight.lead.is_behind();
    let served = flight.lead.fall_back(shared(), &home.policy, covers);
    if behind || served.is_some() {
        Table::watch(home.table(py));
    }
    match served {
        Some(served) => Ok((served.value, Status::served(served.freshness))),
        None => Err(error),
    }
}

/// Ends a computation with an error that is remembered for a while.
fn remember(py: Python<'_>, home: &Home, (flight, negative): (Flight, Negative), error: &PyErr) {
    let row = flight.lead.negatives();
    let now = home.engine.ticker().now();
    let policy = Policy {
        negative: Some(negative),
        ..home.policy
    };
    let lifetime = policy.negative_lifetime(now, row, &Chance::new());
    let raised = Object::from(error.value(py).clone().into_any());
    let Some(lifetime) = lifetime else {
        return flight.lead.fail(raised);
    };
    let kept = waiting::own_copy(py, raised.clone());
    if !kept.value(py).is(error.value(py)) {
        // A traceback would keep all alive that the computation worked with.
        kept.set_traceback(py, None);
    }
    let settle = Settle {
        lifetime,
        negative: Some(everwarm_engine::Negative {
            row: row + 1,
            is_error: true,
        }),
        store: flight.storable && home.has_memory() && home.note(py, &flight.keyed).is_ok(),
        ..Settle::default()
    };
    let kept = Object::from(kept.value(py).clone().into_any());
    if flight.lead.remember(raised, &kept, settle).stored {
        Table::watch(home.table(py));
    }
}
