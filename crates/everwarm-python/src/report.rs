//! What is said in the log, once, of what users gave and what went wrong in it.

use everwarm_core::store::Failure;
use pyo3::prelude::*;

use crate::home::Home;
use crate::lasting::intern;
use crate::{modules, unheard};

/// Says once, in the log, that a callable of the policy has failed. What it raised may show a value or a key, so it is not said
/// where these are secret.
pub(crate) fn report(py: Python<'_>, home: &Home, what: &str, error: &PyErr) {
    let so = "so the value was returned but not stored";
    say(py, (what, error, so), home.is_secret());
}

/// Says once for each function, in the log, that stores cannot have its values, and what to do.
pub(crate) fn report_refused(py: Python<'_>, (function, why): (&str, &str), is_secret: bool) {
    let said = modules::own(py, "everwarm._report")
        .and_then(|module| module.call_method1(intern!(py, "refused"), (function, why, is_secret)));
    if let Err(failure) = said {
        unheard::say(py, failure, None);
    }
}

/// Says in the log that a store could not be opened, why, and what to do.
pub(crate) fn report_unopened(py: Python<'_>, kind: &str, why: &Failure) {
    let said = modules::own(py, "everwarm._report").and_then(|module| {
        let told = (kind, why.message(), why.hint());
        module.call_method1(intern!(py, "unopened"), told)
    });
    if let Err(failure) = said {
        unheard::say(py, failure, None);
    }
}

/// Says once, in the log, that a callable has failed, and what follows from it.
pub(crate) fn report_so(py: Python<'_>, what: &str, error: &PyErr, so: &str) {
    say(py, (what, error, so), false);
}

/// Says once, in the log, that a callable has failed, and what follows; without what it said, where that is secret. An interrupt is
/// no failure of what it came upon, and is heard of by who called.
pub(crate) fn say(py: Python<'_>, (what, error, so): (&str, &PyErr, &str), is_secret: bool) {
    if unheard::interrupts(py, error) {
        return;
    }
    let said = modules::own(py, "everwarm._report").and_then(|module| {
        let told = (what, error.value(py), so, is_secret);
        module.call_method1(intern!(py, "failed"), told)
    });
    if let Err(failure) = said {
        unheard::say(py, failure, None);
    }
}
