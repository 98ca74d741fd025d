//! Where a function's entries live, and the key of one of them.

use std::ops::Deref;
use std::sync::Arc;

use everwarm_core::policy::Policy;
use everwarm_engine::{Ask, Caller, Scope};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::engine::{Engine, Key, Seed};
use crate::gate::{self, Gate};
use crate::instances::Instances;
use crate::own::Numbers;
use crate::table::Table;
use crate::terms::Terms;

/// Where a function's entries live.
pub(crate) struct Home {
    table: Py<Table>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) scope: Arc<Scope>,
    instances: Arc<Instances>,
    pub(crate) seed: Seed,
    /// What a hit asks before all else.
    pub(crate) gate: Arc<Gate>,
    /// The function's policy, with what it leaves to the cache.
    pub(crate) policy: Policy,
    /// The arguments that are told apart by their own `==`.
    pub(crate) numbers: Arc<Numbers>,
}

/// The home of a function: the one it found first, or the one after its cache was taken back.
pub(crate) enum Found<'a> {
    First(&'a Home),
    Later(Arc<Home>),
}

impl Deref for Found<'_> {
    type Target = Home;

    fn deref(&self) -> &Home {
        match self {
            Self::First(home) => home,
            Self::Later(home) => home,
        }
    }
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
    pub(crate) fn new(table: Bound<'_, Table>, terms: &Terms, at_once: bool) -> Self {
        let scope = table.get().scope(terms.name.as_deref(), &terms.version);
        Self::within(table, scope, terms, at_once)
    }

    /// The place of a cache's own entries.
    pub(crate) fn of_objects(table: Bound<'_, Table>, terms: &Terms) -> Self {
        let scope = Arc::clone(&table.get().objects);
        Self::within(table, scope, terms, true)
    }

    fn within(table: Bound<'_, Table>, scope: Arc<Scope>, terms: &Terms, at_once: bool) -> Self {
        let engine = Arc::clone(&table.get().engine);
        Self {
            instances: Instances::new(Arc::clone(&engine), Arc::clone(&scope)),
            seed: table.get().seed.clone(),
            gate: if at_once {
                Arc::clone(&table.get().gate)
            } else {
                Gate::never()
            },
            policy: terms.policy_within(table.get().ttl),
            numbers: Numbers::new(scope.id()),
            table: table.unbind(),
            engine,
            scope,
        }
    }

    /// Whether the cache has been taken back, so that its functions find another home.
    pub(crate) fn is_left(&self) -> bool {
        self.table.get().is_left()
    }

    /// Whether a call made now goes past the cache.
    pub(crate) fn is_disabled(&self, py: Python<'_>) -> PyResult<bool> {
        let table = self.table.get();
        Ok(table.disabled || gate::is_inside_block(py)?)
    }

    pub(crate) fn table<'py>(&self, py: Python<'py>) -> &Bound<'py, Table> {
        self.table.bind(py)
    }

    /// What a value of the function weighs.
    pub(crate) fn weigh(&self, value: &Bound<'_, PyAny>) -> u64 {
        self.table.get().weigher.weigh(value, &self.scope)
    }

    /// The function is gone, and its entries are.
    pub(crate) fn forget(&self) {
        if let Some(listener) = &self.table.get().listener {
            listener.forget(&self.scope);
        }
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

    /// What a value of the cache's own verbs weighs; None if the cache's policy refuses one so heavy.
    pub(crate) fn weight_of(&self, value: &Bound<'_, PyAny>) -> Option<u64> {
        self.table(value.py()).get().weight_of(value)
    }

    /// Shows the table to the garbage collector.
    pub(crate) fn visit_table(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.table)
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
