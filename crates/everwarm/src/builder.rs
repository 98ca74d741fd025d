//! A typed cache, described.

use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;
#[cfg(feature = "stores")]
use std::time::Duration;

use everwarm_core::error::Error;
use everwarm_core::parts::Parts;
use everwarm_core::policy::Policy;
use everwarm_engine::{Bounds, Bulkhead, Cause, Eviction, Listener, Ticker};
#[cfg(not(feature = "stores"))]
use everwarm_tiers::schemes;
use everwarm_tiers::schemes::Client;

use crate::alone::is_plain;
#[cfg(feature = "stores")]
use crate::backing::Backing;
use crate::behind::{Runners, Task, Work};
use crate::cache::{Cache, Tagging, texts};
use crate::form::Typed;
use crate::home::{Engine, Home, Weigher};
use crate::judge::Judge;
use crate::patience::Patience;
use crate::testing::ManualClock;
use crate::timed::Timed;

/// Entries that a cache holds unless it is told otherwise.
pub(crate) const MAX_ENTRIES: usize = 10_000;

/// What a cache is to be: what [`Cache::builder`] gives.
#[must_use = "it is no cache before `build`"]
pub struct Builder<K: Clone + Eq, V> {
    name: String,
    max_entries: usize,
    max_bytes: Option<u64>,
    max_entry_bytes: Option<u64>,
    eviction: Eviction,
    weigher: Option<Weigher<Typed<K>, V>>,
    listener: Option<Box<dyn Listener<Typed<K>, V>>>,
    pub(crate) policy: Policy,
    pub(crate) parts: Parts,
    tagging: Option<Tagging<K>>,
    pub(crate) judge: Judge<V>,
    pub(crate) runners: Runners,
    pub(crate) patience: Patience,
    pub(crate) computations: Option<usize>,
    clock: Option<ManualClock>,
    #[cfg(feature = "stores")]
    pub(crate) backing: Option<Backing<K, V>>,
    #[cfg(feature = "stores")]
    pub(crate) namespace: Option<String>,
    #[cfg(feature = "stores")]
    pub(crate) memory_ttl: Option<Duration>,
    #[cfg(not(feature = "stores"))]
    refused: Option<Error>,
}

/// A function as a listener.
struct Told<F>(F);

impl<K, V, F: Fn(&K, &V, Cause) + Send + Sync> Listener<Typed<K>, V> for Told<F> {
    fn on_remove(&self, key: &Typed<K>, value: &V, cause: Cause) {
        (self.0)(&key.0, value, cause);
    }
}

impl<K: std::hash::Hash + Eq + Clone, V: Clone> Builder<K, V> {
    pub(crate) fn new(name: String) -> Self {
        Self {
            name,
            max_entries: MAX_ENTRIES,
            max_bytes: None,
            max_entry_bytes: None,
            eviction: Eviction::default(),
            weigher: None,
            listener: None,
            policy: Policy::default(),
            parts: Parts::default(),
            tagging: None,
            judge: Judge::default(),
            runners: Runners::default(),
            patience: Patience::default(),
            computations: None,
            clock: None,
            #[cfg(feature = "stores")]
            backing: None,
            #[cfg(feature = "stores")]
            namespace: None,
            #[cfg(feature = "stores")]
            memory_ttl: None,
            #[cfg(not(feature = "stores"))]
            refused: None,
        }
    }

    /// How many entries there may be; 10,000 unless said otherwise.
    pub fn max_entries(mut self, max_entries: usize) -> Self {
        self.max_entries = max_entries;
        self
    }

    /// Which entry leaves a full cache; [`Eviction::Adaptive`] unless said otherwise.
    ///
    /// ```
    /// use everwarm::{Cache, Eviction};
    ///
    /// let pages = Cache::builder("pages").max_entries(2).eviction(Eviction::Lru).build()?;
    /// pages.set('a', 1);
    /// pages.set('b', 2);
    /// pages.get(&'a');
    /// pages.set('c', 3);
    /// assert!(pages.exists(&'a') && !pages.exists(&'b'));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn eviction(mut self, eviction: Eviction) -> Self {
        self.eviction = eviction;
        self
    }

    /// What all entries may weigh together, and what says how much one of them does, in bytes. The table's own share of an
    /// entry is added. An entry beyond the bound is returned and not kept.
    ///
    /// ```
    /// let pages = everwarm::Cache::builder("pages")
    ///     .max_bytes(1 << 20, |_: &u32, page: &String| page.len() as u64)
    ///     .build()?;
    /// pages.set(1, "x".repeat(2 << 20));
    /// assert!(!pages.exists(&1));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn max_bytes(
        mut self,
        max_bytes: u64,
        weigher: impl Fn(&K, &V) -> u64 + Send + Sync + 'static,
    ) -> Self {
        self.max_bytes = Some(max_bytes);
        self.weigher = Some(Box::new(move |Typed(key), value| weigher(key, value)));
        self
    }

    /// What an entry may weigh, in bytes, as [`max_bytes`](Self::max_bytes) or [`weigher`](Self::weigher) weighs it; a heavier one is
    /// returned and not kept. [`build`](Self::build) refuses it where nothing weighs.
    ///
    /// ```
    /// let pages = everwarm::Cache::builder("pages")
    ///     .max_entry_bytes(1_000)
    ///     .weigher(|_: &u32, page: &String| page.len() as u64)
    ///     .build()?;
    /// assert_eq!(pages.get_or_compute(&1, || "x".repeat(1_001)).len(), 1_001);
    /// assert!(!pages.exists(&1));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn max_entry_bytes(mut self, most: u64) -> Self {
        self.max_entry_bytes = Some(most);
        self
    }

    /// What says how much an entry weighs, in bytes, in a cache that has [`max_entry_bytes`](Self::max_entry_bytes) and no bound for all
    /// entries together.
    pub fn weigher(mut self, weigher: impl Fn(&K, &V) -> u64 + Send + Sync + 'static) -> Self {
        self.weigher = Some(Box::new(move |Typed(key), value| weigher(key, value)));
        self
    }

    /// Which values are kept; all unless said otherwise. One that is not is returned, and counted as refused. It must not use the cache.
    ///
    /// ```
    /// let quotes = everwarm::Cache::builder("quotes").when(|quote: &f64| *quote > 0.0).build()?;
    /// assert_eq!(quotes.get_or_compute(&7, || 0.0), 0.0);
    /// assert_eq!(quotes.get_or_compute(&7, || 42.5), 42.5);
    /// assert_eq!(quotes.get_or_compute(&7, || 43.0), 42.5);
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn when(mut self, when: impl Fn(&V) -> bool + Send + Sync + 'static) -> Self {
        self.judge.when = Some(Arc::new(when));
        self
    }

    /// What is told of each entry that leaves, and why. It is called when that has taken effect and no lock is held, by the
    /// thread that made the entry leave; entries that are there when the cache is dropped are not told of. It must not
    /// panic: what else left at that moment would not be told of.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex};
    ///
    /// let told = Arc::new(Mutex::new(Vec::new()));
    /// let notes = Arc::clone(&told);
    /// let cache = everwarm::Cache::builder("names")
    ///     .on_remove(move |key, _, cause| notes.lock().unwrap().push(format!("{key} {}", cause.name())))
    ///     .build()?;
    /// cache.set(7, "Ada");
    /// cache.set(7, "Bob");
    /// cache.delete(&7);
    /// assert_eq!(*told.lock().unwrap(), ["7 replaced", "7 deleted"]);
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn on_remove(mut self, told: impl Fn(&K, &V, Cause) + Send + Sync + 'static) -> Self
    where
        K: 'static,
        V: 'static,
    {
        self.listener = Some(Box::new(Told(told)));
        self
    }

    /// What runs the computation behind a value that is served, for the calls in threads of
    /// [`Using::in_background`](crate::Using::in_background): a pool, a new thread. It may drop the work; then a later caller
    /// begins it. [`build`](Self::build) refuses it where no value is computed anew before it is gone.
    ///
    /// ```
    /// use std::thread;
    /// use everwarm::{Cache, duration::{hours, mins}, testing::ManualClock};
    ///
    /// let clock = ManualClock::new();
    /// let pages = Cache::builder("pages")
    ///     .ttl(mins(5))
    ///     .stale_while_revalidate(hours(1))
    ///     .background(|work| thread::spawn(work).join().unwrap()) // Joined only to have it done here.
    ///     .clock(&clock)
    ///     .build()?;
    /// pages.set(7, "old");
    /// clock.advance(mins(5));
    /// assert_eq!(pages.using().in_background().get_or_compute(&7, || "new"), "old");
    /// assert_eq!(pages.get(&7), Some("new"));
    /// # Ok::<(), everwarm::Error>(())
    /// ```
    pub fn background(mut self, run: impl Fn(Work) + Send + Sync + 'static) -> Self {
        self.runners.background = Some(Arc::new(run));
        self
    }

    /// As [`background`](Self::background), for the calls in tasks: `|task| { tokio::spawn(task); }`.
    pub fn spawn(mut self, spawn: impl Fn(Task) + Send + Sync + 'static) -> Self {
        self.runners.spawn = Some(Arc::new(spawn));
        self
    }

    /// The tags of an entry, made of its key.
    pub fn tags<I>(mut self, tags: impl Fn(&K) -> I + Send + Sync + 'static) -> Self
    where
        I: IntoIterator<Item: Into<Arc<str>>>,
    {
        self.tagging = Some(Arc::new(move |key| texts(tags(key))));
        self
    }

    /// A clock that only its owner moves, for tests.
    pub fn clock(mut self, clock: &ManualClock) -> Self {
        self.clock = Some(clock.clone());
        self
    }

    /// The cache.
    ///
    /// ```
    /// let error = everwarm::Cache::<u8, u8>::builder("users").max_entries(0).build().unwrap_err();
    /// assert_eq!(error.hint(), "write how many entries it may hold, or leave it out for 10000");
    /// ```
    ///
    /// # Errors
    /// A `Config` error that names the option and says what to write instead.
    pub fn build(self) -> Result<Cache<K, V>, Error> {
        let policy = Policy {
            max_entry_bytes: self.max_entry_bytes_checked()?,
            ..self.policy()?
        };
        #[cfg(feature = "stores")]
        if self.namespace.is_some() && self.backing.is_none() {
            return Err(Error::config(
                "a namespace does nothing without stores",
                "add `.store(\"redis://host\")`, or leave it out",
            ));
        }
        #[cfg(feature = "stores")]
        if self.memory_ttl.is_some() && self.backing.is_none() {
            return Err(Error::config(
                "memory_ttl does nothing without stores",
                "give the cache a `ttl`, or add `.store(\"redis://host\")`",
            ));
        }
        let patience = Patience {
            bulkhead: self.computations.map(bulkhead).transpose()?,
            #[cfg(feature = "stores")]
            without_lease: self
                .backing
                .as_ref()
                .map(|_| Bulkhead::new(Bulkhead::WITHOUT_LEASE)),
            ..self.patience
        };
        let bounds = Bounds {
            max_bytes: self
                .max_bytes
                .map(|most| bytes("max_bytes", most))
                .transpose()?,
            eviction: self.eviction,
            ..entries(self.max_entries)?
        };
        let ticker = match &self.clock {
            Some(ManualClock(hand)) => Ticker::frozen_by(hand),
            None => Ticker::system(),
        };
        let engine = match self.listener {
            Some(listener) => Engine::with_listener(bounds, ticker, listener),
            None => Engine::new(bounds, ticker),
        };
        #[cfg(feature = "stores")]
        let link = self.backing.map(|backing| {
            let namespace = self.namespace.as_deref().unwrap_or(&self.name);
            backing.open(namespace, self.memory_ttl, &engine)
        });
        #[cfg(feature = "stores")]
        let link = link.transpose()?;
        #[cfg(not(feature = "stores"))]
        let link = self.refused.map_or(Ok(None), Err)?;
        let mut home = Home::new(self.name.into(), policy, engine, (self.weigher, patience));
        home.link = link;
        Ok(Cache {
            is_plain: is_plain(&home, &self.judge, self.tagging.is_some()),
            home: Arc::new(home),
            tagging: self.tagging,
            judge: self.judge,
            runners: self.runners,
            timed: Arc::new(Timed::new()),
        })
    }
}

impl<K: Clone + Eq, V> Builder<K, V> {
    /// The bound of a single entry, refused where nothing weighs it, and what weighs where there is no bound.
    fn max_entry_bytes_checked(&self) -> Result<Option<NonZeroU64>, Error> {
        match (self.max_entry_bytes, &self.weigher) {
            (Some(_), None) => Err(Error::config(
                "max_entry_bytes does nothing here, for nothing says what an entry weighs",
                "add weigher(|key, value| ...), or leave it out",
            )),
            (None, Some(_)) if self.max_bytes.is_none() => Err(Error::config(
                "weigher does nothing here, for there is no bound of bytes",
                "add max_entry_bytes(1_000_000), or leave it out",
            )),
            (most, _) => most.map(|most| bytes("max_entry_bytes", most)).transpose(),
        }
    }
}

/// What stands for stores in a build that can open none.
#[cfg(not(feature = "stores"))]
impl<K: Clone + Eq, V> Builder<K, V> {
    /// A store behind memory, which takes a feature of its client: [`build`](Self::build) says which.
    ///
    /// ```
    /// let users = everwarm::Cache::<u64, String>::builder("users").store("redis://cache.internal/0").build();
    /// let hint = r#"write everwarm = { version = "0.1", features = ["redis"] } in Cargo.toml"#;
    /// assert_eq!(users.unwrap_err().hint(), hint);
    /// ```
    pub fn store(mut self, url: &str) -> Self {
        self.refused = schemes::check(url, install).err();
        self
    }
}

/// The line of a manifest with which a client is built in.
pub(crate) fn install(client: &Client) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let (short, _) = version.rsplit_once('.').unwrap_or((version, ""));
    let feature = client.feature;
    format!("write everwarm = {{ version = {short:?}, features = [{feature:?}] }} in Cargo.toml")
}

/// The bound of so many entries.
pub(crate) fn entries(max_entries: usize) -> Result<Bounds, Error> {
    let max_entries = NonZeroUsize::new(max_entries).ok_or_else(|| {
        Error::config(
            "max_entries=0 leaves no room for any entry",
            format!("write how many entries it may hold, or leave it out for {MAX_ENTRIES}"),
        )
    })?;
    Ok(Bounds::entries(max_entries))
}

/// What lets so many computations in at once.
fn bulkhead(most: usize) -> Result<Arc<Bulkhead>, Error> {
    let most = NonZeroUsize::new(most).ok_or_else(|| {
        Error::config(
            "max_computations=0 lets nothing be computed",
            "write how many computations may run at once, or leave it out",
        )
    })?;
    Ok(Bulkhead::new(most))
}

fn bytes(option: &str, most: u64) -> Result<NonZeroU64, Error> {
    NonZeroU64::new(most).ok_or_else(|| {
        let what = match option {
            "max_bytes" => "the entries may weigh together",
            _ => "an entry may weigh",
        };
        Error::config(
            format!("{option}=0 leaves no room for any entry"),
            format!("write how many bytes {what}, or leave it out"),
        )
    })
}
