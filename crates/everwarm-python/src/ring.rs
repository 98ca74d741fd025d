//! Who is woken once a store has answered: a task, by its loop's bell, or a thread, by its parker.

use std::task::Waker;
use std::time::Duration;

use everwarm_engine::Parker;
use pyo3::prelude::*;

use crate::waiting::SIGNALS;

/// Who is woken once a store has answered: a task, by its loop's bell, or this thread.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Ring {
    waker: Waker,
    /// Which one of its bell's it is.
    #[pyo3(get)]
    number: u64,
    parker: Option<Parker>,
}

#[pymethods]
impl Ring {
    /// This thread, which has nothing else to do meanwhile.
    #[new]
    fn new() -> Self {
        let parker = Parker::new();
        Self {
            waker: parker.waker(),
            number: 0,
            parker: Some(parker),
        }
    }

    /// Waits, as the thread that it was made on, until it is woken or so many seconds are over.
    fn rest(&self, py: Python<'_>, seconds: f64) -> PyResult<()> {
        let Some(parker) = &self.parker else {
            return Ok(());
        };
        let mut left = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
        while !left.is_zero() {
            let slice = left.min(SIGNALS);
            let is_woken = py.detach(|| parker.park(slice));
            py.check_signals()?;
            if is_woken {
                break;
            }
            left -= slice;
        }
        Ok(())
    }
}

impl Ring {
    /// A task's, by a waker that a bell gave it.
    pub(crate) fn of_task((waker, number): (Waker, u64)) -> Self {
        Self {
            waker,
            number,
            parker: None,
        }
    }

    pub(crate) const fn waker(&self) -> &Waker {
        &self.waker
    }

    /// Whether it is a thread, which stores may block.
    pub(crate) const fn is_thread(&self) -> bool {
        self.parker.is_some()
    }
}

/// Seconds as Python has them; infinity for what only a waker ends.
pub(crate) fn seconds(left: Duration) -> f64 {
    match left {
        Duration::MAX => f64::INFINITY,
        left => left.as_secs_f64(),
    }
}
