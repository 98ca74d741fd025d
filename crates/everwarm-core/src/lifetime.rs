//! The life of one entry as ordered instants.

use std::time::Duration;

use crate::clock::Instant;

/// When an entry was written, and from when it is worth what.
///
/// `written ≤ refresh_from ≤ fresh_until ≤ stale_until ≤ keep_until` holds by construction: lifetimes come from
/// [`Policy::lifetime`](crate::policy::Policy::lifetime) and its like. Each instant is the first one that no longer
/// belongs to what was before it, so at `fresh_until` an entry is stale, and at `keep_until` it is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lifetime {
    written: Instant,
    refresh_from: Instant,
    fresh_until: Instant,
    stale_until: Instant,
    keep_until: Instant,
    retry_from: Instant,
}

/// How long each part of a life is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spans {
    /// From the writing: fresh.
    pub(crate) fresh: Duration,
    /// From the writing: fresh, and no refresh is due.
    pub(crate) quiet: Duration,
    /// From the end of freshness: served while it is refreshed.
    pub(crate) stale: Duration,
    /// From the end of freshness: served if the refresh fails.
    pub(crate) if_error: Duration,
}

impl Lifetime {
    /// A life without end.
    pub(crate) const fn endless(written: Instant) -> Self {
        Self {
            written,
            refresh_from: Instant::NEVER,
            fresh_until: Instant::NEVER,
            stale_until: Instant::NEVER,
            keep_until: Instant::NEVER,
            retry_from: written,
        }
    }

    /// A life with these spans.
    pub(crate) fn spanning(written: Instant, spans: Spans) -> Self {
        let fresh_until = written.after(spans.fresh);
        let stale_until = fresh_until.after(spans.stale);
        Self {
            written,
            refresh_from: written.after(spans.quiet).min(fresh_until),
            fresh_until,
            stale_until,
            keep_until: fresh_until.after(spans.if_error).max(stale_until),
            retry_from: written,
        }
    }

    /// The same life, with no computation begun before `until` as long as there is a value to serve: the back-off
    /// after a failed refresh. It never lengthens the life.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::{clock::Instant, draw::FixedDraw, policy::Policy};
    ///
    /// let policy = Policy { ttl: Some(Duration::from_secs(60)), ..Policy::default() };
    /// let life = policy.lifetime(Instant::ZERO, Duration::ZERO, &FixedDraw(0.0));
    /// assert_eq!(life.held_until(Instant::NEVER).retry_from(), life.keep_until());
    /// ```
    #[must_use]
    pub fn held_until(self, until: Instant) -> Self {
        Self {
            retry_from: until.clamp(self.written, self.keep_until),
            ..self
        }
    }

    /// When the value was written.
    #[must_use]
    pub const fn written(&self) -> Instant {
        self.written
    }

    /// From when a fresh value is computed anew ahead of time.
    #[must_use]
    pub const fn refresh_from(&self) -> Instant {
        self.refresh_from
    }

    /// Until when the value is fresh.
    #[must_use]
    pub const fn fresh_until(&self) -> Instant {
        self.fresh_until
    }

    /// Until when the value is served stale while it is computed anew.
    #[must_use]
    pub const fn stale_until(&self) -> Instant {
        self.stale_until
    }

    /// Until when the value may be served at all: from here on it is let go.
    #[must_use]
    pub const fn keep_until(&self) -> Instant {
        self.keep_until
    }

    /// Until when the back-off after a failed refresh lasts; the instant of writing if there was none.
    #[must_use]
    pub const fn retry_from(&self) -> Instant {
        self.retry_from
    }

    /// The first instant at which anything but a plain hit is due: the only one that a hit has to compare.
    #[must_use]
    pub fn serve_until(&self) -> Instant {
        self.refresh_from.max(self.retry_from).min(self.fresh_until)
    }
}
