//! Values that are made at their first need and kept for the process, such as the names of attributes.
//!
//! pyo3's own cells take a lock and attach again while they hold it. A child that is forked meanwhile has that lock without the
//! thread that holds it, and waits for ever. Here nothing is locked while a value is made, and it is put down in one step by a
//! thread that is attached, as the one that forks is. Threads that make it at once do so in vain but for the first.

use std::sync::OnceLock;

use pyo3::PyTypeInfo;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// A place for one value.
pub(crate) struct Lasting<T>(OnceLock<T>);

impl<T> Lasting<T> {
    pub(crate) const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// The value, if it has been made.
    pub(crate) fn get(&self, _py: Python<'_>) -> Option<&T> {
        self.0.get()
    }

    /// The value, made if need be.
    pub(crate) fn get_or_init(&self, _py: Python<'_>, make: impl FnOnce() -> T) -> &T {
        match self.0.get() {
            Some(kept) => kept,
            None => self.keep(make()),
        }
    }

    /// As [`get_or_init`](Self::get_or_init), where making it may fail; then the next one tries.
    pub(crate) fn get_or_try_init<E>(
        &self,
        _py: Python<'_>,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<&T, E> {
        match self.0.get() {
            Some(kept) => Ok(kept),
            None => Ok(self.keep(make()?)),
        }
    }

    /// Puts the value down, unless there is one.
    pub(crate) fn set(&self, _py: Python<'_>, value: T) -> Result<(), T> {
        self.0.set(value)
    }

    #[cold]
    fn keep(&self, made: T) -> &T {
        self.0.get_or_init(|| made)
    }
}

/// Makes a class that no module has, when ours is made: pyo3 makes it under a lock, at its first use.
pub(crate) fn made_early<T: PyTypeInfo>(module: &Bound<'_, PyModule>) {
    let _ = module.py().get_type::<T>();
}

/// A text that Python looks things up by, as one object.
pub(crate) struct Name(&'static str, Lasting<Py<PyString>>);

impl Name {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(text, Lasting::new())
    }

    pub(crate) fn get<'py>(&self, py: Python<'py>) -> &Bound<'py, PyString> {
        let make = || PyString::intern(py, self.0).unbind();
        self.1.get_or_init(py, make).bind(py)
    }
}

/// The Python text of a literal: `intern!(py, "name")`.
macro_rules! intern {
    ($py:expr, $text:expr) => {{
        static NAME: $crate::lasting::Name = $crate::lasting::Name::new($text);
        NAME.get($py)
    }};
}
pub(crate) use intern;
