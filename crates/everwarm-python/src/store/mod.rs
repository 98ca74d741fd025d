//! Stores that users write in Python, and native ones as Python sees them.

mod argument;
mod chaos;
mod facets;
mod failure;
mod opened;
mod said;
mod written;

use std::sync::Arc;

use everwarm_core::store::Store;
use pyo3::prelude::*;

use opened::OpenedStore;
use written::Written;

/// The store that an object is: another handle on one that was opened natively, or one that its user wrote.
pub(crate) fn of_object(object: &Bound<'_, PyAny>) -> PyResult<Arc<dyn Store>> {
    if let Ok(opened) = object.cast::<OpenedStore>() {
        return opened
            .get()
            .another()
            .map_err(|failure| failure::raise(object.py(), &failure));
    }
    Ok(Arc::new(Written::new(object)?))
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<OpenedStore>()?;
    module.add_function(wrap_pyfunction!(chaos::chaos_store, module)?)?;
    module.add_function(wrap_pyfunction!(opened::open_store, module)?)
}
