//! Mixed load while the network fails in another way every so often: no answer is another's, none takes long, and all is well soon
//! after.
//!
//! Values prove themselves: they name what they were written under, and end in a digest of it all. `SOAK_SECONDS` makes a
//! run longer, `SOAK_SEED` another one.

mod support;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::store::{Answer, Bytes, Failure, FailureKind, Found, Store};
use everwarm_proxy::{Fault, Proxy};
use everwarm_store_redis::{Config, Redis};
use support::{Way, until, url, wait};

const LIMIT: Duration = Duration::from_millis(100);
const BEAT: Duration = Duration::from_millis(300);
const KEYS: u64 = 50;
const MS: Duration = Duration::from_millis(1);

// A read or a write is one operation, which may be repeated on another connection; the rest is for a busy machine.
const LONGEST: Duration = Duration::from_secs(3);

/// SplitMix64 (Steele, Lea, Flood 2014).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (bits ^ (bits >> 31)) % end
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a whole number"))
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What the writer of that number writes under a name: some are short, some span many packets.
fn value(name: &str, writer: u64, sequence: u64) -> Bytes {
    let filler = "x".repeat((sequence % 7 * sequence % 5 * 2_000) as usize);
    let text = format!("{name}|{writer}|{sequence}|{filler}|");
    Bytes::from(format!("{text}{:016x}", digest(&text)))
}

/// Whether bytes are whole, and were written under that name.
fn is_proven(name: &str, bytes: &[u8]) -> bool {
    let Some((text, end)) = std::str::from_utf8(bytes)
        .ok()
        .and_then(|all| all.split_at_checked(all.len().checked_sub(16)?))
    else {
        return false;
    };
    text.split('|').next() == Some(name) && end == format!("{:016x}", digest(text))
}

/// What a run has seen.
#[derive(Default)]
struct Seen {
    answered: AtomicU64,
    found: AtomicU64,
    abandoned: AtomicU64,
    failed: Mutex<BTreeMap<&'static str, u64>>,
    /// Answers that were not what was asked for.
    wrong: Mutex<Vec<String>>,
    slowest: Mutex<Duration>,
}

impl Seen {
    fn read(&self, name: &str, found: Option<&Found>) {
        if let Some(found) = found {
            self.found.fetch_add(1, Ordering::Relaxed);
            if !is_proven(name, &found.bytes) {
                let shown =
                    String::from_utf8_lossy(&found.bytes[..found.bytes.len().min(60)]).into_owned();
                self.wrong.lock().unwrap().push(format!("{name}: {shown}"));
            }
        }
    }

    fn ended(&self, began: Instant, outcome: Result<(), Failure>) {
        let mut slowest = self.slowest.lock().unwrap();
        *slowest = began.elapsed().max(*slowest);
        drop(slowest);
        match outcome {
            Ok(()) => drop(self.answered.fetch_add(1, Ordering::Relaxed)),
            Err(failure) => {
                *self
                    .failed
                    .lock()
                    .unwrap()
                    .entry(failure.kind.name())
                    .or_default() += 1
            }
        }
    }
}

/// One process's load on a store behind a proxy.
struct Soak {
    store: Redis,
    namespace: String,
    seen: Seen,
    is_over: AtomicBool,
}

impl Soak {
    fn name(&self, draw: &mut Draw) -> String {
        format!("{}:{}", self.namespace, draw.below(KEYS))
    }

    /// One operation of a worker.
    async fn operation(&self, draw: &mut Draw, writer: u64, sequence: u64) -> Result<(), Failure> {
        let name = self.name(draw);
        match draw.below(10) {
            0..3 => {
                let bytes = value(&name, writer, sequence);
                self.store
                    .set(&name, bytes, Some(Duration::from_secs(60)))
                    .await
            }
            3 => {
                let names: Vec<String> = (0..5).map(|_| self.name(draw)).collect();
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                for (name, found) in names.iter().zip(self.store.get_many(&names).await?) {
                    self.seen.read(name, found.as_ref());
                }
                Ok(())
            }
            _ => {
                let found = self.store.get(&name).await?;
                self.seen.read(&name, found.as_ref());
                Ok(())
            }
        }
    }

    /// A worker that waits on its own thread.
    fn block(&self, writer: u64, seed: u64) {
        let mut draw = Draw(seed);
        for sequence in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let began = Instant::now();
            let outcome = wait(Answer::Later(Box::pin(
                self.operation(&mut draw, writer, sequence),
            )));
            self.seen.ended(began, outcome);
        }
    }

    /// A task that abandons one operation of three in its midst.
    async fn await_some(self: Arc<Self>, writer: u64, seed: u64) {
        let mut draw = Draw(seed);
        for sequence in 0.. {
            if self.is_over.load(Ordering::Relaxed) {
                break;
            }
            let patience = match draw.below(3) {
                0 => Duration::from_micros(draw.below(1_500)),
                _ => LONGEST * 2,
            };
            let began = Instant::now();
            match tokio::time::timeout(patience, self.operation(&mut draw, writer, sequence)).await
            {
                Ok(outcome) => self.seen.ended(began, outcome),
                Err(_) => drop(self.seen.abandoned.fetch_add(1, Ordering::Relaxed)),
            }
            tokio::task::yield_now().await;
        }
    }

    /// Whether each key can be written and read again.
    fn is_well(&self) -> bool {
        (0..KEYS).all(|key| {
            let name = format!("{}:{key}", self.namespace);
            let written = wait(self.store.set(&name, value(&name, 999, key), None));
            let read = wait(self.store.get(&name));
            written.is_ok()
                && read.is_ok_and(|found| found.is_some_and(|found| is_proven(&name, &found.bytes)))
        })
    }
}

/// Faults after which bytes are what they were, or do not come.
fn honest(draw: &mut Draw) -> Fault {
    match draw.below(11) {
        0 => Fault::jitter(20 * MS, 20 * MS),
        1 => Fault::jitter(150 * MS, 100 * MS).chance(0.1),
        2 => Fault::bandwidth(20_000),
        3 => Fault::slices(1, Duration::ZERO),
        4 => Fault::truncate().chance(0.05),
        5 => Fault::freeze(),
        6 => Fault::half_open().chance(0.05),
        7 => Fault::reset().chance(0.05),
        8 => Fault::cut(5_000 + draw.below(50_000)),
        9 => Fault::refuse(),
        _ => Fault::hang().chance(0.5),
    }
}

/// Runs the load under faults; `None` without a server.
fn soak(name: &str, faults: impl Fn(&mut Draw) -> Fault) -> Option<(Arc<Soak>, Proxy)> {
    let url = url("EVERWARM_TEST_REDIS")?;
    let place = url
        .trim_start_matches("redis://")
        .split('/')
        .next()
        .expect("a host")
        .to_owned();
    let seed = from_environment("SOAK_SEED", 1);
    let proxy = Proxy::start(place.as_str(), seed).expect("a proxy");
    let mut config =
        Config::from_url(&url.replace(&place, &proxy.address().to_string())).expect("a URL");
    config.timeout = LIMIT;
    let soak = Arc::new(Soak {
        store: Redis::open(config).expect("a store"),
        namespace: format!("soak-{name}-{}", std::process::id()),
        seen: Seen::default(),
        is_over: AtomicBool::new(false),
    });
    let runtime = everwarm_runtime::handle().expect("a runtime");
    let tasks: Vec<_> = (10..18)
        .map(|writer| runtime.spawn(Arc::clone(&soak).await_some(writer, seed ^ writer)))
        .collect();
    thread::scope(|scope| {
        for writer in 0..4 {
            let soak = &soak;
            scope.spawn(move || Way::Blocking.run(|| soak.block(writer, seed ^ writer)));
        }
        let (mut draw, began) = (Draw(seed), Instant::now());
        while began.elapsed() < Duration::from_secs(from_environment("SOAK_SECONDS", 6)) {
            proxy.set(faults(&mut draw));
            if draw.below(4) == 0 {
                proxy.disconnect();
            }
            thread::sleep(BEAT);
            // Now and then another fault joins the one that is in force.
            if draw.below(3) > 0 {
                proxy.calm();
            }
        }
        proxy.calm();
        let calmed = Instant::now();
        until("it is well again", || soak.is_well());
        assert!(
            calmed.elapsed() < Duration::from_secs(5),
            "it took {:?}",
            calmed.elapsed()
        );
        soak.is_over.store(true, Ordering::Relaxed);
    });
    for task in tasks {
        support::on_runtime(task).expect("no panic");
    }
    let seen = &soak.seen;
    eprintln!(
        "{name}: {:?} answered, {:?} found, {:?} abandoned, failed {:?}, slowest {:?}",
        seen.answered,
        seen.found,
        seen.abandoned,
        seen.failed.lock().unwrap(),
        seen.slowest.lock().unwrap()
    );
    assert!(
        *seen.slowest.lock().unwrap() < LONGEST,
        "an operation took {:?}",
        seen.slowest.lock().unwrap()
    );
    Some((soak, proxy))
}

#[test]
fn no_answer_is_anothers_while_the_network_fails() {
    let Some((soak, proxy)) = soak("honest", honest) else {
        return;
    };
    assert_eq!(*soak.seen.wrong.lock().unwrap(), Vec::<String>::new());
    let kinds = soak.seen.failed.lock().unwrap();
    let expected = [FailureKind::Transient, FailureKind::Timeout].map(FailureKind::name);
    assert!(
        kinds.keys().all(|kind| expected.contains(kind)),
        "{kinds:?}"
    );
    assert!(soak.seen.found.load(Ordering::Relaxed) > 300 && !proxy.log().is_empty());
}

#[test]
fn damage_is_seen_and_leaves_with_its_connection() {
    let damage = |draw: &mut Draw| match draw.below(3) {
        0 => Fault::corrupt().down().chance(0.02),
        1 => Fault::swap().chance(0.02),
        _ => honest(draw),
    };
    let Some((soak, proxy)) = soak("damaged", damage) else {
        return;
    };
    let befallen = proxy.count("corrupt") + proxy.count("swap");
    let wrong = soak.seen.wrong.lock().unwrap().len() as u64;
    eprintln!(
        "{wrong} wrong by {befallen} faults: {:?}",
        soak.seen.wrong.lock().unwrap()
    );
    // Two replies that change places are two that are wrong: what carries values tells them by what it has sealed them with.
    assert!(
        (1..=2 * befallen).contains(&wrong),
        "{wrong} wrong by {befallen} faults"
    );
}
