//! What one call is told: the options of `using`, checked.

use everwarm_core::using::{self, Options};
use pyo3::prelude::*;

use crate::{errors, terms};

/// The plan of a call.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Plan(pub(crate) using::Plan);

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (*, skip=None, refresh=None, only_if_cached=None, max_age=None, read_only=None, write_only=None))]
    fn new(
        py: Python<'_>,
        skip: Option<&Bound<'_, PyAny>>,
        refresh: Option<&Bound<'_, PyAny>>,
        only_if_cached: Option<&Bound<'_, PyAny>>,
        max_age: Option<&Bound<'_, PyAny>>,
        read_only: Option<&Bound<'_, PyAny>>,
        write_only: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let options = Options {
            skip: flag(skip, "skip")?,
            refresh: flag(refresh, "refresh")?,
            only_if_cached: flag(only_if_cached, "only_if_cached")?,
            max_age: max_age.map_or(Ok(None), terms::span_of)?,
            read_only: flag(read_only, "read_only")?,
            write_only: flag(write_only, "write_only")?,
        };
        match using::plan(&options) {
            Ok(plan) => Ok(Self(plan)),
            Err(error) => Err(errors::raise(py, &error)),
        }
    }
}

/// An option that is said or not.
fn flag(given: Option<&Bound<'_, PyAny>>, name: &str) -> PyResult<bool> {
    let Some(given) = given else {
        return Ok(false);
    };
    given.extract().map_err(|_| {
        errors::config(
            given.py(),
            &format!("{name} is True or False"),
            &format!("write `using({name}=True)`"),
        )
    })
}
