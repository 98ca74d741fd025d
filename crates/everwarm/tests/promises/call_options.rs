//! One call of a decorated function, told to do differently.

use std::sync::atomic::{AtomicU32, Ordering};

use everwarm::duration::{hours, mins, secs};
use everwarm::{CallOptions, ErrorKind, cached};

use crate::clock::with_clock;

const ORDINARY: fn() -> CallOptions = CallOptions::new;

#[test]
fn each_option_has_the_call_do_so() {
    static COMPUTED: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn next(_key: u8) -> u32 {
        COMPUTED.fetch_add(1, Ordering::Relaxed) + 1
    }
    let kept = |key| next::peek(key).map(|seen| seen.value);
    assert_eq!((next::using(ORDINARY(), 7), kept(7)), (1, Some(1)));
    assert_eq!((next::using(ORDINARY(), 7), next(7)), (1, 1));
    assert_eq!(
        (next::using(ORDINARY().refresh(), 7), kept(7)),
        (2, Some(2))
    );
    assert_eq!(
        (next::using(ORDINARY().write_only(), 7), kept(7)),
        (3, Some(3))
    );
    assert_eq!(
        (next::using(ORDINARY().read_only(), 7), kept(7)),
        (3, Some(3))
    );
    assert_eq!((next::using(ORDINARY().read_only(), 8), kept(8)), (4, None));
    assert_eq!((next::using(ORDINARY().skip(), 7), kept(7)), (5, Some(3)));
    assert_eq!((next::stats().bypass, next::stats().refused), (2, 0)); // `refresh` is one, too.
}

#[test]
fn an_age_is_the_most_that_a_call_takes() {
    #[cached(ttl = "1h", stale_if_error = "2h")]
    fn quote(day: u64) -> Result<u64, String> {
        Ok(day)
    }
    with_clock(|advance| {
        let young = |age| quote::using(ORDINARY().max_age(age), 7);
        quote::prime(Ok(1), 7);
        advance(secs(5));
        assert_eq!(
            (young(secs(5)), young(secs(4)), quote(7)),
            (Ok(1), Ok(7), Ok(7))
        );
        quote::prime(Ok(1), 7);
        advance(hours(1) + mins(1));
        let old = |span| quote::using(ORDINARY().max_stale(span), 7);
        assert_eq!((old(mins(1)), old(secs(59))), (Ok(1), Ok(7)));
    });
}

#[test]
fn a_task_is_told_as_well_and_a_method() {
    #[cached]
    async fn slow(key: u8) -> u8 {
        key
    }
    struct Shop;
    impl Shop {
        #[cached(key = "{sku}")]
        fn price(&self, sku: &str) -> usize {
            sku.len()
        }
    }
    pollster::block_on(async {
        assert_eq!(
            slow::only_if_cached(7).await.unwrap_err().kind(),
            ErrorKind::NotCached
        );
        assert_eq!(slow::using(ORDINARY().read_only(), 7).await, 7);
        assert_eq!(slow::using(ORDINARY(), 7).await, 7);
        assert_eq!(slow::only_if_cached(7).await, Ok(7));
    });
    assert_eq!(slow::stats().computations, 2);
    assert_eq!(Shop.price_using(ORDINARY().skip(), "lamp"), 4);
    assert_eq!(
        (Shop.price_only_if_cached("lamp").ok(), Shop.price("lamp")),
        (None, 4)
    );
    assert_eq!(Shop.price_only_if_cached("lamp"), Ok(4));
}

#[test]
fn what_is_served_old_is_there_for_who_computes_nothing() {
    #[cached(ttl = "5m", stale_while_revalidate = "1h")]
    fn page(id: u8) -> u8 {
        id
    }
    with_clock(|advance| {
        let error = page::only_if_cached(7).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotCached);
        assert!(error.to_string().contains("page") && error.hint().contains("call the function"));
        page::prime(1, 7);
        advance(mins(6));
        assert_eq!(
            (page::only_if_cached(7), page::stats().computations),
            (Ok(1), 0)
        );
        advance(hours(1));
        assert!(page::only_if_cached(7).is_err());
        assert_eq!((page::stats().misses, page::stats().stale), (2, 1));
    });
}

#[test]
#[should_panic(expected = "a call cannot be told both refresh and read_only")]
fn a_contradiction_panics_whatever_is_there() {
    #[cached]
    fn one(key: u8) -> u8 {
        key
    }
    one(7);
    one::using(ORDINARY().refresh().read_only(), 7);
}

#[test]
fn a_call_that_goes_past_the_cache_waits_for_nobody() {
    #[cached]
    fn outer(key: u8) -> u8 {
        match key {
            0 => 0,
            // It would wait for itself.
            key => outer::using(ORDINARY().skip(), key - key) + key,
        }
    }
    assert_eq!(outer(3), 3);
    assert!(outer::peek(0).is_none());
}
