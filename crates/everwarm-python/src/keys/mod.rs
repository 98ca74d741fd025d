//! From Python arguments to canonical bytes.

use pyo3::prelude::*;

/// Adds what this room gives to Python.
pub(crate) fn register(_module: &Bound<'_, PyModule>) -> PyResult<()> {
    Ok(())
}
