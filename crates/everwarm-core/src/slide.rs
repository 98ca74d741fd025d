//! Lives that reads lengthen: by how much, from when on, and up to what age.

use std::time::Duration;

use crate::clock::Instant;

/// How a read lengthens a life. A read that finds more than `ahead` left changes nothing, so that not every hit is a write.
///
/// Lives that reads lengthen are those of `expireAfterAccess` in Guava and Caffeine; the threshold is that of session stores
/// (`touchAfter` in connect-mongo).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slide {
    /// From the read on: fresh.
    pub by: Duration,
    /// A read counts once there is no more than this left of being fresh.
    pub ahead: Duration,
    /// From the writing on: fresh no longer than this, however often it is read.
    pub most: Duration,
}

impl Slide {
    /// From when on a read lengthens what was written then and is fresh until then; never, once that is as long as may be.
    pub(crate) fn from(&self, written: Instant, fresh_until: Instant) -> Instant {
        if fresh_until >= written.after(self.most) {
            Instant::NEVER
        } else {
            fresh_until.before(self.ahead).max(written)
        }
    }

    /// The same, of what is so old already.
    #[must_use]
    pub fn aged(self, age: Duration) -> Self {
        Self {
            most: self.most.saturating_sub(age),
            ..self
        }
    }
}
