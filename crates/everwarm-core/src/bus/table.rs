//! The markers that a process knows: what lies in nearer tiers is judged by them without a trip to the authority.
//!
//! They come from the authority's replies, and within an epoch only ever grow, by replies and by messages. A message alone says that
//! a marker is no smaller, and not that it is the last: so it raises what is known, and makes nothing known. But it is kept: a reply
//! that was read before the message was sent may come after it, and would make known what holds no more. Another epoch means that a
//! shard was lost: all is forgotten, and a reply that was asked for before that is not taken in.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use crate::clock::Instant;
use crate::mark::{Mark, Reading, Tag};

use super::CONFIRMED_FOR;
use super::start::Start;

/// How many markers are known at most.
pub const ROOM: usize = 16_384;

/// How many messages are kept about tags whose markers are not known.
const HEARD: usize = 4_096;

/// The known markers.
#[derive(Debug, Default)]
pub struct Table<S = RandomState> {
    by_tag: HashMap<Tag, Mark, S>,
    /// What the markers of other tags are no smaller than.
    heard: HashMap<Tag, Mark, S>,
    epochs: HashMap<u16, u64, S>,
    forgotten: u64,
    confirmed: Option<Instant>,
    /// The last reply, while nothing came after it: most replies say the same again.
    last: Option<(Vec<Tag>, Reading)>,
    upset: bool,
    overflown: bool,
    start: Start,
    /// The highest reading of each shard that was met.
    shards: BTreeMap<u16, Mark>,
}

/// How often the markers were forgotten when something was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(u64);

impl<S: BuildHasher> Table<S> {
    /// To be noted before the authority is asked.
    #[must_use]
    pub const fn asked(&self) -> Asked {
        Asked(self.forgotten)
    }

    /// Takes in what the authority replied.
    pub fn feed(&mut self, asked: Asked, tags: &[Tag], reading: &Reading) {
        if !self.start.read(&reading.shards) {
            return self.lose();
        }
        if self.forgotten != asked.0 || self.has_just_had(tags, reading) {
            return;
        }
        for shard in &reading.shards {
            self.meet(*shard);
            self.reached(*shard);
        }
        for (tag, marker) in tags.iter().zip(&reading.markers) {
            let had_room = match marker {
                Some(marker) => self.know(*tag, *marker),
                None => {
                    self.doubt(*tag);
                    true
                }
            };
            // This reply, too, may be older than what went.
            if !had_room {
                return;
            }
        }
        // What went for want of room may be some of these.
        self.last = (!self.overflown).then(|| (tags.to_vec(), reading.clone()));
    }

    /// Whether this is what the last reply said, and nothing came after it.
    fn has_just_had(&self, tags: &[Tag], reading: &Reading) -> bool {
        let last = self.last.as_ref();
        last.is_some_and(|(before, last)| before == tags && last == reading)
    }

    /// Takes in what a message says.
    pub fn hear(&mut self, tag: Tag, marker: Mark) {
        self.last = None;
        self.meet(marker);
        self.reached(marker);
        if self.by_tag.contains_key(&tag) {
            self.raise(tag, marker);
        } else {
            self.note(tag, marker);
        }
    }

    /// Takes in what the authority replied to an invalidation of this process: from here on no smaller marker counts, whatever was
    /// forgotten since it was asked, and whichever replies are on their way.
    pub fn invalidated(&mut self, asked: Asked, tags: &[Tag], reading: &Reading) {
        if self.forgotten == asked.0 && reading.markers.iter().all(Option::is_some) {
            return self.feed(asked, tags, reading);
        }
        self.forgotten += 1;
        self.last = None;
        for (tag, marker) in tags.iter().zip(&reading.markers) {
            match marker {
                Some(marker) if self.by_tag.contains_key(tag) => self.raise(*tag, *marker),
                _ => {
                    self.by_tag.remove(tag);
                }
            }
        }
    }

    /// The markers of all these tags, if all are known and what is known counts.
    #[must_use]
    pub fn of(&self, tags: &[Tag], now: Instant) -> Option<Vec<Mark>> {
        if now.since(self.confirmed?) > CONFIRMED_FOR {
            return None;
        }
        tags.iter()
            .map(|tag| self.by_tag.get(tag).copied())
            .collect()
    }

    /// A shard is heard of from this reading on: all that is known ends, unless nothing can have been missed.
    pub fn begins(&mut self, at: Mark) {
        self.meet(at);
        if !self.start.begins(at) {
            self.lose();
        }
    }

    /// Memory may hold something that was kept although the authority did not answer, or was not asked.
    pub const fn unread(&mut self) {
        self.start.unread();
    }

    /// What is known held at that moment.
    pub const fn confirm(&mut self, then: Instant) {
        self.confirmed = Some(then);
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        self.by_tag.clear();
        self.heard.clear();
        self.epochs.clear();
        self.last = None;
        self.forgotten += 1;
        self.confirmed = None;
        self.start.forget();
    }

    /// Forgets everything, and says that memory has to let go of everything, too.
    fn lose(&mut self) {
        self.forget();
        self.upset = true;
    }

    /// The last readings of shards that were met, also those from before something was forgotten: each was true at some moment, so as
    /// stamps they cover nothing that came later.
    #[must_use]
    pub fn shards(&self) -> Vec<Mark> {
        self.shards.values().copied().collect()
    }

    fn reached(&mut self, mark: Mark) {
        let known = self.shards.entry(mark.shard).or_insert(mark);
        if known.epoch != mark.epoch || known.number < mark.number {
            *known = mark;
        }
    }

    /// Whether a shard was lost, or something of it missed, since the last time this was asked.
    pub const fn take_upset(&mut self) -> bool {
        std::mem::replace(&mut self.upset, false)
    }

    /// Whether markers had to go for want of room since the last time this was asked.
    pub const fn take_overflown(&mut self) -> bool {
        std::mem::replace(&mut self.overflown, false)
    }

    /// All that is known.
    pub fn all(&self) -> impl Iterator<Item = (Tag, Mark)> {
        self.by_tag.iter().map(|(tag, mark)| (*tag, *mark))
    }

    /// Meets a shard's reading: another epoch than the known one ends all that is known. Also when none was known, replies that
    /// were asked for before are not taken in: they may be of an epoch that was lost meanwhile.
    fn meet(&mut self, shard: Mark) {
        match self.epochs.get(&shard.shard) {
            Some(epoch) if *epoch == shard.epoch => return,
            Some(_) => self.lose(),
            None => self.forgotten += 1,
        }
        self.epochs.insert(shard.shard, shard.epoch);
    }

    /// Takes in a marker that was read: it is what was heard of it since, if that is more. Whether nothing had to go for it.
    fn know(&mut self, tag: Tag, marker: Mark) -> bool {
        let has_room = self.by_tag.len() < ROOM || self.by_tag.contains_key(&tag);
        if !has_room {
            self.by_tag.clear();
            self.overflown = true;
            // Replies that are on their way may be older than what went.
            self.forgotten += 1;
        }
        self.raise(tag, marker);
        if let Some(heard) = self.heard.remove(&tag) {
            self.raise(tag, heard);
        }
        has_room
    }

    /// Forgets a marker that was not there, or not yet.
    fn doubt(&mut self, tag: Tag) {
        if let Some(known) = self.by_tag.remove(&tag) {
            self.note(tag, known);
        }
    }

    /// Keeps in mind that a marker which is not known is no smaller.
    fn note(&mut self, tag: Tag, marker: Mark) {
        if self.heard.len() >= HEARD && !self.heard.contains_key(&tag) {
            // Replies that are on their way may be older than any of these.
            self.heard.clear();
            self.forgotten += 1;
        }
        let heard = self.heard.entry(tag).or_insert(marker);
        if heard.number < marker.number {
            *heard = marker;
        }
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
        let known = self.by_tag.entry(tag).or_insert(marker);
        if known.number < marker.number {
            *known = marker;
        }
    }
}
