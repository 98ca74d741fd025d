//! Looking for an entry, from the nearest tier on, and judging what is found.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::codec::{Meta, Opened, Refusal};
use everwarm_core::judge::{Freshness, Judgement, Validity, judge};
use everwarm_core::mark::{Mark, Reading, Tag, valid};
use everwarm_core::store::{Bytes, Failure, Found};
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

/// An entry that was held against the markers at hand.
pub(super) enum Held {
    /// It is valid.
    Accepted(Accepted),
    /// It may be: further markers have to be asked for.
    Unsure(Unsure),
    /// It is not to be taken.
    Invalid,
}

/// An entry that is worth something if it is valid.
pub(super) struct Unsure {
    entry: Entry,
    worth: Worth,
    labels: Digests,
    /// The tags whose markers are not at hand.
    pub(super) further: Vec<Tag>,
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

    fn new(mut entry: Entry, worth: Worth, labels: Digests) -> Self {
        Self {
            sealed: std::mem::take(&mut entry.sealed),
            left: entry.left,
            labels,
            stored: entry.stored(worth),
        }
    }
}

/// How long an entry is still fresh, `None` for ever; and what it is worth.
pub(super) type Worth = (Option<Duration>, Judgement);

impl Entry {
    pub(super) fn stored(self, (remaining, judgement): Worth) -> Stored {
        Stored {
            remaining,
            judgement,
            age: self.age,
            tier: self.tier,
            version: self.version,
            older: None,
            opened: self.opened,
        }
    }
}

/// The markers of some tags, as the authority read them together with an entry or after it; by default of none.
#[derive(Clone, Copy, Default)]
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
    /// Whether it takes entries that are past their ttl, in one of their windows.
    pub(super) takes_old: bool,
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
        if self.owes(&place.name, labels.all()) || look.read == Read::Nothing {
            return None;
        }
        if let Some(accepted) = self.look_at_queued(place, labels, look).await {
            return Some(accepted.stored);
        }
        let last = self.tiers.len() - 1;
        let mut old = None;
        for tier in 0..=last {
            let accepted = if tier == last {
                self.look_at_last(place, labels, look).await
            } else {
                self.look_at_near(tier, place, labels, look).await
            };
            // Farther on there may be what somebody has computed anew.
            if let Some(accepted) = accepted
                .as_ref()
                .filter(|accepted| !accepted.stored.is_quiet())
            {
                old.get_or_insert_with(|| accepted.stored.clone());
            } else if let Some(accepted) = accepted {
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
        old
    }

    /// The same, under an older name if need be.
    pub(super) async fn look_further(
        self: &Arc<Self>,
        place: &Place,
        labels: &Digests,
        look: Look,
        rights: Option<&mut Rights>,
    ) -> Option<Stored> {
        let found = self.look(place, labels, look, rights).await;
        match found {
            None if look.read != Read::Nothing => self.look_at_older(place, labels, look).await,
            found => found,
        }
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
        if !self.counts(tier) {
            return None;
        }
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

    /// Whether what a tier has counts: a nearer one may not know what was deleted while nothing was heard.
    pub(super) fn counts(&self, tier: usize) -> bool {
        tier + 1 == self.tiers.len() || self.nearer_count.load(Ordering::Acquire)
    }

    /// What a tier had, opened. Whether the last one is conditional is asked once for many.
    pub(super) fn enter(
        &self,
        (tier, is_conditional): (usize, bool),
        place: &Place,
        found: Found,
    ) -> Option<Entry> {
        if tier + 1 < self.tiers.len() {
            self.enter_near(tier, place, &found)
        } else {
            self.enter_last_as(is_conditional, place, found)
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
        let (found, reading) = self.read_last(&place.name, labels).await.ok()?;
        let entry = found.and_then(|found| self.enter_last(place, found));
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

    /// The entry of the nearest older name that has a valid one in the last tier.
    pub(super) async fn look_at_older(
        &self,
        place: &Place,
        labels: &Digests,
        look: Look,
    ) -> Option<Stored> {
        let look = Look {
            counts: false,
            ..look
        };
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
    ///
    /// # Errors
    /// The store's; they are counted.
    pub(super) async fn read_last(
        &self,
        name: &str,
        labels: &Digests,
    ) -> Result<(Option<Found>, Option<Reading>), Failure> {
        let level = self.last();
        let Some(authority) = self.authority() else {
            let found = level.counted(level.tier.store.get(name).await)?;
            return Ok((found, None));
        };
        let asked = self.markers.asked();
        let answer = authority
            .get_with(name, &self.namespace, labels.all())
            .await;
        let (found, reading) = level.counted(answer)?;
        self.markers.feed(asked, labels.all(), &reading);
        Ok((found, Some(reading)))
    }

    /// What the last tier had, opened.
    pub(super) fn enter_last(&self, place: &Place, found: Found) -> Option<Entry> {
        self.enter_last_as(self.is_conditional(), place, found)
    }

    /// Whether the last tier writes on conditions.
    pub(super) fn is_conditional(&self) -> bool {
        self.last().tier.store.conditional().is_some()
    }

    fn enter_last_as(&self, is_conditional: bool, place: &Place, found: Found) -> Option<Entry> {
        let tier = self.tiers.len() - 1;
        let binding = place.binding(&self.namespace);
        let opened = match self.last().tier.store.proves(&found) {
            true => self.codec.open_whole(&binding, &found.bytes),
            false => self.codec.open(&binding, &found.bytes),
        };
        let opened = self.opened(tier, opened)?;
        Some(Entry {
            age: self.last().age(&opened.meta.spans, found.remaining),
            opened,
            sealed: found.bytes,
            left: found.remaining,
            tier,
            version: is_conditional.then_some(found.version),
        })
    }

    fn open(&self, place: &Place, tier: usize, sealed: &Bytes) -> Option<Opened> {
        self.opened(
            tier,
            self.codec.open(&place.binding(&self.namespace), sealed),
        )
    }

    fn opened(&self, tier: usize, opened: Result<Opened, Refusal>) -> Option<Opened> {
        opened
            .inspect_err(|refusal| self.count_refused(tier, *refusal))
            .ok()
    }

    /// The entry, if it is fresh or in a window that is asked for, too old for no reader's taste, and neither invalid nor owed to be.
    pub(super) async fn accept(
        &self,
        entry: Entry,
        place: &Place,
        labels: &Digests,
        at_hand: Option<AtHand<'_>>,
        look: Look,
    ) -> Option<Accepted> {
        let accepted = self.accept_exactly(entry, place, labels, at_hand, look);
        accepted.await.ok()?
    }

    /// As [`accept`](Self::accept), for who has to tell nothing from what could not be found out.
    ///
    /// # Errors
    /// If markers could not be asked for.
    pub(super) async fn accept_exactly(
        &self,
        entry: Entry,
        place: &Place,
        labels: &Digests,
        at_hand: Option<AtHand<'_>>,
        look: Look,
    ) -> Result<Option<Accepted>, Failure> {
        let at_hand = at_hand.unwrap_or_default();
        self.repeat_lost();
        match self.held_against(entry, place, labels, (at_hand, look)) {
            Held::Accepted(accepted) => Ok(Some(accepted)),
            Held::Invalid => Ok(None),
            Held::Unsure(unsure) => self.ask_further(unsure, place).await,
        }
    }

    /// The entry, if the markers that were not at hand say that it is valid.
    ///
    /// # Errors
    /// If they could not be asked for.
    pub(super) async fn ask_further(
        &self,
        unsure: Unsure,
        place: &Place,
    ) -> Result<Option<Accepted>, Failure> {
        let Reading { markers, .. } = self.read_markers(&unsure.further).await?;
        self.repeat_lost();
        Ok(self.made_sure(unsure, place, |at, _| markers.get(at).copied()))
    }

    /// As [`accept`](Self::accept), without asking for what is not at hand. Since the store has answered, what a failover lost has to be
    /// [owed again](Self::repeat_lost).
    pub(super) fn held_against(
        &self,
        entry: Entry,
        place: &Place,
        labels: &Digests,
        (at_hand, look): (AtHand<'_>, Look),
    ) -> Held {
        let mut labels = labels.clone();
        self.add_tags(&mut labels, &entry.opened.meta.tags);
        match self.weigh(&entry, place, &labels, Some(at_hand), look) {
            None => Held::Invalid,
            Some((worth, further)) if further.is_empty() => {
                Held::Accepted(Accepted::new(entry, worth, labels))
            }
            Some((worth, further)) => Held::Unsure(Unsure {
                entry,
                worth,
                labels,
                further,
            }),
        }
    }

    /// The entry, if its stamps cover the markers that were read of its further tags, by place and tag, and nothing is owed of it by now,
    /// which takes the same.
    pub(super) fn made_sure(
        &self,
        unsure: Unsure,
        place: &Place,
        marker: impl Fn(usize, &Tag) -> Option<Option<Mark>>,
    ) -> Option<Accepted> {
        let further = unsure.further.iter().enumerate();
        let markers: Option<Vec<_>> = further.map(|(at, tag)| marker(at, tag)).collect();
        let is_valid = valid(&unsure.entry.opened.meta.stamps, markers?)
            && !self.owed.is_about(&place.name, unsure.labels.all());
        is_valid.then(|| Accepted::new(unsure.entry, unsure.worth, unsure.labels))
    }

    /// What an entry is worth, and of which of its tags the markers have to be asked for; nothing if it is not to be taken.
    /// The labels have its tags.
    pub(super) fn weigh(
        &self,
        entry: &Entry,
        place: &Place,
        labels: &Digests,
        at_hand: Option<AtHand<'_>>,
        look: Look,
    ) -> Option<(Worth, Vec<Tag>)> {
        let meta = &entry.opened.meta;
        let worth = worth(meta, entry, look)?;
        if self.owed.is_about(&place.name, labels.all()) {
            return None;
        }
        let mut further = Vec::new();
        for tag in labels.all() {
            match at_hand.as_ref().and_then(|at_hand| at_hand.of(*tag)) {
                Some(marker) if valid(&meta.stamps, [marker]) => {}
                Some(_) => return None,
                None => further.push(*tag),
            }
        }
        if !further.is_empty() && self.authority().is_none() {
            return Some((worth, Vec::new()));
        }
        if !further.is_empty()
            && let Some(markers) = self.markers.of(&further, self.now())
        {
            let valid = valid(&meta.stamps, markers.into_iter().map(Some));
            return valid.then(|| (worth, Vec::new()));
        }
        Some((worth, further))
    }

    /// The markers as the authority has them now; of a store that is none, nothing.
    ///
    /// # Errors
    /// The store's; they are counted.
    pub(super) async fn read_markers(&self, tags: &[Tag]) -> Result<Reading, Failure> {
        let Some(authority) = self.authority() else {
            return Ok(Reading::default());
        };
        let asked = self.markers.asked();
        let answer = authority.read(&self.namespace, tags).await;
        let reading = self.last().counted(answer)?;
        self.markers.feed(asked, tags, &reading);
        Ok(reading)
    }

    /// Whether what was found is valid by the markers of this moment. Those at hand may be as old as messages take, which is well for
    /// whoever reads; what is stored once more, with stamps of a later moment, would be valid for ever.
    pub(super) async fn is_sure(&self, place: &Place, stored: &Stored) -> bool {
        let mut found = [Some(stored.clone())];
        self.keep_sure(std::slice::from_ref(place), &mut found)
            .await;
        found[0].is_some()
    }

    /// Of what was found keeps what [is sure](Self::is_sure), in one trip.
    pub(super) async fn keep_sure(&self, places: &[Place], found: &mut [Option<Stored>]) {
        if self.authority().is_none() || found.iter().all(Option::is_none) {
            return;
        }
        let labels = places.iter().zip(found.iter());
        let labels = labels.map(|(place, stored)| {
            let tags = stored.as_ref().map(|stored| &stored.opened.meta.tags[..]);
            self.labels(place, tags.unwrap_or_default())
        });
        let labels: Vec<Digests> = labels.collect();
        let all = Digests::union(&labels);
        let reading = self.read_markers(&all).await.ok();
        let marker = |tag: &Tag| {
            let reading = reading.as_ref()?;
            let at = all.binary_search(tag).ok()?;
            reading.markers.get(at).copied()
        };
        for ((place, labels), found) in places.iter().zip(&labels).zip(found) {
            let markers: Option<Vec<_>> = labels.all().iter().map(marker).collect();
            found.take_if(|stored| {
                let stamps = &stored.opened.meta.stamps;
                let is_valid = markers.is_some_and(|markers| valid(stamps, markers));
                !is_valid || self.owed.is_about(&place.name, labels.all())
            });
        }
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

/// What the entry is worth; nothing if it is not to be taken.
fn worth(meta: &Meta, entry: &Entry, look: Look) -> Option<Worth> {
    let now = Instant::ZERO.after(entry.age);
    if Instant::ZERO < look.read.since(now) {
        return None;
    }
    let lifetime = meta.spans.lifetime(Instant::ZERO);
    let is_fresh = now < lifetime.fresh_until();
    let takes_old = look.read.takes_old(lifetime.fresh_until(), now);
    let judgement = match judge(&lifetime, now, Validity::Valid) {
        Judgement::OnlyIfError if takes_old => Judgement::Serve(Freshness::Stale),
        judgement => judgement,
    };
    if judgement == Judgement::Gone || !(is_fresh || takes_old || look.takes_old) {
        return None;
    }
    let fresh = meta.spans.fresh;
    Some((
        fresh.map(|fresh| fresh.saturating_sub(entry.age)),
        judgement,
    ))
}
