//! A native store with the methods that a store in Python has: what `everwarm.testing.open_store` gives.

use std::sync::Arc;
use std::time::Duration;

use everwarm_conformance::wait;
use everwarm_core::clock::Clock;
use everwarm_core::store::{
    Answer, Bytes, Condition, Entry, Failure, FailureKind, Found, Grant, Store,
};
use everwarm_engine::{ManualHand, Ticker};
use everwarm_memory::{Bounds, MemoryStore};
use everwarm_runtime::waiting;
use everwarm_store_disk::{self as disk, Disk};
use everwarm_store_file::{Config, FileStore, WallClock};
use everwarm_tiers::schemes;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyDict};

use super::failure::raise;
use crate::clock::Hand;
use crate::{errors, shared};

/// Entries of a memory store that was told no other bound.
const MAX_ENTRIES: usize = 10_000;

/// What opens another handle on the same place.
pub(super) type Again = Arc<dyn Fn() -> Result<Arc<dyn Store>, Failure> + Send + Sync>;
type FoundTuple<'py> = (Bound<'py, PyBytes>, Option<f64>, u64);

/// A handle on a native store.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct OpenedStore {
    store: Arc<dyn Store>,
    again: Again,
}

/// Opens the store that a URL names: `memory://`, `disk:`, `file:`, `sqlite:`, or one behind a connection.
#[pyfunction]
#[pyo3(signature = (url, clock=None))]
pub(super) fn open_store(py: Python<'_>, url: &str, clock: Option<&Hand>) -> PyResult<OpenedStore> {
    let hand = clock.map(|clock| clock.hand.clone());
    let again = match url.split_once(':') {
        Some(("memory", "//")) => memory(hand),
        Some(("disk", _)) => {
            let config = disk::Config::from_url(url).map_err(|error| errors::raise(py, &error))?;
            disk(config, hand)
        }
        Some(("file", _)) => {
            let config = Config::from_url(url).map_err(|error| errors::raise(py, &error))?;
            file(config, hand)
        }
        Some(("sqlite", _)) => {
            shared::check_store(py, url)?;
            sqlite(url.to_owned(), hand)
        }
        Some((scheme, _)) if schemes::all().any(|known| known == scheme) => {
            shared::check_store(py, url)?;
            let url = url.to_owned();
            Arc::new(move || shared::opened(&url))
        }
        _ => {
            let hint = "write `memory://`, `disk:///directory`, `file:///directory`, or the URL of a server, such as `redis://host`";
            return Err(errors::config(
                py,
                "there is no native store of this URL",
                hint,
            ));
        }
    };
    OpenedStore::new(again).map_err(|failure| raise(py, &failure))
}

fn ticker(hand: Option<ManualHand>) -> Ticker {
    hand.map_or_else(Ticker::system, |hand| Ticker::frozen_by(&hand))
}

fn memory(hand: Option<ManualHand>) -> Again {
    let bounds = Bounds::entries(MAX_ENTRIES.try_into().expect("not zero"));
    let first = MemoryStore::with_clock(bounds, Arc::new(ticker(hand)));
    Arc::new(move || Ok(Arc::new(first.handle())))
}

fn disk(config: disk::Config, hand: Option<ManualHand>) -> Again {
    Arc::new(move || {
        let config = config.clone();
        Ok(Arc::new(match &hand {
            Some(hand) => Disk::open_by(config, Arc::new(Ticker::frozen_by(hand)))?,
            None => Disk::open(config)?,
        }))
    })
}

fn file(config: Config, hand: Option<ManualHand>) -> Again {
    Arc::new(move || {
        let clock: Arc<dyn Clock> = match &hand {
            Some(hand) => Arc::new(Ticker::frozen_by(hand)),
            None => Arc::new(WallClock),
        };
        Ok(Arc::new(FileStore::with_clock(&config, clock)?))
    })
}

#[cfg(feature = "sqlite")]
fn sqlite(url: String, hand: Option<ManualHand>) -> Again {
    use everwarm_store_sql::sqlite::{Config as Place, Sqlite};

    let Some(hand) = hand else {
        return Arc::new(move || shared::opened(&url));
    };
    Arc::new(move || {
        let place = Place::from_url(&url)
            .map_err(|error| Failure::new(FailureKind::Permanent, error.message(), error.hint()))?;
        let clock = Arc::new(Ticker::frozen_by(&hand));
        Ok(Arc::new(Sqlite::open_by(place, clock)?))
    })
}

#[cfg(not(feature = "sqlite"))]
fn sqlite(url: String, _: Option<ManualHand>) -> Again {
    Arc::new(move || shared::opened(&url))
}

impl OpenedStore {
    /// The first handle of a place.
    pub(super) fn new(again: Again) -> Result<Self, Failure> {
        Ok(Self {
            store: again()?,
            again,
        })
    }

    /// What opens further ones.
    pub(super) fn handles(&self) -> Again {
        Arc::clone(&self.again)
    }

    /// Another handle on the same place.
    pub(super) fn another(&self) -> Result<Arc<dyn Store>, Failure> {
        (self.again)()
    }

    /// Waits for an answer, and lets other threads run meanwhile.
    fn done<'a, T: Send>(
        &'a self,
        py: Python<'_>,
        ask: impl FnOnce(&'a dyn Store) -> Answer<'a, T> + Send,
    ) -> PyResult<T> {
        py.detach(|| wait_here(ask(&*self.store)))
            .map_err(|failure| raise(py, &failure))
    }
}

/// The answer, as a thread that has nothing else to do.
fn wait_here<T>(answer: Answer<'_, T>) -> Result<T, Failure> {
    waiting(|| wait(answer))
}

fn span(py: Python<'_>, ttl: Option<f64>) -> PyResult<Option<Duration>> {
    let Some(ttl) = ttl else { return Ok(None) };
    match Duration::try_from_secs_f64(ttl) {
        Ok(ttl) if !ttl.is_zero() => Ok(Some(ttl)),
        _ => Err(errors::config(
            py,
            "this is no ttl",
            "a ttl is a number of seconds above 0, or None",
        )),
    }
}

fn bytes(data: &PyBackedBytes) -> Bytes {
    Bytes::copy_from_slice(data)
}

/// Asks a facet, if the store offers it.
fn asked<'a, F: ?Sized, T>(
    facet: Option<&'a F>,
    ask: impl FnOnce(&'a F) -> Answer<'a, T>,
) -> Answer<'a, T> {
    match facet {
        Some(facet) => ask(facet),
        None => Answer::failed(Failure::new(
            FailureKind::Capability,
            "this store does not offer that",
            "`facets` tells what it offers",
        )),
    }
}

fn tuple(py: Python<'_>, found: Found) -> FoundTuple<'_> {
    let left = found.remaining.map(|left| left.as_secs_f64());
    (PyBytes::new(py, &found.bytes), left, found.version)
}

/// What must hold for a conditional set.
fn condition(said: &Bound<'_, PyAny>) -> PyResult<Condition> {
    if let Ok(version) = said.extract() {
        return Ok(Condition::Version(version));
    }
    match said.extract::<String>().as_deref() {
        Ok("absent") => Ok(Condition::Absent),
        Ok("present") => Ok(Condition::Present),
        _ => {
            let hint = "write \"absent\", \"present\" or a version";
            Err(errors::config(said.py(), "this is no condition", hint))
        }
    }
}

#[pymethods]
impl OpenedStore {
    /// Another handle on the same place, as another process would have it.
    fn again(&self, py: Python<'_>) -> PyResult<Self> {
        let again = Arc::clone(&self.again);
        let store = again().map_err(|failure| raise(py, &failure))?;
        Ok(Self { store, again })
    }

    /// The names of the facets that it offers.
    #[getter]
    fn facets(&self) -> Vec<&'static str> {
        let offered = [
            ("counters", self.store.counters().is_some()),
            ("conditional", self.store.conditional().is_some()),
            ("leases", self.store.leases().is_some()),
            ("scan", self.store.scan().is_some()),
            ("touch", self.store.touch().is_some()),
            ("generations", self.store.generations().is_some()),
            ("notify", self.store.notify().is_some()),
            ("suspend", self.store.suspending().is_some()),
            ("health", self.store.health().is_some()),
        ];
        offered
            .into_iter()
            .filter(|(_, is_offered)| *is_offered)
            .map(|(name, _)| name)
            .collect()
    }

    /// What it is and what it takes: its kind, its place without secrets, what an acknowledged set survives, and its limits.
    fn info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (info, limits) = (self.store.info(), self.store.limits());
        let said = PyDict::new(py);
        said.set_item("kind", info.kind)?;
        said.set_item("place", info.place)?;
        said.set_item("durability", info.durability.name())?;
        said.set_item("embedded", info.embedded)?;
        said.set_item("longest_name", limits.longest_name)?;
        said.set_item("largest_value", limits.largest_value)?;
        let longest = limits.longest_ttl.map(|ttl| ttl.as_secs_f64());
        said.set_item("longest_ttl", longest)?;
        said.set_item("ttl_precision", limits.ttl_precision.as_secs_f64())?;
        said.set_item("facets", self.facets())?;
        Ok(said)
    }

    /// Bytes of a name, at most.
    #[getter]
    fn longest_name(&self) -> usize {
        self.store.limits().longest_name
    }

    /// Bytes of a value, at most.
    #[getter]
    fn largest_value(&self) -> u64 {
        self.store.limits().largest_value
    }

    /// By how many seconds an entry may outlive its ttl; None if by nothing.
    #[getter]
    fn ttl_precision(&self) -> Option<f64> {
        let precision = self.store.limits().ttl_precision;
        (!precision.is_zero()).then_some(precision.as_secs_f64())
    }

    fn get<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Option<FoundTuple<'py>>> {
        let found = self.done(py, |store| store.get(name))?;
        Ok(found.map(|found| tuple(py, found)))
    }

    #[pyo3(signature = (name, data, ttl=None))]
    fn set(
        &self,
        py: Python<'_>,
        name: &str,
        data: PyBackedBytes,
        ttl: Option<f64>,
    ) -> PyResult<()> {
        let ttl = span(py, ttl)?;
        self.done(py, |store| store.set(name, bytes(&data), ttl))
    }

    fn delete(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.done(py, |store| store.delete(name))
    }

    fn get_many<'py>(
        &self,
        py: Python<'py>,
        names: Vec<String>,
    ) -> PyResult<Vec<Option<FoundTuple<'py>>>> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = py
            .detach(|| wait(self.store.get_many(&names)))
            .map_err(|failure| raise(py, &failure))?;
        Ok(found
            .into_iter()
            .map(|found| found.map(|found| tuple(py, found)))
            .collect())
    }

    fn set_many(
        &self,
        py: Python<'_>,
        entries: Vec<(String, PyBackedBytes, Option<f64>)>,
    ) -> PyResult<()> {
        let entries: PyResult<Vec<Entry<'_>>> = entries
            .iter()
            .map(|(name, data, ttl)| {
                let (bytes, ttl) = (bytes(data), span(py, *ttl)?);
                Ok(Entry { name, bytes, ttl })
            })
            .collect();
        let entries = entries?;
        py.detach(|| wait_here(self.store.set_many(&entries)))
            .map_err(|failure| raise(py, &failure))
    }

    fn delete_many(&self, py: Python<'_>, names: Vec<String>) -> PyResult<u64> {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        py.detach(|| wait_here(self.store.delete_many(&names)))
            .map_err(|failure| raise(py, &failure))
    }

    fn clear(&self, py: Python<'_>, prefix: &str) -> PyResult<u64> {
        self.done(py, |store| store.clear(prefix))
    }

    fn sweep(&self, py: Python<'_>) -> PyResult<u64> {
        self.done(py, Store::sweep)
    }

    fn ping(&self, py: Python<'_>) -> PyResult<()> {
        self.done(py, Store::ping)
    }

    fn close(&self, py: Python<'_>) -> PyResult<()> {
        self.done(py, Store::close)
    }

    #[pyo3(signature = (name, by=1, initial=0, ttl=None))]
    fn incr(
        &self,
        py: Python<'_>,
        name: &str,
        by: i64,
        initial: i64,
        ttl: Option<f64>,
    ) -> PyResult<i64> {
        let ttl = span(py, ttl)?;
        self.done(py, |store| {
            asked(store.counters(), |facet| facet.incr(name, by, initial, ttl))
        })
    }

    fn set_if(
        &self,
        py: Python<'_>,
        name: &str,
        data: PyBackedBytes,
        ttl: Option<f64>,
        condition: &Bound<'_, PyAny>,
    ) -> PyResult<Option<u64>> {
        let (bytes, ttl, condition) = (bytes(&data), span(py, ttl)?, self::condition(condition)?);
        self.done(py, |store| {
            asked(store.conditional(), |facet| {
                facet.set_if(name, bytes, ttl, condition)
            })
        })
    }

    fn delete_if(&self, py: Python<'_>, name: &str, version: u64) -> PyResult<bool> {
        self.done(py, |store| {
            asked(store.conditional(), |facet| facet.delete_if(name, version))
        })
    }

    fn lease(&self, py: Python<'_>, name: &str, token: u64, ttl: f64) -> PyResult<Option<f64>> {
        let ttl = span(py, Some(ttl))?.unwrap_or_default();
        match self.done(py, |store| {
            asked(store.leases(), |facet| facet.lease(name, token, ttl))
        })? {
            Grant::Granted => Ok(None),
            Grant::Held(left) => Ok(Some(left.as_secs_f64())),
        }
    }

    fn renew(&self, py: Python<'_>, name: &str, token: u64, ttl: f64) -> PyResult<bool> {
        let ttl = span(py, Some(ttl))?.unwrap_or_default();
        self.done(py, |store| {
            asked(store.leases(), |facet| facet.renew(name, token, ttl))
        })
    }

    fn release(&self, py: Python<'_>, name: &str, token: u64) -> PyResult<bool> {
        self.done(py, |store| {
            asked(store.leases(), |facet| facet.release(name, token))
        })
    }

    #[pyo3(signature = (name, token, data, ttl=None))]
    fn set_leased(
        &self,
        py: Python<'_>,
        name: &str,
        token: u64,
        data: PyBackedBytes,
        ttl: Option<f64>,
    ) -> PyResult<bool> {
        let (bytes, ttl) = (bytes(&data), span(py, ttl)?);
        self.done(py, |store| {
            asked(store.leases(), |facet| {
                facet.set_leased(name, token, bytes, ttl)
            })
        })
    }

    #[pyo3(signature = (prefix="", after=None, limit=1_000))]
    fn scan(
        &self,
        py: Python<'_>,
        prefix: &str,
        after: Option<&str>,
        limit: usize,
    ) -> PyResult<(Vec<String>, Option<String>)> {
        let page = self.done(py, |store| {
            asked(store.scan(), |facet| facet.page(prefix, after, limit))
        })?;
        Ok((page.names, page.next))
    }

    #[pyo3(signature = (name, ttl=None))]
    fn expire(&self, py: Python<'_>, name: &str, ttl: Option<f64>) -> PyResult<bool> {
        let ttl = span(py, ttl)?;
        self.done(py, |store| {
            asked(store.touch(), |facet| facet.expire(name, ttl))
        })
    }

    fn __repr__(&self) -> String {
        let info = self.store.info();
        format!("<{} store {}>", info.kind, info.place)
    }
}
