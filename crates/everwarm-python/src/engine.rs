//! The engine with Python's types filled in.

use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::{Arc, LazyLock};

use everwarm_core::key::{self, Equivalent, KeyRef, Short};

use pyo3::gc::{PyTraverseError, PyVisit};

use crate::lock::TableLock;
use crate::object::Object;
use crate::own::Numbered;

pub(crate) type Engine = everwarm_engine::Cache<Key, Object, Object>;
pub(crate) type Turn = everwarm_engine::Turn<Key, Object, Object>;
pub(crate) type Lead = everwarm_engine::Lead<Key, Object, Object>;
pub(crate) type Ticket = everwarm_engine::Ticket<Key, Object, Object>;
pub(crate) type Arrival = everwarm_engine::Arrival<Object, Object>;

/// What keys are hashed with: seeded, so that nobody outside can make them collide.
pub(crate) type Seed = foldhash::fast::RandomState;

/// What makes the fingerprints of keys, alike in all tables of the process.
static FINGERPRINTS: LazyLock<Seed> = LazyLock::new(Seed::default);

/// A key of a table of Python's: bytes, in either form.
#[derive(Clone)]
pub(crate) enum Key {
    /// The canonical bytes of arguments.
    Content(key::Key),
    /// The number of arguments that are told apart by their own `==`; they live as long as a key does.
    Own(Arc<Numbered>),
}

// The second form lies where the first has no use for its bytes, so entries do not grow by it.
const _: () = assert!(size_of::<Key>() == size_of::<key::Key>());

impl Key {
    fn bytes(&self) -> &key::Key {
        match self {
            Self::Content(key) => key,
            Self::Own(numbered) => numbered.key(),
        }
    }

    /// The encoding of the arguments: all but the scope.
    pub(crate) fn arguments(&self) -> &[u8] {
        self.bytes().arguments()
    }

    /// Shows the Python objects held here to the garbage collector.
    pub(crate) fn visit(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self {
            Self::Content(_) => Ok(()),
            Self::Own(numbered) => numbered.visit(visit),
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.bytes() == other.bytes()
    }
}

impl Eq for Key {}

impl From<KeyRef<'_>> for Key {
    fn from(key: KeyRef<'_>) -> Self {
        Self::Content(key.into())
    }
}

impl From<Short> for Key {
    #[inline]
    fn from(key: Short) -> Self {
        Self::Content(key.into())
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.bytes().hash(state);
    }
}

impl everwarm_engine::Key for Key {
    type Lock = TableLock;

    fn scope(&self) -> u32 {
        self.bytes().scope()
    }

    fn weight(&self) -> u64 {
        self.bytes().heap_bytes() as u64
    }

    fn fingerprint(&self) -> Option<u64> {
        Some(FINGERPRINTS.hash_one(self.bytes()))
    }
}

impl Equivalent<Key> for Short {
    #[inline(always)]
    fn equivalent(&self, key: &Key) -> bool {
        matches!(key, Key::Content(key) if self.equivalent(key))
    }
}
