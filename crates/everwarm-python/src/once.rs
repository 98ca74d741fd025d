//! Values that can be used only once, so that no second caller may be given them: coroutines, and the iterators of the
//! language itself, and ours.
//!
//! An iterator of any other class is a value like others: a file, a cursor or a stream that is meant to be shared has the same
//! methods as one that is not.

use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::home::Home;
use crate::lasting::Lasting;
use crate::lasting::intern;
use crate::settle::Flight;
use crate::{modules, unheard};

/// The classes of coroutines and of asynchronous generators.
static AWAITED: Lasting<[Py<PyType>; 2]> = Lasting::new();

/// Where classes are at home whose iterators are spent when they are read; among ours are `Ready`, which stands for a coroutine,
/// and `Scan`.
const HOMES: [&str; 3] = ["builtins", "itertools", "everwarm._native"];

/// Remembers the classes; called once, when the module is made.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let types = py.import("types")?;
    let class = |name| {
        let class = types.getattr(name)?.cast_into::<PyType>()?;
        PyResult::Ok(class.unbind())
    };
    let _ = AWAITED.set(py, [class("CoroutineType")?, class("AsyncGeneratorType")?]);
    Ok(())
}

/// Whether a value can be used only once.
pub(crate) fn is_spent_by_use(value: &Bound<'_, PyAny>) -> bool {
    let (py, class) = (value.py(), value.get_type());
    // Not by an abstract class, which would have to be imported with whatever the running code has for imports.
    if class.hasattr(intern!(py, "__next__")).unwrap_or(false) {
        let home = class.module();
        return home.is_ok_and(|home| HOMES.iter().any(|name| home == *name));
    }
    let awaited = AWAITED.get(py);
    awaited.is_some_and(|classes| classes.iter().any(|awaited| class.is(awaited)))
}

/// Ends the computation of a value that can be used only once: it is its caller's alone, and who waits computes another. With
/// any other value the flight goes on.
pub(crate) fn settle(
    value: &Bound<'_, PyAny>,
    home: &Home,
    flight: Flight,
    title: impl FnOnce() -> String,
) -> Option<Flight> {
    if !is_spent_by_use(value) {
        return Some(flight);
    }
    home.scope.count_refused();
    flight.lead.withhold();
    report(value, &title());
    None
}

/// Says once, in the log, that such a value was not stored, and what to do.
pub(crate) fn report(value: &Bound<'_, PyAny>, title: &str) {
    let py = value.py();
    let said = value.get_type().name().and_then(|class| {
        modules::own(py, "everwarm._report")?
            .call_method1(intern!(py, "spent_by_use"), (title, class))
    });
    if let Err(failure) = said {
        unheard::say(py, failure, None);
    }
}
