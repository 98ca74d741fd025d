//! Values as bytes: from Python objects to the bytes of a format, and back as they were, or not at all.
//!
//! `plan` is what a function's border holds. `encode` walks objects, `library` and `class` say how those that are no exact
//! built-ins are written; `decode` reads, `made` and `class` build. `tail` is for arrays and frames, `json` for plain text;
//! `raw` alone has `unsafe`.

mod class;
mod classes;
mod decode;
mod encode;
mod items;
mod json;
mod library;
mod made;
mod names;
mod plan;
mod raw;
mod refused;
mod tail;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyLookupError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

pub(crate) use plan::Plan;

pub(crate) use decode::Unreadable;

/// The bytes of one value.
#[pyfunction(name = "encode")]
fn encoded<'py>(
    value: &Bound<'py, PyAny>,
    plan: &Bound<'py, Plan>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = value.py();
    let mut out = Vec::new();
    match plan.get().encode(value, &mut out) {
        Ok(()) => Ok(PyBytes::new(py, &out)),
        Err(refused) => Err(refused.into_err(py)),
    }
}

/// The value of bytes: a `LookupError` for a class that is not known, a `ValueError` for all else that is no value.
#[pyfunction(name = "decode", signature = (buffer, plan, zero_copy = false))]
fn decoded<'py>(
    buffer: &Bound<'py, PyAny>,
    plan: &Bound<'py, Plan>,
    zero_copy: bool,
) -> PyResult<Bound<'py, PyAny>> {
    let py = buffer.py();
    let base = zero_copy.then_some(buffer);
    let read = if let Ok(bytes) = buffer.cast_exact::<PyBytes>() {
        plan.get().decode(py, bytes.as_bytes(), base)?
    } else {
        let held = PyBuffer::<u8>::get(buffer)?;
        match raw::unchanging(&held) {
            Some(bytes) => plan.get().decode(py, bytes, base)?,
            None => plan.get().decode(py, &held.to_vec(py)?, None)?,
        }
    };
    match read {
        Ok(value) => Ok(value.into_bound(py)),
        Err(Unreadable::UnknownClass) => {
            Err(PyLookupError::new_err("a class that is not known here"))
        }
        Err(Unreadable::Damaged(why)) => Err(PyValueError::new_err(why)),
    }
}

/// Adds what this room gives to Python.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<Plan>()?;
    crate::lasting::made_early::<raw::Payload>(module);
    module.add_function(wrap_pyfunction!(encoded, module)?)?;
    module.add_function(wrap_pyfunction!(decoded, module)?)?;
    module.add_function(wrap_pyfunction!(plan::register_class, module)?)?;
    module.add_function(wrap_pyfunction!(plan::class_name, module)?)
}
