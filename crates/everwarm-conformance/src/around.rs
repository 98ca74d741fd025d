//! What is around a store promises this of it, whatever layers there are: for who has a store, and says behind which layers it stands.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use everwarm_core::store::{
    Answer, Bytes, Counters, Failure, FailureKind, Found, Info, Limits, Store,
};

use crate::harness::{Bench, Harness};
use crate::later::later;
use crate::promise::{Broken, Kept, ensure};
use crate::report::{Outcome, broken_by};
use crate::wait::{abandon, wait};

/// What wraps a store into its layers.
pub type Wrap<'w> = &'w dyn Fn(Arc<dyn Store>) -> Arc<dyn Store>;

type Check = fn(&Bench<'_>, Wrap<'_>) -> Kept;

/// The promises, by name.
const PROMISES: [(&str, Check); 5] = [
    ("what_a_store_answers_passes", what_a_store_answers_passes),
    (
        "how_a_store_fails_is_what_callers_hear",
        how_a_store_fails_is_what_callers_hear,
    ),
    ("a_change_is_made_once", a_change_is_made_once),
    ("a_success_ends_the_attempts", a_success_ends_the_attempts),
    (
        "who_walks_away_stands_in_nobodys_way",
        who_walks_away_stands_in_nobodys_way,
    ),
];

/// The names of what layers promise of a store.
pub fn promises() -> impl Iterator<Item = &'static str> {
    PROMISES.iter().map(|(name, _)| *name)
}

/// Checks what layers promise of a store, by the name of one promise; None if there is no such promise. A panic breaks it.
///
/// ```
/// use everwarm_conformance::{Harness, Outcome, around};
/// use everwarm_memory::{Bounds, MemoryStore};
///
/// let bounds = Bounds::entries(100.try_into().unwrap());
/// let harness = Harness::new(move |fixture| MemoryStore::with_clock(bounds, fixture.clock()));
/// for name in around::promises() {
///     let outcome = around::check(&harness, name, &|store| store);
///     assert!(matches!(outcome, Some(Outcome::Kept)), "{name}");
/// }
/// ```
#[must_use]
pub fn check(harness: &Harness, name: &str, wrap: Wrap<'_>) -> Option<Outcome> {
    let (_, check) = PROMISES.iter().find(|(promise, _)| *promise == name)?;
    let checked = catch_unwind(AssertUnwindSafe(|| check(&harness.bench()?, wrap)));
    Some(match checked {
        Ok(Ok(())) => Outcome::Kept,
        Ok(Err(broken)) => Outcome::Broken(broken),
        Err(panic) => Outcome::Broken(broken_by(&*panic)),
    })
}

/// A store behind which it is counted how often it is asked, and which fails or is slow when it is told to.
#[derive(Debug)]
struct Probe {
    store: Arc<dyn Store>,
    asked: AtomicUsize,
    fails: Mutex<Option<Failure>>,
    is_late: AtomicBool,
}

impl Probe {
    fn of(bench: &Bench<'_>) -> Arc<Self> {
        Arc::new(Self {
            store: Arc::clone(&bench.store),
            asked: AtomicUsize::new(0),
            fails: Mutex::default(),
            is_late: AtomicBool::new(false),
        })
    }

    fn fail(&self, failure: Failure) {
        *self.fails.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }

    /// How often the store was asked since the last time.
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    fn ask<'a, T: Send + 'a>(
        &'a self,
        ask: impl FnOnce(&'a dyn Store) -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let fails = self.fails.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(failure) = &*fails {
            return Answer::failed(failure.clone());
        }
        drop(fails);
        if self.is_late.load(Ordering::SeqCst) {
            let failure = Failure::new(FailureKind::Timeout, "it was late", "wait for nobody");
            return later(Duration::from_secs(3), Err(failure));
        }
        ask(&*self.store)
    }
}

impl Store for Probe {
    fn info(&self) -> Info {
        self.store.info()
    }

    fn limits(&self) -> Limits {
        self.store.limits()
    }

    fn get<'a>(&'a self, name: &'a str) -> Answer<'a, Option<Found>> {
        self.ask(|store| store.get(name))
    }

    fn set<'a>(&'a self, name: &'a str, bytes: Bytes, ttl: Option<Duration>) -> Answer<'a, ()> {
        self.ask(|store| store.set(name, bytes, ttl))
    }

    fn delete<'a>(&'a self, name: &'a str) -> Answer<'a, bool> {
        self.ask(|store| store.delete(name))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.ask(|store| store.clear(prefix))
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.ask(Store::ping)
    }

    fn close(&self) -> Answer<'_, ()> {
        self.ask(Store::close)
    }

    fn counters(&self) -> Option<&dyn Counters> {
        Some(self)
    }
}

/// Where a store does not count, a count is its initial number.
impl Counters for Probe {
    fn incr<'a>(
        &'a self,
        name: &'a str,
        by: i64,
        initial: i64,
        ttl: Option<Duration>,
    ) -> Answer<'a, i64> {
        self.ask(|store| match store.counters() {
            Some(counters) => counters.incr(name, by, initial, ttl),
            None => Answer::done(initial + by),
        })
    }
}

fn incr<'a>(store: &'a dyn Store, name: &'a str) -> Result<i64, Failure> {
    let none = || Failure::new(FailureKind::Capability, "a facet is lost", "pass it on");
    let counters = store.counters().ok_or_else(none)?;
    wait(counters.incr(name, 2, 1, None))
}

/// What each verb comes to, by its name.
fn each(store: &dyn Store, name: &str) -> [(&'static str, Result<(), Failure>); 4] {
    let set = wait(store.set(name, Bytes::from_static(b"value"), None));
    [
        ("set", set),
        ("get", wait(store.get(name)).map(drop)),
        ("delete", wait(store.delete(name)).map(drop)),
        ("incr", incr(store, name).map(drop)),
    ]
}

/// What a store answers passes as it is.
fn what_a_store_answers_passes(bench: &Bench<'_>, wrap: Wrap<'_>) -> Kept {
    let store = wrap(Probe::of(bench));
    let (name, value) = (bench.name("answers"), Bytes::from(vec![7; 3_000]));
    wait(store.set(&name, value.clone(), None))?;
    let found = wait(store.get(&name))?.map(|found| found.bytes);
    ensure!(
        found.as_ref() == Some(&value),
        "what was set through the layers is not what is found through them"
    );
    ensure!(
        wait(store.delete(&name))? && wait(store.get(&name))?.is_none(),
        "what was deleted through the layers is there"
    );
    ensure!(
        !wait(store.delete(&name))?,
        "what is gone is deleted once more"
    );
    let count = incr(&*store, &name)?;
    ensure!(
        count == 3,
        "a count that begins at 1 is {count} after 2 more"
    );
    Ok(())
}

/// A failure comes through with its kind and its words, and layers make none of their own after a few.
fn how_a_store_fails_is_what_callers_hear(bench: &Bench<'_>, wrap: Wrap<'_>) -> Kept {
    for kind in FailureKind::ALL {
        let probe = Probe::of(bench);
        let store = wrap(Arc::clone(&probe) as Arc<dyn Store>);
        let failure = Failure::new(kind, "what happened", "what to do");
        probe.fail(failure.clone());
        for (verb, outcome) in each(&*store, &bench.name("fails")) {
            ensure!(
                outcome == Err(failure.clone()),
                "{verb} failed as {}, and through the layers it is {outcome:?}",
                kind.name()
            );
        }
    }
    Ok(())
}

/// What is not the same when it is done twice, is not done twice.
fn a_change_is_made_once(bench: &Bench<'_>, wrap: Wrap<'_>) -> Kept {
    for kind in FailureKind::ALL {
        let probe = Probe::of(bench);
        let store = wrap(Arc::clone(&probe) as Arc<dyn Store>);
        probe.fail(Failure::new(kind, "what happened", "what to do"));
        let name = bench.name("changed");
        let outcomes = [
            ("delete", wait(store.delete(&name)).is_ok(), probe.asked()),
            ("incr", incr(&*store, &name).is_ok(), probe.asked()),
        ];
        for (verb, is_done, asked) in outcomes {
            ensure!(
                !is_done && asked <= 1,
                "{verb} failed as {}, and was tried {asked} times",
                kind.name()
            );
        }
    }
    Ok(())
}

/// What has succeeded is not done again.
fn a_success_ends_the_attempts(bench: &Bench<'_>, wrap: Wrap<'_>) -> Kept {
    let probe = Probe::of(bench);
    let store = wrap(Arc::clone(&probe) as Arc<dyn Store>);
    let outcomes = each(&*store, &bench.name("done"));
    for (verb, outcome) in outcomes {
        ensure!(outcome.is_ok(), "{verb} came to {outcome:?}");
    }
    let asked = probe.asked();
    ensure!(
        asked == 4,
        "four verbs succeeded at once, and the store was asked {asked} times"
    );
    Ok(())
}

/// An operation that is abandoned stands in nobody's way.
fn who_walks_away_stands_in_nobodys_way(bench: &Bench<'_>, wrap: Wrap<'_>) -> Kept {
    let probe = Probe::of(bench);
    let store = wrap(Arc::clone(&probe) as Arc<dyn Store>);
    let name = bench.name("abandoned");
    wait(store.set(&name, Bytes::from_static(b"value"), None))?;
    for _ in 0..100 {
        probe.is_late.store(true, Ordering::SeqCst);
        abandon(store.get(&name));
        drop(store.set(&name, Bytes::from_static(b"other"), None));
        probe.is_late.store(false, Ordering::SeqCst);
        let found = wait(store.get(&name))
            .map_err(|failure| Broken::new(format!("after one that was abandoned: {failure}")))?;
        ensure!(
            found.is_some_and(|found| found.bytes == "value"),
            "after an operation that was abandoned the next one finds something else"
        );
    }
    Ok(())
}
