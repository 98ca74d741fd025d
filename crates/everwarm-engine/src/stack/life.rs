//! The life of the stores: what has expired in them, and their end.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::Stack;

/// How long the queued writes may take at the end.
const FLUSHED_WITHIN: Duration = Duration::from_secs(2);

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
        if let Some(beside) = &self.beside {
            beside.stack().flush_queue().await;
        }
    }

    pub(super) async fn end(self: Arc<Self>) {
        self.within(FLUSHED_WITHIN, self.flush_queue()).await;
        self.return_leases().await;
        for level in &self.tiers {
            level.said(level.tier.store.close().await);
        }
        if let Some(beside) = &self.beside {
            Box::pin(beside.stack().clone().end()).await;
        }
    }

    /// Waits for `work`, but no longer than this.
    async fn within(&self, span: Duration, work: impl Future<Output = ()>) {
        let mut work = pin!(work);
        let mut limit = self.options.sleep.sleep(span);
        poll_fn(|context| {
            if work.as_mut().poll(context).is_ready() {
                return Poll::Ready(());
            }
            limit.as_mut().poll(context)
        })
        .await;
    }
}
