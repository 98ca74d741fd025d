//! A store that fails, is slow and loses bytes by chance: `everwarm.testing.chaos`.

use std::sync::Arc;

use everwarm_core::draw::Draw;
use everwarm_core::store::Store;
use everwarm_engine::Chance;
use everwarm_layers::{Chaos, Layered, Odds};
use everwarm_tiers::Passing;
use pyo3::prelude::*;

use super::opened::{Again, OpenedStore};
use super::{failure, of_object};
use crate::errors;
use crate::terms::span_of;

/// Draws that all handles of a store take in turn.
#[derive(Clone, Debug)]
struct Shared(Arc<Chance>);

impl Draw for Shared {
    fn unit(&self) -> f64 {
        self.0.unit()
    }
}

/// `store` behind faults; `error`, `delay` and `corrupt` are probabilities.
#[pyfunction]
pub(super) fn chaos_store(
    store: &Bound<'_, PyAny>,
    seed: u64,
    odds: (f64, f64, f64),
    delay_by: &Bound<'_, PyAny>,
) -> PyResult<OpenedStore> {
    let py = store.py();
    let (error, delay, corrupt) = odds;
    for (name, odds) in [("error", error), ("delay", delay), ("corrupt", corrupt)] {
        if !(0.0..=1.0).contains(&odds) {
            let message = format!("{name} is a probability, from 0 to 1");
            return Err(errors::config(py, &message, &format!("write `{name}=0.1`")));
        }
    }
    let odds = Odds {
        error,
        delay,
        delay_by: span_of(delay_by)?.unwrap_or_default(),
        corrupt,
    };
    let draw = Shared(Arc::new(Chance::seeded(seed)));
    let plain: Again = match store.cast::<OpenedStore>() {
        Ok(opened) => opened.get().handles(),
        Err(_) => {
            let only = of_object(store)?;
            Arc::new(move || Ok(Arc::clone(&only)))
        }
    };
    let again: Again = Arc::new(move || {
        let chaos = Chaos::new(draw.clone(), Passing, odds);
        Ok(Arc::new(Layered::new(plain()?, chaos)) as Arc<dyn Store>)
    });
    OpenedStore::new(again).map_err(|failure| failure::raise(py, &failure))
}
