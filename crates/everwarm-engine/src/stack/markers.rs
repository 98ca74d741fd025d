//! The markers that this process knows, for all of its threads: core's table behind a lock.

use everwarm_core::bus::table::{Asked, Table};
use everwarm_core::clock::Instant;
use everwarm_core::mark::{Mark, Reading, Tag};
use foldhash::fast::RandomState;

use crate::shim::Mutex;

/// The known markers.
#[derive(Debug)]
pub(super) struct Markers(Mutex<Table<RandomState>>);

impl Markers {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Table::default()))
    }

    /// To be noted before the authority is asked.
    pub(super) fn asked(&self) -> Asked {
        self.0.lock().asked()
    }

    /// Takes in what the authority replied.
    pub(super) fn feed(&self, asked: Asked, tags: &[Tag], reading: &Reading) {
        self.0.lock().feed(asked, tags, reading);
    }

    /// Takes in what the authority replied to an invalidation of this process.
    pub(super) fn invalidated(&self, asked: Asked, tags: &[Tag], reading: &Reading) {
        self.0.lock().invalidated(asked, tags, reading);
    }

    /// Takes in what a message says.
    pub(super) fn hear(&self, tag: Tag, marker: Mark) {
        self.0.lock().hear(tag, marker);
    }

    /// A shard is heard of from this reading on.
    pub(super) fn begins(&self, at: Mark) {
        self.0.lock().begins(at);
    }

    /// Memory may hold something that came without a reading.
    pub(super) fn unread(&self) {
        self.0.lock().unread();
    }

    /// The markers of all these tags, if all are known and what is known counts.
    pub(super) fn of(&self, tags: &[Tag], now: Instant) -> Option<Vec<Mark>> {
        self.0.lock().of(tags, now)
    }

    /// What is known held at that moment.
    pub(super) fn confirm(&self, then: Instant) {
        self.0.lock().confirm(then);
    }

    /// Forgets everything.
    pub(super) fn forget(&self) {
        self.0.lock().forget();
    }

    /// Whether a shard was lost, or something of it missed, since the last time this was asked.
    pub(super) fn take_upset(&self) -> bool {
        self.0.lock().take_upset()
    }

    /// Whether markers had to go for want of room since the last time this was asked.
    pub(super) fn take_overflown(&self) -> bool {
        self.0.lock().take_overflown()
    }

    /// The last readings of shards that were met.
    pub(super) fn shards(&self) -> Vec<Mark> {
        self.0.lock().shards()
    }

    /// All that is known.
    pub(super) fn all(&self) -> Vec<(Tag, Mark)> {
        self.0.lock().all().collect()
    }
}
