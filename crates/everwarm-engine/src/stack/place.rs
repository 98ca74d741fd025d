//! Which entry of a stack is meant, and the tags by which an authority knows it.

use std::ops::Deref;
use std::sync::Arc;

use everwarm_core::codec::{Binding, BindingId, Under};
use everwarm_core::mark::Tag;

/// Which entry of a namespace, as all share it who ask for it.
#[derive(Clone, Debug)]
pub struct Place(Arc<Known>);

/// A spot, and what the codec knows of it.
#[derive(Debug)]
struct Known {
    spot: Spot,
    id: BindingId,
}

/// Which entry: the name it is stored under, and what its envelope is bound to.
#[derive(Clone, Debug)]
pub struct Spot {
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

impl From<Spot> for Place {
    fn from(spot: Spot) -> Self {
        let id = BindingId::default();
        Self(Arc::new(Known { spot, id }))
    }
}

impl Deref for Place {
    type Target = Spot;

    fn deref(&self) -> &Spot {
        &self.0.spot
    }
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

    /// What an envelope is to be bound to that lies here.
    pub(super) fn under<'a>(&'a self, namespace: &'a str) -> Under<'a> {
        Under {
            binding: self.binding(namespace),
            id: &self.0.id,
        }
    }

    /// The same entry under its name of today alone.
    pub(super) fn today(&self) -> Self {
        if self.older.is_empty() {
            return self.clone();
        }
        Self::from(Spot {
            older: Arc::new([]),
            ..Spot::clone(self)
        })
    }

    /// The same entry under an earlier name.
    pub(super) fn before(&self, older: &Older) -> Self {
        Self::from(Spot {
            name: Arc::clone(&older.name),
            schema: Arc::clone(&older.schema),
            key: Arc::clone(&older.key),
            older: Arc::new([]),
            ..Spot::clone(self)
        })
    }
}

/// The tags of an entry as an authority knows them: its namespace, its function, then those with names.
#[derive(Clone, Debug)]
pub(super) enum Digests {
    /// Those that every entry has: what nearly all have that are read.
    Own([Tag; 2]),
    /// With others.
    Named(Vec<Tag>),
}

impl Digests {
    /// The tags of an entry that has none with a name as yet.
    pub(super) const fn new(namespace: Tag, function: Tag) -> Self {
        Self::Own([namespace, function])
    }

    /// The tags of all, in their order.
    pub(super) fn union<'a>(all: impl IntoIterator<Item = &'a Self>) -> Vec<Tag> {
        let (mut union, mut last): (Vec<Tag>, &[Tag]) = (Vec::new(), &[]);
        for tags in all.into_iter().map(Self::all) {
            // Many have theirs in common.
            if tags != last {
                union.extend_from_slice(tags);
                last = tags;
            }
        }
        union.sort_unstable();
        union.dedup();
        union
    }

    /// Takes in a further tag.
    pub(super) fn add(&mut self, tag: Tag) {
        if self.all().contains(&tag) {
            return;
        }
        match self {
            Self::Own(own) => *self = Self::Named([&own[..], &[tag]].concat()),
            Self::Named(tags) => tags.push(tag),
        }
    }

    pub(super) fn all(&self) -> &[Tag] {
        match self {
            Self::Own(own) => own,
            Self::Named(tags) => tags,
        }
    }
}

/// The tags of many entries, in their order.
pub(super) enum Labels {
    /// All have the same.
    Same(Digests),
    /// Each has its own.
    Each(Vec<Digests>),
}

impl Labels {
    /// Those of one of them.
    pub(super) fn of(&self, at: usize) -> &Digests {
        match self {
            Self::Same(labels) => labels,
            Self::Each(all) => &all[at],
        }
    }

    /// The tags of some of them, in their order.
    pub(super) fn union(&self, some: &[usize]) -> Vec<Tag> {
        match self {
            Self::Same(labels) => Digests::union([labels]),
            Self::Each(all) => Digests::union(some.iter().map(|&at| &all[at])),
        }
    }
}
