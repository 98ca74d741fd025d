//! Reads that compute nothing: one, many, and the names.

use std::sync::Arc;

use everwarm_core::mark::{Mark, Tag};
use everwarm_core::store::{Failure, FailureKind, Page};
use everwarm_core::using::Read;

use super::Stack;
use super::found::Stored;
use super::glance::Glance;
use super::look::{Accepted, AtHand, Entry, Look};
use super::place::{Digests, Place};
use super::seat::Rights;

impl Stack {
    pub(super) async fn get_one(
        self: Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        read: Read,
    ) -> Option<Stored> {
        let labels = self.labels(&place, &tags);
        let look = Look {
            read,
            counts: true,
            takes_old: false,
        };
        match self.glance_at(&place, &labels, look) {
            Glance::Found(stored) => return Some(self.read(&place, stored).await),
            Glance::Nothing if place.older.is_empty() => return None,
            Glance::Nothing => return self.look_at_older(&place, &labels, look).await,
            Glance::Unclear => {}
        }
        let mut rights = Rights::new(&self, &place.name);
        let found = Box::pin(self.look_further(&place, &labels, look, Some(&mut rights))).await?;
        Some(self.read(&place, found).await)
    }

    pub(super) async fn peek_one(
        self: Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
    ) -> Option<Stored> {
        let labels = self.labels(&place, &tags);
        let look = Look {
            read: Read::Any,
            counts: false,
            takes_old: false,
        };
        Box::pin(self.look_further(&place, &labels, look, None)).await
    }

    /// One trip to each tier for those that no nearer one has, and one for the markers.
    pub(super) async fn get_all(self: Arc<Self>, places: Vec<Place>) -> Vec<Option<Stored>> {
        let look = Look {
            read: Read::Any,
            counts: true,
            takes_old: false,
        };
        let labels: Vec<Digests> = places.iter().map(|place| self.labels(place, &[])).collect();
        let mut all: Vec<Option<Stored>> = places.iter().map(|_| None).collect();
        let mut left = Vec::with_capacity(places.len());
        for (at, place) in places.iter().enumerate() {
            let owed = self.owed.is_about(&place.name, labels[at].all());
            let queued = self.look_at_queued(place, &labels[at], look).await;
            match queued {
                Some(accepted) => all[at] = Some(accepted.stored),
                None if owed => {}
                None => left.push(at),
            }
        }
        for tier in 0..self.tiers.len() {
            let found = self.look_at_many(tier, (&places, &labels), &mut left, look);
            for (at, accepted) in found.await {
                all[at] = Some(self.read(&places[at], accepted.stored).await);
            }
        }
        all
    }

    /// What a tier has of those that are left, in one trip and one for the markers; these are left no longer.
    pub(super) async fn look_at_many(
        &self,
        tier: usize,
        (places, labels): (&[Place], &[Digests]),
        left: &mut Vec<usize>,
        look: Look,
    ) -> Vec<(usize, Accepted)> {
        let level = &self.tiers[tier];
        let names: Vec<&str> = left.iter().map(|&at| &*places[at].name).collect();
        if names.is_empty() || !self.counts(tier) {
            return Vec::new();
        }
        let Some(found) = level.said(level.tier.store.get_many(&names).await) else {
            return Vec::new();
        };
        let mut entries = Vec::with_capacity(left.len());
        for (&at, found) in left.iter().zip(found) {
            let entry = found.and_then(|found| self.enter(tier, &places[at], &found));
            entries.push((at, entry));
        }
        let known = self.markers_of(&entries, labels).await;
        left.clear();
        let mut all = Vec::new();
        for ((at, entry), (tags, markers)) in entries.into_iter().zip(&known) {
            let at_hand = Some(AtHand { tags, markers });
            let accepted = match entry {
                Some(entry) => {
                    self.accept(entry, &places[at], &labels[at], at_hand, look)
                        .await
                }
                None => None,
            };
            self.count_look(tier, look, accepted.is_some());
            match accepted {
                Some(accepted) => all.push((at, accepted)),
                None => left.push(at),
            }
        }
        all
    }

    /// For each entry its tags and their markers, in one trip; none where they are known, or the authority does not answer.
    async fn markers_of(
        &self,
        entries: &[(usize, Option<Entry>)],
        labels: &[Digests],
    ) -> Vec<(Vec<Tag>, Vec<Option<Mark>>)> {
        let carried: Vec<Vec<Tag>> = entries
            .iter()
            .map(|(at, entry)| {
                let Some(entry) = entry else {
                    return Vec::new();
                };
                let mut labels = labels[*at].clone();
                self.add_tags(&mut labels, &entry.opened.meta.tags);
                labels.into_tags()
            })
            .collect();
        let mut tags: Vec<Tag> = carried.iter().flatten().copied().collect();
        tags.sort_unstable();
        tags.dedup();
        let mut read = Vec::new();
        if !tags.is_empty() && self.markers.of(&tags, self.now()).is_none() {
            read = self
                .read_markers(&tags)
                .await
                .map_or_else(Vec::new, |reading| reading.markers);
        }
        let marker = |tag: &Tag| read.get(tags.binary_search(tag).ok()?).copied();
        carried
            .into_iter()
            .map(|carried| {
                let markers: Option<Vec<_>> = carried.iter().map(marker).collect();
                markers.map_or_else(Default::default, |markers| (carried, markers))
            })
            .collect()
    }

    pub(super) async fn page(
        self: Arc<Self>,
        prefix: String,
        after: Option<String>,
        limit: usize,
    ) -> Result<Page, Failure> {
        let level = self.last();
        let Some(scan) = level.tier.store.scan() else {
            return Err(Failure::new(
                FailureKind::Capability,
                "the store cannot list its names",
                "use a store that can",
            ));
        };
        let prefix = format!("{}{prefix}", self.prefix);
        let answer = scan.page(&prefix, after.as_deref(), limit).await;
        answer.inspect_err(|failure| level.tally.error(failure.kind))
    }
}
