//! The typed cache: its verbs, one computation for threads and tasks together, and what leaves when.

use std::collections::HashSet;
use std::future::{Future, pending};
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Barrier, Mutex, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;

use everwarm::duration::{days, hours, millis, mins, secs};
use everwarm::testing::ManualClock;
use everwarm::{Cache, Cause, ErrorKind};
use pollster::block_on;

/// Counts its wakes.
#[derive(Default)]
struct Bell(AtomicU32);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn poll<F: Future>(future: std::pin::Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

#[test]
fn verbs_do_what_they_say() {
    let cache: Cache<String, u32> = Cache::new("verbs");
    assert!(cache.is_empty() && cache.name() == "verbs");
    cache.set("a".into(), 1);
    cache.set("a".into(), 2);
    assert_eq!((cache.get("a"), cache.get("b")), (Some(2), None));
    assert_eq!((cache.exists("a"), cache.exists("b")), (true, false));
    assert_eq!(
        cache.get_with_meta("a").map(|seen| (seen.value, seen.ttl)),
        Some((2, None))
    );
    assert!(cache.get_with_meta("b").is_none() && cache.peek("b").is_none());
    assert_eq!(
        (cache.len(), cache.stats().hits, cache.stats().misses),
        (1, 2, 2)
    );
    assert_eq!(
        (cache.delete("a"), cache.delete("a"), cache.len()),
        (true, false, 0)
    );
    let twin = cache.clone();
    twin.set("c".into(), 3);
    assert_eq!(cache.get("c"), Some(3));
    cache.clear();
    assert_eq!(twin.get("c"), None);
    assert_eq!(format!("{cache:?}"), "Cache { name: \"verbs\", .. }");
}

#[test]
fn a_bad_option_says_what_to_write() {
    let builder = || Cache::<u8, u8>::builder("bad");
    for (builder, message) in [
        (
            builder().max_entries(0),
            "max_entries=0 leaves no room for any entry",
        ),
        (
            builder().max_bytes(0, |_, _| 1),
            "max_bytes=0 leaves no room for any entry",
        ),
        (
            builder().jitter(1.0),
            "jitter=1.0 is no fraction of the ttl",
        ),
        (
            builder().ttl(millis(0)),
            "ttl: the duration \"0s\" is nothing",
        ),
        (
            builder().ttl(days(40_000)),
            "ttl: the duration \"40000d\" is above a hundred years",
        ),
        (
            builder().stale_if_error(secs(9)),
            "stale_if_error does nothing without a ttl",
        ),
        (
            builder().ttl(secs(9)).error_backoff(secs(1)),
            "error_backoff does nothing while no old value is kept",
        ),
        (builder().sliding(0.5), "sliding does nothing without a ttl"),
        (
            builder().ttl(secs(9)).sliding(1.0),
            "sliding=1.0 is no fraction of the ttl",
        ),
        (
            builder().ttl(days(31)).sliding(0.5),
            "sliding does nothing, for sliding_max_age is no longer than the ttl",
        ),
        (
            builder().ttl(secs(9)).sliding_max_age(secs(99)),
            "sliding_max_age does nothing without sliding",
        ),
        (
            builder().negative_growth(2.0),
            "negative_growth does nothing without a negative_ttl",
        ),
        (
            builder().negative_max_ttl(secs(9)),
            "negative_max_ttl does nothing without a negative_growth",
        ),
        (
            builder()
                .ttl(secs(9))
                .stale_if_error(secs(9))
                .background(|work| work()),
            "nothing is ever computed in the background here",
        ),
        (
            builder().ttl(secs(9)).spawn(pollster::block_on),
            "nothing is ever computed in the background here",
        ),
    ] {
        let error = builder.build().expect_err(message);
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Config, message)
        );
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn sixty_four_threads_and_tasks_compute_once() {
    let cache: Cache<u64, u64> = Cache::new("stampede");
    let (computed, start) = (AtomicU32::new(0), Barrier::new(64));
    let compute = || {
        computed.fetch_add(1, Ordering::Relaxed);
        while cache.stats().followers < 63 {
            thread::yield_now();
        }
        42
    };
    thread::scope(|scope| {
        for number in 0..64 {
            let (cache, start, compute) = (&cache, &start, &compute);
            scope.spawn(move || {
                start.wait();
                let value = match number % 2 {
                    0 => cache.get_or_compute(&7, compute),
                    _ => block_on(cache.get_or_compute_async(&7, async || compute())),
                };
                assert_eq!(value, 42);
            });
        }
    });
    assert_eq!(computed.load(Ordering::Relaxed), 1);
    let stats = cache.stats();
    assert_eq!(
        (stats.computations, stats.followers, stats.misses),
        (1, 63, 64)
    );
}

#[test]
fn a_cancelled_leader_hands_over() {
    let cache: Cache<u8, u8> = Cache::new("cancelled");
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut follower = pin!(cache.get_or_compute_async(&1, async || 2));
    {
        let mut leader = pin!(cache.get_or_compute_async(&1, pending));
        assert!(poll(leader.as_mut(), Waker::noop()).is_pending());
        assert!(poll(follower.as_mut(), &waker).is_pending());
        assert_eq!(bell.0.load(Ordering::Relaxed), 0);
    }
    assert_eq!(bell.0.load(Ordering::Relaxed), 1);
    assert_eq!(poll(follower.as_mut(), &waker), Poll::Ready(2));
    assert_eq!((cache.get(&1), cache.stats().computations), (Some(2), 2));
}

#[test]
fn a_cancelled_follower_leaves_the_leader_alone() {
    let cache: Cache<u8, u8> = Cache::new("left");
    let gate = AtomicU32::new(0);
    let open = || {
        std::future::poll_fn(|_| match gate.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            _ => Poll::Ready(5),
        })
    };
    let mut leader = pin!(cache.get_or_compute_async(&1, open));
    assert!(poll(leader.as_mut(), Waker::noop()).is_pending());
    {
        let mut follower = pin!(cache.get_or_compute_async(&1, async || 6));
        assert!(poll(follower.as_mut(), Waker::noop()).is_pending());
    }
    gate.store(1, Ordering::Relaxed);
    assert_eq!(poll(leader.as_mut(), Waker::noop()), Poll::Ready(5));
}

#[test]
fn a_panic_goes_to_its_caller_and_the_work_to_the_next() {
    let cache: Cache<u8, u8> = Cache::new("panics");
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        cache.get_or_compute(&1, || panic!("no luck"))
    }));
    assert!(caught.is_err());
    assert_eq!(cache.get_or_compute(&1, || 2), 2);
}

/// A value that can be cloned so many times.
struct Brittle(Arc<AtomicU32>);

impl Clone for Brittle {
    fn clone(&self) -> Self {
        let left = self.0.load(Ordering::Relaxed);
        self.0.store(
            left.checked_sub(1).expect("no clones any more"),
            Ordering::Relaxed,
        );
        Self(Arc::clone(&self.0))
    }
}

#[test]
fn a_value_that_panics_when_cloned_leaves_nobody_waiting() {
    for clones in 0..2 {
        let cache: Cache<u8, Brittle> = Cache::new("brittle");
        let fuse = Arc::new(AtomicU32::new(0));
        let leads = Barrier::new(2);
        let fail = || {
            leads.wait();
            while cache.stats().followers < 1 {
                thread::yield_now();
            }
            fuse.store(clones, Ordering::Relaxed);
            Brittle(Arc::clone(&fuse))
        };
        let compute = || {
            fuse.store(9, Ordering::Relaxed);
            Brittle(Arc::clone(&fuse))
        };
        thread::scope(|scope| {
            let leader = scope.spawn(|| _ = cache.get_or_compute(&1, fail));
            leads.wait();
            cache.get_or_compute(&1, compute);
            assert!(leader.join().is_err());
        });
        assert!(cache.get(&1).is_some());
    }
}

#[test]
fn an_error_is_shared_by_all_who_wait_and_not_kept() {
    let cache: Cache<u8, u8> = Cache::new("errors");
    let start = Barrier::new(8);
    let errors: Vec<Arc<String>> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|_| {
                scope.spawn(|| {
                    start.wait();
                    let fail = || {
                        while cache.stats().followers < 7 {
                            thread::yield_now();
                        }
                        Err("no luck".to_owned())
                    };
                    cache.try_get_or_compute(&1, fail).expect_err("it fails")
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("it ends"))
            .collect()
    });
    assert!(errors.iter().all(|error| Arc::ptr_eq(error, &errors[0])));
    assert!(!cache.exists(&1));
    assert_eq!(
        block_on(cache.try_get_or_compute_async(&1, async || Ok::<_, ()>(3))),
        Ok(3)
    );
}

#[test]
fn an_error_of_another_type_is_not_waited_for() {
    let cache: Cache<u8, u8> = Cache::new("types");
    let gate = AtomicU32::new(0);
    let fail = || {
        std::future::poll_fn(|_| match gate.load(Ordering::Relaxed) {
            0 => Poll::Pending,
            _ => Poll::Ready(Err("no luck")),
        })
    };
    let mut leader = pin!(cache.try_get_or_compute_async(&1, fail));
    let mut other = pin!(cache.try_get_or_compute_async(&1, async || Ok::<_, u32>(1)));
    let mut never_fails = pin!(cache.get_or_compute_async(&1, async || 2));
    assert!(poll(leader.as_mut(), Waker::noop()).is_pending());
    assert!(poll(other.as_mut(), Waker::noop()).is_pending());
    assert!(poll(never_fails.as_mut(), Waker::noop()).is_pending());
    gate.store(1, Ordering::Relaxed);
    assert_eq!(
        poll(leader.as_mut(), Waker::noop()),
        Poll::Ready(Err(Arc::new("no luck")))
    );
    assert_eq!(poll(never_fails.as_mut(), Waker::noop()), Poll::Ready(2));
    assert_eq!(poll(other.as_mut(), Waker::noop()), Poll::Ready(Ok(2)));
}

#[test]
fn invalidation_wins_over_what_is_being_computed() {
    let cache: Cache<u8, u8> = Cache::builder("wins")
        .tags(|key: &u8| [format!("key:{key}")])
        .build()
        .expect("its options are valid");
    let ways: [fn(&Cache<u8, u8>); 4] = [
        |cache| _ = cache.delete(&1),
        |cache| cache.invalidate_tags(["key:1"]),
        |cache| cache.invalidate_tags(["own"]),
        |cache| cache.clear(),
    ];
    for way in ways {
        let value = cache.using().tags(["own"]).get_or_compute(&1, || {
            way(&cache);
            1
        });
        assert_eq!((value, cache.get(&1)), (1, None));
    }
    cache.get_or_compute(&1, || {
        cache.set(1, 2);
        1
    });
    assert_eq!(cache.get(&1), Some(2));
}

#[test]
fn a_computation_that_asks_for_its_own_key_panics_and_other_keys_nest() {
    let cache: Cache<u64, u64> = Cache::new("circles");
    fn fibonacci(cache: &Cache<u64, u64>, n: u64) -> u64 {
        cache.get_or_compute(&n, || match n {
            0 | 1 => n,
            _ => fibonacci(cache, n - 1) + fibonacci(cache, n - 2),
        })
    }
    assert_eq!(
        (fibonacci(&cache, 60), cache.len()),
        (1_548_008_755_920, 61)
    );
    for ask in [
        &(|| cache.get_or_compute(&99, || cache.get_or_compute(&99, || 1))) as &dyn Fn() -> u64,
        &|| {
            let inner = || cache.get_or_compute_async(&99, async || 1);
            block_on(cache.get_or_compute_async(&99, inner))
        },
    ] {
        let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask));
        let message = *caught
            .expect_err("it panics")
            .downcast::<String>()
            .expect("a text");
        assert!(
            message.starts_with("a computation of \"circles\" asks for the key"),
            "{message}"
        );
    }
    assert_eq!(cache.get_or_compute(&99, || 1), 1);
}

#[test]
fn two_computations_that_need_each_other_end() {
    let cache: Cache<u8, u8> = Cache::new("cross");
    let both = Barrier::new(2);
    let ask = |own: u8, other: u8| {
        cache.get_or_compute(&own, || {
            both.wait();
            cache.get_or_compute(&other, || 1) + 1
        })
    };
    let sums = thread::scope(|scope| {
        let threads = [scope.spawn(|| ask(1, 2)), scope.spawn(|| ask(2, 1))];
        threads.map(|thread| thread.join().expect("it ends"))
    });
    assert_eq!(HashSet::from(sums), HashSet::from([2, 3]));
    assert_eq!(cache.stats().cycles, 1);
}

#[test]
fn time_passes_by_hand() {
    let clock = ManualClock::new();
    let cache: Cache<u8, u8> = Cache::builder("timed")
        .ttl(mins(5))
        .clock(&clock)
        .build()
        .expect("its options are valid");
    cache.set(1, 1);
    cache.using().ttl(secs(30)).set(2, 2);
    cache.using().no_ttl().set(3, 3);
    clock.advance(secs(29));
    assert_eq!(
        cache.peek(&2).map(|seen| (seen.age, seen.ttl)),
        Some((secs(29), Some(secs(1))))
    );
    clock.advance(secs(1));
    assert_eq!(
        (cache.get(&1), cache.get(&2), cache.len()),
        (Some(1), None, 2)
    );
    clock.advance(mins(5));
    assert_eq!((cache.sweep(), cache.sweep(), cache.len()), (1, 0, 1));
    clock.advance(hours(1));
    assert_eq!((cache.get(&3), cache.stats().expired), (Some(3), 2));
}

#[test]
fn jitter_only_shortens() {
    let clock = ManualClock::new();
    let cache: Cache<u8, ()> = Cache::builder("jitter")
        .ttl(secs(100))
        .jitter(0.25)
        .clock(&clock)
        .build()
        .expect("its options are valid");
    (0..100).for_each(|key| cache.set(key, ()));
    let ttls: Vec<_> = (0..100).filter_map(|key| cache.peek(&key)?.ttl).collect();
    assert!(ttls.iter().all(|ttl| (secs(75)..=secs(100)).contains(ttl)));
    assert!(ttls.iter().any(|ttl| *ttl < secs(90)));
}

#[test]
fn room_is_bounded_and_tags_are_carried() {
    let cache: Cache<u32, u32> = Cache::builder("bounded")
        .max_entries(16)
        .tags(|key: &u32| [format!("half:{}", key % 2)])
        .build()
        .expect("its options are valid");
    (0..100).for_each(|key| cache.using().tags(["all"]).set(key, key));
    assert_eq!((cache.len(), cache.stats().evicted), (16, 84));
    let there: Vec<u32> = (0..100).filter(|key| cache.exists(key)).collect();
    let seen = cache.peek(&there[0]).expect("it is there");
    assert_eq!(seen.tags.len(), 2);
    cache.invalidate_tags([format!("half:{}", there[0] % 2)]);
    assert!(
        there
            .iter()
            .all(|key| cache.exists(key) == (key % 2 != there[0] % 2))
    );
}

#[test]
fn a_refresh_computes_over_what_is_there() {
    let cache: Cache<&str, u8> = Cache::new("fresh");
    cache.set("a", 1);
    let mut seen_meanwhile = None;
    let value = cache.using().refresh().get_or_compute(&"a", || {
        seen_meanwhile = cache.get(&"a");
        2
    });
    assert_eq!(
        (value, seen_meanwhile, cache.get(&"a")),
        (2, Some(1), Some(2))
    );
    assert_eq!(cache.stats().bypass, 1);
    let failed = cache
        .using()
        .refresh()
        .try_get_or_compute(&"a", || Err::<u8, _>("no luck"));
    assert_eq!(
        (failed, cache.get(&"a")),
        (Err(Arc::new("no luck")), Some(2))
    );
}

#[test]
fn handles_cross_threads() {
    fn crosses<T: Send + Sync + 'static>(_: &T) {}
    let cache: Cache<u8, Arc<[u8]>> = Cache::new("threads");
    crosses(&cache);
    fn is_send<T: Send>(task: T) -> T {
        task
    }
    let page = block_on(is_send(
        cache.get_or_compute_async(&1, async || Arc::from([1])),
    ));
    assert_eq!(&*page, [1]);
}

#[test]
fn a_listener_hears_of_each_entry_why_it_left_and_may_use_the_cache() {
    static CACHE: OnceLock<Cache<u8, char>> = OnceLock::new();
    static TOLD: Mutex<Vec<(u8, char, Cause)>> = Mutex::new(Vec::new());
    let clock = ManualClock::new();
    let cache = CACHE.get_or_init(|| {
        Cache::builder("told")
            .max_entries(2)
            .ttl(mins(5))
            .tags(|key: &u8| [format!("key:{key}")])
            .clock(&clock)
            .on_remove(|key, value, cause| {
                let cache = CACHE.get().expect("it was built");
                assert_ne!(cache.peek(key).map(|seen| seen.value), Some(*value));
                TOLD.lock()
                    .expect("no test panics")
                    .push((*key, *value, cause));
            })
            .build()
            .expect("its options are valid")
    });
    let told = || std::mem::take(&mut *TOLD.lock().expect("no test panics"));
    cache.set(1, 'a');
    cache.set(1, 'b');
    assert_eq!(told(), [(1, 'a', Cause::Replaced)]);
    cache.delete(&1);
    assert_eq!(told(), [(1, 'b', Cause::Deleted)]);
    (1..4).for_each(|key| cache.set(key, 'c'));
    let left = told();
    assert_eq!((left.len(), left[0].2), (1, Cause::Capacity));
    cache.clear();
    assert!(told().iter().all(|(_, _, cause)| *cause == Cause::Cleared));
    cache.get_or_compute(&4, || 'd');
    cache.invalidate_tags(["key:4"]);
    assert_eq!(
        (cache.get(&4), told()),
        (None, vec![(4, 'd', Cause::Invalidated)])
    );
    cache.set(5, 'e');
    clock.advance(mins(5));
    assert_eq!((cache.sweep(), told()), (1, vec![(5, 'e', Cause::Expired)]));
}

#[test]
fn entries_are_weighed_together() {
    let cache: Cache<u32, Vec<u8>> = Cache::builder("weighed")
        .max_bytes(100_000, |_, page: &Vec<u8>| page.len() as u64)
        .build()
        .expect("its options are valid");
    for key in 0..100 {
        cache.get_or_compute(&key, || vec![0; 9_000]);
    }
    assert!((5..=11).contains(&cache.len()), "{}", cache.len());
    assert!(cache.stats().evicted >= 89);
    assert_eq!(
        cache.get_or_compute(&1_000, || vec![0; 200_000]).len(),
        200_000
    );
    assert_eq!((cache.exists(&1_000), cache.stats().refused), (false, 1));
}
