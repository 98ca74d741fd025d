//! The verbs of a cache that tell how it is.

use std::sync::Arc;

use everwarm_core::health::Depth;
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyList;

use crate::errand::Errand;
use crate::objects::Objects;
use crate::shared::{Shared, depth_of};

impl Objects {
    /// Its stores, as long as it is not closed.
    pub(crate) fn stores(slf: &Bound<'_, Self>) -> PyResult<Option<Arc<Shared>>> {
        let home = Self::open(slf)?;
        let link = home.link.as_ref().filter(|_| !home.engine.is_closed());
        Ok(link.map(|link| Arc::clone(&link.shared)))
    }

    pub(crate) fn answers(slf: &Bound<'_, Self>) -> PyResult<bool> {
        match Self::stores(slf)? {
            Some(shared) => Ok(shared.health_now(slf.py(), Depth::Ping)?.answers()),
            None => Ok(!Self::open(slf)?.engine.is_closed()),
        }
    }

    pub(crate) fn answers_later<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let Some(shared) = Self::stores(slf)? else {
            return Self::answers(slf)?.into_bound_py_any(py);
        };
        let asked = shared.health(py, Depth::Ping)?;
        Errand::to_ask(py, asked, move |py, seen| {
            shared.told(seen).answers().into_py_any(py)
        })
    }

    pub(crate) fn look_over<'py>(
        slf: &Bound<'py, Self>,
        depth: &str,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = slf.py();
        let depth = depth_of(py, depth)?;
        match Self::stores(slf)? {
            Some(shared) => shared.health_now(py, depth)?.fields(py),
            None => Ok(PyList::empty(py)),
        }
    }

    pub(crate) fn look_over_later<'py>(
        slf: &Bound<'py, Self>,
        depth: &str,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let depth = depth_of(py, depth)?;
        let Some(shared) = Self::stores(slf)? else {
            return Ok(PyList::empty(py).into_any());
        };
        let asked = shared.health(py, depth)?;
        Errand::to_ask(py, asked, move |py, seen| {
            Ok(shared.told(seen).fields(py)?.into_any().unbind())
        })
    }
}
