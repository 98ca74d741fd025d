//! How long stores are waited for: learnt from their successes, within bounds, and forgotten.

use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::deadline::{self, Pace, allowance};
use everwarm_core::latency::{BUCKETS, Latencies, bucket, upper};
use proptest::prelude::*;

const DEADLINE: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A pace after so many successes, at the beginning.
fn after(successes: &[(Duration, u32)]) -> Pace {
    let mut pace = Pace::new(DEADLINE);
    for &(took, count) in successes {
        (0..count).for_each(|_| pace.succeeded(took, Instant::ZERO));
    }
    pace
}

#[test]
fn the_classes_of_stores() {
    let classes = [
        (50, &["memory", "disk", "file", "redis", "memcached"][..]),
        (250, &["postgres", "mysql", "sqlite", "mongodb", "dynamodb"]),
        (2_000, &["s3", "gs", "az", "http", "https"]),
    ];
    for (deadline, kinds) in classes {
        for kind in kinds {
            assert_eq!(deadline::of(kind), millis(deadline), "{kind}");
        }
    }
}

#[test]
fn each_mebibyte_has_ten_milliseconds() {
    assert_eq!(allowance(0), Duration::ZERO);
    assert_eq!(allowance(3 << 20), millis(30));
    assert_eq!(allowance(1 << 10), Duration::from_micros(9));
}

#[test]
fn nothing_is_learnt_from_little() {
    assert_eq!(after(&[(millis(2), 99)]).limit(Instant::ZERO), DEADLINE);
    assert_ne!(after(&[(millis(2), 100)]).limit(Instant::ZERO), DEADLINE);
}

#[test]
fn the_limit_is_three_times_what_nearly_all_took() {
    let limit = after(&[(millis(4), 1_000)]).limit(Instant::ZERO);
    assert!((millis(12)..=millis(15)).contains(&limit), "{limit:?}");
    // One in a thousand that takes longer changes nothing; two in a hundred do.
    let limit = after(&[(millis(4), 999), (millis(12), 1)]).limit(Instant::ZERO);
    assert!(limit <= millis(15), "{limit:?}");
    let limit = after(&[(millis(4), 980), (millis(12), 20)]).limit(Instant::ZERO);
    assert!(limit >= millis(36), "{limit:?}");
}

#[test]
fn the_limit_has_bounds() {
    let quick = after(&[(Duration::from_micros(100), 1_000)]).limit(Instant::ZERO);
    assert_eq!(quick, millis(5));
    let slow = after(&[(millis(40), 1_000)]).limit(Instant::ZERO);
    assert_eq!(slow, DEADLINE);
    let mut short = Pace::new(millis(2));
    (0..100).for_each(|_| short.succeeded(millis(1), Instant::ZERO));
    assert_eq!(short.limit(Instant::ZERO), millis(2));
}

#[test]
fn without_successes_it_is_forgotten_within_ten_seconds() {
    let mut pace = after(&[(millis(1), 1_000)]);
    let short = pace.limit(Instant::ZERO);
    assert_eq!(pace.limit(Instant::ZERO.after(6 * SECOND)), short);
    assert_eq!(pace.limit(Instant::ZERO.after(11 * SECOND)), DEADLINE);
    let mut pace = after(&[(millis(1), 1_000)]);
    assert_eq!(pace.limit(Instant::ZERO.after(60 * SECOND)), DEADLINE);
}

proptest! {
    #[test]
    fn a_bucket_is_never_a_quarter_off(nanos in 128..60_000_000_000_u64) {
        let span = Duration::from_nanos(nanos);
        let upper = upper(bucket(span));
        prop_assert!(span < upper && upper.as_nanos() * 4 <= span.as_nanos() * 5 + 8, "{span:?} {upper:?}");
    }

    #[test]
    fn a_quantile_is_that_of_the_sorted_list(mut spans in prop::collection::vec(1..10_000_000_u64, 1..200), share in 0.01..1.0_f64) {
        let mut latencies = Latencies::default();
        spans.iter().for_each(|nanos| latencies.count(Duration::from_nanos(*nanos)));
        spans.sort_unstable();
        let at = ((spans.len() as f64 * share).ceil() as usize).max(1) - 1;
        prop_assert_eq!(latencies.quantile(share), Some(upper(bucket(Duration::from_nanos(spans[at])))));
    }

    #[test]
    fn buckets_are_in_order(nanos in any::<u64>(), more in any::<u32>()) {
        let (less, more) = (Duration::from_nanos(nanos), Duration::from_nanos(nanos.saturating_add(u64::from(more))));
        prop_assert!(bucket(less) <= bucket(more) && bucket(more) < BUCKETS);
    }
}
