//! The bounds of a cache, as users write them.

use std::num::{NonZeroU64, NonZeroUsize};

use everwarm_core::size;
use everwarm_engine::{Bounds, Eviction};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyInt, PyString};

use crate::{errors, texts};

/// The bounds that the keywords `max_entries`, `max_bytes` and `eviction` say.
pub(crate) fn bounds_of(
    max_entries: &Bound<'_, PyAny>,
    max_bytes: &Bound<'_, PyAny>,
    eviction: &Bound<'_, PyAny>,
) -> PyResult<Bounds> {
    let py = max_entries.py();
    let max_bytes = size_of("max_bytes", max_bytes)?;
    let eviction = eviction_of(eviction)?;
    if max_entries.is_none() {
        if max_bytes.is_none() {
            return Err(errors::config(
                py,
                "a cache needs a bound, and max_entries and max_bytes are both None",
                "write `max_entries=10_000` or `max_bytes=\"256MB\"`, or both",
            ));
        }
        return Ok(Bounds {
            max_entries: NonZeroUsize::MAX,
            max_bytes,
            eviction,
        });
    }
    let given = whole(max_entries).and_then(|number| number.extract::<usize>().ok());
    let Some(bound) = given.and_then(NonZeroUsize::new) else {
        return Err(errors::config(
            py,
            &format!(
                "max_entries must be a whole number of at least 1 and below 2**64, not {}",
                shown(max_entries)
            ),
            "to keep nothing, do not decorate; to keep little, write `max_entries=1`",
        ));
    };
    Ok(Bounds {
        max_entries: bound,
        max_bytes,
        eviction,
    })
}

/// Refuses bounds that cannot be meant.
#[pyfunction]
pub(crate) fn check_bounds(
    max_entries: &Bound<'_, PyAny>,
    max_bytes: &Bound<'_, PyAny>,
    eviction: &Bound<'_, PyAny>,
) -> PyResult<()> {
    bounds_of(max_entries, max_bytes, eviction).map(|_| ())
}

fn eviction_of(given: &Bound<'_, PyAny>) -> PyResult<Eviction> {
    let py = given.py();
    let Ok(name) = given.cast::<PyString>() else {
        return Err(errors::config(
            py,
            &format!(
                "eviction is the name of an order, not {}",
                texts::class(given)?
            ),
            "write `eviction=\"lru\"`",
        ));
    };
    let parsed = name.to_str()?.parse();
    parsed.map_err(|error| errors::raise(py, &error))
}

/// A size: bytes or text; None for no bound.
pub(crate) fn size_of(keyword: &str, given: &Bound<'_, PyAny>) -> PyResult<Option<NonZeroU64>> {
    let py = given.py();
    if given.is_none() {
        return Ok(None);
    }
    if let Ok(text) = given.cast::<PyString>() {
        let parsed = size::parse(text.to_str()?);
        return parsed.map(Some).map_err(|error| errors::raise(py, &error));
    }
    let bytes = whole(given)
        .and_then(|number| number.extract::<u64>().ok())
        .and_then(NonZeroU64::new)
        .filter(|bytes| bytes.get() <= 1 << 63);
    bytes.map(Some).ok_or_else(|| {
        errors::config(
            py,
            &format!(
                "{keyword} must be a whole number of bytes from 1 to 2**63, or a text, not {}",
                shown(given)
            ),
            &format!("write `{keyword}=1_000_000`, `{keyword}=\"256MB\"`, or None for no bound"),
        )
    })
}

fn whole<'a, 'py>(given: &'a Bound<'py, PyAny>) -> Option<&'a Bound<'py, PyAny>> {
    (given.is_instance_of::<PyInt>() && !given.is_instance_of::<PyBool>()).then_some(given)
}

fn shown(given: &Bound<'_, PyAny>) -> String {
    given
        .repr()
        .map_or_else(|_| "that".into(), |text| texts::of(&text))
}
