//! Reads that change lives in memory: they lengthen them, or are the first.

use everwarm_core::clock::Clock;
use everwarm_core::judge::{Freshness, Judgement};
use everwarm_memory::Found;

use crate::cache::Cache;
use crate::entry::{Entry, Key};
use crate::hit::Finding;
use crate::{tags, windows};

/// Who reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// A call that knows how to compute the value.
    Computes,
    /// Who takes it as it is.
    Takes,
}

impl<K: Key, V: Clone, E: Clone> Cache<K, V, E> {
    /// Changes the life of an entry that is read: lengthens it, if it is one that reads lengthen and it is time, or takes note that it is
    /// read. Its value, its version and its age stay.
    pub(crate) fn slide(
        &self,
        found: &mut Found<'_, K, Entry<V>, K::Lock>,
        (finding, reader): (Finding, Reader),
    ) {
        if finding != Finding::InWindow(Judgement::Serve(Freshness::Fresh)) {
            return;
        }
        let (entry, _) = found.content();
        let now = self.ticker.now();
        let life = tags::lifetime(&entry.tags);
        // The first read is kept for one that can have the value computed anew.
        let life = life.filter(|life| reader == Reader::Computes || !life.is_unread());
        let Some(longer) = life.and_then(|life| life.slid(now)) else {
            return;
        };
        let (tags, term) = windows::dated(&entry.tags, &longer);
        entry.tags = tags;
        found.redate_and_keep(term.deadline, term.keep_until);
    }
}
