//! Timed refresh: what was read since it was written is computed anew once it is so old, whoever asks for it then.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::using::{Plan, Read};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::arguments::Spread;
use crate::ask::{Source, Wish};
use crate::called::Called;
use crate::home::Keyed;
use crate::lasting::intern;
use crate::limits::Overrides;
use crate::turn::Turn;
use crate::{call, modules, unheard, waiting};

/// As fine as ages are known.
const FINE: Duration = Duration::from_millis(1);

/// Takes note of a call that found its entry for the first time since that was written, if time has such computed anew.
pub(crate) fn note(py: Python<'_>, source: &impl Source, keyed: &Keyed) {
    if source.home().policy.refresh_every().is_none() {
        return;
    }
    if let Err(failure) = noted(py, source, keyed) {
        source.home().scope.count_error();
        unheard::say(py, failure, None);
    }
}

fn noted(py: Python<'_>, source: &impl Source, keyed: &Keyed) -> PyResult<()> {
    let home = source.home();
    let seen = home.engine.peek(&home.scope, keyed.hash, &keyed.key);
    let Some((every, seen)) = home.policy.refresh_every().zip(seen) else {
        return Ok(());
    };
    // It is held after a failure, and the next call computes.
    if seen.age + FINE >= every {
        return Ok(());
    }
    let due = home.engine.now().after(every.saturating_sub(seen.age));
    let (asked, arguments, keywords) = source.later(py)?;
    let note = modules::own(py, "everwarm._timed")?.getattr(intern!(py, "note"))?;
    note.call1((asked, keyed.hash, arguments, keywords, seconds(due)))?;
    Ok(())
}

/// The turn of a call's computation in the background, if its entry is old enough for that and nobody computes it.
#[pyfunction]
pub(crate) fn lead_again(
    function: &Bound<'_, PyAny>,
    arguments: &Bound<'_, PyTuple>,
    keywords: &Bound<'_, PyDict>,
) -> PyResult<Option<Turn>> {
    let py = function.py();
    let native = call::function(function)?;
    let home = native.home(py)?;
    let Some(every) = home.policy.refresh_every() else {
        return Ok(None);
    };
    if home.is_disabled(py)? {
        return Ok(None);
    }
    Spread::new(arguments, keywords)?.with(py, |call| {
        let Ok(keyed) = native.keyed(&home, call) else {
            return Ok(None);
        };
        let seen = home.engine.peek(&home.scope, keyed.hash, &keyed.key);
        let read = match seen {
            Some(seen) if seen.age + FINE < every => return Ok(None),
            Some(_) => anew(every),
            None => Read::Any,
        };
        let source = Called {
            me: function,
            function: native,
            home: &home,
            call,
            told: Overrides::default(),
        };
        let wish = Wish::new(&source, &keyed, native.tags(&home, call, &keyed));
        let ask = home.ask(&keyed, wish.tags(), waiting::caller(&[], false));
        let Some(lead) = home.engine.lead_behind(ask) else {
            return Ok(None);
        };
        let flight = wish.flight(py, &source, (lead, keyed), Plan::ORDINARY)?;
        Ok(Some(Turn::leading(function, flight, read)))
    })
}

/// What of the stores is somebody's newer value. That which is to be computed anew may be somewhat younger by the store's clock; what
/// another process has computed since is as old as this one is late.
fn anew(every: Duration) -> Read {
    Read::no_older(every / 2)
}

/// What the clock of a function's cache shows, in seconds.
#[pyfunction]
pub(crate) fn reading(function: &Bound<'_, PyAny>) -> PyResult<f64> {
    let home = call::function(function)?.home(function.py())?;
    Ok(seconds(home.engine.now()))
}

fn seconds(instant: Instant) -> f64 {
    instant.since(Instant::ZERO).as_secs_f64()
}
