//! Where a function's entries live, and the key of one of them.

use std::sync::Arc;

use everwarm_engine::{Ask, Caller, Scope};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::engine::{Engine, Key, Seed};
use crate::instances::Instances;
use crate::table::Table;

/// Where a function's entries live.
pub(crate) struct Home {
    table: Py<Table>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) scope: Arc<Scope>,
    instances: Arc<Instances>,
    pub(crate) seed: Seed,
}

/// The key of one call, and the instance it holds weakly.
pub(crate) struct Keyed {
    pub(crate) hash: u64,
    pub(crate) key: Key,
    pub(crate) instance: Option<Py<PyAny>>,
}

impl Keyed {
    /// Shows the instance to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.instance)
    }
}

impl Home {
    /// The place of a function in a table: of its own, or that of its declared name and version.
    pub(crate) fn new(table: Bound<'_, Table>, name: Option<&str>, version: &str) -> Self {
        let engine = Arc::clone(&table.get().engine);
        let scope = table.get().scope(name, version);
        Self {
            instances: Instances::new(Arc::clone(&engine), Arc::clone(&scope)),
            seed: table.get().seed.clone(),
            table: table.unbind(),
            engine,
            scope,
        }
    }

    pub(crate) fn table<'py>(&self, py: Python<'py>) -> &Bound<'py, Table> {
        self.table.bind(py)
    }

    /// What the engine is asked for a call of this key.
    pub(crate) fn ask<'a>(
        &'a self,
        keyed: &'a Keyed,
        tags: Option<&'a [Arc<str>]>,
        caller: Caller<'a>,
    ) -> Ask<'a, Key> {
        Ask {
            scope: &self.scope,
            hash: keyed.hash,
            key: &keyed.key,
            tags: tags.unwrap_or(&[]),
            caller,
            again: false,
        }
    }

    /// The table, for the garbage collector.
    pub(crate) fn table_ptr(&self) -> *mut pyo3::ffi::PyObject {
        self.table.as_ptr()
    }

    /// Sees to it that an entry about to be stored goes with its instance.
    pub(crate) fn note(&self, py: Python<'_>, keyed: &Keyed) -> PyResult<()> {
        match &keyed.instance {
            Some(instance) => self
                .instances
                .note(instance.bind(py), keyed.hash, &keyed.key),
            None => Ok(()),
        }
    }
}
