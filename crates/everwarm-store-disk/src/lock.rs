//! The right to write: among threads a seat, among processes a lock that ends with its holder.
//!
//! A holder that stands still, stopped in the midst of a write, is waited for once. From then on nobody of this process waits for it:
//! a write looks whether the lock is free, or something was written since, and fails at once if neither is so.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use everwarm_core::store::{Durability, Failure, FailureKind};
use parking_lot::MutexGuard;
use rustix::fs::FlockOperation;
use rustix::io::Errno;

use crate::error::{Step, Trouble, busy, damaged, read_only};
use crate::files::{Files, Seat};
use crate::head::END_AT;
use crate::writing::Writing;

/// How long a write waits for others in all.
const WHOLE: Duration = Duration::from_millis(250);
/// How long it waits for one who writes nothing, and for one who may have to wait for the disk.
const STILL: Duration = Duration::from_millis(50);
const STILL_AT_THE_DISK: Duration = Duration::from_millis(100);
/// What a pause counts at most: who was itself held up for longer has not seen how others are.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);
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
            lock(&self.head, &self.still, self.patience()).map(drop)
        }
    }

    fn right_to_write(&self) -> Result<(MutexGuard<'_, Seat>, Locked<'_>), Failure> {
        let seat = self.seat.try_lock_for(WHOLE).ok_or_else(busy)?;
        Ok((seat, lock(&self.head, &self.still, self.patience())?))
    }

    fn patience(&self) -> Patience {
        Patience {
            still: match self.config.durability {
                Durability::Power => STILL_AT_THE_DISK,
                _ => STILL,
            },
            whole: WHOLE,
        }
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

/// Where the log ended while the holder of the lock stood still.
#[derive(Debug)]
pub(crate) struct Still(AtomicU64);

/// The end of no log.
const NOWHERE: u64 = u64::MAX;

impl Default for Still {
    fn default() -> Self {
        Self(AtomicU64::new(NOWHERE))
    }
}

impl Still {
    /// Whether it was waited for in vain, and nothing was written since.
    fn is_at(&self, end: u64) -> bool {
        self.0.load(Ordering::Relaxed) == end
    }

    fn note(&self, end: u64) {
        if self.0.load(Ordering::Relaxed) != end {
            self.0.store(end, Ordering::Relaxed);
        }
    }
}

/// Locks the head, or gives up.
pub(crate) fn lock<'f>(
    head: &'f File,
    still: &Still,
    patience: Patience,
) -> Result<Locked<'f>, Failure> {
    if try_lock(head)? {
        still.note(NOWHERE);
        return Ok(Locked(head));
    }
    let (begun, mut stood) = (Instant::now(), Duration::ZERO);
    let mut end = end_of_log(head);
    let mut pause = Duration::from_micros(10);
    for attempt in 1u32.. {
        if attempt < 5 {
            std::thread::yield_now();
        } else {
            if still.is_at(end) || stood >= patience.still || begun.elapsed() >= patience.whole {
                break;
            }
            let slept = Instant::now();
            std::thread::sleep(pause);
            let passed = slept.elapsed().min(LONGEST_PAUSE);
            pause = (pause * 2).min(Duration::from_micros(200));
            let now = end_of_log(head);
            stood = if now == end {
                stood + passed
            } else {
                Duration::ZERO
            };
            end = now;
        }
        if try_lock(head)? {
            still.note(NOWHERE);
            return Ok(Locked(head));
        }
    }
    if stood >= patience.still {
        still.note(end);
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
