//! Units of work: the tag is suspended, the source commits, the tag is resumed; or the process ends before, and the time is up once.

use everwarm_core::mark::Mark;

use super::{Cast, Far, Fault, Kind, Load, Message, Undo, World};

impl Fault {
    /// Whether it shows in casts that have a unit of work only.
    pub(crate) fn is_of_units(self) -> bool {
        matches!(
            self,
            Self::SettleIgnoresSuspension | Self::QuietResume | Self::NearForgetsSuspension
        )
    }
}

impl Far {
    /// What the marker reads as: while its tag is suspended the number after the counter's, and none once the time is up.
    pub(super) fn reads(&self) -> Option<Mark> {
        match self.suspended {
            0 => self.marker,
            _ if self.over => None,
            _ => self.shard.map(|shard| Mark {
                number: shard.number + 1,
                ..shard
            }),
        }
    }

    /// The marker of a tag that is suspended, or was: once the time is up it gets the next number.
    pub(super) fn ensure_suspended(&mut self) -> Option<Mark> {
        if self.suspended == 0 {
            return None;
        }
        if self.over {
            (self.suspended, self.over) = (0, false);
            return Some(self.strike());
        }
        self.reads()
    }

    /// Gives the tag the next number; what its marker reads as.
    pub(super) fn strike(&mut self) -> Mark {
        let mut marker = self.shard();
        marker.number += 1;
        (self.shard, self.marker) = (Some(marker), Some(marker));
        if self.over {
            (self.suspended, self.over) = (0, false);
        }
        self.reads().unwrap_or(marker)
    }

    pub(super) fn suspend(&mut self) -> Mark {
        let suspended = if self.over { 0 } else { self.suspended };
        self.strike();
        self.suspended = suspended + 1;
        self.reads().expect("it is suspended")
    }

    pub(super) fn resume(&mut self, fault: Fault) -> Mark {
        if !self.over {
            self.suspended = self.suspended.saturating_sub(1);
        }
        match (fault, self.marker) {
            (Fault::QuietResume, Some(marker)) => marker,
            _ => self.strike(),
        }
    }
}

impl World {
    /// Ends the process of a unit of work that has suspended the tag. Another one takes its place, which has nothing.
    pub(super) fn crash(&mut self, at: usize, cast: &Cast) -> bool {
        let (process, kind) = cast.undoings[at];
        let committed = match self.undoings[at] {
            Undo::Step(1..=3, version) | Undo::Reply(_, 1..=3, version) => version,
            _ => return false,
        };
        if kind != Kind::Unit || self.crashes == 0 {
            return false;
        }
        self.crashes -= 1;
        self.undoings[at] = Undo::Crashed(committed);
        for (at, load) in self.loads.iter_mut().enumerate() {
            if cast.loads[at] == process {
                *load = Load::Done;
                if usize::from(self.far.lease) == at + 1 {
                    self.far.lease = 0;
                }
            }
        }
        let mine = &mut self.processes[process];
        mine.strike();
        mine.clear_near();
        mine.forget();
        mine.half_done = None;
        mine.inbox.clear();
        true
    }

    /// The time of what is suspended is up. It is long enough: nobody commits later.
    pub(super) fn over(&mut self, cast: &Cast) -> bool {
        if self.far.suspended == 0 || self.far.over {
            return false;
        }
        let crashed = self.undoings.iter().filter_map(|undo| match undo {
            Undo::Crashed(version) => Some(*version),
            _ => None,
        });
        let committed = crashed.max();
        if committed.is_none() && cast.crashes > 0 {
            return false;
        }
        self.far.over = true;
        for process in &mut self.processes {
            if let Some(version) = committed {
                process.inbox.push(Message::Over(version));
            }
        }
        true
    }
}
