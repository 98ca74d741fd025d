//! Copying what one cache has in its stores to those of another, page by page.

use std::sync::Arc;

use everwarm_core::store::Failure;
use everwarm_engine::process;
use everwarm_engine::stack::{self, Step};
use parking_lot::Mutex;
use pyo3::IntoPyObjectExt;
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::engine::Engine;
use crate::errand::Errand;
use crate::errors;
use crate::objects::Objects;
use crate::shared::{self, drive};

/// A copy on its way.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Copying(Arc<Going>);

struct Going {
    /// None while a step is under way, and after one that was walked away from. Locked by attached threads only.
    copying: Mutex<Option<stack::Copying>>,
    /// The process whose stores they are.
    process: u64,
    /// Whose memory is in front of the target.
    engine: Arc<Engine>,
}

/// Copies the entries of one cache to another, from a place on, with so many entries a second at most.
#[pyfunction]
pub(crate) fn copying(
    py: Python<'_>,
    of: (Bound<'_, Objects>, Bound<'_, Objects>),
    after: Option<&str>,
    rate: Option<u32>,
) -> PyResult<Copying> {
    let (from, to) = of;
    let stack = |cache: &Bound<'_, Objects>| {
        let hint = "give it some: `Cache(\"disk:\", ...)`";
        let none = || errors::config(py, "a cache without stores has nothing to copy", hint);
        let shared = Objects::stores(cache)?.ok_or_else(none)?;
        shared.stack(py)
    };
    let copying = stack(&from)?.copying(&stack(&to)?, after, rate);
    let copying = copying.map_err(|error| errors::raise(py, &error))?;
    Ok(Copying(Arc::new(Going {
        copying: Mutex::new(Some(copying)),
        process: process(),
        engine: Arc::clone(&Objects::open(&to)?.engine),
    })))
}

#[pymethods]
impl Copying {
    /// A page; what was done so far.
    fn step<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (copying, stepped) = drive(py, self.0.step()?)?;
        self.0.stepped(py, copying, stepped)
    }

    /// As `step`, for a task.
    fn astep<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let going = Arc::clone(&self.0);
        Errand::to_ask(py, self.0.step()?, move |py, (copying, stepped)| {
            Ok(going.stepped(py, copying, stepped)?.unbind())
        })
    }
}

type Stepped = (stack::Copying, Result<Step, Failure>);

impl Going {
    fn step(&self) -> PyResult<impl Future<Output = Stepped> + Send + use<>> {
        let is_ours = self.process == process();
        let there = is_ours.then(|| self.copying.lock().take()).flatten();
        let Some(mut copying) = there else {
            return Err(PyRuntimeError::new_err("a copy goes on in one place"));
        };
        Ok(async move {
            let stepped = copying.step().await;
            (copying, stepped)
        })
    }

    fn stepped<'py>(
        &self,
        py: Python<'py>,
        copying: stack::Copying,
        stepped: Result<Step, Failure>,
    ) -> PyResult<Bound<'py, PyAny>> {
        *self.copying.lock() = Some(copying);
        let step = stepped.map_err(|failure| errors::store(py, &failure))?;
        let struck: Vec<_> = step
            .struck
            .iter()
            .map(|name| shared::tag_of_entry(name))
            .collect();
        if !struck.is_empty() {
            self.engine.invalidate_tags(&struck);
        }
        let fields = PyDict::new(py);
        for (name, count) in [
            ("seen", step.copied.seen),
            ("copied", step.copied.copied),
            ("there", step.copied.there),
            ("gone", step.copied.gone),
            ("refused", step.copied.refused),
            ("checked", step.copied.checked),
            ("dropped", step.copied.dropped),
        ] {
            fields.set_item(name, count)?;
        }
        fields.set_item("place", step.place)?;
        fields.into_bound_py_any(py)
    }
}
