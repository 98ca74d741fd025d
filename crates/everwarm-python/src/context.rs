//! What a function may ask of the computation that it runs in, and say of its result. Who does not ask pays for one look at a
//! number.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everwarm_engine::LeadId;
use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::engine::Lead;
use crate::lasting::intern;
use crate::object::Object;
use crate::terms::{span_of, texts};
use crate::{calling, modules, unheard};

/// How many contexts were asked for whose computations have not ended.
static ASKED: AtomicUsize = AtomicUsize::new(0);

/// The old values of computations that run. Locked by attached threads only, so that it is free at every fork.
static OLD: Mutex<BTreeMap<u64, OldValue>> = Mutex::new(BTreeMap::new());

#[derive(Clone)]
struct OldValue {
    value: Object,
    age: Duration,
    etag: Option<Arc<str>>,
}

/// An old value that can be asked for until this is dropped.
pub(crate) struct Shown(u64);

impl Shown {
    /// Shows the old value of a lead, if it has one.
    pub(crate) fn of(lead: &Lead) -> Option<Self> {
        let old = lead.old()?;
        let shown = OldValue {
            value: old.value.clone(),
            age: old.age,
            etag: old.etag(),
        };
        let before = OLD.lock().insert(lead.id().0, shown);
        drop(before);
        Some(Self(lead.id().0))
    }
}

impl Drop for Shown {
    fn drop(&mut self) {
        let shown = OLD.lock().remove(&self.0);
        drop(shown);
    }
}

/// What a result is to be kept like, by the function that gave it.
#[derive(Default)]
pub(crate) struct Said {
    /// Its ttl, if it says one: none at all, or nothing, for a value that is not to be kept.
    pub(crate) ttl: Option<Option<Duration>>,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) etag: Option<Arc<str>>,
}

/// The ttl that a result is given: seconds and the like, None for no expiry, 0 for a value that is not to be kept.
pub(crate) fn ttl_of(given: &Bound<'_, PyAny>) -> PyResult<Option<Duration>> {
    if !given.is_none() && given.eq(0)? {
        return Ok(Some(Duration::ZERO));
    }
    span_of(given)
}

/// What the function of a lead has said, if it has asked for its context.
pub(crate) fn take(py: Python<'_>, lead: LeadId) -> PyResult<Option<Said>> {
    type Told<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, bool, Option<String>);
    if ASKED.load(Ordering::Relaxed) == 0 {
        return Ok(None);
    }
    let take = modules::own(py, "everwarm._context")?.getattr(intern!(py, "take"))?;
    let told = calling::call(&take, [lead.0.into_pyobject(py)?.as_any().as_borrowed()])?;
    if told.is_none() {
        return Ok(None);
    }
    ASKED.fetch_sub(1, Ordering::Relaxed);
    let (ttl, tags, skips, etag): Told<'_> = told.extract()?;
    let ttl = match (skips, ttl.is(py.Ellipsis())) {
        (true, _) => Some(Some(Duration::ZERO)),
        (false, true) => None,
        (false, false) => Some(ttl_of(&ttl)?),
    };
    Ok(Some(Said {
        ttl,
        tags: texts(&tags)?,
        etag: etag.map(Arc::from),
    }))
}

/// Forgets what was said for a computation that ends otherwise.
pub(crate) fn forget(py: Python<'_>, lead: LeadId) {
    if let Err(failure) = take(py, lead) {
        unheard::say(py, failure, None);
    }
}

/// The old value of a lead, its age in seconds and its etag, for a context that is asked for.
#[pyfunction]
pub(crate) fn context_of(py: Python<'_>, lead: u64) -> Option<(Py<PyAny>, f64, Option<String>)> {
    ASKED.fetch_add(1, Ordering::Relaxed);
    let old = OLD.lock().get(&lead).cloned()?;
    let value = old.value.into_bound(py).unbind();
    let etag = old.etag.map(|etag| etag.to_string());
    Some((value, old.age.as_secs_f64(), etag))
}
