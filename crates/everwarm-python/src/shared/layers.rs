//! The layers around the store of a tier, as users wish them, and what they say of themselves.

use std::sync::Arc;

use everwarm_core::store::Store;
use everwarm_engine::Ticker;
use everwarm_layers::{Watch, Wishes, Wrapped};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::lasting::intern;
use crate::terms::span_of;

/// The layers of a tier.
pub(crate) struct Layers {
    wishes: Wishes,
    ticker: Ticker,
}

impl Layers {
    /// Those of a tier that nobody has wishes for.
    pub(super) fn plain(ticker: Ticker) -> Self {
        Self {
            wishes: Wishes::default(),
            ticker,
        }
    }

    /// From a Python `Tier`.
    pub(crate) fn new(tier: &Bound<'_, PyAny>, ticker: Ticker) -> PyResult<Self> {
        let py = tier.py();
        let bulkhead = tier.getattr(intern!(py, "bulkhead"))?;
        Ok(Self {
            wishes: Wishes {
                deadline: span_of(&tier.getattr(intern!(py, "timeout"))?)?,
                breaker: tier.getattr(intern!(py, "breaker"))?.extract()?,
                retry: tier.getattr(intern!(py, "retry"))?.extract()?,
                bulkhead: match bulkhead.extract::<Option<bool>>() {
                    Ok(None) => None,
                    Ok(Some(_)) => Some(None),
                    Err(_) => Some(Some(bulkhead.extract()?)),
                },
            },
            ticker,
        })
    }

    /// A store behind them.
    pub(crate) fn around(&self, store: Arc<dyn Store>) -> Wrapped {
        everwarm_tiers::around(store, &self.wishes, &self.ticker)
    }
}

/// Puts what the layers of a tier did among its fields.
pub(super) fn tell(watch: &Watch, fields: &Bound<'_, PyDict>) -> PyResult<()> {
    let (breaker, bulkhead) = watch.refused();
    let unasked = [("breaker", breaker), ("bulkhead", bulkhead)];
    let unasked: Vec<_> = unasked
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .collect();
    let latencies = watch.latencies();
    let took = |share| latencies.quantile(share).map(|took| took.as_secs_f64());
    fields.set_item("breaker", watch.breaker().map(|state| state.name()))?;
    fields.set_item("unasked", unasked)?;
    fields.set_item("retries", watch.again())?;
    fields.set_item("p50", took(0.5))?;
    fields.set_item("p99", took(0.99))
}
