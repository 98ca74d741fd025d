//! What a value weighs: what the cache's own weigher says of it, else an estimate of the memory that it takes.

use everwarm_engine::Scope;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::survey::Survey;
use crate::{calling, report};

/// How the values of a cache are weighed.
pub(crate) struct Weigher {
    own: Option<Py<PyAny>>,
}

impl Weigher {
    pub(crate) fn new(own: Option<Py<PyAny>>) -> Self {
        Self { own }
    }

    /// What `value` weighs. If the cache's own weigher fails, that is counted in `scope`, and the estimate counts.
    pub(crate) fn weigh(&self, value: &Bound<'_, PyAny>, scope: &Scope) -> u64 {
        let Some(own) = &self.own else {
            return estimate(value);
        };
        let py = value.py();
        match calling::call(own.bind(py), [value.as_borrowed()]).and_then(|said| said.extract()) {
            Ok(weight) => weight,
            Err(error) => {
                scope.count_error();
                report::report_so(
                    py,
                    "weigher=",
                    &error,
                    "so an estimate of its size was taken",
                );
                estimate(value)
            }
        }
    }

    /// Shows the callable to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.own)
    }
}

/// The bytes that a value takes, with all that it holds.
#[pyfunction]
pub(crate) fn estimate(value: &Bound<'_, PyAny>) -> u64 {
    // A float as an integer stays within its range.
    Survey::of(value) as u64
}
