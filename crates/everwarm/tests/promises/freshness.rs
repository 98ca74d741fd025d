//! The table of freshness, row by row: what a call is given at a moment, what is computed, and what it is counted as, in threads
//! and in tasks.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use everwarm::duration::secs;
use everwarm::testing::ManualClock;
use everwarm::{Builder, Cache, RefreshAhead, Stats};

/// How a cache is described.
type Described = fn(Builder<u8, Option<u32>>) -> Builder<u8, Option<u32>>;

/// What a source gives: a value, nothing, or an error.
type Given = Result<Option<u32>, &'static str>;

/// One call after a first one that gave 1: when it comes, what the source would give, what the caller is given, whether that
/// was computed, and what it is counted as.
struct Row {
    name: &'static str,
    described: Described,
    after: u64,
    source: Given,
    given: Given,
    computed: bool,
    counted: fn(&Stats) -> u64,
}

const HIT: fn(&Stats) -> u64 = |stats| stats.hits;
const MISS: fn(&Stats) -> u64 = |stats| stats.misses - 1;
const STALE: fn(&Stats) -> u64 = |stats| stats.stale;

fn plain(builder: Builder<u8, Option<u32>>) -> Builder<u8, Option<u32>> {
    builder.ttl(secs(60))
}

fn revalidated(builder: Builder<u8, Option<u32>>) -> Builder<u8, Option<u32>> {
    plain(builder).stale_while_revalidate(secs(30))
}

fn if_error(builder: Builder<u8, Option<u32>>) -> Builder<u8, Option<u32>> {
    plain(builder).stale_if_error(secs(90))
}

fn ahead(builder: Builder<u8, Option<u32>>) -> Builder<u8, Option<u32>> {
    plain(builder).refresh_ahead(RefreshAhead::Fraction(0.5))
}

#[rustfmt::skip]
const ROWS: [Row; 15] = [
    Row { name: "fresh", described: plain, after: 59, source: Ok(Some(2)), given: Ok(Some(1)), computed: false, counted: HIT },
    Row { name: "over", described: plain, after: 60, source: Ok(Some(2)), given: Ok(Some(2)), computed: true, counted: MISS },
    Row { name: "over, and fails", described: plain, after: 60, source: Err("down"), given: Err("down"), computed: true, counted: MISS },
    Row { name: "revalidated: fresh", described: revalidated, after: 59, source: Ok(Some(2)), given: Ok(Some(1)), computed: false, counted: HIT },
    Row { name: "revalidated: the caller who meets it computes", described: revalidated, after: 60, source: Ok(Some(2)), given: Ok(Some(2)), computed: true, counted: STALE },
    Row { name: "revalidated: the old value stands for an error", described: revalidated, after: 89, source: Err("down"), given: Ok(Some(1)), computed: true, counted: STALE },
    Row { name: "revalidated: over", described: revalidated, after: 90, source: Err("down"), given: Err("down"), computed: true, counted: MISS },
    Row { name: "if error: fresh", described: if_error, after: 59, source: Err("down"), given: Ok(Some(1)), computed: false, counted: HIT },
    Row { name: "if error: no error", described: if_error, after: 60, source: Ok(Some(2)), given: Ok(Some(2)), computed: true, counted: MISS },
    Row { name: "if error: an error", described: if_error, after: 149, source: Err("down"), given: Ok(Some(1)), computed: true, counted: STALE },
    Row { name: "if error: over", described: if_error, after: 150, source: Err("down"), given: Err("down"), computed: true, counted: MISS },
    Row { name: "ahead: not yet", described: ahead, after: 29, source: Ok(Some(2)), given: Ok(Some(1)), computed: false, counted: HIT },
    Row { name: "ahead: the caller who meets it computes", described: ahead, after: 30, source: Ok(Some(2)), given: Ok(Some(2)), computed: true, counted: HIT },
    Row { name: "ahead: the old value stands for an error", described: ahead, after: 59, source: Err("down"), given: Ok(Some(1)), computed: true, counted: HIT },
    Row { name: "ahead: over", described: ahead, after: 60, source: Ok(Some(2)), given: Ok(Some(2)), computed: true, counted: MISS },
];

/// A call of a cache, in a thread or in a task, that counts its computations.
type Called = fn(&Cache<u8, Option<u32>>, Given, &Cell<u32>) -> Given;

fn in_a_thread(cache: &Cache<u8, Option<u32>>, source: Given, computed: &Cell<u32>) -> Given {
    let compute = || {
        computed.set(computed.get() + 1);
        source
    };
    cache
        .try_get_or_compute(&7, compute)
        .map_err(|error| *error)
}

fn in_a_task(cache: &Cache<u8, Option<u32>>, source: Given, computed: &Cell<u32>) -> Given {
    let compute = async || {
        computed.set(computed.get() + 1);
        source
    };
    let call = cache.try_get_or_compute_async(&7, compute);
    pollster::block_on(call).map_err(|error| *error)
}

const WORLDS: [Called; 2] = [in_a_thread, in_a_task];

/// A cache whose clock only the test moves.
fn built(described: Described) -> (Cache<u8, Option<u32>>, ManualClock) {
    let clock = ManualClock::new();
    let builder = described(Cache::builder("rows")).clock(&clock);
    (builder.build().expect("a valid description"), clock)
}

#[test]
fn every_row_in_threads_and_in_tasks() {
    for call in WORLDS {
        for row in &ROWS {
            let (name, computed) = (row.name, Cell::new(0));
            let (cache, clock) = built(row.described);
            assert_eq!(call(&cache, Ok(Some(1)), &computed), Ok(Some(1)), "{name}");
            clock.advance(secs(row.after));
            assert_eq!(call(&cache, row.source, &computed), row.given, "{name}");
            assert_eq!(computed.get() == 2, row.computed, "{name}");
            let stats = cache.stats();
            assert_eq!((row.counted)(&stats), 1, "{name}: {stats:?}");
            assert_eq!(stats.calls(), 2, "{name}: {stats:?}");
        }
    }
}

#[test]
fn after_a_failure_the_source_is_left_alone_until_the_backoff_ends() {
    for call in WORLDS {
        let described: [Described; 2] = [
            |builder| revalidated(builder).error_backoff(secs(5)),
            |builder| if_error(builder).error_backoff(secs(5)),
        ];
        for described in described {
            let (cache, clock) = built(described);
            let computed = Cell::new(0);
            let ask = |source| call(&cache, source, &computed);
            assert_eq!(ask(Ok(Some(1))), Ok(Some(1)));
            clock.advance(secs(61));
            assert_eq!((ask(Err("down")), computed.get()), (Ok(Some(1)), 2));
            clock.advance(secs(4));
            assert_eq!((ask(Ok(Some(2))), computed.get()), (Ok(Some(1)), 2));
            clock.advance(secs(1));
            assert_eq!((ask(Ok(Some(2))), computed.get()), (Ok(Some(2)), 3));
        }
    }
}

#[test]
fn nothing_has_a_ttl_of_its_own() {
    for call in WORLDS {
        let (cache, clock) = built(|builder| plain(builder).negative_ttl(secs(10)));
        let computed = Cell::new(0);
        let ask = |source| call(&cache, source, &computed);
        assert_eq!((ask(Ok(None)), ask(Ok(Some(1)))), (Ok(None), Ok(None)));
        clock.advance(secs(10));
        assert_eq!((ask(Ok(Some(1))), computed.get()), (Ok(Some(1)), 2));
        clock.advance(secs(59));
        assert_eq!((ask(Ok(None)), computed.get()), (Ok(Some(1)), 2));

        cache.set(7, None);
        clock.advance(secs(10));
        assert_eq!(cache.get(&7), None);
    }
}

#[test]
fn a_read_lengthens_the_life_of_what_slides() {
    for call in WORLDS {
        let (cache, clock) = built(|builder| {
            let builder = plain(builder).stale_if_error(secs(10)).sliding(0.5);
            builder.sliding_max_age(secs(100))
        });
        let computed = Cell::new(0);
        let ask = |source| (call(&cache, source, &computed), computed.get());
        let ends_in = |seconds| {
            let ttl = cache.peek(&7).and_then(|seen| seen.ttl);
            assert_eq!(ttl, Some(secs(seconds)));
        };
        assert_eq!(ask(Ok(Some(1))), (Ok(Some(1)), 1));
        clock.advance(secs(29));
        assert_eq!(ask(Ok(Some(2))), (Ok(Some(1)), 1));
        ends_in(31);
        clock.advance(secs(1));
        assert_eq!(ask(Ok(Some(2))), (Ok(Some(1)), 1));
        ends_in(60);
        clock.advance(secs(59));
        assert_eq!(ask(Ok(Some(2))), (Ok(Some(1)), 1));
        ends_in(11);
        clock.advance(secs(11));
        assert_eq!(ask(Err("down")), (Ok(Some(1)), 2), "the windows move too");
        clock.advance(secs(10));
        assert_eq!(ask(Ok(Some(2))), (Ok(Some(2)), 3));
        assert_eq!((cache.stats().hits, cache.stats().misses), (3, 2));
    }
}

#[test]
fn every_reader_lengthens_the_life_of_what_slides() {
    type Reader = fn(&Cache<u8, Option<u32>>) -> Option<Option<u32>>;
    let readers: [Reader; 2] = [
        |cache| cache.get(&7),
        |cache| cache.get_with_meta(&7).map(|seen| seen.value),
    ];
    for read in readers {
        let (cache, clock) = built(|builder| plain(builder).sliding(0.5));
        cache.set(7, Some(1));
        for _ in 0..9 {
            clock.advance(secs(31));
            assert!(cache.exists(&7));
            assert_eq!(read(&cache), Some(Some(1)));
        }
        assert_eq!((cache.stats().hits, cache.stats().misses), (9, 0));
        clock.advance(secs(60));
        assert_eq!(read(&cache), None);
    }
}

#[test]
fn nothing_in_a_row_is_remembered_longer_and_longer() {
    for call in WORLDS {
        let (cache, clock) = built(|builder| {
            let builder = plain(builder).negative_ttl(secs(10)).negative_growth(2.0);
            builder.negative_max_ttl(secs(30))
        });
        let nothing_for = |seconds| {
            assert_eq!(call(&cache, Ok(None), &Cell::new(0)), Ok(None));
            let ttl = cache.peek(&7).and_then(|seen| seen.ttl);
            assert_eq!(ttl, Some(secs(seconds)));
            clock.advance(secs(seconds));
        };
        [10, 20, 30, 30].into_iter().for_each(nothing_for);
        assert_eq!(call(&cache, Ok(Some(1)), &Cell::new(0)), Ok(Some(1)));
        clock.advance(secs(60));
        nothing_for(10);
        clock.advance(secs(10));
        nothing_for(10);
    }
}

#[test]
fn jitter_shortens_each_ttl_by_up_to_its_fraction() {
    for is_async in [false, true] {
        let (cache, clock) = built(|builder| plain(builder).jitter(0.5));
        for key in 0..100 {
            match is_async {
                false => cache.get_or_compute(&key, || Some(1)),
                true => pollster::block_on(cache.get_or_compute_async(&key, async || Some(1))),
            };
        }
        let fresh_after = |span| {
            clock.advance(span);
            (0..100).filter(|key| cache.exists(key)).count()
        };
        assert!(fresh_after(secs(29)) == 100);
        assert!((20..80).contains(&fresh_after(secs(16))));
        assert!(fresh_after(secs(15)) == 0);
    }
}

#[test]
fn xfetch_refreshes_before_the_ttl_ends_what_took_long() {
    for is_async in [false, true] {
        let clock = ManualClock::new();
        let builder = Cache::builder("slow").ttl(secs(60)).clock(&clock);
        let builder = builder.refresh_ahead(RefreshAhead::XFetch { beta: 1e12 });
        let cache = builder.build().expect("a valid description");
        let ask = |took, value| {
            let compute = || {
                clock.advance(took);
                value
            };
            match is_async {
                false => cache.get_or_compute(&7, compute),
                true => pollster::block_on(cache.get_or_compute_async(&7, async || compute())),
            }
        };
        assert_eq!(ask(secs(1), 1), 1);
        clock.advance(secs(1));
        assert_eq!(ask(Duration::ZERO, 2), 2);
        assert_eq!(cache.stats().misses, 1);
        clock.advance(secs(59));
        assert_eq!(
            ask(Duration::ZERO, 3),
            2,
            "what took no time is in no hurry"
        );
    }
}

#[test]
fn what_is_marked_stale_is_in_the_windows_after_its_ttl() {
    for call in WORLDS {
        let computed = Cell::new(0);
        for (described, given) in [
            (plain as Described, Err("down")),
            (revalidated, Ok(Some(1))),
            (if_error, Ok(Some(1))),
        ] {
            let (cache, _clock) = built(described);
            cache.set(7, Some(1));
            assert!(cache.mark_stale(&7) && !cache.exists(&7));
            assert_eq!(call(&cache, Err("down"), &computed), given);
        }
        assert_eq!(computed.get(), 3);
    }
}

#[test]
fn what_is_invalidated_is_in_no_window() {
    for call in WORLDS {
        for described in [revalidated, if_error] {
            let (cache, clock) = built(described);
            cache.using().tags(["rates"]).set(7, Some(1));
            clock.advance(secs(60));
            cache.invalidate_tags(["rates"]);
            assert_eq!(call(&cache, Err("down"), &Cell::new(0)), Err("down"));
        }
    }
}

#[test]
fn a_forced_refresh_is_given_no_old_value() {
    let (cache, _clock) = built(if_error);
    cache.set(7, Some(1));
    let forced = cache
        .using()
        .refresh()
        .try_get_or_compute(&7, || Err("down"));
    assert_eq!(forced, Err(Arc::new("down")));
    assert_eq!(cache.get(&7), Some(Some(1)));
}

#[test]
fn a_reader_is_served_in_the_window_and_computes_nothing() {
    let (cache, clock) = built(revalidated);
    cache.set(7, Some(1));
    clock.advance(secs(89));
    assert_eq!((cache.get(&7), cache.stats().stale), (Some(Some(1)), 1));
    assert!(cache.peek(&7).is_some() && cache.get_with_meta(&7).is_none());
    clock.advance(secs(1));
    assert_eq!(cache.get(&7), None);
}

#[test]
fn a_ttl_that_the_value_says_goes_before_that_of_the_cache_and_after_that_of_the_call() {
    for call in WORLDS {
        let described: Described = |builder| {
            let seconds = |value: &Option<u32>| value.map(|value| secs(value.into()));
            revalidated(builder).ttl_of(seconds)
        };
        let (cache, clock) = built(described);
        let computed = Cell::new(0);
        let ask = |source| call(&cache, source, &computed);
        assert_eq!(ask(Ok(Some(10))), Ok(Some(10)));
        clock.advance(secs(39));
        assert_eq!(ask(Err("down")), Ok(Some(10)), "it has the windows too");
        clock.advance(secs(1));
        assert_eq!(ask(Ok(None)), Ok(None));
        clock.advance(secs(59));
        assert_eq!((ask(Ok(Some(0))), computed.get()), (Ok(None), 3));
        clock.advance(secs(31));
        assert_eq!((ask(Ok(Some(0))), computed.get()), (Ok(Some(0)), 4));
        assert_eq!((ask(Ok(Some(0))), computed.get()), (Ok(Some(0)), 5));

        cache.using().ttl(secs(7)).set(7, Some(0));
        assert_eq!(cache.peek(&7).and_then(|seen| seen.ttl), Some(secs(7)));
        cache.using().no_ttl().set(7, Some(0));
        assert_eq!(cache.peek(&7).map(|seen| seen.ttl), Some(None));
    }
}
