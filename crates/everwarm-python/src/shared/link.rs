//! How the values of one function, or of a cache's own entries, lie in its stores.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::KeyBytes;
use everwarm_core::key::{Header, Limit};
use everwarm_engine::stack::{Done, Need, Older, Place};
use everwarm_tiers::{OWN_TAGS, Shelf, Tenant};
use pyo3::prelude::*;

use crate::errors;
use crate::format::Plan as Format;
use crate::home::Keyed;
use crate::keys;

use super::Shared;
use super::drive::drive;
use super::places::Number;
use super::upgrade::{Declared, Upgrade};

/// The stores of one function or of objects, with what all of its entries have in common.
pub(crate) struct Link {
    /// By which its places are known.
    number: Number,
    pub(crate) shared: Arc<Shared>,
    pub(crate) format: Py<Format>,
    shelf: Shelf,
    older: Box<[Upgrade]>,
}

impl Link {
    /// The link of a function with this header and schema, which lay under older names before.
    pub(crate) fn new(
        shared: Arc<Shared>,
        header: &Header<'_>,
        (schema, format): (&str, Py<Format>),
        older: Vec<Declared<'_>>,
    ) -> Result<Self, Limit> {
        let older = older.into_iter();
        let older = older.map(|declared| Upgrade::new(&shared, header, declared));
        let older = older.collect::<Result<_, _>>()?;
        Ok(Self {
            number: Number::fresh(),
            shelf: Shelf::new(&shared.naming, header, schema)?,
            older,
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
        Self::new(
            Arc::clone(shared),
            &header,
            ("", format.unbind()),
            Vec::new(),
        )
        .map(Arc::new)
        .map_err(|limit| keys::beyond(py, limit))
    }

    /// What the entry of a key is called; None if the key means nothing in other processes.
    pub(crate) fn place(&self, keyed: &Keyed) -> Option<Place> {
        if keyed.is_bound() {
            return None;
        }
        if self.shared.naming.is_secret() {
            return Some(self.place_anew(keyed));
        }
        let places = &self.shared.places;
        places.find(self.number, keyed).or_else(|| {
            let place = self.place_anew(keyed);
            places.note(self.number, keyed, &place);
            Some(place)
        })
    }

    fn place_anew(&self, keyed: &Keyed) -> Place {
        let naming = &self.shared.naming;
        let older = (!self.older.is_empty()).then(|| self.older_places(keyed));
        let tenant = keyed.tenant.as_ref();
        self.shelf
            .place(naming, keyed.key.arguments(), tenant, older)
    }

    /// The place of an object by its stored name: a walk knows no more.
    pub(crate) fn place_of(&self, name: &str, tenant: Option<&Tenant>) -> Place {
        self.shelf.place_of(name, tenant)
    }

    /// Where the entry of a key lay before.
    fn older_places(&self, keyed: &Keyed) -> Arc<[Older]> {
        let older = self.older.iter();
        older
            .map(|upgrade| upgrade.place(&self.shared, self.shelf.outer(), keyed))
            .collect()
    }

    /// The older name by its number among a place's.
    pub(super) fn upgrade(&self, number: usize) -> Option<&Upgrade> {
        self.older.get(number)
    }

    /// Refuses what the stores cannot do.
    ///
    /// # Errors
    /// `Unsupported`.
    pub(crate) fn require(&self, py: Python<'_>, need: Need) -> PyResult<()> {
        let stack = self.shared.stack(py)?;
        stack
            .require(need)
            .map_err(|error| errors::raise(py, &error))
    }

    /// Invalidates tags in the stores: what was computed under them is gone there.
    pub(crate) fn invalidate(&self, py: Python<'_>, tags: &[Arc<str>]) -> PyResult<Done> {
        if tags.is_empty() {
            return Ok(Done::Now);
        }
        drive(py, self.shared.stack(py)?.invalidate(tags.into()))
    }

    /// Suspends tags in the stores for a span, or resumes them.
    pub(crate) fn suspend(
        &self,
        py: Python<'_>,
        tags: &[Arc<str>],
        span: Option<Duration>,
    ) -> PyResult<Done> {
        let stack = self.shared.stack(py)?;
        match (tags.is_empty(), span) {
            (true, _) => Ok(Done::Now),
            (false, Some(span)) => drive(py, stack.suspend(tags.into(), span)),
            (false, None) => drive(py, stack.resume(tags.into())),
        }
    }

    /// Whether the stores can suspend tags.
    pub(crate) fn can_suspend(&self, py: Python<'_>) -> PyResult<bool> {
        Ok(self.shared.stack(py)?.can_suspend())
    }

    /// Clears the whole namespace in the stores.
    pub(crate) fn clear(&self, py: Python<'_>) -> PyResult<Done> {
        drive(py, self.shared.stack(py)?.clear())
    }

    /// Clears the function in the stores.
    pub(crate) fn clear_function(&self, py: Python<'_>) -> PyResult<Done> {
        let stack = self.shared.stack(py)?;
        drive(py, stack.clear_function(Arc::clone(self.shelf.outer())))
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

    /// Flushes and closes the stores.
    pub(crate) fn close(&self, py: Python<'_>) -> PyResult<()> {
        drive(py, self.shared.stack(py)?.close())
    }

    /// What an entry carries so that it can be listed: the canonical bytes of its key, among objects.
    pub(crate) fn listed(&self, keyed: &Keyed) -> Option<KeyBytes> {
        self.shelf.listed(keyed.key.arguments())
    }

    /// The tags by which memory lets the entry of a place go, alone or with its function's others.
    pub(crate) fn own_tags(&self, place: &Place) -> [Arc<str>; OWN_TAGS] {
        self.shelf.own_tags(place)
    }

    /// The function as stores know it; empty for objects.
    pub(crate) fn own_function(&self) -> Arc<str> {
        Arc::clone(self.shelf.outer())
    }

    /// The schema of the values, as the stored names have it.
    pub(crate) fn schema(&self) -> &str {
        self.shelf.schema()
    }

    /// The name of the function; empty for objects.
    pub(crate) fn function(&self) -> &Arc<str> {
        self.shelf.function()
    }
}
