//! The right to write: among threads a seat, among processes a lock that ends with its holder.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, Instant};

use everwarm_core::store::{Failure, FailureKind};
use parking_lot::MutexGuard;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::{Step, Trouble, busy, damaged, read_only};
use crate::files::{Files, Seat};
use crate::head::END_AT;
use crate::writing::Writing;

/// How long a write waits for others.
const PATIENCE: Patience = Patience {
    still: Duration::from_millis(100),
    whole: Duration::from_millis(250),
};
/// How often a write gives others their turn before it gives up.
const TURNS: usize = 10_000;

impl Files {
    /// Does `work` while nobody else writes. Damage that it meets makes the store begin anew.
    pub(crate) fn write<T>(
        &self,
        mut work: impl FnMut(&mut Writing<'_>) -> Step<T>,
    ) -> Result<T, Failure> {
        if !self.is_writable {
            return Err(read_only());
        }
        for _ in 0..TURNS {
            let (seat, lock) = self.right_to_write()?;
            let outcome = match Writing::begin(self, seat, lock) {
                Ok(mut writing) => match work(&mut writing) {
                    Ok(done) => return Ok(done),
                    Err(Trouble::Damaged(what)) => writing.begin_anew(what),
                    Err(trouble) => {
                        writing.abandon();
                        Err(trouble)
                    }
                },
                Err(trouble) => Err(trouble),
            };
            match outcome {
                Err(Trouble::Failed(failure)) => return Err(failure),
                Err(Trouble::Again) => {}
                Err(Trouble::Damaged(what)) | Ok(what) => return Err(damaged(what)),
            }
        }
        Err(busy())
    }

    /// As [`write`](Self::write), also on a full disk: entries leave until there is room for what must not fail.
    pub(crate) fn write_surely<T>(
        &self,
        mut work: impl FnMut(&mut Writing<'_>) -> Step<T>,
    ) -> Result<T, Failure> {
        match self.write(&mut work) {
            Err(failure) if failure.kind == FailureKind::Capacity => {
                self.write(|writing| writing.give_up_oldest())?;
                self.write(work)
            }
            done => done,
        }
    }

    /// Waits until the last step of others is in the index; that of a process which ended on the way is finished.
    pub(crate) fn catch_up(&self) -> Result<(), Failure> {
        if self.is_writable {
            self.write(|_| Ok(()))
        } else {
            lock(&self.head, PATIENCE).map(drop)
        }
    }

    fn right_to_write(&self) -> Result<(MutexGuard<'_, Seat>, Locked<'_>), Failure> {
        let seat = self.seat.try_lock_for(PATIENCE.whole).ok_or_else(busy)?;
        Ok((seat, lock(&self.head, PATIENCE)?))
    }
}

/// A lock among processes, which ends with this or with the process.
pub(crate) struct Locked<'f>(&'f File);

impl Drop for Locked<'_> {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(self.0, FlockOperation::Unlock);
    }
}

/// How long others are waited for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// While nothing is written: its holder stands still.
    pub(crate) still: Duration,
    /// In all: others are in turn.
    pub(crate) whole: Duration,
}

/// Locks the head, or gives up.
pub(crate) fn lock(head: &File, patience: Patience) -> Result<Locked<'_>, Failure> {
    if try_lock(head)? {
        return Ok(Locked(head));
    }
    let begun = Instant::now();
    let mut moved = (begun, 0);
    let mut pause = Duration::from_micros(10);
    for attempt in 1u32.. {
        if attempt < 5 {
            std::thread::yield_now();
        } else {
            let now = Instant::now();
            let end = end_of_log(head);
            if moved.1 != end {
                moved = (now, end);
            }
            if now - moved.0 >= patience.still || now - begun >= patience.whole {
                break;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_micros(200));
        }
        if try_lock(head)? {
            return Ok(Locked(head));
        }
    }
    Err(busy())
}

fn try_lock(head: &File) -> Result<bool, Failure> {
    match rustix::fs::flock(head, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(false),
        Err(error) => Err(crate::error::refused(
            "the lock of the store",
            &error.into(),
        )),
    }
}

/// Where the log ends, as far as it can be read while others write: another place is progress.
fn end_of_log(head: &File) -> u64 {
    let mut end = [0; 8];
    let _ = head.read_at(&mut end, END_AT);
    u64::from_le_bytes(end)
}
