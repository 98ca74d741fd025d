//! From Python arguments to canonical bytes.
//!
//! Everything here runs attached and with no lock held. Values are told apart by their exact type: scalars first
//! (`exact`), then containers, then classes by their shape, which is found once per class (`shape`). What a class
//! says of itself may run user code; whatever is being read is held meanwhile.

pub(crate) mod classes;
mod decoded;
pub(crate) mod exact;
pub(crate) mod known;
pub(crate) mod model;
mod numpy;
mod pandas;
mod polars;
pub(crate) mod refusal;
mod shape;
mod short;
mod walk;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::key::{Digest, Header, Limit, Writer, decode_all};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors;

use refusal::{CHOOSE, Stop};
use walk::encode;

pub(crate) use decoded::decoded;
pub(crate) use exact::try_exact_bound as try_exact;
pub(crate) use short::{add_common, add_exact, ascii_len, common_part};

/// Writes the argument `name`.
///
/// # Errors
///
/// `KeyRefused` if it cannot be part of a key; what user code raised, unchanged.
pub(crate) fn encode_argument(
    obj: &Bound<'_, PyAny>,
    writer: &mut Writer,
    name: &str,
) -> PyResult<()> {
    encode(obj, writer).map_err(|stop| stop.into_err(obj.py(), name))
}

/// The refusal of a key that went beyond a limit as a whole.
pub(crate) fn beyond(py: Python<'_>, limit: Limit) -> PyErr {
    let error = Error::new(
        ErrorKind::KeyRefused,
        format!("the arguments together are {limit}"),
        CHOOSE,
    );
    errors::raise(py, &error)
}

/// Whether instances of this object's class say what they are equal by; if not, a method keys them by identity.
pub(crate) fn declares_identity(obj: &Bound<'_, PyAny>) -> PyResult<bool> {
    shape::is_declared(obj)
}

/// Writes one object and seals it.
fn sealed(obj: &Bound<'_, PyAny>) -> PyResult<Writer> {
    let mut writer = Writer::new();
    encode_argument(obj, &mut writer, "obj")?;
    match writer.seal() {
        Ok(_) => Ok(writer),
        Err(limit) => Err(Stop::beyond(obj, limit).into_err(obj.py(), "obj")),
    }
}

/// The sealed encoding of one object.
#[pyfunction]
fn canonical<'py>(obj: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    Ok(PyBytes::new(obj.py(), sealed(obj)?.as_bytes()))
}

/// The digest that a stored name of one object takes its last part from, under an empty header.
#[pyfunction]
fn digest<'py>(obj: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let writer = sealed(obj)?;
    if writer.is_process_bound() {
        return Err(Stop::bound(obj).into_err(obj.py(), "obj"));
    }
    let header = Header {
        function: "",
        version: "",
        parameters: &[],
    };
    let digest = Digest::new(&header, writer.as_bytes())
        .map_err(|limit| PyValueError::new_err(limit.to_string()))?;
    Ok(PyBytes::new(obj.py(), digest.as_bytes()))
}

/// An encoding in a form for people.
#[pyfunction]
fn readable(encoding: &[u8]) -> PyResult<String> {
    let values =
        decode_all(encoding).map_err(|malformed| PyValueError::new_err(malformed.to_string()))?;
    Ok(values
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", "))
}

/// Adds what this room gives to Python.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(canonical, module)?)?;
    module.add_function(wrap_pyfunction!(digest, module)?)?;
    module.add_function(wrap_pyfunction!(readable, module)?)
}
