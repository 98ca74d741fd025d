//! Passing time, which is an argument.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use everwarm_core::store::Answer;

/// What is over after a while; whoever drives the store has one.
pub trait Timer: Send + Sync {
    /// Is over after this span, and wakes who waits for it then.
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

impl<T: Timer + ?Sized> Timer for Arc<T> {
    fn after(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        (**self).after(span)
    }
}

/// What an answer says if it comes within the limit; None if it does not, and is abandoned. The time begins when the answer has been
/// asked for and has not come at once: one that is taken on the thread that asks needs no timer.
pub(crate) async fn within<T>(
    mut answer: Answer<'_, T>,
    timer: &dyn Timer,
    limit: Duration,
) -> Option<Result<T, everwarm_core::store::Failure>> {
    let mut end = None;
    poll_fn(move |context| {
        if let Poll::Ready(result) = Pin::new(&mut answer).poll(context) {
            return Poll::Ready(Some(result));
        }
        let end = end.get_or_insert_with(|| timer.after(limit));
        end.as_mut().poll(context).map(|()| None)
    })
    .await
}
