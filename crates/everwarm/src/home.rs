//! Where entries live: an engine of one scope, with the policy that counts for it.

use std::borrow::Cow;
use std::sync::Arc;

use everwarm_core::clock::{Clock, Instant};
use everwarm_core::policy::Policy;
use everwarm_core::settle::{Attempt, Outcome, Settlement, settle};
use everwarm_engine::{Chance, Key, Put, Scope};

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
    chance: Chance,
}

impl<K: Key, V: Clone> Home<K, V> {
    pub(crate) fn new(
        name: Cow<'static, str>,
        policy: Policy,
        engine: Arc<Engine<K, V>>,
        weigher: Option<Weigher<K, V>>,
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
            chance: Chance::new(),
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

    /// When an entry ends whose computation began at `began`; None if it is not to be kept.
    pub(crate) fn deadline(
        &self,
        policy: &Policy,
        began: Instant,
        outcome: Outcome,
    ) -> Option<Instant> {
        let attempt = Attempt::first(began);
        match settle(outcome, &attempt, policy, self.now(), &self.chance) {
            Settlement::Store(lifetime) => Some(lifetime.serve_until()),
            _ => None,
        }
    }

    /// Stores a value that no call computed, unless the policy refuses it.
    pub(crate) fn put(
        &self,
        (hash, key): (u64, K),
        value: V,
        outcome: Outcome,
        (policy, tags): (&Policy, &[Arc<str>]),
    ) {
        let Some(deadline) = self.deadline(policy, self.now(), outcome) else {
            return;
        };
        self.engine.put(Put {
            scope: &self.scope,
            hash,
            weight: self.weigh(&key, &value),
            key,
            value,
            deadline,
            tags,
        });
    }
}
