//! Which entry of a stack is meant, and the tags by which an authority knows it.

use std::sync::Arc;

use everwarm_core::codec::Binding;
use everwarm_core::mark::Tag;

/// Which entry: the name it is stored under, and what its envelope is bound to.
#[derive(Clone, Debug)]
pub struct Place {
    /// The stored name.
    pub name: Arc<str>,
    /// The name of the function; empty for objects.
    pub function: Arc<str>,
    /// The schema id in the name; empty where there is none.
    pub schema: Arc<str>,
    /// The canonical bytes of the key, or their digest where they are long.
    pub key: Arc<[u8]>,
    /// The tenant; empty where there is none.
    pub tenant: Arc<[u8]>,
    /// Where the same entry may lie from before an upgrade, nearest first.
    pub older: Arc<[Older]>,
}

/// An earlier name of an entry.
#[derive(Clone, Debug)]
pub struct Older {
    /// The stored name.
    pub name: Arc<str>,
    /// The schema id in that name.
    pub schema: Arc<str>,
    /// The canonical bytes of the key as they were, or their digest.
    pub key: Arc<[u8]>,
}

impl Place {
    pub(super) fn binding<'a>(&'a self, namespace: &'a str) -> Binding<'a> {
        Binding {
            tenant: &self.tenant,
            namespace,
            function: &self.function,
            schema: &self.schema,
            key: &self.key,
        }
    }

    /// The same entry under an earlier name.
    pub(super) fn before(&self, older: &Older) -> Self {
        Self {
            name: Arc::clone(&older.name),
            schema: Arc::clone(&older.schema),
            key: Arc::clone(&older.key),
            older: Arc::new([]),
            ..self.clone()
        }
    }
}

/// The tags of an entry as an authority knows them: its namespace, its function, then those with names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Digests(Vec<Tag>);

impl Digests {
    /// The tags of an entry that has none with a name as yet.
    pub(super) fn new(namespace: Tag, function: Tag) -> Self {
        Self(vec![namespace, function])
    }

    /// The tags of all.
    pub(super) fn union(all: &[Self]) -> Self {
        let mut union: Vec<Tag> = all.iter().flat_map(Self::all).copied().collect();
        union.sort_unstable();
        union.dedup();
        Self(union)
    }

    /// Takes in a further tag.
    pub(super) fn add(&mut self, tag: Tag) {
        if !self.0.contains(&tag) {
            self.0.push(tag);
        }
    }

    pub(super) fn into_tags(self) -> Vec<Tag> {
        self.0
    }

    pub(super) fn all(&self) -> &[Tag] {
        &self.0
    }
}
