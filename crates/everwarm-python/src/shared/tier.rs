//! The tiers of a stack, from what users write.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Failure, Store};
use everwarm_engine::stack::{Role, Tier, Write};
use everwarm_engine::{Bounds, Ticker};
use everwarm_layers::{Watch, Wrapped};
use everwarm_memory::MemoryStore as Native;
use everwarm_tiers::schemes::{self, Client};
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;
use crate::lasting::intern;
use crate::report::report_so;
use crate::store;
use crate::terms::span_of;

use super::layers::Layers;

/// How many entries memory holds that stands in for a store.
const ALONE: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How a tier is made.
pub(crate) struct Recipe {
    origin: Origin,
    ttl: Option<Duration>,
    write: Write,
    layers: Layers,
    /// Looks at the layers of the store that was made last; None before, and where it could not be had. Locked by attached threads
    /// only.
    watch: Mutex<Option<Watch>>,
    /// Why its store could not be had, if it could not.
    missing: Mutex<Option<Failure>>,
}

enum Origin {
    /// The memory of this process, whose values are sealed.
    Memory(Bounds, Ticker),
    Url(String),
    Object(Py<PyAny>),
}

impl Recipe {
    /// Memory as a tier. Each process has its own.
    pub(crate) fn of_memory(bounds: Bounds, ticker: Ticker) -> Self {
        Self {
            layers: Layers::plain(ticker.clone()),
            origin: Origin::Memory(bounds, ticker),
            ttl: None,
            write: Write::Through,
            watch: Mutex::default(),
            missing: Mutex::default(),
        }
    }

    /// What stands in where no store can be had: memory of this process.
    pub(crate) fn alone(ticker: Ticker) -> Tier {
        let bounds = Bounds::entries(ALONE);
        Tier {
            store: Arc::new(Native::with_clock(bounds, Arc::new(ticker))),
            label: "memory".into(),
            ttl: None,
            write: Write::Through,
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
            missing: Mutex::default(),
        })
    }

    /// The tier; None, and a word in the log, if its store cannot be had: a cache goes on without.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<Option<Tier>> {
        let failure = match self.had(py)? {
            Ok(tier) => return Ok(Some(tier)),
            Err(failure) => failure,
        };
        report_so(
            py,
            "stores=",
            &errors::store(py, &failure),
            "so the cache goes on without this store",
        );
        Ok(None)
    }

    /// The tier beside the others: a cache that moves does not go on without.
    ///
    /// # Errors
    /// `StoreError`, if its store cannot be had.
    pub(crate) fn open_beside(&self, py: Python<'_>) -> PyResult<Tier> {
        self.had(py)?.map_err(|failure| errors::store(py, &failure))
    }

    /// The tier, or why its store cannot be had, of which is taken note.
    fn had(&self, py: Python<'_>) -> PyResult<Result<Tier, Failure>> {
        let store: Arc<dyn Store> = match &self.origin {
            Origin::Memory(bounds, ticker) => {
                Arc::new(Native::with_clock(*bounds, Arc::new(ticker.clone())))
            }
            Origin::Object(object) => store::of_object(object.bind(py))?,
            Origin::Url(url) => match py.detach(|| opened(url)) {
                Ok(store) => store,
                Err(failure) => {
                    *self.watch.lock() = None;
                    *self.missing.lock() = Some(failure.clone());
                    return Ok(Err(failure));
                }
            },
        };
        let Wrapped { store, watch } = self.layers.around(store);
        *self.watch.lock() = Some(watch);
        *self.missing.lock() = None;
        let label = store.info().kind.into();
        Ok(Ok(Tier {
            store,
            label,
            ttl: self.ttl,
            write: self.write,
        }))
    }

    /// Looks at the layers of its store, if that could be had.
    pub(crate) fn watch(&self) -> Option<Watch> {
        self.watch.lock().clone()
    }

    /// Why its store could not be had, and the scheme of its URL.
    pub(crate) fn missing(&self) -> Option<(&str, Failure)> {
        let failure = self.missing.lock().clone()?;
        let scheme = match &self.origin {
            Origin::Url(url) => url.split_once(':').map_or("", |(scheme, _)| scheme),
            Origin::Memory(..) | Origin::Object(_) => "memory",
        };
        Some((scheme, failure))
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

#[cfg(not(feature = "postgres"))]
absent!(postgres, "PostgreSQL", "postgres");
#[cfg(not(feature = "mysql"))]
absent!(mysql, "MySQL", "mysql");
