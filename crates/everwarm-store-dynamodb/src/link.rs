//! The way to the service: a client for each process that inherits the store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use everwarm_core::store::{Failure, FailureKind};
use everwarm_runtime::process_id;
use serde_json::{Value, json};

use crate::client::{Client, Said, Unmet};
use crate::config::Config;
use crate::error::closed;
use crate::table;

/// The way to a table, for all processes that inherit it.
pub(crate) struct Link {
    pub(crate) config: Arc<Config>,
    region: String,
    first: Process,
    is_closed: AtomicBool,
}

/// What one process has, and the child that it forked.
struct Process {
    id: u32,
    client: OnceLock<Result<Arc<Client>, Failure>>,
    child: OnceLock<Box<Process>>,
}

impl Process {
    fn new() -> Self {
        Self {
            id: process_id(),
            client: OnceLock::new(),
            child: OnceLock::new(),
        }
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

impl Link {
    /// A way that nobody went yet.
    ///
    /// # Errors
    /// `Permanent` if nothing says which region.
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        let set = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let region = config
            .region
            .clone()
            .or_else(|| set("AWS_REGION"))
            .or_else(|| set("AWS_DEFAULT_REGION"))
            // What stands in for the service takes any, and has to be signed for one.
            .or_else(|| config.endpoint.as_ref().map(|_| "us-east-1".to_owned()));
        let region = region.ok_or_else(|| {
            Failure::new(
                FailureKind::Permanent,
                "nothing says in which region of AWS the table is",
                "write region=eu-central-1 in the URL, or set AWS_REGION",
            )
        })?;
        Ok(Self {
            config: Arc::new(config),
            region,
            first: Process::new(),
            is_closed: AtomicBool::new(false),
        })
    }

    /// The region in which the table is.
    pub(crate) fn region(&self) -> &str {
        &self.region
    }

    /// The client of this process.
    ///
    /// # Errors
    /// `Closed`, and what keeps a client from being made.
    pub(crate) fn client(&self) -> Result<&Arc<Client>, Failure> {
        if self.is_closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        let id = process_id();
        let mut process = &self.first;
        while process.id != id {
            process = process.child.get_or_init(|| Box::new(Process::new()));
        }
        let make = || Client::new(Arc::clone(&self.config), &self.region).map(Arc::new);
        process
            .client
            .get_or_init(make)
            .as_ref()
            .map_err(Clone::clone)
    }

    /// Ends it.
    pub(crate) fn close(&self) {
        self.is_closed.store(true, Ordering::Relaxed);
    }

    /// Asks for an operation on the table, whose name is put into the question.
    ///
    /// # Errors
    /// What stood in the way, or what the service told of.
    pub(crate) async fn ask_if(
        &self,
        operation: &'static str,
        mut question: Value,
    ) -> Result<Result<Value, Unmet>, Failure> {
        question["TableName"] = json!(self.config.table);
        self.asked(operation, question).await
    }

    /// The same, where there is no condition.
    ///
    /// # Errors
    /// As [`ask_if`](Self::ask_if).
    pub(crate) async fn ask(
        &self,
        operation: &'static str,
        question: Value,
    ) -> Result<Value, Failure> {
        let said = self.ask_if(operation, question).await?;
        said.map_err(|_| crate::error::unexpected("a condition"))
    }

    /// Asks for an operation on many items, whose tables are in the question.
    ///
    /// # Errors
    /// As [`ask_if`](Self::ask_if).
    pub(crate) async fn ask_many(
        &self,
        operation: &'static str,
        question: Value,
    ) -> Result<Value, Failure> {
        let said = self.asked(operation, question).await?;
        said.map_err(|_| crate::error::unexpected("a condition"))
    }

    async fn asked(
        &self,
        operation: &'static str,
        question: Value,
    ) -> Result<Result<Value, Unmet>, Failure> {
        let client = self.client()?;
        let mut is_made = false;
        loop {
            return match client.said(operation, &question).await? {
                Said::Done(said) => Ok(Ok(said)),
                Said::Unmet(unmet) => Ok(Err(unmet)),
                Said::Refused(_, exception) if exception == table::MISSING => {
                    if !client.config.make_table || is_made {
                        return Err(table::missing(client, &self.region));
                    }
                    table::made(client).await?;
                    is_made = true;
                    continue;
                }
                Said::Refused(failure, _) => Err(failure),
            };
        }
    }
}
