//! The conformance suites, run over stores as Python opens them.

use std::sync::{Arc, Mutex, PoisonError};

use everwarm_conformance::{
    Broken, Fixture, Harness, ManualClock, Outcome, PROMISES, around, check, codec,
};
use everwarm_core::clock::Clock;
use everwarm_core::store::Store;
use everwarm_engine::Ticker;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::shared::{Codec, Layers};
use crate::store;

/// A place for a store under test: what its handles are opened with.
#[pyclass(frozen, module = "everwarm._native")]
struct Place {
    fixture: Fixture,
}

/// The suites of layers and of codecs.
const LAYERS: &str = "layers";
const CODEC: &str = "codec";

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

/// The names of all promises of stores, in the order of the contract: `store::what_was_set_is_found`. Those that stand beside are of layers
/// around stores, and of codecs.
#[pyfunction]
#[pyo3(signature = (beside = false))]
fn promises(beside: bool) -> Vec<String> {
    let of_stores = PROMISES.iter();
    let of_stores = of_stores.map(|promise| format!("{}::{}", promise.suite, promise.name));
    if !beside {
        return of_stores.collect();
    }
    let of_layers = around::promises().map(|name| format!("{LAYERS}::{name}"));
    let of_codecs = codec::PROMISES.iter();
    let of_codecs = of_codecs.map(|(name, _)| format!("{CODEC}::{name}"));
    of_layers.chain(of_codecs).collect()
}

/// Checks one promise of what a cache seals and opens with.
fn check_codec(py: Python<'_>, codec: &Bound<'_, Codec>, name: &str) -> Option<Outcome> {
    let mut promises = codec::PROMISES.iter();
    let (_, check) = promises.find(|(promise, _)| *promise == name)?;
    let sealer = Arc::clone(&codec.get().0);
    Some(match py.detach(|| check(&*sealer)) {
        Ok(()) => Outcome::Kept,
        Err(broken) => Outcome::Broken(broken),
    })
}

/// Checks one promise of the stores that `open` gives, each call a handle. `open` takes a place, unless the store is alone in it.
/// With `layers`, a Python `Tier`, the stores are behind those of that tier; without them nothing is promised of layers. In the place of
/// `open` there may be a codec.
///
/// None if it is kept, False if it is not offered, else how it was broken.
#[pyfunction]
#[pyo3(signature = (open, takes_place, name, layers = None))]
fn check_promise(
    py: Python<'_>,
    open: Py<PyAny>,
    takes_place: bool,
    name: &str,
    layers: Option<&Bound<'_, PyAny>>,
) -> PyResult<Py<PyAny>> {
    let none = || PyValueError::new_err("there is no such promise");
    let named = name.strip_prefix(CODEC);
    if let (Ok(codec), Some(name)) = (open.bind(py).cast(), named) {
        let outcome = check_codec(py, codec, name.trim_start_matches("::"));
        return told(py, outcome.ok_or_else(none)?);
    }
    let around_it = name
        .strip_prefix(LAYERS)
        .and_then(|name| name.strip_prefix("::"));
    let promise = PROMISES
        .iter()
        .find(|promise| name == format!("{}::{}", promise.suite, promise.name));
    let layers = layers.map(|tier| Layers::new(tier, Ticker::system()));
    let layers = layers.transpose()?.map(Arc::new);
    let behind = layers.clone().filter(|_| around_it.is_none());
    let opened = move |fixture: &Fixture| {
        let store = Python::attach(|py| open_one(py, &open, takes_place.then(|| fixture.clone())))
            .map_err(|error| Broken::new(format!("the store does not open: {error}")))?;
        Ok(match &behind {
            Some(layers) => layers.around(store).store,
            None => store,
        })
    };
    let harness = Harness::over(opened);
    let harness = if takes_place {
        harness
    } else {
        harness.alone()
    };
    let outcome = match (around_it, layers, promise) {
        (Some(name), Some(layers), _) => {
            let wrap = |store| layers.around(store).store;
            py.detach(|| around::check(&harness, name, &wrap))
        }
        (Some(_), None, _) => Some(Outcome::NotOffered),
        (None, _, Some(promise)) => Some(py.detach(|| check(&harness, promise))),
        (None, _, None) => None,
    };
    let outcome = outcome.ok_or_else(none)?;
    told(py, outcome)
}

/// What became of a promise, as Python has it.
fn told(py: Python<'_>, outcome: Outcome) -> PyResult<Py<PyAny>> {
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
