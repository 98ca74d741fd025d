//! The stores behind caches and functions, and the memories in front of them that hear of what others change.

use std::fmt;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwarm_engine::Key;
use everwarm_engine::stack::Stack;
use everwarm_tiers::{Naming, Struck, tag_of_function};
use parking_lot::Mutex;

use crate::held::AtEnd;
use crate::home::Engine;
use crate::patience::park_within;

/// The stores of a cache, as functions share them: what [`Cache::stores`](crate::Cache::stores) gives. Clones are the same stores.
#[derive(Clone)]
pub struct Stores(Arc<Inner>);

struct Inner {
    stack: Arc<Stack>,
    naming: Naming,
    /// Whether the last store does not tell what others change.
    is_silent: bool,
    /// The longest that an entry stays in memory.
    memory_ttl: Option<Duration>,
    /// What is in front of them.
    memories: Mutex<Vec<Weak<dyn Memory>>>,
}

/// Memory in front of stores.
trait Memory: Send + Sync {
    /// Lets go of what was struck.
    fn strike(&self, struck: &Struck);
}

impl<K: Key, V: Clone> Memory for Engine<K, V>
where
    Self: Send + Sync,
{
    fn strike(&self, struck: &Struck) {
        if struck.all {
            self.clear();
        } else {
            self.invalidate_tags(&struck.tags);
        }
    }
}

impl Stores {
    pub(crate) fn stack(&self) -> &Arc<Stack> {
        &self.0.stack
    }

    pub(crate) fn naming(&self) -> &Naming {
        &self.0.naming
    }

    /// Whether the last store does not tell what others change.
    pub(crate) fn is_silent(&self) -> bool {
        self.0.is_silent
    }

    /// The longest that an entry stays in memory in front of them.
    pub(crate) fn memory_ttl(&self) -> Option<Duration> {
        self.0.memory_ttl
    }

    /// The same stores: where functions take those of a cache they take these, too.
    #[must_use]
    pub fn stores(&self) -> Option<Self> {
        Some(self.clone())
    }

    /// Whether they are these.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Has a memory hear of what others change.
    pub(crate) fn stand_behind<K, V>(&self, memory: &Arc<Engine<K, V>>)
    where
        K: Key,
        V: Clone,
        Engine<K, V>: Send + Sync + 'static,
    {
        let memory: Weak<dyn Memory> = Arc::<Engine<K, V>>::downgrade(memory);
        let mut memories = self.0.memories.lock();
        memories.retain(|memory| memory.strong_count() > 0);
        memories.push(memory);
    }

    /// Has every memory let go of what was struck.
    fn strike(&self, struck: &Struck) {
        let memories = self.0.memories.lock().clone();
        for memory in memories.iter().filter_map(Weak::upgrade) {
            memory.strike(struck);
        }
    }

    /// Has every memory let go of what carries one of these tags, once the stores have, or their caller has walked away.
    fn striking(&self, tags: Vec<Arc<str>>) -> AtEnd<impl FnMut()> {
        let struck = Struck { tags, all: false };
        AtEnd(move || self.strike(&struck))
    }

    /// Lets go of what others have changed since the last look.
    #[cfg(feature = "stores")]
    async fn look_around(&self) {
        let events = self.0.stack.watch().await;
        let struck = everwarm_tiers::struck(events);
        if struck.all || !struck.tags.is_empty() {
            self.strike(&struck);
        }
    }

    /// Lets go of what carries one of these tags, in the stores, and then in every memory.
    pub(crate) async fn invalidate(&self, tags: &[Arc<str>]) {
        if tags.is_empty() {
            return;
        }
        let _strikes = self.striking(tags.to_vec());
        self.0.stack.invalidate(tags.into()).await;
    }

    /// Lets go of the whole namespace.
    pub(crate) async fn clear(&self) {
        let all = Struck {
            tags: Vec::new(),
            all: true,
        };
        let _strikes = AtEnd(|| self.strike(&all));
        self.0.stack.clear().await;
    }

    /// Lets go of the entries of a function, called as stores know it.
    pub(crate) async fn clear_function(&self, function: &Arc<str>) {
        let _strikes = self.striking(vec![tag_of_function(function)]);
        self.0.stack.clear_function(Arc::clone(function)).await;
    }
}

impl fmt::Debug for Stores {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.stack.fmt(out)
    }
}

/// Waits on this thread for what stores are asked. What is there at once, as from embedded stores, takes one step.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let first = &mut Context::from_waker(Waker::noop());
    if let Poll::Ready(answer) = waiting(|| future.as_mut().poll(first)) {
        return answer;
    }
    park_within(|task| waiting(|| future.as_mut().poll(task)), None)
        .expect("there is no limit of time")
}

#[cfg(feature = "stores")]
pub(crate) use opening::{open, waiting};

/// What stands for that in a build that opens no store.
#[cfg(not(feature = "stores"))]
pub(crate) fn waiting<T>(call: impl FnOnce() -> T) -> T {
    call()
}

#[cfg(feature = "stores")]
mod opening {
    use std::future::Future;
    use std::pin::pin;
    use std::sync::{Arc, Weak};
    use std::task::Context;
    use std::thread;
    use std::time::Duration;

    use everwarm_codec::pipeline::{Config, Pipeline};
    use everwarm_core::error::{Error, ErrorKind};
    use everwarm_engine::Ticker;
    use everwarm_engine::stack::{Options, Sleeper, Stack};
    use everwarm_tiers::Naming;
    use parking_lot::Mutex;

    use super::{Inner, Stores, wait};
    use crate::patience::park_within;
    use crate::tier::Tier;

    pub(crate) use everwarm_tiers::waiting;

    /// How long queued writes are waited for when the last handle leaves.
    const AT_THE_END: Duration = Duration::from_secs(2);
    /// How often is asked what others did.
    const PACE: Duration = Duration::from_millis(143);

    /// Opens the stores of a namespace, and has a thread ask what others change there for as long as there is anybody who would know.
    pub(crate) fn open(
        namespace: &str,
        (mut tiers, memory_ttl): (Vec<Tier>, Option<Duration>),
        ticker: &Ticker,
    ) -> Result<Stores, Error> {
        let beside = tiers.last_mut().and_then(Tier::take_beside);
        let beside = beside.map(|(tier, role)| Ok((tier.open_beside(ticker)?, role)));
        let beside = beside.transpose()?;
        if tiers.iter_mut().any(|tier| tier.take_beside().is_some()) {
            return Err(Error::config(
                "what moves is the last tier, and others stand behind this one",
                "let `Tier::moving` be the last store of the cache",
            ));
        }
        let tiers = tiers.into_iter().map(|tier| tier.open(ticker));
        let tiers = tiers.collect::<Result<Vec<_>, _>>()?;
        let is_silent = tiers
            .last()
            .is_some_and(|tier| tier.store.notify().is_none());
        let naming = Naming::new(namespace, None);
        let codec = Arc::new(Pipeline::new(Config::default())?);
        let outer = Arc::clone(naming.outer());
        let options = Options::new(ticker.clone(), Arc::new(Sleeper::new()));
        let stack = match beside {
            Some(beside) => Stack::moving(tiers, beside, (codec, outer), options),
            None => Stack::new(tiers, codec, outer, options),
        }?;
        let inner = Arc::new(Inner {
            stack,
            naming,
            is_silent,
            memory_ttl,
            memories: Mutex::default(),
        });
        let watched = Arc::downgrade(&inner);
        let thread = thread::Builder::new().name("everwarm-watch".to_owned());
        thread.spawn(move || watch(&watched)).map_err(|error| {
            Error::new(
                ErrorKind::Unsupported,
                format!("no thread can be had that hears of what others change: {error}"),
                "see how many threads the process may have",
            )
        })?;
        Ok(Stores(inner))
    }

    fn watch(stores: &Weak<Inner>) {
        loop {
            thread::sleep(PACE);
            let Some(inner) = stores.upgrade() else {
                return;
            };
            wait(Stores(inner).look_around());
        }
    }

    impl Drop for Inner {
        fn drop(&mut self) {
            if self.stack.stats().iter().all(|tier| tier.pending == 0) {
                return;
            }
            let mut flushing = pin!(self.stack.flush());
            let flushed = |task: &mut Context<'_>| waiting(|| flushing.as_mut().poll(task));
            // The stores themselves may be others', too.
            park_within(flushed, Some(AT_THE_END));
        }
    }
}
