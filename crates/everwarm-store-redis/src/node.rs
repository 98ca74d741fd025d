//! One server: the connection that tasks share, those that threads use, and when they are given up.

use std::sync::Arc;

use everwarm_core::store::{Failure, FailureKind};
use redis::{Pipeline, Value};

use crate::address::Address;
use crate::deadline::Deadline;
use crate::dial::Dial;
use crate::idle::Idle;
use crate::renewed::Renewed;
use crate::shared::{Cut, Shared};

/// One server and the connections to it.
pub(crate) struct Node {
    /// Where it listens.
    pub(crate) address: Address,
    dial: Dial,
    shared: Renewed<Shared>,
    idle: Arc<Idle>,
}

impl Node {
    /// A server that nobody asked yet.
    pub(crate) fn new(address: Address, dial: Dial) -> Self {
        Self {
            shared: Renewed::new(address.to_string()),
            address,
            dial,
            idle: Arc::new(Idle::new()),
        }
    }

    /// Sends what `commands` writes for the server's run, and gives one reply to each command. A thread that may block and asks one
    /// server alone has its answer when this is polled first.
    ///
    /// # Errors
    /// If no connection could be had, or it was lost, or time was over.
    pub(crate) async fn exchange(
        &self,
        commands: impl Fn(&str) -> Pipeline,
        deadline: &Deadline,
        is_alone: bool,
    ) -> Result<Vec<Value>, Failure> {
        if is_alone && everwarm_runtime::may_block() {
            if let Some(mut line) = self.idle.take() {
                let pipeline = commands(&line.connection.server);
                let replies = line.connection.exchange(&pipeline, deadline);
                match &replies {
                    Ok(_) => self.idle.put(line),
                    Err(failure) => self.failed(failure, deadline),
                }
                return replies;
            }
            if self.shared.there().is_some() {
                self.idle.grow(&self.dial, &self.address);
            }
        }
        let is_first = self.shared.is_first();
        let shared = self.shared(deadline).await?;
        let anew = deadline.anew();
        let deadline = if is_first { &anew } else { deadline };
        let pipeline = commands(&shared.server);
        let exchanged = shared.exchange(&pipeline, (&self.address, deadline)).await;
        exchanged.map_err(|cut| match cut {
            Cut::TimedOut(failure) => failure,
            Cut::Lost(failure) => {
                self.shared.give_up(&shared);
                self.idle.clear();
                failure
            }
        })
    }

    /// The connection that tasks share. One that has ended while nobody asked is replaced.
    async fn shared(&self, deadline: &Deadline) -> Result<Arc<Shared>, Failure> {
        if let Some(shared) = self.shared.there() {
            if !shared.is_over() {
                return Ok(shared);
            }
            self.shared.give_up(&shared);
        }
        let dial = || self.dial.clone().shared(self.address.clone());
        self.shared.get((deadline, self.dial.limit), dial).await
    }

    /// Takes note that the connection of a thread failed: what ended it has probably ended the others.
    fn failed(&self, failure: &Failure, deadline: &Deadline) {
        self.idle.clear();
        if let Some(shared) = self.shared.there()
            && failure.kind == FailureKind::Timeout
            && shared.missed(deadline.began())
        {
            self.shared.give_up(&shared);
        }
    }

    /// Lets go of what a parent process asked on: the descriptors, where nobody had them in hand at the fork.
    pub(crate) fn leave(&self) {
        self.idle.leave();
    }

    /// Drops all connections, for good.
    pub(crate) fn close(&self) {
        self.shared.close();
        self.idle.close();
    }
}
