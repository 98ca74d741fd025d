//! Sets in one trip: a store behind a connection that remembers the stamps of an earlier reading is written under those, and says in the
//! same trip which those of now are. Where an invalidation of one of the tags lies between, what was written is valid nowhere, and is
//! written once more.

use std::sync::Arc;

use everwarm_core::codec::Meta;
use everwarm_core::mark::{Mark, Tag, valid};
use everwarm_core::store::{Entry, Failure, Generations};

use super::fetch::Begun;
use super::found::Written;
use super::place::Place;
use super::recent::digest;
use super::set::Unsure;
use super::settle::Sealed;
use super::{Stack, Write};

impl Stack {
    /// The stamps of an earlier reading of these tags, which may be older than now.
    pub(super) fn recalled(&self, tags: &[Tag]) -> Option<Vec<Mark>> {
        let level = self.last();
        let authority = self.authority().filter(|_| !level.embedded)?;
        authority.recall(&self.namespace, tags, Some(self.options.longest))
    }

    /// Sets by hand where there is one tier. `None` where it takes more: nothing is there then that is valid.
    pub(super) async fn set_in_one_trip(
        self: &Arc<Self>,
        place: &Place,
        payload: &[u8],
        meta: &Meta,
    ) -> Option<Written> {
        let level = self.last();
        let is_alone = self.tiers.len() == 1 && level.tier.write != Write::Behind;
        let labels = self.labels(place, &meta.tags);
        if !is_alone || !place.older.is_empty() || self.owes("", labels.all()) {
            return None;
        }
        let stamps = self.recalled(labels.all())?;
        let sealed = self.seal(place, (payload, meta.clone()), stamps, labels.all());
        // Why one is refused is said, and counted, on the long way.
        let sealed = sealed.ok()?;
        if level.is_too_small_for(&sealed.bytes) {
            return None;
        }
        let names = [Arc::clone(&place.name)];
        let (since, shards) = (self.now(), self.markers.shards());
        self.make_way(&names).await;
        let unsure = Unsure::of(self, &names);
        let entry = [(Arc::clone(&place.name), sealed)];
        let written = self.write_many(&entry, Some(labels.all())).await;
        unsure.ends();
        match written {
            Ok(None) => {
                self.owed.overwritten(&place.name);
                Some(Written::Stored)
            }
            Ok(Some(_)) => None,
            Err(failure) => {
                // What is there is older than what was to be set.
                let [(_, sealed)] = entry;
                let late = self.late_since(place, Some(sealed), since);
                self.delete_or_owe(vec![late.knowing(&shards)]).await;
                Some(Written::Failed(failure))
            }
        }
    }

    /// Writes many to the last tier, all sealed under the same stamps, and begins with some tags in the same trip, if `begins` says so.
    /// The stamps of now where those are not: what is written is not valid then.
    pub(super) async fn write_many(
        &self,
        sealed: &[(Arc<str>, Sealed)],
        begins: Option<&[Tag]>,
    ) -> Result<Option<Vec<Mark>>, Failure> {
        let level = self.last();
        let failovers = self.failovers();
        let entry = |(name, sealed): &'_ (Arc<str>, Sealed)| {
            (
                Arc::clone(name),
                sealed.bytes.clone(),
                level.ttl(sealed.left),
            )
        };
        let all: Vec<_> = sealed.iter().map(entry).collect();
        let entries: Vec<Entry<'_>> = all
            .iter()
            .map(|(name, bytes, ttl)| Entry {
                name,
                bytes: bytes.clone(),
                ttl: Some(*ttl),
            })
            .collect();
        let answer = match (begins, self.authority()) {
            (Some(tags), Some(authority)) => {
                self.set_with(authority, &entries, tags).await.map(Some)
            }
            _ => level
                .counted(level.tier.store.set_many(&entries).await)
                .map(|()| None),
        };
        let begun = answer.inspect_err(|_| {
            for (name, sealed) in sealed {
                self.owed.haunted(self.now(), name, digest(&sealed.bytes));
            }
        })?;
        let stamps = sealed.first().map_or(&[][..], |(_, sealed)| &sealed.stamps);
        let newer = begun.and_then(|(newer, markers)| (!valid(stamps, markers)).then_some(newer));
        if newer.is_none() {
            level.tally.sets.add(entries.len() as u64);
            for (name, sealed) in sealed {
                self.remember_write(name, &sealed.bytes, failovers);
            }
        }
        Ok(newer)
    }

    /// Sets many, and begins: the stamps and the markers of now.
    async fn set_with(
        &self,
        authority: &dyn Generations,
        entries: &[Entry<'_>],
        tags: &[Tag],
    ) -> Result<Begun, Failure> {
        let asked = self.markers.asked();
        let keep = Some(self.options.longest);
        let answer = authority.set_with(entries, &self.namespace, tags, keep);
        let answer = self.last().counted(answer.await);
        let reading = answer.inspect_err(|_| self.markers.unread())?;
        self.markers.feed(asked, tags, &reading);
        Ok((reading.shards, reading.markers))
    }
}
