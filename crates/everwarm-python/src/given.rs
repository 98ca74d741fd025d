//! What object verbs are given: a ttl, tags, numbers, many keys.

use std::sync::Arc;
use std::time::Duration;

use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyIterator, PyString, PyTuple};

use crate::lasting::intern;
use crate::terms::{span_of, texts};
use crate::{calling, texts};

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
            texts::class(number)?
        ))),
    }
}

/// Many keys, which one text is not.
pub(crate) fn many<'py>(keys: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyIterator>> {
    let hint = "write `[key]`, or take the verb for one key";
    if keys.is_instance_of::<PyString>() || keys.is_instance_of::<PyBytes>() {
        return Err(PyTypeError::new_err(format!(
            "keys are a list of keys, not one text\nhint: {hint}"
        )));
    }
    if !keys.get_type().hasattr(intern!(keys.py(), "__iter__"))? {
        return Err(no(keys, "keys are a list of keys", hint));
    }
    keys.try_iter()
}

/// The pairs of a mapping from keys to values.
pub(crate) fn pairs<'py>(
    mapping: &Bound<'py, PyAny>,
) -> PyResult<impl Iterator<Item = PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>)>>> {
    let items = intern!(mapping.py(), "items");
    if !mapping.hasattr(items)? {
        let hint = "write `set_many({key: value})`";
        return Err(no(
            mapping,
            "set_many takes a mapping from keys to values",
            hint,
        ));
    }
    let pairs = calling::call(&mapping.getattr(items)?, [])?.try_iter()?;
    Ok(pairs.map(|pair| pair?.extract()))
}

/// The bytes that texts begin with which are looked for.
pub(crate) fn beginning(prefix: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if !prefix.is_instance_of::<PyString>() {
        let hint = "write `scan(\"user:\")`; keys of other types are passed over";
        return Err(no(prefix, "scan takes the text that keys begin with", hint));
    }
    let encode = intern!(prefix.py(), "encode");
    let encoded = prefix.call_method1(encode, ("utf-8", "surrogatepass"))?;
    encoded.extract()
}

/// The error for an argument of a wrong type.
fn no(given: &Bound<'_, PyAny>, what: &str, hint: &str) -> PyErr {
    match texts::class(given) {
        Ok(class) => PyTypeError::new_err(format!("{what}, not {class}\nhint: {hint}")),
        Err(error) => error,
    }
}

/// Tags given one by one, or as one iterable.
pub(crate) fn one_or_many(tags: &Bound<'_, PyTuple>) -> PyResult<Vec<Arc<str>>> {
    match tags.iter().next() {
        Some(one) if tags.len() == 1 && !one.is_instance_of::<PyString>() => texts(&one),
        _ => texts(tags),
    }
}
