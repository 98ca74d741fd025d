//! The way to the servers, for all processes that inherit a store: each has a client of its own.

use std::mem::forget;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use everwarm_core::store::Failure;
use everwarm_runtime::process_id;

use crate::config::Config;
use crate::error::closed;
use crate::server::Server;

/// The way to the servers.
pub(crate) struct Link {
    pub(crate) config: Arc<Config>,
    first: Process,
    is_closed: AtomicBool,
}

/// What one process has, and the child that it forked.
struct Process {
    id: u32,
    /// There until it is dropped.
    own: Option<Arc<Server>>,
    child: OnceLock<Box<Process>>,
}

impl Link {
    /// A way that nobody went yet.
    pub(crate) fn new(config: Config) -> Self {
        let config = Arc::new(config);
        Self {
            first: Process::new(&config),
            config,
            is_closed: AtomicBool::new(false),
        }
    }

    /// The servers, for this process.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn open(&self) -> Result<Arc<Server>, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        Ok(Arc::clone(self.here()))
    }

    fn here(&self) -> &Arc<Server> {
        let id = process_id();
        let mut process = &self.first;
        while process.id != id {
            let make = || Box::new(Process::new(&self.config));
            process = process.child.get_or_init(make);
        }
        process.own.as_ref().expect("it was not dropped yet")
    }

    /// Ends all connections of this process, for good.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
        self.here().end();
    }
}

impl Process {
    fn new(config: &Arc<Config>) -> Self {
        Self {
            id: process_id(),
            own: Some(Arc::new(Server::new(config))),
            child: OnceLock::new(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let own = self.own.take();
        if self.id != process_id() {
            // It belongs to the parent, whose tasks do not run here and whose locks may have been held at the fork.
            return forget(own);
        }
        if let Some(own) = own {
            own.end();
        }
    }
}
