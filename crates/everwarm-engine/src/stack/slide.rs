//! Reads that lengthen lives in stores.
//!
//! The last tier has the entry written anew under the same stamps, with spans that are longer: its age, which follows from what is left
//! of its life, goes on. Only the write that was read is replaced; who has written, deleted or lengthened it meanwhile wins. No read
//! fails because of this.

use std::sync::Arc;

use everwarm_core::judge::{Freshness, Judgement};
use everwarm_core::store::Condition;
use everwarm_core::using::Read;

use super::Stack;
use super::found::{Fetched, Stored};
use super::look::Look;
use super::place::Place;

impl Stored {
    /// Whether a read lengthens its life, which [`Stack::lengthened`] does.
    #[must_use]
    pub fn is_to_slide(&self) -> bool {
        self.opened.meta.spans.slide.is_some()
            && self.older.is_none()
            && self.judgement == Judgement::Serve(Freshness::Fresh)
            && self.opened.meta.spans.slid(self.age).is_some()
    }
}

impl Fetched {
    /// Whether it is a value whose life its read lengthens.
    pub(super) fn is_to_slide(&self) -> bool {
        matches!(self, Self::Found(stored) if stored.is_to_slide())
    }
}

impl Stack {
    /// What a [glance](Self::glance) found, with the life that it has after that.
    pub fn lengthened(
        self: &Arc<Self>,
        place: Place,
        stored: Stored,
    ) -> impl Future<Output = Stored> + Send + use<> {
        let stack = Arc::clone(self);
        async move { stack.read(&place, stored).await }
    }

    /// What was read for a computation or in its place, with the life that it has after that.
    pub(super) async fn fetched(self: &Arc<Self>, place: &Place, stored: Stored) -> Fetched {
        Fetched::Found(self.read(place, stored).await)
    }

    /// What was read, with the life that it has after that.
    pub(super) async fn read(self: &Arc<Self>, place: &Place, stored: Stored) -> Stored {
        if !stored.is_to_slide() {
            return stored;
        }
        match Box::pin(self.slide(place, &stored)).await {
            Some(slid) => slid,
            None => stored,
        }
    }

    async fn slide(self: &Arc<Self>, place: &Place, stored: &Stored) -> Option<Stored> {
        let last = self.tiers.len() - 1;
        if self.queue.find(last, &place.name).is_some() {
            return None;
        }
        let there = if stored.tier == last {
            stored.clone()
        } else {
            let look = Look {
                read: Read::Any,
                counts: false,
                takes_old: false,
            };
            let labels = self.labels(place, &[]);
            self.look_at_last(place, &labels, look).await?.stored
        };
        let slid = if there.is_to_slide() {
            self.lengthen(place, there).await?
        } else {
            there
        };
        // What nearer tiers have ends before that: the next read fills them again.
        self.empty_nearer(&[&place.name]).await;
        Some(slid)
    }

    /// Writes the entry of the last tier anew, with a longer life.
    async fn lengthen(&self, place: &Place, stored: Stored) -> Option<Stored> {
        let level = self.last();
        let conditional = level.tier.store.conditional()?;
        let mut meta = stored.opened.meta.clone();
        meta.spans = meta.spans.slid(stored.age)?;
        let stamps = meta.stamps.clone();
        let sealed = self
            .seal(place, (&stored.opened.payload, meta.clone()), stamps, &[])
            .ok()?
            .aged(stored.age);
        let ttl = Some(level.ttl(sealed.left));
        let condition = Condition::Version(stored.version?);
        let answer = conditional
            .set_if(&place.name, sealed.bytes, ttl, condition)
            .await;
        let version = level.said(answer)??;
        level.tally.sets.bump();
        let mut slid = stored;
        slid.remaining = meta.spans.fresh.map(|fresh| fresh.saturating_sub(slid.age));
        slid.version = Some(version);
        slid.opened.meta.spans = meta.spans;
        Some(slid)
    }
}
