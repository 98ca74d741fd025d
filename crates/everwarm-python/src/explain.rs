//! Why a call would be a hit or a miss.

use everwarm_core::key::Pieces;
use everwarm_engine::{Reason, Trace};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::call;
use crate::function::Function;
use crate::home::{Home, Keyed};
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

/// What is known of the entry of a call; counts, touches and computes nothing.
#[pyfunction]
pub(crate) fn explain(
    function: &Bound<'_, PyAny>,
    namespace: &str,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
) -> PyResult<Told> {
    let py = function.py();
    if call::function(function)?.home(py)?.is_disabled(py)? {
        // What goes past the cache has perhaps no key.
        let key = key_of(function, namespace, arguments, keywords).unwrap_or_default();
        return Ok(("disabled", None, Vec::new(), None, None, None, key));
    }
    keyed(function, arguments, keywords, |native, home, _, keyed| {
        let key = stored_name(native, home, namespace, py, &keyed)?;
        let trace = home.engine.trace(&home.scope, keyed.hash, &keyed.key);
        let (mut age, mut ttl) = (None, None);
        if let Trace::Fresh {
            age: old,
            ttl: left,
        } = &trace
        {
            age = Some(old.as_secs_f64());
            ttl = left.map(|left| left.as_secs_f64());
        }
        let (parameters, types) = match &trace {
            Trace::NeverStored | Trace::Unknown => nearest(py, native, home, &keyed),
            Trace::Fresh { .. } | Trace::Computing | Trace::Gone(_) => (Vec::new(), None),
        };
        let (reason, by) = named(trace);
        Ok((reason, by, parameters, types, age, ttl, key))
    })
}

/// A trace as Python knows it, with the tag or the verb it came by.
fn named(trace: Trace) -> (&'static str, Option<String>) {
    let verb = |name: &str| Some(name.to_owned());
    match trace {
        Trace::Fresh { .. } => ("fresh", None),
        Trace::Computing => ("computing", None),
        Trace::NeverStored => ("never_stored", None),
        Trace::Unknown => ("unknown", None),
        Trace::Gone(reason) => match reason {
            Reason::Evicted => ("evicted", None),
            Reason::Expired => ("expired", None),
            Reason::Deleted => ("invalidated", verb("invalidate")),
            Reason::Cleared => ("cleared", verb("clear")),
            Reason::Invalidated(tag) => ("invalidated", shown(&tag).or_else(|| verb("invalidate"))),
            Reason::MarkedStale => ("marked_stale", verb("mark_stale")),
            Reason::NotStored => ("not_storable", None),
        },
    }
}

/// The parameters in which the nearest entry of the function differs; of one, the types as well if they differ.
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
    let types = match places[..] {
        [at] => mine.type_name(at).zip(other.type_name(at)),
        _ => None,
    };
    let named = places.iter().filter_map(|at| names.get(*at - own).cloned());
    (named.collect(), types.filter(|(here, there)| here != there))
}
