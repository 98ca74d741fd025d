//! At most so many computations at once: one waits for its permit, as a thread or as a task.

use std::sync::Arc;
use std::task::{Context, Poll};

use everwarm_engine::{Bulkhead, Caller, LeadId, Line, Permit};

use crate::chain;

/// A computation that is to be let in.
pub(crate) struct Admission {
    lead: LeadId,
    blocks_thread: bool,
    line: Line,
}

impl Admission {
    /// The permit of a computation; none is needed where there is no bound.
    ///
    /// # Errors
    /// Its place in the line.
    pub(crate) fn enter(
        bulkhead: Option<&Arc<Bulkhead>>,
        lead: LeadId,
        blocks_thread: bool,
    ) -> Result<Option<Permit>, Self> {
        let Some(bulkhead) = bulkhead else {
            return Ok(None);
        };
        let permit = as_part_of(lead, blocks_thread, |caller| bulkhead.enter(lead, caller));
        permit.map(Some).map_err(|line| Self {
            lead,
            blocks_thread,
            line,
        })
    }

    /// The permit, once there is one.
    pub(crate) fn poll(&mut self, task: &Context<'_>) -> Poll<Option<Permit>> {
        let line = &mut self.line;
        match as_part_of(self.lead, self.blocks_thread, |caller| {
            line.try_enter(caller)
        }) {
            Some(permit) => Poll::Ready(Some(permit)),
            None => {
                line.register(task.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// What the computation of `lead` asks.
fn as_part_of<T>(lead: LeadId, blocks_thread: bool, ask: impl FnOnce(&Caller<'_>) -> T) -> T {
    chain::within(lead, || {
        ask(&Caller {
            thread: chain::thread(),
            chain: &chain::leads(),
            blocks_thread,
        })
    })
}
