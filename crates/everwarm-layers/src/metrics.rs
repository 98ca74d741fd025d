//! The layer of numbers: how many operations there were, how they ended, and how long they took.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use everwarm_core::clock::Clock;
use everwarm_core::latency::{BUCKETS, Latencies, bucket};
use everwarm_core::layer::{Layer, Verb};
use everwarm_core::store::{Answer, Failure, FailureKind};

/// Of answers that are there at once, one in this many is timed, and counts for all of them: two looks at the clock cost more than
/// what else is done here.
const SAMPLE: u64 = 64;

/// Counts what passes, by verb.
pub struct Metrics {
    clock: Arc<dyn Clock>,
    verbs: [Tally; Verb::ALL.len()],
}

/// What was counted of a verb.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Operations that began.
    pub calls: u64,
    /// Those among the answered that found nothing.
    pub misses: u64,
    /// Those whose answers nobody waited for.
    pub abandoned: u64,
    /// Those that failed, by kind, where there were any.
    pub failures: Vec<(FailureKind, u64)>,
    /// How long answers and failures took.
    pub latencies: Latencies,
}

struct Tally {
    calls: AtomicU64,
    misses: AtomicU64,
    abandoned: AtomicU64,
    failures: [AtomicU64; FailureKind::ALL.len()],
    latencies: [AtomicU64; BUCKETS],
}

impl Metrics {
    /// Nothing counted; times are taken by `clock`, which should be a fine one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            verbs: std::array::from_fn(|_| Tally::default()),
        }
    }

    /// What was counted of a verb so far.
    #[must_use]
    pub fn counted(&self, verb: Verb) -> Counted {
        self.verbs[verb as usize].read()
    }

    fn count<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        is_miss: fn(&T) -> bool,
        attempt: impl FnOnce() -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        let tally = &self.verbs[verb as usize];
        let is_sample = tally
            .calls
            .fetch_add(1, Ordering::Relaxed)
            .is_multiple_of(SAMPLE);
        let begun = is_sample.then(|| self.clock.now());
        let later = match attempt().now() {
            Ok(result) => {
                tally.ended(&result, is_miss);
                if let Some(begun) = begun {
                    tally.took(self.clock.now().since(begun), SAMPLE);
                }
                return Answer::Now(result);
            }
            Err(later) => later,
        };
        let unended = Unended(Some(tally));
        Answer::later(async move {
            let begun = self.clock.now();
            let result = later.await;
            unended.ended();
            tally.ended(&result, is_miss);
            tally.took(self.clock.now().since(begun), 1);
            result
        })
    }
}

impl Layer for Metrics {
    fn around<'a, T: Send + 'a>(
        &'a self,
        verb: Verb,
        _: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        self.count(verb, |_| false, attempt)
    }

    fn look<'a, T: Send + 'a>(
        &'a self,
        is_miss: fn(&T) -> bool,
        _: usize,
        attempt: impl Fn() -> Answer<'a, T> + Send + Sync + 'a,
    ) -> Answer<'a, T> {
        self.count(Verb::Read, is_miss, attempt)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            calls: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            abandoned: AtomicU64::new(0),
            failures: Default::default(),
            latencies: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Tally {
    fn ended<T>(&self, result: &Result<T, Failure>, is_miss: fn(&T) -> bool) {
        match result {
            Ok(value) if is_miss(value) => bump(&self.misses),
            Ok(_) => {}
            Err(failure) => bump(&self.failures[failure.kind as usize]),
        }
    }

    fn took(&self, span: Duration, weight: u64) {
        self.latencies[bucket(span)].fetch_add(weight, Ordering::Relaxed);
    }

    fn read(&self) -> Counted {
        let failures = FailureKind::ALL.into_iter();
        let failures = failures.map(|kind| (kind, read(&self.failures[kind as usize])));
        Counted {
            calls: read(&self.calls),
            misses: read(&self.misses),
            abandoned: read(&self.abandoned),
            failures: failures.filter(|(_, count)| *count > 0).collect(),
            latencies: Latencies::of(std::array::from_fn(|at| read(&self.latencies[at]))),
        }
    }
}

/// An operation whose answer is awaited; dropped before it ends, it was abandoned.
struct Unended<'a>(Option<&'a Tally>);

impl Unended<'_> {
    fn ended(mut self) {
        self.0 = None;
    }
}

impl Drop for Unended<'_> {
    fn drop(&mut self) {
        if let Some(tally) = self.0 {
            bump(&tally.abandoned);
        }
    }
}

fn bump(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

fn read(count: &AtomicU64) -> u64 {
    count.load(Ordering::Relaxed)
}
