//! Modules that are loaded, whoever asks.
//!
//! An import looks up its `__import__` in the globals of the Python code that runs, which may have none. What is loaded is
//! found without it.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

use crate::lasting::Lasting;
use crate::lasting::intern;

static LOADED: Lasting<Py<PyDict>> = Lasting::new();

/// Remembers where loaded modules are; called once, when the module is made.
pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    let modules = py
        .import("sys")?
        .getattr("modules")?
        .cast_into::<PyDict>()?;
    let _ = LOADED.set(py, modules.unbind());
    Ok(())
}

/// Whether somebody has imported a module.
pub(crate) fn is_loaded(name: &Bound<'_, PyString>) -> PyResult<bool> {
    loaded(name).map(|module| module.is_some())
}

/// A module, if somebody has imported it.
pub(crate) fn loaded<'py>(name: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
    match LOADED.get(name.py()) {
        Some(modules) => modules.bind(name.py()).get_item(name),
        None => Ok(None),
    }
}

/// A module of our own, imported if need be: by a function of ours, whose globals have all that an import asks for.
pub(crate) fn own<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    if let Some(module) = loaded(&PyString::new(py, name))? {
        return Ok(module);
    }
    match loaded(intern!(py, "everwarm._load"))? {
        Some(loader) => loader.call_method1(intern!(py, "load"), (name,)),
        None => Ok(py.import(name)?.into_any()),
    }
}
