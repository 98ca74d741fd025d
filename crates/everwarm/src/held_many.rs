//! Many entries that are read, written and deleted by hand, in stores and in the memory in front of them.

use std::sync::Arc;

use everwarm_core::clock::Instant;
use everwarm_core::judge::Freshness;
use everwarm_core::policy::Policy;
use everwarm_core::settle::Outcome;
use everwarm_engine::Key;
use everwarm_engine::stack::{Done, Place};

use crate::held::{AtEnd, Given, Held};
use crate::home::{Home, looks_twice};

/// A value that is to be set by hand, with what it is worth.
pub(crate) struct Setting<K, V> {
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) value: V,
    pub(crate) tags: Vec<Arc<str>>,
    pub(crate) outcome: Outcome,
}

impl<K: Key, V: Clone> Home<K, V> {
    /// The values of those of `keys` that are there; each is counted.
    pub(crate) async fn get_many(&self, keys: Vec<(u64, K)>) -> Vec<(K, V)> {
        let mut found = Vec::with_capacity(keys.len());
        let mut missing = Vec::new();
        for (hash, key) in keys {
            match self.in_memory_now(hash, &key) {
                Some(value) => found.push((key, value)),
                None => missing.push((hash, key)),
            }
        }
        let since = self.engine.stamp();
        let mut held = Vec::new();
        for (hash, key) in &missing {
            match self.held(*hash, key) {
                Some(one) => held.push(one),
                None => self.engine.missed(&self.scope, *hash),
            }
        }
        let Some(first) = held.first() else {
            return found;
        };
        let places: Arc<[Place]> = held.iter().map(|held| held.place().clone()).collect();
        let stored = first.stack().get_many(places).await;
        for (held, stored) in held.iter().zip(stored) {
            match stored.and_then(|stored| held.taken(stored, since)) {
                Some(kept) => {
                    match kept.freshness() {
                        Freshness::Fresh => self.scope.count_hit(),
                        Freshness::Stale => self.scope.count_stale(),
                    }
                    found.push((held.key().clone(), kept.value));
                }
                None => self.engine.missed(&self.scope, held.hash()),
            }
        }
        found
    }

    /// The value that memory has; an absence counts nothing.
    fn in_memory_now(&self, hash: u64, key: &K) -> Option<V> {
        let Self { engine, scope, .. } = self;
        engine.hit(scope, hash, key).or_else(|| {
            let served = looks_twice(&self.policy)
                .then(|| engine.take(scope, hash, key, Instant::ZERO))
                .flatten();
            served.map(|served| served.value)
        })
    }

    /// Stores values by hand, those that the policy keeps: all of them by one write.
    pub(crate) async fn set_many(&self, settings: Vec<Setting<K, V>>, policy: &Policy) {
        let mut apart = Vec::new();
        let mut together = Vec::new();
        let (mut held, mut entries) = (Vec::new(), Vec::new());
        for setting in &settings {
            let Setting {
                hash, key, value, ..
            } = setting;
            let one = self.held(*hash, key).filter(|_| self.admits(key, value));
            let lifetime = self.lifetime(policy, setting.outcome);
            let Some((one, payload)) = one.and_then(|one| {
                let payload = one.link().encoded(value)?;
                Some((one, payload))
            }) else {
                apart.push(setting);
                continue;
            };
            let Some(lifetime) = lifetime else { continue };
            let given = Given {
                value: value.clone(),
                lifetime,
                tags: &setting.tags,
            };
            let meta = one.link().meta(key, &lifetime, given.tags);
            entries.push((one.place().clone(), payload, meta));
            together.push(given);
            held.push(one);
        }
        if let Some(first) = held.first() {
            let since = self.engine.stamp();
            let walked_away = AtEnd(|| self.forget(&held));
            first.stack().set_many(entries).await;
            std::mem::forget(walked_away);
            for (held, given) in held.iter().zip(&together) {
                held.remember(given, since);
            }
        }
        for setting in apart {
            let entry = (setting.hash, setting.key.clone());
            let kept = (policy, &*setting.tags);
            self.set(entry, setting.value.clone(), setting.outcome, kept)
                .await;
        }
    }

    /// Makes the entries of these keys gone; how many were there.
    pub(crate) async fn delete_many(&self, keys: &[(u64, K)]) -> usize {
        let Self { engine, scope, .. } = self;
        let mut held = Vec::new();
        let mut deleted = 0;
        for (hash, key) in keys {
            match self.held(*hash, key) {
                Some(one) => held.push(one),
                None => deleted += usize::from(engine.delete(scope, *hash, key)),
            }
        }
        let Some(first) = held.first() else {
            return deleted;
        };
        let places = held.iter().map(|held| held.place().clone()).collect();
        let forgets = AtEnd(|| self.forget(&held));
        let (were, done) = first.stack().delete_many(places).await;
        let is_there = |held: &&Held<'_, K, V>| engine.contains(scope, held.hash(), held.key());
        let in_memory = held.iter().filter(is_there).count();
        drop(forgets);
        for held in &held {
            engine.delete(scope, held.hash(), held.key());
        }
        let were = usize::try_from(were).unwrap_or(usize::MAX);
        deleted
            + match done {
                Done::Pending => were.max(in_memory),
                _ => were,
            }
    }

    /// Has memory let go of these entries, and of what is being read or computed for them.
    fn forget(&self, held: &[Held<'_, K, V>]) {
        let own: Vec<Arc<str>> = held.iter().map(Held::own_tag).collect();
        self.engine.invalidate_tags(&own);
    }
}
