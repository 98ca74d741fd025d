//! Functions that `#[cached]` decorates: where their entries live, and their verbs over canonical keys.

use std::borrow::Cow;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::hash::BuildHasher;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::{Arc, LazyLock, OnceLock};
use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::key::{self, Digest, Header, KeyRef, Limit, Writer};
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_core::using::Plan;
use everwarm_engine::stack::Place;
use everwarm_engine::{Amendment, Bounds, Bulkhead, Eviction, Seen, Stats, Ticker};
use everwarm_tiers::Shelf;

use crate::behind::{Behind, Task, Work};
use crate::builder::entries;
use crate::cache::texts;
use crate::call::{Call, here, unlimited};
use crate::enrolled::{Enrolled, enrol};
use crate::form::{Canonical, Written};
use crate::home::{Engine, Home, ONLY_SCOPE};
use crate::link::{Form, Link, leave_given};
use crate::patience::{Patience, Refuse, Timer};
use crate::stores::{Stores, wait};
use crate::timed::Timed;
use crate::values::{Told, Values};

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
    /// What they may weigh together, in bytes.
    pub max_bytes: Option<NonZeroU64>,
    /// Which of them leaves when there is no room.
    pub eviction: Eviction,
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
    fn patience(&self, has_stores: bool) -> Patience {
        let timer = self.timer.map(|timer| Arc::new(timer) as Timer);
        Patience {
            wait: self.wait,
            timer,
            bulkhead: self.computations.map(Bulkhead::new),
            without_lease: has_stores.then(|| Bulkhead::new(Bulkhead::WITHOUT_LEASE)),
        }
    }
}

/// What `#[cached(cache = …)]` says about a function whose entries lie in the stores of a cache, too.
pub struct Over<R> {
    /// The stores; None: it stays in memory.
    pub stores: fn() -> Option<Stores>,
    /// How what it returns is written.
    pub form: fn() -> Form<R>,
    /// What stands for the schema of its values in stored names.
    pub schema: &'static str,
}

impl<R> fmt::Debug for Over<R> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Over")
            .field("schema", &self.schema)
            .finish_non_exhaustive()
    }
}

/// A decorated function's entries, made at the first call.
pub struct Function<R: Shared> {
    declared: Declaration,
    values: Values<R>,
    over: Option<Over<R>>,
    home: OnceLock<Home<Canonical, R>>,
    timed: Timed<&'static Home<Canonical, R>>,
}

/// A call that memory did not answer.
pub struct Missing<R: Shared> {
    function: &'static Function<R>,
    home: &'static Home<Canonical, R>,
    /// None for arguments that are beyond what a key may be: they are computed every time.
    key: Option<(u64, Canonical)>,
    plan: Plan,
}

/// What writes the key of a call.
pub(crate) type Writing<'a> = &'a dyn Fn(&mut Writer) -> Result<(), Limit>;

impl<R: Shared> Function<R> {
    /// A function that was not called yet.
    #[must_use]
    pub const fn new(declared: Declaration, values: Values<R>) -> Self {
        Self {
            declared,
            values,
            over: None,
            home: OnceLock::new(),
            timed: Timed::new(),
        }
    }

    /// One whose entries lie in the stores of a cache, too.
    #[must_use]
    pub const fn over(declared: Declaration, values: Values<R>, over: Over<R>) -> Self {
        Self {
            declared,
            values,
            over: Some(over),
            home: OnceLock::new(),
            timed: Timed::new(),
        }
    }

    pub(crate) fn home(&'static self) -> &'static Home<Canonical, R> {
        self.home.get_or_init(|| {
            // Enrolled before there is any entry, so that no invalidation overlooks one.
            enrol(self);
            let bounds = Bounds {
                max_bytes: self.declared.max_bytes,
                eviction: self.declared.eviction,
                ..entries(self.declared.max_entries).expect("the attribute checked it")
            };
            let name = Cow::Borrowed(self.declared.name);
            let engine = match self.values.on_remove {
                Some(told) => {
                    let told = Told {
                        function: self,
                        told,
                    };
                    Engine::with_listener(bounds, ticker().clone(), Box::new(told))
                }
                None => Engine::new(bounds, ticker().clone()),
            };
            let mut home = Home::new(
                name,
                self.declared.policy,
                engine,
                (
                    self.values.weigher(),
                    self.declared.patience(self.over.is_some()),
                ),
            );
            home.link = self.link();
            if let Some(link) = &home.link {
                link.stores.stand_behind(&home.engine);
            }
            home
        })
    }

    /// Where its entries lie in stores.
    fn link(&self) -> Option<Link<Canonical, R>> {
        let over = self.over.as_ref()?;
        let stores = (over.stores)()?;
        let schema = self.schema();
        // A header that is beyond what a key may be leaves the function in memory.
        let shelf = Shelf::new(stores.naming(), &self.header(), &schema).ok()?;
        let arguments = |Canonical(key): &Canonical| Some(key.clone());
        Some(Link::new(stores, shelf, arguments, (over.form)()))
    }

    const fn header(&self) -> Header<'static> {
        Header {
            function: self.declared.name,
            version: self.declared.version,
            parameters: self.declared.parameters,
        }
    }

    /// The part of its stored names that says how its values are to be understood.
    fn schema(&self) -> String {
        let alone = self.over.as_ref().map_or("", |over| over.schema);
        let parts = [self.declared.version, alone];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        parts.join(".")
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
                plan: Plan::ORDINARY,
            }),
        }
    }

    /// What it takes to compute a call anew, whatever is there.
    pub fn refresh(&'static self, write: Writing<'_>) -> Missing<R> {
        let home = self.home();
        match self.keyed(write) {
            Ok(key) => Missing::told(self, key, Plan::Refresh),
            Err(_) => Missing::unkeyed(self, home),
        }
    }

    /// Makes the entry of a call gone, also for who computes it now.
    pub fn invalidate(&'static self, write: Writing<'_>) {
        wait(self.invalidate_async(write));
    }

    /// As [`invalidate`](Self::invalidate), in this task.
    pub fn invalidate_async(
        &'static self,
        write: Writing<'_>,
    ) -> impl Future<Output = ()> + Send + use<R> {
        let keyed = self.keyed(write);
        async move {
            if let Ok((hash, key)) = keyed {
                self.home().delete(hash, &key).await;
            }
        }
    }

    /// Makes the entry of a call as one whose ttl is over; whether it was there and fresh.
    pub fn mark_stale(&'static self, write: Writing<'_>) -> bool {
        wait(self.mark_stale_async(write))
    }

    /// As [`mark_stale`](Self::mark_stale), in this task.
    pub fn mark_stale_async(
        &'static self,
        write: Writing<'_>,
    ) -> impl Future<Output = bool> + Send + use<R> {
        let keyed = self.keyed(write);
        async move {
            let (home, Ok((hash, key))) = (self.home(), keyed) else {
                return false;
            };
            match home.link {
                None => home.engine.mark_stale(&home.scope, hash, &key),
                Some(_) => home.amend(hash, &key, Amendment::Stale).await,
            }
        }
    }

    /// The entry of a call, if there is one; counts nothing.
    pub fn peek(&'static self, write: Writing<'_>) -> Option<Seen<R>> {
        let (hash, key) = self.keyed(write).ok()?;
        let home = self.home();
        let mut seen = home.engine.peek(&home.scope, hash, &key)?;
        leave_given(&mut seen.tags);
        Some(seen)
    }

    /// Stores a value as if the call had given it, unless the policy would not have kept it.
    pub fn prime<T: Into<Arc<str>>>(
        &'static self,
        write: Writing<'_>,
        tags: impl IntoIterator<Item = T>,
        value: R,
        judge: impl FnOnce(&R) -> Outcome,
    ) {
        wait(self.prime_async(write, tags, value, judge));
    }

    /// As [`prime`](Self::prime), in this task.
    pub fn prime_async<T: Into<Arc<str>>, I: IntoIterator<Item = T>, J: FnOnce(&R) -> Outcome>(
        &'static self,
        write: Writing<'_>,
        tags: I,
        value: R,
        judge: J,
    ) -> impl Future<Output = ()> + Send + use<R, T, I, J> {
        let (keyed, outcome) = (self.keyed(write), judge(&value));
        let mut tags = texts(tags);
        tags.extend(self.values.tags_of(&value));
        async move {
            if let Ok(key) = keyed {
                let home = self.home();
                home.set(key, value, outcome, (&home.policy, &tags)).await;
            }
        }
    }

    /// The stored name of a call: what it is known by beyond this process, in Rust and in Python.
    ///
    /// # Errors
    /// A `KeyRefused` error for arguments beyond what a key may be.
    pub fn key(&'static self, write: Writing<'_>) -> Result<String, Error> {
        let named = self
            .keyed(write)
            .and_then(|(_, key)| self.stored_name(&key));
        named.map_err(|limit| {
            Error::new(
                ErrorKind::KeyRefused,
                format!("an argument of {} is {limit}", self.declared.name),
                "name what tells calls apart, as in `key = \"{page.id}\"`",
            )
        })
    }

    /// The stored name of the call of these arguments.
    pub(crate) fn stored_name(&'static self, key: &Canonical) -> Result<String, Limit> {
        let declared = &self.declared;
        let digest = Digest::new(&self.header(), key.0.arguments())?;
        let link = self.home().link.as_ref();
        let namespace = link.map_or(declared.namespace, |link| link.stores.naming().namespace());
        let schema = self.schema();
        Ok(key::stored_name(namespace, declared.name, &schema, &digest))
    }

    /// Makes all entries of the function gone, also what is being computed.
    pub fn clear(&'static self) {
        wait(self.clear_async());
    }

    /// As [`clear`](Self::clear), in this task.
    pub async fn clear_async(&'static self) {
        let home = self.home();
        match home.link {
            None => drop(home.engine.clear_scope(&home.scope)),
            Some(_) => home.clear().await,
        }
    }

    /// What happened in the function.
    pub fn stats(&'static self) -> Stats {
        self.home().engine.totals()
    }

    pub(crate) fn keyed(&'static self, write: Writing<'_>) -> Result<(u64, Canonical), Limit> {
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
    pub(crate) fn unkeyed(
        function: &'static Function<R>,
        home: &'static Home<Canonical, R>,
    ) -> Self {
        Self {
            function,
            home,
            key: None,
            plan: Plan::ORDINARY,
        }
    }

    /// A call of this key that is told something.
    pub(crate) fn told(function: &'static Function<R>, key: (u64, Canonical), plan: Plan) -> Self {
        Self {
            function,
            home: function.home(),
            key: Some(key),
            plan,
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
        let wish = self.wish(tags);
        let Some(call) = self.call(&wish) else {
            return compute();
        };
        let values = &self.function.values;
        let Ok(value) = call.run_here(|_| values.given(compute()), judge);
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
        let wish = self.wish(tags);
        let Some(call) = self.call(&wish) else {
            return compute().await;
        };
        let values = &self.function.values;
        let mut work = Some((async |_| values.given(compute().await), judge));
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
        let wish = self.wish(tags);
        let Some(call) = self.call(&wish) else {
            return compute();
        };
        let run = self.function.declared.background.as_ref();
        let behind = Behind {
            home: self.home,
            run: run.map(|run| run as &dyn Fn(Work)),
            timed: &self.function.timed,
        };
        let values = &self.function.values;
        let work = (|_: Option<_>| values.given(compute()), judge);
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
        let wish = self.wish(tags);
        let Some(call) = self.call(&wish) else {
            return compute().await;
        };
        let spawn = self.function.declared.spawn.as_ref();
        let behind = Behind {
            home: self.home,
            run: spawn.map(|spawn| spawn as &(dyn Fn(Task) + Sync)),
            timed: &self.function.timed,
        };
        let values = &self.function.values;
        let compute = |_: Option<_>| {
            let computing = compute();
            async { values.given(computing.await) }
        };
        let refuse = refusing(refuse);
        let Ok(value) = call
            .run_behind_async(behind, (compute, judge), refuse)
            .await;
        value
    }

    /// Its tags and its place.
    fn wish<'a>(&self, tags: &'a [Arc<str>]) -> Wish<'a> {
        let place = self.key.as_ref().and_then(|(_, key)| self.home.place(key));
        let tags = match &place {
            Some(place) => Cow::Owned(self.home.tags(place, tags)),
            None => Cow::Borrowed(tags),
        };
        Wish { tags, place }
    }

    /// The call; None, and counted, where it goes past the cache.
    fn call<'a>(&'a self, wish: &'a Wish<'a>) -> Option<Call<'a, Canonical, R>> {
        let Some((hash, key)) = &self.key else {
            self.home.scope.count_bypass();
            self.home.scope.count_error();
            return None;
        };
        if self.plan == Plan::Skip {
            self.home.scope.count_bypass();
            return None;
        }
        Some(Call {
            home: self.home,
            policy: Cow::Borrowed(&self.home.policy),
            hash: *hash,
            key,
            tags: &wish.tags,
            place: wish.place.as_ref(),
            plan: self.plan,
        })
    }
}

/// What a call wishes for: its tags, and its place in stores.
struct Wish<'a> {
    tags: Cow<'a, [Arc<str>]>,
    place: Option<Place>,
}

/// What a function returns when it is refused, as the engine's calls take it.
fn refusing<R>(
    refuse: Option<fn(Error) -> R>,
) -> Refuse<impl FnOnce(Error) -> Result<R, Infallible>> {
    Refuse(refuse.map(|refuse| move |error| Ok(refuse(error))))
}

impl<R: Shared> Enrolled for Function<R> {
    fn invalidate_tags(&self, tags: &[Arc<str>]) {
        if let Some(home) = self.home.get() {
            home.engine.invalidate_tags(tags);
        }
    }

    fn stores(&self) -> Option<Stores> {
        let link = self.home.get()?.link.as_ref()?;
        Some(link.stores.clone())
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
