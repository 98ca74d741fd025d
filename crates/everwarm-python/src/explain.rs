//! Why a call would be a hit or a miss.

use std::time::Duration;

use everwarm_core::key::Pieces;
use everwarm_engine::{Reason, Trace};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::call;
use crate::function::Function;
use crate::home::{Home, Keyed};
use crate::limits;
use crate::shared::shown;
use crate::terms::KeySource;
use crate::verbs::{key_of, keyed, stored_name};

/// Entries among which the nearest is looked for.
const NEIGHBOURS: usize = 10_000;

/// `(reason, by, the parameters in which the nearest entry differs, their types here and there, age, ttl, key)`
type Told = (
    &'static str,
    Option<String>,
    Vec<String>,
    Option<(String, String)>,
    Option<f64>,
    Option<f64>,
    String,
);

/// The seconds until it is computed anew, served old no longer, no fallback any more, and attempted again.
type Windows = [Option<f64>; 4];

/// The tiers near to far, and the schema of values in stores.
type Place = (Vec<String>, Option<String>);

/// The seconds that a call may take if there is an old value, may take, and waits for others.
type Times = [Option<f64>; 3];

/// What is known of the entry of a call; counts, touches and computes nothing.
#[pyfunction]
pub(crate) fn explain(
    function: &Bound<'_, PyAny>,
    namespace: &str,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
) -> PyResult<(Told, Windows, Place, Times)> {
    let py = function.py();
    let home = call::function(function)?.home(py)?;
    let times = times(&home);
    if home.is_disabled(py)? {
        // What goes past the cache has perhaps no key.
        let key = key_of(function, namespace, arguments, keywords).unwrap_or_default();
        let told = ("disabled", None, Vec::new(), None, None, None, key);
        return Ok((told, [None; 4], (Vec::new(), None), times));
    }
    let place = place(py, &home)?;
    keyed(function, arguments, keywords, |native, home, _, keyed| {
        let key = stored_name(native, home, namespace, py, &keyed)?;
        let trace = home.engine.trace(&home.scope, keyed.hash, &keyed.key);
        let (age, ttl) = trace.times();
        let [age, ttl] = [age, ttl].map(seconds);
        let (parameters, types) = match &trace {
            Trace::NeverStored | Trace::Unknown => nearest(py, native, home, &keyed),
            _ => (Vec::new(), None),
        };
        let (reason, by) = (trace.name(), by(&trace));
        let ahead = home.engine.ahead(&home.scope, keyed.hash, &keyed.key);
        let windows = [ahead.refresh, ahead.stale, ahead.fallback, ahead.retry].map(seconds);
        let told = (reason, by, parameters, types, age, ttl, key);
        Ok((told, windows, place, times))
    })
}

fn seconds(span: Option<Duration>) -> Option<f64> {
    span.map(|span| span.as_secs_f64())
}

/// Where a call looks, and as what stores know its value.
fn place(py: Python<'_>, home: &Home) -> PyResult<Place> {
    let mut tiers = Vec::new();
    if home.link.is_none() || home.has_memory() {
        tiers.push("memory".to_owned());
    }
    let Some(link) = &home.link else {
        return Ok((tiers, None));
    };
    let stack = link.shared.stack(py)?;
    tiers.extend((0..stack.info().len()).map(|tier| stack.label(tier).to_string()));
    Ok((tiers, Some(link.schema().to_owned())))
}

/// How long a call takes at most.
fn times(home: &Home) -> Times {
    let limits::Times { soft, hard, limits } =
        limits::Times::new(home, limits::Overrides::default());
    [soft, hard, Some(limits.wait)].map(seconds)
}

/// The tag, the verb or the bound that a trace came by, as users know it.
fn by(trace: &Trace) -> Option<String> {
    match trace {
        // What is the cache's own among tags is nobody's to know.
        Trace::Gone(Reason::Invalidated(tag)) => {
            Some(shown(tag).unwrap_or_else(|| "invalidate".to_owned()))
        }
        trace => trace.by().map(str::to_owned),
    }
}

/// The parameters in which the nearest entry of the function differs; of one, the types as well if they differ.
///
/// Of a parameter that takes any keywords it is the keyword that is named, if it is one.
fn nearest(
    py: Python<'_>,
    native: &Function,
    home: &Home,
    keyed: &Keyed,
) -> (Vec<String>, Option<(String, String)>) {
    let names: Vec<String> = match &native.terms().key {
        KeySource::Arguments => native.signature().keyed_names(py),
        KeySource::Template(template) => {
            let fields = template.fields();
            fields.map(|field| field.parameter.clone()).collect()
        }
        KeySource::Callable(_) | KeySource::Own(_) => return (Vec::new(), None),
    };
    let Some(mine) = Pieces::of(keyed.key.arguments()) else {
        return (Vec::new(), None);
    };
    // The first piece is then the tenant, and others' entries are nothing to compare with.
    let own = usize::from(keyed.tenant.is_some());
    let others = home.engine.some_keys(&home.scope, NEIGHBOURS);
    let compared = others
        .iter()
        .filter_map(|key| Pieces::of(key.arguments()))
        .filter_map(|other| Some((mine.differing(&other)?, other)))
        .filter(|(places, _)| places.iter().all(|at| *at >= own) && !places.is_empty());
    let Some((places, other)) = compared.min_by_key(|(places, _)| places.len()) else {
        return (Vec::new(), None);
    };
    let mut named: Vec<String> = places
        .iter()
        .filter_map(|at| names.get(*at - own).cloned())
        .collect();
    let types = match places[..] {
        [at] if named.as_slice() == native.signature().keywords_name(py).as_slice() => {
            match mine.differing_keyword(&other, at) {
                Some((keyword, types)) => {
                    named = vec![keyword];
                    types
                }
                None => None,
            }
        }
        [at] => mine.type_name(at).zip(other.type_name(at)),
        _ => None,
    };
    (named, types.filter(|(here, there)| here != there))
}
