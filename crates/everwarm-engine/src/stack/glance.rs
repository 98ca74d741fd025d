//! A glance: what the only tier of a stack has, if it is embedded and answers at once. Most reads need no more.

use everwarm_core::using::Read;

use super::found::Stored;
use super::look::{AtHand, Entry, Held, Look, covers};
use super::place::{Digests, Place};
use super::{Stack, Write};

/// What a glance at a stack shows.
#[derive(Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "it is taken apart at once, and a hit pays for no box"
)]
pub enum Glance {
    /// A valid entry.
    Found(Stored),
    /// There is none, or the store failed.
    Nothing,
    /// It takes more than a glance.
    Unclear,
}

impl Stack {
    /// What the only tier has, if it is embedded and answers at once: most reads need no more, and no future that can wait.
    pub(super) fn glance_at(&self, place: &Place, labels: &Digests, look: Look) -> Glance {
        let level = self.last();
        let Some(authority) = self.authority().filter(|_| {
            self.tiers.len() == 1
                && level.embedded
                && level.tier.write != Write::Behind
                && look.read != Read::Nothing
        }) else {
            return Glance::Unclear;
        };
        if self.owes(&place.name, labels.all()) {
            return Glance::Unclear;
        }
        let (asked, repaid) = (self.markers.asked(), self.owed.repaid());
        let answer = authority.get_with(&place.name, &self.namespace, labels.all());
        let Ok(answer) = answer.now() else {
            return Glance::Unclear;
        };
        let Some((found, reading)) = level.said(answer) else {
            return Glance::Nothing;
        };
        self.markers.feed(asked, labels.all(), &reading);
        let at_hand = AtHand {
            tags: labels.all(),
            markers: &reading.markers,
            repaid: Some(repaid),
        };
        let entry = found.and_then(|found| self.enter_last(place, labels, found));
        let stored = entry.and_then(|entry| self.accept_now(entry, place, at_hand, look));
        self.count_look(0, look, stored.is_some());
        stored.map_or(Glance::Nothing, Glance::Found)
    }

    /// Whether nothing but the last tier can have what is looked for.
    pub(super) fn is_alone(&self, look: Look) -> bool {
        self.tiers.len() == 1
            && self.last().tier.write != Write::Behind
            && look.read != Read::Nothing
    }

    /// As [`look`](Self::look), where the last tier [is alone](Self::is_alone): a glance at what answers later, without all that filling
    /// nearer tiers takes.
    pub(super) async fn look_at_only(
        &self,
        place: &Place,
        labels: &Digests,
        look: Look,
    ) -> Option<Stored> {
        if self.owes(&place.name, labels.all()) {
            return None;
        }
        let (found, beside) = self.read_last(&place.name, labels).await.ok()?;
        self.repeat_lost();
        let at_hand = beside.at_hand(labels);
        let mut entry = found.and_then(|found| self.enter_last(place, labels, found));
        let is_valid = match &mut entry {
            Some(entry) => match self.held_against(entry, place, at_hand, look) {
                Held::Accepted => true,
                Held::Invalid => false,
                Held::Unsure(further) => Box::pin(self.ask_further(entry, &further, place))
                    .await
                    .ok()?,
            },
            None => false,
        };
        self.count_look(0, look, is_valid);
        entry.filter(|_| is_valid).map(|entry| entry.stored)
    }

    /// As [`accept`](Self::accept), of a store that answers at once.
    fn accept_now(
        &self,
        mut entry: Entry,
        place: &Place,
        at_hand: AtHand<'_>,
        look: Look,
    ) -> Option<Stored> {
        match self.held_against(&mut entry, place, at_hand, look) {
            Held::Accepted => {}
            Held::Invalid => return None,
            Held::Unsure(further) => {
                let asked = self.markers.asked();
                let answer = self.authority()?.read(&self.namespace, &further).now();
                let reading = self.last().said(answer.ok()?)?;
                self.markers.feed(asked, &further, &reading);
                if !covers(&entry, &further, reading) {
                    return None;
                }
            }
        }
        Some(entry.stored)
    }
}
