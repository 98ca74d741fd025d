//! The stores that a typed cache is to have behind its memory.

use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::error::{Error, ErrorKind};
use everwarm_core::key;
use everwarm_tiers::Shelf;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::builder::Builder;
use crate::form::Typed;
use crate::home::{Engine, ONLY_SCOPE};
use crate::key::{ToKey, Writer};
use crate::link::{Form, Link};
use crate::stores::{self, Stores};
use crate::tier::Tier;
use crate::wire;

/// What is to be behind the memory of a cache, with what it takes to read and write its entries there.
pub(crate) struct Backing<K: Clone + Eq, V> {
    tiers: Vec<Tier>,
    arguments: fn(&Typed<K>) -> Option<key::Key>,
    form: Form<V>,
    stand_behind: StandBehind<K, V>,
}

/// What puts stores behind the memory of an engine.
type StandBehind<K, V> = fn(&Stores, &Arc<Engine<Typed<K>, V>>);

impl<K: Clone + Eq, V: Clone> Backing<K, V> {
    pub(crate) fn open(
        self,
        namespace: &str,
        memory_ttl: Option<Duration>,
        engine: &Arc<Engine<Typed<K>, V>>,
    ) -> Result<Link<Typed<K>, V>, Error> {
        let stores = stores::open(namespace, (self.tiers, memory_ttl), engine.ticker())?;
        let shelf = Shelf::of_objects(stores.naming()).map_err(|limit| {
            let message = format!("the namespace is {limit}");
            Error::new(ErrorKind::Config, message, "write a shorter one")
        })?;
        (self.stand_behind)(&stores, engine);
        Ok(Link::new(stores, shelf, self.arguments, self.form))
    }
}

impl<K, V> Builder<K, V>
where
    K: Hash + Eq + Clone + ToKey + Send + Sync + 'static,
    V: Clone + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    /// A store behind memory, by its URL, as a [`Tier`] or as an `Arc<dyn Store>`; further ones lie behind it. The last is the one that
    /// all processes have in common.
    ///
    /// Values are written as the documented format (`docs/reference/values.md`) has them, by serde: Python reads plain ones,
    /// a struct being a dict of its fields, and the other way round. The cache's name is the namespace of its entries, unless
    /// [`namespace`](Self::namespace) says otherwise: in Python it is `Cache(url, namespace="users")`, whose `get(7)` is `get(&7)` here.
    ///
    /// ```
    /// use everwarm::{Cache, ErrorKind};
    ///
    /// # #[cfg(not(feature = "redis"))] {
    /// let users = Cache::<u64, String>::builder("users").store("redis://cache.internal/0").build();
    /// let error = users.unwrap_err(); // The feature is off.
    /// assert_eq!(error.kind(), ErrorKind::Unsupported);
    /// assert_eq!(error.hint(), r#"write everwarm = { version = "0.1", features = ["redis"] } in Cargo.toml"#);
    /// # }
    /// ```
    pub fn store(mut self, store: impl Into<Tier>) -> Self {
        let backing = self.backing.get_or_insert_with(|| Backing {
            tiers: Vec::new(),
            arguments: |Typed(key)| {
                let mut writer = Writer::for_scope(ONLY_SCOPE);
                key.write(&mut writer).ok()?;
                writer.seal().ok().map(key::Key::from)
            },
            form: wire::of_value(),
            stand_behind: |stores, engine| stores.stand_behind(engine),
        });
        backing.tiers.push(store.into());
        self
    }

    /// The longest that an entry stays in memory, whatever its `ttl` is: after that the stores are asked, and what they say counts. Unless
    /// said otherwise it stays until it ends, or another process changes it.
    ///
    /// ```
    /// use everwarm::{Cache, duration::secs};
    ///
    /// let error = Cache::<u64, String>::builder("users").memory_ttl(secs(10)).build().unwrap_err();
    /// assert_eq!(error.message(), "memory_ttl does nothing without stores");
    /// ```
    pub fn memory_ttl(mut self, ttl: Duration) -> Self {
        self.memory_ttl = Some(ttl);
        self
    }

    /// What all names in the stores begin with; the name of the cache unless said otherwise. Caches and functions of one namespace
    /// share its tags, and are cleared together.
    pub fn namespace(mut self, namespace: impl Into<String>) -> Self {
        self.namespace = Some(namespace.into());
        self
    }
}
