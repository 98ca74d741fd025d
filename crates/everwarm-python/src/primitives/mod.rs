//! Locks, semaphores and limiters: the native halves of `_lock` and `_limiter`.
//!
//! They lie in the last store of their cache, or in a store of their own in this process's memory, where there is none behind it.

mod limiter;
mod permits;

use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::{Arc, OnceLock};

use everwarm_core::clock::Instant;
use everwarm_core::key::Writer;
use everwarm_core::store::{Failure, Store};
use everwarm_engine::primitives::Holdings;
use everwarm_engine::{Bounds, Ticker};
use everwarm_memory::MemoryStore;
use pyo3::prelude::*;

use crate::home::Home;
use crate::shared::{self, Shared, Step};
use crate::{errors, keys};

/// How many names the primitives of a cache in memory may have at once.
const NAMES: NonZeroUsize = NonZeroUsize::new(100_000).expect("not zero");

/// What the primitives of a cache lie in, and which of their leases this process holds.
pub(crate) struct Ground {
    place: Place,
    pub(crate) holdings: Holdings,
}

enum Place {
    Shared(Arc<Shared>),
    Memory(Ticker, OnceLock<Arc<MemoryStore>>),
}

impl Ground {
    pub(crate) fn new(shared: Option<&Arc<Shared>>, ticker: Ticker) -> Self {
        Self {
            place: match shared {
                Some(shared) => Place::Shared(Arc::clone(shared)),
                None => Place::Memory(ticker, OnceLock::new()),
            },
            holdings: Holdings::new(),
        }
    }

    /// The store.
    ///
    /// # Errors
    /// `StoreError`, if it could not be opened.
    pub(crate) fn store(&self, py: Python<'_>) -> PyResult<Arc<dyn Store>> {
        match &self.place {
            Place::Shared(shared) => shared.last_store(py),
            Place::Memory(ticker, store) => {
                let make = || {
                    let bounds = Bounds::entries(NAMES);
                    Arc::new(MemoryStore::with_clock(bounds, Arc::new(ticker.clone())))
                };
                Ok(Arc::clone(store.get_or_init(make)) as Arc<dyn Store>)
            }
        }
    }

    /// Whether other processes share it.
    pub(crate) const fn is_shared(&self) -> bool {
        matches!(self.place, Place::Shared(_))
    }

    /// Asks the store. In memory that is done while this thread is attached, so that no fork meets a lock that is held.
    pub(crate) fn ask<T: Send>(
        &self,
        py: Python<'_>,
        asked: impl Future<Output = Result<T, Failure>> + Send,
    ) -> PyResult<T> {
        let mut asked = Box::pin(asked);
        let answer = match &self.place {
            Place::Shared(_) => shared::drive(py, asked)?,
            Place::Memory(..) => match shared::first_step(&mut asked) {
                Step::Done(answer) => answer,
                Step::Again(_) => shared::drive(py, asked)?,
            },
        };
        answer.map_err(|failure| errors::store(py, &failure))
    }

    /// Renews what is held and due. What fails is tried again at the next look; it ends by itself otherwise.
    pub(crate) fn renew(&self, py: Python<'_>, now: Instant) -> PyResult<()> {
        for held in self.holdings.due(now) {
            let store = self.store(py)?;
            let renewed = self.ask(py, held.renew(&*store, now));
            if let Err(error) = renewed
                && !errors::is_of_store(py, &error)
            {
                return Err(error);
            }
        }
        Ok(())
    }

    pub(crate) fn is_holding(&self) -> bool {
        !self.holdings.is_empty()
    }

    /// Whether memory keeps anything for primitives.
    pub(crate) fn is_used(&self) -> bool {
        matches!(&self.place, Place::Memory(_, store) if store.get().is_some())
    }

    /// Lets go of what memory keeps for primitives and has expired.
    pub(crate) fn sweep(&self) {
        if let Place::Memory(_, store) = &self.place
            && let Some(store) = store.get()
        {
            drop(store.sweep());
        }
    }
}

/// What a primitive is called in its store, within the cache's namespace and the tenant of the running context.
///
/// # Errors
/// `TenantMissing` where there is to be a tenant, `KeyRefused` for a name that cannot be a key, `ConfigError` for one that only
/// this process knows where others are to share it.
fn stored_name(home: &Home, kind: &str, name: &Bound<'_, PyAny>) -> PyResult<String> {
    let py = name.py();
    let tenant = home.tenant(py)?;
    let mut key = Writer::new();
    if home.tenancy.is_some() {
        let tenant = tenant.as_ref().ok_or_else(|| errors::nobody(py, kind))?;
        key.bytes(&tenant.0);
    }
    keys::encode_argument(name, &mut key, "key")?;
    if key.is_process_bound() && home.ground().is_shared() {
        let message = format!("a {kind} is called by what only this process knows");
        return Err(errors::config(
            py,
            &message,
            "name it by a text, a number or a UUID",
        ));
    }
    let beyond = |limit| keys::beyond(py, limit);
    let sealed = key.seal().map_err(beyond)?;
    let named = home
        .naming
        .primitive(kind, tenant.as_ref(), sealed.as_bytes());
    named.map_err(beyond)
}

pub(crate) fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<permits::Permits>()?;
    module.add_class::<permits::Holding>()?;
    module.add_class::<limiter::Limiter>()
}
