//! Reads that change lives in memory: they lengthen them, or are the first.

use everwarm_core::clock::Clock;
use everwarm_core::judge::{Freshness, Judgement};
use everwarm_memory::Found;

use crate::cache::Cache;
use crate::entry::{Entry, Key};
use crate::hit::Finding;
use crate::{tags, windows};

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// Changes the life of an entry that is read: lengthens it, if it is one that reads lengthen and it is time, or takes note that it is
    /// read. Its value, its version and its age stay.
    pub(crate) fn slide(&self, found: &mut Found<'_, K, Entry<V>, K::Lock>, finding: Finding) {
        if finding != Finding::InWindow(Judgement::Serve(Freshness::Fresh)) {
            return;
        }
        let (entry, _) = found.content();
        let now = self.ticker.now();
        let Some(longer) = tags::lifetime(&entry.tags).and_then(|life| life.slid(now)) else {
            return;
        };
        let (tags, term) = windows::dated(&entry.tags, &longer);
        entry.tags = tags;
        found.redate_and_keep(term.deadline, term.keep_until);
    }
}
