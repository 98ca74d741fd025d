//! Timed refresh: what is in use is computed anew as time goes by, in threads and in tasks, of caches and of functions.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use everwarm::duration::{millis, mins, secs};
use everwarm::testing::ManualClock;
use everwarm::{Builder, Cache, RefreshAhead, cached};

use crate::clock::turn;

/// A cache whose values are numbered as they are computed, asked in threads or in tasks.
struct World {
    cache: Cache<u8, u32>,
    clock: ManualClock,
    source: Arc<Source>,
    is_async: bool,
}

#[derive(Default)]
struct Source {
    asked: AtomicU32,
    is_down: AtomicU32,
}

impl Source {
    fn answer(&self) -> Result<u32, &'static str> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed) + 1;
        match self.is_down.load(Ordering::Relaxed) {
            0 => Ok(asked),
            _ => Err("down"),
        }
    }
}

fn described(clock: &ManualClock) -> Builder<u8, u32> {
    Cache::builder("rates")
        .ttl(mins(10))
        .refresh_every(secs(60))
        .error_backoff(secs(20))
        .clock(clock)
        .background(|work| work())
        .spawn(pollster::block_on)
}

impl World {
    fn both() -> [Self; 2] {
        [false, true].map(|is_async| {
            let clock = ManualClock::new();
            Self {
                cache: described(&clock).build().unwrap(),
                clock,
                source: Arc::default(),
                is_async,
            }
        })
    }

    fn ask(&self, key: u8) -> Result<u32, &'static str> {
        let (source, call) = (Arc::clone(&self.source), self.cache.using().in_background());
        let given = match self.is_async {
            false => call.try_get_or_compute(&key, move || source.answer()),
            true => pollster::block_on(
                call.try_get_or_compute_async(&key, move || async move { source.answer() }),
            ),
        };
        given.map_err(|error| *error)
    }

    fn asked(&self) -> u32 {
        self.source.asked.load(Ordering::Relaxed)
    }
}

#[test]
fn what_was_read_is_computed_anew_when_it_is_due() {
    for world in World::both() {
        assert_eq!([world.ask(1), world.ask(1), world.ask(1)], [Ok(1); 3]);
        world.clock.advance(secs(59));
        assert_eq!(world.cache.run_due(), 0);
        world.clock.advance(secs(1));
        assert_eq!((world.cache.run_due(), world.cache.get(&1)), (1, Some(2)));
        let seen = world.cache.peek(&1).unwrap();
        assert_eq!((seen.age, seen.ttl), (secs(0), Some(mins(10))));
        let stats = world.cache.stats();
        assert_eq!((stats.hits, stats.misses, stats.stale), (3, 1, 0));
        assert_eq!((stats.computations, stats.refreshes), (2, 1));
    }
}

#[test]
fn what_nobody_has_read_since_is_left_alone() {
    for world in World::both() {
        assert_eq!(world.ask(1), Ok(1));
        world.clock.advance(secs(60));
        assert_eq!((world.cache.run_due(), world.asked()), (0, 1));
        assert_eq!(
            world.ask(1),
            Ok(1),
            "it is due, and computed behind its caller"
        );
        assert_eq!((world.asked(), world.ask(1)), (2, Ok(2)));
        world.clock.advance(secs(60));
        assert_eq!((world.cache.run_due(), world.cache.run_due()), (1, 0));
        world.clock.advance(secs(60));
        assert_eq!((world.cache.run_due(), world.asked()), (0, 3));
    }
}

#[test]
fn who_reads_what_is_there_is_no_use_and_hides_none() {
    for world in World::both() {
        world.cache.set(1, 7);
        assert_eq!(world.cache.get(&1), Some(7));
        assert!(world.cache.exists(&1) && world.cache.get_with_meta(&1).is_some());
        assert_eq!(world.cache.get_or_compute(&2, || 8), 8);
        world.clock.advance(secs(30));
        assert_eq!(world.ask(1), Ok(7), "the first call that could compute it");
        world.clock.advance(secs(30));
        assert_eq!((world.cache.run_due(), world.cache.get(&1)), (1, Some(1)));
        let stats = world.cache.stats();
        assert_eq!((stats.hits, stats.misses), (4, 1));
    }
}

#[test]
fn after_a_failure_the_next_call_tries_again_once_the_back_off_is_over() {
    for world in World::both() {
        assert_eq!([world.ask(1), world.ask(1)], [Ok(1); 2]);
        world.source.is_down.store(1, Ordering::Relaxed);
        world.clock.advance(secs(60));
        assert_eq!((world.cache.run_due(), world.asked()), (1, 2));
        assert_eq!([world.ask(1), world.ask(1)], [Ok(1); 2]);
        assert_eq!((world.cache.run_due(), world.asked()), (0, 2), "it is held");
        world.clock.advance(secs(20));
        assert_eq!((world.ask(1), world.asked()), (Ok(1), 3));
    }
}

#[test]
fn what_is_gone_is_not_brought_back_and_what_is_younger_is_left_alone() {
    for world in World::both() {
        assert_eq!([world.ask(1), world.ask(1)], [Ok(1); 2]);
        assert_eq!([world.ask(2), world.ask(2)], [Ok(2); 2]);
        world.cache.delete(&1);
        world.clock.advance(secs(1));
        world.cache.set(2, 7);
        world.clock.advance(secs(59));
        assert_eq!((world.cache.run_due(), world.asked()), (0, 2));
        assert_eq!((world.cache.get(&1), world.cache.get(&2)), (None, Some(7)));
    }
}

#[test]
fn what_is_being_computed_is_not_computed_beside_it() {
    for world in World::both() {
        assert_eq!([world.ask(1), world.ask(1)], [Ok(1); 2]);
        world.clock.advance(secs(60));
        let cache = world.cache.clone();
        let given = world.cache.using().refresh().get_or_compute(&1, move || {
            assert_eq!(cache.run_due(), 0);
            9
        });
        assert_eq!((given, world.asked()), (9, 1));
    }
}

#[test]
fn a_value_that_is_invalidated_while_it_is_computed_is_not_kept() {
    let clock = ManualClock::new();
    let cache = described(&clock).tags(|_: &u8| ["rates"]).build().unwrap();
    let inner = cache.clone();
    let ask = move || {
        let within = inner.clone();
        let compute = move || {
            within.invalidate_tags(["rates"]);
            2
        };
        inner.using().in_background().get_or_compute(&1, compute)
    };
    cache.set(1, 1);
    assert_eq!(ask(), 1);
    clock.advance(secs(60));
    assert_eq!((cache.run_due(), cache.get(&1)), (1, None));
}

#[test]
fn so_many_keys_are_held_and_no_more() {
    let clock = ManualClock::new();
    let cache: Cache<u32, u32> = Cache::builder("many")
        .ttl(mins(10))
        .refresh_every(secs(60))
        .background(|work| work())
        .clock(&clock)
        .build()
        .unwrap();
    let held = Arc::new(());
    for key in 0..1_100 {
        cache.set(key, key);
        let with = Arc::clone(&held);
        let compute = move || key + u32::try_from(Arc::strong_count(&with)).unwrap();
        cache.using().in_background().get_or_compute(&key, compute);
    }
    assert_eq!(Arc::strong_count(&held), 1_001);
    clock.advance(secs(60));
    assert_eq!((cache.run_due(), Arc::strong_count(&held)), (1_000, 1));
    drop(cache);
}

#[test]
fn what_is_noted_ends_with_its_cache() {
    let clock = ManualClock::new();
    let cache = described(&clock).build().unwrap();
    let (held, inner) = (Arc::new(()), cache.clone());
    cache.set(1, 1);
    let with = Arc::clone(&held);
    let compute = move || u32::from(Arc::strong_count(&with) == 0);
    inner.using().in_background().get_or_compute(&1, compute);
    assert_eq!(Arc::strong_count(&held), 2);
    drop((cache, inner));
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn a_thread_that_is_asked_for_sees_to_it_and_outlives_a_panic() {
    let clock = ManualClock::new();
    let cache = described(&clock).build().unwrap();
    let note = |key: u8, compute: fn() -> u32| {
        cache.set(key, 1);
        cache.using().in_background().get_or_compute(&key, compute);
    };
    note(1, || panic!("as the test wants it"));
    clock.advance(secs(60));
    let refreshing = cache.refresh_in_thread();
    note(2, || 2);
    while cache.stats().refreshes == 0 {
        thread::yield_now();
    }
    clock.advance(secs(60));
    while cache.get(&2) != Some(2) {
        thread::sleep(millis(1));
    }
    assert_eq!((cache.get(&1), cache.stats().refreshes), (Some(1), 2));
    drop(refreshing);
}

#[test]
fn a_thread_ends_with_its_cache() {
    let (ends, end) = channel::<()>();
    let clock = ManualClock::new();
    let cache = described(&clock)
        .on_remove(move |_, _, _| ends.send(()).unwrap())
        .build()
        .unwrap();
    let _refreshing = cache.refresh_in_thread();
    drop(cache);
    assert!(end.recv().is_err(), "the thread holds no cache");
}

#[test]
fn what_would_do_nothing_is_refused() {
    let builder = || Cache::<u8, u32>::builder("bad").ttl(mins(5));
    let unrun = "refresh_every computes nothing here, for nothing runs computations apart from their callers";
    for (builder, message) in [
        (builder().refresh_every(secs(60)), unrun),
        (
            builder().refresh_every(mins(5)).background(drop),
            "refresh_every is no shorter than the ttl",
        ),
        (
            Cache::builder("bad")
                .refresh_every(mins(5))
                .background(drop),
            "refresh_every does nothing without a ttl",
        ),
        (
            builder().refresh_every(secs(0)).background(drop),
            "refresh_every: the duration \"0s\" is nothing",
        ),
    ] {
        assert_eq!(builder.build().expect_err(message).message(), message);
    }
    let of_values = Cache::<u8, u32>::builder("good").ttl_of(|_| None);
    assert!(
        of_values
            .refresh_every(mins(5))
            .background(drop)
            .build()
            .is_ok()
    );
    let ahead = builder().refresh_ahead(RefreshAhead::Every(secs(60)));
    assert!(
        ahead.spawn(drop).timer(|_| pending()).build().is_err(),
        "no task is under a limit"
    );
}

static COMPUTED: [AtomicU32; 2] = [AtomicU32::new(0), AtomicU32::new(0)];

#[cached(ttl = "10m", refresh_every = "60s", background = |work| work(), tags = ["rates:{currency}"])]
fn rate(currency: String) -> u32 {
    assert_eq!(currency, "EUR");
    COMPUTED[0].fetch_add(1, Ordering::Relaxed) + 1
}

#[cached(ttl = "10m", refresh_every = "60s", spawn = pollster::block_on)]
async fn rate_async(currency: String) -> Result<u32, String> {
    assert_eq!(currency, "EUR");
    Ok(COMPUTED[1].fetch_add(1, Ordering::Relaxed) + 1)
}

#[test]
fn functions_compute_anew_for_the_arguments_that_were_asked_for() {
    let _turn = turn();
    let clock = ManualClock::new();
    let _held = clock.hold_functions();
    let eur = || "EUR".to_owned();
    for _ in 0..2 {
        assert_eq!(rate(eur()), 1);
        assert_eq!(pollster::block_on(rate_async(eur())), Ok(1));
    }
    clock.advance(secs(60));
    assert_eq!((everwarm::run_due(), everwarm::run_due()), (2, 0));
    assert_eq!(rate::peek(eur()).map(|seen| seen.value), Some(2));
    assert_eq!(rate_async::peek(eur()).map(|seen| seen.value), Some(Ok(2)));
    clock.advance(secs(60));
    assert_eq!(everwarm::run_due(), 0, "nobody has read the second values");
    assert_eq!(rate(eur()), 2);
    everwarm::invalidate_tags(["rates:EUR"]);
    assert!(rate::peek(eur()).is_none());
}
