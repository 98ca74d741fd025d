//! Reads that compute nothing: one, many, and the names.

use std::sync::Arc;

use everwarm_core::mark::{Mark, Reading, Tag};
use everwarm_core::store::{Failure, FailureKind, Found, Page};
use everwarm_core::using::Read;

use super::Stack;
use super::found::{Stored, Taken, Value};
use super::glance::Glance;
use super::look::{AtHand, Entry, Held, Look};
use super::place::{Digests, Labels, Place};
use super::plain::{Against, Plainly};
use super::seat::Rights;

/// Tags and their markers.
type Marked = (Vec<Tag>, Vec<Option<Mark>>);

impl Stack {
    pub(super) async fn get_one(
        self: Arc<Self>,
        place: Place,
        tags: Arc<[Arc<str>]>,
        (read, takes_old): (Read, bool),
    ) -> Option<Stored> {
        let labels = self.labels(&place, &tags);
        let look = Look {
            read,
            counts: true,
            takes_old,
        };
        match self.glance_at(&place, &labels, look) {
            Glance::Found(stored) => return Some(self.read(&place, stored).await),
            Glance::Nothing if place.older.is_empty() => return None,
            Glance::Nothing => return self.look_at_older(&place, &labels, look).await,
            Glance::Unclear => {}
        }
        let found = match self.is_alone(look) {
            true => self.look_at_only(&place, &labels, look).await,
            false => Box::pin(self.get_further(&place, &labels, look)).await,
        };
        match found {
            Some(found) if found.is_to_slide() => Some(Box::pin(self.read(&place, found)).await),
            None if !place.older.is_empty() && look.read != Read::Nothing => {
                Box::pin(self.look_at_older(&place, &labels, look)).await
            }
            found => found,
        }
    }

    /// What the nearest of several tiers has, with which those before it are filled.
    async fn get_further(
        self: &Arc<Self>,
        place: &Place,
        labels: &Digests,
        look: Look,
    ) -> Option<Stored> {
        let mut rights = Rights::new(self, &place.name);
        self.look(place, labels, look, Some(&mut rights)).await
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
    pub(super) async fn get_all<T: Taken>(
        self: Arc<Self>,
        places: Arc<[Place]>,
        takes_old: bool,
    ) -> Vec<Option<T>> {
        let look = Look {
            read: Read::Any,
            counts: true,
            takes_old,
        };
        let labels = self.labels_of_all(&places);
        let mut all: Vec<Option<T>> = places.iter().map(|_| None).collect();
        let mut left = Vec::with_capacity(places.len());
        let is_queued = !self.queue.is_empty();
        self.repeat_lost();
        for (at, place) in places.iter().enumerate() {
            let owed = self.owed.is_about(&place.name, labels.of(at).all());
            let queued = match is_queued {
                true => self.look_at_queued(place, labels.of(at), look).await,
                false => None,
            };
            match queued {
                Some(accepted) => all[at] = Some(accepted.stored.into()),
                None if owed => {}
                None => left.push(at),
            }
        }
        for tier in 0..self.tiers.len() {
            let values = T::values(&mut all);
            let found = self.look_at_many(tier, (&places, &labels), &mut left, look, values);
            for (at, Entry { stored, .. }) in found.await {
                all[at] = Some(match stored.is_to_slide() {
                    true => self.read(&places[at], stored).await.into(),
                    false => stored.into(),
                });
            }
        }
        all
    }

    /// What a tier has of those that are left, in one trip and one for the markers; these are left no longer. Where `values` are to
    /// be had alone, those that are plain go there.
    pub(super) async fn look_at_many(
        &self,
        tier: usize,
        (places, labels): (&[Place], &Labels),
        left: &mut Vec<usize>,
        look: Look,
        values: Option<&mut [Option<Value>]>,
    ) -> Vec<(usize, Entry)> {
        let names: Vec<&str> = left.iter().map(|&at| &*places[at].name).collect();
        if names.is_empty() || !self.counts(tier) {
            return Vec::new();
        }
        let repaid = self.owed.repaid();
        let Some((found, (tags, markers))) = self.read_many(tier, &names, (labels, left)).await
        else {
            return Vec::new();
        };
        let at_hand = AtHand {
            tags: &tags,
            markers: &markers,
            repaid: Some(repaid),
        };
        self.repeat_lost();
        let (mut all, mut unsure) = (Vec::new(), Vec::new());
        let mut is_found = vec![false; places.len()];
        let is_conditional = self.is_conditional();
        let mut against = Against::new(at_hand, look);
        let mut values = values.filter(|_| tier + 1 == self.tiers.len());
        for (&at, found) in left.iter().zip(found) {
            let Some(mut found) = found else {
                continue;
            };
            if let Some(values) = &mut values {
                match self.plainly(&mut against, (&places[at], labels.of(at)), &mut found) {
                    Plainly::Value(value) => {
                        values[at] = Some(value);
                        is_found[at] = true;
                        continue;
                    }
                    Plainly::Invalid => continue,
                    Plainly::Unclear => {}
                }
            }
            // Opened and judged in its place among all: it is large.
            all.push((at, Entry::unread(tier, labels.of(at))));
            let Some((_, entry)) = all.last_mut() else {
                continue;
            };
            let held = match self.enter(is_conditional, &places[at], found, entry) {
                true => self.held_against(entry, &places[at], at_hand, look),
                false => Held::Invalid,
            };
            let taken_back = match held {
                Held::Accepted => continue,
                Held::Invalid => {
                    all.pop();
                    continue;
                }
                Held::Unsure(further) => all.pop().zip(Some(further)),
            };
            unsure.extend(taken_back);
        }
        all.extend(self.all_made_sure(unsure, places).await);
        for (at, _) in &all {
            is_found[*at] = true;
        }
        let asked = left.len();
        left.retain(|&at| !is_found[at]);
        self.count_looks(tier, look, (asked - left.len(), left.len()));
        all
    }

    /// What a tier has under these names; and, in the same trip, the markers of the tags that all of them are known to have, where it
    /// is an authority behind a connection.
    async fn read_many(
        &self,
        tier: usize,
        names: &[&str],
        (labels, left): (&Labels, &[usize]),
    ) -> Option<(Vec<Option<Found>>, Marked)> {
        let level = &self.tiers[tier];
        let authority = self
            .authority()
            .filter(|_| tier + 1 == self.tiers.len() && !level.embedded);
        let Some(authority) = authority else {
            let found = level.said(level.tier.store.get_many(names).await)?;
            return Some((found, Marked::default()));
        };
        let tags = labels.union(left);
        let asked = self.markers.asked();
        let answer = authority.get_many_with(names, &self.namespace, &tags).await;
        let (found, reading) = level.said(answer)?;
        self.markers.feed(asked, &tags, &reading);
        Some((found, (tags, reading.markers)))
    }

    /// Those of some entries that are valid, once the markers are known which they wait for: in one trip for all.
    async fn all_made_sure(
        &self,
        unsure: Vec<((usize, Entry), Vec<Tag>)>,
        places: &[Place],
    ) -> Vec<(usize, Entry)> {
        let tags = unsure.iter().flat_map(|(_, further)| further);
        let mut tags: Vec<Tag> = tags.copied().collect();
        tags.sort_unstable();
        tags.dedup();
        if tags.is_empty() {
            return Vec::new();
        }
        let Ok((Reading { markers, .. }, repaid)) = self.read_markers(&tags).await else {
            return Vec::new();
        };
        let marker = |tag: &Tag| markers.get(tags.binary_search(tag).ok()?).copied();
        let mut sure = Vec::with_capacity(unsure.len());
        for ((at, entry), further) in unsure {
            let markers: Option<Vec<_>> = further.iter().map(marker).collect();
            let markers = markers.map(|markers| (markers, repaid));
            if markers.is_some_and(|markers| self.is_sure_by(&entry, &places[at], markers)) {
                sure.push((at, entry));
            }
        }
        sure
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
        answer.inspect_err(|failure| level.failed(failure))
    }
}
