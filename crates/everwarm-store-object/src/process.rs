//! What each process has of a store: nothing of a parent's is touched in a child.

use std::sync::OnceLock;

use everwarm_core::store::Failure;
use everwarm_runtime::process_id;

use crate::client::Client;
use crate::config::Config;

/// What one process has, and the child that it forked.
pub(crate) struct Process {
    id: u32,
    client: Option<Box<Client>>,
    child: OnceLock<Result<Box<Process>, Failure>>,
}

impl Process {
    /// What this process has.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(crate) fn new(config: &Config) -> Result<Self, Failure> {
        Ok(Self {
            id: process_id(),
            client: Some(Box::new(Client::new(config.clone())?)),
            child: OnceLock::new(),
        })
    }

    /// That of the process that asks, which is this one or was forked from it.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub(crate) fn client(&self, config: &Config) -> Result<&Client, Failure> {
        let id = process_id();
        let mut process = self;
        while process.id != id {
            let child = process
                .child
                .get_or_init(|| Self::new(config).map(Box::new));
            process = child.as_ref().map_err(Clone::clone)?;
        }
        process.client.as_deref().ok_or_else(crate::error::closed)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.id != process_id() {
            // It belongs to the parent, whose locks may have been held at the fork.
            std::mem::forget(self.client.take());
        }
    }
}
