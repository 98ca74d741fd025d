//! Writers: what they do one after the other, once the source has changed.

use super::{Fault, Kind, Message, Undo, World};

const FAR: u8 = 0;
const NEAR: u8 = 1;
const MEMORY: u8 = 2;
const RETURN: u8 = 3;
const SUSPEND: u8 = 4;
const COMMIT: u8 = 5;
const RESUME: u8 = 6;

impl World {
    pub(super) fn undo(&mut self, at: usize, process: usize, kind: Kind, fault: Fault) -> bool {
        let steps: &[u8] = match (kind, fault) {
            (Kind::Invalidate, Fault::OwnTableFirst) => &[MEMORY, FAR, RETURN],
            (Kind::Invalidate, _) => &[FAR, MEMORY, RETURN],
            (Kind::Delete, Fault::OwnTableFirst) => &[MEMORY, FAR, NEAR, RETURN],
            (Kind::Delete, Fault::NearFirst) => &[NEAR, FAR, MEMORY, RETURN],
            (Kind::Delete, _) => &[FAR, NEAR, MEMORY, RETURN],
            (Kind::Unit, _) => &[SUSPEND, MEMORY, COMMIT, RESUME, MEMORY, RETURN],
        };
        let (done, version) = match self.undoings[at] {
            Undo::Done | Undo::Crashed(_) => return false,
            Undo::Idle if kind == Kind::Unit => (0, 0),
            Undo::Idle => {
                self.version += 1;
                self.undoings[at] = Undo::Step(0, self.version);
                return true;
            }
            Undo::Reply(marker, done, version) => {
                let mine = &mut self.processes[process];
                mine.raise(marker, fault);
                self.undoings[at] = Undo::Step(done, version);
                return true;
            }
            Undo::Step(done, version) => (done, version),
        };
        let mut after = Undo::Step(done + 1, version);
        match steps[usize::from(done)] {
            FAR if kind == Kind::Invalidate => {
                let marker = self.far.strike();
                self.tell(process, Message::Tag(marker, version));
                after = Undo::Reply(marker, done + 1, version);
            }
            FAR => {
                self.far.entry = None;
                self.far.lease = 0;
                self.tell(process, Message::Key(version));
            }
            NEAR => self.processes[process].clear_near(),
            SUSPEND => {
                let marker = self.far.suspend();
                self.tell(process, Message::Suspended(marker));
                if fault != Fault::NearForgetsSuspension {
                    after = Undo::Reply(marker, done + 1, version);
                }
            }
            COMMIT => {
                self.version += 1;
                after = Undo::Step(done + 1, self.version);
            }
            RESUME => {
                let marker = self.far.resume(fault);
                self.tell(process, Message::Tag(marker, version));
                after = Undo::Reply(marker, done + 1, version);
            }
            MEMORY => self.processes[process].strike(),
            _ => {
                let floor = &mut self.processes[process].floor;
                *floor = (*floor).max(version);
                after = Undo::Done;
            }
        }
        self.undoings[at] = after;
        true
    }
}
