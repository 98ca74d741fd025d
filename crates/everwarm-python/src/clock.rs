//! The manual clock of tests.

use everwarm_core::clock::Instant;
use everwarm_engine::ManualHand;
use pyo3::prelude::*;

use crate::terms::span_of;
use crate::{errors, table::Table};

/// The native half of `everwarm.testing.ManualClock`.
#[pyclass(frozen, subclass, module = "everwarm._native")]
pub(crate) struct Hand {
    pub(crate) hand: ManualHand,
}

#[pymethods]
impl Hand {
    #[new]
    #[pyo3(signature = (start=None), text_signature = "(start=0)")]
    fn new(start: Option<&Bound<'_, PyAny>>) -> PyResult<Self> {
        let start = match start {
            Some(start) if !start.eq(0)? => span_of(start)?.unwrap_or_default(),
            _ => std::time::Duration::ZERO,
        };
        Ok(Self {
            hand: ManualHand::new(Instant::ZERO.after(start)),
        })
    }

    /// Moves the clock on by a duration.
    fn advance(&self, by: &Bound<'_, PyAny>) -> PyResult<()> {
        let by = span_of(by)?.ok_or_else(|| {
            errors::config(
                by.py(),
                "a clock cannot be advanced by None",
                "write seconds or text, such as `\"1m\"`",
            )
        })?;
        self.hand.advance(by);
        Ok(())
    }

    /// Seconds since the clock's origin.
    #[getter]
    fn now(&self) -> f64 {
        self.hand.now().as_nanos() as f64 / 1e9
    }

    /// From here on the table reads this clock.
    fn attach(&self, table: &Table) {
        self.hand.attach(table.engine.ticker());
    }

    /// From here on the table reads the system's clock again.
    fn detach(&self, table: &Table) {
        self.hand.detach(table.engine.ticker());
    }
}
