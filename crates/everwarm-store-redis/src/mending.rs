//! Mending: where somebody else wrote in the place of a shard, a marker or a lease, that is taken away once. Whoever met it is told of
//! the damage, and what it was about is a miss; the next finds the key missing, as after its end.

use everwarm_core::mark::Tag;
use everwarm_core::store::{Failure, FailureKind};

use crate::keys::Keys;
use crate::link::Link;
use crate::request::Request;
use crate::script::script;
use crate::store::Redis;

script!(
    /// Takes away what is not ours.
    MEND = "mend.lua"
);

/// Keys of one slot.
pub(crate) type InSlot = (u16, Vec<String>);

/// Whether a failure may come of what others wrote.
pub(crate) fn is_damage(failure: &Failure) -> bool {
    failure.kind == FailureKind::Corruption
}

/// Has what others wrote under these keys of ours taken away.
pub(crate) async fn mend(link: &Link, keys: Vec<InSlot>) {
    let step = |(slot, keys)| Request::script(slot, &MEND, keys, Vec::new());
    let steps: Vec<_> = keys.into_iter().map(step).collect();
    // Whoever meets it next tries again.
    drop(link.ask(&steps).await);
}

impl Redis {
    /// An answer that was asked for under these keys. Where it tells of damage, that is mended before it is given.
    pub(crate) async fn mended<T>(
        &self,
        answer: Result<T, Failure>,
        keys: impl FnOnce() -> Vec<InSlot>,
    ) -> Result<T, Failure> {
        if answer.as_ref().is_err_and(is_damage) {
            Box::pin(mend(&self.link, keys())).await;
        }
        answer
    }

    /// The keys of all that is read or changed of these tags, and of these names beside their entries.
    pub(crate) fn kept<'a>(
        &self,
        (namespace, tags): (&str, &[Tag]),
        names: impl IntoIterator<Item = &'a str>,
    ) -> Vec<InSlot> {
        let parts = self.parts(namespace, tags);
        let others = parts.others().into_iter();
        let mut all: Vec<InSlot> = others.map(|shard| (shard.slot, vec![shard.key])).collect();
        for part in &parts.all {
            let shard = std::iter::once(part.shard.key.clone());
            all.push((part.shard.slot, shard.chain(part.markers()).collect()));
        }
        for name in names {
            let Keys { lease, slot, .. } = self.layout.keys(name);
            all.push((slot, vec![self.layout.shard_of_name(name).key, lease]));
        }
        all
    }
}
