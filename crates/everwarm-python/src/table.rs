//! A cache's table as Python holds it: the object verbs, and the values for the garbage collector.

use std::collections::HashMap;
use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::key::Writer;
use everwarm_core::policy::Policy;
use everwarm_engine::{Bounds, Chance, Put, Scope, Ticker};
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBool;

use crate::clock::Hand;
use crate::engine::{Engine, Key, Seed};
use crate::lock::new_engine;
use crate::object::Object;
use crate::{calling, errors, keys, modules, terms, verbs};

/// The memory of one `Cache`.
#[pyclass(frozen, weakref, module = "everwarm._native")]
pub(crate) struct Table {
    pub(crate) engine: Arc<Engine>,
    pub(crate) seed: Seed,
    /// The entries of the cache's own verbs.
    objects: Arc<Scope>,
    /// The scopes of functions that are told apart by a declared name.
    named: Mutex<HashMap<(String, String), Arc<Scope>>>,
    /// Whether the sweeper looks after this table.
    watched: AtomicBool,
}

impl Table {
    /// The scope for a function: one of its own, or the one of its declared name and version.
    pub(crate) fn scope(&self, name: Option<&str>, version: &str) -> Arc<Scope> {
        let Some(name) = name else {
            return self.engine.scope();
        };
        let mut named = self.named.lock();
        let scope = named.entry((name.to_owned(), version.to_owned()));
        Arc::clone(scope.or_insert_with(|| self.engine.scope()))
    }

    /// Asks the sweeper to look after a table that has come to hold entries that expire.
    pub(crate) fn watch(slf: &Bound<'_, Self>) {
        if slf.get().watched.swap(true, Ordering::AcqRel) {
            return;
        }
        let py = slf.py();
        let asked = modules::own(py, "everwarm._sweeper")
            .and_then(|sweeper| sweeper.getattr(intern!(py, "watch")))
            .and_then(|watch| calling::call(&watch, [slf.as_any().as_borrowed()]));
        if let Err(error) = asked {
            error.write_unraisable(py, Some(slf.as_any()));
        }
    }

    fn key(&self, object: &Bound<'_, PyAny>) -> PyResult<(u64, Key)> {
        let mut key = Writer::for_scope(self.objects.id());
        keys::encode_argument(object, &mut key, "key")?;
        let sealed = key
            .seal()
            .map_err(|limit| keys::beyond(object.py(), limit))?;
        Ok((self.seed.hash_one(sealed), sealed.into()))
    }
}

#[pymethods]
impl Table {
    #[new]
    fn new(max_entries: &Bound<'_, PyAny>, hand: Option<&Bound<'_, Hand>>) -> PyResult<Self> {
        let py = max_entries.py();
        let given = if max_entries.is_instance_of::<PyBool>() {
            None
        } else {
            max_entries.extract::<usize>().ok()
        };
        let Some(bound) = given.and_then(NonZeroUsize::new) else {
            let shown = max_entries
                .repr()
                .map_or_else(|_| "that".into(), |text| text.to_string());
            return Err(errors::config(
                py,
                &format!(
                    "max_entries must be a whole number of at least 1 and below 2**64, not {shown}"
                ),
                "to keep nothing, do not decorate; to keep little, write `max_entries=1`",
            ));
        };
        let ticker = hand.map_or_else(Ticker::system, |hand| Ticker::frozen_by(&hand.get().hand));
        let engine = new_engine(Bounds { max_entries: bound }, ticker);
        let objects = engine.scope();
        Ok(Self {
            engine,
            seed: Seed::default(),
            objects,
            named: Mutex::default(),
            watched: AtomicBool::new(false),
        })
    }

    /// The value under a key, else the default.
    #[pyo3(signature = (key, default=None))]
    fn get<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let (hash, key) = self.key(key)?;
        let found = self.engine.hit(&self.objects, hash, &key);
        if found.is_none() {
            self.objects.count_miss();
        }
        Ok(found.map(|value| value.into_bound(py)).or(default))
    }

    /// Stores a value under a key.
    fn set(
        slf: &Bound<'_, Self>,
        key: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
        ttl: &Bound<'_, PyAny>,
        jitter: f64,
        tags: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let this = slf.get();
        let (hash, key) = this.key(key)?;
        let policy = Policy {
            ttl: terms::span_of(ttl)?,
            jitter,
            ..Policy::default()
        };
        let lifetime = policy.lifetime(this.engine.ticker().now(), Duration::ZERO, &Chance::new());
        let tags = terms::texts(tags)?;
        this.engine.put(Put {
            scope: &this.objects,
            hash,
            key,
            value: Object::from(value),
            deadline: lifetime.serve_until(),
            tags: &tags,
        });
        if policy.ttl.is_some() {
            Self::watch(slf);
        }
        Ok(())
    }

    /// Lets the entry of a key go; whether it was there.
    fn delete(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (hash, key) = self.key(key)?;
        Ok(self.engine.delete(&self.objects, hash, &key))
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let (hash, key) = self.key(key)?;
        Ok(self.engine.contains(&self.objects, hash, &key))
    }

    fn invalidate_tags(&self, tags: &Bound<'_, PyAny>) -> PyResult<()> {
        self.engine.invalidate_tags(&terms::texts(tags)?);
        Ok(())
    }

    fn clear(&self) {
        self.engine.clear();
    }

    /// Lets expired entries go; how many.
    fn sweep(&self) -> usize {
        self.engine.sweep()
    }

    /// How many entries expire some time.
    fn timed(&self) -> usize {
        self.engine.timed()
    }

    /// The sweeper looks after this table no longer.
    fn unwatch(&self) {
        self.watched.store(false, Ordering::Release);
    }

    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        verbs::stats_of(py, &self.engine.totals())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let mut seen = Ok(());
        self.engine.for_each_value(|value| {
            if seen.is_ok() {
                seen = value.visit(&visit);
            }
        });
        seen
    }

    fn __clear__(&self) {
        self.engine.clear();
    }
}
