//! Isolation: values are copied on their way in and out, so that no caller changes what others are given.

use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

use crate::function::{Function, report};
use crate::home::Home;
use crate::object::Object;
use crate::{calling, errors};

impl Function {
    /// The value to be stored or handed out: a copy if the policy isolates, else itself.
    pub(crate) fn copied(&self, py: Python<'_>, value: &Object) -> PyResult<Object> {
        match &self.terms().isolate {
            Some(_) if never_changes(value.bind(py)) => Ok(value.clone()),
            Some(copy) => Ok(calling::call(copy.bind(py), [value.bind(py).as_borrowed()])?.into()),
            None => Ok(value.clone()),
        }
    }

    /// As [`copied`](Self::copied); a failure is counted and said, and there is nothing.
    pub(crate) fn try_copied(&self, py: Python<'_>, home: &Home, value: &Object) -> Option<Object> {
        self.copied(py, value)
            .inspect_err(|error| {
                home.scope.count_error();
                report(py, "isolate=", error);
            })
            .ok()
    }

    /// As [`copied`](Self::copied), for a verb, which has nothing else to give.
    pub(crate) fn copied_or_refused(&self, py: Python<'_>, value: &Object) -> PyResult<Object> {
        self.copied(py, value)
            .map_err(|error| errors::not_copied(py, &self.title(py), error))
    }
}

/// Whether a value is of a type whose instances cannot be changed.
fn never_changes(value: &Bound<'_, PyAny>) -> bool {
    let py = value.py();
    let kind = value.get_type();
    value.is_none()
        || [
            PyString::type_object(py),
            PyInt::type_object(py),
            PyFloat::type_object(py),
            PyBool::type_object(py),
            PyBytes::type_object(py),
        ]
        .iter()
        .any(|scalar| kind.is(scalar))
}
