//! What was asked, on its way: a task of the runtime that a caller waits for.
//!
//! The driver's futures are to be polled to their end, so none of them is the caller's. Who walks away leaves the task to end by itself;
//! one that does not, since its server is silent, is ended after a while, and others are told that its way is lost.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use everwarm_core::store::Failure;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::error::ended;

/// A task, and what becomes of it.
pub(crate) struct Asked<T: Send + 'static> {
    task: Option<JoinHandle<Result<T, Failure>>>,
    runtime: Handle,
    /// How long it goes on when nobody waits any more.
    patience: Duration,
    /// What is done if it has not ended by then.
    lost: Option<Box<dyn FnOnce() + Send>>,
}

impl<T: Send + 'static> Asked<T> {
    /// Begins with it.
    ///
    /// # Errors
    /// As [`everwarm_runtime::handle`].
    pub(crate) fn begin(
        work: impl Future<Output = Result<T, Failure>> + Send + 'static,
        patience: Duration,
        lost: impl FnOnce() + Send + 'static,
    ) -> Result<Self, Failure> {
        let runtime = everwarm_runtime::handle()?;
        Ok(Self {
            task: Some(runtime.spawn(work)),
            runtime,
            patience,
            lost: Some(Box::new(lost)),
        })
    }
}

impl<T: Send + 'static> Future for Asked<T> {
    type Output = Result<T, Failure>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(task) = &mut self.task else {
            return Poll::Ready(Err(ended()));
        };
        Pin::new(task).poll(context).map(|joined| {
            self.task = None;
            joined.unwrap_or_else(|_| Err(ended()))
        })
    }
}

impl<T: Send + 'static> Drop for Asked<T> {
    fn drop(&mut self) {
        let Some(task) = self.task.take() else {
            return;
        };
        if task.is_finished() {
            return;
        }
        let (patience, lost) = (self.patience, self.lost.take());
        drop(self.runtime.spawn(async move {
            sleep(patience).await;
            if task.is_finished() {
                return;
            }
            task.abort();
            if let Some(lost) = lost {
                lost();
            }
        }));
    }
}
