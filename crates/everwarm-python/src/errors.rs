//! Errors of the engine as the exceptions of `everwarm`.

use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::store::Failure;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::PyAny;

use crate::lasting::intern;
use crate::modules;

/// The exception for an error of the core.
pub(crate) fn raise(py: Python<'_>, error: &Error) -> PyErr {
    make(py, error.kind().name(), &error.to_string())
}

/// A `ConfigError` that says what is wrong and what to write instead.
pub(crate) fn config(py: Python<'_>, message: &str, hint: &str) -> PyErr {
    raise(py, &Error::new(ErrorKind::Config, message, hint))
}

/// A `StoreError`: what a store did not do.
pub(crate) fn store(py: Python<'_>, failure: &Failure) -> PyErr {
    let error = make(py, "StoreError", &failure.to_string());
    let told = error
        .value(py)
        .setattr(intern!(py, "kind"), failure.kind.name());
    told.err().unwrap_or(error)
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

/// A `Timeout`: a call took longer than it may.
pub(crate) fn timed_out(py: Python<'_>, name: &str, limit: Option<Duration>) -> PyErr {
    let limit = limit.unwrap_or_default().as_secs_f64();
    let text = format!(
        "{name} took longer than its hard_timeout of {limit} s\n\
         hint: write a longer hard_timeout, keep an old value to serve with `stale_if_error`, or catch `everwarm.Timeout`"
    );
    make(py, "Timeout", &text)
}

/// A `Timeout`: a call waited too long for its turn to compute.
pub(crate) fn crowded(py: Python<'_>, name: &str, limit: Duration) -> PyErr {
    let limit = limit.as_secs_f64();
    let text = format!(
        "{name} waited {limit} s, its wait_timeout, for one of the running computations to end\n\
         hint: write a larger max_computations or a longer wait_timeout, or keep an old value to serve with `stale_if_error`"
    );
    make(py, "Timeout", &text)
}

/// An `Unsupported`: a value that `isolate` cannot copy.
pub(crate) fn not_copied(py: Python<'_>, name: &str, cause: PyErr) -> PyErr {
    if !cause.is_instance_of::<PyException>(py) {
        return cause;
    }
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

/// An `Unsupported`: a verb about an entry of a function that keeps none.
pub(crate) fn keeps_nothing(py: Python<'_>, name: &str) -> PyErr {
    let hint = "give `lru_cache` a maxsize of at least 1, or ask `.uncached`";
    let message = format!("{name} keeps no entries, since its maxsize is 0");
    raise(py, &Error::new(ErrorKind::Unsupported, message, hint))
}

/// A `StoreError`: an entry that somebody without the key has changed.
pub(crate) fn tampered(py: Python<'_>, name: &str) -> PyErr {
    let which = match name {
        "" => "one of these entries".to_owned(),
        name => format!("the entry {name:?}"),
    };
    let text = format!(
        "{which} was changed in its store by somebody without the key, or is another entry's\n\
         hint: it is left as evidence; look at who can write to the store, then delete or invalidate the entry"
    );
    let error = make(py, "StoreError", &text);
    let told = error
        .value(py)
        .setattr(intern!(py, "kind"), intern!(py, "tampered"));
    told.err().unwrap_or(error)
}

/// A `StoreError`: an invalidation that a store has not taken yet.
pub(crate) fn pending(py: Python<'_>) -> PyErr {
    let text = "a store has not taken an invalidation, so other processes may serve what was there before\n\
                hint: it is repeated until it is done, and is done in this process; leave `strict` out to go on without a word";
    let error = make(py, "StoreError", text);
    let told = error
        .value(py)
        .setattr(intern!(py, "kind"), intern!(py, "transient"));
    told.err().unwrap_or(error)
}

/// A `Recursion`: a lock that who holds it asks for again.
pub(crate) fn held_already(py: Python<'_>) -> PyErr {
    let message = "a lock was asked for by who holds it already, and would be waited for in vain";
    let hint = "release it first, or take it once, further out; a lock cannot be taken twice";
    raise(py, &Error::new(ErrorKind::Recursion, message, hint))
}

/// Whether an error is a store's.
pub(crate) fn is_of_store(py: Python<'_>, error: &PyErr) -> bool {
    modules::own(py, "everwarm._errors")
        .and_then(|module| module.getattr("StoreError"))
        .is_ok_and(|class| error.is_instance(py, &class))
}

/// A `TenantMissing`: a call or a verb that is to be some tenant's, and is nobody's.
pub(crate) fn nobody(py: Python<'_>, name: &str) -> PyErr {
    let text = format!(
        "{name} has no tenant\n\
         hint: set the context variable, or pass the argument, that `tenant=` names; None and the empty text are no tenants"
    );
    make(py, "TenantMissing", &text)
}

/// A `ValueRefused`: a value that cannot be stored, and comes with its own hint.
pub(crate) fn value_refused(py: Python<'_>, message: &str) -> PyErr {
    make(py, "ValueRefused", message)
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
