//! The verbs of a decorated function, over the same arguments as its call.

use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::key::{self, Digest, Header};
use everwarm_engine::{Chance, Put, Seen, Stats};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::answer::Mode;
use crate::arguments::{Arguments, Spread};
use crate::function::Function;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::signature::Unkeyed;
use crate::table::Table;
use crate::{call, calling, keys};

/// `(value, status, age, ttl, tags, key)`
type Found<'py> = (
    Bound<'py, PyAny>,
    &'static str,
    Option<f64>,
    Option<f64>,
    Vec<String>,
    String,
);

/// Runs `work` with a function and the key of a call.
fn keyed<'py, R>(
    function: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
    work: impl FnOnce(&Function, &Home, &Arguments<'_, 'py>, Keyed) -> PyResult<R>,
) -> PyResult<R> {
    let py = function.py();
    let native = call::function(function)?;
    let home = native.home(py)?;
    Spread::new(arguments, keywords)?.with(py, |call| match native.keyed(home, call) {
        Ok(keyed) => work(native, home, call, keyed),
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

fn stored_name(
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
            let name = stored_name(native, namespace, call.py(), &keyed)?;
            let seen = home.engine.peek(&home.scope, keyed.hash, &keyed.key);
            Ok(seen.map(|seen| found(call.py(), seen, "hit", name)))
        },
    )
}

fn found<'py>(
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
    )
}

/// The value of a sync call, with how it was had.
#[pyfunction]
pub(crate) fn call_with_result<'py>(
    function: &Bound<'py, PyAny>,
    namespace: &str,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
) -> PyResult<Found<'py>> {
    let py = function.py();
    let native = call::function(function)?;
    let answer = Spread::new(arguments, keywords)?.with(py, |call| native.ask(call, Mode::Read))?;
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
    keyed(
        function,
        arguments,
        keywords,
        |native, home, call, keyed| {
            let name = stored_name(native, namespace, call.py(), &keyed)?;
            let seen = home.engine.peek(&home.scope, keyed.hash, &keyed.key);
            match seen.filter(|seen| seen.value.bind(call.py()).is(&value)) {
                Some(seen) => Ok(found(call.py(), seen, status, name)),
                None => Ok((value, status, None, None, Vec::new(), name)),
            }
        },
    )
}

/// Computes a sync call anew and stores the value.
#[pyfunction]
pub(crate) fn refresh<'py>(
    function: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = function.py();
    let native = call::function(function)?;
    let answer =
        Spread::new(arguments, keywords)?.with(py, |call| native.ask(call, Mode::Refresh))?;
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
            home.note(py, &keyed)?;
            let now = home.engine.ticker().now();
            let lifetime = terms.policy.lifetime(now, Duration::ZERO, &Chance::new());
            home.engine.put(Put {
                scope: &home.scope,
                hash: keyed.hash,
                key: keyed.key,
                value: Object::from(value),
                deadline: lifetime.serve_until(),
                tags: &tags,
            });
            if terms.policy.ttl.is_some() {
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
        home.engine.delete(&home.scope, keyed.hash, &keyed.key);
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
