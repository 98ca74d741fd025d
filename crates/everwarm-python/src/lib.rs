//! Everwarm's Python border: the only crate that names pyo3.
//!
//! `call` and `ready` are the two types made by hand for the hit path; `function` is what they do, in safe code; `signature`
//! binds arguments and `keys` encodes them; `settle` and `waiting` finish what is no hit; `turn` is the same for coroutines;
//! `verbs` and `table` are what Python calls for everything else.

use pyo3::prelude::*;

mod answer;
mod arguments;
mod call;
mod calling;
mod clock;
mod engine;
mod errors;
mod function;
mod home;
mod instances;
mod keys;
mod lock;
mod modules;
mod object;
mod parameter;
mod ready;
mod settle;
mod shape;
mod signature;
mod table;
mod terms;
mod turn;
mod verbs;
mod waiting;
mod waking;

/// What `fork` leaves in the child: no flights of the parent's.
#[pyfunction]
fn after_fork() {
    everwarm_engine::after_fork();
    waking::after_fork();
}

/// Checks a duration as users write it; seconds, or None for no expiry.
#[pyfunction]
fn seconds(duration: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    Ok(terms::span_of(duration)?.map(|span| span.as_secs_f64()))
}

/// What to say of a keyword that does not exist.
#[pyfunction]
fn unknown_option(name: &str, known: Vec<String>) -> String {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    everwarm_core::error::Error::unknown_option(name, &known).to_string()
}

/// The compiled half of `everwarm`.
#[pymodule]
fn _native(module: &Bound<'_, PyModule>) -> PyResult<()> {
    modules::register(module)?;
    keys::register(module)?;
    ready::register(module)?;
    call::register(module)?;
    module.add_class::<clock::Hand>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<terms::Terms>()?;
    module.add_class::<turn::Turn>()?;
    for function in [
        wrap_pyfunction!(after_fork, module)?,
        wrap_pyfunction!(seconds, module)?,
        wrap_pyfunction!(unknown_option, module)?,
        wrap_pyfunction!(turn::begin, module)?,
        wrap_pyfunction!(verbs::call_with_result, module)?,
        wrap_pyfunction!(verbs::clear, module)?,
        wrap_pyfunction!(verbs::described, module)?,
        wrap_pyfunction!(verbs::invalidate, module)?,
        wrap_pyfunction!(verbs::key_of, module)?,
        wrap_pyfunction!(verbs::mark_method, module)?,
        wrap_pyfunction!(verbs::peek, module)?,
        wrap_pyfunction!(verbs::prime, module)?,
        wrap_pyfunction!(verbs::refresh, module)?,
        wrap_pyfunction!(verbs::stats, module)?,
        wrap_pyfunction!(verbs::wrapped, module)?,
    ] {
        module.add_function(function)?;
    }
    Ok(())
}
