//! What a cache or a function has in stores behind its memory: where its entries lie there, and how its values are written.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::{Meta, Opened, Refusal, Spans};
use everwarm_core::judge::{Freshness, Judgement};
use everwarm_core::key;
use everwarm_core::lifetime::Lifetime;
use everwarm_core::using::Read;
use everwarm_engine::Key;
use everwarm_engine::stack::{Fetched, Place, Seat, Stored, Written};
use everwarm_tiers::{OWN, OWN_TAGS, Shelf, in_memory};

use crate::home::Home;
use crate::stores::Stores;

/// The number of the documented format in envelopes: typed MessagePack.
pub(crate) const FORMAT: u8 = 1;

/// How values of a type become bytes, and bytes such values; None where they do not.
pub struct Form<V> {
    /// The bytes of a value.
    pub encode: fn(&V) -> Option<Vec<u8>>,
    /// The value that bytes are.
    pub decode: fn(&[u8]) -> Option<V>,
}

impl<V> Clone for Form<V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Form<V> {}

impl<V> Form<V> {
    /// The value of an entry; None if its bytes are none.
    pub(crate) fn read(&self, stored: &Stored) -> Option<V> {
        let Opened { meta, payload } = &stored.opened;
        (meta.format == FORMAT)
            .then(|| (self.decode)(payload))
            .flatten()
    }
}

/// Where the entries of a cache or a function lie in stores.
pub(crate) struct Link<K, V> {
    pub(crate) stores: Stores,
    pub(crate) shelf: Shelf,
    /// The canonical bytes of a key; None for one that is beyond what a key may be.
    arguments: fn(&K) -> Option<key::Key>,
    form: Form<V>,
}

/// A value that stores had.
pub(crate) struct Kept<V> {
    pub(crate) value: V,
    /// What is left of its life, on the clock of the cache.
    pub(crate) lifetime: Lifetime,
    pub(crate) judgement: Judgement,
    pub(crate) age: Duration,
    pub(crate) remaining: Option<Duration>,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) version: u64,
}

/// What came of asking stores.
pub(crate) enum Taken<V> {
    /// A value to serve.
    Kept(Box<Kept<V>>),
    /// The seat: this process computes, with the value to be served if that fails.
    Seat(Seat, Option<Box<Kept<V>>>),
    /// Another process computes behind an old value.
    Elsewhere,
}

/// What a lead asks of stores.
#[derive(Clone, Copy)]
pub(crate) enum Asking {
    /// A value, or the seat; where another process computes it may wait for that, or not.
    Lead { read: Read, waits: bool },
    /// What somebody has computed since an old value was served, or the seat.
    Behind,
}

/// Stores that write.
pub(crate) type Writing = Pin<Box<dyn Future<Output = Written> + Send>>;

impl<V> Kept<V> {
    /// Whether it is within its ttl.
    pub(crate) const fn freshness(&self) -> Freshness {
        match self.judgement {
            Judgement::Serve(freshness) | Judgement::ServeAndRefresh(freshness) => freshness,
            Judgement::OnlyIfError | Judgement::Gone => Freshness::Stale,
        }
    }

    /// Whether it is due to be computed anew.
    pub(crate) const fn is_due(&self) -> bool {
        matches!(self.judgement, Judgement::ServeAndRefresh(_))
    }
}

impl<K, V> Link<K, V> {
    pub(crate) const fn new(
        stores: Stores,
        shelf: Shelf,
        arguments: fn(&K) -> Option<key::Key>,
        form: Form<V>,
    ) -> Self {
        Self {
            stores,
            shelf,
            arguments,
            form,
        }
    }

    /// Where the entry of a key lies; None for a key that has no name there.
    pub(crate) fn place(&self, key: &K) -> Option<Place> {
        let key = (self.arguments)(key)?;
        let naming = self.stores.naming();
        Some(self.shelf.place(naming, key.arguments(), None, None))
    }

    /// How its values are written.
    pub(crate) const fn form(&self) -> Form<V> {
        self.form
    }

    /// The bytes of a value; None if it has none.
    pub(crate) fn encoded(&self, value: &V) -> Option<Vec<u8>> {
        (self.form.encode)(value)
    }

    /// What is known of an entry beside its bytes.
    pub(crate) fn meta<'a>(
        &self,
        key: &K,
        lifetime: &Lifetime,
        tags: impl IntoIterator<Item = &'a Arc<str>>,
    ) -> Meta {
        let mut given: Vec<Arc<str>> = Vec::new();
        for tag in tags {
            if !is_own(tag) && !given.contains(tag) {
                given.push(Arc::clone(tag));
            }
        }
        Meta {
            format: FORMAT,
            spans: Spans::of(lifetime),
            tags: given,
            key: (self.arguments)(key).and_then(|key| self.shelf.listed(key.arguments())),
            ..Meta::default()
        }
    }

    /// The tags by which memory lets go of the entry that lies there.
    pub(crate) fn own_tags(&self, place: &Place) -> [Arc<str>; OWN_TAGS] {
        self.shelf.own_tags(place)
    }
}

/// Whether a tag is none that a user gave.
pub(crate) fn is_own(tag: &str) -> bool {
    tag.starts_with(OWN)
}

/// Leaves the tags that users gave.
pub(crate) fn leave_given(tags: &mut Vec<Arc<str>>) {
    tags.retain(|tag| !is_own(tag));
}

impl<K: Key, V: Clone> Home<K, V> {
    /// The part of a life that an entry spends in memory.
    pub(crate) fn in_memory(&self, lifetime: Lifetime) -> Lifetime {
        match &self.link {
            Some(Link { stores, .. }) => in_memory(
                lifetime,
                self.now(),
                stores.memory_ttl(),
                stores.is_silent(),
            ),
            None => lifetime,
        }
    }

    /// The value of an entry that was found; None if its bytes are none, which is counted.
    pub(crate) fn decoded(&self, link: &Link<K, V>, stored: Stored) -> Option<Box<Kept<V>>> {
        let value = link.form.read(&stored);
        let Stored {
            opened,
            remaining,
            judgement,
            age,
            tier,
            version,
            ..
        } = stored;
        let Some(value) = value else {
            link.stores.stack().count_refused(tier, Refusal::Unreadable);
            return None;
        };
        let lifetime = opened.meta.spans.remaining(self.now(), age);
        Some(Box::new(Kept {
            value,
            lifetime: match self.policy.refresh_every() {
                Some(_) => lifetime.unread(),
                None => lifetime,
            },
            judgement,
            age,
            remaining,
            tags: opened.meta.tags,
            version: version.unwrap_or(0),
        }))
    }

    /// What the stores have of an entry, waiting where another process computes it; the seat, once this one is to compute.
    pub(crate) async fn asked(
        &self,
        link: &Link<K, V>,
        (place, tags): (Place, Arc<[Arc<str>]>),
        mut asking: Asking,
    ) -> Taken<V> {
        let stack = link.stores.stack();
        loop {
            let (place, tags) = (place.clone(), Arc::clone(&tags));
            let fetched = match asking {
                Asking::Lead { read, waits } => stack.fetch_for(place, tags, (read, waits)).await,
                Asking::Behind => stack.fetch_behind(place, tags, Read::Any).await,
            };
            return match fetched {
                Fetched::Found(stored) => match self.decoded(link, stored) {
                    Some(kept) => Taken::Kept(kept),
                    None => {
                        // What cannot be read is written over.
                        asking = match asking {
                            Asking::Lead { waits, .. } => Asking::Lead {
                                read: Read::Nothing,
                                waits,
                            },
                            Asking::Behind => Asking::Lead {
                                read: Read::Nothing,
                                waits: true,
                            },
                        };
                        continue;
                    }
                },
                Fetched::Lead(mut seat) | Fetched::Older(_, mut seat) => {
                    let old = seat.take_old();
                    let old = old.and_then(|old| self.decoded(link, old));
                    Taken::Seat(seat, old)
                }
                Fetched::Elsewhere => Taken::Elsewhere,
            };
        }
    }

    /// Lets go of all that carries one of these tags, in stores and then in memory.
    pub(crate) async fn invalidate(&self, tags: &[Arc<str>]) {
        match &self.link {
            Some(link) => link.stores.invalidate(tags).await,
            None => self.engine.invalidate_tags(tags),
        }
    }

    /// Lets go of all entries of the cache or the function, in stores and then in memory.
    pub(crate) async fn clear(&self) {
        let Some(link) = &self.link else {
            self.engine.clear();
            return;
        };
        let stores = &link.stores;
        if link.shelf.function().is_empty() {
            stores.clear().await;
        } else {
            stores.clear_function(link.shelf.outer()).await;
        }
    }
}
