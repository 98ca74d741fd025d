//! What object verbs are given: a ttl, tags, numbers, many keys.

use std::sync::Arc;
use std::time::Duration;

use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyIterator, PyString, PyTuple};

use crate::terms::{span_of, texts};

/// The ttl that a verb is given.
#[derive(Clone, Copy)]
pub(crate) enum Ttl {
    /// None: that of the cache's policy.
    Unsaid,
    /// This one, or no expiry.
    Said(Option<Duration>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Ttl {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if object.is(object.py().Ellipsis()) {
            return Ok(Self::Unsaid);
        }
        Ok(Self::Said(span_of(&object)?))
    }
}

/// The tags that a verb is given.
#[derive(Default)]
pub(crate) struct Tags(pub(crate) Vec<Arc<str>>);

impl<'a, 'py> FromPyObject<'a, 'py> for Tags {
    type Error = PyErr;

    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        texts(&object).map(Self)
    }
}

/// The integer that a counter holds, or is changed by.
pub(crate) fn whole<'py>(
    number: &Bound<'py, PyAny>,
    what: &str,
    hint: &str,
) -> PyResult<Bound<'py, PyInt>> {
    match number.cast_exact::<PyInt>() {
        Ok(number) => Ok(number.clone()),
        Err(_) => Err(PyTypeError::new_err(format!(
            "{what} an int, not {}\nhint: {hint}",
            number.get_type().name()?
        ))),
    }
}

/// Many keys, which one text is not.
pub(crate) fn many<'py>(keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
    if keys.is_instance_of::<PyString>() || keys.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(
            "keys are a list of keys, not one text\nhint: write `[key]`, or take the verb for one key",
        ));
    }
    keys.try_iter()
}

/// Tags given one by one, or as one iterable.
pub(crate) fn one_or_many(tags: &Bound<'_, PyTuple>) -> PyResult<Vec<Arc<str>>> {
    match tags.iter().next() {
        Some(one) if tags.len() == 1 && !one.is_instance_of::<PyString>() => texts(&one),
        _ => texts(tags),
    }
}
