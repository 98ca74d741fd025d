//! Arguments of a store's methods, as Python takes them.

use std::time::Duration;

use everwarm_core::store::{Bytes, Entry};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// An argument of a method.
#[derive(Clone, Copy)]
pub(super) enum Argument<'a> {
    Text(&'a str),
    Texts(&'a [&'a str]),
    Data(&'a Bytes),
    Entries(&'a [Entry<'a>]),
    Ttl(Option<Duration>),
    Signed(i64),
    Unsigned(u64),
    Nothing,
}

impl Argument<'_> {
    fn of<'py>(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Text(text) => text.into_bound_py_any(py),
            Self::Texts(texts) => texts.into_bound_py_any(py),
            Self::Data(bytes) => PyBytes::new(py, bytes).into_bound_py_any(py),
            Self::Ttl(ttl) => ttl.map(|ttl| ttl.as_secs_f64()).into_bound_py_any(py),
            Self::Signed(number) => number.into_bound_py_any(py),
            Self::Unsigned(number) => number.into_bound_py_any(py),
            Self::Nothing => Ok(py.None().into_bound(py)),
            Self::Entries(entries) => {
                let each = |entry: &Entry<'_>| {
                    let ttl = entry.ttl.map(|ttl| ttl.as_secs_f64());
                    (entry.name, PyBytes::new(py, &entry.bytes), ttl).into_bound_py_any(py)
                };
                let all: PyResult<Vec<_>> = entries.iter().map(each).collect();
                all?.into_bound_py_any(py)
            }
        }
    }

    /// All arguments of a call.
    pub(super) fn all<'py, const N: usize>(
        py: Python<'py>,
        all: [Self; N],
    ) -> PyResult<[Bound<'py, PyAny>; N]> {
        let made: PyResult<Vec<_>> = all.into_iter().map(|each| each.of(py)).collect();
        Ok(made?
            .try_into()
            .unwrap_or_else(|_| unreachable!("as many as there were")))
    }
}
