//! Everwarm's Python border.

use pyo3::prelude::*;

mod keys;

/// The compiled half of `everwarm`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    keys::register(module)?;
    Ok(())
}
