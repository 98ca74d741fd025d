//! Freshness of decorated functions: `Err` and None among what they return.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use everwarm::cached;
use everwarm::duration::{mins, secs};
use everwarm::testing::ManualClock;

use crate::clock::{turn, with_clock};

#[test]
fn xfetch_refreshes_a_function_that_took_long() {
    thread_local! {
        static CLOCK: ManualClock = ManualClock::new();
    }
    #[cached(ttl = "1m", refresh_ahead = "xfetch:1e12")]
    fn slow(_page: u8) {
        CLOCK.with(|clock| clock.advance(secs(1)));
    }
    #[cached(ttl = "1m", refresh_ahead = "xfetch:1e12")]
    async fn slow_async(_page: u8) {
        slow::uncached(_page);
    }
    let _turn = turn();
    let _held = CLOCK.with(ManualClock::hold_functions);
    for _ in 0..2 {
        slow(7);
        pollster::block_on(slow_async(7));
    }
    for stats in [slow::stats(), slow_async::stats()] {
        assert_eq!((stats.misses, stats.refreshes), (1, 1));
    }
}

/// Counts up; an error while it is down.
struct Source(AtomicU32, AtomicU32);

impl Source {
    const fn new() -> Self {
        Self(AtomicU32::new(0), AtomicU32::new(0))
    }

    fn give(&self) -> Result<u32, &'static str> {
        let value = self.0.fetch_add(1, Ordering::Relaxed) + 1;
        match self.1.load(Ordering::Relaxed) {
            0 => Ok(value),
            _ => Err("down"),
        }
    }

    fn fail(&self, fails: bool) {
        self.1.store(u32::from(fails), Ordering::Relaxed);
    }
}

#[test]
fn the_old_value_stands_for_an_err_of_a_function() {
    static SOURCE: Source = Source::new();
    #[cached(ttl = "1m", stale_if_error = "1m", error_backoff = "5s")]
    fn rate(_currency: &str) -> Result<u32, &'static str> {
        SOURCE.give()
    }
    #[cached(ttl = "1m", stale_if_error = "1m", error_backoff = "5s")]
    async fn rate_async(_currency: &str) -> Result<u32, &'static str> {
        SOURCE.give()
    }
    for call in [|| rate("EUR"), || pollster::block_on(rate_async("EUR"))] {
        with_clock(|advance| {
            SOURCE.fail(false);
            let first = call();
            SOURCE.fail(true);
            advance(mins(1));
            assert_eq!((call(), call()), (first, first));
            advance(secs(5));
            SOURCE.fail(false);
            assert_ne!(call(), first);
            SOURCE.fail(true);
            advance(mins(2));
            assert_eq!(call(), Err("down"));
        });
    }
    assert_eq!((rate::stats().stale, rate_async::stats().stale), (2, 2));
}

#[test]
fn errors_of_a_function_are_remembered_where_that_is_asked_for() {
    static SOURCE: Source = Source::new();
    #[cached(ttl = "1m", negative_ttl = "10s", negative_errors = true)]
    fn rate(_currency: &str) -> Result<u32, &'static str> {
        SOURCE.give()
    }
    #[cached(ttl = "1m", negative_ttl = "10s", negative_errors = true)]
    async fn rate_async(_currency: &str) -> Result<u32, &'static str> {
        SOURCE.give()
    }
    for call in [|| rate("EUR"), || pollster::block_on(rate_async("EUR"))] {
        with_clock(|advance| {
            SOURCE.fail(true);
            assert_eq!(call(), Err("down"));
            SOURCE.fail(false);
            assert_eq!(call(), Err("down"));
            advance(secs(10));
            assert!(call().is_ok());
        });
    }
    assert_eq!(SOURCE.0.load(Ordering::Relaxed), 4);
}

#[test]
fn none_of_a_function_has_a_ttl_of_its_own() {
    #[cached(ttl = "1m", negative_ttl = "10s")]
    fn found(id: u32) -> Option<u32> {
        (id > 0).then_some(id)
    }
    #[cached(ttl = "1m", negative_ttl = "10s")]
    fn tried(id: u32) -> Result<Option<u32>, String> {
        Ok(found::uncached(id))
    }
    #[cached(ttl = "1m", negative_ttl = "10s", negative_errors = true)]
    fn either(id: u32) -> Result<Option<u32>, String> {
        Ok(found::uncached(id))
    }
    with_clock(|advance| {
        let call = |id| {
            let given = (id > 0).then_some(id);
            assert_eq!(
                (found(id), tried(id), either(id)),
                (given, Ok(given), Ok(given))
            );
        };
        [0, 0, 7, 7].into_iter().for_each(call);
        advance(secs(10));
        [0, 7].into_iter().for_each(call);
    });
    for stats in [found::stats(), tried::stats(), either::stats()] {
        assert_eq!((stats.computations, stats.hits), (3, 3));
    }
}

#[test]
fn what_a_function_gave_slides_and_its_failures_in_a_row_are_remembered_longer() {
    static SOURCE: Source = Source::new();
    #[rustfmt::skip]
    #[cached(
        ttl = "1m", sliding = 0.5, sliding_max_age = "90s", negative_ttl = "10s", negative_growth = 2.0,
        negative_max_ttl = "15s", negative_errors = true
    )]
    fn rate(_currency: &str) -> Result<u32, &'static str> {
        SOURCE.give()
    }
    #[rustfmt::skip]
    #[cached(
        ttl = "1m", sliding = 0.5, sliding_max_age = "90s", negative_ttl = "10s", negative_growth = 2.0,
        negative_max_ttl = "15s", negative_errors = true
    )]
    async fn rate_async(_currency: &str) -> Result<u32, &'static str> {
        SOURCE.give()
    }
    type Call = fn() -> Result<u32, &'static str>;
    type EndsIn = fn() -> Option<Duration>;
    let worlds: [(Call, EndsIn); 2] = [
        (|| rate("EUR"), || rate::peek("EUR")?.ttl),
        (
            || pollster::block_on(rate_async("EUR")),
            || rate_async::peek("EUR")?.ttl,
        ),
    ];
    for (call, ends_in) in worlds {
        with_clock(|advance| {
            SOURCE.fail(true);
            for seconds in [10, 15, 15] {
                assert_eq!(
                    (call(), call(), ends_in()),
                    (Err("down"), Err("down"), Some(secs(seconds)))
                );
                advance(secs(seconds));
            }
            SOURCE.fail(false);
            let first = call();
            for left in [59, 28] {
                advance(secs(31));
                assert_eq!((call(), ends_in()), (first, Some(secs(left))));
            }
        });
    }
}

#[test]
fn a_function_without_a_background_is_computed_by_who_meets_the_stale_value() {
    static SOURCE: Source = Source::new();
    #[cached(ttl = "1m", stale_while_revalidate = "1m")]
    fn rate(_currency: &str) -> Result<u32, &'static str> {
        SOURCE.give()
    }
    with_clock(|_| {
        assert_eq!(rate("EUR"), Ok(1));
        assert!(rate::mark_stale("EUR") && !rate::mark_stale("EUR"));
        assert_eq!(rate("EUR"), Ok(2));
        rate::mark_stale("EUR");
        SOURCE.fail(true);
        assert_eq!(rate("EUR"), Ok(2));
    });
}

#[test]
fn what_a_function_returns_says_its_own_ttl() {
    fn seconds(value: &u64) -> Option<Duration> {
        (*value < 100).then_some(secs(*value))
    }
    #[cached(ttl = "1m", ttl_of = seconds)]
    fn lasting(value: u64) -> u64 {
        value
    }
    #[cached(ttl_of = |value| (*value < 100).then(|| secs(*value)), stale_if_error = "1m")]
    async fn tried(value: u64) -> Result<u64, String> {
        Ok(value)
    }
    with_clock(|advance| {
        let ask = |value| (lasting(value), pollster::block_on(tried(value)));
        [0, 10, 100]
            .into_iter()
            .for_each(|value| assert_eq!(ask(value), (value, Ok(value))));
        assert!(lasting::peek(0).is_none() && tried::peek(0).is_none());
        let ttls = |value| {
            let (plain, result) = (lasting::peek(value), tried::peek(value));
            (
                plain.and_then(|seen| seen.ttl),
                result.and_then(|seen| seen.ttl),
            )
        };
        advance(secs(4));
        assert_eq!(ttls(10), (Some(secs(6)), Some(secs(6))));
        assert_eq!(ttls(100), (Some(secs(56)), None));
    });
}
