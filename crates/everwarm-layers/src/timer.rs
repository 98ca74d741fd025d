//! Passing time, which is an argument.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::store::Answer;

/// A look that comes so much later than it was due says that whoever waits stood still, and may not have taken in what has come.
const LATE: Duration = Duration::from_millis(2);
/// How long it is given to take that in, each time.
const GRACE: Duration = Duration::from_millis(5);
const GRACES: u32 = 3;

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
/// asked for and has not come at once: one that is taken on the thread that asks needs no timer. By a `clock` it is seen whether the
/// loop of who waits stood still meanwhile.
pub(crate) async fn within<T>(
    mut answer: Answer<'_, T>,
    timer: &dyn Timer,
    clock: Option<&dyn Clock>,
    limit: Duration,
) -> Option<Result<T, everwarm_core::store::Failure>> {
    let due = |span| {
        Some((
            timer.after(span),
            clock.map(|clock| clock.now().after(span)),
        ))
    };
    let (mut end, mut graces) = (None, GRACES);
    poll_fn(move |context| {
        if let Poll::Ready(result) = Pin::new(&mut answer).poll(context) {
            return Poll::Ready(Some(result));
        }
        if end.is_none() {
            end = due(limit);
        }
        while let Some((timer, at)) = &mut end {
            if timer.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            let behind = clock.zip(*at).map(|(clock, at)| clock.now().since(at));
            if graces == 0 || behind.is_none_or(|behind| behind < LATE) {
                break;
            }
            graces -= 1;
            end = due(GRACE);
        }
        Poll::Ready(None)
    })
    .await
}
