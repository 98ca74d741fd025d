//! The arguments of one call, as vectorcall hands them over or as a verb's `*args` and `**kwargs`.

use pyo3::Borrowed;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::calling;
use crate::lasting::intern;

/// Positional arguments, then the values of the named ones in the order of `names`.
#[derive(Clone, Copy)]
pub(crate) struct Arguments<'a, 'py> {
    py: Python<'py>,
    values: &'a [Borrowed<'a, 'py, PyAny>],
    positional: usize,
    names: Option<Borrowed<'a, 'py, PyTuple>>,
}

impl<'a, 'py> Arguments<'a, 'py> {
    /// # Safety
    /// The four are those of one vectorcall, which outlives `'a`.
    #[inline(always)]
    pub(crate) unsafe fn from_vectorcall(
        py: Python<'py>,
        values: *const *mut ffi::PyObject,
        count: usize,
        names: *mut ffi::PyObject,
    ) -> Self {
        // SAFETY: the protocol gives `nargs` values followed by one for each name, all alive for the call; `Borrowed` is a
        // transparent pointer that is never null, and neither are arguments.
        unsafe {
            let positional = ffi::PyVectorcall_NARGS(count) as usize;
            let named = if names.is_null() {
                0
            } else {
                ffi::PyTuple_GET_SIZE(names) as usize
            };
            let values = match positional + named {
                0 => &[],
                all => std::slice::from_raw_parts(values.cast(), all),
            };
            let names = (named > 0).then(|| Borrowed::from_ptr(py, names).cast_unchecked());
            Self {
                py,
                values,
                positional,
                names,
            }
        }
    }

    #[inline(always)]
    pub(crate) fn py(&self) -> Python<'py> {
        self.py
    }

    /// How many are positional.
    #[inline(always)]
    pub(crate) fn positional(&self) -> usize {
        self.positional
    }

    /// All values, the named ones last.
    #[inline(always)]
    pub(crate) fn values(&self) -> &'a [Borrowed<'a, 'py, PyAny>] {
        self.values
    }

    /// The names of the named ones.
    #[inline(always)]
    pub(crate) fn names(&self) -> Option<Borrowed<'a, 'py, PyTuple>> {
        self.names
    }

    /// Calls `function` with these arguments.
    pub(crate) fn call(&self, function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let names = self.names.map_or(std::ptr::null_mut(), Borrowed::as_ptr);
        // SAFETY: the values and names are alive and of the shape that vectorcall asks for; attached by the token.
        unsafe {
            let result = calling::vectorcall(
                function.as_ptr(),
                self.values.as_ptr().cast(),
                self.positional,
                names,
            );
            Bound::from_owned_ptr_or_err(self.py, result)
        }
    }

    /// The same as a tuple and a dict.
    pub(crate) fn split(&self) -> PyResult<(Bound<'py, PyTuple>, Bound<'py, PyDict>)> {
        let keywords = PyDict::new(self.py);
        if let Some(names) = self.names {
            for (name, value) in names.iter_borrowed().zip(&self.values[self.positional..]) {
                keywords.set_item(name, value)?;
            }
        }
        Ok((
            PyTuple::new(self.py, &self.values[..self.positional])?,
            keywords,
        ))
    }
}

/// Owns the arguments of a verb: `verb(self, /, *args, **kwargs)`.
pub(crate) struct Spread<'py> {
    values: Vec<Bound<'py, PyAny>>,
    positional: usize,
    names: Option<Bound<'py, PyTuple>>,
}

impl<'py> Spread<'py> {
    pub(crate) fn new(
        arguments: &Bound<'py, PyTuple>,
        keywords: &Bound<'py, PyDict>,
    ) -> PyResult<Self> {
        let mut values: Vec<_> = arguments.iter().collect();
        let positional = values.len();
        let names = match keywords.is_empty() {
            true => None,
            false => Some(PyTuple::new(keywords.py(), keywords.keys())?),
        };
        values.extend(keywords.values());
        Ok(Self {
            values,
            positional,
            names,
        })
    }

    /// Runs `work` with the arguments of each call that has one of `others` in the place `at`.
    pub(crate) fn with_each(
        &self,
        at: usize,
        others: &[Bound<'py, PyAny>],
        mut work: impl FnMut(usize, &Arguments<'_, 'py>) -> PyResult<()>,
    ) -> PyResult<()> {
        let names = self.names.as_ref().map(Bound::as_borrowed);
        let mut values: Vec<_> = self.values.iter().map(Bound::as_borrowed).collect();
        for (number, other) in others.iter().enumerate() {
            values[at] = other.as_borrowed();
            let call = Arguments {
                py: other.py(),
                values: &values,
                positional: self.positional,
                names,
            };
            work(number, &call)?;
        }
        Ok(())
    }

    /// How many arguments there are.
    pub(crate) fn count(&self) -> usize {
        self.values.len()
    }

    /// Runs `work` with the arguments.
    pub(crate) fn with<R>(
        &self,
        py: Python<'py>,
        work: impl FnOnce(&Arguments<'_, 'py>) -> R,
    ) -> R {
        let values: Vec<_> = self.values.iter().map(Bound::as_borrowed).collect();
        let names = self.names.as_ref().map(Bound::as_borrowed);
        work(&Arguments {
            py,
            values: &values,
            positional: self.positional,
            names,
        })
    }
}

/// The name of a class for messages: `module.qualname`.
pub(crate) fn class_name(object: &Bound<'_, PyAny>) -> String {
    let class = object.get_type();
    let part = |name: &Bound<'_, pyo3::types::PyString>| {
        class
            .getattr(name)
            .ok()
            .and_then(|part| part.extract::<String>().ok())
    };
    let py = object.py();
    match (
        part(intern!(py, "__module__")),
        part(intern!(py, "__qualname__")),
    ) {
        (Some(module), Some(name)) if module != "builtins" => format!("{module}.{name}"),
        (_, Some(name)) => name,
        _ => "object".to_owned(),
    }
}
