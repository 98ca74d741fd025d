//! Passing time, without a thread for each who waits.

use std::time::Duration;

use everwarm_core::store::Failure;

use crate::runtime::alarms;

/// Waits for so long, on any executor.
///
/// # Errors
/// As [`handle`](crate::handle).
pub async fn pause(span: Duration) -> Result<(), Failure> {
    alarms()?.after(span).await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    use std::thread::{self, Thread};

    struct Parked(Thread);

    impl Wake for Parked {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    #[test]
    fn whoever_waits_elsewhere_is_woken() {
        let mut pause = pin!(pause(Duration::from_millis(1)));
        let waker = Waker::from(Arc::new(Parked(thread::current())));
        while pause.as_mut().poll(&mut Context::from_waker(&waker)) != Poll::Ready(Ok(())) {
            thread::park();
        }
    }
}
