//! Functions that `#[cached]` decorates: where their entries live, and their verbs over canonical keys.

use std::borrow::Cow;
use std::convert::Infallible;
use std::future::Future;
use std::hash::BuildHasher;
use std::num::NonZeroUsize;
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::key::{self, Digest, Header, KeyRef, Limit, Writer};
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_engine::{Bulkhead, Seen, Stats, Ticker};
use parking_lot::Mutex;

use crate::behind::{Behind, Task, Work};
use crate::builder::entries;
use crate::cache::texts;
use crate::call::{Call, here, unlimited};
use crate::form::{Canonical, Written};
use crate::home::{Engine, Home, ONLY_SCOPE};
use crate::patience::{Patience, Refuse, Timer};
use crate::renewed::anew;
use crate::timed::{PACE, Refreshing, Timed};

/// What a decorated function returns: given to all who wait, from whatever thread, and kept for later callers.
#[diagnostic::on_unimplemented(
    message = "what a cached function returns is shared by its callers, which `{Self}` cannot be",
    note = "hint: put what is large or cannot be cloned in an `Arc`, as in `Arc<Page>` or `Result<Page, Arc<Error>>`"
)]
pub trait Shared: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Clone + Send + Sync + 'static> Shared for T {}

/// What `#[cached]` says about a function.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// Its full name, or the one it was given.
    pub name: &'static str,
    /// The namespace of its stored names.
    pub namespace: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The names of its parameters, in order.
    pub parameters: &'static [&'static str],
    /// How many entries it may have.
    pub max_entries: usize,
    /// How long its values are kept, and when they are computed anew.
    pub policy: Policy,
    /// What runs the computation behind a value that is served, of a function.
    pub background: Option<fn(Work)>,
    /// The same, of an `async` function.
    pub spawn: Option<fn(Task)>,
    /// How many computations run at once; None: as many as are asked for.
    pub computations: Option<NonZeroUsize>,
    /// How long its calls wait for one another.
    pub wait: Option<Duration>,
    /// What measures time for those of an `async` function.
    pub timer: Option<fn(Duration) -> Task>,
}

impl Declaration {
    fn patience(&self) -> Patience {
        let timer = self.timer.map(|timer| Arc::new(timer) as Timer);
        Patience {
            wait: self.wait,
            timer,
            bulkhead: self.computations.map(Bulkhead::new),
        }
    }
}

/// A decorated function's entries, made at the first call.
pub struct Function<R: Shared> {
    declared: Declaration,
    home: OnceLock<Home<Canonical, R>>,
    timed: Timed<&'static Home<Canonical, R>>,
}

/// A call that memory did not answer.
pub struct Missing<R: Shared> {
    function: &'static Function<R>,
    home: &'static Home<Canonical, R>,
    /// None for arguments that are beyond what a key may be: they are computed every time.
    key: Option<(u64, Canonical)>,
    refresh: bool,
}

/// What writes the key of a call.
type Writing<'a> = &'a dyn Fn(&mut Writer) -> Result<(), Limit>;

impl<R: Shared> Function<R> {
    /// A function that was not called yet.
    #[must_use]
    pub const fn new(declared: Declaration) -> Self {
        Self {
            declared,
            home: OnceLock::new(),
            timed: Timed::new(),
        }
    }

    fn home(&'static self) -> &'static Home<Canonical, R> {
        self.home.get_or_init(|| {
            // Enrolled before there is any entry, so that no invalidation overlooks one.
            FUNCTIONS.lock().push(self);
            let bounds = entries(self.declared.max_entries).expect("the attribute checked it");
            let name = Cow::Borrowed(self.declared.name);
            let engine = Engine::new(bounds, ticker().clone());
            Home::new(
                name,
                self.declared.policy,
                engine,
                (None, self.declared.patience()),
            )
        })
    }

    /// The value of a call, if it is there.
    ///
    /// # Errors
    /// What it takes to compute it.
    #[inline]
    pub fn ask(&'static self, write: Writing<'_>) -> Result<R, Missing<R>> {
        let home = self.home();
        let mut writer = Writer::for_scope(ONLY_SCOPE);
        let key = match sealed(&mut writer, write) {
            Ok(key) => key,
            Err(_) => return Err(Missing::unkeyed(self, home)),
        };
        let hash = home.seed.hash_one(key);
        match home.engine.hit(&home.scope, hash, &Written(key)) {
            Some(value) => Ok(value),
            None => Err(Missing {
                function: self,
                home,
                key: Some((hash, Canonical(key.into()))),
                refresh: false,
            }),
        }
    }

    /// What it takes to compute a call anew, whatever is there.
    pub fn refresh(&'static self, write: Writing<'_>) -> Missing<R> {
        let home = self.home();
        match self.keyed(write) {
            Ok(key) => Missing {
                function: self,
                home,
                key: Some(key),
                refresh: true,
            },
            Err(_) => Missing::unkeyed(self, home),
        }
    }

    /// Makes the entry of a call gone, also for who computes it now.
    pub fn invalidate(&'static self, write: Writing<'_>) {
        if let Ok((hash, key)) = self.keyed(write) {
            let home = self.home();
            home.engine.delete(&home.scope, hash, &key);
        }
    }

    /// Makes the entry of a call as one whose ttl is over; whether it was there and fresh.
    pub fn mark_stale(&'static self, write: Writing<'_>) -> bool {
        let home = self.home();
        self.keyed(write)
            .is_ok_and(|(hash, key)| home.engine.mark_stale(&home.scope, hash, &key))
    }

    /// The entry of a call, if there is one; counts nothing.
    pub fn peek(&'static self, write: Writing<'_>) -> Option<Seen<R>> {
        let (hash, key) = self.keyed(write).ok()?;
        let home = self.home();
        home.engine.peek(&home.scope, hash, &key)
    }

    /// Stores a value as if the call had given it, unless the policy would not have kept it.
    pub fn prime<T: Into<Arc<str>>>(
        &'static self,
        write: Writing<'_>,
        tags: impl IntoIterator<Item = T>,
        value: R,
        judge: impl FnOnce(&R) -> Outcome,
    ) {
        if let Ok(key) = self.keyed(write) {
            let (home, outcome, tags) = (self.home(), judge(&value), texts(tags));
            home.put(key, value, outcome, (&home.policy, &tags));
        }
    }

    /// The stored name of a call: what it is known by beyond this process, in Rust and in Python.
    ///
    /// # Errors
    /// A `KeyRefused` error for arguments beyond what a key may be.
    pub fn key(&'static self, write: Writing<'_>) -> Result<String, Error> {
        let declared = &self.declared;
        let header = Header {
            function: declared.name,
            version: declared.version,
            parameters: declared.parameters,
        };
        let digest = self
            .keyed(write)
            .and_then(|(_, key)| Digest::new(&header, key.0.arguments()))
            .map_err(|limit| {
                Error::new(
                    ErrorKind::KeyRefused,
                    format!("an argument of {} is {limit}", declared.name),
                    "name what tells calls apart, as in `key = \"{page.id}\"`",
                )
            })?;
        let (namespace, version) = (declared.namespace, declared.version);
        Ok(key::stored_name(namespace, declared.name, version, &digest))
    }

    /// Makes all entries of the function gone, also what is being computed.
    pub fn clear(&'static self) {
        let home = self.home();
        home.engine.clear_scope(&home.scope);
    }

    /// What happened in the function.
    pub fn stats(&'static self) -> Stats {
        self.home().engine.totals()
    }

    fn keyed(&'static self, write: Writing<'_>) -> Result<(u64, Canonical), Limit> {
        let mut writer = Writer::for_scope(ONLY_SCOPE);
        let key = sealed(&mut writer, write)?;
        Ok((self.home().seed.hash_one(key), Canonical(key.into())))
    }
}

/// The clock of all decorated functions.
pub(crate) fn ticker() -> &'static Ticker {
    static TICKER: LazyLock<Ticker> = LazyLock::new(Ticker::system);
    &TICKER
}

fn sealed<'a>(writer: &'a mut Writer, write: Writing<'_>) -> Result<KeyRef<'a>, Limit> {
    write(writer)?;
    writer.seal()
}

impl<R: Shared> Missing<R> {
    fn unkeyed(function: &'static Function<R>, home: &'static Home<Canonical, R>) -> Self {
        Self {
            function,
            home,
            key: None,
            refresh: false,
        }
    }

    /// Computes the call on this thread, or waits for who does.
    ///
    /// # Panics
    /// If the computation asks for its own key.
    pub fn compute(
        self,
        tags: &[Arc<str>],
        compute: impl FnOnce() -> R,
        judge: impl FnOnce(&R) -> Outcome,
    ) -> R {
        let Some(call) = self.call(tags) else {
            return compute();
        };
        let Ok(value) = call.run_here(|_| anew(compute()), judge);
        value
    }

    /// Computes the call in this task, or waits for who does.
    ///
    /// # Panics
    /// If the computation asks for its own key.
    pub async fn compute_async<F: Future<Output = R>>(
        self,
        tags: &[Arc<str>],
        compute: impl FnOnce() -> F,
        judge: impl FnOnce(&R) -> Outcome,
    ) -> R {
        let Some(call) = self.call(tags) else {
            return compute().await;
        };
        let mut work = Some((async |_| anew(compute().await), judge));
        let Ok(value) = call.run_async(&mut work, here, unlimited()).await;
        value
    }

    /// As [`compute`](Self::compute), but what is due behind a value that is served runs in the background, and where there is
    /// something to `refuse` with, under limits of time, whatever is due.
    ///
    /// # Panics
    /// If the computation asks for its own key.
    pub fn compute_behind(
        self,
        tags: &[Arc<str>],
        compute: impl FnOnce() -> R + Send + 'static,
        judge: impl FnOnce(&R) -> Outcome + Send + 'static,
        refuse: Option<fn(Error) -> R>,
    ) -> R {
        let Some(call) = self.call(tags) else {
            return compute();
        };
        let run = self.function.declared.background.as_ref();
        let behind = Behind {
            home: self.home,
            run: run.map(|run| run as &dyn Fn(Work)),
            timed: &self.function.timed,
        };
        let work = (|_: Option<_>| anew(compute()), judge);
        let Ok(value) = call.run_behind(behind, work, refusing(refuse));
        value
    }

    /// As [`compute_async`](Self::compute_async), but what is due behind a value that is served runs in a task of its own.
    ///
    /// # Panics
    /// If the computation asks for its own key.
    pub async fn compute_behind_async<F: Future<Output = R> + Send + 'static>(
        self,
        tags: &[Arc<str>],
        compute: impl FnOnce() -> F + Send + 'static,
        judge: impl FnOnce(&R) -> Outcome + Send + 'static,
        refuse: Option<fn(Error) -> R>,
    ) -> R {
        let Some(call) = self.call(tags) else {
            return compute().await;
        };
        let spawn = self.function.declared.spawn.as_ref();
        let behind = Behind {
            home: self.home,
            run: spawn.map(|spawn| spawn as &(dyn Fn(Task) + Sync)),
            timed: &self.function.timed,
        };
        let compute = |_: Option<_>| {
            let computing = compute();
            async { anew(computing.await) }
        };
        let refuse = refusing(refuse);
        let Ok(value) = call
            .run_behind_async(behind, (compute, judge), refuse)
            .await;
        value
    }

    /// The call; None, and counted, where it goes past the cache.
    fn call<'a>(&'a self, tags: &'a [Arc<str>]) -> Option<Call<'a, Canonical, R>> {
        let Some((hash, key)) = &self.key else {
            self.home.scope.count_bypass();
            self.home.scope.count_error();
            return None;
        };
        Some(Call {
            home: self.home,
            policy: Cow::Borrowed(&self.home.policy),
            hash: *hash,
            key,
            tags,
            refresh: self.refresh,
        })
    }
}

/// What a function returns when it is refused, as the engine's calls take it.
fn refusing<R>(
    refuse: Option<fn(Error) -> R>,
) -> Refuse<impl FnOnce(Error) -> Result<R, Infallible>> {
    Refuse(refuse.map(|refuse| move |error| Ok(refuse(error))))
}

/// The decorated functions of the process that were called.
static FUNCTIONS: Mutex<Vec<&'static (dyn Enrolled + Sync)>> = Mutex::new(Vec::new());

/// A decorated function, whatever it returns.
trait Enrolled {
    /// Makes every entry with one of these tags gone.
    fn invalidate_tags(&self, tags: &[Arc<str>]);

    /// Has what is due computed anew; how much that was, and after how long to look again.
    fn run_due(&'static self) -> (usize, Duration);
}

impl<R: Shared> Enrolled for Function<R> {
    fn invalidate_tags(&self, tags: &[Arc<str>]) {
        if let Some(home) = self.home.get() {
            home.engine.invalidate_tags(tags);
        }
    }

    fn run_due(&'static self) -> (usize, Duration) {
        let (home, now) = (self.home(), self.home().now());
        let (background, spawn) = (&self.declared.background, &self.declared.spawn);
        let background = background.as_ref().map(|run| run as &dyn Fn(Work));
        let spawn = spawn.as_ref().map(|run| run as &dyn Fn(Task));
        let begun = self.timed.run_due(&home, now, (background, spawn));
        (begun, self.timed.wait(now))
    }
}

fn enrolled() -> Vec<&'static (dyn Enrolled + Sync)> {
    FUNCTIONS.lock().clone()
}

/// Makes every entry with one of these tags gone, of whatever decorated function of the process.
///
/// What is being computed under them goes to those who wait for it already, and to nobody later.
///
/// ```
/// #[everwarm::cached(tags = ["user:{id}"])]
/// fn name(id: u64) -> String { format!("user {id}") }
///
/// name(7);
/// everwarm::invalidate_tags(["user:7"]);
/// assert!(name::peek(7).is_none());
/// ```
pub fn invalidate_tags<T: Into<Arc<str>>>(tags: impl IntoIterator<Item = T>) {
    let tags = texts(tags);
    let functions = enrolled();
    functions
        .iter()
        .for_each(|function| function.invalidate_tags(&tags));
}

/// Has computed anew what is due of all decorated functions of the process with `refresh_every`; how many computations that were. They are
/// run by what each function's `background` or `spawn` says, so it is called in the runtime that the latter needs.
///
/// ```
/// use everwarm::{duration::secs, testing::ManualClock};
///
/// #[everwarm::cached(ttl = "10m", refresh_every = "30s", background = |work| work())]
/// fn rates() -> Vec<f64> { vec![1.1] }
///
/// let clock = ManualClock::new();
/// let _held = clock.hold_functions();
/// rates();
/// rates(); // It is in use.
/// clock.advance(secs(30));
/// assert_eq!((everwarm::run_due(), everwarm::run_due()), (1, 0));
/// assert_eq!(rates::stats().computations, 2);
/// ```
pub fn run_due() -> usize {
    enrolled().iter().map(|function| function.run_due().0).sum()
}

/// A thread that calls [`run_due`] whenever something is due, or a second later, until what is returned is dropped.
///
/// ```
/// use std::{thread, time::Duration};
///
/// #[everwarm::cached(ttl = "10m", refresh_every = "20ms", background = |work| work())]
/// fn rates() -> Vec<f64> { vec![1.1] }
///
/// rates();
/// rates(); // It is in use.
/// let _refreshing = everwarm::refresh_in_thread();
/// while rates::stats().computations < 2 {
///     thread::sleep(Duration::from_millis(1));
/// }
/// ```
///
/// # Panics
/// If there is no room for a thread.
pub fn refresh_in_thread() -> Refreshing {
    Refreshing::new(|| {
        enrolled()
            .iter()
            .map(|function| function.run_due().1)
            .min()
            .or(Some(PACE))
    })
}
