//! How the values of one function, or of a cache's own entries, lie in its stores.

use std::sync::Arc;

use everwarm_core::key::{Header, Heading, Limit};
use everwarm_engine::stack::{Done, Older, Place};
use pyo3::prelude::*;

use crate::format::Plan as Format;
use crate::home::Keyed;
use crate::keys;
use crate::tenant::Tenant;

use super::Shared;
use super::drive::{drive, finish};
use super::naming::OWN;

/// How many of them an entry has.
pub(crate) const OWN_TAGS: usize = 2;

/// The stores of one function or of objects, with what all of its entries have in common.
pub(crate) struct Link {
    pub(crate) shared: Arc<Shared>,
    pub(crate) format: Py<Format>,
    function: Arc<str>,
    /// The function as stores know it.
    outer: Arc<str>,
    schema: Arc<str>,
    heading: Heading,
    /// The tag of all its entries.
    tag: Arc<str>,
    nobody: Arc<[u8]>,
    older: Arc<[Older]>,
}

impl Link {
    /// The link of a function with this header and schema.
    pub(crate) fn new(
        shared: Arc<Shared>,
        header: &Header<'_>,
        schema: &str,
        format: Py<Format>,
    ) -> Result<Self, Limit> {
        let outer = shared.naming.function(header.function);
        Ok(Self {
            heading: Heading::new(shared.naming.namespace(), header, schema)?,
            function: header.function.into(),
            tag: tag_of_function(&outer),
            outer,
            schema: schema.into(),
            nobody: Arc::new([]),
            older: Arc::new([]),
            shared,
            format,
        })
    }

    /// The link of a cache's own entries.
    pub(crate) fn of_objects(
        py: Python<'_>,
        shared: &Arc<Shared>,
        format: Bound<'_, Format>,
    ) -> PyResult<Arc<Self>> {
        let header = Header {
            function: "",
            version: "",
            parameters: &[],
        };
        Self::new(Arc::clone(shared), &header, "", format.unbind())
            .map(Arc::new)
            .map_err(|limit| keys::beyond(py, limit))
    }

    /// What the entry of a key is called; None if the key means nothing in other processes.
    pub(crate) fn place(&self, keyed: &Keyed) -> Option<Place> {
        if keyed.is_bound() {
            return None;
        }
        let tenant = keyed.tenant.as_ref();
        let (plain, digest) = self.heading.name(keyed.key.arguments());
        let name = self
            .shared
            .naming
            .entry(&self.outer, tenant, (plain, &digest));
        Some(if self.function.is_empty() {
            self.place_of(&name, tenant)
        } else {
            self.placed(&name, digest.as_bytes(), tenant)
        })
    }

    /// The place of an object by its stored name: a walk knows no more.
    pub(crate) fn place_of(&self, name: &str, tenant: Option<&Tenant>) -> Place {
        self.placed(name, name.as_bytes(), tenant)
    }

    fn placed(&self, name: &str, key: &[u8], tenant: Option<&Tenant>) -> Place {
        Place {
            name: name.into(),
            function: Arc::clone(&self.outer),
            schema: Arc::clone(&self.schema),
            key: key.into(),
            tenant: Arc::clone(tenant.map_or(&self.nobody, |tenant| &tenant.0)),
            older: Arc::clone(&self.older),
        }
    }

    /// Invalidates tags in the stores: what was computed under them is gone there.
    pub(crate) fn invalidate(&self, py: Python<'_>, tags: &[Arc<str>]) -> PyResult<Done> {
        if tags.is_empty() {
            return Ok(Done::Now);
        }
        Ok(finish(py, self.shared.stack(py)?.invalidate(tags.into())))
    }

    /// Clears the whole namespace in the stores.
    pub(crate) fn clear(&self, py: Python<'_>) -> PyResult<Done> {
        Ok(finish(py, self.shared.stack(py)?.clear()))
    }

    /// Clears the function in the stores.
    pub(crate) fn clear_function(&self, py: Python<'_>) -> PyResult<Done> {
        let stack = self.shared.stack(py)?;
        Ok(finish(py, stack.clear_function(Arc::clone(&self.outer))))
    }

    /// Has the stores let go of what has expired; how many they were.
    pub(crate) fn sweep(&self, py: Python<'_>) -> PyResult<usize> {
        let swept = drive(py, self.shared.stack(py)?.sweep())?;
        Ok(usize::try_from(swept).unwrap_or(usize::MAX))
    }

    /// Waits until queued writes are done.
    pub(crate) fn flush(&self, py: Python<'_>) -> PyResult<()> {
        drive(py, self.shared.stack(py)?.flush())
    }

    /// Whether all stores answer.
    pub(crate) fn ping(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(drive(py, self.shared.stack(py)?.ping())?.is_ok())
    }

    /// Flushes and closes the stores.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        drive(py, self.shared.stack(py)?.close())
    }

    /// What an entry carries so that it can be listed: the canonical bytes of its key, among objects.
    pub(crate) fn listed(&self, keyed: &Keyed) -> Option<Vec<u8>> {
        self.function
            .is_empty()
            .then(|| keyed.key.arguments().to_vec())
    }

    /// The tags by which memory lets the entry of a place go, alone or with its function's others.
    pub(crate) fn own_tags(&self, place: &Place) -> [Arc<str>; OWN_TAGS] {
        [tag_of_entry(&place.name), Arc::clone(&self.tag)]
    }

    /// The function as stores know it; empty for objects.
    pub(crate) fn own_function(&self) -> Arc<str> {
        Arc::clone(&self.outer)
    }

    /// The name of the function; empty for objects.
    pub(crate) fn function(&self) -> &Arc<str> {
        &self.function
    }
}

/// The tag of the entry of a stored name.
pub(crate) fn tag_of_entry(name: &str) -> Arc<str> {
    format!("{OWN}entry {name}").into()
}

/// The tag of all entries of a function.
pub(crate) fn tag_of_function(function: &str) -> Arc<str> {
    format!("{OWN}function {function}").into()
}
