//! Errors of the engine as the exceptions of `everwarm`.

use everwarm_core::error::{Error, ErrorKind};
use pyo3::prelude::*;
use pyo3::types::PyAny;

use crate::modules;

/// The exception for an error of the core.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    make(py, error.kind().name(), &error.to_string())
}

/// A `ConfigError` that says what is wrong and what to write instead.
pub(crate) fn config(py: Python<'_>, message: &str, hint: &str) -> PyErr {
    raise(py, &Error::new(ErrorKind::Config, message, hint))
}

/// A `Recursion`: a call that waits for itself.
pub(crate) fn recursion(py: Python<'_>, name: &str) -> PyErr {
    let hint = "a cached function must not need its own result for the same arguments; \
                give the inner call other arguments, or call `.uncached`";
    raise(
        py,
        &Error::new(
            ErrorKind::Recursion,
            format!(
                "{name} waits for itself: it was called again with the same key while computing it"
            ),
            hint,
        ),
    )
}

/// A `NotCached`: a call that was to be served from the cache alone.
pub(crate) fn not_cached(py: Python<'_>, name: &str) -> PyErr {
    let hint = "leave `only_if_cached` out to compute it, or catch `NotCached`";
    raise(
        py,
        &Error::new(
            ErrorKind::NotCached,
            format!("{name} has no entry that this call may be served"),
            hint,
        ),
    )
}

/// An `Unsupported`: a value that `isolate` cannot copy.
pub(crate) fn not_copied(py: Python<'_>, name: &str, cause: PyErr) -> PyErr {
    let hint = "give its class a `__deepcopy__`, or leave `isolate` out";
    let error = raise(
        py,
        &Error::new(
            ErrorKind::Unsupported,
            format!("a value of {name} cannot be copied, which isolate=True asks for"),
            hint,
        ),
    );
    error.set_cause(py, Some(cause));
    error
}

fn make(py: Python<'_>, class: &str, text: &str) -> PyErr {
    let made = modules::own(py, "everwarm._errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class: Bound<'_, PyAny>| class.call1((text,)));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
