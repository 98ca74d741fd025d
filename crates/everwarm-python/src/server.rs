//! A store served over HTTP from this process: what `everwarm serve` runs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_core::store::{Failure, Store};
use everwarm_engine::Ticker;
use everwarm_memory::MemoryStore;
use everwarm_server::{Identity, Options};
use everwarm_store_http::Token;
use parking_lot::Mutex;
use pyo3::prelude::*;

use crate::bounds::bounds_of;
use crate::{errors, shared};

/// A server that runs.
#[pyclass(frozen, module = "everwarm._native")]
pub(crate) struct Server {
    /// None once it has ended. Locked by attached threads only.
    running: Mutex<Option<everwarm_server::Server>>,
    url: String,
}

/// What a store in memory may hold: `max_entries`, `max_bytes` and `eviction`.
type Room<'py> = (Bound<'py, PyAny>, Bound<'py, PyAny>, Bound<'py, PyAny>);
/// Who may ask: the tokens, whether everybody without one, and the files of the certificate and its key.
type Access = (Vec<String>, bool, Option<(PathBuf, PathBuf)>);
/// Bytes of a body, and connections.
type Most = (u64, usize);

/// Serves the store of a URL at an address, or one in memory that may hold so much.
#[pyfunction]
pub(crate) fn serve(
    py: Python<'_>,
    places: (String, String),
    room: Option<Room<'_>>,
    access: Access,
    most: Most,
) -> PyResult<Server> {
    let (url, listen) = places;
    let memory = room.map(|(max_entries, max_bytes, eviction)| {
        let bounds = bounds_of(&max_entries, &max_bytes, &eviction)?;
        Ok::<_, PyErr>(MemoryStore::with_clock(bounds, Arc::new(Ticker::system())))
    });
    let memory = memory.transpose()?;
    let options = options(&listen, access, most).map_err(|error| errors::raise(py, &error))?;
    let served = py.detach(|| {
        let store: Arc<dyn Store> = match memory {
            Some(memory) => Arc::new(memory),
            None => shared::opened(&url)?,
        };
        everwarm_server::serve(store, options)
    });
    let server = served.map_err(|failure: Failure| errors::store(py, &failure))?;
    Ok(Server {
        url: server.url(),
        running: Mutex::new(Some(server)),
    })
}

#[pymethods]
impl Server {
    /// The URL by which the store is found.
    #[getter]
    fn url(&self) -> &str {
        &self.url
    }

    /// Ends it: what was asked is answered, for as long as `grace` seconds.
    fn end(&self, py: Python<'_>, grace: f64) -> PyResult<()> {
        let Some(server) = self.running.lock().take() else {
            return Ok(());
        };
        let grace = Duration::try_from_secs_f64(grace).unwrap_or_default();
        let ended = py.detach(|| {
            everwarm_runtime::handle()?.block_on(server.end(grace));
            Ok(())
        });
        ended.map_err(|failure: Failure| errors::store(py, &failure))
    }
}

fn options(
    listen: &str,
    (tokens, is_open, identity): Access,
    (max_body, connections): Most,
) -> Result<Options, Error> {
    let tokens = tokens.iter().map(|token| Token::new(token));
    let mut options = Options::new(listen);
    options.tokens = tokens.collect::<Result<_, _>>()?;
    options.is_open = is_open;
    options.identity = identity.map(|(certificate, key)| Identity { certificate, key });
    options.max_body = max_body;
    options.connections = connections;
    Ok(options)
}
