//! A value that is not stored: which part of it, its class, and the remedy; never the value itself.

use pyo3::exceptions::PyException;
use pyo3::prelude::*;

use crate::keys::refusal::class_name;
use crate::{errors, texts};

/// What writing a value may end in.
pub(crate) type Written = Result<(), Refused>;

/// Why a value was not written.
pub(crate) struct Refused(Box<Inner>);

struct Inner {
    /// Steps from the value to its part, innermost first.
    path: Vec<String>,
    class: String,
    why: String,
    hint: &'static str,
    cause: Option<PyErr>,
}

/// Steps of a long path that are shown from either end.
const SHOWN: usize = 4;
/// Keys of dicts that are longer are not shown.
const LONGEST_KEY: usize = 32;

/// What to do about a class that may be stored, once it is known.
pub(super) const ANNOUNCE: &str = "name the class in the function's return annotation, or call \
    `everwarm.register` with it";
/// What to do about what no format of ours can give back.
pub(super) const CHOOSE: &str = "return a type that docs/reference/values.md lists, or choose another `format=`: \
    `\"pickle\"`, or `(dumps, loads)` of your own";
/// What to do about a value that something else changes.
const COPY: &str = "return a copy that nothing else changes";

impl Refused {
    /// Refuses `obj`.
    #[cold]
    pub(super) fn new(obj: &Bound<'_, PyAny>, why: impl Into<String>, hint: &'static str) -> Self {
        Self(Box::new(Inner {
            path: Vec::new(),
            class: class_name(&obj.get_type()),
            why: why.into(),
            hint,
            cause: None,
        }))
    }

    /// Refuses `obj`, which changed under the eyes of its reader.
    #[cold]
    pub(super) fn changed(obj: &Bound<'_, PyAny>) -> Self {
        Self::new(obj, "it changed while it was read", COPY)
    }

    /// Refuses `obj` since reading it raised.
    #[cold]
    pub(super) fn raised(obj: &Bound<'_, PyAny>, cause: PyErr) -> Self {
        let name = texts::class(cause.value(obj.py())).unwrap_or_else(|_| "?".to_owned());
        let mut refused = Self::new(obj, format!("reading it raised {name}"), CHOOSE);
        refused.0.cause = Some(cause);
        refused
    }

    /// The part that was refused, as one reaches it from the result.
    #[must_use]
    pub(crate) fn place(&self) -> String {
        let mut steps: Vec<&str> = self.0.path.iter().rev().map(String::as_str).collect();
        if steps.len() > 2 * SHOWN {
            steps.splice(SHOWN..steps.len() - SHOWN, ["..."]);
        }
        format!("result{}", steps.concat())
    }

    /// What users are told, in two lines.
    #[must_use]
    pub(crate) fn message(&self) -> String {
        let Inner {
            class, why, hint, ..
        } = &*self.0;
        format!(
            "`{}`, of type `{class}`, cannot be stored: {why}\nhint: {hint}",
            self.place()
        )
    }

    /// The exception: `ValueRefused`; what interrupts or exits, as itself.
    pub(crate) fn into_err(self, py: Python<'_>) -> PyErr {
        let message = self.message();
        match self.0.cause {
            Some(cause) if !cause.is_instance_of::<PyException>(py) => cause,
            cause => {
                let error = errors::value_refused(py, &message);
                error.set_cause(py, cause);
                error
            }
        }
    }
}

/// Adds a step to the path of what was refused.
pub(super) trait At {
    /// Says that it lies behind `step`.
    fn at(self, step: impl FnOnce() -> String) -> Self;
}

impl At for Written {
    #[inline]
    fn at(mut self, step: impl FnOnce() -> String) -> Self {
        if let Err(refused) = &mut self {
            refused.0.path.push(step());
        }
        self
    }
}

/// Ties what was raised to the object that was read.
pub(super) trait Of<T> {
    /// Says that reading `obj` raised it.
    fn of(self, obj: &Bound<'_, PyAny>) -> Result<T, Refused>;
}

impl<T> Of<T> for PyResult<T> {
    #[inline]
    fn of(self, obj: &Bound<'_, PyAny>) -> Result<T, Refused> {
        self.map_err(|cause| Refused::raised(obj, cause))
    }
}

/// The step to what a dict has under `key`: shown where it looks like a name, since keys may be secrets.
pub(super) fn step(key: &Bound<'_, PyAny>) -> String {
    match key.extract::<&str>() {
        Ok(name)
            if name.len() <= LONGEST_KEY
                && !name.is_empty()
                && name
                    .bytes()
                    .all(|byte| byte.is_ascii_alphabetic() || byte == b'_') =>
        {
            format!("[\"{name}\"]")
        }
        _ => "[...]".to_owned(),
    }
}
