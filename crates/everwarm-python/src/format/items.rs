//! What a generator has yielded, as a value: the list of a list of its items and of what it returned.

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple, PyType};

use crate::object::Object;

use super::decode::Unreadable;

/// What stands for items in bytes; None where the values are no items.
pub(super) fn written<'py>(
    class: Option<&Py<PyType>>,
    value: &Bound<'py, PyAny>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = value.py();
    if class.is_none() {
        return Ok(None);
    }
    let items = PyList::new(py, value.cast::<PyTuple>()?.iter())?;
    let returned = value.getattr("returned")?;
    let whole = PyList::new(py, [items.into_any(), returned])?;
    Ok(Some(whole.into_any()))
}

/// The items that a value stands for.
///
/// # Errors
/// What making them raises.
pub(super) fn read(
    class: &Bound<'_, PyType>,
    value: &Bound<'_, PyAny>,
) -> PyResult<Result<Object, Unreadable>> {
    if let Ok(list) = value.cast_exact::<PyList>()
        && list.len() == 2
        && list.get_item(0)?.is_exact_instance_of::<PyList>()
    {
        return Ok(Ok(class.call1(list.to_tuple())?.into()));
    }
    Ok(Err(Unreadable::Damaged("these are no items".to_owned())))
}
