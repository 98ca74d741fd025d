//! A set at once: into the only tier of a stack, if it is embedded and answers at once. Most need no more, and no future that can
//! wait.

use everwarm_core::codec::Meta;
use everwarm_core::mark::Mark;
use everwarm_core::store::{Computed, Generations, Settled};

use super::found::Written;
use super::place::{Digests, Place};
use super::{Stack, Write};

impl Stack {
    /// Sets by hand in a stack of one embedded store, whose answers are there at once: so without a future. `None` where it takes
    /// more: [`set`](Self::set) is to be asked with the same, of which `meta` has the stamps that were found. Where the value could
    /// not be stored, its entry is to be deleted: what is there is older.
    pub fn set_now(&self, place: &Place, payload: &[u8], meta: &mut Meta) -> Option<Written> {
        let level = self.last();
        let is_alone = self.tiers.len() == 1 && level.embedded && level.tier.write != Write::Behind;
        let authority = self.authority().filter(|_| is_alone)?;
        let labels = self.labels(place, &meta.tags);
        if !place.older.is_empty() || self.owes("", labels.all()) {
            return None;
        }
        meta.spans = level.spans(&meta.spans);
        if let Some(written) =
            self.set_as_recalled(authority, place, &labels, (payload, &mut *meta))
        {
            return Some(written);
        }
        let asked = self.markers.asked();
        let keep = Some(self.options.longest);
        let answer = authority.begin(&self.namespace, labels.all(), keep);
        // A failure is counted where it is met again.
        let reading = answer.now().ok()?.ok()?;
        self.markers.feed(asked, labels.all(), &reading);
        let computed = self.sealed_as((place, labels.all()), (payload, meta), reading.shards)?;
        let Computed {
            name, bytes, ttl, ..
        } = computed;
        self.seats.void(name);
        let answer = level.tier.store.set(name, bytes, ttl).now().ok()?;
        Some(match answer {
            Ok(()) => {
                self.owed.overwritten(name);
                level.settled(Settled::Stored)
            }
            Err(failure) => level.unwritten(failure),
        })
    }

    /// The same under stamps that the authority remembers, if they are those of now; `None`: it has to be asked.
    fn set_as_recalled(
        &self,
        authority: &dyn Generations,
        place: &Place,
        labels: &Digests,
        (payload, meta): (&[u8], &mut Meta),
    ) -> Option<Written> {
        let keep = Some(self.options.longest);
        let stamps = authority.recall(&self.namespace, labels.all(), keep)?;
        let computed = self.sealed_as((place, labels.all()), (payload, meta), stamps)?;
        self.seats.void(computed.name);
        match authority.set_under(computed).now().ok()? {
            Ok(Settled::Stored) => {
                self.owed.overwritten(&place.name);
                Some(self.last().settled(Settled::Stored))
            }
            Ok(_) => None,
            Err(failure) => Some(self.last().unwritten(failure)),
        }
    }

    /// A value sealed under these stamps; `None` if it cannot be, or is too large.
    fn sealed_as<'a>(
        &'a self,
        (place, tags): (&'a Place, &'a [everwarm_core::mark::Tag]),
        (payload, meta): (&[u8], &'a mut Meta),
        stamps: Vec<Mark>,
    ) -> Option<Computed<'a>> {
        meta.stamps = stamps.into();
        let binding = place.binding(&self.namespace);
        let bytes = self.codec.seal(&binding, meta, payload).ok()?;
        let level = self.last();
        (!level.is_too_small_for(&bytes)).then(|| Computed {
            name: &place.name,
            namespace: &self.namespace,
            bytes,
            ttl: Some(level.ttl(meta.spans.kept())),
            token: None,
            stamps: &meta.stamps,
            tags,
        })
    }
}
