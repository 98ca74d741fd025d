//! Parameters: what a function takes, and how each enters the key.

use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// One parameter.
pub(crate) struct Parameter {
    pub(crate) name: Py<PyString>,
    pub(crate) kind: Kind,
    pub(crate) default: Option<Py<PyAny>>,
    pub(crate) treatment: Treatment,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    PositionalOnly,
    Plain,
    KeywordOnly,
    Rest,
    Named,
}

/// How a parameter enters the key.
pub(crate) enum Treatment {
    /// By its content.
    Content,
    /// Not at all (`NotKeyed`).
    Left,
    /// By what this callable makes of it (`Keyed`).
    By(Py<PyAny>),
}

impl<'a, 'py> FromPyObject<'a, 'py> for Parameter {
    type Error = PyErr;

    /// Reads `(name, kind, has_default, default, treatment)`: kind 0 to 4 as `inspect` numbers them; treatment None,
    /// False (left out) or a callable.
    fn extract(object: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        type Fields<'py> = (
            Bound<'py, PyString>,
            u8,
            bool,
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
        );
        let (name, kind, has_default, default, treatment): Fields<'py> = object.extract()?;
        let kind = match kind {
            0 => Kind::PositionalOnly,
            1 => Kind::Plain,
            2 => Kind::Rest,
            3 => Kind::KeywordOnly,
            4 => Kind::Named,
            _ => return Err(PyTypeError::new_err("a parameter's kind is 0 to 4")),
        };
        let treatment = match (treatment.is_none(), treatment.is_callable()) {
            (true, _) => Treatment::Content,
            (false, true) => Treatment::By(treatment.unbind()),
            (false, false) => Treatment::Left,
        };
        let default = has_default.then(|| default.unbind());
        Ok(Self {
            name: name.unbind(),
            kind,
            default,
            treatment,
        })
    }
}

impl Parameter {
    /// Whether a positional argument can reach it, but for those of `*args`.
    pub(crate) fn is_positional(&self) -> bool {
        matches!(self.kind, Kind::PositionalOnly | Kind::Plain)
    }

    /// Whether a value is the very object that is the parameter's default.
    pub(crate) fn is_default(&self, value: &Bound<'_, PyAny>) -> bool {
        self.default
            .as_ref()
            .is_some_and(|default| default.is(value))
    }
}

/// Whether the name is one that a method's first parameter has by custom.
pub(crate) fn is_instance_name(name: &Bound<'_, PyString>) -> bool {
    name.to_str()
        .is_ok_and(|name| name == "self" || name == "cls")
}
