//! The keys of both fronts: a typed cache's own keys, and the canonical bytes of decorated functions.

use std::borrow::Borrow;
use std::hash::BuildHasher;
use std::sync::LazyLock;

use everwarm_core::key;
use everwarm_engine::DefaultLock;
use hashbrown::Equivalent;

use crate::home::ONLY_SCOPE;

/// A key of a typed cache.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Typed<K>(pub(crate) K);

impl<K: Clone + Eq> everwarm_engine::Key for Typed<K> {
    type Lock = DefaultLock;

    fn scope(&self) -> u32 {
        ONLY_SCOPE
    }
}

/// What a typed cache is searched with: a key as its owner lends it.
pub(crate) struct Lent<'a, Q: ?Sized>(pub(crate) &'a Q);

impl<K: Borrow<Q>, Q: Eq + ?Sized> Equivalent<Typed<K>> for Lent<'_, Q> {
    #[inline]
    fn equivalent(&self, key: &Typed<K>) -> bool {
        self.0 == key.0.borrow()
    }
}

/// What makes the fingerprints of calls, alike in all functions of the process.
static FINGERPRINTS: LazyLock<foldhash::fast::RandomState> = LazyLock::new(Default::default);

/// The canonical bytes of a call.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Canonical(pub(crate) key::Key);

impl everwarm_engine::Key for Canonical {
    type Lock = DefaultLock;

    fn scope(&self) -> u32 {
        self.0.scope()
    }

    fn fingerprint(&self) -> Option<u64> {
        Some(FINGERPRINTS.hash_one(&self.0))
    }
}

/// What a function's entries are searched with: the bytes before they are owned.
pub(crate) struct Written<'a>(pub(crate) key::KeyRef<'a>);

impl Equivalent<Canonical> for Written<'_> {
    #[inline]
    fn equivalent(&self, key: &Canonical) -> bool {
        self.0.equivalent(&key.0)
    }
}
