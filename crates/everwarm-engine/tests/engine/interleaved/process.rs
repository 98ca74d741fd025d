//! One process: its memory, what it knows of markers, and its nearer tier.

use everwarm_core::mark::Mark;

use super::{Entry, Fault, Message};

/// What one process has.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    pub(super) memory: Option<u8>,
    /// How often its memory was struck: what began before is not kept.
    pub(super) strikes: u8,
    pub(super) marker: Option<Mark>,
    pub(super) epoch: Option<u64>,
    /// How often its markers were forgotten: replies that were asked for before are dropped.
    pub(super) forgotten: u8,
    pub(super) near: Option<Entry>,
    pub(super) near_lease: u8,
    pub(super) inbox: Vec<Message>,
    /// The version of a key message whose entry left the nearer tier, but not memory as yet.
    pub(super) half_done: Option<u8>,
    /// The oldest version that it may serve.
    pub(super) floor: u8,
}

impl Process {
    pub(super) fn strike(&mut self) {
        self.strikes += 1;
        self.memory = None;
    }

    pub(super) fn forget(&mut self) {
        self.marker = None;
        self.epoch = None;
        self.forgotten += 1;
    }

    /// Learns the shard's epoch; whatever was asked for under another one, or none, is not taken in.
    pub(super) fn meet(&mut self, epoch: u64, fault: Fault) {
        if self.epoch.is_none() && fault == Fault::FirstEpochKept {
            self.epoch = Some(epoch);
        }
        if self.epoch != Some(epoch) {
            self.forget();
            self.epoch = Some(epoch);
        }
    }

    /// Takes in a marker, from a message or a reply.
    pub(super) fn raise(&mut self, marker: Mark, fault: Fault) {
        self.meet(marker.epoch, fault);
        let larger = |known: Mark| known.number > marker.number && fault != Fault::SmallerNumber;
        if !self.marker.is_some_and(larger) {
            self.marker = Some(marker);
        }
    }

    /// Takes in a reply, unless everything was forgotten since it was asked for.
    pub(super) fn feed(&mut self, asked: u8, epoch: u64, marker: Option<Mark>, fault: Fault) {
        if asked != self.forgotten {
            return;
        }
        if self.epoch.is_some_and(|known| known != epoch) {
            // Memory may hold what was invalidated in the epoch that was lost.
            self.strike();
        }
        self.meet(epoch, fault);
        if let Some(marker) = marker.filter(|marker| marker.epoch == epoch) {
            self.raise(marker, fault);
        }
    }

    pub(super) fn clear_near(&mut self) {
        self.near = None;
        self.near_lease = 0;
    }

    pub(super) fn give_back(&mut self, token: u8) {
        if self.near_lease == token {
            self.near_lease = 0;
        }
    }
}
