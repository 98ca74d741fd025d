//! Entries from before an upgrade: the names they lie under, and what makes values of today of theirs.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::Meta;
use everwarm_core::key::{Header, Heading, Limit};
use everwarm_engine::stack::{Older, Stored, Written};
use pyo3::prelude::*;

use crate::calling;
use crate::format::Plan as Format;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::report::say;
use crate::waiting::Computing;

use super::Shared;
use super::drive::drive;
use super::remote::{Kept, Remote};

/// What is known of the older names of a function: its version then, its schema, how its values were written, and what converts
/// them, if they are not good as they are.
pub(crate) type Declared<'py> = (
    String,
    String,
    Bound<'py, Format>,
    Option<Bound<'py, PyAny>>,
);

/// One older name of a function.
pub(super) struct Upgrade {
    heading: Heading,
    schema: Arc<str>,
    pub(super) format: Py<Format>,
    convert: Option<Py<PyAny>>,
}

impl Upgrade {
    /// The older name of a function that is declared so.
    pub(super) fn new(
        shared: &Shared,
        header: &Header<'_>,
        (version, schema, format, convert): Declared<'_>,
    ) -> Result<Self, Limit> {
        let header = Header {
            version: &version,
            ..*header
        };
        Ok(Self {
            heading: Heading::new(shared.naming.namespace(), &header, &schema)?,
            schema: schema.into(),
            format: format.unbind(),
            convert: convert.map(Bound::unbind),
        })
    }

    /// Where the entry of a key lay.
    pub(super) fn place(&self, shared: &Shared, outer: &Arc<str>, keyed: &Keyed) -> Older {
        let (plain, digest) = self.heading.name(keyed.key.arguments());
        let tenant = keyed.tenant.as_ref();
        Older {
            name: shared.naming.entry(outer, tenant, (plain, &digest)).into(),
            schema: Arc::clone(&self.schema),
            key: digest.as_bytes().as_slice().into(),
        }
    }

    /// A value of today, from an older one; None if it cannot be converted, which is counted, and said.
    pub(super) fn converted(&self, py: Python<'_>, home: &Home, older: Object) -> Option<Object> {
        let Some(convert) = &self.convert else {
            return Some(older);
        };
        match calling::call(convert.bind(py), [older.bind(py).as_borrowed()]) {
            Ok(value) => Some(value.into()),
            Err(error) => {
                home.scope.count_error();
                let so = "so the value is computed anew";
                say(py, ("upgrade=", &error, so), home.is_secret());
                None
            }
        }
    }
}

impl Remote {
    /// What is made of a value under an older name, stored in its place of today; None if it is to be computed after all.
    ///
    /// # Errors
    /// What a signal's handler raised meanwhile.
    pub(super) fn upgraded(
        &mut self,
        py: Python<'_>,
        home: &Home,
        stored: Stored,
    ) -> PyResult<Option<Kept>> {
        // What converts is part of the computation: it may not ask for its own key.
        let Ok(computing) = Computing::new(py, self.lead) else {
            return Ok(None);
        };
        let (meta, age) = (stored.opened.meta.clone(), stored.age);
        let kept = self.link.decoded(py, &self.stack, home, stored);
        drop(computing);
        let Some(kept) = kept else {
            return Ok(None);
        };
        let written = self.move_in(py, home, (&kept.value, meta), age)?;
        let is_past = matches!(written, Written::Overtaken | Written::Lost);
        Ok((!is_past).then_some(kept))
    }

    /// Stores a converted value under its name of today; it lives no longer for that.
    fn move_in(
        &mut self,
        py: Python<'_>,
        home: &Home,
        (value, meta): (&Object, Meta),
        age: Duration,
    ) -> PyResult<Written> {
        if !self.stores {
            return Ok(Written::Apart);
        }
        let Ok(payload) = self.link.encoded(py, home, value) else {
            // Where it is strict, what is computed instead is refused in the same way, and says so.
            return Ok(Written::Lost);
        };
        let (Some(payload), Some(seat)) = (payload, self.seat.take()) else {
            return Ok(Written::Apart);
        };
        let meta = Meta {
            format: self.link.meta().format,
            ..meta
        };
        drive(py, self.stack.settle_older(seat, payload, meta, age))
    }
}
