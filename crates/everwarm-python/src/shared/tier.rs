//! The tiers of a stack, from what users write.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Failure, Store};
use everwarm_engine::stack::{Role, Tier, Write};
use everwarm_engine::{Bounds, Ticker};
use everwarm_layers::{Watch, Wrapped};
use everwarm_memory::MemoryStore as Native;
use everwarm_tiers::schemes::{self, Client};
use everwarm_tiers::{Awaited, is_lasting};
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;
use crate::lasting::intern;
use crate::report::report_unopened;
use crate::store;
use crate::terms::span_of;

use super::layers::Layers;

/// How a tier is made.
pub(crate) struct Recipe {
    origin: Origin,
    ttl: Option<Duration>,
    write: Write,
    layers: Layers,
    /// Looks at the layers of the store that was made last; None before. Locked by attached threads only.
    watch: Mutex<Option<Watch>>,
}

enum Origin {
    /// The memory of this process, whose values are sealed.
    Memory(Bounds, Ticker),
    Url(String),
    Object(Py<PyAny>),
}

impl Recipe {
    /// Memory as a tier. Each process has its own.
    pub(crate) fn of_memory(bounds: Bounds, ttl: Option<Duration>, ticker: Ticker) -> Self {
        Self {
            layers: Layers::plain(ticker.clone()),
            origin: Origin::Memory(bounds, ticker),
            ttl,
            write: Write::Through,
            watch: Mutex::default(),
        }
    }

    /// From a Python `Tier`.
    pub(crate) fn new(tier: &Bound<'_, PyAny>, ticker: Ticker) -> PyResult<Self> {
        let py = tier.py();
        let store = tier.getattr(intern!(py, "store"))?;
        let origin = match store.cast::<PyString>() {
            Ok(url) => Origin::Url(url.to_str()?.to_owned()),
            Err(_) => Origin::Object(store.unbind()),
        };
        let write: Option<String> = tier.getattr(intern!(py, "write"))?.extract()?;
        Ok(Self {
            origin,
            ttl: span_of(&tier.getattr(intern!(py, "ttl"))?)?,
            write: match write.as_deref() {
                Some("behind") => Write::Behind,
                Some("around") => Write::Around,
                _ => Write::Through,
            },
            layers: Layers::new(tier, ticker)?,
            watch: Mutex::default(),
        })
    }

    /// The tier. One whose store cannot be opened now has it opened when it can be, and a word is said in the log; until then it is
    /// as a store that is down.
    ///
    /// # Errors
    /// `StoreError`, where it is strict, if its store cannot be opened and that does not pass by itself.
    pub(crate) fn open(&self, py: Python<'_>, strict: bool) -> PyResult<Tier> {
        let store = match self.store(py)? {
            Ok(store) => store,
            Err(failure) if strict && is_lasting(&failure) => {
                return Err(errors::store(py, &failure));
            }
            Err(failure) => self.awaited(py, &failure)?,
        };
        Ok(self.tier(store))
    }

    /// The tier beside the others: a cache that moves does not go on without.
    ///
    /// # Errors
    /// `StoreError`, if its store cannot be had.
    pub(crate) fn open_beside(&self, py: Python<'_>) -> PyResult<Tier> {
        let store = self.store(py)?;
        let store = store.map_err(|failure| errors::store(py, &failure))?;
        Ok(self.tier(store))
    }

    /// The store, or why it cannot be had.
    fn store(&self, py: Python<'_>) -> PyResult<Result<Arc<dyn Store>, Failure>> {
        Ok(match &self.origin {
            Origin::Memory(bounds, ticker) => Ok(Arc::new(Native::with_clock(
                *bounds,
                Arc::new(ticker.clone()),
            ))),
            Origin::Object(object) => Ok(store::of_object(object.bind(py))?),
            Origin::Url(url) => py.detach(|| opened(url)),
        })
    }

    /// What stands for a store that cannot be opened now.
    fn awaited(&self, py: Python<'_>, failure: &Failure) -> PyResult<Arc<dyn Store>> {
        let none = || errors::store(py, failure);
        let Origin::Url(url) = &self.origin else {
            return Err(none());
        };
        let again = url.clone();
        let awaited = Awaited::new(url, failure.clone(), move || opened(&again));
        let awaited = awaited.ok_or_else(none)?;
        report_unopened(py, awaited.info().kind, failure);
        Ok(Arc::new(awaited))
    }

    fn tier(&self, store: Arc<dyn Store>) -> Tier {
        let Wrapped { store, watch } = self.layers.around(store);
        *self.watch.lock() = Some(watch);
        Tier {
            label: store.info().kind.into(),
            store,
            ttl: self.ttl,
            write: self.write,
        }
    }

    /// Looks at the layers of its store.
    pub(crate) fn watch(&self) -> Watch {
        self.watch.lock().clone().unwrap_or_default()
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.origin {
            Origin::Object(object) => visit.call(object),
            Origin::Memory(..) | Origin::Url(_) => Ok(()),
        }
    }
}

/// What users call the part of a store beside the tiers.
pub(crate) fn role_of(name: &str) -> Role {
    match name {
        "new" => Role::New,
        "old" => Role::Old { reads: true },
        _ => Role::Old { reads: false },
    }
}

/// How to have a client that was left out of this build.
fn install(client: &Client) -> String {
    format!(
        "pip install --force-reinstall --no-binary everwarm \
         --config-settings=build-args=\"--features pyo3/extension-module,{}\" everwarm",
        client.feature
    )
}

/// The store that a URL names.
pub(crate) fn opened(url: &str) -> Result<Arc<dyn Store>, Failure> {
    schemes::open(url, install)
}

/// Checks the URL of a store, without opening it.
#[pyfunction]
pub(crate) fn check_store(py: Python<'_>, url: &str) -> PyResult<()> {
    schemes::check(url, install).map_err(|error| errors::raise(py, &error))
}

/// What makes the tables of the store that a URL names.
#[pyfunction]
pub(crate) fn ddl(py: Python<'_>, url: &str) -> PyResult<String> {
    schemes::ddl(url, install).map_err(|error| errors::raise(py, &error))
}

#[cfg(feature = "sqlite")]
pub(crate) use everwarm_store_sql::sqlite;

/// What a fork has to do with SQLite, where it was left out of this build.
#[cfg(not(feature = "sqlite"))]
pub(crate) mod sqlite {
    pub(crate) fn let_go() {}
}
