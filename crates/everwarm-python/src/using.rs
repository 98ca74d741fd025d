//! What one call is told: the options of `using`, checked.

use everwarm_core::using::{self, Options};
use pyo3::prelude::*;

use crate::limits::Overrides;
use crate::{errors, terms};

/// The plan of a call.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Plan {
    pub(crate) plan: using::Plan,
    times: Overrides,
}

impl Plan {
    /// What the call does, and what it is told of time.
    pub(crate) fn told(&self) -> (using::Plan, Overrides) {
        (self.plan, self.times)
    }
}

#[pymethods]
impl Plan {
    #[new]
    #[pyo3(signature = (*, skip=None, refresh=None, only_if_cached=None, max_age=None, max_stale=None, read_only=None, write_only=None, soft_timeout=None, hard_timeout=None, wait_timeout=None))]
    #[expect(
        clippy::too_many_arguments,
        reason = "the options of one call, each under its own name"
    )]
    fn new(
        py: Python<'_>,
        skip: Option<&Bound<'_, PyAny>>,
        refresh: Option<&Bound<'_, PyAny>>,
        only_if_cached: Option<&Bound<'_, PyAny>>,
        max_age: Option<&Bound<'_, PyAny>>,
        max_stale: Option<&Bound<'_, PyAny>>,
        read_only: Option<&Bound<'_, PyAny>>,
        write_only: Option<&Bound<'_, PyAny>>,
        soft_timeout: Option<&Bound<'_, PyAny>>,
        hard_timeout: Option<&Bound<'_, PyAny>>,
        wait_timeout: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let options = Options {
            skip: flag(skip, "skip")?,
            refresh: flag(refresh, "refresh")?,
            only_if_cached: flag(only_if_cached, "only_if_cached")?,
            max_age: max_age.map_or(Ok(None), terms::span_of)?,
            max_stale: max_stale.map_or(Ok(None), terms::span_of)?,
            read_only: flag(read_only, "read_only")?,
            write_only: flag(write_only, "write_only")?,
        };
        let times = Overrides {
            soft: soft_timeout.map_or(Ok(None), terms::span_of)?,
            hard: hard_timeout.map_or(Ok(None), terms::span_of)?,
            wait: wait_timeout.map_or(Ok(None), terms::span_of)?,
        };
        let is_limited = times.soft.or(times.hard).or(times.wait).is_some();
        if options.skip && is_limited {
            let message = "a call that goes past the cache is under no time limit";
            let hint = "leave skip out, or the timeouts";
            return Err(errors::config(py, message, hint));
        }
        match using::plan(&options) {
            Ok(plan) => Ok(Self { plan, times }),
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
