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

fn make(py: Python<'_>, class: &str, text: &str) -> PyErr {
    let made = modules::own(py, "everwarm._errors")
        .and_then(|module| module.getattr(class))
        .and_then(|class: Bound<'_, PyAny>| class.call1((text,)));
    match made {
        Ok(error) => PyErr::from_value(error),
        Err(error) => error,
    }
}
