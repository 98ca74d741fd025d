//! A walk through the texts among a cache's own keys.

use std::hash::BuildHasher;
use std::sync::Arc;

use everwarm_core::key::{Value, decode_all};
use everwarm_engine::Place;
use parking_lot::Mutex;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::engine::Key;
use crate::home::Home;
use crate::objects::Objects;
use crate::tenant::Tenant;

/// How many entries are looked at at once.
const PART: u32 = 128;

/// The keys that begin with a prefix; no lock is held from one to the next.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Scan {
    objects: Py<Objects>,
    home: Arc<Home>,
    prefix: Vec<u8>,
    /// Whose keys are walked.
    tenant: Option<Tenant>,
    walk: Mutex<Walk>,
}

/// Where a walk has come to.
struct Walk {
    found: Vec<Key>,
    next: Option<Place>,
}

impl Scan {
    pub(crate) fn new(
        objects: &Bound<'_, Objects>,
        home: Arc<Home>,
        prefix: Vec<u8>,
    ) -> PyResult<Self> {
        Ok(Self {
            tenant: home.tenant(objects.py())?,
            objects: objects.clone().unbind(),
            home,
            prefix,
            walk: Mutex::new(Walk {
                found: Vec::new(),
                next: Some(Place::default()),
            }),
        })
    }

    /// The key as a text, if it is one of those that are looked for and its entry is still there.
    fn text(&self, key: &Key) -> Option<Vec<u8>> {
        let text = text_of(key.arguments(), self.tenant.as_ref())?;
        let home = &self.home;
        let there = || {
            home.engine
                .contains(&home.scope, home.seed.hash_one(key), key)
        };
        (text.starts_with(&self.prefix) && there()).then_some(text)
    }
}

/// The text that a key is; None for any other key, and for that of another tenant.
pub(crate) fn text_of(key: &[u8], tenant: Option<&Tenant>) -> Option<Vec<u8>> {
    let mut values = decode_all(key).ok()?.into_iter();
    if let Some(tenant) = tenant
        && !matches!(values.next()?, Value::Bytes(name) if *name == *tenant.0)
    {
        return None;
    }
    match (values.next()?, values.next()) {
        (Value::Str(text), None) => Some(text),
        _ => None,
    }
}

/// A text in generalized UTF-8 as Python has it.
pub(crate) fn decoded<'py>(py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let errors = Some(c"surrogatepass");
    PyString::from_encoded_object(&PyBytes::new(py, text), Some(c"utf-8"), errors)
}

#[pymethods]
impl Scan {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        let home = &self.home;
        if home.is_away(py)? {
            return Ok(None);
        }
        let mut walk = self.walk.lock();
        loop {
            while let Some(key) = walk.found.pop() {
                if let Some(text) = self.text(&key) {
                    drop(walk);
                    return decoded(py, &text).map(Some);
                }
            }
            let Some(place) = walk.next else {
                return Ok(None);
            };
            (walk.found, walk.next) = home.engine.scan(&home.scope, place, PART);
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.objects)
    }
}
