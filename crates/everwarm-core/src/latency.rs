//! How long answers took: counts in buckets whose bounds grow by a quarter at most, so that a quantile is never more than that off.

use std::time::Duration;

/// How many buckets there are: four for each doubling from 128 ns to 69 s, and one for what is shorter.
pub const BUCKETS: usize = 1 + 4 * (37 - FIRST) as usize;
/// What takes less than two to the power of this, in nanoseconds, is in the first bucket.
const FIRST: u32 = 7;

/// The bucket of a span; the last one has all that is longer, too.
///
/// ```
/// use std::time::Duration;
/// use everwarm_core::latency::{bucket, upper};
///
/// let span = Duration::from_millis(3);
/// let upper = upper(bucket(span));
/// assert!(span < upper && upper <= span * 5 / 4);
/// ```
#[must_use]
pub fn bucket(span: Duration) -> usize {
    let nanos = u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
    let Some(power) = nanos.checked_ilog2().filter(|power| *power >= FIRST) else {
        return 0;
    };
    let quarter = (nanos >> (power - 2)) & 3;
    (1 + 4 * (power - FIRST) as usize + quarter as usize).min(BUCKETS - 1)
}

/// What is in a bucket took less than this.
#[must_use]
pub const fn upper(bucket: usize) -> Duration {
    if bucket == 0 {
        return Duration::from_nanos(1 << FIRST);
    }
    let (power, quarter) = ((bucket - 1) as u32 / 4 + FIRST, (bucket as u64 - 1) % 4);
    Duration::from_nanos((5 + quarter) << (power - 2))
}

/// How many answers took how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Latencies {
    counts: [u64; BUCKETS],
}

impl Default for Latencies {
    fn default() -> Self {
        Self {
            counts: [0; BUCKETS],
        }
    }
}

impl Latencies {
    /// These counts, from the first bucket on.
    #[must_use]
    pub const fn of(counts: [u64; BUCKETS]) -> Self {
        Self { counts }
    }

    /// Counts an answer.
    pub fn count(&mut self, span: Duration) {
        self.counts[bucket(span)] += 1;
    }

    /// The counts, from the first bucket on.
    #[must_use]
    pub const fn counts(&self) -> &[u64; BUCKETS] {
        &self.counts
    }

    /// How many answers there were.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Both together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        Self {
            counts: std::array::from_fn(|at| self.counts[at] + other.counts[at]),
        }
    }

    /// How long this share of the answers took at most; None if there were none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use everwarm_core::latency::Latencies;
    ///
    /// let mut latencies = Latencies::default();
    /// (1..=100).for_each(|millis| latencies.count(Duration::from_millis(millis)));
    /// let median = latencies.quantile(0.5).unwrap();
    /// assert!((50..=63).contains(&median.as_millis()), "{median:?}");
    /// ```
    #[must_use]
    pub fn quantile(&self, share: f64) -> Option<Duration> {
        let total = self.total();
        let wanted = ((total as f64 * share).ceil() as u64).clamp(1, total.max(1));
        let mut seen = 0;
        let at = self.counts.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        at.map(upper)
    }
}
