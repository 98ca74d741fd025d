//! Isolation: values are copied on their way in and out, so that no caller changes what others are given.

use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyFloat, PyInt, PyString};

use crate::function::Function;
use crate::home::Home;
use crate::object::Object;
use crate::report::report;
use crate::{calling, errors};

impl Function {
    /// The value to be stored or handed out: a copy if the policy isolates, else itself. A failure is counted and said, and
    /// there is nothing.
    pub(crate) fn try_copied(&self, py: Python<'_>, home: &Home, value: &Object) -> Option<Object> {
        home.try_copied(py, value)
    }

    /// As [`try_copied`](Self::try_copied), for a verb, which has nothing else to give.
    pub(crate) fn copied_or_refused(&self, py: Python<'_>, value: &Object) -> PyResult<Object> {
        copied(py, self.terms().isolate.as_ref(), value)
            .map_err(|error| errors::not_copied(py, &self.title(py), error))
    }
}

impl Home {
    /// The value to be stored or handed out: a copy if the policy isolates, else itself. A failure is counted and said, and
    /// there is nothing.
    pub(crate) fn try_copied(&self, py: Python<'_>, value: &Object) -> Option<Object> {
        copied(py, self.isolate.as_ref(), value)
            .inspect_err(|error| {
                self.scope.count_error();
                report(py, self, "isolate=", error);
            })
            .ok()
    }

    /// As [`try_copied`](Self::try_copied), for a verb of the cache itself, which has nothing else to give.
    pub(crate) fn copied_or_refused(&self, py: Python<'_>, value: Object) -> PyResult<Object> {
        match &self.isolate {
            None => Ok(value),
            copy => copied(py, copy.as_ref(), &value)
                .map_err(|error| errors::not_copied(py, "this cache", error)),
        }
    }
}

/// What `copy` makes of a value, unless nothing copies or the value cannot be changed.
fn copied(py: Python<'_>, copy: Option<&Py<PyAny>>, value: &Object) -> PyResult<Object> {
    match copy {
        Some(copy) if !never_changes(value.bind(py)) => {
            Ok(calling::call(copy.bind(py), [value.bind(py).as_borrowed()])?.into())
        }
        _ => Ok(value.clone()),
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
