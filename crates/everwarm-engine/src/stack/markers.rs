//! The markers that this process knows: what lies in nearer tiers is judged by them without a trip to the authority.
//!
//! They come from the authority's replies and from its messages, and only ever grow within an epoch. Another epoch means that a
//! shard was lost: all is forgotten, and a reply that was asked for before that is not taken in.

use std::collections::HashMap;
use std::time::Duration;

use everwarm_core::clock::Instant;
use everwarm_core::mark::{Mark, Reading, Tag};
use foldhash::fast::RandomState;

use crate::shim::Mutex;

/// How many markers are known at most.
const ROOM: usize = 16_384;

/// For how long what is known counts after it was confirmed.
pub(super) const CONFIRMED_FOR: Duration = Duration::from_secs(2);

/// The known markers.
#[derive(Debug)]
pub(super) struct Markers(Mutex<Table>);

/// How often the markers were forgotten when something was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Asked(u64);

#[derive(Debug, Default)]
struct Table {
    by_tag: HashMap<Tag, Mark, RandomState>,
    epochs: HashMap<u16, u64, RandomState>,
    forgotten: u64,
    confirmed: Option<Instant>,
    /// Whether a shard was lost since somebody asked.
    upset: bool,
    /// Whether markers had to go for want of room since somebody asked.
    overflown: bool,
}

impl Markers {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Table::default()))
    }

    /// To be noted before the authority is asked.
    pub(super) fn asked(&self) -> Asked {
        Asked(self.0.lock().forgotten)
    }

    /// Takes in what the authority replied.
    pub(super) fn feed(&self, asked: Asked, tags: &[Tag], reading: &Reading) {
        let mut table = self.0.lock();
        if table.forgotten != asked.0 {
            return;
        }
        for shard in &reading.shards {
            table.meet(*shard);
        }
        for (tag, marker) in tags.iter().zip(&reading.markers) {
            if let Some(marker) = marker {
                table.raise(*tag, *marker);
            }
        }
    }

    /// Takes in what a message says.
    pub(super) fn hear(&self, tag: Tag, marker: Mark) {
        let mut table = self.0.lock();
        table.meet(marker);
        table.raise(tag, marker);
    }

    /// The markers of all these tags, if all are known and what is known counts.
    pub(super) fn of(&self, tags: &[Tag], now: Instant) -> Option<Vec<Mark>> {
        let table = self.0.lock();
        if now.since(table.confirmed?) > CONFIRMED_FOR {
            return None;
        }
        tags.iter()
            .map(|tag| table.by_tag.get(tag).copied())
            .collect()
    }

    /// What is known held at that moment.
    pub(super) fn confirm(&self, then: Instant) {
        self.0.lock().confirmed = Some(then);
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        self.0.lock().forget();
    }

    /// Whether a shard was lost since the last time this was asked.
    pub(super) fn take_upset(&self) -> bool {
        std::mem::take(&mut self.0.lock().upset)
    }

    /// Whether markers had to go for want of room since the last time this was asked.
    pub(super) fn take_overflown(&self) -> bool {
        std::mem::take(&mut self.0.lock().overflown)
    }

    /// All that is known.
    pub(super) fn all(&self) -> Vec<(Tag, Mark)> {
        let table = self.0.lock();
        table
            .by_tag
            .iter()
            .map(|(tag, mark)| (*tag, *mark))
            .collect()
    }
}

impl Table {
    fn forget(&mut self) {
        self.by_tag.clear();
        self.epochs.clear();
        self.forgotten += 1;
        self.confirmed = None;
    }

    /// Meets a shard's reading: another epoch than the known one ends all that is known. Also when none was known, replies that
    /// were asked for before are not taken in: they may be of an epoch that was lost meanwhile.
    fn meet(&mut self, shard: Mark) {
        match self.epochs.get(&shard.shard) {
            Some(epoch) if *epoch == shard.epoch => return,
            Some(_) => {
                self.forget();
                self.upset = true;
            }
            None => self.forgotten += 1,
        }
        self.epochs.insert(shard.shard, shard.epoch);
    }

    fn raise(&mut self, tag: Tag, marker: Mark) {
        // A marker of an earlier epoch is as good as none, and says nothing about the shard.
        match self.epochs.get(&marker.shard) {
            Some(epoch) if *epoch != marker.epoch => {
                self.by_tag.remove(&tag);
                return;
            }
            Some(_) => {}
            None => self.meet(marker),
        }
        if self.by_tag.len() >= ROOM && !self.by_tag.contains_key(&tag) {
            self.by_tag.clear();
            self.overflown = true;
        }
        let known = self.by_tag.entry(tag).or_insert(marker);
        if known.number < marker.number {
            *known = marker;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant::ZERO;

    fn tag(byte: u8) -> Tag {
        Tag([byte; 16])
    }

    fn mark(epoch: u64, number: u64) -> Mark {
        Mark {
            shard: 0,
            epoch,
            number,
        }
    }

    fn reading(shard: Mark, marker: Mark) -> Reading {
        Reading {
            shards: vec![shard],
            markers: vec![Some(marker)],
        }
    }

    fn known() -> Markers {
        let markers = Markers::new();
        let asked = markers.asked();
        markers.feed(asked, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
        markers.confirm(NOW);
        markers
    }

    #[test]
    fn the_larger_number_wins() {
        let markers = known();
        markers.hear(tag(1), mark(1, 6));
        let asked = markers.asked();
        markers.feed(asked, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
        assert_eq!(markers.of(&[tag(1)], NOW), Some(vec![mark(1, 6)]));
    }

    #[test]
    fn what_is_unknown_or_not_confirmed_is_asked_for() {
        let markers = known();
        assert_eq!(markers.of(&[tag(1), tag(2)], NOW), None);
        assert_eq!(
            markers.of(&[tag(1)], NOW.after(Duration::from_secs(3))),
            None
        );
    }

    #[test]
    fn another_epoch_ends_what_is_known_and_late_replies_stay_out() {
        let markers = known();
        let late = markers.asked();
        markers.feed(markers.asked(), &[tag(2)], &reading(mark(2, 0), mark(2, 0)));
        assert!(markers.take_upset());
        markers.feed(late, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
        markers.confirm(NOW);
        assert_eq!(markers.of(&[tag(1)], NOW), None);
        assert_eq!(markers.of(&[tag(2)], NOW), Some(vec![mark(2, 0)]));
        assert!(!markers.take_upset());
    }

    #[test]
    fn a_reply_from_before_the_first_epoch_was_known_stays_out() {
        let markers = Markers::new();
        let late = markers.asked();
        markers.hear(tag(1), mark(2, 1));
        markers.feed(late, &[tag(1)], &reading(mark(1, 5), mark(1, 4)));
        markers.confirm(NOW);
        assert_eq!(markers.of(&[tag(1)], NOW), Some(vec![mark(2, 1)]));
    }

    #[test]
    fn a_marker_of_a_lost_epoch_is_none() {
        let markers = known();
        let asked = markers.asked();
        markers.feed(asked, &[tag(1)], &reading(mark(1, 5), mark(9, 4)));
        assert_eq!(markers.of(&[tag(1)], NOW), None);
    }

    #[test]
    fn the_table_is_bounded() {
        let markers = known();
        for number in 0..=ROOM as u64 {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&number.to_le_bytes());
            markers.hear(Tag(bytes), mark(1, number));
        }
        assert!(markers.take_overflown());
        assert!(markers.all().len() <= ROOM);
    }
}
