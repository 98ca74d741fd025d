//! A TCP proxy with faults in front of a server: `everwarm.testing.FaultProxy`.

use std::sync::Arc;

use everwarm_proxy::answer;
use parking_lot::Mutex;
use pyo3::exceptions::PyOSError;
use pyo3::prelude::*;

/// The native half of `everwarm.testing.FaultProxy`.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Proxy {
    /// None once it is closed.
    running: Mutex<Option<Arc<everwarm_proxy::Proxy>>>,
    port: u16,
}

#[pymethods]
impl Proxy {
    #[new]
    fn new(py: Python<'_>, host: &str, port: u16, seed: u64) -> PyResult<Self> {
        let started = py.detach(|| everwarm_proxy::Proxy::start((host, port), seed));
        let proxy = started.map_err(|error| PyOSError::new_err(error.to_string()))?;
        Ok(Self {
            port: proxy.address().port(),
            running: Mutex::new(Some(Arc::new(proxy))),
        })
    }

    /// The port of 127.0.0.1 that it listens on.
    #[getter]
    fn port(&self) -> u16 {
        self.port
    }

    /// Does what a line says and answers; None if it is closed.
    fn tell(&self, py: Python<'_>, line: &str) -> Option<String> {
        let proxy = self.running.lock().clone()?;
        Some(py.detach(move || answer(&proxy, line)))
    }

    /// Ends all connections, and the thread.
    fn close(&self, py: Python<'_>) {
        let proxy = self.running.lock().take();
        py.detach(move || drop(proxy));
    }
}
