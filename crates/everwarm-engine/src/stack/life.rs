//! The life of the stores: what has expired in them, and their end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Stack;
use super::owed::Try;

/// How long the end may take with what was not done before.
const ENDED_WITHIN: Duration = Duration::from_secs(2);

/// How long a flush tries what is owed.
const PAID_WITHIN: Duration = Duration::from_secs(2);

impl Stack {
    pub(super) async fn sweep_all(self: Arc<Self>) -> u64 {
        let mut swept = 0;
        for level in &self.tiers {
            swept += level.said(level.tier.store.sweep().await).unwrap_or(0);
        }
        if let Some(beside) = &self.beside {
            swept += Box::pin(beside.stack().clone().sweep_all()).await;
        }
        swept
    }

    pub(super) async fn flush_all(self: Arc<Self>) {
        self.flush_queue().await;
        self.within(PAID_WITHIN, self.pay_debts(Try::Now)).await;
        if let Some(beside) = &self.beside {
            Box::pin(beside.stack().clone().flush_all()).await;
        }
    }

    pub(super) async fn end(self: Arc<Self>) {
        self.within(ENDED_WITHIN, self.finish()).await;
        for level in &self.tiers {
            level.said(level.tier.store.close().await);
        }
        if let Some(beside) = &self.beside {
            Box::pin(beside.stack().clone().end()).await;
        }
    }

    /// Does what there will be no time for later: tries what is owed, waits for queued writes, and gives leases back.
    pub(super) async fn finish(self: &Arc<Self>) {
        // Invalidations first: a store that takes its time for writes is not to keep others from being told.
        self.pay_debts(Try::Now).await;
        if !self.queue.is_empty() {
            self.flush_queue().await;
            // A write that failed is owed, too.
            self.pay_debts(Try::Now).await;
        }
        self.return_leases().await;
    }

    pub(super) async fn finish_all(self: Arc<Self>) {
        self.finish().await;
        if let Some(beside) = &self.beside {
            beside.stack().finish().await;
        }
    }

    /// Waits for `work`, but no longer than this; whether it was done.
    pub(super) async fn within(&self, span: Duration, work: impl Future<Output = ()>) -> bool {
        let mut work = pin!(work);
        let mut limit = None;
        poll_fn(|context| {
            if work.as_mut().poll(context).is_ready() {
                return Poll::Ready(true);
            }
            // Nobody has to be woken for what is done at once.
            let limit = limit.get_or_insert_with(|| self.options.sleep.sleep(span));
            limit.as_mut().poll(context).map(|()| false)
        })
        .await
    }
}
