//! A store that could not be opened yet: it stands in its place as one that is down, and is opened as soon as it can be.
//!
//! What it can do is known by its kind, so that a stack is the same for all processes whether or not each could open it. Whoever asks it
//! has it tried again, once a second at most and on a thread of its own: opening may wait for other processes. A forked child tries for
//! itself: a thread of its parent that was just trying is not in it.
#![deny(clippy::missing_trait_methods)]

mod facets;
mod kind;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use everwarm_core::bus::mac::Mac;
use everwarm_core::key::MAX_NAME;
use everwarm_core::store::{
    Answer, Bytes, Conditional, Counters, Durability, Entry, Failure, FailureKind, Found,
    Generations, Health, Info, Leases, Limits, Notify, Scan, Store, Suspend, Touch,
};

use everwarm_engine::process;

use kind::Kind;

/// How long after one attempt the next may begin.
const PAUSE: Duration = Duration::from_secs(1);

/// What opens the store.
type Open = dyn Fn() -> Result<Arc<dyn Store>, Failure> + Send + Sync;

/// A store that is opened when it can be. Until then every verb fails as [`FailureKind::Transient`].
pub struct Awaited(Arc<Inner>);

struct Inner {
    kind: Kind,
    open: Box<Open>,
    /// Why it could not be opened at first.
    why: Failure,
    is_closed: AtomicBool,
    /// What its messages are to be authenticated with.
    mac: OnceLock<Arc<dyn Mac>>,
    first: Tries,
}

/// The store as one process has it, and as the child has it that this one forked.
struct Tries {
    process: u64,
    store: OnceLock<Arc<dyn Store>>,
    state: Mutex<State>,
    child: OnceLock<Box<Tries>>,
}

struct State {
    why: Failure,
    /// When it may be tried again; None: somebody tries now.
    next: Option<Instant>,
}

/// Whether a failure to open a store never passes by itself: somebody has to do something about it.
#[must_use]
pub const fn is_lasting(failure: &Failure) -> bool {
    !matches!(
        failure.kind,
        FailureKind::Transient | FailureKind::Timeout | FailureKind::Capacity
    )
}

impl Awaited {
    /// The store of this URL, which `open` opens and could not for this reason; None for a scheme that no store has.
    pub fn new(
        url: &str,
        why: Failure,
        open: impl Fn() -> Result<Arc<dyn Store>, Failure> + Send + Sync + 'static,
    ) -> Option<Self> {
        let scheme = url.split_once(':').map_or("", |(scheme, _)| scheme);
        Some(Self(Arc::new(Inner {
            kind: Kind::of(scheme)?,
            open: Box::new(open),
            first: Tries::new(OnceLock::new(), (why.clone(), Instant::now() + PAUSE)),
            why,
            is_closed: AtomicBool::new(false),
            mac: OnceLock::new(),
        })))
    }

    /// The store, if it is open.
    fn there(&self) -> Option<&Arc<dyn Store>> {
        self.0.here().store.get()
    }

    /// The store, or why it is not open; it is tried again where it is time.
    fn store(&self) -> Result<&Arc<dyn Store>, Failure> {
        if let Some(store) = self.there() {
            return Ok(store);
        }
        if self.0.is_closed.load(Ordering::Acquire) {
            return Err(closed());
        }
        let here = self.0.here();
        let mut state = here.state();
        let is_time = state.next.is_some_and(|next| Instant::now() >= next);
        if is_time {
            state.next = None;
        }
        let failure = unopened(&state.why);
        drop(state);
        if is_time {
            let inner = Arc::clone(&self.0);
            let builder = thread::Builder::new().name("everwarm-opens".to_owned());
            if builder.spawn(move || inner.try_again()).is_err() {
                here.state().next = Some(Instant::now() + PAUSE);
            }
        }
        Err(failure)
    }

    fn ask<'a, T>(&'a self, ask: impl FnOnce(&'a dyn Store) -> Answer<'a, T>) -> Answer<'a, T> {
        match self.store() {
            Ok(store) => ask(&**store),
            Err(failure) => Answer::failed(failure),
        }
    }

    /// Asks a facet of the store.
    fn ask_facet<'a, F: ?Sized + 'a, T>(
        &'a self,
        facet: impl FnOnce(&'a dyn Store) -> Option<&'a F>,
        ask: impl FnOnce(&'a F) -> Answer<'a, T>,
    ) -> Answer<'a, T> {
        self.ask(|store| match facet(store) {
            Some(facet) => ask(facet),
            None => Answer::failed(Failure::new(
                FailureKind::Capability,
                "the store does not offer what stores of its kind do",
                "look at the options of its URL",
            )),
        })
    }

    /// Whether it has a facet: as the store says, or as its kind does.
    fn offers(
        &self,
        says: impl FnOnce(&dyn Store) -> bool,
        by_kind: impl FnOnce(&Kind) -> bool,
    ) -> bool {
        match self.there() {
            Some(store) => says(&**store),
            None => by_kind(&self.0.kind),
        }
    }
}

impl Inner {
    /// The store as this process has it.
    fn here(&self) -> &Tries {
        let process = process();
        let mut here = &self.first;
        while here.process != process {
            here = here.child.get_or_init(|| Box::new(here.forked(&self.why)));
        }
        here
    }

    /// Tries to open the store.
    fn try_again(&self) {
        let opened = (self.open)();
        let here = self.here();
        let mut state = here.state();
        state.next = Some(Instant::now() + PAUSE);
        match opened {
            Ok(_) if self.is_closed.load(Ordering::Acquire) => {}
            Ok(store) => {
                if let (Some(mac), Some(notify)) = (self.mac.get(), store.notify()) {
                    notify.authenticate(mac);
                }
                drop(here.store.set(store));
            }
            Err(why) => state.why = why,
        }
    }
}

impl Tries {
    fn new(store: OnceLock<Arc<dyn Store>>, (why, next): (Failure, Instant)) -> Self {
        let next = Some(next);
        Self {
            process: process(),
            store,
            state: Mutex::new(State { why, next }),
            child: OnceLock::new(),
        }
    }

    /// The same in a child of this process. Locks of the parent may have been held at the fork, and are never let go of here.
    fn forked(&self, first: &Failure) -> Self {
        let why = match self.state.try_lock() {
            Ok(state) => state.why.clone(),
            Err(TryLockError::Poisoned(state)) => state.get_ref().why.clone(),
            Err(TryLockError::WouldBlock) => first.clone(),
        };
        let store = self
            .store
            .get()
            .map_or_else(OnceLock::new, |store| OnceLock::from(Arc::clone(store)));
        Self::new(store, (why, Instant::now()))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unopened(why: &Failure) -> Failure {
    Failure::new(
        FailureKind::Transient,
        format!("the store could not be opened: {}", why.message()),
        why.hint(),
    )
}

fn closed() -> Failure {
    Failure::new(
        FailureKind::Closed,
        "the store was closed",
        "open another one",
    )
}

impl Store for Awaited {
    fn info(&self) -> Info {
        self.there().map_or_else(
            || Info {
                kind: self.0.kind.name,
                place: String::new(),
                durability: Durability::None,
                embedded: self.0.kind.embedded,
            },
            |store| store.info(),
        )
    }

    fn limits(&self) -> Limits {
        self.there().map_or(
            Limits {
                longest_name: MAX_NAME,
                largest_value: u64::MAX,
                longest_ttl: None,
                ttl_precision: Duration::ZERO,
            },
            |store| store.limits(),
        )
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

    fn get_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, Vec<Option<Found>>> {
        self.ask(|store| store.get_many(names))
    }

    fn set_many<'a>(&'a self, entries: &'a [Entry<'a>]) -> Answer<'a, ()> {
        self.ask(|store| store.set_many(entries))
    }

    fn delete_many<'a>(&'a self, names: &'a [&'a str]) -> Answer<'a, u64> {
        self.ask(|store| store.delete_many(names))
    }

    fn clear<'a>(&'a self, prefix: &'a str) -> Answer<'a, u64> {
        self.ask(|store| store.clear(prefix))
    }

    fn sweep(&self) -> Answer<'_, u64> {
        self.ask(|store| store.sweep())
    }

    fn ping(&self) -> Answer<'_, ()> {
        self.ask(|store| store.ping())
    }

    fn close(&self) -> Answer<'_, ()> {
        // Who has just opened it sees that, or is seen.
        let state = self.0.here().state();
        self.0.is_closed.store(true, Ordering::Release);
        drop(state);
        match self.there() {
            Some(store) => store.close(),
            None => Answer::done(()),
        }
    }

    fn doubts(&self) -> Vec<String> {
        self.there().map_or_else(Vec::new, |store| store.doubts())
    }

    fn proves(&self, found: &Found) -> bool {
        self.there().is_some_and(|store| store.proves(found))
    }

    fn may_wait(&self) -> bool {
        let by_kind = self.0.kind.may_wait;
        self.there().map_or(by_kind, |store| store.may_wait())
    }

    fn lot(&self) -> Option<usize> {
        self.there()?.lot()
    }

    fn after_fork(&self) {
        if let Some(store) = self.there() {
            store.after_fork();
        }
    }

    fn counters(&self) -> Option<&dyn Counters> {
        self.offers(|store| store.counters().is_some(), |_| true)
            .then_some(self)
    }

    fn conditional(&self) -> Option<&dyn Conditional> {
        self.offers(|store| store.conditional().is_some(), |_| true)
            .then_some(self)
    }

    fn leases(&self) -> Option<&dyn Leases> {
        self.offers(|store| store.leases().is_some(), |_| true)
            .then_some(self)
    }

    fn scan(&self) -> Option<&dyn Scan> {
        self.offers(|store| store.scan().is_some(), |kind| kind.scans)
            .then_some(self)
    }

    fn touch(&self) -> Option<&dyn Touch> {
        self.offers(|store| store.touch().is_some(), |_| true)
            .then_some(self)
    }

    fn generations(&self) -> Option<&dyn Generations> {
        self.offers(
            |store| store.generations().is_some(),
            |kind| kind.has_generations,
        )
        .then_some(self)
    }

    fn notify(&self) -> Option<&dyn Notify> {
        self.offers(|store| store.notify().is_some(), |kind| kind.notifies)
            .then_some(self)
    }

    fn suspending(&self) -> Option<&dyn Suspend> {
        self.offers(|store| store.suspending().is_some(), |kind| kind.suspends)
            .then_some(self)
    }

    fn health(&self) -> Option<&dyn Health> {
        // Of what is not open nothing is told but that.
        self.there()?.health()
    }
}

impl fmt::Debug for Awaited {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Awaited")
            .field("kind", &self.0.kind.name)
            .field("store", &self.there())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    use everwarm_core::clock::Clock;
    use everwarm_engine::Bounds;
    use everwarm_memory::MemoryStore;

    fn why() -> Failure {
        Failure::new(FailureKind::Permanent, "it is locked", "open the lock")
    }

    struct Still;

    impl Clock for Still {
        fn now(&self) -> everwarm_core::clock::Instant {
            everwarm_core::clock::Instant::ZERO
        }
    }

    fn embedded() -> Arc<dyn Store> {
        let ten = std::num::NonZeroUsize::new(10).expect("not zero");
        Arc::new(MemoryStore::with_clock(
            Bounds::entries(ten),
            Arc::new(Still),
        ))
    }

    #[test]
    fn it_fails_as_one_that_is_down_until_it_can_be_opened() {
        let (can_be, tries) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let (may, tried) = (Arc::clone(&can_be), Arc::clone(&tries));
        let open = move || {
            tried.fetch_add(1, Ordering::Relaxed);
            if may.load(Ordering::Relaxed) {
                Ok(embedded())
            } else {
                Err(why())
            }
        };
        let store = Awaited::new("disk:///there", why(), open).expect("a kind");
        for _ in 0..3 {
            let failure = store.delete("a").now().expect("at once").unwrap_err();
            assert_eq!(failure.kind, FailureKind::Transient);
            assert!(failure.message().ends_with("it is locked"));
            assert_eq!(failure.hint(), "open the lock");
        }
        assert_eq!(tries.load(Ordering::Relaxed), 0, "not at once again");
        assert!(store.generations().is_some() && store.notify().is_some());
        can_be.store(true, Ordering::Relaxed);
        let until = Instant::now() + 5 * PAUSE;
        while store.ping().now().expect("at once").is_err() {
            assert!(Instant::now() < until, "it comes back within five seconds");
            thread::sleep(PAUSE / 50);
        }
        assert_eq!(tries.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_was_closed_is_not_opened() {
        let open = || -> Result<Arc<dyn Store>, Failure> { unreachable!("it was closed") };
        let store = Awaited::new("redis://host", why(), open).expect("a kind");
        store.close().now().expect("at once").expect("no error");
        thread::sleep(PAUSE + PAUSE / 10);
        let failure = store.ping().now().expect("at once").unwrap_err();
        assert_eq!(failure.kind, FailureKind::Closed);
    }
}
