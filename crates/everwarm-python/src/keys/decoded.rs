//! From canonical bytes back to a Python value: for who is told of a key and does not hold it.

use everwarm_core::key::{Value, decode_all};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyInt, PyString, PyTuple};

use crate::lasting::intern;

/// The key that was written with these bytes: str, bytes, int, float, bool and None, and tuples of these. Any other is
/// given as text, and so is one with a text or byte string so long that only its digest was written.
pub(crate) fn decoded<'py>(py: Python<'py>, arguments: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let values = decode_all(arguments).unwrap_or_default();
    if let [value] = &values[..]
        && let Some(object) = object(py, value)?
    {
        return Ok(object);
    }
    let shown: Vec<String> = values.iter().map(ToString::to_string).collect();
    Ok(PyString::new(py, &shown.join(", ")).into_any())
}

/// The value that a tree stands for, if it says all.
fn object<'py>(py: Python<'py>, value: &Value) -> PyResult<Option<Bound<'py, PyAny>>> {
    Ok(Some(match value {
        Value::None => py.None().into_bound(py),
        Value::Bool(truth) => truth.into_pyobject(py)?.to_owned().into_any(),
        Value::Float(bits) => PyFloat::new(py, f64::from_bits(*bits)).into_any(),
        Value::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Value::Str(text) => match std::str::from_utf8(text) {
            Ok(text) => PyString::new(py, text).into_any(),
            // It has lone surrogates.
            Err(_) => PyBytes::new(py, text)
                .call_method1(intern!(py, "decode"), ("utf-8", "surrogatepass"))?,
        },
        Value::Int {
            negative,
            magnitude,
        } => {
            let bytes = PyBytes::new(py, magnitude);
            let int = py
                .get_type::<PyInt>()
                .call_method1(intern!(py, "from_bytes"), (bytes, "little"))?;
            if *negative { int.neg()? } else { int }
        }
        Value::Tuple(parts) => {
            let mut objects = Vec::with_capacity(parts.len());
            for part in parts {
                let Some(object) = object(py, part)? else {
                    return Ok(None);
                };
                objects.push(object);
            }
            PyTuple::new(py, objects)?.into_any()
        }
        _ => return Ok(None),
    }))
}
