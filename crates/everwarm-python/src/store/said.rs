//! What an object says of itself as a store: its methods, its limits, what a set survives.

use everwarm_core::store::{Durability, Limits};
use pyo3::prelude::*;

use crate::{errors, modules};

/// Set in the flags of a coroutine function's code.
const COROUTINE: u32 = 0x80;

/// A method that the user wrote: those of `everwarm.Store` itself do nothing.
pub(super) fn own_method<'py>(
    object: &Bound<'py, PyAny>,
    method: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let Some(found) = object.getattr_opt(method)?.filter(|found| !found.is_none()) else {
        return Ok(None);
    };
    let protocol = modules::own(object.py(), "everwarm._store")?.getattr("Store")?;
    let inherited = protocol.getattr_opt(method)?;
    let of_class = object.get_type().getattr_opt(method)?;
    let is_inherited = inherited
        .zip(of_class)
        .is_some_and(|(inherited, own)| own.is(&inherited));
    Ok((!is_inherited).then_some(found))
}

/// Coroutine functions answer later, which nobody here could wait for.
pub(super) fn refuse_coroutine(name: &str, method: &str, found: &Bound<'_, PyAny>) -> PyResult<()> {
    let function = found
        .getattr_opt("__func__")?
        .unwrap_or_else(|| found.clone());
    let flags = match function.getattr_opt("__code__")? {
        Some(code) => code.getattr("co_flags")?.extract::<u32>()?,
        None => 0,
    };
    if flags & COROUTINE == 0 {
        return Ok(());
    }
    let hint = "write plain methods: a store answers at once, from sync and from async callers";
    let message = format!("the method {method} of the store {name} is a coroutine function");
    Err(errors::config(found.py(), &message, hint))
}

pub(super) fn limits(object: &Bound<'_, PyAny>) -> PyResult<Limits> {
    let number =
        |name, otherwise: u64| match object.getattr_opt(name)?.filter(|said| !said.is_none()) {
            Some(said) => said.extract::<u64>(),
            None => Ok(otherwise),
        };
    let span = |name| match object.getattr_opt(name)?.filter(|said| !said.is_none()) {
        Some(said) => crate::terms::span_of(&said),
        None => Ok(None),
    };
    Ok(Limits {
        longest_name: usize::try_from(number("longest_name", 1 << 16)?).unwrap_or(usize::MAX),
        largest_value: number("largest_value", u64::MAX)?,
        longest_ttl: span("longest_ttl")?,
        ttl_precision: span("ttl_precision")?.unwrap_or_default(),
    })
}

pub(super) fn durability(object: &Bound<'_, PyAny>, name: &str) -> PyResult<Durability> {
    let Some(said) = object
        .getattr_opt("durability")?
        .filter(|said| !said.is_none())
    else {
        return Ok(Durability::None);
    };
    match said.extract::<String>().as_deref() {
        Ok("none") => Ok(Durability::None),
        Ok("process") => Ok(Durability::Process),
        Ok("power") => Ok(Durability::Power),
        _ => {
            let hint = "write `durability = \"none\"`, `\"process\"` or `\"power\"`";
            let message = format!("the store {name} has a durability that does not exist");
            Err(errors::config(object.py(), &message, hint))
        }
    }
}
