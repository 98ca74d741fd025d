//! Reading many to compute what there is not: their values, or the seats of who computes them.
//!
//! Nobody is waited for: whoever holds some leases and waited for another would in turn be waited for. What another process computes is
//! left to be fetched alone, once what is led here has been settled.

use std::sync::Arc;

use everwarm_core::store::Grant;
use everwarm_core::using::Read;

use super::Stack;
use super::fetch::only_if_error;
use super::found::{Fetched, Stored};
use super::look::{Entry, Look};
use super::place::{Digests, Labels, Place};
use super::seat::{Hold, Rights, Seat};

/// Many on their way: each is found, or there is the right to compute it, or it is to be fetched alone.
struct Many {
    places: Vec<Place>,
    labels: Labels,
    rights: Vec<Option<Rights>>,
    /// What is served if the computation fails.
    old: Vec<Option<Stored>>,
    fetched: Vec<Option<Fetched>>,
}

impl Stack {
    /// One trip to each tier for those that no nearer one has, one for their markers, and one for the stamps of those to compute.
    pub(super) async fn fetch_all(
        self: Arc<Self>,
        wanted: Vec<(Place, Arc<[Arc<str>]>)>,
    ) -> Vec<Option<Fetched>> {
        let labels = wanted
            .iter()
            .map(|(place, tags)| self.labels(place, tags))
            .collect();
        let labels = Labels::Each(labels);
        let mut many = Many {
            rights: wanted.iter().map(|_| None).collect(),
            old: wanted.iter().map(|_| None).collect(),
            fetched: wanted.iter().map(|_| None).collect(),
            places: wanted.into_iter().map(|(place, _)| place).collect(),
            labels,
        };
        let look = Look {
            read: Read::Any,
            counts: true,
            takes_old: true,
        };
        self.repeat_lost();
        let mut left: Vec<usize> = (0..many.places.len())
            .filter(|&at| self.is_plain(&many.places[at], many.labels.of(at)))
            .collect();
        for &at in &left {
            many.rights[at] = Some(Rights::new(&self, &many.places[at].name));
        }
        let last = self.tiers.len() - 1;
        for tier in 0..=last {
            self.take_found(&mut many, tier, &mut left, look).await;
            if tier == last {
                break;
            }
            // Before anything farther is read: a deletion from here on keeps what is read there out.
            self.lease_all(&mut many.rights, tier, &left).await;
        }
        let old = (0..many.places.len()).filter(|&at| many.old[at].is_some());
        left.extend(old);
        self.sit_for_all(&mut many, left).await;
        if self.beside.is_some() {
            Box::pin(self.bring_many(&mut many.fetched)).await;
        }
        for (fetched, place) in many.fetched.iter_mut().zip(&many.places) {
            if let Some(Fetched::Found(stored)) = fetched.take_if(|it| it.is_to_slide()) {
                *fetched = Some(self.fetched(place, stored).await);
            }
        }
        many.fetched
    }

    /// Whether an entry lies where one trip shows it, and nothing is owed of it.
    fn is_plain(&self, place: &Place, labels: &Digests) -> bool {
        place.older.is_empty()
            && !self.owed.is_about(&place.name, labels.all())
            && self.queue.find(self.tiers.len() - 1, &place.name).is_none()
    }

    /// Takes what a tier has, and fills nearer ones with it.
    async fn take_found(
        self: &Arc<Self>,
        many: &mut Many,
        tier: usize,
        left: &mut Vec<usize>,
        look: Look,
    ) {
        let found: Vec<(usize, Entry)> = self
            .look_at_many(tier, (&many.places, &many.labels), left, look, None)
            .await;
        for (at, accepted) in found {
            if let Some(rights) = &mut many.rights[at] {
                for near in (0..tier).rev() {
                    let name = &many.places[at].name;
                    self.write_near(near, name, &accepted.sealed(), rights)
                        .await;
                }
            }
            match only_if_error(accepted.stored) {
                Ok(stored) => many.fetched[at] = Some(Fetched::Found(stored)),
                Err(stored) => many.old[at] = Some(stored),
            }
        }
    }

    /// Takes the leases of the last tier, looks again at what others may have stored before, and sits for the rest.
    async fn sit_for_all(self: &Arc<Self>, many: &mut Many, left: Vec<usize>) {
        let last = self.tiers.len() - 1;
        let leases = self.last().tier.store.leases().is_some();
        let mut sitting = left;
        if leases {
            let grants = self.lease_all(&mut many.rights, last, &sitting).await;
            let asked = std::mem::take(&mut sitting).into_iter();
            for (at, grant) in asked.zip(grants) {
                match grant {
                    Some(Grant::Granted) => sitting.push(at),
                    // Computed by another process, or the store does not answer.
                    _ => many.rights[at] = None,
                }
            }
        }
        if leases {
            let again = Look {
                read: Read::Any,
                counts: false,
                takes_old: false,
            };
            self.take_found(many, last, &mut sitting, again).await;
        }
        if sitting.is_empty() {
            return;
        }
        let since = self.known.heard();
        let labels: Vec<Digests> = sitting
            .iter()
            .map(|&at| many.labels.of(at).clone())
            .collect();
        let mut has_room = Vec::with_capacity(sitting.len());
        for (&at, labels) in sitting.iter().zip(&labels) {
            let rights = many.rights[at].as_mut();
            has_room.push(rights.is_some_and(|rights| rights.enter(Some(labels))));
        }
        let stamps = self.stamps(&Digests::union(&labels)).await;
        let held = if leases { Hold::Leased } else { Hold::Free };
        for ((at, labels), has_room) in sitting.into_iter().zip(labels).zip(has_room) {
            let Some(mut rights) = many.rights[at].take() else {
                continue;
            };
            // Without stamps, or room to have leases renewed, nothing is stored.
            let (stamps, hold) = match &stamps {
                Ok(stamps) if has_room => {
                    rights.begin(stamps);
                    (stamps.clone(), held)
                }
                _ => {
                    self.markers.unread();
                    rights.give_all_back();
                    (Vec::new(), Hold::Apart)
                }
            };
            let seat = Seat {
                place: many.places[at].clone(),
                labels,
                stamps,
                since,
                hold,
                rights,
                old: many.old[at].take().map(Box::new),
            };
            many.fetched[at] = Some(Fetched::Lead(seat));
        }
    }

    /// Asks a tier for the leases of those that are left, in one trip; what it said of each, if it answered and has leases.
    async fn lease_all(
        &self,
        rights: &mut [Option<Rights>],
        tier: usize,
        left: &[usize],
    ) -> Vec<Option<Grant>> {
        let level = &self.tiers[tier];
        let Some(leases) = level.tier.store.leases() else {
            return vec![None; left.len()];
        };
        let wish = |&at: &usize| {
            let rights = rights[at].as_mut()?;
            let token = rights.wish(tier);
            Some((Arc::clone(rights.name()), token))
        };
        let wishes: Vec<_> = left.iter().map(wish).collect();
        let asked = wishes.iter().flatten();
        let asked: Vec<(&str, u64)> = asked.map(|(name, token)| (&**name, *token)).collect();
        if asked.is_empty() {
            return vec![None; left.len()];
        }
        let answer = leases.lease_many(&asked, self.options.lease_ttl).await;
        let answer = level.counted(answer);
        let mut said = answer.as_deref().unwrap_or_default().iter().copied();
        let mut grants = Vec::with_capacity(left.len());
        for (&at, wish) in left.iter().zip(&wishes) {
            let grant = wish.as_ref().and_then(|_| said.next());
            grants.push(grant);
            let (Some(rights), Some(_)) = (&mut rights[at], wish) else {
                continue;
            };
            match (grant, &answer) {
                (Some(grant), _) => rights.granted(tier, grant),
                (None, Err(failure)) => rights.failed(tier, failure),
                (None, Ok(_)) => {}
            }
            if grant.is_none() {
                rights.give_back(tier);
            }
        }
        grants
    }
}
