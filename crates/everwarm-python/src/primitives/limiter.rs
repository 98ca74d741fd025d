//! The native half of a limiter.

use std::sync::Arc;

use everwarm_core::limiter::{Kind, Limit, Rate};
use everwarm_engine::primitives::Limiter as Keeping;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use crate::entries::closed;
use crate::errors;
use crate::home::Home;
use crate::objects::Objects;
use crate::shared::Alarm;
use crate::table::Table;

use super::stored_name;

/// What a limiter asks.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Limiter {
    objects: Py<Objects>,
    home: Arc<Home>,
    name: Py<PyAny>,
    keeping: Keeping,
}

#[pymethods]
impl Limiter {
    #[new]
    fn new(
        objects: &Bound<'_, Objects>,
        name: Bound<'_, PyAny>,
        rate: &str,
        kind: &str,
        burst: Option<u64>,
    ) -> PyResult<Self> {
        let py = objects.py();
        let raise = |error| errors::raise(py, &error);
        let home = Objects::open_for(objects)?;
        let kind = Kind::ALL.into_iter().find(|known| known.name() == kind);
        let kind = kind.ok_or_else(|| {
            let hint = "write \"token_bucket\", \"fixed_window\" or \"sliding_window\"";
            errors::config(py, "a limiter has no such kind", hint)
        })?;
        let rate = Rate::parse(rate).map_err(raise)?;
        let limit = Limit::new(kind, rate, burst).map_err(raise)?;
        let store = home.ground().store(py)?;
        let clock = home.naming.primitive("clock", None, b"");
        let clock = clock.map_err(|limit| crate::keys::beyond(py, limit))?;
        let keeping = Keeping::new(&store, limit, &clock).map_err(raise)?;
        Ok(Self {
            objects: objects.clone().unbind(),
            home,
            name: name.unbind(),
            keeping,
        })
    }

    /// Asks for `n` permits: whether they are granted, how many are left, and after how many seconds to ask again.
    fn take(&self, py: Python<'_>, n: u64, key: &Bound<'_, PyAny>) -> PyResult<(bool, u64, f64)> {
        if self.home.engine.is_closed() {
            return Err(closed(self.objects.bind(py)));
        }
        let limit = self.keeping.limit();
        // Another rate counts anew, since what was granted under this one says nothing under that.
        let nanos = u64::try_from(limit.rate().period().as_nanos()).unwrap_or(u64::MAX);
        let rate = (
            limit.kind().name(),
            limit.rate().count(),
            nanos,
            limit.burst(),
        );
        let whole = (self.name.bind(py), rate, key).into_pyobject(py)?;
        let name = stored_name(&self.home, "limiter", whole.cast::<PyTuple>()?.as_any())?;
        let ground = self.home.ground();
        let store = ground.store(py)?;
        let decision = ground.ask(py, self.keeping.take(&*store, &Alarm, (&name, n)))?;
        Ok((
            decision.allowed,
            decision.remaining,
            decision.retry_after.as_secs_f64(),
        ))
    }

    /// The most that can be had at once.
    #[getter]
    fn burst(&self) -> u64 {
        self.keeping.limit().burst()
    }

    /// The table that lets go of what has expired.
    fn table<'py>(&self, py: Python<'py>) -> Bound<'py, Table> {
        self.home.table(py).clone()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.objects)?;
        visit.call(&self.name)
    }
}
