//! A Python object as the engine holds it: cloned under table locks, dropped only outside them.

use std::mem::ManuallyDrop;

use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use crate::calling;

/// A strong reference that can be cloned and dropped without a token.
///
/// The engine clones values while it holds a shard's lock, where no token can be handed down. A clone is one reference
/// count: it allocates nothing and runs no Python code. Whoever calls into the engine is attached (see `ARCHITECTURE.md`,
/// "No Python under a lock"), and the engine drops what leaves a table only after it has let every lock go.
#[derive(Debug)]
pub(crate) struct Object(ManuallyDrop<Py<PyAny>>);

impl Object {
    pub(crate) fn bind<'py>(&self, py: Python<'py>) -> &Bound<'py, PyAny> {
        self.0.bind(py)
    }

    pub(crate) fn into_bound(self, py: Python<'_>) -> Bound<'_, PyAny> {
        // SAFETY: `into_ptr` gives an owned reference to a live object.
        unsafe { Bound::from_owned_ptr(py, self.into_ptr()) }
    }

    /// The reference itself, owned by the caller from here on.
    #[inline]
    pub(crate) fn into_ptr(self) -> *mut ffi::PyObject {
        ManuallyDrop::new(self).0.as_ptr()
    }

    /// Shows the object to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&*self.0)
    }
}

impl Clone for Object {
    #[inline]
    fn clone(&self) -> Self {
        // SAFETY: every call into the engine that can clone a value is made by an attached thread; the only code of ours
        // that runs detached is `waiting::Parker::park`, which holds no values.
        let py = unsafe { Python::assume_attached() };
        Self(ManuallyDrop::new(self.0.clone_ref(py)))
    }
}

impl Drop for Object {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: attached, as for `clone`; nobody uses the reference after this.
        unsafe { calling::release(self.0.as_ptr()) }
    }
}

impl From<Bound<'_, PyAny>> for Object {
    fn from(bound: Bound<'_, PyAny>) -> Self {
        Self(ManuallyDrop::new(bound.unbind()))
    }
}

/// How many references there are to an object, that of the caller among them.
pub(crate) fn holders(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: the object is alive, for it is held, and its thread attached.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}
