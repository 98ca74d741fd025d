//! Looking for an entry, from the nearest tier on, and judging what is found.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::codec::Spans;
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

/// An entry as it was found, with what it takes to fill nearer tiers. It is large, and stays where it is while it is opened and judged.
pub(super) struct Entry {
    /// What it is; worth nothing before it was held against the markers.
    pub(super) stored: Stored,
    sealed: Bytes,
    /// What is left of its life in the tier that had it.
    left: Option<Duration>,
    /// Its tags, once it was held against their markers.
    labels: Digests,
}

/// What became of an entry that was held against the markers at hand.
pub(super) enum Held {
    /// It is valid.
    Accepted,
    /// It may be: the markers of these tags have to be asked for.
    Unsure(Vec<Tag>),
    /// It is not to be taken.
    Invalid,
}

impl Entry {
    /// One of which nothing is known as yet but where it is looked for, and under which tags.
    #[inline(always)]
    pub(super) fn unread(tier: usize, labels: &Digests) -> Self {
        Self {
            stored: Stored::unread(tier),
            sealed: Bytes::new(),
            left: None,
            labels: labels.clone(),
        }
    }

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
}

/// What the last tier said of its entries beside them.
pub(super) struct Beside {
    /// The markers at that moment, if it is an authority.
    pub(super) reading: Option<Reading>,
    /// How often something [was repaid](super::owed::Owed::repaid) before it was asked.
    pub(super) repaid: u64,
}

impl Beside {
    /// What is at hand of entries with these tags.
    pub(super) fn at_hand<'a>(&'a self, labels: &'a Digests) -> AtHand<'a> {
        let markers = self.reading.as_ref();
        AtHand {
            tags: labels.all(),
            markers: markers.map_or(&[], |reading| &reading.markers),
            repaid: Some(self.repaid),
        }
    }
}

/// What entries are held against: the markers of some tags, as the authority read them together with the entries or after them; by
/// default of none.
#[derive(Clone, Copy, Default)]
pub(super) struct AtHand<'a> {
    pub(super) tags: &'a [Tag],
    pub(super) markers: &'a [Option<Mark>],
    /// How often something [was repaid](super::owed::Owed::repaid) before a store was asked for the entries, if it was the last one.
    pub(super) repaid: Option<u64>,
}

impl AtHand<'_> {
    /// The marker of a tag, which may be that there is none; `None` if it is not at hand.
    #[expect(clippy::option_option, reason = "whether it is known, and what it is")]
    pub(super) fn of(&self, tag: Tag) -> Option<Option<Mark>> {
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
    ) -> Option<Entry> {
        let tier = self.tiers.len() - 1;
        let queued = self.queue.find(tier, &place.name)?;
        let sealed = &queued.sealed;
        let waited = self.now().since(queued.since);
        let mut entry = Entry::unread(tier, labels);
        if !self.open(place, &sealed.bytes, false, &mut entry.stored) {
            return None;
        }
        entry.stored.age = sealed.age.saturating_add(waited);
        entry.sealed = sealed.bytes.clone();
        entry.left = sealed.left.map(|left| left.saturating_sub(waited));
        let accepted = self.accept(entry, place, AtHand::default(), look).await?;
        self.count_look(tier, look, true);
        Some(accepted)
    }

    async fn look_at_near(
        &self,
        tier: usize,
        place: &Place,
        labels: &Digests,
        look: Look,
    ) -> Option<Entry> {
        if !self.counts(tier) {
            return None;
        }
        let level = &self.tiers[tier];
        let found = level.said(level.tier.store.get(&place.name).await)?;
        let mut entry = Entry::unread(tier, labels);
        let accepted = match found.is_some_and(|found| self.enter_near(place, &found, &mut entry)) {
            true => self.accept(entry, place, AtHand::default(), look).await,
            false => None,
        };
        self.count_look(tier, look, accepted.is_some());
        accepted
    }

    /// Whether what a tier has counts: a nearer one may not know what was deleted while nothing was heard.
    pub(super) fn counts(&self, tier: usize) -> bool {
        tier + 1 == self.tiers.len() || self.nearer_count.load(Ordering::Acquire)
    }

    /// Opens what a tier had; whether it could be. Whether the last one is conditional is asked once for many.
    pub(super) fn enter(
        &self,
        is_conditional: bool,
        place: &Place,
        found: Found,
        entry: &mut Entry,
    ) -> bool {
        if entry.stored.tier + 1 < self.tiers.len() {
            self.enter_near(place, &found, entry)
        } else {
            self.enter_last_as(is_conditional, place, found, entry)
        }
    }

    /// Opens what a nearer tier had.
    fn enter_near(&self, place: &Place, found: &Found, entry: &mut Entry) -> bool {
        let Some(filled) = level::filled(&found.bytes, found.remaining) else {
            return false;
        };
        if !self.open(place, &filled.sealed, false, &mut entry.stored) {
            return false;
        }
        entry.stored.age = filled.age;
        entry.sealed = filled.sealed;
        entry.left = found.remaining;
        true
    }

    /// The entry of the last tier, if it has a valid one.
    pub(super) async fn look_at_last(
        &self,
        place: &Place,
        labels: &Digests,
        look: Look,
    ) -> Option<Entry> {
        let (found, beside) = self.read_last(&place.name, labels).await.ok()?;
        let entry = found.and_then(|found| self.enter_last(place, labels, found));
        let accepted = match entry {
            Some(entry) => {
                self.accept(entry, place, beside.at_hand(labels), look)
                    .await
            }
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

    /// What the last tier has under a name, and what it says beside that.
    ///
    /// # Errors
    /// The store's; they are counted.
    pub(super) async fn read_last(
        &self,
        name: &str,
        labels: &Digests,
    ) -> Result<(Option<Found>, Beside), Failure> {
        let level = self.last();
        let repaid = self.owed.repaid();
        let Some(authority) = self.authority() else {
            let found = level.counted(level.tier.store.get(name).await)?;
            let reading = None;
            return Ok((found, Beside { reading, repaid }));
        };
        let asked = self.markers.asked();
        let answer = authority
            .get_with(name, &self.namespace, labels.all())
            .await;
        let (found, reading) = level.counted(answer)?;
        self.markers.feed(asked, labels.all(), &reading);
        let reading = Some(reading);
        Ok((found, Beside { reading, repaid }))
    }

    /// What the last tier had, opened.
    pub(super) fn enter_last(
        &self,
        place: &Place,
        labels: &Digests,
        found: Found,
    ) -> Option<Entry> {
        let mut entry = Entry::unread(self.tiers.len() - 1, labels);
        self.enter_last_as(self.is_conditional(), place, found, &mut entry)
            .then_some(entry)
    }

    /// Whether the last tier writes on conditions.
    pub(super) fn is_conditional(&self) -> bool {
        self.last().tier.store.conditional().is_some()
    }

    fn enter_last_as(
        &self,
        is_conditional: bool,
        place: &Place,
        found: Found,
        entry: &mut Entry,
    ) -> bool {
        let is_whole = self.last().tier.store.proves(&found);
        let stored = &mut entry.stored;
        if !self.open(place, &found.bytes, is_whole, stored) {
            return false;
        }
        let spans = &stored.opened.meta.spans;
        let Some(age) = self.last().known_age(spans, found.remaining) else {
            return false;
        };
        stored.age = age;
        stored.version = is_conditional.then_some(found.version);
        entry.sealed = found.bytes;
        entry.left = found.remaining;
        true
    }

    /// Opens an envelope; whether it could be, which is counted otherwise.
    fn open(&self, place: &Place, sealed: &Bytes, is_whole: bool, stored: &mut Stored) -> bool {
        let under = place.under(&self.namespace);
        let opened = &mut stored.opened;
        let opened = self.codec.open_into(&under, sealed, is_whole, opened);
        opened
            .inspect_err(|refusal| self.count_refused(stored.tier, *refusal))
            .is_ok()
    }

    /// The entry, if it is fresh or in a window that is asked for, too old for no reader's taste, and neither invalid nor owed to be.
    pub(super) async fn accept(
        &self,
        entry: Entry,
        place: &Place,
        at_hand: AtHand<'_>,
        look: Look,
    ) -> Option<Entry> {
        let accepted = self.accept_exactly(entry, place, at_hand, look);
        accepted.await.ok()?
    }

    /// As [`accept`](Self::accept), for who has to tell nothing from what could not be found out.
    ///
    /// # Errors
    /// If markers could not be asked for.
    pub(super) async fn accept_exactly(
        &self,
        mut entry: Entry,
        place: &Place,
        at_hand: AtHand<'_>,
        look: Look,
    ) -> Result<Option<Entry>, Failure> {
        self.repeat_lost();
        Ok(match self.held_against(&mut entry, place, at_hand, look) {
            Held::Accepted => Some(entry),
            Held::Invalid => None,
            Held::Unsure(further) => self
                .ask_further(&entry, &further, place)
                .await?
                .then_some(entry),
        })
    }

    /// Whether the entry is valid by the markers that were not at hand.
    ///
    /// # Errors
    /// If they could not be asked for.
    pub(super) async fn ask_further(
        &self,
        entry: &Entry,
        further: &[Tag],
        place: &Place,
    ) -> Result<bool, Failure> {
        let (Reading { markers, .. }, repaid) = self.read_markers(further).await?;
        Ok(markers.len() == further.len() && self.is_sure_by(entry, place, (markers, repaid)))
    }

    /// As [`accept`](Self::accept), without asking for what is not at hand. Since the store has answered, what a failover lost has to be
    /// [owed again](Self::repeat_lost).
    pub(super) fn held_against(
        &self,
        entry: &mut Entry,
        place: &Place,
        at_hand: AtHand<'_>,
        look: Look,
    ) -> Held {
        let Entry { stored, labels, .. } = entry;
        let meta = &stored.opened.meta;
        self.add_tags(labels, &meta.tags);
        let Some((remaining, judgement)) = worth(&meta.spans, stored.age, look) else {
            return Held::Invalid;
        };
        (stored.remaining, stored.judgement) = (remaining, judgement);
        let repaid = at_hand.repaid;
        if self.owed.may_outdate(&place.name, labels.all(), repaid) {
            return Held::Invalid;
        }
        let mut further = Vec::new();
        for tag in labels.all() {
            match at_hand.of(*tag) {
                Some(marker) if valid(&meta.stamps, [marker]) => {}
                Some(_) => return Held::Invalid,
                None => further.push(*tag),
            }
        }
        if further.is_empty() || self.authority().is_none() {
            return Held::Accepted;
        }
        match self.markers.of(&further, self.now()) {
            None => Held::Unsure(further),
            Some(markers) => match valid(&meta.stamps, markers.into_iter().map(Some)) {
                true => Held::Accepted,
                false => Held::Invalid,
            },
        }
    }

    /// Whether the stamps of an entry cover these markers of its further tags, and nothing is owed of it by now, which takes the same.
    pub(super) fn is_sure_by(
        &self,
        entry: &Entry,
        place: &Place,
        (markers, repaid): (impl IntoIterator<Item = Option<Mark>>, u64),
    ) -> bool {
        let labels = entry.labels.all();
        valid(&entry.stored.opened.meta.stamps, markers)
            && !self.owed.may_outdate(&place.name, labels, Some(repaid))
    }

    /// The markers as the authority has them now; of a store that is none, nothing. What it has lost is owed again by then; and how often
    /// something [was repaid](super::owed::Owed::repaid) before it was asked.
    ///
    /// # Errors
    /// The store's; they are counted.
    pub(super) async fn read_markers(&self, tags: &[Tag]) -> Result<(Reading, u64), Failure> {
        let repaid = self.owed.repaid();
        let Some(authority) = self.authority() else {
            return Ok((Reading::default(), repaid));
        };
        let asked = self.markers.asked();
        let answer = authority.read(&self.namespace, tags).await;
        let reading = self.last().counted(answer)?;
        self.markers.feed(asked, tags, &reading);
        self.repeat_lost();
        Ok((reading, repaid))
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
        let Ok((Reading { markers, .. }, repaid)) = self.read_markers(&all).await else {
            return found.fill(None);
        };
        let marker = |tag: &Tag| markers.get(all.binary_search(tag).ok()?).copied();
        for ((place, labels), found) in places.iter().zip(&labels).zip(found) {
            let markers: Option<Vec<_>> = labels.all().iter().map(marker).collect();
            found.take_if(|stored| {
                let stamps = &stored.opened.meta.stamps;
                let is_valid = markers.is_some_and(|markers| valid(stamps, markers));
                let labels = labels.all();
                !is_valid || self.owed.may_outdate(&place.name, labels, Some(repaid))
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
        self.count_looks(tier, look, (usize::from(hit), usize::from(!hit)));
    }

    /// As [`count_look`](Self::count_look), of many.
    pub(super) fn count_looks(&self, tier: usize, look: Look, (hits, misses): (usize, usize)) {
        let tally = &self.tiers[tier].tally;
        for (count, by) in [(&tally.hits, hits), (&tally.misses, misses)] {
            if look.counts && by > 0 {
                count.add(by as u64);
            }
        }
    }
}

/// Whether the stamps of an entry cover what was read of all these tags.
pub(super) fn covers(entry: &Entry, tags: &[Tag], reading: Reading) -> bool {
    let stamps = &entry.stored.opened.meta.stamps;
    reading.markers.len() == tags.len() && valid(stamps, reading.markers)
}

/// How long an entry is still fresh, `None` for ever; and what it is worth.
type Worth = (Option<Duration>, Judgement);

/// What an entry of this age is worth; nothing if it is not to be taken.
pub(super) fn worth(spans: &Spans, age: Duration, look: Look) -> Option<Worth> {
    let now = Instant::ZERO.after(age);
    if Instant::ZERO < look.read.since(now) {
        return None;
    }
    let left = spans.fresh.map(|fresh| fresh.saturating_sub(age));
    if spans.is_quiet(age) {
        return Some((left, Judgement::Serve(Freshness::Fresh)));
    }
    let lifetime = spans.lifetime(Instant::ZERO);
    let is_fresh = now < lifetime.fresh_until();
    let takes_old = look.read.takes_old(lifetime.fresh_until(), now);
    let judgement = match judge(&lifetime, now, Validity::Valid) {
        Judgement::OnlyIfError if takes_old => Judgement::Serve(Freshness::Stale),
        judgement => judgement,
    };
    if judgement == Judgement::Gone || !(is_fresh || takes_old || look.takes_old) {
        return None;
    }
    Some((left, judgement))
}
