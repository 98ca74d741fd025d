//! Caches over stores: one computation for all processes, invalidation that reaches them, and calls that no failure of a store fails.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use everwarm::duration::{mins, secs};
use everwarm::store::Store;
use everwarm::testing::ManualClock;
use everwarm::{Cache, ErrorKind, Seen, Tier, cached};
use everwarm_engine::Ticker;
use everwarm_memory::{Bounds, MemoryStore};
use serde::{Deserialize, Serialize};

const URL: &str = "EVERWARM_SHARED_URL";
const NAMESPACE: &str = "EVERWARM_SHARED_NAMESPACE";
const COMPUTED: &str = "EVERWARM_SHARED_COMPUTED";

/// A kind of store that processes share, as the guide has it.
#[derive(Clone, Copy, Debug)]
struct Kind {
    /// The variable that has its URL; or what its URL begins with, of a kind that is in a directory.
    place: &'static str,
    /// It tells others what was changed; else memory is half a second old at most.
    tells: bool,
    /// It numbers what is invalidated; else a tag is a whole namespace.
    has_tags: bool,
}

const fn kind(place: &'static str, tells: bool, has_tags: bool) -> Kind {
    Kind {
        place,
        tells,
        has_tags,
    }
}

/// Every kind but `http:`, which has what is behind its server.
const KINDS: [Kind; 10] = [
    kind("disk://", true, true),
    kind("EVERWARM_TEST_DYNAMODB", false, true),
    kind("file://", false, false),
    kind("EVERWARM_TEST_MARIADB", true, true),
    kind("EVERWARM_TEST_MEMCACHED", false, false),
    kind("EVERWARM_TEST_MONGODB", false, true),
    kind("EVERWARM_TEST_POSTGRES", true, true),
    kind("EVERWARM_TEST_REDIS", true, true),
    kind("EVERWARM_TEST_S3", false, true),
    kind("sqlite://", true, true),
];

/// A place that is shared: its URL, and a namespace that nobody else has.
struct Place {
    url: String,
    namespace: String,
    kind: Kind,
}

impl Place {
    /// Within which others know what one has changed, on a machine that is busy: what stands in for S3 takes its time, too.
    fn known_within(&self) -> Duration {
        match self.kind.tells {
            true => Duration::from_millis(900),
            false => Duration::from_millis(2_000),
        }
    }

    /// Waits until it is so.
    fn known(&self, what: &str, is_so: impl Fn() -> bool) {
        known(self.known_within(), &format!("{}: {what}", self.url), is_so);
    }

    fn cache(&self) -> Cache<u64, User> {
        cache(&self.url, &self.namespace)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    age: Option<u8>,
}

fn ada() -> User {
    User {
        name: "Ada".to_owned(),
        age: Some(36),
    }
}

/// The URL in a variable; without one the place is left out, loudly, and fails where nothing may be left out.
fn told(variable: &str) -> Option<String> {
    let url = env::var(variable).ok().filter(|url| !url.is_empty());
    if url.is_none() {
        let left_out = env::var("EVERWARM_TEST_LEFT_OUT").unwrap_or_default();
        assert!(
            env::var("CI").as_deref() != Ok("true") || left_out.contains(variable),
            "{variable} is not set"
        );
        let line = format!("LEFT OUT: a test that needs {variable}\n");
        drop(std::io::stderr().write_all(line.as_bytes()));
    }
    url
}

/// With the patience that a busy machine needs: to connect, or to write after others.
fn patient(url: &str) -> String {
    let sign = if url.contains('?') { '&' } else { '?' };
    match url.split_once(':') {
        Some(("disk" | "file", _)) => url.to_owned(),
        Some(("sqlite", _)) => format!("{url}{sign}busy_timeout=10s"),
        _ => format!("{url}{sign}connect_timeout=10s"),
    }
}

/// A directory of a test's own, that leaves with it.
struct Directory(String);

impl Directory {
    fn new(test: &str) -> Self {
        let path = env::temp_dir().join(format!("everwarm-{test}-{}", process::id()));
        fs::create_dir_all(&path).expect("there is room");
        Self(path.display().to_string())
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Everywhere at once.
fn everywhere(test: &str, run: impl Fn(&Place) + Sync) {
    let directory = Directory::new(test);
    thread::scope(|scope| {
        for (number, kind) in KINDS.into_iter().enumerate() {
            let url = match kind.place.strip_suffix("://") {
                Some(scheme) => Some(format!("{}{}/{scheme}", kind.place, directory.0)),
                None => told(kind.place),
            };
            let Some(url) = url else { continue };
            let place = Place {
                url: patient(&url),
                namespace: format!("{test}-{number}-{}", process::id()),
                kind,
            };
            let run = &run;
            scope.spawn(move || run(&place));
        }
    });
}

fn cache(url: &str, namespace: &str) -> Cache<u64, User> {
    let tier = Tier::new(url);
    // Who is refused in time computes alone.
    let tier = match url.contains("connect_timeout") {
        true => tier.timeout(secs(10)),
        false => tier,
    };
    Cache::builder(namespace)
        .store(tier)
        .ttl(mins(5))
        .tags(|id: &u64| [format!("user:{id}")])
        .build()
        .expect("its options are valid")
}

/// The tags of an entry.
fn names<V>(seen: &Seen<V>) -> Vec<&str> {
    seen.tags.iter().map(|tag| &**tag).collect()
}

/// The cache of a process that another one has started.
static SHOP: LazyLock<Cache<u64, User>> = LazyLock::new(|| {
    let of = |name| env::var(name).expect("whoever started this process has said so");
    cache(&of(URL), &of(NAMESPACE))
});

fn note(what: &str) {
    let file = env::var(COMPUTED).expect("whoever started this process has said so");
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(file)
        .expect("it can be written");
    writeln!(file, "{what}").expect("there is room");
}

#[cached(cache = SHOP, name = "slow", ttl = "5m", tags = ["doubles"])]
fn double(number: u64) -> Result<u64, String> {
    note("sync");
    thread::sleep(Duration::from_millis(400));
    Ok(2 * number)
}

#[cached(cache = SHOP, name = "slow-async", schema = "s1", ttl = "5m")]
async fn triple(number: u64) -> Option<u64> {
    note("async");
    thread::sleep(Duration::from_millis(400));
    Some(3 * number)
}

#[test]
#[ignore = "it is what the processes do that another test starts"]
fn the_part_of_a_process() {
    if env::var(URL).is_err() {
        return;
    }
    assert_eq!(double(21), Ok(42));
    assert_eq!(pollster::block_on(triple(14)), Some(42));
    let user = SHOP.get_or_compute(&7, || {
        note("cache");
        thread::sleep(Duration::from_millis(400));
        ada()
    });
    assert_eq!(user, ada());
    let tier = &SHOP.tiers()[0];
    assert!(tier.errors.is_empty(), "{tier:?}");
    let schema = triple::key(14).expect("a name");
    assert!(schema.contains(":slow-async:s1:"), "{schema}");
}

fn start(place: &Place, computed: &Path) -> Child {
    let this = env::current_exe().expect("it runs");
    Command::new(this)
        .args([
            "--exact",
            "the_part_of_a_process",
            "--ignored",
            "--nocapture",
        ])
        .env(URL, &place.url)
        .env(NAMESPACE, &place.namespace)
        .env(COMPUTED, computed)
        .stdout(Stdio::null())
        .spawn()
        .expect("it can be started")
}

#[test]
fn of_several_processes_one_computes() {
    everywhere("once", |place| {
        let directory = Directory::new(&place.namespace);
        let (computed, url) = (Path::new(&directory.0).join("computed"), &place.url);
        let run = || {
            let started: Vec<_> = (0..3).map(|_| start(place, &computed)).collect();
            for mut process in started {
                assert!(process.wait().expect("it was started").success(), "{url}");
            }
            let noted = fs::read_to_string(&computed).expect("somebody has computed");
            let mut noted: Vec<_> = noted.lines().map(str::to_owned).collect();
            noted.sort();
            noted
        };
        assert_eq!(run(), ["async", "cache", "sync"], "{url}");
        assert_eq!(run().len(), 3, "what is there is not computed again: {url}");
        // A tag of the cache is one of its functions, in whatever process.
        let shop = place.cache();
        shop.invalidate_tags(["doubles"]);
        let all = if place.kind.has_tags { 4 } else { 6 };
        assert_eq!(run().len(), all, "{url}");
        shop.clear();
        assert_eq!(run().len(), all + 3, "{url}");
    });
}

/// Waits until it is so.
fn known(within: Duration, what: &str, is_so: impl Fn() -> bool) {
    let end = Instant::now() + within;
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn what_one_changes_others_have() {
    everywhere("changes", |place| {
        let (one, other, url) = (place.cache(), place.cache(), &place.url);
        let in_memory = |key: &u64| other.peek(key).is_some();
        one.set(1, ada());
        assert_eq!(other.get(&1), Some(ada()), "{url}");
        assert_eq!(other.stats().hits, 1);
        // The message of the first write may come now.
        place.known("an entry", || {
            let seen = other.get(&1).and_then(|_| other.peek(&1));
            seen.is_some_and(|seen| names(&seen) == ["user:1"])
        });

        assert!(one.delete(&1) && !one.delete(&1));
        place.known("a deletion", || !in_memory(&1));
        assert_eq!(other.get(&1), None, "{url}");

        one.set(2, ada());
        assert!(other.exists(&2) && other.get(&2).is_some());
        one.invalidate_tags(["user:2"]);
        assert_eq!(one.get(&2), None, "{url}");
        place.known("a tag", || other.get(&2).is_none() && !in_memory(&2));

        one.set(3, ada());
        assert!(other.get(&3).is_some());
        pollster::block_on(one.clear_async());
        place.known("a clear", || other.get(&3).is_none() && !in_memory(&3));
    });
}

#[test]
fn entries_are_changed_in_place() {
    everywhere("in-place", |place| {
        let (one, other, url) = (place.cache(), place.cache(), &place.url);
        assert!(one.add(1, ada()) && !other.add(1, ada()), "{url}");
        let seen = other.get_with_meta(&1).expect("it is there");
        let older = User {
            age: Some(37),
            ..ada()
        };
        assert!(one.compare_and_set(1, seen.version, older.clone()));
        assert!(!other.compare_and_set(1, seen.version, ada()));
        assert_eq!(other.get(&1), Some(older.clone()), "{url}");
        let aged = one.update(1, |user| User {
            age: user.age.map(|age| age + 1),
            ..user.clone()
        });
        assert_eq!(aged.and_then(|user| user.age), Some(38));
        assert!(one.replace(1, ada()) && !one.replace(9, ada()));
        assert!(one.persist(&1) && !one.persist(&9));
        assert_eq!(other.get_with_meta(&1).expect("it is there").ttl, None);
        assert!(one.expire(&1, mins(1)) && one.touch(&1) && one.add_tags(&1, ["list"]));
        let seen = other.get_with_meta(&1).expect("it is there");
        assert!(seen.ttl <= Some(mins(5)), "{url}");
        assert_eq!(names(&seen), ["user:1", "list"], "{url}");
        other.invalidate_tags(["list"]);
        place.known("a tag", || one.get_with_meta(&1).is_none());
    });
}

#[test]
fn tasks_have_the_same_verbs() {
    everywhere("tasks", |place| {
        let (one, other, url) = (place.cache(), place.cache(), &place.url);
        pollster::block_on(async {
            let computed = one.get_or_compute_async(&1, async || ada()).await;
            assert_eq!(computed, ada());
            let found = other.try_get_or_compute_async(&1, async || Err::<User, _>("computed"));
            assert_eq!(found.await, Ok(ada()), "{url}");
            assert_eq!(other.stats().hits, 1);
            let failed = other.try_get_or_compute_async(&2, async || Err::<User, _>("failed"));
            assert_eq!(failed.await, Err(Arc::new("failed")));
            one.set_async(3, ada()).await;
            assert_eq!(other.get_async(&3).await, Some(ada()));
            assert!(other.delete_async(&3).await);
            assert_eq!(
                one.using()
                    .refresh()
                    .get_or_compute_async(&1, async || ada())
                    .await,
                ada()
            );
            assert!(one.exists_async(&1).await && !other.exists_async(&3).await);
        });
        place.known("a deletion", || !one.exists(&3));
        assert_eq!(one.stats().computations, 2, "{url}");
    });
}

#[test]
fn what_is_old_in_a_store_is_served_and_computed_anew() {
    let directory = Directory::new("windows");
    let url = format!("file://{}", directory.0);
    let numbers = || -> Cache<u64, u64> {
        Cache::builder("numbers")
            .store(&*url)
            .ttl(Duration::from_millis(1))
            .stale_while_revalidate(mins(5))
            .build()
            .expect("its options are valid")
    };
    let (one, other) = (numbers(), numbers());
    assert_eq!(one.get_or_compute(&1, || 1), 1);
    thread::sleep(Duration::from_millis(5));
    // Who meets it computes it anew, as in memory.
    assert_eq!(other.get_or_compute(&1, || 2), 2);
    let stats = other.stats();
    assert_eq!((stats.stale, stats.computations), (1, 1));
}

#[test]
fn no_failure_of_a_store_fails_a_call() {
    let away: Cache<u64, User> = cache("redis://127.0.0.1:1/0", "away");
    assert_eq!(away.get_or_compute(&1, ada), ada());
    assert_eq!(away.get(&1), Some(ada()), "memory goes on");
    away.set(2, ada());
    assert_eq!(away.get(&2), Some(ada()));
    assert!(!away.add(3, ada()) && away.get(&4).is_none());
    away.invalidate_tags(["user:2"]);
    assert_eq!(away.get(&2), None);
    assert!(away.delete(&1) && away.get(&1).is_none());
    away.clear();
    let tiers = away.tiers();
    assert_eq!(&*tiers[0].label, "redis");
    assert!(!tiers[0].errors.is_empty());
}

#[test]
fn what_cannot_be_read_is_computed_anew() {
    let store = memory();
    let texts: Cache<u64, String> = over(&store);
    let numbers: Cache<u64, u32> = over(&store);
    texts.set(1, "one".to_owned());
    assert_eq!(numbers.get_or_compute(&1, || 1), 1);
    assert_eq!(numbers.tiers()[0].refused.len(), 1, "and is counted");
    let again: Cache<u64, u32> = over(&store);
    assert_eq!(again.get(&1), Some(1), "what is there now is a number");
}

/// A store of one's own: here memory that two caches share.
fn memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::with_clock(
        Bounds::entries(1_000.try_into().expect("not zero")),
        Arc::new(Ticker::system()),
    ))
}

fn over<V>(store: &Arc<dyn Store>) -> Cache<u64, V>
where
    V: Clone + Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    let builder = Cache::builder("own").store(Arc::clone(store));
    builder.build().expect("its options are valid")
}

#[test]
fn threads_and_tasks_wait_for_one_computation() {
    let store = memory();
    let (one, other): (Cache<u64, u64>, Cache<u64, u64>) = (over(&store), over(&store));
    let computed = AtomicUsize::new(0);
    let slow = || {
        computed.fetch_add(1, Ordering::Relaxed);
        thread::sleep(Duration::from_millis(100));
        7
    };
    thread::scope(|scope| {
        for cache in [&one, &other] {
            scope.spawn(|| assert_eq!(cache.get_or_compute(&1, slow), 7));
            let task = async move { cache.get_or_compute_async(&1, async || slow()).await };
            scope.spawn(|| assert_eq!(pollster::block_on(task), 7));
        }
    });
    assert_eq!(computed.into_inner(), 1);
}

#[test]
fn writes_behind_are_done_when_the_cache_leaves() {
    let store = memory();
    let behind: Cache<u64, u64> = Cache::builder("own")
        .store(Tier::new(Arc::clone(&store)).write_behind())
        .build()
        .expect("its options are valid");
    (0..50).for_each(|key| behind.set(key, key));
    behind.flush();
    behind.set(50, 50);
    drop(behind);
    let other: Cache<u64, u64> = over(&store);
    // Whose thread has the last handle does them.
    known(secs(1), "writes", || {
        (0..=50).all(|key| other.get(&key) == Some(key))
    });
}

#[test]
fn memory_asks_the_store_again_after_its_own_ttl() {
    let clock = ManualClock::new();
    let cache: Cache<u64, u64> = Cache::builder("own")
        .store(memory())
        .memory_ttl(secs(10))
        .clock(&clock)
        .build()
        .expect("its options are valid");
    cache.set(1, 7);
    for asked in 0..3 {
        assert_eq!((cache.get(&1), cache.get(&1)), (Some(7), Some(7)));
        assert_eq!(cache.tiers()[0].hits, asked);
        clock.advance(secs(10));
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    let built = |url: &str| {
        let built = Cache::<u64, u64>::builder("users").store(url).build();
        built.expect_err("it cannot be meant")
    };
    assert_eq!(built("redsi://host").hint(), "did you mean redis:?");
    assert_eq!(
        built("redis://host/0?wait=1").kind(),
        ErrorKind::UnknownOption
    );
    #[cfg(not(feature = "http"))]
    {
        let error = built("http://host/cache");
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert_eq!(
            error.hint(),
            r#"write everwarm = { version = "0.1", features = ["http"] } in Cargo.toml"#
        );
    }
    let unused = Cache::<u64, u64>::builder("users")
        .namespace("shop")
        .build();
    assert_eq!(unused.unwrap_err().kind(), ErrorKind::Config);
}

/// How many of these calls compute at once where each waits for the end: as soon as there are as many as are expected, and a while
/// after that.
fn most_at_once(cache: &Cache<u64, User>, calls: u64, expected: usize) -> usize {
    let (running, is_over) = (AtomicUsize::new(0), AtomicBool::new(false));
    thread::scope(|scope| {
        for id in 0..calls {
            let (running, is_over) = (&running, &is_over);
            scope.spawn(move || {
                let user = cache.get_or_compute(&id, || {
                    running.fetch_add(1, Ordering::SeqCst);
                    while !is_over.load(Ordering::SeqCst) {
                        thread::sleep(Duration::from_millis(1));
                    }
                    ada()
                });
                assert_eq!(user, ada());
            });
        }
        let until = Instant::now() + secs(20);
        while running.load(Ordering::SeqCst) < expected && Instant::now() < until {
            thread::sleep(Duration::from_millis(1));
        }
        thread::sleep(Duration::from_millis(200));
        let most = running.load(Ordering::SeqCst);
        is_over.store(true, Ordering::SeqCst);
        most
    })
}

#[test]
fn computations_without_a_lease_are_bounded() {
    let away: Cache<u64, User> = cache("redis://127.0.0.1:1/0", "away");
    assert_eq!(most_at_once(&away, 70, 64), 64);
    let directory = Directory::new("leases");
    let there = cache(&format!("disk://{}/disk", directory.0), "there");
    assert_eq!(most_at_once(&there, 70, 70), 70, "each has a lease");
}
