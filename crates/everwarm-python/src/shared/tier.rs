//! The tiers of a stack, from what users write.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::store::{Failure, Store};
use everwarm_engine::stack::{Tier, Write};
use everwarm_engine::{Bounds, Ticker};
use everwarm_memory::MemoryStore as Native;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;
use crate::function::report_so;
use crate::store;
use crate::terms::span_of;

/// How many entries memory holds that stands in for a store.
const ALONE: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// How a tier is made.
pub(crate) struct Recipe {
    origin: Origin,
    ttl: Option<Duration>,
    write: Write,
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
            origin: Origin::Memory(bounds, ticker),
            ttl: None,
            write: Write::Through,
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
    pub(crate) fn new(tier: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = tier.py();
        let store = tier.getattr(intern!(py, "store"))?;
        let origin = match store.cast::<PyString>() {
            Ok(url) => Origin::Url(url.to_str()?.to_owned()),
            Err(_) => Origin::Object(store.unbind()),
        };
        let write: String = tier.getattr(intern!(py, "write"))?.extract()?;
        Ok(Self {
            origin,
            ttl: span_of(&tier.getattr(intern!(py, "ttl"))?)?,
            write: match write.as_str() {
                "behind" => Write::Behind,
                "around" => Write::Around,
                _ => Write::Through,
            },
        })
    }

    /// The tier; None, and a word in the log, if its store cannot be had: a cache goes on without.
    pub(crate) fn open(&self, py: Python<'_>) -> PyResult<Option<Tier>> {
        let store: Arc<dyn Store> = match &self.origin {
            Origin::Memory(bounds, ticker) => {
                Arc::new(Native::with_clock(*bounds, Arc::new(ticker.clone())))
            }
            Origin::Object(object) => store::of_object(object.bind(py))?,
            Origin::Url(url) => match py.detach(|| opened(url)) {
                Ok(store) => store,
                Err(failure) => {
                    let error = errors::store(py, &failure);
                    report_so(
                        py,
                        "stores=",
                        &error,
                        "so the cache goes on without this store",
                    );
                    return Ok(None);
                }
            },
        };
        let label = store.info().kind.into();
        Ok(Some(Tier {
            store,
            label,
            ttl: self.ttl,
            write: self.write,
        }))
    }

    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match &self.origin {
            Origin::Object(object) => visit.call(object),
            Origin::Memory(..) | Origin::Url(_) => Ok(()),
        }
    }
}

/// The store that a URL names.
fn opened(url: &str) -> Result<Arc<dyn Store>, Failure> {
    if is_file(url) {
        everwarm_store_file::open(url)
    } else {
        everwarm_store_disk::open(url)
    }
}

/// Checks the URL of a store, without opening it.
#[pyfunction]
pub(crate) fn check_store(py: Python<'_>, url: &str) -> PyResult<()> {
    let checked = if is_file(url) {
        everwarm_store_file::check(url)
    } else {
        everwarm_store_disk::check(url)
    };
    checked.map_err(|error| errors::raise(py, &error))
}

fn is_file(url: &str) -> bool {
    url.starts_with("file:")
}
