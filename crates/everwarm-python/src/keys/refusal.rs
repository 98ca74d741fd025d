//! What cannot be part of a key, where it was found, and what to add.

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::key::Limit;
use pyo3::prelude::*;
use pyo3::types::PyType;

use crate::{errors, texts};

/// What writing a value may end in.
pub(crate) type Encoded = Result<(), Stop>;

/// Why a value was not written.
pub(crate) enum Stop {
    /// It cannot be part of a key.
    Refused(Box<Refusal>),
    /// The user's own code raised.
    Raised(PyErr),
}

/// A value that cannot be part of a key.
pub(crate) struct Refusal {
    /// Steps from the argument to the value, innermost first.
    path: Vec<String>,
    class: String,
    why: String,
    hint: &'static str,
}

/// Steps of a long path that are shown from either end.
const SHOWN: usize = 4;
/// What to do where a class says nothing of its content.
pub(crate) const DECLARE: &str = "add `__cache_key__()` to the class, choose the key with `key=`, \
    or leave the parameter out of it with `Annotated[..., NotKeyed]`";
/// What to do where the class is right but this value is not.
pub(crate) const CHOOSE: &str =
    "choose the key with `key=`, or leave the parameter out of it with `Annotated[..., NotKeyed]`";
/// What to do about a class that cannot be told from another of its name.
pub(crate) const NAME: &str = "define the class where its module can be asked for it by name, or choose the key with \
    `key=`, or leave the parameter out of it with `Annotated[..., NotKeyed]`";

impl Stop {
    /// Refuses `obj`.
    #[cold]
    pub(crate) fn refuse(
        obj: &Bound<'_, PyAny>,
        why: impl Into<String>,
        hint: &'static str,
    ) -> Self {
        let class = class_name(&obj.get_type());
        Self::Refused(Box::new(Refusal {
            path: Vec::new(),
            class,
            why: why.into(),
            hint,
        }))
    }

    /// Refuses `obj`, which changed under the eyes of its reader.
    #[cold]
    pub(crate) fn changed(obj: &Bound<'_, PyAny>) -> Self {
        Self::refuse(
            obj,
            "it changed while it was read",
            "pass a copy that nothing else changes",
        )
    }

    /// Refuses `obj` for a limit it is beyond.
    #[cold]
    pub(crate) fn beyond(obj: &Bound<'_, PyAny>, limit: Limit) -> Self {
        Self::refuse(obj, format!("it is {limit}"), CHOOSE)
    }

    /// Refuses `obj` for a store: its key names a class that no name leads to.
    #[cold]
    pub(crate) fn bound(obj: &Bound<'_, PyAny>) -> Self {
        Self::refuse(
            obj,
            "it holds an instance of a class that is known in this process only",
            NAME,
        )
    }

    /// The Python exception for the argument `name`.
    #[cold]
    pub(crate) fn into_err(self, py: Python<'_>, name: &str) -> PyErr {
        match self {
            Self::Raised(error) => error,
            Self::Refused(refusal) => refusal.into_err(py, name),
        }
    }
}

impl Refusal {
    /// The path from the argument, its middle left out where it is long.
    fn place(&self) -> String {
        let mut steps: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        if steps.len() > 2 * SHOWN {
            steps.splice(SHOWN..steps.len() - SHOWN, ["..."]);
        }
        if steps.is_empty() {
            String::new()
        } else {
            format!(", field `{}`", steps.concat())
        }
    }

    fn into_err(self, py: Python<'_>, name: &str) -> PyErr {
        let place = self.place();
        let (class, why, hint) = (self.class, self.why, self.hint);
        let message = format!("argument `{name}`{place}: `{class}` cannot be part of a key: {why}");
        errors::raise(py, &Error::new(ErrorKind::KeyRefused, message, hint))
    }
}

impl From<PyErr> for Stop {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// Adds a step to the path of a refusal.
pub(crate) trait At {
    /// Says that what was refused lies behind `step`.
    fn at(self, step: impl FnOnce() -> String) -> Self;
}

impl At for Encoded {
    #[inline]
    fn at(mut self, step: impl FnOnce() -> String) -> Self {
        if let Err(Stop::Refused(refusal)) = &mut self {
            refusal.path.push(step());
        }
        self
    }
}

/// Ties a limit to the object that went beyond it.
pub(crate) trait Of {
    /// Says that `obj` is what went beyond the limit.
    fn of(self, obj: &Bound<'_, PyAny>) -> Encoded;
}

impl Of for Result<(), Limit> {
    #[inline]
    fn of(self, obj: &Bound<'_, PyAny>) -> Encoded {
        self.map_err(|limit| Stop::beyond(obj, limit))
    }
}

/// Module and qualified name of a class, without its builtin module.
pub(crate) fn class_name(class: &Bound<'_, PyType>) -> String {
    class
        .fully_qualified_name()
        .map_or_else(|_| "?".to_owned(), |name| texts::of(&name))
}
