//! Texts of Python's as texts of Rust's.
//!
//! Not by `Display`: that asks for the `str` of an object, even of a text, and Python looks at signals first. What a handler raises
//! there is said and gone, so that who presses Ctrl-C in that moment would not be heard.

use pyo3::prelude::*;
use pyo3::types::PyString;

/// A text; what is no character in it is replaced.
pub(crate) fn of(text: &Bound<'_, PyString>) -> String {
    text.to_string_lossy().into_owned()
}

/// The name of the class of an object, without its module.
pub(crate) fn class(object: &Bound<'_, PyAny>) -> PyResult<String> {
    object.get_type().name().map(|name| of(&name))
}
