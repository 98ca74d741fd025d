//! The conformance suites, run over stores as Python opens them.

use std::sync::{Arc, Mutex, PoisonError};

use everwarm_conformance::{Broken, Fixture, Harness, ManualClock, Outcome, PROMISES, check};
use everwarm_core::clock::Clock;
use everwarm_core::store::Store;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::store;

/// A place for a store under test: what its handles are opened with.
#[pyclass(frozen, module = "everwarm._native")]
struct Place {
    fixture: Fixture,
}

/// What the handles on one place share.
type Shared = Mutex<Option<Py<PyAny>>>;

#[pymethods]
impl Place {
    /// An empty directory, which is deleted after the check.
    #[getter]
    fn directory(&self) -> String {
        self.fixture.directory().display().to_string()
    }

    /// Seconds since the place was made, by a clock that the suite moves: a store that reads it is not waited for.
    fn clock(&self) -> f64 {
        let origin = ManualClock::default().now();
        self.fixture.clock().now().since(origin).as_secs_f64()
    }

    /// What `make` gave for the first handle on this place.
    fn once<'py>(&self, make: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = make.py();
        let shared = self.fixture.once(Shared::default);
        let kept = || shared.lock().unwrap_or_else(PoisonError::into_inner);
        let there = kept().as_ref().map(|made| made.clone_ref(py));
        if let Some(there) = there {
            return Ok(there.into_bound(py));
        }
        let made = make.call0()?;
        *kept() = Some(made.clone().unbind());
        Ok(made)
    }
}

/// The names of all promises, in the order of the contract: `store::what_was_set_is_found`.
#[pyfunction]
fn promises() -> Vec<String> {
    PROMISES
        .iter()
        .map(|promise| format!("{}::{}", promise.suite, promise.name))
        .collect()
}

/// Checks one promise of the stores that `open` gives, each call a handle. `open` takes a place, unless the store is alone in it.
///
/// None if it is kept, False if it is not offered, else how it was broken.
#[pyfunction]
fn check_promise(
    py: Python<'_>,
    open: Py<PyAny>,
    takes_place: bool,
    name: &str,
) -> PyResult<Py<PyAny>> {
    let promise = PROMISES
        .iter()
        .find(|promise| name == format!("{}::{}", promise.suite, promise.name))
        .ok_or_else(|| PyValueError::new_err("there is no such promise"))?;
    let opened = move |fixture: &Fixture| {
        Python::attach(|py| open_one(py, &open, takes_place.then(|| fixture.clone())))
            .map_err(|error| Broken::new(format!("the store does not open: {error}")))
    };
    let harness = Harness::over(opened);
    let harness = if takes_place {
        harness
    } else {
        harness.alone()
    };
    let outcome = py.detach(|| check(&harness, promise));
    // An interrupt came while it was checked.
    py.check_signals()?;
    Ok(match outcome {
        Outcome::Kept => py.None(),
        Outcome::NotOffered => false.into_pyobject(py)?.to_owned().into_any().unbind(),
        Outcome::Broken(broken) => broken.to_string().into_pyobject(py)?.into_any().unbind(),
    })
}

fn open_one(py: Python<'_>, open: &Py<PyAny>, place: Option<Fixture>) -> PyResult<Arc<dyn Store>> {
    let object = match place {
        Some(fixture) => open.bind(py).call1((Place { fixture },))?,
        None => open.bind(py).call0()?,
    };
    store::of_object(&object)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Place>()?;
    module.add_function(wrap_pyfunction!(promises, module)?)?;
    module.add_function(wrap_pyfunction!(check_promise, module)?)
}
