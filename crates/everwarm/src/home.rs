//! Where entries live: an engine of one scope, with the policy that counts for it.

use std::borrow::Cow;
use std::sync::Arc;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::lifetime::Lifetime;
use everwarm_core::policy::Policy;
use everwarm_core::settle::{Attempt, Outcome, Settlement, plain_end, settle};
use everwarm_engine::{Chance, Key, Negative, Plain, Put, Scope, Settle};

use crate::link::Link;
use crate::patience::Patience;
use crate::share::Failure;

pub(crate) type Engine<K, V> = everwarm_engine::Cache<K, V, Failure>;

/// What says how much an entry weighs.
pub(crate) type Weigher<K, V> = Box<dyn Fn(&K, &V) -> u64 + Send + Sync>;

/// The number of the only scope of an engine.
pub(crate) const ONLY_SCOPE: u32 = 1;

/// Where the entries of one cache or one function live.
pub(crate) struct Home<K: Key, V> {
    pub(crate) name: Cow<'static, str>,
    pub(crate) engine: Arc<Engine<K, V>>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) policy: Policy,
    /// Seeded, so that nobody outside can make keys collide.
    pub(crate) seed: foldhash::fast::RandomState,
    weigher: Option<Weigher<K, V>>,
    /// How its calls wait.
    pub(crate) patience: Patience,
    chance: Chance,
    /// How its values lie in stores, if there are any.
    pub(crate) link: Option<Link<K, V>>,
}

impl<K: Key, V: Clone> Home<K, V> {
    pub(crate) fn new(
        name: Cow<'static, str>,
        policy: Policy,
        engine: Arc<Engine<K, V>>,
        (weigher, patience): (Option<Weigher<K, V>>, Patience),
    ) -> Self {
        let scope = engine.scope();
        debug_assert_eq!(scope.id(), ONLY_SCOPE, "keys name the first scope");
        Self {
            name,
            engine,
            scope,
            policy,
            seed: foldhash::fast::RandomState::default(),
            weigher,
            patience,
            chance: Chance::new(),
            link: None,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.engine.ticker().now()
    }

    /// What an entry weighs; nothing where nothing is weighed.
    pub(crate) fn weigh(&self, key: &K, value: &V) -> u64 {
        self.weigher
            .as_ref()
            .map_or(0, |weigher| weigher(key, value))
    }

    /// Whether a value is not too heavy for an entry.
    pub(crate) fn admits(&self, key: &K, value: &V) -> bool {
        let Policy {
            max_entry_bytes, ..
        } = &self.policy;
        max_entry_bytes.is_none() || self.policy.admits(self.weigh(key, value))
    }

    /// The life of a value that was computed now and after no other failure; None if it is not to be kept.
    pub(crate) fn lifetime(&self, policy: &Policy, outcome: Outcome) -> Option<Lifetime> {
        let (now, chance) = (self.now(), &self.chance);
        match settle(outcome, &Attempt::first(now), policy, now, chance) {
            Settlement::Store(lifetime) => Some(in_use(policy, lifetime)),
            Settlement::StoreNegative(lifetime) => Some(lifetime),
            _ => None,
        }
    }

    /// How a value of this outcome is kept, if there is nothing to say of it but when it ends, and what it weighs.
    #[inline(always)]
    pub(crate) fn plain(&self, outcome: Outcome, policy: &Policy) -> Option<Plain> {
        if policy.max_entry_bytes.is_some() {
            return None;
        }
        let now = self.now();
        let end = plain_end(outcome, policy, now, &self.chance)?;
        Some(Plain {
            now,
            end,
            weight: 0,
        })
    }

    /// Stores a value that no call computed, unless the policy refuses it.
    pub(crate) fn put(
        &self,
        (hash, key): (u64, K),
        value: V,
        outcome: Outcome,
        (policy, tags): (&Policy, &[Arc<str>]),
    ) {
        let Some(lifetime) = self.lifetime(policy, outcome) else {
            return;
        };
        if !self.admits(&key, &value) {
            self.engine.refuse(&self.scope, hash, &key);
            return;
        }
        self.engine.put(Put {
            scope: &self.scope,
            hash,
            weight: self.weigh(&key, &value),
            key,
            value,
            lifetime,
            tags,
        });
    }
}

/// A life whose first read is noticed, if time has what is in use computed anew.
const fn in_use(policy: &Policy, lifetime: Lifetime) -> Lifetime {
    match policy.refresh_every() {
        Some(_) => lifetime.unread(),
        None => lifetime,
    }
}

/// Whether an entry may be served, or stand for an error, when it is no plain hit any more.
pub(crate) const fn has_windows(policy: &Policy) -> bool {
    let Policy {
        refresh_ahead,
        stale_while_revalidate,
        stale_if_error,
        ..
    } = policy;
    refresh_ahead.is_some() || stale_while_revalidate.is_some() || stale_if_error.is_some()
}

/// Whether an entry past the deadline that hits compare may be there all the same.
pub(crate) const fn looks_twice(policy: &Policy) -> bool {
    has_windows(policy) || policy.sliding.is_some()
}

/// What a value that is to be kept is worth.
pub(crate) struct Worth {
    lifetime: Lifetime,
    /// What stands for nothing or an error is one more in a row of such.
    negative: Option<Negative>,
}

impl Worth {
    /// The life of the value, in stores.
    pub(crate) const fn lifetime(&self) -> &Lifetime {
        &self.lifetime
    }

    /// What the outcome of a computation that began at `began`, after so many failures in a row, is worth; None if it is not to be kept.
    pub(crate) fn of<K: Key, V: Clone>(
        outcome: Outcome,
        negatives: u32,
        (home, policy, began): (&Home<K, V>, &Policy, Instant),
    ) -> Option<Self> {
        let attempt = Attempt {
            negatives,
            ..Attempt::first(began)
        };
        match settle(outcome, &attempt, policy, home.now(), &home.chance) {
            Settlement::Store(lifetime) => Some(Self {
                lifetime: in_use(policy, lifetime),
                negative: None,
            }),
            // An error that a function returned is a value here: a hit may give it.
            Settlement::StoreNegative(lifetime) => Some(Self {
                lifetime,
                negative: Some(Negative {
                    row: negatives.saturating_add(1),
                    is_error: false,
                }),
            }),
            _ => None,
        }
    }

    /// How it is kept.
    pub(crate) fn settle<'a, K: Key, V: Clone>(self, home: &Home<K, V>) -> Settle<'a> {
        Settle {
            lifetime: home.in_memory(self.lifetime),
            negative: self.negative,
            ..Settle::default()
        }
    }
}
