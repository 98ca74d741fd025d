//! What the values of a typed cache are worth, and when they are computed anew: the rows of freshness, described.

use std::future::Future;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_core::limits::Limits;
use everwarm_core::policy::{Policy, RefreshAhead};

use crate::builder::Builder;
#[cfg(doc)]
use crate::cache::Cache;
use crate::home::has_windows;
use crate::patience::Patience;
use crate::verdict::Nothing;

impl<K: Hash + Eq + Clone, V: Clone> Builder<K, V> {
    /// How long an entry is fresh; for ever unless said otherwise.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.policy.ttl = Some(ttl);
        self
    }

    /// What says a value's own ttl. None: [`ttl`](Self::ttl) counts; a span of nothing: the value is returned and not kept. The
    /// windows after it are those of the cache, and [`Using::ttl`](crate::Using::ttl) goes before it. It must not use the cache.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm::{Cache, duration::{mins, secs}, testing::ManualClock};
    ///
    /// #[derive(Clone, Debug, PartialEq)]
    /// struct Token { expires_in: Option<Duration> }
    ///
    /// let clock = ManualClock::new();
    /// let tokens = Cache::builder("tokens").ttl(mins(5)).ttl_of(|token: &Token| token.expires_in).clock(&clock).build()?;
    /// tokens.set("ada".to_owned(), Token { expires_in: Some(secs(30)) });
    /// tokens.set("bob".to_owned(), Token { expires_in: None });
    /// clock.advance(secs(30));
    /// assert!(tokens.get("ada").is_none() && tokens.get("bob").is_some());
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn ttl_of(
        mut self,
        ttl_of: impl Fn(&V) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        self.judge.ttl_of = Some(Arc::new(ttl_of));
        self
    }

    /// By up to which fraction each ttl is shortened at random, so that entries written together do not expire together.
    pub fn jitter(mut self, jitter: f64) -> Self {
        self.policy.jitter = jitter;
        self
    }

    /// How long after its ttl a value is served while one caller computes it anew, or has it computed in the background
    /// (RFC 5861). If that fails, the old value is served for [`error_backoff`](Self::error_backoff) before the next attempt.
    pub fn stale_while_revalidate(mut self, span: Duration) -> Self {
        self.policy.stale_while_revalidate = Some(span);
        self
    }

    /// How long after its ttl a value is served if computing it anew fails (RFC 5861).
    ///
    /// ```
    /// use everwarm::{Cache, duration::{hours, mins}, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let rates = Cache::builder("rates").ttl(mins(5)).stale_if_error(hours(1)).clock(&clock).build()?;
    /// rates.set("EUR".to_owned(), 1.1);
    /// clock.advance(mins(5));
    /// assert_eq!(rates.try_get_or_compute("EUR", || Err("source is down")), Ok(1.1));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn stale_if_error(mut self, span: Duration) -> Self {
        self.policy.stale_if_error = Some(span);
        self
    }

    /// After a failure, how long the old value is served before the next attempt; 10 s unless said otherwise. [`build`](Self::build)
    /// refuses it where no old value is kept.
    pub fn error_backoff(mut self, span: Duration) -> Self {
        self.policy.error_backoff = span;
        self
    }

    /// When a value that is still fresh is computed anew, by a caller who asks for it or in the background.
    pub fn refresh_ahead(mut self, when: RefreshAhead) -> Self {
        self.policy.refresh_ahead = Some(when);
        self
    }

    /// How old a value is when it is computed anew, if it was read since it was computed: by what
    /// [`background`](Self::background) or [`spawn`](Self::spawn) was given, whenever [`Cache::run_due`] is called or a thread of
    /// [`Cache::refresh_in_thread`] sees to it. What is computed then is what the first call left that was given the value by
    /// [`Using::in_background`](crate::Using::in_background), up to 1,000 keys at a time. A call that comes when the value is due has
    /// it computed as with [`refresh_ahead`](Self::refresh_ahead), in whose place it stands.
    ///
    /// ```
    /// use everwarm::{Cache, duration::{mins, secs}, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let rates = Cache::builder("rates")
    ///     .ttl(mins(10))
    ///     .refresh_every(secs(30))
    ///     .background(|work| work()) // On the thread that calls `run_due`.
    ///     .clock(&clock)
    ///     .build()?;
    /// rates.set("EUR".to_owned(), 1);
    /// let ask = || rates.using().in_background().get_or_compute("EUR", || 2);
    /// assert_eq!(ask(), 1); // It is in use.
    /// clock.advance(secs(30));
    /// assert_eq!((rates.run_due(), rates.get("EUR")), (1, Some(2)));
    /// clock.advance(secs(30));
    /// assert_eq!(rates.run_due(), 0); // Nobody has asked for the second one.
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn refresh_every(self, age: Duration) -> Self {
        self.refresh_ahead(RefreshAhead::Every(age))
    }

    /// A value that is read lives on: a read has its ttl begin anew once no more than this fraction of it is left, up to the age
    /// that [`sliding_max_age`](Self::sliding_max_age) says. [`peek`](Cache::peek) and [`exists`](Cache::exists) are no such reads.
    ///
    /// ```
    /// use everwarm::{Cache, duration::mins, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let sessions = Cache::builder("sessions").ttl(mins(10)).sliding(0.5).clock(&clock).build()?;
    /// sessions.set("ada".to_owned(), 1);
    /// clock.advance(mins(6));
    /// assert_eq!(sessions.get("ada"), Some(1)); // It ends ten minutes from here,
    /// clock.advance(mins(9));
    /// assert!(sessions.exists("ada")); // and is there still.
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn sliding(mut self, fraction: f64) -> Self {
        self.parts.sliding = Some(fraction);
        self
    }

    /// The age at which a value is fresh no longer, however often it is read; 30 days unless said otherwise.
    pub fn sliding_max_age(mut self, age: Duration) -> Self {
        self.parts.sliding_max_age = Some(age);
        self
    }

    /// How long None is remembered, in a cache of `Option`s: it has this ttl and no window.
    ///
    /// ```
    /// use everwarm::{Cache, duration::{mins, secs}, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let names = Cache::builder("names").ttl(mins(5)).negative_ttl(secs(10)).clock(&clock).build()?;
    /// assert_eq!(names.get_or_compute(&7, || None), None);
    /// assert_eq!(names.get_or_compute(&7, || Some("Ada")), None);
    /// clock.advance(secs(10));
    /// assert_eq!(names.get_or_compute(&7, || Some("Ada")), Some("Ada"));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn negative_ttl(mut self, ttl: Duration) -> Self
    where
        V: Nothing,
    {
        self.parts.negative_ttl = Some(ttl);
        self.judge.is_nothing = Some(V::is_nothing);
        self
    }

    /// By what [`negative_ttl`](Self::negative_ttl) grows with each further None in a row: by 2 it doubles. A row ends with a value,
    /// and when nobody asks for as long again as the last None counted.
    ///
    /// ```
    /// use everwarm::{Cache, duration::{mins, secs}, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let names: Cache<u8, Option<&str>> = Cache::builder("names")
    ///     .negative_ttl(secs(10))
    ///     .negative_growth(3.0)
    ///     .negative_max_ttl(mins(1))
    ///     .clock(&clock)
    ///     .build()?;
    /// for seconds in [10, 30, 60, 60] {
    ///     names.get_or_compute(&7, || None);
    ///     assert_eq!(names.peek(&7).and_then(|seen| seen.ttl), Some(secs(seconds)));
    ///     clock.advance(secs(seconds));
    /// }
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn negative_growth(mut self, factor: f64) -> Self {
        self.parts.negative_growth = Some(factor);
        self
    }

    /// What [`negative_ttl`](Self::negative_ttl) does not grow beyond; a day unless said otherwise.
    pub fn negative_max_ttl(mut self, ttl: Duration) -> Self {
        self.parts.negative_max_ttl = Some(ttl);
        self
    }

    /// How long a call of [`Using::in_time`](crate::Using::in_time) takes at most: then it is given the old value, if there is one, and
    /// else an error. The computation goes on, and its value is stored if it is still valid. [`build`](Self::build) refuses it
    /// where nothing runs computations apart from their callers.
    ///
    /// ```
    /// use std::{sync::mpsc, thread};
    /// use everwarm::{Cache, Error, ErrorKind, duration::millis};
    ///
    /// let pages = Cache::builder("pages")
    ///     .hard_timeout(millis(20))
    ///     .background(|work| { thread::spawn(work); })
    ///     .build()?;
    /// let (answer, source) = mpsc::channel::<&str>();
    /// let given = pages.using().in_time().try_get_or_compute("/", move || Ok::<_, Error>(source.recv().unwrap()));
    /// assert_eq!(given.unwrap_err().kind(), ErrorKind::Timeout);
    /// answer.send("the page").unwrap();
    /// # Ok::<(), Error>(())
    /// ```
    pub fn hard_timeout(mut self, span: Duration) -> Self {
        self.policy.hard_limit = Some(span);
        self
    }

    /// How long such a call takes while there is an old value: then it is given that. Without one it waits on, up to
    /// [`hard_timeout`](Self::hard_timeout) if there is that.
    pub fn soft_timeout(mut self, span: Duration) -> Self {
        self.policy.soft_limit = Some(span);
        self
    }

    /// How long a call waits for what another computes; then it takes over: it computes itself, and the value of the other is
    /// for that one alone. In tasks it needs a [`timer`](Self::timer). For ever unless said otherwise.
    pub fn wait_timeout(mut self, span: Duration) -> Self {
        self.patience.wait = Some(span);
        self
    }

    /// How many computations run at once; as many as are asked for unless said otherwise. One beyond that waits, as a thread or as a
    /// task, until another has ended; where there is an old value, that is served at once, and nothing is computed for
    /// [`error_backoff`](Self::error_backoff). What is computed inside of a computation runs within that one's permit.
    ///
    /// ```
    /// use everwarm::Cache;
    ///
    /// let reports = Cache::builder("reports").max_computations(2).build()?;
    /// assert_eq!(reports.get_or_compute(&7, || "a report"), "a report");
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn max_computations(mut self, most: usize) -> Self {
        self.computations = Some(most);
        self
    }

    /// What makes a future that is ready when a span is over, for the time limits of tasks: `tokio::time::sleep`.
    pub fn timer<F>(mut self, timer: impl Fn(Duration) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        self.patience.timer = Some(Arc::new(move |span| Box::pin(timer(span))));
        self
    }

    /// The policy, refused where it cannot be meant or a part of it does nothing beside the rest.
    pub(crate) fn policy(&self) -> Result<Policy, Error> {
        let policy = self.parts.complete(self.policy)?;
        // Whatever counts beside a ttl counts beside those of the values.
        match self.judge.ttl_of {
            Some(_) => policy.with_any_ttl().validate()?,
            None => policy.validate()?,
        }
        let is_refreshed =
            policy.stale_while_revalidate.is_some() || policy.refresh_ahead.is_some();
        let is_limited = policy.soft_limit.is_some() || policy.hard_limit.is_some();
        let runs_behind = self.runners.background.is_some() || self.runners.spawn.is_some();
        if runs_behind && !is_refreshed && !is_limited {
            return Err(Error::config(
                "nothing is ever computed in the background here",
                "add stale_while_revalidate or refresh_ahead, or leave background and spawn out",
            ));
        }
        if policy.refresh_every().is_some() && !runs_behind {
            return Err(Error::config(
                "refresh_every computes nothing here, for nothing runs computations apart from their callers",
                "add background(...) for threads, or spawn(...) for tasks",
            ));
        }
        self.validate_patience(is_limited)?;
        if policy.error_backoff != Policy::default().error_backoff && !has_windows(&policy) {
            return Err(Error::config(
                "error_backoff does nothing while no old value is kept",
                "add stale_if_error, or leave error_backoff out",
            ));
        }
        Ok(policy)
    }

    fn validate_patience(&self, is_limited: bool) -> Result<(), Error> {
        let Patience { wait, timer, .. } = &self.patience;
        wait.map_or(Ok(()), |wait| {
            let limits = Limits {
                wait,
                ..Limits::default()
            };
            limits.validate()
        })?;
        let runs_apart =
            self.runners.background.is_some() || (self.runners.spawn.is_some() && timer.is_some());
        if is_limited && !runs_apart {
            return Err(Error::config(
                "soft_timeout and hard_timeout do nothing here, for each caller computes itself",
                "add background(...) for threads, or spawn(...) and timer(...) for tasks",
            ));
        }
        let measures = wait.is_some() || (is_limited && self.runners.spawn.is_some());
        if timer.is_some() && !measures {
            return Err(Error::config(
                "timer does nothing here, for no task is under a time limit",
                "add wait_timeout, or hard_timeout and spawn, or leave timer out",
            ));
        }
        Ok(())
    }
}
