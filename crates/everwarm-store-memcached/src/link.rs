//! The way to the servers: each name's own, for all processes that inherit it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use everwarm_core::store::Failure;
use everwarm_runtime::process_id;
use rustls::ClientConfig;

use crate::config::Config;
use crate::dial::Dial;
use crate::error::closed;
use crate::node::Node;
use crate::ring::Ring;

/// The way to the servers.
pub(crate) struct Link {
    config: Config,
    tls: Option<Arc<ClientConfig>>,
    ring: Ring,
    first: Process,
    is_closed: AtomicBool,
}

/// The connections of one process, and those of the child that it forked.
struct Process {
    id: u32,
    nodes: Option<Arc<[Node]>>,
    child: OnceLock<Box<Process>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.id != process_id() {
            // It belongs to the parent, whose locks may have been held at the fork.
            std::mem::forget(self.nodes.take());
        }
    }
}

impl Process {
    fn new(config: &Config, tls: Option<&Arc<ClientConfig>>) -> Self {
        let nodes = config
            .servers
            .iter()
            .map(|server| Node::new(Dial::new(server, config, tls.cloned())));
        Self {
            id: process_id(),
            nodes: Some(nodes.collect()),
            child: OnceLock::new(),
        }
    }
}

impl Link {
    /// A way that nobody went yet.
    ///
    /// # Errors
    /// `Permanent` for files of certificates that cannot be used.
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        let tls = config
            .tls
            .as_ref()
            .map(everwarm_network::tls::configured)
            .transpose()?;
        Ok(Self {
            ring: Ring::new(&config.servers),
            first: Process::new(&config, tls.as_ref()),
            config,
            tls,
            is_closed: AtomicBool::new(false),
        })
    }

    /// What the store was told.
    pub(crate) const fn config(&self) -> &Config {
        &self.config
    }

    /// The servers, as this process asks them.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn nodes(&self) -> Result<&Arc<[Node]>, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let id = process_id();
        let mut process = &self.first;
        while process.id != id {
            process = process
                .child
                .get_or_init(|| Box::new(Process::new(&self.config, self.tls.as_ref())));
        }
        process.nodes.as_ref().ok_or_else(closed)
    }

    /// The number of the server of a name.
    pub(crate) fn at(&self, name: &str) -> usize {
        match self.config.servers.len() {
            1 => 0,
            _ => self.ring.server(name),
        }
    }

    /// The server of a name.
    ///
    /// # Errors
    /// `Closed`.
    pub(crate) fn node(&self, name: &str) -> Result<&Node, Failure> {
        self.nodes()?.get(self.at(name)).ok_or_else(closed)
    }

    /// Lets go, in the child of a fork, of what its parent asked on.
    pub(crate) fn leave(&self) {
        let mut process = &self.first;
        while let Some(child) = process.child.get() {
            process = child;
        }
        if let (Some(nodes), true) = (&process.nodes, process.id != process_id()) {
            nodes.iter().for_each(Node::leave);
        }
    }

    /// Ends all connections of this process, for good.
    pub(crate) fn close(&self) {
        let nodes = self.nodes().cloned();
        self.is_closed.store(true, Ordering::Relaxed);
        if let Ok(nodes) = nodes {
            nodes.iter().for_each(Node::close);
        }
    }
}
