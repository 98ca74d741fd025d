//! Verbs on many entries, on counters and on what is left of a life, and what one call is told: in memory, and over stores behind it.

use std::collections::HashMap;
use std::thread;
use std::time::Duration;

use everwarm::duration::{hours, mins, secs};
use everwarm::testing::ManualClock;
use everwarm::{Builder, Cache, Count, ErrorKind};

/// A cache of a test, and what it lies in.
struct Case<K: Clone + Eq, V> {
    cache: Cache<K, V>,
    clock: ManualClock,
    /// What opens a cache of the same entries that has nothing in memory yet, as another process does.
    opened: Option<Box<dyn Fn() -> Cache<K, V> + Sync>>,
    #[cfg(feature = "disk")]
    behind: behind::Behind,
}

impl<K: std::hash::Hash + Eq + Clone, V: Clone> Case<K, V> {
    /// Says that something is so here, and for who reads the entries elsewhere, where there is an elsewhere.
    fn known(&self, is_so: impl Fn(&Cache<K, V>) -> bool) {
        assert!(is_so(&self.cache), "here");
        if let Some(opened) = &self.opened {
            assert!(is_so(&opened()), "elsewhere");
        }
    }

    fn advance(&self, span: Duration) {
        self.clock.advance(span);
        #[cfg(feature = "disk")]
        self.behind.advance(span);
    }
}

#[cfg(feature = "disk")]
mod behind {
    use std::hash::Hash;
    use std::path::PathBuf;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
    use std::time::Duration;
    use std::{env, fs, process};

    use everwarm::store::Store;
    use everwarm::testing::ManualClock;
    use everwarm::{Builder, Cache, Tier, ToKey};
    use everwarm_core::clock::{Clock, Instant};
    use everwarm_memory::{Bounds, MemoryStore};
    use serde::Serialize;
    use serde::de::DeserializeOwned;

    use super::Case;

    pub(crate) trait Stored:
        Clone + Serialize + DeserializeOwned + Send + Sync + 'static
    {
    }
    impl<T: Clone + Serialize + DeserializeOwned + Send + Sync + 'static> Stored for T {}

    pub(crate) trait Named: Hash + Eq + Clone + ToKey + Send + Sync + 'static {}
    impl<T: Hash + Eq + Clone + ToKey + Send + Sync + 'static> Named for T {}

    /// A clock that a test moves.
    #[derive(Clone, Debug, Default)]
    struct Hand(Arc<AtomicU64>);

    impl Clock for Hand {
        fn now(&self) -> Instant {
            Instant::from_nanos(self.0.load(Ordering::Relaxed))
        }
    }

    /// What is behind memory: nothing, a store, or a directory that goes with its test.
    #[derive(Default)]
    pub(crate) struct Behind {
        hand: Hand,
        directory: Option<PathBuf>,
    }

    impl Behind {
        pub(crate) fn advance(&self, span: Duration) {
            assert!(self.directory.is_none(), "nobody moves the clock of a disk");
            let nanos = u64::try_from(span.as_nanos()).expect("it is short");
            self.hand.0.fetch_add(nanos, Ordering::Relaxed);
        }

        pub(crate) fn store(&self) -> Tier {
            let bounds = Bounds::entries(1_000.try_into().expect("not zero"));
            let clock = Arc::new(self.hand.clone());
            let store: Arc<dyn Store> = Arc::new(MemoryStore::with_clock(bounds, clock));
            store.into()
        }

        pub(crate) fn disk(&mut self) -> Tier {
            static DIRECTORIES: AtomicU32 = AtomicU32::new(0);
            let number = DIRECTORIES.fetch_add(1, Ordering::Relaxed);
            let name = format!("everwarm-verbs-{}-{number}", process::id());
            let directory = self.directory.insert(env::temp_dir().join(name));
            format!("disk://{}", directory.display()).into()
        }
    }

    impl Drop for Behind {
        fn drop(&mut self) {
            if let Some(directory) = &self.directory {
                drop(fs::remove_dir_all(directory));
            }
        }
    }

    pub(crate) fn case<K: Named, V: Stored>(
        described: impl Fn(Builder<K, V>) -> Builder<K, V> + Copy + Sync + 'static,
        (tier, behind): (Tier, Behind),
    ) -> Case<K, V> {
        let clock = ManualClock::new();
        let moved = clock.clone();
        let opened = move || {
            let builder = described(Cache::builder("verbs")).store(tier.clone());
            builder
                .clock(&moved)
                .build()
                .expect("its options are valid")
        };
        Case {
            cache: opened(),
            opened: Some(Box::new(opened)),
            clock,
            behind,
        }
    }
}

#[cfg(feature = "disk")]
use behind::{Behind, Named, Stored};

#[cfg(not(feature = "disk"))]
trait Named: std::hash::Hash + Eq + Clone {}
#[cfg(not(feature = "disk"))]
impl<T: std::hash::Hash + Eq + Clone> Named for T {}
#[cfg(not(feature = "disk"))]
trait Stored: Clone {}
#[cfg(not(feature = "disk"))]
impl<T: Clone> Stored for T {}

/// In memory alone, and in front of a store whose clock moves, too.
fn each<K: Named, V: Stored>(
    described: impl Fn(Builder<K, V>) -> Builder<K, V> + Copy + Sync + 'static,
    test: impl Fn(Case<K, V>),
) {
    let clock = ManualClock::new();
    let builder = described(Cache::builder("verbs")).clock(&clock);
    test(Case {
        cache: builder.build().expect("its options are valid"),
        clock,
        opened: None,
        #[cfg(feature = "disk")]
        behind: Behind::default(),
    });
    #[cfg(feature = "disk")]
    {
        let behind = Behind::default();
        test(behind::case(described, (behind.store(), behind)));
    }
}

/// The same, and in front of a disk: where no time passes.
fn each_and_disk<K: Named, V: Stored>(
    described: impl Fn(Builder<K, V>) -> Builder<K, V> + Copy + Sync + 'static,
    test: impl Fn(Case<K, V>),
) {
    each(described, &test);
    #[cfg(feature = "disk")]
    {
        let mut behind = Behind::default();
        test(behind::case(described, (behind.disk(), behind)));
    }
}

fn plain<K: Clone + Eq, V>(builder: Builder<K, V>) -> Builder<K, V> {
    builder
}

#[test]
fn many_are_set_read_and_deleted_together() {
    each_and_disk(plain::<u64, u64>, |case| {
        let cache = &case.cache;
        cache.set_many((0..5).map(|key| (key, key * 10)).chain([(4, 44)]));
        case.known(|cache| {
            let found = cache.get_many([&0, &4, &4, &9]);
            found == HashMap::from([(0, 0), (4, 44)])
        });
        let stats = cache.stats();
        assert_eq!((stats.hits, stats.misses), (2, 1), "each is counted once");
        assert_eq!(cache.delete_many([&0, &1, &1, &9]), 2);
        case.known(|cache| cache.get_many([&0, &1, &2]).len() == 1);
        assert_eq!(cache.delete_many::<u64>([]), 0);
        cache.set_many([]);
        let many = cache.get_many_async([&2, &3]);
        assert_eq!(pollster::block_on(many).len(), 2);
    });
}

#[test]
fn many_are_set_with_what_the_call_says_of_them() {
    let described =
        |builder: Builder<u64, u64>| builder.tags(|key| [format!("key:{key}")]).ttl(mins(5));
    each(described, |case| {
        let cache = &case.cache;
        cache
            .using()
            .ttl(mins(1))
            .tags(["list"])
            .set_many([(1, 1), (2, 2)]);
        cache.set_many([(3, 3)]);
        assert_eq!(
            [1, 3].map(|key| cache.ttl(&key)),
            [Some(mins(1)), Some(mins(5))]
        );
        cache.invalidate_tags(["key:1"]);
        case.known(|cache| cache.get_many([&1, &2, &3]).len() == 2);
        cache.invalidate_tags(["list"]);
        case.known(|cache| cache.get_many([&1, &2, &3]) == HashMap::from([(3, 3)]));
        cache.using().read_only().set_many([(3, 4), (5, 5)]);
        case.known(|cache| cache.get_many([&3, &5]) == HashMap::from([(3, 3)]));
    });
}

#[test]
fn what_is_set_for_many_ends_what_is_computed_for_one() {
    each_and_disk(plain::<u64, u64>, |case| {
        let cache = &case.cache;
        let given = cache.get_or_compute(&1, || {
            cache.set_many([(1, 5)]);
            4
        });
        assert_eq!((given, cache.get(&1)), (4, Some(5)));
        let given = cache.get_or_compute(&2, || {
            cache.delete_many([&2]);
            4
        });
        assert_eq!((given, cache.get(&2)), (4, None));
    });
}

#[test]
fn counters_begin_anew_when_their_ttl_is_over() {
    each(plain::<String, i64>, |case| {
        let cache = &case.cache;
        let count = Count::by(2).initial(10).ttl_on_create(mins(1));
        assert_eq!(cache.incr("a", count), Ok(12));
        case.advance(secs(40));
        assert_eq!(cache.incr("a", count), Ok(14));
        assert_eq!(
            cache.ttl("a"),
            Some(secs(20)),
            "what is there keeps its end"
        );
        case.known(|cache| cache.get("a") == Some(14));
        case.advance(secs(20));
        assert_eq!(cache.decr("a", count), Ok(8));
        assert_eq!(pollster::block_on(cache.decr_async("a", 1)), Ok(7));
        assert_eq!(cache.incr("b", 1), Ok(1));
        assert_eq!(cache.ttl("b"), Some(Duration::MAX));
    });
}

#[test]
fn a_counter_lives_as_the_entries_of_its_cache() {
    let described = |builder: Builder<u64, u8>| {
        let tagged = builder.tags(|key| [format!("key:{key}")]);
        tagged.ttl(mins(5)).stale_if_error(hours(1))
    };
    each(described, |case| {
        let cache = &case.cache;
        assert_eq!(cache.incr(&1, 1), Ok(1));
        assert_eq!(cache.ttl(&1), Some(mins(5)));
        case.advance(mins(6));
        assert_eq!(
            cache.incr(&1, 1),
            Ok(1),
            "what is kept for errors is no counter"
        );
        cache.invalidate_tags(["key:1"]);
        assert_eq!(cache.incr(&1, 1), Ok(1));
        let error = cache.incr(&1, 255).expect_err("it is beyond a u8");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(error.hint(), "count in a larger type, such as `i64`");
        assert_eq!(
            cache.decr(&2, 1).map_err(|error| error.kind()),
            Err(ErrorKind::Unsupported)
        );
        assert_eq!((cache.get(&1), cache.get(&2)), (Some(1), None));
    });
}

#[test]
fn no_count_is_lost() {
    each_and_disk(plain::<u64, u64>, |case| {
        let other = case.opened.as_ref().map(|opened| opened());
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        case.cache.incr(&1, 1).expect("it counts");
                        if let Some(other) = &other {
                            other
                                .decr(&2, Count::by(1).initial(1_000))
                                .expect("it counts");
                        }
                    }
                });
            }
        });
        assert_eq!(case.cache.get(&1), Some(100));
        if other.is_some() {
            assert_eq!(case.cache.get(&2), Some(900));
        }
    });
}

#[cfg(feature = "disk")]
#[test]
fn what_is_no_number_is_not_counted() {
    use serde::{Deserialize, Serialize};

    #[derive(Clone, Serialize, Deserialize)]
    #[serde(transparent)]
    struct Name(String);

    let directory = std::env::temp_dir().join(format!("everwarm-verbs-{}", std::process::id()));
    let url = format!("disk://{}", directory.display());
    let names: Cache<u64, Name> = Cache::builder("shared")
        .store(url.as_str())
        .build()
        .unwrap();
    let counts: Cache<u64, i64> = Cache::builder("shared")
        .store(url.as_str())
        .build()
        .unwrap();
    names.set(1, Name("Ada".to_owned()));
    let error = counts.incr(&1, 1).expect_err("it is a name");
    assert_eq!(
        error.hint(),
        "`set` the key to one, or count under another key"
    );
    assert_eq!(names.get(&1).map(|name| name.0).as_deref(), Some("Ada"));
    drop(std::fs::remove_dir_all(directory));
}

#[test]
fn a_closed_cache_counts_nothing() {
    each_and_disk(plain::<u64, u64>, |case| {
        case.cache.close();
        let error = case.cache.incr(&1, 1).expect_err("it is closed");
        assert_eq!(
            (error.kind(), case.cache.ping()),
            (ErrorKind::Closed, false)
        );
    });
}

#[test]
fn what_is_left_of_a_life_is_told_and_said() {
    let described = |builder: Builder<u64, u64>| builder.ttl(mins(5)).stale_if_error(hours(1));
    each(described, |case| {
        let cache = &case.cache;
        cache.set(1, 1);
        case.advance(mins(2));
        assert_eq!((cache.ttl(&1), cache.ttl(&2)), (Some(mins(3)), None));
        assert!(cache.persist(&1));
        case.known(|cache| cache.ttl(&1) == Some(Duration::MAX));
        assert!(cache.expire_at(&1, std::time::SystemTime::now() + mins(1)));
        case.known(|cache| {
            let left = cache.ttl(&1).expect("it is there");
            left <= mins(1) && left > secs(50)
        });
        case.advance(mins(1));
        assert_eq!(pollster::block_on(cache.ttl_async(&1)), None, "it is stale");
        assert_eq!(cache.stats().calls(), 0);
        cache.set(2, 2);
        assert!(cache.expire_at(&2, std::time::SystemTime::UNIX_EPOCH));
        case.known(|cache| !cache.exists(&2));
    });
}

#[test]
fn a_call_goes_past_the_cache() {
    each_and_disk(plain::<u64, u64>, |case| {
        let cache = &case.cache;
        cache.set(1, 1);
        assert_eq!(cache.using().skip().get_or_compute(&1, || 2), 2);
        let tried = cache
            .using()
            .skip()
            .try_get_or_compute(&2, || Ok::<_, String>(2));
        assert_eq!(tried, Ok(2));
        let awaited = cache.using().skip().get_or_compute_async(&2, async || 3);
        assert_eq!(pollster::block_on(awaited), 3);
        cache.using().skip().set(2, 4);
        let given = cache
            .using()
            .skip()
            .in_background()
            .get_or_compute(&2, || 5);
        let stats = cache.stats();
        assert_eq!((given, stats.bypass, stats.computations), (5, 4, 0));
        case.known(|cache| cache.get(&1) == Some(1) && cache.get(&2).is_none());
    });
}

#[test]
fn a_call_takes_no_entry_that_is_older() {
    each(plain::<u64, u64>, |case| {
        let cache = &case.cache;
        cache.set(1, 1);
        case.advance(secs(5));
        let young = |age| cache.using().max_age(secs(age));
        assert_eq!(young(6).get_or_compute(&1, || 2), 1);
        assert_eq!(young(6).only_if_cached().get(&1), Ok(1));
        let error = young(4).only_if_cached().get(&1).expect_err("it is older");
        assert_eq!(error.kind(), ErrorKind::NotCached);
        let awaited = young(4).get_or_compute_async(&1, async || 2);
        assert_eq!(pollster::block_on(awaited), 2);
        assert_eq!(young(4).get_or_compute(&1, || 3), 2);
        case.known(|cache| cache.get(&1) == Some(2));
    });
}

#[test]
fn a_call_takes_what_is_kept_for_errors() {
    let described = |builder: Builder<u64, u64>| builder.ttl(mins(5)).stale_if_error(hours(1));
    each(described, |case| {
        let cache = &case.cache;
        cache.set(1, 1);
        case.advance(mins(7));
        let ask = |span| {
            let call = cache.using().max_stale(span);
            call.try_get_or_compute(&1, || Err::<u64, _>("down"))
        };
        let cached = |span| cache.using().max_stale(span).only_if_cached().get(&1);
        assert_eq!((ask(mins(2)), cached(mins(2))), (Ok(1), Ok(1)));
        assert!(cached(mins(1)).is_err() && cache.using().only_if_cached().get(&1).is_err());
        let given = cache.using().max_stale(mins(1)).get_or_compute(&1, || 2);
        assert_eq!(given, 2);
    });
}

#[test]
fn a_call_only_reads_or_only_writes() {
    each_and_disk(plain::<u64, u64>, |case| {
        let cache = &case.cache;
        assert_eq!(cache.using().read_only().get_or_compute(&1, || 1), 1);
        let awaited = cache
            .using()
            .read_only()
            .get_or_compute_async(&1, async || 2);
        assert_eq!(pollster::block_on(awaited), 2);
        cache.using().read_only().set(1, 3);
        case.known(|cache| !cache.exists(&1));
        assert_eq!(cache.stats().refused, 0);
        cache.set(1, 4);
        assert_eq!(cache.using().read_only().get_or_compute(&1, || 5), 4);
        assert_eq!(cache.using().write_only().get_or_compute(&1, || 6), 6);
        case.known(|cache| cache.get(&1) == Some(6));
        assert_eq!(cache.using().only_if_cached().get(&1), Ok(6));
    });
}

#[test]
#[should_panic(expected = "a call cannot be told both refresh and max_age")]
fn a_call_that_is_told_both_does_not_run() {
    let cache: Cache<u8, u8> = Cache::new("quotes");
    cache
        .using()
        .refresh()
        .max_age(secs(5))
        .get_or_compute(&1, || 1);
}

#[test]
fn an_entry_that_is_too_heavy_is_not_kept() {
    let described = |builder: Builder<u64, String>| {
        builder
            .max_entry_bytes(3)
            .weigher(|_, text| text.len() as u64)
    };
    each_and_disk(described, |case| {
        let cache = &case.cache;
        let heavy = || "heavy".to_owned();
        assert_eq!(cache.get_or_compute(&1, heavy), "heavy");
        let tried = cache.try_get_or_compute(&1, || Ok::<_, String>(heavy()));
        assert_eq!(tried.as_deref(), Ok("heavy"));
        let awaited = cache.get_or_compute_async(&1, async || heavy());
        assert_eq!(pollster::block_on(awaited), "heavy");
        assert!(!cache.add(1, heavy()));
        assert_eq!(cache.stats().refused, 4);
        case.known(|cache| !cache.exists(&1));
        cache.set(1, "abc".to_owned());
        case.known(|cache| cache.get(&1).as_deref() == Some("abc"));
        cache.set(1, heavy());
        case.known(|cache| !cache.exists(&1));
        cache.set_many([(1, "abc".to_owned()), (2, heavy())]);
        case.known(|cache| cache.exists(&1) && !cache.exists(&2));
        cache.set_many([(1, heavy())]);
        case.known(|cache| !cache.exists(&1));
    });
}

#[test]
fn only_what_is_to_be_kept_is_kept() {
    let described = |builder: Builder<u64, u64>| builder.when(|value| *value > 0);
    each_and_disk(described, |case| {
        let cache = &case.cache;
        assert_eq!(cache.get_or_compute(&1, || 0), 0);
        let tried = cache
            .using()
            .ttl(mins(1))
            .try_get_or_compute(&1, || Ok::<_, String>(0));
        assert_eq!(tried, Ok(0));
        assert_eq!(cache.stats().refused, 2);
        case.known(|cache| !cache.exists(&1));
        assert_eq!(cache.get_or_compute(&1, || 1), 1);
        case.known(|cache| cache.get(&1) == Some(1));
    });
}

#[test]
fn stores_that_answer_are_there() {
    each_and_disk(plain::<u64, u64>, |case| {
        assert!(case.cache.ping() && pollster::block_on(case.cache.ping_async()));
        case.cache.what_if();
        case.cache.set(1, 1);
        case.cache.get_many([&1, &2]);
        assert_eq!(case.cache.what_if().same, Some(0.5));
    });
}

#[test]
fn what_would_do_nothing_is_refused() {
    let builder = || Cache::<u8, u8>::builder("pages");
    let hint = |builder: Builder<u8, u8>| {
        let error = builder.build().expect_err("it does nothing");
        error.hint().to_owned()
    };
    assert_eq!(
        hint(builder().max_entry_bytes(5)),
        "add weigher(|key, value| ...), or leave it out"
    );
    assert_eq!(
        hint(builder().weigher(|_, _| 1)),
        "add max_entry_bytes(1_000_000), or leave it out"
    );
    assert_eq!(
        hint(builder().max_entry_bytes(0).max_bytes(10, |_, _| 1)),
        "write how many bytes an entry may weigh, or leave it out"
    );
}

#[test]
fn a_task_of_any_runtime_may_wait_for_them() {
    fn sent<T: Send>(future: T) -> T {
        future
    }
    each_and_disk(plain::<u64, i64>, |case| {
        let cache = &case.cache;
        pollster::block_on(async {
            sent(cache.set_many_async([(1, 1), (2, 2)])).await;
            assert_eq!(sent(cache.get_many_async([&1, &2])).await.len(), 2);
            assert_eq!(sent(cache.incr_async(&1, 1)).await, Ok(2));
            assert_eq!(sent(cache.decr_async(&1, 1)).await, Ok(1));
            assert!(sent(cache.ttl_async(&1)).await.is_some());
            let past = std::time::SystemTime::UNIX_EPOCH;
            assert!(sent(cache.expire_at_async(&2, past)).await);
            let cached = cache.using().only_if_cached();
            assert_eq!(sent(cached.get_async(&1)).await, Ok(1));
            assert_eq!(sent(cache.delete_many_async([&1, &3])).await, 1);
            assert!(sent(cache.ping_async()).await);
        });
    });
}

#[cfg(feature = "disk")]
mod trips {
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use everwarm::Cache;
    use everwarm::store::{
        Answer, Bytes, Conditional, Entry, Found, Generations, Info, Leases, Limits, Store,
    };
    use everwarm_engine::Ticker;
    use everwarm_memory::{Bounds, MemoryStore};

    /// A store that notes what it is asked.
    #[derive(Debug)]
    struct Noting {
        store: MemoryStore,
        asked: Arc<Mutex<Vec<(&'static str, usize)>>>,
    }

    impl Noting {
        fn note(&self, what: &'static str, many: usize) {
            self.asked.lock().unwrap().push((what, many));
        }
    }

    impl Store for Noting {
        fn info(&self) -> Info {
            self.store.info()
        }

        fn limits(&self) -> Limits {
            self.store.limits()
        }

        fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
            self.note("get", 1);
            self.store.get(name)
        }

        fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
            self.note("set", 1);
            self.store.set(name, bytes, ttl)
        }

        fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
            self.note("delete", 1);
            self.store.delete(name)
        }

        fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
            self.note("get", names.len());
            self.store.get_many(names)
        }

        fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
            self.note("set", entries.len());
            self.store.set_many(entries)
        }

        fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
            self.note("delete", names.len());
            self.store.delete_many(names)
        }

        fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
            self.store.clear(prefix)
        }

        fn ping(&self) -> Answer<'_, ()> {
            self.store.ping()
        }

        fn close(&self) -> Answer<'_, ()> {
            self.store.close()
        }

        fn conditional(&self) -> Option<&dyn Conditional> {
            self.store.conditional()
        }

        fn leases(&self) -> Option<&dyn Leases> {
            self.store.leases()
        }

        fn generations(&self) -> Option<&dyn Generations> {
            self.store.generations()
        }
    }

    #[test]
    fn many_are_one_trip() {
        let asked = Arc::default();
        let store: Arc<dyn Store> = Arc::new(Noting {
            store: MemoryStore::with_clock(
                Bounds::entries(1_000.try_into().expect("not zero")),
                Arc::new(Ticker::system()),
            ),
            asked: Arc::clone(&asked),
        });
        let opened = || Cache::builder("trips").store(Arc::clone(&store)).build();
        let [one, other]: [Cache<u64, u64>; 2] = [opened().unwrap(), opened().unwrap()];
        let keys: Vec<u64> = (0..20).collect();
        let trips = || std::mem::take(&mut *asked.lock().unwrap());
        one.set_many(keys.iter().map(|key| (*key, *key)));
        assert_eq!(trips(), [("set", 20)]);
        assert_eq!(other.get_many(&keys).len(), 20);
        assert_eq!(trips(), [("get", 20)]);
        assert_eq!(other.get_many(&keys).len(), 20);
        assert_eq!(trips(), [], "memory has them");
        assert_eq!(one.delete_many(&keys), 20);
        assert_eq!(trips(), [("delete", 20)]);
    }
}
