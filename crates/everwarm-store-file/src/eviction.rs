//! Room for what comes: the files that were written first leave when there are too many.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use everwarm_core::store::Failure;

use crate::config::Config;
use crate::names::{FileName, ROOMS};
use crate::room::{Room, tally};
use crate::tally::Tally;

/// How far below the bound a store goes once it is above: a sixty-fourth, so that it need not look at each set.
const SLACK: u64 = 64;

/// What of the room that is left a handle may fill before it looks again, and of the bounds at most: so that many
/// processes together do not go far beyond them.
const SHARE_OF_ROOM: u64 = 32;
const SHARE_OF_BOUND: u64 = 1_024;

/// How much may be written before the rooms are looked at again; looking at sixteen costs more than writing to one.
#[derive(Debug, Default)]
pub(crate) struct Allowance {
    entries: AtomicU64,
    bytes: AtomicU64,
}

impl Allowance {
    /// Whether this much may still be written.
    pub(crate) fn spend(&self, bytes: u64) -> bool {
        let take = |left: &AtomicU64, by| {
            let less = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left: u64| {
                left.checked_sub(by)
            });
            less.is_ok()
        };
        take(&self.entries, 1) && take(&self.bytes, bytes)
    }

    /// A new allowance, where `sum` is there.
    fn grant(&self, config: &Config, sum: Tally) {
        let share = |max: u64, taken: u64| {
            (max.saturating_sub(taken) / SHARE_OF_ROOM).min(max / SHARE_OF_BOUND)
        };
        self.entries
            .store(share(config.max_entries, sum.entries), Ordering::Relaxed);
        self.bytes
            .store(share(config.max_bytes, sum.bytes), Ordering::Relaxed);
    }
}

/// Lets the oldest files go until the store is within its bounds, but for the one that was just written. No lock may be held.
pub(crate) fn keep_within(
    root: &OwnedFd,
    config: &Config,
    allowance: &Allowance,
    written: &FileName,
) -> Result<(), Failure> {
    let (mut tallies, mut sum) = tallies(root);
    if sum.entries <= config.max_entries && sum.bytes <= config.max_bytes {
        allowance.grant(config, sum);
        return Ok(());
    }
    let goal = Tally {
        entries: config.max_entries - config.max_entries / SLACK,
        bytes: config.max_bytes - config.max_bytes / SLACK,
    };
    let mut has_others = [true; ROOMS.len()];
    // Each round takes a quarter of the fullest room at most: so that rooms stay about equal.
    for _ in 0..16 * ROOMS.len() {
        let over = Tally {
            entries: sum.entries.saturating_sub(goal.entries),
            bytes: sum.bytes.saturating_sub(goal.bytes),
        };
        if over == Tally::default() {
            break;
        }
        let rooms = (0..ROOMS.len()).filter(|&room| has_others[room]);
        let fullest = rooms.max_by_key(|&room| match over.bytes {
            0 => tallies[room].entries,
            _ => tallies[room].bytes,
        });
        let Some(fullest) = fullest else { break };
        let spared = (fullest == written.room).then_some(written.stem.as_str());
        has_others[fullest] = lighten(&mut Room::locked(root, fullest)?, over, spared)?;
        (tallies, sum) = self::tallies(root);
    }
    allowance.grant(config, sum);
    Ok(())
}

/// How much is in all rooms.
pub(crate) fn held(root: &OwnedFd) -> Tally {
    tallies(root).1
}

fn tallies(root: &OwnedFd) -> ([Tally; 16], Tally) {
    let tallies: [Tally; 16] = std::array::from_fn(|room| tally(root, room));
    let sum = tallies.iter().fold(Tally::default(), |sum, tally| Tally {
        entries: sum.entries + tally.entries,
        bytes: sum.bytes.saturating_add(tally.bytes),
    });
    (tallies, sum)
}

/// Lets the oldest files of a room go; whether there were any.
fn lighten(room: &mut Room<'_>, over: Tally, spared: Option<&str>) -> Result<bool, Failure> {
    room.recount()?;
    let mut files = room.list()?;
    files.retain(|file| {
        let stem = file.file.strip_suffix(".value");
        stem.is_some() && stem != spared
    });
    files.sort_by_key(|file| file.written);
    let most = files.len().div_ceil(4);
    let mut gone = Tally::default();
    for file in files.iter().take(most) {
        if gone.entries >= over.entries && gone.bytes >= over.bytes {
            break;
        }
        room.remove_listed(file)?;
        gone.entries += 1;
        gone.bytes += file.bytes;
    }
    Ok(!files.is_empty())
}
