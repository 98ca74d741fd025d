//! Entries that are read, written and changed by hand, in stores and in the memory in front of them.
//!
//! Reads ask memory first and fill it. Writes go to the stores first: memory follows, so that nothing it has is older than what they
//! acknowledged; also where the caller walks away in between.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::judge::{Freshness, Judgement};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_core::store::{Condition, Failure};
use everwarm_core::using::Read;
use everwarm_engine::stack::{Change, Done, Place, Stack, Stored};
use everwarm_engine::{Amendment, Key, Put, Seen, Stamp, Written};
use everwarm_tiers::{as_it_is, change};

use crate::counting::{Counting, Uncounted};
use crate::home::{Home, looks_twice};
use crate::link::{Kept, Link};

/// Does something when it is dropped: what has to be done also where the caller walks away.
pub(crate) struct AtEnd<F: FnMut()>(pub(crate) F);

impl<F: FnMut()> Drop for AtEnd<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// One entry, in memory and in stores.
pub(crate) struct Held<'a, K: Key, V> {
    home: &'a Home<K, V>,
    link: &'a Link<K, V>,
    hash: u64,
    key: &'a K,
    place: Place,
}

/// A value on its way into an entry.
pub(crate) struct Given<'a, V> {
    pub(crate) value: V,
    pub(crate) lifetime: Lifetime,
    pub(crate) tags: &'a [Arc<str>],
}

impl<K: Key, V: Clone> Home<K, V> {
    /// The entry of a key; None if it is one of memory alone.
    pub(crate) fn held<'a>(&'a self, hash: u64, key: &'a K) -> Option<Held<'a, K, V>> {
        let link = self.link.as_ref()?;
        Some(Held {
            home: self,
            link,
            hash,
            key,
            place: link.place(key)?,
        })
    }

    /// The value of a key that memory had no plain hit for; counted.
    pub(crate) async fn get(&self, hash: u64, key: &K) -> Option<V> {
        if looks_twice(&self.policy)
            && let Some(served) = self.engine.take(&self.scope, hash, key, Instant::ZERO)
        {
            return Some(served.value);
        }
        let kept = match self.held(hash, key) {
            Some(held) => held.read(Read::Any).await,
            None => None,
        };
        match kept {
            Some(kept) => {
                match kept.freshness() {
                    Freshness::Fresh => self.scope.count_hit(),
                    Freshness::Stale => self.scope.count_stale(),
                }
                Some(kept.value)
            }
            None => {
                self.engine.missed(&self.scope, hash);
                None
            }
        }
    }

    /// Stores a value by hand, if its policy keeps it.
    pub(crate) async fn set(
        &self,
        (hash, key): (u64, K),
        value: V,
        outcome: Outcome,
        (policy, tags): (&Policy, &[Arc<str>]),
    ) {
        let Some(lifetime) = self.lifetime(policy, outcome) else {
            return;
        };
        match self.held(hash, &key) {
            // Nobody is to read what was to be replaced.
            Some(held) if !self.admits(&key, &value) => {
                self.scope.count_refused();
                held.delete().await;
            }
            Some(held) => {
                held.put(Given {
                    value,
                    lifetime,
                    tags,
                })
                .await;
            }
            None => self.put((hash, key), value, outcome, (policy, tags)),
        }
    }

    /// Makes the entry of a key gone; whether it was there.
    pub(crate) async fn delete(&self, hash: u64, key: &K) -> bool {
        match self.held(hash, key) {
            Some(held) => held.delete().await,
            None => self.engine.delete(&self.scope, hash, key),
        }
    }

    /// Whether there is a fresh entry; counts nothing.
    pub(crate) async fn exists(&self, hash: u64, key: &K) -> bool {
        if self.engine.contains(&self.scope, hash, key) {
            return true;
        }
        let Some(held) = self.held(hash, key) else {
            return false;
        };
        let peeked = held.stack().peek(held.place.clone(), Arc::new([]));
        let is_fresh = |stored: Stored| {
            let kept = self.decoded(held.link, stored);
            kept.is_some_and(|kept| kept.freshness() == Freshness::Fresh)
        };
        peeked.await.is_some_and(is_fresh)
    }

    /// Changes the entry in place; whether it was there.
    pub(crate) async fn amend(&self, hash: u64, key: &K, amendment: Amendment<'_>) -> bool {
        match self.held(hash, key) {
            Some(held) => held.amend(amendment).await,
            None => self.engine.amend(&self.scope, hash, key, amendment),
        }
    }
}

impl<K: Key, V: Clone> Held<'_, K, V> {
    pub(crate) fn stack(&self) -> &Arc<Stack> {
        self.link.stores.stack()
    }

    pub(crate) const fn link(&self) -> &Link<K, V> {
        self.link
    }

    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    pub(crate) const fn hash(&self) -> u64 {
        self.hash
    }

    pub(crate) const fn key(&self) -> &K {
        self.key
    }

    /// The tag by which memory lets go of the entry.
    pub(crate) fn own_tag(&self) -> Arc<str> {
        let [own, _] = self.link.own_tags(&self.place);
        own
    }

    /// Has memory let go of the entry, and of what is being read or computed for it.
    fn forget(&self) {
        self.home.engine.invalidate_tags(&[self.own_tag()]);
    }

    fn put_of<'b>(&self, given: &Given<'b, V>, tags: &'b [Arc<str>]) -> Put<'b, K, V>
    where
        Self: 'b,
    {
        Put {
            scope: &self.home.scope,
            hash: self.hash,
            key: self.key.clone(),
            value: given.value.clone(),
            lifetime: self.home.in_memory(given.lifetime),
            tags,
            weight: self.home.weigh(self.key, &given.value),
        }
    }

    /// What the stores have of what is to be read, which memory takes over; counts nothing.
    pub(crate) async fn read(&self, read: Read) -> Option<Box<Kept<V>>> {
        let since = self.home.engine.stamp();
        let stored = self.stack().get(self.place.clone(), Arc::new([]), read);
        self.taken(stored.await?, since)
    }

    /// What was read from the stores since then, which memory takes over.
    pub(crate) fn taken(&self, stored: Stored, since: Stamp) -> Option<Box<Kept<V>>> {
        let kept = self.home.decoded(self.link, stored)?;
        let given = Given {
            value: kept.value.clone(),
            lifetime: kept.lifetime,
            tags: &[],
        };
        let tags = self.home.tags(&self.place, &kept.tags);
        let put = self.put_of(&given, &tags);
        self.home.engine.fill(put, kept.age, since);
        Some(kept)
    }

    /// Whether the entry is within its ttl, and what is left of that; counts nothing.
    pub(crate) async fn left(&self) -> Option<(Freshness, Option<Duration>)> {
        let stored = self.stack().peek(self.place.clone(), Arc::new([])).await?;
        let kept = self.home.decoded(self.link, stored)?;
        Some((kept.freshness(), kept.remaining))
    }

    /// The entry of the last tier, with the number of its write; memory does not take it.
    pub(crate) async fn seen(&self) -> Option<Seen<V>> {
        let stored = self.stack().get_exact(self.place.clone()).await?;
        let kept = self.home.decoded(self.link, stored)?;
        Some(Seen {
            age: kept.age,
            ttl: kept.remaining,
            freshness: kept.freshness(),
            version: kept.version,
            value: kept.value,
            tags: kept.tags,
        })
    }

    async fn put(&self, given: Given<'_, V>) {
        let since = self.home.engine.stamp();
        let place = self.place.clone();
        let walked_away = AtEnd(|| self.forget());
        match self.link.encoded(&given.value) {
            Some(payload) => {
                let meta = self.link.meta(self.key, &given.lifetime, given.tags);
                self.stack().set(place, payload, meta).await;
            }
            // What lies there is no longer the entry's value. Memory has it alone, and has to hear of its tags all the same.
            None => {
                self.home.scope.count_refused();
                self.stack().note(given.tags);
                self.stack().delete(place).await;
            }
        }
        std::mem::forget(walked_away);
        self.remember(&given, since);
    }

    /// Has memory keep what the stores were given since then, unless it was invalidated meanwhile.
    pub(crate) fn remember(&self, given: &Given<'_, V>, since: Stamp) {
        let own = self.own_tag();
        let tags = self.home.tags(&self.place, given.tags);
        let put = self.put_of(given, &tags);
        self.home.engine.supersede(put, &own, since);
    }

    /// Puts a value if what is there meets the condition.
    pub(crate) async fn put_if(
        &self,
        value: V,
        (lifetime, tags): (Lifetime, &[Arc<str>]),
        condition: Condition,
    ) -> Written {
        let Some(payload) = self.link.encoded(&value) else {
            self.home.scope.count_refused();
            return Written::Refused;
        };
        let given = Given {
            value,
            lifetime,
            tags,
        };
        let since = self.home.engine.stamp();
        let meta = self.link.meta(self.key, &lifetime, tags);
        let walked_away = AtEnd(|| self.forget());
        let set = self
            .stack()
            .set_if(self.place.clone(), payload, meta, condition);
        if !matches!(set.await, Ok(true)) {
            return Written::Unmet;
        }
        std::mem::forget(walked_away);
        self.remember(&given, since);
        Written::Done
    }

    /// Puts a value in the place of that of a write. The entry keeps its tags and what is left of its ttl.
    pub(crate) async fn exchange(&self, value: &V, version: u64) -> Written {
        let Some(payload) = self.link.encoded(value) else {
            self.home.scope.count_refused();
            return Written::Refused;
        };
        let done = self.changed(move |stored| match stored {
            Some(stored) if stored.version == Some(version) => {
                Change::Write(payload.clone(), as_it_is(stored), true)
            }
            _ => Change::Keep(false),
        });
        match done.await {
            true => Written::Done,
            false => Written::Unmet,
        }
    }

    /// Counts; what the number is then.
    ///
    /// # Errors
    /// The stores could not be asked.
    pub(crate) async fn count<F>(
        &self,
        Counting { sum, created }: Counting<F>,
    ) -> Result<Result<V, Uncounted>, Failure>
    where
        V: Send + 'static,
        F: Fn(Option<V>) -> Option<V> + Send + 'static,
    {
        let form = self.link.form();
        let fresh = created.map(|(lifetime, tags)| self.link.meta(self.key, &lifetime, &tags));
        let change = move |stored: Option<&Stored>| {
            let stored = stored.filter(|stored| is_fresh(stored.judgement));
            let before = match stored.map(|stored| form.read(stored)) {
                Some(None) => return Change::Keep(Err(Uncounted::NoNumber)),
                before => before.flatten(),
            };
            let Some(value) = sum(before) else {
                return Change::Keep(Err(Uncounted::TooFar));
            };
            let Some(meta) = stored.map(as_it_is).or_else(|| fresh.clone()) else {
                return Change::Keep(Ok(value));
            };
            match (form.encode)(&value) {
                Some(payload) => Change::Write(payload, meta, Ok(value)),
                None => Change::Keep(Err(Uncounted::NoNumber)),
            }
        };
        let _forgets = AtEnd(|| self.forget());
        self.stack().amend(self.place.clone(), change).await
    }

    async fn amend(&self, amendment: Amendment<'_>) -> bool {
        let change = change(amendment);
        self.changed(move |stored| match stored {
            Some(stored) => {
                let mut meta = as_it_is(stored);
                change(stored, &mut meta);
                Change::Write(stored.opened.payload.to_vec(), meta, true)
            }
            None => Change::Keep(false),
        })
        .await
    }

    /// Looks at the entry in the last tier and changes it in one step, after which memory lets go of it; false if the store failed.
    async fn changed(
        &self,
        change: impl FnMut(Option<&Stored>) -> Change<bool> + Send + 'static,
    ) -> bool {
        let _forgets = AtEnd(|| self.forget());
        let amended = self.stack().amend(self.place.clone(), change).await;
        amended.unwrap_or(false)
    }

    async fn delete(&self) -> bool {
        let forgets = AtEnd(|| self.forget());
        let (was_there, done) = self.stack().delete(self.place.clone()).await;
        let Home { engine, scope, .. } = self.home;
        let was_in_memory = engine.contains(scope, self.hash, self.key);
        drop(forgets);
        let deleted = engine.delete(scope, self.hash, self.key);
        was_there || (done == Done::Pending && (was_in_memory || deleted))
    }
}

/// Whether an entry that was found is within its ttl.
const fn is_fresh(judgement: Judgement) -> bool {
    matches!(
        judgement,
        Judgement::Serve(Freshness::Fresh) | Judgement::ServeAndRefresh(Freshness::Fresh)
    )
}
