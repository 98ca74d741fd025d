//! A walk through the texts among the keys that stores have of a cache's own entries.

use std::sync::Arc;
use std::vec;

use everwarm_core::codec::Meta;
use everwarm_engine::stack::{Need, Stack};
use parking_lot::Mutex;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::errors;
use crate::scan::{decoded, text_of};
use crate::tenant::Tenant;

use super::codec;
use super::drive::drive;
use super::link::Link;

/// How many names are asked for at once.
const PAGE: usize = 256;

/// The keys that begin with a prefix. Stores know digests of keys only, so each entry is read for its key.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Names {
    stack: Arc<Stack>,
    link: Arc<Link>,
    prefix: Vec<u8>,
    /// Whose keys are walked.
    tenant: Option<Tenant>,
    /// What the names at stores begin with after their namespace.
    beginning: String,
    walk: Mutex<Walk>,
}

struct Walk {
    found: vec::IntoIter<Vec<u8>>,
    next: Option<Option<String>>,
}

impl Names {
    pub(crate) fn new(
        py: Python<'_>,
        link: &Arc<Link>,
        (prefix, tenant): (Vec<u8>, Option<Tenant>),
    ) -> PyResult<Self> {
        link.require(py, Need::Scan)?;
        Ok(Self {
            stack: link.shared.stack(py)?,
            link: Arc::clone(link),
            prefix,
            beginning: link.shared.naming.objects(tenant.as_ref()),
            tenant,
            walk: Mutex::new(Walk {
                found: Vec::new().into_iter(),
                next: Some(None),
            }),
        })
    }

    /// The keys of the next page, and where to go on.
    fn page(
        &self,
        py: Python<'_>,
        after: Option<String>,
    ) -> PyResult<(Vec<Vec<u8>>, Option<String>)> {
        let page = drive(py, self.stack.scan(self.beginning.clone(), after, PAGE))?
            .map_err(|failure| errors::store(py, &failure))?;
        let places = page
            .names
            .iter()
            .map(|name| self.link.place_of(name, self.tenant.as_ref()));
        let stored = drive(py, self.stack.get_many(places.collect::<Vec<_>>()))?;
        codec::check(py, "")?;
        let keys = stored
            .iter()
            .flatten()
            .filter_map(|stored| self.text(&stored.opened.meta))
            .collect();
        Ok((keys, page.next))
    }

    /// The key as a text, if it is one of those that are looked for.
    fn text(&self, meta: &Meta) -> Option<Vec<u8>> {
        let text = text_of(meta.key.as_deref()?, self.tenant.as_ref())?;
        text.starts_with(&self.prefix).then_some(text)
    }
}

#[pymethods]
impl Names {
    fn __iter__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __next__<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyString>>> {
        loop {
            let mut walk = self.walk.lock();
            if let Some(text) = walk.found.next() {
                drop(walk);
                return decoded(py, &text).map(Some);
            }
            let Some(after) = walk.next.take() else {
                return Ok(None);
            };
            drop(walk);
            let (keys, next) = self.page(py, after)?;
            let mut walk = self.walk.lock();
            walk.found = keys.into_iter();
            walk.next = next.map(Some);
        }
    }
}
