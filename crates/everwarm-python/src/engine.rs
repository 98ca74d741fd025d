//! The engine with Python's types filled in.

use std::hash::{Hash, Hasher};

use everwarm_core::key::{self, Equivalent, KeyRef, Short};

use crate::lock::TableLock;

use crate::object::Object;

pub(crate) type Engine = everwarm_engine::Cache<Key, Object, Object>;
pub(crate) type Turn = everwarm_engine::Turn<Key, Object, Object>;
pub(crate) type Lead = everwarm_engine::Lead<Key, Object, Object>;
pub(crate) type Ticket = everwarm_engine::Ticket<Key, Object, Object>;
pub(crate) type Arrival = everwarm_engine::Arrival<Object, Object>;

/// What keys are hashed with: seeded, so that nobody outside can make them collide.
pub(crate) type Seed = foldhash::fast::RandomState;

/// A key of a table of Python's.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Key(key::Key);

impl Key {
    /// The encoding of the arguments: all but the scope.
    pub(crate) fn arguments(&self) -> &[u8] {
        self.0.arguments()
    }
}

impl From<KeyRef<'_>> for Key {
    fn from(key: KeyRef<'_>) -> Self {
        Self(key.into())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl everwarm_engine::Key for Key {
    type Lock = TableLock;

    fn scope(&self) -> u32 {
        self.0.scope()
    }
}

impl Equivalent<Key> for Short {
    #[inline(always)]
    fn equivalent(&self, key: &Key) -> bool {
        self.equivalent(&key.0)
    }
}
