//! The verbs of a decorated function, over the same arguments as its call.

use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::key::{self, Digest, Header};
use everwarm_engine::stack::Done;
use everwarm_engine::{Cause, Chance, Put, Seen, Stats};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::answer::{Answer, Status, Told};
use crate::arguments::{Arguments, Spread};
use crate::function::Function;
use crate::home::{Home, Keyed};
use crate::object::Object;
use crate::settle::weight_of;
use crate::shared::{Given, Held, shown};
use crate::signature::Unkeyed;
use crate::table::Table;
use crate::turn::Turn;
use crate::unit;
use crate::using::Plan;
use crate::{call, calling, context, errors, keys, once, texts};

/// `(value, status, age, ttl, tags, key, version, tier)`
pub(crate) type Found<'py> = (
    Bound<'py, PyAny>,
    &'static str,
    Option<f64>,
    Option<f64>,
    Vec<String>,
    String,
    u64,
    Option<String>,
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
        Err(Unkeyed::Nobody) => Err(errors::nobody(py, &native.title(py))),
        Err(Unkeyed::Misfit) if native.keeps_nothing() => {
            Err(errors::keeps_nothing(py, &native.title(py)))
        }
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
    keyed(
        function,
        arguments,
        keywords,
        |native, home, call, keyed| stored_name(native, home, namespace, call.py(), &keyed),
    )
}

pub(crate) fn stored_name(
    native: &Function,
    home: &Home,
    namespace: &str,
    py: Python<'_>,
    keyed: &Keyed,
) -> PyResult<String> {
    if let Some(place) = home.link.as_ref().and_then(|link| link.place(keyed)) {
        return Ok(place.name.to_string());
    }
    let parameters: Vec<String> = native.signature().names(py).map(texts::of).collect();
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
            let name = stored_name(native, home, namespace, call.py(), &keyed)?;
            let Some(mut seen) = home.engine.peek(&home.scope, keyed.hash, &keyed.key) else {
                let Some(held) = Held::new(call.py(), home, &keyed)? else {
                    return Ok(None);
                };
                let kept = held.read(call.py())?;
                return Ok(kept.map(|kept| kept.told(call.py(), "hit", name)));
            };
            seen.value = native.copied_or_refused(call.py(), &seen.value)?;
            let status = Status::served(seen.freshness).name();
            Ok(Some(found(call.py(), seen, status, name)))
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
    let tags = seen.tags.iter().filter_map(|tag| shown(tag)).collect();
    (
        seen.value.into_bound(py),
        status,
        Some(seconds(seen.age)),
        seen.ttl.map(seconds),
        tags,
        name,
        seen.version,
        Some("memory".to_owned()),
    )
}

/// What users are told of a value that stores had.
pub(crate) fn found_elsewhere<'py>(
    value: Bound<'py, PyAny>,
    told: &Told,
    status: &'static str,
    name: String,
) -> Found<'py> {
    (
        value,
        status,
        Some(told.age.as_secs_f64()),
        told.left.map(|left| left.as_secs_f64()),
        told.tags.iter().filter_map(|tag| shown(tag)).collect(),
        name,
        told.version,
        Some(told.tier.to_string()),
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
    let answer = Spread::new(arguments, keywords)?
        .with(py, |call| native.ask(function, call, plan.get().told()))?;
    describe((function, namespace), arguments, keywords, answer)
}

/// A value that a turn gave, or that was computed, with what its entry says of it.
#[pyfunction]
pub(crate) fn described<'py>(
    function: &Bound<'py, PyAny>,
    namespace: &str,
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
    value: Bound<'py, PyAny>,
    turn: Option<&Bound<'py, Turn>>,
) -> PyResult<Found<'py>> {
    let (status, told) = turn.map_or((Status::Miss, None), |turn| turn.get().told());
    let answer = Answer {
        value: value.into(),
        status,
        told,
    };
    describe((function, namespace), arguments, keywords, answer)
}

/// An answer, with what its entry says of it, if that is this value's.
fn describe<'py>(
    (function, namespace): (&Bound<'py, PyAny>, &str),
    arguments: &Bound<'py, PyTuple>,
    keywords: &Bound<'py, PyDict>,
    answer: Answer,
) -> PyResult<Found<'py>> {
    let Answer {
        value,
        status,
        told,
    } = answer;
    let value = value.into_bound(function.py());
    let alone = |value, name| (value, status.name(), None, None, Vec::new(), name, 0, None);
    if status == Status::Bypass {
        // What went past the cache has no entry, and perhaps no key.
        let name = key_of(function, namespace, arguments, keywords).unwrap_or_default();
        return Ok(alone(value, name));
    }
    keyed(
        function,
        arguments,
        keywords,
        |native, home, call, keyed| {
            let name = stored_name(native, home, namespace, call.py(), &keyed)?;
            if let Some(told) = told {
                return Ok(found_elsewhere(value, &told, status.name(), name));
            }
            let seen = home.engine.peek(&home.scope, keyed.hash, &keyed.key);
            let isolated = native.terms().isolate.is_some();
            match seen.filter(|seen| isolated || seen.value.bind(call.py()).is(&value)) {
                Some(mut seen) => {
                    seen.value = value.into();
                    Ok(found(call.py(), seen, status.name(), name))
                }
                None => Ok(alone(value, name)),
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
    let answer = Spread::new(arguments, keywords)?
        .with(py, |call| native.ask(function, call, plan.get().told()))?;
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
                if home.unit(py)?.is_some() {
                    unit::let_go(function, home, keyed, Cause::Invalidated)?;
                }
                return Ok(());
            }
            let terms = native.terms();
            let mut tags = match native.given_tags(home, call) {
                Ok(tags) => tags,
                Err(Unkeyed::Refused(error)) => return Err(error),
                Err(Unkeyed::Misfit | Unkeyed::Nobody) => Vec::new(),
            };
            if let Some(function) = &terms.tags_from_result {
                tags.extend(crate::terms::texts(&calling::call(
                    function.bind(py),
                    [value.as_borrowed()],
                )?)?);
            }
            let tags = home.carried(&keyed, tags);
            let held = Held::new(py, home, &keyed)?;
            if once::is_spent_by_use(&value) {
                if let Some(held) = &held {
                    held.delete(py)?;
                }
                home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
                once::report(&value, &native.title(py));
                return Ok(());
            }
            let Some(weight) = weight_of(home, &value) else {
                if let Some(held) = &held {
                    held.delete(py)?;
                }
                home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
                return Ok(());
            };
            let value = native.copied_or_refused(py, &value.into())?;
            home.note(py, &keyed)?;
            let now = home.engine.ticker().now();
            let mut policy = home.policy;
            if let Some(function) = &terms.ttl_of {
                let given = calling::call(function.bind(py), [value.bind(py).as_borrowed()])?;
                policy.ttl = context::ttl_of(&given)?;
            }
            if policy.ttl == Some(Duration::ZERO) {
                if let Some(held) = &held {
                    held.delete(py)?;
                }
                home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
                return Ok(());
            }
            let lifetime = policy.lifetime(now, Duration::ZERO, &Chance::new());
            if let Some(held) = held {
                let given = Given {
                    value: &value,
                    lifetime,
                    tags: &tags,
                    weight,
                };
                return held.put(py, &given);
            }
            if home.is_secret() {
                home.engine.refuse(&home.scope, keyed.hash, &keyed.key);
                return Ok(());
            }
            home.engine.put(Put {
                scope: &home.scope,
                hash: keyed.hash,
                key: keyed.key,
                value,
                lifetime,
                tags: &tags,
                weight,
            });
            if policy.ttl.is_some() {
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
        unit::let_go(function, home, keyed, Cause::Invalidated).map(drop)
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
        unit::demote(function, home, keyed).map(drop)
    })
}

/// Lets all entries of a function go.
#[pyfunction]
pub(crate) fn clear(function: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = function.py();
    let home = call::function(function)?.home(py)?;
    if let Some(tenant) = home.tenant(py)? {
        return home.invalidate(py, &[home.naming.whole(&tenant, Some(&home.called()))]);
    }
    if unit::clears_later(function, &home)? {
        return Ok(());
    }
    clear_function(function)
}

/// Lets all entries of a function go, at once and whoever asks.
pub(crate) fn clear_function(function: &Bound<'_, PyAny>) -> PyResult<()> {
    let py = function.py();
    let home = call::function(function)?.home(py)?;
    let done = match &home.link {
        Some(link) => link.clear_function(py),
        None => Ok(Done::Now),
    };
    home.engine.clear_scope(&home.scope);
    home.told(py, done?)
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
        ("stale", stats.stale),
        ("refreshes", stats.refreshes),
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

/// Has something else compute a function's values, or the function again.
#[pyfunction]
pub(crate) fn stand_in(
    function: &Bound<'_, PyAny>,
    computing: Option<Bound<'_, PyAny>>,
) -> PyResult<()> {
    call::function(function)?.stand_in(computing.map(Bound::unbind));
    Ok(())
}

/// The function that was decorated.
#[pyfunction]
pub(crate) fn wrapped<'py>(function: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    Ok(call::function(function)?.wrapped(function.py()).clone())
}
