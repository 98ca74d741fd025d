//! What the engine's tests share: small keys and values, a caller, and asks in one line.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use everwarm_core::clock::Instant;
use everwarm_core::lifetime::Lifetime;
use everwarm_engine::{
    Ask, Bounds, Cache, Caller, Key, Lead, ManualHand, Put, Scope, Settle, Ticker, Ticket, Turn,
};

/// A scope's number and a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Name(pub(crate) u32, pub(crate) u64);

impl Key for Name {
    type Lock = everwarm_engine::DefaultLock;

    fn scope(&self) -> u32 {
        self.0
    }

    fn fingerprint(&self) -> Option<u64> {
        Some(self.hash())
    }
}

impl Name {
    pub(crate) fn hash(&self) -> u64 {
        (self.1 ^ u64::from(self.0) << 32)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    }
}

pub(crate) type Error = &'static str;

/// A cache with one scope and a clock of its own.
pub(crate) struct World<V: Clone> {
    pub(crate) cache: Arc<Cache<Name, V, Error>>,
    pub(crate) scope: Arc<Scope>,
    pub(crate) hand: ManualHand,
}

impl<V: Clone> World<V> {
    pub(crate) fn new() -> Self {
        Self::with(100, Cache::new)
    }

    pub(crate) fn with(
        max_entries: usize,
        build: impl FnOnce(Bounds, Ticker) -> Arc<Cache<Name, V, Error>>,
    ) -> Self {
        let hand = ManualHand::new(Instant::ZERO);
        let max_entries = NonZeroUsize::new(max_entries).expect("a bound");
        let cache = build(Bounds::entries(max_entries), Ticker::frozen_by(&hand));
        let scope = cache.scope();
        Self { cache, scope, hand }
    }

    pub(crate) fn key(&self, name: u64) -> Name {
        Name(self.scope.id(), name)
    }

    pub(crate) fn hit(&self, name: u64) -> Option<V> {
        let key = self.key(name);
        self.cache.hit(&self.scope, key.hash(), &key)
    }

    pub(crate) fn put(&self, name: u64, value: V) {
        self.put_with(name, value, Instant::NEVER, &[]);
    }

    pub(crate) fn put_with(&self, name: u64, value: V, deadline: Instant, tags: &[&str]) {
        let key = self.key(name);
        let tags = names(tags);
        self.cache.put(Put {
            scope: &self.scope,
            hash: key.hash(),
            key,
            value,
            lifetime: Lifetime::ending(deadline),
            tags: &tags,
            weight: 0,
        });
    }

    pub(crate) fn delete(&self, name: u64) -> bool {
        let key = self.key(name);
        self.cache.delete(&self.scope, key.hash(), &key)
    }

    pub(crate) fn invalidate(&self, tag: &str) {
        self.cache.invalidate_tags(&names(&[tag]));
    }

    pub(crate) fn begin(&self, name: u64) -> Turn<Name, V, Error> {
        self.begin_with(name, &[], Caller::default())
    }

    pub(crate) fn begin_with(
        &self,
        name: u64,
        tags: &[&str],
        caller: Caller<'_>,
    ) -> Turn<Name, V, Error> {
        let key = self.key(name);
        self.cache
            .begin(self.ask(&key, &names(tags), caller))
            .expect("no wait for itself")
    }

    pub(crate) fn lead(&self, name: u64) -> Lead<Name, V, Error> {
        self.lead_with(name, &[])
    }

    pub(crate) fn lead_with(&self, name: u64, tags: &[&str]) -> Lead<Name, V, Error> {
        match self.begin_with(name, tags, Caller::default()) {
            Turn::Lead(lead) => lead,
            turn => panic!("expected the lead, got {}", word(&turn)),
        }
    }

    pub(crate) fn ticket(&self, name: u64) -> Ticket<Name, V, Error> {
        match self.begin(name) {
            Turn::Wait(ticket) => ticket,
            turn => panic!("expected a wait, got {}", word(&turn)),
        }
    }

    pub(crate) fn refresh(&self, name: u64) -> Lead<Name, V, Error> {
        let key = self.key(name);
        self.cache.refresh(self.ask(&key, &[], Caller::default()))
    }

    pub(crate) fn ask<'a>(
        &'a self,
        key: &'a Name,
        tags: &'a [Arc<str>],
        caller: Caller<'a>,
    ) -> Ask<'a, Name> {
        Ask {
            scope: &self.scope,
            hash: key.hash(),
            key,
            tags,
            caller,
            again: false,
        }
    }
}

pub(crate) fn word<V: Clone>(turn: &Turn<Name, V, Error>) -> &'static str {
    match turn {
        Turn::Hit(_) => "a hit",
        Turn::Stale(_) => "a stale hit",
        Turn::HitAndLead(..) => "a hit and the lead",
        Turn::Remembered(_) => "a remembered error",
        Turn::Lead(_) => "the lead",
        Turn::Wait(_) => "a wait",
        Turn::Alone(_) => "a computation alone",
    }
}

/// Numbers of threads that no other test has.
pub(crate) fn threads<const MANY: usize>() -> [u64; MANY] {
    static LAST: AtomicU64 = AtomicU64::new(0);
    [(); MANY].map(|()| LAST.fetch_add(1, Ordering::Relaxed) + 1)
}

pub(crate) fn names(tags: &[&str]) -> Vec<Arc<str>> {
    tags.iter().map(|tag| Arc::from(*tag)).collect()
}

pub(crate) fn settle(tags: &[Arc<str>]) -> Settle<'_> {
    Settle {
        tags,
        ..Settle::default()
    }
}
