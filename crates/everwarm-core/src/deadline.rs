//! How long an operation of a store may take.

use std::time::Duration;

use crate::clock::Instant;
use crate::latency::Latencies;

/// The time that each mebibyte is given besides.
const PER_MEBIBYTE: Duration = Duration::from_millis(10);
/// No limit learnt from experience is shorter.
const SHORTEST: Duration = Duration::from_millis(5);
/// Of fewer answers nothing is learnt.
const LEAST: u64 = 100;
/// How often what was learnt is thought over.
const EACH: u64 = 50;
/// Experience is forgotten after one to two of these.
const SPAN: Duration = Duration::from_secs(5);

/// The deadline of an operation, by the kind of its store: `postgres`.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::deadline;
///
/// assert_eq!(deadline::of("redis"), Duration::from_millis(50));
/// assert_eq!(deadline::of("s3"), Duration::from_secs(2));
/// ```
#[must_use]
pub fn of(kind: &str) -> Duration {
    match kind {
        "postgres" | "mysql" | "sqlite" | "mongodb" | "dynamodb" => Duration::from_millis(250),
        "s3" | "gs" | "az" | "http" | "https" => Duration::from_secs(2),
        _ => Duration::from_millis(50),
    }
}

/// The time besides for an operation that moves so many bytes.
#[must_use]
pub fn allowance(size: usize) -> Duration {
    let micros = size as u128 * PER_MEBIBYTE.as_micros() / (1 << 20);
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

/// How fast a store is, and so how long is waited for it: three times what 99 of 100 answers took, at least 5 ms, at most the
/// deadline.
///
/// Only successes are counted: were what was too late counted, a slow store would be waited for ever longer. They are forgotten after
/// five to ten seconds, so that a store that has become slower for good is waited for until the deadline again.
#[derive(Clone, Debug)]
pub struct Pace {
    deadline: Duration,
    limit: Duration,
    since: Instant,
    recent: Latencies,
    former: Latencies,
    counted: u64,
}

impl Pace {
    /// Nothing is known yet: the limit is the deadline.
    #[must_use]
    pub fn new(deadline: Duration) -> Self {
        Self {
            deadline,
            limit: deadline,
            since: Instant::ZERO,
            recent: Latencies::default(),
            former: Latencies::default(),
            counted: 0,
        }
    }

    /// How long an operation that begins now may take.
    pub fn limit(&mut self, now: Instant) -> Duration {
        self.age(now);
        self.limit
    }

    /// Takes note of a success that took so long.
    pub fn succeeded(&mut self, took: Duration, now: Instant) {
        self.age(now);
        self.recent.count(took);
        self.counted += 1;
        if self.counted.is_multiple_of(EACH) {
            self.learn();
        }
    }

    fn age(&mut self, now: Instant) {
        let passed = now.since(self.since);
        if passed < SPAN {
            return;
        }
        let recent = std::mem::take(&mut self.recent);
        self.former = match passed < 2 * SPAN {
            true => recent,
            false => Latencies::default(),
        };
        self.since = now;
        self.learn();
    }

    fn learn(&mut self) {
        let known = self.recent.and(&self.former);
        let enough = known.total() >= LEAST;
        let p99 = known.quantile(0.99).filter(|_| enough);
        self.limit = p99.map_or(self.deadline, |p99| {
            (3 * p99).max(SHORTEST).min(self.deadline)
        });
    }
}
