//! Looking for an entry, from the nearest tier on, and judging what is found.

use std::sync::Arc;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::codec::{Meta, Opened};
use everwarm_core::judge::{Freshness, Judgement, Validity, judge};
use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Bytes, Found};
use everwarm_core::using::Read;

use super::Stack;
use super::found::Stored;
use super::level;
use super::place::{Digests, Place};
use super::seat::Rights;
use super::settle::Sealed;

/// An entry as it was found: opened, but not judged.
pub(super) struct Entry {
    pub(super) opened: Opened,
    sealed: Bytes,
    age: Duration,
    /// What is left of its life in the tier that had it.
    left: Option<Duration>,
    tier: usize,
    version: Option<u64>,
}

/// A judged entry, with what it takes to fill nearer tiers.
pub(super) struct Accepted {
    pub(super) stored: Stored,
    sealed: Bytes,
    left: Option<Duration>,
    labels: Digests,
}

impl Accepted {
    /// The envelope, for nearer tiers.
    pub(super) fn sealed(&self) -> Sealed {
        Sealed {
            bytes: self.sealed.clone(),
            age: self.stored.age,
            left: self.left,
            stamps: self.stored.opened.meta.stamps.as_slice().into(),
            tags: self.labels.all().into(),
        }
    }

    fn new(entry: Entry, remaining: Option<Duration>, labels: Digests) -> Self {
        Self {
            sealed: entry.sealed.clone(),
            left: entry.left,
            labels,
            stored: entry.stored(remaining),
        }
    }
}

impl Entry {
    pub(super) fn stored(self, remaining: Option<Duration>) -> Stored {
        Stored {
            remaining,
            age: self.age,
            tier: self.tier,
            version: self.version,
            older: None,
            opened: self.opened,
        }
    }
}

/// The markers of some tags, as the authority read them together with an entry or after it.
#[derive(Clone, Copy)]
pub(super) struct AtHand<'a> {
    pub(super) tags: &'a [Tag],
    pub(super) markers: &'a [Option<Mark>],
}

impl AtHand<'_> {
    /// The marker of a tag, which may be that there is none; `None` if it is not at hand.
    #[expect(clippy::option_option, reason = "whether it is known, and what it is")]
    fn of(&self, tag: Tag) -> Option<Option<Mark>> {
        let at = self.tags.iter().position(|other| *other == tag)?;
        self.markers.get(at).copied()
    }
}

/// How a look is done.
#[derive(Clone, Copy)]
pub(super) struct Look {
    pub(super) read: Read,
    /// Whether it is counted, as a hit or as misses.
    pub(super) counts: bool,
}

impl Stack {
    /// The entry of the nearest tier that has a valid one. Nearer tiers are filled with it as far as `rights` can have their leases.
    pub(super) async fn look(
        self: &Arc<Self>,
        place: &Place,
        labels: &Digests,
        look: Look,
        mut rights: Option<&mut Rights>,
    ) -> Option<Stored> {
        if self.owed.is_about(&place.name, labels.all()) || look.read == Read::Nothing {
            return None;
        }
        if let Some(accepted) = self.look_at_queued(place, labels, look).await {
            return Some(accepted.stored);
        }
        let last = self.tiers.len() - 1;
        for tier in 0..=last {
            let accepted = if tier == last {
                self.look_at_last(place, labels, look).await
            } else {
                self.look_at_near(tier, place, labels, look).await
            };
            if let Some(accepted) = accepted {
                if let Some(rights) = rights
                    && tier > 0
                {
                    self.fill_nearer(&place.name, tier, &accepted.sealed(), rights)
                        .await;
                }
                return Some(accepted.stored);
            }
            if let Some(rights) = rights.as_mut()
                && tier < last
            {
                // Before anything farther is read: a deletion from here on keeps what is read there out.
                rights.ask(tier).await;
            }
        }
        self.look_at_older(place, labels, look).await
    }

    /// What waits to be written to the last tier. What waits for a nearer one is there already, or waits for the last one, too.
    pub(super) async fn look_at_queued(
        &self,
        place: &Place,
        labels: &Digests,
        look: Look,
    ) -> Option<Accepted> {
        let tier = self.tiers.len() - 1;
        let queued = self.queue.find(tier, &place.name)?;
        let sealed = &queued.sealed;
        let waited = self.now().since(queued.since);
        let opened = self.open(place, tier, &sealed.bytes)?;
        let entry = Entry {
            opened,
            sealed: sealed.bytes.clone(),
            age: sealed.age.saturating_add(waited),
            left: sealed.left.map(|left| left.saturating_sub(waited)),
            tier,
            version: None,
        };
        let accepted = self.accept(entry, place, labels, None, look).await?;
        self.count_look(tier, look, true);
        Some(accepted)
    }

    async fn look_at_near(
        &self,
        tier: usize,
        place: &Place,
        labels: &Digests,
        look: Look,
    ) -> Option<Accepted> {
        let level = &self.tiers[tier];
        let found = level.said(level.tier.store.get(&place.name).await)?;
        let entry = found.and_then(|found| self.enter_near(tier, place, &found));
        let accepted = match entry {
            Some(entry) => self.accept(entry, place, labels, None, look).await,
            None => None,
        };
        self.count_look(tier, look, accepted.is_some());
        accepted
    }

    /// What a tier had, opened.
    pub(super) fn enter(&self, tier: usize, place: &Place, found: &Found) -> Option<Entry> {
        if tier + 1 < self.tiers.len() {
            self.enter_near(tier, place, found)
        } else {
            self.enter_last(place, found)
        }
    }

    /// What a nearer tier had, opened.
    fn enter_near(&self, tier: usize, place: &Place, found: &Found) -> Option<Entry> {
        let filled = level::filled(&found.bytes, found.remaining)?;
        Some(Entry {
            opened: self.open(place, tier, &filled.sealed)?,
            sealed: filled.sealed,
            age: filled.age,
            left: found.remaining,
            tier,
            version: None,
        })
    }

    /// The entry of the last tier, if it has a valid one.
    pub(super) async fn look_at_last(
        &self,
        place: &Place,
        labels: &Digests,
        look: Look,
    ) -> Option<Accepted> {
        let (found, reading) = self.read_last(&place.name, labels).await?;
        let entry = found.and_then(|found| self.enter_last(place, &found));
        let at_hand = reading.as_ref().map(|reading| AtHand {
            tags: labels.all(),
            markers: &reading.markers,
        });
        let accepted = match entry {
            Some(entry) => self.accept(entry, place, labels, at_hand, look).await,
            None => None,
        };
        self.count_look(self.tiers.len() - 1, look, accepted.is_some());
        accepted
    }

    async fn look_at_older(&self, place: &Place, labels: &Digests, look: Look) -> Option<Stored> {
        for (number, older) in place.older.iter().enumerate() {
            let before = place.before(older);
            if let Some(accepted) = self.look_at_last(&before, labels, look).await {
                return Some(Stored {
                    older: Some(number),
                    ..accepted.stored
                });
            }
        }
        None
    }

    /// What the last tier has under a name, and the markers at that moment if it is an authority.
    pub(super) async fn read_last(
        &self,
        name: &str,
        labels: &Digests,
    ) -> Option<(Option<Found>, Option<Reading>)> {
        let level = self.last();
        let Some(authority) = self.authority() else {
            let found = level.said(level.tier.store.get(name).await)?;
            return Some((found, None));
        };
        let asked = self.markers.asked();
        let answer = authority
            .get_with(name, &self.namespace, labels.all())
            .await;
        let (found, reading) = level.said(answer)?;
        self.markers.feed(asked, labels.all(), &reading);
        Some((found, Some(reading)))
    }

    /// What the last tier had, opened.
    pub(super) fn enter_last(&self, place: &Place, found: &Found) -> Option<Entry> {
        let tier = self.tiers.len() - 1;
        let opened = self.open(place, tier, &found.bytes)?;
        let conditional = self.last().tier.store.conditional().is_some();
        Some(Entry {
            age: self.last().age(&opened.meta.spans, found.remaining),
            opened,
            sealed: found.bytes.clone(),
            left: found.remaining,
            tier,
            version: conditional.then_some(found.version),
        })
    }

    fn open(&self, place: &Place, tier: usize, sealed: &Bytes) -> Option<Opened> {
        let opened = self.codec.open(&place.binding(&self.namespace), sealed);
        opened
            .inspect_err(|refusal| self.count_refused(tier, *refusal))
            .ok()
    }

    /// The entry, if it is fresh, old enough for no reader's taste, and neither invalid nor owed to be.
    pub(super) async fn accept(
        &self,
        entry: Entry,
        place: &Place,
        labels: &Digests,
        at_hand: Option<AtHand<'_>>,
        look: Look,
    ) -> Option<Accepted> {
        let mut labels = labels.clone();
        self.add_tags(&mut labels, &entry.opened.meta.tags);
        let (remaining, further) = self.weigh(&entry, place, &labels, at_hand, look)?;
        if !further.is_empty() {
            let reading = self.read_markers(&further).await?;
            if !covers(&entry, &further, reading) {
                return None;
            }
        }
        Some(Accepted::new(entry, remaining, labels))
    }

    /// How long an entry is still fresh, and of which of its tags the markers have to be asked for; nothing if it is not to be taken.
    /// The labels have its tags.
    pub(super) fn weigh(
        &self,
        entry: &Entry,
        place: &Place,
        labels: &Digests,
        at_hand: Option<AtHand<'_>>,
        look: Look,
    ) -> Option<(Option<Duration>, Vec<Tag>)> {
        let meta = &entry.opened.meta;
        let remaining = fresh_for(meta, entry, look.read)?;
        if self.owed.is_about(&place.name, labels.all()) {
            return None;
        }
        let mut further = Vec::new();
        if self.authority().is_none() {
            return Some((remaining, further));
        }
        for tag in labels.all() {
            match at_hand.as_ref().and_then(|at_hand| at_hand.of(*tag)) {
                Some(marker) if valid(&meta.stamps, [marker]) => {}
                Some(_) => return None,
                None => further.push(*tag),
            }
        }
        if !further.is_empty()
            && let Some(markers) = self.markers.of(&further, self.now())
        {
            let valid = valid(&meta.stamps, markers.into_iter().map(Some));
            return valid.then(|| (remaining, Vec::new()));
        }
        Some((remaining, further))
    }

    /// The markers as the authority has them now.
    pub(super) async fn read_markers(&self, tags: &[Tag]) -> Option<Reading> {
        let authority = self.authority()?;
        let asked = self.markers.asked();
        let reading = self
            .last()
            .said(authority.read(&self.namespace, tags).await)?;
        self.markers.feed(asked, tags, &reading);
        Some(reading)
    }

    /// Fills the tiers nearer than the one that answered.
    async fn fill_nearer(
        self: &Arc<Self>,
        name: &Arc<str>,
        from: usize,
        sealed: &Sealed,
        rights: &mut Rights,
    ) {
        for tier in (0..from).rev() {
            self.write_near(tier, name, sealed, rights).await;
        }
    }

    pub(super) fn count_look(&self, tier: usize, look: Look, hit: bool) {
        let tally = &self.tiers[tier].tally;
        match (look.counts, hit) {
            (false, _) => {}
            (true, true) => tally.hits.bump(),
            (true, false) => tally.misses.bump(),
        }
    }
}

/// Whether the stamps of an entry cover what was read of all these tags.
pub(super) fn covers(entry: &Entry, tags: &[Tag], reading: Reading) -> bool {
    reading.markers.len() == tags.len() && valid(&entry.opened.meta.stamps, reading.markers)
}

/// How long the entry is still fresh, `None` for ever; nothing if it is not to be taken.
#[expect(clippy::option_option, reason = "whether, and how long")]
fn fresh_for(meta: &Meta, entry: &Entry, read: Read) -> Option<Option<Duration>> {
    let now = Instant::ZERO.after(entry.age);
    if Instant::ZERO < read.since(now) {
        return None;
    }
    let lifetime = meta.spans.lifetime(Instant::ZERO);
    match judge(&lifetime, now, Validity::Valid) {
        Judgement::Serve(Freshness::Fresh) | Judgement::ServeAndRefresh(Freshness::Fresh) => {
            let fresh = meta.spans.fresh;
            Some(fresh.map(|fresh| fresh.saturating_sub(entry.age)))
        }
        _ => None,
    }
}
