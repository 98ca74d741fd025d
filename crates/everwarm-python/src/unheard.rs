//! Errors that no caller can be given.

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;

use crate::lasting::intern;
use crate::modules;

/// Has Python say an error, as it does where nobody hears of one. An interrupt is heard of all the same.
pub(crate) fn say(py: Python<'_>, error: PyErr, by: Option<&Bound<'_, PyAny>>) {
    if !interrupts(py, &error) {
        error.write_unraisable(py, by);
    }
}

/// Whether an error is an interrupt, which is no failure of what it came upon: then the main thread raises it at its next step.
pub(crate) fn interrupts(py: Python<'_>, error: &PyErr) -> bool {
    error.is_instance_of::<PyKeyboardInterrupt>(py)
        && modules::own(py, "_thread")
            .and_then(|thread| thread.call_method0(intern!(py, "interrupt_main")))
            .is_ok()
}

/// What was asked for, if that could be done. An interrupt is no failure.
pub(crate) fn or_none<T>(py: Python<'_>, asked: PyResult<T>) -> Option<T> {
    match asked {
        Ok(given) => Some(given),
        Err(error) => {
            interrupts(py, &error);
            None
        }
    }
}
