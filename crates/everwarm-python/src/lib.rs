//! Everwarm's Python border: the only crate that names pyo3.
//!
//! `call`, `ready` and `methods` are made by hand for the hit path; `function` and `objects` are what they do, in safe code;
//! `signature` binds arguments and `keys` encodes them; `ask`, `settle` and `waiting` finish what is no hit; `turn` is the same
//! for coroutines; `verbs` and `table` are what Python calls for everything else.

use pyo3::prelude::*;

mod answer;
mod arguments;
mod ask;
mod awaited;
mod batch;
mod bell;
mod bounds;
mod call;
mod called;
mod calling;
mod clock;
mod conformance;
mod context;
mod copying;
mod engine;
mod entries;
mod errand;
mod errors;
mod expected;
mod explain;
mod failures;
mod forks;
mod format;
mod found;
mod function;
mod gate;
mod gather;
mod given;
mod health;
mod here;
mod home;
mod index;
mod instances;
mod invalidates;
mod isolate;

mod keys;
mod lasting;
mod limits;
mod listener;
mod lock;
mod methods;
mod modules;
mod object;
mod objects;
mod once;
mod own;
mod parameter;
mod primitives;
mod proxy;
mod reader;
mod ready;
mod report;
mod ring;
mod scan;
mod server;
mod settle;
mod settle_many;
mod settling;
mod shape;
mod shared;
mod signature;
mod store;
mod survey;
mod table;
mod tenant;
mod terms;
mod texts;
mod timed;
mod turn;
mod unheard;
mod unit;
mod using;
mod verbs;
mod waiting;
mod waking;
mod wanted;
mod weigher;
mod windows;
mod writes;

/// Checks a duration as users write it; seconds, or None for no expiry.
#[pyfunction]
fn seconds(duration: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
    Ok(terms::span_of(duration)?.map(|span| span.as_secs_f64()))
}

/// Checks a size as users write it; bytes, or None for no bound.
#[pyfunction]
fn size(keyword: &str, size: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
    Ok(bounds::size_of(keyword, size)?.map(std::num::NonZeroU64::get))
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
    forks::hear_of_forks();
    modules::register(module)?;
    once::register(module)?;
    keys::register(module)?;
    format::register(module)?;
    ready::register(module)?;
    call::register(module)?;
    module.add_class::<batch::Fetch>()?;
    module.add_class::<bell::Bell>()?;
    module.add_class::<ring::Ring>()?;
    module.add_class::<errand::Errand>()?;
    module.add_class::<settle_many::Storing>()?;
    module.add_class::<clock::Hand>()?;
    module.add_class::<limits::Limits>()?;
    module.add_class::<objects::Objects>()?;
    methods::register(module)?;
    module.add_class::<proxy::Proxy>()?;
    module.add_class::<scan::Scan>()?;
    module.add_function(wrap_pyfunction!(server::serve, module)?)?;
    module.add_class::<own::Own>()?;
    module.add_class::<shared::Codec>()?;
    module.add_class::<shared::Key>()?;
    module.add_class::<shared::Keyring>()?;
    module.add_class::<table::Table>()?;
    module.add_class::<terms::Terms>()?;
    module.add_class::<turn::Turn>()?;
    module.add_class::<wanted::Wanted>()?;
    lasting::made_early::<expected::Expected>(module);
    lasting::made_early::<instances::Farewell>(module);
    lasting::made_early::<shared::Names>(module);
    module.add_class::<using::Plan>()?;
    module.add_class::<invalidates::Texts>()?;
    module.add_class::<unit::Deed>()?;
    primitives::register(module)?;
    conformance::register(module)?;
    store::register(module)?;
    for function in [
        wrap_pyfunction!(forks::at_fork, module)?,
        wrap_pyfunction!(seconds, module)?,
        wrap_pyfunction!(bounds::check_bounds, module)?,
        wrap_pyfunction!(limits::check_computations, module)?,
        wrap_pyfunction!(shared::check_store, module)?,
        wrap_pyfunction!(shared::ddl, module)?,
        wrap_pyfunction!(shared::key_of_password, module)?,
        wrap_pyfunction!(size, module)?,
        wrap_pyfunction!(unknown_option, module)?,
        wrap_pyfunction!(listener::end_listeners, module)?,
        wrap_pyfunction!(weigher::estimate, module)?,
        wrap_pyfunction!(gate::open_gates, module)?,
        wrap_pyfunction!(gate::shut_gates, module)?,
        wrap_pyfunction!(turn::begin::begin, module)?,
        wrap_pyfunction!(timed::lead_again, module)?,
        wrap_pyfunction!(timed::reading, module)?,
        wrap_pyfunction!(batch::look, module)?,
        wrap_pyfunction!(unit::begin_unit, module)?,
        wrap_pyfunction!(unit::check_suspends, module)?,
        wrap_pyfunction!(unit::end_unit, module)?,
        wrap_pyfunction!(unit::invalidate_named, module)?,
        wrap_pyfunction!(unit::resume_named, module)?,
        wrap_pyfunction!(unit::span, module)?,
        wrap_pyfunction!(unit::suspend_named, module)?,
        wrap_pyfunction!(context::context_of, module)?,
        wrap_pyfunction!(copying::copying, module)?,
        wrap_pyfunction!(explain::explain, module)?,
        wrap_pyfunction!(index::invalidate_where, module)?,
        wrap_pyfunction!(verbs::ask, module)?,
        wrap_pyfunction!(verbs::call_with_result, module)?,
        wrap_pyfunction!(verbs::clear, module)?,
        wrap_pyfunction!(verbs::described, module)?,
        wrap_pyfunction!(verbs::invalidate, module)?,
        wrap_pyfunction!(verbs::key_of, module)?,
        wrap_pyfunction!(verbs::mark_method, module)?,
        wrap_pyfunction!(verbs::mark_stale, module)?,
        wrap_pyfunction!(verbs::peek, module)?,
        wrap_pyfunction!(verbs::prime, module)?,
        wrap_pyfunction!(verbs::stand_in, module)?,
        wrap_pyfunction!(verbs::stats, module)?,
        wrap_pyfunction!(verbs::wrapped, module)?,
    ] {
        module.add_function(function)?;
    }
    Ok(())
}
