//! The far tier: what all processes share.

use everwarm_core::mark::{Mark, valid};

use super::Entry;

/// What the far tier has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Far {
    pub(super) shard: Option<Mark>,
    pub(super) marker: Option<Mark>,
    pub(super) entry: Option<Entry>,
    /// By how many the tag is suspended, and whether the time of that is up.
    pub(super) suspended: u8,
    pub(super) over: bool,
    /// Who has the lease; 0: nobody.
    pub(super) lease: u8,
    pub(super) last_epoch: u64,
}

impl Far {
    pub(super) fn shard(&mut self) -> Mark {
        *self.shard.get_or_insert_with(|| {
            self.last_epoch += 1;
            Mark {
                shard: 0,
                epoch: self.last_epoch,
                number: 0,
            }
        })
    }

    /// The marker, made anew where it is missing or of another epoch.
    pub(super) fn ensure(&mut self, anew: Mark) -> Mark {
        if let Some(marker) = self.ensure_suspended() {
            return marker;
        }
        let shard = self.shard();
        let there = self.marker.filter(|marker| marker.epoch == shard.epoch);
        *self.marker.insert(there.unwrap_or(anew))
    }

    pub(super) fn valid(&self, entry: &Entry) -> bool {
        valid(&[entry.stamp], [self.reads()])
    }
}
