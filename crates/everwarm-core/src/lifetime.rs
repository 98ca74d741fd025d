//! The life of one entry as ordered instants.

use std::time::Duration;

use crate::clock::Instant;
use crate::slide::Slide;

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
    slide: Option<Slide>,
    /// Whether the first read is no plain hit, so that it is noticed.
    unread: bool,
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
    /// How reads lengthen it.
    pub(crate) slide: Option<Slide>,
}

impl Lifetime {
    /// A life without end.
    #[must_use]
    pub const fn endless(written: Instant) -> Self {
        Self {
            written,
            refresh_from: Instant::NEVER,
            fresh_until: Instant::NEVER,
            stale_until: Instant::NEVER,
            keep_until: Instant::NEVER,
            retry_from: written,
            slide: None,
            unread: false,
        }
    }

    /// A life that is fresh until then, whenever it began, and over from then on.
    ///
    /// ```
    /// use everwarm_core::{clock::Instant, lifetime::Lifetime};
    ///
    /// let life = Lifetime::ending(Instant::from_nanos(7));
    /// assert_eq!((life.serve_until(), life.keep_until()), (Instant::from_nanos(7), Instant::from_nanos(7)));
    /// assert_eq!(Lifetime::ending(Instant::NEVER), Lifetime::endless(Instant::ZERO));
    /// ```
    #[must_use]
    pub const fn ending(deadline: Instant) -> Self {
        Self {
            refresh_from: deadline,
            fresh_until: deadline,
            stale_until: deadline,
            keep_until: deadline,
            ..Self::endless(Instant::ZERO)
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
            slide: spans.slide,
            unread: false,
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

    /// The same life, over from `until` on at the latest: no read lengthens it.
    #[must_use]
    pub fn ended_by(self, until: Instant) -> Self {
        Self {
            written: self.written,
            refresh_from: self.refresh_from.min(until),
            fresh_until: self.fresh_until.min(until),
            stale_until: self.stale_until.min(until),
            keep_until: self.keep_until.min(until),
            retry_from: self.retry_from.min(until).max(self.written),
            slide: None,
            unread: self.unread,
        }
    }

    /// The same life, of whose first read is to be noticed that it is one.
    #[must_use]
    pub const fn unread(self) -> Self {
        Self {
            unread: true,
            ..self
        }
    }

    /// Whether its first read is yet to come, and to be noticed.
    #[must_use]
    pub const fn is_unread(&self) -> bool {
        self.unread
    }

    /// The life of the same value when it is given another ttl `now`, or none: its windows are as long as they were, no
    /// refresh is due ahead of time, and no read lengthens it.
    #[must_use]
    pub fn given(self, now: Instant, ttl: Option<Duration>) -> Self {
        let Some(ttl) = ttl else {
            return Self::endless(now);
        };
        let after = |end: Instant| end.since(self.fresh_until);
        let fresh_until = now.after(ttl);
        Self {
            written: now,
            refresh_from: fresh_until,
            fresh_until,
            stale_until: fresh_until.after(after(self.stale_until)),
            keep_until: fresh_until.after(after(self.keep_until)),
            retry_from: now,
            slide: None,
            unread: false,
        }
    }

    /// The life of the same value after a read `now`, if that changes it: it is read, or it is longer, and its windows are as long as they were.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::policy::{Policy, Sliding};
    /// use everwarm_core::{clock::Instant, draw::FixedDraw};
    ///
    /// let minute = Duration::from_secs(60);
    /// let sliding = Sliding { threshold: 0.5, max_age: 2 * minute };
    /// let policy = Policy { ttl: Some(minute), sliding: Some(sliding), ..Policy::default() };
    /// let life = policy.lifetime(Instant::ZERO, Duration::ZERO, &FixedDraw(0.0));
    /// let at = |seconds| Instant::ZERO.after(Duration::from_secs(seconds));
    /// assert_eq!(life.slid(at(29)), None);
    /// let longer = life.slid(at(40)).expect("less than half of the ttl is left");
    /// assert_eq!(longer.fresh_until(), at(100));
    /// assert_eq!(longer.slid(at(99)).map(|life| life.fresh_until()), Some(at(120)));
    /// ```
    #[must_use]
    pub fn slid(self, now: Instant) -> Option<Self> {
        if self.unread {
            let read = Self {
                unread: false,
                ..self
            };
            return Some(read.slid(now).unwrap_or(read));
        }
        let slide = self.slide?;
        if now < self.slide_from() || now >= self.fresh_until {
            return None;
        }
        let most = self.written.after(slide.most);
        let fresh_until = now.after(slide.by).min(most).max(self.fresh_until);
        let moved = |end: Instant| fresh_until.after(end.since(self.fresh_until));
        Some(Self {
            refresh_from: fresh_until,
            fresh_until,
            stale_until: moved(self.stale_until),
            keep_until: moved(self.keep_until),
            ..self
        })
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

    /// How reads lengthen it, if they do.
    #[must_use]
    pub const fn slide(&self) -> Option<Slide> {
        self.slide
    }

    /// From when on a read lengthens it; never, if none does.
    #[must_use]
    pub fn slide_from(&self) -> Instant {
        self.slide.map_or(Instant::NEVER, |slide| {
            slide.from(self.written, self.fresh_until)
        })
    }

    /// Whether anything may be done with the value between a plain hit and its end.
    #[must_use]
    pub fn has_windows(&self) -> bool {
        self.serve_until() != self.keep_until
    }

    /// The first instant at which anything but a plain hit is due: the only one that a hit has to compare.
    #[must_use]
    pub fn serve_until(&self) -> Instant {
        if self.unread {
            return self.written;
        }
        let serve_until = self.refresh_from.max(self.retry_from).min(self.fresh_until);
        serve_until.min(self.slide_from())
    }
}
