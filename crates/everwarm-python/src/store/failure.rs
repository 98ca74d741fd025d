//! What a store's method raises, as a failure; and failures as exceptions.

use everwarm_core::store::{Failure, FailureKind};
use pyo3::exceptions::{
    PyConnectionError, PyException, PyKeyboardInterrupt, PyMemoryError, PyNotImplementedError,
    PyOSError, PyPermissionError, PyTimeoutError,
};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::lasting::intern;
use crate::{modules, texts, unheard};

/// Numbers of errors that say: there is no room (ENOSPC, EDQUOT, EFBIG).
const NO_ROOM: [i32; 3] = [28, 122, 27];

/// What went wrong in a method: its kind by the type of the exception, and no word of its text, which may tell a secret.
pub(super) fn of_exception(py: Python<'_>, store: &str, verb: &str, error: PyErr) -> Failure {
    let kind = kind_of(py, &error);
    let name = texts::class(error.value(py)).unwrap_or_default();
    if !error.is_instance_of::<PyException>(py) {
        unheard::say(py, error, None);
    }
    Failure::new(
        kind,
        format!("the store {store} raised {name} in {verb}"),
        format!("see what its method {verb} does; `StoreError(..., kind=...)` says more"),
    )
}

fn kind_of(py: Python<'_>, error: &PyErr) -> FailureKind {
    if let Some(kind) = said_kind(py, error) {
        return kind;
    }
    if error.is_instance_of::<PyTimeoutError>(py) {
        FailureKind::Timeout
    } else if error.is_instance_of::<PyConnectionError>(py) {
        FailureKind::Transient
    } else if error.is_instance_of::<PyPermissionError>(py) {
        FailureKind::Authentication
    } else if error.is_instance_of::<PyMemoryError>(py) {
        FailureKind::Capacity
    } else if error.is_instance_of::<PyNotImplementedError>(py) {
        FailureKind::Capability
    } else if error.is_instance_of::<PyOSError>(py) {
        let number = error.value(py).getattr(intern!(py, "errno"));
        match number.and_then(|number| number.extract::<i32>()) {
            Ok(number) if NO_ROOM.contains(&number) => FailureKind::Capacity,
            _ => FailureKind::Transient,
        }
    } else if error.is_instance_of::<PyKeyboardInterrupt>(py) {
        FailureKind::Transient
    } else {
        FailureKind::Permanent
    }
}

/// The kind that one of our own errors says.
fn said_kind(py: Python<'_>, error: &PyErr) -> Option<FailureKind> {
    let errors = modules::own(py, "everwarm._errors").ok()?;
    let is_a = |class: &str| {
        errors
            .getattr(class)
            .is_ok_and(|class| error.matches(py, class).unwrap_or(false))
    };
    if is_a("Closed") {
        return Some(FailureKind::Closed);
    }
    if !is_a("StoreError") {
        return None;
    }
    let kind: String = error
        .value(py)
        .getattr(intern!(py, "kind"))
        .ok()?
        .extract()
        .ok()?;
    FailureKind::ALL
        .into_iter()
        .find(|known| known.name() == kind)
}

/// What a method gave that no method may give.
pub(super) fn of_answer(store: &str, verb: &str, expected: &str) -> Failure {
    Failure::new(
        FailureKind::Permanent,
        format!("the store {store} gave something else in {verb} than it may"),
        format!("{verb} gives {expected}"),
    )
}

/// The exception for a failure: `Closed`, or `StoreError` with its kind.
pub(super) fn raise(py: Python<'_>, failure: &Failure) -> PyErr {
    let made = modules::own(py, "everwarm._errors").and_then(|errors| {
        if failure.kind == FailureKind::Closed {
            return errors.getattr("Closed")?.call1((failure.to_string(),));
        }
        let said = PyDict::new(py);
        said.set_item("kind", failure.kind.name())?;
        errors
            .getattr("StoreError")?
            .call((failure.to_string(),), Some(&said))
    });
    made.map_or_else(|error| error, PyErr::from_value)
}
