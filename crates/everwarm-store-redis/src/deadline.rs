//! When an operation is over, whether or not it was answered.

use std::future::{Future, pending};
use std::time::{Duration, Instant};

use everwarm_core::store::Failure;

/// What each MiB adds.
const PER_MIB: Duration = Duration::from_millis(10);

/// The end of one operation. Bytes that were moved push it back: large values may take longer than small ones.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline {
    began: Instant,
    limit: Duration,
}

impl Deadline {
    /// After `limit`, and what `bytes` add to it, from now on.
    pub(crate) fn after(limit: Duration, bytes: usize) -> Self {
        Self {
            began: Instant::now(),
            limit: limit + allowed_for(bytes as u64),
        }
    }

    /// The same limit, from now on.
    pub(crate) fn anew(&self) -> Self {
        Self {
            began: Instant::now(),
            ..*self
        }
    }

    /// When the operation began.
    pub(crate) const fn began(&self) -> Instant {
        self.began
    }

    /// How long it may take, if that many bytes came back.
    pub(crate) fn limit(&self, bytes: u64) -> Duration {
        self.limit + allowed_for(bytes)
    }

    /// What is left, if that many bytes came back; nothing once it is over.
    pub(crate) fn left(&self, bytes: u64) -> Duration {
        self.limit(bytes).saturating_sub(self.began.elapsed())
    }

    /// Waits before something is asked once more; whether enough of the time is left for that, and it has waited.
    ///
    /// # Errors
    /// If no runtime can be had.
    pub(crate) async fn pauses(&self, pause: Duration) -> Result<bool, Failure> {
        if self.left(0) < pause + self.limit / 4 {
            return Ok(false);
        }
        let waits = Self::after(pause, 0);
        let waited = waits.within(pending::<()>(), || 0).await?;
        Ok(waited.is_none())
    }

    /// What `work` gives, or `None` once the time is over. `received` counts the bytes that came back since it began.
    ///
    /// # Errors
    /// If no runtime can be had.
    pub(crate) async fn within<T>(
        &self,
        work: impl Future<Output = T>,
        received: impl Fn() -> u64,
    ) -> Result<Option<T>, Failure> {
        let runtime = everwarm_runtime::handle()?;
        let mut work = std::pin::pin!(work);
        loop {
            let left = self.left(received());
            if left.is_zero() {
                return Ok(None);
            }
            let timed = {
                // Whoever polls this need not be a task of that runtime.
                let _inside = runtime.enter();
                tokio::time::timeout(left, work.as_mut())
            };
            if let Ok(done) = timed.await {
                return Ok(Some(done));
            }
        }
    }
}

fn allowed_for(bytes: u64) -> Duration {
    PER_MIB.mul_f64(bytes as f64 / f64::from(1 << 20))
}
