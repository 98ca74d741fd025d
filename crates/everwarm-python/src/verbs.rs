//! The verbs of a decorated function, over the same arguments as its call.

use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::key::{self, Digest, Header};
use everwarm_engine::{Cause, Chance, Put, Seen, Stats};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::arguments::{Arguments, Spread};
use crate::function::Function;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::settle::weight_of;
use crate::signature::Unkeyed;
use crate::table::Table;
use crate::using::Plan;
use crate::{call, calling, keys};

/// `(value, status, age, ttl, tags, key, version)`
pub(crate) type Found<'py> = (
    Bound<'py, PyAny>,
    &'static str,
    Option<f64>,
    Option<f64>,
    Vec<String>,
    String,
    u64,
);

/// Runs `work` with a function and the key of a call.
pub(crate) fn keyed<'py, R>(
    function: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
    work: impl FnOnce(&Function, &Home, &Arguments<'_, 'py>, Keyed) -> PyResult<R>,
) -> PyResult<R> {
    let py = function.py();
    let native = call::function(function)?;
    let home = native.home(py)?;
    Spread::new(arguments, keywords)?.with(py, |call| match native.keyed(&home, call) {
        Ok(keyed) => work(native, &home, call, keyed),
        Err(Unkeyed::Refused(error)) => Err(error),
        Err(Unkeyed::Misfit) => Err(PyTypeError::new_err(format!(
            "these arguments do not fit {}\nhint: pass what the function itself takes",
            native.title(py)
        ))),
    })
}

/// The stored name of a call.
#[pyfunction]
#[pyo3(name = "key")]
pub(crate) fn key_of(
    function: &Bound<'_, PyAny>,
    namespace: &str,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
) -> PyResult<String> {
    keyed(function, arguments, keywords, |native, _, call, keyed| {
        stored_name(native, namespace, call.py(), &keyed)
    })
}

pub(crate) fn stored_name(
    native: &Function,
    namespace: &str,
    py: Python<'_>,
    keyed: &Keyed,
) -> PyResult<String> {
    let parameters: Vec<String> = native
        .signature()
        .names(py)
        .map(ToString::to_string)
        .collect();
    let parameters: Vec<&str> = parameters.iter().map(String::as_str).collect();
    let (function, version) = (native.title(py), native.terms().version.as_str());
    let header = Header {
        function: &function,
        version,
        parameters: &parameters,
    };
    let digest =
        Digest::new(&header, keyed.key.arguments()).map_err(|limit| keys::beyond(py, limit))?;
    Ok(key::stored_name(namespace, &function, version, &digest))
}

/// The entry of a call, if there is one; counts and touches nothing.
#[pyfunction]
pub(crate) fn peek<'py>(
    function: &Bound<'py, PyAny>,
    namespace: &str,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
) -> PyResult<Option<Found<'py>>> {
    keyed(
        function,
        arguments,
        keywords,
        |native, home, call, keyed| {
            if home.is_disabled(call.py())? {
                return Ok(None);
            }
            let name = stored_name(native, namespace, call.py(), &keyed)?;
            let Some(mut seen) = home.engine.peek(&home.scope, keyed.hash, &keyed.key) else {
                return Ok(None);
            };
            seen.value = native.copied_or_refused(call.py(), &seen.value)?;
            Ok(Some(found(call.py(), seen, "hit", name)))
        },
    )
}

pub(crate) fn found<'py>(
    py: Python<'py>,
    seen: Seen<Object>,
    status: &'static str,
    name: String,
) -> Found<'py> {
    let seconds = |span: Duration| span.as_secs_f64();
    let tags = seen.tags.iter().map(ToString::to_string).collect();
    (
        seen.value.into_bound(py),
        status,
        Some(seconds(seen.age)),
        seen.ttl.map(seconds),
        tags,
        name,
        seen.version,
    )
}

/// The value of a sync call, with how it was had.
#[pyfunction]
pub(crate) fn call_with_result<'py>(
    function: &Bound<'py, PyAny>,
    plan: &Bound<'py, Plan>,
    namespace: &str,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
) -> PyResult<Found<'py>> {
    let py = function.py();
    let native = call::function(function)?;
    let answer =
        Spread::new(arguments, keywords)?.with(py, |call| native.ask(call, plan.get().0))?;
    described(
        function,
        namespace,
        arguments,
        keywords,
        answer.value.into_bound(py),
        answer.status.name(),
    )
}

/// A value that a call gave, with what its entry says of it, if it is this value's.
#[pyfunction]
pub(crate) fn described<'py>(
    function: &Bound<'py, PyAny>,
    namespace: &str,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
    value: Bound<'py, PyAny>,
    status: &str,
) -> PyResult<Found<'py>> {
    let status = ["hit", "miss", "follower", "refreshed"]
        .into_iter()
        .find(|known| *known == status)
        .unwrap_or("bypass");
    if status == "bypass" {
        // What went past the cache has no entry, and perhaps no key.
        let name = key_of(function, namespace, arguments, keywords).unwrap_or_default();
        return Ok((value, status, None, None, Vec::new(), name, 0));
    }
    keyed(
        function,
        arguments,
        keywords,
        |native, home, call, keyed| {
            let name = stored_name(native, namespace, call.py(), &keyed)?;
            let seen = home.engine.peek(&home.scope, keyed.hash, &keyed.key);
            let isolated = native.terms().isolate.is_some();
            match seen.filter(|seen| isolated || seen.value.bind(call.py()).is(&value)) {
                Some(mut seen) => {
                    seen.value = value.into();
                    Ok(found(call.py(), seen, status, name))
                }
                None => Ok((value, status, None, None, Vec::new(), name, 0)),
            }
        },
    )
}

/// The value of a sync call that follows a plan.
#[pyfunction]
pub(crate) fn ask<'py>(
    function: &Bound<'py, PyAny>,
    plan: &Bound<'py, Plan>,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let native = call::function(function)?;
    let answer =
        Spread::new(arguments, keywords)?.with(py, |call| native.ask(call, plan.get().0))?;
    Ok(answer.value.into_bound(py))
}

/// Stores a value as if the call had given it.
#[pyfunction]
pub(crate) fn prime<'py>(
    function: &Bound<'py, PyAny>,
    value: Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
) -> PyResult<()> {
    keyed(
        function,
        arguments,
        keywords,
        |native, home, call, keyed| {
            let py = call.py();
            if home.is_disabled(py)? {
                return Ok(());
            }
            let terms = native.terms();
            let mut tags = match terms.tags.of(call, native.signature()) {
                Ok(tags) => tags,
                Err(Unkeyed::Refused(error)) => return Err(error),
                Err(Unkeyed::Misfit) => Vec::new(),
            };
            if let Some(function) = &terms.tags_from_result {
                tags.extend(crate::terms::texts(&calling::call(
                    function.bind(py),
                    [value.as_borrowed()],
                )?)?);
            }
            let Some(weight) = weight_of(home, &value) else {
                home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
                return Ok(());
            };
            let value = native.copied_or_refused(py, &value.into())?;
            home.note(py, &keyed)?;
            let now = home.engine.ticker().now();
            let lifetime = home.policy.lifetime(now, Duration::ZERO, &Chance::new());
            home.engine.put(Put {
                scope: &home.scope,
                hash: keyed.hash,
                key: keyed.key,
                value,
                deadline: lifetime.serve_until(),
                tags: &tags,
                weight,
            });
            if home.policy.ttl.is_some() {
                Table::watch(home.table(py));
            }
            Ok(())
        },
    )
}

/// Lets the entry of a call go; a computation of it that is running is not stored.
#[pyfunction]
pub(crate) fn invalidate(
    function: &Bound<'_, PyAny>,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
) -> PyResult<()> {
    keyed(function, arguments, keywords, |_, home, _, keyed| {
        home.engine
            .delete_because(&home.scope, keyed.hash, &keyed.key, Cause::Invalidated);
        Ok(())
    })
}

/// Demotes the entry of a call; a computation of it that is running is stored all the same.
#[pyfunction]
pub(crate) fn mark_stale(
    function: &Bound<'_, PyAny>,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
) -> PyResult<()> {
    keyed(function, arguments, keywords, |_, home, _, keyed| {
        home.engine.mark_stale(&home.scope, keyed.hash, &keyed.key);
        Ok(())
    })
}

/// Lets all entries of a function go.
#[pyfunction]
pub(crate) fn clear(function: &Bound<'_, PyAny>) -> PyResult<()> {
    let home = call::function(function)?.home(function.py())?;
    home.engine.clear_scope(&home.scope);
    Ok(())
}

/// The counters of a function.
#[pyfunction]
pub(crate) fn stats<'py>(function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let home = call::function(function)?.home(py)?;
    stats_of(py, &home.engine.stats(&home.scope))
}

/// Counters as a dict.
pub(crate) fn stats_of<'py>(py: Python<'py>, stats: &Stats) -> PyResult<Bound<'py, PyAny>> {
    let counters = PyDict::new(py);
    for (name, count) in [
        ("hits", stats.hits),
        ("misses", stats.misses),
        ("bypass", stats.bypass),
        ("computations", stats.computations),
        ("followers", stats.followers),
        ("takeovers", stats.takeovers),
        ("cycles", stats.cycles),
        ("evicted", stats.evicted),
        ("expired", stats.expired),
        ("refused", stats.refused),
        ("errors", stats.errors),
        ("entries", stats.entries),
        ("bytes", stats.bytes),
    ] {
        counters.set_item(name, count)?;
    }
    Ok(counters.into_any())
}

/// The function is an attribute of a class: its first parameter is the instance.
#[pyfunction]
pub(crate) fn mark_method(function: &Bound<'_, PyAny>) -> PyResult<()> {
    call::function(function)?.signature().mark_method();
    Ok(())
}

/// The function that was decorated.
#[pyfunction]
pub(crate) fn wrapped<'py>(function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(call::function(function)?.wrapped(function.py()).clone())
}
