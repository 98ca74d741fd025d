//! Values alone, of which nothing else is wanted: what most are that are read together is opened and judged in a few steps.

use std::mem;

use everwarm_core::codec::Plain;
use everwarm_core::mark::{Mark, valid};
use everwarm_core::store::Found;

use super::Stack;
use super::found::Value;
use super::look::{AtHand, Look, worth};
use super::place::{Digests, Place};

/// What can be said of an entry whose value alone is wanted.
pub(super) enum Plainly {
    /// It is valid.
    Value(Value),
    /// It is not to be taken.
    Invalid,
    /// Nothing, as yet: all of it has to be opened. It lies where it lay.
    Unclear,
}

/// What the entries of one answer of the last tier are held against.
pub(super) struct Against<'a> {
    at_hand: AtHand<'a>,
    look: Look,
    /// The tags of the entry before, and their markers if all are at hand: mostly those of the next one, too.
    last: Option<(&'a Digests, Option<Vec<Option<Mark>>>)>,
    /// Where they are opened, one after the other.
    plain: Plain,
}

impl<'a> Against<'a> {
    pub(super) fn new(at_hand: AtHand<'a>, look: Look) -> Self {
        Self {
            at_hand,
            look,
            last: None,
            plain: Plain::default(),
        }
    }
}

impl Stack {
    /// The value of what the last tier has, if it is plain and all is at hand by which it is judged.
    pub(super) fn plainly<'a>(
        &self,
        against: &mut Against<'a>,
        (place, labels): (&Place, &'a Digests),
        found: &mut Found,
    ) -> Plainly {
        let Against {
            at_hand,
            look,
            last,
            plain,
        } = against;
        let (_, markers) = match last {
            Some(known) if std::ptr::eq(known.0, labels) => known,
            _ => last.insert((labels, self.all_at_hand(labels, *at_hand))),
        };
        let Some(markers) = markers else {
            return Plainly::Unclear;
        };
        let (level, tier) = (self.last(), self.tiers.len() - 1);
        let is_whole = level.tier.store.proves(found);
        let under = place.under(&self.namespace);
        match self
            .codec
            .open_plain(&under, &mut found.bytes, is_whole, plain)
        {
            Ok(true) => {}
            Ok(false) => return Plainly::Unclear,
            Err(refusal) => {
                self.count_refused(tier, refusal);
                return Plainly::Invalid;
            }
        }
        let Some(age) = level.known_age(&plain.spans, found.remaining) else {
            return Plainly::Invalid;
        };
        let is_valid = worth(&plain.spans, age, *look).is_some()
            && valid(plain.stamp.as_slice(), markers.iter().copied())
            && !self
                .owed
                .may_outdate(&place.name, labels.all(), at_hand.repaid);
        match is_valid {
            true => Plainly::Value(Value {
                format: plain.format,
                payload: mem::take(&mut plain.payload),
                tier,
                older: None,
            }),
            false => Plainly::Invalid,
        }
    }

    /// The markers of these tags, if all are at hand; none where there is no authority.
    fn all_at_hand(&self, labels: &Digests, at_hand: AtHand<'_>) -> Option<Vec<Option<Mark>>> {
        match self.authority() {
            Some(_) => labels.all().iter().map(|tag| at_hand.of(*tag)).collect(),
            None => Some(Vec::new()),
        }
    }
}
