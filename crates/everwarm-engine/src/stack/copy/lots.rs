//! What a last tier has under names, as far as it counts: known by its envelope alone, since nobody says which key it belongs to.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::codec::{Carrier, Meta, Opened, Refusal};
use everwarm_core::key::{function_of, prefix};
use everwarm_core::mark::{Tag, TagKind, valid};
use everwarm_core::store::{Bytes, Failure, FailureKind, Found, Page};

use super::Stack;

/// An entry that counts.
pub(super) struct Lot {
    pub(super) name: Arc<str>,
    /// All of its tags, as an authority knows them.
    pub(super) labels: Vec<Tag>,
    pub(super) envelope: Bytes,
    pub(super) opened: Opened,
    pub(super) age: Duration,
}

/// What is under a name.
#[expect(clippy::large_enum_variant, reason = "it is taken apart at once")]
pub(super) enum There {
    /// Nothing that counts.
    Nothing,
    /// Bytes that say nothing.
    Refused(Refusal),
    /// An entry.
    Lot(Lot),
}

impl Lot {
    /// Whether both are copies of one entry, or as good as that.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let told = |meta: &Meta| (meta.format, meta.tags.clone());
        told(&self.opened.meta) == told(&other.opened.meta)
            && self.opened.payload == other.opened.payload
    }
}

impl Stack {
    /// What the last tier has under these names, held against markers that were read after it.
    pub(super) async fn lots(&self, names: &[Arc<str>]) -> Result<Vec<There>, Failure> {
        let level = self.last();
        let plain: Vec<&str> = names.iter().map(|name| &**name).collect();
        if plain.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.told(level.tier.store.get_many(&plain).await)?;
        let all = names.iter().zip(found);
        let mut all: Vec<There> = all
            .map(|(name, found)| found.map_or(There::Nothing, |found| self.lot(name, found)))
            .collect();
        let Some(authority) = self.authority() else {
            return Ok(all);
        };
        let tags = union(all.iter().filter_map(There::lot));
        if tags.is_empty() {
            return Ok(all);
        }
        let answer = authority.read(&self.namespace, &tags).await;
        let markers = self.told(answer)?.markers;
        let marker = |tag: &Tag| *markers.get(tags.binary_search(tag).ok()?)?;
        for there in &mut all {
            if let There::Lot(lot) = there
                && !valid(&lot.opened.meta.stamps, lot.labels.iter().map(marker))
            {
                *there = There::Nothing;
            }
        }
        Ok(all)
    }

    fn lot(&self, name: &Arc<str>, found: Found) -> There {
        let opened = match self.carrier().map(|carrier| carrier.look(&found.bytes)) {
            Ok(Ok(opened)) => opened,
            Ok(Err(refusal)) => return There::Refused(refusal),
            Err(_) => return There::Refused(Refusal::Suite),
        };
        let Some(function) = self.function_in(name) else {
            return There::Refused(Refusal::Misplaced);
        };
        let age = self.last().age(&opened.meta.spans, found.remaining);
        if opened.meta.spans.kept().is_some_and(|kept| kept <= age) {
            return There::Nothing;
        }
        let named = opened.meta.tags.iter();
        let named = named.map(|tag| Tag::of(&self.namespace, TagKind::Tag, tag));
        let own = [
            self.namespace_tag,
            Tag::of(&self.namespace, TagKind::Function, &function),
        ];
        let labels: Vec<Tag> = own.into_iter().chain(named).collect();
        if self.owes(name, &labels) {
            return There::Nothing;
        }
        There::Lot(Lot {
            name: Arc::clone(name),
            labels,
            envelope: found.bytes,
            opened,
            age,
        })
    }

    /// The function of a stored name: as the name says, or one that this process knows where the name has only its beginning.
    fn function_in(&self, name: &str) -> Option<Arc<str>> {
        if let Some(function) = function_of(&self.namespace, name) {
            return Some(function.into());
        }
        let is_it = |function: &Arc<str>| name.starts_with(&prefix(&[&self.namespace, function]));
        self.known.functions().into_iter().find(is_it)
    }

    /// A page of names in the namespace.
    pub(super) async fn names(&self, after: Option<&str>, limit: usize) -> Result<Page, Failure> {
        let Some(scan) = self.last().tier.store.scan() else {
            return Err(incapable());
        };
        let answer = scan.page(&self.prefix, after, limit).await;
        self.told(answer)
    }

    pub(super) fn carrier(&self) -> Result<&dyn Carrier, Failure> {
        self.codec.carrier().ok_or_else(incapable)
    }

    /// What the last store said; a failure is counted.
    pub(super) fn told<T>(&self, answer: Result<T, Failure>) -> Result<T, Failure> {
        answer.inspect_err(|failure| self.last().failed(failure))
    }
}

impl There {
    pub(super) const fn lot(&self) -> Option<&Lot> {
        match self {
            Self::Lot(lot) => Some(lot),
            _ => None,
        }
    }
}

/// The tags of all, each once and in order.
pub(super) fn union<'a>(lots: impl IntoIterator<Item = &'a Lot>) -> Vec<Tag> {
    let mut union: Vec<Tag> = lots
        .into_iter()
        .flat_map(|lot| lot.labels.iter().copied())
        .collect();
    union.sort_unstable();
    union.dedup();
    union
}

pub(super) fn incapable() -> Failure {
    Failure::new(
        FailureKind::Capability,
        "a store cannot do what copying takes",
        "use another store",
    )
}
