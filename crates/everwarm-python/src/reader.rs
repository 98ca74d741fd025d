//! The connections that a loop reads itself: they were made for it in the background, and it looks after them until they have ended.
//!
//! A loop that waits for its selector sleeps. Where an answer comes sooner to who looks for it, the loop does so for a moment, each time by
//! one of its callbacks, between which all others run.
//!
//! The loop's `add_reader` holds the bell by what it calls; a descriptor is closed only after `remove_reader`, or with the loop.

use std::collections::HashMap;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;

use everwarm_runtime::{Loop, Reading};
use parking_lot::Mutex;
use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use pyo3::types::{PyWeakrefMethods, PyWeakrefReference};

use crate::lasting::intern;

/// One loop that reads for itself.
pub(crate) struct Reader {
    /// As stores know it.
    pub(crate) own: Arc<Loop>,
    /// Held weakly.
    running: Py<PyWeakrefReference>,
    /// By descriptor; locked by attached threads only.
    readings: Mutex<HashMap<RawFd, Arc<dyn Reading>>>,
}

impl Reader {
    /// That of a loop which reads sockets, and can be told to read them no more.
    pub(crate) fn new(running: Bound<'_, PyWeakrefReference>) -> Self {
        Self {
            own: Arc::default(),
            running: running.unbind(),
            readings: Mutex::default(),
        }
    }

    /// The loop.
    pub(crate) fn running<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.running.bind(py).upgrade()
    }

    /// Has the loop read what was brought; `come` is called with the descriptor then.
    pub(crate) fn begin(
        &self,
        py: Python<'_>,
        come: impl Fn() -> PyResult<Py<PyAny>>,
    ) -> PyResult<()> {
        for reading in self.own.take() {
            let Some(running) = self.running(py) else {
                return Ok(());
            };
            let (come, descriptor) = (come()?, reading.socket().as_raw_fd());
            self.readings.lock().insert(descriptor, reading);
            let begun =
                running.call_method1(intern!(py, "add_reader"), (descriptor, come, descriptor));
            let Err(error) = begun else {
                continue;
            };
            // Who asked there is told so, and tasks of this loop ask on what all share from here on.
            self.own.end();
            self.leave(py, &running, descriptor)?;
            if !error.is_instance_of::<PyException>(py) {
                return Err(error);
            }
        }
        Ok(())
    }

    /// Reads what has come there, and lets go of what has ended.
    pub(crate) fn read(&self, py: Python<'_>, descriptor: RawFd) -> PyResult<()> {
        let reading = self.readings.lock().get(&descriptor).cloned();
        match (reading, self.running(py)) {
            (Some(reading), Some(running)) if !reading.read() => {
                drop(reading);
                self.leave(py, &running, descriptor)
            }
            _ => Ok(()),
        }
    }

    /// What tasks asked has left: whether the loop is to look for an answer.
    pub(crate) fn asked(&self) -> bool {
        let readings = self.readings.lock();
        readings.values().for_each(|reading| reading.asked());
        readings.values().any(|reading| reading.looks())
    }

    /// Reads what it looks for, if that has come; whether it is to look once more.
    pub(crate) fn look(&self, py: Python<'_>) -> PyResult<bool> {
        let looks = || {
            let readings = self.readings.lock();
            let looks = readings.iter().filter(|(_, reading)| reading.looks());
            looks.map(|(descriptor, _)| *descriptor).collect::<Vec<_>>()
        };
        for descriptor in looks() {
            self.read(py, descriptor)?;
        }
        Ok(!looks().is_empty())
    }

    /// Reads what has come anywhere: who is woken otherwise is not told that it is late what is there.
    pub(crate) fn read_all(&self) {
        let readings: Vec<_> = self.readings.lock().values().cloned().collect();
        for reading in readings {
            // What has ended the loop itself finds out.
            reading.read();
        }
    }

    fn leave(&self, py: Python<'_>, running: &Bound<'_, PyAny>, descriptor: RawFd) -> PyResult<()> {
        let removed = running.call_method1(intern!(py, "remove_reader"), (descriptor,));
        let gone = self.readings.lock().remove(&descriptor);
        drop(gone);
        removed.map(drop)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.own.end();
    }
}
