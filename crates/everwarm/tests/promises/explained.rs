//! Why a call is a hit or a miss, told of functions and of typed caches.

use everwarm::duration::{mins, secs};
use everwarm::testing::ManualClock;
use everwarm::{Cache, Explanation, cached};

use crate::clock::with_clock;

/// The status, the reason, and by what, of an explanation that says something in words, too.
fn told(explanation: &Explanation) -> (&'static str, &'static str, Option<&str>) {
    assert!(explanation.to_string().len() > 20);
    (
        explanation.status,
        explanation.reason,
        explanation.by.as_deref(),
    )
}

#[test]
fn a_function_says_why() {
    #[cached(ttl = "5m", max_entries = 1, tags = ["id:{id}"], when = |value| *value < 100)]
    fn page(id: u64) -> u64 {
        id
    }
    with_clock(|advance| {
        let is = |id, expected| assert_eq!(told(&page::explain(id)), expected);
        is(7, ("miss", "never_stored", None));
        page(7);
        is(7, ("hit", "fresh", None));
        assert_eq!(page::explain(7).ttl, Some(mins(5)));
        everwarm::invalidate_tags(["id:7"]);
        is(7, ("miss", "invalidated", Some("id:7")));
        page(7);
        page::invalidate(7);
        is(7, ("miss", "invalidated", Some("invalidate")));
        page(7);
        page::mark_stale(7);
        is(7, ("miss", "marked_stale", Some("mark_stale")));
        page(7);
        page::clear();
        is(7, ("miss", "cleared", Some("clear")));
        page(7);
        advance(mins(5));
        is(7, ("miss", "expired", None));
        page(7);
        // As many as it takes, and no more: what left is remembered for a bounded number of keys.
        let mut others = 20..40;
        while page::explain(7).status == "hit" {
            page(others.next().expect("it is not kept for ever"));
        }
        is(7, ("miss", "evicted", None));
        page(100);
        is(100, ("miss", "not_storable", None));
        assert_eq!(page::stats().hits, 0, "it counts nothing");
    });
}

#[test]
fn what_is_too_heavy_names_its_bound() {
    #[cached(max_bytes = 10_000, max_entry_bytes = 1_000, weigher = |text| text.len() as u64)]
    fn text(length: usize) -> String {
        "x".repeat(length)
    }
    for length in [10, 2_000] {
        text(length);
    }
    assert_eq!(told(&text::explain(10)), ("hit", "fresh", None));
    assert_eq!(
        told(&text::explain(2_000)),
        ("miss", "too_heavy", Some("max_entry_bytes"))
    );
}

#[test]
fn windows_lie_before_an_entry() {
    let clock = ManualClock::new();
    let rates = Cache::builder("rates")
        .ttl(secs(60))
        .stale_while_revalidate(secs(30))
        .stale_if_error(secs(3_600))
        .clock(&clock)
        .build()
        .unwrap();
    rates.set("EUR".to_owned(), 1.1);
    clock.advance(secs(20));
    let seen = rates.explain("EUR");
    assert_eq!(told(&seen), ("hit", "fresh", None));
    assert_eq!((seen.age, seen.ttl), (Some(secs(20)), Some(secs(40))));
    assert_eq!((seen.refresh_in, seen.stale_for), (None, Some(secs(70))));
    assert_eq!(
        (seen.fallback_for, seen.retry_in),
        (Some(secs(3_640)), None)
    );
    clock.advance(secs(50));
    assert_eq!(told(&rates.explain("EUR")), ("stale", "stale", None));
    clock.advance(secs(30));
    assert_eq!(
        told(&rates.explain("EUR")),
        ("miss", "stale_if_error", None)
    );
    assert!(rates.try_get_or_compute("EUR", || Err("down")).is_ok());
    let held = rates.explain("EUR");
    assert_eq!(
        (told(&held), held.retry_in),
        (("stale", "held", None), Some(secs(10)))
    );
}

#[test]
fn what_is_being_computed_says_so() {
    let cache = Cache::new("names");
    let inner = cache.get_or_compute(&7, || told(&cache.explain(&7)).1);
    assert_eq!(inner, "computing");
    assert_eq!(cache.explain(&7).ttl, None);
}

#[test]
fn a_typed_cache_knows_of_what_is_still_there() {
    let cache = Cache::builder("users")
        .tags(|id: &u64| [format!("user:{id}")])
        .build()
        .unwrap();
    cache.set(7, "Ada");
    cache.invalidate_tags(["user:7"]);
    assert_eq!(
        told(&cache.explain(&7)),
        ("miss", "invalidated", Some("user:7"))
    );
    cache.set(7, "Ada");
    cache.delete(&7);
    assert_eq!(told(&cache.explain(&7)), ("miss", "unknown", None));
}
